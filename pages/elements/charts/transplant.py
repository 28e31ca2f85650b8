"""Small figures of the transplant page: curves in a card, ratios on one axis, who was transplanted when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from analytics.suppression import Hidden
from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.placement import beside_dots
from pages.elements.charts.theme import INK, Group, Rows, Style
from pages.elements.remembered import remembered
from pages.elements.wording import DAYS_PER_MONTH, rate_with_interval

if TYPE_CHECKING:
    from analytics.competing import CumulativeIncidence
    from analytics.survival import KaplanMeier

_PLOT = 140  # pixels of plot in a card at 1280; wider screens leave more room
_ABOVE = 1.16  # of the axis: above 100% there is room for a name
_TICKS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_NARROWEST, _WIDEST = (0.3, 3.0), (0.01, 100.0)
_ROW = 34  # pixels of one ratio: its name over its line
_GRAY, _BLACK = Style("gray", "square", (1, 0)), Style("ink", "square", (1, 0))


@dataclass(frozen=True)
class Span:
    """The days between which a curve may be read; both ends are drawn."""

    start: float = 0.0
    end: float = math.inf


def card_curves(
    result: KaplanMeier,
    groups: Sequence[Group],
    *,
    horizon_months: int,
    landmark_days: float = 0,
    spans: Mapping[str, Span] | None = None,
    height: int = 134,
) -> dict[str, Any]:
    """Draw survival curves small: no bands, names at the ends, the time before the landmark gray.

    Parameters
    ----------
    result : KaplanMeier
        Estimates by one column.
    groups : sequence of Group
        The curves in drawing order; `level` is the text of the column's value.
    horizon_months : int
        Right end of the time axis; later data are cut there.
    landmark_days : float
        Day at which curves start, on an axis that starts at 0.
    spans : mapping of level to Span, optional
        Where a curve may be read; the rest of it is not drawn.
    height : int
        Height of the plot in pixels.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    curves = []
    for group in groups:
        rows = result.curve[result.curve[result.by[0]].astype(str) == group.level]
        span = (spans or {}).get(group.level, Span())
        curves.append(_falling(rows, max(landmark_days, span.start), span.end, horizon_months))
    points = [[(t, s) for t, s, _ in curve] for curve in curves]
    seen = [[(t, s) for t, s, censored in curve if censored] for curve in curves]
    return _bound(points, seen, groups, horizon_months, height, landmark_days, _PLOT)


def incidence_curves(
    result: CumulativeIncidence,
    groups: Sequence[Group],
    *,
    origin: str,
    horizon_months: int,
    height: int = 190,
) -> dict[str, Any]:
    """Draw the cumulative incidences of one cohort with their bands.

    Parameters
    ----------
    result : CumulativeIncidence
        Estimates for all patients together.
    groups : sequence of Group
        The causes in drawing order; `level` is the code of the cause.
    origin : str
        Time origin as it reads after 'Months from'.
    horizon_months, height : int
        As for `card_curves`.
    """
    points, bands = [], Rows()
    end = horizon_months * DAYS_PER_MONTH
    for i, group in enumerate(groups):
        rows = result.curve[result.curve["cause"].astype(str) == group.level]
        rows = rows[rows["time"] <= end]
        estimates = list(
            zip(rows["time"], rows["incidence"], rows["low"], rows["high"], strict=True)
        )
        known = [(0.0, 0.0, 0.0, 0.0), *estimates]
        points.append([(_months(t), 100 * f) for t, f, _, _ in known])
        bands += [
            {"g": f"v{i}", "t": _months(t), "lo": 100 * low, "hi": 100 * high}
            for t, f, low, high in known
            if f > 0
        ]
    title = f"Months from {origin}"
    spec = _bound(
        points, [[] for _ in groups], groups, horizon_months, height, 0, 280, title, _top(bands)
    )
    hover = _incidence_hover(result, groups, horizon_months)
    return {**spec, "datasets": {**spec["datasets"], "bands": bands, "hover": hover}}


