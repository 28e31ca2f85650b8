"""Harrell's concordance of a risk score with event times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics._counts import FloatArray, IntArray
from analytics._partial import Likelihood, binned

# Cells of the table of event times by distinct scores that are held at a time.
_CELLS = 4_000_000


def concordance(likelihood: Likelihood, score: FloatArray) -> float | None:
    """Share of comparable pairs in which the higher `score` had the event first.

    A pair is comparable where one had the event while the other was at risk and did not have it
    on the same day; equal scores count one half; strata are not compared with each other.

    Notes
    -----
    Harrell, Califf, Pryor, Lee and Rosati (1982), as R's ``concordance``.
    """
    # Scores apart by rounding alone are one score.
    levels, level = np.unique(np.round(score, 10), return_inverse=True)
    below = same = above = 0.0
    for part in likelihood.strata:
        counted = _stratum(likelihood, part, level, levels.size)
        below, same, above = below + counted[0], same + counted[1], above + counted[2]
    pairs = below + same + above
    return None if pairs == 0 else float((below + same / 2) / pairs)


def _stratum(
    likelihood: Likelihood, part: slice, level: IntArray, n_level: int
) -> tuple[float, float, float]:
    """Weight of the pairs in which the earlier event had the higher, the same, the lower score."""
    inside = (likelihood.stop > likelihood.begin) & (likelihood.stop > part.start)
    inside &= likelihood.begin < part.stop
    leaves = np.flatnonzero(inside)
    enters = np.flatnonzero(inside & (likelihood.begin > part.start))
    mass = likelihood.weight * likelihood.n
    died = likelihood.weight * likelihood.n_event
    at_risk = np.zeros(n_level)
    below = same = above = 0.0
    size = max(1, _CELLS // n_level)
    for end in range(part.stop, part.start, -size):
        block = _Block(max(part.start, end - size), end, level, n_level)
        change = block.sums(likelihood.stop, leaves, mass)
        change -= block.sums(likelihood.begin, enters, mass)
        deaths = block.sums(likelihood.stop, likelihood.deaths, died)
        risk = at_risk + change[::-1].cumsum(axis=0)[::-1]
        at_risk = risk[0]
        other = risk - deaths
        lower = other.cumsum(axis=1) - other
        below += float((deaths * lower).sum())
        same += float((deaths * other).sum())
        above += float((deaths * (other.sum(axis=1, keepdims=True) - lower - other)).sum())
    return below, same, above


@dataclass(frozen=True, eq=False)
class _Block:
    """Event times numbered from `start` up to `end`, without it, by scores."""

    start: int
    end: int
    level: IntArray
    n_level: int

    def sums(self, place: IntArray, rows: IntArray, value: FloatArray) -> FloatArray:
        """Sum the value of the rows over the last event time before their place."""
        here = rows[(place[rows] > self.start) & (place[rows] <= self.end)]
        cell = (place[here] - 1 - self.start) * self.n_level + self.level[here]
        size = (self.end - self.start) * self.n_level
        return binned(value[here], cell, size).reshape(-1, self.n_level)
