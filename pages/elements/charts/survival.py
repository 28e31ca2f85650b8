"""Kaplan-Meier figure: curves, read-outs and the aligned table of patients at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.placement import Box, Place, beside_dots, free_place, push_apart
from pages.elements.charts.theme import (
    INK,
    PHONE,
    Group,
    Rows,
    Style,
    chart_config,
    key_title,
    wrap,
)
from pages.elements.wording import DAYS_PER_MONTH, rate_with_interval

if TYPE_CHECKING:
    from analytics.survival import KaplanMeier


__all__ = ["Group", "survival_chart"]

_ESTIMATE = ("survival", "low", "high")

_NAME_WIDTH = 20  # characters a line: longer names would take the width the curves need
_END_WIDTH = 18
_PLOT = 330  # pixels of plot at 1280; wider screens leave more room
_PHONE = 344  # pixels of a phone for the plot and the names left of it
_READ_OUTS = 3  # as many as always find a place
_LINE = 15  # pixels from one line of a label to the next


@dataclass(frozen=True)
class _Read:
    """Estimates of one group: its whole curve, and its state on each day the figure asks for."""

    curve: dict[str, npt.NDArray[Any]]
    days: npt.NDArray[np.float64]
    state: dict[str, npt.NDArray[Any]]

    def at(self, days: Sequence[float] | npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """State on days asked for before; empty arrays for a group without patients."""
        if not len(self.curve["time"]):
            return self.state
        where = np.searchsorted(self.days, days)
        return {name: values[where] for name, values in self.state.items()}


@dataclass(frozen=True)
class _Shape:
    """All that decides the specification apart from its data."""

    labels: tuple[str, ...]
    styles: tuple[Style, ...]
    titles: tuple[str, str]
    horizon: int
    height: int
    extent: str
    table: int
    phone_plot: int


def survival_chart(
    result: KaplanMeier,
    groups: Sequence[Group],
    *,
    endpoint: str,
    origin: str,
    horizon_months: int,
    landmark_days: int | None = None,
    notes: Sequence[str] = (),
    milestone_days: int = 730,
    height: int = 296,
) -> dict[str, Any]:
    """Draw Kaplan-Meier curves over their table of patients at risk.

    Parameters
    ----------
    result : KaplanMeier
        Estimates by one column, or for all patients; then there is exactly one group.
    groups : sequence of Group
        The curves in drawing order.
    endpoint, origin : str
        Name of the endpoint, and the time origin as it reads after 'Months from'.
    horizon_months : int
        Right end of the time axis; later data are cut there.
    landmark_days : int, optional
        Day of the landmark. Curves and risk table start at it, the axis still at 0.
    notes : sequence of str
        Lines set where no curve runs, bottom left if that is free.
    milestone_days, height : int
        Day of the rate written beside its dot, and height of the curves in pixels.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.

    Raises
    ------
    ValueError
        If there are several grouping columns, or several groups without one.
    """
    _check(result, groups)
    start = landmark_days or 0
    reads = _read(result, groups, _days(start, horizon_months, milestone_days))
    risk = _risk(reads, start, horizon_months)
    names = [wrap(group.short, _NAME_WIDTH) for group in groups]
    middles, table = scales.row_middles([len(name) for name in names], top=18, row=20, line=13)
    widest = max((len(row["text"]) for row in risk), default=0)
    titles = (f"Months from {origin}", f"{endpoint} (%)")
    labels, looks = zip(*((group.label, group.style) for group in groups), strict=True)
    # The width of a column is data: a template that knew it would be built anew with other counts.
    column = max(38, 7 + math.ceil(4.8 * widest))
    extent, plot = scales.name_extent(names), _PHONE - scales.phone_extent(names)
    shape = _Shape(labels, looks, titles, horizon_months, height, extent, table, plot)
    datasets = {
        **_curve_data(reads, groups, shape, start, milestone_days, notes),
        "head": [{"text": "At risk (events)"}],
        "names": scales.name_rows(names, middles),
        "risk": [{**row, "y": middles[row.pop("i")], "w": column} for row in risk],
    }
    return {**_template(shape), "datasets": datasets}


def _check(result: KaplanMeier, groups: Sequence[Group]) -> None:
    if not groups or len(result.by) > 1 or (not result.by and len(groups) != 1):
        raise ValueError("a figure shows one grouping column, or all patients as one group")


def _days(start: int, horizon: int, milestone: int) -> list[float]:
    """Days on which the figure states something: start, milestone, risk table, tooltip."""
    hover = np.floor(_grid(start, horizon) * DAYS_PER_MONTH).tolist()
    return [start, milestone, *(day for day, _ in _columns(start, horizon)), *hover]


def _curve_data(
    reads: Sequence[_Read],
    groups: Sequence[Group],
    shape: _Shape,
    start: int,
    milestone_days: int,
    notes: Sequence[str],
) -> dict[str, Rows]:
    span = (start, shape.horizon)
    curves = [_steps(read, f"v{i}", *span) for i, read in enumerate(reads)]
    inside = start < milestone_days <= shape.horizon * DAYS_PER_MONTH
    milestones = _milestones(reads, groups, milestone_days) if inside else []
    _place_read_outs(milestones, curves, shape)
    placed = _notes(notes, curves, milestones, shape, start)
    return {
        "steps": [row for curve in curves for row in curve],
        "ticks": [row for i, read in enumerate(reads) for row in _ticks(read, f"v{i}", *span)],
        "hover": _hover(reads, *span),
        "rule": _rule(milestones, placed, notes, shape),
        "milestones": milestones,
        "ends": _ends(curves, groups, shape.height),
        "landmark": [{"t": 0.0, "t2": start / DAYS_PER_MONTH}] if start else [],
        "notes": placed,
    }


def _read(result: KaplanMeier, groups: Sequence[Group], asked: Sequence[float]) -> list[_Read]:
    """Ask the result once for every day of the figure, and split it by group."""
    times = result.curve["time"].to_numpy(dtype=float)
    # No event yet: the limit counts those at risk between two rows, so it is read there.
    between = (times[:-1] + times[1:]) / 2
    between = between[(result.curve["survival"].to_numpy()[:-1] == 1) & (np.diff(times) > 0)]
    days = np.unique(np.concatenate([np.asarray(asked, dtype=float), between]))
    state = result.at(days.tolist())
    return [
        _Read(_arrays(result.curve, result.by, group), days, _arrays(state, result.by, group))
        for group in groups
    ]


def _arrays(frame: pd.DataFrame, by: tuple[str, ...], group: Group) -> dict[str, npt.NDArray[Any]]:
    columns = [name for name in frame.columns if name not in by]
    if not by:
        return {name: frame[name].to_numpy() for name in columns}
    inside = frame[by[0]].astype(str).to_numpy() == group.level
    return {name: frame[name].to_numpy()[inside] for name in columns}


def _months(days: float) -> float:
    return round(float(days) / DAYS_PER_MONTH, 4)


def _steps(read: _Read, alias: str, start: int, horizon: int) -> Rows:
    """Corners of one curve in months and percent, from the start to the horizon or last time."""
    time = read.curve["time"]
    if not len(time):
        return []
    end = min(float(time[-1]), horizon * DAYS_PER_MONTH)
    values = np.array([read.curve[name] for name in _ESTIMATE], dtype=float)
    still = np.flatnonzero(values[0, :-1] == 1)
    state = read.at((time[still] + time[still + 1]) / 2)
    values[:, still] = [state[name] for name in _ESTIMATE]
    inside = (time > start) & (time <= end)
    first = read.at([start])
    t = np.concatenate([[start], time[inside]])
    values = np.column_stack([[first[name][0] for name in _ESTIMATE], values[:, inside]])
    # Without a change of estimate or limits, only the end of the line needs a corner.
    change = np.ones(len(t), dtype=bool)
    change[1:] = (values[:, 1:] != values[:, :-1]).any(axis=0)
    t, values = np.append(t[change], end), np.column_stack([values[:, change], values[:, -1]])
    rows: Rows = []
    for day, (survival, low, high) in zip(t.tolist(), (100 * values).T.tolist(), strict=True):
        if not math.isnan(survival):
            limits = {} if math.isnan(low + high) else {"lo": low, "hi": high}
            rows.append({"g": alias, "t": _months(day), "s": survival, **limits})
    return rows


def _ticks(read: _Read, alias: str, start: int, horizon: int) -> Rows:
    """One row per time at which somebody was last seen without an event."""
    curve = read.curve
    seen = (curve["n_censored"] > 0) & (curve["time"] >= start)
    seen &= (curve["time"] <= horizon * DAYS_PER_MONTH) & ~np.isnan(curve["survival"])
    return [
        {"g": alias, "t": _months(day), "s": 100 * survival}
        for day, survival in zip(
            curve["time"][seen].tolist(), curve["survival"][seen].tolist(), strict=True
        )
    ]


def _milestones(reads: Sequence[_Read], groups: Sequence[Group], day: int) -> Rows:
    """Return the rate of each group at the milestone; none past a group's follow-up."""
    rows: Rows = []
    for i, (read, group) in enumerate(zip(reads, groups, strict=True)):
        for survival, low, high in _estimates(read, [day]):
            if not math.isnan(survival):
                text = rate_with_interval(survival, low, high)
                named = f"{group.short} {text}"
                rows.append(
                    {
                        "g": f"v{i}",
                        "t": _months(day),
                        "s": 100 * survival,
                        "text": text,
                        "named": named,
                    }
                )
    return rows