def ratio_axis(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw hazard ratios with their intervals on one log axis, 34 pixels each.

    Parameters
    ----------
    rows : sequence of mappings
        ``text`` (name and ratio in words), ``value``, ``low``, ``high`` (NaN where there is no finite
        ratio) and ``strong`` (drawn in ink, the others in gray).

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    finite = [row for row in rows if not math.isnan(row["value"])]
    low = min([_NARROWEST[0], *(row["low"] / 1.15 for row in finite)])
    high = max([_NARROWEST[1], *(row["high"] * 1.15 for row in finite)])
    low, high = max(low, _WIDEST[0]), min(high, _WIDEST[1])
    drawn = []
    for i, row in enumerate(rows):
        line: dict[str, Any] = {"y": _ROW * i, "text": row["text"], "g": f"v{int(row['strong'])}"}
        if not math.isnan(row["value"]):
            line |= {name: min(max(row[name], low), high) for name in ("value", "low", "high")}
            line |= {"less": row["low"] < low, "more": row["high"] > high}
            line["outside"] = not low <= row["value"] <= high
        drawn.append(line)
    # Rounded outwards, so that a template serves more than one cohort.
    domain = (
        10 ** (math.floor(20 * math.log10(low)) / 20),
        10 ** (math.ceil(20 * math.log10(high)) / 20),
    )
    return {**_ratio_template(len(rows), domain), "datasets": {"ratios": drawn}}


def _months(days: float) -> float:
    return round(float(days) / DAYS_PER_MONTH, 4)


def _falling(
    rows: pd.DataFrame, start: float, stop: float, horizon: int
) -> list[tuple[float, float, bool]]:
    """Corners of a survival curve from a day on: months, percent, whether somebody was censored."""
    last = float(rows["time"].max()) if len(rows) else start
    end = min(stop, horizon * DAYS_PER_MONTH, last)
    if end <= start:
        return []
    before = rows.loc[rows["time"] <= start, "survival"]
    level = float(before.iloc[-1]) if len(before) else 1.0
    corners = [(_months(start), 100 * level, False)]
    # At the day on which a curve stops to be readable it has already fallen to what must not be read.
    inside = rows[(rows["time"] > start) & (rows["time"] <= end) & (rows["time"] < stop)]
    for row in inside.itertuples(index=False):
        level = float(row.survival)
        corners.append((_months(row.time), 100 * level, bool(row.n_censored)))
    return [*corners, (_months(end), 100 * level, False)]


def _incidence_hover(result: CumulativeIncidence, groups: Sequence[Group], horizon: int) -> Rows:
    months = list(range(horizon + 1))
    at = result.at([math.floor(month * DAYS_PER_MONTH) for month in months])
    rows: Rows = [{"t": float(month), "month": str(month)} for month in months]
    for i, group in enumerate(groups):
        own = at[at["cause"].astype(str) == group.level]
        for row, line in zip(rows, own.itertuples(index=False), strict=True):
            row[f"v{i}"] = (
                (
                    f"{line.n_risk} at risk"
                    if isinstance(line.n_risk, Hidden)
                    else "past the last follow-up"
                )
                if math.isnan(line.incidence)
                else rate_with_interval(line.incidence, line.low, line.high)
            )
    return rows


def _top(bands: Rows) -> int:
    """Return the end of the axis in percent: half of it where no limit reaches further."""
    return 50 if max((row["hi"] for row in bands), default=100) < 50 else 100


def _bound(
    points: Sequence[list[tuple[float, float]]],
    seen: Sequence[list[tuple[float, float]]],
    groups: Sequence[Group],
    horizon: int,
    height: int,
    landmark: float,
    plot: int,
    title: str = "",
    top: int = 100,
) -> dict[str, Any]:
    styles, labels = tuple(g.style for g in groups), tuple(g.label for g in groups)
    datasets: dict[str, Rows] = {
        "steps": [
            {"g": f"v{i}", "t": t, "s": s} for i, curve in enumerate(points) for t, s in curve
        ],
        "ticks": [{"g": f"v{i}", "t": t, "s": s} for i, curve in enumerate(seen) for t, s in curve],
        "ends": _ends(points, groups, horizon, height, plot, top),
        "landmark": [{"t": 0.0, "t2": _months(landmark)}] if landmark else [],
    }
    return {**_template(styles, labels, horizon, height, title, top), "datasets": datasets}


def _ends(
    points: Sequence[list[tuple[float, float]]],
    groups: Sequence[Group],
    horizon: int,
    height: int,
    plot: int,
    top: int,
) -> Rows:
    """Names left of the ends of the curves, where they meet no curve."""
    drawn, whole = [(i, curve) for i, curve in enumerate(points) if curve], _ABOVE * top
    ends = [(curve[-1][0] / horizon, 100 * curve[-1][1] / whole) for _, curve in drawn]
    widths = [(6.4 * len(groups[i].label) + 4) / plot for i, _ in drawn]
    lines = [[(t / horizon, 100 * s / whole) for t, s in curve] for _, curve in drawn]
    places = beside_dots(ends, lines, widths=widths, unit=100 / height)
    return [
        {
            "g": f"v{i}",
            "t": curve[-1][0],
            "s": curve[-1][1],
            "text": groups[i].label,
            "left": place.left,
            "dy": place.shift,
        }
        for (i, curve), place in zip(drawn, places, strict=True)
    ]


@remembered(32)
def _template(
    styles: tuple[Style, ...],
    labels: tuple[str, ...],
    horizon: int,
    height: int,
    title: str,
    top: int,
) -> dict[str, Any]:
    """Build the specification; a title makes it the larger figure, with bands and hover."""
    x = _x(horizon, title)
    drawn = panel(
        on("landmark")
        .mark_rect(opacity=0.13)
        .encode(
            x=x,
            x2=alt.X2("t2:Q"),
            y=alt.YDatum(0),
            y2=alt.Y2Datum(top),
            color=alt.ColorValue("gray"),
        ),
        *_lines(styles, x, top, bands=bool(title)),
        *_names(styles, x, top),
        *([_hover(labels, x)] if title else []),
        height=height,
    )
    return figure(drawn, right=6, bottom=4)


def _x(horizon: int, title: str) -> alt.X:
    step = 12 if horizon <= 60 else 24
    axis = alt.Axis(
        values=list(range(0, horizon + 1, step)),
        title=title or "Months",
        grid=False,
        tickSize=4,
        labelFlush=False,
        format="d",
        titlePadding=3,
    )
    return alt.X("t:Q", scale=alt.Scale(domain=[0, horizon], nice=False, zero=False), axis=axis)


def _y(top: int, field: str = "s") -> alt.Y:
    axis = alt.Axis(
        values=[0, top // 2, top], title=None, domain=False, ticks=False, labelPadding=4,
        labelExpr="datum.label + '%'", minExtent=34, maxExtent=34,
    )  # fmt: skip
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[0, _ABOVE * top], nice=False), axis=axis)


