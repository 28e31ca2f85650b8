"""Firth's penalised partial likelihood, whose maximum is finite where the plain one has none."""

from __future__ import annotations

import numpy as np

from analytics._counts import FloatArray, IntArray
from analytics._partial import Likelihood

_STEPS = 100
_CONVERGED = 1e-8
# Half-width of the difference quotient of the information, in standard deviations of a column.
_WIDTH = 1e-4


def penalised(likelihood: Likelihood, used: IntArray) -> tuple[FloatArray, ...]:
    """Coefficients, standard errors, profile limits and P values of the columns `used`.

    Returns
    -------
    tuple of arrays
        Coefficient, standard error (inverse information at the estimate), lower and upper 95%
        limit and P value of the profile penalised likelihood; NaN for columns not used.

    Notes
    -----
    Firth (1993); Heinze and Schemper (2001) for Cox models: half the log determinant of the
    information is added to the log partial likelihood.
    """
    from scipy.special import chdtrc, chdtri

    found = tuple(np.full(likelihood.x.shape[1], np.nan) for _ in range(5))
    if likelihood.n_points == 0 or used.size == 0:
        return found
    scale = 1 / likelihood.x[:, used].std(axis=0)
    inside = likelihood.transformed(np.eye(likelihood.x.shape[1])[:, used] * scale)
    every = np.arange(used.size)
    best, top = _maximised(inside, np.zeros(used.size), every)
    error = np.sqrt(np.diag(np.linalg.inv(inside.derivatives(best)[2])))
    drop = float(chdtri(1, 0.05)) / 2
    for number, column in enumerate(used):
        others = np.delete(every, number)
        low = _limit(inside, best, number, others, -error[number], top - drop)
        high = _limit(inside, best, number, others, error[number], top - drop)
        null = _maximised(inside, np.where(every == number, 0.0, best), others)[1]
        size = scale[number]
        values = (best[number] * size, error[number] * size, low * size, high * size)
        for line, value in zip(
            found, (*values, chdtrc(1, max(0.0, 2 * (top - null)))), strict=True
        ):
            line[column] = value
    return found


def _objective(likelihood: Likelihood, beta: FloatArray) -> float:
    loglik, _, information = likelihood.derivatives(beta)
    return loglik + float(np.linalg.slogdet(information)[1]) / 2


def _slope(likelihood: Likelihood, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope of the objective, and the information."""
    _, score, information = likelihood.derivatives(beta)
    inverse = np.linalg.inv(information)
    penalty = np.zeros_like(beta)
    for number, shift in enumerate(np.eye(beta.size) * _WIDTH):
        after, before = (likelihood.derivatives(beta + sign * shift)[2] for sign in (1, -1))
        penalty[number] = (inverse * (after - before)).sum() / (4 * _WIDTH)
    return score + penalty, information


def _maximised(
    likelihood: Likelihood, start: FloatArray, free: IntArray
) -> tuple[FloatArray, float]:
    """Maximise over the coefficients numbered `free`; the others stay."""
    beta, value = start.copy(), _objective(likelihood, start)
    for _ in range(_STEPS if free.size else 0):
        slope, information = _slope(likelihood, beta)
        step = np.zeros_like(beta)
        step[free] = np.linalg.solve(information[np.ix_(free, free)], slope[free])
        # Newton's step is too long where the information falls quickly.
        step /= max(1.0, float(np.abs(step).max()))
        better = _objective(likelihood, beta + step)
        while not better >= value - 1e-12 * abs(value) and np.abs(step).max() > _CONVERGED:
            step = step / 2
            better = _objective(likelihood, beta + step)
        beta, value = beta + step, better
        if np.abs(step).max() < _CONVERGED:
            break
    return beta, value


def _limit(
    likelihood: Likelihood,
    best: FloatArray,
    number: int,
    others: IntArray,
    reach: float,
    target: float,
) -> float:
    """Where the profile of one coefficient has fallen to `target`, searched from its estimate."""
    from scipy.optimize import brentq

    def left(value: float) -> float:
        start = best.copy()
        start[number] = value
        return _maximised(likelihood, start, others)[1] - target

    near, far = best[number], best[number] + 2 * reach
    while left(far) > 0:
        near, far, reach = far, far + 2 * reach, 2 * reach
    return float(brentq(left, near, far, xtol=1e-7))