def _estimates(read: _Read, days: Sequence[float] | npt.NDArray[Any]) -> list[tuple[float, ...]]:
    state = read.at(days)
    return list(zip(*(state[name].tolist() for name in _ESTIMATE), strict=True))


def _place_read_outs(milestones: Rows, curves: Sequence[Rows], shape: _Shape) -> None:
    """Give each read-out its side of the rule and its distance from the dot in pixels.

    On a phone the read-out carries the group's name and the plot is narrower, so it gets a place
    of its own.
    """
    lines = _lines(curves, shape.horizon)
    dots = [(row["t"] / shape.horizon, row["s"]) for row in milestones]
    for text, plot, side, shift in (
        ("text", _PLOT, "left", "dy"),
        ("named", shape.phone_plot, "phone_left", "phone_dy"),
    ):
        widths = [_text_width(row[text]) / plot for row in milestones]
        if any(width > max(x, 1 - x) for width, (x, _) in zip(widths, dots, strict=True)):
            # The names have no room on either side: the marks alone tell the groups apart.
            for row in milestones:
                row[text] = row["text"]
            widths = [_text_width(row[text]) / plot for row in milestones]
        places = beside_dots(dots, lines, widths=widths, unit=100 / shape.height)
        # With many curves a crowd of read-outs says less than the dots alone.
        crowded = len(dots) > _READ_OUTS and not all(place.clear for place in places)
        for row, place in zip(milestones, places, strict=True):
            row[side], row[shift] = place.left, place.shift
            if crowded:
                row[text] = ""


