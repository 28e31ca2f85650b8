"""Forest of percentages: the figure a paper prints beside the estimate of the cohort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pages.elements.charts import listing, scales
from pages.elements.charts.assembly import figure, on, panel
from pages.elements.charts.theme import INK, PHONE, Rows, Style, wrap
from pages.elements.remembered import remembered

_SHAPES = {"red": "diamond", "violet": "diamond", "orange": "triangle-up", "gray": "cross"}
"""Marks of the slots as MRD status and risk group have them; the others are circles."""

# Characters a line, wide and on a phone. A head may run on over the plot, a row may not.
_ROW_WIDTHS = (42, 19)
_HEAD_WIDTHS = (72, 46)
_TITLE_WIDTH = 38  # characters a line of the axis title on a phone
_GAP = 16  # pixels from the plot to the column on its right
_PHONE_GAP = 12
_PAPER, _COHORT = "Paper", "Cohort (95% CI)"
_BOTH, _EITHER = "Paper / cohort\n(95% CI)", "Rate (95% CI)"


@dataclass(frozen=True)
class _Shape:
    """What the template depends on; lengths in pixels."""

    styles: tuple[Style, ...]
    height: int
    indent: int
    left: str
    paper: int
    cohort: str


@dataclass(frozen=True)
class _Line:
    """One line of the figure with its place."""

    row: Mapping[str, Any]
    top: float
    bottom: float
    text: str
    phone: str

    @property
    def place(self) -> dict[str, Any]:
        return {"y": (self.top + self.bottom) / 2}

    @property
    def words(self) -> dict[str, Any]:
        return {**self.place, "text": self.text, "phone": self.phone}


def study_forest(
    rows: Sequence[Mapping[str, Any]], *, axis_title: str, height_per_row: int = 21
) -> dict[str, Any]:
    """Draw published percentages as ink ticks over the estimates of the cohort.

    Parameters
    ----------
    rows : sequence of mappings
        In drawing order. A head has ``kind`` 'head', ``label`` and, if wanted, ``note`` (its place
        in the paper). A row has ``kind`` 'row', ``label``, ``note`` (n/N or n), ``printed``,
        ``printed_low``, ``printed_high``, ``value``, ``low``, ``high`` (percent; None or NaN
        where there is none) and ``text`` (the estimate in words). ``slot`` and ``shape`` of a `Style` are
        optional: ink, and the mark that MRD status and risk group give to the slot.
    axis_title : str
        What the percentages are.
    height_per_row : int
        Pixels of a row whose label needs one line.

    Returns
    -------
    dict
        Vega-Lite specification with its data in ``datasets``.
    """
    lines, height = _lines(rows, height_per_row)
    figures = [line for line in lines if line.row["kind"] == "row"]
    styles = tuple(dict.fromkeys(_style(line.row) for line in figures))
    indent = 24 if _marked(styles) else 12
    notes = [str(line.row["note"]) for line in figures]
    n_head = "n/N" if any("/" in note for note in notes) else "n"
    papers = [_printed(line.row) for line in figures]
    phone_head, values = _values([line.row for line in figures])
    sources = [_source(line) for line in lines if line.row["kind"] == "head"]
    cohort = _pixels([*(str(line.row["text"]) for line in figures), f"{_COHORT} "])
    shape = _Shape(
        styles,
        height,
        indent,
        _left(figures, indent, 22 + _pixels([*notes, n_head])),
        16 + _pixels([*papers, *sources, _PAPER]),
        f"({PHONE} ? {_pixels([*values, *phone_head.split(chr(10))])} : {cohort})",
    )
    heads = {"n": n_head, "paper": _PAPER, "cohort": _COHORT, "value": phone_head}
    datasets: dict[str, Rows] = {
        "columns": [{**heads, **_titles(axis_title)}],
        **_data(lines, styles),
    }
    for row, value in zip(datasets["rows"], values, strict=True):
        row["value"] = value
    return {**_template(shape), "datasets": datasets}


def _marked(styles: Sequence[Style]) -> bool:
    """Whether marks stand before the labels: only where they tell levels apart."""
    return any(style.slot != "ink" for style in styles)


def _titles(title: str) -> dict[str, str]:
    return {"title": title, "title_phone": "\n".join(wrap(title, _TITLE_WIDTH))}


def _lines(rows: Sequence[Mapping[str, Any]], row_height: int) -> tuple[list[_Line], int]:
    """Broken labels with their places, and the height of all lines in pixels."""
    lines: list[_Line] = []
    top = 0.0
    for row in rows:
        widths = _HEAD_WIDTHS if row["kind"] == "head" else _ROW_WIDTHS
        wide, narrow = (wrap(str(row["label"]), width) for width in widths)
        if row["kind"] == "head" and lines:
            top += 0.2 * row_height
        # One height serves both widths: lines that only a phone needs stand closer.
        more = max(listing.LINE * (len(wide) - 1), (listing.LINE - 3) * (len(narrow) - 1))
        lines.append(_Line(row, top, top + row_height + more, "\n".join(wide), "\n".join(narrow)))
        top += row_height + more
    return lines, max(math.ceil(top), 1)


def _style(row: Mapping[str, Any]) -> Style:
    slot = str(row.get("slot", "ink"))
    return Style(slot, str(row.get("shape", _SHAPES.get(slot, "circle"))), (1, 0))


def _known(*numbers: float | None) -> bool:
    return not any(number is None or math.isnan(number) for number in numbers)


def _source(line: _Line) -> str:
    return str(line.row.get("note", ""))


def _pixels(texts: Sequence[str]) -> int:
    return math.ceil(6.2 * max(map(len, texts), default=0))


def _left(figures: Sequence[_Line], indent: int, notes: int) -> str:
    """Vega expression: pixels left of the plot, with the column of numbers but on a phone."""
    wide, narrow = (
        indent + _pixels([part for label in labels for part in label.split("\n")])
        for labels in ([f.text for f in figures], [f.phone for f in figures])
    )
    return f"({PHONE} ? {narrow + 6} : {max(wide, 150) + notes})"


def _printed(row: Mapping[str, Any]) -> str:
    """Return the published figure in words: '63% (52–73)', '62.5%', or a dash."""
    if not _known(row["printed"]):
        return "–"
    text = f"{row['printed']:.4g}%"
    if not _known(row["printed_low"], row["printed_high"]):
        return text
    return f"{text} ({row['printed_low']:.4g}–{row['printed_high']:.4g})"


def _values(rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Return the one column of values that a phone has room for, with its head.

    Where a row has both, the published interval is left out: it is drawn.
    """
    papers, cohorts = [_printed(row) for row in rows], [str(row["text"]) or "–" for row in rows]
    pairs = list(zip(papers, cohorts, strict=True))
    if any("–" not in pair for pair in pairs):
        return _BOTH, [f"{paper.split(' (')[0]} / {cohort}" for paper, cohort in pairs]
    return _EITHER, [paper if cohort == "–" else cohort for paper, cohort in pairs]


