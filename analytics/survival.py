"""Kaplan-Meier curves, restricted means and follow-up from event counts; log-rank tests by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import (
    FloatArray,
    RiskSets,
    as_columns,
    labels,
    refuse_competing,
    risk_sets,
    with_keys,
)
from analytics._limits import Interval as Interval
from analytics._limits import band, limits, upper_at_zero
from analytics.log_rank import (
    Adjust,
    LogRank,
    PermutationLogRank,
    Weight,
    log_rank,
    log_rank_trend,
    pairwise_log_rank,
    permutation_log_rank,
)

__all__ = [
    "Adjust",
    "Interval",
    "KaplanMeier",
    "LogRank",
    "PermutationLogRank",
    "RestrictedMean",
    "Weight",
    "follow_up",
    "kaplan_meier",
    "log_rank",
    "log_rank_trend",
    "pairwise_log_rank",
    "permutation_log_rank",
    "restricted_mean",
]


# R's quantile.survfit takes survival this close to the level as equal to it.
_ON_THE_LEVEL = float(np.sqrt(np.finfo(float).eps))


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """Survival curves with their limits.

    Attributes
    ----------
    curve
        `by` columns, ``time``, ``n_risk`` (just before), ``n_event``, ``n_censored``,
        ``survival``, ``low``, ``high``, ``limit_exact``; one row per group and distinct time
        at which somebody leaves. ``limit_exact`` marks survival of 1 or 0, where Greenwood's
        variance is 0 and one exact binomial limit from the number at risk stands instead; at 0
        the upper limit just before the last step stands where it is lower.
    groups
        `by` columns, ``n``, ``n_event``, ``last_time``.
    by, confidence, interval
        As asked.
    """

    curve: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    interval: Interval
    _sets: RiskSets = field(repr=False)

    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Survival at milestones.

        Returns
        -------
        DataFrame
            `by` columns, ``time``, ``n_risk`` (just before the time, 0 past the follow-up),
            ``n_event`` (until the time, inclusive), ``survival``, ``low``, ``high``,
            ``limit_exact``. Survival and limits are NaN past the group's last time.
        """
        asked = np.atleast_1d(np.asarray(times))
        when = asked.astype(np.float64)
        sets = self._sets
        n_group = len(sets.keys)
        row = np.searchsorted(sets.time, when, side="right")

        def since_origin(values: npt.NDArray[np.generic], start: float) -> FloatArray:
            return np.vstack([np.full((1, n_group), start), values])[row]

        n_risk = sets.n_risk_before(when)
        steps, greenwood = _survival(sets), _greenwood(sets)
        asked_for = self.confidence, self.interval
        at_zero = upper_at_zero(steps, greenwood, sets.n_risk, *asked_for)
        survival, variance = since_origin(steps, 1.0), since_origin(greenwood, 0.0)
        low, high, exact = limits(survival, variance, n_risk, at_zero, *asked_for)
        past = when[:, None] > sets.last_time
        shown = pd.DataFrame(
            {
                "time": np.tile(asked, n_group),
                "n_risk": n_risk.ravel("F"),
                "n_event": since_origin(sets.n_event.cumsum(0), 0).astype(np.int64).ravel("F"),
                "survival": np.where(past, np.nan, survival).ravel("F"),
                "low": np.where(past, np.nan, low).ravel("F"),
                "high": np.where(past, np.nan, high).ravel("F"),
                "limit_exact": (exact & ~past).ravel("F"),
            }
        )
        return with_keys(sets.keys, np.repeat(np.arange(n_group), asked.size), shown)

    def differences(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Differences of survival at milestones, each group against the first.

        Returns
        -------
        DataFrame
            ``group_1`` (the first group), ``group_2``, ``time``, ``difference`` (second less
            first), ``low``, ``high``, ``p_value``; labels are tuples where there are several
            `by` columns. All are NaN past the last time of either group, and ``p_value`` also
            where survival of either is 1 or 0.

        Notes
        -----
        Limits: the squared distances of both estimates from their own limits on this curve are
        added (Newcombe 1998; Zou and Donner 2008), so that the exact limits at 1 and 0 serve and
        none leaves -1 to 1. In simulated groups of 20 the 95% limits held the truth in 95% to
        100%, Greenwood's on the plain scale in 92% to 99%.
        P value: test of equal survival on the complementary log-log scale (Klein, Logan, Harhoff
        and Andersen 2007), whatever the interval; near 0.05 the two can disagree.
        """
        from scipy.special import ndtr

        asked = np.atleast_1d(np.asarray(times))
        names = labels(self._sets.keys)
        wide = self.at(times)[["survival", "low", "high"]].to_numpy().T
        survival, low, high = wide.reshape(3, len(self._sets.keys), asked.size)
        below, above = survival - low, high - survival
        difference = survival[1:] - survival[:1]
        scaled, error = self._complementary_log_log(survival, asked)
        gap, spread = scaled[1:] - scaled[:1], np.hypot(error[1:], error[:1])
        return pd.DataFrame(
            {
                "group_1": [name for name in names[:1] for _ in range(difference.size)],
                "group_2": [name for name in names[1:] for _ in asked],
                "time": np.tile(asked, len(difference)),
                "difference": difference.ravel(),
                "low": (difference - np.hypot(below[1:], above[:1])).ravel(),
                "high": (difference + np.hypot(above[1:], below[:1])).ravel(),
                "p_value": 2 * ndtr(-np.abs(gap / spread)).ravel(),
            }
        )

    def _complementary_log_log(
        self, survival: FloatArray, times: npt.NDArray[np.generic]
    ) -> tuple[FloatArray, FloatArray]:
        """Transform `survival` (axis 0: group) with its standard error; NaN at 1 and 0."""
        row = np.searchsorted(self._sets.time, times.astype(np.float64), side="right")
        greenwood = np.vstack([np.zeros((1, len(survival))), _greenwood(self._sets)])[row].T
        inner = (survival > 0) & (survival < 1)
        logarithm = np.log(np.where(inner, survival, np.nan))
        return np.log(-logarithm), np.sqrt(greenwood) / -logarithm

    def median(self) -> pd.DataFrame:
        """Median time with limits: `by` columns, ``n``, ``n_event``, ``median``, low, high.

        NaN where not reached. Where survival is exactly 0.5 over an interval the median is its
        midpoint; the limits invert the pointwise band (Brookmeyer and Crowley 1982), both as
        in R's ``quantile.survfit``.
        """
        return self.quantile(0.5).rename(columns={"quantile": "median"})

    def quantile(self, p: float) -> pd.DataFrame:
        """Time by which a fraction `p` had the event.

        Returns
        -------
        DataFrame
            `by` columns, ``n``, ``n_event``, ``quantile``, ``low``, ``high``; NaN where the
            curve, or its limit, does not come down to 1 - `p`.
        """
        if not 0 < p < 1:
            raise ValueError(f"A quantile lies between 0 and 1, not at {p}.")
        sets = self._sets
        survival = _survival(sets)
        low, high = band(survival, _greenwood(sets), self.confidence, self.interval)
        found = np.full((3, len(sets.keys)), np.nan)
        for group in range(len(sets.keys)):
            seen = sets.n_exit[:, group] > 0
            for line, values in enumerate((survival, low, high)):
                found[line, group] = _crossing(sets.time[seen], values[seen, group], p)
        return pd.concat(
            [
                self.groups.drop(columns="last_time"),
                pd.DataFrame({"quantile": found[0], "low": found[1], "high": found[2]}),
            ],
            axis=1,
        )


@dataclass(frozen=True, eq=False)
class RestrictedMean:
    """Mean event-free time up to ``tau``.

    Attributes
    ----------
    groups
        `by` columns, ``mean``, ``standard_error``, ``low``, ``high``.
    differences
        ``group_1`` (the first group), ``group_2``, ``difference`` (second less first),
        ``standard_error``, ``low``, ``high``, ``p_value``; labels are tuples where there are
        several `by` columns.
    tau
        The horizon, in the unit of the times.
    """

    groups: pd.DataFrame
    differences: pd.DataFrame
    tau: float


def kaplan_meier(
    events: pd.DataFrame,
    *,
    by: str | Sequence[str] = (),
    confidence: float = 0.95,
    interval: Interval = "log-log",
) -> KaplanMeier:
    """Estimate survival from an event table.

    Parameters
    ----------
    events
        As :func:`analytics.events.event_table` makes it; columns not in `by` are summed over.
    by
        Grouping column or columns.
    confidence
        Two-sided level of the pointwise limits.
    interval
        Scale of Greenwood's interval.

    Raises
    ------
    ValueError
        Where competing events are present: 1 - KM overstates the cumulative incidence.

    Notes
    -----
    Kaplan and Meier (1958); variance after Greenwood (1926); the limits as R's ``survfit``
    with ``conf.type`` "log-log", "log" or "plain".
    """
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {confidence}.")
    if interval not in ("log-log", "log", "plain"):
        raise ValueError(f"Unknown interval {interval!r}: use 'log-log', 'log' or 'plain'.")
    refuse_competing(events)
    sets = risk_sets(events, by)
    curve = _curve(sets, confidence, interval)
    curve["time"] = curve["time"].astype(events["time"].dtype)
    groups = pd.DataFrame(
        {"n": sets.n, "n_event": sets.n_event.sum(axis=0), "last_time": sets.last_time}
    )
    return KaplanMeier(
        curve=curve,
        groups=with_keys(sets.keys, np.arange(len(sets.keys)), groups),
        by=as_columns(by),
        confidence=confidence,
        interval=interval,
        _sets=sets,
    )


def restricted_mean(
    events: pd.DataFrame, *, by: str | Sequence[str] = (), tau: float
) -> RestrictedMean:
    """Mean event-free time up to `tau`, with 95% limits and differences to the first group.

    Raises
    ------
    ValueError
        Where `tau` is past the last follow-up of a group, or competing events are present.

    Notes
    -----
    Area under the Kaplan-Meier curve. The sampling variance sums, over the events, the squared
    area still to come times Greenwood's term, as ``print(survfit(...), rmean = tau)`` in R.
    """
    from scipy.special import ndtr, ndtri

    refuse_competing(events)
    sets = risk_sets(events, by)
    shortest = float(np.min(sets.last_time, initial=np.inf))
    if not 0 < tau <= shortest:
        raise ValueError(
            f"tau is {tau:g}: it must be above 0 and not past {shortest:g}, "
            "the last follow-up of the group followed for the shortest time."
        )
    mean, error = _area(sets, tau)
    z = float(ndtri(0.975))
    groups = pd.DataFrame(
        {
            "mean": mean,
            "standard_error": error,
            "low": mean - z * error,
            "high": mean + z * error,
        }
    )
    names = labels(sets.keys)
    difference, spread = mean[1:] - mean[:1], np.hypot(error[1:], error[:1])
    ratio = np.divide(difference, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    differences = pd.DataFrame(
        {
            "group_1": names[:1] * difference.size,
            "group_2": names[1:],
            "difference": difference,
            "standard_error": spread,
            "low": difference - z * spread,
            "high": difference + z * spread,
            "p_value": 2 * ndtr(-np.abs(ratio)),
        }
    )
    return RestrictedMean(
        with_keys(sets.keys, np.arange(len(sets.keys)), groups), differences, float(tau)
    )


def follow_up(events: pd.DataFrame, *, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Median potential follow-up by the reverse Kaplan-Meier method.

    Returns
    -------
    DataFrame
        `by` columns, ``n``, ``median``, ``low``, ``high``; NaN where not reached.

    Notes
    -----
    Schemper and Smith (1996), as R's ``survfit(Surv(time, event == 0))``: being censored is
    the event, any event censors, and at ties the censored leave first.
    """
    reversed_roles = events.assign(
        n_event=events["n_censored"],
        n_censored=events["n_event"] + events["n_competing"],
        n_competing=0,
    )
    return kaplan_meier(reversed_roles, by=by).median().drop(columns="n_event")


def _curve(sets: RiskSets, confidence: float, interval: Interval) -> pd.DataFrame:
    survival, greenwood = _survival(sets), _greenwood(sets)
    at_zero = upper_at_zero(survival, greenwood, sets.n_risk, confidence, interval)
    low, high, exact = limits(survival, greenwood, sets.n_risk, at_zero, confidence, interval)
    group, row = np.nonzero(sets.n_exit.T > 0)
    curve = pd.DataFrame(
        {
            "time": sets.time[row],
            "n_risk": sets.n_risk[row, group],
            "n_event": sets.n_event[row, group],
            "n_censored": sets.n_censored[row, group],
            "survival": survival[row, group],
            "low": low[row, group],
            "high": high[row, group],
            "limit_exact": exact[row, group],
        }
    )
    return with_keys(sets.keys, group, curve)


def _survival(sets: RiskSets) -> FloatArray:
    n_risk = np.maximum(sets.n_risk, 1).astype(np.float64)
    survival = np.cumprod(1 - sets.n_event / n_risk, axis=0, dtype=np.float64)
    return survival


def _greenwood(sets: RiskSets) -> FloatArray:
    """Variance of log S; infinite once survival is 0."""
    left = (sets.n_risk - sets.n_event) * sets.n_risk.astype(np.float64)
    missing = np.where(sets.n_event > 0, np.inf, 0.0)
    terms = np.divide(sets.n_event, left, out=missing, where=left > 0)
    variance: FloatArray = np.cumsum(terms, axis=0)
    return variance


def _crossing(time: FloatArray, survival: FloatArray, p: float) -> float:
    """Time at which 1 - survival reaches `p`: R's ``findq`` in quantile.survfit."""
    if time.size == 0:
        return np.nan
    last = time[-1]
    fallen = np.concatenate([[0.0], 1 - survival])
    when = np.concatenate([[0.0], time])
    _, first = np.unique(fallen, return_index=True)
    first.sort()
    fallen, when = fallen[first], when[first]
    ended = fallen[-1]
    known = ~np.isnan(fallen)
    fallen, when = fallen[known], when[known]
    if fallen.max() < p:
        # R asks this before its tolerance, so a curve that ends on the level may be missed.
        return np.nan
    # Greenwood's limits can turn back late in a curve; R looks the level up in their sorted
    # values, not in time.
    order = np.argsort(fallen)
    fallen, when = fallen[order], when[order]
    reached = int(np.searchsorted(fallen + _ON_THE_LEVEL, p))
    passed = int(np.searchsorted(fallen - _ON_THE_LEVEL, p))
    if abs(ended - p) < _ON_THE_LEVEL:
        return float((when[reached] + last) / 2)
    if passed == fallen.size:
        return np.nan
    return float((when[reached] + when[passed]) / 2)


def _area(sets: RiskSets, tau: float) -> tuple[FloatArray, FloatArray]:
    inside = sets.time <= tau
    edges = np.concatenate([[0.0], sets.time[inside], [tau]])
    survival = np.vstack([np.ones((1, len(sets.keys))), _survival(sets)[inside]])
    pieces = np.diff(edges)[:, None] * survival
    to_come = pieces[::-1].cumsum(axis=0)[::-1]
    n_risk, n_event = sets.n_risk[inside].astype(np.float64), sets.n_event[inside]
    left = n_risk * (n_risk - n_event)
    # Once nobody is left the area still to come is 0, and so is the term.
    terms = np.divide(n_event, left, out=np.zeros_like(left), where=left > 0)
    return to_come[0], np.sqrt((to_come[1:] ** 2 * terms).sum(axis=0))
