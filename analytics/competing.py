"""Cumulative incidences of competing events and Gray's test, from event counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import (
    CAUSE,
    COUNTS,
    ENTRY,
    FloatArray,
    IntArray,
    RiskSets,
    as_columns,
    group_codes,
    risk_sets,
    risk_sets_of,
)

# A group whose score has less variance of its own than this share is tied to the others.
_TIED = 1e-7


@dataclass(frozen=True, eq=False)
class CumulativeIncidence:
    """Cumulative incidences of every cause, with their limits.

    Attributes
    ----------
    curve
        `by` columns, ``cause``, ``time``, ``n_risk`` (just before), ``n_event`` (of the cause),
        ``incidence``, ``low``, ``high``, ``limit_exact``; one row per group, cause and distinct
        time at which somebody of the group leaves. ``limit_exact`` marks incidence of 0 or 1,
        where the variance is 0 and one exact binomial limit from the number at risk stands
        instead.
    groups
        `by` columns, ``cause``, ``n``, ``n_event`` (of the cause), ``last_time``.
    by, confidence
        As asked.
    """

    curve: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    _estimate: _Estimate = field(repr=False)

    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Cumulative incidence at milestones.

        Returns
        -------
        DataFrame
            `by` columns, ``cause``, ``time``, ``n_risk`` (just before the time, 0 past the
            follow-up), ``n_event`` (of the cause until the time, inclusive), ``incidence``,
            ``low``, ``high``, ``limit_exact``. Incidence and limits are NaN past the group's
            last time.
        """
        asked = np.atleast_1d(np.asarray(times))
        when = asked.astype(np.float64)
        sets, estimate = self._estimate.sets, self._estimate
        row = np.searchsorted(sets.time, when, side="right")
        origin = ((0, 0), (1, 0), (0, 0))
        n_risk = sets.n_risk_before(when)
        n_limit = np.vstack([np.zeros((1, len(sets.keys))), estimate.n_risk_at_end])[row]
        incidence = np.pad(estimate.incidence, origin)[:, row]
        low, high, exact = _limits(
            incidence,
            np.pad(estimate.variance, origin)[:, row],
            np.where(n_limit > 0, n_limit, n_risk),
            np.pad(estimate.low_at_one, origin)[:, row],
            self.confidence,
        )
        past = when[:, None] > sets.last_time
        cells = {
            "n_event": np.pad(estimate.n_event.cumsum(axis=1), origin)[:, row],
            "incidence": np.where(past, np.nan, incidence),
            "low": np.where(past, np.nan, low),
            "high": np.where(past, np.nan, high),
            "limit_exact": exact & ~past,
        }
        everywhere = np.ones((len(sets.keys), len(estimate.causes), asked.size), dtype=bool)
        return _long(estimate, asked, n_risk, cells, everywhere)


@dataclass(frozen=True, eq=False)
class GrayTest:
    """A k-sample test of equal cumulative incidences of one cause.

    Attributes
    ----------
    statistic, p_value
        Chi-squared statistic and its upper tail; None where no test is possible.
    degrees_of_freedom
        Groups with patients, less one.
    groups
        `by` columns, ``n``, ``observed`` and ``expected`` events of the cause.
    """

    statistic: float | None
    degrees_of_freedom: int
    p_value: float | None
    groups: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Estimate:
    """Arrays with one layer per cause (axis 0), a row per time and a column per group."""

    sets: RiskSets
    causes: tuple[int, ...]
    n_event: IntArray
    incidence: FloatArray
    variance: FloatArray
    n_risk_at_end: IntArray
    low_at_one: FloatArray


def causes(events: pd.DataFrame) -> tuple[int, ...]:
    """Codes of the events that the table tells apart: 1, then the competing ones.

    A table without columns ``n_cause_2``, ``n_cause_3``, ... has one competing cause, 2, which
    stands for everything in ``n_competing``.
    """
    known = [int(name.removeprefix(CAUSE)) for name in _cause_columns(events)]
    return (1, *sorted(known)) if known else (1, 2)


