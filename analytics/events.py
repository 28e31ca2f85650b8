"""From one row per patient to the event table that every time-to-event analysis reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import CAUSE, COUNTS, ENTRY, as_columns

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_ROWS_NAMED = 5
# The tolerance of R's timefix (survival::aeqSurv), absolute and relative to the mean time.
_SAME_TIME = float(np.sqrt(np.finfo(float).eps))


def event_table(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    by: str | Sequence[str] = (),
    entry: str | None = None,
    count: str | None = None,
) -> pd.DataFrame:
    """Count what happens at each distinct time in each group.

    Parameters
    ----------
    frame
        One row per patient, or per kind of patient (with `count`).
    time
        Column with the time of the event or of censoring, in days from the origin.
    event
        Column with 0 censored, 1 event, 2 or more a competing event; booleans count as 0 and 1.
    by
        Grouping column or columns; every patient needs a label in each.
    entry
        Column with the time at which observation starts (left truncation). Somebody is at
        risk at t where ``entry < t <= time``.
    count
        Column with the number of patients that a row stands for.

    Returns
    -------
    DataFrame
        `by` columns, ``time``, ``n_event``, ``n_competing`` (of any code), ``n_censored`` and,
        where `entry` is given, ``n_entry``; one row per group and distinct time, sorted. Where
        codes above 2 occur, every competing code is counted by itself too, in columns
        ``n_cause_2``, ``n_cause_3``, ... that add up to ``n_competing``. Times are integers
        where all of them are whole. Times that differ by rounding noise alone are one time.
        ``attrs["n_dropped"]`` counts the patients left out because their entry was not before
        their time.

    Raises
    ------
    ValueError
        Naming every kind of unusable row at once: missing, negative or infinite times,
        unknown event codes, missing group labels, absent columns.
    """
    groups = as_columns(by)
    _require(frame, (time, event, *groups, *(each for each in (entry, count) if each is not None)))
    clash = [name for name in groups if name in ("time", *COUNTS, ENTRY) or name.startswith(CAUSE)]
    if clash:
        raise ValueError(f"{_names(clash)}: a column of the event table. Rename it to group by it.")
    exits, codes, entries = _checked(frame, time, event, groups, entry)

    labels = frame.loc[:, list(groups)].reset_index(drop=True)
    return _tally(labels, exits, codes, entries, patients(frame, count))


def checked_outcome(
    frame: pd.DataFrame, time: str, event: str
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return times and event codes of one row per patient, checked as for the event table."""
    _require(frame, (time, event))
    exits, codes, _ = _checked(frame, time, event, (), None)
    return exits, codes


def checked_intervals(
    frame: pd.DataFrame, time: str, event: str, entry: str | None
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray | None]:
    """Return times, event codes and entries, checked and merged as for the event table."""
    _require(frame, (time, event, *((entry,) if entry is not None else ())))
    exits, codes, entries = _checked(frame, time, event, (), entry)
    if entries is None:
        return merge_rounding(exits)[0], codes, None
    exits, entries = merge_rounding(exits, entries)
    return exits, codes, entries


def _tally(
    labels: pd.DataFrame,
    exits: FloatArray,
    codes: npt.NDArray[np.int64],
    entries: FloatArray | None,
    n: npt.NDArray[np.int64],
) -> pd.DataFrame:
    dropped = np.zeros(len(labels), dtype=bool)
    if entries is None:
        (exits,) = merge_rounding(exits)
    else:
        exits, entries = merge_rounding(exits, entries)
        dropped = entries >= exits
    outcome = {"n_event": codes == 1, "n_competing": codes >= 2, "n_censored": codes == 0}
    competing = np.unique(codes[(codes >= 2) & ~dropped])
    if bool((competing > 2).any()):
        outcome |= {f"{CAUSE}{code}": codes == code for code in competing}
    counts = pd.DataFrame({"time": exits, **{name: n * of for name, of in outcome.items()}})
    rows = pd.concat([labels, counts], axis=1)[~dropped]
    if entries is not None:
        starts = labels.assign(time=entries, **dict.fromkeys(outcome, 0), n_entry=n)
        rows = pd.concat([rows.assign(n_entry=0), starts[~dropped]], ignore_index=True)
    keys = [*labels.columns, "time"]
    table = rows.groupby(keys, observed=True, sort=True).sum().reset_index()
    if bool((table["time"] % 1 == 0).all()):
        table["time"] = table["time"].astype("int64")
    table.attrs["n_dropped"] = int(n[dropped].sum())
    return table