def _lines(curves: Sequence[Rows], horizon: int) -> list[list[tuple[float, float]]]:
    return [[(row["t"] / horizon, row["s"]) for row in curve] for curve in curves]


def _ends(curves: Sequence[Rows], groups: Sequence[Group], height: int) -> Rows:
    """Labels at the right edge, pushed apart so that none touches the next."""
    unit = 100 / height
    rows = [
        {"g": f"v{i}", "s": curve[-1]["s"], "text": "\n".join(wrap(group.label, _END_WIDTH))}
        for i, (curve, group) in enumerate(zip(curves, groups, strict=True))
        if curve
    ]
    lines = max((row["text"].count("\n") + 1 for row in rows), default=1)
    gap = (_LINE * lines + (4 if lines > 1 else 0)) * unit
    places = push_apart([row["s"] for row in rows], gap, gap / 2, 100)
    return [{**row, "y": place} for row, place in zip(rows, places, strict=True)]


def _notes(
    notes: Sequence[str], curves: Sequence[Rows], milestones: Rows, shape: _Shape, start: int
) -> Rows:
    """Lines of the note, placed once for a wide plot and once for a phone's."""
    if not notes:
        return []
    rows: Rows = []
    for phone, plot in ((False, _PLOT), (True, shape.phone_plot)):
        place = free_place(
            _lines(curves, shape.horizon),
            [_read_out_box(row, shape, phone) for row in milestones],
            width=min(1, _note_width(notes) / plot),
            height=100 * (17 * len(notes) + 8) / shape.height,
            left=start / DAYS_PER_MONTH / shape.horizon,
        )
        rows += _note_rows(notes, place, phone, shape, start)
    return rows


