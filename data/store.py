"""Immutable snapshots of studies, and the locked read-only connections that query them.

A snapshot is one DuckDB file, named after the study and the hash of what was imported, and never
changes. Beside it stands its record, a small JSON file with the SHA-256 of the file. The pointer
``<study>.json`` names the snapshot that is served; replacing it is the only thing that publishing changes
for readers.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from data.cohort import Compared
from data.rule import DEPTH_OF_STUDY, PARAMETER, MrdRule
from data.variables import quoted

SQL = Path(__file__).parent / "sql"
DEFAULT_FOLDER = Path(__file__).parent / "store"

MODEST: Mapping[str, str] = {
    "threads": str(min(4, os.cpu_count() or 1)),
    "async_threads": "1",
}
"""Every thread of DuckDB reserves address space, which an import may not have without end."""

BUILD_CONFIG: Mapping[str, str] = {**MODEST, "memory_limit": "1GB"}
"""What builds or compares snapshots writes to disk what does not fit."""

QUERY_CONFIG: Mapping[str, str] = {
    **MODEST,
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "max_temp_directory_size": "0B",
    "lock_configuration": "true",
}
"""A query can read the snapshot and nothing else, and cannot change that."""


class SnapshotError(RuntimeError):
    """A snapshot cannot be used: it is not here, or it is damaged.

    Attributes
    ----------
    previous : Snapshot or None
        The newest other snapshot of the study that is whole, to open instead.
    """

    def __init__(self, message: str, previous: Snapshot | None = None) -> None:
        super().__init__(message)
        self.previous = previous


@dataclass(frozen=True)
class Snapshot:
    """One published state of a study.

    Attributes
    ----------
    study_id, title : str
    hash : str
        Twelve characters of the SHA-256 of what was imported and of the derivations: equal input
        gives an equal hash, on any machine.
    file_sha256 : str
        Of the DuckDB file, checked before the first use.
    path : Path
    published_at : str
        UTC, ISO 8601.
    rows : mapping of str to int
        Rows of each raw table.
    current : bool
        Whether this is the one that is served.
    published_by : str
    small_cell_minimum : int
        Of the study, whichever snapshot: the smallest number of patients that may be shown; 0 shows all.
    compared : Compared or None
        Two saved cohorts, by which `subjects` then has the column `cohorts`.
    """

    study_id: str
    title: str
    hash: str
    file_sha256: str
    path: Path
    published_at: str
    rows: Mapping[str, int]
    current: bool
    published_by: str = ""
    small_cell_minimum: int = 0
    compared: Compared | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What decides every answer that this gives: equal keys, equal answers."""
        compared = self.compared
        cohorts = compared and (compared.a.key, compared.b.key)
        return self.study_id, self.hash, self.small_cell_minimum, cohorts


def store_folder() -> Path:
    """Return the folder of the snapshots: COHORT_STORE, or data/store/."""
    return Path(os.environ.get("COHORT_STORE") or DEFAULT_FOLDER)


def pointer_path(folder: Path, study_id: str) -> Path:
    """Return the pointer file of a study."""
    return folder / f"{study_id}.json"


def record_path(folder: Path, study_id: str, digest: str) -> Path:
    """Return the record that stands beside a snapshot."""
    return folder / f"{study_id}-{digest}.json"


def snapshots(folder: Path | None = None) -> tuple[Snapshot, ...]:
    """Return every snapshot of a folder, by study, the newest first.

    A record without its file, or a file without its record, is what an interrupted import leaves; it
    was never published and is passed over. Connections to snapshots that are gone are dropped.
    """
    folder = folder or store_folder()
    found = []
    pointers: dict[str, Mapping[str, Any]] = {}
    for path in folder.glob("*-*.json"):
        fields = read_json(path)
        file = folder / str(fields.get("file"))
        if "file_sha256" not in fields or not file.exists():
            continue
        study_id = fields["study_id"]
        pointed = pointers.setdefault(study_id, pointer(folder, study_id))
        found.append(
            Snapshot(
                **{name: fields[name] for name in _RECORDED if name in fields},
                path=file,
                current=pointed.get("snapshot") == fields["hash"],
                small_cell_minimum=int(pointed.get("small_cell_minimum", 0)),
            )
        )
    _drop_connections(folder, {(s.path, s.file_sha256) for s in found})
    found.sort(key=lambda snapshot: snapshot.published_at, reverse=True)
    return tuple(sorted(found, key=lambda snapshot: snapshot.study_id))


