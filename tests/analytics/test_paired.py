"""Change and agreement of two results on the same patients."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.paired import Kappa, McNemar, kappa, mcnemar, paired_change
from tests.analytics.reference import FOLDER

TIGHT = {"rel": 0, "abs": 1e-10}
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
CELLS = st.integers(0, 30)
TWO_BY_TWO = st.lists(CELLS, min_size=4, max_size=4).map(lambda cells: np.reshape(cells, (2, 2)))
SQUARE = st.integers(2, 4).flatmap(
    lambda k: st.lists(CELLS, min_size=k * k, max_size=k * k).map(
        lambda cells: np.reshape(cells, (k, k))
    )
)


@cache
def rates() -> dict[str, Any]:
    return json.loads((FOLDER / "rates.json").read_text())


def name(wanted: dict[str, Any]) -> str:
    return str(wanted["table"])


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, **TIGHT)


@pytest.mark.parametrize("wanted", rates()["mcnemar"], ids=name)
def test_mcnemar(wanted: dict[str, Any]) -> None:
    table = wanted["table"]
    found = mcnemar(table)
    assert found.n == np.sum(table)
    assert (found.first_only, found.second_only) == (table[0][1], table[1][0])
    assert found.p_value == near(wanted["p_value"])
    shown = [found.difference, found.low, found.high]
    assert shown == pytest.approx([wanted["difference"], *wanted["limits"]], **TIGHT)
    ninety = mcnemar(table, confidence=0.9)
    assert [ninety.low, ninety.high] == pytest.approx(wanted["limits_90"], **TIGHT)


def test_limits_as_newcombe_printed_them() -> None:
    found = mcnemar([[36, 12], [2, 0]])
    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_the_p_value_is_the_exact_one() -> None:
    wanted = next(each for each in rates()["mcnemar"] if each["table"] == [[20, 1], [9, 3]])
    assert mcnemar(wanted["table"]).p_value == pytest.approx(22 / 1024)
    assert mcnemar(wanted["table"]).p_value != pytest.approx(wanted["asymptotic"], rel=0.01)


def test_where_nobody_is_discordant_there_is_no_test() -> None:
    assert mcnemar([[0, 0], [0, 0]]) == McNemar(0, 0, 0, None, None, None, None)
    agreed = mcnemar([[7, 0], [0, 2]])
    assert agreed.p_value is None
    assert agreed.difference == 0
    assert agreed.low < 0 < agreed.high  # type: ignore[operator]


@QUICK
@given(TWO_BY_TWO)
def test_a_paired_difference_lies_in_its_interval_and_turns_with_the_results(
    table: np.ndarray,
) -> None:
    found, turned = mcnemar(table), mcnemar(table.T)
    assert turned.p_value == found.p_value
    assert (turned.first_only, turned.second_only) == (found.second_only, found.first_only)
    if found.n == 0:
        assert found.difference is None
        return
    assert -1 - 1e-12 <= found.low <= found.difference <= found.high <= 1 + 1e-12  # type: ignore[operator]
    mirrored = [-turned.difference, -turned.high, -turned.low]  # type: ignore[operator]
    assert [found.difference, found.low, found.high] == pytest.approx(mirrored, **TIGHT)
    other_category = mcnemar(table[::-1, ::-1])
    assert other_category.low == pytest.approx(turned.low, **TIGHT)


@QUICK
@given(TWO_BY_TWO, CELLS, CELLS)
def test_who_agrees_is_not_in_mcnemars_test(table: np.ndarray, both: int, neither: int) -> None:
    assert mcnemar(table + np.diag([both, neither])).p_value == mcnemar(table).p_value


@pytest.mark.parametrize("wanted", rates()["kappa"], ids=name)
def test_kappa(wanted: dict[str, Any]) -> None:
    found = kappa(wanted["table"])
    for each in ("observed", "expected", "kappa"):
        assert getattr(found, each) == pytest.approx(wanted[each], **TIGHT)
    if wanted["standard_error"] < 1e-7:
        assert found.standard_error is None
        return
    assert found.standard_error == pytest.approx(wanted["standard_error"], **TIGHT)
    for level, limits in ((0.95, "limits"), (0.9, "limits_90")):
        shown = kappa(wanted["table"], confidence=level)
        assert [shown.low, shown.high] == pytest.approx(np.clip(wanted[limits], -1, 1), **TIGHT)


def test_kappa_is_undefined_where_chance_agrees_fully() -> None:
    assert kappa([[0, 0], [0, 0]]) == Kappa(0, None, None, None, None, None, None)
    assert kappa([[0, 0], [0, 9]]) == Kappa(9, 1.0, 1.0, None, None, None, None)


@pytest.mark.parametrize(("table", "value"), [([[4, 0], [0, 5]], 1), ([[0, 6], [6, 0]], -1)])
def test_full_agreement_claims_no_certainty(table: list[list[int]], value: int) -> None:
    found = kappa(table)
    assert found.kappa == pytest.approx(value)
    assert (found.standard_error, found.low, found.high) == (None, None, None)


@QUICK
@given(SQUARE, st.randoms(use_true_random=False))
def test_kappa_ignores_the_order_of_categories_and_of_ratings(
    table: np.ndarray, random: Any
) -> None:
    order = random.sample(range(len(table)), len(table))
    found = kappa(table)
    for other in (kappa(table.T), kappa(table[np.ix_(order, order)])):
        for each in ("observed", "expected", "kappa", "standard_error", "low", "high"):
            assert getattr(other, each) == near(getattr(found, each))
    if found.kappa is not None:
        assert -1 <= found.kappa <= 1


@QUICK
@given(SQUARE)
def test_more_of_the_same_patients_sharpen_kappa(table: np.ndarray) -> None:
    once, four = kappa(table), kappa(4 * table)
    assert four.kappa == near(once.kappa)
    if once.standard_error is None:
        assert four.standard_error is None
    else:
        assert four.standard_error == near(once.standard_error / 2)


def test_an_empty_category_does_not_matter_to_kappa() -> None:
    wider = [[8, 2, 0], [1, 6, 0], [0, 0, 0]]
    assert kappa(wider) == kappa([[8, 2], [1, 6]])


def test_tables_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="3 x 3"):
        mcnemar(np.eye(3))
    with pytest.raises(ValueError, match="2 x 3, but the two ratings"):
        kappa([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match="whole number"):
        mcnemar([[1, 2], [3, 0.5]])
    with pytest.raises(ValueError, match="0 x 0"):
        kappa(np.zeros((0, 0)))
    with pytest.raises(ValueError, match="confidence"):
        kappa([[1, 2], [3, 4]], confidence=95)


def test_categories_in_another_order_are_refused() -> None:
    table = pd.DataFrame([[1, 2], [3, 4]], index=["low", "high"], columns=["high", "low"])
    with pytest.raises(ValueError, match="same categories in the same order"):
        kappa(table)
    with pytest.raises(ValueError, match="same categories in the same order"):
        mcnemar(table)
    assert kappa(table[["low", "high"]]) == kappa([[2, 1], [4, 3]])


def eyes() -> pd.DataFrame:
    """One row per patient: the untreated and the treated eye, no loss of sight as negative."""
    rows = pd.read_csv(FOLDER / "datasets" / "retinopathy.csv")
    words = rows.assign(status=rows["status"].map({0: "negative", 1: "positive"}))
    wide = words.pivot(index=["id", "type"], columns="treated", values="status")
    return wide.reset_index().rename(columns={0: "untreated", 1: "treated"})


def test_paired_change() -> None:
    found = paired_change(eyes(), first="untreated", second="treated", by="type")
    assert found["type"].tolist() == list(rates()["change"])
    assert found["n_excluded"].tolist() == [0, 0]
    for (_, row), wanted in zip(found.iterrows(), rates()["change"].values(), strict=True):
        for ours, theirs in (
            ("n", "n"),
            ("negative_first", "first"),
            ("negative_second", "second"),
            ("became_negative", "gained"),
            ("became_not_negative", "lost"),
        ):
            assert row[ours] == wanted[theirs]
        assert row["change"] == pytest.approx(wanted["change"], **TIGHT)
        assert [row["low"], row["high"]] == pytest.approx(wanted["limits"], **TIGHT)
        assert row["p_value"] == pytest.approx(wanted["p_value"], rel=1e-10)


EARLY, LATE = "after cycle 1", "3 months"
WIDE = pd.DataFrame(
    [
        ("positive", "negative", "high"),
        ("below LOD", "negative", "high"),
        ("negative", "below LOD", "high"),
        ("negative", "not assessed", "high"),
        ("indeterminate", "negative", "high"),
        ("negative", "negative", "low"),
        ("not assessed", "negative", "none"),
    ],
    columns=[EARLY, LATE, "risk"],
)


def test_only_who_is_evaluable_at_both_timepoints_counts() -> None:
    found = paired_change(WIDE, first=EARLY, second=LATE, by="risk").set_index("risk")
    assert found.loc["high"].tolist()[:6] == [3, 2, 1, 2, 2, 1]
    assert found.loc["high", "change"] == pytest.approx(1 / 3)
    assert found.loc["high", "p_value"] == 1
    assert found["n"].tolist() == [3, 1, 0]
    assert found.loc["low", "change"] == 0
    assert np.isnan(found.loc["low", "p_value"])
    assert found.loc["none", ["change", "low", "high", "p_value"]].isna().all()
    everybody = paired_change(WIDE, first=EARLY, second=LATE)
    assert everybody["n"].tolist() == [4]
    assert everybody["n_excluded"].tolist() == [3]


def test_nobody_at_all() -> None:
    found = paired_change(WIDE.iloc[:0], first=EARLY, second=LATE)
    assert found["n"].tolist() == [0]
    assert found[["change", "p_value"]].isna().all(axis=None)
    assert paired_change(WIDE.iloc[:0], first=EARLY, second=LATE, by="risk").empty


@QUICK
@given(st.lists(st.sampled_from(range(len(WIDE))), max_size=30), st.randoms(use_true_random=False))
def test_change_ignores_the_order_of_patients_and_turns_with_the_timepoints(
    rows: list[int], random: Any
) -> None:
    frame = WIDE.iloc[rows].reset_index(drop=True)
    shuffled = frame.iloc[random.sample(range(len(frame)), len(frame))]
    found = paired_change(frame, first=EARLY, second=LATE, by=["risk"])
    pd.testing.assert_frame_equal(
        found, paired_change(shuffled, first=EARLY, second=LATE, by="risk")
    )
    back = paired_change(frame, first=LATE, second=EARLY, by="risk")
    assert (-back["change"]).tolist() == pytest.approx(found["change"].tolist(), nan_ok=True)
    assert back["p_value"].tolist() == pytest.approx(found["p_value"].tolist(), nan_ok=True)
    together = paired_change(frame, first=EARLY, second=LATE)
    assert together["n"].iloc[0] == found["n"].sum()
    assert together["n"].iloc[0] + together["n_excluded"].iloc[0] == len(frame)


def test_bad_input_is_named_at_once() -> None:
    frame = WIDE.assign(risk=None).replace("negative", "neg")
    with pytest.raises(ValueError, match=r"(?s)no column arm.*after cycle 1: 3 unknown.*risk: 7"):
        paired_change(frame, first=EARLY, second=LATE, by=("risk", "arm"))
    with pytest.raises(ValueError, match="compared with itself"):
        paired_change(WIDE, first=EARLY, second=EARLY)
