"""Tables as spreadsheets, opened by openpyxl."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from data.store import Snapshot
from data.variables import Dictionary
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.workbook import as_xlsx, dictionary_rows
from tests.exhibits import hostile, of_short2025
from tests.hostile import TEXTS


@pytest.fixture(scope="module")
def curves(short2025: Snapshot) -> Exhibit:
    return of_short2025("survival_curves", by="mrd_3_months")


def opened(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def cells(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_a_sheet_for_each_table_with_its_numbers(curves: Exhibit) -> None:
    book = opened(as_xlsx(curves.tables, curves.provenance))
    assert book.sheetnames == [*curves.tables, "Provenance"]
    for name, table in curves.tables.items():
        head, *rows = cells(book[name])
        assert head == list(table.columns)
        read = pd.DataFrame(rows, columns=head)
        for column in table:
            if pd.api.types.is_numeric_dtype(table[column]):
                found = read[column].astype("float64").to_numpy()
                np.testing.assert_array_equal(found, table[column].astype("float64").to_numpy())
            else:
                assert list(read[column]) == list(table[column])


def test_days_are_whole_and_rates_are_percents(curves: Exhibit) -> None:
    sheet = opened(as_xlsx(curves.tables, curves.provenance))["Milestones"]
    head = {cell.value: cell.column for cell in sheet[1]}
    assert type(sheet.cell(2, head["Day"]).value) is int
    shapes = {name: sheet.cell(2, place).number_format for name, place in head.items()}
    assert {name for name, shape in shapes.items() if shape == "0.0%"} == {
        "Survival",
        "Low",
        "High",
    }
    ratios = pd.DataFrame({"Value": [2.15], "Low": [0.89], "High": [5.17]})
    sheet = opened(as_xlsx({"Ratios": ratios}, curves.provenance))["Ratios"]
    assert {cell.number_format for cell in sheet[2]} == {"General"}


def test_header_is_bold_stays_in_view_and_filters(curves: Exhibit) -> None:
    for sheet in opened(as_xlsx(curves.tables, curves.provenance)):
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert all(cell.font.bold for cell in sheet[1])
        widths = [sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]]
        assert all(len(str(c.value)) < w <= 50 for c, w in zip(sheet[1], widths, strict=True))


def test_provenance_and_dictionary(curves: Exhibit, variables: Dictionary) -> None:
    rows = dictionary_rows(variables, ["risk_group", "age_years", "relapse_day", "patient_id"])
    assert [row[0] for row in rows] == ["risk_group", "age_years", "relapse_day"]
    book = opened(as_xlsx({"Patients": pd.DataFrame({"a": [1]})}, curves.provenance, rows))
    assert book.sheetnames == ["Patients", "Provenance", "Dictionary"]
    told = dict(cells(book["Provenance"])[1:])
    source = curves.provenance
    assert told["Snapshot"] == source.snapshot
    assert told["Counts"] == source.counts
    assert told["View"] == source.link
    assert "" not in told.values()
    assert None not in told.values()
    assert cells(book["Dictionary"])[1:] == [[cell or None for cell in row] for row in rows]
    assert "high" in rows[0][3]


def test_types_of_cells(curves: Exhibit) -> None:
    table = pd.DataFrame(
        {
            "whole": pd.array([1, None], dtype="Int64"),
            "numpy": np.array([1.5, np.nan]),
            "endless": [np.inf, -np.inf],
            "yes": [True, False],
            "text": ["7", None],
        }
    )
    book = opened(as_xlsx({"T": table}, curves.provenance))
    assert cells(book["T"])[1:] == [
        [1, 1.5, "inf", "yes", "7"],
        [None, None, "-inf", "no", None],
    ]


def test_no_text_is_run_and_every_sheet_has_a_name_that_excel_takes(curves: Exhibit) -> None:
    exhibit = hostile()
    content = as_xlsx(exhibit.tables, exhibit.provenance)
    book = opened(content)
    assert [len(cells(sheet)) for sheet in book][:3] == [len(TEXTS) + 1] * 3
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {
        *"sn"
    }
    for name in book.sheetnames:
        assert 0 < len(name) <= 31
        assert not set(name) & set("[]:*?/\\'")
        assert name.lower() != "history"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
    assert b"<f>" not in inside
    assert b"<hyperlink" not in inside
    assert b"externalLink" not in inside
    at = [TEXTS.index(text) for text in ('=HYPERLINK("https://away.example/e")', "-2+3")]
    assert all(book.worksheets[0].cell(i + 2, 1).quotePrefix for i in at)
    assert not book.worksheets[0].cell(TEXTS.index("constructor") + 2, 1).quotePrefix


def test_the_same_tables_are_the_same_bytes_and_no_stranger_signs(curves: Exhibit) -> None:
    content = as_xlsx(curves.tables, curves.provenance)
    assert content == as_xlsx(curves.tables, curves.provenance)
    properties = opened(content).properties
    assert properties.creator == properties.lastModifiedBy == "MRD Cohort Explorer"
    assert {properties.created.year, properties.modified.year} == {2020}


def test_missing_stays_missing(curves: Exhibit) -> None:
    """What is suppressed on the screen is a missing cell of the exhibit."""
    counts = pd.DataFrame({"Group": ["a", "b"], "n": pd.array([3, None], dtype="Int64")})
    read = cells(opened(as_xlsx({"T": counts}, curves.provenance))["T"])
    assert read == [["Group", "n"], ["a", 3], ["b", None]]
