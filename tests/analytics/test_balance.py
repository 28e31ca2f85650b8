"""Propensity, matching, weights, balance and weighted curves: R's values and the theory."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analytics.balance import (
    ALL_TAKEN,
    NO_NEIGHBOUR,
    NOT_CHOSEN,
    Propensity,
    balance_table,
    match,
    propensity,
    weighted_kaplan_meier,
    weights,
)
from analytics.events import event_table
from analytics.hazard import Cox, cox
from analytics.survival import kaplan_meier
from tests.analytics.reference import FOLDER, data, numbers

TIGHT = {"rel": 0, "abs": 1e-8, "nan_ok": True}
RELATIVE = {"rel": 1e-8, "abs": 1e-8}
QUICK = settings(max_examples=25, deadline=None, derandomize=True)
CLINICAL = ["age", "meno", "size", "grade", "nodes", "pgr", "er"]
COVARIATES = {
    "rotterdam_hormon": CLINICAL,
    "rotterdam_chemo": CLINICAL,
    "gbsg": CLINICAL,
    "colon": ["sex", "age", "obstruct", "perfor", "adhere", "nodes", "differ", "extent"],
    "pbc": ["age", "sex", "edema", "bili", "albumin", "protime", "stage"],
}
CASES = tuple(COVARIATES)
TIMES = (0, 180, 365, 730, 1826, 2500)


@cache
def reference() -> dict[str, Any]:
    return json.loads((FOLDER / "balance.json").read_text())


def wanted(case: str) -> dict[str, Any]:
    return reference()["cases"][case]


@cache
def cohort(case: str) -> pd.DataFrame:
    name, _, treatment = case.partition("_")
    rows = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    if name == "rotterdam":
        return rows.assign(t=rows[treatment], time=rows["dtime"], event=rows["death"])
    if name == "gbsg":
        return rows.assign(t=rows["hormon"], grade=rows["grade"].astype(str))
    if name == "colon":
        rows = rows[rows["arm"].isin(["Obs", "Lev+5FU"])]
        return rows.assign(t=rows["arm"] == "Lev+5FU", extent=rows["extent"].astype(str))
    rows = rows[rows["arm"].notna()]
    return rows.assign(t=rows["arm"] == 1, event=(rows["event"] > 0).astype(int))


@cache
def scores(case: str) -> Propensity:
    return propensity(cohort(case), treated="t", covariates=COVARIATES[case])


def fitted(case: str) -> pd.DataFrame:
    return cohort(case).loc[scores(case).scores.index]


@pytest.mark.parametrize("case", CASES)
def test_propensity(case: str) -> None:
    found, expected = scores(case), wanted(case)
    assert found.n_treated == expected["n_treated"]
    assert found.n_treated + found.n_untreated == expected["n"]
    assert len(found.excluded) == expected["n_all"] - expected["n"]
    for name in ("coefficient", "standard_error"):
        assert found.terms[name].to_numpy() == pytest.approx(numbers(expected[name]), **RELATIVE)
    quarters = [0, 0.25, 0.5, 0.75, 1]
    assert found.scores.quantile(quarters).to_numpy() == pytest.approx(
        numbers(expected["score"]), **TIGHT
    )
    assert found.linear.quantile(quarters).to_numpy() == pytest.approx(
        numbers(expected["linear"]), **TIGHT
    )
    assert found.linear.std() == pytest.approx(expected["linear_sd"], **TIGHT)


@pytest.mark.parametrize(
    ("case", "name", "ratio"),
    [*((case, "matched", 1) for case in CASES), ("rotterdam_hormon", "matched_2", 2)],
)
def test_matching(case: str, name: str, ratio: int) -> None:
    found, expected, rows = match(scores(case), ratio=ratio), wanted(case)[name], fitted(case)
    assert found.caliper == pytest.approx(expected["caliper"], **TIGHT)
    treated = rows.index[rows["t"].astype(bool)]
    theirs = {
        (label, rows.index[int(row) - 1])
        for matches in expected["matches"]
        for label, row in zip(treated, matches, strict=True)
        if row is not None
    }
    pairs = found.pairs
    assert set(zip(pairs["treated"], pairs["untreated"], strict=True)) == theirs
    used = found.frame["weight"] > 0
    sums = found.frame.groupby("treated")["weight"].agg(lambda w: w.sum() ** 2 / (w**2).sum())
    assert sums.to_numpy() == pytest.approx(numbers(expected["effective_n"]), **TIGHT)
    span = found.frame.loc[used, "weight"].agg(["min", "max"]).to_numpy()
    assert span == pytest.approx(numbers(expected["weight_range"]), **TIGHT)
    _check_balance(case, found.frame["weight"], expected["balance"])


def _check_balance(case: str, weight: pd.Series | None, expected: dict[str, Any]) -> None:
    table = balance_table(fitted(case), treated="t", covariates=COVARIATES[case], weights=weight)
    when = "before" if weight is None else "after"
    level = table["level"].notna().to_numpy()
    for group in ("treated", "untreated"):
        means = table[f"{group}_{when}"].to_numpy() / np.where(level, 100, 1)
        assert means == pytest.approx(numbers(expected[group]), **TIGHT)
    for name in ("smd", "variance_ratio"):
        assert table[f"{name}_{when}"].to_numpy() == pytest.approx(numbers(expected[name]), **TIGHT)


@pytest.mark.parametrize("case", CASES)
def test_balance_before(case: str) -> None:
    _check_balance(case, None, wanted(case)["before"])


def test_differences_are_those_of_matchit() -> None:
    # It takes numbers that are 0 and 1 for levels, whose variance has no n - 1: not in pbc.
    rows = fitted("pbc").drop(columns="edema")
    covariates = [name for name in COVARIATES["pbc"] if name != "edema"]
    found = balance_table(rows, treated="t", covariates=covariates)["smd_before"].to_numpy()
    theirs = np.delete(numbers(wanted("pbc")["smd_matchit"]), 3)
    assert found == pytest.approx(theirs, **TIGHT)


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "overlap"])
@pytest.mark.parametrize("case", CASES)
def test_weights(case: str, estimand: Any) -> None:
    found, expected = weights(scores(case), estimand=estimand), wanted(case)["weighted"][estimand]
    assert found.groups["treated"].tolist() == [False, True]
    for name in ("total", "effective_n", "smallest", "largest"):
        assert found.groups[name].to_numpy() == pytest.approx(numbers(expected[name]), **RELATIVE)
    cut = weights(scores(case), estimand=estimand, truncate=0.95).groups
    assert cut["total"].to_numpy() == pytest.approx(
        numbers(expected["truncated_total"]), **RELATIVE
    )
    _check_balance(case, found.weights, expected["balance"])


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "overlap"])
@pytest.mark.parametrize("case", CASES)
def test_weighted_survival(case: str, estimand: Any) -> None:
    weight = weights(scores(case), estimand=estimand).weights
    result = weighted_kaplan_meier(fitted(case), time="time", event="event", by="t", weights=weight)
    expected = wanted(case)["weighted"][estimand]["survival"]
    _check_curve(result.at(TIMES), expected)


def _check_curve(found: pd.DataFrame, expected: dict[str, Any]) -> None:
    inner = ~found["limit_exact"].to_numpy()
    for name in ("time", "n_risk", "survival"):
        assert found[name].to_numpy() == pytest.approx(numbers(expected[name]), **RELATIVE)
    for name in ("low", "high"):
        assert found[name].to_numpy()[inner] == pytest.approx(
            numbers(expected[name])[inner], **TIGHT
        )


@pytest.mark.parametrize(
    ("name", "time", "entry"), [("ties", "month", None), ("entry", "time", "entry")]
)
def test_whole_weighted_curve(name: str, time: str, entry: str | None) -> None:
    rows = data("lung")
    result = weighted_kaplan_meier(
        rows, time=time, event="event", by="sex", weights=rows["age"] / 60, entry=entry
    )
    expected = reference()["curves"][name]
    _check_curve(result.curve, expected)
    assert result.curve["n_event"].to_numpy() == pytest.approx(numbers(expected["n_event"]))


def test_a_caliper_holds() -> None:
    # MatchIt 4.5.1 gives all 580 a partner, up to 0.95 away, unless distances are rescaled.
    found = match(scores("rotterdam_chemo"))
    assert wanted("rotterdam_chemo")["unscaled"] == 580
    assert found.pairs["distance"].max() <= found.caliper
    counts = found.unmatched.set_index("reason")["n"].to_dict()
    assert counts == {NOT_CHOSEN: 1840, ALL_TAKEN: 17, NO_NEIGHBOUR: 1}
    assert found.pairs["pair"].nunique() == 562


def test_who_has_nobody_is_told_from_who_came_too_late() -> None:
    logits = {"far": 9.0, "first": 2.0, "second": 1.9, "taken": 2.05, "idle": -9.0}
    treated = {"far", "first", "second"}
    found = match(_scores(logits, treated), caliper=0.1)
    assert found.pairs[["treated", "untreated"]].to_numpy().tolist() == [["first", "taken"]]
    assert found.frame["reason"].to_dict() == {
        "far": NO_NEIGHBOUR,
        "first": None,
        "second": ALL_TAKEN,
        "taken": None,
        "idle": NOT_CHOSEN,
    }
    assert found.frame["weight"].tolist() == [0, 1, 0, 1, 0]
    assert found.unmatched["n"].tolist() == [1, 1, 1]


def test_nobody_matched() -> None:
    found = match(_scores({"a": 5.0, "b": -5.0}, {"a"}))
    assert found.pairs.empty
    assert (found.frame["weight"] == 0).all()
    rows = pd.DataFrame({"t": [1, 0], "x": [1.0, 2.0]}, index=["a", "b"])
    table = balance_table(rows, treated="t", covariates=["x"], weights=found.frame["weight"])
    assert table[["treated_after", "smd_after", "smd_before"]].isna().all(axis=None)


def _scores(logits: dict[str, float], treated: set[str]) -> Propensity:
    linear = pd.Series(logits)
    is_treated = pd.Series({label: label in treated for label in logits})
    none = pd.DataFrame()
    return Propensity(1 / (1 + np.exp(-linear)), linear, is_treated, none, none)


def test_missing_covariates_are_told() -> None:
    rows = pd.DataFrame(
        {"t": [1, 0, 1, 0, 1, 0], "x": [1, 2, 3, 4, np.nan, 2], "g": [*"ababa", None]},
        index=list("pqrstu"),
    )
    rows.loc["u", "x"] = np.nan
    found = propensity(rows, treated="t", covariates=["x"])
    assert found.excluded["reason"].to_dict() == {"t": "missing x", "u": "missing x"}
    assert (found.n_treated, found.n_untreated) == (2, 2)
    assert found.scores.index.tolist() == list("pqrs")
    table = balance_table(rows, treated="t", covariates=["x", "g"])
    assert table["n_missing"].tolist() == [2, 1, 1]
    assert table["level"].tolist() == [None, "a", "b"]
    assert table["treated_before"].tolist() == pytest.approx([2, 100, 0])
    both = rows.assign(g=["a", "b", "b", "a", "a", None])
    assert propensity(both, treated="t", covariates=["x", "g"]).excluded["reason"].tolist() == [
        "missing x",
        "missing x, g",
    ]


@pytest.mark.parametrize(
    ("covariates", "words"),
    [
        (["age", "twice"], "twice: constant, or determined"),
        (["age", "same"], "same: constant, or determined"),
        (["age", "side"], "side: decides who is treated"),
        (["age", "centre"], r"centre\[c\]: decides who is treated"),
        (["centre"], r"centre\[c\]: decides who is treated"),
        (["first"], r"first\[a\]: decides who is treated"),
        (["age", "flag"], "flag: decides who is treated"),
        (["one", "two"], "a combination of one, two: decides who is treated"),
    ],
)
def test_where_there_is_no_score(covariates: list[str], words: str) -> None:
    random = np.random.default_rng(1)
    n = 60
    t = np.tile([0, 1], n // 2)
    one = random.normal(size=n)
    rows = pd.DataFrame(
        {
            "t": t,
            "age": random.normal(60, 10, n),
            "same": 3.1,
            "side": np.where(t == 1, 1, -1) * random.uniform(0.1, 1, n),
            "centre": np.where((t == 1) & (np.arange(n) < 20), "c", np.where(one > 0, "a", "b")),
            "first": np.where((t == 0) & (np.arange(n) < 20), "a", np.where(one > 0, "b", "c")),
            "flag": (t == 1) & (np.arange(n) < 10),
            "one": one,
            "two": one + np.where(t == 1, 1, -1) * 0.1,
        }
    ).assign(twice=lambda frame: 2 * frame["age"] + 1)
    with pytest.raises(ValueError, match=words):
        propensity(rows, treated="t", covariates=covariates)


def test_unusable_columns_are_named_together() -> None:
    rows = pd.DataFrame(
        {"t": [0, 1, 2, None], "x": [1, np.inf, 2, 3], "d": pd.to_datetime(["2020-01-01"] * 4)}
    )
    with pytest.raises(ValueError, match="holds dates") as caught:
        propensity(rows, treated="t", covariates=["x", "d"])
    assert "t: neither yes nor no in 2 rows (index 2, 3)" in str(caught.value)
    assert "x: infinite in 1 row (index 1)" in str(caught.value)
    with pytest.raises(ValueError, match="no column 'y'"):
        propensity(rows, treated="t", covariates=["y"])
    usable = rows.assign(t=[0, 1, 0, 1], x=1.0)
    for covariates in ([], ["t"]):
        with pytest.raises(ValueError, match="Name covariates"):
            propensity(usable, treated="t", covariates=covariates)
    with pytest.raises(ValueError, match="repeats labels"):
        balance_table(usable.set_index("x"), treated="t", covariates=["d"])
    with pytest.raises(ValueError, match="none or all are treated"):
        propensity(usable.assign(t=1), treated="t", covariates=["x"])


def test_unknown_choices() -> None:
    found = scores("gbsg")
    for wrong in ({"caliper": 0}, {"caliper": np.nan}, {"ratio": 0}, {"ratio": 1.5}):
        with pytest.raises(ValueError, match=r"caliper is above|whole number"):
            match(found, **wrong)
    with pytest.raises(ValueError, match="Unknown estimand"):
        weights(found, estimand="ATU")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="truncated"):
        weights(found, truncate=1)


def test_weights_that_are_missing_or_negative() -> None:
    rows = fitted("gbsg").head(6)
    for weight in (pd.Series(1.0, rows.index[1:]), pd.Series([1, 1, 1, 1, 1, -1], rows.index)):
        with pytest.raises(ValueError, match=r"negative or infinite in 1 row \(index \d+\)"):
            balance_table(rows, treated="t", covariates=["age"], weights=weight)
        with pytest.raises(ValueError, match=r"negative or infinite in 1 row \(index \d+\)"):
            weighted_kaplan_meier(rows, time="time", event="event", weights=weight)


def curve(frame: pd.DataFrame, weight: Any = 1.0, **options: Any) -> Any:
    return weighted_kaplan_meier(
        frame, time="time", event="event", weights=pd.Series(weight, frame.index), **options
    )


def test_weights_are_not_counts() -> None:
    naive = reference()["curves"]["as_counts"]
    found = curve(
        data("lung").assign(time=data("lung")["month"]), data("lung")["age"] / 6, by="sex"
    )
    shown = found.at(12)
    assert shown["survival"].to_numpy() == pytest.approx(numbers(naive["survival"]), **TIGHT)
    narrow = numbers(naive["high"]) - numbers(naive["low"])
    assert ((shown["high"] - shown["low"]).to_numpy() > 2 * narrow).all()


def test_limits_at_survival_1_and_0() -> None:
    rows = pd.DataFrame({"time": [1, 2, 3, 4], "event": [0, 1, 1, 1]})
    weight = np.array([1.0, 1.0, 2.0, 4.0])
    found = curve(rows, weight).curve
    assert found["survival"].iloc[[0, -1]].tolist() == [1, 0]
    assert found["limit_exact"].tolist() == [True, False, False, True]
    assert found["high"].iloc[0] == 1
    assert found["low"].iloc[0] == pytest.approx(0.025 ** (22 / 64))
    assert found["low"].iloc[-1] == 0
    assert 0 < found["high"].iloc[-1] <= found["high"].iloc[-2]


def test_nothing_is_known_past_the_follow_up() -> None:
    rows = pd.DataFrame({"time": [5, 9, 6], "event": [1, 0, 0], "g": [*"aab"]})
    shown = curve(rows, by="g").at([0, 7])
    assert shown["survival"].tolist() == pytest.approx([1, 0.5, 1, np.nan], nan_ok=True)
    assert shown["n_risk_rows"].tolist() == [2, 1, 1, 0]
    assert shown.loc[3, ["low", "high"]].isna().all()
    assert not shown.loc[3, "limit_exact"]


def test_who_takes_no_part_is_counted() -> None:
    rows = pd.DataFrame({"time": [5, 9, 6, 3], "event": [1, 0, 0, 1], "start": [0, 2, 6, 1]})
    found = curve(rows, [1, 1, 1, 0], entry="start")
    assert (found.n_weightless, found.n_dropped, found.groups["n"].tolist()) == (1, 1, [2])
    nobody = curve(rows, 0.0)
    assert nobody.curve.empty
    assert nobody.at(3).empty


def test_refused_survival() -> None:
    rows = pd.DataFrame({"time": [5, 9], "event": [1, 2], "g": ["a", None], "n_risk": 1})
    with pytest.raises(ValueError, match="competing events"):
        curve(rows)
    single = rows.assign(event=1)
    with pytest.raises(ValueError, match="without a group label in g"):
        curve(single, by="g")
    with pytest.raises(ValueError, match="no column 'h'"):
        curve(single, by="h")
    with pytest.raises(ValueError, match="Rename it"):
        curve(single, by="n_risk")
    with pytest.raises(ValueError, match="confidence"):
        curve(single, confidence=95)


PATIENT = st.tuples(
    st.integers(0, 30),
    st.integers(0, 1),
    st.sampled_from("ab"),
    st.sampled_from([0.5, 1.0, 1.7, 3.0]),
)
COHORT = st.lists(PATIENT, min_size=1, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=["time", "event", "g", "w"])
)


@QUICK
@given(COHORT)
def test_weights_of_1_change_nothing(frame: pd.DataFrame) -> None:
    found = curve(frame, by="g")
    plain = kaplan_meier(event_table(frame, time="time", event="event", by="g"), by="g")
    for ours, theirs in ((found.curve, plain.curve), (found.at([0, 7, 31]), plain.at([0, 7, 31]))):
        assert ours["g"].tolist() == theirs["g"].tolist()
        for name in ("time", "n_risk", "n_event", "survival", "low", "high", "limit_exact"):
            assert ours[name].to_numpy(dtype=float) == pytest.approx(
                theirs[name].to_numpy(dtype=float), abs=1e-9, nan_ok=True
            )


@QUICK
@given(COHORT, st.randoms(use_true_random=False))
def test_unit_of_weights_order_and_weightless_rows(frame: pd.DataFrame, random: Any) -> None:
    found = curve(frame, frame["w"], by="g").curve
    order = random.sample(range(len(frame)), len(frame))
    idle = pd.concat([frame, frame.assign(w=0.0, time=99)], ignore_index=True)
    for other in (
        curve(frame, 7 * frame["w"], by="g").curve,
        curve(frame.iloc[order], frame["w"].iloc[order], by="g").curve,
        curve(idle, idle["w"], by="g").curve,
    ):
        for name in ("time", "n_risk_rows", "survival", "low", "high"):
            assert other[name].to_numpy() == pytest.approx(found[name].to_numpy(), abs=1e-9)


@QUICK
@given(COHORT)
def test_a_weighted_curve_falls_within_its_limits(frame: pd.DataFrame) -> None:
    found = curve(frame, frame["w"], by="g").curve
    assert found[["survival", "low", "high"]].stack().between(0, 1).all()
    assert (found.groupby("g")["survival"].diff().fillna(0) <= 0).all()
    assert (found["low"] <= found["survival"] + 1e-12).all()
    assert (found["high"] >= found["survival"] - 1e-12).all()


@QUICK
@given(COHORT, st.integers(1, 20))
def test_survival_with_entries_is_that_of_the_table(frame: pd.DataFrame, shift: int) -> None:
    late = frame.assign(start=frame["time"] * (frame.index % 3) // 3, time=frame["time"] + shift)
    events = event_table(late, time="time", event="event", by="g", entry="start")
    plain, found = kaplan_meier(events, by="g").curve, curve(late, by="g", entry="start").curve
    for name in ("time", "n_risk", "survival"):
        assert found[name].to_numpy() == pytest.approx(plain[name].to_numpy(), abs=1e-12)


@st.composite
def cohorts(draw: Any) -> pd.DataFrame:
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(30, 80))
    x = random.normal(size=n)
    g = random.choice(list("abc"), n)
    chance = 1 / (1 + np.exp(-(0.7 * x + (g == "b") - 0.5)))
    return pd.DataFrame({"x": x, "g": g, "t": random.random(n) < chance})


def scored(frame: pd.DataFrame) -> Propensity:
    try:
        return propensity(frame, treated="t", covariates=["x", "g"])
    except ValueError:
        assume(False)
        raise


@QUICK
@given(cohorts())
def test_scores_are_probabilities_that_add_up(frame: pd.DataFrame) -> None:
    found = scored(frame)
    assert found.scores.between(0, 1, inclusive="neither").all()
    assert found.scores.sum() == pytest.approx(frame["t"].sum(), rel=1e-9)
    # The score equations: the covariates, weighted by the scores, are those of the treated.
    assert found.scores @ frame["x"] == pytest.approx(frame.loc[frame["t"], "x"].sum(), abs=1e-8)
    other = scored(frame.assign(t=~frame["t"]))
    assert other.linear.to_numpy() == pytest.approx(-found.linear.to_numpy(), abs=1e-8)
    unit = scored(frame.assign(x=1000 - 12 * frame["x"]))
    assert unit.scores.to_numpy() == pytest.approx(found.scores.to_numpy(), abs=1e-8)


@QUICK
@given(cohorts(), st.integers(1, 3), st.sampled_from([0.05, 0.2, 1.0]))
def test_matches_respect_the_caliper_and_use_nobody_twice(
    frame: pd.DataFrame, ratio: int, caliper: float
) -> None:
    own = scored(frame)
    found = match(own, ratio=ratio, caliper=caliper)
    pairs = found.pairs
    assert (pairs["distance"] <= found.caliper).all()
    assert pairs["untreated"].is_unique
    assert pairs.groupby("pair").size().le(ratio).all()
    assert frame.loc[pairs["treated"], "t"].all()
    assert not frame.loc[pairs["untreated"], "t"].any()
    weight = found.frame["weight"]
    assert weight[pairs["untreated"]].sum() == pytest.approx(len(pairs))
    assert weight[pairs["treated"].unique()].eq(1).all()
    assert found.unmatched["n"].sum() == (weight == 0).sum()
    back = match(scored(frame.iloc[::-1]), ratio=ratio, caliper=caliper).pairs
    assert back["untreated"].tolist() == pairs["untreated"].tolist()


@QUICK
@given(cohorts())
def test_what_weights_promise(frame: pd.DataFrame) -> None:
    own = scored(frame)
    overlap = weights(own, estimand="overlap").weights
    table = balance_table(frame, treated="t", covariates=["x", "g"], weights=overlap)
    assert table["smd_after"].to_numpy() == pytest.approx(0, abs=1e-8)
    att = weights(own, estimand="ATT").weights
    assert att[frame["t"]].to_numpy() == pytest.approx(1)
    for estimand in ("ATE", "ATT", "overlap"):
        found = weights(own, estimand=estimand)  # type: ignore[arg-type]
        assert (found.weights > 0).all()
        assert (found.groups["effective_n"] <= found.groups["n"] + 1e-9).all()
        plain = weights(own, estimand=estimand, stabilised=False).weights  # type: ignore[arg-type]
        assert (found.weights / plain).groupby(frame["t"]).std().fillna(0).max() < 1e-12
    raw = weights(own, stabilised=False).weights
    assert raw.to_numpy() == pytest.approx(1 / np.where(frame["t"], own.scores, 1 - own.scores))


@QUICK
@given(cohorts())
def test_equal_weights_leave_the_balance(frame: pd.DataFrame) -> None:
    flat = pd.Series(2.5, frame.index)
    table = balance_table(frame, treated="t", covariates=["x", "g"], weights=flat)
    for name in ("treated", "untreated", "smd", "variance_ratio"):
        assert table[f"{name}_after"].to_numpy() == pytest.approx(
            table[f"{name}_before"].to_numpy(), abs=1e-9, nan_ok=True
        )
    swapped = balance_table(frame.assign(t=~frame["t"]), treated="t", covariates=["x", "g"])
    assert swapped["smd_before"].to_numpy() == pytest.approx(-table["smd_before"].to_numpy())


def test_the_denominator_is_that_before_weighting() -> None:
    # With weights that narrow the spread, the weighted denominator would show less balance.
    rows = pd.DataFrame({"t": [1, 1, 1, 0, 0, 0], "x": [0.0, 2, 4, 1, 3, 8]})
    weight = pd.Series([1.0, 4, 1, 1, 4, 0.1])
    row = balance_table(rows, treated="t", covariates=["x"], weights=weight).iloc[0]
    spread = np.sqrt((rows["x"][:3].var() + rows["x"][3:].var()) / 2)
    gap = row["treated_after"] - row["untreated_after"]
    assert row["smd_after"] == pytest.approx(gap / spread)
    assert row["smd_before"] == pytest.approx(
        (row["treated_before"] - row["untreated_before"]) / spread
    )


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "overlap"])
@pytest.mark.parametrize("case", CASES)
def test_weighted_hazard_ratio(case: str, estimand: Any) -> None:
    rows = fitted(case).assign(w=weights(scores(case), estimand=estimand).weights)
    fit = cox(rows, time="time", event="event", covariates=["t"], weights="w")
    _check_cox(fit, wanted(case)["weighted"][estimand]["cox"])


@pytest.mark.parametrize("case", CASES)
def test_matched_hazard_ratio(case: str) -> None:
    matched = match(scores(case)).frame
    rows = fitted(case).assign(w=matched["weight"], pair=matched["pair"])
    rows = rows[rows["w"] > 0]
    fit = cox(rows, time="time", event="event", covariates=["t"], weights="w", cluster="pair")
    _check_cox(fit, wanted(case)["matched"]["cox"])


def _check_cox(fit: Cox, expected: dict[str, float]) -> None:
    assert fit.robust
    found, score = fit.terms.iloc[0], fit.tests.set_index("test").loc["robust score"]
    assert found["coefficient"] == pytest.approx(expected["coefficient"], rel=1e-6)
    assert found["standard_error"] == pytest.approx(expected["robust_error"], rel=1e-6)
    assert found["p_value"] == pytest.approx(expected["p_value"], rel=1e-5)
    assert score["statistic"] == pytest.approx(expected["robust_score"], rel=1e-6)
    assert score["p_value"] == pytest.approx(expected["robust_score_p"], rel=1e-5)
