"""Cox's partial likelihood of very many patients who share few patterns of covariates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analytics._counts import FloatArray, IntArray
from analytics._partial import Moments

MOST_CELLS = 20_000_000
"""Event times by patterns that are held at a time: 160 MB."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals ``(start, stop]`` during which patients have a pattern of covariates.

    Attributes
    ----------
    pattern
        Row in the matrix of patterns.
    start, stop
        In days.
    n, n_event
        Patients, and those of them who have the event at `stop`.
    """

    pattern: IntArray
    start: FloatArray
    stop: FloatArray
    n: IntArray
    n_event: IntArray

    @cached_property
    def event_times(self) -> FloatArray:
        """Distinct times of events, ascending."""
        return np.sort(pd.unique(self.stop[self.n_event > 0]))


class PatternLikelihood:
    """The partial likelihood with Efron's ties as a function of the coefficients.

    The same as :class:`analytics._partial.Likelihood`, from the numbers at risk with each pattern at
    each event time, so that an evaluation costs the same however many the patients are.
    """

    def __init__(self, patterns: FloatArray, intervals: Intervals) -> None:
        """Count who is at risk and who has the event, by event time (of one at least) and pattern."""
        from scipy.sparse import csr_array

        at, size, times = intervals.pattern, len(patterns), intervals.event_times
        # Event times from the last to the first, so that risk sets are sums from the top.
        day, days = pd.factorize(intervals.stop)
        row = (times.size - np.searchsorted(times, days, side="right"))[day]
        cells = np.bincount(row * size + at, intervals.n, (times.size + 1) * size)
        late = np.flatnonzero(intervals.start >= times[0])
        begin = times.size - np.searchsorted(times, intervals.start[late], side="right")
        np.subtract.at(cells, begin * size + at[late], intervals.n[late])
        cells = cells.reshape(times.size + 1, size)[:-1]
        self._at_risk = np.cumsum(cells, axis=0, out=cells)
        died = intervals.n_event > 0
        deaths = np.bincount(
            row[died] * size + at[died], intervals.n_event[died], times.size * size
        )
        self._deaths = csr_array(deaths.reshape(times.size, size))
        self._n_at_point = self._deaths.sum(axis=1).astype(np.int64)
        # One line per event: the events tied with it leave the risk set one share at a time.
        self._first = self._n_at_point.cumsum() - self._n_at_point
        order = np.arange(self._n_at_point.sum()) - np.repeat(self._first, self._n_at_point)
        self._share = order / np.repeat(self._n_at_point, self._n_at_point)
        self.n_event = np.bincount(at, intervals.n_event, size).astype(np.int64)
        # Centred, which leaves the likelihood as it is and its sums free of cancellation.
        self.x = patterns - np.average(
            patterns, axis=0, weights=np.bincount(at, np.abs(intervals.n), size)
        )
        self._last: tuple[bytes, Moments] | None = None

    def transformed(self, matrix: FloatArray) -> PatternLikelihood:
        """Return the same likelihood in the coordinates of the columns of ``x @ matrix``."""
        other = object.__new__(PatternLikelihood)
        other.__dict__.update(self.__dict__)
        other.x, other._last = self.x @ matrix, None
        return other

    def loglik(self, beta: FloatArray) -> float:
        """Log partial likelihood."""
        return self._moments(beta).loglik

    def derivatives(self, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log partial likelihood, score and observed information."""
        m = self._moments(beta)
        score: FloatArray = self.n_event @ self.x - (m.a0 @ m.s1 - m.a1 @ m.d1)
        spread = (self._at_risk.T @ m.a0 - self._deaths.T @ m.a1) * m.risk
        cross = (m.s1 * m.b1[:, None]).T @ m.d1
        information: FloatArray = (
            (self.x * spread[:, None]).T @ self.x
            - (m.s1 * m.b0[:, None]).T @ m.s1
            + cross
            + cross.T
            - (m.d1 * m.b2[:, None]).T @ m.d1
        )
        return m.loglik, score, information

    def _moments(self, beta: FloatArray) -> Moments:
        # A step is tried by its likelihood and then taken with its derivatives: once is enough.
        if self._last is None or self._last[0] != beta.tobytes():
            self._last = beta.tobytes(), self._summed(beta)
        return self._last[1]

    def _summed(self, beta: FloatArray) -> Moments:
        eta = self.x @ beta
        shift = eta.max(initial=-np.inf)
        risk = np.exp(eta - shift)
        mass = np.column_stack([risk, risk[:, None] * self.x])
        s, d = self._at_risk @ mass, self._deaths @ mass
        left = np.repeat(s[:, 0], self._n_at_point)
        left -= self._share * np.repeat(d[:, 0], self._n_at_point)
        hazard = 1 / left
        squared, shared = hazard * hazard, self._share * hazard

        def summed(terms: FloatArray) -> FloatArray:
            total: FloatArray = np.add.reduceat(terms, self._first)
            return total

        with np.errstate(divide="ignore", invalid="ignore"):
            loglik = float(self.n_event @ (eta - shift) - np.log(left).sum())
        return Moments(
            risk, s[:, 1:], d[:, 1:], summed(hazard), summed(shared),
            summed(squared), summed(shared * hazard), summed(shared * shared), loglik,
        )  # fmt: skip
