"""Swimmer plot: one lane per patient, from remission to the last follow-up."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, Rows, Style, key, style_of
from pages.elements.remembered import remembered
from pages.elements.wording import DAYS_PER_MONTH

LANE = 8.5
"""Pixels from one lane to the next."""

_STATUSES = ("negative", "positive", "below LOD", "indeterminate", "not assessed")
LOOKS: dict[str, Style] = {
    "before": style_of("allosct", "no"),
    "allosct": style_of("allosct", "yes"),
    "car_t": style_of("car_t", "yes"),
    **{status: style_of("mrd_status", status) for status in _STATUSES},
    "relapse": Style("red", "x", (6, 3)),
    "death": Style("ink", "square", (1, 0)),
    "followed": Style("gray", "triangle-right", (1, 0)),
}
"""How each thing in a lane is drawn: a bar, a stroke or a mark."""

_ALIAS = {kind: f"v{i}" for i, kind in enumerate(LOOKS)}
_TALL = 5.0
_BAR = "M-1.6,-.35H1.6V.35H-1.6Z"
_STROKE = f"M-1.6,-1H-1V1H-1.6Z{_BAR}"
_KEY = {
    "before": ("before", _BAR),
    "allosct": ("alloSCT and after", _STROKE),
    "car_t": ("CAR T cells and after", _STROKE),
    "negative": ("MRD negative", ""),
    "positive": ("MRD positive", ""),
    "below LOD": ("below LOD", ""),
    "indeterminate": ("indeterminate", ""),
    "not assessed": ("not assessed", ""),
    "relapse": ("relapse", ""),
    "death": ("death", ""),
    "followed": ("still followed", ""),
}
"""What each thing is called in the key, and its shape there if that is not its mark."""
_SIZES = {"relapse": 46, "death": 30, "followed": 34}


def swimmer_chart(lanes: pd.DataFrame, samples: pd.DataFrame, *, origin: str) -> dict[str, Any]:
    """Draw one lane per patient.

    Parameters
    ----------
    lanes : DataFrame
        One row per patient in drawing order: ``end``, ``allosct``, ``car_t``, ``relapse``, ``death``
        (days from the origin; NaN where there is none) and ``text`` (what the tooltip says).
    samples : DataFrame
        One row per sample: ``lane`` (position in `lanes`, from 0), ``day``, ``status``, ``text``.
    origin : str
        Time origin as it reads after 'Months from'.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    datasets: dict[str, Rows] = {"bars": [], "strokes": [], "marks": []}
    texts = lanes["text"].tolist()
    for i, row in enumerate(lanes.to_dict("records")):
        changes = sorted(
            (float(row[kind]), kind) for kind in ("allosct", "car_t") if not math.isnan(row[kind])
        )
        edges = [(0.0, "before"), *changes, (float(row["end"]), "")]
        for (start, kind), (end, _) in pairwise(edges):
            if end > start:
                datasets["bars"].append({**_at(i, kind, start, texts[i]), "t2": _months(end)})
        datasets["strokes"] += [_at(i, kind, day, texts[i]) for day, kind in changes]
        ends = {"relapse": row["relapse"], "death": row["death"]}
        if math.isnan(row["death"]):
            ends["followed"] = row["end"]
        datasets["marks"] += [
            _at(i, kind, day, texts[i]) for kind, day in ends.items() if not math.isnan(day)
        ]
    datasets["marks"] = [
        _at(int(row["lane"]), str(row["status"]), float(row["day"]), str(row["text"]))
        for row in samples.to_dict("records")
    ] + datasets["marks"]
    longest = max([12.0, *(_months(end) for end in lanes["end"])])
    first = min([0.0, *(_months(day) for day in samples["day"])])
    horizon, low = 6 * math.ceil(longest / 6), math.floor(first)
    datasets["heads"] = [{"t": month} for month in _columns(horizon)]
    height = math.ceil(LANE * max(len(lanes), 1))
    template = _template(horizon, low, height, f"Months from {origin}")
    return {**template, **_key(datasets), "datasets": datasets}


def _key(datasets: dict[str, Rows]) -> dict[str, Any]:
    drawn = {row["g"] for name in ("bars", "strokes", "marks") for row in datasets[name]}
    return key(
        [
            (text, replace(LOOKS[kind], shape=shape or LOOKS[kind].shape))
            for kind, (text, shape) in _KEY.items()
            if _ALIAS[kind] in drawn
        ]
    )


def _months(days: float) -> float:
    return round(float(days) / DAYS_PER_MONTH, 3)


def _at(lane: int, kind: str, day: float, text: str) -> dict[str, Any]:
    return {
        "g": _ALIAS[kind],
        "y": LANE * (lane + 0.5),
        "t": _months(day),
        "size": _SIZES.get(kind, 26),
        "text": text,
    }


def _columns(horizon: int) -> list[int]:
    step = 6 if horizon <= 72 else 12
    return list(range(0, horizon + 1, step))


@remembered(16)
def _template(horizon: int, low: int, height: int, title: str) -> dict[str, Any]:
    axis = alt.Axis(
        values=_columns(horizon), title=title, grid=True, tickSize=4, labelFlush=False, format="d",
        titlePadding=3, labelOverlap=True,
    )  # fmt: skip
    scale = alt.Scale(domain=[low, horizon], nice=False, zero=False)
    x = alt.X("t:Q", scale=scale, axis=axis)
    down = alt.Scale(domain=[0, height], reverse=True, nice=False)
    y = alt.Y("y:Q", scale=down, axis=None)
    styles = tuple(LOOKS.values())
    color, tooltip = scales.color(styles), [alt.Tooltip("text:N", title="\u200b")]
    drawn = panel(
        on("bars")
        .mark_bar(height=_TALL, opacity=0.36, orient="horizontal")
        .encode(x=x, x2=alt.X2("t2:Q"), y=y, color=color, tooltip=tooltip),
        on("strokes")
        .mark_tick(orient="vertical", size=LANE, thickness=3, opacity=1)
        .encode(x=x, y=y, color=color, tooltip=tooltip),
        on("marks")
        .mark_point(filled=True, opacity=1)
        .encode(
            x=x, y=y, color=color, shape=scales.mark(styles), tooltip=tooltip,
            size=alt.Size("size:Q", scale=None, legend=None),
        ),
        on("heads")
        .mark_text(text=alt.ExprRef("format(datum.t, 'd')"), opacity=0.85)
        .encode(x=x, y=alt.YValue(-10), color=alt.ColorValue(INK)),
        height=height,
    )  # fmt: skip
    return figure(drawn, left=2, right=8, bottom=4)
