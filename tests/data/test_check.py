"""Every check of an import, each on rows made for it: what is found, where, how grave, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.make_registry import registry, study
from data.importing.check import check
from data.importing.problems import LISTED, Problem, in_order, report, row_problems
from data.importing.read import Tables, number, typed
from data.importing.sheets import ROW

STUDY = {
    "study_id": "made",
    "title": "Made",
    "day_zero_label": "start of treatment",
    "default_endpoint": "RFS",
    "timepoints": [{"label": "EOI", "target_day": 30, "first_day": 20, "last_day": 60}],
}
Cells = Mapping[str, Sequence[object]]


def cells(columns: Cells) -> pd.DataFrame:
    """Columns as an import brings them: distinct texts and codes, numbered like a spreadsheet."""
    texts = {
        name: pd.Series([None if cell is None else str(cell) for cell in column], dtype="object")
        for name, column in columns.items()
    }
    frame = pd.DataFrame(texts).astype("category")
    frame.index = pd.RangeIndex(2, 2 + len(frame), name=ROW)
    return frame


def tables(
    study: Mapping[str, Any] | None = None,
    own: Mapping[str, str] | None = None,
    places: Mapping[tuple[str, str], tuple[str, str]] | None = None,
    **brought: Cells,
) -> Tables:
    """A study as read: of each table some columns; patients that others name are there."""
    ids = sorted({str(i) for of in brought.values() for i in of["patient_id"] if i is not None})
    brought = {"patients": {"patient_id": ids}} | brought
    canonical = SimpleNamespace(
        study=STUDY | dict(study or {}),
        cells={name: cells(columns) for name, columns in brought.items()},
        places=dict(places or {}),
        own={name: {"label": name, "kind": kind} for name, kind in (own or {}).items()},
        problems=[],
    )
    return typed(canonical, "0" * 64)


def problems(**brought: Any) -> list[Problem]:
    """What is found of reading and checking, apart from what the smallness of a case brings."""
    read = tables(**brought)
    aside = ("nobody has an outcome", "has no row in", "no sample stands", "the column is empty")
    return [
        p
        for p in in_order([*read.problems, *check(read)])
        if not any(words in p.what for words in aside)
    ]


def told(**brought: Any) -> list[tuple[str, str, int | None, str | None, str | None]]:
    return [(p.severity, p.file, p.row, p.column, p.value) for p in problems(**brought)]


P = {"patient_id": ["a", "b", "c"]}

CASES: dict[str, tuple[dict[str, Any], tuple[str, str, int | None, str, str | None], str]] = {
    "a level that is none": (
        {"patients": P | {"sex": ["female", "Female", "male"]}},
        ("fatal", "patients.csv", 3, "sex", "Female"), "expected one of female, male"),
    "a number out of bounds": (
        {"patients": P | {"age_years": [20, 121, None]}},
        ("fatal", "patients.csv", 3, "age_years", "121"), "a number from 0 to 120"),
    "a day that is not whole": (
        {"outcomes": P | {"cr_day": ["20", "20.5", "1_0"]}},
        ("fatal", "outcomes.csv", 3, "cr_day", "20.5"), "a whole number"),
    "an own yes / no": (
        {"patients": P | {"cns": ["yes", "no", "perhaps"]}, "own": {"cns": "boolean"}},
        ("fatal", "patients.csv", 4, "cns", "perhaps"), "yes or no"),
    "a needed cell that is empty": (
        {"treatments": P | {"kind": ["alloSCT", None, "TKI"], "start_day": [9, 9, 9]}},
        ("fatal", "treatments.csv", 3, "kind", None), "is empty"),
    "a patient twice": (
        {"patients": {"patient_id": ["a", "b", "a"], "sex": ["male"] * 3, "age_years": [30, 20, 31]}},
        ("fatal", "patients.csv", 4, "patient_id", "a"),
        "already in row 2, with other values of age_years"),
    "a patient twice, alike": (
        {"patients": {"patient_id": ["a", "b", "a"], "sex": ["male"] * 3}},
        ("fatal", "patients.csv", 4, "patient_id", "a"), "already in row 2, with the same values"),
    "a sample of nobody": (
        {"patients": {"patient_id": ["a", "b"]}, "mrd_assessments": P | {"day": [30, 30, 30]}},
        ("fatal", "mrd_assessments.csv", 4, "patient_id", "c"), "no such patient"),
    "a relapse on the day of remission": (
        {"outcomes": P | {"cr_day": [20, 20, None], "relapse_day": [20, 90, 20]}},
        ("fatal", "outcomes.csv", 2, "relapse_day", "20 (cr_day 20)"), "is not after cr_day"),
    "a death before the relapse": (
        {"outcomes": P | {"relapse_day": [90, 90, None], "death_day": [90, 80, 70]}},
        ("fatal", "outcomes.csv", 3, "death_day", "80 (relapse_day 90)"), "is not after relapse_day"),
    "a sample after death": (
        {"outcomes": P | {"death_day": [50, 40, None]}, "mrd_assessments": P | {"day": [50, 41, 99]}},
        ("fatal", "mrd_assessments.csv", 3, "day", "41 (death_day 40)"), "after the death"),
    "a death without a day": (
        {"outcomes": P | {"died": ["yes", "no", None], "death_day": [None, None, None]}},
        ("warning", "outcomes.csv", 2, "died", "yes"), "whose day is not known"),
    "a day of a death that was none": (
        {"outcomes": P | {"died": ["no", "no", "yes"], "death_day": [50, None, 60]}},
        ("warning", "outcomes.csv", 2, "died", "no (death_day 50)"), "there is a day of it"),
    "a cause of no death": (
        {"outcomes": P | {"death_cause": ["GvHD", None, "GvHD"], "death_day": [50, None, None]}},
        ("warning", "outcomes.csv", 4, "death_cause", "GvHD"), "there was none"),
    "Ph-positive without t(9;22)": (
        {"patients": P | {"ph_status": ["positive"] * 3, "t_9_22": ["yes", "no", None]},
         "own": {"t_9_22": "boolean"}},
        ("warning", "patients.csv", 3, "t_9_22", "no"), "no t(9;22)"),
    "Ph-negative with t(9;22)": (
        {"patients": P | {"ph_status": ["negative"] * 3, "t922": ["yes", "no", None]},
         "own": {"t922": "boolean"}},
        ("warning", "patients.csv", 2, "t922", "yes"), "but t(9;22)"),
    "Ph-negative with BCR::ABL1 in words": (
        {"patients": P | {"ph_status": ["negative"] * 3,
                          "cytogenetics": ["BCR::ABL1", "no BCR::ABL1", "BCR::ABL1-like"]}},
        ("warning", "patients.csv", 2, "cytogenetics", "BCR::ABL1"), "speak of BCR::ABL1"),
    "t(4;11) without KMT2A": (
        {"patients": P | {"kmt2a_rearranged": ["no", "yes", None], "t_4_11": ["yes"] * 3},
         "own": {"t_4_11": "boolean"}},
        ("warning", "patients.csv", 2, "t_4_11", "yes"), "KMT2A is not rearranged"),
    "Ph-like and Ph-positive": (
        {"patients": P | {"ph_status": ["positive", "negative", None], "ph_like": ["yes"] * 3}},
        ("warning", "patients.csv", 2, "ph_like", "yes"), "exclude each other"),
    "a class without Ph-like": (
        {"patients": P | {"ph_like": ["no", "yes", None], "ph_like_class": ["CRLF2"] * 3}},
        ("warning", "patients.csv", 2, "ph_like_class", "CRLF2"), "not Ph-like"),
    "the risk group": (
        {"patients": P | {"ph_status": ["negative"] * 3, "tp53_mutated": ["yes", "yes", None],
                          "risk_group": ["standard", "high", "standard"]}},
        ("warning", "patients.csv", 2, "risk_group", "standard"), "disagree"),
    "an age above 89": (
        {"patients": P | {"age_years": [89, 90, 93]}},
        ("note", "patients.csv", 3, "age_years", "90"), "90+"),
    "an age above 89 of the study's own": (
        {"patients": P | {"age_at_sct": [89, 55, 93]}, "own": {"age_at_sct": "number"}},
        ("note", "patients.csv", 4, "age_at_sct", "93"), "90+"),
    "a patient with T-ALL": (
        {"patients": P | {"lineage": ["B", "T", None]}},
        ("warning", "patients.csv", 3, "lineage", "T"), "counts like everybody else"),
    "a lineage that is none": (
        {"patients": P | {"bt": ["B1", "T", None]}, "own": {"bt": "category"}},
        ("warning", "patients.csv", None, "bt", None), "T-ALL may be among the patients"),
    "a course that ends before it starts": (
        {"treatments": P | {"kind": ["induction"] * 3, "start_day": [0, 9, None], "end_day": [9, 8, 7]}},
        ("warning", "treatments.csv", 3, "end_day", "8 (start_day 9)"), "ends before"),
    "a transplant without a day": (
        {"treatments": P | {"kind": ["alloSCT", "alloSCT", "TKI"], "start_day": [None, 90, None]}},
        ("warning", "treatments.csv", 2, "kind", "alloSCT"), "the day is not known"),
    "a transplant before remission": (
        {"treatments": P | {"kind": ["alloSCT"] * 3, "start_day": [19, -90, 20]},
         "outcomes": P | {"cr_day": [20, 20, 20]}},
        ("warning", "treatments.csv", 2, "start_day", "19 (cr_day 20)"), "before the first remission"),
    "a sample twice": (
        {"mrd_assessments": {"patient_id": ["a", "a", "b"], "day": [30, 30, 30]}},
        ("warning", "mrd_assessments.csv", 3, "patient_id", "a"), "the same sample"),
    "a sample without a day": (
        {"mrd_assessments": P | {"day": [30, None, 31]}},
        ("warning", "mrd_assessments.csv", 3, "day", None), "never used"),
    "a sample long before day 0": (
        {"mrd_assessments": P | {"day": [-60, -61, 30]}},
        ("warning", "mrd_assessments.csv", 3, "day", "-61"), "before day 0"),
    "below LOD without a limit": (
        {"mrd_assessments": P | {"day": [30] * 3, "call": ["below LOD", "below LOD", "negative"],
                                 "lod_fraction": [None, 1e-6, None]}},
        ("warning", "mrd_assessments.csv", 2, "call", "below LOD"), "without that limit"),
    "negative with a level": (
        {"mrd_assessments": P | {"day": [30] * 3, "call": ["negative"] * 3,
                                 "mrd_fraction": [1e-5, 0, 1e-7], "lod_fraction": [1e-6] * 3}},
        ("warning", "mrd_assessments.csv", 2, "call", "negative (mrd_fraction 1e-05)"), "above the limit"),
    "positive with none": (
        {"mrd_assessments": P | {"day": [30] * 3, "call": ["positive", "positive", "negative"],
                                 "mrd_fraction": [0, 1e-3, 0]}},
        ("warning", "mrd_assessments.csv", 2, "call", "positive (mrd_fraction 0)"), "a level of 0"),
    "a limit that is none": (
        {"mrd_assessments": P | {"day": [30] * 3, "lod_fraction": [0.1, 0.2, 1e-4]}},
        ("warning", "mrd_assessments.csv", 3, "lod_fraction", "0.2"), "above 0.1"),
    "a timepoint that is none": (
        {"mrd_assessments": P | {"day": [30] * 3, "timepoint": ["EOI", "EOC", None]}},
        ("fatal", "mrd_assessments.csv", 3, "timepoint", "EOC"), "no such timepoint (EOI)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_finding(name: str) -> None:
    brought, place, words = CASES[name]
    (first, *more) = problems(**brought)
    assert (first.severity, first.file, first.row, first.column, first.value) == place
    assert words in first.what
    assert first.remedy
    # Each case has two more rows of which at most one has the same fault.
    assert len(more) <= 1
    assert all(problem.column == first.column for problem in more)


def test_what_is_right_gives_no_finding() -> None:
    assert problems(
        patients=P | {"age_years": [20, "55.5", None], "sex": ["male", None, "female"]},
        outcomes=P | {"cr_day": [20, None, 30], "relapse_day": [90, 40, None],
                      "last_follow_up_day": [100, 90, 30], "died": ["no", "yes", None],
                      "death_day": [None, 90, None]},
        treatments={"patient_id": ["a", "a"], "kind": ["alloSCT", "TKI"], "start_day": [60, None]},
        mrd_assessments={"patient_id": ["a", "a", "b"], "day": [30, -60, 41],
                         "assay": ["NGS", "NGS", "MFC"], "call": ["negative", "positive", None],
                         "mrd_fraction": [0, 0.5, 1e-4], "lod_fraction": [1e-6, 1e-6, 1e-4]},
    ) == []  # fmt: skip


def test_what_only_begins_as_a_lineage_is_none() -> None:
    for texts in (["B", "B1", "B2"], ["BM", "TX", "B"], ["T", "B", "other"]):
        assert problems(patients=P | {"arm": texts}, own={"arm": "category"}) == []


def test_one_row_of_a_file_can_give_several_of_a_table() -> None:
    samples = cells({"patient_id": ["a", "a", "b"], "day": [30, "x", 30]})
    samples.index = pd.Index([2, 2, 3], name=ROW)
    canonical = SimpleNamespace(
        study=STUDY, places={}, own={}, problems=[],
        cells={"patients": cells({"patient_id": ["a", "b"]}), "mrd_assessments": samples},
    )  # fmt: skip
    read = typed(canonical, "")
    assert [(p.row, p.value) for p in read.problems] == [(2, "x")]
    assert list(read.frames["mrd_assessments"].index) == [2, 2, 3]
    assert any(p.row == 2 and "never used" in p.what for p in check(read))


def test_findings_name_the_users_own_file() -> None:
    places = {
        ("patients", "patient_id"): ("cohort.xlsx: All", "Pat.-Nr."),
        ("outcomes", "patient_id"): ("cohort.xlsx: All", "Pat.-Nr."),
        ("outcomes", "relapse_day"): ("cohort.xlsx: All", "Rezidiv"),
        ("outcomes", "cr_day"): ("cohort.xlsx: All", "CR1 am"),
    }
    outcomes = P | {"cr_day": [20, 20, 20], "relapse_day": [10, None, None]}
    (problem,) = problems(patients=P, outcomes=outcomes, places=places)
    assert (problem.file, problem.column, problem.value) == (
        "cohort.xlsx: All", "Rezidiv", "10 (CR1 am 20)")  # fmt: skip
    assert problem.what == "Rezidiv is not after CR1 am."
    twice = {"patient_id": ["a", "a"], "cr_day": [20, 21]}
    (problem,) = problems(
        patients={"patient_id": ["a", "a"], "sex": ["male"] * 2}, outcomes=twice, places=places
    )
    assert problem.column == "Pat.-Nr."
    assert problem.what.endswith("in row 2, with other values of CR1 am.")


def test_the_first_200_rows_of_a_finding_are_listed_and_the_rest_counted() -> None:
    n = LISTED + 57
    patients = {"patient_id": range(n), "age_years": ["old"] * n}
    found = problems(patients=patients)
    assert len(found) == LISTED + 1
    assert [p.row for p in found[:LISTED]] == list(range(2, LISTED + 2))
    last = found[-1]
    assert (last.row, last.rows, last.value) == (None, 57, None)
    assert "57 further rows" in last.what
    assert sum(p.rows for p in found) == n


def test_no_value_of_a_patient_is_in_the_words_of_a_finding() -> None:
    # These words reach the store; the value does not.
    for brought, *_ in CASES.values():
        for problem in problems(**brought):
            if problem.severity != "note":
                numbers = re.findall(r"\d{2,}", str(problem.value or ""))
                said = re.findall(r"\d{2,}", re.sub(r"from .* to .*|row \d+", "", problem.what))
                assert not {*numbers} & {*said}


def test_windows_that_catch_nothing_say_where_the_samples_are() -> None:
    samples = {"patient_id": ["a", "a", "b", "c"], "day": [10, 61, 70, None]}
    (found,) = [p for p in check(tables(mrd_assessments=samples)) if "stands for" in p.what]
    assert found.severity == "warning"
    assert "1 lie before and 2 after" in found.what
    assert "day 20 to 60" in found.what
    named = samples | {"timepoint": ["EOI", None, None, None]}
    assert not [p for p in check(tables(mrd_assessments=named)) if "stands for" in p.what]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("mrd_fraction", [0.5, 0.02, 0.3, 1, 0.05, 0.6, 0.02, 0.09, 0.03, 0.004], "above 0.01"),
        ("lod_fraction", [0.01] * 8 + [0.001] * 2, "0.005 or more"),
    ],
)
def test_percent_where_a_fraction_is_meant(column: str, values: list[float], words: str) -> None:
    samples = {"patient_id": [str(n) for n in range(10)], "day": [30] * 10}
    (found,) = problems(mrd_assessments=samples | {column: values})
    assert (found.severity, found.column) == ("warning", column)
    assert words in found.what
    assert "percent" in found.what
    true = [value / 100 for value in values]
    assert problems(mrd_assessments=samples | {column: true}) == []
    before = samples | {"day": [0] * 10, "mrd_fraction": [0.9] * 10}
    assert problems(mrd_assessments=before) == []


def test_follow_up_after_the_data_were_closed() -> None:
    study = {"data_cutoff": "2024-06", "date_format": "year-month-day"}
    patients = P | {"day_zero_date": ["2024-01-01", "2024-06-01", None]}
    outcomes = P | {"last_follow_up_day": [212, 61, 9999]}
    # The cut-off is 30 June; day 212 is 31 July, day 61 from 1 June is 1 August.
    (found,) = problems(study=study, patients=patients, outcomes=outcomes)
    assert (found.severity, found.row, found.value) == ("warning", 3, "61")
    assert "after the data cut-off" in found.what
    unknown = study | {"data_cutoff": "last summer"}
    assert problems(study=unknown, patients=patients, outcomes=outcomes) == []


def test_two_spellings_of_one_level() -> None:
    patients = {
        "patient_id": [str(n) for n in range(6)],
        "centre": ["Rome", "rome ", "ROME", "Milan", "Milan", "Turin"],
        "karyotype": ["t(9;22)", "t (9; 22)", "t(9;21)", "Ph+", "Ph-", "1.5"],
        "grade": ["CR 1", "CR1", "CR-2", "CR 2", "15", "1 5"],
    }
    found = problems(
        patients=patients, own=dict.fromkeys(("centre", "karyotype", "grade"), "category")
    )
    assert {(p.severity, p.column, p.value, p.rows) for p in found} == {
        ("warning", "centre", "ROME | Rome | rome ", 2),
        ("warning", "karyotype", "t (9; 22) | t(9;22)", 1),
        ("warning", "grade", "CR 1 | CR1", 1),
        ("warning", "grade", "CR 2 | CR-2", 1),
    }


def test_levels_of_one_patient_and_empty_columns_are_noted() -> None:
    n = 20
    patients = {"patient_id": range(n), "centre": ["A"] * 18 + ["B", "C"], "sex": [None] * n}
    found = [p for p in check(tables(patients=patients, own={"centre": "category"}))]
    noted = {(p.severity, p.column, p.value) for p in found}
    assert ("note", "centre", "B | C") in noted
    assert ("note", "sex", None) in noted
    free = {"patient_id": range(40), "centre": [f"text {k}" for k in range(40)]}
    assert problems(patients=free, own={"centre": "category"}) == []


def test_who_has_no_outcome() -> None:
    patients = {"patient_id": ["a", "b"]}
    (found,) = check(tables(patients=patients))
    assert (found.severity, found.row) == ("note", None)
    (found,) = check(tables(patients=patients, outcomes={"patient_id": ["b"], "cr_day": [20]}))
    assert (found.severity, found.row, found.value) == ("warning", 2, "a")
    ends = {"patient_id": ["a", "b"], "endpoint": ["OS"] * 2, "time_days": [1, 2],
            "event_code": [0, 1]}  # fmt: skip
    found_of_given = check(tables(patients=patients, given_endpoints=ends))
    assert found_of_given == []


def test_a_table_without_patients_or_days_is_no_crash() -> None:
    read = tables(mrd_assessments={"patient_id": ["a"], "assay": ["NGS"]})
    check(read)
    read = tables(outcomes={"patient_id": ["a"], "last_follow_up_day": [5]})
    assert not [p for p in check(read) if p.severity == "fatal"]
    read.frames["patients"] = read.frames["patients"].drop(columns="patient_id")
    check(read)


def test_a_study_that_brings_nothing_but_samples() -> None:
    read = tables(mrd_assessments={"patient_id": ["a"], "day": [30]})
    assert set(read.frames) == {
        "patients", "mrd_assessments", "treatments", "outcomes", "given_endpoints"
    }  # fmt: skip
    assert read.frames["outcomes"].empty


@given(st.lists(st.one_of(st.none(), st.text(max_size=6), st.floats().map(str)), max_size=20))
def test_a_column_of_numbers_is_read_as_each_text_alone_is(texts: list[str | None]) -> None:
    patients = {"patient_id": range(len(texts)), "ferritin": texts}
    read = tables(patients=patients, own={"ferritin": "number"})
    expected = [None if t is None else number(t) for t in texts]
    known = read.frames["patients"]["ferritin"]
    assert known.isna().tolist() == [e is None or e != e for e in expected]
    assert known.dropna().tolist() == [e for e in expected if e is not None and e == e]
    wrong = [n for n, (t, e) in enumerate(zip(texts, expected, strict=True), 2) if t and e != e]
    assert [p.row for p in read.problems if p.value] == wrong


def test_the_sheet_of_problems() -> None:
    rows = row_problems("note", ("a.csv", "x"), range(2, 300), ["v"] * 300, "it is odd.", "Look.")
    found = [*rows, Problem("fatal", "b.csv", None, None, None, "it is empty.", "Fill it.")]
    sheet = report(found)
    assert list(sheet.columns) == [
        "severity", "file", "row", "column", "value", "problem", "remedy", "rows"
    ]  # fmt: skip
    assert sheet["severity"].iloc[0] == "fatal"
    assert sheet["rows"].sum() == 299
    assert pd.isna(sheet["row"].iloc[-1])
    assert list(report([]).columns) == list(sheet.columns)


def test_the_registry_made_for_measuring_has_no_findings() -> None:
    made = {name: table.to_pydict() for name, table in registry(300).items()}
    own = {"centre": "category", "ferritin": "number"}
    read = tables(study=study("made"), own=own, **made)
    assert [*read.problems, *check(read)] == []
    assert len(read.frames["mrd_assessments"]) == 900
    assert registry(50)["patients"].equals(registry(50)["patients"])


@pytest.mark.parametrize(
    ("assay", "severity"),
    [("NGS", "fatal"), ("MFC", "fatal"), ("BCR::ABL1 PCR", "warning"), (None, "warning")],
)
def test_a_level_above_one_is_a_ratio_of_transcripts_or_wrong(
    assay: str | None, severity: str
) -> None:
    samples = {"patient_id": ["a"], "day": [0], "assay": [assay], "mrd_fraction": [4.6]}
    found = [p for p in check(tables(mrd_assessments=samples)) if p.column == "mrd_fraction"]
    assert [(p.severity, p.value) for p in found] == [(severity, "4.6")]
