"""A report as PDF: text and tables by reportlab, the figures put in as drawings, not as pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from pages.elements.exports import document, figure, report
from pages.elements.exports.document import writable
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.texts import FONT, WEIGHTS, font_file

_MM = 72 / 25.4
_PAGE = (210 * _MM, 297 * _MM)
_MARGIN, _WIDTH = 17.5 * _MM, 175 * _MM
_TOP = _BOTTOM = 24 * _MM
_HIGHEST = _PAGE[1] - _TOP - _BOTTOM - 30 * _MM
_INK, _SOFT = "#1B2430", "#55606C"
_PLAIN, _BOLD = (f"{FONT.replace(' ', '')}-{name}" for name in WEIGHTS.values())
_UNKNOWN = "\N{WHITE SQUARE}"


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A figure as PDF of one page, and where it goes: page, left, bottom, scale."""

    content: bytes
    page: int
    left: float
    bottom: float
    scale: float


def as_pdf(told: report.Report) -> bytes:
    """Return a report as PDF, A4, with title, provenance and page number on every page.

    A character that the font of figures lacks stands as an empty square.
    """
    from reportlab.platypus import SimpleDocTemplate

    _register()
    drawings: list[_Drawn] = []
    written = io.BytesIO()
    made = SimpleDocTemplate(
        written, pagesize=_PAGE, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_TOP,
        bottomMargin=_BOTTOM, title=writable(told.title), author=document.AUTHOR, lang="en",
        creator=document.AUTHOR, producer=document.AUTHOR, invariant=1,
    )  # fmt: skip

    def around(canvas: Any, _: Any) -> None:
        _around(canvas, told)

    made.build(list(_story(told, drawings)), onFirstPage=around, onLaterPages=around)
    return _with(written, drawings)


