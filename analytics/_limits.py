"""Pointwise limits of a survival curve from the variance of its logarithm."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from analytics._counts import FloatArray

Interval = Literal["log-log", "log", "plain"]


def band(
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


def limits(
    survival: FloatArray,
    greenwood: FloatArray,
    n_risk: npt.NDArray[np.generic],
    upper_at_zero: FloatArray,
    confidence: float,
    interval: Interval,
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Greenwood's limits, and the exact binomial ones where survival is 1 or 0."""
    low, high = band(survival, greenwood, confidence, interval)
    with np.errstate(divide="ignore"):
        reach = ((1 - confidence) / 2) ** (1 / n_risk.astype(np.float64))
    one, zero = survival >= 1, survival <= 0
    low = np.where(one, reach, np.where(zero, 0.0, low))
    high = np.where(one, 1.0, np.where(zero, upper_at_zero, high))
    return low, high, one | zero


def upper_at_zero(
    survival: FloatArray,
    greenwood: FloatArray,
    n_risk: npt.NDArray[np.generic],
    confidence: float,
    interval: Interval,
) -> FloatArray:
    """Upper limit of each group once survival is 0: exact or, if lower, the one before the step.

    Survival only falls, so what held just before the last step still holds.
    """
    _, high = band(survival, greenwood, confidence, interval)
    group = np.arange(survival.shape[1])
    # One row before the first time: survival 1, where Greenwood has no limit.
    origin = np.full((1, group.size), np.nan)
    last = (np.vstack([origin, survival]) <= 0).argmax(axis=0)
    at_risk = np.vstack([origin, n_risk])[last, group]
    before = np.vstack([origin, high])[last - 1, group]
    upper: FloatArray = np.fmin(1 - ((1 - confidence) / 2) ** (1 / at_risk), before)
    return upper