def cause_specific(events: pd.DataFrame, cause: int) -> pd.DataFrame:
    """Event table in which one cause is the event and every other one competes with it.

    Parameters
    ----------
    events
        As :func:`analytics.events.event_table` makes it.
    cause
        Event code: 1, or the code of a competing event.

    Returns
    -------
    DataFrame
        The same rows: ``n_event`` counts the cause, ``n_competing`` the other causes together.
        :func:`analytics.survival.log_rank` and :func:`analytics.hazard.hazard_ratios` take
        those as censored and so compare the cause-specific hazards;
        :func:`analytics.survival.kaplan_meier` refuses them.

    Raises
    ------
    ValueError
        Where the table does not know the cause, or its counts by cause do not add up.
    """
    known, columns = causes(events), _cause_columns(events)
    absent = [name for name in COUNTS if name not in events.columns]
    problems = []
    if absent:
        problems.append(f"No column {', '.join(absent)}: make the table with event_table(...).")
    elif columns and not events[columns].sum(axis=1).equals(events["n_competing"]):
        problems.append(
            f"{', '.join(columns)}: do not add up to n_competing. Count the causes again."
        )
    if cause not in known:
        problems.append(f"Cause {cause!r} is not in the table. Choose among {known}.")
    if problems:
        raise ValueError("\n".join(problems))
    either = events["n_event"] + events["n_competing"]
    own = "n_event" if cause == 1 else f"{CAUSE}{cause}" if columns else "n_competing"
    counted = {"n_event": events[own], "n_competing": either - events[own]}
    return events.assign(**counted).drop(columns=columns)


