"""Every page on the embedded cohorts, as Streamlit runs it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from data.store import Snapshot

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "data" / "published"
FIG_2B = {"study": "short2025", "ph_status": "negative", "risk_group": "high",
          "by": "mrd_after_cycle_1"}  # fmt: skip
PAGES = ("app.py", "pages/survival.py", "pages/mrd.py", "pages/transplant.py", "pages/patients.py")


@pytest.fixture(autouse=True)
def _store(short2025: Snapshot, chiaretti2004: Snapshot) -> None:
    """Have the embedded cohorts in the store that the pages open."""


def run(page: str, query: dict[str, str | list[str]] | None = None) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in (query or {}).items():
        test.query_params[name] = value
    return (test if page == "app.py" else test.switch_page(page)).run()


def said(test: AppTest) -> str:
    """Return all text of a page."""
    parts = [e.value for kind in ("title", "subheader", "markdown", "info", "error", "warning")
             for e in test.get(kind)]  # fmt: skip
    return "\n".join(map(str, parts))


def asked(test: AppTest, name: str) -> list[str]:
    """Return what the address says about one key."""
    value = test.query_params[name]
    return [value] if isinstance(value, str) else list(value)


def tables(test: AppTest) -> list[pd.DataFrame]:
    return [table.value for table in test.table]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("study", ["short2025", "chiaretti2004"])
def test_every_page_shows_every_cohort(page: str, study: str) -> None:
    test = run(page, {"study": study})
    assert not test.exception
    assert not test.error
    expected = "161 of 161 patients" if study == "short2025" else "95 of 95 patients"
    assert expected in said(test)
    assert ("(synthetic)" in said(test)) == (study == "short2025")


def test_fig_2b_as_the_first_request() -> None:
    test = run("pages/survival.py", FIG_2B)
    assert test.title[0].value == "Relapse-free survival by MRD after cycle 1"
    assert "Ph-negative · high risk · **59 of 161 patients**" in said(test)
    numbers = tables(test)[0].set_index("")
    negative, positive = numbers.columns
    assert "Negative" in negative
    assert "Positive" in positive
    assert numbers.loc["2-year RFS", negative].startswith("**100%**")
    assert numbers.loc["2-year RFS", positive].startswith("**38%**")
    assert (numbers.loc["Patients", negative], numbers.loc["Patients", positive]) == ("9", "16")
    assert "P = 0.01" in said(test)
    assert "Hazard ratio **not estimable**" in said(test)
    assert "Immortal time" in said(test)


def test_the_landmark_is_one_click_away_and_lists_who_falls_out() -> None:
    test = run("pages/survival.py", FIG_2B | {"by": "mrd_3_months"})
    (button,) = [b for b in test.button if b.label.startswith("Start at")]
    assert button.label == "Start at 3 months"
    button.click().run()
    assert not test.exception
    assert asked(test, "landmark_days") == ["91"]
    assert "Landmark at 3 months from first complete remission" in said(test)
    assert "Immortal time" not in said(test)


def test_fig_4a_from_the_landmark_of_the_paper() -> None:
    query = FIG_2B | {"mrd_after_cycle_1": "positive", "by": "allosct", "landmark_days": "167"}
    test = run("pages/survival.py", query)
    numbers = tables(test)[0].set_index("")
    none, transplanted = numbers.columns
    assert numbers.loc["2-year RFS", none].startswith("**0%**")
    assert numbers.loc["2-year RFS", transplanted].startswith("**80%**")
    assert "P = 0.009" in said(test)


def test_ever_transplanted_is_never_a_group_without_the_warning() -> None:
    assert "Immortal time" in said(run("pages/survival.py", {"by": "allosct"}))
    filtered = run("pages/survival.py", {"allosct": "yes", "by": "risk_group"})
    assert "Immortal time" in said(filtered)


def test_the_15_cells_of_table_2() -> None:
    published = pd.read_csv(PUBLISHED / "mrd_negativity.csv")
    published = published[published["study"] == "short2025"]
    (table,) = tables(run("pages/mrd.py", {"study": "short2025"}))
    shown = {
        row.iloc[0].split("] ")[-1].strip("*●◆▲ "): row.iloc[1:] for _, row in table.iterrows()
    }
    names = {
        ("all", "all"): "All patients", ("ph_status", "positive"): "Ph-positive",
        ("ph_status", "negative"): "Ph-negative", ("risk_group", "high"): "High risk",
        ("risk_group", "standard"): "Standard risk",
    }  # fmt: skip
    heads = {"after cycle 1": "Cycle 1", "3 months": "3 mo", "6 months": "6 mo"}
    assert len(published) == 15
    for row in published.itertuples():
        cell = shown[names[row.subgroup, row.level]][heads[row.timepoint]]
        assert cell.startswith(f"**{row.percent:.0f}%** {row.n_negative}/{row.n_evaluable} ")


def test_a_denominator_changes_the_rates_and_is_said() -> None:
    (table,) = tables(run("pages/mrd.py", {"denominator": "all in remission"}))
    assert table.iloc[0, 1].startswith("**16%** 26/161")
    (table,) = tables(run("pages/mrd.py", {"denominator": "evaluable without below LOD"}))
    assert table.iloc[0, 1].startswith("**34%** 26/77")


def test_a_study_without_mrd_says_so() -> None:
    test = run("pages/mrd.py", {"study": "chiaretti2004"})
    assert "no MRD assessments" in said(test)
    assert not test.table


def test_an_endpoint_that_cannot_be_derived_is_refused_with_the_reason() -> None:
    test = run("pages/survival.py", {"study": "chiaretti2004", "endpoint": "OS"})
    assert "cannot be derived" in said(test)
    assert "12 of 13 known events have no date" in said(test)
    assert not test.table
    given = run("pages/survival.py", {"study": "chiaretti2004", "by": "ph_status"})
    assert "death without a date (5)" in said(given)
    assert "the curve lies too high" in said(given)
    assert given.table


@pytest.mark.parametrize("endpoint", ["NRM", "NRM_censored_at_allosct", "OS_censored_at_allosct"])
def test_the_endpoint_of_a_link_is_the_one_that_the_choice_shows(endpoint: str) -> None:
    test = run("pages/survival.py", {"study": "chiaretti2004", "endpoint": endpoint})
    assert not test.exception
    (choice,) = [box for box in test.selectbox if box.label == "Endpoint"]
    assert choice.value == endpoint
    assert not test.table


def test_a_cumulative_incidence_is_not_drawn_as_a_survival_curve() -> None:
    test = run("pages/survival.py", {"study": "short2025", "endpoint": "CIR"})
    assert test.title[0].value == "Relapse and non-relapse mortality"
    assert "Aalen" in said(test)
    assert "Kaplan–Meier, 95% CI" not in said(test)
    assert test.table


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"risk_group": "hihg"}, "‘hihg’ is not a level of Risk group"),
        ({"risk": "high"}, "no variable ‘risk’"),
        ({"by": "shoe_size"}, "‘shoe_size’ is not a choice for by"),
        ({"endpoint": "PFS"}, "‘PFS’ is not a choice for endpoint"),
        ({"landmark_days": "soon"}, "‘soon’ is not a number for landmark_days"),
        ({"timepoint": "mrd_9_months"}, "‘mrd_9_months’ is not a choice for timepoint"),
        ({"study": "nowhere"}, "‘nowhere’ is not in this store"),
        (
            {"study": "short2025", "snapshot": "0" * 12},
            "000000000000 of ‘short2025’ is not in this",
        ),
    ],
)
def test_what_a_link_asks_in_vain_is_said_and_nothing_else_shown(
    query: dict[str, str | list[str]], words: str
) -> None:
    test = run("pages/survival.py", {"ph_status": "negative", **query})
    assert words in said(test).replace("\\", "")
    assert not test.table


def test_a_refused_link_can_be_shown_without_what_is_unknown() -> None:
    test = run("pages/survival.py", {"ph_status": "negative", "risk_group": ["high", "hihg"]})
    (button,) = [b for b in test.button if b.label == "Show without it"]
    button.click().run()
    assert "**59 of 161 patients**" in said(test)
    assert asked(test, "risk_group") == ["high"]


def test_a_filter_that_leaves_nobody_says_which_and_offers_to_lift_it() -> None:
    query = {"study": "short2025", "ph_status": "positive", "allosct": "yes"}
    for page in PAGES:
        test = run(page, query)
        assert not test.exception
        assert "removed the last 51 patients" in said(test)
        assert not test.table
        next(b for b in test.button if b.label == "Lift this filter").click().run()
        assert "**51 of 161 patients**" in said(test)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        {"age_years": "18..18", "sex": "male"},
        {"mrd_after_cycle_1": "below LOD", "by": "risk_group"},
        {"risk_group": "standard", "mrd_after_cycle_1": "negative", "by": "mrd_after_cycle_1"},
        {"mrd_dynamics": "early responder", "by": "allosct", "ph_status": "negative"},
        {"landmark_days": "3000", "by": "mrd_3_months"},
        {"landmark_days": "400"},
        {"mrd_3_months": "not assessed"},
    ],
)
def test_few_patients_or_no_event_is_a_sentence_and_no_error(
    page: str, query: dict[str, str | list[str]]
) -> None:
    allowed = "pages/survival.py" if {"landmark_days"} & set(query) else page
    test = run(allowed, {"study": "short2025", **query})
    assert not test.exception
    assert not test.error
    assert "patient" in said(test)


def test_one_patient_is_not_drawn_as_a_curve(short2025: Snapshot) -> None:
    from data.cohort import CohortFilter
    from data.queries import dictionary, subjects

    everybody = subjects(short2025, CohortFilter(), dictionary(short2025))
    alone = everybody["wbc_10e9_per_l"].max()
    test = run("pages/survival.py", {"wbc_10e9_per_l": f"{alone}..{alone}"})
    assert "**1 of 161 patients**" in said(test)
    assert "Only one patient" in said(test)
    assert not test.table


def test_a_group_of_three_is_not_drawn_and_said_so() -> None:
    test = run("pages/survival.py", {"study": "short2025", "by": "cytogenetics"})
    assert "high hyperdiploidy, too few for a curve (3)" in said(test)
    assert not any("high hyperdiploidy" in table.to_string() for table in tables(test))
    few = run("pages/survival.py", {"study": "short2025", "cytogenetics": "high hyperdiploidy"})
    assert "3 patients are too few for a curve" in said(few)
    assert not few.table


def test_who_is_left_out_adds_up_to_the_cohort(
    short2025: Snapshot, chiaretti2004: Snapshot
) -> None:
    from data.cohort import CohortFilter
    from data.queries import dictionary
    from pages.elements.answers.survival import survival

    for snapshot, everybody, by in (
        (chiaretti2004, 95, "sex"), (chiaretti2004, 95, "allosct"), (short2025, 161, "tp53_mutated")
    ):  # fmt: skip
        for day in (None, 183):
            result = survival(
                snapshot, CohortFilter(), dictionary(snapshot), endpoint="RFS", by=by,
                landmark_days=day, horizon_days=1460,
            )  # fmt: skip
            excluded = 0 if result.landmark is None else len(result.landmark.excluded)
            assert result.n + sum(result.left_out.values()) + excluded == everybody


def test_a_click_on_a_filter_changes_cohort_and_address_and_undo_takes_it_back() -> None:
    test = run("pages/survival.py", {"study": "short2025"})
    pills = next(p for p in test.get("button_group") if p.label == "Ph status")
    pills.set_value(["negative"]).run()
    assert "**110 of 161 patients**" in said(test)
    assert asked(test, "ph_status") == ["negative"]
    next(b for b in test.button if b.label == "Undo").click().run()
    assert "**161 of 161 patients**" in said(test)
    assert "ph_status" not in test.query_params


def test_the_counts_of_a_filter_respect_the_others() -> None:
    test = run("app.py", {"study": "short2025", "ph_status": "negative"})
    labels = [o.content for p in test.get("button_group") for o in p.proto.options]
    assert "High :gray[59]" in labels
    assert ":gray[Ph+ 0]" in labels
    assert "Ph-positive :gray[51]" in labels


def test_the_overview_adds_up() -> None:
    test = run("app.py", {"study": "short2025", "timepoint": "mrd_6_months"})
    metrics = {m.label: (m.value, m.delta) for m in test.metric}
    assert metrics["Patients"] == ("161", "of 161 in the study, 100%")
    assert metrics["Events, RFS"] == ("22", "14 relapses, 8 died in remission")
    assert metrics["MRD-negative at 6 months"] == ("83%", "69/83, 95% CI 73–90")
    assert "no patient of this cohort exists" in said(test)
    (table,) = tables(test)
    age = table.set_index("Characteristic").loc["Age, years"]
    assert age.iloc[0] == "46 :gray[(18–87)]"
