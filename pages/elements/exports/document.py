"""Tables for papers: DOCX with three rules, and text for the clipboard."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.exporting.package import MADE, without_clock
from data.exporting.table import defused
from pages.elements.exports.exhibit import Exhibit

if TYPE_CHECKING:
    from docx.document import Document

AUTHOR = "MRD Cohort Explorer"
_DIRECTIVE = re.compile(r"(?<!\\):[a-z-]+\[((?:\\.|[^\[\]\\])*)\]", re.DOTALL)
_MARKDOWN = re.compile(r"\\([\\`*_{}\[\]()#+\-=.!~:$<>|&])|(&#?\w+;)|(<br>|  \n)|\*\*|\u2060")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INK = "1B2430"
_WIDTH_CM = 17.0


def plain_text(text: str) -> str:
    """Return a text of the screen without its Markdown: ':blue[●] **83%**' becomes '● 83%'."""
    while (plain := _DIRECTIVE.sub(r"\1", text)) != text:
        text = plain
    # Not `strip()`: levels are moved in by spaces that do not break.
    return _MARKDOWN.sub(_as_read, text).strip(" \t\r\n")


def _as_read(found: re.Match[str]) -> str:
    escaped, entity, line = found.groups()
    return escaped or html.unescape(entity or "") or (" " if line else "")


def writable(text: str) -> str:
    """Return a text without the characters that XML, and so every file of an office, cannot hold."""
    return _NOT_IN_XML.sub("", text)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of the screen with plain texts in its header and cells, empty where missing."""
    cells = table.astype(object).map(lambda v: "" if pd.isna(v) else plain_text(str(v)))
    return cells.set_axis([plain_text(str(name)) for name in table.columns], axis=1)


def as_text(table: pd.DataFrame) -> str:
    """Return a table for the clipboard: cells apart by tabs, as Word and Excel paste it, no formula."""
    return "\n".join(
        "\t".join(str(defused(re.sub(r"\s+", " ", cell))) for cell in row) for row in rows(table)
    )


def as_html(table: pd.DataFrame, caption: str = "") -> str:
    """Return a table as HTML, for the clipboard and for a report; its texts stay texts."""
    head, *below = texts = rows(table)
    look = ["" if middle else ' style="text-align:left"' for middle in centred(texts)]
    # A header without words is none.
    columns = "".join(
        f'<th scope="col"{look[j]}>{_escaped(cell)}</th>' if cell else "<td></td>"
        for j, cell in enumerate(head)
    )
    body = "".join(
        f'<tr><th scope="row"{look[0]}>{_escaped(first)}</th>'
        + "".join(f"<td{look[j]}>{_escaped(cell)}</td>" for j, cell in enumerate(cells, 1))
        + "</tr>"
        for first, *cells in below
    )
    name = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    return f"<table>{name}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def _escaped(text: str) -> str:
    return html.escape(writable(text))


def rows(table: pd.DataFrame) -> list[list[str]]:
    """Return the plain texts of a table, its header first."""
    shown = plain(table)
    return [list(shown.columns), *shown.to_numpy().tolist()]


def as_docx(exhibit: Exhibit, picture: bytes | None = None) -> bytes:
    """Return an exhibit for a paper: figure, tables with caption, footnote with the provenance.

    Parameters
    ----------
    exhibit : Exhibit
    picture : bytes, optional
        The figure as PNG.
    """
    document = started(exhibit.title)
    add_exhibit(document, exhibit, picture)
    return finished(document)


def started(title: str) -> Document:
    """Return an empty A4 document with our look and properties."""
    from docx import Document as new
    from docx.shared import Cm, Pt, RGBColor

    document = new()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2)
    section.top_margin = section.bottom_margin = Cm(2)
    for name, size in (("Normal", 9.5), ("Title", 18), ("Heading 1", 13), ("Caption", 9.5)):
        style = document.styles[name]
        # The theme's font would win over the one that is named.
        style.element.get_or_add_rPr().get_or_add_rFonts().attrib.clear()
        style.font.name, style.font.size = "Arial", Pt(size)
        style.font.color.rgb = RGBColor.from_string(_INK)
    properties = document.core_properties
    properties.author = properties.last_modified_by = AUTHOR
    properties.title, properties.comments = writable(title)[:255], ""
    properties.created = properties.modified = MADE
    return document


def finished(document: Document) -> bytes:
    """Return a document as bytes without a clock in them."""
    written = io.BytesIO()
    document.save(written)
    return without_clock(written)


