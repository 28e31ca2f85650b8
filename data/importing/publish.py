"""Turn a checked study into a snapshot and serve it: all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from data.audit import recorded
from data.importing import history
from data.importing.check import check
from data.importing.disk import flush, locked, open_lock, write_json
from data.importing.problems import ImportRefused, Problem, in_order
from data.importing.read import Tables, read_folder
from data.store import (
    BUILD_CONFIG,
    FORMAT,
    MINIMUM,
    Snapshot,
    SnapshotError,
    changed_folder,
    file_sha256,
    find,
    pointer,
    record_path,
    sql_text,
    verify,
)
from data.variables import quoted, timepoint_variable_name

JOBS = ".jobs"
"""Folder of a store in which imports are built."""

OWNER = "owner"
"""File in the folder of an import that ends with its process, which holds its lock."""

BUILT = "snapshot.duckdb"
"""File in the folder of an import: the snapshot until it is published."""

Progress = Callable[[str, float | None], None]
"""Takes what is being done, in words, and the share that is done."""

_DERIVATIONS = {
    "derive_course": "courses of treatment",
    "derive_mrd_by_timepoint": "MRD by timepoint",
    "derive_subjects": "patients",
    "derive_time_to_event": "endpoints",
}
_OWN_TYPES = {"number": "DOUBLE", "boolean": "BOOLEAN", "category": "VARCHAR"}


def import_folder(
    source: Path,
    study_id: str,
    folder: Path | None = None,
    *,
    who: str = "",
    small_cell_minimum: int | None = None,
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Read, check and publish a study.

    Parameters
    ----------
    source : Path
        Folder with study.json and the four tables as CSV.
    study_id : str
    folder : Path, optional
        The store; COHORT_STORE or data/store/ by default.
    who : str
        For the history.
    small_cell_minimum : int, optional
        As `commit` takes it.

    Returns
    -------
    snapshot : Snapshot
    problems : tuple of Problem
        Warnings and notes.

    Raises
    ------
    ImportRefused
        With every problem at once, if any is fatal; the store is as it was.
    OSError
        If the store cannot be written; it is as it was.
    """
    tables = read_folder(source, study_id)
    problems = tuple(in_order((*tables.problems, *check(tables))))
    if any(problem.severity == "fatal" for problem in problems):
        raise ImportRefused(problems)
    folder = folder or changed_folder()
    fields = record(tables, digest_of(tables))
    place, owner = new_folder(folder)
    try:
        built = place / BUILT
        if whole(folder, study_id, fields["hash"]) is None:
            fields["file_sha256"] = build(built, tables, problems)
        snapshot = commit(built, fields, folder, who=who, small_cell_minimum=small_cell_minimum)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(owner)
    return snapshot, problems


def new_folder(folder: Path, name: str | None = None) -> tuple[Path, int]:
    """Make a folder for one import, that only the user can read, and own it.

    Returns
    -------
    place : Path
    owner : int
        A descriptor; once it is closed, by the end of the process too, the folder is debris.
    """
    with locked(folder):
        (folder / JOBS).mkdir(mode=0o700, exist_ok=True)
        place = folder / JOBS / (name or secrets.token_urlsafe(16))
        place.mkdir(mode=0o700)
        try:
            return place, open_lock(place / OWNER)
        except OSError:
            shutil.rmtree(place, ignore_errors=True)
            raise


def digest_of(
    tables: Tables, mapping: Mapping[str, Any] | None = None, salt: bytes | None = None
) -> str:
    """Return the hash of what was read, how it was read, and the SQL that derives from it.

    Equal input gives an equal hash, on any machine; where identifiers are replaced, with equal salt.
    """
    said = [
        tables.content_sha256,
        json.dumps(mapping, sort_keys=True, ensure_ascii=False) if mapping else "",
        hashlib.sha256(salt).hexdigest() if salt else "",
        str(FORMAT),
        *(sql_text(name) for name in ("schema", *_DERIVATIONS)),
    ]
    return hashlib.sha256("\0".join(said).encode("utf-8")).hexdigest()[:12]


