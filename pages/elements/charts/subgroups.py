"""Forest of one hazard ratio in every subgroup, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from pages.elements.charts import listing
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, PHONE, Rows, Style, wrap
from pages.elements.remembered import remembered

_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_ROW = 21  # pixels
_WIDTHS = {"row": (34, 20), "head": (60, 36), "all": (34, 19)}
_GROUP_WIDTH = 12  # characters a line of a group's name above its column
_SIDE_WIDTH = 20  # characters a line of a group's name below the axis
_RATIO, _PHONE_RATIO = "Hazard ratio (95% CI)", "HR (95% CI)"
_TEST, _PHONE_TEST = "P\ninteraction", "Interaction P"
_INDENT, _GAP = 12, 14


@dataclass(frozen=True)
class _Shape:
    """What the template depends on; lengths in pixels."""

    styles: tuple[Style, Style]
    height: int
    domain: tuple[float, float]
    left: str
    columns: tuple[int, int]
    heads: tuple[int, int]
    ratio: str
    test: int


@dataclass(frozen=True)
class _Line:
    """One line of the figure with its place."""

    row: Mapping[str, Any]
    top: float
    bottom: float
    text: str
    phone: str

    @property
    def y(self) -> float:
        return (self.top + self.bottom) / 2


def subgroup_forest(
    rows: Sequence[Mapping[str, Any]], *, groups: Sequence[tuple[str, Style]]
) -> dict[str, Any]:
    """Draw the hazard ratios of subgroups as a journal prints them.

    Parameters
    ----------
    rows : sequence of mappings
        In drawing order. All have ``kind`` and ``label``. A 'head' has ``p`` (of the interaction,
        as text). 'all' and 'row' have ``n``, ``first`` and ``second`` (events/patients of the two
        groups as text), ``value``, ``low``, ``high`` (NaN where there is no ratio), ``n_event`` and
        ``text``.
    groups : sequence of (name, Style)
        The reference and the group compared with it, in the order of ``first`` and ``second``.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    lines, height = _lines(rows)
    figures = [line for line in lines if line.row["kind"] != "head"]
    domain = _domain([line.row for line in figures])
    names = [_group_name(name) for name, _ in groups]
    heads = (_pixels(names[0]), _pixels(names[1]))
    columns = tuple(
        max(_pixels([str(line.row[key]) for line in figures]), head + 14)
        for key, head in zip(("first", "second"), heads, strict=True)
    )
    tests = [str(line.row["p"]) for line in lines if line.row["kind"] == "head"]
    ratios = [str(line.row["text"]) for line in figures]
    shape = _Shape(
        styles=(groups[0][1], groups[1][1]),
        height=height,
        domain=domain,
        left=_left(figures, 2 * _GAP + 6 + sum(columns)),
        columns=(columns[0], columns[1]),
        heads=heads,
        ratio=f"({PHONE} ? {_pixels([*ratios, _PHONE_TEST])} : {_pixels([*ratios, _RATIO])})",
        test=_pixels([*tests, "interaction"]),
    )
    datasets: dict[str, Rows] = {
        "columns": [
            {
                "first": "\n".join(names[0]),
                "second": "\n".join(names[1]),
                "phone": f"{_PHONE_RATIO}\n{_PHONE_TEST}" if tests else _PHONE_RATIO,
            }
        ],
        "favours": _favours([name for name, _ in groups]),
        **_data(lines, domain),
    }
    return {**_template(shape), "datasets": datasets}


def _lines(rows: Sequence[Mapping[str, Any]]) -> tuple[list[_Line], int]:
    """Broken labels with their places, and the height of all lines in pixels."""
    lines: list[_Line] = []
    top = 0.0
    for row in rows:
        wide, narrow = (wrap(str(row["label"]), width) for width in _WIDTHS[row["kind"]])
        if row["kind"] == "head":
            top += 0.2 * _ROW
        # One height serves both widths: lines that only a phone needs stand closer.
        more = max(listing.LINE * (len(wide) - 1), (listing.LINE - 3) * (len(narrow) - 1))
        lines.append(_Line(row, top, top + _ROW + more, "\n".join(wide), "\n".join(narrow)))
        top += _ROW + more
    return lines, max(math.ceil(top), 1)


