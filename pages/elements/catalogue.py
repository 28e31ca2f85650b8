"""The snapshots of the store as far as the person at the page may see them.

A viewer sees every study as one whose small counts are hidden: all that keeps single patients in, on every
page and in every file, then holds for them.
"""

from __future__ import annotations

from dataclasses import replace

from data import store
from data.store import Snapshot, SnapshotError
from pages.elements import sign_in
from pages.elements.roles import VIEWERS_MINIMUM


def find(study_id: str, digest: str | None = None) -> Snapshot:
    """Return a snapshot of a study, the one that is served by default.

    Raises
    ------
    SnapshotError
        If it is not in this store.
    """
    return _as_seen(store.find(study_id, digest))


def opened_first() -> Snapshot:
    """Return the snapshot that an address without a study shows: what was published last.

    Raises
    ------
    SnapshotError
        If there is none.
    """
    served = [snapshot for snapshot in snapshots() if snapshot.current]
    if not served:
        raise SnapshotError(
            "There is no cohort yet. Bring one under Cohorts, or with: "
            "python -m data import PATH --study ID"
        )
    return max(served, key=lambda snapshot: snapshot.published_at)


def snapshots() -> tuple[Snapshot, ...]:
    """Return every snapshot, by study, the newest first."""
    return tuple(_as_seen(snapshot) for snapshot in store.snapshots())


def _as_seen(snapshot: Snapshot) -> Snapshot:
    if sign_in.may("see single patients"):
        return snapshot
    return replace(snapshot, small_cell_minimum=max(snapshot.small_cell_minimum, VIEWERS_MINIMUM))
