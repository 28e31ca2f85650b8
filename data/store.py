"""Immutable snapshots of studies, and the locked read-only connections that query them.

A snapshot is one DuckDB file, named after the study and the hash of what was imported, and never
changes. Beside it stands its record, a small JSON file with the SHA-256 of the file. The pointer
``<study>.json`` names the snapshot that is served; replacing it is the only thing that publishing changes
for readers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from data.cohort import Compared
from data.rule import DEPTH_OF_STUDY, PARAMETER, MrdRule

SQL = Path(__file__).parent / "sql"
DEFAULT_FOLDER = Path(__file__).parent / "store"

QUERY_CONFIG: Mapping[str, str] = {
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
    """A snapshot cannot be used: it is not here, or it is damaged."""


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
    compared: Compared | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What decides every answer that this gives: equal keys, equal answers."""
        compared = self.compared
        return self.study_id, self.hash, compared and (compared.a.key, compared.b.key)


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
    was never published and is passed over.
    """
    folder = folder or store_folder()
    found = []
    for record in folder.glob("*-*.json"):
        fields = json.loads(record.read_text("utf-8"))
        path = folder / fields.pop("file")
        if path.exists():
            pointed = _pointed(folder, fields["study_id"])
            found.append(Snapshot(**fields, path=path, current=pointed == fields["hash"]))
    found.sort(key=lambda snapshot: snapshot.published_at, reverse=True)
    return tuple(sorted(found, key=lambda snapshot: snapshot.study_id))


def _pointed(folder: Path, study_id: str) -> str | None:
    try:
        return str(json.loads(pointer_path(folder, study_id).read_text("utf-8"))["snapshot"])
    except FileNotFoundError:
        return None


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
    raise SnapshotError(f"The snapshot {digest} of ‘{study_id}’ is not in this store.")


_OVERLAYS_KEPT = 12
"""Rules and comparisons that stay in memory at the same time; the one used longest ago goes first."""

_opening = threading.Lock()
_connections: dict[Path, duckdb.DuckDBPyConnection] = {}
_overlays: OrderedDict[tuple[Path, MrdRule, Compared | None], duckdb.DuckDBPyConnection] = (
    OrderedDict()
)


def _connection(
    snapshot: Snapshot, parameters: Mapping[str, Any] | None
) -> duckdb.DuckDBPyConnection:
    """Return the connection that answers a query: to the snapshot, verified when it is opened.

    Under another MRD rule than the study's own, and where two cohorts are compared, it is one to a
    database in memory that holds the tables that differ, over the same file.
    """
    rule: MrdRule = (parameters or {}).get(PARAMETER) or MrdRule()
    with _opening:
        connection = _connections.get(snapshot.path)
        if connection is None:
            verify(snapshot)
            connection = duckdb.connect(
                str(snapshot.path), read_only=True, config=dict(QUERY_CONFIG)
            )
            _connections[snapshot.path] = connection
        return _overlay(snapshot, rule) if rule or snapshot.compared else connection


def _overlay(snapshot: Snapshot, rule: MrdRule) -> duckdb.DuckDBPyConnection:
    key = (snapshot.path, rule, snapshot.compared)
    if key not in _overlays:
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
    except OSError as error:
        raise SnapshotError(f"The snapshot {snapshot.hash} cannot be read.") from error
    if actual != snapshot.file_sha256:
        raise SnapshotError(
            f"The snapshot {snapshot.hash} of ‘{snapshot.study_id}’ is damaged and is not shown. "
            "Import the study again."
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
