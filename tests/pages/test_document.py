"""Tables for papers and the clipboard, opened by python-docx and lxml."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

import docx
import pandas as pd
import pytest
from lxml import html

from data.store import Snapshot
from pages.elements import wording
from pages.elements.exports import document, figure
from pages.elements.exports.document import as_docx, as_html, as_text, plain_text
from pages.elements.exports.exhibit import Exhibit
from tests.exhibits import STRANGERS, hostile, of_short2025
from tests.hostile import TEXTS


@pytest.fixture(scope="module")
def table_one(short2025: Snapshot) -> Exhibit:
    return of_short2025("table_one", by="mrd_3_months")


def opened(content: bytes) -> Any:
    return docx.Document(io.BytesIO(content))


def read(table: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


@pytest.mark.parametrize(
    ("screen", "paper"),
    [
        (":blue[●] **83%**", "● 83%"),
        ("**33%** 26/79  \n:gray[23–44]", "33% 26/79 23–44"),
        ("&nbsp;&nbsp;:gray[missing]", "\xa0\xa0missing"),
        (":green[● a\\[0\\]]", "● a[0]"),
        (":gray[:blue[●] x]", "● x"),
        ("a<br>b", "a b"),
    ],
)
def test_markdown_is_read(screen: str, paper: str) -> None:
    assert plain_text(screen) == paper


@pytest.mark.parametrize("text", [t for t in TEXTS if "\u202e" not in t])
def test_a_text_of_the_data_comes_back_as_it_was(text: str) -> None:
    assert plain_text(wording.escape(text)) == text.strip()
    assert plain_text(f":blue[●] {wording.escape(text)}") == f"● {text.strip()}"


def test_docx_holds_the_tables_with_caption_footnote_and_figure(short2025: Snapshot) -> None:
    exhibit = of_short2025("survival_curves", by="mrd_3_months")
    picture = figure.as_png(exhibit, figure.TWO_COLUMN)
    made = opened(as_docx(exhibit, picture))
    assert [read(table) for table in made.tables] == [
        document.rows(table) for table in exhibit.shown.values()
    ]
    texts = [paragraph.text for paragraph in made.paragraphs]
    assert texts[0] == exhibit.title
    assert made.paragraphs[0].style.name == "Heading 1"
    assert exhibit.message in texts
    assert exhibit.provenance.footnote in texts
    (shape,) = made.inline_shapes
    assert shape._inline.docPr.get("descr") == exhibit.alt
    assert shape.width == pytest.approx(docx.shared.Cm(17), rel=0.01)
    (stored,) = [part.blob for part in made.part.package.parts if part.partname.endswith(".png")]
    assert stored == picture


def test_a_table_has_three_rules(table_one: Exhibit) -> None:
    (table,) = opened(as_docx(table_one)).tables
    rules = [
        [tuple(sorted(edge.tag.rpartition("}")[2] for edge in cell)) for cell in borders]
        for borders in (row._tr.iter("{*}tcBorders") for row in table.rows)
    ]
    across = len(table.columns)
    assert rules[0] == [("bottom", "top")] * across
    assert rules[-1] == [("bottom",)] * across
    assert all(row == [()] * across for row in rules[1:-1])
    assert table.rows[0]._tr.trPr.find("{*}tblHeader") is not None


def test_levels_stay_moved_in(table_one: Exhibit) -> None:
    (table,) = opened(as_docx(table_one)).tables
    first = [row[0] for row in read(table)]
    assert first[first.index("Sex") + 1] == "\xa0\xa0\xa0Female"


def test_text_for_the_clipboard(table_one: Exhibit) -> None:
    (table,) = table_one.shown.values()
    read_back = list(
        csv.reader(io.StringIO(as_text(table)), delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    wanted = [[" ".join(cell.split()) for cell in row] for row in document.rows(table)]
    assert [[cell.strip() for cell in row] for row in read_back] == wanted
    pasted = as_text(pd.DataFrame({"=1+1": [wording.escape(text) for text in TEXTS]})).split("\n")
    assert len(pasted) == len(TEXTS) + 1
    assert not [line for line in pasted if line[:1] in set("=+-@\t")]


def test_html_for_the_clipboard(table_one: Exhibit) -> None:
    (table,) = table_one.shown.values()
    found = html.fragment_fromstring(as_html(table, "Table <1>"))
    assert found.findtext("caption") == "Table <1>"
    assert [[c.text_content() for c in row] for row in found.iter("tr")] == document.rows(table)
    assert {cell.get("scope") for cell in found.find("thead").iter("th")} == {"col"}
    assert {row[0].get("scope") for row in found.find("tbody")} == {"row"}
    hostile_one = hostile().shown["History"]
    found = html.fragment_fromstring(as_html(hostile_one, TEXTS[0]))
    assert {element.tag for element in found.iter()} == {
        "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


def test_hostile_texts_are_texts() -> None:
    exhibit = hostile()
    made = opened(as_docx(exhibit))
    shown = [
        document.writable(cell) for row in document.rows(exhibit.shown["History"]) for cell in row
    ]
    # Word keeps a tab as a tab.
    assert [cell for row in read(made.tables[1]) for cell in row] == shown


def test_the_same_exhibit_is_the_same_bytes_and_no_stranger_signs(table_one: Exhibit) -> None:
    content = as_docx(table_one)
    assert content == as_docx(table_one)
    properties = opened(content).core_properties
    assert properties.author == properties.last_modified_by == "MRD Cohort Explorer"
    assert properties.created == properties.modified
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
    assert not [name for name in STRANGERS if name in inside]
