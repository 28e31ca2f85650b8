"""Turn a checked study into a snapshot and serve it: all of it or nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from data.importing.check import check
from data.importing.problems import ImportRefused, Problem
from data.importing.read import Tables, read_folder
from data.importing.tables import TABLES
from data.store import (
    Snapshot,
    file_sha256,
    find,
    pointer_path,
    record_path,
    sql_text,
    store_folder,
)
from data.variables import quoted, timepoint_variable_name

_DERIVATIONS = (
    "derive_course",
    "derive_mrd_by_timepoint",
    "derive_subjects",
    "derive_time_to_event",
)
_OWN_TYPES = {"number": "DOUBLE", "boolean": "BOOLEAN", "category": "VARCHAR"}


def import_folder(
    source: Path, study_id: str, folder: Path | None = None
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Read, check and publish a study.

    Parameters
    ----------
    source : Path
        Folder with study.json and the four tables as CSV.
    study_id : str
    folder : Path, optional
        The store; COHORT_STORE or data/store/ by default.

    Returns
    -------
    snapshot : Snapshot
    problems : tuple of Problem
        Warnings and notes.

    Raises
    ------
    ImportRefused
        With every problem at once, if any is fatal; the store is as it was.
    """
    tables = read_folder(source, study_id)
    problems = sorted(
        (*tables.problems, *check(tables)),
        key=lambda p: (("fatal", "warning", "note").index(p.severity), p.file, p.row or 0),
    )
    if any(problem.severity == "fatal" for problem in problems):
        raise ImportRefused(problems)
    return publish(tables, problems, folder or store_folder()), tuple(problems)


def publish(tables: Tables, problems: list[Problem], folder: Path) -> Snapshot:
    """Write the snapshot of a study that has no fatal problem, and point to it.

    The file is built in a temporary place, closed, flushed to disk and hashed before it gets its name;
    the pointer is replaced last. Whatever fails on the way, readers see the snapshot they had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    study_id = str(tables.study["study_id"])
    digest = _digest(tables)
    target = folder / f"{study_id}-{digest}.duckdb"
    record = record_path(folder, study_id, digest)
    if not (target.exists() and record.exists()):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as scratch:
            built = Path(scratch) / "snapshot.duckdb"
            _build(built, tables, problems)
            fields = {
                "study_id": study_id,
                "title": tables.study["title"],
                "hash": digest,
                "file": target.name,
                "file_sha256": file_sha256(built),
                "published_at": datetime.datetime.now(datetime.UTC).isoformat(
                    timespec="milliseconds"
                ),
                "rows": {name: len(frame) for name, frame in tables.frames.items()},
            }
            built.chmod(0o444)
            _flush(built)
            os.replace(built, target)
            _flush(folder)
            _write(record, fields)
    _write(pointer_path(folder, study_id), {"study_id": study_id, "snapshot": digest})
    return find(study_id, digest, folder)


def _digest(tables: Tables) -> str:
    """Return the hash of what was read and of the SQL that derives from it."""
    derivation = "".join(sql_text(name) for name in ("schema", *_DERIVATIONS))
    return hashlib.sha256(tables.content + derivation.encode("utf-8")).hexdigest()[:12]


def _build(path: Path, tables: Tables, problems: list[Problem]) -> None:
    connection = duckdb.connect(str(path))
    try:
        connection.execute(sql_text("schema"))
        _insert(connection, "studies", _study_row(tables.study))
        _insert(connection, "timepoints", _timepoint_rows(tables.study))
        own = [{"name": name, **spec} for name, spec in tables.own.items()]
        _insert(connection, "own_variables", pd.DataFrame(own, columns=["name", "label", "kind"]))
        for name, spec in tables.own.items():
            connection.execute(
                f"ALTER TABLE patients ADD COLUMN {quoted(name)} {_OWN_TYPES[spec['kind']]}"
            )
        for name in TABLES:
            _insert(connection, name, _STORED.get(name, _as_read)(tables.frames[name]))
        _insert(connection, "import_problems", _problem_rows(problems))
        for name in _DERIVATIONS:
            connection.execute(sql_text(name))
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame) -> None:
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO {quoted(table)} BY NAME SELECT * FROM incoming")
    connection.unregister("incoming")


def _study_row(study: dict[str, Any]) -> pd.DataFrame:
    columns = (
        "study_id", "title", "citation", "doi", "day_zero_label", "default_endpoint", "synthetic",
        "data_cutoff", "notes",
    )  # fmt: skip
    return pd.DataFrame([{column: study[column] for column in columns}])


def _timepoint_rows(study: dict[str, Any]) -> pd.DataFrame:
    windows = sorted(study["timepoints"], key=lambda window: window["target_day"])
    return pd.DataFrame(
        [
            {**window, "position": position, "variable": timepoint_variable_name(window["label"])}
            for position, window in enumerate(windows, start=1)
        ],
        columns=["position", "label", "variable", "target_day", "first_day", "last_day"],
    )


def _known_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Say of remission, relapse and death whether they happened.

    Without a column of its own, each happened if it has a day. With one, an empty cell means that it
    is not known, unless there is a day.
    """
    for event, day in (
        ("cr_achieved", "cr_day"),
        ("relapsed", "relapse_day"),
        ("died", "death_day"),
    ):
        days = outcomes.get(day, pd.Series(pd.NA, index=outcomes.index, dtype="Int64"))
        if event in outcomes:
            happened = outcomes[event].mask(days.notna(), True)
        else:
            happened = days.notna().astype("boolean")
        outcomes = outcomes.assign(**{event: happened})
    return outcomes


def _without_identifying_ages(patients: pd.DataFrame) -> pd.DataFrame:
    """Store ages above 89 as 90: they identify."""
    if "age_years" not in patients:
        return patients
    old = (patients["age_years"] > 89).fillna(False)
    return patients.assign(age_years=patients["age_years"].mask(old, 90))


def _as_read(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


_STORED = {"outcomes": _known_outcomes, "patients": _without_identifying_ages}
"""What is done to a table on its way into the snapshot."""


def _problem_rows(problems: list[Problem]) -> pd.DataFrame:
    """Return the findings without the values, which can be dates or names."""
    columns = ["severity", "file", "row", "column", "problem", "remedy"]
    return pd.DataFrame(
        [(p.severity, p.file, p.row, p.column, p.what, p.remedy) for p in problems], columns=columns
    )


def _write(path: Path, fields: dict[str, Any]) -> None:
    """Replace a small JSON file in one step."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".write-", delete=False
    ) as file:
        json.dump(fields, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    """Have the operating system write a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
