"""Every figure of short2025 in every format, downloaded in a browser and opened by a program."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd
import pytest
from docx import Document
from lxml import etree
from openpyxl import load_workbook
from PIL import Image
from playwright.sync_api import Page, expect
from pptx import Presentation
from pypdf import PdfReader

from pages.elements import exhibits, frame, takeaway
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import Cohort
from pages.elements.link import View
from tests.still import still

pytestmark = pytest.mark.browser

VIEWS: tuple[tuple[str, str, dict[str, str], tuple[str, ...]], ...] = (
    ("", "short2025", {}, ("attrition", "disposition", "table_one", "missing_data")),
    ("survival", "short2025", {"by": "ph_status", "section": "subgroups"},
     ("survival_curves", "survival_table", "subgroup_forest")),
    ("survival", "short2025", {"by": "ph_status", "section": "cox"}, ("cox_table",)),
    ("survival", "short2025", {"by": "ph_status", "section": "balance"}, ("balance",)),
    ("mrd", "short2025", {"mrd_section": "curves"},
     ("mrd_rates", "mrd_table", "mrd_flows", "mrd_kinetics", "mrd_outcome")),
    # Two assays are compared in another cohort.
    ("mrd", "nguyen2026", {"mrd_section": "assays"}, ("concordance", "concordance_outcome")),
    ("transplant", "short2025", {"swimmer": "yes"},
     ("transplant_naive", "transplant_landmark", "transplant_simon_makuch", "transplant_answers",
      "transplant_who", "transplant_incidence", "swimmer")),
    ("evidence", "short2025", {}, ("evidence_forest",)),
    ("evidence", "short2025", {"part": "beside"},
     ("evidence_beside", "evidence_beside_rfs", "evidence_beside_os")),
    ("evidence", "short2025", {"part": "regimens"}, ("regimens",)),
)  # fmt: skip
WATCH = """() => {
  window.ran = 0;
  const app = document.querySelector('[data-test-script-state]');
  new MutationObserver(() => { window.ran += 1; })
    .observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
}"""


@pytest.fixture(autouse=True)
def _store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(store))


def ready(page: Page) -> None:
    page.wait_for_function(
        """() => document.querySelector('[data-test-script-state=notRunning]')
           && !document.querySelector('[data-testid=stSpinner]')"""
    )


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_test_id("stMain").get_by_role("heading").first.wait_for()
    ready(page)


def fetched(
    page: Page, key: str, expected: Callable[[], bytes] | None = None
) -> tuple[bytes, bytes | None]:
    """Return what a button downloads, and what is expected, made while the server makes it too."""
    button = page.locator(f".st-key-{key} button")
    with page.expect_download() as waiting:
        button.click()
        wanted = expected and expected()
    return Path(waiting.value.path()).read_bytes(), wanted


@pytest.mark.parametrize(
    ("path", "study", "query", "keys"), VIEWS, ids=["-".join(keys) for _, _, _, keys in VIEWS]
)
def test_every_format_is_what_the_exhibit_says(
    page: Page, server: str, path: str, study: str, query: dict[str, str], keys: tuple[str, ...]
) -> None:
    opened(page, f"{server}/{path}?{urlencode({'study': study, **query})}")
    if "missing_data" in keys:
        page.get_by_text("Missing data").click()
        ready(page)
    cohort = frame.cohort_of(View(study, options=tuple(query.items())))
    for key in keys:
        exhibit = exhibits.exhibit(key, cohort)
        assert exhibit is not None, key
        open_menu(page, key)
        page.evaluate(WATCH)
        for name, expected in files(exhibit, cohort).items():
            content, wanted = fetched(page, name, expected)
            assert wanted is None or content == wanted, name
            ending = name.split("_")[-2] if name[-1].isdigit() else name.split("_")[-1]
            OPENED[ending](content, exhibit)
        assert page.evaluate("window.ran") == 0, "a download ran the page again"
        expect(page.get_by_text("Add to talk")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def open_menu(page: Page, key: str) -> None:
    """Open the menu of a figure, which has room to be chosen from."""
    menu = page.locator(f".st-key-takeaway_{key} button").first
    still(page)
    menu.click()
    page.get_by_text("Show the code").wait_for()
    ready(page)
    # A figure above that is drawn late moves the menu away from where it was opened.
    menu.evaluate("button => button.scrollIntoView({block: 'start'})")
    body = page.get_by_test_id("stPopoverBody")
    expect(body).to_be_in_viewport(ratio=0.9)
    assert body.evaluate("body => body.clientHeight") > 200, "no room to choose in"


def files(exhibit: Exhibit, cohort: Cohort) -> dict[str, Callable[[], bytes] | None]:
    """Return by the key of its button what every file of an exhibit holds.

    None where making it here once more would say nothing: pixels, in a document too, are those of the
    SVG, and what a proof holds is run by the tests of proofs.
    """
    key, table = exhibit.key, next(iter(exhibit.tables.values()))
    made: dict[str, Callable[[], bytes] | None] = {
        f"{key}_pptx": lambda: takeaway._slide(exhibit),
        f"{key}_csv": lambda: takeaway._csv(table),
        f"{key}_parquet": lambda: takeaway._parquet(table),
        f"{key}_xlsx": lambda: takeaway._xlsx(exhibit),
        f"{key}_docx": None if exhibit.spec is not None else lambda: takeaway._docx(exhibit),
    }
    if exhibit.spec is not None:
        made[f"{key}_svg_0"] = lambda: takeaway._picture(exhibit, "svg", "one", "print", 0)
        made |= dict.fromkeys((f"{key}_pdf_0", f"{key}_png_300"))
        if key == "survival_curves":
            # The same picture with twice the pixels: one says that the button does what it says.
            made[f"{key}_png_600"] = None
    if key in exhibits.proofs.PROOFS:
        made[f"{key}_zip"] = None
    return made


def _svg(content: bytes, exhibit: Exhibit) -> None:
    words = "".join(etree.fromstring(content).itertext())
    assert exhibit.provenance.snapshot in words


def _pdf(content: bytes, exhibit: Exhibit) -> None:
    assert exhibit.provenance.snapshot in PdfReader(io.BytesIO(content)).pages[0].extract_text()


def _png(content: bytes, exhibit: Exhibit) -> None:
    picture = Image.open(io.BytesIO(content))
    dpi = round(picture.info["dpi"][0])
    assert picture.width == pytest.approx(85 / 25.4 * dpi, abs=2)


def _pptx(content: bytes, exhibit: Exhibit) -> None:
    slide = Presentation(io.BytesIO(content)).slides[0]
    assert slide.shapes.title.text_frame.text == exhibit.title
    if exhibit.chart == "curves":
        (chart,) = [shape.chart for shape in slide.shapes if shape.has_chart]
        assert {s.name for s in exhibit.series} <= {s.name for s in chart.plots[0].series}


def _csv(content: bytes, exhibit: Exhibit) -> None:
    table = next(iter(exhibit.tables.values()))
    read = pd.read_csv(io.BytesIO(content))
    assert list(read) == list(table)
    for column in table.select_dtypes("number"):
        assert read[column].tolist() == pytest.approx(
            table[column].astype("float64").tolist(), nan_ok=True
        )


def _parquet(content: bytes, exhibit: Exhibit) -> None:
    table = next(iter(exhibit.tables.values()))
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), table)


def _xlsx(content: bytes, exhibit: Exhibit) -> None:
    book = load_workbook(io.BytesIO(content))
    assert "Provenance" in book.sheetnames
    sheet, table = book.worksheets[0], next(iter(exhibit.tables.values()))
    assert (sheet.max_row, sheet.max_column) == (len(table) + 1, len(table.columns))
    assert not any(cell.data_type == "f" for each in book for row in each for cell in row)


def _docx(content: bytes, exhibit: Exhibit) -> None:
    document = Document(io.BytesIO(content))
    assert len(document.tables) == len(exhibit.shown)
    assert len(document.inline_shapes) == (exhibit.spec is not None)
    without = Document(io.BytesIO(takeaway._docx(replace(exhibit, spec=None))))
    assert [each._element.xml for each in document.tables] == [
        each._element.xml for each in without.tables
    ]


def _zip(content: bytes, exhibit: Exhibit) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {"check.py", "check.R", "expected.json"} <= set(archive.namelist())


OPENED: dict[str, Callable[[bytes, Exhibit], None]] = {
    "svg": _svg, "pdf": _pdf, "png": _png, "pptx": _pptx, "csv": _csv, "parquet": _parquet,
    "xlsx": _xlsx, "docx": _docx, "zip": _zip,
}  # fmt: skip


def test_the_keyboard_opens_the_menu_and_downloads(page: Page, server: str) -> None:
    opened(page, f"{server}/survival?study=short2025")
    button = page.locator(".st-key-takeaway_survival_curves button").first
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Show the code").wait_for()
    ready(page)
    page.locator(".st-key-survival_curves_csv button").focus()
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    assert waiting.value.suggested_filename.endswith(".csv")


def test_the_report_is_downloaded(page: Page, server: str) -> None:
    opened(page, f"{server}/?study=short2025")
    page.get_by_role("button", name="Report").click()
    for ending, head in (("html", b"<!doctype html>"), ("pdf", b"%PDF"), ("docx", b"PK")):
        content, _ = fetched(page, f"report_{ending}")
        assert content[: len(head)].lower() == head.lower()
