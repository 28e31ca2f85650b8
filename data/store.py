"""Immutable snapshots of studies, and the locked read-only connections that query them.

A snapshot is one DuckDB file, named after the study and the hash of what was imported, and never
changes. Beside it stands its record, a small JSON file with the SHA-256 of the file. The pointer
``<study>.json`` names the snapshot that is served; replacing it is the only thing that publishing changes
for readers.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from data.engines import duck, spark
from data.engines.base import (
    FORMAT,
    Engine,
    EngineError,
    Parameters,
    Snapshot,
    SnapshotError,
    TooManyRows,
    Unreachable,
    Unusable,
    sql_text,
)
from data.engines.duck import BUILD_CONFIG, QUERY_CONFIG, file_sha256
from data.engines.parquet import DIFFERING
from data.variables import quoted

__all__ = [
    "BUILD_CONFIG",
    "FORMAT",
    "MINIMUM",
    "QUERY_CONFIG",
    "READ_ONLY",
    "EngineError",
    "Snapshot",
    "SnapshotError",
    "TooManyRows",
    "Unreachable",
    "changed_folder",
    "cluster",
    "difference",
    "engine_of",
    "file_sha256",
    "find",
    "query",
    "records",
    "snapshots",
    "sql_text",
    "store_folder",
    "verify",
]

READ_ONLY = (
    "This store is read with Apache Spark and changed where the data are: import the study into a folder, "
    "then python -m data publish --study NAME --to FOLDER."
)
"""Why nothing is imported, rolled back or deleted here."""

DEFAULT_FOLDER = Path(__file__).parent / "store"

MINIMUM = 5
"""The small-cell minimum of a study that says nothing else."""


def store_folder() -> Path:
    """Return the folder of the snapshots: COHORT_STORE, or data/store/.

    Where Spark answers, it is the folder on this machine for what does not belong to a cluster: talks.
    """
    store = os.environ.get("COHORT_STORE") or str(DEFAULT_FOLDER)
    if store.startswith(spark.CLUSTER):
        return DEFAULT_FOLDER
    return Path(store.removeprefix(spark.LOCAL))


def changed_folder() -> Path:
    """Return the folder of the snapshots for who changes what is in it.

    Raises
    ------
    EngineError
        Where Spark answers: what a cluster holds is changed on the cluster.
    """
    if cluster():
        raise EngineError(READ_ONLY)
    return store_folder()


def cluster() -> str:
    """Return the store as COHORT_STORE names it where Spark answers for it; empty for a folder."""
    store = os.environ.get("COHORT_STORE", "")
    return store if spark.is_spark(store) else ""


def pointer_path(folder: Path, study_id: str) -> Path:
    """Return the pointer file of a study."""
    return folder / f"{study_id}.json"


def record_path(folder: Path, study_id: str, digest: str) -> Path:
    """Return the record that stands beside a snapshot."""
    return folder / f"{study_id}-{digest}.json"


def history_path(folder: Path, study_id: str) -> Path:
    """Return the history of a study: a line of JSON for everything that was done to it."""
    return folder / f"{study_id}{HISTORY_ENDING}"


HISTORY_ENDING = ".history.jsonl"


def snapshots(folder: Path | None = None) -> tuple[Snapshot, ...]:
    """Return every snapshot of a folder, by study, the newest first.

    A record without its file, or a file without its record, is what an interrupted import leaves; it
    was never published and is passed over. Connections to snapshots that are gone are dropped.

    Raises
    ------
    SnapshotError
        If the folder is there and cannot be read.
    """
    if folder is None and cluster():
        return spark.engine(cluster()).snapshots()
    folder = folder or store_folder()
    try:
        found = _listed(folder)
    except OSError as error:
        raise SnapshotError(
            f"The store cannot be read just now ({error.strerror}). Try again; if that does not help, the "
            "disk or the rights of its folder need a look. Nothing was changed."
        ) from error
    duck.forget(folder, {(s.path, s.file_sha256) for s in found})
    found.sort(key=lambda snapshot: snapshot.published_at, reverse=True)
    return tuple(sorted(found, key=lambda snapshot: snapshot.study_id))


def _listed(folder: Path) -> list[Snapshot]:
    """List a folder, again where somebody published, rolled back or deleted in the meantime.

    What a pointer names and is not in the list came or went while it was made; it can also be missing
    for good.
    """
    for _ in range(_TRIES):
        found = _listed_once(folder)
        if {s.study_id for s in found} == {s.study_id for s in found if s.current}:
            break
    return found


_TRIES = 4


def _listed_once(folder: Path) -> list[Snapshot]:
    found = []
    pointers: dict[str, Mapping[str, Any]] = {}
    # Not glob: it takes a folder that may not be read for an empty one.
    names = os.listdir(folder) if folder.exists() else []
    for path in (folder / name for name in names if fnmatch(name, "*-*.json")):
        fields = read_json(path)
        file = folder / str(fields.get("file"))
        if not fields.keys() >= _NEEDED or not file.exists():
            continue
        study_id = fields["study_id"]
        pointed = pointers.setdefault(study_id, pointer(folder, study_id))
        found.append(
            Snapshot(
                **{"format": 0} | {name: fields[name] for name in _RECORDED if name in fields},
                path=file,
                current=pointed.get("snapshot") == fields["hash"],
                small_cell_minimum=int(pointed.get("small_cell_minimum", MINIMUM)),
            )
        )
    return found


_RECORDED = (
    "study_id", "title", "hash", "file_sha256", "published_at", "published_by", "rows", "format",
)  # fmt: skip
_NEEDED = {*_RECORDED} - {"published_by", "format"}
_POINTED = {"snapshot": str, "small_cell_minimum": int}


def pointer(folder: Path, study_id: str) -> Mapping[str, Any]:
    """Return what the pointer of a study says: snapshot and small_cell_minimum; empty without one.

    The history has noted it before: what a damaged pointer no longer tells is read there, and the
    minimum also where the pointer is gone, so that no small count shows because a file was lost.
    """
    path = pointer_path(folder, study_id)
    fields = read_json(path)
    if is_pointer(fields):
        return fields
    told = _last_told(folder, study_id)
    names = _POINTED if path.exists() else ("small_cell_minimum",)
    return {name: told[name] for name in names if name in told}


def is_pointer(fields: Mapping[str, Any]) -> bool:
    """Tell whether what was read from a pointer is whole."""
    return all(isinstance(fields.get(name), kind) for name, kind in _POINTED.items())


def _last_told(folder: Path, study_id: str) -> dict[str, Any]:
    """Return what a history noted last of a study that is served; empty without it."""
    try:
        lines = history_path(folder, study_id).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            fields = json.loads(line)
            if not isinstance(fields, dict):
                continue
            if is_pointer(fields):
                return fields
            if fields.get("snapshot") is None:  # the whole study was deleted
                break
    return {}


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
        where = None if folder is None and cluster() else folder or store_folder()
        raise SnapshotError(_why_not_here(study_id, where))
    if digest is None:
        message = f"The snapshot of ‘{study_id}’ that is to be shown is missing or damaged."
    else:
        message = f"The snapshot {digest} of ‘{study_id}’ is not in this store."
    raise SnapshotError(message, _whole(here))


def _why_not_here(study_id: str, folder: Path | None) -> str:
    """Say why a store has no snapshot of a study; None is one on a cluster."""
    if folder is None:
        return f"The study ‘{study_id}’ is not in this store."
    if not folder.exists():
        return (
            "The folder of this store is not there: its disk may not be connected, or COHORT_STORE may "
            "name another folder."
        )
    # Never asked of the disk: what a link calls a study can be a path, or too long for one.
    if pointer_path(folder, study_id) in folder.glob("*.json"):
        return f"What the store noted of ‘{study_id}’ is damaged. Import the study again."
    return f"The study ‘{study_id}’ is not in this store."


def _whole(candidates: Iterable[Snapshot]) -> Snapshot | None:
    """Return the served one of some snapshots if it can be shown, else the newest that can."""
    readable = (snapshot for snapshot in candidates if snapshot.format == FORMAT)
    for snapshot in sorted(readable, key=lambda snapshot: not snapshot.current):
        with contextlib.suppress(Unusable, EngineError):
            engine_of(snapshot).verify(snapshot)
            return snapshot
    return None


def verify(snapshot: Snapshot) -> None:
    """Check that this program reads a snapshot, and its file against the hash taken when it was published.

    Raises
    ------
    SnapshotError
        If it was made by a program with another `FORMAT`, or the file is not, byte for byte, the one that
        was published.
    """
    with _usable(snapshot) as engine:
        engine.verify(snapshot)


def _unusable(
    snapshot: Snapshot, how: str, remedy: str = "Import the study again."
) -> SnapshotError:
    """Return the error that says so and offers another snapshot of the study."""
    every = snapshots(None if snapshot.place else snapshot.path.parent)
    others = (s for s in every if s.study_id == snapshot.study_id)
    return SnapshotError(
        f"The snapshot {snapshot.hash} of ‘{snapshot.study_id}’ is {how} and is not shown. {remedy}",
        _whole(s for s in others if s.hash != snapshot.hash),
    )


def query(snapshot: Snapshot, sql: str, parameters: Parameters | None = None) -> pd.DataFrame:
    """Run one query on a snapshot and return its rows as a frame.

    Parameters
    ----------
    snapshot : Snapshot
    sql : str
        A text of data/sql; whatever varies in it is a parameter or comes from the dictionary.
    parameters : mapping, optional
        By name. Parameters that the text does not use are not passed on. One called ``mrd_rule``
        makes the query read the tables as that rule derives them.

    Raises
    ------
    SnapshotError
        If the snapshot is damaged or gone.
    """
    with _usable(snapshot) as engine:
        return engine.frame(snapshot, sql, parameters or {})


def records(
    snapshot: Snapshot, sql: str, parameters: Parameters | None = None
) -> list[dict[str, Any]]:
    """Run one query as `query` does and return its rows as dictionaries, SQL's NULL as None."""
    with _usable(snapshot) as engine:
        return engine.records(snapshot, sql, parameters or {})


