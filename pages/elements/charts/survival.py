"""Survival or cumulative incidence: curves, read-outs and the aligned table of patients at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.suppression import Hidden
from pages.elements.charts import scales
from pages.elements.charts.assembly import Panel, figure, on, panel
from pages.elements.charts.placement import Beside, Box, Place, beside_dots, free_place, push_apart
from pages.elements.charts.theme import (
    INK,
    PHONE,
    Group,
    Rows,
    Style,
    key_title,
    wrap,
)
from pages.elements.remembered import remembered
from pages.elements.wording import DAYS_PER_MONTH, UNITS, rate_with_interval

__all__ = ["Group", "axis_ticks", "survival_chart"]

ZOOM, WHOLE = "zoom", "whole"
"""Names of the selections that a drag over the figure and a double click make.

Of the drag: its ends, in the unit of the axis."""

_ESTIMATE = ("estimate", "low", "high")

# The longest axis, in months, that has ticks this far apart, in the unit of the axis.
_STEPS: dict[str, tuple[tuple[float, float], ...]] = {
    "months": ((6, 1), (12, 2), (24, 3), (48, 6), (math.inf, 12)),
    "years": ((12, 0.25), (24, 0.5), (math.inf, 1)),
    "days": ((3, 15), (6, 30), (12, 60), (24, 90), (48, 180), (math.inf, 365)),
}

_NAME_WIDTH = 20  # characters a line: longer names would take the width the curves need
_END_WIDTH = 18
_PLOT = 330  # pixels of plot at 1280; wider screens leave more room
_PHONE = 344  # pixels of a phone for the plot and the names left of it
_READ_OUTS = 3  # as many as always find a place
_GRAY = alt.ColorValue("gray")
_BANDS = 4  # as many are told apart where they lie over each other
_LINE = 15  # pixels from one line of a label to the next


class Curves(Protocol):
    """Step curves by at most one column: survival, or incidence where a column is called so."""

    curve: pd.DataFrame
    by: tuple[str, ...]

    def at(self, times: Sequence[float]) -> pd.DataFrame:
        """Return the state of every curve at some times."""


@dataclass(frozen=True)
class _Axis:
    """The time axis: its unit, and its ends in months."""

    unit: str
    first: int
    last: int

    def __call__(self, days: float) -> float:
        """Return a day in the unit of the axis."""
        return round(float(days) / UNITS[self.unit][0], 4)

    def day(self, value: float) -> float:
        """Return a place on the axis in days."""
        return value * UNITS[self.unit][0]

    @property
    def domain(self) -> tuple[float, float]:
        """Both ends in the unit of the axis."""
        return self(self.first * DAYS_PER_MONTH), self(self.last * DAYS_PER_MONTH)

    @property
    def last_day(self) -> float:
        """The right end in days."""
        return self.last * DAYS_PER_MONTH

    def share(self, value: float) -> float:
        """Return a place on the axis as a share of its width."""
        low, high = self.domain
        return (value - low) / (high - low)

    @property
    def step(self) -> float:
        """The distance of two ticks."""
        span = self.last - self.first
        return next(step for longest, step in _STEPS[self.unit] if span <= longest)

    @property
    def ticks(self) -> list[float]:
        """The multiples of the step on the axis."""
        low, high = self.domain
        first, last = math.ceil(low / self.step - 1e-9), math.floor(high / self.step + 1e-9)
        return [self.step * k for k in range(first, last + 1)]


@dataclass(frozen=True)
class _Read:
    """Estimates of one group: its whole curve, and its state on each day the figure asks for.

    `none` is the estimate where nobody had the event yet: 1 for survival, 0 for incidence.
    """

    curve: dict[str, npt.NDArray[Any]]
    days: npt.NDArray[np.float64]
    state: dict[str, npt.NDArray[Any]]
    none: float

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
    axis: _Axis
    height: int
    extent: str
    table: int
    phone_plot: int


def survival_chart(
    result: Curves,
    groups: Sequence[Group],
    *,
    endpoint: str,
    origin: str,
    horizon_months: int,
    first_month: int = 0,
    unit: str = "months",
    landmark_days: int | None = None,
    notes: Sequence[str] = (),
    milestone_days: int = 730,
    height: int = 296,
) -> dict[str, Any]:
    """Draw survival, or cumulative incidence, over the table of patients at risk.

    Parameters
    ----------
    result : Curves
        Estimates by one column, or for all patients; then there is exactly one group.
    groups : sequence of Group
        The curves in drawing order.
    endpoint, origin : str
        Name of the endpoint, and the time origin as it reads after 'Months from'.
    horizon_months, first_month : int
        Ends of the time axis; what lies outside is cut.
    unit : str
        Unit of the time axis: 'months', 'years' or 'days'.
    landmark_days : int, optional
        Day of the landmark. Curves and risk table start at it, the axis still at its own first month.
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
    axis = _Axis(unit, first_month, horizon_months)
    start = max(landmark_days or 0, math.floor(first_month * DAYS_PER_MONTH))
    columns = _columns(axis, start, landmark_days or 0)
    reads = _read(result, groups, [start, milestone_days, *columns, *_days(_grid(axis, start))])
    risk = _risk(reads, axis, columns)
    names = [wrap(group.short, _NAME_WIDTH) for group in groups]
    middles, table = scales.row_middles([len(name) for name in names], top=18, row=20, line=13)
    widest = max((len(row["text"]) for row in risk), default=0)
    titles = (f"{unit.capitalize()} from {origin}", f"{endpoint} (%)")
    labels, looks = zip(*((group.label, group.style) for group in groups), strict=True)
    # The width of a column is data: a template that knew it would be built anew with other counts.
    column = max(38, 7 + math.ceil(4.8 * widest))
    extent, plot = scales.name_extent(names), _PHONE - scales.phone_extent(names)
    shape = _Shape(labels, looks, titles, axis, height, extent, table, plot)
    datasets = {
        **_curve_data(reads, groups, shape, start, milestone_days, notes),
        "landmark": _before(axis, landmark_days or 0),
        "head": [{"text": "At risk (events)"}],
        "names": scales.name_rows(names, middles),
        "risk": [{**row, "y": middles[row.pop("i")], "w": column} for row in risk],
    }
    return {**_template(shape), "datasets": datasets}


