"""MRD level over time: one line per patient, one panel per response."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, PHONE, Rows, Style, style_of
from pages.elements.remembered import remembered
from pages.elements.wording import DAYS_PER_MONTH

_DYNAMICS = ("early responder", "late responder", "non-responder", "unknown")
_HEADS = ("Early", "Late", "Non-responder", "Unknown")
_GAP = 0.14  # of a panel's width
_STRIP = 0.9  # decades below the limit that hold what was not detected
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class _Shape:
    styles: tuple[Style, ...]
    low: float
    high: int
    last_month: float
    step: int
    x_title: str
    height: int


def kinetics_chart(
    samples: pd.DataFrame, *, lod: float, origin: str, height: int = 350
) -> dict[str, Any]:
    """Draw the MRD level of each patient over time, by response.

    Parameters
    ----------
    samples : DataFrame
        ``line`` (a running number per patient, never an identifier), ``day``,
        ``mrd_fraction``, ``detected`` and ``dynamics``. A detected sample without a positive
        fraction has no place on the axis and is left out.
    lod : float
        Limit of detection as a fraction, such as 1e-6.
    origin : str
        Time origin, as it reads after 'Months from'.
    height : int
        Height of the figure in pixels.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    drawn = samples[~samples["detected"].astype(bool) | (samples["mrd_fraction"] > 0)]
    present = [name for name in _DYNAMICS if (drawn["dynamics"] == name).any()]
    found = drawn.loc[drawn["detected"].astype(bool), "mrd_fraction"]
    floor = math.log10(min([lod, *found]))
    months = max([1.0, *(drawn["day"] / DAYS_PER_MONTH)])
    shape = _Shape(
        styles=tuple(style_of("mrd_dynamics", name) for name in present),
        low=round(floor - _STRIP, 3),
        high=math.ceil(math.log10(max([10 * lod, *found]))),
        last_month=math.ceil(2 * months) / 2,
        step=next((step for step in (1, 2, 3, 6, 12, 24) if months / step <= 4), 48),
        x_title=f"Months from {origin}",
        height=height,
    )
    points: Rows = []
    heads: Rows = []
    for k, name in enumerate(present):
        rows = drawn[drawn["dynamics"] == name]
        points += _points(rows, k, shape, floor)
        n = rows["line"].nunique()
        heads.append({"g": f"v{k}", "x": _place(k, 0, shape), "text": _head(name), "n": f"{n}"})
    start = min([0.0, *(row["month"] for row in points)])
    panels = [
        {"x": _place(k, start, shape), "x2": _place(k, shape.last_month, shape)}
        for k in range(len(present))
    ]
    limit: Rows = [{"y": math.log10(lod)}]
    datasets = {"points": points, "heads": heads, "panels": panels, "limit": limit}
    return {**_template(shape), "datasets": datasets}


def _head(name: str) -> str:
    return _HEADS[_DYNAMICS.index(name)]


def _place(panel: int, month: float, shape: _Shape) -> float:
    """Horizontal place of a month in a panel; neighbours are 1 apart."""
    return round(panel + (1 - _GAP) * month / shape.last_month, 4)


def _points(rows: pd.DataFrame, panel: int, shape: _Shape, floor: float) -> Rows:
    points: Rows = []
    for row in rows.to_dict("records"):
        month = row["day"] / DAYS_PER_MONTH
        detected = bool(row["detected"])
        # The golden ratio spreads neighbours evenly, and the same way in every drawing.
        jitter = (0.618034 * int(row["line"])) % 1 - 0.5
        level = math.log10(row["mrd_fraction"]) if detected else floor - _STRIP / 2 + 0.5 * jitter
        points.append(
            {
                "g": f"v{panel}",
                "line": int(row["line"]),
                "x": _place(panel, month, shape),
                "y": level,
                "month": round(month, 1),
                "detected": detected,
                "read": _scientific(row["mrd_fraction"]) if detected else "not detected",
            }
        )
    return points


def _scientific(fraction: float) -> str:
    digits, exponent = f"{fraction:.1e}".split("e")
    return f"{digits} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def _x_axis(shape: _Shape) -> alt.Axis:
    months = range(0, math.floor(shape.last_month) + 1, shape.step)
    ticks = {_place(k, m, shape): m for k in range(len(shape.styles)) for m in months}
    places, labels = list(ticks), list(ticks.values())
    return alt.Axis(
        values=places,
        labelExpr=f"{labels}[indexof({places}, datum.value)]",
        title=shape.x_title,
        grid=False,
        domain=False,
        tickSize=4,
        labelFlush=False,
        titlePadding=3,
    )


