"""What happened to a study in the store, and what can be undone: diff, roll back, delete."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from data.audit import recorded
from data.importing.disk import SCRATCH, flush, locked, write_json
from data.store import (
    HISTORY_ENDING,
    Snapshot,
    SnapshotError,
    changed_folder,
    difference,
    find,
    history_path,
    is_pointer,
    pointer,
    pointer_path,
    read_json,
    record_path,
    snapshots,
    store_folder,
    verify,
)

What = Literal["publish", "roll back", "delete", "minimum"]

MAPPINGS = "mappings"
"""Folder of a store with the mappings of sheets, by the shape of the sheet."""


@dataclass(frozen=True)
class Entry:
    """One line of the history of a study.

    Attributes
    ----------
    at : str
        UTC, ISO 8601.
    who : str
    what : {'publish', 'roll back', 'delete', 'minimum'}
    snapshot : str or None
        Its hash; None where the whole study was deleted.
    rows : mapping of str to int
        Rows of each table that was published.
    files : tuple of mapping
        Format and SHA-256 of what was published, without the names of the files.
    mapping : str or None
        SHA-256 of the mapping.
    small_cell_minimum : int or None
        As it is from then on.
    """

    at: str
    who: str
    what: What
    snapshot: str | None
    rows: Mapping[str, int] = field(default_factory=dict)
    files: tuple[Mapping[str, str], ...] = ()
    mapping: str | None = None
    small_cell_minimum: int | None = None


@dataclass(frozen=True)
class Diff:
    """What is different in the second of two snapshots, in patients, and in rows of the other tables.

    A patient or an outcome has changed where any column differs that both snapshots have; a treatment
    where another of its kind stands in its place; an endpoint that the study gives itself where it came,
    went or differs, which is not counted where Apache Spark answers.
    """

    patients_added: int = 0
    patients_removed: int = 0
    patients_changed: int = 0
    treatments_added: int = 0
    treatments_removed: int = 0
    treatments_changed: int = 0
    outcomes_changed: int = 0
    given_endpoints_changed: int = 0
    samples_added: int = 0
    samples_removed: int = 0
    something_else: bool = False
    """Whether the snapshots differ in nothing that is counted, and differ all the same."""

    @property
    def counts(self) -> dict[str, int]:
        """What differs and how often, by its words: 'patients added'."""
        every = {part.name.replace("_", " "): getattr(self, part.name) for part in fields(self)}
        return {what: n for what, n in every.items() if n and what != "something else"}

    @property
    def uncounted(self) -> str:
        """What is said where nothing is counted."""
        if not self.something_else:
            return "nothing is different"
        return (
            "something else is different: the files, their columns, the description of the study or how "
            "they were read"
        )

    def __str__(self) -> str:
        parts = [
            f"{n:,} {what.replace('s ', ' ') if n == 1 else what}"
            for what, n in self.counts.items()
        ]
        return ", ".join(parts) or self.uncounted


def diff(a: Snapshot, b: Snapshot) -> Diff:
    """Return what is different in snapshot `b` against snapshot `a`.

    Raises
    ------
    SnapshotError
        If one of them is damaged or gone.
    """
    if a.hash == b.hash:
        return Diff()
    counts = difference(a, b)
    return Diff(**counts, something_else=not any(counts.values()))


def history(study_id: str, folder: Path | None = None) -> tuple[Entry, ...]:
    """Return what happened to a study, the last first."""
    return tuple(reversed([*_entries((folder or store_folder()), study_id)]))


def roll_back(study_id: str, digest: str, who: str, folder: Path | None = None) -> Snapshot:
    """Serve an earlier snapshot of a study again.

    Raises
    ------
    SnapshotError
        If it is damaged or not in this store.
    StoreBusy
    """
    folder = folder or changed_folder()
    with locked(folder):
        snapshot = find(study_id, digest, folder)
        verify(snapshot)
        minimum = snapshot.small_cell_minimum
        with recorded(who, "roll back", folder, study=study_id, snapshot=digest):
            serve(folder, study_id, entry(who, "roll back", digest, small_cell_minimum=minimum))
        return find(study_id, digest, folder)


def set_minimum(study_id: str, minimum: int, who: str, folder: Path | None = None) -> Snapshot:
    """Set the smallest number of patients of a study that may be shown; 0 shows everything.

    Raises
    ------
    ValueError
        If `minimum` is negative.
    SnapshotError
        If the study is not in this store.
    StoreBusy
    """
    if minimum < 0:
        raise ValueError("The small-cell minimum is 0 or more.")
    folder = folder or changed_folder()
    with locked(folder):
        digest = find(study_id, None, folder).hash
        with recorded(who, "minimum", folder, study=study_id, minimum=minimum):
            serve(folder, study_id, entry(who, "minimum", digest, small_cell_minimum=minimum))
        return find(study_id, None, folder)


def delete(study_id: str, digest: str | None, who: str, folder: Path | None = None) -> None:
    """Delete one snapshot, or with None the whole study; what is deleted is gone.

    Connections of this process to it are dropped; other processes drop theirs when they list the
    snapshots next. The history keeps that it was deleted, by whom and when.

    Raises
    ------
    SnapshotError
        If it is not in this store, or is the one that is served.
    StoreBusy
    """
    folder = folder or changed_folder()
    with locked(folder):
        if not any(s.study_id == study_id for s in snapshots(folder)):
            raise SnapshotError(f"The study ‘{study_id}’ is not in this store.")
        if digest is not None and find(study_id, digest, folder).current:
            raise SnapshotError(
                f"The snapshot {digest} of ‘{study_id}’ is the one that is served. Roll back to "
                "another one first, or delete the study."
            )
        with recorded(who, "delete", folder, study=study_id, snapshot=digest):
            append(folder, study_id, entry(who, "delete", digest))
            _remove(folder, study_id, digest)


def serve(folder: Path, study_id: str, line: Mapping[str, Any]) -> None:
    """Note in the history what is to be served, then point to it. The caller holds the store's lock.

    Parameters
    ----------
    line : mapping
        As `entry` makes it.
    """
    try:
        append(folder, study_id, line)
        point(folder, study_id, line)
    except BaseException:
        settle_study(folder, study_id)
        raise


def point(folder: Path, study_id: str, line: Mapping[str, Any]) -> None:
    """Replace the pointer of a study by what a line of its history says."""
    told = {name: line[name] for name in ("snapshot", "small_cell_minimum")}
    write_json(pointer_path(folder, study_id), {"study_id": study_id} | told)


def entry(who: str, what: What, snapshot: str | None, **told: Any) -> dict[str, Any]:
    """Return a line of the history, of this moment."""
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return asdict(Entry(at, who, what, snapshot, **told))


def append(folder: Path, study_id: str, line: Mapping[str, Any]) -> None:
    """Add one line to the history of a study, over what a crash left of another."""
    text = json.dumps(line, ensure_ascii=False) + "\n"
    path = history_path(folder, study_id)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        file.seek(file.read().rfind(b"\n") + 1)
        file.truncate()
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    flush(folder)


def settle(folder: Path) -> None:
    """Finish or take back what a process that died had begun. The caller holds the store's lock."""
    for path in folder.glob(f"*{HISTORY_ENDING}"):
        settle_study(folder, path.name.removesuffix(HISTORY_ENDING))
    for path in folder.glob(f"{SCRATCH}*"):
        path.unlink(missing_ok=True)
    # By name, not by what a record says: one that is damaged is no reason to delete a snapshot.
    for file in folder.glob("*-*.duckdb"):
        if not file.with_suffix(".json").exists():
            file.unlink(missing_ok=True)
    for record in folder.glob("*-*.json"):
        if not record.with_suffix(".duckdb").exists():
            record.unlink(missing_ok=True)


