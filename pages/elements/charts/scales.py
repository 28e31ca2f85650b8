"""Scales and axes shared by the charts.

Groups are called v0, v1, ... in the data: a level's own name can hold characters that Vega reads as
a path or as an object's built-in property.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from pages.elements.charts.theme import PHONE, Rows, Style

_PHONE_EXTENT = 124


def aliases(styles: Sequence[Style]) -> list[str]:
    """Names of the groups in the data."""
    return [f"v{i}" for i in range(len(styles))]


def color(styles: Sequence[Style]) -> alt.Color:
    """Colour by group, as palette names that the client turns into the theme's colours."""
    scale = alt.Scale(domain=aliases(styles), range=[style.color for style in styles])
    return alt.Color("g:N", scale=scale, legend=None)


def mark(styles: Sequence[Style]) -> alt.Shape:
    """Mark by group."""
    scale = alt.Scale(domain=aliases(styles), range=[style.symbol for style in styles])
    return alt.Shape("g:N", scale=scale, legend=None)


def dash(styles: Sequence[Style]) -> alt.StrokeDash:
    """Dash by group."""
    scale = alt.Scale(domain=aliases(styles), range=[list(style.dash) for style in styles])
    return alt.StrokeDash("g:N", scale=scale, legend=None)


def name_extent(names: Sequence[Sequence[str]]) -> str:
    """Vega expression: pixels left of the plot that hold the broken names of a table's rows."""
    return f"({PHONE} ? {phone_extent(names)} : {46 + math.ceil(6.2 * _longest(names))})"


def phone_extent(names: Sequence[Sequence[str]]) -> int:
    """Pixels left of the plot on a phone."""
    return min(34 + math.ceil(6 * _longest(names)), _PHONE_EXTENT)


def _longest(names: Sequence[Sequence[str]]) -> int:
    return max((len(line) for name in names for line in name), default=0)


def extent(pixels: str) -> dict[str, Any]:
    """Axis properties that make stacked plots start at the same place."""
    return {"minExtent": alt.ExprRef(pixels), "maxExtent": alt.ExprRef(pixels)}


def row_middles(lines: Sequence[int], *, top: int, row: int, line: int) -> tuple[list[float], int]:
    """Middle of each row of a table in pixels, and the table's height.

    Parameters
    ----------
    lines : sequence of int
        Lines of text in each row.
    top : int
        Pixels above the first row.
    row, line : int
        Height of a row with one line, and what each further line adds.
    """
    middles: list[float] = []
    for count in lines:
        tall = row + line * (count - 1)
        middles.append(top + tall / 2)
        top += tall
    return middles, top


def name_text(pixels: str) -> dict[str, Any]:
    """Properties of the text mark that writes a row's broken name in the space left of the plot."""
    return {
        "text": alt.ExprRef("datum.text"),
        "align": "left",
        "baseline": "middle",
        "lineBreak": "\n",
        "lineHeight": 13,
        # The first line of a broken text stands on the anchor: lift it to centre the block.
        "dy": alt.ExprRef("-6.5 * (length(split(datum.text, '\\n')) - 1)"),
        "limit": alt.ExprRef(f"{PHONE} ? {pixels} - 34 : 0"),
    }


def name_rows(names: Sequence[Sequence[str]], middles: Sequence[float]) -> Rows:
    """Rows of the dataset that `name_text` writes."""
    return [
        {"g": f"v{i}", "y": middle, "text": "\n".join(name)}
        for i, (name, middle) in enumerate(zip(names, middles, strict=True))
    ]
