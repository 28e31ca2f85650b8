"""What is proposed for real-looking sheets, what is asked, and what the answers make of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.importing.apply import apply
from data.importing.check import check
from data.importing.formats import read_file
from data.importing.mapping import Assignment, Question, StudyMapping, from_json, to_json
from data.importing.publish import build
from data.importing.read import typed
from data.importing.recognise import (
    answered,
    complete,
    effect,
    identity,
    notes,
    propose,
    questions,
    with_proposals,
    with_role,
)
from data.importing.sheets import ROW, Sheet
from data.store import Snapshot, records

FILES = Path(__file__).parent / "files"
DEMO = Path(__file__).parents[2] / "data" / "demo"


def sheet(
    columns: Mapping[str, Sequence[object]],
    name: str = "a.csv",
    dates: frozenset[str] = frozenset(),
) -> Sheet:
    cells = pd.DataFrame(
        {
            column: pd.Series([str(text).strip() or None for text in texts], dtype="object")
            for column, texts in columns.items()
        }
    ).astype("category")
    cells.index = pd.RangeIndex(2, len(cells) + 2, name=ROW)
    return Sheet(name, cells, {}, dates)


def read(path: Path, sep: str = ",", skip: int = 0) -> Sheet:
    frame = pd.read_csv(
        path, sep=sep, skiprows=skip, dtype=str, keep_default_na=False, na_values=["NA", ""]
    )
    frame = frame.rename(columns={"Unnamed: 0": "column 1"})
    return sheet({column: frame[column].fillna("") for column in frame}, path.name)


def targets(mapping: StudyMapping, name: str | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in mapping.sheets:
        for a in one.assignments if name in (None, one.sheet) else ():
            found.setdefault(a.column, []).append(a.target)
    return found


def assigned(mapping: StudyMapping, column: str, target: str) -> Assignment:
    every = (a for one in mapping.sheets for a in one.assignments)
    return next(a for a in every if (a.column, a.target) == (column, target))


def asked(sheets: Sequence[Sheet], mapping: StudyMapping) -> dict[tuple[str, str, str], Question]:
    return {(q.column, q.target, q.field): q for q in questions(sheets, mapping)}


def settled(
    sheets: Sequence[Sheet], mapping: StudyMapping, answers: Mapping[tuple[str, str], object]
) -> StudyMapping:
    """Answer by column and field; a column of '' is the sheet."""
    mapping = with_proposals(sheets, mapping)
    for _ in range(4):
        for question in questions(sheets, mapping):
            answer = answers.get((question.column, question.field))
            if answer is not None:
                mapping = complete(sheets, answered(mapping, question, answer))  # type: ignore[arg-type]
    assert questions(sheets, mapping) == ()
    return mapping


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    return [
        tuple(row)
        for row in frame[list(columns)].astype("object").fillna("").itertuples(index=False)
    ]


# --- the raw table of a real cohort --------------------------------------------------------------


@pytest.fixture(scope="module")
def chiaretti() -> Sheet:
    return read(DEMO / "chiaretti2004" / "ALL_pData.csv")


@pytest.fixture(scope="module")
def chiaretti_mapping(chiaretti: Sheet) -> StudyMapping:
    mapping = propose([chiaretti], {"study_id": "raw"})
    return settled([chiaretti], mapping, {("date last seen", "is_day_of"): "relapsed,died"})


def test_chiaretti_is_recognised(chiaretti: Sheet) -> None:
    mapping = propose([chiaretti])
    found = targets(mapping)
    assert found["column 1"] == ["patient_id"]
    assert found["cod"] == ["nothing"]
    assert found["diagnosis"] == ["day_zero_date"]
    assert set(found["mol.biol"]) == {"ph_status", "kmt2a_rearranged", "own"}
    assert set(found["BT"]) == {"lineage", "own"}
    assert set(found["f.u"]) == {"relapsed", "died", "alloSCT_given", "autoSCT_given"}
    assert set(found["CR"]) == {"cr_achieved", "died"}
    assert found["t(9;22)"] == ["own"]
    assert found["ccr"] == ["nothing"]
    assert assigned(mapping, "date.cr", "cr_day").spelling == "month/day/year"
    assert mapping.study["day_zero_label"] == "diagnosis"
    assert mapping.study["timepoints"] == []


def test_words_in_texts_are_proposed_and_have_to_be_confirmed(chiaretti: Sheet) -> None:
    mapping = propose([chiaretti])
    question = asked([chiaretti], mapping)["f.u", "died", "values"]
    assert question.proposed["BMT / DEATH IN CR"] == "yes"
    assert question.proposed["REL"] == ""
    with pytest.raises(ValueError, match="open"):
        apply([chiaretti], mapping)


def test_chiaretti_says_its_quirks(chiaretti: Sheet, chiaretti_mapping: StudyMapping) -> None:
    said = [str(problem) for problem in apply([chiaretti], chiaretti_mapping).problems]
    for words in (
        "leading zeros alone, in 21 rows",
        "‘1/15/1997’ decides: they are month/day/year",
        "‘00/09/01’: this is not a day",
        "‘00/09/20+T12501’: this is not a day",
        "‘not known’ is read as an empty cell",
        "for 28 of 128 patients it is not known whether there was a relapse",
        "15 of 16 patients with a death have no day of it",
        "9 of 9 alloSCT have no day",
        "it contradicts ‘f.u’ on ‘alloSCT",
    ):
        assert any(words in line for line in said), words


def test_chiaretti_agrees_with_the_conversion_by_hand(
    chiaretti: Sheet, chiaretti_mapping: StudyMapping
) -> None:
    result = apply([chiaretti], chiaretti_mapping)
    by_hand = {
        name: pd.read_csv(DEMO / "chiaretti2004" / f"{name}.csv", dtype=str, keep_default_na=False)
        for name in ("patients", "outcomes", "treatments")
    }
    for table, columns in (
        (
            "patients",
            ("sex", "age_years", "lineage", "ph_status", "kmt2a_rearranged", "t_9_22", "t_4_11"),
        ),
        ("outcomes", ("cr_achieved", "relapsed", "died")),
    ):
        wanted = by_hand[table].set_index("patient_id")
        mine = result.cells[table].astype("object").fillna("").set_index("patient_id")
        for column in columns:
            assert mine.loc[wanted.index, column].tolist() == wanted[column].tolist(), column
    mine = result.cells["treatments"].astype("object")
    mine = mine[mine["patient_id"].isin(by_hand["patients"]["patient_id"])]
    wanted = by_hand["treatments"]
    assert set(rows(mine, "patient_id", "kind")) == set(rows(wanted, "patient_id", "kind"))
    last = result.cells["outcomes"].set_index("patient_id").loc["03002"]
    assert (last["cr_day"], last["relapse_day"], last["last_follow_up_day"]) == ("54", "478", "478")
    assert pd.isna(last["death_day"])


def test_chiaretti_has_the_times_of_the_embedded_cohort(
    chiaretti: Sheet, chiaretti_mapping: StudyMapping, chiaretti2004: Snapshot, tmp_path: Path
) -> None:
    tables = typed(apply([chiaretti], chiaretti_mapping), "0" * 64)
    problems = (*tables.problems, *check(tables))
    assert not any(problem.severity == "fatal" for problem in problems)
    assert sum("no t(9;22)" in problem.what for problem in problems) == 5
    assert sum("T-ALL" in problem.what for problem in problems) == 33
    path = tmp_path / "raw.duckdb"
    raw = Snapshot(
        "raw", "Raw", "0" * 12, build(path, tables, problems), path, "", {}, current=False
    )
    text = (
        "SELECT t.patient_id, t.endpoint, t.time_days, t.event_code FROM time_to_event t "
        "JOIN subjects s USING (patient_id) WHERE s.lineage = 'B' AND t.time_days IS NOT NULL "
        "AND t.endpoint IN ('RFS', 'CIR') ORDER BY ALL"
    )
    mine, embedded = records(raw, text), records(chiaretti2004, text)
    assert sum(row["endpoint"] == "RFS" for row in mine) == 66
    assert mine == embedded
    refused = "SELECT refused_because IS NOT NULL AS refused FROM endpoints WHERE endpoint = 'OS'"
    assert records(raw, refused) == [{"refused": True}]


# --- a trial with German codes and offsets from one calendar day ---------------------------------


def test_aml_trial_with_offsets() -> None:
    trial = read(FILES / "aml_trial.csv", ";")
    mapping = propose([trial])
    found = targets(mapping)
    assert found["ERDate"] == ["day_zero_date"]
    assert found["TPL_date"] == ["alloSCT_day", "autoSCT_day"]
    assert set(found["TPL_type"]) == {"alloSCT_given", "autoSCT_given"}
    assert assigned(mapping, "Geschlecht", "sex").values == {"w": "female", "m": "male"}
    assert assigned(mapping, "Lebensstatus", "died").values == {"verstorben": "yes", "lebt": "no"}
    assert assigned(mapping, "Leukozyten (G/l)", "wbc_10e9_per_l").unit == "10e9/L"
    assert assigned(mapping, "Alter", "age_years").decimal == ","
    assert set(asked([trial], mapping)) == {
        ("TPL_type", "alloSCT_given", "values"),
        ("TPL_type", "autoSCT_given", "values"),
        ("Date_LF", "last_follow_up_day", "is_day_of"),
    }
    result = apply([trial], settled([trial], mapping, {("Date_LF", "is_day_of"): "died"}))
    raw = pd.read_csv(FILES / "aml_trial.csv", sep=";", dtype={"PatNr": str})
    outcomes = result.cells["outcomes"]
    days = pd.to_numeric(outcomes["last_follow_up_day"].astype("object"))
    assert days.tolist() == (raw["Date_LF"] - raw["ERDate"]).tolist()
    dead = raw["Lebensstatus"] == "verstorben"
    assert outcomes["death_day"].notna().tolist() == dead.tolist()
    courses = result.cells["treatments"].astype("object")
    transplants = raw.dropna(subset=["TPL_type"])
    assert dict(courses["kind"].value_counts()) == {
        "alloSCT": int((transplants["TPL_type"] != "AUTO").sum()),
        "autoSCT": int((transplants["TPL_type"] == "AUTO").sum()),
    }
    start = dict(zip(raw["PatNr"], raw["TPL_date"] - raw["ERDate"], strict=True))
    assert all(
        int(day) == start[patient] for patient, day in rows(courses, "patient_id", "start_day")
    )


# --- MRD -----------------------------------------------------------------------------------------


def test_pcr_table_in_log10_with_left_censored_values() -> None:
    pcr = read(FILES / "bcr_abl1_pcr.csv")
    mapping = propose([pcr])
    assert mapping.sheets[0].role == "samples"
    assert mapping.sheets[0].constants["assay"] == "BCR::ABL1 PCR"
    open_ = asked([pcr], mapping)
    assert set(open_["log10 limit", "mrd_limit", "unit"].choices) == {
        "log10 fraction",
        "log10 percent",
    }
    answers = {
        ("", "material"): "PB",
        ("", "empty_with_limit"): "negative",
        ("log10 BCR::ABL1 ratio", "unit"): "log10 percent",
    }
    result = apply([pcr], settled([pcr], mapping, answers))
    raw = pd.read_csv(FILES / "bcr_abl1_pcr.csv")
    found = result.cells["mrd_assessments"].astype("object")
    assert len(found) == len(raw)
    empty = raw["log10 BCR::ABL1 ratio"].isna().to_numpy()
    assert empty.any()
    assert (found["call"][empty] == "negative").all()
    assert found["call"][~empty].isna().all()
    level = found["mrd_fraction"].astype(float).to_numpy()
    assert level[~empty] == pytest.approx(
        10 ** (raw["log10 BCR::ABL1 ratio"][~empty].to_numpy() - 2)
    )
    assert (level[empty] == 0).all()
    assert found["lod_fraction"].astype(float).to_numpy() == pytest.approx(
        10 ** (raw["log10 limit"] - 2)
    )
    assert (
        found["day"].astype(int).tolist()
        == (raw["TIME (months)"] * 30.4375).round().astype(int).tolist()
    )
    assert sorted(result.cells["patients"]["patient_id"]) == sorted(raw["ID"].unique())


@pytest.mark.parametrize(
    ("meaning", "fraction", "call"), [("negative", "0", "negative"), ("below LOD", "", "below LOD")]
)
def test_less_than_is_asked_and_carries_its_limit(meaning: str, fraction: str, call: str) -> None:
    long = sheet(
        {
            "patient": ["1", "1", "2", "2"],
            "day": ["30", "90", "30", "90"],
            "MRD (%)": ["<0,01", "0,5", "neg", "ND"],
            "material": ["KM", "PB", "KM", "KM"],
        },
        "mrd.csv",
    )
    mapping = propose([long])
    question = asked([long], mapping)["MRD (%)", "mrd_result", "values"]
    assert question.texts == ("ND",)
    assert "ND" not in question.proposed
    answers = {
        ("", "assay"): "MFC",
        ("", "less_than"): meaning,
        ("", "lod_fraction"): "0.0001",
        ("MRD (%)", "values"): {"ND": "negative"},
    }
    found = apply([long], settled([long], mapping, answers)).cells["mrd_assessments"]
    assert rows(found, "mrd_fraction", "lod_fraction", "call", "material") == [
        (fraction, "0.0001", call, "BM"),
        ("0.005", "0.0001", "", "PB"),
        ("0", "0.0001", "negative", "BM"),
        ("0", "0.0001", "negative", "BM"),
    ]


def test_calls_win_over_levels_and_too_much_mrd_is_a_problem() -> None:
    long = sheet(
        {
            "patient": ["1", "1", "2"], "day": ["30", "90", "30"], "mrd_result": ["0.2", "12000", "5"],
            "call": ["neg", "pos", ""], "assay": ["NGS"] * 3, "material": ["BM"] * 3, "lod": ["0.01"] * 3,
        },
        "mrd.csv",
    )  # fmt: skip
    mapping = settled([long], propose([long]), {("mrd_result", "unit"): "percent"})
    result = apply([long], mapping)
    assert rows(result.cells["mrd_assessments"], "mrd_fraction", "call", "lod_fraction") == [
        ("0.002", "negative", "0.0001"), ("", "positive", "0.0001"), ("0.05", "", "0.0001"),
    ]  # fmt: skip
    (problem,) = [p for p in result.problems if p.severity == "fatal"]
    assert (problem.row, problem.column, problem.value) == (3, "mrd_result", "12000")


def test_wide_sheet_of_a_laboratory() -> None:
    lab = read(FILES / "labor.csv", ";")
    mapping = propose([lab])
    assert {a.timepoint for a in mapping.sheets[0].assignments if a.target == "mrd_result"} == {
        "EOI", "d78", "W12",
    }  # fmt: skip
    assert [(t["label"], t["target_day"]) for t in mapping.study["timepoints"]] == [
        ("d78", 78),
        ("W12", 84),
    ]
    assert ("EOI", "", "timepoints") in asked([lab], mapping)
    answers = {
        ("", "assay"): "qPCR", ("", "material"): "BM", ("", "lod_fraction"): "",
        ("", "less_than"): "negative", ("MRD d78", "unit"): "percent", ("EOI", "timepoints"): "33",
        **{(c, "values"): {"ND": "negative"} for c in ("MRD EOI (%)", "MRD d78")},
    }  # fmt: skip
    result = apply([lab], settled([lab], mapping, answers))
    found = result.cells["mrd_assessments"].astype("object")
    raw = pd.read_csv(FILES / "labor.csv", sep=";", dtype=str)
    for column, label in (("MRD EOI (%)", "EOI"), ("MRD d78", "d78"), ("MRD_W12", "W12")):
        assert (found["timepoint"] == label).sum() == raw[column].notna().sum()
    assert set(found["day"][found["timepoint"] == "d78"]) == {"78"}
    assert found["day"][found["timepoint"] == "EOI"].nunique() > 5
    first = [t["first_day"] for t in result.study["timepoints"]]
    last = [t["last_day"] for t in result.study["timepoints"]]
    assert all(before < after for before, after in zip(last[:-1], first[1:], strict=True))


def test_answer_to_a_unit_holds_for_every_mrd_column_of_the_sheet() -> None:
    lab = sheet({"ID": ["1", "2"], "MRD d33": ["neg", "0.1"], "MRD d78": ["0.2", "neg"]})
    mapping = propose([lab])
    question = asked([lab], mapping)["MRD d33", "mrd_result", "unit"]
    mapping = answered(mapping, question, "percent")
    assert {a.unit for a in mapping.sheets[0].assignments if a.target == "mrd_result"} == {
        "percent"
    }


# --- endpoints of the study's own ----------------------------------------------------------------


def test_cbioportal_reads_without_a_question() -> None:
    portal = read(FILES / "data_clinical_patient.txt", "\t", skip=4)
    mapping = propose([portal])
    assert questions([portal], mapping) == ()
    result = apply([portal], mapping)
    raw = pd.read_csv(FILES / "data_clinical_patient.txt", sep="\t", skiprows=4)
    given_ = result.cells["given_endpoints"].astype("object")
    survival = given_[given_["endpoint"] == "OS"]
    assert (
        survival["time_days"].astype(int).tolist() == (raw["OS_MONTHS"] * 30.4375).round().tolist()
    )
    dead = raw["OS_STATUS"] == "1:DECEASED"
    assert survival["event_code"].tolist() == ["1" if d else "0" for d in dead]
    assert set(given_["endpoint"]) == {"OS", "RFS"}
    outcomes = result.cells["outcomes"].astype("object")
    assert (outcomes["died"] == "yes").tolist() == dead.tolist()
    assert outcomes["death_day"].notna().tolist() == dead.tolist()
    assert outcomes["last_follow_up_day"].notna().tolist() == (~dead).tolist()


def adam() -> list[Sheet]:
    adsl = sheet(
        {
            "STUDYID": ["X"] * 3, "USUBJID": ["X-1", "X-2", "X-3"], "AGE": ["33", "44", "55"],
            "SEX": ["F", "M", "F"], "TRTSDT": ["2020-01-10", "2020-02-10", "2020-03-10"],
            "DTHFL": ["Y", "N", "N"], "DTHDT": ["2020-04-19", "", ""],
            "LSTALVDT": ["2020-04-19", "2021-02-10", "2021-03-10"],
        },
        "adsl.csv", frozenset({"TRTSDT", "DTHDT", "LSTALVDT"}),
    )  # fmt: skip
    adtte = sheet(
        {
            "USUBJID": ["X-1", "X-1", "X-2", "X-2", "X-3", "X-3"],
            "PARAMCD": ["OS", "CIR", "OS", "CIR", "OS", "RFSHSCT"],
            "AVAL": ["100", "50", "366", "366", "365", "30"],
            "AVALU": ["DAYS"] * 6,
            "CNSR": ["0", "2", "1", "0", "1", "1"],
            "CNSDTDSC": ["", "competing event", "alive", "", "alive", "alive"],
            "STARTDT": ["2020-01-10", "2020-02-10", "2020-02-10", "2020-02-10", "2020-03-10", "2020-03-10"],
        },
        "adtte.csv", frozenset({"STARTDT"}),
    )  # fmt: skip
    return [adsl, adtte]


def as_file(table: Sheet, ending: str, folder: Path) -> Sheet:
    """Write a sheet as CSV or as SAS transport, and read it as an import does."""
    name = table.name.replace(".csv", ending)
    frame = table.cells.astype("object")
    if ending == ".xpt":
        frame = frame.fillna("").reset_index(drop=True)
        for column in table.dates:
            frame[column] = pd.to_datetime(frame[column], errors="coerce").dt.date
        for column in {"AGE", "AVAL", "CNSR"} & set(frame):
            frame[column] = frame[column].astype(float)
        pyreadstat.write_xport(frame, str(folder / name), file_format_version=5)
    else:
        frame.to_csv(folder / name, index=False)
    ((found,), problems) = read_file(folder / name, name)
    assert [p for p in problems if p.severity == "fatal"] == []
    return found


@pytest.mark.parametrize("ending", [".csv", ".xpt"])
def test_adam_pair_reads_without_a_question(ending: str, tmp_path: Path) -> None:
    sheets = [as_file(table, ending, tmp_path) for table in adam()]
    mapping = propose(sheets)
    assert [one.role for one in mapping.sheets] == ["patients", "endpoints"]
    assert questions(sheets, mapping) == ()
    result = apply(sheets, mapping)
    wanted = ("patient_id", "endpoint", "origin_day", "time_days", "event_code")
    assert rows(result.cells["given_endpoints"], *wanted) == [
        ("X-1", "OS", "0", "100", "1"), ("X-1", "CIR", "31", "50", "2"), ("X-2", "OS", "0", "366", "0"),
        ("X-2", "CIR", "0", "366", "1"), ("X-3", "OS", "0", "365", "0"),
    ]  # fmt: skip
    assert rows(result.cells["outcomes"], "death_day", "last_follow_up_day") == [
        ("100", "100"), ("", "366"), ("", "365"),
    ]  # fmt: skip


def test_status_codes_without_words_are_asked() -> None:
    survival = sheet(
        {"ID": ["1", "2", "3"], "OS_time": ["1.5", "2", "30"], "OS_status": ["0", "1", "1"]}
    )
    mapping = propose([survival])
    open_ = asked([survival], mapping)
    assert open_["OS_status", "OS_status", "values"].texts == ("1", "0")
    assert open_["OS_status", "OS_status", "values"].proposed == {}
    assert ("OS_time", "OS_time", "unit") in open_
    vital = sheet(
        {"ID": ["1", "2"], "Status": ["0", "1"], "date of last contact": ["1.2.2020", "1.3.2020"]}
    )
    assert ("Status", "died", "values") in asked([vital], propose([vital]))


def test_half_an_endpoint_is_none_and_deaths_can_be_its_status() -> None:
    half = sheet({"ID": ["1", "2", "3"], "EFS_months": ["1.5", "2", "30"], "sex": ["m", "w", "m"]})
    assert targets(propose([half]))["EFS_months"] != ["EFS_time"]
    whole = sheet(
        {"ID": ["1", "2", "3"], "OS_months": ["1.5", "2", "30"], "Status": ["tot", "lebt", "tot"]}
    )
    assert set(targets(propose([whole]))["Status"]) == {"died", "OS_status"}


# --- REDCap --------------------------------------------------------------------------------------


def test_redcap_raw_asks_for_codes_and_labels_do_not() -> None:
    raw, labels = read(FILES / "redcap_raw.csv"), read(FILES / "redcap_labels.csv")
    mapping = propose([raw])
    assert set(asked([raw], mapping)) == {
        ("sex", "sex", "values"),
        ("vital_status", "died", "values"),
        ("last_fu_date", "last_follow_up_day", "is_day_of"),
    }
    assert targets(mapping)["demographics_complete"] == ["nothing"]
    same = propose([labels])
    assert set(asked([labels], same)) == {
        ("Date of last follow-up", "last_follow_up_day", "is_day_of")
    }
    answers = {
        ("sex", "values"): {"1": "male", "2": "female"},
        ("vital_status", "values"): {"0": "no", "1": "yes"},
        ("last_fu_date", "is_day_of"): "died",
        ("Date of last follow-up", "is_day_of"): "died",
    }
    one = apply([raw], settled([raw], mapping, answers)).cells
    other = apply([labels], settled([labels], same, answers)).cells
    for table, columns in (
        ("patients", ("patient_id", "sex", "age_years", "ph_status")),
        ("outcomes", ("cr_day", "died", "death_day", "last_follow_up_day")),
    ):
        assert rows(one[table], *columns) == rows(other[table], *columns)


# --- our own four tables -------------------------------------------------------------------------


def four_tables(study: str) -> list[Sheet]:
    names = ("patients", "mrd_assessments", "treatments", "outcomes")
    return [read(DEMO / study / f"{name}.csv") for name in names]


@pytest.mark.parametrize("study", ["short2025", "nguyen2026", "allmrd", "chiaretti2004"])
def test_the_four_tables_are_proposed_as_they_are(study: str) -> None:
    described = json.loads((DEMO / study / "study.json").read_text("utf-8"))
    sheets = four_tables(study)
    mapping = propose(sheets, described)
    assert [one.role for one in mapping.sheets] == ["patients", "samples", "courses", "patients"]
    assert questions(sheets, mapping) == ()
    found = apply(sheets, mapping).cells
    wanted = apply(sheets, identity(sheets, described)).cells
    for table, frame in wanted.items():
        both = [column for column in frame if column in found[table]]
        assert rows(found[table], *both) == rows(frame, *both), table
        left = {"disease_status_group", "karyotype"} if table == "patients" else set()
        assert set(frame) - set(found[table]) <= left


def test_identity_keeps_what_does_not_fit() -> None:
    patients = sheet(
        {"patient_id": ["1", "2"], "sex": ["female", "femalle"], "age_years": ["12,5", "?"]},
        "patients.csv",
    )
    outcomes = sheet(
        {"patient_id": ["1"], "cr_day": ["12.5"], "last_follow_up_day": ["x"], "extra": ["1"]},
        "outcomes.csv",
    )
    result = apply([patients, outcomes], identity([patients, outcomes], {}))
    assert rows(result.cells["patients"], "sex", "age_years") == [
        ("female", "12,5"),
        ("femalle", "?"),
    ]
    assert rows(result.cells["outcomes"], "cr_day", "last_follow_up_day") == [("12.5", "x")]
    assert result.places["patients", "sex"] == ("patients.csv", "sex")


# --- single decisions ----------------------------------------------------------------------------


def test_date_that_can_be_read_both_ways_is_asked_with_an_example() -> None:
    dated = sheet(
        {
            "ID": ["1", "2"],
            "diagnosis": ["1/2/2020", "3/4/2020"],
            "relapse": ["5/6/2020", "7/8/2020"],
        }
    )
    mapping = propose([dated])
    question = asked([dated], mapping)["relapse", "relapse_day", "spelling"]
    assert question.choices["day/month/year"].endswith("‘5/6/2020’ is 5 June 2020")
    assert question.choices["month/day/year"].endswith("‘5/6/2020’ is 6 May 2020")


def test_two_columns_that_may_be_day_zero_are_asked() -> None:
    dated = sheet(
        {
            "ID": ["1", "2"], "date of diagnosis": ["13.1.2020", "14.1.2020"],
            "start of treatment": ["15.1.2020", "16.1.2020"], "last contact": ["15.1.2021", "16.2.2021"],
        }
    )  # fmt: skip
    mapping = propose([dated])
    question = asked([dated], mapping)["", "day_zero_date", "day_zero_date"]
    assert {"date of diagnosis", "start of treatment"} <= set(question.choices)
    mapping = complete([dated], answered(mapping, question, "start of treatment"))
    assert questions([dated], mapping) == ()
    result = apply([dated], mapping)
    assert rows(result.cells["outcomes"], "last_follow_up_day") == [("366",), ("397",)]


def test_dates_without_any_day_zero_ask_for_one() -> None:
    dated = sheet(
        {
            "ID": ["1", "2"],
            "CR date": ["13.1.2020", "14.1.2020"],
            "last contact": ["13.1.2021", "16.2.2021"],
        }
    )
    mapping = propose([dated])
    question = asked([dated], mapping)["", "day_zero_date", "day_zero_date"]
    mapping = answered(mapping, question, "CR date")
    assert set(targets(mapping)["CR date"]) == {"cr_day", "day_zero_date"}
    assert rows(apply([dated], mapping).cells["outcomes"], "cr_day") == [("0",), ("0",)]


def test_an_event_that_is_only_marked_asks_what_an_empty_cell_is() -> None:
    people = sheet({"ID": ["1", "2", "3"], "DTHFL": ["Y", "", ""]})
    mapping = propose([people])
    question = asked([people], mapping)["DTHFL", "died", "values"]
    assert question.texts == ("",)
    for answer, wanted in (("no", ["yes", "no", "no"]), ("", ["yes", "", ""])):
        settled_ = answered(mapping, question, {"": answer})
        assert questions([people], settled_) == ()
        found = apply([people], settled_).cells["outcomes"]
        assert [row[0] for row in rows(found, "died")] == wanted


def test_effect_counts_rows() -> None:
    people = sheet(
        {
            "ID": list("12345"),
            "sex": ["f", "m", "f", "3", "?"],
            "diagnosis": ["1.2.2020", "x", "", "2.2.20", "-"],
            "age": ["1", "2", "", "x", "999"],
        }
    )
    found = {a.column: effect(people, a) for a in propose([people]).sheets[0].assignments}
    assert found["sex"] == {"female": 2, "male": 1, "not read": 1, "empty": 1}
    assert found["age"] == {"read": 2, "not read": 2, "empty": 1}
    day = Assignment("diagnosis", "day_zero_date", spelling="day.month.year")
    assert effect(people, day) == {"read": 1, "not read": 2, "empty": 2}


def test_alive_turns_yes_and_no() -> None:
    people = sheet({"ID": ["1", "2"], "lebt": ["ja", "nein"], "OS days": ["5", "6"]})
    assert assigned(propose([people]), "lebt", "died").values == {"ja": "no", "nein": "yes"}


def test_999_is_asked_and_numbers_with_words_too() -> None:
    ages = [str(age) for age in range(20, 50)]
    people = sheet({"ID": [str(i) for i in range(32)], "age": [*ages, "999", "adult"]})
    mapping = propose([people])
    question = asked([people], mapping)["age", "age_years", "values"]
    assert set(question.texts) == {"999", "adult"}
    mapping = answered(mapping, question, {"999": "", "adult": ""})
    found = apply([people], mapping).cells["patients"]["age_years"]
    assert found.isna().sum() == 2


def test_decimal_sign_is_asked_where_it_is_open() -> None:
    people = sheet({"ID": ["1", "2"], "wbc (G/l)": ["12.345", "2.120"]})
    mapping = propose([people])
    question = asked([people], mapping)["wbc (G/l)", "wbc_10e9_per_l", "decimal"]
    assert question.choices == {
        ".": "a point: ‘12.345’ is 12.345",
        ",": "a comma: ‘12.345’ is 12345",
    }
    for sign, wanted in ((".", ["12.345", "2.120"]), (",", ["12345", "2120"])):
        found = apply([people], answered(mapping, question, sign)).cells["patients"]
        assert found["wbc_10e9_per_l"].tolist() == wanted


def test_wbc_per_microlitre() -> None:
    people = sheet({"ID": ["1", "2"], "WBC": ["12300", "2100"]})
    mapping = propose([people])
    question = asked([people], mapping)["WBC", "wbc_10e9_per_l", "unit"]
    found = apply([people], answered(mapping, question, "per µL")).cells["patients"]
    assert found["wbc_10e9_per_l"].tolist() == ["12.3", "2.1"]


@pytest.mark.parametrize("name", ["HSCT", "alloHCT", "SCT", "TPL", "allo-SCT"])
def test_transplants_by_any_name(name: str) -> None:
    people = sheet({"ID": ["1", "2"], name: ["ja", "nein"], f"{name}_date": ["33", "44"]})
    result = apply([people], propose([people]))
    assert rows(result.cells["treatments"], "patient_id", "kind", "start_day") == [
        ("1", "alloSCT", "33")
    ]
    assert any("not given" in p.what and p.row == 3 for p in result.problems)
    bare = name in ("HSCT", "SCT", "TPL")
    assert any("read as allogeneic" in p.what for p in result.problems) is bare


def test_a_day_alone_means_given() -> None:
    people = sheet({"ID": ["1", "2"], "alloSCT_day": ["33", ""], "sex": ["f", "m"]})
    result = apply([people], propose([people]))
    assert rows(result.cells["treatments"], "patient_id", "kind", "start_day") == [
        ("1", "alloSCT", "33")
    ]


def test_unknown_columns_become_typed_or_are_left_out_with_a_note() -> None:
    n = 40
    people = sheet(
        {
            "ID": [str(i) for i in range(n)],
            "mutated gene": ["ja", "nein"] * 20,
            "score": [str(i % 7 + 0.5) for i in range(n)],
            "arm of trial": ["A", "B", "C", "D"] * 10,
            "comment": [f"a long remark about patient {i} who came on foot" for i in range(n)],
            "visit on": [f"{i % 28 + 1:02d}.01.2020" for i in range(n)],
            "relapse treatment": ["x", "y"] * 20,
            "🙂": ["a", "b"] * 20,
        }
    )
    mapping = propose([people])
    kinds = {a.column: (a.target, a.kind) for a in mapping.sheets[0].assignments}
    assert kinds["mutated gene"] == ("own", "boolean")
    assert kinds["score"] == ("own", "number")
    assert kinds["arm of trial"] == ("own", "category")
    assert kinds["comment"] == kinds["visit on"] == kinds["relapse treatment"] == ("nothing", None)
    said = {p.column for p in notes([people], mapping)}
    assert {"comment", "visit on", "relapse treatment"} <= said
    result = apply([people], mapping)
    assert result.own["variable_8"] == {"label": "🙂", "kind": "category"}
    assert result.cells["patients"]["mutated_gene"].tolist()[:2] == ["yes", "no"]


def test_sheets_that_are_no_patients_are_left_out() -> None:
    people = sheet({"ID": ["1", "2"], "sex": ["f", "m"]}, "people.csv")
    words = sheet({"variable": ["sex", "age"], "meaning": ["Sex", "Age"]}, "dictionary.csv")
    mapping = propose([people, words])
    assert [one.role for one in mapping.sheets] == ["patients", "nothing"]
    assert any(p.file == "dictionary.csv" for p in notes([people, words], mapping))


def test_two_sheets_of_patients_are_joined_and_who_is_missing_is_said() -> None:
    one = sheet({"ID": ["1", "2", "3"], "sex": ["f", "m", "f"]}, "a.csv")
    two = sheet({"ID": ["3", "1", "9"], "age": ["33", "11", "99"]}, "b.csv")
    result = apply([one, two], propose([one, two]))
    assert rows(result.cells["patients"], "patient_id", "sex", "age_years") == [
        ("1", "female", "11"), ("2", "male", ""), ("3", "female", "33"), ("9", "", "99"),
    ]  # fmt: skip
    assert any(
        p.severity == "warning" and "1 stand in a later one alone" in p.what
        for p in result.problems
    )


def test_role_can_be_changed() -> None:
    people = sheet({"ID": ["1", "2"], "day": ["3", "4"], "MRD": ["neg", "0.1"]})
    mapping = propose([people])
    changed = with_role([people], mapping, "a.csv", "samples")
    assert changed.sheets[0].role == "samples"
    assert targets(changed)["day"] == ["day"]
    assert with_role([people], changed, "a.csv", "nothing").sheets[0].role == "nothing"


def test_saved_mapping_is_used_again_and_new_texts_are_asked() -> None:
    first = sheet({"ID": ["1", "2"], "Zustand": ["gut", "schlecht"], "sex": ["1", "2"]}, "jan.csv")
    mapping = propose([first])
    question = asked([first], mapping)["sex", "sex", "values"]
    kept = answered(mapping, question, {"1": "male", "2": "female"}).sheets
    second = sheet(
        {"sex": ["2", "3", "w"], "ID": ["1", "2", "3"], "Zustand": ["gut", "a", "b"]}, "feb.csv"
    )
    again = propose([second], saved=kept)
    assert again.sheets[0].sheet == "feb.csv"
    assert asked([second], again)["sex", "sex", "values"].texts == ("3",)
    assert assigned(again, "sex", "sex").values["w"] == "female"


def test_answers_that_do_not_fit_are_refused() -> None:
    people = sheet({"ID": ["1", "2"], "sex": ["1", "2"], "WBC": ["1", "2"]})
    mapping = propose([people])
    open_ = asked([people], mapping)
    with pytest.raises(ValueError, match="use female, male"):
        answered(mapping, open_["sex", "sex", "values"], {"1": "man"})
    with pytest.raises(ValueError, match="each text"):
        answered(mapping, open_["sex", "sex", "values"], "male")
    with pytest.raises(ValueError, match="not one of"):
        answered(mapping, open_["WBC", "wbc_10e9_per_l", "unit"], "grams")


def test_column_that_went_is_said() -> None:
    people = sheet({"ID": ["1", "2"], "sex": ["f", "m"]})
    mapping = propose([people])
    (one,) = mapping.sheets
    more = replace(one, assignments=(*one.assignments, Assignment("age", "age_years", decimal=".")))
    result = apply([people], replace(mapping, sheets=(more,)))
    assert [(p.severity, p.column) for p in result.problems if p.severity == "fatal"] == [
        ("fatal", "age")
    ]


# --- properties ----------------------------------------------------------------------------------

SAMPLES = ("aml_trial.csv", "redcap_raw.csv", "labor.csv", "bcr_abl1_pcr.csv")


@cache
def sample(name: str) -> Sheet:
    return read(FILES / name, ";" if name in ("aml_trial.csv", "labor.csv") else ",")


def unordered(mapping: StudyMapping) -> object:
    content = to_json(mapping)
    for one in content["sheets"]:
        one["assignments"] = sorted(json.dumps(a, sort_keys=True) for a in one["assignments"])
    return content


@settings(max_examples=15)
@given(st.sampled_from(SAMPLES), st.randoms(use_true_random=False))
def test_proposals_do_not_depend_on_the_order_of_columns_and_rows(name: str, random) -> None:  # type: ignore[no-untyped-def]
    as_is = sample(name)
    columns, order = list(as_is.cells.columns), list(range(len(as_is.cells)))
    random.shuffle(columns)
    random.shuffle(order)
    mixed = Sheet(as_is.name, as_is.cells[columns].iloc[order])
    assert unordered(propose([mixed])) == unordered(propose([as_is]))


@pytest.mark.parametrize("name", SAMPLES)
def test_proposals_survive_json(name: str) -> None:
    mapping = propose([sample(name)])
    assert from_json(json.loads(json.dumps(to_json(mapping)))) == mapping


CELLS = st.sampled_from(
    [
        *(
            "",
            "ja",
            "nein",
            "1",
            "0",
            "pos",
            "neg",
            "<0.01",
            "0,5",
            "12.3.2020",
            "13/4/2020",
            "dead",
        ),
        *("x", "999", "+", "-"),
    ]
)
NAMES = st.sampled_from(
    [
        *(
            "sex",
            "Alter",
            "MRD EOI",
            "MRD d33",
            "relapse",
            "Status",
            "OS_months",
            "OS_status",
            "TPL",
        ),
        *(
            "date of CR",
            "diagnosis",
            "last contact",
            "f.u",
            "WBC",
            "t(9;22)",
            "BCR::ABL1",
            "🙂",
            "x",
        ),
        *("assay", "day", "limit", "kind"),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> Sheet:
    names = draw(st.lists(NAMES, unique=True, max_size=8))
    n = draw(st.integers(0, 6))
    ids = [f"{i:03d}" for i in range(n)]
    return sheet(
        {"patient": ids, **{name: draw(st.lists(CELLS, min_size=n, max_size=n)) for name in names}}
    )


def first_answer(question: Question) -> object:
    if question.field == "values":
        return dict.fromkeys(question.texts, "")
    free = {"timepoints": "33", "timepoint": "EOI"}
    return next(iter(question.choices), free.get(question.field, "0.0001"))


@given(tables())
def test_no_patient_is_lost_or_made_and_no_open_question_is_applied(table: Sheet) -> None:
    mapping = propose([table])
    for _ in range(6):
        open_ = questions([table], mapping)
        if not open_:
            break
        with pytest.raises(ValueError, match="open"):
            apply([table], mapping)
        for question in open_:
            mapping = complete([table], answered(mapping, question, first_answer(question)))  # type: ignore[arg-type]
    assert questions([table], mapping) == ()
    result = apply([table], mapping)
    if mapping.sheets[0].role == "patients":
        assert result.cells["patients"]["patient_id"].tolist() == table.cells["patient"].tolist()
    known = set(table.cells["patient"])
    assert all(set(frame["patient_id"].dropna()) <= known for frame in result.cells.values())


def test_courses_of_treatment() -> None:
    courses = sheet(
        {
            "Pat Nr": ["1", "1", "2", "2"],
            "Therapie": ["Induktion", "Blincyto", "allo SCT", "Erhaltung"],
            "Substanz": ["GMALL", "Blinatumomab", "", "6-MP"],
            "Beginn": ["0", "60", "120", "200"],
            "Ende": ["30", "88", "", ""],
            "Zyklus": ["1", "1", "", ""],
        },
        "therapien.csv",
    )
    people = sheet({"Pat Nr": ["1", "2"], "Geschlecht": ["w", "m"]}, "patienten.csv")
    mapping = propose([courses, people])
    assert [one.role for one in mapping.sheets] == ["courses", "patients"]
    assert set(asked([courses, people], mapping)) == {
        ("Beginn", "start_day", "unit"),
        ("Ende", "end_day", "unit"),
    }
    answers = {("Beginn", "unit"): "days", ("Ende", "unit"): "days"}
    result = apply([courses, people], settled([courses, people], mapping, answers))
    wanted = ("patient_id", "kind", "name", "start_day", "end_day", "cycle")
    assert rows(result.cells["treatments"], *wanted) == [
        ("1", "induction", "GMALL", "0", "30", "1"),
        ("1", "blinatumomab", "Blinatumomab", "60", "88", "1"),
        ("2", "alloSCT", "", "120", "", ""),
        ("2", "maintenance", "6-MP", "200", "", ""),
    ]


def test_long_samples_with_dates_and_named_timepoints() -> None:
    people = sheet(
        {"Patient": ["1", "2"], "Diagnosedatum": ["01.02.2020", "15.03.2020"]}, "patienten.csv"
    )
    long = sheet(
        {
            "Patient": ["1", "1", "1", "2"],
            "Entnahmedatum": ["01.02.2020", "05.03.2020", "20.04.2020", "18.04.2020"],
            "Zeitpunkt": ["Baseline", "d33", "Woche 12", "d33"],
            "Methode": ["Durchflusszytometrie"] * 4,
            "Material": ["KM", "KM", "Blut", "KM"],
            "MRD %": ["50", "<0,01", "0,2", "neg"],
            "LOD %": ["0,01"] * 4,
        },
        "mrd.csv",
    )
    mapping = propose([people, long])
    assert [one.role for one in mapping.sheets] == ["patients", "samples"]
    days = [(t["label"], t["target_day"]) for t in mapping.study["timepoints"]]
    assert days == [("d33", 33), ("Woche 12", 84)]
    assert set(asked([people, long], mapping)) == {("", "", "less_than")}
    result = apply(
        [people, long], settled([people, long], mapping, {("", "less_than"): "negative"})
    )
    wanted = ("patient_id", "day", "timepoint", "assay", "material", "mrd_fraction", "call")
    assert rows(result.cells["mrd_assessments"], *wanted) == [
        ("1", "0", "", "MFC", "BM", "0.5", ""),
        ("1", "33", "d33", "MFC", "BM", "0", "negative"),
        ("1", "79", "Woche 12", "MFC", "PB", "0.002", ""),
        ("2", "34", "d33", "MFC", "BM", "0", "negative"),
    ]


def test_a_date_without_day_zero_of_its_patient_is_said() -> None:
    people = sheet(
        {
            "ID": ["1", "2"],
            "diagnosis": ["13.1.2020", ""],
            "last contact": ["13.1.2021", "16.2.2021"],
        }
    )
    result = apply([people], propose([people]))
    assert rows(result.cells["outcomes"], "last_follow_up_day") == [("366",), ("",)]
    assert [(p.row, p.column) for p in result.problems if "no day 0" in p.what] == [
        (3, "last contact")
    ]


def test_dates_of_samples_without_any_day_zero_are_refused() -> None:
    long = sheet(
        {"ID": ["1", "1"], "date": ["1.2.2020", "13.2.2020"], "mrd_fraction": ["0.1", "0.2"],
         "lod": ["0.01", "0.01"], "assay": ["NGS", "NGS"], "material": ["BM", "BM"]}, "mrd.csv"
    )  # fmt: skip
    mapping = settled(
        [long], propose([long]), {("lod", "unit"): "fraction", ("mrd_fraction", "unit"): "fraction"}
    )
    assert any(p.severity == "fatal" and "day 0" in p.what for p in apply([long], mapping).problems)


ANY = st.text(max_size=12) | st.sampled_from(
    [
        *"0123",
        "1e400",
        "<",
        "<-",
        "10^-999",
        "99/99/9999",
        "0-0-0000",
        "%",
        "<%",
        "+-",
        "2024-13-45",
        "=1+1",
    ]
)


@given(st.dictionaries(NAMES | ANY, st.lists(ANY, min_size=4, max_size=4), max_size=6))
def test_no_text_whatever_breaks_the_way_to_a_mapping(columns: dict[str, list[str]]) -> None:
    named = {
        name.strip() or f"column {at}": cells for at, (name, cells) in enumerate(columns.items())
    }
    table = sheet({"patient": ["1", "2", "3", "4"], **named})
    mapping = with_proposals([table], propose([table]))
    for _ in range(6):
        for question in questions([table], mapping):
            mapping = complete([table], answered(mapping, question, first_answer(question)))  # type: ignore[arg-type]
    assert from_json(json.loads(json.dumps(to_json(mapping)))) == mapping
    assert questions([table], mapping) == ()
    apply([table], mapping)


# --- what a cell without a day says --------------------------------------------------------------

EVENTS = {
    "relapse": ("Date of relapse", "relapsed", "relapse_day"),
    "death": ("Date of death", "died", "death_day"),
    "remission": ("Date of CR", "cr_achieved", "cr_day"),
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_cell_that_is_no_day_is_no_event_that_did_not_happen(event: str) -> None:
    column, happened, day = EVENTS[event]
    written = ["2020-05-01", "2020-07-01", "03/2021", "unknown", "none", "", "-", "yes", "?"]
    one = sheet(
        {
            "ID": range(1, 10),
            "Date of diagnosis": ["2020-01-01"] * 9,
            column: written,
            "Last contact": ["2023-01-01"] * 9,
        },
        dates=frozenset({column}),
    )
    mapping = settled([one], propose([one]), {})
    result = apply([one], mapping)
    assert rows(result.cells["outcomes"], happened, day) == [
        ("yes", "121"), ("yes", "182"), ("yes", ""), ("", ""), ("no", ""), ("no", ""), ("no", ""),
        ("yes", ""), ("", ""),
    ]  # fmt: skip
    said = [(p.row, p.column) for p in result.problems if f"the {event} counts as one" in p.what]
    unknown = [p.row for p in result.problems if f"whether there was a {event}" in p.what and p.row]
    assert said == [(4, column), (9, column)]
    assert unknown == [5, 10]
    assert not any("‘unknown’ is read as an empty cell" in p.what for p in result.problems)


@pytest.mark.parametrize(
    ("column", "text", "happened"),
    [
        ("Date of death", "alive", "no"),
        ("Date of death", "lebt", "no"),
        ("Date of death", "nicht dokumentiert", ""),
        ("Date of relapse", "kein Rezidiv", "no"),
        ("Date of relapse", "not documented", ""),
        ("Date of relapse", "keine Angabe", ""),
        ("Date of relapse", "n/a", "no"),
        ("Date of relapse", "ca. 2021", "yes"),
        ("Date of relapse", "31.02.2021", "yes"),
        ("Date of CR", "refractory", "no"),
        ("Date of CR", "not reached", ""),
    ],
)
def test_what_a_text_in_place_of_a_day_says(column: str, text: str, happened: str) -> None:
    texts = ["2020-05-01", "2020-07-01", "2020-08-01", text, "?"]
    one = sheet({"ID": range(5), "Date of diagnosis": ["2020-01-01"] * 5, column: texts})
    outcomes = apply([one], settled([one], propose([one]), {})).cells["outcomes"]
    target = {c: t for c, t, _ in EVENTS.values()}[column]
    assert rows(outcomes, target)[3] == (happened,)


def test_a_column_of_yes_and_no_says_whether_it_happened() -> None:
    one = sheet(
        {
            "ID": range(1, 6),
            "Relapse": ["yes", "no", "", "yes", "yes"],
            "Relapse day": ["100", "unknown", "unknown", "2 months", "120"],
        }
    )
    mapping = settled([one], propose([one]), {})
    outcomes = apply([one], mapping).cells["outcomes"]
    assert rows(outcomes, "relapsed", "relapse_day") == [
        ("yes", "100"), ("no", ""), ("", ""), ("yes", ""), ("yes", "120"),
    ]  # fmt: skip


def test_days_alone_that_are_all_read_say_nothing_more() -> None:
    days = ["100", "", "no", "120"]
    one = sheet({"ID": range(4), "Relapse day": days, "Last contact day": [900] * 4})
    assert "relapsed" not in apply([one], settled([one], propose([one]), {})).cells["outcomes"]


def test_a_transplant_with_a_day_that_cannot_be_read_was_given() -> None:
    days = ["100", "", "spring 2020", "150"]
    one = sheet({"ID": range(1, 5), "alloSCT day": days, "Age": [30, 40, 50, 60]})
    mapping = settled([one], propose([one]), {})
    result = apply([one], mapping)
    assert rows(result.cells["treatments"], "patient_id", "start_day") == [
        ("1", "100"), ("3", ""), ("4", "150"),
    ]  # fmt: skip
    assert [p.row for p in result.problems if "the alloSCT counts as one" in p.what] == [4]


# --- dates that a workbook types in part ---------------------------------------------------------


def _part_typed(*texts: str) -> Sheet:
    n = len(texts)
    return sheet(
        {"ID": range(n), "Date of diagnosis": ["2020-01-01"] * n, "Date of CR": texts},
        dates=frozenset({"Date of diagnosis"}),
    )


def test_typed_dates_keep_their_value_beside_dates_that_are_text() -> None:
    one = _part_typed("2020-02-03", "2020-03-04", "26/03/2020", "05/04/2020")
    mapping = propose([one])
    assert questions([one], mapping) == ()
    assert assigned(mapping, "Date of CR", "cr_day").spelling == "day/month/year"
    days = apply([one], mapping).cells["outcomes"]["cr_day"]
    assert list(days) == ["33", "63", "85", "95"]


def test_a_column_whose_name_says_date_is_one_of_days_however_few_there_are() -> None:
    texts = [
        "2020-05-01",
        "unknown",
        "no",
        "in CR",
        "lost to follow-up",
        "second quarter",
        "26/07/2020",
    ]
    one = sheet({"ID": range(7), "Diagnosis date": ["2020-01-01"] * 7, "Relapse date": texts})
    mapping = propose([one])
    assert questions([one], mapping) == ()
    assert rows(apply([one], mapping).cells["outcomes"], "relapsed", "relapse_day") == [
        ("yes", "121"), ("", ""), ("no", ""), ("no", ""), ("", ""), ("yes", ""), ("yes", "207"),
    ]  # fmt: skip


def test_a_workbook_with_half_its_dates_typed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    day = datetime.date
    book.active.append(["ID", "Date of diagnosis", "Date of relapse", "Last contact"])
    for number, relapse in enumerate((day(2020, 5, 1), "26/03/2020", "13/2020", "unknown", None)):
        zero = day(2020, 1, 1) if number % 2 else "01/01/2020"
        book.active.append([number, zero, relapse, day(2023, 1, 1)])
    book.save(tmp_path / "a.xlsx")
    sheets, _ = read_file(tmp_path / "a.xlsx", "a.xlsx")
    mapping = propose(sheets)
    assert assigned(mapping, "Date of diagnosis", "day_zero_date").column not in sheets[0].dates
    spelled = {("Date of diagnosis", "spelling"): "day/month/year"}
    outcomes = apply(sheets, settled(sheets, mapping, spelled)).cells["outcomes"]
    assert rows(outcomes, "relapsed", "relapse_day") == [
        ("yes", "121"), ("yes", "85"), ("yes", ""), ("", ""), ("no", ""),
    ]  # fmt: skip


def test_text_beside_typed_dates_that_reads_both_ways_is_asked_by_its_spelling() -> None:
    one = _part_typed("2020-02-03", "2020-03-04", "2020-03-17", "05/04/2020")
    question = asked([one], propose([one]))["Date of CR", "cr_day", "spelling"]
    assert set(question.choices) == {"day/month/year", "month/day/year"}
    assert all("05/04/2020" in words for words in question.choices.values())
    mapping = answered(propose([one]), question, "month/day/year")
    assert list(apply([one], mapping).cells["outcomes"]["cr_day"]) == ["33", "63", "76", "124"]


def test_dates_in_part_are_never_asked_for_a_unit() -> None:
    one = _part_typed("2020-02-03", "winter", "spring", "later on", "05/04/2020")
    mapping = propose([one])
    mapping = replace(
        mapping,
        sheets=tuple(
            replace(
                s,
                assignments=tuple(
                    Assignment(a.column, "cr_day") if a.column == "Date of CR" else a
                    for a in s.assignments
                ),
            )
            for s in mapping.sheets
        ),
    )
    fields = {q.field for q in questions([one], complete([one], mapping))}
    assert fields == {"spelling"}


# --- codes in place of levels --------------------------------------------------------------------


def test_small_whole_numbers_as_mrd_are_asked_before_a_unit() -> None:
    one = sheet(
        {"PatID": [1, 1, 2, 2, 3], "Day": [10, 20, 10, 20, 10], "MRD result": [0, 1, 2, 9, 0]}
    )
    mapping = with_role([one], propose([one]), "a.csv", "samples")
    questions_ = asked([one], mapping)
    question = questions_["MRD result", "mrd_result", "values"]
    assert ("MRD result", "mrd_result", "unit") not in questions_
    assert set(question.choices) == {
        "negative", "positive", "below LOD", "not evaluable", "", "0", "1", "2", "9",
    }  # fmt: skip
    said = {"0": "negative", "1": "positive", "2": "below LOD", "9": "not evaluable"}
    coded = complete([one], answered(mapping, question, said))
    assert ("MRD result", "mrd_result", "unit") not in asked([one], coded)
    assert notes([one], mapping) == []
    as_it_is = answered(mapping, question, {text: text for text in said})
    assert ("MRD result", "mrd_result", "unit") in asked([one], as_it_is)
    answers = {("", "assay"): "NGS", ("", "material"): "BM", ("", "lod_fraction"): ""}
    cells = apply([one], settled([one], coded, answers)).cells["mrd_assessments"]
    assert list(cells["call"]) == ["negative", "positive", "below LOD", "not evaluable", "negative"]
    assert list(cells["mrd_fraction"].dropna()) == ["0", "0"]


def test_codes_of_one_timepoint_are_asked_too() -> None:
    one = sheet({"ID": range(6), "Age": [30] * 6, "MRD EOI": [0, 1, 2, 9, 0, 0]})
    question = asked([one], propose([one]))["MRD EOI", "mrd_result", "values"]
    assert {"0", "9", "negative"} <= set(question.choices)
    assert question.texts == ("0", "1", "2", "9")


def test_small_whole_numbers_with_a_unit_are_levels() -> None:
    one = sheet({"PatID": [1, 2], "Day": [10, 20], "MRD (%)": [0, 5]})
    mapping = with_role([one], propose([one]), "a.csv", "samples")
    assert ("MRD (%)", "mrd_result", "values") not in asked([one], mapping)


def test_not_done_in_a_column_of_the_study_is_no_level() -> None:
    one = sheet(
        {
            "ID": range(8),
            "NPM1": ["pos", "neg", "nd", "neg", "n.d.", "k.A.", "nb", "pos"],
            "Smoker": ["yes", "no", "n.d.", "no", "yes", "no", "no", "yes"],
            "Karyotype": ["normal", "t(9;22)", "nd", "normal", "nd", "normal", "normal", "other"],
        }
    )
    mapping = propose([one])
    assert assigned(mapping, "Smoker", "own").kind == "boolean"
    assert questions([one], mapping) == ()
    result = apply([one], mapping)
    patients = result.cells["patients"]
    assert set(patients["npm1"].dropna()) == {"pos", "neg"}
    assert set(patients["smoker"].dropna()) == {"yes", "no"}
    assert set(patients["cytogenetics"].dropna()) == {"normal", "t(9;22)", "other"}
    assert {p.column for p in result.problems if "is read as an empty cell" in p.what} == {
        "NPM1", "Smoker", "Karyotype",
    }  # fmt: skip


# --- further words and forms ---------------------------------------------------------------------


def test_an_endpoint_that_is_left_out_is_said() -> None:
    one = sheet(
        {
            "USUBJID": [1, 1, 2, 2],
            "PARAMCD": ["OS", "PFS", "OS", "PFS"],
            "AVAL": [10, 5, 20, 20],
            "AVALU": ["DAYS"] * 4,
            "CNSR": [0, 0, 1, 1],
        }
    )
    mapping = settled([one], propose([one]), {("PARAMCD", "values"): {"PFS": ""}})
    (note,) = [p for p in notes([one], mapping) if p.column == "PARAMCD"]
    assert (note.severity, note.rows) == ("note", 2)
    assert "‘PFS’ is left out: its 2 rows are not read" in note.what


def test_mrd_in_adam_with_one_sample_per_patient_is_a_table_of_samples() -> None:
    one = sheet(
        {
            "STUDYID": ["A"] * 3,
            "USUBJID": [1, 2, 3],
            "PARAMCD": ["MRDNGS"] * 3,
            "PARAM": ["MRD by NGS"] * 3,
            "METHOD": ["NGS"] * 3,
            "SPEC": ["BM", "BM", "PB"],
            "TARGET": ["IGH"] * 3,
            "AVAL": ["0", "0.001", "0.2"],
            "AVALU": ["FRACTION"] * 3,
            "ADY": [30, 33, 28],
            "AVISIT": ["EOI"] * 3,
            "AVALCAT1": ["negative", "positive", "positive"],
        }
    )
    one = replace(one, labels={"AVALCAT1": "MRD of the timepoint"})
    mapping = propose([one])
    assert mapping.sheets[0].role == "samples"
    assert list(apply([one], settled([one], mapping, {("", "lod_fraction"): ""})).cells[
        "mrd_assessments"]["mrd_fraction"]) == ["0", "0.001", "0.2"]  # fmt: skip


@pytest.mark.parametrize("unit", ["(10e9/L)", "(×10⁹/L)", "[10^9/L]"])
def test_unit_stands_in_the_label_of_a_column(unit: str) -> None:
    plain = sheet({"USUBJID": [1, 2], "AGE": [30, 40], "WBCBL": ["12.5", "80.1"]})
    one = replace(plain, labels={"WBCBL": f"White blood cells {unit}"})
    mapping = propose([one])
    assert assigned(mapping, "WBCBL", "wbc_10e9_per_l").unit == "10e9/L"
    assert questions([one], mapping) == ()


def test_whose_cells_is_not_said_where_the_values_split() -> None:
    one = sheet({"ID": range(6), "HSCT": ["allo", "auto", "no", "allo", "auto", "no"]})
    mapping = settled([one], propose([one]), {})
    assert targets(mapping)["HSCT"] == ["alloSCT_given", "autoSCT_given"]
    assert not any("whose cells" in note.what for note in notes([one], mapping))
    plain = sheet({"ID": range(4), "HSCT": ["yes", "no", "yes", "no"]})
    assert any("whose cells" in note.what for note in notes([plain], propose([plain])))


def test_a_limit_beside_a_result_is_asked_for_its_own_unit() -> None:
    one = sheet(
        {
            "PatID": [1, 1, 2], "Day": [10, 20, 30], "MRD (%)": ["0.5", "0.01", "neg"],
            "Sensitivity": ["1e-4", "1e-5", "1e-4"],
        }
    )  # fmt: skip
    question = asked([one], propose([one]))["Sensitivity", "mrd_limit", "unit"]
    assert "other MRD columns" not in question.what
    assert "in percent" in question.what
    assert next(iter(question.choices)) == "percent"
    mapping = answered(propose([one]), question, "fraction")
    assert assigned(mapping, "MRD (%)", "mrd_result").unit == "percent"


def test_a_proposal_is_not_taken_with_another_answer(chiaretti: Sheet) -> None:
    mapping = propose([chiaretti])
    question = next(q for q in questions([chiaretti], mapping) if len(q.proposed) > 1)
    text, *others = question.proposed
    after = complete([chiaretti], answered(mapping, question, {text: question.proposed[text]}))
    still = asked([chiaretti], after)[question.column, question.target, "values"]
    assert set(others) <= set(still.texts)


def test_sex_in_many_spellings_is_one_variable() -> None:
    one = sheet({"ID": range(6), "Sex": ["m", "M", "f", "F", "male", "w"]})
    assert targets(propose([one]))["Sex"] == ["sex"]
