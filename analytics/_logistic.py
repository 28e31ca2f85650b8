"""Logistic regression by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics._counts import FloatArray

_STEPS = 50
# In standardised coordinates: a Newton step that counts as no step.
_CONVERGED = 1e-10
# Information per patient, relative to that under no effect, that counts as none.
_NO_INFORMATION = 1e-10


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fit with an intercept.

    Attributes
    ----------
    coefficient, covariance
        Of the intercept (first) and of every column.
    linear
        Linear predictor of every row.
    """

    coefficient: FloatArray
    covariance: FloatArray
    linear: FloatArray


def collinear(matrix: FloatArray) -> list[int]:
    """Columns that are constant, or follow from an intercept and the columns before them."""
    columns = np.column_stack([np.ones(len(matrix)), _standardised(matrix)[0]])
    # The triangle has the ranks of the columns, and few rows.
    triangle = np.linalg.qr(columns)[1]
    ranks = [np.linalg.matrix_rank(triangle[:, : k + 1]) for k in range(columns.shape[1])]
    return [int(k) for k in np.flatnonzero(np.diff(ranks) == 0)]


def logistic(matrix: FloatArray, outcome: FloatArray) -> Logistic | None:
    """Fit the log odds of `outcome` (0 or 1) on columns that are not collinear.

    None where no finite estimate exists: some combination of the columns separates the
    outcomes, completely or but for rows on the boundary (Albert and Anderson 1984).
    """
    scaled, mean, spread = _standardised(matrix)
    x = np.column_stack([np.ones(len(scaled)), scaled])
    beta = _newton(x, outcome)
    if beta is None:
        return None
    information = _information(x, x @ beta)
    floor = _NO_INFORMATION * len(x) * float(outcome.mean() * (1 - outcome.mean()))
    if np.linalg.eigvalsh(information)[0] < floor:
        return None
    back = np.diag(np.concatenate([[1.0], 1 / spread]))
    back[0, 1:] = -mean / spread
    return Logistic(back @ beta, back @ np.linalg.inv(information) @ back.T, x @ beta)


def _newton(x: FloatArray, outcome: FloatArray) -> FloatArray | None:
    from scipy.special import expit

    beta = np.zeros(x.shape[1])
    loglik = _loglik(x, outcome, beta)
    for _ in range(_STEPS):
        linear = x @ beta
        try:
            step = np.linalg.solve(_information(x, linear), x.T @ (outcome - expit(linear)))
        except np.linalg.LinAlgError:
            return None
        # The likelihood is concave: a step that lowers it went too far.
        while (better := _loglik(x, outcome, beta + step)) < loglik - 1e-12 * abs(loglik):
            step = step / 2
        beta, loglik = beta + step, better
        if np.abs(step).max() < _CONVERGED:
            return beta
    return None


def _information(x: FloatArray, linear: FloatArray) -> FloatArray:
    from scipy.special import expit

    information: FloatArray = (x * (expit(linear) * expit(-linear))[:, None]).T @ x
    return information


def _loglik(x: FloatArray, outcome: FloatArray, beta: FloatArray) -> float:
    linear = x @ beta
    return float(outcome @ linear - np.logaddexp(0, linear).sum())


def _standardised(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    mean, spread = matrix.mean(axis=0), matrix.std(axis=0)
    # A constant leaves a spread of rounding noise.
    spread = np.where(np.ptp(matrix, axis=0) > 0, spread, 1.0)
    return (matrix - mean) / spread, mean, spread