def _domain(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the ends of the axis: ticks that hold most intervals.

    One wild ratio of a small subgroup shall not press all others together.
    """
    known = [row for row in rows if _finite(row["value"])]
    lows = [rows[0]["low"], float(np.median([row["low"] for row in known] or [1]))]
    highs = [rows[0]["high"], float(np.median([row["high"] for row in known] or [1]))]
    least = min((value for value in lows if _finite(value)), default=1.0)
    most = max((value for value in highs if _finite(value)), default=1.0)
    below, above = [t for t in _TICKS if t < 1], [t for t in _TICKS if t > 1]
    low = max((t for t in below if t <= least), default=below[0])
    return low, min((t for t in above if t >= most), default=above[-1])


def _finite(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _pixels(texts: Sequence[str]) -> int:
    return math.ceil(6.3 * max(map(len, texts), default=0))


def _left(figures: Sequence[_Line], columns: int) -> str:
    """Vega expression: pixels left of the plot, with the columns of counts but on a phone."""
    wide, narrow = (
        _INDENT + _pixels([part for label in labels for part in label.split("\n")])
        for labels in ([f.text for f in figures], [f.phone for f in figures])
    )
    return f"({PHONE} ? {narrow} : {max(wide, 110) + columns})"


def _group_name(name: str) -> tuple[str, ...]:
    """Break the name above a column, but no word that has room."""
    longest = max((len(word) for word in name.split()), default=0)
    return wrap(name, max(_GROUP_WIDTH, min(longest, 20)), 2)


def _favours(names: Sequence[str]) -> Rows:
    """Name the group that has fewer events on each side of the ratio 1, with the pixels it takes."""
    first, second = (("fewer events:", *wrap(name, _SIDE_WIDTH)) for name in names)
    left, right = (f"← {second[0]}", *second[1:]), (*first[:-1], f"{first[-1]} →")
    return [
        {
            "left": "\n".join(left),
            "right": "\n".join(right),
            "left_room": _pixels(left),
            "right_room": _pixels(right),
        }
    ]


def _data(lines: Sequence[_Line], domain: tuple[float, float]) -> dict[str, Rows]:
    names = ("heads", "rows", "intervals", "values", "clipped", "overall")
    data: dict[str, Rows] = {name: [] for name in names}
    group = ""
    for line in lines:
        row = line.row
        words = {"y": line.y, "text": line.text, "phone": line.phone}
        if row["kind"] == "head":
            group = str(row["label"])
            p = str(row["p"])
            told = f"P = {p}" if p[:1].isdigit() else f"P {p}"
            data["heads"].append({**words, "p": p, "phone_p": told})
            continue
        read = {name: str(row[name]) for name in ("n", "first", "second")}
        what = {"group": group or "All patients", "label": str(row["label"]), "ratio": row["text"]}
        look = {"weight": 600 if row["kind"] == "all" else 400}
        ends = {"top": line.top, "bottom": line.bottom}
        data["rows"].append({**words, **read, **what, **look, **ends})
        if not _finite(row["value"]):
            continue
        _draw(data, row, line.y, domain)
        if row["kind"] == "all":
            data["overall"].append({"value": row["value"]})
    return data


def _draw(
    data: dict[str, Rows], row: Mapping[str, Any], y: float, domain: tuple[float, float]
) -> None:
    """Add the mark of a ratio and its interval, ending in triangles where the axis ends."""
    low, high = domain
    start, stop = max(row["low"], low), min(row["high"], high)
    if start < stop:
        data["intervals"].append({"y": y, "low": start, "high": stop})
    if low <= row["value"] <= high:
        events = float(row["n_event"])
        # A hidden count is as good as none: the square shall not tell it.
        size = 24 + 8 * math.sqrt(0 if math.isnan(events) else events)
        data["values"].append({"y": y, "value": row["value"], "size": size})
    if row["low"] < low:
        data["clipped"].append({"y": y, "value": low, "end": "left"})
    if row["high"] > high:
        data["clipped"].append({"y": y, "value": high, "end": "right"})


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    layers = [*_mark_layers(shape), *_text_layers(shape), *_head_layers(shape), _hover(shape)]
    return figure(panel(*layers, height=shape.height))


def _x(shape: _Shape, field: str) -> alt.X:
    low, high = shape.domain
    axis = alt.Axis(
        title=None,
        values=[t for t in _TICKS if low <= t <= high],
        labelExpr=f"{PHONE} && datum.value != 1 && datum.value != {low} && datum.value != {high}"
        " ? '' : format(datum.value, '~g')",
        domain=False,
        ticks=False,
        grid=True,
        labelPadding=6,
        labelFlush=False,
        labelOverlap=False,
    )
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    return alt.X(f"{field}:Q", scale=scale, axis=axis)


def _y(shape: _Shape, field: str = "y") -> alt.Y:
    return listing.rows(shape.left, shape.height, field)


def _mark_layers(shape: _Shape) -> list[alt.Chart]:
    y, ink = _y(shape), alt.ColorValue(INK)
    ends = {"y": alt.YValue(0), "y2": alt.Y2Value(shape.height)}
    size = alt.Size("size:Q", scale=None, legend=None)
    one = alt.X(datum=1, scale=alt.Scale(type="log", domain=list(shape.domain), nice=False))
    triangles = [
        on("clipped")
        .transform_filter(f"datum.end == '{end}'")
        .mark_point(filled=True, size=45, opacity=1, shape=f"triangle-{end}")
        .encode(x=_x(shape, "value"), y=y, color=ink)
        for end in ("left", "right")
    ]
    return [
        on("columns").mark_rule(strokeWidth=1).encode(x=one, color=ink, **ends),
        on("overall")
        .mark_rule(strokeWidth=1, strokeDash=[2, 3], opacity=0.75)
        .encode(x=_x(shape, "value"), color=ink, **ends),
        on("intervals")
        .mark_rule(strokeWidth=1.5)
        .encode(x=_x(shape, "low"), x2=alt.X2("high:Q"), y=y, color=ink),
        on("values")
        .mark_point(filled=True, opacity=1, shape="square")
        .encode(x=_x(shape, "value"), y=y, color=ink, size=size),
        *triangles,
    ]


def _wide(text: str) -> str:
    """Vega expression of a text that a phone leaves out."""
    return f"{PHONE} ? '' : {text}"


def _one(shape: _Shape) -> str:
    """Vega expression: where the ratio 1 stands."""
    low, high = map(math.log, shape.domain)
    return f"width * {-low / (high - low):.4f}"


def _places(shape: _Shape) -> tuple[str, str, str, str]:
    """Right ends of the two columns of counts, left ends of ratio and P, as Vega expressions.

    A phone has the P below the ratios. What it leaves out stands inside the plot there: a text
    without letters takes room too.
    """
    first = f"({PHONE} ? 0 : -{2 * _GAP + shape.columns[1]})"
    second = f"({PHONE} ? 0 : -{_GAP})"
    ratio = f"width + {_GAP}"
    return first, second, ratio, f"{ratio} + ({PHONE} ? 0 : {shape.ratio} + {_GAP})"


def _text_layers(shape: _Shape) -> list[alt.Chart]:
    y = _y(shape)
    first, second, ratio, test = _places(shape)
    weight = alt.ExprRef("datum.weight")
    return [
        listing.label("heads", 0, shape.left, _y(shape), fontWeight=600, fontSize=12.5),
        listing.label("rows", _INDENT, shape.left, _y(shape), fontWeight=weight),
        listing.cell("rows", _wide("datum.first"), first, y, align="right", fontWeight=weight),
        listing.cell("rows", _wide("datum.second"), second, y, align="right", fontWeight=weight),
        listing.cell("rows", "datum.ratio", ratio, y, fontWeight=weight),
        listing.cell("heads", f"{PHONE} ? datum.phone_p : datum.p", test, y),
    ]


def _head_layers(shape: _Shape) -> list[alt.Chart]:
    """Heads of the columns, and below the axis what its two sides mean."""
    first, second, ratio, test = _places(shape)
    top, ink, bold = alt.YValue(-20), alt.ColorValue(INK), {"fontWeight": 600}
    several = {"lineBreak": "\n", "lineHeight": listing.LINE}
    marks = [
        on("columns")
        .mark_point(
            filled=True, size=60, shape=style.symbol, opacity=alt.ExprRef(f"{PHONE} ? 0 : 1")
        )
        .encode(
            x=listing.at(f"{PHONE} ? 0 : {x} - {head + 7}"),
            y=alt.YValue(-20),
            color=alt.ColorValue(style.color),
        )
        for style, x, head in zip(shape.styles, (first, second), shape.heads, strict=True)
    ]
    below, one = alt.YValue(shape.height + 26), _one(shape)
    sides = {**several, "opacity": 0.85, "baseline": "top"}
    left = f"{one} + {shape.left} - 8 < datum.left_room ? '' : datum.left"
    right = f"{ratio} + {shape.ratio} - {one} - 8 < datum.right_room ? '' : datum.right"
    # The room on the right stays, however short its texts are.
    end = f"({PHONE} ? {ratio} + {shape.ratio} : {test} + {shape.test})"
    return [
        *marks,
        listing.cell("columns", _wide("datum.first"), first, top, align="right", **bold, **several),
        listing.cell(
            "columns", _wide("datum.second"), second, top, align="right", **bold, **several
        ),
        listing.cell(
            "columns", f"{PHONE} ? datum.phone : '{_RATIO}'", ratio, top, **bold, **several
        ),
        listing.cell("columns", _wide(repr(_TEST)), test, top, **bold, **several),
        listing.cell("favours", left, f"{one} - 8", below, align="right", **sides),
        listing.cell("favours", right, f"{one} + 8", below, **sides),
        on("columns").mark_point(opacity=0, size=1).encode(x=listing.at(end), y=top, color=ink),
    ]


def _hover(shape: _Shape) -> alt.Chart:
    """Read a row anywhere on its line, also what a phone leaves out."""
    ratio = _places(shape)[2]
    tooltip = [
        alt.Tooltip("group:N", title="Variable"),
        alt.Tooltip("label:N", title="Subgroup"),
        alt.Tooltip("n:N", title="Patients"),
        alt.Tooltip("first:N", title="Events of the reference"),
        alt.Tooltip("second:N", title="Events of the other"),
        alt.Tooltip("ratio:N", title=_RATIO),
    ]
    drawn: alt.Chart = (
        on("rows")
        .mark_rect(opacity=0)
        .encode(
            x=listing.at(f"-{shape.left}"),
            x2=listing.at(f"{ratio} + {shape.ratio}"),
            y=_y(shape, "top"),
            y2=alt.Y2("bottom:Q"),
            color=alt.ColorValue(INK),
            tooltip=tooltip,
        )
    )
    return drawn
