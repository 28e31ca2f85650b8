"""Cox models against R's coxph (tests/reference/cox.R), their limits and what theory demands."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.hazard import COLLINEAR, INFINITE, NO_EVENT, cox, cox_from_counts, likelihood_ratio
from tests.analytics.reference import FOLDER, analyses, data, numbers

# R sorts the signs in the order of the locale.
SIZES = ("<=20", ">50", "20-50")
NUMBERS = ("coefficient", "standard_error", "p_value", "low", "high")


@cache
def expected() -> dict[str, Any]:
    return json.loads((FOLDER / "cox.json").read_text())


@cache
def rows(name: str) -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    if name == "rotterdam":
        frame["years"] = np.ceil(frame["rtime"] / 365.25)
        frame["weight"] = 0.5 + (frame["id"] % 7) / 4
        frame["start"] = np.floor(frame["rtime"] * (frame["id"] % 5) / 10)
    if name in ("gbsg", "rotterdam"):
        frame["grade"] = frame["grade"].astype("category")
        frame["size"] = (
            pd.Categorical(frame["size"], SIZES) if name == "rotterdam" else frame["size"]
        )
    if name == "ovarian":
        frame["decades"] = frame["age"] / 10
    return frame


def switched() -> pd.DataFrame:
    """One row of myeloid before the transplant and one after it."""
    frame = rows("myeloid").astype({"death_time": "float64", "transplant": "float64"})
    changed = frame["transplant"] < frame["death_time"]
    before = frame.assign(
        start=0,
        stop=frame["death_time"].where(~changed, frame["transplant"]),
        event=frame["death"].where(~changed, 0),
        switched=0,
    )
    after = frame[changed].assign(
        start=frame["transplant"], stop=frame["death_time"], event=frame["death"], switched=1
    )
    return pd.concat([before, after])


RTIME: dict[str, Any] = {"time": "rtime", "event": "recur"}
YEARS: dict[str, Any] = {"time": "years", "event": "recur"}
STOP: dict[str, Any] = {"time": "stop", "event": "event", "entry": "start"}
PLAIN: dict[str, Any] = {"time": "time", "event": "event"}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ovarian": ("ovarian", PLAIN | {"covariates": ["age", "residual", "arm"]}),
    "colon": ("colon", PLAIN | {"covariates": ["arm", "sex", "age", "nodes", "differ"]}),
    "colon_breslow": ("colon", PLAIN | {"covariates": ["arm", "nodes"], "ties": "breslow"}),
    "colon_strata": ("colon", PLAIN | {"covariates": ["arm", "age"], "strata": "extent"}),
    "colon_interaction": ("colon", PLAIN | {"covariates": ["arm", "sex", ("arm", "sex")]}),
    "colon_main": ("colon", PLAIN | {"covariates": ["arm", "sex"]}),
    "pbc_cause": ("pbc", PLAIN | {"covariates": ["age", "bili", "albumin", "protime", "edema"]}),
    "gbsg": (
        "gbsg",
        PLAIN | {"covariates": ["hormon", "age", "meno", "size", "grade", "nodes", "pgr", "er"]},
    ),
    "rotterdam_ties": ("rotterdam", YEARS | {"covariates": ["size", "grade", "nodes"]}),
    "rotterdam_entry": ("rotterdam", RTIME | {"covariates": ["size", "nodes"], "entry": "start"}),
    "rotterdam_weighted": (
        "rotterdam",
        RTIME | {"covariates": ["hormon", "nodes"], "weights": "weight"},
    ),
    "rotterdam_weighted_ties": (
        "rotterdam",
        YEARS | {"covariates": ["hormon", "nodes"], "weights": "weight"},
    ),
    "heart": ("heart", STOP | {"covariates": ["transplant", "age", "year", "surgery"]}),
    "heart_cluster": ("heart", STOP | {"covariates": ["transplant", "age"], "cluster": "id"}),
    "cgd_cluster": (
        "cgd",
        {"time": "tstop", "event": "status", "entry": "tstart"}
        | {"covariates": ["treat", "age", "steroids"], "cluster": "id"},
    ),
    "retinopathy_cluster": (
        "retinopathy",
        {"time": "futime", "event": "status"}
        | {"covariates": ["treated", "type", "risk"], "cluster": "id"},
    ),
    "rats_litter": ("rats", PLAIN | {"covariates": ["drug"], "strata": "litter"}),
    "kidney": ("kidney", PLAIN | {"covariates": ["age", "sex", "disease"]}),
    # Code 2, death without progression, counts as censored.
    "mgus2_cause": ("mgus2", PLAIN | {"covariates": ["age", "sex", "mspike"]}),
}


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    source, options = MODELS[name]
    _agrees(cox(rows(source), **options), expected()["models"][name])


def test_a_transplant_counts_from_its_day() -> None:
    wanted = expected()["models"]
    naive = rows("myeloid").assign(ever=lambda frame: frame["transplant"].notna())
    _agrees(
        cox(naive, time="death_time", event="death", covariates=["ever"]), wanted["myeloid_naive"]
    )
    fit = cox(switched(), **STOP, covariates=["switched"])
    _agrees(fit, wanted["myeloid_switched"])
    # The naive ratio has the wrong sign.
    assert fit.terms["hazard_ratio"].item() == pytest.approx(1.80, abs=0.005)


def test_a_cause_of_several() -> None:
    frame = rows("transplant").assign(dead=lambda frame: (frame["event"] == 2).astype(int))
    fit = cox(frame, time="time", event="dead", covariates=["age", "sex", "blood"])
    _agrees(fit, expected()["models"]["transplant_death"])


def _agrees(fit: Any, wanted: dict[str, Any]) -> None:
    assert (fit.n, fit.n_event) == (wanted["n"], wanted["n_event"])
    for column in NUMBERS:
        found = fit.terms[column].to_numpy()
        assert found == pytest.approx(numbers(wanted[column]), rel=1e-6, abs=1e-9)
    assert fit.loglik == pytest.approx(wanted["loglik"], rel=1e-10)
    assert fit.loglik_null == pytest.approx(wanted["loglik_null"], rel=1e-10)
    assert fit.concordance == pytest.approx(wanted["concordance"], abs=1e-9)
    found = dict(zip(fit.tests["test"], fit.tests["statistic"], strict=True))
    assert found == pytest.approx(wanted["tests"], rel=1e-6)
    zph, test = fit.proportional_hazards(), wanted["proportional_hazards"]
    assert zph["statistic"].to_numpy() == pytest.approx(numbers(test["statistic"]), rel=1e-6)
    assert zph["degrees_of_freedom"].tolist() == test["degrees_of_freedom"]
    assert zph["p_value"].to_numpy() == pytest.approx(numbers(test["p_value"]), rel=1e-6)


@pytest.mark.parametrize(("case", "analysis"), analyses("cox"))
def test_worked_cases(case: str, analysis: dict[str, Any]) -> None:
    right = analysis["formula"].split("~")[1].replace("factor(", "").split("+")
    names = [term.strip(" )") for term in right]
    strata = [name.removeprefix("strata(") for name in names if name.startswith("strata(")]
    fit = cox(
        data(case),
        time="time",
        event="status",
        covariates=[name for name in names if not name.startswith("strata(")],
        strata=strata,
        ties=analysis["params"]["ties"],
    )
    wanted = analysis["expected"]
    for ours, theirs in (("coefficient", "coef"), ("hazard_ratio", "hr"), ("p_value", "p")):
        values = numbers([term[theirs] for term in wanted["terms"]])
        assert fit.terms[ours].to_numpy() == pytest.approx(values, abs=1e-8)
    assert fit.concordance == pytest.approx(wanted["concordance"]["c"], abs=1e-9)
    for line, name in enumerate(("lrt", "wald", "score")):
        assert fit.tests["statistic"].iloc[line] == pytest.approx(wanted[name]["chisq"], rel=1e-8)
        assert fit.tests["p_value"].iloc[line] == pytest.approx(wanted[name]["p"], abs=1e-10)
    if "ph_test_km" in wanted:
        p_values = numbers([test["p"] for test in wanted["ph_test_km"]])
        assert fit.proportional_hazards()["p_value"].to_numpy() == pytest.approx(p_values, abs=1e-8)


def test_interaction() -> None:
    main, crossed = (
        cox(rows("colon"), **MODELS[name][1]) for name in ("colon_main", "colon_interaction")
    )
    statistic, df, p_value = likelihood_ratio(main, crossed)
    wanted = expected()["interaction"]
    assert (statistic, df) == (pytest.approx(wanted["statistic"], abs=1e-8), 2)
    assert p_value == pytest.approx(wanted["p_value"], abs=1e-8)
    assert likelihood_ratio(main, main) == (0.0, 0, None)
    fewer = cox(rows("colon").iloc[1:], **MODELS["colon_main"][1])
    with pytest.raises(ValueError, match="same rows"):
        likelihood_ratio(main, fewer)


PENALISED: dict[str, list[str]] = {
    "separated": ["group"],
    "separated_two": ["group", "x"],
    "ovarian": ["decades", "residual"],
}


@pytest.mark.parametrize("name", PENALISED)
def test_firth(name: str) -> None:
    frame = rows("ovarian") if name == "ovarian" else pd.DataFrame(expected()["separated"])
    fit = cox(frame, **PLAIN, covariates=PENALISED[name], penalty="firth")
    wanted = expected()["firth"][name]
    assert (fit.terms["reason"] == "").all()
    for column in ("coefficient", "standard_error", "p_value"):
        assert fit.terms[column].to_numpy() == pytest.approx(numbers(wanted[column]), abs=1e-5)
    for column in ("low", "high"):
        found = np.log(fit.terms[column].to_numpy())
        assert found == pytest.approx(numbers(wanted[column]), abs=1e-4)


def test_separation_gives_no_ratio_and_leaves_the_others_alone() -> None:
    frame = pd.DataFrame(expected()["separated"])
    fit = cox(frame, **PLAIN, covariates=["group", "x"])
    assert fit.terms["reason"].tolist() == [INFINITE, ""]
    assert fit.terms.loc[0, ["hazard_ratio", "low", "high", "p_value"]].isna().all()
    # In the limit the group without events leaves every risk set.
    alone = cox(frame[frame["group"] == 1], **PLAIN, covariates=["x"])
    for column in NUMBERS:
        assert fit.terms[column].iloc[1] == pytest.approx(alone.terms[column].item(), rel=1e-7)
    zph = fit.proportional_hazards().set_index("term")["p_value"]
    assert np.isnan(zph["group"])
    assert zph["x"] == pytest.approx(expected()["separated_zph_x"], rel=1e-6)
    assert zph["GLOBAL"] == pytest.approx(zph["x"])
    assert np.isnan(fit.tests.set_index("test").loc["Wald", "p_value"])


def test_collinear_covariates_are_named() -> None:
    frame = rows("ovarian").assign(months=lambda frame: frame["age"] * 12)
    fit = cox(frame, **PLAIN, covariates=["age", "months", "arm"])
    alone = cox(frame, **PLAIN, covariates=["age", "arm"])
    assert fit.terms["reason"].tolist() == [COLLINEAR, COLLINEAR, ""]
    assert fit.terms["hazard_ratio"].iloc[2] == pytest.approx(alone.terms["hazard_ratio"].iloc[1])
    constant = cox(frame.assign(one=1), **PLAIN, covariates=["one", "arm"])
    assert constant.terms["reason"].tolist() == [COLLINEAR, ""]


def test_without_events_there_is_nothing() -> None:
    fit = cox(rows("ovarian").assign(event=0), **PLAIN, covariates=["age", "arm"])
    assert fit.terms["reason"].tolist() == [NO_EVENT, NO_EVENT]
    assert fit.terms["hazard_ratio"].isna().all()
    assert fit.concordance is None
    assert fit.tests["p_value"].isna().all()
    assert fit.proportional_hazards()["p_value"].isna().all()


def test_missing_covariates_and_late_entries_are_counted() -> None:
    fit = cox(rows("colon"), **PLAIN, covariates=["nodes"])
    assert fit.n_missing == rows("colon")["nodes"].isna().sum() > 0
    late = rows("ovarian").assign(start=lambda frame: frame["time"].where(frame["age"] > 70, 0))
    found = cox(late, **PLAIN, entry="start", covariates=["age"])
    assert found.n_dropped == (late["age"] > 70).sum() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ["nothing"]}, "no column 'nothing'"),
        ({"covariates": ["age"], "penalty": "lasso"}, "Unknown penalty"),
        ({"covariates": ["age"], "weights": "age", "penalty": "firth"}, "leave `count`"),
        ({"covariates": ["age"], "weights": "negative"}, "not above 0"),
        ({"covariates": ["age"], "count": "half"}, "not whole"),
    ],
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    frame = rows("ovarian").assign(negative=-1, half=0.5)
    with pytest.raises(ValueError, match=words):
        cox(frame, **PLAIN, **options)


PATIENT = st.tuples(
    st.integers(1, 20), st.integers(0, 2), st.sampled_from("abc"), st.booleans(), st.integers(0, 4)
)
COHORT = st.lists(PATIENT, min_size=5, max_size=40).map(
    lambda patients: pd.DataFrame(patients, columns=["t", "e", "g", "s", "start"])
)
OF = {"time": "t", "event": "e"}


def _same(first: Any, second: Any, rel: float = 1e-6) -> None:
    assert first.terms["reason"].tolist() == second.terms["reason"].tolist()
    for column in NUMBERS:
        found, wanted = first.terms[column].to_numpy(), second.terms[column].to_numpy()
        assert found == pytest.approx(wanted, rel=rel, abs=1e-7, nan_ok=True)
    assert first.concordance == second.concordance or first.concordance == pytest.approx(
        second.concordance
    )


@given(COHORT, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(frame: pd.DataFrame, random: Any) -> None:
    order = random.sample(range(len(frame)), len(frame))
    _same(*(cox(each, **OF, covariates=["g", "s"]) for each in (frame, frame.iloc[order])))


@given(COHORT)
def test_counts_are_patients(frame: pd.DataFrame) -> None:
    counted = frame.groupby(["t", "e", "g", "s"], observed=True).size().rename("n").reset_index()
    _same(
        cox(frame, **OF, covariates=["g"], strata="s"),
        cox(counted, **OF, covariates=["g"], strata="s", count="n"),
    )
    entered = frame.assign(start=frame["start"].where(frame["start"] < frame["t"], 0))
    table = event_table(entered, **OF, by=("g", "s"), entry="start")
    _same(
        cox(entered, **OF, covariates=["g"], strata="s", entry="start"),
        cox_from_counts(table, covariates=["g"], strata="s"),
    )


@given(COHORT, st.integers(2, 9))
def test_another_unit_changes_nothing(frame: pd.DataFrame, factor: int) -> None:
    scaled = frame.assign(t=frame["t"] * factor)
    _same(*(cox(each, **OF, covariates=["g", "s"]) for each in (frame, scaled)))


@given(COHORT)
def test_the_other_reference_inverts_the_ratio(frame: pd.DataFrame) -> None:
    frame = frame[frame["g"] != "c"]
    other = frame.assign(g=pd.Categorical(frame["g"], ["b", "a"]))
    first, second = (cox(each, **OF, covariates=["g"]).terms for each in (frame, other))
    product = (first["hazard_ratio"] * second["hazard_ratio"]).dropna().to_numpy()
    assert product == pytest.approx(np.ones(len(product)))
    assert first["reason"].tolist() == second["reason"].tolist()


@given(COHORT)
def test_cutting_an_interval_in_two_changes_nothing(frame: pd.DataFrame) -> None:
    whole = frame.assign(start=0)
    middle = frame["t"] // 2
    parts = pd.concat([whole.assign(t=middle, e=0), whole.assign(start=middle)])
    _same(
        cox(whole, **OF, covariates=["g", "s"], entry="start"),
        cox(parts[parts["t"] > parts["start"]], **OF, covariates=["g", "s"], entry="start"),
    )


@given(COHORT)
def test_unit_weights_change_the_error_only(frame: pd.DataFrame) -> None:
    weighted = cox(frame.assign(w=1.0), **OF, covariates=["g"], weights="w")
    plain = cox(frame, **OF, covariates=["g"])
    assert weighted.terms["coefficient"].to_numpy() == pytest.approx(
        plain.terms["coefficient"].to_numpy(), nan_ok=True
    )