def patients(frame: pd.DataFrame, count: str | None) -> npt.NDArray[np.int64]:
    """Return how many patients each row stands for: one where no column counts them."""
    if count is None:
        return np.ones(len(frame), dtype=np.int64)
    n: npt.NDArray[np.int64] = frame[count].to_numpy(dtype=np.int64)
    return n


def _checked(
    frame: pd.DataFrame, time: str, event: str, groups: Sequence[str], entry: str | None
) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray | None]:
    problems: list[str] = []
    exits = _times(frame, time, problems)
    entries = None if entry is None else _times(frame, entry, problems)
    codes = _codes(frame, event, problems)
    for name in groups:
        missing = frame[name].isna().to_numpy(dtype=bool)
        if missing.any():
            problems.append(
                f"{name}: no group label in {rows_named(frame, missing)}. "
                "Give them a level of their own or leave them out."
            )
    if problems:
        raise ValueError("\n".join(problems))
    return exits, codes.astype(np.int64), entries


def _times(frame: pd.DataFrame, name: str, problems: list[str]) -> FloatArray:
    column = frame[name]
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        problems.append(f"{name}: holds dates or durations. Turn them into days from the origin.")
        return np.zeros(len(frame))
    values = _numbers(column)
    for bad, words in (
        (np.isnan(values), "a missing time, or one that is not a number,"),
        (np.isinf(values), "an infinite time"),
        (values < 0, "a negative time"),
    ):
        if bad.any():
            problems.append(
                f"{name}: {words} in {rows_named(frame, bad)}. Correct the days or leave the rows out."
            )
    return values


def _codes(frame: pd.DataFrame, name: str, problems: list[str]) -> FloatArray:
    values = _numbers(frame[name])
    bad = ~np.isfinite(values) | (values < 0) | (values % 1 != 0)
    if bad.any():
        problems.append(
            f"{name}: an unknown event code in {rows_named(frame, bad)}. "
            "Use 0 for censored, 1 for the event, 2 and above for a competing event."
        )
    return values


def _numbers(column: pd.Series) -> FloatArray:
    # 'coerce' also hides texts; as NaN they are reported with the missing ones.
    values = pd.to_numeric(column, errors="coerce")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def rows_named(frame: pd.DataFrame, bad: BoolArray) -> str:
    """Say how many rows are meant and name the first of them by their index."""
    labels = [str(label) for label in frame.index[bad][:_ROWS_NAMED]]
    more = ", ..." if bad.sum() > _ROWS_NAMED else ""
    count = int(bad.sum())
    return f"{count} {'row' if count == 1 else 'rows'} (index {', '.join(labels)}{more})"


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(f"The frame has no column {_names(absent)}.")


def _names(columns: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in columns)


def merge_rounding(*times: FloatArray) -> tuple[FloatArray, ...]:
    """Give times that differ by floating-point noise alone the smallest of their values."""
    if all(bool((each % 1 == 0).all()) for each in times):
        return times
    values = np.unique(np.concatenate(times))
    gaps = np.diff(values)
    mean = float(np.abs(values).mean())
    new = np.concatenate([[True], (gaps > _SAME_TIME) & (gaps > _SAME_TIME * mean)])
    first = values[new][np.cumsum(new) - 1]
    return tuple(first[np.searchsorted(values, each)] for each in times)