def record(
    tables: Tables,
    digest: str,
    *,
    files: Sequence[Mapping[str, str]] = (),
    mapping: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the record of a snapshot, but for who published it when, and the hash of its file."""
    study_id = str(tables.study["study_id"])
    return {
        "study_id": study_id,
        "title": tables.study["title"],
        "hash": digest,
        "format": FORMAT,
        "file": f"{study_id}-{digest}.duckdb",
        "rows": {name: len(frame) for name, frame in tables.frames.items()},
        "files": list(files),
        "mapping": mapping,
        "small_cell_minimum": tables.study.get("small_cell_minimum"),
    }


def whole(folder: Path, study_id: str, digest: str) -> Snapshot | None:
    """Return a snapshot of the store if it is there and undamaged."""
    try:
        snapshot = find(study_id, digest, folder)
        verify(snapshot)
    except SnapshotError:
        return None
    return snapshot


def commit(
    built: Path,
    fields: Mapping[str, Any],
    folder: Path,
    *,
    who: str,
    small_cell_minimum: int | None = None,
) -> Snapshot:
    """Give a snapshot that was built its place and serve it; the pointer is replaced last.

    Whatever fails on the way, readers see the snapshot they had. One that is in the store already, and
    is whole, stays as it is; if it is served as well, nothing at all is written.

    Parameters
    ----------
    built : Path
        The file, in the same file system as the store.
    fields : mapping
        As `record` returns it, with ``file_sha256``.
    small_cell_minimum : int, optional
        Left out, it stays as the pointer says; for a new study, as its description says, else 5.

    Raises
    ------
    StoreBusy
        If others publish all the while.
    OSError
        If the store cannot be written.
    """
    study_id, digest = fields["study_id"], fields["hash"]
    with locked(folder):
        pointed = pointer(folder, study_id)
        minimum = small_cell_minimum
        if minimum is None:
            minimum = pointed.get("small_cell_minimum", fields["small_cell_minimum"])
        minimum = MINIMUM if minimum is None else minimum
        told = {"snapshot": digest, "small_cell_minimum": minimum}
        known = whole(folder, study_id, digest)
        if known is None or pointed != {"study_id": study_id, **told}:
            line = history.entry(
                who, "publish", digest, rows=fields["rows"], files=tuple(fields["files"]),
                mapping=_sha256(fields["mapping"]), small_cell_minimum=minimum,
            )  # fmt: skip
            with recorded(who, "publish", folder, study=study_id, snapshot=digest, minimum=minimum):
                _serve(built if known is None else None, fields, folder, line)
        return find(study_id, digest, folder)


def _serve(
    built: Path | None, fields: Mapping[str, Any], folder: Path, line: Mapping[str, Any]
) -> None:
    """Note a snapshot in the history, give what was built its place, and point to it."""
    study_id = fields["study_id"]
    try:
        history.append(folder, study_id, line)
        if built is not None:
            _place(built, fields, folder, line)
        history.point(folder, study_id, line)
    except BaseException:
        history.settle_study(folder, study_id)
        raise


def _place(built: Path, fields: Mapping[str, Any], folder: Path, line: Mapping[str, Any]) -> None:
    os.replace(built, folder / fields["file"])
    flush(folder)
    published = {"published_at": line["at"], "published_by": line["who"]}
    write_json(record_path(folder, fields["study_id"], fields["hash"]), {**fields, **published})


def _sha256(mapping: Mapping[str, Any] | None) -> str | None:
    if mapping is None:
        return None
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode("utf-8")).hexdigest()


def build(
    path: Path,
    tables: Tables,
    problems: Sequence[Problem],
    progress: Progress = lambda words, share: None,
) -> str:
    """Write the file of a snapshot, read it again and return its SHA-256.

    Raises
    ------
    OSError
        If it cannot be written, or does not hold what was written.
    """
    path.unlink(missing_ok=True)
    try:
        _write(path, tables, problems, progress)
        progress("Reading the snapshot again", 0.95)
        _recount(path, tables)
    except duckdb.OutOfMemoryException:
        raise MemoryError("The snapshot needs more memory than there is.") from None
    except duckdb.Error as error:
        # Its message can name what was to be written.
        raise OSError(
            f"The snapshot could not be written ({type(error).__name__}): the disk may be full. "
            "Nothing was published."
        ) from None
    if path.with_suffix(".duckdb.wal").exists():
        raise OSError("The snapshot was not written to its end. Nothing was published.")
    path.chmod(0o444)
    flush(path)
    return file_sha256(path)


def _recount(path: Path, tables: Tables) -> None:
    with duckdb.connect(str(path), read_only=True, config=dict(BUILD_CONFIG)) as connection:
        for name, frame in tables.frames.items():
            (n,) = connection.table(name).count("*").fetchall()[0]
            if n != len(frame):
                raise OSError(f"The snapshot holds {n} rows of {name} instead of {len(frame)}.")


def _write(path: Path, tables: Tables, problems: Sequence[Problem], progress: Progress) -> None:
    connection = duckdb.connect(str(path), config=dict(BUILD_CONFIG))
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
        steps = len(tables.frames) + len(_DERIVATIONS) + 1
        for step, (name, frame) in enumerate(tables.frames.items()):
            progress(f"Storing {len(frame):,} rows of {name.replace('_', ' ')}", step / steps)
            _insert(connection, name, _STORED.get(name, _as_read)(frame))
        _insert(connection, "import_problems", _problem_rows(problems))
        for step, (name, words) in enumerate(_DERIVATIONS.items(), start=len(tables.frames)):
            progress(f"Deriving {words}", step / steps)
            connection.execute(sql_text(name))
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pd.DataFrame) -> None:
    # DuckDB reads pandas' own types several times as slowly.
    connection.register("incoming", pa.Table.from_pandas(rows, preserve_index=False))
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

    Without a column of its own, each happened if it has a day; without that column too, nobody knows.
    With one, an empty cell means that it is not known, unless there is a day. A column that is empty all
    the way down beside days says nothing and is taken as missing: a template was filled in by its days.
    """
    for event, day in (
        ("cr_achieved", "cr_day"),
        ("relapsed", "relapse_day"),
        ("died", "death_day"),
    ):
        days = outcomes.get(day, pd.Series(pd.NA, index=outcomes.index, dtype="Int64"))
        if event in outcomes and (outcomes[event].notna().any() or days.isna().all()):
            happened = outcomes[event].mask(days.notna(), True)
        elif day in outcomes:
            happened = days.notna().astype("boolean")
        else:
            happened = pd.Series(pd.NA, index=outcomes.index, dtype="boolean")
        outcomes = outcomes.assign(**{event: happened})
    return outcomes


def _as_read(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


_STORED = {"outcomes": _known_outcomes}
"""What is done to a table on its way into the snapshot."""


def _problem_rows(problems: Sequence[Problem]) -> pd.DataFrame:
    """Return the findings without the values, which can be dates or names."""
    columns = ["severity", "file", "row", "column", "problem", "remedy"]
    return pd.DataFrame(
        [(p.severity, p.file, p.row, p.column, p.what, p.remedy) for p in problems], columns=columns
    )


def salt(folder: Path) -> bytes:
    """Return the salt of a store, with which identifiers of patients are replaced; made once."""
    path = folder / ".salt"
    with locked(folder):
        if not path.exists():
            write_json(path, {"salt": secrets.token_hex(32)})
        return bytes.fromhex(json.loads(path.read_text("utf-8"))["salt"])
