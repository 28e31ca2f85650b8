"""Proportions and Fisher's exact test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.proportion import FisherExact, Proportion, fisher_exact, proportion
from tests.analytics.reference import further


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


def test_nobody_has_no_rate() -> None:
    assert proportion(0, 0) == Proportion(0, 0, None, None, None, "exact")


@pytest.mark.parametrize("pair", [(3, 2), (-1, 2), (0.5, 2), (1, float("nan"))])
def test_impossible_counts_are_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"count|total"):
        proportion(*pair)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="wilson"):
        proportion(1, 2, method="wald")  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", further()["fisher"])
def test_fisher(wanted: dict[str, Any]) -> None:
    table = np.array(wanted["table"])
    for turned in (table, table.T):
        result = fisher_exact(turned)
        assert result.p_value == pytest.approx(wanted["p_value"], rel=1e-9)
        if table.shape == (2, 2):
            found = [result.odds_ratio, result.low, result.high]
            names = ("odds_ratio", "low", "high")
            assert found == pytest.approx([wanted[name] for name in names], rel=1e-7)
        else:
            assert result.odds_ratio is None


def test_empty_margins_do_not_matter() -> None:
    table = np.array([[3, 0, 1], [0, 0, 0], [1, 0, 3]])
    assert fisher_exact(table) == fisher_exact([[3, 1], [1, 3]])


@pytest.mark.parametrize("table", [[[3, 4]], [[3, 0], [2, 0]], [[0, 0], [0, 0]], np.zeros((2, 0))])
def test_one_row_or_column_is_no_test(table: Any) -> None:
    assert fisher_exact(table) == FisherExact(None, None, None, None)


def test_tables_too_large_to_enumerate_have_no_p_value() -> None:
    assert fisher_exact(np.full((6, 6), 60)).p_value is None


def test_counts_must_be_counts() -> None:
    with pytest.raises(ValueError, match="whole number"):
        fisher_exact([[1, -1], [2, 3]])
    with pytest.raises(ValueError, match="two dimensions"):
        fisher_exact([1, 2, 3])
