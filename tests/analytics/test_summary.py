"""Table 1."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.summary import standardised_difference, table_one
from tests.analytics.reference import FOLDER, data, further

LUNG = data("lung")
EXPECTED = further()["table_one"]
QUICK = settings(max_examples=40, deadline=None, derandomize=True)
WEIGHTED = st.lists(
    st.tuples(st.integers(-20, 20), st.sampled_from([0.25, 1.0, 1.5, 4.0])),
    min_size=2,
    max_size=20,
)


@cache
def rates() -> dict[str, Any]:
    return json.loads((FOLDER / "rates.json").read_text())


@cache
def dataset(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / "datasets" / f"{name}.csv")


def weights(n: int) -> np.ndarray:
    """As tests/reference/rates.R makes them."""
    row = np.arange(1, n + 1)
    return 1 + (row * 7) % 3 + (row % 10) / 10


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


def test_kinds_are_those_of_the_columns() -> None:
    frame = pd.DataFrame(
        {
            "age": [30, 40, None, 50],
            "old": [False, False, True, True],
            "ever": pd.array([True, None, False, True], dtype="boolean"),
            "risk": ["high", "low", None, "low"],
            "stage": pd.Categorical([1, 2, 2, 1]),
            "sex": ["m", "m", "f", "f"],
        }
    )
    names = ["age", "old", "ever", "risk", "stage"]
    kinds = ["number", "boolean", "boolean", "category", "category"]
    read = table_one(frame, variables=names, by="sex")
    told = table_one(frame, variables=dict(zip(names, kinds, strict=True)), by="sex")  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(read.rows, told.rows)
    pd.testing.assert_frame_equal(read.tests, told.tests)
    alone = table_one(frame, variables="age").rows
    assert alone["variable"].tolist() == ["age"]


@pytest.mark.parametrize("wanted", rates()["table_one"], ids=lambda each: each["data"])
def test_four_data_sets(wanted: dict[str, Any]) -> None:
    frame, by = dataset(wanted["data"]), wanted["by"]
    frame = frame[frame[by].notna()]
    for kind in ("number", "category"):
        variables = {each["variable"]: kind for each in wanted[kind]}
        found = table_one(frame, variables=variables, by=by)  # type: ignore[arg-type]
        overall = found.rows[found.rows["group"] == ""].groupby("variable").first()
        for each, test in zip(wanted[kind], found.tests.itertuples(), strict=True):
            assert test.p_value == pytest.approx(each["p_value"], rel=1e-8)
            assert test.smd == pytest.approx(each["smd"], rel=1e-9)
            row = overall.loc[each["variable"]]
            assert row["missing"] == each["missing"]
            if kind == "number":
                shown = row[["minimum", "q1", "median", "q3", "maximum"]].tolist()
                assert shown == pytest.approx(each["quantiles"])


@pytest.mark.parametrize("wanted", rates()["table_one"], ids=lambda each: each["data"])
@pytest.mark.parametrize("kind", ["number", "category"])
def test_weighted_differences(wanted: dict[str, Any], kind: Any) -> None:
    frame, by = dataset(wanted["data"]), wanted["by"]
    frame = frame[frame[by].notna()].assign(w=lambda rows: weights(len(rows)))
    first, second = (part for _, part in frame.groupby(by))
    for each in wanted[kind]:
        name = each["variable"]
        plain = standardised_difference(first[name], second[name], kind=kind)
        table = table_one(frame, variables={name: kind}, by=by)
        assert plain == table.tests["smd"].iloc[0]
        weighted = standardised_difference(
            first[name], second[name], kind=kind, weights_1=first["w"], weights_2=second["w"]
        )
        assert weighted == pytest.approx(each["weighted"], rel=1e-9)


def test_kruskal_wallis() -> None:
    for name, p_value in rates()["kruskal"].items():
        source, variable, _, by = name.split("_")
        frame = dataset(source).dropna(subset=[by])
        found = table_one(frame, variables={variable: "number"}, by=by).tests
        assert found["p_value"].iloc[0] == pytest.approx(p_value, rel=1e-9)


@QUICK
@given(WEIGHTED, WEIGHTED, st.sampled_from(["number", "category"]))
def test_only_the_ratio_of_weights_counts(
    first: list[tuple[int, float]], second: list[tuple[int, float]], kind: Any
) -> None:
    (x, v), (y, w) = (np.array(each, dtype=float).T for each in (first, second))
    found = standardised_difference(x, y, kind=kind, weights_1=v, weights_2=w)
    turned = standardised_difference(y, x, kind=kind, weights_1=8 * w, weights_2=v / 3)
    moved = standardised_difference(3 * x + 7, 3 * y + 7, kind=kind, weights_1=v, weights_2=w)
    if found is None:
        assert (turned, moved) == (None, None)
    else:
        assert found >= 0
        assert [turned, moved] == pytest.approx([found, found], rel=1e-6, abs=1e-9)


@QUICK
@given(WEIGHTED, WEIGHTED, st.sampled_from(["number", "category"]))
def test_equal_weights_are_none(
    first: list[tuple[int, float]], second: list[tuple[int, float]], kind: Any
) -> None:
    (x, _), (y, _) = (np.array(each, dtype=float).T for each in (first, second))
    found = standardised_difference(x, y, kind=kind)
    same = standardised_difference(
        x, y, kind=kind, weights_1=np.full(x.size, 2.0), weights_2=np.full(y.size, 0.5)
    )
    assert same == (None if found is None else pytest.approx(found, rel=1e-9, abs=1e-12))
    left_out = standardised_difference(
        [*x, np.nan, 99], y, kind=kind, weights_1=[*np.ones(x.size), 5, 0], weights_2=None
    )
    assert left_out == (None if found is None else pytest.approx(found, rel=1e-9, abs=1e-12))


@QUICK
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=12))
def test_a_category_weighted_by_whole_numbers_is_repeated(rows: list[tuple[str, int]]) -> None:
    values, times = zip(*rows, strict=True)
    repeated = np.repeat(values, times)
    other = ["a", "a", "b", "c"]
    found = standardised_difference(values, other, kind="category", weights_1=times)
    wanted = standardised_difference(repeated, other, kind="category")
    assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-9, abs=1e-12))


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ([], [1, 2], "number"),
        ([1], [1, 2], "number"),
        ([1, 1], [2, 2], "number"),
        ([], ["a"], "category"),
        (["a"], ["b"], "category"),
        ([None, None], [True, False], "boolean"),
    ],
)
def test_where_there_is_no_difference_to_be_had(first: Any, second: Any, kind: Any) -> None:
    assert standardised_difference(first, second, kind=kind) is None


def test_weights_of_nothing_give_no_difference() -> None:
    for kind in ("number", "boolean"):
        nobody = standardised_difference([1, 0], [1, 0], kind=kind, weights_1=[0, 0])  # type: ignore[arg-type]
        assert nobody is None


def test_a_constant_has_no_spread_by_rounding() -> None:
    same = [0.1] * 3
    assert np.std(same) > 0
    assert standardised_difference(same, [0.1] * 7, kind="number") == 0
    assert standardised_difference(same, [0.2] * 7, kind="number", weights_1=[1, 2, 4]) is None


def test_weights_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"(?s)weights_1: 1 weights for 2.*weights_2: .*negative"):
        standardised_difference([1, 2], [3, 4], kind="number", weights_1=[1], weights_2=[-1, 1])
    with pytest.raises(ValueError, match=r"(?s)values_1: holds.*weights_2: .*missing"):
        standardised_difference(["x", 2], [3, 4], kind="number", weights_2=[np.nan, 1])


def test_bad_input_is_named_at_once() -> None:
    frame = LUNG.assign(word="x")
    with pytest.raises(ValueError, match=r"(?s)no column height.*word: holds.*age: unknown.*14"):
        table_one(
            frame,
            variables={"height": "number", "word": "number", "age": "real"},  # type: ignore[dict-item]
            by="weight_loss",
        )
    with pytest.raises(ValueError, match="word: holds values that are no boolean"):
        table_one(frame, variables={"word": "boolean"})
