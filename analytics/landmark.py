"""A later time origin: who can be analysed from a landmark on, and who not and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.events import checked_outcome

EVENT_BEFORE = "event before the landmark"
SEEN_BEFORE = "last seen before the landmark"
KNOWN_AFTER = "status known only after the landmark"


@dataclass(frozen=True, eq=False)
class Landmark:
    """Patients of a landmark analysis and those it leaves out.

    Attributes
    ----------
    kept
        Rows followed beyond the landmark, as they came; the clock is not reset.
    excluded
        The other rows, with their index, and ``reason``.
    n_events_excluded
        Excluded patients who had an event, competing ones included, at whatever time.
    day
        The landmark, in days from the origin.
    """

    kept: pd.DataFrame
    excluded: pd.DataFrame
    n_events_excluded: int
    day: float


def landmark(
    frame: pd.DataFrame,
    *,
    day: float,
    time: str,
    event: str,
    known_day: str | None = None,
) -> Landmark:
    """Keep those event-free and followed beyond `day`.

    Parameters
    ----------
    frame
        One row per patient.
    day
        The landmark; who has the event or is last seen on that very day is excluded.
    time, event
        Columns as in :func:`analytics.events.event_table`.
    known_day
        Column with the day on which the grouping status became known; missing means known
        from the start. Status known only after the landmark excludes.

    Raises
    ------
    ValueError
        For unusable times and codes, naming the rows, and for a negative or missing `day`.

    Notes
    -----
    Anderson, Cain and Gelber (1983).
    """
    if not (np.isfinite(day) and day >= 0):
        raise ValueError(f"A landmark is a day from 0 on, not {day}.")
    times, codes = checked_outcome(frame, time, event)
    late = np.zeros(len(frame), dtype=bool)
    if known_day is not None:
        if known_day not in frame.columns:
            raise ValueError(f"The frame has no column {known_day!r}.")
        known = pd.to_numeric(frame[known_day]).to_numpy(dtype=np.float64, na_value=np.nan)
        late = known > day
    gone = times <= day
    out = gone | late
    reason = np.select([gone & (codes > 0), gone], [EVENT_BEFORE, SEEN_BEFORE], KNOWN_AFTER)
    return Landmark(
        kept=frame[~out].copy(),
        excluded=frame[out].assign(reason=reason[out]),
        n_events_excluded=int((codes[out] > 0).sum()),
        day=day,
    )
