"""A report of a cohort: its exhibits in order with methods and references, as HTML, PDF and DOCX.

Nothing is computed here, and no sentence says more than an exhibit does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from pages.elements.exports import document, figure, methods
from pages.elements.exports.document import writable
from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.exports.workbook import provenance_table

_NAMED = re.compile(r'(?<=\bid=")(?=[^"]+")|(?<=url\(#)|(?<=href="#)')
FACES = re.compile(r"<style>.*?</style>", re.DOTALL)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:"
"""What a file may load: nothing but what is in it."""
_STYLE = """
:root{color-scheme:light dark;--ink:#1B2430;--soft:#55606C;--rule:#D5DBE1;--paper:#FFF;--link:#1B3B5F}
@media (prefers-color-scheme:dark){
:root{--ink:#E8EBEE;--soft:#A7B1BC;--rule:#3A434D;--paper:#12161B;--link:#9CC4EE}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 'Cohort Sans','Source Sans 3',Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.9rem;line-height:1.2;margin:.5rem 0 1rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .5rem}
p,ul,ol{max-width:46rem}li{margin:.2rem 0}a{color:var(--link)}
p,li,td,th,caption{overflow-wrap:anywhere}
.note{color:var(--soft);font-size:.8rem;max-width:none}
figure{margin:1rem 0;background:#FFF;overflow-x:auto}
figure svg{display:block;width:100%;height:auto;min-width:40rem}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem;
border-top:1.5px solid var(--ink);border-bottom:1.5px solid var(--ink)}
caption{text-align:left;font-weight:600;padding:0 0 .4rem}
th,td{padding:.2rem .5rem;text-align:center;vertical-align:top;font-weight:400;min-width:5rem}
th:first-child{min-width:9rem}
thead th{border-bottom:1px solid var(--ink);font-weight:600;vertical-align:bottom}
@media print{
:root{color-scheme:light;--ink:#1B2430;--soft:#55606C;--rule:#D5DBE1;--paper:#FFF;--link:#1B2430}
@page{size:A4;margin:18mm}
body{font-size:9.5pt}main{max-width:none;padding:0}nav{display:none}
h2,h2+p{break-after:avoid}figure,tr{break-inside:avoid}figure,.wide{overflow:visible}
figure svg{min-width:0;width:auto;max-width:100%;max-height:235mm}thead{display:table-header-group}}
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """What a report tells.

    Attributes
    ----------
    title : str
    provenance : Provenance
        Of the cohort; each exhibit carries its own besides.
    exhibits : tuple of Exhibit
        In the order in which they are shown.
    """

    title: str
    provenance: Provenance
    exhibits: tuple[Exhibit, ...]

    @property
    def cohort(self) -> str:
        """Who is reported on, in sentences."""
        source = self.provenance
        said = [
            f"Study: {source.study}.",
            f"Patients selected: {source.cohort}. These are {source.counts}.",
            f"{source.rule}." if source.rule else "",
            f"The data end on {source.cutoff}." if source.cutoff else "",
            f"Source: {source.citation}." if source.citation else "",
        ]
        return " ".join(each for each in said if each)

    @property
    def findings(self) -> tuple[str, ...]:
        """What the exhibits show, each finding once."""
        return tuple(dict.fromkeys(each.message for each in self.exhibits if each.message))

    @property
    def methods(self) -> tuple[str, ...]:
        """Keys of the methods that the exhibits used."""
        return tuple(dict.fromkeys(key for each in self.exhibits for key in each.methods))

    @property
    def footer(self) -> str:
        """Where the report comes from, for the foot of every page."""
        return replace(self.provenance, method="", rule="", citation="").footnote


@dataclass(frozen=True, eq=False)
class Block:
    """One part of a report, whatever the file: what is needed of the other fields depends on `kind`."""

    kind: Literal["head", "text", "note", "items", "numbered", "figure", "table"]
    text: str = ""
    items: Sequence[str] = ()
    exhibit: Exhibit | None = None
    table: pd.DataFrame | None = None


def blocks(report: Report) -> Iterator[Block]:
    """Yield the parts of a report below its title, in order.

    A table that several exhibits have is shown with the first of them.
    """
    yield Block("head", "The cohort")
    yield Block("text", report.cohort)
    if report.findings:
        yield Block("head", "What was found")
        yield Block("items", items=report.findings)
    printed: list[pd.DataFrame] = []
    for exhibit in report.exhibits:
        tables = {
            name: table
            for name, table in exhibit.shown.items()
            if table.shape[1] and not any(table.equals(each) for each in printed)
        }
        printed += tables.values()
        if tables or exhibit.spec is not None:
            yield from _of(exhibit, tables)
    yield Block("head", "Methods")
    yield Block("text", methods.paragraph(report.methods))
    if references := methods.references(report.methods):
        yield Block("head", "References")
        yield Block("numbered", items=references)
    yield Block("head", "Provenance")
    yield Block("table", table=provenance_table(replace(report.provenance, method="")))


def _of(exhibit: Exhibit, tables: dict[str, pd.DataFrame]) -> Iterator[Block]:
    yield Block("head", exhibit.title)
    if exhibit.message:
        yield Block("text", exhibit.message)
    if exhibit.spec is not None:
        # The heading says the title already; the picture keeps its footnote.
        yield Block("figure", exhibit.title, exhibit=replace(exhibit, title=""))
    for name, table in tables.items():
        yield Block("table", "" if name == exhibit.title else name, table=table)
    if exhibit.spec is None:
        yield Block("note", exhibit.provenance.footnote)


def as_html(report: Report) -> bytes:
    """Return a report as one HTML file that needs no other, runs no script and asks for nothing."""
    parts = list(blocks(report))
    heads = [part.text for part in parts if part.kind == "head"]
    contents = "".join(f'<li><a href="#s{i}">{_text(t)}</a></li>' for i, t in enumerate(heads, 1))
    body = "".join(_html_parts(parts))
    faces = found[0] if (found := FACES.search(body)) else ""
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{_text(report.title)}</title>{faces}<style>{_STYLE}</style></head><body><main>",
            f'<h1>{_text(report.title)}</h1><nav aria-label="Contents"><ol>{contents}</ol></nav>',
            FACES.sub("", body),
            f'<footer><p class="note">{_text(report.footer)}</p></footer></main></body></html>',
        )
    ).encode()


def _html_parts(parts: Sequence[Block]) -> Iterator[str]:
    n, head = 0, ""
    for part in parts:
        if part.kind == "head":
            n, head = n + 1, part.text
            yield f'<h2 id="s{n}">{_text(head)}</h2>'
        elif part.kind == "text":
            yield f"<p>{_text(part.text)}</p>"
        elif part.kind == "note":
            yield f'<p class="note">{_text(part.text)}</p>'
        elif part.kind in ("items", "numbered"):
            tag = "ul" if part.kind == "items" else "ol"
            yield f"<{tag}>{''.join(f'<li>{_text(item)}</li>' for item in part.items)}</{tag}>"
        elif part.exhibit is not None:
            yield f"<figure tabindex='0'>{inline(part.exhibit, part.text, f'f{n}-')}</figure>"
        elif part.table is not None:
            # Every region of a page needs a name of its own.
            name = _text(f"{head}: {part.text or 'table'}")
            made = document.as_html(part.table, part.text)
            yield f'<div class="wide" role="region" tabindex="0" aria-label="{name}">{made}</div>'


def inline(exhibit: Exhibit, name: str, mark: str, style: figure.Style = figure.TWO_COLUMN) -> str:
    """Return a figure as SVG whose names meet no other's in the same file."""
    svg = figure.as_svg(exhibit, style).decode()
    head, faces, drawing = svg.partition("</style>")
    # The file of the fonts holds no name, and is long.
    drawing = _NAMED.sub(mark, drawing)
    return head.replace("<title></title>", f"<title>{_text(name)}</title>") + faces + drawing


def as_pdf(report: Report) -> bytes:
    """Return a report as PDF, A4, with title, provenance and page number on every page."""
    from pages.elements.exports import printed

    return printed.as_pdf(report)


def as_docx(report: Report) -> bytes:
    """Return a report as a Word document, A4."""
    made = document.started(report.title)
    document.add_running(made, report.title, report.footer)
    document.add_head(made, report.title, level=0)
    for part in blocks(report):
        if part.kind == "head":
            document.add_head(made, part.text)
        elif part.kind == "text":
            document.add_text(made, part.text, with_next=True)
        elif part.kind == "note":
            document.add_text(made, part.text, size=7.5)
        elif part.kind in ("items", "numbered"):
            look = "List Bullet" if part.kind == "items" else "List Number"
            for item in part.items:
                made.add_paragraph(writable(item), look)
        elif part.exhibit is not None:
            picture = figure.as_png(part.exhibit, figure.TWO_COLUMN)
            document.add_picture(made, picture, part.exhibit.alt or part.text)
        elif part.table is not None:
            document.add_table(made, part.table, part.text)
    return document.finished(made)


def _text(text: str) -> str:
    return html.escape(writable(text))
