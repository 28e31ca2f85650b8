"""Proportions with exact limits and Fisher's exact test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._exact import table_p_value

Method = Literal["exact", "wilson"]


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
class FisherExact:
    """Fisher's exact test.

    Attributes
    ----------
    p_value
        Two-sided; None where fewer than two rows or columns hold anybody, or where the table is
        too large to enumerate.
    odds_ratio, low, high
        Conditional maximum-likelihood odds ratio and exact 95% limits; None unless 2 x 2.
    """

    p_value: float | None
    odds_ratio: float | None
    low: float | None
    high: float | None


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


def fisher_exact(table: pd.DataFrame | npt.ArrayLike) -> FisherExact:
    """Test the independence of rows and columns of a table of counts.

    Parameters
    ----------
    table
        Whole, non-negative counts, r x c. Rows and columns without anybody are left out.

    Notes
    -----
    The P value sums the probabilities of all tables with the same margins that are no more
    probable than the one observed, with R's tolerance of 1e-7; the odds ratio and its limits
    are those of the noncentral hypergeometric distribution, as in R's ``fisher.test``.
    """
    counts = np.asarray(table)
    if counts.ndim != 2:
        raise ValueError("A table has two dimensions.")
    whole = np.array([[_whole(cell, "cell") for cell in row] for row in counts], dtype=np.int64)
    whole = whole.reshape(counts.shape)
    whole = whole[whole.sum(axis=1) > 0][:, whole.sum(axis=0) > 0]
    if min(whole.shape) < 2:
        return FisherExact(None, None, None, None)
    p_value = table_p_value(whole)
    if whole.shape != (2, 2):
        return FisherExact(p_value, None, None, None)
    from scipy.stats.contingency import odds_ratio

    ratio = odds_ratio(whole, kind="conditional")
    limits = ratio.confidence_interval(confidence_level=0.95)
    return FisherExact(p_value, float(ratio.statistic), float(limits.low), float(limits.high))


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
