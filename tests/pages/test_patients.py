"""The Patients page: columns, files, and the course of one patient."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from data import queries
from data.cohort import CohortFilter
from data.rule import MrdRule
from data.store import Snapshot, find
from pages.elements.answers import who
from pages.elements.charts.timeline import not_drawn, timeline_chart
from pages.elements.exports.table import as_csv, as_parquet, defused

ROOT = Path(__file__).parents[2]
STUDIES = ("short2025", "nguyen2026", "allmrd", "chiaretti2004")


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    """Have the embedded cohorts in the store that the page opens."""


def run(**query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    return test.switch_page("pages/patients.py").run()


def choose(test: AppTest, position: int) -> AppTest:
    """Click a row of the table."""
    key = next(k for k in test.session_state if k.startswith("patients_table"))
    test.session_state[key] = {"selection": {"rows": [position], "columns": [], "cells": []}}
    return test.run()


def said(test: AppTest) -> str:
    return "\n".join(
        str(e.value) for kind in ("title", "subheader", "markdown") for e in test.get(kind)
    )


def click(test: AppTest, label: str) -> AppTest:
    return next(b for b in test.button if b.label == label).click().run()


def story(study: str, patient_id: str, rule: MrdRule | None = None) -> pd.DataFrame:
    cohort = CohortFilter(rule=rule)
    return who.story(queries.patient(find(study), cohort, patient_id))


@pytest.mark.parametrize("study", STUDIES)
def test_a_row_shows_the_course_of_its_patient(study: str) -> None:
    test = run(study=study)
    assert not test.exception
    assert "Patient " not in "".join(s.value for s in test.subheader)
    rows = test.dataframe[0].value
    test = choose(test, 1)
    assert not test.exception
    assert not test.error
    assert test.subheader[0].value.startswith("Patient ")
    assert str(rows["patient_id"].iloc[1]) in test.subheader[0].value
    assert f"2 of {len(rows)}" in said(test)


def test_the_way_to_the_next_and_back_never_writes_a_patient_into_the_link() -> None:
    test = choose(run(study="short2025", risk_group="high"), 0)
    assert test.subheader[0].value == "Patient S001"
    assert next(b for b in test.button if b.label == "Previous").disabled
    test = click(test, "Next")
    assert test.subheader[0].value == "Patient S002"
    test = click(test, "Previous")
    assert test.subheader[0].value == "Patient S001"
    assert set(test.query_params) == {"study", "risk_group"}
    test = click(test, "Close")
    assert not test.subheader


def test_the_last_patient_has_no_next() -> None:
    test = choose(run(study="nguyen2026"), 37)
    assert next(b for b in test.button if b.label == "Next").disabled


def test_another_cohort_forgets_the_patient() -> None:
    test = choose(run(study="short2025"), 3)
    pills = next(p for p in test.get("button_group") if p.label == "Ph status")
    test = pills.set_value(["positive"]).run()
    assert not test.subheader


def test_one_patient_has_a_course_and_no_way() -> None:
    everybody = queries.subjects(
        find("short2025"), CohortFilter(), queries.dictionary(find("short2025"))
    )
    most = everybody["wbc_10e9_per_l"].max()
    test = choose(run(study="short2025", wbc_10e9_per_l=f"{most}..{most}"), 0)
    assert "1 of 1" in said(test)
    assert all(b.disabled for b in test.button if b.label in ("Previous", "Next"))


def test_columns_are_chosen_and_not_in_the_link() -> None:
    test = run(study="short2025")
    (box,) = [c for c in test.checkbox if c.label == "IKZF1plus" or c.label == "Cytogenetics"][:1]
    assert not box.value
    before = list(test.dataframe[0].value.columns)
    test = box.check().run()
    after = list(test.dataframe[0].value.columns)
    assert len(after) == len(before) + 1
    assert set(test.query_params) == {"study"}
    age = next(c for c in test.checkbox if c.label == "Age, years")
    assert age.value
    test = age.uncheck().run()
    assert "age_years" not in test.dataframe[0].value.columns


def test_every_column_has_a_place_among_the_topics(short2025: Snapshot) -> None:
    for study in STUDIES:
        snapshot = find(study)
        rows = queries.subjects(snapshot, CohortFilter(), queries.dictionary(snapshot))
        full = [name for name in rows if rows[name].notna().any() and name != "patient_id"]
        assert len(run(study=study).checkbox) == len(full)


def test_timepoints_stand_in_the_order_of_time() -> None:
    columns = list(run(study="short2025").dataframe[0].value.columns)
    wanted = ["mrd_after_cycle_1", "mrd_3_months", "mrd_6_months"]
    assert [name for name in columns if name in wanted] == wanted


def test_a_story_is_in_the_order_of_time_with_the_undated_last() -> None:
    told = story("short2025", "S003")
    assert told["day"].is_monotonic_increasing
    assert list(told.loc[told["kind"] == "sample", "text"]) == [
        "MRD positive after cycle 1: 1.3 × 10⁻³, limit 10⁻⁶ (NGS, marrow, IGH)",
        "MRD negative at 3 months: nothing found, limit 10⁻⁶ (NGS, marrow, IGH)",
        "MRD negative at 6 months: nothing found, limit 10⁻⁶ (NGS, marrow, IGH)",
    ]
    assert "Relapse, CNS" in set(told["text"])
    undated = story("chiaretti2004", "01005")
    assert list(undated["text"]) == [
        "First complete remission",
        "Died, in remission",
        "AlloSCT, BMT",
    ]
    assert list(undated["day"].isna()) == [False, True, True]


@pytest.mark.parametrize("study", STUDIES)
def test_the_samples_of_a_story_have_the_status_of_their_timepoint(study: str) -> None:
    snapshot = find(study)
    variables = queries.dictionary(snapshot)
    if not variables.timepoints:
        return
    wanted = queries.mrd_by_timepoint(snapshot, CohortFilter(), variables)
    for patient_id in sorted(set(wanted["patient_id"]))[:40]:
        mine = wanted[(wanted["patient_id"] == patient_id) & wanted["sample_day"].notna()]
        found = queries.patient(snapshot, CohortFilter(), patient_id).samples
        assert found["timepoint"].notna().sum() == len(mine)
        assert (
            dict(zip(found["timepoint"], found["status"], strict=True)).items()
            >= dict(zip(mine["timepoint"], mine["status"], strict=True)).items()
        )


def test_the_rule_of_the_cohort_gives_the_status_of_a_sample() -> None:
    told = story("short2025", "S003", MrdRule(cutoff=1e-3))
    assert told.loc[told["kind"] == "sample", "name"].iloc[0] == "positive"
    low = story("short2025", "S002", MrdRule(cutoff=1e-4))
    assert low.loc[low["kind"] == "sample", "name"].iloc[0] == "negative"


def test_an_unknown_patient_is_an_error_that_does_not_name_anybody(short2025: Snapshot) -> None:
    with pytest.raises(KeyError) as error:
        queries.patient(short2025, CohortFilter(), "secret")
    assert "secret" not in str(error.value)


def test_the_timeline_draws_what_the_story_tells() -> None:
    told = story("short2025", "S003")
    data = timeline_chart(told, origin="start of treatment")["datasets"]
    assert [bar["what"] for bar in data["bars"]] == list(
        told.loc[told["kind"] == "treatment", "text"]
    )
    marks = {mark["what"]: mark for mark in data["marks"]}
    assert marks["Relapse, CNS"]["when"] == "day 190 (6.2 mo)"
    assert len(marks) == len(told) - len(data["bars"])
    opened = [mark["what"] for mark in data["marks"] if mark["open"]]
    assert sorted(text.split(":")[0] for text in opened) == [
        "First complete remission", "MRD negative at 3 months", "MRD negative at 6 months"
    ]  # fmt: skip
    limit = next(row for row in data["grid"] if row["limit"])
    assert {mark["y"] for what, mark in marks.items() if "negative" in what} == {limit["y"]}
    assert [rule["what"] for rule in data["rules"]] == ["Relapse, CNS"]


def test_what_has_no_place_in_the_figure_is_counted() -> None:
    assert not_drawn(story("chiaretti2004", "01005")) == 2
    assert "Only in the list: 2 items" in said(choose(run(study="chiaretti2004"), 0))


def test_levels_without_a_number_are_not_drawn() -> None:
    told = story("short2025", "S003")
    told.loc[told["kind"] == "sample", ["level", "limit"]] = float("nan")
    assert not_drawn(told) == 3
    data = timeline_chart(told, origin="day 0")["datasets"]
    assert not data["grid"]


def test_parquet_keeps_types_and_values() -> None:
    frame = pd.DataFrame(
        {"patient_id": ["01", "=x"], "age_years": [18.0, None], "ok": [True, None]}
    )
    back = pd.read_parquet(io.BytesIO(as_parquet(frame)))
    pd.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_defused(first: str) -> None:
    text = f"{first}1+1"
    assert defused(text) == f"'{text}"
    assert f"'{text}".encode() in as_csv(pd.DataFrame({"karyotype": [text]}))
    assert defused(-1.5) == -1.5
