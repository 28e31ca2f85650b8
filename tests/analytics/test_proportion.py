"""Proportions, their differences and trends, and Fisher's exact test."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import _exact
from analytics.proportion import (
    FisherExact,
    Proportion,
    ProportionDifference,
    TrendTest,
    fisher_exact,
    odds_ratio,
    proportion,
    proportion_difference,
    trend_test,
)
from tests.analytics.reference import FOLDER, further

TIGHT = {"rel": 0, "abs": 1e-12}
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
RATE = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
GROUPS = st.lists(RATE, min_size=2, max_size=6)


@cache
def rates() -> dict[str, Any]:
    return json.loads((FOLDER / "rates.json").read_text())


@pytest.mark.parametrize("wanted", further()["proportions"])
def test_limits(wanted: dict[str, Any]) -> None:
    count, total = wanted["count"], wanted["total"]
    exact = proportion(count, total)
    assert exact.rate == count / total
    assert [exact.low, exact.high] == pytest.approx(wanted["exact"], abs=1e-12)
    ninety = proportion(count, total, confidence=0.9)
    assert [ninety.low, ninety.high] == pytest.approx(wanted["exact_90"], abs=1e-12)
    wilson = proportion(count, total, method="wilson")
    assert [wilson.low, wilson.high] == pytest.approx(wanted["wilson"], abs=1e-12)


def test_limits_of_five_data_sets() -> None:
    for wanted in rates()["proportions"]:
        for method in ("exact", "wilson"):
            found = proportion(wanted["count"], wanted["total"], method=method)
            assert [found.low, found.high] == pytest.approx(wanted[method], **TIGHT)


def test_nobody_has_no_rate() -> None:
    assert proportion(0, 0) == Proportion(0, 0, None, None, None, "exact")


@pytest.mark.parametrize("pair", [(3, 2), (-1, 2), (0.5, 2), (1, float("nan"))])
def test_impossible_counts_are_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"count|total"):
        proportion(*pair)
    with pytest.raises(ValueError, match=r"count|total"):
        proportion_difference(1, 2, *pair)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="wilson"):
        proportion(1, 2, method="wald")  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", rates()["differences"], ids=lambda each: str(each["counts"]))
def test_differences(wanted: dict[str, Any]) -> None:
    found = proportion_difference(*wanted["counts"])
    assert found.difference == pytest.approx(wanted["difference"], **TIGHT)
    assert [found.low, found.high] == pytest.approx(wanted["limits"], **TIGHT)
    ninety = proportion_difference(*wanted["counts"], confidence=0.9)
    assert [ninety.low, ninety.high] == pytest.approx(wanted["limits_90"], **TIGHT)


@pytest.mark.parametrize(
    ("counts", "printed"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
    ],
)
def test_differences_as_newcombe_printed_them(
    counts: tuple[int, int, int, int], printed: tuple[float, float]
) -> None:
    found = proportion_difference(*counts)
    assert (found.low, found.high) == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize("counts", [(0, 0, 3, 5), (3, 5, 0, 0), (0, 0, 0, 0)])
def test_nobody_has_no_difference(counts: tuple[int, int, int, int]) -> None:
    assert proportion_difference(*counts) == ProportionDifference(None, None, None)


@QUICK
@given(RATE, RATE)
def test_a_difference_lies_in_its_interval_and_turns_with_the_groups(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    found, turned = proportion_difference(*first, *second), proportion_difference(*second, *first)
    # At the limits -1 and 1 the root of a square leaves a rounding.
    assert -1 - 1e-12 <= found.low <= found.difference <= found.high <= 1 + 1e-12  # type: ignore[operator]
    mirrored = [-turned.difference, -turned.high, -turned.low]  # type: ignore[operator]
    assert [found.difference, found.low, found.high] == pytest.approx(mirrored, **TIGHT)


@QUICK
@given(RATE, RATE)
def test_counting_the_others_turns_a_difference(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    (a, n), (b, m) = first, second
    found, others = proportion_difference(a, n, b, m), proportion_difference(n - a, n, m - b, m)
    assert [found.low, found.high] == pytest.approx([-others.high, -others.low], **TIGHT)  # type: ignore[operator]


@pytest.mark.parametrize("wanted", rates()["trends"], ids=lambda each: str(each["count"]))
def test_trends(wanted: dict[str, Any]) -> None:
    found = trend_test(wanted["count"], wanted["total"], scores=wanted["score"])
    assert found.statistic == pytest.approx(wanted["statistic"], rel=1e-10, abs=1e-10)
    assert found.p_value == pytest.approx(wanted["p_value"], rel=1e-9, abs=1e-12)
    assert found.direction == wanted["direction"]
    if wanted["score"] == list(range(1, len(wanted["score"]) + 1)):
        assert trend_test(wanted["count"], wanted["total"]) == found


@pytest.mark.parametrize(
    ("counts", "totals"),
    [([], []), ([0], [0]), ([2], [5]), ([0, 0], [4, 5]), ([4, 5], [4, 5]), ([2, 0], [5, 0])],
)
def test_where_there_is_no_trend_to_test(counts: list[int], totals: list[int]) -> None:
    assert trend_test(counts, totals) == TrendTest(None, None, None)


def test_equal_scores_are_no_trend() -> None:
    assert trend_test([1, 2], [4, 4], scores=[0.1, 0.1]).p_value is None


def test_equal_rates_do_not_rise() -> None:
    assert trend_test([3, 3, 3], [7, 7, 7], scores=[0, 1, 5]) == TrendTest(0.0, 1.0, None)


def test_a_group_without_anybody_keeps_its_place() -> None:
    found = trend_test([1, 0, 5, 6], [9, 0, 9, 8])
    assert found == trend_test([1, 5, 6], [9, 9, 8], scores=[1, 3, 4])
    assert found.statistic != pytest.approx(trend_test([1, 5, 6], [9, 9, 8]).statistic)


@QUICK
@given(GROUPS, st.integers(-50, 50), st.sampled_from([0.125, 1.0, 3.0]))
def test_a_trend_does_not_depend_on_the_unit_of_the_scores(
    groups: list[tuple[int, int]], start: int, step: float
) -> None:
    counts, totals = zip(*groups, strict=True)
    scores = [start + step * each for each in range(len(groups))]
    plain, moved = trend_test(counts, totals), trend_test(counts, totals, scores=scores)
    back = trend_test(counts, totals, scores=[-each for each in scores])
    turned = {"rising": "falling", "falling": "rising", None: None}
    assert (moved.direction, back.direction) == (plain.direction, turned[plain.direction])
    if plain.statistic is None:
        assert (moved.p_value, back.p_value) == (None, None)
    else:
        assert moved.statistic == pytest.approx(plain.statistic, rel=1e-9)
        assert back.statistic == pytest.approx(plain.statistic, rel=1e-9)


@QUICK
@given(GROUPS)
def test_splitting_a_group_leaves_the_trend(groups: list[tuple[int, int]]) -> None:
    counts, totals = zip(*groups, strict=True)
    count, total = groups[0]
    left = (count // 2, max(total // 2, count // 2))
    parts = [left, (count - left[0], total - left[1])]
    if parts[1][0] > parts[1][1]:
        parts = [(count, total), (0, 0)]
    split = list(zip(*[*parts, *groups[1:]], strict=True))
    scores = [1, *range(1, len(groups) + 1)]
    assert trend_test(*split, scores=scores) == trend_test(counts, totals)


@QUICK
@given(RATE, RATE)
def test_a_trend_of_two_groups_is_the_chi_square_test(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    (a, n), (b, m) = first, second
    found = trend_test([a, b], [n, m])
    pooled = (a + b) / (n + m)
    if pooled in (0, 1):
        assert found.statistic is None
    else:
        wanted = (a / n - b / m) ** 2 / (pooled * (1 - pooled) * (1 / n + 1 / m))
        assert found.statistic == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_groups_without_a_trend_in_them_are_all_named() -> None:
    with pytest.raises(ValueError, match=r"(?s)group 1: 3 of 2.*group 3: 0.5 of 4.*score inf"):
        trend_test([3, 1, 0.5], [2, 4, 4], scores=[1, np.inf, 2])
    with pytest.raises(ValueError, match="group 2: nan of 4"):
        trend_test([1, np.nan], [2, 4])
    with pytest.raises(ValueError, match="one length"):
        trend_test([1, 2], [3, 4, 5])
    with pytest.raises(ValueError, match="one length"):
        trend_test([1, 2], [3, 4], scores=[1, 2, 3])


@pytest.mark.parametrize("wanted", further()["fisher"])
def test_fisher(wanted: dict[str, Any]) -> None:
    table = np.array(wanted["table"])
    for turned in (table, table.T):
        result = fisher_exact(turned)
        assert result.p_value == pytest.approx(wanted["p_value"], rel=1e-9)
        ratio = odds_ratio(turned)
        if table.shape == (2, 2):
            assert ratio is not None
            found = [ratio.value, ratio.low, ratio.high]
            names = ("odds_ratio", "low", "high")
            assert found == pytest.approx([wanted[name] for name in names], rel=1e-7)
        else:
            assert ratio is None


@pytest.mark.parametrize("wanted", rates()["fisher"], ids=lambda each: str(each["table"]))
def test_fisher_on_data_sets(wanted: dict[str, Any]) -> None:
    assert fisher_exact(wanted["table"]).p_value == pytest.approx(wanted["p_value"], rel=1e-8)
    ratio = odds_ratio(wanted["table"])
    assert (ratio is None) == (wanted["odds_ratio"] is None)
    if ratio is not None:
        assert ratio.value == pytest.approx(wanted["odds_ratio"], rel=1e-3)


def test_the_odds_ratio_is_the_conditional_one() -> None:
    (a, b), (c, d) = table = [[12, 5], [7, 14]]
    ratio = odds_ratio(table)
    assert ratio is not None
    assert ratio.value < 0.97 * (a * d) / (b * c)


def test_a_larger_table_has_the_same_p_value_on_every_run() -> None:
    table = next(each["table"] for each in rates()["fisher"] if len(each["table"]) > 2)
    assert len({fisher_exact(table).p_value for _ in range(3)}) == 1


def test_empty_margins_do_not_matter() -> None:
    table = np.array([[3, 0, 1], [0, 0, 0], [1, 0, 3]])
    assert fisher_exact(table) == fisher_exact([[3, 1], [1, 3]])
    assert odds_ratio(table) == odds_ratio([[3, 1], [1, 3]])


@pytest.mark.parametrize("table", [[[3, 4]], [[3, 0], [2, 0]], [[0, 0], [0, 0]], np.zeros((2, 0))])
def test_one_row_or_column_is_no_test(table: Any) -> None:
    assert fisher_exact(table) == FisherExact(None)
    assert odds_ratio(table) is None


def test_tables_too_large_to_enumerate_have_no_p_value() -> None:
    assert fisher_exact(np.full((6, 6), 60)).p_value is None


def test_a_large_table_with_a_negligible_p_value_has_its_upper_limit() -> None:
    table = [[0, 0, 0, 18, 3, 16, 0, 14], [6, 0, 8, 12, 0, 5, 11, 17], [0, 51, 0, 0, 0, 0, 0, 0]]
    p_value = fisher_exact(table).p_value
    assert p_value is not None
    # All of it enumerated, without the limits on time: 6.758148577365028e-46.
    assert 6.758148577365028e-46 <= p_value < 1e-16


@given(st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=3, max_size=3))
def test_an_upper_limit_is_never_below_the_p_value(table: list[list[int]]) -> None:
    exact = fisher_exact(table).p_value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_exact, "_MANY", 0)
        patch.setattr(_exact, "_NEGLIGIBLE", 0.01)
        limit = fisher_exact(table).p_value
    if exact is None:
        assert limit is None
    else:
        assert limit is not None
        assert exact * (1 - 1e-9) <= limit < max(0.01, exact * (1 + 1e-9))


def test_counts_must_be_counts() -> None:
    with pytest.raises(ValueError, match="whole number"):
        fisher_exact([[1, -1], [2, 3]])
    with pytest.raises(ValueError, match="two dimensions"):
        fisher_exact([1, 2, 3])