def add_exhibit(document: Document, exhibit: Exhibit, picture: bytes | None = None) -> None:
    """Add title, message, figure, tables and footnote of an exhibit to a document."""
    add_head(document, exhibit.title)
    if exhibit.message:
        add_text(document, exhibit.message, with_next=True)
    if picture is not None:
        add_picture(document, picture, exhibit.alt or exhibit.title)
    for name, table in exhibit.shown.items():
        add_table(document, table, "" if name == exhibit.title else name)
    add_text(document, exhibit.provenance.footnote, size=7.5)


def add_running(document: Document, head: str, foot: str) -> None:
    """Write a line above and one below every page, the lower with the number of the page."""
    from docx.shared import Pt

    section = document.sections[0]
    above, below = section.header.paragraphs[0], section.footer.paragraphs[0]
    for paragraph, text in ((above, head), (below, f"{foot} · page ")):
        run = paragraph.add_run(writable(text))
        run.font.size = Pt(7.5)
    number = below.add_run()
    number.font.size = Pt(7.5)
    for kind in ("begin", "", "end"):
        number._r.append(_element("w:fldChar", fldCharType=kind) if kind else _page_field())


def _page_field() -> Any:
    field = _element("w:instrText")
    field.text = "PAGE"
    return field


def add_head(document: Document, text: str, level: int = 1) -> None:
    """Add a heading; level 0 is the title of the document."""
    document.add_heading(writable(text), level)


def add_picture(document: Document, picture: bytes, alt: str) -> None:
    """Add a picture as wide as the text, or as high as a page, with its words for who cannot see it."""
    from docx.shared import Cm

    shape = document.add_picture(io.BytesIO(picture))
    scale = min(Cm(_WIDTH_CM) / shape.width, Cm(22) / shape.height)
    shape.width, shape.height = int(shape.width * scale), int(shape.height * scale)
    shape._inline.docPr.set("descr", writable(alt))


def add_text(document: Document, text: str, *, size: float = 9.5, with_next: bool = False) -> None:
    """Add a paragraph, on the page of what comes after it if asked."""
    from docx.shared import Pt

    paragraph = document.add_paragraph()
    paragraph.add_run(writable(text)).font.size = Pt(size)
    paragraph.paragraph_format.keep_with_next = with_next


def add_table(document: Document, table: pd.DataFrame, caption: str = "") -> None:
    """Add a table with three rules: above and below its header, and at its end."""
    from docx.shared import Cm, Pt

    if caption:
        named = document.add_paragraph(writable(caption), "Caption")
        named.paragraph_format.keep_with_next = True
    texts = rows(table)
    made = document.add_table(len(texts), len(texts[0]))
    made.autofit = False
    middle = centred(texts)
    widths = [Cm(_WIDTH_CM * share) for share in shares(texts)]
    for i, row in enumerate(texts):
        edges = {"top", "bottom"} if i == 0 else {"bottom"} if i == len(texts) - 1 else set()
        made.rows[i]._tr.get_or_add_trPr().append(_element("w:cantSplit"))
        for j, cell in enumerate(made.rows[i].cells):
            cell.width = made.columns[j].width = widths[j]
            _fill(cell, writable(row[j]), bold=i == 0, middle=middle[j], edges=edges)
    made.rows[0]._tr.get_or_add_trPr().append(_element("w:tblHeader"))
    after = document.add_paragraph().paragraph_format
    after.line_spacing, after.space_after = Pt(8), Pt(0)


def centred(texts: Sequence[Sequence[str]]) -> list[bool]:
    """Return which columns of a table stand in the middle: not the first, and none of sentences."""
    columns = zip(*texts, strict=True)
    return [j > 0 and max(map(len, column)) <= 40 for j, column in enumerate(columns)]


def shares(texts: Sequence[Sequence[str]]) -> list[float]:
    """Return the share of the width that each column of a table needs."""
    # A column as wide as its longest word, and wider the longer its texts.
    needs = [
        max(map(len, " ".join(column).split()), default=0) + 4 + min(max(map(len, column)), 40) / 2
        for column in zip(*texts, strict=True)
    ]
    needs = [min(need, 40) for need in needs]
    return [need / sum(needs) for need in needs]


def _fill(cell: Any, text: str, *, bold: bool, middle: bool, edges: set[str]) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER if middle else WD_ALIGN_PARAGRAPH.LEFT
    paragraph.paragraph_format.space_after = Pt(1)
    run = paragraph.add_run(text)
    run.bold, run.font.size = bold, Pt(8.5)
    borders = _element("w:tcBorders")
    for edge in sorted(edges, reverse=True):
        borders.append(_element(f"w:{edge}", val="single", sz="6", color=_INK))
    cell._tc.get_or_add_tcPr().append(borders)


def _element(tag: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(qn(f"w:{name}"), value)
    return element