_RECORDED = ("study_id", "title", "hash", "file_sha256", "published_at", "published_by", "rows")


def pointer(folder: Path, study_id: str) -> Mapping[str, Any]:
    """Return what the pointer of a study says: snapshot and small_cell_minimum; empty without one."""
    return read_json(pointer_path(folder, study_id))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file; an empty one where it is gone or damaged."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def find(study_id: str, digest: str | None = None, folder: Path | None = None) -> Snapshot:
    """Return the served snapshot of a study, or the one with a given hash.

    Raises
    ------
    SnapshotError
        If there is none; the message says what is here instead.
    """
    here = [s for s in snapshots(folder) if s.study_id == study_id]
    for snapshot in here:
        if snapshot.current if digest is None else snapshot.hash == digest:
            return snapshot
    if not here:
        raise SnapshotError(f"The study ‘{study_id}’ is not in this store.")
    if digest is None:
        message = f"The snapshot of ‘{study_id}’ that is to be shown is missing or damaged."
    else:
        message = f"The snapshot {digest} of ‘{study_id}’ is not in this store."
    raise SnapshotError(message, _whole(here))


def _whole(candidates: Iterable[Snapshot]) -> Snapshot | None:
    """Return the served one of some snapshots if it is undamaged, else the newest that is."""
    for snapshot in sorted(candidates, key=lambda snapshot: not snapshot.current):
        with contextlib.suppress(OSError):
            if file_sha256(snapshot.path) == snapshot.file_sha256:
                return snapshot
    return None


_OVERLAYS_KEPT = 12
"""Rules and comparisons that stay in memory at the same time; the one used longest ago goes first."""

_opening = threading.RLock()
_File = tuple[Path, str]
_connections: dict[_File, duckdb.DuckDBPyConnection] = {}
_overlays: OrderedDict[tuple[_File, MrdRule, Compared | None], duckdb.DuckDBPyConnection] = (
    OrderedDict()
)


def _drop_connections(folder: Path, kept: set[_File]) -> None:
    """Let go of what was deleted: its file stays on disk for as long as a connection holds it."""
    with _opening:
        # Not closed: a cursor of another thread may still read from it.
        for file in [f for f in _connections if f[0].parent == folder and f not in kept]:
            del _connections[file]
        for key in [k for k in _overlays if k[0][0].parent == folder and k[0] not in kept]:
            del _overlays[key]


def _connection(
    snapshot: Snapshot, parameters: Mapping[str, Any] | None
) -> duckdb.DuckDBPyConnection:
    """Return the connection that answers a query: to the snapshot, verified when it is opened.

    Under another MRD rule than the study's own, and where two cohorts are compared, it is one to a
    database in memory that holds the tables that differ, over the same file.
    """
    rule: MrdRule = (parameters or {}).get(PARAMETER) or MrdRule()
    try:
        with _opening:
            return _overlay(snapshot, rule) if rule or snapshot.compared else _opened(snapshot)
    except duckdb.IOException as error:
        raise _unusable(snapshot, "gone or cannot be read") from error