def _note_width(notes: Sequence[str]) -> float:
    return 18 + 5.6 * max(map(len, notes))


def _note_rows(notes: Sequence[str], place: Place, phone: bool, shape: _Shape, start: int) -> Rows:
    top = place.bottom + 100 * (17 * len(notes) + 8) / shape.height
    return [
        {
            "phone": phone,
            "t": shape.horizon if place.right else start / DAYS_PER_MONTH,
            "y": top - 100 * (17 * i + 9) / shape.height,
            "dx": -8 if place.right else (5 if start else 10),
            "align": "right" if place.right else "left",
            "text": note,
        }
        for i, note in enumerate(notes)
    ]


def _read_out_box(row: dict[str, Any], shape: _Shape, phone: bool) -> Box:
    text, plot = (row["named"], shape.phone_plot) if phone else (row["text"], _PLOT)
    unit, x, width = 100 / shape.height, row["t"] / shape.horizon, _text_width(text) / plot
    middle = row["s"] - row["phone_dy" if phone else "dy"] * unit
    left = x - width if row["phone_left" if phone else "left"] else x
    return Box(left, min(middle - 7 * unit, row["s"]), left + width, middle + 7 * unit)


def _text_width(text: str) -> float:
    return 6.1 * len(text) + 8


def _rule(milestones: Rows, notes: Rows, texts: Sequence[str], shape: _Shape) -> Rows:
    """Return the dotted rule; where it would strike through a note below, it ends above it."""
    rows: Rows = []
    for phone in (False, True):
        block = [row for row in notes if row["phone"] == phone]
        row: dict[str, Any] = {
            "phone": phone,
            "anchor": 0.0,
            "reach": 0.0,
            "stop": float(shape.height),
        }
        if block and block[-1]["y"] < 10:
            stop = shape.height * (1 - block[0]["y"] / 100) - 10
            row |= {"anchor": block[0]["t"], "reach": _note_width(texts), "stop": stop}
        rows += [{**row, "t": milestones[0]["t"]}] if milestones else []
    return rows


def _columns(start: int, horizon: int) -> list[tuple[int, float]]:
    """Days of the risk table with their months: the landmark, then the ticks of the axis."""
    step = _tick_step(horizon)
    months: list[float] = [float(m) for m in range(0, horizon + 1, step)]
    if start:
        first = start / DAYS_PER_MONTH
        months = [first, *(m for m in months if m - first > 0.75 * step)]
    return [
        (start if start and k == 0 else math.floor(m * DAYS_PER_MONTH), m)
        for k, m in enumerate(months)
    ]


def _tick_step(horizon: int) -> int:
    return 6 if horizon <= 48 else 12


def _risk(reads: Sequence[_Read], start: int, horizon: int) -> Rows:
    """'51 (0)': at risk just before the tick, and events up to it."""
    columns = _columns(start, horizon)
    rows: Rows = []
    for i, read in enumerate(reads):
        state = read.at([day for day, _ in columns])
        counts = zip(state["n_risk"].tolist(), state["n_event"].tolist(), strict=True)
        for k, ((_, month), (n_risk, n_event)) in enumerate(zip(columns, counts, strict=False)):
            text = f"{n_risk:.0f} ({n_event:.0f})"
            rows.append({"g": f"v{i}", "i": i, "k": k, "t": round(month, 4), "text": text})
    return rows


def _grid(start: int, horizon: int) -> npt.NDArray[np.float64]:
    """Months the tooltip can read: every quarter, every half beyond four years."""
    step = 0.25 if horizon <= 48 else 0.5
    months = np.arange(0, horizon + step / 2, step)
    return months[months * DAYS_PER_MONTH >= start]


def _hover(reads: Sequence[_Read], start: int, horizon: int) -> Rows:
    """Write what the tooltip reads of all groups at each place of the rule."""
    months = _grid(start, horizon)
    rows: Rows = [{"t": month, "month": f"{month:g}"} for month in months.tolist()]
    days = np.floor(months * DAYS_PER_MONTH)
    for i, read in enumerate(reads):
        texts = ["no patients"] * len(rows)
        if len(read.curve["time"]):
            texts = [
                "past the last follow-up"
                if math.isnan(estimate[0])
                else f"{rate_with_interval(*estimate)}, {n:.0f} at risk"
                for estimate, n in zip(
                    _estimates(read, days), read.at(days)["n_risk"].tolist(), strict=True
                )
            ]
        for row, text in zip(rows, texts, strict=True):
            row[f"v{i}"] = text
    return rows


