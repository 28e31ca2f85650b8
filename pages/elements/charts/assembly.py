"""Figures put together from small charts.

Altair's own layering copies every chart several times and validates every part of it each time: nine
tenths of what a figure cost. Here each small chart is written down once, and the tests validate figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Literal

import altair as alt
from altair.utils import schemapi

from pages.elements.charts.theme import chart_config

Panel = dict[str, Any]
"""Layers of one plot as Vega-Lite writes them, and its height."""

schemapi.disable_debug_mode()


def on(name: str) -> alt.Chart:
    """Return a chart without marks on one of the figure's datasets."""
    return alt.Chart(alt.NamedData(name=name))


def panel(*layers: alt.Chart, height: float) -> Panel:
    """Draw charts over each other, the first one undermost."""
    drawn = [layer.to_dict(validate=False, context={"top_level": False}) for layer in layers]
    return {"layer": drawn, "height": height}


def figure(
    *panels: Panel,
    left: int = 0,
    right: int = 4,
    top: int = 4,
    bottom: int = 0,
    fit: Literal["fit", "fit-x"] = "fit-x",
) -> dict[str, Any]:
    """Return the specification of a figure: its panels below each other, without data.

    Parameters
    ----------
    panels : Panel
        Several share the horizontal scale and the colours.
    left, right, top, bottom : int
        Padding in pixels.
    fit : str
        'fit-x' fills the width of the page and keeps the height; 'fit' keeps the whole figure in it.
    """
    names = count()
    selections = [lifted for drawn in panels for lifted in _selections(drawn, names)]
    body = panels[0]
    if len(panels) > 1:
        shared = {"scale": {"x": "shared", "color": "shared"}}
        body = {"vconcat": list(panels), "spacing": 4, "resolve": shared}
    return {
        "$schema": alt.SCHEMA_URL,
        **body,
        **({"params": selections} if selections else {}),
        "autosize": {"type": fit, "contains": "padding"},
        "padding": {"left": left, "right": right, "top": top, "bottom": bottom},
        "config": chart_config(),
    }


def _selections(drawn: Panel, names: Iterator[int]) -> Iterator[dict[str, Any]]:
    """Take the selections out of the layers: Streamlit reads them at the top of a specification."""
    for layer in drawn["layer"]:
        if "params" in layer:
            layer["name"] = f"view_{next(names)}"
            yield from ({**param, "views": [layer["name"]]} for param in layer.pop("params"))
