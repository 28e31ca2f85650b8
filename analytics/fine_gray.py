"""Regression of the subdistribution hazard, from one row per patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import FloatArray, as_columns
from analytics._design import design
from analytics._partial import Maximum, maximum
from analytics.events import checked_outcome, merge_rounding


@dataclass(frozen=True, eq=False)
class FineGray:
    """Subdistribution hazard ratios of one cause.

    Attributes
    ----------
    terms
        ``term`` ('age', 'risk[high]'), ``subhazard_ratio``, ``low``, ``high`` (95%),
        ``p_value`` (Wald), ``coefficient``, ``standard_error``; NaN where no finite estimate
        exists.
    n, n_event, n_competing
        Patients; events of the cause; competing events.
    """

    terms: pd.DataFrame
    n: int
    n_event: int
    n_competing: int


def fine_gray(
    frame: pd.DataFrame, *, time: str, event: str, covariates: str | Sequence[str], cause: int = 1
) -> FineGray:
    """Fit Fine and Gray's model of the subdistribution hazard.

    Parameters
    ----------
    frame
        One row per patient.
    time
        Column with the time of the event or of censoring, in days from the origin.
    event
        Column with 0 censored, 1 event, 2 or more a competing event.
    covariates
        Columns: numbers as they are, others as indicators of their levels against the first.
    cause
        Event code of the cause; every other code above 0 competes with it.

    Raises
    ------
    ValueError
        Naming every kind of unusable row, or the covariates that are absent or have missing
        values; where `cause` is no event code.

    Notes
    -----
    Fine and Gray (1999), as ``cmprsk::crr``: ties after Breslow, everybody who had a competing
    event stays at risk with the weight G(t-) / G(T-), where G is the Kaplan-Meier estimate of
    censoring in all patients, and the variance accounts for its estimation. A coefficient
    without a finite estimate (a level without events, complete separation, collinear columns)
    is NaN, and the others are those of the limit. Time and memory are linear in the patients.
    """
    names = as_columns(covariates)
    times, codes = checked_outcome(frame, time, event)
    (exits,) = merge_rounding(times)
    _check(frame, names, cause)
    columns = design(frame, names)
    likelihood = _Subdistribution(columns.matrix, exits, codes == cause, codes > 0)
    found = maximum(likelihood)
    error = np.sqrt(np.diag(_covariance(likelihood, found)))
    return FineGray(
        terms=_terms(columns.terms["term"], found.beta, error),
        n=len(frame),
        n_event=int((codes == cause).sum()),
        n_competing=int(((codes != cause) & (codes > 0)).sum()),
    )


class _Subdistribution:
    """Weighted partial likelihood of the subdistribution hazard.

    The weight of somebody who had a competing event is a product of two factors, one of the
    patient and one of the event time, so that all sums over risk sets are cumulative sums.
    """

    def __init__(
        self,
        x: FloatArray,
        time: FloatArray,
        event: npt.NDArray[np.bool_],
        left: npt.NDArray[np.bool_],
    ) -> None:
        """Place the patients among the times; `left` marks an event of any cause."""
        # The score depends on differences only; about the mean they lose no digits.
        self.x = x - x.mean(axis=0) if len(x) else x
        self.event, self.censored = event, ~left
        self.times, self.at = np.unique(time, return_inverse=True)
        n_leave = np.bincount(self.at, minlength=self.times.size)
        self.n_risk = n_leave[::-1].cumsum()[::-1]
        self.n_censored = np.bincount(self.at, self.censored, self.times.size)
        free = np.cumprod(1 - self.n_censored / self.n_risk)
        # Just before each time.
        self.uncensored = np.concatenate([np.ones(1), free])[:-1]
        self.n_event = np.bincount(self.at, event, self.times.size)
        self.kept = (left & ~event) / self.uncensored[self.at]

    def transformed(self, matrix: FloatArray) -> _Subdistribution:
        """Return the same likelihood in the coordinates of the columns of ``x @ matrix``."""
        other = object.__new__(_Subdistribution)
        other.__dict__.update(self.__dict__)
        other.x = self.x @ matrix
        return other

    def loglik(self, beta: FloatArray) -> float:
        """Log partial likelihood."""
        eta, risk, shift = self._risk(beta)
        total = self._at_risk(risk)
        fatal = self.n_event > 0
        logs = np.log(total[fatal]) + shift
        return float(eta[self.event].sum() - self.n_event[fatal] @ logs)

    def derivatives(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log partial likelihood, score and observed information."""
        risk, hazard, mean = self._moments(beta)
        gained = risk * self._exposure(hazard)
        score = (self.event - gained) @ self.x
        second = (self.x * gained[:, None]).T @ self.x
        information = second - (mean * self.n_event[:, None]).T @ mean
        return self.loglik(beta), score, information

    def influence(self, beta: FloatArray) -> FloatArray:
        """Each patient's part in the score, the estimated censoring weights included."""
        risk, hazard, mean = self._moments(beta)
        gained, drift = self._exposure(hazard), self._exposure(hazard[:, None] * mean)
        own = self.event[:, None] * (self.x - mean[self.at])
        own -= risk[:, None] * (gained[:, None] * self.x - drift)
        # q(u) of Fine and Gray: what a censoring at u takes from the weights of later times.
        weight = (risk * self.kept)[:, None]
        before = _before(self._binned(weight)), _before(self._binned(weight * self.x))
        after = self.uncensored * hazard
        still = _onwards(after[:, None]), _onwards(after[:, None] * mean)
        share = (before[1] * still[0] - before[0] * still[1]) / self.n_risk[:, None]
        drawn = np.cumsum(share * (self.n_censored / self.n_risk)[:, None], axis=0)
        influence: FloatArray = own + self.censored[:, None] * share[self.at] - drawn[self.at]
        return influence

    def _risk(self, beta: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        eta = self.x @ beta
        shift = float(eta.max(initial=-np.inf)) if eta.size else 0.0
        return eta, np.exp(eta - shift), shift

    def _moments(self, beta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return risks, the baseline hazard at every time, and the covariates' mean at risk."""
        _, risk, _ = self._risk(beta)
        total = self._at_risk(risk)
        mean = self._at_risk(risk[:, None] * self.x) / total[:, None]
        return risk, self.n_event / total, mean

    def _at_risk(self, values: FloatArray) -> FloatArray:
        """Sum over the weighted risk set of every time."""
        lines = _lines(values)
        here = _onwards(self._binned(lines))
        kept = self.uncensored[:, None] * _before(self._binned(lines * self.kept[:, None]))
        summed: FloatArray = (here + kept).reshape(len(self.times), *values.shape[1:])
        return summed

    def _exposure(self, rate: FloatArray) -> FloatArray:
        """Sum a rate over the times at which each patient is at risk, with the weights."""
        lines = _lines(rate)
        weighted = self.uncensored[:, None] * lines
        later = _onwards(weighted) - weighted
        exposure = lines.cumsum(axis=0)[self.at] + self.kept[:, None] * later[self.at]
        summed: FloatArray = exposure.reshape(len(self.at), *rate.shape[1:])
        return summed

    def _binned(self, lines: FloatArray) -> FloatArray:
        total = np.zeros((self.times.size, lines.shape[1]))
        np.add.at(total, self.at, lines)
        return total


def _check(frame: pd.DataFrame, names: Sequence[str], cause: int) -> None:
    problems = [
        f"{name}: no such column. Choose covariates of the frame."
        for name in names
        if name not in frame.columns
    ]
    missing = {name: int(frame[name].isna().sum()) for name in names if name in frame.columns}
    problems += [
        f"{name}: no value in {count} rows. Leave them out or give them a level of their own."
        for name, count in missing.items()
        if count
    ]
    if cause < 1:
        problems.append(f"cause: {cause!r} is no event code. Use 1 or above.")
    if not names:
        problems.append("covariates: none given. Name one or more columns.")
    if problems:
        raise ValueError("\n".join(problems))


def _covariance(likelihood: _Subdistribution, found: Maximum) -> FloatArray:
    """Sandwich of the information and the influences; NaN where nothing is estimable."""
    information = likelihood.derivatives(found.position)[2]
    along = found.directions
    inverse = along @ np.linalg.pinv(along.T @ information @ along) @ along.T
    parts = likelihood.influence(found.position) @ inverse
    covariance: FloatArray = parts.T @ parts
    lost = np.isnan(found.beta)
    covariance[lost] = np.nan
    covariance[:, lost] = np.nan
    return covariance


def _terms(names: pd.Series, coefficient: FloatArray, error: FloatArray) -> pd.DataFrame:
    from scipy.special import ndtr, ndtri

    reach = float(ndtri(0.975)) * error
    return pd.DataFrame(
        {
            "term": names.to_numpy(),
            "subhazard_ratio": np.exp(coefficient),
            "low": np.exp(coefficient - reach),
            "high": np.exp(coefficient + reach),
            "p_value": 2 * ndtr(-np.abs(coefficient / error)),
            "coefficient": coefficient,
            "standard_error": error,
        }
    )


def _lines(values: FloatArray) -> FloatArray:
    """Give a vector one column; a matrix, even without columns, is one already."""
    return values[:, None] if values.ndim == 1 else values


def _before(values: FloatArray) -> FloatArray:
    """Sum over all earlier times."""
    summed: FloatArray = values.cumsum(axis=0) - values
    return summed


def _onwards(values: FloatArray) -> FloatArray:
    """Sum over this and all later times."""
    summed: FloatArray = values[::-1].cumsum(axis=0)[::-1]
    return summed
