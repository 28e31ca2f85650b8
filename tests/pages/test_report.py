"""A report as HTML, PDF and DOCX, opened by lxml, pypdf and python-docx."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from typing import Any

import docx
import pandas as pd
import pytest
from lxml import html
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from data.store import Snapshot
from pages.elements.exports import document, methods
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.report import Report, as_docx, as_html, as_pdf, blocks
from tests.exhibits import STRANGERS, hostile, of_short2025
from tests.hostile import AWAY, TEXTS

KEYS = ("attrition", "table_one", "survival_curves", "survival_table", "mrd_rates", "mrd_table")
SVG = "{http://www.w3.org/2000/svg}"


def reported(*exhibits: Exhibit, title: str = "Report on Short 2025 (synthetic)") -> Report:
    return Report(title=title, provenance=exhibits[0].provenance, exhibits=exhibits)


@pytest.fixture(scope="module")
def report(short2025: Snapshot) -> Report:
    return reported(*(of_short2025(key, by="mrd_3_months") for key in KEYS))


@pytest.fixture(scope="module")
def page(report: Report) -> Any:
    return html.document_fromstring(as_html(report).decode())


@pytest.fixture(scope="module")
def pdf(report: Report) -> PdfReader:
    return PdfReader(io.BytesIO(as_pdf(report)))


@pytest.fixture(scope="module")
def word(report: Report) -> Any:
    return docx.Document(io.BytesIO(as_docx(report)))


def shown_once(report: Report) -> list[list[list[str]]]:
    """The tables that a report shows, provenance last."""
    return [document.rows(part.table) for part in blocks(report) if part.table is not None]


def squeezed(text: str) -> str:
    """A text without its spaces: a narrow column breaks lines anywhere."""
    return re.sub(r"\s+", "", text)


def test_a_report_tells_cohort_findings_exhibits_methods_references_and_provenance(
    report: Report,
) -> None:
    heads = [part.text for part in blocks(report) if part.kind == "head"]
    titles = [exhibit.title for exhibit in report.exhibits]
    assert heads == ["The cohort", "What was found", *titles, "Methods", "References", "Provenance"]
    used = {key for exhibit in report.exhibits for key in exhibit.methods}
    texts = [part.text for part in blocks(report) if part.kind == "text"]
    assert methods.paragraph(used) in texts
    lists = [part.items for part in blocks(report) if part.items]
    assert lists == [report.findings, methods.references(used)]


def test_sentences_say_what_the_exhibits_say_and_no_more(report: Report) -> None:
    assert set(report.findings) == {exhibit.message for exhibit in report.exhibits}
    assert len(report.findings) == len(set(report.findings))
    source = report.provenance
    for said in (source.study, source.cohort, source.counts, source.citation):
        assert said in report.cohort
    numbers = set(re.findall(r"\d[\d.,–]*", report.cohort))
    told = " ".join((source.study, source.cohort, source.counts, source.citation, source.cutoff))
    assert all(number.strip(".,") in told for number in numbers)


def test_a_table_that_two_exhibits_have_stands_once(report: Report) -> None:
    curves, table = report.exhibits[2:4]
    (same,) = curves.shown.values()
    assert any(same.equals(each) for each in table.shown.values())
    shown = shown_once(report)
    assert shown.count(document.rows(same)) == 1
    every = [document.rows(each) for e in report.exhibits for each in e.shown.values()]
    assert all(each in shown for each in every)


def test_html_has_the_tables_the_figures_and_the_contents(page: Any, report: Report) -> None:
    tables = [
        [[cell.text_content() for cell in row] for row in table.iter("tr")]
        for table in page.iter("table")
    ]
    assert tables == shown_once(report)
    assert {cell.get("scope") for cell in page.iter("th")} == {"col", "row"}
    drawn = [exhibit for exhibit in report.exhibits if exhibit.spec is not None]
    figures = list(page.iter("svg"))
    assert [each.findtext("title") for each in figures] == [exhibit.title for exhibit in drawn]
    assert [each.findtext("desc") for each in figures] == [exhibit.alt for exhibit in drawn]
    texts = " ".join(text.text_content() for text in figures[1].iter("text"))
    curves = report.exhibits[2]
    for series in curves.series:
        assert series.name in texts
        assert all(count in texts for count in series.counts)
    targets = [link.get("href")[1:] for link in page.find(".//nav").iter("a")]
    assert targets == [head.get("id") for head in page.iter("h2")]
    assert page.get("lang") == "en"


def test_html_needs_no_other_file_and_runs_nothing(report: Report) -> None:
    content = as_html(report).decode()
    page = html.document_fromstring(content)
    assert not {"script", "link", "img", "iframe", "object", "form"} & {
        element.tag for element in page.iter() if isinstance(element.tag, str)
    }
    assert not [name for element in page.iter() for name in element.attrib if name.startswith("on")]
    addresses = re.findall(r"(?:src|href)\s*=\s*[\"']?([^\"'> ]+)|url\(([^)]+)\)", content)
    for address in (one or other for one, other in addresses):
        assert address.startswith(("#", "data:font/")), address
    names = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(names) == len(set(names))
    assert {ref for ref in re.findall(r"url\(#([^)]+)\)", content)} <= set(names)
    # The fonts are long: once is enough.
    assert content.count("@font-face") == 2


def test_html_is_printed_on_white_and_read_in_the_dark(page: Any) -> None:
    style = "".join(element.text or "" for element in page.find("head").iter("style"))
    assert "@media print" in style
    assert "prefers-color-scheme:dark" in style


def test_pdf_has_the_tables_and_says_where_it_comes_from_on_every_page(
    pdf: PdfReader, report: Report
) -> None:
    pages = [page.extract_text() for page in pdf.pages]
    whole = squeezed("".join(pages))
    for rows in shown_once(report):
        for cell in (cell for row in rows for cell in row):
            assert squeezed(cell) in whole, cell
    for n, page in enumerate(pages, start=1):
        assert report.title in page
        assert squeezed(report.footer) in squeezed(page)
        assert re.search(rf"^\s*{n}\s*$", page, re.MULTILINE)
    for message in report.findings:
        assert squeezed(message) in whole
    for reference in methods.references(report.methods):
        assert squeezed(reference) in whole


def test_pdf_has_the_figures_as_drawings_with_their_fonts(pdf: PdfReader, report: Report) -> None:
    forms = [
        form.get_object()
        for page in pdf.pages
        for form in page["/Resources"].get("/XObject", {}).values()
    ]
    drawn = [exhibit for exhibit in report.exhibits if exhibit.spec is not None]
    assert len(forms) == len(drawn)
    assert {form["/Subtype"] for form in forms} == {"/Form"}
    fonts = [
        font.get_object() for page in pdf.pages for font in page["/Resources"]["/Font"].values()
    ]
    ours = [font for font in fonts if "CohortSans" in font["/BaseFont"]]
    assert ours
    assert all("/FontFile2" in font["/FontDescriptor"] for font in ours)
    # Signs that every reader has are not embedded.
    assert {font["/BaseFont"] for font in fonts if font not in ours} <= {
        "/ZapfDingbats",
        "/Helvetica",
    }


def unresolved(part: Any, seen: set[int]) -> list[int]:
    """The numbers of objects that a PDF refers to and does not have."""
    if isinstance(part, IndirectObject):
        if part.idnum in seen:
            return []
        seen.add(part.idnum)
        there = part.get_object()
        return [part.idnum] if there is None else unresolved(there, seen)
    inside = [part.raw_get(name) for name in part] if isinstance(part, DictionaryObject) else []
    inside += part if isinstance(part, ArrayObject) else []
    return [number for each in inside for number in unresolved(each, seen)]


def test_pdf_lacks_nothing_that_it_refers_to(pdf: PdfReader) -> None:
    assert unresolved(pdf.trailer, set()) == []


def test_pdf_is_a4_with_title_language_and_headings(pdf: PdfReader, report: Report) -> None:
    assert pdf.metadata is not None
    assert pdf.metadata.title == report.title
    assert pdf.metadata.author == "MRD Cohort Explorer"
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    assert {tuple(round(float(x)) for x in page.mediabox) for page in pdf.pages} == {
        (0, 0, 595, 842)
    }
    heads = [part.text for part in blocks(report) if part.kind == "head"]
    assert [entry.title for entry in pdf.outline] == heads


def test_docx_has_the_tables_and_the_figures(word: Any, report: Report) -> None:
    read = [[[cell.text for cell in row.cells] for row in table.rows] for table in word.tables]
    assert read == shown_once(report)
    drawn = [exhibit for exhibit in report.exhibits if exhibit.spec is not None]
    alts = [shape._inline.docPr.get("descr") for shape in word.inline_shapes]
    assert alts == [exhibit.alt for exhibit in drawn]
    heads = [p.text for p in word.paragraphs if p.style.name == "Heading 1"]
    assert heads == [part.text for part in blocks(report) if part.kind == "head"]
    section = word.sections[0]
    assert section.header.paragraphs[0].text == report.title
    assert report.footer in section.footer.paragraphs[0].text
    assert "PAGE" in section.footer._element.xml


@pytest.mark.parametrize("written", [as_html, as_pdf, as_docx])
def test_the_same_report_is_the_same_bytes(report: Report, written: Any) -> None:
    assert written(report) == written(report)


@pytest.mark.parametrize("written", [as_html, as_pdf, as_docx])
def test_hostile_texts_are_texts(short2025: Snapshot, written: Any) -> None:
    content = written(reported(hostile(), title=TEXTS[0]))
    if written is as_pdf:
        pages = PdfReader(io.BytesIO(content)).pages
        whole = squeezed("".join(page.extract_text() for page in pages))
        assert squeezed(TEXTS[6]) in whole
        assert not [page for page in pages if "/Annots" in page]
    elif written is as_docx:
        word = docx.Document(io.BytesIO(content))
        assert word.paragraphs[0].text == TEXTS[0]
        targets = [rel.target_ref for rel in word.part.rels.values() if rel.is_external]
        assert not [target for target in targets if AWAY in target]
    else:
        page = html.document_fromstring(content.decode())
        assert page.findtext(".//h1") == TEXTS[0]
        tags = {element.tag for element in page.iter() if isinstance(element.tag, str)}
        assert not tags & {"script", "img"}
        assert not [a for element in page.iter() for a in element.attrib if a.startswith("on")]


def test_no_stranger_signs(report: Report) -> None:
    with zipfile.ZipFile(io.BytesIO(as_docx(report))) as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    for content in (*parts, as_pdf(report), as_html(report)):
        assert not [name for name in STRANGERS if name in content]


def test_a_report_of_nothing_is_one(report: Report) -> None:
    bare = replace(report.exhibits[2], spec=None, shown={}, message="", methods=())
    for written in (as_html, as_pdf, as_docx):
        assert written(reported(bare))
    kinds = [part.kind for part in blocks(reported(bare))]
    assert kinds == ["head", "text", "head", "text", "head", "table"]


def test_what_is_missing_stays_empty(report: Report) -> None:
    """What is suppressed on the screen is missing in the exhibit, and nothing takes its place."""
    table = pd.DataFrame({"Group": ["High", "Standard"], "n": ["<5", None]})
    hidden = replace(report.exhibits[3], shown={"Counts": table})
    page = html.document_fromstring(as_html(reported(hidden)).decode())
    rows = [[cell.text_content() for cell in row] for row in next(page.iter("table")).iter("tr")]
    assert rows == [["Group", "n"], ["High", "<5"], ["Standard", ""]]