def _opened(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    file = snapshot.path, snapshot.file_sha256
    if file not in _connections:
        verify(snapshot)
        _connections[file] = duckdb.connect(
            str(snapshot.path), read_only=True, config=dict(QUERY_CONFIG)
        )
    return _connections[file]


def _overlay(snapshot: Snapshot, rule: MrdRule) -> duckdb.DuckDBPyConnection:
    key = ((snapshot.path, snapshot.file_sha256), rule, snapshot.compared)
    if key not in _overlays:
        _opened(snapshot)  # which verifies it
        _overlays[key] = _derived_anew(snapshot, rule)
        if len(_overlays) > _OVERLAYS_KEPT:
            # Not closed: a cursor of another thread may still read from it.
            _overlays.popitem(last=False)
    _overlays.move_to_end(key)
    return _overlays[key]


def _derived_anew(snapshot: Snapshot, rule: MrdRule) -> duckdb.DuckDBPyConnection:
    """Open a snapshot with what depends on the MRD rule derived in memory by the import's own SQL."""
    locks = ("enable_external_access", "lock_configuration")
    connection = duckdb.connect(
        ":memory:", config={k: v for k, v in QUERY_CONFIG.items() if k not in locks}
    )
    path = str(snapshot.path).replace("'", "''")
    depth = DEPTH_OF_STUDY if rule.cutoff is None else "$cutoff"
    texts = [
        sql_text("overlay_open").replace("{path}", f"'{path}'"),
        sql_text("overlay_samples"),
        sql_text("derive_mrd_by_timepoint").replace(DEPTH_OF_STUDY, depth),
        sql_text("overlay_reasons"),
        sql_text("derive_subjects"),
        sql_text("overlay_close"),
    ]
    parameters = rule.parameters()
    if snapshot.compared:
        texts.append(sql_text("overlay_compared"))
        parameters |= snapshot.compared.parameters()
    for text in texts:
        for statement in connection.extract_statements(text):
            used = {k: v for k, v in parameters.items() if k in statement.named_parameters}
            connection.execute(statement, used)
    for name in locks:
        connection.execute(f"SET {name} = {QUERY_CONFIG[name]}")
    return connection


def verify(snapshot: Snapshot) -> None:
    """Check a snapshot's file against the hash taken when it was published.

    Raises
    ------
    SnapshotError
        If the file is not, byte for byte, the one that was published.
    """
    try:
        actual = file_sha256(snapshot.path)
    except OSError:
        actual = ""
    if actual != snapshot.file_sha256:
        raise _unusable(snapshot, "damaged" if actual else "gone or cannot be read")


def _unusable(snapshot: Snapshot, how: str) -> SnapshotError:
    """Return the error that says so and offers another snapshot of the study."""
    others = (s for s in snapshots(snapshot.path.parent) if s.study_id == snapshot.study_id)
    return SnapshotError(
        f"The snapshot {snapshot.hash} of ‘{snapshot.study_id}’ is {how} and is not shown. "
        "Import the study again.",
        _whole(s for s in others if s.hash != snapshot.hash),
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def sql_text(name: str) -> str:
    """Return the text of data/sql/<name>.sql."""
    return (SQL / f"{name}.sql").read_text("utf-8")


def query(
    snapshot: Snapshot, sql: str, parameters: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Run one query on a snapshot and return its rows as a frame.

    Parameters
    ----------
    snapshot : Snapshot
    sql : str
        A text of data/sql; whatever varies in it is a parameter or comes from the dictionary.
    parameters : mapping, optional
        By name. Parameters that the text does not use are not passed on. One called ``mrd_rule``
        makes the query read the tables as that rule derives them.
    """
    with _connection(snapshot, parameters).cursor() as cursor:
        return _run(cursor, sql, parameters).df()


def records(
    snapshot: Snapshot, sql: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one query as `query` does and return its rows as dictionaries, SQL's NULL as None."""
    with _connection(snapshot, parameters).cursor() as cursor:
        result = _run(cursor, sql, parameters)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _run(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None
) -> duckdb.DuckDBPyConnection:
    # Each caller brings a cursor of its own: a shared one mixes up results between threads.
    used = {name: value for name, value in (parameters or {}).items() if f"${name}" in sql}
    return cursor.execute(sql, used)


def difference(before: Snapshot, after: Snapshot) -> dict[str, int]:
    """Return what is different between two snapshots: counts by the names of `query_difference.sql`.

    Raises
    ------
    SnapshotError
        If one of them is damaged or gone.
    """
    tables = ("patients", "outcomes", "mrd_assessments")
    columns = [
        {
            (row["table_name"], row["column_name"]): quoted(row["column_name"])
            for row in records(snapshot, sql_text("query_columns"))
        }
        for snapshot in (before, after)
    ]
    text = sql_text("query_difference")
    for table in tables:
        shared = (name for key, name in columns[1].items() if key[0] == table and key in columns[0])
        text = text.replace(f"{{{table}}}", ", ".join(shared))
    opened = sql_text("difference_open")
    for name, snapshot in (("before", before), ("after", after)):
        path = str(snapshot.path).replace("'", "''")
        opened = opened.replace(f"{{{name}}}", f"'{path}'")
    with duckdb.connect(":memory:", config=dict(BUILD_CONFIG)) as connection:
        connection.execute(opened)
        result = connection.execute(text)
        names = [column[0] for column in result.description or ()]
        return {name: int(n) for name, n in zip(names, result.fetchall()[0], strict=True)}
