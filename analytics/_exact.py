"""The null distribution of an r x c table with fixed margins, enumerated without sampling.

Columns are filled one after the other. What matters of the columns filled is only what they
leave in the rows (a node) and how probable they are (a path's value), so partial tables that
agree in both go on as one. A path is closed as soon as all, or none, of its completions are
to be counted: the network algorithm of Mehta and Patel (1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# fisher.test in R counts tables as no more probable up to this relative difference.
_TOLERANCE = 1e-7
# Paths whose log-probabilities agree to this many decimals are one path.
_DECIMALS = 10
# Arcs and path extensions beyond which a table counts as too large to enumerate, and how
# many extensions are held at a time.
_MOST_ARCS = 5_000_000
_MOST_EXTENSIONS = 20_000_000
_BLOCK = 2_000_000
# Before more extensions than this, a P value known to be smaller than that counts as found.
_MANY = 2_000_000
_NEGLIGIBLE = 1e-16


@dataclass(frozen=True, eq=False)
class _Stage:
    """Ways to fill one column: arcs sorted by the node they leave (`first`: offsets)."""

    first: IntArray
    child: IntArray
    value: FloatArray
    # Of each child: best and worst value of a completion, log of the sum over completions.
    best: FloatArray
    worst: FloatArray
    completions: FloatArray


def table_p_value(table: IntArray) -> float | None:
    """Two-sided P value of Fisher's exact test for a table without empty margins.

    None where the table is too large to enumerate. One below 1e-16 can be an upper limit, where to
    find it to the last digit takes long.
    """
    from scipy.special import gammaln

    if table.shape[0] > table.shape[1]:
        table = table.T
    # gammaln(n + 1) for every count that can occur.
    log_factorial = gammaln(np.arange(table.sum() + 2, dtype=np.float64) + 1)
    columns = np.sort(table.sum(axis=0))[::-1]
    stages = _network(np.sort(table.sum(axis=1)), columns, log_factorial)
    if stages is None:
        return None
    limit = float(-log_factorial[table].sum() + np.log1p(_TOLERANCE))
    total = _log_completions(table.sum(axis=1)[None, :], columns, log_factorial)[0]
    counted = _counted(stages, limit, float(total))
    return None if counted is None else min(1.0, counted)


def _network(rows: IntArray, columns: IntArray, log_factorial: FloatArray) -> list[_Stage] | None:
    if np.log2(rows.max() + 1.0) * rows.size > 62:
        return None
    nodes, arcs = [rows[None, :]], []
    for size in columns[:-1]:
        found = _arcs(nodes[-1], int(size))
        if found is None:
            return None
        first, filled, child, following = found
        arcs.append((first, child, -log_factorial[filled].sum(axis=1)))
        # Many columns, none of them too large alone, take as long together.
        if sum(len(reached) for _, reached, _ in arcs) > _MOST_ARCS:
            return None
        nodes.append(following)
    # The last column takes what is left, in one way.
    best = worst = -log_factorial[nodes[-1]].sum(axis=1)
    stages = []
    for index in range(len(arcs) - 1, -1, -1):
        first, child, value = arcs[index]
        left = _log_completions(nodes[index + 1], columns[index + 1 :], log_factorial)
        stages.append(_Stage(first, child, value, best, worst, left))
        best = np.maximum.reduceat(value + best[child], first[:-1])
        worst = np.minimum.reduceat(value + worst[child], first[:-1])
    return stages[::-1]


def _arcs(nodes: IntArray, size: int) -> tuple[IntArray, IntArray, IntArray, IntArray] | None:
    """Fill a column of `size` from every node.

    Returns the offset of each node's arcs, the column filled, the number of the node reached
    and the nodes reached.
    """
    room = nodes[:, ::-1].cumsum(axis=1)[:, ::-1]
    parent = np.arange(len(nodes))
    left = np.full(len(nodes), size)
    filled = np.zeros((len(nodes), 0), dtype=np.int64)
    for row in range(nodes.shape[1]):
        beyond = room[parent, row] - nodes[parent, row]
        low = np.maximum(0, left - beyond)
        ways = np.minimum(nodes[parent, row], left) - low + 1
        if ways.sum() > _MOST_ARCS:
            return None
        source, step = _ranges(ways)
        taken = low[source] + step
        filled = np.column_stack([filled[source], taken])
        parent, left = parent[source], left[source] - taken
    # Rows can change places without changing the completions.
    rest = np.sort(nodes[parent] - filled, axis=1)
    code = rest @ (int(nodes.max()) + 1) ** np.arange(rest.shape[1])
    _, example, child = np.unique(code, return_index=True, return_inverse=True)
    first = np.searchsorted(parent, np.arange(len(nodes) + 1))
    return first, filled, child, rest[example]


def _ranges(lengths: IntArray) -> tuple[IntArray, IntArray]:
    """For each length, its index and 0, 1, ..., length - 1, one under the other."""
    source = np.repeat(np.arange(lengths.size), lengths)
    return source, np.arange(source.size) - np.repeat(lengths.cumsum() - lengths, lengths)


def _log_completions(nodes: IntArray, columns: IntArray, log_factorial: FloatArray) -> FloatArray:
    """Log of the sum of prod 1/n! over all ways to fill `columns` from each node."""
    total: FloatArray = (
        log_factorial[columns.sum()]
        - log_factorial[columns].sum()
        - log_factorial[nodes].sum(axis=1)
    )
    return total


def _counted(stages: list[_Stage], limit: float, total: float) -> float | None:
    node, value, ways = np.zeros(1, dtype=np.int64), np.zeros(1), np.ones(1)
    p_value, undecided, spent = 0.0, 1.0, 0
    for stage in stages:
        # Counted before any of them is made: a table that is too large is known to be at once.
        following = int((stage.first[node + 1] - stage.first[node]).sum())
        if following > _MANY and p_value + undecided < _NEGLIGIBLE:
            return p_value + undecided
        spent, undecided = spent + following, 0.0
        if spent > _MOST_EXTENSIONS:
            return None
        kept = []
        for block in _blocks(stage, node):
            source, step = _ranges(stage.first[node[block] + 1] - stage.first[node[block]])
            origin = block.start + source
            arc = stage.first[node[origin]] + step
            child, reached = stage.child[arc], value[origin] + stage.value[arc]
            closed = reached + stage.best[child] <= limit
            # Masses are kept relative to the whole so that the exponential cannot overflow.
            mass = ways[origin] * np.exp(reached + stage.completions[child] - total)
            p_value += float(mass[closed].sum())
            open_ = ~closed & (reached + stage.worst[child] <= limit)
            undecided += float(mass[open_].sum())
            kept.append(_merged(child[open_], reached[open_], ways[origin][open_]))
        node, value, ways = _merged(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))
        if node.size == 0:
            break
    return p_value


def _blocks(stage: _Stage, node: IntArray) -> list[slice]:
    """Split the paths so that one block's extensions fit in memory."""
    extensions = (stage.first[node + 1] - stage.first[node]).cumsum()
    marks = np.arange(_BLOCK, extensions[-1], _BLOCK)
    cuts = np.unique(np.concatenate([[0], np.searchsorted(extensions, marks), [node.size]]))
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def _merged(
    node: IntArray, value: FloatArray, ways: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    if node.size == 0:
        return node, value, ways
    rounded = np.round(value, _DECIMALS)
    order = np.lexsort((rounded, node))
    node, value, ways, rounded = node[order], value[order], ways[order], rounded[order]
    new = np.concatenate([[True], (np.diff(node) != 0) | (np.diff(rounded) != 0)])
    first = np.flatnonzero(new)
    return node[first], value[first], np.add.reduceat(ways, first)