def _y_axis(shape: _Shape) -> alt.Axis:
    strip = round(shape.low + _STRIP / 2, 3)
    exponents = list(range(math.ceil(shape.low + _STRIP - 1e-9), shape.high + 1))
    labels = [f"10{str(e).translate(_SUPERSCRIPT)}" for e in exponents]
    return alt.Axis(
        values=[strip, *exponents],
        labelExpr=f"datum.value == {strip} ? ({PHONE} ? 'None' : 'Not detected') : "
        f"{labels}[datum.value - {exponents[0] if exponents else 0}]",
        title="MRD (fraction)",
        domain=False,
        ticks=False,
        grid=True,
        labelPadding=4,
        titlePadding=2,
    )


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    axis_x, axis_y = _x_axis(shape), _y_axis(shape)
    wide = alt.Scale(domain=[-0.02, max(len(shape.styles), 1) - _GAP], nice=False, zero=False)
    tall = alt.Scale(domain=[shape.low, shape.high], nice=False, zero=False)
    x, y = alt.X("x:Q", scale=wide, axis=axis_x), alt.Y("y:Q", scale=tall, axis=axis_y)
    points = on("points")
    drawn = panel(
        _panels(x, tall, axis_y, shape),
        on("limit")
        .mark_rule(strokeDash=[4, 3], opacity=0.6)
        .encode(y=y, color=alt.ColorValue(INK)),
        points.mark_line(strokeWidth=1, opacity=0.45).encode(
            x=x,
            y=y,
            color=scales.color(shape.styles),
            detail=alt.Detail("line:N"),
            order=alt.Order("month:Q"),
        ),
        *_marks(points, x, y, shape),
        *_head_layers(on("heads"), x, shape),
        height=shape.height,
    )
    return figure(drawn, bottom=4, fit="fit")


def _head_layers(heads: alt.Chart, x: alt.X, shape: _Shape) -> Sequence[alt.Chart]:
    """Write the response over its panel, with its mark and the number of patients."""
    name, number, ink = alt.YValue(-27), alt.YValue(-12), alt.ColorValue(INK)
    return (
        heads.mark_text(
            # A narrow panel has no room for the whole word.
            text=alt.ExprRef(
                f"width / {max(len(shape.styles), 1)} < 96 "
                "? replace(datum.text, 'responder', 'resp.') : datum.text"
            ),
            align="left",
            fontSize=alt.ExprRef(f"{PHONE} ? 10.5 : 12"),
            fontWeight=600,
        ).encode(x=x, y=name, color=ink),
        heads.mark_point(filled=True, size=55, opacity=1, xOffset=5).encode(
            x=x, y=number, color=scales.color(shape.styles), shape=scales.mark(shape.styles)
        ),
        heads.mark_text(text=alt.ExprRef("datum.n"), align="left", dx=13, opacity=0.75).encode(
            x=x, y=number, color=ink
        ),
    )


def _panels(x: alt.X, tall: alt.Scale, axis: alt.Axis, shape: _Shape) -> alt.Chart:
    panels: alt.Chart = on("panels").mark_rect(opacity=0.07)
    panels = panels.encode(
        x=x,
        x2=alt.X2("x2:Q"),
        y=alt.YDatum(shape.low, scale=tall, axis=axis),
        y2=alt.Y2Datum(shape.high),
        color=alt.ColorValue("gray"),
    )
    return panels


def _marks(points: alt.Chart, x: alt.X, y: alt.Y, shape: _Shape) -> Sequence[alt.Chart]:
    """Draw filled marks for what was detected, open circles for what was not."""
    tooltip = [alt.Tooltip("month:Q", title="Month"), alt.Tooltip("read:N", title="MRD")]
    color = scales.color(shape.styles)
    return (
        points.transform_filter("datum.detected")
        .mark_point(filled=True, size=22, opacity=0.9)
        .encode(x=x, y=y, color=color, shape=scales.mark(shape.styles), tooltip=tooltip),
        points.transform_filter("!datum.detected")
        .mark_point(filled=False, size=20, strokeWidth=1, opacity=0.8, shape="circle")
        .encode(x=x, y=y, color=color, tooltip=tooltip),
    )
