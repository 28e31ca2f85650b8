"""The workbook to fill in says what the import takes, and the examples are one cohort in every form."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from openpyxl import load_workbook
from openpyxl.workbook import Workbook

from data.cohort import CohortFilter
from data.exporting.templates import (
    DICTIONARY,
    EXAMPLE,
    INSTRUCTIONS,
    ONE_SHEET,
    ROWS,
    examples,
    filled,
    one_sheet,
    workbook,
)
from data.importing.formats import read_file
from data.importing.publish import import_folder
from data.importing.tables import TABLES
from data.queries import derivability, dictionary, events
from tests.sheets import published

SHEETS = {**TABLES, ONE_SHEET: one_sheet()}


@pytest.fixture(scope="module")
def book() -> Workbook:
    return load_workbook(io.BytesIO(workbook()))


def test_the_workbook_holds_the_tables_the_dictionary_and_the_instructions(book: Workbook) -> None:
    assert book.sheetnames == [INSTRUCTIONS, *TABLES, ONE_SHEET, DICTIONARY]
    assert book[INSTRUCTIONS].max_row == 10


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_has_the_columns_of_its_table_and_nothing_else(book: Workbook, name: str) -> None:
    sheet = book[name]
    assert [cell.value for cell in sheet[1]] == list(SHEETS[name])
    assert sheet.max_row == 1
    assert sheet.freeze_panes == "B2"
    for cell in sheet[1]:
        assert cell.comment
        assert cell.comment.text
        assert sheet.column_dimensions[cell.column_letter].width >= len(cell.value)


@pytest.mark.parametrize("name", SHEETS)
def test_levels_can_be_chosen_and_bounds_are_kept(book: Workbook, name: str) -> None:
    sheet = book[name]
    checks = {
        sheet.cell(1, found.min_col).value: check
        for check in sheet.data_validations.dataValidation
        for found in check.sqref.ranges
    }
    for column, spec in SHEETS[name].items():
        levels = ("yes", "no") if spec.type == "boolean" else spec.levels
        if levels:
            assert checks[column].formula1 == f'"{",".join(levels)}"'
            assert len(checks[column].formula1) <= 255
        elif spec.type in ("number", "whole"):
            bounds = float(checks[column].formula1), float(checks[column].formula2)
            assert bounds == (spec.low, spec.high)
        else:
            assert column not in checks
    assert {str(c.sqref).split(":")[1].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for c in checks.values()} == {
        str(ROWS + 1)
    }  # fmt: skip


def test_identifiers_are_cells_of_text(book: Workbook) -> None:
    for name in SHEETS:
        assert book[name].column_dimensions["A"].number_format == "@"


def test_the_dictionary_describes_every_column(book: Workbook) -> None:
    rows = list(book[DICTIONARY].iter_rows(min_row=2, values_only=True))
    assert [row[:2] for row in rows] == [(s, c) for s, columns in SHEETS.items() for c in columns]
    assert all(row[2] and row[3] for row in rows)
    assert {row[:2] for row in rows if row[4] == "needed"} >= {(s, "patient_id") for s in SHEETS}
    assert [r[3] for r in rows if r[:2] == ("patients", "sex")] == ["female, male"]
    assert [r[2] for r in rows if r[:2] == ("patients", "wbc_10e9_per_l")] == [
        "WBC at diagnosis (×10⁹/L)"
    ]


@pytest.mark.parametrize("made", [workbook, filled])
def test_nothing_in_it_is_a_formula_and_no_clock_is_in_it(
    made: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert made() == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2020, 1, 1, 0, 0, 0)}
        sheets = [n for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
        assert len(sheets) == 7
        assert not any(b"<f>" in archive.read(name) for name in sheets)
        assert b"2020-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_the_filled_workbook_holds_the_example() -> None:
    book = load_workbook(io.BytesIO(filled()))
    for name in TABLES:
        rows = list(book[name].iter_rows(values_only=True))
        shown = pd.DataFrame(rows[1:], columns=rows[0]).dropna(axis=1, how="all")
        source = pd.read_csv(EXAMPLE / f"{name}.csv", dtype={"patient_id": str}).dropna(
            axis=1, how="all"
        )
        events_said = {"cr_achieved", "relapsed", "died"} if name == "outcomes" else set()
        assert set(shown) == set(source) | events_said
        shown = shown[list(source)]
        blank = source.astype(object).where(source.notna(), "")
        assert shown.fillna("").to_dict("list") == blank[shown.columns].to_dict("list")


def test_every_form_stands_among_the_examples() -> None:
    made = examples()
    assert examples() == made
    assert {Path(name).suffix for name in made} == {
        ".json",
        ".csv",
        ".xlsx",
        ".parquet",
        ".xpt",
        ".txt",
    }
    assert all(made.values())


def test_the_example_of_four_tables_imports(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    folder.mkdir()
    for name, content in examples().items():
        if name.startswith("four tables/"):
            (folder / Path(name).name).write_bytes(content)
    snapshot, problems = import_folder(folder, "example", tmp_path / "store")
    assert snapshot.rows["patients"] == 12
    assert not [p for p in problems if p.severity == "warning"]
    given = {e.code: e.n_usable for e in derivability(snapshot) if e.refused_because is None}
    assert (given["OS"], given["RFS"]) == (12, 11)


def test_every_form_holds_the_same_patients(tmp_path: Path) -> None:
    made = examples()
    ids = [f"E{number:02d}" for number in range(1, 13)]
    for name, read in {
        "one wide sheet.csv": lambda c: pd.read_csv(io.BytesIO(c), sep=";")["Patient"],
        "registry.parquet": lambda c: pd.read_parquet(io.BytesIO(c))["patient_id"],
        "cBioPortal/data_clinical_patient.txt": lambda c: pd.read_csv(
            io.BytesIO(c), sep="\t", comment="#"
        )["PATIENT_ID"],
        "REDCap/raw.csv": lambda c: pd.read_csv(io.BytesIO(c))["record_id"],
        "REDCap/labels.csv": lambda c: pd.read_csv(io.BytesIO(c))["Record ID"],
    }.items():
        assert read(made[name]).tolist() == ids, name
    for name in ("adsl", "adtte"):
        path = tmp_path / f"{name}.xpt"
        path.write_bytes(made[f"ADaM/{name}.xpt"])
        assert sorted(set(pyreadstat.read_xport(path)[0]["USUBJID"])) == ids


FORMS: dict[str, tuple[str, ...]] = {
    "four tables/": (),
    "template filled in.xlsx": (),
    "registry.parquet": (),
    "ADaM/": ("wbc_10e9_per_l",),
    "cBioPortal/": (),
    "REDCap/labels.csv": (),
    "REDCap/raw.csv": ("sex", "ph_status"),
    "one wide sheet.csv": ("assay", "material", "lod_fraction", "less_than", "timepoints"),
}
"""What has to be asked of each example, and nothing else."""
ANSWERS = {
    "wbc_10e9_per_l": "10e9/L",
    "sex": {"1": "female", "2": "male"},
    "ph_status": {"1": "positive", "0": "negative"},
    "assay": "NGS",
    "material": "BM",
    "lod_fraction": "0.000001",
    "less_than": "below LOD",
    "timepoints": "30",
}
STUDY = {
    "study_id": "example",
    "title": "Example",
    "day_zero_label": "diagnosis",
    "default_endpoint": "OS",
}


@pytest.fixture(scope="module")
def overall_survival(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The event table of OS in the four tables."""
    snapshot, _ = import_folder(EXAMPLE, "example", tmp_path_factory.mktemp("example"))
    return events(snapshot, CohortFilter(), dictionary(snapshot), endpoint="OS")


@pytest.mark.parametrize("form", FORMS)
def test_an_example_imports_with_at_most_the_questions_that_must_be_asked(
    form: str, overall_survival: pd.DataFrame, tmp_path: Path
) -> None:
    sheets = []
    for name, content in examples().items():
        if name.startswith(form) and not name.endswith(".json"):
            path = tmp_path / Path(name).name
            path.write_bytes(content)
            read, problems = read_file(path, path.name)
            assert not [problem for problem in problems if problem.severity == "fatal"]
            sheets += read
    answers = {key: ANSWERS[key] for key in FORMS[form]}
    snapshot = published(sheets, STUDY, tmp_path / "store", answers)
    assert snapshot.rows["patients"] == 12
    found = events(snapshot, CohortFilter(), dictionary(snapshot), endpoint="OS")
    pd.testing.assert_frame_equal(found, overall_survival)
