"""The course of one patient: MRD samples over lanes of outcome and treatment, on one time axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, Rows, Style, key, style_of
from pages.elements.remembered import remembered
from pages.elements.wording import DAYS_PER_MONTH, fraction, months

_LEVELS = 150  # pixels of the panel of MRD levels
_COURSE = 46  # of the lane of remission, relapse, death
_LANE = 22  # of a lane of treatment
_EXTENT = 104  # left of the plot
_SHORT = 4  # days below which a course is a mark: a bar would not be seen
_SOLID = (1, 0)
_RULED = ("alloSCT", "CAR-T", "relapse")
_LANES = (
    "induction", "consolidation", "blinatumomab", "inotuzumab", "TKI", "maintenance", "CAR-T",
    "alloSCT", "autoSCT",
)  # fmt: skip
_STATUSES = ("negative", "positive", "below LOD", "indeterminate")
_LOOKS: Mapping[str, Style] = {
    **{status: style_of("mrd_best", status) for status in _STATUSES},
    "not used": Style("gray", "cross", _SOLID),
    "alloSCT": style_of("allosct", "yes"),
    "CAR-T": style_of("car_t", "yes"),
    "remission": Style("ink", "circle", _SOLID),
    "relapse": Style("red", "x", _SOLID),
    "death": Style("ink", "square", _SOLID),
    "last seen": Style("gray", "triangle-right", _SOLID),
    "other": Style("gray", "square", _SOLID),
}
"""How each thing is drawn: a status as everywhere, treatments quietly but for the cellular ones."""
_ALIAS = {name: f"v{i}" for i, name in enumerate(_LOOKS)}
_NAMES = {"remission": "Remission", "relapse": "Relapse", "death": "Died", "last seen": "Last seen"}


@dataclass(frozen=True)
class _Shape:
    first: float
    last: float
    step: int
    height: int
    x_title: str


def timeline_chart(story: pd.DataFrame, *, origin: str) -> dict[str, Any]:
    """Draw the dated rows of a patient's story.

    Parameters
    ----------
    story : DataFrame
        ``day``, ``end_day``, ``kind``, ``name``, ``level``, ``limit``, ``text``. Undated rows and
        samples without a place on the axis are left out; `not_drawn` counts them.
    origin : str
        Time origin, as it reads after 'Months from'.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    drawn = story[story["day"].notna() & ~_without_place(story)]
    samples = drawn[drawn["kind"] == "sample"]
    given = drawn[drawn["kind"] == "treatment"]
    lanes = [kind for kind in _LANES if (given["name"] == kind).any()]
    top = _LEVELS + 14 if len(samples) else 0
    base = top + _COURSE
    place = {kind: base + _LANE * i + _LANE / 2 for i, kind in enumerate(lanes)}
    end = max([30.0, *drawn["day"], *drawn["end_day"].dropna()]) / DAYS_PER_MONTH
    shape = _Shape(
        first=round(min([0.0, *drawn["day"]]) / DAYS_PER_MONTH - 0.01 * end, 3),
        last=round(1.02 * end, 3),
        step=next((step for step in (1, 2, 3, 6, 12, 24) if end / step <= 10), 60),
        height=base + _LANE * len(lanes) + 4,
        x_title=f"Months from {origin}",
    )
    axis = _levels(samples)
    long = (given["end_day"] - given["day"] >= _SHORT) & ~given["name"].isin(_RULED)
    outcomes = drawn[~drawn["kind"].isin(("sample", "treatment"))]
    datasets = {
        "bars": [_bar(row, place) for row in _rows(given[long])],
        "marks": [
            *(_mark(row, row["name"], place[row["name"]]) for row in _rows(given[~long])),
            # A relapse on the last day known lies on top.
            *(_mark(row, row["kind"], top + _COURSE / 2)
              for row in _rows(outcomes.sort_values("kind", key=lambda kind: kind == "relapse"))),
            *(_mark(row, row["name"], axis.at(row["level"] or row["limit"]))
              for row in _rows(samples)),
        ],
        "rules": [_mark(row, row["name"], 0) for row in _rows(drawn[drawn["name"].isin(_RULED)])],
        "grid": axis.grid(shape) + _limits(samples, axis, shape),
        "names": [
            *([{"y": _LEVELS / 2, "text": "MRD"}] if top else []),
            {"y": top + _COURSE / 2, "text": "Course"},
            *({"y": place[k], "text": k[:1].upper() + k[1:]} for k in lanes),
        ],
    }  # fmt: skip
    return {**_template(shape), **_key(datasets["marks"]), "datasets": datasets}