@lru_cache(maxsize=64)
def _template(shape: _Shape) -> dict[str, Any]:
    """Build the specification without data, which costs a hundred times the binding."""
    with alt.data_transformers.enable("default", consolidate_datasets=False):
        figure = alt.vconcat(_curve_panel(shape), _risk_panel(shape), spacing=4)
        figure = figure.resolve_scale(x="shared", color="shared")
        figure.autosize = alt.AutoSizeParams(type="fit-x", contains="padding")
        figure.padding = {"left": 0, "right": 4, "top": 4, "bottom": 0}
        spec: dict[str, Any] = figure.to_dict()
    return {**spec, "config": chart_config()}


def _x(shape: _Shape, **axis: Any) -> alt.X:
    scale = alt.Scale(domain=[0, shape.horizon], nice=False, zero=False)
    return alt.X("t:Q", scale=scale, axis=alt.Axis(**axis) if axis else None)


def _y(shape: _Shape, field: str = "s") -> alt.Y:
    axis = alt.Axis(
        grid=True,
        values=[0, 20, 40, 60, 80, 100],
        title=shape.titles[1],
        domain=False,
        ticks=False,
        labelPadding=4,
        **scales.extent(shape.extent),
        titleX=-34,
        titleY=shape.height / 2,
        titleAnchor=None,
        titleAlign="center",
        titleBaseline="bottom",
    )
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[0, 100], nice=False), axis=axis)


def _on(name: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name=name))


def _curve_panel(shape: _Shape) -> alt.LayerChart | alt.FacetChart:
    x = _x(
        shape,
        values=list(range(0, shape.horizon + 1, _tick_step(shape.horizon))),
        title=shape.titles[0],
        grid=False,
        tickSize=4,
        labelFlush=False,
        format="d",
        titlePadding=3,
    )
    here = f"datum.phone == ({PHONE})"
    return alt.layer(
        *_backdrop(shape, x, _on("rule").transform_filter(here)),
        *_curve_layers(shape, x),
        *_text_layers(shape, x, _on("notes").transform_filter(here)),
        *_end_layers(shape, _on("ends").transform_filter(f"!({PHONE})")),
        _hover_layer(shape, _on("hover"), x),
        height=shape.height,
    )


def _backdrop(shape: _Shape, x: alt.X, rule: alt.Chart) -> list[alt.Chart]:
    gray = alt.value("gray")
    reach = f"abs(datum.t - datum.anchor) * width / {shape.horizon} < datum.reach"
    foot = alt.ExprRef(f"{reach} ? datum.stop : {shape.height}")
    return [
        _on("landmark")
        .mark_rect(opacity=0.13)
        .encode(x=x, x2="t2:Q", y=alt.YDatum(0), y2=alt.Y2Datum(100), color=gray),
        rule.mark_rule(strokeDash=[1.5, 3], strokeWidth=1).encode(
            x=x, y=alt.value(0), y2=alt.value(foot), color=gray
        ),
    ]


def _curve_layers(shape: _Shape, x: alt.X) -> list[alt.Chart]:
    y, color = _y(shape), scales.color(shape.styles)
    band = _on("steps").transform_filter("isValid(datum.lo)")
    return [
        band.mark_area(opacity=0.13, interpolate="step-after", line=False).encode(
            x=x, y=_y(shape, "lo"), y2="hi:Q", color=color
        ),
        _on("steps")
        .mark_line(strokeWidth=2.25, interpolate="step-after")
        .encode(x=x, y=y, color=color, strokeDash=scales.dash(shape.styles)),
        _on("ticks")
        .mark_tick(orient="vertical", size=8, thickness=1.25, opacity=1)
        .encode(x=x, y=y, color=color),
        _on("milestones")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=x, y=y, color=color, shape=scales.mark(shape.styles)),
    ]