def _lines(styles: tuple[Style, ...], x: alt.X, top: int, *, bands: bool) -> list[alt.Chart]:
    color = scales.color(styles)
    line = on("steps").mark_line(strokeWidth=2, interpolate="step-after")
    ticks = on("ticks").mark_tick(orient="vertical", size=7, thickness=1, opacity=1)
    band = on("bands").mark_area(opacity=0.13, interpolate="step-after", line=False)
    return [
        *([band.encode(x=x, y=_y(top, "lo"), y2=alt.Y2("hi:Q"), color=color)] if bands else []),
        line.encode(x=x, y=_y(top), color=color, strokeDash=scales.dash(styles)),
        ticks.encode(x=x, y=_y(top), color=color),
    ]


def _names(styles: tuple[Style, ...], x: alt.X, top: int) -> list[alt.Chart]:
    mark = on("ends").mark_point(filled=True, size=46, opacity=1)
    text = on("ends").mark_text(
        text=alt.ExprRef("datum.text"),
        align=alt.ExprRef("datum.left ? 'right' : 'left'"),
        dx=alt.ExprRef("datum.left ? 4 : -4"),
        dy=alt.ExprRef("datum.dy"),
        fontWeight=600,
    )
    return [
        mark.encode(x=x, y=_y(top), color=scales.color(styles), shape=scales.mark(styles)),
        text.encode(x=x, y=_y(top), color=alt.ColorValue(INK)),
    ]


def _hover(labels: tuple[str, ...], x: alt.X) -> alt.Chart:
    near = alt.selection_point(
        name="near", on="pointerover", clear="pointerout", nearest=True, encodings=["x"]
    )
    tooltip = [alt.Tooltip("month:N", title="Months")]
    tooltip += [alt.Tooltip(f"v{i}:N", title=label) for i, label in enumerate(labels)]
    rule: alt.Chart = (
        on("hover")
        .mark_rule(strokeWidth=1)
        .encode(
            x=x,
            color=alt.ColorValue(INK),
            opacity=alt.OpacityValue(
                0, condition={"param": near.name, "empty": False, "value": 0.8}
            ),
            tooltip=tooltip,
        )
    )
    return rule.add_params(near)


@remembered(32)
def _ratio_template(n: int, domain: tuple[float, float]) -> dict[str, Any]:
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    axis = alt.Axis(
        values=[tick for tick in _TICKS if domain[0] <= tick <= domain[1]],
        format="~g", title="Hazard ratio (log scale)", grid=False, tickSize=4, labelFlush=False,
        titlePadding=3, labelOverlap=False,
    )  # fmt: skip
    height = _ROW * n + 4
    down = alt.Scale(domain=[0, height], reverse=True, nice=False)

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    def at(shift: int) -> alt.Y:
        return alt.Y(f"y{shift}:Q", scale=down, axis=None)

    ratios = on("ratios").transform_calculate(
        y8="datum.y + 8", y16="datum.y + 16", y24="datum.y + 24", y34="datum.y + 34"
    )
    finite = ratios.transform_filter("isValid(datum.value)")
    color, ink = scales.color((_GRAY, _BLACK)), alt.ColorValue(INK)
    drawn = panel(
        # In pieces, so that it strikes through no name.
        ratios.mark_rule(strokeWidth=1).encode(
            x=alt.XDatum(1, scale=scale, axis=axis), y=at(16), y2=alt.Y2("y34:Q"),
            color=alt.ColorValue("gray"),
        ),
        finite.mark_rule(strokeWidth=2).encode(
            x=x("low"), x2=alt.X2("high:Q"), y=at(24), color=color
        ),
        *(
            finite.transform_filter(f"datum.{clipped}")
            .mark_point(filled=True, size=50, opacity=1, shape="triangle", angle=angle)
            .encode(x=x(field), y=at(24), color=color)
            for clipped, field, angle in (("less", "low", 270), ("more", "high", 90))
        ),
        finite.transform_filter("!datum.outside")
        .mark_point(filled=True, size=70, opacity=1, shape="square")
        .encode(x=x("value"), y=at(24), color=color),
        ratios.mark_text(text=alt.ExprRef("datum.text"), align="left", baseline="middle")
        .encode(x=alt.XValue(0), y=at(8), color=ink),
        height=height,
    )  # fmt: skip
    return figure(drawn, left=2, right=6, bottom=4)
