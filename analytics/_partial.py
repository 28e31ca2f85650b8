"""Cox's partial likelihood of weighted, stratified, left-truncated rows, and its maximum."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from analytics._counts import FloatArray, IntArray

Ties = Literal["efron", "breslow"]

_STEPS = 60
# In units of the standard error under no effect: where a Newton step counts as no step.
_CONVERGED = 1e-9
# Relative gain in log likelihood that counts as none.
_RISES = 1e-12
# Information left at the maximum, relative to that under no effect, that counts as none: the
# standard error would be ten thousand times that of a covariate without effect.
_NO_INFORMATION = 1e-8
# Information under no effect, per event and squared standard deviation, that is rounding alone.
_COLLINEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a regression of event times.

    Attributes
    ----------
    x
        Covariates, one row per row of the data.
    time, stratum
        When the row leaves observation, and the number of its stratum.
    n_event, n
        Events among the patients that a row stands for, and their number. A negative `n` takes
        patients out of the risk sets up to ``time``: so the entries of an event table are told.
    weight
        Case weight of each of them.
    entry
        When the rows came under observation; None where from the origin on.
    """

    x: FloatArray
    time: FloatArray
    stratum: IntArray
    n_event: IntArray
    n: IntArray
    weight: FloatArray
    entry: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the risk sets at every event time, under one vector of coefficients."""

    risk: FloatArray
    s1: FloatArray
    d1: FloatArray
    a0: FloatArray
    a1: FloatArray
    b0: FloatArray
    b1: FloatArray
    b2: FloatArray
    loglik: float


class Likelihood:
    """The partial likelihood as a function of the coefficients.

    The rows are reduced once to their places among the distinct event times of their stratum;
    each evaluation then takes sums from the last event time backwards.
    """

    def __init__(self, rows: Rows, ties: Ties) -> None:
        """Place the rows among the event times."""
        # Centred, which leaves the likelihood as it is and its sums free of cancellation.
        self.x = rows.x - rows.x.mean(axis=0) if len(rows.x) else rows.x
        self.weight, self.n = rows.weight, rows.n
        self._time, self._entry = rows.time, rows.entry
        self.n_event = rows.n_event
        place = np.lexsort((rows.time, rows.stratum))
        died = rows.n_event[place] > 0
        key = np.column_stack([rows.stratum[place][died], rows.time[place][died]])
        new = np.ones(len(key), dtype=bool)
        new[1:] = (np.diff(key, axis=0) != 0).any(axis=1)
        points = key[new]
        self.point_stratum = points[:, 0].astype(np.int64)
        self.point_time = points[:, 1]
        self.n_points = len(points)
        strata = np.arange(int(rows.stratum.max(initial=0)) + 2)
        first = np.searchsorted(self.point_stratum, strata)
        self.strata = [slice(int(a), int(b)) for a, b in pairwise(first) if b > a]
        # A row is at risk at the event times numbered from `begin` up to `stop`, without it.
        self.stop = self._place(rows.stratum, rows.time)
        self._start = first[rows.stratum]
        self._number = np.searchsorted([part.stop for part in self.strata], self._start, "right")
        self.begin = self._start if rows.entry is None else self._place(rows.stratum, rows.entry)
        self.deaths = np.flatnonzero(rows.n_event > 0)
        self.death_point = self.stop[self.deaths] - 1
        count = self._at_points(rows.n_event[self.deaths].astype(np.float64))
        self.n_at_point = count.astype(np.int64)
        self._mean_weight = (
            self._at_points((rows.weight * rows.n_event)[self.deaths]) / self.n_at_point
        )
        # One line per event: the events tied with it leave the risk set one share at a time.
        self._line = np.repeat(np.arange(self.n_points), self.n_at_point)
        order = np.arange(self._line.size) - np.repeat(count.cumsum() - count, self.n_at_point)
        self._share = order / count[self._line] if ties == "efron" else np.zeros(self._line.size)

    def n_risk(self, times: FloatArray) -> FloatArray:
        """Patients of all strata together at risk just before the `times`, ascending."""
        leaves = np.searchsorted(times, self._time, side="right")
        n_risk = binned(self.n.astype(np.float64), leaves, times.size + 1)[::-1].cumsum()[::-1][1:]
        if self._entry is not None:
            enters = np.searchsorted(times, self._entry, side="right")
            late = binned(self.n.astype(np.float64), enters, times.size + 1)
            n_risk = n_risk - late[::-1].cumsum()[::-1][1:]
        return n_risk

    def transformed(self, matrix: FloatArray) -> Likelihood:
        """Return the same likelihood in the coordinates of the columns of ``x @ matrix``."""
        other = object.__new__(Likelihood)
        other.__dict__.update(self.__dict__)
        other.x = self.x @ matrix
        return other

    def loglik(self, beta: FloatArray) -> float:
        """Log partial likelihood."""
        return self._moments(beta, slopes=False).loglik

    def derivatives(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log partial likelihood, score and observed information."""
        m = self._moments(beta)
        observed = (self.weight * self.n_event) @ self.x
        expected = m.a0 @ m.s1 - m.a1 @ m.d1
        return m.loglik, observed - expected, self._information(m, np.ones(self.n_points))

    def along(self, beta: FloatArray, factor: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Score and information with each event time's part multiplied by its `factor`."""
        m = self._moments(beta)
        seen = (self.weight * self.n_event)[self.deaths] * factor[self.death_point]
        score = seen @ self.x[self.deaths] - (factor * m.a0) @ m.s1 + (factor * m.a1) @ m.d1
        return score, self._information(m, factor)

    def score_residuals(self, beta: FloatArray) -> FloatArray:
        """Weighted score residual of every row: they sum to the score.

        Notes
        -----
        As R's ``residuals.coxph(type = "score", weighted = TRUE)``, ties after Efron included.
        """
        m = self._moments(beta)
        means = m.b0[:, None] * m.s1 - m.b1[:, None] * m.d1
        gained = self._while_at_risk(m.a0)[:, None] * self.x - self._while_at_risk(means)
        residual = -m.risk[:, None] * gained
        at, here = self.death_point, self.deaths
        x = self.x[here]
        shared = m.b1[:, None] * m.s1 - m.b2[:, None] * m.d1
        own = (self.n_at_point * self._mean_weight)[at, None]
        center = (m.a0[:, None] * m.s1 - m.a1[:, None] * m.d1)[at] / own
        residual[here] += x - center + m.risk[here, None] * (m.a1[at, None] * x - shared[at])
        weighted: FloatArray = residual * self.weight[:, None]
        return weighted

    def _moments(self, beta: FloatArray, *, slopes: bool = True) -> Moments:
        eta = self.x @ beta
        shift = eta.max(initial=-np.inf) if eta.size else 0.0
        risk = np.exp(eta - shift)
        mass = risk * self.weight
        s0 = self._at_risk(mass * self.n)
        dying = mass[self.deaths] * self.n_event[self.deaths]
        d0 = self._at_points(dying)
        left = s0[self._line] - self._share * d0[self._line]
        each = self._mean_weight[self._line]
        seen = (self.weight * self.n_event)[self.deaths]
        with np.errstate(divide="ignore", invalid="ignore"):
            loglik = float(seen @ (eta[self.deaths] - shift) - each @ np.log(left))
        if not slopes:
            none = np.zeros(0)
            return Moments(risk, none, none, none, none, none, none, none, loglik)

        def summed(terms: FloatArray) -> FloatArray:
            return binned(terms, self._line, self.n_points)

        f, hazard = self._share, each / left
        s1 = self._at_risk((mass * self.n)[:, None] * self.x)
        d1 = self._at_points(dying[:, None] * self.x[self.deaths])
        a0, a1 = summed(hazard), summed(f * hazard)
        b0, b1, b2 = (summed(f**k * hazard / left) for k in range(3))
        return Moments(risk, s1, d1, a0, a1, b0, b1, b2, loglik)

    def _information(self, m: Moments, factor: FloatArray) -> FloatArray:
        spread = self._while_at_risk(factor * m.a0) * self.n
        spread[self.deaths] -= self.n_event[self.deaths] * (factor * m.a1)[self.death_point]
        second = (self.x * (spread * m.risk * self.weight)[:, None]).T @ self.x
        cross = (m.s1 * (factor * m.b1)[:, None]).T @ m.d1
        information: FloatArray = (
            second
            - (m.s1 * (factor * m.b0)[:, None]).T @ m.s1
            + cross
            + cross.T
            - (m.d1 * (factor * m.b2)[:, None]).T @ m.d1
        )
        return information

    def _while_at_risk(self, values: FloatArray) -> FloatArray:
        """Sum, for each row, what stands at the event times at which it is at risk."""
        # Each stratum starts at 0: another one's sums can be larger by orders of magnitude.
        summed = np.zeros((self.n_points + len(self.strata) + 1, *values.shape[1:]))
        for number, part in enumerate(self.strata):
            summed[part.start + number + 1 : part.stop + number + 1] = values[part].cumsum(axis=0)
        total: FloatArray = summed[self.stop + self._number] - summed[self.begin + self._number]
        return total

    def _place(self, stratum: IntArray, time: FloatArray) -> IntArray:
        """Count the event times, over all strata before and in the own one up to `time`."""
        place = np.zeros(len(time), dtype=np.int64)
        for part in self.strata:
            inside = stratum == self.point_stratum[part.start]
            place[inside] = part.start + np.searchsorted(
                self.point_time[part], time[inside], side="right"
            )
        outside = ~np.isin(stratum, self.point_stratum)
        place[outside] = np.searchsorted(self.point_stratum, stratum[outside])
        return place

    def _at_points(self, values: FloatArray) -> FloatArray:
        """Sum the values of rows with events at their event times."""
        return binned(values, self.death_point, self.n_points)

    def _at_risk(self, values: FloatArray) -> FloatArray:
        """Sum the values of those at risk just before each event time."""
        ever, late = self.stop > self._start, self.begin > self._start
        total = self._backwards(values[ever], self.stop[ever] - 1)
        if late.any():
            total -= self._backwards(values[late], self.begin[late] - 1)
        return total

    def _backwards(self, values: FloatArray, last: IntArray) -> FloatArray:
        total = binned(values, last, self.n_points)
        for part in self.strata:
            total[part] = total[part][::-1].cumsum(axis=0)[::-1]
        return total


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where the partial likelihood is largest.

    Attributes
    ----------
    beta
        Coefficients; NaN where no finite one exists.
    covariance
        Inverse information, NaN likewise.
    collinear, infinite
        Coefficients that others determine; coefficients whose likelihood rises for ever.
    loglik, loglik_null, score, wald
        At the maximum (or its limit) and under no effect; statistics of no effect at all, NaN
        for Wald's where a coefficient is infinite.
    rank
        Coefficients that the data can tell apart.
    position, inner, directions, information
        A finite point of that likelihood; the same along the directions, as columns, in which
        the data inform there, and the information along each (they are uncorrelated).
    """

    beta: FloatArray
    covariance: FloatArray
    collinear: npt.NDArray[np.bool_]
    infinite: npt.NDArray[np.bool_]
    loglik: float
    loglik_null: float
    score: float
    wald: float
    rank: int
    position: FloatArray
    inner: FloatArray
    directions: FloatArray
    information: FloatArray


class Concave(Protocol):
    """A log likelihood without local maxima, as :func:`maximum` needs it."""

    x: FloatArray
    n_event: IntArray

    def transformed(self, matrix: FloatArray) -> Concave:
        """Return the same likelihood in the coordinates of the columns of ``x @ matrix``."""

    def loglik(self, beta: FloatArray) -> float:
        """Log likelihood."""

    def derivatives(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log likelihood, score and observed information."""


def maximum(likelihood: Concave) -> Maximum:
    """Maximise by Newton's method, in coordinates in which no effect has unit information.

    Directions without information under no effect are collinear. A direction that loses all its
    information on the way is one in which the likelihood rises for ever (complete or partial
    separation): what the rest converges to is the limit, and is kept.
    """
    p = likelihood.x.shape[1]
    null, slope, information = likelihood.derivatives(np.zeros(p))
    spread = likelihood.x.std(axis=0) if len(likelihood.x) else np.ones(p)
    scale = np.where(spread > 0, spread, 1.0) * np.sqrt(max(1, likelihood.n_event.sum()))
    value, vector = np.linalg.eigh(information / np.outer(scale, scale))
    informed = (value > _COLLINEAR) & (p > 0)
    basis = vector[:, informed] / np.sqrt(value[informed]) / scale[:, None]
    unused = vector[:, ~informed] / scale[:, None]
    inner, loglik, information = _newton(likelihood.transformed(basis))
    value, vector = np.linalg.eigh(information)
    free = value < _NO_INFORMATION
    directions = basis @ vector[:, ~free]
    covariance = (directions / value[~free]) @ directions.T
    collinear, infinite = _touched(unused, scale), _touched(basis @ vector[:, free], scale)
    position = basis @ inner
    lost = collinear | infinite
    covariance[lost] = np.nan
    covariance[:, lost] = np.nan
    return Maximum(
        beta=np.where(lost, np.nan, position),
        covariance=covariance,
        collinear=collinear,
        infinite=infinite,
        loglik=loglik,
        loglik_null=null,
        score=float(((slope @ basis) ** 2).sum()),
        wald=np.nan if free.any() else float(inner @ information @ inner),
        rank=basis.shape[1],
        position=position,
        inner=inner @ vector[:, ~free],
        directions=directions,
        information=value[~free],
    )


def _newton(likelihood: Concave) -> tuple[FloatArray, float, FloatArray]:
    beta = np.zeros(likelihood.x.shape[1])
    loglik, score, information = likelihood.derivatives(beta)
    for _ in range(_STEPS if beta.size else 0):
        before, step = loglik, np.linalg.lstsq(information, score, rcond=None)[0]
        rounding = _RISES * max(1.0, abs(loglik))
        # The likelihood is concave: a step that lowers it, or leaves its range, went too far.
        while (
            not likelihood.loglik(beta + step) >= before - rounding
            and np.abs(step).max() > _CONVERGED
        ):
            step = step / 2
        beta = beta + step
        loglik, score, information = likelihood.derivatives(beta)
        if np.abs(step).max() < _CONVERGED:
            break
        if loglik - before < rounding and np.linalg.eigvalsh(information)[0] < _NO_INFORMATION:
            break
    return beta, loglik, information


def _touched(directions: FloatArray, scale: FloatArray) -> npt.NDArray[np.bool_]:
    """Coefficients that take part in any of the directions."""
    if directions.shape[1] == 0:
        return np.zeros(len(scale), dtype=bool)
    size = np.abs(directions * scale[:, None])
    touched: npt.NDArray[np.bool_] = (size > 1e-5 * size.max(axis=0)).any(axis=1)
    return touched


def binned(values: FloatArray, at: IntArray, size: int) -> FloatArray:
    """Sum the values, or rows of values, that share a place."""
    if values.ndim == 1:
        counted: FloatArray = np.bincount(at, values, size).astype(np.float64)
        return counted
    total = np.zeros((size, values.shape[1]))
    for column in range(values.shape[1]):
        total[:, column] = np.bincount(at, values[:, column], size)
    return total
