"""Survival curves of weighted patients, whose weights are not counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analytics._counts import COUNTS, FloatArray, IntArray, as_columns, group_codes, with_keys
from analytics._limits import limits, upper_at_zero
from analytics.events import BoolArray, checked_intervals, rows_named

_COLUMNS = ("time", "n_risk", "n_risk_rows", "survival", "low", "high", "limit_exact")


@dataclass(frozen=True, eq=False)
class _Rows:
    """Patients with a weight: when they came and left, and their group."""

    entry: FloatArray
    exit: FloatArray
    event: BoolArray
    group: IntArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class _Steps:
    """What happens at every distinct time (axis 0) in every group (axis 1)."""

    keys: pd.DataFrame
    time: FloatArray
    n_exit: IntArray
    n_risk: FloatArray
    n_risk_rows: IntArray
    n_effective: FloatArray
    n_event: FloatArray
    survival: FloatArray
    variance: FloatArray
    """Of log S; meaningless once survival is 0."""


@dataclass(frozen=True, eq=False)
class WeightedKaplanMeier:
    """Weighted survival curves with robust limits.

    Attributes
    ----------
    curve
        `by` columns, ``time``, ``n_risk`` (sum of the weights of those at risk just before),
        ``n_risk_rows`` (their number), ``n_event`` (sum of weights), ``survival``, ``low``,
        ``high``, ``limit_exact``; one row per group and distinct time at which somebody with a
        weight leaves. ``limit_exact`` marks survival of 1 or 0, where the variance is 0 and one
        exact binomial limit from the effective number at risk stands instead; at 0 the upper
        limit just before the last step stands where it is lower.
    groups
        `by` columns, ``n`` (patients with a weight), ``effective_n``, ``last_time``.
    by, confidence
        As asked.
    n_weightless
        Rows with weight 0, which take no part.
    n_dropped
        Rows left out because their entry was not before their time.
    """

    curve: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    n_weightless: int
    n_dropped: int
    _steps: _Steps = field(repr=False)

    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Survival at milestones.

        Returns
        -------
        DataFrame
            `by` columns, ``time``, ``n_risk`` and ``n_risk_rows`` (just before the time, 0 past
            the follow-up), ``n_event`` (until the time, inclusive), ``survival``, ``low``,
            ``high``, ``limit_exact``. Survival and limits are NaN past the group's last time.
        """
        steps = self._steps
        asked = np.atleast_1d(np.asarray(times))
        when = asked.astype(np.float64)
        n_group = len(steps.keys)
        coming = np.searchsorted(steps.time, when, side="left")
        passed = np.searchsorted(steps.time, when, side="right")

        def just_before(values: np.typing.NDArray[np.generic]) -> np.typing.NDArray[np.generic]:
            return np.vstack([values, np.zeros_like(values, shape=(1, n_group))])[coming]

        def since_origin(values: FloatArray, start: float) -> FloatArray:
            return np.vstack([np.full((1, n_group), start), values])[passed]

        survival = since_origin(steps.survival, 1.0)
        low, high, exact = limits(
            survival,
            since_origin(steps.variance, 0.0),
            just_before(steps.n_effective),
            _at_zero(steps, self.confidence),
            self.confidence,
            "log-log",
        )
        past = when[:, None] > self.groups["last_time"].to_numpy()
        shown = {
            "time": np.broadcast_to(asked[:, None], past.shape),
            "n_risk": just_before(steps.n_risk),
            "n_risk_rows": just_before(steps.n_risk_rows),
            "n_event": since_origin(steps.n_event.cumsum(axis=0), 0.0),
            "survival": np.where(past, np.nan, survival),
            "low": np.where(past, np.nan, low),
            "high": np.where(past, np.nan, high),
            "limit_exact": exact & ~past,
        }
        columns = pd.DataFrame({name: values.ravel("F") for name, values in shown.items()})
        return with_keys(steps.keys, np.repeat(np.arange(n_group), asked.size), columns)


