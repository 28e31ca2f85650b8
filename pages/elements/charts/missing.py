"""What is missing: one row per variable, one column of bars per group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from analytics.suppression import Hidden
from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, PHONE, Group, Rows, Style, wrap
from pages.elements.remembered import remembered
from pages.elements.wording import percent

_HEAD = 40  # pixels above the rows, for the names of the groups
_BAR = 0.5  # of a column's width; its right half holds the number
_LABEL_WIDTH = 34  # characters a line


@dataclass(frozen=True)
class _Shape:
    styles: tuple[Style, ...]
    height: int
    extent: int


def missing_chart(
    counts: pd.DataFrame, groups: Sequence[Group], labels: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Draw the share of patients without a value.

    Parameters
    ----------
    counts : DataFrame
        ``variable``, ``group`` ('' is everybody), ``n``, ``known``, ``missing``.
    groups : sequence of Group
        The columns, everybody first with level ''. A phone shows only that one.
    labels : sequence of (str, str)
        Variable and label of each row, in order.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    broken = [wrap(label, _LABEL_WIDTH) for _, label in labels]
    middles, height = scales.row_middles([len(b) for b in broken], top=_HEAD, row=22, line=14)
    cells = {(r.variable, r.group): r for r in counts.itertuples(index=False)}
    bars: Rows = []
    for (name, label), middle in zip(labels, middles, strict=True):
        for k, group in enumerate(groups):
            cell = cells[name, group.level]
            hidden = isinstance(cell.missing, Hidden)
            share = cell.missing / cell.n if cell.n and not hidden else 0.0
            said = "" if hidden else f" ({percent(share)})"
            bars.append(
                {
                    "g": f"v{k}", "column": k, "y": middle, "x": k, "x2": k + _BAR * share,
                    "full": k + _BAR, "text": f"{cell.missing:,}{said}",
                    "read": f"{label}: {cell.known:,} of {cell.n:,} known",
                }
            )  # fmt: skip
    sizes = [next(int(r.n) for r in cells.values() if r.group == group.level) for group in groups]
    heads: Rows = [
        {"g": f"v{k}", "column": k, "x": k, "text": group.short, "n": f"n = {n:,}"}
        for k, (group, n) in enumerate(zip(groups, sizes, strict=True))
    ]
    widest = max((len(line) for lines in broken for line in lines), default=0)
    shape = _Shape(tuple(group.style for group in groups), height, 12 + math.ceil(6.2 * widest))
    names = scales.name_rows(broken, middles)
    return {**_template(shape), "datasets": {"bars": bars, "heads": heads, "names": names}}


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[0, shape.height], reverse=True, nice=False, padding=0),
        axis=alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=None,
                      minExtent=shape.extent, maxExtent=shape.extent),
    )  # fmt: skip
    columns = len(shape.styles)
    scale = alt.Scale(
        domainMin=0, domainMax=alt.ExprRef(f"{PHONE} ? 1 : {columns}"), nice=False, zero=False
    )
    x, full = (alt.X(f"{field}:Q", axis=None, scale=scale) for field in ("x", "full"))
    shown = f"!({PHONE}) || datum.column == 0"
    bars = on("bars").transform_filter(shown)
    ink, gray = alt.ColorValue(INK), alt.ColorValue("gray")
    tip = alt.Tooltip("read:N", title="Known")
    drawn = panel(
        bars.mark_bar(height=10, opacity=0.15).encode(
            x=x, x2=alt.X2("full:Q"), y=y, color=gray, tooltip=tip
        ),
        bars.mark_bar(height=10, opacity=0.85).encode(x=x, x2=alt.X2("x2:Q"), y=y, color=gray, tooltip=tip),
        bars.mark_text(text=alt.ExprRef("datum.text"), align="left", dx=8).encode(
            x=full, y=y, color=ink
        ),
        on("names")
        .mark_text(
            text=alt.ExprRef("datum.text"), align="left", baseline="middle", lineBreak="\n",
            lineHeight=14, dy=alt.ExprRef("-7 * (length(split(datum.text, '\\n')) - 1)"),
        ).encode(x=alt.XValue(-shape.extent), y=y, color=ink),
        *_heads(on("heads").transform_filter(shown), x, shape),
        height=shape.height,
    )  # fmt: skip
    return figure(drawn, top=0, bottom=4)


def _heads(heads: alt.Chart, x: alt.X, shape: _Shape) -> Sequence[alt.Chart]:
    """Write the name of each group with its mark over its column, and its number of patients."""
    return (
        heads.mark_point(filled=True, size=50, opacity=1, xOffset=4).encode(
            x=x, y=alt.YValue(8), color=scales.color(shape.styles), shape=scales.mark(shape.styles)
        ),
        heads.mark_text(
            text=alt.ExprRef("datum.text"), align="left", baseline="middle", dx=12, fontWeight=600
        ).encode(x=x, y=alt.YValue(8), color=alt.ColorValue(INK)),
        heads.mark_text(
            text=alt.ExprRef("datum.n"), align="left", baseline="middle", dx=12, opacity=0.75
        ).encode(x=x, y=alt.YValue(23), color=alt.ColorValue(INK)),
    )