def axis_ticks(horizon_months: int, unit: str) -> list[float]:
    """Return the ticks of a time axis from 0 on, in its unit."""
    return _Axis(unit, 0, horizon_months).ticks


def _check(result: Curves, groups: Sequence[Group]) -> None:
    if not groups or len(result.by) > 1 or (not result.by and len(groups) != 1):
        raise ValueError("a figure shows one grouping column, or all patients as one group")


def _before(axis: _Axis, landmark: int) -> Rows:
    """Return the part of the axis that lies before the landmark."""
    (low, high), end = axis.domain, landmark / UNITS[axis.unit][0]
    return [{"t": low, "t2": min(end, high)}] if end > low else []


def _curve_data(
    reads: Sequence[_Read],
    groups: Sequence[Group],
    shape: _Shape,
    start: int,
    milestone_days: int,
    notes: Sequence[str],
) -> dict[str, Rows]:
    span = (shape.axis, start)
    curves = [_steps(read, f"v{i}", *span) for i, read in enumerate(reads)]
    inside = start < milestone_days <= shape.axis.last_day
    milestones = _milestones(reads, groups, shape.axis, milestone_days) if inside else []
    _place_read_outs(milestones, curves, shape)
    placed = _notes(notes, curves, milestones, shape, start)
    return {
        "steps": [row for curve in curves for row in curve],
        "ticks": [row for i, read in enumerate(reads) for row in _ticks(read, f"v{i}", *span)],
        "hover": _hover(reads, *span),
        "rule": _rule(milestones, placed, notes, shape),
        "milestones": milestones,
        "ends": _ends(curves, groups, shape.height),
        "notes": placed,
    }


def _read(result: Curves, groups: Sequence[Group], asked: Sequence[float]) -> list[_Read]:
    """Ask the result once for every day of the figure, and split it by group."""
    value = "incidence" if "incidence" in result.curve else "survival"
    curve = result.curve.rename(columns={value: "estimate"})
    times, estimate = curve["time"].to_numpy(dtype=float), curve["estimate"].to_numpy()
    # No event yet: the limit counts those at risk between two rows, so it is read there.
    none = 0.0 if value == "incidence" else 1.0
    between = ((times[:-1] + times[1:]) / 2)[(estimate[:-1] == none) & (np.diff(times) > 0)]
    days = np.unique(np.concatenate([np.asarray(asked, dtype=float), between]))
    state = result.at(days.tolist()).rename(columns={value: "estimate"})
    return [
        _Read(_arrays(curve, result.by, group), days, _arrays(state, result.by, group), none)
        for group in groups
    ]


