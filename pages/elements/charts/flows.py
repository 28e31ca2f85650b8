"""MRD status from timepoint to timepoint as an alluvial figure whose flows and nodes can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.placement import push_apart
from pages.elements.charts.theme import INK, Rows, style_of
from pages.elements.remembered import remembered

_STATUSES = ("negative", "below LOD", "positive", "indeterminate", "not assessed")
_STYLES = tuple(style_of("mrd_status", status) for status in _STATUSES)
_NODE = 0.07  # width of a node where two timepoints are 1 apart
_SPACE = 0.025  # share of the height between two nodes
_POINTS = 25

FLOW, NODE = "flow", "node"
"""Names of the two selections: a click gives the fields below of what was hit."""

FLOW_FIELDS, NODE_FIELDS = ("step", "start", "end"), ("step", "start")
"""`step` is the place of the (first) timepoint, `start` and `end` are statuses."""

Spans = dict[tuple[str, str], tuple[float, float]]


def alluvial_chart(
    flows: pd.DataFrame, totals: pd.DataFrame, *, timepoints: Sequence[str], height: int = 290
) -> dict[str, Any]:
    """Draw how many patients move from one MRD status to another.

    Parameters
    ----------
    flows : DataFrame
        ``from_timepoint``, ``to_timepoint``, ``from_status``, ``to_status``, ``n`` for
        consecutive timepoints.
    totals : DataFrame
        ``timepoint``, ``status``, ``n``: patients with each status at each timepoint.
    timepoints : sequence of str
        The timepoints in order.
    height : int
        Height of the figure in pixels.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    counts = {
        (str(row["timepoint"]), str(row["status"])): int(row["n"])
        for row in totals.to_dict("records")
        if row["n"]
    }
    spans = _spans(counts, timepoints)
    datasets: dict[str, Rows] = {
        "flows": _bands(flows, spans, counts, timepoints),
        "nodes": _nodes(spans, counts, timepoints, height - 26),
        "heads": [
            {"x": float(k), "text": label[:1].upper() + label[1:]}
            for k, label in enumerate(timepoints)
        ],
    }
    return {**_template(len(timepoints), height), "datasets": datasets}


def _spans(counts: dict[tuple[str, str], int], timepoints: Sequence[str]) -> Spans:
    """Top and bottom of each node, as shares of the height from above."""
    columns = [sum(counts.get((when, status), 0) for status in _STATUSES) for when in timepoints]
    unit = (1 - _SPACE * (len(_STATUSES) - 1)) / max([*columns, 1])
    spans: Spans = {}
    for when in timepoints:
        top = 0.0
        for status in _STATUSES:
            if n := counts.get((when, status), 0):
                spans[when, status] = (top, top + n * unit)
                top += n * unit + _SPACE
    return spans


def _bands(
    flows: pd.DataFrame,
    spans: Spans,
    counts: dict[tuple[str, str], int],
    timepoints: Sequence[str],
) -> Rows:
    """Corners of one curved band per flow, stacked inside the nodes at both ends."""
    out = {key: top for key, (top, _) in spans.items()}
    into = dict(out)
    order = {status: i for i, status in enumerate(_STATUSES)}
    share = np.linspace(0, 1, _POINTS)
    bend = 3 * share**2 - 2 * share**3
    moves = [
        (
            timepoints.index(row["from_timepoint"]),
            str(row["from_status"]),
            str(row["to_status"]),
            int(row["n"]),
        )
        for row in flows.to_dict("records")
        if row["n"]
    ]
    rows: Rows = []
    pale: Rows = []
    for f, (k, start, end, n) in enumerate(
        sorted(moves, key=lambda move: (move[0], order[move[1]], order[move[2]]))
    ):
        a, b = (timepoints[k], start), (timepoints[k + 1], end)
        tall = [n * (spans[key][1] - spans[key][0]) / counts[key] for key in (a, b)]
        x = k + _NODE + (1 - _NODE) * share
        top = out[a] + (into[b] - out[a]) * bend
        bottom = top + tall[0] + (tall[1] - tall[0]) * bend
        out[a], into[b] = out[a] + tall[0], into[b] + tall[1]
        what = {
            "f": f,
            "g": f"v{order[start]}",
            "step": k,
            "start": start,
            "end": end,
            "pale": start == "not assessed",
            "read": f"{_named(start)} → {_named(end)}",
            "n": n,
        }
        points = zip(x.tolist(), top.tolist(), bottom.tolist(), strict=True)
        band = [{**what, "x": x, "y": y, "y2": y2} for x, y, y2 in points]
        (pale if what["pale"] else rows).extend(band)
    # What is drawn last lies on top, and takes the click where two cross.
    return pale + rows


