"""DuckDB, embedded: each snapshot is one file, opened read-only and locked."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd

from data.cohort import Compared
from data.engines.base import Parameters, Snapshot, Unusable, rule_texts, sql_text, used
from data.rule import PARAMETER, MrdRule

name = "DuckDB"
"""As a screen says it."""

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


_OVERLAYS_KEPT = 12
"""Rules and comparisons that stay in memory at the same time; the one used longest ago goes first."""
_PATIENTS_KEPT = 1_500_000
"""Patients of all of them together, at some 1.3 kB each; the latest stays however large it is."""

_opening = threading.Lock()
_made_by: dict[object, threading.Lock] = {}
_File = tuple[Path, str]
_connections: dict[_File, duckdb.DuckDBPyConnection] = {}
# By file, rule, comparison, and the patients of the file.
_Overlay = tuple[_File, MrdRule, Compared | None, int]
_overlays: OrderedDict[_Overlay, duckdb.DuckDBPyConnection] = OrderedDict()


def forget(folder: Path, kept: set[_File]) -> None:
    """Let go of what was deleted from a store: a file stays on disk for as long as a connection holds it.

    Parameters
    ----------
    folder : Path
        The store.
    kept : set of (Path, str)
        The files that are still there, with their hashes.
    """
    with _opening:
        # Not closed: a cursor of another thread may still read from it.
        for file in [f for f in _connections if f[0].parent == folder and f not in kept]:
            del _connections[file]
        for key in [k for k in _overlays if k[0][0].parent == folder and k[0] not in kept]:
            del _overlays[key]


def _connection(snapshot: Snapshot, parameters: Parameters) -> duckdb.DuckDBPyConnection:
    """Return the connection that answers a query: to the snapshot, verified when it is opened.

    Under another MRD rule than the study's own, and where two cohorts are compared, it is one to a
    database in memory that holds the tables that differ, over the same file.
    """
    rule: MrdRule = parameters.get(PARAMETER) or MrdRule()
    try:
        return _overlay(snapshot, rule) if rule or snapshot.compared else _opened(snapshot)
    except duckdb.IOException as error:
        raise Unusable("gone or cannot be read") from error


def _opened(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    def make() -> duckdb.DuckDBPyConnection:
        verify(snapshot)
        return duckdb.connect(str(snapshot.path), read_only=True, config=dict(QUERY_CONFIG))

    return _once(_connections, (snapshot.path, snapshot.file_sha256), make)


def _overlay(snapshot: Snapshot, rule: MrdRule) -> duckdb.DuckDBPyConnection:
    def make() -> duckdb.DuckDBPyConnection:
        _opened(snapshot)  # which verifies it
        return _derived_anew(snapshot, rule)

    patients = snapshot.rows.get("patients", 0)
    key = ((snapshot.path, snapshot.file_sha256), rule, snapshot.compared, patients)
    connection = _once(_overlays, key, make)
    with _opening:
        if key in _overlays:
            _overlays.move_to_end(key)
        while len(_overlays) > 1 and (
            len(_overlays) > _OVERLAYS_KEPT or sum(k[-1] for k in _overlays) > _PATIENTS_KEPT
        ):
            # Not closed: a cursor of another thread may still read from it.
            _overlays.popitem(last=False)
    return connection


_Key = TypeVar("_Key")


def _once(
    cache: MutableMapping[_Key, duckdb.DuckDBPyConnection],
    key: _Key,
    make: Callable[[], duckdb.DuckDBPyConnection],
) -> duckdb.DuckDBPyConnection:
    """Return what a cache holds, made once; a slow disk holds up those alone who ask for the same."""
    with _opening:
        if key in cache:
            return cache[key]
        making = _made_by.setdefault(key, threading.Lock())
    with making:
        with _opening:
            if key in cache:
                return cache[key]
        try:
            made = make()
        finally:
            with _opening:
                _made_by.pop(key, None)
        with _opening:
            return cache.setdefault(key, made)


def _derived_anew(snapshot: Snapshot, rule: MrdRule) -> duckdb.DuckDBPyConnection:
    """Open a snapshot with what depends on the MRD rule derived in memory by the import's own SQL."""
    locks = ("enable_external_access", "lock_configuration")
    connection = duckdb.connect(
        ":memory:", config={k: v for k, v in QUERY_CONFIG.items() if k not in locks}
    )
    texts = [
        sql_text("overlay_open").replace("{path}", text_sql(snapshot.path)),
        *rule_texts(rule),
    ]
    parameters = rule.parameters()
    if snapshot.compared:
        texts += [sql_text("overlay_members"), sql_text("overlay_compared")]
        parameters |= snapshot.compared.parameters()
    for text in texts:
        for statement in connection.extract_statements(text):
            used = {k: v for k, v in parameters.items() if k in statement.named_parameters}
            connection.execute(statement, used)
    for name in locks:
        connection.execute(f"SET {name} = {QUERY_CONFIG[name]}")
    return connection


def frame(snapshot: Snapshot, sql: str, parameters: Parameters) -> pd.DataFrame:
    """Return the rows of a query as a frame."""
    with _answer(snapshot, sql, parameters) as result:
        return result.df()


def records(snapshot: Snapshot, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries, SQL's NULL as None."""
    with _answer(snapshot, sql, parameters) as result:
        return _as_records(result)


def columns(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table of a snapshot, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for row in records(snapshot, sql_text("query_columns"), {}):
        found[row["table_name"]] = (*found.get(row["table_name"], ()), row["column_name"])
    return found


def difference(before: Snapshot, after: Snapshot, sql: str) -> dict[str, int]:
    """Return the one row of a query on two snapshots, the schemas ``before`` and ``after``.

    With it, what differs in the endpoints that the study gives itself, which a snapshot in Parquet lacks.
    """
    opened = sql_text("difference_open")
    for name, snapshot in (("before", before), ("after", after)):
        opened = opened.replace(f"{{{name}}}", text_sql(snapshot.path))
    with duckdb.connect(":memory:", config=dict(BUILD_CONFIG)) as connection:
        connection.execute(opened)
        (row,) = _as_records(connection.execute(sql))
        (given,) = _as_records(connection.execute(sql_text("difference_given")))
        return row | given


def verify(snapshot: Snapshot) -> None:
    """Check that the file of a snapshot is, byte for byte, the one that was published.

    Raises
    ------
    Unusable
    """
    try:
        actual = file_sha256(snapshot.path)
    except OSError:
        actual = ""
    if actual != snapshot.file_sha256:
        raise Unusable("damaged" if actual else "gone or cannot be read")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _answer(
    snapshot: Snapshot, sql: str, parameters: Parameters
) -> Iterator[duckdb.DuckDBPyConnection]:
    # Each caller brings a cursor of its own: a shared one mixes up results between threads.
    with _connection(snapshot, parameters).cursor() as cursor:
        try:
            yield cursor.execute(sql, used(sql, parameters))
        except duckdb.IOException as error:
            raise Unusable("gone or cannot be read") from error


def _as_records(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def text_sql(value: object) -> str:
    """Return a text as a literal of SQL, where no parameter can stand: a path."""
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"