def weighted_kaplan_meier(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    weights: pd.Series,
    by: str | Sequence[str] = (),
    entry: str | None = None,
    confidence: float = 0.95,
) -> WeightedKaplanMeier:
    """Estimate survival of a cohort balanced by weights.

    Parameters
    ----------
    frame
        One row per patient, with an index of its own for each.
    time, event, entry
        Columns as in :func:`analytics.events.event_table`, without competing events.
    weights
        Weight of every row, on the index of `frame`; 0 leaves the row out.
    by
        Grouping column or columns.
    confidence
        Two-sided level of the pointwise log-log limits.

    Raises
    ------
    ValueError
        For unusable times, codes, labels or weights, naming the rows, and where competing
        events are present.

    Notes
    -----
    Cole and Hernán (2004). A weight says for how many a patient stands, not that there were so
    many: the variance is the infinitesimal jackknife over the patients, as R's
    ``survfit(..., weights = w, robust = TRUE, conf.type = "log-log")``; the weights are taken
    as known. With weights all 1 and no later entries it is Greenwood's, exactly. At survival 1
    or 0 the binomial limit takes the effective number at risk (Korn and Graubard 1998).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {confidence}.")
    exits, codes, entries = checked_intervals(frame, time, event, entry)
    if (codes > 1).any():
        raise ValueError(
            f"{event}: holds competing events, and censoring them overstates the incidence. "
            "Use an endpoint without competing events."
        )
    weight = aligned(weights, frame)
    starts = np.full(len(frame), -np.inf) if entries is None else entries
    labels = _labels(frame, by).assign(time=exits, **dict.fromkeys(COUNTS, 0))
    used = (weight > 0) & (starts < exits)
    keys, group = group_codes(labels[used], by)
    rows = _Rows(starts[used], exits[used], codes[used] == 1, group, weight[used])
    steps = _steps(rows, keys)
    return WeightedKaplanMeier(
        curve=_curve(steps, confidence),
        groups=_groups(rows, keys),
        by=as_columns(by),
        confidence=confidence,
        n_weightless=int((weight == 0).sum()),
        n_dropped=int((starts >= exits).sum()),
        _steps=steps,
    )


def aligned(weights: pd.Series, frame: pd.DataFrame) -> FloatArray:
    """Weights in the order of the frame's rows, all of them known, finite and from 0 on."""
    for name, index in (("frame", frame.index), ("weights", weights.index)):
        if not index.is_unique:
            raise ValueError(f"The index of the {name} repeats labels. Give each row its own.")
    values = pd.to_numeric(weights).reindex(frame.index)
    found = values.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~(np.isfinite(found) & (found >= 0))
    if bad.any():
        raise ValueError(
            f"weights: missing, negative or infinite in {rows_named(frame, bad)}. "
            "Give them a weight, 0 included, or leave the rows out."
        )
    return found


