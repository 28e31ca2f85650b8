"""Sums of fixed scores over the groups, when patients change places between the groups.

Patients with one score are interchangeable, so an allocation is how many of each distinct score
go to which group. For two groups the scores are split in halves, the allocations of each half
are listed with their sums, and a sorted half tells how many complete each one of the other to an
extreme sum (Horowitz and Sahni 1974): twice the square root of the work, and nothing lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, prod

import numpy as np

from analytics._counts import FloatArray, IntArray

# Partial allocations beyond which nothing is listed any more.
_MOST = 3_000_000
# Cells of the matrix of patients that are shuffled at a time.
_CELLS = 4_000_000
_SEED = 20_250_101
# Statistics apart by less are equal: sums of scores differ by rounding.
_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Stratum:
    """Patients who may change places.

    Attributes
    ----------
    score, count
        Distinct scores, summing to 0 over the patients, and patients with each.
    size
        Patients in each group.
    """

    score: FloatArray
    count: IntArray
    size: IntArray


@dataclass(frozen=True, eq=False)
class _Listed:
    """Partial allocations: sizes within the last stratum and sums of all groups but the first."""

    stratum: int
    size: IntArray
    total: FloatArray
    log_ways: FloatArray


def n_allocations(strata: Sequence[Stratum]) -> int:
    """Count the ways to allocate the patients."""
    ways = 1
    for stratum in strata:
        sizes = [int(size) for size in stratum.size]
        ways *= prod(comb(sum(sizes[: group + 1]), size) for group, size in enumerate(sizes))
    return ways


def quadratic(strata: Sequence[Stratum], excess: FloatArray) -> float | None:
    """Quadratic form of the groups' sums with their covariance over the allocations.

    None where the covariance is singular.
    """
    covariance = _covariance(strata, excess.size)
    if excess.size < 2 or np.linalg.matrix_rank(covariance, hermitian=True) < excess.size - 1:
        return None
    return float(_form(covariance, excess[None, 1:])[0])


def exact_p_value(strata: Sequence[Stratum], statistic: float) -> float | None:
    """Share of the allocations whose quadratic form is at least `statistic`.

    None where there are too many partial allocations to list.
    """
    limit = _lowered(statistic)
    if limit <= 0:
        return 1.0
    covariance = _covariance(strata, strata[0].size.size)
    items = [
        (number, float(score), int(count))
        for number, stratum in enumerate(strata)
        for score, count in zip(stratum.score, stratum.count, strict=True)
    ]
    two = len(covariance) == 1
    cut = _middle(items) if two else len(items)
    left = _listed(strata, items[:cut])
    right = _listed(strata, items[cut:][::-1]) if two and left is not None else None
    log_all = float(sum(_log_multinomial(stratum.size) for stratum in strata))
    if left is None or (two and right is None):
        return None
    if right is None:
        extreme = _form(covariance, left.total) >= limit
        return min(1.0, float(np.exp(left.log_ways[extreme] - log_all).sum()))
    reach = float(np.sqrt(limit * covariance[0, 0]))
    return min(1.0, _share_beyond(left, right, strata, reach, log_all))


def simulated_p_value(strata: Sequence[Stratum], statistic: float, draws: int) -> float:
    """Estimate the same share from random allocations; the same on every call."""
    random = np.random.default_rng(_SEED)
    sizes = np.array([stratum.size for stratum in strata])
    # Groups take their patients in order of size, so that names do not matter.
    order = np.lexsort(sizes)
    covariance, limit = _covariance(strata, order.size), _lowered(statistic)
    rows = max(1, _CELLS // int(sizes.sum()))
    extreme = 0
    for first in range(0, draws, rows):
        drawn = min(rows, draws - first)
        excess = np.zeros((drawn, order.size))
        for stratum in strata:
            scores = np.repeat(stratum.score, stratum.count)
            shuffled = random.permuted(np.tile(scores, (drawn, 1)), axis=1)
            edges = np.concatenate([[0], stratum.size[order].cumsum()])
            summed = np.hstack([np.zeros((drawn, 1)), shuffled.cumsum(axis=1)])[:, edges]
            excess[:, order] += np.diff(summed, axis=1)
        extreme += int((_form(covariance, excess[:, 1:]) >= limit).sum())
    return (1 + extreme) / (1 + draws)


def _covariance(strata: Sequence[Stratum], n_group: int) -> FloatArray:
    """Covariance of the sums of all groups but the first."""
    covariance = np.zeros((n_group, n_group))
    for stratum in strata:
        n, size = int(stratum.count.sum()), stratum.size.astype(np.float64)
        scatter = float(stratum.count @ stratum.score**2) / (n * max(n - 1, 1))
        covariance += scatter * (np.diag(size * (n - size)) - _off_diagonal(size))
    return covariance[1:, 1:]


def _off_diagonal(size: FloatArray) -> FloatArray:
    products = np.outer(size, size)
    np.fill_diagonal(products, 0.0)
    return products


def _form(covariance: FloatArray, sums: FloatArray) -> FloatArray:
    values: FloatArray = (sums * np.linalg.solve(covariance, sums.T).T).sum(axis=1)
    return values


def _lowered(statistic: float) -> float:
    return statistic * (1 - _TOLERANCE) - _TOLERANCE


def _middle(items: list[tuple[int, float, int]]) -> int:
    """Where to cut so that both sides have about as many allocations."""
    bits = np.log2([count + 1 for _, _, count in items]).cumsum()
    return int(np.searchsorted(bits, bits[-1] / 2)) + 1


def _listed(strata: Sequence[Stratum], items: list[tuple[int, float, int]]) -> _Listed | None:
    """List the ways to allocate the scores of `items`; None where they are too many."""
    free = strata[0].size.size - 1
    stratum, used = -1, 0
    size, total = np.zeros((1, free), dtype=np.int64), np.zeros((1, free))
    log_ways = np.zeros(1)
    for number, score, count in items:
        if number != stratum:
            stratum, used, size = number, 0, np.zeros_like(size)
        if len(size) * comb(count + free, free) > _MOST or (count + 1) ** free > _MOST:
            return None
        share = np.indices((count + 1,) * free).reshape(free, -1).T
        share = share[share.sum(axis=1) <= count]
        used += count
        room = strata[number].size
        grown = (size[:, None] + share).reshape(-1, free)
        # The first group takes the rest; with the stratum complete, sizes are as they should be.
        fits = (grown <= room[1:]).all(axis=1) & (used - grown.sum(axis=1) <= room[0])
        size = grown[fits]
        total = (total[:, None] + score * share).reshape(-1, free)[fits]
        more = _log_multinomial(np.column_stack([count - share.sum(axis=1), share]))
        log_ways = (log_ways[:, None] + more).ravel()[fits]
    return _Listed(stratum, size, total, log_ways)


def _log_multinomial(sizes: IntArray) -> FloatArray:
    from scipy.special import gammaln

    values: FloatArray = gammaln(sizes.sum(axis=-1) + 1.0) - gammaln(sizes + 1.0).sum(axis=-1)
    return values


def _share_beyond(
    left: _Listed, right: _Listed, strata: Sequence[Stratum], reach: float, log_all: float
) -> float:
    """Share of the allocations, put together of two halves, with a sum `reach` or more from 0."""
    # The halves meet within a stratum, whose size they share, or between two.
    shared = left.stratum == right.stratum
    taken = left.size[:, 0] if shared else np.zeros(len(left.size), dtype=np.int64)
    wanted = (
        strata[left.stratum].size[1] - right.size[:, 0] if shared else np.zeros(len(right.size))
    )
    share = 0.0
    for size in np.intersect1d(taken, wanted):
        mine, yours = taken == size, np.flatnonzero(wanted == size)
        yours = yours[np.argsort(right.total[yours, 0])]
        sums, log_ways = right.total[yours, 0], right.log_ways[yours]
        # Relative to the most frequent, so that the exponential cannot overflow.
        below = np.concatenate([[0.0], np.exp(log_ways - log_ways.max()).cumsum()])
        total = left.total[mine, 0]
        high = below[-1] - below[np.searchsorted(sums, reach - total, side="left")]
        low = below[np.searchsorted(sums, -reach - total, side="right")]
        share += float(np.exp(left.log_ways[mine] + log_ways.max() - log_all) @ (high + low))
    return share