def _arrays(frame: pd.DataFrame, by: tuple[str, ...], group: Group) -> dict[str, npt.NDArray[Any]]:
    columns = [name for name in frame.columns if name not in by]
    if not by:
        return {name: frame[name].to_numpy() for name in columns}
    inside = frame[by[0]].astype(str).to_numpy() == group.level
    return {name: frame[name].to_numpy()[inside] for name in columns}


def _steps(read: _Read, alias: str, axis: _Axis, start: int) -> Rows:
    """Corners of one curve in percent, from the start to the end of the axis or the last time."""
    time = read.curve["time"]
    end = min(float(time[-1]), axis.last_day) if len(time) else -1.0
    if end < start:
        return []
    values = np.array([read.curve[name] for name in _ESTIMATE], dtype=float)
    first = np.array([read.at([start])[name][0] for name in _ESTIMATE])
    still = np.flatnonzero(values[0, :-1] == read.none)
    state = read.at((time[still] + time[still + 1]) / 2)
    values[:, still] = [state[name] for name in _ESTIMATE]
    inside = (time > start) & (time <= end)
    t = np.concatenate([[start], time[inside]])
    values = np.column_stack([first, values[:, inside]])
    # Without a change of estimate or limits, only the end of the line needs a corner.
    change = np.ones(len(t), dtype=bool)
    change[1:] = (values[:, 1:] != values[:, :-1]).any(axis=0)
    t, values = np.append(t[change], end), np.column_stack([values[:, change], values[:, -1]])
    rows: Rows = []
    for day, (estimate, low, high) in zip(t.tolist(), (100 * values).T.tolist(), strict=True):
        if not math.isnan(estimate):
            limits = {} if math.isnan(low + high) else {"lo": low, "hi": high}
            rows.append({"g": alias, "t": axis(day), "s": estimate, **limits})
    return rows


def _ticks(read: _Read, alias: str, axis: _Axis, start: int) -> Rows:
    """One row per time at which somebody was last seen without an event."""
    curve = read.curve
    seen = (curve["n_censored"] > 0) & (curve["time"] >= start)
    seen &= (curve["time"] <= axis.last_day) & ~np.isnan(curve["estimate"])
    return [
        {"g": alias, "t": axis(day), "s": 100 * estimate}
        for day, estimate in zip(
            curve["time"][seen].tolist(), curve["estimate"][seen].tolist(), strict=True
        )
    ]


def _milestones(reads: Sequence[_Read], groups: Sequence[Group], axis: _Axis, day: int) -> Rows:
    """Return the rate of each group at the milestone; none past a group's follow-up."""
    rows: Rows = []
    for i, (read, group) in enumerate(zip(reads, groups, strict=True)):
        for estimate, low, high in _estimates(read, [day]):
            if not math.isnan(estimate):
                text = rate_with_interval(estimate, low, high)
                row = {"g": f"v{i}", "t": axis(day), "s": 100 * estimate}
                rows.append({**row, "text": text, "named": f"{group.short} {text}"})
    return rows


def _estimates(read: _Read, days: Sequence[float] | npt.NDArray[Any]) -> list[tuple[float, ...]]:
    state = read.at(days)
    return list(zip(*(state[name].tolist() for name in _ESTIMATE), strict=True))


def _place_read_outs(milestones: Rows, curves: Sequence[Rows], shape: _Shape) -> None:
    """Give each read-out its side of the rule and its distance from the dot in pixels.

    On a phone the read-out carries the group's name and the plot is narrower, so it gets a place
    of its own.
    """
    lines, unit = _lines(curves, shape.axis), 100 / shape.height
    dots = [(shape.axis.share(row["t"]), row["s"]) for row in milestones]
    rates, names = ([row[text] for row in milestones] for text in ("text", "named"))
    for text, plot, side, shift in (
        ("text", _PLOT, "left", "dy"),
        ("named", shape.phone_plot, "phone_left", "phone_dy"),
    ):
        widths = [_text_width(name) / plot for name in names]
        # Names without room on either side: the marks alone tell the groups apart.
        room = all(width <= max(x, 1 - x) for width, (x, _) in zip(widths, dots, strict=True))
        named = room and text == "named"
        if not named:
            widths = [_text_width(rate) / plot for rate in rates]
        places = beside_dots(dots, lines, widths=widths, unit=unit)
        if room and not named and _misleading(milestones, places, unit):
            named, widths = True, [_text_width(name) / plot for name in names]
            places = beside_dots(dots, lines, widths=widths, unit=unit)
        for row, written in zip(milestones, names if named else rates, strict=True):
            row[text] = written
        # With many curves a crowd of read-outs says less than the dots alone.
        crowded = len(dots) > _READ_OUTS and not all(place.clear for place in places)
        for row, place in zip(milestones, places, strict=True):
            row[side], row[shift] = place.left, place.shift
            if crowded:
                row[text] = ""


