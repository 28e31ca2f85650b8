"""Where the texts of a drawn figure stand, and which of them touch, are cut off or cut short."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

FONT = "Cohort Sans"
FONTS = Path(__file__).parent / "fonts"
WEIGHTS = {400: "Regular", 600: "SemiBold"}
"""Family of the texts of a figure, its folder, and the weights that there are."""

_ABOVE, _BELOW = 0.7, 0.2  # of the size: capitals above the line, descenders below it
_SLACK = 1.0  # pixels by which boxes may meet
_MOVED = re.compile(r"translate\(([-\d.e]+)[ ,]([-\d.e]+)\)")
_SCALED = re.compile(r"scale\(([\d.]+)")
_TURNED = re.compile(r"rotate\((-?90)\b")


class Box(NamedTuple):
    """The place of one line of text in pixels, from the upper left corner of the figure.

    `short` says that its end was left out.
    """

    left: float
    top: float
    right: float
    bottom: float
    short: bool = False


def trouble(svg: str) -> int:
    """Return how many texts of a figure are cut off by its edge, cut short or touch another one.

    Parameters
    ----------
    svg : str
        As Vega writes it: groups are moved and scaled, texts moved and turned by a right angle.
    """
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    found = list(_boxes(root, 0.0, 0.0, 1.0))
    cut = sum(
        box.short
        or box.left < -_SLACK
        or box.top < -_SLACK
        or box.right > width + _SLACK
        or box.bottom > height + _SLACK
        for box in found
    )
    return cut + sum(_meet(*pair) for pair in combinations(found, 2))


@lru_cache(maxsize=2)
def measure(weight: int) -> Callable[[str], float]:
    """Return what gives the width of a text in the font of a figure, for a size of one pixel."""
    from PIL import ImageFont

    # Measured large: small sizes are rounded to whole pixels.
    font = ImageFont.truetype(font_file(weight, "ttf"), 1000)
    return lambda text: font.getlength(text) / 1000


def font_file(weight: int, ending: str) -> Path:
    """Return the file of a weight: 'ttf' to draw with, 'woff2' to put into an SVG."""
    return FONTS / f"{FONT.replace(' ', '')}-{WEIGHTS[weight]}.{ending}"


def _meet(one: Box, other: Box) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > _SLACK and down > _SLACK


def _boxes(element: ElementTree.Element, x: float, y: float, scale: float) -> Iterator[Box]:
    """Yield the place of every line of text, a group's own place and scale given."""
    transform = element.get("transform", "")
    if moved := _MOVED.search(transform):
        x, y = x + scale * float(moved[1]), y + scale * float(moved[2])
    if scaled := _SCALED.search(transform):
        scale *= float(scaled[1])
    if element.tag.endswith("}text"):
        x, y = x + scale * float(element.get("x", 0)), y + scale * float(element.get("y", 0))
        yield from _lines(element, x, y, scale)
        return
    for child in element:
        yield from _boxes(child, x, y, scale)


def _lines(text: ElementTree.Element, x: float, y: float, scale: float) -> Iterator[Box]:
    size = scale * float(text.get("font-size", "12px").removesuffix("px"))
    width = measure(600 if text.get("font-weight") in ("600", "bold") else 400)
    shift = {"middle": -0.5, "end": -1.0}.get(text.get("text-anchor", "start"), 0.0)
    turned, down = _TURNED.search(text.get("transform", "")), 0.0
    for line in list(text) or [text]:
        down += scale * float(line.get("dy", 0))
        words = (line.text or "").strip()
        if not words or text.get("opacity") == "0":
            continue
        long = width(words) * size
        left, right, short = shift * long, (shift + 1) * long, words.endswith("…")
        top, bottom = down - _ABOVE * size, down + _BELOW * size
        if turned:
            sign = float(turned[1]) / 90
            across = sorted((-sign * top, -sign * bottom))
            along = sorted((sign * left, sign * right))
            yield Box(x + across[0], y + along[0], x + across[1], y + along[1], short)
        else:
            yield Box(x + left, y + top, x + right, y + bottom, short)