def _data(lines: Sequence[_Line], styles: Sequence[Style]) -> dict[str, Rows]:
    data: dict[str, Rows] = {
        name: []
        for name in ("heads", "rows", "keys", "intervals", "values", "printed", "printed_intervals")
    }
    group = ""
    for line in lines:
        row, place = line.row, line.place
        if row["kind"] == "head":
            group = str(row["label"])
            data["heads"].append({**line.words, "paper": _source(line)})
            continue
        style = _style(row)
        place = {"g": f"v{styles.index(style)}", **place}
        read = {"n": str(row["note"]), "paper": _printed(row), "cohort": str(row["text"])}
        what = {"group": group, "label": str(row["label"])}
        ends = {"top": line.top, "bottom": line.bottom}
        data["rows"].append({**line.words, **read, **what, **ends})
        # A level drawn in ink needs its mark as much as the others beside it.
        if _marked(styles) and "slot" in row:
            data["keys"].append(place)
        if _known(row["low"], row["high"]):
            data["intervals"].append({**place, "low": row["low"], "high": row["high"]})
        if _known(row["value"]):
            data["values"].append({**place, "value": row["value"]})
        if _known(row["printed"]):
            data["printed"].append({**line.place, "value": row["printed"]})
        if _known(row["printed_low"], row["printed_high"]):
            limits = {"low": row["printed_low"], "high": row["printed_high"]}
            data["printed_intervals"].append({**line.place, **limits})
    return data


@remembered(32)
def _template(shape: _Shape) -> dict[str, Any]:
    layers = [*_mark_layers(shape), *_text_layers(shape), *_head_layers(shape), _hover(shape)]
    return figure(panel(*layers, height=shape.height))


def _x(field: str) -> alt.X:
    axis = alt.Axis(
        title=None,
        values=[0, 20, 40, 60, 80, 100],
        labelExpr=f"{PHONE} && datum.value % 100 ? '' : datum.label",
        domain=False,
        ticks=False,
        grid=True,
        labelPadding=6,
        labelFlush=False,
    )
    return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, 100], nice=False), axis=axis)


def _y(shape: _Shape, field: str = "y") -> alt.Y:
    return listing.rows(shape.left, shape.height, field)