def effective_size(weights: FloatArray) -> float:
    """Kish's effective sample size; 0 where nobody has a weight."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _labels(frame: pd.DataFrame, by: str | Sequence[str]) -> pd.DataFrame:
    columns = list(as_columns(by))
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(f"The frame has no column {', '.join(map(repr, absent))}.")
    clash = [name for name in columns if name in (*COUNTS, *_COLUMNS)]
    if clash:
        raise ValueError(f"{', '.join(clash)}: a column of the result. Rename it to group by it.")
    return frame.loc[:, columns]


def _steps(rows: _Rows, keys: pd.DataFrame) -> _Steps:
    # Entries are times of the table too: who is at risk changes at no other time.
    started = rows.entry[np.isfinite(rows.entry)]
    time = np.unique(np.concatenate([rows.exit, started]))
    begin = np.searchsorted(time, rows.entry, side="right")
    end = np.searchsorted(time, rows.exit, side="left")
    shape = (time.size + 1, len(keys))

    def at(place: IntArray, values: FloatArray) -> FloatArray:
        """Sum values at their time and in their group."""
        cell = place * shape[1] + rows.group
        summed = np.bincount(cell, values, shape[0] * shape[1]).astype(np.float64)
        return summed.reshape(shape)

    def present(values: FloatArray, until: IntArray) -> FloatArray:
        """Sum the values of those who have come and, at `until`, leave."""
        return (at(begin, values) - at(until, values)).cumsum(axis=0)[:-1]

    ones, w = np.ones(rows.exit.size), rows.weight
    n_rows, died = present(ones, end + 1), at(end, rows.event * ones)[:-1]
    n_risk, n_event = present(w, end + 1), at(end, rows.event * w)[:-1]
    squares = present(w**2, end + 1)
    some, survive = n_rows > 0, n_rows > died
    # Sums of weights leave rounding noise behind; the numbers of rows say where nothing is.
    n_risk = np.where(some, n_risk, 0.0)
    left = np.where(survive, n_risk - n_event, 0.0)
    hazard = _ratio(n_event, n_risk, some)
    return _Steps(
        keys=keys,
        time=time,
        n_exit=at(end, ones)[:-1].astype(np.int64),
        n_risk=n_risk,
        n_risk_rows=n_rows.astype(np.int64),
        n_effective=_ratio(n_risk**2, squares, some),
        n_event=n_event,
        survival=np.where(survive | ~some, 1 - hazard, 0.0).cumprod(axis=0),
        variance=_variance(rows, begin, end, _ratio(hazard, left, survive), left, at, present),
    )


def _variance(
    rows: _Rows,
    begin: IntArray,
    end: IntArray,
    terms: FloatArray,
    left: FloatArray,
    at: Callable[[IntArray, FloatArray], FloatArray],
    present: Callable[[FloatArray, IntArray], FloatArray],
) -> FloatArray:
    """Sum of squared influences on log S: of those who left, and of those still there.

    A patient's influence falls by `terms` at every time spent at risk, and jumps by 1 / `left`
    at the event; after leaving it stays.
    """
    fallen = np.vstack([np.zeros((1, terms.shape[1])), terms]).cumsum(axis=0)
    at_entry = fallen[begin, rows.group]
    own = left[end, rows.group]
    jump = _ratio(rows.event.astype(np.float64), own, own > 0)
    influence = jump - (fallen[end + 1, rows.group] - at_entry)
    squared = rows.weight**2
    gone = at(end, squared * influence**2)[:-1].cumsum(axis=0)
    fallen = fallen[1:]
    staying = (
        fallen**2 * present(squared, end)
        - 2 * fallen * present(squared * at_entry, end)
        + present(squared * at_entry**2, end)
    )
    return np.maximum(gone + staying, 0.0)


def _curve(steps: _Steps, confidence: float) -> pd.DataFrame:
    low, high, exact = limits(
        steps.survival,
        steps.variance,
        steps.n_effective,
        _at_zero(steps, confidence),
        confidence,
        "log-log",
    )
    group, row = np.nonzero(steps.n_exit.T > 0)
    time = steps.time[row]
    columns = {
        "time": time.astype(np.int64) if bool((time % 1 == 0).all()) else time,
        "n_risk": steps.n_risk[row, group],
        "n_risk_rows": steps.n_risk_rows[row, group],
        "n_event": steps.n_event[row, group],
        "survival": steps.survival[row, group],
        "low": low[row, group],
        "high": high[row, group],
        "limit_exact": exact[row, group],
    }
    return with_keys(steps.keys, group, pd.DataFrame(columns))


def _groups(rows: _Rows, keys: pd.DataFrame) -> pd.DataFrame:
    members = [rows.group == number for number in range(len(keys))]
    columns = {
        "n": [int(inside.sum()) for inside in members],
        "effective_n": [effective_size(rows.weight[inside]) for inside in members],
        "last_time": [float(rows.exit[inside].max()) for inside in members],
    }
    return pd.concat([keys, pd.DataFrame(columns, index=keys.index)], axis=1)


def _at_zero(steps: _Steps, confidence: float) -> FloatArray:
    return upper_at_zero(steps.survival, steps.variance, steps.n_effective, confidence, "log-log")


def _ratio(above: FloatArray, below: FloatArray, where: BoolArray) -> FloatArray:
    return np.divide(above, below, out=np.zeros_like(above), where=where)