def _nodes(
    spans: Spans, counts: dict[tuple[str, str], int], timepoints: Sequence[str], pixels: int
) -> Rows:
    rows: Rows = []
    for k, when in enumerate(timepoints):
        here = [(key, span) for key, span in spans.items() if key[0] == when]
        middles = [-(top + bottom) / 2 for _, (top, bottom) in here]
        labels = push_apart(middles, 15 / pixels, -1 + 8 / pixels, -8 / pixels)
        for (key, (top, bottom)), label in zip(here, labels, strict=True):
            rows.append(
                {
                    "g": f"v{_STATUSES.index(key[1])}",
                    "step": k,
                    "start": key[1],
                    "read": f"{_named(key[1])} {when}",
                    "n": counts[key],
                    "x": float(k),
                    "x2": k + _NODE,
                    "y": top,
                    "y2": bottom,
                    "label": -label,
                    "text": f"{_named(key[1])} {counts[key]}",
                }
            )
    return rows


def _named(status: str) -> str:
    return status[:1].upper() + status[1:]


@remembered(16)
def _template(n_timepoints: int, height: int) -> dict[str, Any]:
    right = max(n_timepoints - 1, 0) + _NODE
    scale = alt.Scale(domain=[0, right], nice=False, zero=False)
    down = alt.Scale(domain=[0, 1], reverse=True, nice=False)
    color, ink = scales.color(_STYLES), alt.ColorValue(INK)

    def x(field: str = "x") -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=None)

    def y(field: str = "y") -> alt.Y:
        return alt.Y(f"{field}:Q", scale=down, axis=None)

    patients, nodes = alt.Tooltip("n:Q", title="Patients"), on("nodes")
    pale = alt.Scale(domain=[True, False], range=[0.14, 0.38])
    drawn = panel(
        on("flows")
        .mark_area(line=False, cursor="pointer")
        .encode(
            x=x(),
            y=y(),
            y2=alt.Y2("y2:Q"),
            color=color,
            opacity=alt.Opacity("pale:O", scale=pale, legend=None),
            detail=alt.Detail("f:O"),
            tooltip=[alt.Tooltip("read:N", title="From"), patients],
        )
        .add_params(alt.selection_point(name=FLOW, fields=list(FLOW_FIELDS))),
        nodes.mark_rect(opacity=1, cursor="pointer")
        .encode(
            x=x(),
            x2=alt.X2("x2:Q"),
            y=y(),
            y2=alt.Y2("y2:Q"),
            color=color,
            tooltip=[alt.Tooltip("read:N", title="MRD"), patients],
        )
        .add_params(alt.selection_point(name=NODE, fields=list(NODE_FIELDS))),
        nodes.mark_text(
            text=alt.ExprRef("datum.text"), align="left", dx=6, fontSize=12.5, fontWeight=600
        ).encode(x=x("x2"), y=y("label"), color=ink),
        on("heads")
        .mark_text(text=alt.ExprRef("datum.text"), align="left", opacity=0.75)
        .encode(x=x(), y=alt.YValue(-12), color=ink),
        height=height,
    )
    return figure(drawn, fit="fit")