def _key(marks: Rows) -> dict[str, Any]:
    texts = {
        **{status: f"MRD {status}" for status in _STATUSES},
        "not used": "other sample",
        **_NAMES,
    }
    drawn = {mark["g"] for mark in marks}
    return key(
        [(texts.get(name, name), look) for name, look in _LOOKS.items() if _ALIAS[name] in drawn]
    )


def not_drawn(story: pd.DataFrame) -> int:
    """Return how many rows of a story have no place in the figure."""
    return int((story["day"].isna() | _without_place(story)).sum())


def _without_place(story: pd.DataFrame) -> pd.Series[bool]:
    """Tell of each row whether it is a sample without level, or with nothing found and no limit."""
    height = story["level"].where(story["level"] > 0, story["limit"])
    known = story["level"].notna() & (height > 0)
    return (story["kind"] == "sample") & ~known


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


@dataclass(frozen=True)
class _Axis:
    """The panel of levels: decades from `low` to `high` over its pixels."""

    low: int
    high: int

    def at(self, level: float) -> float:
        share = (math.log10(level) - self.low) / (self.high - self.low)
        return round(_LEVELS - share * (_LEVELS - 12), 1)

    def grid(self, shape: _Shape) -> Rows:
        step = 1 if self.high - self.low <= 6 else 2
        return [
            {"x": shape.first, "x2": shape.last, "y": self.at(10.0**e), "limit": False,
             "text": fraction(10.0**e)}
            for e in range(self.low, self.high + 1, step)
        ] if self.high > self.low else []  # fmt: skip


def _levels(samples: pd.DataFrame) -> _Axis:
    places = samples["level"].where(samples["level"] > 0, samples["limit"])
    if places.empty:
        return _Axis(0, 0)
    low = math.floor(math.log10(places.min()) + 1e-9)
    return _Axis(low, max(math.ceil(math.log10(places.max())), low + 3))


def _limits(samples: pd.DataFrame, axis: _Axis, shape: _Shape) -> Rows:
    """Return a dashed line per limit of detection at which nothing was found."""
    limits = sorted(set(samples.loc[samples["level"] == 0, "limit"]))
    return [
        {"x": shape.first, "x2": shape.last, "y": axis.at(limit), "limit": True,
         "text": f"limit of detection {fraction(limit)}"}
        for limit in limits
    ]  # fmt: skip


def _bar(row: Mapping[str, Any], place: Mapping[str, float]) -> dict[str, Any]:
    return {
        "g": _alias(row["name"]), "x": row["day"] / DAYS_PER_MONTH, "x2": row["end_day"] / DAYS_PER_MONTH,
        "y": place[row["name"]], "what": row["text"],
        "when": f"{_day(row['day'])} to {_day(row['end_day'])}",
    }  # fmt: skip


def _mark(row: Mapping[str, Any], look: str, y: float) -> dict[str, Any]:
    return {
        "g": _alias(look), "x": row["day"] / DAYS_PER_MONTH, "y": y, "what": row["text"],
        "when": _day(row["day"]), "open": look == "remission" or row["level"] == 0,
        "label": _NAMES.get(look, ""), "below": look == "relapse",
        "last": look in ("death", "last seen"),
    }  # fmt: skip


def _alias(name: str) -> str:
    return _ALIAS.get(name, _ALIAS["other"])


