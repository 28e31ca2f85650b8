"""Bar lists: label, number, bar on a pale track, remark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from analytics.suppression import Hidden
from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, Rows, Style, wrap
from pages.elements.remembered import remembered

_LABEL_WIDTH = 38  # characters a line; half a page at 1280 then leaves a third to the bars


def bar_list(rows: Sequence[Mapping[str, Any]], *, total: int) -> dict[str, Any]:
    """Draw counts as a list of bars, 24 pixels a row.

    Parameters
    ----------
    rows : sequence of mappings
        ``label``, ``n``, ``note`` (text right of the bar) and ``slot`` (a colour slot).
    total : int
        The number that a full track stands for.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    labels = [wrap(str(row["label"]), _LABEL_WIDTH) for row in rows]
    middles, height = scales.row_middles([len(label) for label in labels], top=0, row=24, line=14)
    left = 12 + math.ceil(5.8 * max((len(line) for label in labels for line in label), default=0))
    number = 12 + 8 * max((len(f"{row['n']:,}") for row in rows), default=1)
    slots = tuple(str(row["slot"]) for row in rows)
    bars: Rows = [
        {
            "g": f"v{i}",
            "y": middle,
            "label": "\n".join(label),
            "n": 0 if isinstance(row["n"], Hidden) else int(row["n"]),
            "text": f"{row['n']:,}",
            "note": str(row["note"]),
        }
        for i, (row, label, middle) in enumerate(zip(rows, labels, middles, strict=True))
    ]
    template = _template(slots, max(total, 1), height, left + number)
    return {**template, "datasets": {"bars": bars}}


@remembered(32)
def _template(slots: tuple[str, ...], total: int, height: int, extent: int) -> dict[str, Any]:
    styles = tuple(Style(slot, "square", (1, 0)) for slot in slots)
    bars = on("bars")
    axis = alt.Axis(
        labels=False,
        ticks=False,
        domain=False,
        grid=False,
        title=None,
        minExtent=extent,
        maxExtent=extent,
    )
    y = alt.Y(
        "y:Q", scale=alt.Scale(domain=[0, height], reverse=True, nice=False, padding=0), axis=axis
    )
    x = alt.X("n:Q", scale=alt.Scale(domain=[0, total], nice=False, padding=0), axis=None)
    ink = alt.ColorValue(INK)
    drawn = panel(
        bars.mark_bar(height=14, opacity=0.13).encode(
            x=alt.XValue(0), x2=alt.X2Value("width"), y=y, color=alt.ColorValue("gray")
        ),
        bars.mark_bar(height=14, opacity=0.85, orient="horizontal").encode(
            x=x, x2=alt.X2Datum(0), y=y, color=scales.color(styles)
        ),
        bars.mark_text(
            text=alt.ExprRef("datum.label"),
            align="left",
            baseline="middle",
            lineBreak="\n",
            lineHeight=14,
            dy=alt.ExprRef("-7 * (length(split(datum.label, '\\n')) - 1)"),
            fontSize=12.5,
        ).encode(x=alt.XValue(-extent), y=y, color=ink),
        bars.mark_text(
            text=alt.ExprRef("datum.text"), align="right", fontSize=12.5, fontWeight=600
        ).encode(x=alt.XValue(-8), y=y, color=ink),
        bars.mark_text(text=alt.ExprRef("datum.note"), align="left", dx=8, opacity=0.75).encode(
            x=alt.XValue("width"), y=y, color=ink
        ),
        height=height,
    )
    return figure(drawn, top=0)