def _mark_layers(shape: _Shape) -> list[alt.Chart]:
    y, ink, color = _y(shape), alt.ColorValue(INK), scales.color(shape.styles)
    marks = scales.mark(shape.styles)
    return [
        on("intervals")
        .mark_rule(strokeWidth=2)
        .encode(x=_x("low"), x2=alt.X2("high:Q"), y=y, color=color),
        # Above the cohort's interval: on it, the thin line would not be seen.
        on("printed_intervals")
        .mark_rule(strokeWidth=1, opacity=0.75, yOffset=-6)
        .encode(x=_x("low"), x2=alt.X2("high:Q"), y=y, color=ink),
        on("values")
        .mark_point(filled=True, size=85, opacity=1)
        .encode(x=_x("value"), y=y, color=color, shape=marks),
        on("printed")
        .mark_tick(orient="vertical", thickness=2, size=15, opacity=1)
        .encode(x=_x("value"), y=y, color=ink),
        on("keys")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x=listing.at(f"13 - {shape.left}"), y=y, color=color, shape=marks),
    ]


def _wide(field: str) -> str:
    """Vega expression of a text that a phone leaves out."""
    return f"{PHONE} ? '' : datum.{field}"


def _cohort_x(shape: _Shape) -> str:
    return f"width + ({PHONE} ? {_PHONE_GAP} : {_GAP + shape.paper})"


def _text_layers(shape: _Shape) -> list[alt.Chart]:
    y = _y(shape)
    return [
        listing.label("heads", 0, shape.left, _y(shape), fontWeight=600, fontSize=12.5),
        listing.cell("heads", _wide("paper"), f"width + {_GAP}", y, opacity=0.75),
        listing.label("rows", shape.indent, shape.left, _y(shape)),
        listing.cell("rows", _wide("n"), "-14", y, align="right"),
        listing.cell("rows", _wide("paper"), f"width + {_GAP}", y),
        listing.cell("rows", f"{PHONE} ? datum.value : datum.cohort", _cohort_x(shape), y),
    ]


def _head_layers(shape: _Shape) -> list[alt.Chart]:
    """Heads of the columns, the key of the marks, and the title of the axis."""
    top, ink, bold = alt.YValue(-14), alt.ColorValue(INK), {"fontWeight": 600}
    # The plot of a phone is narrower than the key, which then starts over the labels.
    key = f"({PHONE} ? 2 - {shape.left} : 1)"
    end = listing.at(f"{_cohort_x(shape)} + {shape.cohort}")
    return [
        listing.cell("columns", _wide("n"), "-14", top, align="right", **bold),
        listing.cell("columns", _wide("paper"), f"width + {_GAP}", top, **bold),
        listing.cell(
            "columns",
            f"{PHONE} ? datum.value : datum.cohort",
            _cohort_x(shape),
            top,
            dy=alt.ExprRef(
                f"{PHONE} ? -{listing.LINE / 2} * (length(split(datum.value, '\\n')) - 1) : 0"
            ),
            lineBreak="\n",
            lineHeight=listing.LINE,
            **bold,
        ),
        on("columns")
        .mark_rule(strokeWidth=2)
        .encode(x=listing.at(key), y=alt.YValue(-21), y2=alt.Y2Value(-7), color=ink),
        listing.cell("columns", "'published'", f"{key} + 8", top, opacity=0.75),
        on("columns")
        .mark_point(filled=True, size=60, opacity=1, shape="circle")
        .encode(x=listing.at(f"{key} + 76"), y=top, color=ink),
        listing.cell("columns", "'cohort'", f"{key} + 86", top, opacity=0.75),
        listing.cell(
            "columns",
            f"{PHONE} ? datum.title_phone : datum.title",
            f"{PHONE} ? width : width / 2",
            alt.YValue(shape.height + 32),
            align=alt.ExprRef(f"{PHONE} ? 'right' : 'center'"),
            opacity=0.85,
            lineBreak="\n",
            lineHeight=listing.LINE,
        ),
        # Nothing to see: it keeps the room of the last column, however short its texts are.
        on("columns").mark_point(opacity=0, size=1).encode(x=end, y=top, color=ink),
    ]


def _hover(shape: _Shape) -> alt.Chart:
    """Read a row anywhere on its line, also what a phone leaves out."""
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("label:N", title="Row"),
        alt.Tooltip("n:N", title="n"),
        alt.Tooltip("paper:N", title=_PAPER),
        alt.Tooltip("cohort:N", title=_COHORT),
    ]
    drawn: alt.Chart = (
        on("rows")
        .mark_rect(opacity=0)
        .encode(
            x=listing.at(f"-{shape.left}"),
            x2=listing.at(f"{_cohort_x(shape)} + {shape.cohort}"),
            y=_y(shape, "top"),
            y2=alt.Y2("bottom:Q"),
            color=alt.ColorValue(INK),
            tooltip=tooltip,
        )
    )
    return drawn