def _day(day: float) -> str:
    return f"day {day:.0f} ({months(day, 1)} mo)".replace("-", "−")


@remembered(64)
def _template(shape: _Shape) -> dict[str, Any]:
    ticks = list(range(0, math.floor(shape.last) + 1, shape.step))
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[shape.first, shape.last], nice=False, zero=False),
        axis=alt.Axis(values=ticks, title=shape.x_title, grid=False, tickSize=4, titlePadding=3,
                      labelFlush=False),
    )  # fmt: skip
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[0, shape.height], reverse=True, nice=False, padding=0),
        axis=alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=None,
                      minExtent=_EXTENT, maxExtent=_EXTENT),
    )  # fmt: skip
    looks = list(_LOOKS.values())
    color, shapes = scales.color(looks), scales.mark(looks)
    tip = [alt.Tooltip("what:N", title="What"), alt.Tooltip("when:N", title="When")]
    bars = on("bars")
    marks = on("marks")
    drawn = panel(
        *_grid(on("grid"), x, y),
        on("rules")
        .mark_rule(strokeDash=[3, 3], opacity=0.7)
        .encode(x=x, y=alt.YValue(0), y2=alt.Y2Value("height"), color=color),
        bars.mark_bar(height=12, opacity=0.6, cornerRadius=1).encode(
            x=x, x2=alt.X2("x2:Q"), y=y, color=color, tooltip=tip
        ),
        marks.transform_filter("!datum.open")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(x=x, y=y, color=color, shape=shapes, tooltip=tip),
        marks.transform_filter("datum.open")
        .mark_point(filled=False, size=70, strokeWidth=1.75, opacity=1)
        .encode(x=x, y=y, color=color, shape=shapes, tooltip=tip),
        *_texts(marks.transform_filter("datum.label"), x, y),
        height=shape.height,
    )
    return figure(drawn, right=10, bottom=2)


def _texts(marks: alt.Chart, x: alt.X, y: alt.Y) -> Sequence[alt.Chart]:
    """Write what an outcome is: relapse below its mark, the last one to its left, others above."""
    text, ink = alt.ExprRef("datum.label"), alt.ColorValue(INK)
    names = on("names")
    places = (
        ("datum.below", {"dy": 15, "align": "center"}),
        ("datum.last", {"dy": -14, "align": "right", "dx": 5}),
        ("!datum.below && !datum.last", {"dy": -14, "align": "left", "dx": -5}),
    )
    return (
        *(
            marks.transform_filter(where)
            .mark_text(text=text, baseline="middle", **how)
            .encode(x=x, y=y, color=ink)
            for where, how in places
        ),
        names.mark_text(
            text=alt.ExprRef("datum.text"), align="left", baseline="middle"
        ).encode(x=alt.XValue(-_EXTENT), y=y, color=ink),
    )  # fmt: skip


def _grid(grid: alt.Chart, x: alt.X, y: alt.Y) -> Sequence[alt.Chart]:
    """Draw the decades of the MRD levels as hairlines, the limits of detection dashed."""
    decades, limits = (grid.transform_filter(f"datum.limit == {b}") for b in ("false", "true"))
    text, ink = alt.ExprRef("datum.text"), alt.ColorValue(INK)
    return (
        decades.mark_rule(opacity=0.2).encode(
            x=x, x2=alt.X2("x2:Q"), y=y, color=alt.ColorValue("gray")
        ),
        decades.mark_text(text=text, align="right", baseline="middle", opacity=0.85).encode(
            x=alt.XValue(-6), y=y, color=ink
        ),
        limits.mark_rule(strokeDash=[4, 3], opacity=0.6).encode(
            x=x, x2=alt.X2("x2:Q"), y=y, color=ink
        ),
        limits.mark_text(text=text, align="right", dy=9, opacity=0.75, fontSize=11).encode(
            x=alt.XValue("width"), y=y, color=ink
        ),
    )
