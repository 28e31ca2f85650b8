"""Figures as SVG, PDF and PNG for a journal or a slide: the picture of the screen, in print.

The specification of an exhibit is drawn as wide as the page it goes to, so that its text comes out at the
size of a journal's; title above and provenance below are part of the picture.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal
from xml.sax.saxutils import escape

from pages.elements.charts.theme import INK, PHONE, SCREEN_FONT, Colours, palette
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.texts import FONT, FONTS, WEIGHTS, font_file, measure, trouble

# A drawing program that does not read the font in the file takes the nearest that it has.
_FAMILIES = f"{FONT}, 'Source Sans 3', 'Source Sans Pro', Arial, sans-serif"
_TEXT = 12  # pixels of a chart's plain text
_MARGIN = 6
_PAINTED = frozenset({"color", "fill", "stroke"})
_HOLDS_PAINT = frozenset({"value", "scale", "range", "condition"})
_LARGEST, _WIDEST = 1.6, 1.5  # how far a slide enlarges a figure, or draws it wider than itself
_PROGRAM = "MRD Cohort Explorer"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Style:
    """How a figure is printed.

    Attributes
    ----------
    width_mm : float
    colours : {'print', 'greyscale'}
    height_mm : float or None
        None: as high as the figure needs.
    text_pt : float
        Size of the plain text of the figure; title, names and footnote keep their proportion to it.
    """

    width_mm: float
    colours: Colours = "print"
    height_mm: float | None = None
    text_pt: float = 7.0

    def pixels(self, millimetres: float) -> float:
        """Return a length in the pixels that charts are drawn in."""
        return millimetres / 25.4 * 72 * _TEXT / self.text_pt


ONE_COLUMN = Style(85)
TWO_COLUMN = Style(175)
SLIDE = Style(338.667, height_mm=190.5, text_pt=12)
"""The presets: the columns of a journal, and a slide of 16:9."""


@dataclass(frozen=True)
class _Figure:
    """A chart as the inside of an SVG, its size in pixels, and how many texts have no room."""

    body: str
    width: float
    height: float
    trouble: int = 0


@dataclass(frozen=True)
class _Text:
    """Broken text of one size and weight."""

    lines: tuple[str, ...]
    size: float
    weight: int

    @property
    def leading(self) -> float:
        """Pixels from one line to the next."""
        return 1.25 * self.size

    @property
    def height(self) -> float:
        """Pixels of all lines."""
        return len(self.lines) * self.leading

    def drawn(self, top: float, ink: str, opacity: float = 1) -> str:
        """Return the lines as SVG, the first below `top`."""
        return "".join(
            f'<text x="{_MARGIN}" y="{top + i * self.leading + self.size:.2f}" fill="{ink}" '
            f'fill-opacity="{opacity:g}" font-family="{_FAMILIES}" font-size="{self.size:g}px" '
            f'font-weight="{self.weight}">{_xml(line)}</text>'
            for i, line in enumerate(self.lines)
        )


def as_svg(exhibit: Exhibit, style: Style) -> bytes:
    """Return a figure as SVG with its fonts inside.

    Raises
    ------
    ValueError
        If the exhibit is a table: it has no figure.
    """
    drawing = _drawing(exhibit, style, "mm")
    return drawing.replace("</desc>", f"</desc><style>{_faces()}</style>", 1).encode()


def as_pdf(exhibit: Exhibit, style: Style) -> bytes:
    """Return a figure as PDF of one page, as large as the figure, with its fonts inside.

    Raises
    ------
    ValueError
        If the exhibit is a table: it has no figure.
    """
    from pypdf import PdfReader, PdfWriter

    content = _converter().svg_to_pdf(_drawing(exhibit, style, "pt"))
    page = PdfReader(io.BytesIO(content)).pages[0]
    _order(page)
    writer = PdfWriter()
    writer.pdf_header = "%PDF-1.7"
    writer.add_page(page)
    writer.add_metadata({"/Title": exhibit.title, "/Author": _PROGRAM, "/Creator": _PROGRAM})
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _order(part: dict[str, Any]) -> None:
    """Sort a page and what it refers to by name: the same figure is then the same file."""
    for name, value in list(part.items()):
        if name != "/Parent" and isinstance(value.get_object(), dict):
            _order(value.get_object())
    items = sorted(part.items())
    part.clear()
    part.update(items)


def as_png(exhibit: Exhibit, style: Style, dpi: int = 300) -> bytes:
    """Return a figure as PNG that says how wide it is on paper.

    Raises
    ------
    ValueError
        If the exhibit is a table: it has no figure.
    """
    drawing = _drawing(exhibit, style, "pt")
    content: bytes = _converter().svg_to_png(drawing, scale=1, ppi=dpi)
    return content


def _drawing(exhibit: Exhibit, style: Style, unit: Literal["mm", "pt"]) -> str:
    """Return the whole picture as SVG without fonts, its size in a unit."""
    if exhibit.spec is None:
        raise ValueError(f"{exhibit.title} is a table: it has no figure")
    width = style.pixels(style.width_mm)
    inside, ink = width - 2 * _MARGIN, palette(style.colours)[INK]
    slide = style.height_mm is not None
    title = _broken(exhibit.title, inside, size=18 if slide else 14, weight=600)
    foot = _broken(exhibit.provenance.footnote, inside, size=12 if slide else 10.5, weight=400)
    top = _MARGIN + title.height + 8
    if style.height_mm is None:
        figure, scale = _drawn(exhibit.spec, style.colours, inside), 1.0
        height = top + figure.height + 10 + foot.height + _MARGIN
    else:
        height = style.pixels(style.height_mm)
        room = height - top - 10 - foot.height - _MARGIN
        figure, scale = _fitted(exhibit.spec, style.colours, inside, room)
        top += (room - figure.height * scale) / 2
    left = (width - figure.width * scale) / 2
    return "".join(
        (
            _opening(width, height, style.width_mm, unit),
            f"<title>{_xml(exhibit.title)}</title><desc>{_xml(exhibit.alt)}</desc>",
            f'<rect width="{width:.2f}" height="{height:.2f}" fill="#FFFFFF"/>',
            title.drawn(_MARGIN, ink),
            f'<g transform="translate({left:.2f},{top:.2f}) scale({scale:.4f})">{figure.body}</g>',
            foot.drawn(height - _MARGIN - foot.height, ink, opacity=0.75),
            "</svg>",
        )
    )


def _opening(width: float, height: float, width_mm: float, unit: Literal["mm", "pt"]) -> str:
    # What draws PDF and PNG takes a bare number as points.
    length = width_mm if unit == "mm" else width_mm / 25.4 * 72
    mark = "mm" if unit == "mm" else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'role="img" width="{length:.3f}{mark}" height="{length * height / width:.3f}{mark}" '
        f'viewBox="0 0 {width:.2f} {height:.2f}">'
    )


def _fitted(
    spec: Mapping[str, Any], colours: Colours, width: float, height: float
) -> tuple[_Figure, float]:
    """Draw a figure so that it fills a slide: wider and smaller, or narrower and larger."""
    figure = _drawn(spec, colours, width, layouts=(False,))
    wished = min(max(figure.height * width / height, width / _LARGEST), width * _WIDEST)
    fitted = _drawn(spec, colours, wished, layouts=(False,))
    figure = min(fitted, figure, key=lambda drawn: drawn.trouble)
    return figure, min(width / figure.width, height / figure.height, _LARGEST)


def _drawn(
    spec: Mapping[str, Any],
    colours: Colours,
    width: float,
    layouts: Sequence[bool] = (False, True),
) -> _Figure:
    """Draw a chart so that all of it, not only its plot, is so wide, under its key if it has one.

    It is laid out as on a wide screen or, if that leaves too little room, as on a phone (True).
    """
    tried = []
    for phone in layouts:
        tried.append(_rendered(_printed(spec, colours, phone=phone), width))
        if not tried[-1].trouble:
            break
    figure = min(tried, key=lambda drawn: drawn.trouble)
    entries = spec.get("usermeta", {}).get("key", [])
    if not entries:
        return figure
    key = _key(entries, palette(colours), width)
    body = f'{key.body}<g transform="translate(0,{key.height:g})">{figure.body}</g>'
    return replace(figure, body=body, height=key.height + figure.height)


def _rendered(spec: dict[str, Any], width: float) -> _Figure:
    spec = {**spec, "width": width}
    if "vconcat" in spec:
        spec["vconcat"] = [{**panel, "width": width} for panel in spec["vconcat"]]
    svg: str = _converter().vegalite_to_svg(json.dumps(spec, default=lambda value: value.item()))
    found = re.match(r'<svg[^>]* viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>(.*)</svg>\s*$', svg, re.S)
    if found is None:
        raise ValueError("the figure could not be drawn")
    body = found[3].replace(f'font-family="{FONT}"', f'font-family="{_FAMILIES}"')
    return _Figure(body, float(found[1]), float(found[2]), trouble(svg))


def _key(entries: Sequence[Mapping[str, str]], colours: Mapping[str, str], width: float) -> _Figure:
    """Draw the key of a figure: marks and what they mean, in as many lines as they need."""
    left, top, rows = 0.0, 9.0, []
    for entry in entries:
        long = 20 + measure(400)(entry["text"]) * _TEXT
        if left and left + long > width:
            left, top = 0.0, top + 18
        rows.append({**entry, "color": colours[entry["color"]], "x": left + 7, "y": top})
        left += long + 16
    height = top + 15
    place = {axis: {"field": axis, "type": "quantitative", "scale": None, "axis": None}
             for axis in "xy"}  # fmt: skip
    look = {name: {"field": name, "type": "nominal", "scale": None} for name in ("color", "shape")}
    mark = {"type": "point", "filled": True, "size": 60, "opacity": 1}
    text = {"type": "text", "align": "left", "baseline": "middle", "dx": 11, "font": FONT,
            "fontSize": _TEXT, "text": {"expr": "datum.text"}, "color": colours[INK]}  # fmt: skip
    return _rendered(
        {
            "data": {"values": rows}, "height": height, "padding": 0, "autosize": "none",
            "layer": [{"mark": mark, "encoding": {**place, **look}}, {"mark": text, "encoding": place}],
            "config": {"view": {"stroke": None}},
        },
        width,
    )  # fmt: skip


def _printed(spec: Mapping[str, Any], colours: Colours, *, phone: bool) -> dict[str, Any]:
    """Return a specification for paper: in one layout, in hex colours, and nothing answers to a pointer."""
    text = json.dumps({name: part for name, part in spec.items() if name != "datasets"})
    for screen, paper in (
        (PHONE, "true" if phone else "false"),
        (json.dumps(SCREEN_FONT), json.dumps(FONT)),
    ):
        text = text.replace(screen, paper)
    printed: dict[str, Any] = _painted(_still(json.loads(text)), palette(colours), False)
    return {**printed, "datasets": spec["datasets"]}


def _still(part: Any) -> Any:
    """Drop selections and tooltips, and the layers that only a selection shows."""
    if isinstance(part, list):
        return [_still(each) for each in part if not _only_selected(each)]
    if not isinstance(part, dict):
        return part
    kept = {name: _still(value) for name, value in part.items() if name != "tooltip"}
    if "params" in kept:
        kept["params"] = [each for each in kept["params"] if "select" not in each]
    return kept


def _only_selected(layer: Any) -> bool:
    opacity = layer.get("encoding", {}).get("opacity", {}) if isinstance(layer, dict) else {}
    return "param" in opacity.get("condition", {}) and opacity.get("value") == 0


def _painted(part: Any, colours: Mapping[str, str], paint: bool) -> Any:
    """Replace palette names by hex wherever they are a colour, not a word."""
    if isinstance(part, list):
        return [_painted(each, colours, paint) for each in part]
    if isinstance(part, dict):
        return {
            name: _painted(value, colours, name in _PAINTED or (paint and name in _HOLDS_PAINT))
            for name, value in part.items()
        }
    return colours.get(part, part) if paint and isinstance(part, str) else part


def _broken(text: str, width: float, *, size: float, weight: int) -> _Text:
    """Break a text at its spaces, and a word that is too long, into lines of at most `width` pixels."""
    long = measure(weight)
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and long(longer) * size <= width:
            lines[-1] = longer
            continue
        while long(word) * size > width:
            fits = next(
                n for n in range(len(word), 0, -1) if n == 1 or long(word[:n]) * size <= width
            )
            lines.append(word[:fits])
            word = word[fits:]
        lines.append(word)
    return _Text(tuple(lines), size, weight)


@lru_cache(maxsize=1)
def _converter() -> ModuleType:
    import vl_convert

    vl_convert.register_font_directory(str(FONTS))
    return vl_convert


@lru_cache(maxsize=1)
def _faces() -> str:
    """Return the fonts as a style sheet that needs no other file."""
    return "".join(
        f"@font-face{{font-family:'{FONT}';font-weight:{weight};src:url(data:font/woff2;base64,"
        f"{base64.b64encode(font_file(weight, 'woff2').read_bytes()).decode()}) format('woff2')}}"
        for weight in WEIGHTS
    )


def _xml(text: str) -> str:
    return escape(_NOT_IN_XML.sub("", text))
