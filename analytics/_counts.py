"""Risk sets from an event table: the one place where numbers at risk are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COUNTS = ("n_event", "n_competing", "n_censored")
ENTRY = "n_entry"
# Followed by the code of a competing event; such columns add up to n_competing.
CAUSE = "n_cause_"


def as_columns(by: str | Sequence[str]) -> tuple[str, ...]:
    """Column names as a tuple, whether one name or several were given."""
    return (by,) if isinstance(by, str) else tuple(by)


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Counts at every distinct time of the table (axis 0) in every group (axis 1).

    Attributes
    ----------
    keys
        The group labels, one row per group, in sort order.
    time
        Distinct times, ascending.
    n_event, n_exit, n_censored
        Events; everybody who leaves (event, competing event or censored); the censored.
    n_start
        Under observation from the origin on, per group.
    n_entry
        Those who come under observation later.
    n_risk
        At risk just before each time: ``entry < t <= exit``.
    """

    keys: pd.DataFrame
    time: FloatArray
    n_event: IntArray
    n_exit: IntArray
    n_censored: IntArray
    n_start: IntArray
    n_entry: IntArray
    n_risk: IntArray

    @property
    def n(self) -> IntArray:
        """Patients per group."""
        total: IntArray = self.n_exit.sum(axis=0)
        return total

    @property
    def last_time(self) -> FloatArray:
        """The last time at which somebody of the group leaves."""
        seen = np.where(self.n_exit > 0, self.time[:, None], np.nan)
        # fmax ignores the NaN of times at which nobody of the group leaves.
        last: FloatArray = np.fmax.reduce(seen, axis=0, initial=np.nan)
        return last

    def n_risk_before(self, times: FloatArray) -> IntArray:
        """Numbers at risk just before `times`, which need not be times of the table."""
        change = np.vstack([np.zeros_like(self.n_start), (self.n_entry - self.n_exit).cumsum(0)])
        before: IntArray = self.n_start + change[np.searchsorted(self.time, times, side="left")]
        return before


def risk_sets(events: pd.DataFrame, by: str | Sequence[str] = ()) -> RiskSets:
    """Count the risk sets of an event table, summed over the columns not in `by`."""
    keys, codes = group_codes(events, by)
    return risk_sets_of(events, keys, codes)


def risk_sets_of(events: pd.DataFrame, keys: pd.DataFrame, codes: IntArray) -> RiskSets:
    """Risk sets of rows whose group number is already known (`keys` may hold more groups)."""
    time, at = np.unique(events["time"].to_numpy(dtype=np.float64), return_inverse=True)
    shape = (time.size, len(keys))

    def spread(name: str) -> IntArray:
        counts = np.zeros(shape, dtype=np.int64)
        np.add.at(counts, (at, codes), events[name].to_numpy(dtype=np.int64))
        return counts

    n_event, n_censored = spread("n_event"), spread("n_censored")
    n_exit = n_event + spread("n_competing") + n_censored
    if ENTRY in events.columns:
        n_entry = spread(ENTRY)
        # Who enters at the origin is at risk at the origin: nobody with an entry leaves there.
        at_origin = time <= 0
        n_start = n_entry[at_origin].sum(axis=0)
        n_entry[at_origin] = 0
    else:
        n_entry = np.zeros(shape, dtype=np.int64)
        n_start = n_exit.sum(axis=0)
    change = n_entry - n_exit
    n_risk = n_start + change.cumsum(axis=0) - change
    return RiskSets(keys, time, n_event, n_exit, n_censored, n_start, n_entry, n_risk)


def group_codes(events: pd.DataFrame, by: str | Sequence[str]) -> tuple[pd.DataFrame, IntArray]:
    """Labels of the groups that occur (one row each, sorted) and each row's group number."""
    columns = list(as_columns(by))
    absent = [name for name in (*columns, "time", *COUNTS) if name not in events.columns]
    if absent:
        raise ValueError(
            f"Not an event table with these groups: no column {', '.join(absent)}. "
            "Make it with event_table(..., by=...)."
        )
    unlabelled = [name for name in columns if events[name].isna().any()]
    if unlabelled:
        raise ValueError(f"Rows without a group label in {', '.join(unlabelled)}.")
    if not columns:
        return pd.DataFrame(index=range(min(len(events), 1))), np.zeros(len(events), np.int64)
    if len(columns) == 1:
        # What nearly every call asks for, at a tenth of the cost of a groupby.
        codes, levels = pd.factorize(events[columns[0]], sort=True)
        return pd.DataFrame({columns[0]: levels}), codes.astype(np.int64)
    grouped = events.groupby(columns, observed=True, sort=True)
    keys = grouped.size().reset_index()[columns]
    return keys, grouped.ngroup().to_numpy().astype(np.int64)


def labels(keys: pd.DataFrame) -> list[object]:
    """One label per group: the level itself, or a tuple of levels for several columns."""
    if keys.shape[1] == 1:
        return list(keys.iloc[:, 0])
    return list(keys.itertuples(index=False, name=None))


def refuse_competing(events: pd.DataFrame) -> None:
    """Raise where competing events are present, since 1 - KM overstates the incidence then."""
    if "n_competing" in events.columns and bool((events["n_competing"] > 0).any()):
        raise ValueError(
            "The table holds competing events: censoring them overstates the incidence. "
            "Use the cumulative incidence, or an endpoint without competing events."
        )


def with_keys(
    keys: pd.DataFrame, group: npt.NDArray[np.integer], frame: pd.DataFrame
) -> pd.DataFrame:
    """Put the labels of the groups before the columns of a frame, one group number per row."""
    return pd.concat([keys.iloc[group].reset_index(drop=True), frame], axis=1)
