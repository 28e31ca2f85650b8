"""A talk as one HTML file: a slide fills the window, Page Down goes on, printing gives a page a slide."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

from pages.elements.exports import document, figure, report
from pages.elements.exports.document import writable
from pages.elements.exports.slides import Slide

_STYLE = """
html{scroll-snap-type:y mandatory;font:16px/1.4 'Cohort Sans','Source Sans 3',Arial,sans-serif}
body{margin:0;background:#FFF;color:#1B2430}
section{box-sizing:border-box;height:100vh;padding:2vmin 3vmin;display:flex;flex-direction:column;
scroll-snap-align:start;overflow-y:auto;font-variant-numeric:tabular-nums}
h2{font-size:4.2vmin;line-height:1.2;font-weight:600;margin:0}
p{margin:.5vmin 0 1vmin;font-size:2.4vmin}
.note{font-size:1.6vmin;color:#55606C;margin-top:auto}
figure{margin:0;flex:1;min-height:0}
figure svg{width:100%;height:100%}
table{border-collapse:collapse;width:100%;font-size:2vmin;margin-bottom:1.5vmin;
border-top:1.5px solid;border-bottom:1.5px solid}
caption{text-align:left;font-weight:600;padding-bottom:.4vmin}
th,td{padding:.3vmin 1vmin;text-align:center;font-weight:400}
thead th{border-bottom:1px solid;font-weight:600}
@media print{@page{size:338.667mm 190.5mm;margin:0}section{break-after:page}
.long{height:auto;min-height:100vh;overflow:visible}}
"""


def as_html(title: str, slides: Sequence[Slide]) -> bytes:
    """Return slides as one file that needs no other, runs no script and asks for nothing."""
    body = "".join(_section(number, slide) for number, slide in enumerate(slides, start=1))
    faces = found[0] if (found := report.FACES.search(body)) else ""
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{report.POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{_text(title)}</title>{faces}<style>{_STYLE}</style></head>",
            f"<body><main>{report.FACES.sub('', body)}</main></body></html>",
        )
    ).encode()


def _section(number: int, slide: Slide) -> str:
    exhibit = slide.exhibit
    source = exhibit.provenance
    shown = " · ".join((slide.title, source.cohort, source.counts))
    head = f"<h2>{_text(slide.message)}</h2><p>{_text(shown)}</p>"
    if exhibit.spec is not None:
        # The slide has its title already; the picture keeps its footnote.
        untitled = replace(exhibit, title="")
        drawn = report.inline(untitled, slide.title, f"s{number}-", figure.SLIDE)
        return f'<section aria-label="Slide {number}">{head}<figure>{drawn}</figure></section>'
    tables = "".join(document.as_html(table, name) for name, table in exhibit.shown.items())
    note = f'<p class="note">{_text(source.footnote)}</p>'
    return f'<section class="long" aria-label="Slide {number}" tabindex="0">{head}{tables}{note}</section>'


def _text(text: str) -> str:
    return html.escape(writable(text))
