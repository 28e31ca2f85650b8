"""Lines of a forest: text columns beside a plot, one line per row, in pixels and data units."""

from __future__ import annotations

from typing import Any

import altair as alt

from pages.elements.charts import scales
from pages.elements.charts.assembly import on
from pages.elements.charts.theme import INK, PHONE

LINE = 13
"""Pixels from one line of a label to the next."""


def at(expression: str) -> Any:
    """Return a place in pixels, from a Vega expression."""
    return alt.XValue(alt.ExprRef(expression))


def rows(left: str, height: float, field: str = "y") -> alt.Y:
    """Return the axis of the rows, downwards, unmarked, `left` pixels (a Vega expression) wide."""
    axis = alt.Axis(
        labels=False,
        ticks=False,
        domain=False,
        grid=False,
        title=None,
        **scales.extent(left),
    )
    scale = alt.Scale(domain=[0, height], reverse=True, nice=False)
    return alt.Y(f"{field}:Q", scale=scale, axis=axis)


def label(name: str, indent: int, left: str, y: alt.Y, **look: Any) -> alt.Chart:
    """Return the labels of the rows, centred on theirs, in as many lines as they need."""
    text = f"({PHONE} ? datum.phone : datum.text)"
    drawn: alt.Chart = (
        on(name)
        .mark_text(
            text=alt.ExprRef(text),
            align="left",
            baseline="middle",
            lineBreak="\n",
            lineHeight=LINE,
            dy=alt.ExprRef(f"-{LINE / 2} * (length(split({text}, '\\n')) - 1)"),
            **look,
        )
        .encode(x=at(f"{indent} - {left}"), y=y, color=alt.ColorValue(INK))
    )
    return drawn


def cell(name: str, text: str, x: str, y: Any, **look: Any) -> alt.Chart:
    """Return a column of text at `x` pixels, from a Vega expression."""
    options = {"align": "left", "baseline": "middle", **look}
    drawn: alt.Chart = (
        on(name)
        .mark_text(text=alt.ExprRef(text), **options)
        .encode(x=at(x), y=y, color=alt.ColorValue(INK))
    )
    return drawn