def _with(written: io.BytesIO, drawings: Sequence[_Drawn]) -> bytes:
    """Put the figures where room was left for them."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter(clone_from=PdfReader(written))
    for n, each in enumerate(drawings):
        drawing = PdfReader(io.BytesIO(each.content)).pages[0].clone(writer, force_duplicate=True)
        form, drawn = DecodedStreamObject(), DecodedStreamObject()
        form.set_data(drawing.get_contents().get_data())
        form.update({NameObject(f"/{name}"): NameObject(f"/{value}")
                     for name, value in (("Type", "XObject"), ("Subtype", "Form"))})  # fmt: skip
        form[NameObject("/BBox")] = drawing.mediabox
        form[NameObject("/Resources")] = drawing.raw_get("/Resources")
        page, name = writer.pages[each.page - 1], f"/Figure{n}"
        place = f"{each.scale:.5f} 0 0 {each.scale:.5f} {each.left:.3f} {each.bottom:.3f}"
        drawn.set_data(f"q {place} cm {name} Do Q".encode())
        known = page["/Resources"].setdefault(NameObject("/XObject"), DictionaryObject())
        known[NameObject(name)] = writer._add_object(form.flate_encode())
        contents = page.raw_get("/Contents")
        before = contents if isinstance(contents, ArrayObject) else ArrayObject([contents])
        before.append(writer._add_object(drawn))
        page[NameObject("/Contents")] = before
    whole, once = io.BytesIO(), io.BytesIO()
    writer.write(whole)
    # Every figure brings the same fonts; pypdf can tell only in a file that it has read.
    writer = PdfWriter(clone_from=PdfReader(whole))
    writer.compress_identical_objects(remove_unreferenced=False)
    writer.write(once)
    return once.getvalue()


def _story(told: report.Report, drawings: list[_Drawn]) -> Iterator[Any]:
    yield _paragraph(told.title, 18, bold=True, after=8)
    for place, part in enumerate(report.blocks(told)):
        if part.kind == "head":
            yield _listed(part.text, f"part{place}")
            yield _paragraph(part.text, 13, bold=True, before=14, with_next=True)
        elif part.kind == "text":
            yield _paragraph(part.text, with_next=True)
        elif part.kind == "note":
            yield _paragraph(part.text, 7, colour=_SOFT)
        elif part.kind in ("items", "numbered"):
            for n, item in enumerate(part.items, start=1):
                mark = "•" if part.kind == "items" else f"{n}."
                yield _paragraph(item, mark=mark, after=2)
        elif part.exhibit is not None:
            yield _room(part.exhibit, drawings)
        elif part.table is not None:
            if part.text:
                yield _paragraph(part.text, 9, bold=True, before=6, with_next=True)
            yield _table(document.rows(part.table))


def _paragraph(
    text: str,
    size: float = 9.5,
    *,
    bold: bool = False,
    colour: str = _INK,
    before: float = 0,
    after: float = 5,
    mark: str = "",
    with_next: bool = False,
    middle: bool = False,
) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    font = _BOLD if bold else _PLAIN
    style = ParagraphStyle(
        "ours", fontName=font, bulletFontName=font, fontSize=size, bulletFontSize=size,
        leading=1.3 * size, textColor=colour, spaceBefore=before, spaceAfter=after,
        leftIndent=18 if mark else 0, keepWithNext=with_next, splitLongWords=1,
        alignment=1 if middle else 0,
    )  # fmt: skip
    return Paragraph(_marked(text), style, bulletText=mark or None)


def _listed(text: str, key: str) -> Any:
    """Return a heading that readers list beside the pages."""
    from reportlab.platypus import Flowable

    class Listed(Flowable):
        def wrap(self, *_: float) -> tuple[float, float]:
            return 0, 0

        def draw(self) -> None:
            self.canv.bookmarkHorizontal(key, 0, 20)
            self.canv.addOutlineEntry(writable(text), key)

    listed = Listed()
    listed.keepWithNext = True
    return listed


def _room(exhibit: Exhibit, drawings: list[_Drawn]) -> Any:
    """Return the room of a figure, which notes where it came to stand."""
    from pypdf import PdfReader
    from reportlab.platypus import Flowable

    content = figure.as_pdf(exhibit, figure.TWO_COLUMN)
    box = PdfReader(io.BytesIO(content)).pages[0].mediabox
    scale = min(_WIDTH / float(box.width), _HIGHEST / float(box.height))

    class Room(Flowable):
        def wrap(self, *_: float) -> tuple[float, float]:
            return float(box.width) * scale, float(box.height) * scale

        def draw(self) -> None:
            left, bottom = self.canv.absolutePosition(0, 0)
            page = self.canv.getPageNumber()
            drawings.append(_Drawn(content, page, left, bottom, scale))

    return Room()


def _table(rows: Sequence[Sequence[str]]) -> Any:
    """Return a table with three rules; its header stands on every page that it covers."""
    from reportlab.platypus import Table

    size = 8 if len(rows[0]) < 9 else 6.5
    middle = document.centred(rows)
    cells = [
        [
            _paragraph(text, size, bold=i == 0, after=0, middle=middle[j])
            for j, text in enumerate(row)
        ]
        for i, row in enumerate(rows)
    ]
    widths = [_WIDTH * share for share in document.shares(rows)]
    rules = [("LINEABOVE", (0, 0), (-1, 0), 1, _INK), ("LINEBELOW", (0, 0), (-1, 0), 0.5, _INK),
             ("LINEBELOW", (0, -1), (-1, -1), 1, _INK)]  # fmt: skip
    close = [("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
             ("LEFTPADDING", (0, 0), (-1, -1), 3), ("RIGHTPADDING", (0, 0), (-1, -1), 3),
             ("VALIGN", (0, 0), (-1, -1), "TOP")]  # fmt: skip
    return Table(
        cells, widths, repeatRows=1, splitInRow=1, style=[*rules, *close], spaceBefore=2,
        spaceAfter=8, hAlign="LEFT",
    )  # fmt: skip


def _around(canvas: Any, told: report.Report) -> None:
    """Write what stands on every page: title above, provenance and page number below."""
    canvas.saveState()
    foot = _paragraph(told.footer, 6.5, colour=_SOFT)
    height = foot.wrap(_WIDTH - 20 * _MM, _BOTTOM)[1]
    lowest = 8 * _MM
    # A selection in very many words keeps to its place.
    shown = foot if height <= _BOTTOM - lowest - 6 else foot.split(_WIDTH - 20 * _MM, 40)[0]
    shown.wrapOn(canvas, _WIDTH - 20 * _MM, _BOTTOM)
    shown.drawOn(canvas, _MARGIN, _BOTTOM - 8 - shown.height)
    head = _paragraph(told.title, 7.5, colour=_SOFT)
    line = head.split(_WIDTH, 10) if head.wrap(_WIDTH, 20)[1] > 10 else [head]
    line[0].wrapOn(canvas, _WIDTH, 20)
    line[0].drawOn(canvas, _MARGIN, _PAGE[1] - 14 * _MM)
    canvas.setFont(_PLAIN, 7.5)
    canvas.setFillColor(_SOFT)
    canvas.drawRightString(_MARGIN + _WIDTH, _BOTTOM - 16, str(canvas.getPageNumber()))
    canvas.restoreState()


def _marked(text: str) -> str:
    """Return a text as reportlab reads it: its signs in the font that has them."""
    parts = []
    for signs, run in groupby(writable(text), _is_sign):
        words = "".join(run)
        if signs:
            parts.append(f'<font name="ZapfDingbats">{words}</font>')
        else:
            parts.append(escape("".join(c if ord(c) in _known() else _UNKNOWN for c in words)))
    return "".join(parts)


def _is_sign(character: str) -> bool:
    """Whether our font lacks a character that the font for signs has, which every reader brings."""
    if not "\u2701" <= character <= "\u27be" or ord(character) in _known():
        return False
    return len(character.encode("zapfdingbats", "ignore")) == 1


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    from reportlab.pdfbase import pdfmetrics

    return frozenset(pdfmetrics.getFont(_PLAIN).face.charToGlyph) | {ord("\n"), ord("\t")}


@lru_cache(maxsize=1)
def _register() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, weight in zip((_PLAIN, _BOLD), WEIGHTS, strict=True):
        pdfmetrics.registerFont(TTFont(name, str(font_file(weight, "ttf"))))