def _misleading(milestones: Rows, places: Sequence[Beside], unit: float) -> bool:
    """Tell whether a read-out would be taken for that of another curve: it stands beyond its dot."""
    dots = [row["s"] for row in milestones]
    texts = [y - place.shift * unit for y, place in zip(dots, places, strict=True)]
    pairs = sorted(zip(dots, texts, strict=True))
    return any(
        below[1] > above[0] or above[1] < below[0] for below, above in combinations(pairs, 2)
    )


def _lines(curves: Sequence[Rows], axis: _Axis) -> list[list[tuple[float, float]]]:
    return [[(axis.share(row["t"]), row["s"]) for row in curve] for curve in curves]


def _ends(curves: Sequence[Rows], groups: Sequence[Group], height: int) -> Rows:
    """Labels at the right edge, pushed apart so that none touches the next."""
    unit = 100 / height
    rows = [
        {"g": f"v{i}", "s": curve[-1]["s"], "text": "\n".join(_broken(group.label))}
        for i, (curve, group) in enumerate(zip(curves, groups, strict=True))
        if curve
    ]
    lines = max((row["text"].count("\n") + 1 for row in rows), default=1)
    gap = (_LINE * lines + (4 if lines > 1 else 0)) * unit
    places = push_apart([row["s"] for row in rows], gap, gap / 2, 100)
    return [{**row, "y": place} for row, place in zip(rows, places, strict=True)]


def _broken(label: str) -> list[str]:
    """Break a label into lines: the two levels of a crossed group stand one over the other."""
    return [line for part in label.split(" · ") for line in wrap(part, _END_WIDTH)]


def _notes(
    notes: Sequence[str], curves: Sequence[Rows], milestones: Rows, shape: _Shape, start: int
) -> Rows:
    """Lines of the note, placed once for a wide plot and once for a phone's."""
    if not notes:
        return []
    rows: Rows = []
    for phone, plot in ((False, _PLOT), (True, shape.phone_plot)):
        place = free_place(
            _lines(curves, shape.axis),
            [_read_out_box(row, shape, phone) for row in milestones],
            width=min(1, _note_width(notes) / plot),
            height=100 * (17 * len(notes) + 8) / shape.height,
            left=shape.axis.share(shape.axis(start)),
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
            "t": shape.axis.domain[1] if place.right else shape.axis(start),
            "y": top - 100 * (17 * i + 9) / shape.height,
            "dx": -8 if place.right else (5 if start else 10),
            "align": "right" if place.right else "left",
            "text": note,
        }
        for i, note in enumerate(notes)
    ]


def _read_out_box(row: dict[str, Any], shape: _Shape, phone: bool) -> Box:
    text, plot = (row["named"], shape.phone_plot) if phone else (row["text"], _PLOT)
    unit, x, width = 100 / shape.height, shape.axis.share(row["t"]), _text_width(text) / plot
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


def _columns(axis: _Axis, start: int, landmark: int) -> dict[int, float]:
    """Days of the risk table and their place: the landmark, then the ticks of the axis."""
    ticks = axis.ticks
    first = {}
    if landmark and landmark >= start:
        first = {landmark: axis(landmark)}
        ticks = [tick for tick in ticks if tick - axis(landmark) > 0.75 * axis.step]
    return first | {math.floor(axis.day(tick) + 1e-6): round(tick, 4) for tick in ticks}


def _risk(reads: Sequence[_Read], axis: _Axis, columns: dict[int, float]) -> Rows:
    """'51 (0)': at risk just before the tick, and events up to it."""
    rows: Rows = []
    for i, read in enumerate(reads):
        state = read.at(list(columns))
        counts = zip(state["n_risk"].tolist(), state["n_event"].tolist(), strict=True)
        for k, (place, (n_risk, n_event)) in enumerate(zip(columns.values(), counts, strict=False)):
            text = f"{n_risk:.0f} ({n_event:.0f})"
            rows.append({"g": f"v{i}", "i": i, "k": k, "t": place, "text": text})
    return rows