def _text_layers(shape: _Shape, x: alt.X, notes: alt.Chart) -> list[alt.Chart]:
    ink, left = alt.value(INK), f"({PHONE} ? datum.phone_left : datum.left)"
    return [
        _on("milestones")
        .mark_text(
            text=alt.ExprRef(f"{PHONE} ? datum.named : datum.text"),
            align=alt.ExprRef(f"{left} ? 'right' : 'left'"),
            dx=alt.ExprRef(f"{left} ? -7 : 7"),
            dy=alt.ExprRef(f"{PHONE} ? datum.phone_dy : datum.dy"),
            fontSize=12.5,
            fontWeight=600,
        )
        .encode(x=x, y=_y(shape), color=ink),
        notes.mark_text(
            text=alt.ExprRef("datum.text"),
            align=alt.ExprRef("datum.align"),
            dx=alt.ExprRef("datum.dx"),
            fontSize=13,
        ).encode(x=x, y=_y(shape, "y"), color=ink),
    ]


def _end_layers(shape: _Shape, ends: alt.Chart) -> list[alt.Chart]:
    edge = alt.value("width")
    return [
        ends.mark_point(filled=True, size=80, opacity=1, xOffset=12).encode(
            x=edge,
            y=_y(shape, "y"),
            color=scales.color(shape.styles),
            shape=scales.mark(shape.styles),
        ),
        ends.mark_text(
            text=alt.ExprRef("datum.text"),
            lineBreak="\n",
            lineHeight=_LINE,
            # Only the first line of a broken text stands on the anchor.
            dy=alt.ExprRef(f"-{_LINE / 2} * (length(split(datum.text, '\\n')) - 1)"),
            align="left",
            baseline="middle",
            dx=22,
            fontSize=13,
            fontWeight=600,
        ).encode(x=edge, y=_y(shape, "y"), color=alt.value(INK)),
    ]


def _hover_layer(shape: _Shape, chart: alt.Chart, x: alt.X) -> alt.Chart:
    near = alt.selection_point(
        name="near", on="pointerover", clear="pointerout", nearest=True, encodings=["x"]
    )
    tooltip = [alt.Tooltip("month:N", title="Months")]
    tooltip += [
        alt.Tooltip(f"v{i}:N", title=key_title(label)) for i, label in enumerate(shape.labels)
    ]
    rule: alt.Chart = chart.mark_rule(strokeWidth=1).encode(
        x=x,
        color=alt.value(INK),
        opacity=alt.condition(near, alt.value(0.8), alt.value(0), empty=False),
        tooltip=tooltip,
    )
    return rule.add_params(near)


def _risk_panel(shape: _Shape) -> alt.LayerChart | alt.FacetChart:
    axis = alt.Axis(
        labels=False,
        ticks=False,
        domain=False,
        grid=False,
        title=None,
        **scales.extent(shape.extent),
    )
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, shape.table], reverse=True, nice=False), axis=axis)
    x, ink = _x(shape), alt.value(INK)
    # The first column stands half outside the plot, so the names end well before it.
    left = f"-{shape.extent}"
    key = f"({PHONE} ? 12 : 16)"
    names = alt.Chart(alt.NamedData(name="names"))
    every = f"max(1, ceil(datum.w * {shape.horizon // _tick_step(shape.horizon)} / width))"
    return alt.layer(
        alt.Chart(alt.NamedData(name="head"))
        .mark_text(text=alt.ExprRef("datum.text"), align="left", fontWeight=600)
        .encode(x=alt.value(alt.ExprRef(left)), y=alt.value(7), color=ink),
        names.mark_rule(strokeWidth=2.25).encode(
            x=alt.value(alt.ExprRef(left)),
            x2=alt.value(alt.ExprRef(f"{left} + {key}")),
            y=y,
            color=scales.color(shape.styles),
            strokeDash=scales.dash(shape.styles),
        ),
        names.mark_text(**scales.name_text(shape.extent)).encode(
            x=alt.value(alt.ExprRef(f"{left} + {key} + 5")), y=y, color=ink
        ),
        alt.Chart(alt.NamedData(name="risk"))
        .mark_text(text=alt.ExprRef(f"datum.k % {every} == 0 ? datum.text : ''"))
        .encode(x=x, y=y, color=ink),
        height=shape.table,
    )
