"""The menu beside each figure: where it stands, what it offers, and what its files hold."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from docx import Document
from lxml import etree
from openpyxl import load_workbook
from PIL import Image
from pptx import Presentation
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from data.cohort import CohortFilter
from data.store import Snapshot, find
from pages.elements import access, exhibits, frame, takeaway
from pages.elements.answers import who
from pages.elements.exhibits import patients
from pages.elements.exports import report
from pages.elements.exports.exhibit import Exhibit
from pages.elements.link import View

ROOT = Path(__file__).parents[2]
PAGES: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...] = (
    ("app.py", {}, ("attrition", "disposition", "table_one", "missing_data")),
    ("pages/survival.py", {"by": "ph_status", "section": "subgroups"},
     ("survival_curves", "survival_table", "subgroup_forest")),
    ("pages/survival.py", {"by": "ph_status", "section": "cox"}, ("cox_table",)),
    ("pages/survival.py", {"by": "ph_status", "section": "balance"}, ("balance",)),
    ("pages/mrd.py", {"mrd_section": "curves"},
     ("mrd_rates", "mrd_table", "mrd_flows", "mrd_kinetics", "mrd_outcome")),
    ("pages/mrd.py", {"study": "nguyen2026", "mrd_section": "assays"},
     ("concordance", "concordance_outcome")),
    ("pages/transplant.py", {"swimmer": "yes"},
     ("transplant_naive", "transplant_landmark", "transplant_simon_makuch", "transplant_answers",
      "transplant_who", "transplant_incidence", "swimmer")),
    ("pages/evidence.py", {}, ("evidence_forest",)),
    ("pages/evidence.py", {"part": "beside"},
     ("evidence_beside", "evidence_beside_rfs", "evidence_beside_os")),
    ("pages/evidence.py", {"part": "regimens"}, ("regimens",)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(store))


def run(page: str, query: dict[str, str], *opened: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in {"study": "short2025", **query}.items():
        test.query_params[name] = value
    test.session_state["missing"] = True
    for key in opened:
        test.session_state[f"takeaway_{key}"] = True
    test = (test if page == "app.py" else test.switch_page(page)).run()
    assert not test.exception
    assert not test.error
    return test


def offered(test: AppTest) -> list[str]:
    """Return the file names that a page offers."""
    return [str(button.proto.label) for button in test.get("download_button")]


@pytest.mark.parametrize(("page", "query", "keys"), PAGES)
def test_every_figure_has_a_menu(page: str, query: dict[str, str], keys: tuple[str, ...]) -> None:
    closed = offered(run(page, query))
    test = run(page, query, *keys)
    found = offered(test)
    more = [label for label in set(found) if label not in closed]
    assert found.count("CSV") == len(keys)
    assert found.count("XLSX") == len(keys)
    assert found.count("DOCX") - closed.count("DOCX") == len(keys)
    assert found.count("PPTX") == len(keys)
    assert [b.label for b in test.button].count("Add to talk") == len(keys)
    assert "Parquet" in more
    codes = [block.value for block in test.code if block.language == "python"]
    assert len(codes) == len(keys)
    assert all("snapshot = find(" in code or "data.published" in code for code in codes)


def test_every_key_is_on_a_page() -> None:
    assert {key for _, _, keys in PAGES for key in keys} == set(exhibits.FIGURES)


def test_a_closed_menu_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("an exhibit was made")

    monkeypatch.setattr(exhibits, "exhibit", never)
    run("pages/survival.py", {})


def curves() -> Exhibit:
    options = (("by", "mrd_3_months"), ("landmark_days", "91"))
    cohort = frame.cohort_of(View("short2025", None, CohortFilter(), options))
    found = exhibits.exhibit("survival_curves", cohort)
    assert found is not None
    return found


@pytest.mark.parametrize("preset", ["one", "two", "slide"])
@pytest.mark.parametrize("colours", ["print", "greyscale"])
def test_pictures_are_opened_by_programs(preset: str, colours: str) -> None:
    exhibit = curves()
    svg = takeaway._picture(exhibit, "svg", preset, colours, 0)
    root = etree.fromstring(svg)
    width = {"one": 85.0, "two": 175.0, "slide": 338.667}[preset]
    assert float(root.get("width").removesuffix("mm")) == pytest.approx(width)
    pdf = PdfReader(io.BytesIO(takeaway._picture(exhibit, "pdf", preset, colours, 0)))
    assert float(pdf.pages[0].mediabox.width) == pytest.approx(width / 25.4 * 72, abs=1)
    picture = Image.open(io.BytesIO(takeaway._picture(exhibit, "png", preset, colours, 100)))
    assert picture.width == pytest.approx(width / 25.4 * 100, abs=2)


def test_tables_hold_the_numbers_of_the_exhibit() -> None:
    exhibit = curves()
    table = exhibit.tables["Milestones"]
    csv = pd.read_csv(io.BytesIO(takeaway._csv(table)))
    pd.testing.assert_frame_equal(csv, table, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(takeaway._parquet(table))), table)
    book = load_workbook(io.BytesIO(takeaway._xlsx(exhibit)))
    assert book.sheetnames == ["Milestones", "Curves", "Provenance", "Dictionary"]
    rows = list(book["Milestones"].iter_rows(values_only=True))
    assert [row[5] for row in rows[1:]] == pytest.approx(table["Survival"].tolist())
    told = {row[0]: row[1] for row in book["Dictionary"].iter_rows(values_only=True)}
    assert {"Survival", "At risk", "Low"} <= set(told)
    document = Document(io.BytesIO(takeaway._docx(exhibit)))
    assert document.inline_shapes
    assert any("83%" in cell.text or "81%" in cell.text
               for row in document.tables[0].rows for cell in row.cells)  # fmt: skip
    assert "2-year RFS\t81% 66–90" in takeaway._copied(exhibit)
    shown = Presentation(io.BytesIO(takeaway._slide(exhibit)))
    assert exhibit.title in [s.text_frame.text for s in shown.slides[0].shapes if s.has_text_frame]


def test_a_proof_holds_the_programs_and_the_data() -> None:
    options = (("by", "ph_status"),)
    cohort = frame.cohort_of(View("short2025", None, CohortFilter(), options))
    exhibit = exhibits.exhibit("survival_table", cohort)
    assert exhibit is not None
    names = zipfile.ZipFile(io.BytesIO(takeaway._proof(exhibit, cohort))).namelist()
    assert {"check.py", "check.R", "expected.json", "provenance.txt"} <= set(names)
    assert any(name.startswith("data/") for name in names)


def test_the_report_tells_what_the_pages_show() -> None:
    cohort = frame.cohort_of(View("short2025", None, CohortFilter(ph_status=("negative",))))
    made = exhibits.report(cohort)
    keys = [each.key for each in made.exhibits]
    assert keys[:4] == ["attrition", "disposition", "table_one", "survival_curves"]
    assert "mrd_table" in keys
    assert "110 of 161 patients" in made.cohort
    html = report.as_html(made).decode()
    assert "<script" not in html
    assert all(
        each.message.split(";")[0][:20] in html for each in made.exhibits if "&" not in each.message
    )
    assert takeaway._report(cohort, "docx")[:2] == b"PK"
    assert takeaway._report(cohort, "pdf")[:4] == b"%PDF"


def test_a_report_passes_over_a_grouping_that_curves_refuse() -> None:
    cohort = frame.cohort_of(View("short2025", options=(("by", "age_years"),)))
    assert "survival_curves" in [each.key for each in exhibits.report(cohort).exhibits]


def test_patients_leave_with_provenance_and_the_meaning_of_each_column() -> None:
    test = run("pages/patients.py", {})
    assert offered(test) == ["Download CSV", "Parquet", "XLSX"]


def test_the_course_of_a_patient_leaves_without_the_identifier(short2025: Snapshot) -> None:
    cohort = frame.cohort_of(View("short2025"))
    snapshot = find("short2025")
    patient_id = str(access.subjects(snapshot, CohortFilter())["patient_id"].iloc[0])
    story = who.story(access.patient(snapshot, CohortFilter(), patient_id))
    exhibit = patients.course_of(cohort, story)
    assert exhibit is not None
    assert len(exhibit.tables["Course of one patient"]) == len(story)
    for content in (
        takeaway._picture(exhibit, "svg", "two", "print", 0),
        takeaway._copied(exhibit).encode(),
        exhibit.code.encode(),
        exhibit.provenance.footnote.encode(),
    ):
        assert patient_id.encode() not in content


def test_the_course_of_a_patient_has_a_menu_without_a_talk() -> None:
    test = run("pages/patients.py", {}, "patient_course")
    table = next(k for k in test.session_state if str(k).startswith("patients_table"))
    test.session_state[table] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    test.run()
    assert not test.exception
    assert "Show the code" in [each.label for each in test.expander]
    assert "Add to talk" not in [each.label for each in test.button]
