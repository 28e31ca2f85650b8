"""MRD negativity by timepoint: dots with exact intervals over the table of their counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.assembly import Panel, figure, on, panel
from pages.elements.charts.theme import INK, Group, Rows, Style, wrap
from pages.elements.remembered import remembered
from pages.elements.wording import percent, rate_with_interval

_COUNTS = ("timepoint", "negative", "evaluable", "rate", "low", "high")
_NAME_WIDTH = 20
_GAP = 0.1  # share of a timepoint's width between two panels


@dataclass(frozen=True)
class _Shape:
    styles: tuple[Style, ...]
    n_timepoints: int
    y_title: str
    height: int
    extent: str
    table: int


def rates_chart(
    rates: pd.DataFrame,
    groups: Sequence[Group],
    *,
    p_values: Mapping[str, str],
    denominator: str = "evaluable",
    height: int = 262,
) -> dict[str, Any]:
    """Draw the negativity rates of the groups in one panel per timepoint.

    Parameters
    ----------
    rates : DataFrame
        ``timepoint`` (drawn in the order of its categories, or as it comes), ``negative``,
        ``evaluable``, ``rate``, ``low``, ``high`` (fractions, NaN where nobody is evaluable) and
        at most one grouping column.
    groups : sequence of Group
        The groups in drawing order; without a grouping column, exactly one.
    p_values : mapping of str to str
        Text under the head of a timepoint, such as 'Fisher P = 0.57'.
    denominator : str
        What the rate is a share of, for the vertical axis.
    height : int
        Height of the panels in pixels.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.

    Raises
    ------
    ValueError
        If there is more than one grouping column, or none with several groups.
    """
    by = [name for name in rates.columns if name not in _COUNTS]
    if len(by) > 1 or (not by and len(groups) != 1):
        raise ValueError("a figure shows one grouping column, or all patients as one group")
    timepoints = _timepoints(rates["timepoint"])
    names = [wrap(group.short, _NAME_WIDTH) for group in groups]
    middles, table = scales.row_middles([len(name) for name in names], top=20, row=20, line=13)
    looks, y_title = tuple(group.style for group in groups), f"MRD-negative (% of {denominator})"
    extent = scales.name_extent(names)
    shape = _Shape(looks, len(timepoints), y_title, height, extent, table)
    head = "Negative / evaluable" if denominator == "evaluable" else "Negative / n"
    datasets: dict[str, Rows] = {
        "panels": _panel_rows(timepoints, p_values),
        "head": [{"text": head}],
        "names": scales.name_rows(names, middles),
        "dots": [],
        "counts": [],
    }
    for i, group in enumerate(groups):
        inside = rates[rates[by[0]].astype(str) == group.level] if by else rates
        for row in inside.to_dict("records"):
            k = timepoints.index(str(row["timepoint"]))
            datasets["counts"].append({"x": k + 0.5, "y": middles[i], "text": _fraction(row)})
            if not math.isnan(row["rate"]):
                datasets["dots"].append(_dot(row, i, k, group, len(groups)))
    return {**_template(shape), "datasets": datasets}


def _fraction(row: Mapping[Any, Any]) -> str:
    return f"{row['negative']}/{row['evaluable']}"


def _timepoints(column: pd.Series) -> list[str]:
    categorical = isinstance(column.dtype, pd.CategoricalDtype)
    order = column.cat.categories if categorical else column.unique()
    return [str(label) for label in order if (column == label).any()]


def _panel_rows(timepoints: Sequence[str], p_values: Mapping[str, str]) -> Rows:
    return [
        {
            "x": k + 0.5,
            "left": k + _GAP / 2,
            "right": k + 1 - _GAP / 2,
            "text": label[:1].upper() + label[1:],
            "p": p_values.get(label, ""),
        }
        for k, label in enumerate(timepoints)
    ]


def _dot(
    row: Mapping[Any, Any], position: int, panel: int, group: Group, n_groups: int
) -> dict[str, Any]:
    interval = rate_with_interval(row["rate"], row["low"], row["high"])
    offset = _GAP / 2 + (1 - _GAP) * (position + 0.5) / n_groups
    return {
        "g": f"v{position}",
        "x": panel + offset,
        "rate": 100 * row["rate"],
        "low": 100 * row["low"],
        "high": 100 * row["high"],
        "text": percent(row["rate"]),
        "label": group.label,
        "when": str(row["timepoint"]),
        "read": f"{interval}, {_fraction(row)}",
    }


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    return figure(_panels(shape), _table(shape))


def _x(shape: _Shape, field: str = "x") -> alt.X:
    scale = alt.Scale(domain=[0, shape.n_timepoints], nice=False, zero=False)
    return alt.X(f"{field}:Q", scale=scale, axis=None)


def _panels(shape: _Shape) -> Panel:
    axis = alt.Axis(
        grid=True,
        values=[0, 20, 40, 60, 80, 100],
        title=shape.y_title,
        domain=False,
        ticks=False,
        labelPadding=4,
        titleX=-34,
        titleY=shape.height / 2,
        titleAlign="center",
        titleBaseline="bottom",
        **scales.extent(shape.extent),
    )
    return panel(*_head_layers(shape), *_dot_layers(shape, axis), height=shape.height)


def _head_layers(shape: _Shape) -> list[alt.Chart]:
    x, ink, panel = _x(shape), alt.ColorValue(INK), f"width / {shape.n_timepoints}"
    panels, ends = on("panels"), {"y": alt.YValue(0), "y2": alt.Y2Value(shape.height)}
    return [
        panels.mark_rect(opacity=0.07).encode(
            x=_x(shape, "left"), x2=alt.X2("right:Q"), color=alt.ColorValue("gray"), **ends
        ),
        panels.mark_text(
            text=alt.ExprRef("datum.text"), fontWeight=600, limit=alt.ExprRef(f"{panel} - 2")
        ).encode(x=x, y=alt.YValue(-26), color=ink),
        panels.mark_text(
            # A narrow panel has no room for the name of the test.
            text=alt.ExprRef(f"{panel} < 92 ? replace(datum.p, 'Fisher ', '') : datum.p"),
            opacity=0.75,
        ).encode(x=x, y=alt.YValue(-11), color=ink),
    ]


def _dot_layers(shape: _Shape, axis: alt.Axis) -> list[alt.Chart]:
    x, color, dots = _x(shape), scales.color(shape.styles), on("dots")
    # Room above 100 keeps the label of a complete response inside its panel.
    scale = alt.Scale(domain=[0, 107], nice=False)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    spacing = f"width / {shape.n_timepoints} * {1 - _GAP} / {len(shape.styles)}"
    tooltip = [
        alt.Tooltip("label:N", title="Group"),
        alt.Tooltip("when:N", title="Timepoint"),
        alt.Tooltip("read:N", title="Negative"),
    ]
    return [
        dots.mark_rule(strokeWidth=2).encode(
            x=x, y=y("low"), y2=alt.Y2("high:Q"), color=color, tooltip=tooltip
        ),
        dots.mark_point(filled=True, size=85, opacity=1).encode(
            x=x, y=y("rate"), color=color, shape=scales.mark(shape.styles), tooltip=tooltip
        ),
        dots.mark_text(
            text=alt.ExprRef(f"{spacing} < 22 ? '' : datum.text"),
            dy=-9,
            fontSize=12.5,
            fontWeight=600,
        ).encode(x=x, y=y("high"), color=alt.ColorValue(INK)),
    ]


def _table(shape: _Shape) -> Panel:
    axis = alt.Axis(
        labels=False,
        ticks=False,
        domain=False,
        grid=False,
        title=None,
        **scales.extent(shape.extent),
    )
    scale = alt.Scale(domain=[0, shape.table], reverse=True, nice=False)
    y, ink, left = alt.Y("y:Q", scale=scale, axis=axis), alt.ColorValue(INK), f"-{shape.extent}"
    return panel(
        on("head")
        .mark_text(text=alt.ExprRef("datum.text"), align="left", fontWeight=600)
        .encode(x=alt.XValue(alt.ExprRef(left)), y=alt.YValue(9), color=ink),
        on("names")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=alt.XValue(alt.ExprRef(f"{left} + 6")),
            y=y,
            color=scales.color(shape.styles),
            shape=scales.mark(shape.styles),
        ),
        on("names")
        .mark_text(**scales.name_text(shape.extent))
        .encode(x=alt.XValue(alt.ExprRef(f"{left} + 18")), y=y, color=ink),
        on("counts").mark_text(text=alt.ExprRef("datum.text")).encode(x=_x(shape), y=y, color=ink),
        height=shape.table,
    )