def settle_study(folder: Path, study_id: str) -> None:
    """Take back what the last line of a history tells and the pointer does not; finish a deletion.

    A line stands before what it tells is done: what a failure or a crash left undone shows here.
    """
    entries = [*_entries(folder, study_id)]
    if not entries:
        return
    last, pointed = entries[-1], pointer(folder, study_id)
    if pointer_path(folder, study_id).exists() and is_pointer(pointed):
        _mend(folder, study_id, pointed)
    if last.what == "delete":
        if last.snapshot is None or last.snapshot != pointed.get("snapshot"):
            _remove(folder, study_id, last.snapshot)
        return
    told = (pointed.get("snapshot"), pointed.get("small_cell_minimum"))
    if told == (last.snapshot, last.small_cell_minimum):
        return
    assert last.snapshot is not None
    record = record_path(folder, study_id, last.snapshot)
    # The file of an earlier publishing stays: only what this line brought is taken back.
    if last.what == "publish" and read_json(record).get("published_at", last.at) == last.at:
        record.unlink(missing_ok=True)
        record.with_suffix(".duckdb").unlink(missing_ok=True)
    _drop_last_line(history_path(folder, study_id))


def _mend(folder: Path, study_id: str, pointed: Mapping[str, Any]) -> None:
    """Write a pointer again that is damaged, as the history has it."""
    if not is_pointer(read_json(pointer_path(folder, study_id))):
        point(folder, study_id, pointed)


def _drop_last_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    os.truncate(path, whole[:-1].rfind(b"\n") + 1)


def _remove(folder: Path, study_id: str, digest: str | None) -> None:
    """Remove one snapshot of a study, or all; the pointer first, so that none is served in pieces."""
    if digest is None:
        pointer_path(folder, study_id).unlink(missing_ok=True)
    shapes = set[str]()
    for record in folder.glob(f"{study_id}-{digest or '*'}.json"):
        shapes |= shapes_of(read_json(record))
        record.unlink(missing_ok=True)
    for file in folder.glob(f"{study_id}-{digest or '*'}.duckdb"):
        file.unlink(missing_ok=True)
    for record in folder.glob("*-*.json"):
        shapes -= shapes_of(read_json(record))
    for shape in shapes:
        # A mapping holds texts of the file; it goes with the last snapshot that was made with it.
        (folder / MAPPINGS / f"{shape}.json").unlink(missing_ok=True)
    flush(folder)
    snapshots(folder)


def shapes_of(record: Mapping[str, Any]) -> set[str]:
    """Return the shapes of the sheets with which a snapshot was made."""
    mapping = record.get("mapping") or {}
    return {str(sheet["shape"]) for sheet in mapping.get("sheets", ())}


def _entries(folder: Path, study_id: str) -> Iterator[Entry]:
    """Yield the lines of a history in order; what a crash left of a line is passed over."""
    try:
        content = history_path(folder, study_id).read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n")[:-1]:
        with suppress(ValueError, TypeError):
            yield Entry(**json.loads(line))