def _grid(axis: _Axis, start: int) -> npt.NDArray[np.float64]:
    """Months the tooltip can read: every quarter, every half beyond four years."""
    step = 0.25 if axis.last - axis.first <= 48 else 0.5
    months = np.arange(axis.first, axis.last + step / 2, step)
    return months[months * DAYS_PER_MONTH >= start]


def _days(months: npt.NDArray[np.float64]) -> list[float]:
    return np.floor(months * DAYS_PER_MONTH).tolist()


def _hover(reads: Sequence[_Read], axis: _Axis, start: int) -> Rows:
    """Write what the tooltip reads of all groups at each place of the rule."""
    months = _grid(axis, start)
    days = _days(months)
    decimals = UNITS[axis.unit][2]
    rows: Rows = [
        {"t": axis(month * DAYS_PER_MONTH), "when": f"{month:g}"}
        if axis.unit == "months"
        else {"t": axis(day), "when": f"{axis(day):.{decimals}f}"}
        for day, month in zip(days, months.tolist(), strict=True)
    ]
    for i, read in enumerate(reads):
        texts = ["no patients"] * len(rows)
        if len(read.curve["time"]):
            texts = [
                (f"{n} at risk" if isinstance(n, Hidden) else "past the last follow-up")
                if math.isnan(estimate[0])
                else f"{rate_with_interval(*estimate)}, {n:.0f} at risk"
                for estimate, n in zip(
                    _estimates(read, days), read.at(days)["n_risk"].tolist(), strict=True
                )
            ]
        for row, text in zip(rows, texts, strict=True):
            row[f"v{i}"] = text
    return rows


@remembered(64)
def _template(shape: _Shape) -> dict[str, Any]:
    """Build the specification without data, which costs a hundred times the binding."""
    return figure(_curve_panel(shape), _risk_panel(shape))


def _x(shape: _Shape, **axis: Any) -> alt.X:
    scale = alt.Scale(domain=list(shape.axis.domain), nice=False, zero=False)
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


def _curve_panel(shape: _Shape) -> Panel:
    x = _x(
        shape,
        values=shape.axis.ticks,
        title=shape.titles[0],
        grid=False,
        tickSize=4,
        labelFlush=False,
        format="d" if shape.axis.step % 1 == 0 else ".2~f",
        titlePadding=3,
    )
    here = f"datum.phone == ({PHONE})"
    return panel(
        *_backdrop(shape, x, on("rule").transform_filter(here)),
        *_curve_layers(shape, x),
        *_text_layers(shape, x, on("notes").transform_filter(here)),
        *_end_layers(shape, on("ends").transform_filter(f"!({PHONE})")),
        _hover_layer(shape, on("hover"), x),
        height=shape.height,
    )


def _backdrop(shape: _Shape, x: alt.X, rule: alt.Chart) -> list[alt.Chart]:
    low, high = shape.axis.domain
    reach = f"abs(datum.t - datum.anchor) * width / {high - low} < datum.reach"
    foot = alt.ExprRef(f"{reach} ? datum.stop : {shape.height}")
    before = on("landmark").transform_calculate(middle="(datum.t + datum.t2) / 2")
    wide = f"(datum.t2 - datum.t) * width / {high - low} > 16"
    middle = alt.X("middle:Q", scale=x["scale"], axis=x["axis"])
    return [
        # Outlined, as no confidence band is.
        before.mark_rect(
            fillOpacity=0.05, stroke="gray", strokeDash=[3, 3], strokeOpacity=0.7
        ).encode(x=x, x2=alt.X2("t2:Q"), y=alt.YDatum(0), y2=alt.Y2Datum(100), color=_GRAY),
        before.mark_text(
            text=alt.ExprRef(f"{wide} ? 'before the landmark' : ''"), angle=270, fontSize=12
        ).encode(x=middle, y=alt.YDatum(50), color=alt.ColorValue(INK)),
        rule.mark_rule(strokeDash=[1.5, 3], strokeWidth=1).encode(
            x=x, y=alt.YValue(0), y2=alt.Y2Value(foot), color=_GRAY
        ),
    ]


