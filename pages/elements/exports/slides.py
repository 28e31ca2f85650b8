"""Exhibits as slides: PPTX with native charts and tables that can be edited."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.exporting.package import MADE, without_clock
from pages.elements.charts.placement import push_apart
from pages.elements.charts.theme import MARK, palette
from pages.elements.exports import document
from pages.elements.exports.document import AUTHOR, writable
from pages.elements.exports.exhibit import Exhibit, Series
from pages.elements.exports.texts import measure

if TYPE_CHECKING:
    from pptx.chart.chart import Chart
    from pptx.presentation import Presentation
    from pptx.slide import Slide as PptxSlide

# On every machine, or with a twin of the same widths there.
_FONT = "Arial"
_INK, _SOFT, _RULE = "1B2430", "55606C", "B6BEC7"
_WIDTH, _HEIGHT, _MARGIN = 13.333, 7.5, 0.55  # inches
_PLOT_LEFT, _PLOT_RIGHT, _PLOT_TOP = 2.7, 10.35, 2.3
_FOOT, _WARNED = 6.86, 0.19  # what can mislead stands so high above the foot
_MOST_ROWS = 12
_WIDER = 1.1  # Arial than our font
_LONGEST_FOOT = 480  # characters in three lines; the notes hold all of it
_SYMBOLS = {
    "circle": "circle", "diamond": "diamond", "triangle-up": "triangle", "square": "square",
    "x": "x", "cross": "plus",
}  # fmt: skip
_NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"


@dataclass(frozen=True, eq=False)
class Slide:
    """One slide of a talk: an exhibit under a title and one line that says what it shows."""

    exhibit: Exhibit
    title: str
    message: str


def slide_of(exhibit: Exhibit) -> bytes:
    """Return a presentation of one exhibit."""
    return deck([Slide(exhibit, exhibit.title, exhibit.message)])


def deck(slides: Sequence[Slide]) -> bytes:
    """Return slides as a PPTX file, 16:9.

    Curves are scatter charts of steps with marks where somebody is censored, rates are points with error
    bars, everything else is a table; a figure that has neither is a picture. Title, message and provenance
    are texts; methods and the link to the view stand in the notes. The same slides give the same bytes.
    """
    from pptx import Presentation as new
    from pptx.util import Inches

    shown: Presentation = new()
    shown.slide_width, shown.slide_height = Inches(_WIDTH), Inches(_HEIGHT)
    for slide in slides:
        _add(shown, slide)
    properties = shown.core_properties
    properties.author = properties.last_modified_by = AUTHOR
    properties.title = writable(slides[0].title)[:255] if slides else ""
    properties.comments = ""
    properties.created = properties.modified = MADE
    written = io.BytesIO()
    shown.save(written)
    return without_clock(written)


def _add(shown: Presentation, slide: Slide) -> None:
    made = shown.slides.add_slide(shown.slide_layouts[5])  # 'Title Only'
    _place_title(made, slide.title)
    said, size = _fitted(slide.message, (24, 2), (20, 3))
    _text(made, said, size, (_MARGIN, 1.05, _WIDTH - 2 * _MARGIN, 1.0), name="Message")
    exhibit = slide.exhibit
    if exhibit.chart == "curves" and exhibit.series:
        _curves(made, exhibit)
    elif exhibit.chart == "rates" and exhibit.series:
        _rates(made, exhibit)
    elif exhibit.shown:
        _table(made, *next(iter(exhibit.shown.items())))
    elif exhibit.spec is not None:
        _picture(made, exhibit)
    source, wide = exhibit.provenance, _WIDTH - 2 * _MARGIN
    if source.caveats:
        warned, size = _fitted(" · ".join(source.caveats), (11, 1), (10, 1), (9, 1))
        _text(made, warned, size, (_MARGIN, _FOOT - _WARNED, wide, _WARNED), name="Caveats")
    foot = (_MARGIN, _FOOT, wide, 0.5)
    _text(made, _cut(source.source, _LONGEST_FOOT), 10, foot, colour=_SOFT, name="Footnote")
    made.notes_slide.notes_text_frame.text = writable(_notes(exhibit))


def _notes(exhibit: Exhibit) -> str:
    from pages.elements.exports import methods

    source = exhibit.provenance
    said = methods.paragraph(exhibit.methods)
    parts = (exhibit.alt, said, source.footnote, f"View: {source.link}")
    return "\n\n".join(part for part in parts if part)


# Texts


def _place_title(made: PptxSlide, title: str) -> None:
    from pptx.util import Inches

    shape = made.shapes.title
    assert shape is not None
    shape.left, shape.top = Inches(_MARGIN), Inches(0.35)
    shape.width, shape.height = Inches(_WIDTH - 2 * _MARGIN), Inches(0.7)
    said, size = _fitted(title, (30, 1), (24, 1), (20, 1))
    _write(shape.text_frame, said, size, bold=True)


def _fitted(
    text: str, *sizes: tuple[float, int], inches: float = _WIDTH - 2 * _MARGIN
) -> tuple[str, float]:
    """Return a text, cut if it must be, and the first size at which its lines are so many at most."""
    line = " ".join(text.split())
    long = _WIDER * measure(600)(line)
    for size, lines in sizes:
        # Words that do not fit leave room at the ends of lines.
        room = inches * 72 / size * (1 if lines == 1 else 0.93 * lines)
        if long <= room:
            return line, size
    return _cut(line, int(len(line) * room / long)), size


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _text(
    made: PptxSlide,
    text: str,
    size: float,
    box: tuple[float, float, float, float],
    *,
    colour: str = _INK,
    name: str = "",
    align: str = "LEFT",
) -> None:
    from pptx.util import Inches

    shape = made.shapes.add_textbox(*(Inches(each) for each in box))
    if name:
        shape.name = _cut(writable(name), 200)
    _write(shape.text_frame, text, size, colour=colour, align=align)


def _write(
    frame: Any,
    text: str,
    size: float,
    *,
    bold: bool = False,
    colour: str = _INK,
    align: str = "LEFT",
) -> None:
    from pptx.dml.color import RGBColor
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
    from pptx.util import Pt

    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    paragraph = frame.paragraphs[0]
    paragraph.alignment = getattr(PP_ALIGN, align)
    run = paragraph.add_run()
    run.text = re.sub(r"[\t\r\n]+", " ", writable(text))
    run.font.size, run.font.bold, run.font.name = Pt(size), bold, _FONT
    run.font.color.rgb = RGBColor.from_string(colour)


# Charts


def _curves(made: PptxSlide, exhibit: Exhibit) -> None:
    """Draw step curves with censor marks over the table of the numbers at risk."""
    from pptx.chart.data import XyChartData

    drawn: list[tuple[str, pd.DataFrame, Callable[[Any], None]]] = []
    for series in exhibit.series:
        steps, thin = (
            partial(_line, series=series, width=2.5),
            partial(_line, series=series, width=0.75),
        )
        drawn.append((series.name, _steps(series.points, "value"), steps))
        # More than two pairs of limits would hide the curves.
        for end, words in (("low", "lower"), ("high", "upper")) if len(exhibit.series) < 3 else ():
            drawn.append((f"{series.name}, {words} 95% limit", _steps(series.points, end), thin))
        censored = series.points.loc[series.points["n_censored"] > 0, ["time", "value"]]
        marks = partial(_marks, colour=_colour(series), symbol="plus", size=7)
        drawn.append((f"{series.name}, censored", censored, marks))
    # LibreOffice loses the line of a series that is shorter than one after it.
    drawn.sort(key=lambda part: -len(part[1]))
    data = XyChartData(number_format="General")
    for name, points, _ in drawn:
        _fill(data, name, points)
    top = _FOOT - _WARNED - _row_height(exhibit) * (len(exhibit.series) + 1)
    chart = _chart(made, data, exhibit, top)
    for plotted, (_, _, look) in zip(chart.plots[0].series, drawn, strict=True):
        look(plotted)
    ends = [_last(series.points) for series in exhibit.series]
    _end_labels(made, exhibit, ends, top)
    _counts(made, exhibit, top)
    _above(made, exhibit.notes)


def _rates(made: PptxSlide, exhibit: Exhibit) -> None:
    """Draw points with error bars over the table of n/N."""
    from pptx.chart.data import XyChartData

    data = XyChartData(number_format="General")
    width = 0.12 * (len(exhibit.series) - 1)
    shifted = [
        series.points.assign(time=series.points["x"] - width / 2 + 0.12 * i)
        for i, series in enumerate(exhibit.series)
    ]
    for series, points in zip(exhibit.series, shifted, strict=True):
        _fill(data, series.name, points.dropna(subset="value")[["time", "value"]])
    top = _FOOT - _WARNED - _row_height(exhibit) * (len(exhibit.series) + 1)
    chart = _chart(made, data, exhibit, top)
    for drawn, series, points in zip(chart.plots[0].series, exhibit.series, shifted, strict=True):
        _marks(drawn, _colour(series), _SYMBOLS[series.style.shape], 11)
        _error_bars(drawn, points.dropna(subset="value"), _colour(series))
    ends = [
        float(known["value"].iloc[-1]) if len(known := points.dropna(subset="value")) else None
        for points in shifted
    ]
    _end_labels(made, exhibit, ends, top)
    _counts(made, exhibit, top)


def _steps(points: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the corners of a step curve: two for every step."""
    known = points.dropna(subset=column)
    corners = pd.DataFrame(
        {"time": known["time"].repeat(2), "value": known[column].repeat(2)}
    ).reset_index(drop=True)
    corners["value"] = corners["value"].shift(
        1, fill_value=corners["value"].iloc[0] if len(corners) else 0
    )
    last = pd.DataFrame({"time": known["time"].tail(1), "value": known[column].tail(1)})
    joined = pd.concat([corners.iloc[1:], last], ignore_index=True)
    before, after = joined["value"].shift(1), joined["value"].shift(-1)
    # Between two corners at one height nothing is said.
    return joined[(joined["value"] != before) | (joined["value"] != after)]


