"""Table 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.summary import table_one
from tests.analytics.reference import data, further

LUNG = data("lung")
EXPECTED = further()["table_one"]


def test_rows_of_each_kind() -> None:
    frame = pd.DataFrame(
        {
            "age": [30, 40, 50, None],
            "risk": ["high", "low", None, "low"],
            "fit": [True, False, None, True],
            "sex": ["m", "m", "f", "f"],
        }
    )
    result = table_one(
        frame, variables={"age": "number", "risk": "category", "fit": "boolean"}, by="sex"
    )
    overall = result.rows[result.rows["group"] == ""]
    assert overall["variable"].tolist() == ["age", "risk", "risk", "fit"]
    assert overall["level"].tolist() == [None, "high", "low", True]
    assert overall["n"].tolist() == [3, 3, 3, 3]
    assert overall["missing"].tolist() == [1, 1, 1, 1]
    assert overall["count"].tolist()[1:] == [1, 2, 2]
    assert overall["percent"].tolist()[1:] == pytest.approx([100 / 3, 200 / 3, 200 / 3])
    assert overall["median"].iloc[0] == 40
    assert overall["median"].iloc[1:].isna().all()
    assert result.rows["group"].unique().tolist() == ["", "f", "m"]
    assert result.tests["variable"].tolist() == ["age", "risk", "fit"]


def test_without_groups_there_are_no_tests() -> None:
    result = table_one(LUNG, variables={"age": "number"})
    assert result.tests.empty
    assert result.rows["group"].tolist() == [""]


@pytest.mark.parametrize("name", ["age", "weight_loss"])
def test_numbers(name: str) -> None:
    two = table_one(LUNG, variables={name: "number"}, by="sex")
    assert two.tests["test"].tolist() == ["Wilcoxon rank-sum"]
    assert two.tests["p_value"].iloc[0] == pytest.approx(EXPECTED["wilcoxon"][name], rel=1e-9)
    three = table_one(LUNG, variables={name: "number"}, by="ecog")
    assert three.tests["test"].tolist() == ["Kruskal-Wallis"]
    assert three.tests["p_value"].iloc[0] == pytest.approx(EXPECTED["kruskal"][name], rel=1e-9)
    quartiles = three.rows.loc[0, ["minimum", "q1", "median", "q3", "maximum"]].tolist()
    assert quartiles == pytest.approx(EXPECTED["quantiles"][name])


def test_missing_values_are_counted() -> None:
    rows = table_one(LUNG, variables={"weight_loss": "number"}, by="sex").rows
    assert rows["missing"].iloc[0] == EXPECTED["weight_loss_missing"]
    assert rows["missing"].iloc[1:].sum() == EXPECTED["weight_loss_missing"]


@pytest.mark.parametrize("name", ["ecog", "band"])
def test_categories(name: str) -> None:
    tests = table_one(LUNG, variables={name: "category"}, by="sex").tests
    assert tests["test"].tolist() == ["Fisher's exact"]
    assert tests["p_value"].iloc[0] == pytest.approx(EXPECTED["fisher"][f"{name}_by_sex"], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "kind", "by"),
    [
        ("age", "number", "sex"),
        ("age", "number", "ecog"),
        ("ecog", "category", "sex"),
        ("band", "category", "ecog"),
    ],
)
def test_standardised_differences(name: str, kind: str, by: str) -> None:
    tests = table_one(LUNG, variables={name: kind}, by=by).tests  # type: ignore[dict-item]
    assert tests["smd"].iloc[0] == pytest.approx(EXPECTED["smd"][f"{name}_by_{by}"], rel=1e-9)


def test_boolean_differs_like_a_category_of_two() -> None:
    flagged = LUNG.assign(old=LUNG["age"] > 62)
    boolean = table_one(flagged, variables={"old": "boolean"}, by="ecog").tests
    category = table_one(flagged, variables={"old": "category"}, by="ecog").tests
    pd.testing.assert_frame_equal(boolean, category)


def test_where_nothing_can_be_tested() -> None:
    frame = pd.DataFrame({"x": [1, 1, 1], "c": ["a", "a", "a"], "g": ["m", "f", "f"]})
    tests = table_one(frame, variables={"x": "number", "c": "category"}, by="g").tests
    assert tests["p_value"].isna().all()
    alone = table_one(frame.assign(g="m"), variables={"x": "number", "c": "category"}, by="g")
    assert alone.tests[["p_value", "smd"]].isna().all(axis=None)
    empty = table_one(frame.iloc[:0], variables={"x": "number", "c": "category"}, by="g")
    assert empty.rows["n"].tolist() == [0]


def test_a_pair_without_a_difference_hides_no_other() -> None:
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4, 6, 9], "g": list("abbccc")})
    smd = table_one(frame, variables={"x": "number"}, by="g").tests["smd"].iloc[0]
    assert np.isfinite(smd)


@pytest.mark.parametrize("values", [[1.0, 1, 5, 5, 1, 1], list("ppqqpp")])
def test_a_pair_without_any_overlap_is_not_hidden_by_the_others(values: list[object]) -> None:
    kind = "number" if isinstance(values[0], float) else "category"
    frame = pd.DataFrame({"x": values, "g": list("aabbcc")})
    smd = table_one(frame, variables={"x": kind}, by="g").tests["smd"].iloc[0]
    assert np.isnan(smd)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no column height"):
        table_one(LUNG, variables={"height": "number"})
    with pytest.raises(ValueError, match="unknown kind"):
        table_one(LUNG, variables={"age": "real"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="14 rows without a group label"):
        table_one(LUNG, variables={"age": "number"}, by="weight_loss")
