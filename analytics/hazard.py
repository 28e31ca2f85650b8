"""Hazard ratios of one grouping variable, fitted from event counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics._counts import FloatArray, IntArray, RiskSets, as_columns, labels, risk_sets

_STEPS = 50
_PRECISION = 1e-12


@dataclass(frozen=True, eq=False)
class HazardRatios:
    """Cause-specific hazard ratios against one reference level.

    Attributes
    ----------
    groups
        ``level``, ``n``, ``n_event``, ``ratio``, ``low``, ``high`` (95%), ``p_value`` (Wald),
        ``coefficient``, ``standard_error``, ``estimable``. The reference has ratio 1 without
        limits. A level that has no finite estimate, such as one without events, is NaN and
        not estimable.
    reference
        The level compared with.
    proportional_hazards_p
        Global score test of proportional hazards; small values speak against one ratio for
        the whole follow-up. None where it cannot be computed.
    """

    groups: pd.DataFrame
    reference: object
    proportional_hazards_p: float | None


@dataclass(frozen=True, eq=False)
class _Steps:
    """One row per event, Efron's weights of the levels at it (`weight`, of levels fitted)."""

    weight: FloatArray
    row: IntArray
    deaths: FloatArray


def hazard_ratios(
    events: pd.DataFrame, *, by: str, reference: object | None = None
) -> HazardRatios:
    """Fit a Cox model with the levels of one column.

    Parameters
    ----------
    events
        Event table with the column `by`; competing events count as censored.
    by
        One grouping column.
    reference
        Level of ratio 1; the first in sort order unless given.

    Raises
    ------
    ValueError
        Where several columns are given, or the reference does not occur.

    Notes
    -----
    Partial likelihood with Efron's (1977) handling of ties, as R's ``coxph``. Finite estimates
    exist only among levels of which each, directly or through others, had events while the
    other was at risk (Ford's condition); the rest are left out of the fit, which is the limit
    of the likelihood for them. The test of proportional hazards is R's ``cox.zph`` (survival
    3.x: score test, Kaplan-Meier time scale) on the levels fitted.
    """
    columns = as_columns(by)
    if len(columns) != 1:
        raise ValueError("Hazard ratios take exactly one grouping column.")
    sets = risk_sets(events, columns)
    levels = labels(sets.keys)
    base = 0
    if reference is not None:
        if reference not in levels:
            raise ValueError(f"The reference {reference!r} is not among the levels {levels}.")
        base = levels.index(reference)
    fitted = _comparable(sets, base) if levels else np.zeros(0, dtype=np.int64)
    coefficient, error = np.full(len(levels), np.nan), np.full(len(levels), np.nan)
    ph_p: float | None = None
    if fitted.size > 1:
        steps = _efron(sets, fitted)
        beta, information = _newton(steps)
        coefficient[fitted] = beta
        others = fitted[1:]
        error[others] = np.sqrt(np.diag(np.linalg.inv(information)))
        ph_p = _proportional_hazards(steps, beta, _km_scale(sets, fitted))
    estimable = np.isfinite(coefficient)
    if levels and sets.n_event[:, base].sum() > 0:
        coefficient[base], estimable[base] = 0.0, True
    return HazardRatios(
        _shown(sets, levels, coefficient, error, estimable),
        levels[base] if levels else reference,
        ph_p,
    )


def _shown(
    sets: RiskSets,
    levels: list[object],
    coefficient: FloatArray,
    error: FloatArray,
    estimable: np.typing.NDArray[np.bool_],
) -> pd.DataFrame:
    from scipy.special import ndtr, ndtri

    reach = float(ndtri(0.975)) * error
    return pd.DataFrame(
        {
            "level": sets.keys.iloc[:, 0],
            "n": sets.n,
            "n_event": sets.n_event.sum(axis=0),
            "ratio": np.exp(coefficient),
            "low": np.exp(coefficient - reach),
            "high": np.exp(coefficient + reach),
            "p_value": 2 * ndtr(-np.abs(coefficient / error)),
            "coefficient": coefficient,
            "standard_error": error,
            "estimable": estimable,
        }
    )


