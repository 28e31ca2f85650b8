"""A later time origin: who can be analysed from a landmark on, and who not and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics._counts import FloatArray, IntArray
from analytics.events import checked_outcome, patients, rows_named

EVENT_BEFORE = "event before the landmark"
SEEN_BEFORE = "last seen before the landmark"
KNOWN_AFTER = "status known only after the landmark"
SWITCHED = "switched"


@dataclass(frozen=True, eq=False)
class Landmark:
    """Patients of a landmark analysis and those it leaves out.

    Attributes
    ----------
    frame
        Rows followed beyond the landmark, as they came; the clock is not reset. Where `switch`
        was given, a boolean column ``switched`` is added: changed on the landmark or before.
    excluded
        The other rows, with their index, and ``reason``.
    n_events_excluded
        Excluded patients who had an event, competing ones included, at whatever time.
    n_later
        Patients of `frame` that change after the landmark; they stay in the group they were in on
        that day. None where `switch` was not given.
    at
        The landmark, in days from the origin.
    """

    frame: pd.DataFrame
    excluded: pd.DataFrame
    n_events_excluded: int
    n_later: int | None
    at: float


def landmark(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    at: float,
    known_day: str | None = None,
    switch: str | None = None,
    count: str | None = None,
) -> Landmark:
    """Keep those event-free and followed beyond the day `at`.

    Parameters
    ----------
    frame
        One row per patient, or per kind of patient (with `count`).
    time, event
        Columns as in :func:`analytics.events.event_table`.
    at
        The landmark; who has the event or is last seen on that very day is excluded.
    known_day
        Column with the day on which the grouping status became known; missing means known
        from the start. Status known only after the landmark excludes.
    switch
        Column with the day on which a patient changes group, such as the day of a transplant;
        missing means never. A change on the landmark itself counts.
    count
        Column with the number of patients that a row stands for.

    Raises
    ------
    ValueError
        For unusable times, codes and days, naming the rows; for a negative or missing `at`;
        for a column ``switched`` that is already there.

    Notes
    -----
    Anderson, Cain and Gelber (1983).
    """
    if not (np.isfinite(at) and at >= 0):
        raise ValueError(f"A landmark is a day from 0 on, not {at}.")
    asked = [name for name in (known_day, switch) if name is not None]
    times, codes, days = outcome_and_days(frame, time, event, *asked)
    late = days[known_day] > at if known_day else np.zeros(len(frame), dtype=bool)
    gone = times <= at
    out = gone | late
    reason = np.select([gone & (codes > 0), gone], [EVENT_BEFORE, SEEN_BEFORE], KNOWN_AFTER)
    kept, n_later, n = frame[~out].copy(), None, patients(frame, count)
    if switch is not None:
        refuse_taken(frame.columns, (SWITCHED,))
        kept[SWITCHED] = days[switch][~out] <= at
        n_later = int(n[~out & (days[switch] > at)].sum())
    return Landmark(
        frame=kept,
        excluded=frame[out].assign(reason=reason[out]),
        n_events_excluded=int(n[out & (codes > 0)].sum()),
        n_later=n_later,
        at=at,
    )


def outcome_and_days(
    frame: pd.DataFrame, time: str, event: str, *columns: str
) -> tuple[FloatArray, IntArray, dict[str, FloatArray]]:
    """Return times, event codes and columns of days that may be missing, checked at once."""
    problems: list[str] = []
    try:
        times, codes = checked_outcome(frame, time, event)
    except ValueError as problem:
        problems.append(str(problem))
    days = {name: _days(frame, name, problems) for name in columns}
    if problems:
        raise ValueError("\n".join(problems))
    return times, codes, days


def refuse_taken(columns: pd.Index, made: tuple[str, ...]) -> None:
    """Raise where the frame already has a column of a name that is to be made."""
    taken = [repr(name) for name in made if name in columns]
    if taken:
        raise ValueError(f"The frame already has a column {', '.join(taken)}. Rename it.")


def _days(frame: pd.DataFrame, name: str, problems: list[str]) -> FloatArray:
    if name not in frame.columns:
        problems.append(f"The frame has no column {name!r}.")
        return np.zeros(0)
    column = frame[name]
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        problems.append(f"{name}: holds dates or durations. Turn them into days from the origin.")
        return np.zeros(0)
    numbers = pd.to_numeric(column, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.isinf(values) | (np.isnan(values) & column.notna().to_numpy())
    if bad.any():
        problems.append(
            f"{name}: not a day in {rows_named(frame, bad)}. "
            "Give the day from the origin, or leave it missing where there is none."
        )
    return values
