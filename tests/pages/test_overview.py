"""The Overview: what stands in it, who is behind each number, and what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from data import queries
from data.cohort import CohortFilter
from data.rule import MrdRule
from data.store import Snapshot, find
from data.variables import Dictionary
from pages.elements.answers import who
from pages.elements.charts.missing import missing_chart
from pages.elements.charts.theme import ALL, Group, styles

ROOT = Path(__file__).parents[2]
STUDIES = ("short2025", "nguyen2026", "allmrd", "chiaretti2004")


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """Have the embedded cohorts in the store that the page opens."""


def run(**query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def said(test: AppTest) -> str:
    return "\n".join(
        str(e.value) for kind in ("subheader", "markdown", "info") for e in test.get(kind)
    )


def charts(test: AppTest) -> dict[str, str]:
    """The alternative text of each figure, by its first words."""
    texts = [chart.proto.alt for chart in test.get("vega_lite_chart")]
    return {text.split(":")[0].split(" of ")[0]: text for text in texts}


def links(test: AppTest) -> dict[str, dict[str, list[str]]]:
    """What each link to the Patients page asks for, by its label."""
    found = {}
    for link in test.get("page_link"):
        query: dict[str, list[str]] = {}
        for part in filter(None, link.proto.query_string.split("&")):
            name, _, value = part.partition("=")
            query.setdefault(name, []).append(value.replace("+", " "))
        found[link.proto.label] = query
    return found


def missing_open(test: AppTest) -> AppTest:
    """Open the fold of the missing data."""
    test.session_state["missing"] = True
    return test.run()


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("by", [None, "none", "disposition"])
def test_every_study_by_any_grouping(study: str, by: str | None) -> None:
    test = run(study=study, **({"by": by} if by else {}))
    assert not test.exception
    assert not test.error
    heads = list(test.table[0].value.columns)
    assert heads[0] == "Characteristic"
    assert heads[1].startswith("All (n = ")
    assert ("P" in heads) == (by != "none")
    # The Overview does not group by the outcome: it takes its own grouping instead.
    assert ("by" in test.subheader[2].value) == (by != "none")


def test_a_grouping_that_nobody_knows_is_refused() -> None:
    test = run(study="short2025", by="shoe_size")
    assert "‘shoe\\_size’ is not a choice for by" in said(test)
    assert not test.table


def test_a_row_with_one_value_among_the_groups_is_left_out() -> None:
    test = run(study="short2025", by="tki")
    rows = set(test.table[0].value["Characteristic"])
    assert "Age, years" in rows
    assert not rows & {"Ph status", "Risk group", "Ph-like"}
    assert "110 patients without tyrosine kinase inhibitor not in this table." in said(test)


def test_one_group_alone_is_said_and_not_compared() -> None:
    assert "There is one group only" in said(run(study="short2025", risk_group="high"))


def test_question_8_table_1_high_against_standard() -> None:
    test = run(study="short2025")
    for label in ("Standard", "High"):
        pills = next(p for p in test.get("button_group") if p.label == "Risk group")
        pills.set_value([*pills.value, label.lower()]).run()
    table = test.table[0].value.set_index("Characteristic")
    assert [re.sub(r"^:\w+\[.\] ", "", head) for head in table.columns] == [
        "All (n = 110)", "Standard (n = 51)", "High (n = 59)", "P", "SMD"
    ]  # fmt: skip
    tp53 = table.loc["TP53 mutated"]
    assert (tp53.iloc[1], tp53.iloc[2]) == ("0/51 :gray[(0%)]", "28/58 :gray[(48%)]")
    assert tp53["P"].startswith("<")


def test_question_7_late_responders_with_tp53_mutation() -> None:
    test = run(study="short2025", mrd_dynamics="late responder", tp53_mutated="yes")
    n = len(queries.subjects(
        find("short2025"), CohortFilter(mrd_dynamics=("late responder",), tp53_mutated=("yes",)),
        queries.dictionary(find("short2025")),
    ))  # fmt: skip
    assert test.metric[0].value == str(n)
    assert "late MRD responders · TP53 mutated" in said(test)


def test_question_4_median_follow_up_of_ph_negative_early_responders() -> None:
    test = run(study="short2025", ph_status="negative", mrd_dynamics="early responder")
    metrics = {m.label: (m.value, m.delta) for m in test.metric}
    value, interval = metrics["Median follow-up, months"]
    assert float(value) > 0
    assert re.fullmatch(r"95% CI [\d.]+–([\d.]+|NR)", interval)


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_of_the_overview_leads_to_as_many_patients(study: str) -> None:
    snapshot = find(study)
    variables = queries.dictionary(snapshot)
    test = run(study=study, allosct="no")
    named = links(test)
    counted = {k: v for k, v in named.items() if re.search(r", [\d,]+$", k)}
    assert len(counted) >= 6
    for label, query in counted.items():
        query.pop("study")
        cohort = CohortFilter.from_query(query, variables)
        n = int(label.rsplit(", ", 1)[1].replace(",", ""))
        assert queries.size(snapshot, cohort, variables) == n, label


@pytest.mark.parametrize(
    ("page", "query", "wanted"),
    [
        ("pages/survival.py", {"by": "risk_group"}, {"Standard risk, 51", "High risk, 59"}),
        ("pages/survival.py", {}, {"All patients, 161"}),
        (
            "pages/survival.py",
            {"by": "risk_group", "by2": "allosct", "risk_group": "high"},
            {"High risk, No alloSCT, 38", "High risk, AlloSCT in CR1, 21"},
        ),
        ("pages/survival.py", {"by": "mrd_3_months"}, {"MRD not assessed, 48"}),
        ("pages/mrd.py", {"by": "sex"}, {"Ph-negative, 110", "High risk, 59", "Female, 70"}),
    ],
)
def test_other_pages_show_their_patients_too(
    page: str, query: dict[str, str], wanted: set[str]
) -> None:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in ({"study": "short2025"} | query).items():
        test.query_params[name] = value
    test.switch_page(page).run()
    assert not test.exception
    assert wanted <= set(links(test))


def test_the_states_of_the_disposition_are_apart_and_together_everybody(
    short2025: Snapshot, variables: Dictionary
) -> None:
    cohort = CohortFilter(ph_status=("negative",))
    counts = who.disposition(short2025, cohort, variables)
    for state, n in counts.items():
        assert queries.size(short2025, who.in_state(cohort, state), variables) == n
    assert sum(counts.values()) == 110


def test_the_way_keeps_the_mrd_rule(variables: Dictionary) -> None:
    rule = MrdRule(cutoff=1e-4)
    way = who.steps(CohortFilter(rule=rule, ph_status=("negative",)), variables)
    assert way == [CohortFilter(rule=rule), CohortFilter(rule=rule, ph_status=("negative",))]


def test_the_figures_say_their_result() -> None:
    alts = charts(run(study="short2025", ph_status="negative"))
    assert alts["Patients after each filter"].endswith("Whole study 161, Ph-negative 110")
    assert alts["Of 110 patients"].startswith("Of 110 patients: in first remission ")


def test_what_is_missing_is_computed_only_where_the_fold_is_open() -> None:
    assert "Patients without a value" not in charts(run(study="short2025"))
    test = missing_open(run(study="short2025", ph_status="negative"))
    assert not test.exception
    assert "Tyrosine kinase inhibitor 110" in charts(test)["Patients without a value"]
    assert "Known in everybody\\: " in said(test)


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_says_what_is_missing(study: str) -> None:
    assert not missing_open(run(study=study)).exception


def test_too_many_groups_are_shown_together_and_said_so() -> None:
    test = missing_open(run(study="short2025", by="cytogenetics"))
    assert "Too many groups by cytogenetics to stand side by side." in said(test)


def test_completeness_counts_what_is_known(short2025: Snapshot, variables: Dictionary) -> None:
    everybody = queries.subjects(short2025, CohortFilter(), variables)
    counts = who.completeness(short2025, CohortFilter(), variables, by="tp53_mutated")
    cells = counts.set_index(["variable", "group"])
    assert cells.loc[("tp53_mutated", ""), "known"] == everybody["tp53_mutated"].notna().sum()
    assert cells.loc[("age_years", "yes"), "n"] == (everybody["tp53_mutated"] == True).sum()  # noqa: E712
    assert cells.loc[("mrd_3_months", ""), "known"] == 113
    assert (counts["known"] <= counts["n"]).all()


def test_the_figure_holds_exactly_the_counts() -> None:
    counts = pd.DataFrame(
        [("a", "", 10, 4, 6), ("a", "x", 0, 0, 0), ("b", "", 10, 10, 0), ("b", "x", 0, 0, 0)],
        columns=["variable", "group", "n", "known", "missing"],
    )
    groups = [Group("", "All patients", "All", ALL), Group("x", "X", "X", styles("v", ["x"])[0])]
    bars = missing_chart(counts, groups, [("a", "A"), ("b", "B")])["datasets"]["bars"]
    assert [bar["text"] for bar in bars] == ["6 (60%)", "0 (0%)", "0 (0%)", "0 (0%)"]
    assert [bar["x2"] for bar in bars] == [0.3, 1.0, 0.0, 1.0]
    assert bars[0]["read"] == "A: 4 of 10 known"


@pytest.mark.parametrize("study", STUDIES)
def test_questions_are_those_that_the_study_can_answer(study: str) -> None:
    asked = [e.proto.label for e in run(study=study).get("page_link") if " " in e.proto.label]
    on = {
        "every subgroup": study != "chiaretti2004",
        "Two assays": study == "nguyen2026",
        "Does alloSCT help?": study != "allmrd",
    }
    assert {words: any(words in label for label in asked) for words in on} == on


def test_a_question_keeps_the_cohort() -> None:
    test = run(study="short2025", risk_group="high", by="sex", timepoint="mrd_3_months")
    (link,) = [e for e in test.get("page_link") if "censored at alloSCT" in e.proto.label]
    query = dict(part.split("=") for part in link.proto.query_string.split("&"))
    assert query == {
        "study": "short2025",
        "risk_group": "high",
        "timepoint": "mrd_3_months",
        "by": "mrd_3_months",
        "endpoint": "RFS_censored_at_allosct",
    }
