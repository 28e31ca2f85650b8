"""Proportions with their limits, differences and trends, and Fisher's exact test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import FloatArray, IntArray
from analytics._exact import table_p_value

Method = Literal["exact", "wilson"]
Direction = Literal["rising", "falling"]


@dataclass(frozen=True)
class Proportion:
    """A count out of a total; rate and limits are None where the total is 0."""

    count: int
    total: int
    rate: float | None
    low: float | None
    high: float | None
    method: Method


@dataclass(frozen=True)
class ProportionDifference:
    """The first rate less the second, with limits; None where a total is 0."""

    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TrendTest:
    """A trend of rates over ordered groups.

    Attributes
    ----------
    statistic
        Chi-square with one degree of freedom.
    p_value
        Two-sided.
    direction
        'rising' or 'falling' with the scores; None where the slope is 0.

    Notes
    -----
    All are None where there is no test: fewer than two scores with anybody, or the event in
    all or in nobody.
    """

    statistic: float | None
    p_value: float | None
    direction: Direction | None


@dataclass(frozen=True)
class FisherExact:
    """Fisher's exact test.

    Attributes
    ----------
    p_value
        Two-sided; None where fewer than two rows or columns hold anybody, or where the table is
        too large to enumerate.
    """

    p_value: float | None


@dataclass(frozen=True)
class OddsRatio:
    """Conditional maximum-likelihood odds ratio of a 2 x 2 table, with its exact 95% limits."""

    value: float
    low: float
    high: float


def proportion(
    count: int, total: int, *, method: Method = "exact", confidence: float = 0.95
) -> Proportion:
    """Rate with a two-sided interval.

    Parameters
    ----------
    count, total
        Whole numbers, ``0 <= count <= total``.
    method
        'exact' (Clopper and Pearson 1934) or 'wilson' (Wilson 1927, no continuity correction).
    confidence
        Two-sided level.

    Raises
    ------
    ValueError
        For counts that are not whole, negative, or above the total.
    """
    count, total = _whole(count, "count"), _whole(total, "total")
    if count > total:
        raise ValueError(f"A count of {count} is above its total of {total}.")
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {confidence}.")
    if method not in ("exact", "wilson"):
        raise ValueError(f"Unknown method {method!r}: use 'exact' or 'wilson'.")
    if total == 0:
        return Proportion(0, 0, None, None, None, method)
    limits = _exact_limits if method == "exact" else _wilson_limits
    low, high = limits(count, total, (1 - confidence) / 2)
    return Proportion(count, total, count / total, low, high, method)


def proportion_difference(
    count_1: int, total_1: int, count_2: int, total_2: int, *, confidence: float = 0.95
) -> ProportionDifference:
    """Difference of the rates of two independent groups, the first less the second.

    Parameters
    ----------
    count_1, total_1, count_2, total_2
        Whole numbers, each count from 0 to its total.
    confidence
        Two-sided level.

    Raises
    ------
    ValueError
        For counts that are not whole, negative, or above their total.

    Notes
    -----
    Newcombe (1998), method 10: the distances of both rates from their Wilson limits, squared
    and added, without a continuity correction. R's ``prop.test`` gives Wald's limits instead.
    """
    first = proportion(count_1, total_1, method="wilson", confidence=confidence)
    second = proportion(count_2, total_2, method="wilson", confidence=confidence)
    return hybrid_difference(first, second)


def hybrid_difference(
    first: Proportion, second: Proportion, *, correlation: float = 0.0
) -> ProportionDifference:
    """Difference of two rates, with limits from the limits of each.

    Parameters
    ----------
    first, second
        Rates with Wilson limits.
    correlation
        Of the two outcomes, where both were observed in the same patients.

    Notes
    -----
    Newcombe (1998), for independent and for paired proportions.
    """
    nothing = ProportionDifference(None, None, None)
    if first.rate is None or first.low is None or first.high is None:
        return nothing
    if second.rate is None or second.low is None or second.high is None:
        return nothing
    difference = first.rate - second.rate
    below = _joined(first.rate - first.low, second.high - second.rate, correlation)
    above = _joined(first.high - first.rate, second.rate - second.low, correlation)
    return ProportionDifference(difference, difference - below, difference + above)


def trend_test(
    counts: Sequence[int] | npt.ArrayLike,
    totals: Sequence[int] | npt.ArrayLike,
    *,
    scores: Sequence[float] | npt.ArrayLike | None = None,
) -> TrendTest:
    """Cochran-Armitage test for a linear trend of the rates of ordered groups.

    Parameters
    ----------
    counts, totals
        Events and patients of each group, in order.
    scores
        Where the groups lie on the line; 1, 2, 3, ... where not given. A group without
        anybody keeps its place.

    Raises
    ------
    ValueError
        For lists of different lengths, and naming every group whose count is not a whole
        number from 0 to its total or whose score is not a finite number.

    Notes
    -----
    Cochran (1954), Armitage (1955), without a continuity correction, as R's
    ``prop.trend.test``.
    """
    from scipy.special import chdtrc

    events, patients, score = _checked_groups(counts, totals, scores)
    here = patients > 0
    events, patients, score = events[here], patients[here], score[here]
    n, n_event = patients.sum(), events.sum()
    if n_event in (0, n) or np.ptp(score) == 0:
        return TrendTest(None, None, None)
    score = score - score.min()
    # Sums, not means: a slope of whole scores is then exactly 0 where it is 0.
    slope = float(n * (events @ score) - n_event * (patients @ score))
    spread = float(n * (patients @ score**2) - (patients @ score) ** 2)
    statistic = float(n * slope**2 / (n_event * (n - n_event) * spread))
    direction: Direction | None = None if slope == 0 else "rising" if slope > 0 else "falling"
    return TrendTest(statistic, float(chdtrc(1, statistic)), direction)


def fisher_exact(table: pd.DataFrame | npt.ArrayLike) -> FisherExact:
    """Test the independence of rows and columns of a table of counts.

    Parameters
    ----------
    table
        Whole, non-negative counts, r x c. Rows and columns without anybody are left out.

    Notes
    -----
    The P value sums the probabilities of all tables with the same margins that are no more
    probable than the one observed, with R's tolerance of 1e-7, as in R's ``fisher.test``. Below 1e-16
    it can be an upper limit: what is known of a large table before all of it is enumerated.
    """
    whole = _with_somebody(table)
    return FisherExact(table_p_value(whole) if min(whole.shape) >= 2 else None)


def odds_ratio(table: pd.DataFrame | npt.ArrayLike) -> OddsRatio | None:
    """Return the odds ratio of a table of counts; None unless two rows and two columns hold anybody.

    Notes
    -----
    It and its limits are those of the noncentral hypergeometric distribution, as in R's ``fisher.test``.
    The limits take seconds for thousands of patients, and minutes for a hundred thousand.
    """
    whole = _with_somebody(table)
    if whole.shape != (2, 2):
        return None
    from scipy.stats import contingency

    ratio = contingency.odds_ratio(whole, kind="conditional")
    limits = ratio.confidence_interval(confidence_level=0.95)
    return OddsRatio(float(ratio.statistic), float(limits.low), float(limits.high))


def _with_somebody(table: pd.DataFrame | npt.ArrayLike) -> IntArray:
    whole = count_table(table)
    somebody: IntArray = whole[whole.sum(axis=1) > 0][:, whole.sum(axis=0) > 0]
    return somebody


def count_table(table: pd.DataFrame | npt.ArrayLike) -> IntArray:
    """Return a two-way table as whole numbers.

    Raises
    ------
    ValueError
        Where it has not two dimensions, or a cell is not a whole number from 0 on.
    """
    counts = np.asarray(table)
    if counts.ndim != 2:
        raise ValueError("A table has two dimensions.")
    whole = np.array([[_whole(cell, "cell") for cell in row] for row in counts], dtype=np.int64)
    return whole.reshape(counts.shape)


def _joined(first: float, second: float, correlation: float) -> float:
    squared = first**2 - 2 * correlation * first * second + second**2
    # With a correlation of 1 and equal distances, rounding can leave less than 0.
    return float(np.sqrt(max(squared, 0.0)))


def _checked_groups(
    counts: npt.ArrayLike, totals: npt.ArrayLike, scores: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    events, patients = (np.asarray(each, dtype=np.float64) for each in (counts, totals))
    places = np.arange(1, events.size + 1) if scores is None else scores
    score = np.asarray(places, dtype=np.float64)
    if events.ndim != 1 or not events.shape == patients.shape == score.shape:
        raise ValueError("Counts, totals and scores are lists of one length: one entry per group.")
    # NaN fails every comparison, and infinity the one with the total or the remainder.
    whole = (events % 1 == 0) & (patients % 1 == 0) & (events >= 0) & (events <= patients)
    problems = [
        f"group {each + 1}: {events[each]:g} of {patients[each]:g} are not whole numbers with "
        "0 <= count <= total. Correct them."
        for each in np.flatnonzero(~whole)
    ] + [
        f"group {each + 1}: the score {score[each]:g} is not finite. Give it a place on the line."
        for each in np.flatnonzero(~np.isfinite(score))
    ]
    if problems:
        raise ValueError("\n".join(problems))
    return events, patients, score


def _exact_limits(count: int, total: int, tail: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - tail))
    return low, high


def _wilson_limits(count: int, total: int, tail: float) -> tuple[float, float]:
    from scipy.special import ndtri

    z = float(-ndtri(tail))
    rate = count / total
    middle = rate + z * z / (2 * total)
    reach = z * np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # Rounding can leave 1e-17 instead of the 0 or 1 that the formula gives at the ends.
    low = 0.0 if count == 0 else float((middle - reach) / scale)
    high = 1.0 if count == total else float((middle + reach) / scale)
    return low, high


def _whole(value: object, name: str) -> int:
    number = float(value)  # type: ignore[arg-type]
    if not np.isfinite(number) or number % 1 != 0 or number < 0:
        raise ValueError(f"A {name} is a whole number from 0 on, not {value}.")
    return int(number)
