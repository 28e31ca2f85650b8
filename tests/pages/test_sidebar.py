"""The sidebar: filters, what they leave out, the MRD rule, and two cohorts saved and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest
from streamlit.testing.v1 import AppTest

from data import queries
from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.rule import MrdRule
from data.store import Snapshot, find
from data.variables import Dictionary

ROOT = Path(__file__).parents[2]
PAGES = ("app.py", "pages/survival.py", "pages/mrd.py", "pages/patients.py")
Query = dict[str, str | list[str]]


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """Have the embedded cohorts in the store that the pages open."""


def run(page: str, query: Query) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in ({"study": "short2025"} | query).items():
        test.query_params[name] = value
    return (test if page == "app.py" else test.switch_page(page)).run()


def said(test: AppTest) -> str:
    kinds = ("title", "subheader", "markdown", "info", "error", "warning")
    return "\n".join(str(e.value) for kind in kinds for e in test.get(kind)).replace("\\", "")


def asked(test: AppTest, name: str) -> list[str]:
    value = test.query_params.get(name, [])
    return [value] if isinstance(value, str) else list(value)


def button(test: AppTest, label: str):  # type: ignore[no-untyped-def]
    (found,) = [b for b in test.button if b.label == label or b.key == label]
    return found


def group(test: AppTest, label: str):  # type: ignore[no-untyped-def]
    (found,) = [g for g in test.get("button_group") if g.label == label]
    return found


def pills(test: AppTest, name: str) -> dict[str, int]:
    """The live counts of one filter, by the word on the button."""
    (found,) = [g for g in test.get("button_group") if g.key == f"filter_{name}"]
    counts = {}
    for option in found.proto.options:
        words = option.content.replace(":gray[", "").rstrip("]").split(" ")
        counts[" ".join(words[:-1])] = int(words[-1])
    return counts


# The MRD rule


def test_a_cut_off_changes_counts_cohort_line_and_address(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run("pages/survival.py", {"by": "mrd_3_months"})
    before = pills(test, "mrd_3_months")
    test.selectbox(key="rule_cutoff").set_value("1e-4").run()
    assert not test.exception
    assert asked(test, "mrd_cutoff") == ["1e-4"]
    assert "all patients · MRD cut-off 10⁻⁴ · **161 of 161 patients**" in said(test)
    cohort = CohortFilter(rule=MrdRule(cutoff=1e-4))
    counts = queries.level_counts(short2025, cohort, variables, ("mrd_3_months",))
    expected = {k.capitalize(): n for k, n in counts["mrd_3_months"].items()}
    shown = pills(test, "mrd_3_months")
    assert shown == expected != before
    events = queries.events(short2025, cohort, variables, endpoint="RFS", by=("mrd_3_months",))
    sizes = events.groupby("mrd_3_months")[["n_event", "n_censored"]].sum().sum(axis=1)
    numbers = test.table[0].value.set_index("")
    assert [int(n) for n in numbers.loc["Patients"]] == sizes[["negative", "positive"]].tolist()
    button(test, "Study’s own rule").click().run()
    assert "mrd_cutoff" not in test.query_params
    assert pills(test, "mrd_3_months") == before


def test_below_lod_can_count_as_negative() -> None:
    test = run("app.py", {})
    before = pills(test, "mrd_after_cycle_1")
    group(test, "Found below the limit of detection").set_value("negative").run()
    after = pills(test, "mrd_after_cycle_1")
    assert before["Below LOD"] == 2
    assert "Below LOD" not in after
    assert after["Negative"] == before["Negative"] + 2
    assert "MRD below LOD as negative" in said(test)


def test_an_assay_is_offered_where_a_study_has_two() -> None:
    test = run("pages/mrd.py", {"study": "nguyen2026"})
    group(test, "Assay").set_value("MFC").run()
    assert not test.exception
    assert asked(test, "mrd_assay") == ["MFC"]
    assert pills(test, "mrd_after_cycle_1") == {"Not assessed": 38}
    assert "Only samples by MFC count." in said(test)
    alone = run("pages/mrd.py", {})
    assert not [g for g in alone.get("button_group") if g.label == "Assay"]


def test_filters_are_reset_and_the_rule_stays() -> None:
    test = run("app.py", {"mrd_cutoff": "1e-4", "risk_group": "high"})
    button(test, "Reset").click().run()
    assert "risk_group" not in test.query_params
    assert asked(test, "mrd_cutoff") == ["1e-4"]


def test_a_study_without_mrd_has_no_rule() -> None:
    test = run("pages/survival.py", {"study": "chiaretti2004"})
    assert not test.exception
    assert not [s for s in test.selectbox if s.key == "rule_cutoff"]
    vain = run("pages/survival.py", {"study": "chiaretti2004", "mrd_assay": "NGS"})
    assert "‘NGS’ is not an MRD assay of this study: it has none." in said(vain)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("study", ["short2025", "nguyen2026", "allmrd"])
def test_every_page_stands_under_another_rule(page: str, study: str) -> None:
    query: Query = {"study": study, "mrd_cutoff": "1e-5", "mrd_below_lod": "negative"}
    test = run(page, query)
    assert not test.exception
    assert not test.error
    assert "MRD cut-off 10⁻⁵, below LOD as negative" in said(test)


# Two cohorts

A = {"ph_status": ["negative"], "risk_group": ["high"]}
B = {"age_years": ["0..50"]}
BOTH: Query = {"cohort_a": urlencode(A, doseq=True), "cohort_b": urlencode(B, doseq=True)}


def test_two_selections_are_saved_compared_and_cleared(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run("pages/survival.py", A)
    button(test, "Save as A").click().run()
    assert parse_qs(asked(test, "cohort_a")[0]) == A
    assert "**A** Ph-negative · high risk :gray[59]" in said(test)
    button(test, "Reset").click().run()
    test.session_state["view"] = test.session_state["view"].with_cohort(
        CohortFilter(age_years=(0, 50))
    )
    test.session_state["view_changed"] = True
    test.run()
    button(test, "Save as B").click().run()
    button(test, "Compare A with B").click().run()
    assert not test.exception
    assert asked(test, "by") == ["cohorts"]
    assert "age_years" not in test.query_params
    a = set(queries.subjects(short2025, CohortFilter(**A), variables)["patient_id"])
    b = set(queries.subjects(short2025, CohortFilter(age_years=(0, 50)), variables)["patient_id"])
    numbers = test.table[0].value.set_index("")
    assert [int(n) for n in numbers.loc["Patients"]] == [len(a - b), len(b - a)]
    assert (
        f"{len(a & b)} patients are in both cohorts and in neither group: the groups are"
        in said(test)
    )
    button(test, "clear_A").click().run()
    assert not test.exception
    assert {"cohort_a", "by"}.isdisjoint(test.query_params)
    assert "cohort_b" in test.query_params
    button(test, "Undo").click().run()
    assert asked(test, "by") == ["cohorts"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_groups_by_two_saved_cohorts(page: str) -> None:
    test = run(page, BOTH | {"by": "cohorts"})
    assert not test.exception
    assert not test.error
    assert "are in both cohorts and in neither group" in said(test)


def test_a_filter_narrows_both_cohorts_and_can_be_lifted() -> None:
    test = run("pages/survival.py", BOTH | {"by": "cohorts", "sex": "male"})
    assert "The filter applies on top of both cohorts." in said(test)
    button(test, "Lift it").click().run()
    assert "sex" not in test.query_params
    assert "on top of both" not in said(test)


def test_a_comparison_inherits_when_its_cohorts_become_known() -> None:
    late = urlencode({"mrd_3_months": "negative"})
    test = run("pages/survival.py", BOTH | {"cohort_a": late, "by": "cohorts"})
    assert "MRD at 3 months is known only in patients still event-free then." in said(test)
    button(test, "Start at 3 months").click().run()
    assert not test.exception
    assert "Landmark at 3 months" in said(test)
    assert "status known only after" in said(test)
    transplanted = urlencode({"allosct": "yes"})
    query = BOTH | {"cohort_a": transplanted, "by": "cohorts", "landmark_days": "150"}
    test = run("pages/survival.py", query)
    assert "A saved cohort chosen by transplant also counts what came after" in said(test)
    button(test, "Leave the comparison").click().run()
    assert "by" not in test.query_params
    assert "cohort_a" in test.query_params


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"cohort_a": "risk_group=hihg"}, "Cohort A: ‘hihg’ is not a level of Risk group"),
        ({"cohort_b": "shoe=44"}, "Cohort B: This study has no variable ‘shoe’."),
        ({"cohort_b": "nothing"}, "Cohort B has no condition."),
        ({"cohort_a": "sex=male", "by": "cohorts"}, "‘cohorts’ is not a choice for by"),
        ({"cohorts": "A"}, "no variable ‘cohorts’"),
        ({"mrd_cutoff": "1e-9"}, "‘1e-9’ is not an MRD cut-off"),
        ({"mrd_assay": "MFC"}, "‘MFC’ is not an MRD assay of this study: NGS."),
    ],
)
def test_what_is_wrong_in_a_link_is_said_and_the_rest_is_one_click_away(
    query: Query, words: str
) -> None:
    test = run("pages/survival.py", {"ph_status": "negative"} | query)
    assert words in said(test)
    assert not test.table
    button(test, "Show without it").click().run()
    assert not test.exception
    assert "Ph-negative · **110 of 161 patients**" in said(test)


def test_a_link_can_filter_by_a_saved_cohort() -> None:
    test = run("pages/survival.py", BOTH | {"cohorts": "A"})
    assert not test.exception
    assert "cohort A (Ph-negative · high risk, not in B) · **25 of 161 patients**" in said(test)


# Filters


def test_who_is_left_out_stands_condition_by_condition() -> None:
    test = run("app.py", A | {"age_years": "20..60"})
    assert "on its own" not in said(test)
    test.session_state["left_out"] = True
    test.run()
    text = said(test)
    assert "Whole study **161**" in text
    assert "high risk  \n:gray[−51 here, −102 on its own]" in text
    assert "Age 20–60 years  \n:gray[−16 here, −50 on its own]" in text
    assert "This cohort **43**" in text
    button(test, "lift_age_years").click().run()
    assert "age_years" not in test.query_params
    assert "**59 of 161 patients**" in said(test)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("TP53 mutated", ("tp53_mutated", "")),
        ("wbc_10e9_per_l", ("wbc_10e9_per_l", "")),
        ("hyperdiploidy", ("cytogenetics", "high hyperdiploidy")),
        ("MRD at 6 months", ("mrd_6_months", "")),
    ],
)
def test_a_variable_is_found_by_label_name_and_level(typed: str, found: tuple[str, str]) -> None:
    test = run("app.py", {})
    box = test.selectbox(key="find_variable")
    (option,) = [o for o in box.options if typed.lower() in o.lower() and (
        not found[1] or found[1] in o.lower()) and (found[1] or "·" in o)]  # fmt: skip
    box.set_value(option).run()
    assert not test.exception
    if found[1]:
        assert asked(test, found[0]) == [found[1]]
    else:
        widgets = [*test.get("button_group"), *test.slider]
        assert f"filter_{found[0]}" in [w.key for w in widgets]


def test_a_range_is_slid_or_typed_and_says_who_has_no_value() -> None:
    study = {"study": "chiaretti2004"}
    everybody = queries.subjects(
        find("chiaretti2004"), CohortFilter(), queries.dictionary(find("chiaretti2004"))
    )
    missing = int(everybody["age_years"].isna().sum())
    assert missing
    test = run("app.py", study)
    test.selectbox(key="find_variable").set_value("Age · age_years").run()
    assert f"{missing} patients without a value are included." in said(test)
    test.number_input(key="filter_age_years_to").set_value(40.0).run()
    low = everybody["age_years"].min()
    assert asked(test, "age_years") == [f"{low:.0f}..40"]
    assert test.slider(key="filter_age_years").value == (low, 40.0)
    assert f"{missing} patients without a value are left out." in said(test)
    test.slider(key="filter_age_years").set_value((20.0, 30.0)).run()
    assert asked(test, "age_years") == ["20..30"]
    assert test.number_input(key="filter_age_years_from").value == 20.0


def test_a_condition_on_another_timepoint_stays_in_sight() -> None:
    test = run("app.py", {"mrd_after_cycle_1": "negative", "timepoint": "mrd_6_months"})
    keys = [g.key for g in test.get("button_group")]
    assert {"filter_mrd_6_months", "filter_mrd_after_cycle_1"} <= set(keys)


def test_missing_is_a_level_that_can_be_chosen(chiaretti2004: Snapshot) -> None:
    variables = queries.dictionary(chiaretti2004)
    name = next(v.name for v in variables.values() if v.kind != "number" and queries.level_counts(
        chiaretti2004, CohortFilter(), variables, (v.name,))[v.name].get("missing"))  # fmt: skip
    test = run("app.py", {"study": "chiaretti2004", name: "missing"})
    assert pills(test, name)["Missing"] > 0
    assert not test.exception


def test_a_choice_stands_on_the_next_page_too() -> None:
    test = run("pages/survival.py", {"by": "allosct"})
    assert test.selectbox(key="choice_by").value == "allosct"
    test.switch_page("app.py").run()
    assert not test.exception
    assert "Characteristics by transplant" in said(test)
    assert test.selectbox(key="choice_by").value == "allosct"


def test_a_cohort_inside_the_other_is_said_to_have_nothing_left() -> None:
    query = {"cohort_a": "ph_status=negative", "cohort_b": "risk_group=high", "by": "cohorts"}
    assert "All of cohort B is in the other one" in said(run("pages/survival.py", query))


@pytest.mark.parametrize("landmark", [{}, {"landmark_days": "167"}])
def test_no_landmark_is_said_to_cure_a_choice_by_what_came_later(landmark: dict[str, str]) -> None:
    asked = {"allosct": "yes", "by": "mrd_after_cycle_1"} | landmark
    text = said(run("pages/survival.py", asked))
    assert "The filter on transplant also counts what came after" in text
    assert "groups are as known on that day" not in text
    words = next(c.value for c in run("pages/survival.py", asked).code)
    assert "fair start line" not in words
    assert ("chosen by what became known only later" in words) == bool(landmark)


def test_words_follow_the_rule() -> None:
    test = run("pages/mrd.py", {"study": "nguyen2026", "mrd_cutoff": "1e-5"})
    words = next(c.value for c in test.code)
    assert "found no cells" not in words
    assert "the test was called negative in" in words
    below = said(run("pages/mrd.py", {"mrd_below_lod": "negative"}))
    assert "below LOD counts as negative, by the rule chosen" in below


def defaults(test: AppTest) -> dict[str, object]:
    """Return what a browser shows in each keyed widget that it was never told the value of."""
    found: dict[str, object] = {}
    for kind in ("button_group", "selectbox", "slider", "number_input", "checkbox", "text_input"):
        for widget in test.get(kind):
            if widget.key is None:
                continue
            default = widget.proto.default
            if kind == "button_group":
                found[widget.key] = [widget.proto.options[i].content for i in default]
            elif kind == "selectbox":
                known = widget.proto.HasField("default")
                found[widget.key] = widget.proto.options[default] if known else None
            else:
                found[widget.key] = list(default) if kind == "slider" else default
    return found


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("pages/survival.py", {"zoom": "6..24", "section": "cox", "covariates": "risk_group",
                               "by": "mrd_3_months", "horizon": "36"}),
        ("pages/transplant.py", {"landmark_days": "91", "swimmer": "yes"}),
        ("pages/mrd.py", {"mrd_section": "curves", "denominator": "all"}),
        ("pages/evidence.py", {"part": "forest"}),
    ],
)  # fmt: skip
def test_a_browser_that_missed_the_first_drawing_is_told_the_same_by_the_second(
    page: str, query: Query
) -> None:
    """A click on a page just opened has it drawn again before the widgets of the first stand."""
    link: Query = {"risk_group": ["high"], "age_years": "20..50", "timepoint": "mrd_3_months"}
    first = run(page, link | query)
    assert not first.exception
    assert not first.error, said(first)
    before = defaults(first)
    assert [text.split(" ")[0] for text in before["filter_risk_group"]] == ["High"]  # type: ignore[attr-defined]
    assert before["filter_age_years"] == [20.0, 50.0]
    assert before["filter_age_years_to"] == 50.0
    assert before["choice_study"] == "Short 2025 (synthetic)"
    again = defaults(first.run())
    assert again == before
    told = {widget.key: widget.value for widget in first.get("selectbox")}
    shown = {key: value for key, value in again.items() if key in told and value is not None}
    assert {key for key, value in told.items() if value is not None} == set(shown)


def test_two_studies_of_one_name_are_two_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = ROOT / "data" / "demo" / "nguyen2026"
    again = tmp_path / "again"
    shutil.copytree(demo, again)
    said_of_it = json.loads((again / "study.json").read_text("utf-8"))
    (again / "study.json").write_text(json.dumps(said_of_it | {"study_id": "again"}), "utf-8")
    store = tmp_path / "store"
    import_folder(demo, "nguyen2026", store)
    import_folder(again, "again", store)
    monkeypatch.setenv("COHORT_STORE", str(store))
    test = run("app.py", {"study": "nguyen2026"})
    (study,) = [box for box in test.selectbox if box.label == "Study"]
    assert [option.rpartition(" (")[2] for option in study.options] == ["again)", "nguyen2026)"]
    study.select("again").run()
    assert asked(test, "study") == ["again"]
