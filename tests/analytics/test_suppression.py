"""Small cells: nothing of 1 to k - 1 patients follows from what is shown."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.suppression import (
    UNSAID,
    Count,
    Hidden,
    concealed,
    effective,
    fewer,
    hidden,
    in_steps,
    is_small,
    levels,
    part_of,
    two_way,
)

K = 5
COUNTS = st.integers(0, 12) | st.integers(0, 200)


def determined(matrix: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Tell which covered unknowns the equations fix: dropping the column leaves the rank as it is not.

    All of them are above 0, so that what the equations leave free can move either way.
    """
    open_ = np.flatnonzero(covered)
    part = matrix[:, open_]
    rank = np.linalg.matrix_rank(part) if part.size else 0
    fixed = np.zeros(len(covered), dtype=bool)
    for place, column in enumerate(open_):
        without = np.delete(part, place, axis=1)
        fixed[column] = (np.linalg.matrix_rank(without) if without.size else 0) < rank
    return fixed


def with_margins(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cells, row sums, column sums and total in one line, and what is 0 of them."""
    r, c = counts.shape
    cells = np.concatenate([counts.ravel(), counts.sum(1), counts.sum(0), [counts.sum()]])
    lines = []
    for i in range(r):
        line = np.zeros(len(cells))
        line[i * c : (i + 1) * c], line[r * c + i] = 1, -1
        lines.append(line)
    for j in range(c):
        line = np.zeros(len(cells))
        line[[i * c + j for i in range(r)]], line[r * c + r + j] = 1, -1
        lines.append(line)
    total = np.zeros(len(cells))
    total[r * c : r * c + r], total[-1] = 1, -1
    return cells, np.array([*lines, total])


def test_no_small_cell_of_10000_random_tables_can_be_recovered() -> None:
    rng = np.random.default_rng(20250301)
    values = np.array([0, 0, 1, 2, 3, 4, 5, 6, 8, 13, 30, 80])
    seen = 0
    for _ in range(10_000):
        shape = rng.integers(1, 4), rng.integers(2, 5)
        counts = rng.choice(values, size=shape)
        if counts.sum() < 2 * K:
            continue
        shown, rows, columns = two_way(counts, K)
        flat: list[Count] = [*itertools.chain(*shown), *rows, *columns, int(counts.sum())]
        cells, matrix = with_margins(counts)
        covered = np.array([isinstance(n, Hidden) for n in flat])
        small = (cells > 0) & (cells < K)
        assert not (small & ~covered).any(), counts
        assert not (determined(matrix, covered) & small).any(), (counts, flat)
        seen += int(small.any())
    assert seen > 5_000


@given(st.lists(COUNTS, min_size=1, max_size=6).filter(lambda counts: sum(counts) >= 2 * K))
def test_counts_with_a_known_total_leave_every_hidden_one_two_values(counts: list[int]) -> None:
    flags = hidden(counts, K)
    inside = [n for n, flag in zip(counts, flags, strict=True) if flag]
    assert all(flag for n, flag in zip(counts, flags, strict=True) if is_small(n, K))
    if inside:
        # The others are 1 at least: each can be anything up to what that leaves.
        assert sum(inside) >= K
        assert sum(inside) - (len(inside) - 1) >= 2


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4).filter(lambda c: sum(c) >= 2 * K))
def test_the_words_narrow_no_small_count_down_to_one_value(counts: list[int]) -> None:
    shown = list(levels(dict(enumerate(counts)), K).values())
    few = {i for i, n in enumerate(shown) if isinstance(n, Hidden) and n.few}
    ranges = [
        range(1, K) if i in few else range(1, 40) if isinstance(n, Hidden) else range(n, n + 1)
        for i, n in enumerate(shown)
    ]
    if few:
        # Where some say that they are few, the other hidden ones say that they are not.
        ranges = [r if i in few or not isinstance(n, Hidden) else range(K, 40)
                  for i, (n, r) in enumerate(zip(shown, ranges, strict=True))]  # fmt: skip
    fits = [c for c in itertools.product(*ranges) if sum(c) == sum(counts)]
    for i, n in enumerate(counts):
        if is_small(n, K):
            assert len({c[i] for c in fits}) > 1, (counts, shown)


def test_one_small_group_takes_the_next_smallest_with_it() -> None:
    assert levels({"a": 3, "b": 27, "c": 30}, K) == {"a": fewer(K), "b": UNSAID, "c": 30}
    assert levels({"a": 3, "b": 0, "c": 30}, K) == {"a": fewer(K), "b": 0, "c": UNSAID}


def test_where_the_word_would_tell_nothing_is_said() -> None:
    # Of 6 in one of fewer than 5 and one of 5 or more, one has 1.
    assert levels({"a": 1, "b": 5, "c": 30}, K)["a"] == UNSAID
    # Two of fewer than 5 that are 8 together have 4 each.
    assert levels({"a": 4, "b": 4, "c": 30}, K)["a"] == UNSAID


def test_few_together_are_as_telling_as_one() -> None:
    assert levels({"a": 1, "b": 2, "c": 9, "d": 30}, K)["c"] == UNSAID
    ones = levels({**{str(i): 1 for i in range(6)}, "c": 40}, K)
    assert isinstance(ones["c"], Hidden)


@given(st.lists(COUNTS, max_size=6), st.sampled_from([0, 1]))
def test_without_a_minimum_nothing_changes(counts: list[int], minimum: int) -> None:
    named = dict(enumerate(counts))
    assert levels(named, minimum) == named
    assert concealed(named, [], minimum) == named
    assert [in_steps(n, minimum) for n in counts] == counts
    assert [part_of(n, 300, minimum) for n in counts] == counts


def test_a_minimum_of_2_would_hide_only_ones() -> None:
    assert [effective(k) for k in range(5)] == [0, 0, 3, 3, 4]
    assert part_of(2, 100, 2) == fewer(3)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_part_of_a_known_total_is_told_by_no_word(n: int, more: int) -> None:
    total = n + more
    said = part_of(n, total, K)
    if not (is_small(n, K) or is_small(more, K)):
        assert said == n
        return
    assert isinstance(said, Hidden)
    alike = [k for k in range(total + 1) if part_of(k, total, K) == said]
    assert n in alike
    assert len(alike) > 1 or total <= 2


def test_the_words_are_true() -> None:
    assert part_of(3, 25, K).__format__("") == "<5"
    assert f"{part_of(23, 25, K):,}" == "≥21"
    assert str(part_of(3, 7, K)) == "…"
    assert f"{in_steps(27, K):.0f} ({in_steps(4, K)})" == "≥25 (<5)"
    assert in_steps(0, K) == 0


@given(st.integers(1, 300))
def test_steps_bound_from_below(n: int) -> None:
    said = in_steps(n, K)
    assert isinstance(said, Hidden)
    if n >= K:
        assert int(said.text[1:]) <= n < int(said.text[1:]) + K


def test_nothing_can_be_computed_with_a_hidden_count() -> None:
    n = fewer(K)
    for result in (n + 1, 1 + n, n - 1, 100 - n, n * 2, n / 3, 5 / n, sum([1, n, 2])):
        assert result == UNSAID
    assert math.isnan(float(n))
    for forbidden in (int, round, range, "abc".__mul__):
        with pytest.raises(TypeError):
            forbidden(n)  # type: ignore[operator]
    assert n
    assert n > 0
    assert n >= 1
    assert not any((n < 5, n > 3, n <= 4, n == 3, n >= 2))
    assert pickle.loads(pickle.dumps(n)) == copy.deepcopy(n) == n


def test_linked_tables_protect_each_other() -> None:
    """A group of 3 in one table is the difference of two numbers in another."""
    cells: dict[Hashable, int] = {"all": 60, "a": 30, "b": 30, "a1": 27, "a2": 3, "b1": 20, "b2": 10,
                                  "1": 47, "2": 13}  # fmt: skip
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [
        ("all", ["a", "b"]), ("a", ["a1", "a2"]), ("b", ["b1", "b2"]), ("1", ["a1", "b1"]),
        ("2", ["a2", "b2"]), ("all", ["1", "2"]),
    ]  # fmt: skip
    shown = concealed(cells, sums, K, {"all", "a", "b"})
    assert all(isinstance(shown[key], Hidden) for key in ("a1", "a2"))
    assert isinstance(shown["2"], Hidden) or isinstance(shown["b2"], Hidden)
    assert (shown["all"], shown["a"], shown["b"]) == (60, 30, 30)
