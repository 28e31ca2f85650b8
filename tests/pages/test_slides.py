"""Exhibits as slides, opened by python-pptx, openpyxl and LibreOffice."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pptx
import pytest
from lxml import etree
from pypdf import PdfReader

from data.store import Snapshot
from pages.elements.charts.theme import palette
from pages.elements.exports import document, methods
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.slides import Slide, deck, slide_of
from tests.exhibits import STRANGERS, hostile, of_short2025

CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
SOFFICE = shutil.which("soffice")


@pytest.fixture(scope="module")
def curves(short2025: Snapshot) -> Exhibit:
    return of_short2025("survival_curves", by="mrd_3_months")


@pytest.fixture(scope="module")
def rates(short2025: Snapshot) -> Exhibit:
    return of_short2025("mrd_rates", by="risk_group")


@pytest.fixture(scope="module")
def table_one(short2025: Snapshot) -> Exhibit:
    return of_short2025("table_one", by="mrd_3_months")


def grouped(exhibit: Exhibit, n: int) -> Exhibit:
    """Return an exhibit with n groups of names that differ in length."""
    series = [
        replace(exhibit.series[i % len(exhibit.series)], name=f"Group {i} " * (i % 4 + 1),
                short=f"G{i} " * (3 * i + 1))
        for i in range(n)
    ]  # fmt: skip
    return replace(exhibit, series=tuple(series))


def opened(content: bytes) -> Any:
    return pptx.Presentation(io.BytesIO(content))


def only(content: bytes) -> Any:
    (slide,) = opened(content).slides
    return slide


def chart_of(slide: Any) -> Any:
    (frame,) = [shape for shape in slide.shapes if shape.has_chart]
    return frame.chart


def tables_of(slide: Any) -> list[list[list[str]]]:
    return [
        [[cell.text for cell in row.cells] for row in shape.table.rows]
        for shape in slide.shapes
        if shape.has_table
    ]


def points(chart: Any, name: str) -> list[tuple[float, float]]:
    """The points of a series by its name, as the file has them."""
    (series,) = [each for each in chart.plots[0].series if each.name == name]
    values = []
    for axis in ("xVal", "yVal"):
        found = series._element.find(f"{CHART}{axis}")
        values.append([float(v.text) for v in found.iter(f"{CHART}v")])
    return list(zip(*values, strict=True))


def height_at(corners: list[tuple[float, float]], time: float) -> float:
    """The height of a step curve just at a time, its step included."""
    return [value for t, value in corners if t <= time + 1e-6][-1]


def texts(slide: Any) -> dict[str, str]:
    return {shape.name: shape.text_frame.text for shape in slide.shapes if shape.has_text_frame}


def sizes(shape: Any) -> set[float]:
    return {run.font.size.pt for p in shape.text_frame.paragraphs for run in p.runs}


def test_curves_are_the_steps_of_the_exhibit(curves: Exhibit) -> None:
    chart = chart_of(only(slide_of(curves)))
    for series in curves.series:
        corners = points(chart, series.name)
        assert corners[0] == pytest.approx((series.points["time"].iloc[0], 100), abs=1e-6)
        for row in series.points.itertuples():
            assert height_at(corners, row.time) == pytest.approx(row.value, abs=1e-6)
        # A curve runs level or straight down.
        for (t0, v0), (t1, v1) in pairwise(corners):
            assert t0 == t1 or v0 == v1
        for column, name in (("low", "lower"), ("high", "upper")):
            limit = points(chart, f"{series.name}, {name} 95% limit")
            for time, value in series.points[["time", column]].dropna().itertuples(index=False):
                assert height_at(limit, time) == pytest.approx(value, abs=1e-6)
        marks = series.points[series.points["n_censored"] > 0]
        assert points(chart, f"{series.name}, censored") == [
            pytest.approx(pair, abs=1e-6)
            for pair in marks[["time", "value"]].itertuples(index=False, name=None)
        ]


def test_curves_have_the_colours_names_and_counts_of_the_screen(curves: Exhibit) -> None:
    slide = only(slide_of(curves))
    lines = {each.name: each for each in chart_of(slide).plots[0].series}
    for series in curves.series:
        colour = lines[series.name].format.line.color.rgb
        assert f"#{colour}" == palette()[series.style.color]
        assert series.name in texts(slide)[f"Name of {series.short}"]
    (counts,) = tables_of(slide)
    assert counts[0][0] == curves.counted
    assert counts[1:] == [[series.short, *series.counts] for series in curves.series]
    assert " · ".join(curves.notes) in texts(slide).values()


def test_axes_are_those_of_the_exhibit(curves: Exhibit) -> None:
    chart = chart_of(only(slide_of(curves)))
    ticks = list(curves.ticks)
    across, up = chart.category_axis, chart.value_axis
    assert (across.minimum_scale, across.maximum_scale) == (ticks[0], ticks[-1])
    assert across.major_unit == ticks[1] - ticks[0]
    assert (up.minimum_scale, up.maximum_scale) == (0, 100)
    assert across.axis_title.text_frame.text == curves.axes[0]
    assert up.axis_title.text_frame.text == curves.axes[1]


def test_rates_are_points_with_their_intervals(rates: Exhibit) -> None:
    slide = only(slide_of(rates))
    chart = chart_of(slide)
    for series, drawn in zip(rates.series, chart.plots[0].series, strict=True):
        known = series.points.dropna(subset="value")
        found = points(chart, series.name)
        assert [value for _, value in found] == pytest.approx(list(known["value"]), abs=1e-6)
        assert [round(x) for x, _ in found] == list(known["x"])
        bars = drawn._element.find(f"{CHART}errBars")
        for tag, lengths in (
            ("plus", known["high"] - known["value"]),
            ("minus", known["value"] - known["low"]),
        ):
            written = [float(v.text) for v in bars.find(f"{CHART}{tag}").iter(f"{CHART}v")]
            assert written == pytest.approx(list(lengths), abs=1e-6)
    (counts,) = tables_of(slide)
    assert counts[0] == [rates.counted, *rates.ticks.values()]
    assert counts[1:] == [[series.short, *series.counts] for series in rates.series]


def test_what_is_missing_is_not_drawn(rates: Exhibit, curves: Exhibit) -> None:
    """What is suppressed on the screen is missing in the exhibit."""
    first, *others = rates.series
    hidden = first.points.assign(value=np.nan, low=np.nan, high=np.nan)
    bare = replace(first, points=hidden, counts=("<5", "", ""))
    slide = only(slide_of(replace(rates, series=(bare, *others))))
    assert points(chart_of(slide), first.name) == []
    assert tables_of(slide)[0][1] == [first.short, "<5", "", ""]
    assert f"Name of {first.short}" not in texts(slide)
    empty = replace(curves.series[0], points=curves.series[0].points.iloc[:0])
    slide = only(slide_of(replace(curves, series=(empty, curves.series[1]))))
    assert points(chart_of(slide), empty.name) == []


def test_a_curve_that_ends_early_ends_there(curves: Exhibit) -> None:
    first, second = curves.series
    early = replace(first, points=first.points[first.points["time"] < 20])
    chart = chart_of(only(slide_of(replace(curves, series=(early, second)))))
    assert max(t for t, _ in points(chart, early.name)) == pytest.approx(
        early.points["time"].max(), abs=1e-6
    )


def test_a_table_is_one_and_says_how_much_of_it_is_left_out(table_one: Exhibit) -> None:
    slide = only(slide_of(table_one))
    ((head, *rows),) = tables_of(slide)
    (table,) = table_one.shown.values()
    # A slide keeps no spaces around a text but those that move it in.
    assert [head, *rows] == document.rows(table)[: len(rows) + 1]
    assert f"{len(table) - len(rows)} more rows in the table of the page." in texts(slide).values()
    assert len(rows) < len(table)


def test_title_message_footnote_and_notes(curves: Exhibit) -> None:
    slide = only(deck([Slide(curves, "Ours", "A line of ours.")]))
    shapes = {shape.name: shape for shape in slide.shapes}
    assert slide.shapes.title.text_frame.text == "Ours"
    assert shapes["Message"].text_frame.text == "A line of ours."
    assert sizes(shapes["Message"]) == {24}
    assert min(sizes(slide.shapes.title)) >= 24
    assert shapes["Footnote"].text_frame.text == curves.provenance.source
    assert shapes["Caveats"].text_frame.text == " · ".join(curves.provenance.caveats)
    assert shapes["Caveats"].top + shapes["Caveats"].height <= shapes["Footnote"].top
    assert sizes(shapes["Footnote"]) == {10}
    notes = slide.notes_slide.notes_text_frame.text
    for told in (methods.paragraph(curves.methods), curves.provenance.link,
                 curves.provenance.footnote, curves.alt):  # fmt: skip
        assert told in notes
    assert not [s for s in slide.placeholders if not s.text_frame.text]


def test_charts_have_their_words_for_who_cannot_see_them(curves: Exhibit) -> None:
    slide = only(slide_of(curves))
    (frame,) = [shape for shape in slide.shapes if shape.has_chart]
    assert frame._element._nvXxPr.cNvPr.get("descr") == curves.alt
    # Read in this order: title, message, figure, footnote.
    order = [shape.name for shape in slide.shapes]
    assert order.index("Message") < order.index(frame.name) < order.index("Footnote")
    assert slide.shapes[0] == slide.shapes.title


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8])
@pytest.mark.parametrize("key", ["curves", "rates"])
def test_nothing_stands_over_anything_else(key: str, n: int, request: Any) -> None:
    slide = only(slide_of(grouped(request.getfixturevalue(key), n)))
    inch = pptx.util.Inches(1)
    boxes = {
        shape.name: (shape.left, shape.top, shape.left + shape.width, shape.top + shape.height)
        for shape in slide.shapes
    }
    assert all(left >= 0 and right <= 13.34 * inch for left, _, right, _ in boxes.values())
    foot = boxes.pop("Footnote")
    assert max(bottom for *_, bottom in boxes.values()) <= foot[1]
    assert foot[3] <= 7.5 * inch
    (frame,) = [shape for shape in slide.shapes if shape.has_chart]
    (table,) = [shape for shape in slide.shapes if shape.has_table]
    assert boxes["Message"][3] <= boxes[frame.name][1] + 0.01 * inch
    assert frame.top + frame.height <= table.top + 0.01 * inch
    ends = sorted(box[1:4:2] for name, box in boxes.items() if name.startswith("Name of"))
    assert len(ends) == n
    for (_, bottom), (top, _) in pairwise(ends):
        assert bottom <= top
    # One line in each row: a second would push the rows below it over the footnote.
    room = table.table.columns[0].width
    for row in table.table.rows:
        (run,) = row.cells[0].text_frame.paragraphs[0].runs
        assert len(run.text) * 0.4 * run.font.size <= room


def test_long_texts_are_cut_and_stand_whole_in_the_notes(curves: Exhibit) -> None:
    source = replace(curves.provenance, cohort="long " * 300)
    slide = only(deck([Slide(replace(curves, provenance=source), "long " * 60, "long " * 100)]))
    found = texts(slide)
    assert found["Footnote"].endswith("…")
    assert found["Message"].endswith("…")
    assert slide.shapes.title.text_frame.text.endswith("…")
    assert source.footnote in slide.notes_slide.notes_text_frame.text


def test_the_workbook_behind_a_chart_holds_its_numbers_and_no_formula(curves: Exhibit) -> None:
    for exhibit in (curves, hostile()):
        chart = chart_of(only(slide_of(exhibit)))
        blob = chart.part.chart_workbook.xlsx_part.blob
        book = openpyxl.load_workbook(io.BytesIO(blob))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"n", "s"}
        assert not [cell for cell in cells if cell.hyperlink]
        assert book.properties.creator == "MRD Cohort Explorer"
        written = sorted(
            float(c.value) for c in cells if c.data_type == "n" and c.value is not None
        )
        shown = [
            float(v.text)
            for axis in ("xVal", "yVal")
            for found in chart._chartSpace.iter(f"{CHART}{axis}")
            for v in found.iter(f"{CHART}v")
        ]
        assert written == pytest.approx(sorted(shown))


def test_hostile_texts_are_texts(short2025: Snapshot) -> None:
    exhibit = hostile()
    slide = only(slide_of(exhibit))
    drawn = {each.name for each in chart_of(slide).plots[0].series}
    assert {series.name for series in exhibit.series} <= drawn
    content = slide_of(replace(exhibit, chart="none"))
    ((_, *rows),) = tables_of(only(content))
    wanted = document.rows(next(iter(exhibit.shown.values())))[1:]
    assert rows == [[" ".join(cell.split("\t")) for cell in row] for row in wanted[: len(rows)]]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                root = etree.fromstring(archive.read(name))
                assert not [each for each in root.iter("{*}hlinkClick")]
                assert "External" not in {each.get("TargetMode") for each in root}


def test_the_same_slides_are_the_same_bytes_and_no_stranger_signs(
    curves: Exhibit, rates: Exhibit, table_one: Exhibit
) -> None:
    slides = [Slide(each, each.title, each.message) for each in (curves, rates, table_one)]
    content = deck(slides)
    assert content == deck(slides)
    properties = opened(content).core_properties
    assert properties.author == properties.last_modified_by == "MRD Cohort Explorer"
    assert properties.created == properties.modified
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    for part in list(parts):
        if part.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(part)) as book:
                parts += [book.read(name) for name in book.namelist()]
    assert not [name for name in STRANGERS for part in parts if name in part]


def test_no_slides_are_a_presentation_too() -> None:
    assert len(opened(deck([])).slides) == 0


@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here: slides are not rendered")
def test_libreoffice_renders_every_slide(
    curves: Exhibit, rates: Exhibit, table_one: Exhibit, tmp_path: Path
) -> None:
    shown = (curves, rates, table_one, grouped(curves, 6), hostile())
    (tmp_path / "deck.pptx").write_bytes(deck([Slide(e, e.title, e.message) for e in shown]))
    run = [str(SOFFICE), f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless",
           "--convert-to", "pdf", "--outdir", str(tmp_path), str(tmp_path / "deck.pptx")]  # fmt: skip
    subprocess.run(run, check=True, capture_output=True, timeout=180)
    pages = PdfReader(tmp_path / "deck.pdf").pages
    assert len(pages) == len(shown)
    for page, exhibit in zip(pages[:3], shown[:3], strict=True):
        written = "".join(page.extract_text().split())
        assert "".join(exhibit.title.split()) in written
        for line in (*exhibit.provenance.caveats, exhibit.provenance.source):
            assert "".join(line.split()) in written
        for series in exhibit.series:
            assert "".join(series.name.split()) in written
            assert all(count in written for count in ("".join(c.split()) for c in series.counts))