def _curve_layers(shape: _Shape, x: alt.X) -> list[alt.Chart]:
    y, color = _y(shape), scales.color(shape.styles)
    band = on("steps").transform_filter("isValid(datum.lo)")
    return [
        band.mark_area(
            opacity=0.13 if len(shape.labels) <= _BANDS else 0.06,
            interpolate="step-after",
            line=False,
        ).encode(x=x, y=_y(shape, "lo"), y2=alt.Y2("hi:Q"), color=color),
        on("steps")
        .mark_line(strokeWidth=2.25, interpolate="step-after")
        .encode(x=x, y=y, color=color, strokeDash=scales.dash(shape.styles)),
        on("ticks")
        .mark_tick(orient="vertical", size=8, thickness=1.25, opacity=1)
        .encode(x=x, y=y, color=color),
        on("milestones")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(x=x, y=y, color=color, shape=scales.mark(shape.styles)),
    ]


def _text_layers(shape: _Shape, x: alt.X, notes: alt.Chart) -> list[alt.Chart]:
    ink, left = alt.ColorValue(INK), f"({PHONE} ? datum.phone_left : datum.left)"
    return [
        on("milestones")
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
    edge = alt.XValue("width")
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
        ).encode(x=edge, y=_y(shape, "y"), color=alt.ColorValue(INK)),
    ]


def _hover_layer(shape: _Shape, chart: alt.Chart, x: alt.X) -> alt.Chart:
    near = alt.selection_point(
        name="near", on="pointerover", clear="pointerout", nearest=True, encodings=["x"]
    )
    tooltip = [alt.Tooltip("when:N", title=shape.axis.unit.capitalize())]
    tooltip += [
        alt.Tooltip(f"v{i}:N", title=key_title(label)) for i, label in enumerate(shape.labels)
    ]
    rule: alt.Chart = chart.mark_rule(strokeWidth=1).encode(
        x=x,
        color=alt.ColorValue(INK),
        opacity=alt.OpacityValue(0, condition={"param": near.name, "empty": False, "value": 0.8}),
        tooltip=tooltip,
    )
    whole = alt.selection_point(name=WHOLE, on="dblclick", clear=False, encodings=["x"])
    return rule.add_params(near, whole, _brush(shape))


def _brush(shape: _Shape) -> alt.Parameter:
    """Drag over a span of time. By mouse only: on a touch screen a drag scrolls the page."""
    return alt.selection_interval(
        name=ZOOM,
        encodings=["x"],
        on="[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!",
        # Without a value the selection fails as soon as the plot is fitted to its column. An empty one
        # covers nothing: what it covers does not answer to the pointer.
        value={"x": [shape.axis.domain[0]] * 2},
        clear=False,
        translate=False,
        zoom=False,
        mark=alt.BrushConfig(fill="gray", fillOpacity=0.2, strokeOpacity=0),
    )


def _risk_panel(shape: _Shape) -> Panel:
    axis = alt.Axis(
        labels=False,
        ticks=False,
        domain=False,
        grid=False,
        title=None,
        **scales.extent(shape.extent),
    )
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, shape.table], reverse=True, nice=False), axis=axis)
    x, ink = _x(shape), alt.ColorValue(INK)
    # The first column stands half outside the plot, so the names end well before it.
    left = f"-{shape.extent}"
    key = f"({PHONE} ? 12 : 16)"
    names = on("names")
    every = f"max(1, ceil(datum.w * {max(1, len(shape.axis.ticks) - 1)} / width))"
    return panel(
        on("head")
        .mark_text(text=alt.ExprRef("datum.text"), align="left", fontWeight=600)
        .encode(x=alt.XValue(alt.ExprRef(left)), y=alt.YValue(7), color=ink),
        names.mark_rule(strokeWidth=2.25).encode(
            x=alt.XValue(alt.ExprRef(left)),
            x2=alt.X2Value(alt.ExprRef(f"{left} + {key}")),
            y=y,
            color=scales.color(shape.styles),
            strokeDash=scales.dash(shape.styles),
        ),
        names.mark_text(**scales.name_text(shape.extent)).encode(
            x=alt.XValue(alt.ExprRef(f"{left} + {key} + 5")), y=y, color=ink
        ),
        on("risk")
        .mark_text(text=alt.ExprRef(f"datum.k % {every} == 0 ? datum.text : ''"))
        .encode(x=x, y=y, color=ink),
        height=shape.table,
    )