def cumulative_incidence(
    events: pd.DataFrame, *, by: str | Sequence[str] = (), confidence: float = 0.95
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of every cause from an event table.

    Parameters
    ----------
    events
        As :func:`analytics.events.event_table` makes it; columns not in `by` are summed over.
    by
        Grouping column or columns.
    confidence
        Two-sided level of the pointwise limits.

    Raises
    ------
    ValueError
        Where the confidence is no level, or the counts by cause do not add up.

    Notes
    -----
    Aalen and Johansen (1978), as R's ``survfit`` of several states and ``cmprsk::cuminc``;
    entries after the origin count in the risk sets. Variance as ``cmprsk::cuminc``, after Aalen
    (1978), with ties as there: with ``n`` at risk and ``d`` events of a kind
    just at u, an event adds to the variance of F(t) ::

        S(u-)^2 d (n - d) / (n^2 (n - 1))

    times (1 - (F(t) - F(u)) / S(u))^2 if it is of the cause, and times
    ((F(t) - F(u)) / S(u))^2 if not. Limits on the scale of log(-log F):
    F^exp(+-z se / (F log F)). At incidence 0 the upper limit is 1 - a^(1/n) and at incidence 1
    the lower limit is a^(1/n) or, if higher, the limit before the last step, with a half of
    1 - `confidence` and n the number at risk.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {confidence}.")
    estimate = _estimated(events, by, confidence)
    sets = estimate.sets
    low, high, exact = _limits(
        estimate.incidence,
        estimate.variance,
        np.where(estimate.n_risk_at_end > 0, estimate.n_risk_at_end, sets.n_risk),
        estimate.low_at_one,
        confidence,
    )
    cells = {
        "n_event": estimate.n_event,
        "incidence": estimate.incidence,
        "low": low,
        "high": high,
        "limit_exact": exact,
    }
    leaves = np.repeat((sets.n_exit.T > 0)[:, None, :], len(estimate.causes), axis=1)
    curve = _long(estimate, sets.time, sets.n_risk, cells, leaves)
    curve["time"] = curve["time"].astype(events["time"].dtype)
    return CumulativeIncidence(
        curve=curve,
        groups=_groups(estimate),
        by=as_columns(by),
        confidence=confidence,
        _estimate=estimate,
    )


def gray_test(
    events: pd.DataFrame,
    *,
    by: str | Sequence[str],
    cause: int = 1,
    strata: str | Sequence[str] = (),
) -> GrayTest:
    """Compare the cumulative incidences of one cause between groups.

    Parameters
    ----------
    events
        Event table with the `by` and `strata` columns.
    by
        Columns whose levels are compared.
    cause
        Event code of the cause; every other code competes with it.
    strata
        Columns within whose levels they are compared.

    Raises
    ------
    ValueError
        Where the table does not know the cause, or patients enter after the origin: the test
        rests on censoring alone.

    Notes
    -----
    Gray (1988) with rho = 0, as ``cmprsk::cuminc``. No test is possible with one group, without
    events of the cause, or where the variance is singular, as with a group that nobody was at
    risk in at an event.
    """
    own = cause_specific(events, cause)
    if ENTRY in own.columns and bool((own.loc[own["time"] > 0, ENTRY] > 0).any()):
        raise ValueError(
            "Gray's test does not take patients who enter after the origin. "
            "Compare the cause-specific hazards: log_rank(cause_specific(events, cause), by=...)."
        )
    keys, codes = group_codes(own, by)
    _, stratum = group_codes(own, strata)
    n = np.zeros(len(keys), dtype=np.int64)
    observed, expected = np.zeros(len(keys)), np.zeros(len(keys))
    variance = np.zeros((len(keys), len(keys)))
    for each in np.unique(stratum):
        inside = stratum == each
        sets = risk_sets_of(own[inside], keys, codes[inside])
        seen, due, spread = _gray_sums(sets)
        n += sets.n
        observed += seen
        expected += due
        variance += spread
    groups = pd.DataFrame({"n": n, "observed": observed, "expected": expected})
    statistic, df, p_value = _chi_squared(observed - expected, variance, np.flatnonzero(n > 0))
    return GrayTest(statistic, df, p_value, pd.concat([keys, groups], axis=1))


def _cause_columns(events: pd.DataFrame) -> list[str]:
    return [str(name) for name in events.columns if str(name).startswith(CAUSE)]


def _estimated(events: pd.DataFrame, by: str | Sequence[str], confidence: float) -> _Estimate:
    known = causes(events)
    each = [risk_sets(cause_specific(events, cause), by) for cause in known]
    sets = each[0]
    n_event = np.stack([cause.n_event for cause in each])
    survival, before, n_risk = _survival(sets)
    incidence: FloatArray = np.cumsum(before * n_event / n_risk, axis=1)
    variance = _variance(n_event, sets, incidence)
    # Rounding must not keep a curve from 1 where everybody had this event.
    sole = (incidence > 0) & ((incidence > 0).sum(axis=0) == 1) & (survival <= 0)
    incidence = np.where(sole, 1.0, incidence)
    ended = (survival <= 0) & (before > 0)
    return _Estimate(
        sets=sets,
        causes=known,
        n_event=n_event,
        incidence=incidence,
        variance=variance,
        n_risk_at_end=np.maximum.accumulate(np.where(ended, sets.n_risk, 0), axis=0),
        low_at_one=_low_at_one(incidence, variance, n_risk, ended, confidence),
    )


def _low_at_one(
    incidence: FloatArray,
    variance: FloatArray,
    n_risk: FloatArray,
    ended: npt.NDArray[np.bool_],
    confidence: float,
) -> FloatArray:
    """Lower limit once incidence is 1: exact or, if higher, the one before the step.

    Incidence only rises, so what held just before the last step still holds.
    """
    none = np.zeros_like(incidence)
    low, _, _ = _limits(incidence, variance, n_risk, none, confidence)
    before = np.pad(low, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    reached = np.maximum(((1 - confidence) / 2) ** (1 / n_risk), before)
    carried: FloatArray = np.maximum.accumulate(np.where(ended, reached, none), axis=1)
    return carried


def _survival(sets: RiskSets) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Survival free of any event after and just before each time, and who was at risk."""
    n_risk = np.maximum(sets.n_risk, 1).astype(np.float64)
    survival = np.cumprod(1 - (sets.n_exit - sets.n_censored) / n_risk, axis=0, dtype=np.float64)
    before = np.vstack([np.ones((1, survival.shape[1])), survival])[:-1]
    return survival, before, n_risk


def _variance(n_event: IntArray, sets: RiskSets, incidence: FloatArray) -> FloatArray:
    survival, before, n_risk = _survival(sets)
    others = sets.n_exit - sets.n_censored - n_event

    def spread(count: IntArray) -> FloatArray:
        return (before / n_risk) ** 2 * count * _ties(count, n_risk)

    inverse = np.divide(1.0, survival, out=np.zeros_like(survival), where=survival > 0)
    own, other = spread(n_event), spread(others) * (survival > 0)
    reached = incidence * inverse
    # The squares above, multiplied out in powers of F(t), so that sums over u are taken once.
    none = np.cumsum(own * (1 + reached) ** 2 + other * reached**2, axis=1)
    once = np.cumsum((own * (1 + reached) + other * reached) * inverse, axis=1)
    twice = np.cumsum((own + other) * inverse**2, axis=1)
    variance: FloatArray = np.maximum(none - 2 * incidence * once + incidence**2 * twice, 0.0)
    return variance


def _ties(count: npt.NDArray[np.generic], at_risk: FloatArray) -> FloatArray:
    """Share of the variance that is left where `count` events fall on one time."""
    more = np.maximum(count.astype(np.float64) - 1, 0.0)
    left = np.divide(more, at_risk - 1, out=np.zeros_like(more), where=more > 0)
    share: FloatArray = 1 - left
    return share


def _limits(
    incidence: FloatArray,
    variance: FloatArray,
    n_risk: npt.NDArray[np.generic],
    low_at_one: FloatArray,
    confidence: float,
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Limits on the log(-log) scale, and the exact binomial ones where incidence is 0 or 1."""
    from scipy.special import ndtri

    zero, one = incidence <= 0, incidence >= 1
    inner = np.where(zero | one, 0.5, incidence)
    reach = float(ndtri((1 + confidence) / 2)) * np.sqrt(variance) / (inner * np.log(inner))
    with np.errstate(divide="ignore"):
        none = 1 - ((1 - confidence) / 2) ** (1 / n_risk.astype(np.float64))
    low = np.where(zero, 0.0, np.where(one, low_at_one, inner ** np.exp(-reach)))
    high = np.where(zero, none, np.where(one, 1.0, inner ** np.exp(reach)))
    return low, high, zero | one


def _long(
    estimate: _Estimate,
    time: npt.NDArray[np.generic],
    n_risk: IntArray,
    cells: dict[str, npt.NDArray[np.generic]],
    shown: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    """Lay arrays by cause, time and group out in rows, where `shown` (group, cause, time)."""
    group, cause, row = np.nonzero(shown)
    frame = pd.DataFrame(
        {
            "cause": np.array(estimate.causes)[cause],
            "time": time[row],
            "n_risk": n_risk[row, group],
            **{name: values[cause, row, group] for name, values in cells.items()},
        }
    )
    return pd.concat([estimate.sets.keys.iloc[group].reset_index(drop=True), frame], axis=1)


def _groups(estimate: _Estimate) -> pd.DataFrame:
    sets, n_cause = estimate.sets, len(estimate.causes)
    frame = pd.DataFrame(
        {
            "cause": np.tile(estimate.causes, len(sets.keys)),
            "n": np.repeat(sets.n, n_cause),
            "n_event": estimate.n_event.sum(axis=1).ravel("F"),
            "last_time": np.repeat(sets.last_time, n_cause),
        }
    )
    keys = sets.keys.iloc[np.repeat(np.arange(len(sets.keys)), n_cause)]
    return pd.concat([keys.reset_index(drop=True), frame], axis=1)


def _gray_sums(sets: RiskSets) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Observed and expected events of the groups in one stratum, and the scores' covariance."""
    survival, before, n_risk = _survival(sets)
    own = before * sets.n_event / n_risk
    incidence_before = np.cumsum(own, axis=0) - own
    # Y / S(t-) are those who would be at risk had nobody had an event: censoring alone thins them.
    present = np.divide(sets.n_risk, before, out=np.zeros_like(before), where=before > 0)
    at_risk = present * (1 - incidence_before)
    events = sets.n_event.sum(axis=1)
    any_event = events > 0
    share = np.divide(
        at_risk,
        at_risk.sum(axis=1, keepdims=True),
        out=np.zeros_like(at_risk),
        where=any_event[:, None],
    )
    pooled = np.divide(events, present.sum(axis=1), out=np.zeros(len(events)), where=any_event)
    incidence = np.cumsum(pooled)
    covariance = _gray_covariance(sets, survival, before, present, pooled, incidence)
    return sets.n_event.sum(axis=0).astype(np.float64), events @ share, covariance


def _gray_covariance(
    sets: RiskSets,
    survival: FloatArray,
    before: FloatArray,
    present: FloatArray,
    pooled: FloatArray,
    incidence: FloatArray,
) -> FloatArray:
    """Covariance of the scores after Gray (1988), events of the cause as under equality."""
    n_risk = np.maximum(sets.n_risk, 1).astype(np.float64)
    total = present.sum(axis=1)
    held = np.divide(present, total[:, None], out=np.zeros_like(present), where=total[:, None] > 0)
    weight = present[:, :, None] * (np.eye(len(sets.keys)) - held[:, None, :])
    left = 1 - np.concatenate([[0.0], incidence[:-1]])
    # Once the pooled incidence is 1 one event more leaves the variance undefined.
    undefined = np.where(pooled > 0, np.nan, 0.0)
    hazard = np.divide(pooled, left, out=undefined, where=np.abs(left) > _TIED)
    drift = np.cumsum(weight * hazard[:, None, None], axis=0)
    to_come = drift[-1] - drift
    alive = survival > 0
    ratio = np.divide(1 - incidence[:, None], survival, out=np.zeros_like(survival), where=alive)
    events = sets.n_event.sum(axis=1)
    # Events of the cause expected in a group are pooled * Y / S(t-).
    due = pooled[:, None] * before / n_risk * (sets.n_risk > 0)
    comparable = np.where(sets.n_risk > 0, total[:, None] * before, np.inf)
    due *= _ties(np.broadcast_to(events[:, None], due.shape), comparable)
    others = sets.n_exit - sets.n_censored - sets.n_event
    competing = (before / n_risk) ** 2 * others * _ties(others, n_risk) * alive
    first = weight + (1 - ratio)[:, None, :] * to_come
    covariance: FloatArray = np.einsum("tik,tjk,tk->ij", first, first, due)
    covariance += np.einsum("tik,tjk,tk->ij", to_come, to_come, competing * ratio**2)
    return covariance


def _chi_squared(
    score: FloatArray, variance: FloatArray, present: IntArray
) -> tuple[float | None, int, float | None]:
    from scipy.special import chdtrc

    df = max(present.size - 1, 0)
    kept = present[:df]
    inner = variance[np.ix_(kept, kept)]
    scale = np.sqrt(np.abs(np.diag(inner)))
    if df == 0 or not bool((scale > 0).all()):
        return None, df, None
    correlation = inner / np.outer(scale, scale)
    if float(np.linalg.eigvalsh(correlation)[0]) < _TIED:
        return None, df, None
    scaled = score[kept] / scale
    statistic = float(scaled @ np.linalg.solve(correlation, scaled))
    return statistic, df, float(chdtrc(df, statistic))
