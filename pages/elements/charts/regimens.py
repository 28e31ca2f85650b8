"""Published regimens: MRD negativity against overall survival, one bubble each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from pages.elements.charts import scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.placement import Box
from pages.elements.charts.theme import INK, Rows, Style, key, styles
from pages.elements.remembered import remembered

_HEIGHT = 420
_TOP = 106.0  # percent: a bubble at 100 stays inside
_RIGHT = 102.0
_AREA = 1400.0  # square pixels of the largest bubble
_CHARACTER = 5.8  # pixels
# Widths of the plot that labels are placed for; each serves up to the next.
_WIDTHS = (250, 300, 420, 640, 800, 1000, 1250)


def setting_styles(rows: Sequence[Mapping[str, Any]]) -> dict[str, Style]:
    """Look of each setting in the order of the rows, for the figure and for its key."""
    settings = list(dict.fromkeys(str(row["setting"]) for row in rows))
    return dict(zip(settings, styles("setting", settings), strict=True))


def regimen_chart(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw regimens as bubbles; those without MRD negativity or survival are left out.

    Parameters
    ----------
    rows : sequence of mappings
        As in the table of regimens: ``setting``, ``regimen``, ``agent``, ``n``,
        ``mrd_negativity_percent``, ``mrd_method``, ``os_percent`` and ``os_years``. A number that
        is not reported is None, NaN or an empty text.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``; ``dots`` are the regimens drawn.
    """
    looks = setting_styles(rows)
    dots = [
        dot
        for row in rows
        if (dot := _dot(row, list(looks).index(str(row["setting"])))) is not None
    ]
    # The largest first: a small bubble stays on top and can be pointed at.
    dots.sort(key=lambda dot: -dot["n"])
    low = 10 * math.floor(min((dot["x"] for dot in dots), default=50) / 10 - 0.2)
    low, largest = max(low, 0), max((dot["n"] for dot in dots), default=1)
    datasets: dict[str, Rows] = {"dots": dots, "labels": _labels(dots, low, largest)}
    template = _template(tuple(looks.values()), low, largest)
    return {**template, **key(list(looks.items())), "datasets": datasets}


def _number(value: Any) -> float | None:
    if value is None or value == "" or math.isnan(float(value)):
        return None
    return float(value)


def _dot(row: Mapping[str, Any], setting: int) -> dict[str, Any] | None:
    mrd, survival, n = (
        _number(row[name]) for name in ("mrd_negativity_percent", "os_percent", "n")
    )
    if mrd is None or survival is None or n is None:
        return None
    years = _number(row["os_years"])
    when = "" if years is None else f" at {years:g} year{'' if years == 1 else 's'}"
    short = "" if years is None else f", {years:g} y"
    return {
        "g": f"v{setting}",
        "x": mrd,
        "y": survival,
        "n": int(n),
        "label": f"{row['regimen']}{short}",
        "regimen": str(row["regimen"]),
        "setting": str(row["setting"]),
        "agent": str(row["agent"]),
        "mrd": f"{mrd:.4g}% ({row['mrd_method']})",
        "os": f"{survival:.4g}%{when}",
    }


def _labels(dots: Sequence[dict[str, Any]], low: int, largest: int) -> Rows:
    """Labels that meet nothing, placed anew for each width of the plot."""
    rows: Rows = []
    for start, end in pairwise([*_WIDTHS, 100_000]):
        rows += [
            {**label, "start": start, "end": end} for label in _place(dots, low, largest, start)
        ]
    return rows


def _place(dots: Sequence[dict[str, Any]], low: int, largest: int, width: int) -> Rows:
    """Give each label the first free side of its bubble; without one it is left out."""
    middles = [
        (width * (dot["x"] - low) / (_RIGHT - low), _HEIGHT * dot["y"] / _TOP) for dot in dots
    ]
    radii = [math.sqrt(_AREA * dot["n"] / largest) / 2 + 1 for dot in dots]
    taken = [Box(x - r, y - r, x + r, y + r) for (x, y), r in zip(middles, radii, strict=True)]
    labels: Rows = []
    for dot, (x, y), radius in zip(dots, middles, radii, strict=True):
        length = _CHARACTER * len(dot["label"])
        for align, dx, dy in _offers(radius):
            left = x + dx - {"left": 0.0, "center": length / 2, "right": length}[align]
            box = Box(left, y - dy - 8, left + length, y - dy + 8)
            inside = box.left >= 0 and box.right <= width and 0 <= box.bottom < box.top <= _HEIGHT
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                place = {"align": align, "dx": dx, "dy": dy}
                labels.append({"x": dot["x"], "y": dot["y"], "text": dot["label"], **place})
                break
    return labels


def _offers(radius: float) -> list[tuple[str, float, float]]:
    """Alignment and shift of a label beside a bubble, the best first."""
    side, far = radius + 4, radius + 10
    near = 0.7 * radius + 4
    return [
        ("left", side, 0),
        ("right", -side, 0),
        ("center", 0, -far),
        ("center", 0, far),
        *(
            (align, sign * near, lift * (near + 3))
            for lift in (-1, 1)
            for align, sign in (("left", 1), ("right", -1))
        ),
    ]


def _meet(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.bottom < b.top and b.bottom < a.top


@remembered(16)
def _template(looks: tuple[Style, ...], low: int, largest: int) -> dict[str, Any]:
    dots, color, mark = (
        on("dots"),
        scales.color(looks),
        scales.mark(looks),
    )
    look = {
        "domain": False,
        "ticks": False,
        "grid": True,
        "labelPadding": 6,
        "labelFlush": False,
        "titlePadding": 8,
    }
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[low, _RIGHT], nice=False, zero=False),
        axis=alt.Axis(title="MRD-negative (%)", values=list(range(low, 101, 10)), **look),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[0, _TOP], nice=False),
        axis=alt.Axis(title="Overall survival (%)", values=list(range(0, 101, 20)), **look),
    )
    size = alt.Size(
        "n:Q", scale=alt.Scale(domain=[0, largest], range=[0, _AREA], nice=False), legend=None
    )
    tooltip = [
        alt.Tooltip("regimen:N", title="Regimen"),
        alt.Tooltip("setting:N", title="Setting"),
        alt.Tooltip("agent:N", title="Agent"),
        alt.Tooltip("n:Q", title="Patients", format=",d"),
        alt.Tooltip("mrd:N", title="MRD-negative"),
        alt.Tooltip("os:N", title="Overall survival"),
    ]
    place = {"x": x, "y": y, "color": color, "shape": mark, "size": size, "tooltip": tooltip}
    drawn = panel(
        # Pale inside and firm outside: bubbles that overlap stay apart.
        dots.mark_point(filled=True, opacity=0.3).encode(**place),
        dots.mark_point(filled=False, strokeWidth=1.5, opacity=1).encode(**place),
        on("labels")
        .transform_filter("width >= datum.start && width < datum.end")
        .mark_text(
            text=alt.ExprRef("datum.text"),
            align=alt.ExprRef("datum.align"),
            baseline="middle",
            dx=alt.ExprRef("datum.dx"),
            dy=alt.ExprRef("datum.dy"),
        )
        .encode(x=x, y=y, color=alt.ColorValue(INK)),
        height=_HEIGHT,
    )
    return figure(drawn, bottom=4)