def _fill(data: Any, name: str, points: pd.DataFrame) -> None:
    series = data.add_series(writable(name))
    for time, value in points.itertuples(index=False):
        series.add_data_point(round(float(time), 6), round(float(value), 6))


def _last(points: pd.DataFrame) -> float | None:
    known = points["value"].dropna()
    return float(known.iloc[-1]) if len(known) else None


def _chart(made: PptxSlide, data: Any, exhibit: Exhibit, bottom: float) -> Chart:
    """Add an XY chart with its plot exactly between the margins: a table stands under its ticks."""
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    left, right = _MARGIN, _PLOT_RIGHT + 0.35
    box = (left, _PLOT_TOP, right - left, bottom - _PLOT_TOP)
    frame = made.shapes.add_chart(
        XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS, *(Inches(each) for each in box), data
    )
    frame.name = _cut(writable(exhibit.title), 200)
    frame._element._nvXxPr.cNvPr.set("descr", writable(exhibit.alt or exhibit.message))
    chart: Chart = frame.chart
    chart.part.chart_workbook.update_from_xlsx_blob(_plain_workbook(data))
    chart.has_legend = chart.has_title = False
    chart.font.size, chart.font.name = _points(14), _FONT
    ticks = list(exhibit.ticks)
    ends = (ticks[0], ticks[-1]) if exhibit.chart == "curves" else (0.5, len(ticks) + 0.5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    _axis(chart.category_axis, ends, step, exhibit.axes[0] if exhibit.chart == "curves" else "")
    _axis(chart.value_axis, (0, 100), 25, exhibit.axes[1])
    chart.value_axis.tick_labels.number_format, percent = '0"%"', chart.value_axis.tick_labels
    percent.number_format_is_linked = False
    if exhibit.chart == "rates":
        from pptx.enum.chart import XL_TICK_LABEL_POSITION

        chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.NONE
    _inner_plot(chart, box)
    return chart


def _points(size: float) -> Any:
    from pptx.util import Pt

    return Pt(size)


def _axis(axis: Any, ends: tuple[float, float], step: float, title: str) -> None:
    from pptx.dml.color import RGBColor

    axis.minimum_scale, axis.maximum_scale, axis.major_unit = *ends, step
    axis.has_major_gridlines = False
    axis.format.line.color.rgb = RGBColor.from_string(_RULE)
    axis.has_title = bool(title)
    if title:
        _write(axis.axis_title.text_frame, title, 14)


def _inner_plot(chart: Chart, box: tuple[float, float, float, float]) -> None:
    """Fix the place of the plot inside its chart, axis labels outside it."""
    from lxml import etree

    left, _, width, height = box
    below = 0.75 if chart.category_axis.has_title else 0.1
    shares = {
        "x": (_PLOT_LEFT - left) / width,
        "y": 0.1 / height,
        "w": (_PLOT_RIGHT - _PLOT_LEFT) / width,
        "h": (height - 0.1 - below) / height,
    }
    area = chart._chartSpace.chart.plotArea
    name = area.tag.rpartition("}")[0] + "}"
    for old in area.findall(f"{name}layout"):
        area.remove(old)
    layout = etree.Element(f"{name}layout")
    manual = etree.SubElement(layout, f"{name}manualLayout")
    for tag, value in (("layoutTarget", "inner"), ("xMode", "edge"), ("yMode", "edge"),
                       *((key, f"{share:.6f}") for key, share in shares.items())):  # fmt: skip
        etree.SubElement(manual, f"{name}{tag}").set("val", value)
    area.insert(0, layout)


def _plain_workbook(data: Any) -> bytes:
    """Return the workbook behind a chart, in which no text is run as a formula or a link."""
    from contextlib import contextmanager

    from pptx.chart.xlsx import XyWorkbookWriter
    from xlsxwriter import Workbook

    class Plain(XyWorkbookWriter):
        @contextmanager
        def _open_worksheet(self, file: io.BytesIO) -> Iterator[tuple[Any, Any]]:
            texts = {"strings_to_formulas": False, "strings_to_urls": False}
            book = Workbook(file, {"in_memory": True, **texts})
            book.set_properties({"author": AUTHOR, "created": MADE})
            yield book, book.add_worksheet()
            book.close()

    return without_clock(io.BytesIO(Plain(data).xlsx_blob))


def _colour(series: Series) -> str:
    return palette()[series.style.color].removeprefix("#")


def _line(drawn: Any, series: Series, width: float) -> None:
    from pptx.dml.color import RGBColor
    from pptx.enum.chart import XL_MARKER_STYLE
    from pptx.enum.dml import MSO_LINE
    from pptx.util import Pt

    drawn.smooth = False
    drawn.marker.style = XL_MARKER_STYLE.NONE
    line = drawn.format.line
    line.width, line.color.rgb = Pt(width), RGBColor.from_string(_colour(series))
    on, off = series.style.dash[:2]
    line.dash_style = (
        MSO_LINE.SOLID if not off else MSO_LINE.DASH if on >= 4 else MSO_LINE.ROUND_DOT
    )


def _marks(drawn: Any, colour: str, symbol: str, size: int) -> None:
    from pptx.dml.color import RGBColor
    from pptx.enum.chart import XL_MARKER_STYLE

    drawn.smooth = False
    drawn.format.line.fill.background()
    drawn.marker.style = getattr(XL_MARKER_STYLE, symbol.upper())
    drawn.marker.size = size
    drawn.marker.format.line.color.rgb = RGBColor.from_string(colour)
    if symbol not in ("plus", "x"):
        drawn.marker.format.fill.solid()
        drawn.marker.format.fill.fore_color.rgb = RGBColor.from_string(colour)


def _error_bars(drawn: Any, points: pd.DataFrame, colour: str) -> None:
    """Give a series its intervals, which python-pptx has no words for."""
    from lxml import etree

    element = drawn._element
    name = element.tag.rpartition("}")[0] + "}"
    bars = etree.Element(f"{name}errBars")
    for tag, value in (("errDir", "y"), ("errBarType", "both"), ("errValType", "cust"),
                       ("noEndCap", "1")):  # fmt: skip
        etree.SubElement(bars, f"{name}{tag}").set("val", value)
    for tag, lengths in (
        ("plus", points["high"] - points["value"]),
        ("minus", points["value"] - points["low"]),
    ):
        numbers = etree.SubElement(etree.SubElement(bars, f"{name}{tag}"), f"{name}numLit")
        etree.SubElement(numbers, f"{name}ptCount").set("val", str(len(lengths)))
        for i, length in enumerate(lengths):
            point = etree.SubElement(numbers, f"{name}pt", idx=str(i))
            etree.SubElement(point, f"{name}v").text = f"{length:.6f}"
    look = etree.SubElement(bars, f"{name}spPr")
    drawing = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
    line = etree.SubElement(look, f"{drawing}ln", w="22225")
    fill = etree.SubElement(line, f"{drawing}solidFill")
    etree.SubElement(fill, f"{drawing}srgbClr").set("val", colour)
    element.find(f"{name}xVal").addprevious(bars)


# What stands around a chart


def _row_height(exhibit: Exhibit) -> float:
    """Return the height of a row of counts: many groups would leave the plot no room."""
    return 0.3 if len(exhibit.series) < 6 else 0.24


def _within(text: str, inches: float, size: float) -> tuple[str, float]:
    """Return a name on one line: in a smaller size if it is long, cut if it is longer."""
    return _fitted(text, (size, 1), (0.85 * size, 1), inches=inches)


def _end_labels(
    made: PptxSlide, exhibit: Exhibit, ends: Sequence[float | None], bottom: float
) -> None:
    """Write the name of each series at its right end, none over another."""
    top = _PLOT_TOP + 0.1
    base = bottom - (0.75 if exhibit.chart == "curves" else 0.1)
    height = base - top
    size = next((s for s in (16, 12) if 1.5 * s / 72 * len(exhibit.series) <= height), 10)
    named = [(s, end) for s, end in zip(exhibit.series, ends, strict=True) if end is not None]
    gap = 100 * 1.4 * size / 72 / height
    places = push_apart([end for _, end in named], gap, 3, 100)
    for (series, _), place in zip(named, places, strict=True):
        high, width = 1.3 * size / 72, _WIDTH - _PLOT_RIGHT - 0.4
        text, fitted = _within(f"{MARK[series.style.shape]} {series.name}", width, size)
        box = (_PLOT_RIGHT + 0.12, base - height * place / 100 - high / 2, width, high)
        _text(made, text, fitted, box, colour=_colour(series), name=f"Name of {series.short}")


def _above(made: PptxSlide, notes: Sequence[str]) -> None:
    """Write the ratio and the P value above the plot: inside it a curve could run through them."""
    if notes:
        box = (_PLOT_LEFT, _PLOT_TOP - 0.33, _WIDTH - _MARGIN - _PLOT_LEFT, 0.3)
        _text(made, " · ".join(notes), 14, box)


def _counts(made: PptxSlide, exhibit: Exhibit, top: float) -> None:
    """Write the table of counts with its columns centred under the ticks."""
    from pptx.util import Inches

    ticks = list(exhibit.ticks)
    if not any(series.counts for series in exhibit.series):
        return
    span = _PLOT_RIGHT - _PLOT_LEFT
    step = span / max(len(ticks) - 1, 1) if exhibit.chart == "curves" else span / len(ticks)
    first = _PLOT_LEFT - (step / 2 if exhibit.chart == "curves" else 0)
    rows, columns = len(exhibit.series) + 1, len(ticks) + 1
    high = _row_height(exhibit)
    box = (_MARGIN, top, first + step * len(ticks) - _MARGIN, high * rows)
    shape = made.shapes.add_table(rows, columns, *(Inches(each) for each in box))
    shape.name = writable(exhibit.counted)
    table = shape.table
    _bare(shape)
    table.columns[0].width = Inches(first - _MARGIN)
    for column in range(1, columns):
        table.columns[column].width = Inches(step)
    heads = [
        exhibit.counted,
        *(exhibit.ticks.values() if exhibit.chart == "rates" else [""] * len(ticks)),
    ]
    colours = [_SOFT, *(_colour(series) for series in exhibit.series)]
    counted = [heads, *([series.short, *series.counts] for series in exhibit.series)]
    size = 13 if high >= 0.3 else 11
    for i, (colour, texts) in enumerate(zip(colours, counted, strict=True)):
        table.rows[i].height = Inches(high)
        name, fitted = _within(texts[0], first - _MARGIN, size)
        _cell(table.cell(i, 0), name, fitted, colour, "LEFT")
        for j, text in enumerate(texts[1:], start=1):
            _cell(table.cell(i, j), text, size, _INK if i else _SOFT, "CENTER")


def _cell(cell: Any, text: str, size: float, colour: str, align: str) -> None:
    frame = cell.text_frame
    frame.clear()
    _write(frame, text, size, colour=colour, align=align)
    cell.margin_left = cell.margin_right = cell.margin_top = cell.margin_bottom = 0


def _bare(shape: Any) -> None:
    """Take the colours of a table away."""
    table = shape.table
    table.horz_banding = table.first_row = False
    shape._element.graphic.graphicData.tbl.tblPr.find(
        "{http://schemas.openxmlformats.org/drawingml/2006/main}tableStyleId"
    ).text = _NO_STYLE


def _table(made: PptxSlide, name: str, frame: pd.DataFrame) -> None:
    """Write a table as one, with as many rows as can be read."""
    from pptx.util import Inches

    kept = frame.head(_MOST_ROWS)
    rows, columns = len(kept) + 1, max(len(frame.columns), 1)
    width, top = _WIDTH - 2 * _MARGIN, _PLOT_TOP
    row_height = min(0.42, (_FOOT - _WARNED - 0.3 - top) / rows)
    box = (_MARGIN, top, width, row_height * rows)
    shape = made.shapes.add_table(rows, columns, *(Inches(each) for each in box))
    shape.name = _cut(writable(name), 200)
    _bare(shape)
    texts = document.rows(kept)
    widths = [max(4, *(len(row[i]) for row in texts)) for i in range(columns)]
    size = 14 if row_height >= 0.36 and sum(widths) < 110 else 12
    for i, column in enumerate(shape.table.columns):
        column.width = Inches(width * min(widths[i], 40) / sum(min(w, 40) for w in widths))
    for i, row in enumerate(texts):
        shape.table.rows[i].height = Inches(row_height)
        for j, text in enumerate(row):
            align = "CENTER" if j else "LEFT"
            _cell(shape.table.cell(i, j), text, size, _INK if i else _SOFT, align)
    if len(frame) > len(kept):
        more = f"{len(frame) - len(kept)} more rows in the table of the page."
        _text(made, more, 12, (_MARGIN, _FOOT - _WARNED - 0.25, width, 0.2), colour=_SOFT)


def _picture(made: PptxSlide, exhibit: Exhibit) -> None:
    from pptx.util import Inches

    from pages.elements.exports import figure

    picture = figure.as_png(replace(exhibit, title=""), figure.SLIDE, 200)
    shape = made.shapes.add_picture(io.BytesIO(picture), Inches(_MARGIN), Inches(_PLOT_TOP))
    scale = min(
        Inches(_WIDTH - 2 * _MARGIN) / shape.width,
        Inches(_FOOT - _WARNED - _PLOT_TOP) / shape.height,
    )
    shape.width, shape.height = int(shape.width * scale), int(shape.height * scale)
    shape.left = (Inches(_WIDTH) - shape.width) // 2
    shape._element._nvXxPr.cNvPr.set("descr", writable(exhibit.alt or exhibit.message))
