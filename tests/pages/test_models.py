"""Subgroups, Cox models and balance below the curves: numbers, controls, charts as data."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from analytics.balance import match, propensity, weighted_kaplan_meier
from analytics.hazard import cox
from analytics.switching import counting_process
from data import queries
from data.cohort import CohortFilter, with_comparison
from data.store import Snapshot, find
from data.variables import Dictionary
from pages.elements import wording
from pages.elements.answers import balanced as balances
from pages.elements.answers import models, survival
from pages.elements.answers import subgroups as forests
from pages.elements.charts.balance import love_plot
from pages.elements.charts.subgroups import subgroup_forest
from pages.elements.charts.theme import styles
from tests.drawn import texts

ROOT = Path(__file__).parents[2]
PAGE = "pages/survival.py"
EVERYBODY = CohortFilter()
MRD = {"by": "mrd_3_months", "landmark_days": "91"}
STUDIES = ("short2025", "nguyen2026", "allmrd", "chiaretti2004")


@pytest.fixture(autouse=True)
def _store(short2025: Snapshot) -> None:
    """Have the embedded cohorts in the store that the pages open."""


def run(page: str = PAGE, **query: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    test = (test if page == "app.py" else test.switch_page(page)).run()
    assert not test.exception
    return test


@cache
def shown(**query: str) -> AppTest:
    """A page that the test only reads."""
    return run(**query)


def said(test: AppTest) -> str:
    """Return all text of a page, as it reads."""
    parts = [str(e.value) for kind in ("title", "subheader", "markdown", "info", "error")
             for e in test.get(kind)]  # fmt: skip
    return re.sub(r"\\(.)", r"\1", "\n".join(parts))


def asked(test: AppTest, name: str) -> list[str] | None:
    if name not in test.query_params:
        return None
    value = test.query_params[name]
    return [value] if isinstance(value, str) else list(value)


def group(test: AppTest, label: str) -> Any:
    (found,) = [g for g in test.get("button_group") if g.label == label]
    return found


def chart(test: AppTest, words: str) -> tuple[dict[str, pd.DataFrame], str]:
    """Return the one chart whose alternative text begins so: its data and the text."""
    (found,) = [c.proto for c in test.get("vega_lite_chart") if c.proto.alt.startswith(words)]
    data = {each.name: convert_arrow_bytes_to_pandas_df(each.data.data) for each in found.datasets}
    return data, found.alt


def table(test: AppTest, head: str) -> pd.DataFrame:
    (found,) = [t.value for t in test.table if head in map(str, t.value.columns)]
    return found.set_index("")


def patients(cohort: CohortFilter = EVERYBODY) -> pd.DataFrame:
    """The patients of short2025 with RFS, without the code under test."""
    snapshot = find("short2025")
    variables = queries.dictionary(snapshot)
    times = queries.event_rows(snapshot, cohort, variables, endpoint="RFS", landmark_days=0)
    everybody = queries.subjects(snapshot, cohort, variables)
    return everybody.merge(times[["patient_id", "time", "event"]], on="patient_id")


def forest(by: str = "mrd_3_months", **more: Any) -> forests.ForestRows:
    snapshot = find("short2025")
    options: dict[str, Any] = {"against": None, "landmark_days": 91, "endpoint": "RFS", **more}
    found = forests.subgroups(snapshot, EVERYBODY, queries.dictionary(snapshot), by=by, **options)
    assert found is not None
    return found


# The section


def test_nothing_is_computed_until_a_section_is_chosen() -> None:
    test = run(**MRD)
    assert group(test, "Beyond the curves").value is None
    assert "Hazard ratio of" not in " ".join(e.value for e in test.subheader)
    group(test, "Beyond the curves").set_value("cox").run()
    assert asked(test, "section") == ["cox"]
    group(test, "Beyond the curves").set_value(None).run()
    assert asked(test, "section") is None


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("section", ["subgroups", "cox", "balance"])
def test_every_study_has_an_answer_or_a_sentence(study: str, section: str) -> None:
    test = run(study=study, section=section, by="ph_status")
    assert not test.error


def test_an_unknown_section_is_not_shown_as_if_it_had_not_been_asked() -> None:
    assert "not a choice for section" in said(run(section="everything"))
    assert "not a choice for covariates" in said(
        run(section="cox", covariates="age_years,nonsense")
    )


def test_no_event_is_a_sentence() -> None:
    test = run(
        study="short2025", risk_group="standard", mrd_after_cycle_1="negative", section="cox"
    )
    assert "no hazard to model" in said(test)


# Subgroups


def test_question_10_is_three_clicks_from_the_landing_page() -> None:
    test = run("app.py", study="short2025")
    test = test.switch_page(PAGE).run()
    group(test, "Beyond the curves").set_value("subgroups").run()
    (button,) = [b for b in test.button if b.label == "MRD at 3 months"]
    button.click().run()
    assert asked(test, "by") == ["mrd_3_months"]
    assert "Hazard ratio of MRD positive against MRD negative, by subgroup" in said(test)
    _, words = chart(test, "Hazard ratio of MRD positive against MRD negative:")
    assert " in all patients; in " in words


def test_the_first_row_is_the_figure(short2025: Snapshot, variables: Dictionary) -> None:
    figure = survival.survival(
        short2025, EVERYBODY, variables, endpoint="RFS", by="mrd_3_months", landmark_days=91,
        horizon_days=1460,
    )  # fmt: skip
    assert figure.hazard is not None
    wanted = figure.hazard.groups.set_index("level").loc["positive"]
    first = forest().subgroups.rows.iloc[0]
    assert (first["n"], first["n_event"]) == (figure.n, figure.n_event) == (109, 20)
    for name, column in (("hazard_ratio", "ratio"), ("low", "low"), ("high", "high")):
        assert first[name] == pytest.approx(wanted[column], rel=1e-9)


def test_a_subgroup_is_a_cox_model_of_its_patients() -> None:
    rows = forest().subgroups.rows.set_index(["variable", "level"])
    at = patients().query("time > 91 and mrd_3_months in ('negative', 'positive')")
    day = at["mrd_3_months_day"] - at["cr_day"]
    at = at[~(day > 91)]
    for name, level, inside in (
        ("sex", "female", at["sex"] == "female"),
        ("age_years", "≥ 45", at["age_years"] >= at["age_years"].median()),
        ("tp53_mutated", "no", (~at["tp53_mutated"].astype("boolean")).fillna(False)),
    ):
        fit = cox(at[inside], time="time", event="event", covariates=["mrd_3_months"])
        line = rows.loc[(name, level)]
        assert line["n"] == inside.sum() == fit.n
        assert line["hazard_ratio"] == pytest.approx(fit.terms["hazard_ratio"].iloc[0], rel=1e-9)


def test_the_forest_prints_counts_ratio_and_interaction() -> None:
    data, words = chart(shown(**MRD, section="subgroups"), "Hazard ratio of MRD positive")
    rows = {(r["group"], r["label"]): r for r in data["rows"].to_dict("records")}
    assert len(rows) == len(data["rows"])
    whole = rows["All patients", "All patients"]
    assert (whole["first"], whole["second"]) == ("10/71", "10/38")
    assert whole["ratio"] == "2.26 (0.93–5.47)"
    assert "2.26 (0.93–5.47) in all patients" in words
    never = rows["Ph-like (31 not known)", "Yes"]
    assert never["ratio"] == wording.NOT_ESTIMABLE
    assert never["first"] == "0/6"
    heads = dict(zip(data["heads"]["text"], data["heads"]["p"], strict=True))
    assert heads["Sex"] == "0.23"
    assert heads["Transplant"] == "–"


def test_what_is_not_drawn_is_said() -> None:
    words = said(shown(**MRD, section="subgroups"))
    assert "30 subgroups compared, none adjusted" in words
    assert "fewer than 5 patients: Transplant: AlloSCT in CR1 (1)" in words
    assert "no ratio in any of its groups: MRD dynamics" in words
    assert "more than 6 levels: Cytogenetics" in words
    assert "split at the median" in words
    # The curves, all patients, 30 subgroups and 14 tests of interaction.
    assert "Comparison 46 of this session" in words


def test_what_is_known_later_needs_the_landmark() -> None:
    test = run(by="mrd_after_cycle_1", section="subgroups")
    assert "Transplant and CAR T-cell consolidation: known only after time starts" in said(test)
    later = forest(landmark_days=None, by="sex").later
    assert [v.name for v in later][-3:] == ["mrd_best", "allosct", "car_t"]
    assert forest(by="sex", landmark_days=183).later == ()
    buttons = [b for b in test.button if b.label.startswith("Start at")]
    buttons[-1].click().run()
    assert asked(test, "landmark_days") is not None
    assert "known only after time starts" not in said(test)


def test_three_groups_offer_which_to_compare() -> None:
    test = run(study="short2025", by="frontline_therapy", section="subgroups")
    (choice,) = [s for s in test.selectbox if s.label.startswith("Compared with")]
    assert choice.label == "Compared with hyper-CVAD-based"
    choice.set_value("mini-hyper-CVD-based").run()
    assert asked(test, "contrast") == ["mini-hyper-CVD-based"]
    assert "of mini-hyper-CVD-based against hyper-CVAD-based" in said(test)
    # Another grouping does not have that level: its own second level is compared.
    other = run(by="sex", section="subgroups", contrast="mini-hyper-CVD-based")
    assert "Hazard ratio of Male against Female" in said(other)


def test_one_group_is_a_sentence() -> None:
    test = run(study="allmrd", by="ph_status", section="subgroups")
    assert "nothing to compare" in said(test)


# The forest as data


def row(label: str, value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"kind": "row", "label": label, "n": 20, "n_event": 9, "first": "4/10", "second": "5/10",
            "value": value, "low": low, "high": high, "text": "x", **more}  # fmt: skip


GROUPS = [(f"MRD {level}", styles("mrd_x", [level])[0]) for level in ("negative", "positive")]
ROWS = [
    row("All patients", 2.0, 0.9, 4.4, kind="all"),
    {"kind": "head", "label": "Sex", "p": "0.23"},
    row("Female", 3.0, 0.001, 5000.0),
    row("Male", math.nan, math.nan, math.nan, text="not estimable"),
]


def test_intervals_end_in_triangles_where_the_axis_ends() -> None:
    data = subgroup_forest(ROWS, groups=GROUPS)["datasets"]
    assert {(c["end"], c["value"]) for c in data["clipped"]} >= {("left", 0.2), ("right", 20.0)}
    inside = [line for line in data["intervals"] if line["low"] == 0.9]
    assert inside[0]["high"] == 4.4
    assert len(data["values"]) == 2
    assert [r["ratio"] for r in data["rows"]] == ["x", "x", "not estimable"]


def test_rows_of_a_forest_never_touch() -> None:
    long = "A very long name of a subgroup that no page could hold in one line"
    rows = [*ROWS, {"kind": "head", "label": long, "p": "–"}, row(long, 1.0, 0.5, 2.0)]
    data = subgroup_forest(rows, groups=GROUPS)["datasets"]
    places = sorted([*data["rows"], *data["heads"]], key=lambda line: line["y"])
    assert all(b["y"] - a["y"] >= 20 for a, b in pairwise(places))
    assert "\n" in places[-1]["phone"]


@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.4, 9.0])
def test_each_side_of_a_forest_is_named_from_the_ratio_1_on(ratio: float, phone: bool) -> None:
    rows = [row("All patients", ratio, ratio / 2, 1.6 * ratio, kind="all")]
    drawn = texts(subgroup_forest(rows, groups=GROUPS), phone=phone)
    (one,) = (text.x for text in drawn if text.text == "1")
    left, right = (text for text in drawn if "fewer events" in text.text)
    assert (left.text, left.align) == ("← fewer events:\nMRD positive", "right")
    assert (right.text, right.align) == ("fewer events:\nMRD negative →", "left")
    assert one - 12 < left.x < one < right.x < one + 12


def test_the_name_of_a_side_without_room_is_left_out() -> None:
    groups = [("Mini-hyper-CVD-based", GROUPS[0][1]), GROUPS[1]]
    rows = [row("All patients", 0.1, 0.06, 0.4, kind="all")]
    drawn = texts(subgroup_forest(rows, groups=groups), phone=True)
    assert [text.text for text in drawn if "fewer events" in text.text] == [
        "← fewer events:\nMRD positive"
    ]


def test_a_phone_reads_the_interaction_in_the_row_of_its_variable() -> None:
    rows = [*ROWS, {"kind": "head", "label": "Age", "p": "<\u202f0.001"}, row("Old", 1.0, 0.5, 2.0),
            {"kind": "head", "label": "Transplant", "p": "–"}]  # fmt: skip
    drawn = {text.text: text for text in texts(subgroup_forest(rows, groups=GROUPS), phone=True)}
    for head, p in (("Sex", "P = 0.23"), ("Age", "P <\u202f0.001"), ("Transplant", "P –")):
        assert drawn[p].y == drawn[head].y
        assert drawn[p].x == drawn["HR (95% CI)\nInteraction P"].x
    wide = {text.text for text in texts(subgroup_forest(rows, groups=GROUPS), phone=False)}
    assert {"0.23", "P\ninteraction"} <= wide


def test_a_forest_has_palette_names_and_one_template() -> None:
    first, second = (subgroup_forest(rows, groups=GROUPS) for rows in (ROWS, ROWS[:3] + ROWS[3:]))
    assert first["layer"] is second["layer"]
    values = json.dumps(first["layer"])
    assert '"value": "blue"' in values
    assert '"value": "red"' in values
    assert "#" not in values


def test_a_forest_of_nothing_estimable_is_drawn() -> None:
    rows = [row("All patients", math.nan, math.nan, math.nan, kind="all", text="not estimable")]
    data = subgroup_forest(rows, groups=GROUPS)["datasets"]
    assert not data["values"]
    assert not data["overall"]


# Cox models


def test_cox_table_of_papers() -> None:
    test = run(**MRD, section="cox")
    rows = table(test, "Multivariable HR (95% CI)")
    at = patients().query("time > 91")
    day = at["mrd_3_months_day"] - at["cr_day"]
    status = at["mrd_3_months"].where(
        at["mrd_3_months"].isin(["negative", "positive"]) & ~(day > 91)
    )
    frame = pd.DataFrame({
        "time": at["time"], "event": at["event"], "mrd": status, "age": at["age_years"] / 10,
        "wbc": np.log2(at["wbc_10e9_per_l"]),
        "risk": pd.Categorical(at["risk_group"], ["standard", "high", "Ph-positive"]),
    })  # fmt: skip
    asked_for: dict[str, Any] = {"time": "time", "event": "event"}
    joint = cox(frame, covariates=["mrd", "age", "wbc", "risk"], **asked_for)
    alone = cox(frame, covariates=["age"], **asked_for)
    terms = joint.terms.set_index("term")

    def cell(line: pd.Series) -> str:
        return wording.ratio_cell(line["hazard_ratio"], line["low"], line["high"])

    age = rows.loc["**Age**, per 10 years"]
    assert age["Univariable HR (95% CI)"] == cell(alone.terms.iloc[0])
    assert age["Multivariable HR (95% CI)"] == cell(terms.loc["age"])
    assert age["P "] == wording.p_number(terms.loc["age", "p_value"])
    positive = rows.loc["&nbsp;&nbsp;&nbsp;Positive"]
    assert (positive["n"], positive["Events"]) == ("38", "10")
    assert positive["Multivariable HR (95% CI)"] == cell(terms.loc["mrd[positive]"])
    assert (
        rows.loc["&nbsp;&nbsp;&nbsp;Negative", "Univariable HR (95% CI)"] == ":gray[1 (reference)]"
    )
    proportional = joint.proportional_hazards().set_index("term")["p_value"]
    assert age["P, proportional hazards"] == wording.p_number(proportional["age"])
    words = said(test)
    assert f"**{joint.n} patients**, **{joint.n_event} events**" in words
    assert f"concordance {joint.concordance:.2f}" in words
    assert "20 events for 5 coefficients" in words
    assert "50 patients (2 events) left out of it, not known by the landmark: " in words
    assert "the landmark: MRD at 3 months 50." in words


def test_a_transplant_counts_from_its_day_where_there_is_no_landmark() -> None:
    test = run(study="short2025", section="cox", covariates="allosct,age_years")
    rows = table(test, "Multivariable HR (95% CI)")
    assert "**Transplant** :gray[from its day on]" in rows.index
    at = patients().assign(age=lambda f: f["age_years"] / 10)
    at["day"] = at["allosct_day"] - at["cr_day"]
    split = counting_process(
        at[["time", "event", "day", "age"]], time="time", event="event", switch="day"
    )
    fit = cox(split, time="stop", event="event", entry="start", covariates=["switched", "age"])
    line = fit.terms.iloc[0]
    wanted = wording.ratio_cell(line["hazard_ratio"], line["low"], line["high"])
    shown = rows.loc["&nbsp;&nbsp;&nbsp;AlloSCT in CR1", "Multivariable HR (95% CI)"]
    assert shown == wanted
    assert "Transplant is time-dependent" in said(test)
    fixed = run(
        study="short2025", section="cox", covariates="allosct,age_years", landmark_days="183"
    )
    assert "time-dependent" not in said(fixed)


def test_two_changing_covariates_need_a_landmark() -> None:
    test = run(study="short2025", section="cox", covariates="allosct,car_t")
    assert "both change while patients are followed" in said(test)


def test_a_covariate_known_later_is_guarded_with_the_landmark() -> None:
    test = run(study="short2025", section="cox", covariates="mrd_3_months,age_years")
    assert "MRD at 3 months is known only in patients still event-free then" in said(test)
    (button,) = [b for b in test.button if b.label == "Start at 3 months"]
    button.click().run()
    assert asked(test, "landmark_days") == ["91"]
    assert "Immortal time" not in said(test)


def test_covariates_are_added_and_taken_out() -> None:
    test = run(study="short2025", section="cox")
    pills = group(test, "Covariates")
    assert pills.value == ["age_years", "wbc_10e9_per_l", "risk_group"]
    (find_one,) = [s for s in test.selectbox if s.label == "Add a covariate"]
    find_one.set_value("sex").run()
    assert asked(test, "covariates") == ["age_years,wbc_10e9_per_l,risk_group,sex"]
    assert "**Sex**" in table(test, "Multivariable HR (95% CI)").index
    group(test, "Covariates").set_value(["age_years"]).run()
    assert asked(test, "covariates") == ["age_years"]
    group(test, "Covariates").set_value([]).run()
    assert asked(test, "covariates") == ["none"]
    assert "Choose at least one covariate" in said(test)
    group(test, "Covariates").set_value(["age_years", "wbc_10e9_per_l", "risk_group"]).run()
    assert asked(test, "covariates") is None


def test_firth_is_offered_only_where_there_is_no_finite_estimate() -> None:
    query = {"study": "short2025", "ph_status": "negative", "risk_group": "high",
             "section": "cox", "covariates": "mrd_after_cycle_1"}  # fmt: skip
    test = run(**query)
    row = table(test, "Multivariable HR (95% CI)").loc["&nbsp;&nbsp;&nbsp;Positive"]
    assert row["Multivariable HR (95% CI)"] == ":gray[no finite estimate]"
    (toggle,) = [t for t in test.toggle if "Firth" in t.label]
    toggle.set_value(True).run()
    assert asked(test, "firth") == ["yes"]
    at = patients(CohortFilter(ph_status=("negative",), risk_group=("high",)))
    at = at[at["mrd_after_cycle_1"].isin(["negative", "positive"])]
    (term,) = cox(
        at, time="time", event="event", covariates=["mrd_after_cycle_1"], penalty="firth"
    ).terms.to_dict("records")
    row = table(test, "Firth’s HR (95% CI)").loc["&nbsp;&nbsp;&nbsp;Positive"]
    assert row["Firth’s HR (95% CI)"] == wording.ratio_cell(
        term["hazard_ratio"], term["low"], term["high"]
    )
    assert not [t for t in run(study="short2025", section="cox").toggle if "Firth" in t.label]


def test_collinear_and_constant_covariates_are_named() -> None:
    rows = table(
        run(study="short2025", section="cox", covariates="risk_group,ph_status"),
        "Multivariable HR (95% CI)",
    )
    assert "follows from the others" in " ".join(rows["Multivariable HR (95% CI)"])
    test = run(study="short2025", section="cox", covariates="lineage,age_years")
    assert "one level only: Lineage" in said(test)


def test_a_level_that_nobody_of_the_complete_cases_has_is_no_reference() -> None:
    snapshot = find("short2025")
    answer = models.cox_models(
        snapshot, EVERYBODY, queries.dictionary(snapshot), endpoint="RFS",
        covariates=("risk_group", "tp53_mutated"), landmark_days=None, firth=False,
    )  # fmt: skip
    risk = answer.covariates[0].rows.set_index("level")
    assert risk["all_reason"].to_dict() == {
        "standard": models.REFERENCE, "high": "", "Ph-positive": models.NOBODY,
    }  # fmt: skip
    # TP53: the ratio is that of the mutated.
    assert answer.covariates[1].rows["level"].tolist() == ["no", "yes"]


# Balance


def test_balance_of_a_transplant_needs_a_landmark() -> None:
    test = run(study="short2025", by="allosct", section="balance")
    assert "balance needs a landmark first" in said(test)
    assert not [c for c in test.get("vega_lite_chart") if c.proto.alt.startswith("Largest")]
    buttons = [b for b in test.button if b.label.startswith("Start at")]
    buttons[-1].click().run()
    assert "balance needs a landmark first" not in said(test)


def test_matched_numbers_are_those_of_the_statistics() -> None:
    test = run(**MRD, section="balance")
    at = patients().query("time > 91 and mrd_3_months in ('negative', 'positive')").copy()
    at = at[~(at["mrd_3_months_day"] - at["cr_day"] > 91)]
    at["treated"] = at["mrd_3_months"] == "positive"
    at["risk_group"] = pd.Categorical(at["risk_group"], ["standard", "high", "Ph-positive"])
    matched = match(
        propensity(at, treated="treated", covariates=["age_years", "wbc_10e9_per_l", "risk_group"])
    )
    kept = at.assign(pair=matched.frame["pair"])[matched.frame["weight"] > 0]
    fit = cox(kept, time="time", event="event", covariates=["treated"], cluster="pair")
    line = fit.terms.iloc[0]
    words = said(test)
    assert f"**{wording.ratio(line['hazard_ratio'], line['low'], line['high'])}**" in words
    p_value = fit.tests.set_index("test")["p_value"]["robust score"]
    assert f"robust **{wording.p_value(p_value)}**" in words
    curves = weighted_kaplan_meier(
        at, time="time", event="event", weights=matched.frame["weight"], by="treated"
    )
    rate = curves.at(730).set_index("treated").loc[False]
    (frame,) = [t.value for t in test.table if "**Matched**, patients" in set(t.value[""])]
    start = frame[""].tolist().index("**Matched**, patients")
    two_year = frame.iloc[start:].set_index("").loc["&nbsp;&nbsp;&nbsp;2-year RFS"]
    assert two_year.iloc[0].startswith(f"**{wording.percent(rate['survival'])}**")
    assert "33 patients, not needed as a match" in words
    assert "not measured can still differ" in words


@pytest.mark.parametrize("method", ["matching", "ATE", "ATT"])
def test_every_method_draws_before_and_after(method: str) -> None:
    data, words = chart(run(**MRD, section="balance", balance=method), "Largest standardised")
    dots = data["dots"]
    assert set(dots["when"]) == {"before", "after"}
    largest = dots.groupby("when")["value"].max()
    assert f"{largest['before']:.2f} before, {largest['after']:.2f} after" in words
    assert largest["after"] < largest["before"]


def test_the_method_is_chosen_by_a_click() -> None:
    test = run(**MRD, section="balance")
    group(test, "Made comparable by").set_value("ATE").run()
    assert asked(test, "balance") == ["ATE"]
    assert "MRD positive against MRD negative, weighted" in said(test)


def test_patients_without_anybody_to_compare_them_with() -> None:
    test = run(study="short2025", by="allosct", landmark_days="160", section="balance")
    assert "Risk group, Standard and Ph+: all of one group" in said(test)
    (button,) = [b for b in test.button if b.label == "Only High"]
    button.click().run()
    assert asked(test, "risk_group") == ["high"]
    assert "No overlap" not in said(test)
    assert "AlloSCT in CR1 against No alloSCT, matched" in said(test)


def test_what_cannot_be_balanced_is_said() -> None:
    apart = run(study="short2025", by="frontline_therapy", ph_status="negative", section="balance",
                balance="ATE")  # fmt: skip
    assert "Standardised difference still above 0.1: Age" in said(apart)
    competing = run(study="short2025", by="sex", endpoint="CIR", section="balance")
    assert "competing event" in said(competing)


def test_a_separation_names_variables_by_their_labels(short2025: Snapshot) -> None:
    test = run(
        study="short2025", by="risk_group", section="balance", covariates="ph_like,tp53_mutated"
    )
    assert not test.error
    assert "ph_like" not in said(test)
    assert "No overlap" in said(test)
    with pytest.raises(balances.NobodyToCompare):
        balances.balanced(
            short2025, EVERYBODY, queries.dictionary(short2025), endpoint="RFS", by="risk_group",
            against="high", covariates=("ph_like",), method="ATE", landmark_days=None,
        )  # fmt: skip


def test_the_love_plot_as_data() -> None:
    rows = [
        {"label": "Age", "before": -0.63, "after": 0.02},
        {"label": "Risk group: High", "before": math.nan, "after": 0.3},
    ]
    data = love_plot(rows)["datasets"]
    assert [(d["when"], d["value"], d["read"]) for d in data["dots"]] == [
        ("before", 0.63, "−0.63"), ("after", 0.02, "+0.02"), ("after", 0.3, "+0.30"),
    ]  # fmt: skip
    assert len(data["links"]) == 1
    assert all(a["y"] != b["y"] for a, b in combinations(data["names"], 2))


def test_saved_cohorts_are_known_by_the_landmark_in_every_section(
    short2025: Snapshot, variables: Dictionary
) -> None:
    a, b = (CohortFilter(mrd_3_months=(status,)) for status in ("negative", "positive"))
    compared = queries.comparing(short2025, a, b, variables)
    both = with_comparison(variables, a=a, b=b)
    question: Any = {"endpoint": "RFS", "by": "cohorts", "landmark_days": 60}
    figure = survival.survival(compared, EVERYBODY, both, horizon_days=1460, **question)
    forest = forests.subgroups(compared, EVERYBODY, both, against=None, **question)
    assert forest is not None
    first = forest.subgroups.rows.iloc[0]
    # Whoever's MRD was known after day 60 is in neither: 28 and 20 patients, not 74 and 39.
    assert (first["n_event_1"], first["n_1"], first["n_event_2"], first["n_2"]) == (4, 28, 6, 20)
    assert figure.n == 48
    assert figure.hazard is not None
    assert first["hazard_ratio"] == pytest.approx(figure.hazard.groups["ratio"].iloc[1])
    model = models.cox_models(
        compared, EVERYBODY, both, endpoint="RFS", covariates=["cohorts"],
        landmark_days=60, firth=False,
    )  # fmt: skip
    assert (model.n, model.n_event) == (48, 10)
