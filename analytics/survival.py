"""Kaplan-Meier curves, log-rank tests, restricted means and follow-up from event counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import (
    FloatArray,
    IntArray,
    RiskSets,
    as_columns,
    group_codes,
    labels,
    refuse_competing,
    risk_sets,
    risk_sets_of,
)

Interval = Literal["log-log", "log", "plain"]
Weight = Literal["log-rank", "peto"]
Adjust = Literal["holm", "BH"]

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
        variance is 0 and one exact binomial limit from the number at risk stands instead.
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
        survival = since_origin(_survival(sets), 1.0)
        low, high, exact = _limits(
            survival,
            since_origin(_greenwood(sets), 0.0),
            np.where(survival > 0, n_risk, since_origin(_n_risk_at_zero(sets), 1.0)),
            self.confidence,
            self.interval,
        )
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
        return _with_keys(sets.keys, np.repeat(np.arange(n_group), asked.size), shown)

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
        low, high = _band(survival, _greenwood(sets), self.confidence, self.interval)
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
class LogRank:
    """A k-sample test of equal hazards.

    Attributes
    ----------
    statistic, p_value
        Chi-squared statistic and its upper tail; None where no test is possible.
    degrees_of_freedom
        Groups at risk at an event, less one.
    groups
        `by` columns, ``n``, ``observed``, ``expected``; the two are weighted sums where
        the weight is 'peto'.
    """

    statistic: float | None
    degrees_of_freedom: int
    p_value: float | None
    groups: pd.DataFrame


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
        groups=_with_keys(sets.keys, np.arange(len(sets.keys)), groups),
        by=as_columns(by),
        confidence=confidence,
        interval=interval,
        _sets=sets,
    )


def log_rank(
    events: pd.DataFrame,
    *,
    by: str | Sequence[str],
    strata: str | Sequence[str] = (),
    weight: Weight = "log-rank",
) -> LogRank:
    """Compare the hazards of the groups; competing events count as censored.

    Parameters
    ----------
    events
        Event table with the `by` and `strata` columns.
    by
        Columns whose levels are compared.
    strata
        Columns within whose levels they are compared.
    weight
        'log-rank', or 'peto' for the pooled survival just before each time
        (Fleming and Harrington's rho = 1).

    Notes
    -----
    Hypergeometric variance, as R's ``survdiff``. A group never at risk at an event does not
    count in the degrees of freedom.
    """
    if weight not in ("log-rank", "peto"):
        raise ValueError(f"Unknown weight {weight!r}: use 'log-rank' or 'peto'.")
    keys, codes = group_codes(events, by)
    _, stratum = group_codes(events, strata)
    observed, expected = np.zeros(len(keys)), np.zeros(len(keys))
    n = np.zeros(len(keys), dtype=np.int64)
    variance = np.zeros((len(keys), len(keys)))
    for each in np.unique(stratum):
        inside = stratum == each
        sets = risk_sets_of(events[inside], keys, codes[inside])
        n += sets.n
        seen, due, spread = _observed_expected(sets, weight)
        observed += seen
        expected += due
        variance += spread
    statistic, df, p_value = _score_test(observed, expected, variance)
    groups = pd.DataFrame({"n": n, "observed": observed, "expected": expected})
    return LogRank(statistic, df, p_value, _with_keys(keys, np.arange(len(keys)), groups))


def pairwise_log_rank(
    events: pd.DataFrame, *, by: str | Sequence[str], adjust: Adjust = "holm"
) -> pd.DataFrame:
    """Log-rank tests of every two groups, adjusted for their number.

    Returns
    -------
    DataFrame
        ``group_1``, ``group_2``, ``statistic``, ``p_value``, ``p_adjusted``; NaN where the two
        cannot be compared (such pairs do not count in the adjustment, as in R's ``p.adjust``).
        Labels are tuples where there are several `by` columns.
    """
    if adjust not in ("holm", "BH"):
        raise ValueError(f"Unknown adjustment {adjust!r}: use 'holm' or 'BH'.")
    keys, codes = group_codes(events, by)
    names = labels(keys)
    rows = []
    for first, second in combinations(range(len(keys)), 2):
        test = log_rank(events[np.isin(codes, (first, second))], by=by)
        rows.append((names[first], names[second], test.statistic, test.p_value))
    table = pd.DataFrame(rows, columns=["group_1", "group_2", "statistic", "p_value"])
    table = table.astype({"statistic": "float64", "p_value": "float64"})
    return table.assign(p_adjusted=_adjusted(table["p_value"].to_numpy(), adjust))


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
        _with_keys(sets.keys, np.arange(len(sets.keys)), groups), differences, float(tau)
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
    survival = _survival(sets)
    n_limit = np.where(survival > 0, sets.n_risk, _n_risk_at_zero(sets))
    low, high, exact = _limits(survival, _greenwood(sets), n_limit, confidence, interval)
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
    return _with_keys(sets.keys, group, curve)


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


def _n_risk_at_zero(sets: RiskSets) -> IntArray:
    """Carry on the number at risk when survival became 0; 1 before that."""
    fatal = (sets.n_event > 0) & (sets.n_event == sets.n_risk)
    carried: IntArray = np.maximum.accumulate(np.where(fatal, sets.n_risk, 1), axis=0)
    return carried


def _band(
    survival: FloatArray, greenwood: FloatArray, confidence: float, interval: Interval
) -> tuple[FloatArray, FloatArray]:
    """Greenwood's limits, NaN where there are none, as R's ``survfit_confint``."""
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2))
    inner = survival > 0
    if interval == "log-log":
        inner &= survival < 1
    s = np.where(inner, survival, 0.5)
    reach = z * np.sqrt(np.where(inner, greenwood, 0.0))
    if interval == "plain":
        low, high = s - reach * s, s + reach * s
    elif interval == "log":
        low, high = s * np.exp(-reach), s * np.exp(reach)
    else:
        middle = np.log(-np.log(s))
        reach = reach / np.log(s)
        low, high = np.exp(-np.exp(middle - reach)), np.exp(-np.exp(middle + reach))
    return (
        np.where(inner, np.maximum(low, 0.0), np.nan),
        np.where(inner, np.minimum(high, 1.0), np.nan),
    )


def _limits(
    survival: FloatArray,
    greenwood: FloatArray,
    n_risk: npt.NDArray[np.generic],
    confidence: float,
    interval: Interval,
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Greenwood's limits, and the exact binomial ones where survival is 1 or 0."""
    low, high = _band(survival, greenwood, confidence, interval)
    with np.errstate(divide="ignore"):
        reach = ((1 - confidence) / 2) ** (1 / n_risk.astype(np.float64))
    one, zero = survival >= 1, survival <= 0
    low = np.select([one, zero], [reach, np.zeros_like(reach)], low)
    high = np.select([one, zero], [np.ones_like(reach), 1 - reach], high)
    return low, high, one | zero


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


def _observed_expected(sets: RiskSets, weight: Weight) -> tuple[FloatArray, FloatArray, FloatArray]:
    deaths = sets.n_event.sum(axis=1).astype(np.float64)
    total = sets.n_risk.sum(axis=1).astype(np.float64)
    used = deaths > 0
    deaths, total = deaths[used], total[used]
    share = sets.n_risk[used] / total[:, None]
    weights = np.ones_like(deaths)
    if weight == "peto":
        weights = np.concatenate([[1.0], np.cumprod(1 - deaths / total)[:-1]])[: deaths.size]
    observed = weights @ sets.n_event[used]
    expected = (weights * deaths) @ share
    # One patient at risk carries no information, and n - 1 would be zero.
    spread = weights**2 * deaths * (total - deaths) / np.maximum(total - 1, 1)
    variance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    return observed, expected, variance


def _score_test(
    observed: FloatArray, expected: FloatArray, variance: FloatArray
) -> tuple[float | None, int, float | None]:
    from scipy.special import chdtrc

    at_risk = np.flatnonzero(expected > 0)
    df = max(at_risk.size - 1, 0)
    kept = at_risk[1:]
    inner = variance[np.ix_(kept, kept)]
    # A singular variance means groups that were never at risk together at an informative event.
    if df == 0 or np.linalg.matrix_rank(inner, hermitian=True) < df:
        return None, df, None
    excess = (observed - expected)[kept]
    statistic = float(excess @ np.linalg.solve(inner, excess))
    return statistic, df, float(chdtrc(df, statistic))


def _adjusted(p_values: FloatArray, adjust: Adjust) -> FloatArray:
    adjusted = np.full_like(p_values, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    ordered = known[np.argsort(p_values[known])]
    p, m = p_values[ordered], ordered.size
    if adjust == "holm":
        stepped = np.maximum.accumulate(p * np.arange(m, 0, -1))
    else:
        stepped = np.minimum.accumulate((p * m / np.arange(1, m + 1))[::-1])[::-1]
    adjusted[ordered] = np.minimum(stepped, 1.0)
    return adjusted


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


def _with_keys(
    keys: pd.DataFrame, group: npt.NDArray[np.integer], frame: pd.DataFrame
) -> pd.DataFrame:
    return pd.concat([keys.iloc[group].reset_index(drop=True), frame], axis=1)
