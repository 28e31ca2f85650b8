"""Figures as files, opened by programs that are not ours."""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree
from PIL import Image, ImageFont
from pypdf import PdfReader

from data.store import Snapshot
from pages.elements.charts.theme import palette
from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.exports.figure import ONE_COLUMN, SLIDE, TWO_COLUMN, as_pdf, as_png, as_svg
from pages.elements.exports.texts import FONT, FONTS, WEIGHTS, font_file, trouble
from tools.contact_sheet import drawn

PROVENANCE = Provenance(
    study="Short 2025 (synthetic)",
    snapshot="0123456789ab",
    cohort="Ph-negative · high risk",
    counts="59 of 161 patients, 14 events",
    method="Kaplan–Meier, 95% CI on the log-log scale",
    version="0.1.0",
    link="survival?study=short2025",
)
QUERY = {"study": "short2025", "ph_status": "negative", "risk_group": "high",
         "by": "mrd_after_cycle_1"}  # fmt: skip
POINT = 72 / 25.4


def exhibit(spec: dict[str, Any] | None, **words: str) -> Exhibit:
    return Exhibit(
        key="figure", page="Survival", title=words.get("title", "Relapse-free survival"), message="",
        provenance=PROVENANCE, spec=spec, alt=words.get("alt", "Two curves"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def curves(short2025: Snapshot) -> Exhibit:
    (call,) = drawn("pages/survival.py", QUERY)
    return exhibit(call["spec"])


@pytest.fixture(scope="module")
def forest(short2025: Snapshot) -> Exhibit:
    (call,) = drawn("pages/evidence.py", {"study": "short2025", "part": "mrd"})
    return exhibit(call["spec"])


@pytest.fixture(scope="module")
def swimmer(short2025: Snapshot) -> Exhibit:
    calls = drawn("pages/transplant.py", {"study": "short2025", "swimmer": "yes"})
    return exhibit(calls[-1]["spec"])


def texts(svg: bytes) -> list[str]:
    root = etree.fromstring(svg)
    return [text for each in root.iter("{*}text") if (text := "".join(each.itertext()))]


def colours(svg: bytes) -> set[str]:
    drawing = re.sub(rb"<style>.*?</style>", b"", svg)
    found = re.findall(r'(?:fill|stroke)="([^"]+)"', drawing.decode())
    return {colour for colour in found if colour not in ("none", "transparent")}


def test_the_picture_holds_title_curves_risk_table_and_provenance(curves: Exhibit) -> None:
    svg = as_svg(curves, ONE_COLUMN)
    root, written = etree.fromstring(svg), texts(svg)
    assert root.get("width") == "85.000mm"
    assert written[0] == curves.title
    foot = len(curves.provenance.footnote.split())
    assert " ".join(written).split()[-foot:] == curves.provenance.footnote.split()
    assert curves.spec is not None
    data = curves.spec["datasets"]
    # Every second column: as many as there is room for.
    assert {row["text"] for row in data["risk"] if row["k"] % 2 == 0} <= {*written}
    assert {row["text"] for row in (*data["milestones"], *data["notes"], *data["head"])} <= {
        *written
    }
    assert {row["text"] for row in data["ends"]} <= {*written}
    assert root.find("{*}desc").text == curves.alt


@pytest.mark.parametrize("style", [ONE_COLUMN, TWO_COLUMN, SLIDE])
def test_no_text_is_cut_off_or_touches_another(
    curves: Exhibit, forest: Exhibit, style: Any
) -> None:
    assert [trouble(as_svg(each, style).decode()) for each in (curves, forest)] == [0, 0]


def test_text_is_of_a_journals_size(curves: Exhibit) -> None:
    for style in (ONE_COLUMN, TWO_COLUMN):
        root = etree.fromstring(as_svg(curves, style))
        scale = style.width_mm * POINT / float(root.get("viewBox").split()[2])
        sizes = [scale * float(each.get("font-size")[:-2]) for each in root.iter("{*}text")]
        assert 6 <= min(sizes) <= max(sizes) <= 8.5
        assert scale * 12 == pytest.approx(7, abs=0.01)


def test_a_narrow_column_takes_the_layout_of_a_phone_only_where_it_must(
    curves: Exhibit, forest: Exhibit
) -> None:
    assert "Paper" in texts(as_svg(forest, TWO_COLUMN))
    assert "Paper" not in texts(as_svg(forest, ONE_COLUMN))
    assert "MRD negative" in texts(as_svg(curves, ONE_COLUMN))


def test_print_has_the_colours_of_the_light_theme(curves: Exhibit) -> None:
    found = colours(as_svg(curves, TWO_COLUMN))
    assert {palette()[name] for name in ("blue", "red", "yellow", "gray")} <= found
    assert not {"blue", "red", "yellow", "gray"} & found
    assert palette() == {**palette(), "blue": "#0072B2", "yellow": "#1B2430"}


def test_greyscale_has_greys_and_keeps_dashes_and_marks(curves: Exhibit) -> None:
    colour = as_svg(curves, TWO_COLUMN)
    grey = as_svg(curves, replace(TWO_COLUMN, colours="greyscale"))
    for each in colours(grey):
        digits = each.lstrip("#")
        assert (
            len(
                {
                    *(
                        digits[i : i + len(digits) // 3]
                        for i in range(0, len(digits), len(digits) // 3)
                    )
                }
            )
            == 1
        )

    def looks(svg: bytes) -> list[str]:
        return re.findall(r'stroke-dasharray="[^"]+"| d="[^"]+"', svg.decode())

    assert looks(grey) == looks(colour)


def lightness(grey: str) -> float:
    share = int(grey[1:3], 16) / 255
    linear = share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16 if linear > 0.008856 else 903.3 * linear


def test_greys_are_told_apart_from_each_other_and_from_paper() -> None:
    levels = sorted(lightness(grey) for grey in palette("greyscale").values())
    assert min(b - a for a, b in itertools.pairwise(levels)) > 8
    assert levels[-1] < 61.7  # 3:1 on white
    assert palette("greyscale").keys() == palette().keys()


def test_nothing_answers_to_a_pointer(curves: Exhibit) -> None:
    root = etree.fromstring(as_svg(curves, TWO_COLUMN))
    assert not [each for each in root.iter("{*}line", "{*}path") if each.get("opacity") == "0"]
    assert not list(root.iter("{*}script"))


def test_a_figure_whose_key_stands_beside_it_on_the_page_brings_it(swimmer: Exhibit) -> None:
    written = texts(as_svg(swimmer, ONE_COLUMN))
    assert {"alloSCT and after", "relapse", "still followed"} <= {*written}


def test_the_svg_carries_its_fonts(curves: Exhibit) -> None:
    svg = as_svg(curves, ONE_COLUMN).decode()
    assert svg.count("src:url(data:font/woff2;base64,") == len(WEIGHTS)
    assert f'font-family="{FONT}, ' in svg
    assert not re.findall(r'(?:href|src)="http|url\(http', svg)


def fonts(page: Any) -> dict[str, bool]:
    """Return the fonts of a page of a PDF, and whether their outlines are inside."""
    found = {}
    for font in page["/Resources"]["/Font"].values():
        descriptor = font["/DescendantFonts"][0]["/FontDescriptor"]
        found[str(font["/BaseFont"])] = "/FontFile2" in descriptor or "/FontFile3" in descriptor
    return found


def pages_with_fonts(resources: Any) -> dict[str, bool]:
    """Return the fonts of a page and of all that is drawn inside it."""
    found = fonts({"/Resources": resources}) if "/Font" in resources else {}
    for each in resources.get("/XObject", {}).values():
        found |= pages_with_fonts(each.get("/Resources", {}))
    return found


def test_the_pdf_is_one_page_of_the_width_asked_for_with_its_fonts(curves: Exhibit) -> None:
    content = as_pdf(curves, ONE_COLUMN)
    reader = PdfReader(io.BytesIO(content))
    (page,) = reader.pages
    assert float(page.mediabox.width) == pytest.approx(85 * POINT, abs=0.1)
    found = pages_with_fonts(page["/Resources"])
    assert {name.split("+")[1] for name in found} == {"CohortSans-Regular", "CohortSans-SemiBold"}
    assert all(found.values())
    assert reader.metadata is not None
    assert (reader.metadata.author, reader.metadata.title) == ("MRD Cohort Explorer", curves.title)
    assert reader.metadata.creation_date is None
    text = page.extract_text()
    assert curves.spec is not None
    for row in curves.spec["datasets"]["milestones"]:
        assert row["text"] in text
    assert content == as_pdf(curves, ONE_COLUMN)


@pytest.mark.parametrize("dpi", [300, 600])
def test_the_png_says_how_wide_it_is_on_paper(curves: Exhibit, dpi: int) -> None:
    picture = Image.open(io.BytesIO(as_png(curves, ONE_COLUMN, dpi)))
    assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.01)
    assert picture.width / picture.info["dpi"][0] * 25.4 == pytest.approx(85, abs=25.4 / dpi)
    corners = [(0, 0), (picture.width - 1, picture.height - 1)]
    assert {picture.convert("RGBA").getpixel(at) for at in corners} == {(255, 255, 255, 255)}


def test_a_slide_is_as_wide_and_as_high_as_a_slide(forest: Exhibit) -> None:
    picture = Image.open(io.BytesIO(as_png(forest, SLIDE, 72)))
    assert picture.size == (960, 540)


def test_a_table_has_no_figure() -> None:
    with pytest.raises(ValueError, match="is a table"):
        as_svg(exhibit(None), ONE_COLUMN)


def test_words_of_a_user_stay_words(curves: Exhibit) -> None:
    title = '<script>alert(1)</script> & "MRD"\x07 ' + "n" * 300
    svg = as_svg(exhibit(dict(curves.spec or {}), title=title, alt="a < b"), ONE_COLUMN)
    root = etree.fromstring(svg)
    assert not list(root.iter("{*}script"))
    assert "".join(texts(svg)).startswith('<script>alert(1)</script> & "MRD"nnn')
    assert trouble(svg.decode()) == 0


def test_trouble_counts_what_is_cut_off_cut_short_or_touches() -> None:
    def drawing(*places: tuple[int, int, str]) -> str:
        inside = "".join(
            f'<text transform="translate({x},{y})" font-size="10px">{word}</text>'
            for x, y, word in places
        )
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50"><g>{inside}</g></svg>'

    assert trouble(drawing((5, 20, "one"), (5, 40, "two"))) == 0
    assert trouble(drawing((5, 20, "one"), (8, 22, "two"))) == 1
    assert trouble(drawing((95, 20, "one"))) == 1
    assert trouble(drawing((5, 20, "on…"))) == 1
    turned = (
        '<text transform="translate(50,45) rotate(-90)" font-size="10px">a long word here</text>'
    )
    assert trouble(drawing((5, 20, "one")).replace("</g>", turned + "</g>")) == 1


def test_the_fonts_may_be_passed_on() -> None:
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / "OFL.txt").read_text("utf-8")
    for weight in WEIGHTS:
        assert ImageFont.truetype(font_file(weight, "ttf"), 10).getname()[0].startswith(FONT)
        assert b"S\0o\0u\0r\0c\0e\0 \0S" not in font_file(weight, "ttf").read_bytes()