def engine_of(snapshot: Snapshot) -> Engine:
    """Return what answers the queries on a snapshot."""
    return spark.engine(snapshot.place) if snapshot.place else duck


@contextmanager
def _usable(snapshot: Snapshot) -> Iterator[Engine]:
    """Yield the engine of a snapshot; where this program cannot read it, or it is damaged, say so."""
    if snapshot.format < FORMAT:
        raise _unusable(snapshot, "from an earlier version of the program")
    if snapshot.format > FORMAT:
        how = "from a later version of the program than runs here"
        raise _unusable(snapshot, how, "Update the program on this server.")
    try:
        yield engine_of(snapshot)
    except Unusable as error:
        raise _unusable(snapshot, str(error)) from error


def difference(before: Snapshot, after: Snapshot) -> dict[str, int]:
    """Return what is different between two snapshots: counts by the names of `query_difference.sql`.

    Raises
    ------
    SnapshotError
        If one of them is damaged or gone.
    """
    tables = []
    for snapshot in (before, after):
        with _usable(snapshot) as engine:
            tables.append(engine.columns(snapshot))
    text = sql_text("query_difference")
    for table in DIFFERING:
        shared = (quoted(name) for name in tables[1][table] if name in tables[0][table])
        text = text.replace(f"{{{table}}}", ", ".join(shared))
    with _usable(after) as engine:
        return engine.difference(before, after, text)