def _comparable(sets: RiskSets, base: int) -> IntArray:
    """Levels with a finite ratio to `base`, which comes first."""
    from scipy.sparse.csgraph import connected_components

    had_events = (sets.n_event > 0).astype(np.int64)
    at_risk = (sets.n_risk > 0).astype(np.int64)
    beats = had_events.T @ at_risk > 0
    _, component = connected_components(beats, directed=True, connection="strong")
    same = np.flatnonzero(component == component[base])
    return np.concatenate([[base], same[same != base]])


def _efron(sets: RiskSets, fitted: IntArray) -> _Steps:
    n_event = sets.n_event[:, fitted]
    total = n_event.sum(axis=1)
    row = np.repeat(np.arange(total.size), total)
    # Position of each event among the events tied with it: 0, 1, ..., d - 1.
    order = np.arange(row.size) - np.repeat(total.cumsum() - total, total)
    share = n_event[row] / total[row, None]
    weight = sets.n_risk[np.ix_(row, fitted)] - order[:, None] * share
    return _Steps(weight, row, share)


def _probabilities(steps: _Steps, beta: FloatArray) -> FloatArray:
    weighted = steps.weight * np.exp(beta)
    probabilities: FloatArray = weighted / weighted.sum(axis=1, keepdims=True)
    return probabilities


def _information(probabilities: FloatArray, factor: FloatArray) -> FloatArray:
    """Sum over the events of `factor` times the covariance of the level, reference left out."""
    scaled = probabilities * factor[:, None]
    full = np.diag(scaled.sum(axis=0)) - scaled.T @ probabilities
    inner: FloatArray = full[1:, 1:]
    return inner


def _newton(steps: _Steps) -> tuple[FloatArray, FloatArray]:
    beta = np.zeros(steps.weight.shape[1])
    ones = np.ones(len(steps.row))
    loglik = _loglik(steps, beta)
    for _ in range(_STEPS):
        p = _probabilities(steps, beta)
        score = (steps.deaths - p).sum(axis=0)[1:]
        step = np.linalg.solve(_information(p, ones), score)
        moved = beta + np.concatenate([[0.0], step])
        # The likelihood is concave: a step that lowers it went too far.
        while (better := _loglik(steps, moved)) < loglik - _PRECISION * abs(loglik):
            step = step / 2
            moved = beta + np.concatenate([[0.0], step])
        beta, loglik = moved, better
        if np.abs(step).max() < _PRECISION * max(1.0, float(np.abs(beta).max())):
            break
    return beta, _information(_probabilities(steps, beta), ones)


def _loglik(steps: _Steps, beta: FloatArray) -> float:
    totals = np.log((steps.weight * np.exp(beta)).sum(axis=1))
    return float((steps.deaths @ beta).sum() - totals.sum())


def _km_scale(sets: RiskSets, fitted: IntArray) -> FloatArray:
    """Pooled 1 - S just before each time of the table."""
    deaths = sets.n_event[:, fitted].sum(axis=1)
    at_risk = sets.n_risk[:, fitted].sum(axis=1)
    survival = np.cumprod(1 - deaths / np.maximum(at_risk, 1))
    scale: FloatArray = 1 - np.concatenate([[1.0], survival[:-1]])
    return scale


def _proportional_hazards(steps: _Steps, beta: FloatArray, scale: FloatArray) -> float | None:
    """Score test of coefficients that change along `scale`."""
    from scipy.special import chdtrc

    along = scale[steps.row]
    along = along - along.mean()
    p = _probabilities(steps, beta)
    score = ((steps.deaths - p) * along[:, None]).sum(axis=0)[1:]
    plain = _information(p, np.ones_like(along))
    mixed, squared = _information(p, along), _information(p, along**2)
    remaining = squared - mixed @ np.linalg.solve(plain, mixed)
    if np.linalg.matrix_rank(remaining, hermitian=True) < score.size:
        return None
    statistic = float(score @ np.linalg.solve(remaining, score))
    return float(chdtrc(score.size, statistic))
