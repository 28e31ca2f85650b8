"""Love plot: how far two groups lie apart in each covariate, before and after balancing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, Rows, wrap
from pages.elements.remembered import remembered

_ROW, _LINE = 24, 13
_WIDTH = 26  # characters a line of a label
_KEY = 22  # pixels above the plot
ACCEPTED = 0.1
"""Largest standardised difference that passes for balance (Austin 2009)."""


@dataclass(frozen=True)
class _Shape:
    """What the template depends on."""

    height: int
    end: float
    left: int


def love_plot(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw absolute standardised differences before and after balancing.

    Parameters
    ----------
    rows : sequence of mappings
        In drawing order: ``label``, ``before`` and ``after`` (standardised differences of either
        sign, NaN where there is none).

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    labels = [wrap(str(row["label"]), _WIDTH) for row in rows]
    middles, height = scales.row_middles(
        [len(label) for label in labels], top=4, row=_ROW, line=_LINE
    )
    known = [abs(row[k]) for row in rows for k in ("before", "after") if math.isfinite(row[k])]
    end = max(0.4, math.ceil(10 * max(known, default=0) + 0.2) / 10)
    left = 16 + math.ceil(6.4 * max((len(part) for label in labels for part in label), default=0))
    dots: Rows = []
    links: Rows = []
    for row, y in zip(rows, middles, strict=True):
        here = {when: abs(row[when]) for when in ("before", "after") if math.isfinite(row[when])}
        for when, value in here.items():
            read = f"{row[when]:+.2f}".replace("-", "−")
            dots.append({"y": y, "value": value, "when": when, "label": row["label"], "read": read})
        if len(here) == 2:
            links.append({"y": y, "value": here["before"], "to": here["after"]})
    names = [{"y": y, "text": "\n".join(label)} for y, label in zip(middles, labels, strict=True)]
    datasets = {"dots": dots, "links": links, "names": names, "one": [{"x": ACCEPTED}]}
    return {**_template(_Shape(height, end, left)), "datasets": datasets}


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    return figure(panel(*_layers(shape), *_key(), height=shape.height), right=12)


def _x(shape: _Shape, field: str) -> alt.X:
    step = 0.1 if shape.end <= 0.8 else 0.2 if shape.end <= 1.6 else 0.5
    axis = alt.Axis(
        title="Standardised difference, absolute",
        values=[round(i * step, 1) for i in range(math.floor(shape.end / step + 1e-9) + 1)],
        format=".1f",
        domain=False,
        ticks=False,
        labelPadding=6,
        labelFlush=False,
    )
    scale = alt.Scale(domain=[0, shape.end], nice=False)
    return alt.X(f"{field}:Q", scale=scale, axis=axis)


def _layers(shape: _Shape) -> list[alt.Chart]:
    scale = alt.Scale(domain=[0, shape.height], reverse=True, nice=False)
    axis = alt.Axis(
        labels=False, ticks=False, domain=False, grid=False, title=None,
        minExtent=shape.left, maxExtent=shape.left,
    )  # fmt: skip
    y, ink = alt.Y("y:Q", scale=scale, axis=axis), alt.ColorValue(INK)
    dots = on("dots")
    tooltip = [
        alt.Tooltip("label:N", title="Covariate"),
        alt.Tooltip("when:N", title="When"),
        alt.Tooltip("read:N", title="Standardised difference"),
    ]
    return [
        on("one")
        .mark_rule(strokeDash=[3, 3], strokeWidth=1, opacity=0.75)
        .encode(x=_x(shape, "x"), y=alt.YValue(0), y2=alt.Y2Value(shape.height), color=ink),
        on("links").mark_rule(strokeWidth=1, opacity=0.5).encode(
            x=_x(shape, "value"), x2=alt.X2("to:Q"), y=y, color=alt.ColorValue("gray")
        ),
        dots.transform_filter("datum.when == 'before'")
        .mark_point(filled=False, size=70, opacity=1, strokeWidth=1.75, shape="circle")
        .encode(x=_x(shape, "value"), y=y, color=alt.ColorValue("gray"), tooltip=tooltip),
        dots.transform_filter("datum.when == 'after'")
        .mark_point(filled=True, size=80, opacity=1, shape="diamond")
        .encode(x=_x(shape, "value"), y=y, color=ink, tooltip=tooltip),
        on("names")
        .mark_text(
            text=alt.ExprRef("datum.text"), align="left", baseline="middle", lineBreak="\n",
            lineHeight=_LINE, dy=alt.ExprRef(f"-{_LINE / 2} * (length(split(datum.text, '\\n')) - 1)"),
        )
        .encode(x=alt.XValue(-shape.left), y=y, color=ink),
    ]  # fmt: skip


def _key() -> list[alt.Chart]:
    """Say above the plot which mark is which."""
    one, ink, top = on("one"), alt.ColorValue(INK), alt.YValue(-_KEY / 2)
    hollow = {"filled": False, "strokeWidth": 1.75, "shape": "circle"}
    words = {"align": "left", "baseline": "middle", "opacity": 0.85}
    return [
        one.mark_point(size=70, opacity=1, **hollow).encode(
            x=alt.XValue(6), y=top, color=alt.ColorValue("gray")
        ),
        one.mark_text(text="before", **words).encode(x=alt.XValue(16), y=top, color=ink),
        one.mark_point(size=80, opacity=1, filled=True, shape="diamond").encode(
            x=alt.XValue(74), y=top, color=ink
        ),
        one.mark_text(text="after", **words).encode(x=alt.XValue(84), y=top, color=ink),
    ]
