"""One look for every chart: colour slot, mark and dash by level, and the shared configuration."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

from pages.elements.remembered import remembered

T = TypeVar("T")
Colours = Literal["print", "greyscale"]
Rows = list[dict[str, Any]]
"""Rows of one dataset of a chart."""

PHONE = "windowSize()[0] < 640"
"""Vega expression: the width below which Streamlit stacks its columns."""

INK = "yellow"
"""Palette name of the text colour: the client turns it into each theme's ink."""

SCREEN_FONT = '"Source Sans", sans-serif'
"""Font of every text of a chart; Streamlit brings it."""

MARK = {
    "circle": "●",
    "diamond": "◆",
    "triangle-up": "▲",
    "square": "■",
    "x": "✕",
    "cross": "✚",
}
"""Text glyph of each mark, so that tables repeat what the figure shows."""

_CONFIG = Path(__file__).parents[3] / ".streamlit" / "config.toml"

# A tenth of the scale of lightness apart, the lightest still 3:1 on white; colours that meet in a figure
# (blue and red, green and orange, ink and orange) are farther apart than those that seldom do.
_GREYS: Mapping[str, str] = {
    INK: "#000000",
    "blue": "#474747",
    "red": "#919191",
    "green": "#1B1B1B",
    "violet": "#303030",
    "orange": "#5E5E5E",
    "gray": "#777777",
}

_X = "M-1,-.65L-.65,-1L0,-.35L.65,-1L1,-.65L.35,0L1,.65L.65,1L0,.35L-.65,1L-1,.65L-.35,0Z"
_SLOTS = ("ink", "blue", "red", "green", "violet", "orange", "gray")
_SHAPES = tuple(MARK)
_SOLID: tuple[int, ...] = (1, 0)
_DASHES: tuple[tuple[int, ...], ...] = (_SOLID, (6, 3), (2, 2), (8, 3, 2, 3), (10, 4), (4, 2))


@dataclass(frozen=True)
class Style:
    """How one level is drawn everywhere.

    Attributes
    ----------
    slot : str
        Colour slot: ink, blue, red, green, violet, orange or gray.
    shape : str
        A key of `MARK`.
    dash : tuple of int
        Lengths of dash and gap in pixels; ``(1, 0)`` is solid.
    """

    slot: str
    shape: str
    dash: tuple[int, ...]

    @property
    def color(self) -> str:
        """Palette name that a chart writes into ``encoding.color``."""
        return INK if self.slot == "ink" else self.slot

    @property
    def symbol(self) -> str:
        """Vega symbol name or path of the mark."""
        return _X if self.shape == "x" else self.shape


@dataclass(frozen=True)
class Group:
    """One group of patients in a figure.

    Attributes
    ----------
    level : str
        Level in the result's grouping column; ignored when the result is for all patients.
    label : str
        Name at the end of a line, for instance 'MRD negative'.
    short : str
        Name in the table below, for instance 'Negative'.
    style : Style
        Colour slot, mark and dash.
    """

    level: str
    label: str
    short: str
    style: Style


ALL = Style("ink", "circle", _SOLID)
"""All patients together."""

_UNKNOWN = Style("gray", "cross", (1, 3))
_UNKNOWN_LEVELS = frozenset({"unknown", "not assessed", "not tested", "missing", "not known"})

_MRD_STATUS = {
    "negative": Style("blue", "circle", _SOLID),
    "positive": Style("red", "diamond", (6, 3)),
    "below LOD": Style("orange", "triangle-up", (2, 2)),
    "indeterminate": Style("gray", "square", (4, 2)),
    "not assessed": _UNKNOWN,
}
_AGREEMENT = {
    "both negative": _MRD_STATUS["negative"],
    "discordant +": Style("violet", "triangle-up", (8, 3, 2, 3)),
    "discordant -": Style("ink", "square", (2, 2)),
    "both positive": _MRD_STATUS["positive"],
}
_LEVELS = {
    "mrd_dynamics": {
        "early responder": Style("blue", "circle", _SOLID),
        "late responder": Style("green", "triangle-up", (8, 3, 2, 3)),
        "non-responder": Style("red", "diamond", (6, 3)),
    },
    "risk_group": {
        "standard": Style("green", "circle", _SOLID),
        "high": Style("violet", "diamond", (6, 3)),
        "Ph-positive": Style("orange", "triangle-up", (2, 2)),
    },
    "cause_of_failure": {
        "relapse": Style("red", "x", _SOLID),
        "death": Style("ink", "square", (6, 3)),
    },
    "ph_status": {
        "negative": Style("ink", "circle", _SOLID),
        "positive": Style("orange", "triangle-up", (2, 2)),
    },
    "allosct": {
        "yes": Style("green", "square", _SOLID),
        "no": Style("gray", "circle", (6, 3)),
    },
    "car_t": {
        "yes": Style("violet", "square", _SOLID),
        "no": Style("gray", "circle", (6, 3)),
    },
}


def style_of(variable: str, level: str) -> Style:
    """Style of a level whose look is fixed.

    Parameters
    ----------
    variable : str
        Name of the variable; every ``mrd_`` variable but ``mrd_dynamics`` is an MRD status.
    level : str
        The level, as the store spells it.

    Raises
    ------
    KeyError
        If neither the variable nor the level has a fixed look; `styles` serves those.
    """
    fixed = _LEVELS.get(variable, _MRD_STATUS if variable.startswith("mrd_") else {})
    if variable.startswith("agreement_"):
        # 'MFC-/NGS+' and 'MFC+/NGS-': the level tells the assays, its ends which is positive.
        level, fixed = f"discordant {level[-1]}" if "/" in level else level, _AGREEMENT
    if level in fixed:
        return fixed[level]
    if level in _UNKNOWN_LEVELS:
        return _UNKNOWN
    raise KeyError(f"no fixed style for {level!r} of {variable!r}; use styles()")


def styles(variable: str, levels: Sequence[str]) -> tuple[Style, ...]:
    """Styles of all levels of a variable, never two alike.

    Parameters
    ----------
    variable : str
        Name of the variable.
    levels : sequence of str
        Its levels in drawing order. Levels without a fixed look take the categorical slots in
        this order.

    Returns
    -------
    tuple of Style
        One style per level.
    """
    chosen: dict[int, Style] = {}
    for position, level in enumerate(levels):
        try:
            style = style_of(variable, level)
        except KeyError:
            continue
        if style not in chosen.values():
            chosen[position] = style
    taken = {(style.slot, style.shape) for style in chosen.values()}
    # Seven slots and six shapes have no common divisor: 42 pairs pass before one returns.
    free = (
        Style(_SLOTS[i % 7], _SHAPES[i % 6], _DASHES[(i + i // 42) % 6])
        for i in count()
        if i >= 42 or (_SLOTS[i % 7], _SHAPES[i % 6]) not in taken
    )
    return tuple(chosen.get(position) or next(free) for position in range(len(levels)))


def crossed(first: Sequence[Style], second: Sequence[Style]) -> tuple[Style, ...]:
    """Styles of every pair of two variables' levels, the first varying slowest.

    The colour tells the level of the first, mark and dash that of the second. A colour, mark or dash that
    two levels of one variable share is another one for the later of them.
    """
    slots = _distinct([style.slot for style in first], _SLOTS)
    shapes = _distinct([style.shape for style in second], _SHAPES)
    dashes = _distinct([style.dash for style in second], _DASHES)
    marks = list(zip(shapes, dashes, strict=True))
    return tuple(Style(slot, shape, dash) for slot in slots for shape, dash in marks)


def _distinct(wished: Sequence[T], offered: Sequence[T]) -> list[T]:
    """Replace what was wished for before by what nobody wished for, as long as there is any."""
    free = [each for each in offered if each not in wished]
    given: list[T] = []
    for wish in wished:
        given.append(free.pop(0) if wish in given and free else wish)
    return given


def key(entries: Sequence[tuple[str, Style]]) -> dict[str, Any]:
    """Return the part of a specification that says what its marks mean.

    A page writes the key of such a figure in words beside it; a file has nothing but the figure.
    """
    rows = [{"text": text, "color": style.color, "shape": style.symbol} for text, style in entries]
    return {"usermeta": {"key": rows}}


def markdown_mark(style: Style) -> str:
    """Mark of a style in Streamlit Markdown.

    Ink is written without a colour: the yellow text colour is a warning's, not ink.
    """
    glyph = MARK[style.shape]
    return glyph if style.slot == "ink" else f":{style.slot}[{glyph}]"


@remembered(2)
def palette(colours: Colours = "print") -> Mapping[str, str]:
    """Return the hex colour of each palette name, for what leaves the screen.

    Parameters
    ----------
    colours : {'print', 'greyscale'}
        The light theme of ``.streamlit/config.toml``, or greys that a photocopy still tells apart.
    """
    if colours == "greyscale":
        return _GREYS
    theme = tomllib.loads(_CONFIG.read_text("utf-8"))["theme"]["light"]
    return {name: theme[f"{name}Color"] for name in _GREYS}


def chart_config() -> dict[str, Any]:
    """Vega-Lite configuration shared by all charts."""
    font = SCREEN_FONT
    return {
        "font": font,
        "background": "transparent",
        "view": {"stroke": None},
        # Without this every mark answers with its coordinates, to the pointer and to a screen reader;
        # what a figure says stands in its alternative text.
        "mark": {"tooltip": None, "aria": False},
        "axis": {
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelOpacity": 0.85,
            "titleOpacity": 0.85,
            "gridOpacity": 0.55,
            "labelFont": font,
            "titleFont": font,
        },
        "text": {"fontSize": 12, "font": font},
        "legend": {"labelFontSize": 12, "labelLimit": 0, "titleFontSize": 12},
    }


def wrap(text: str, width: int, lines: int = 3) -> tuple[str, ...]:
    """Break a label into at most `lines` lines of about `width` characters.

    A word longer than a line is broken too; what does not fit ends in an ellipsis.
    """
    rows: list[str] = []
    for word in text.split():
        if rows and len(rows[-1]) + 1 + len(word) <= width:
            rows[-1] += f" {word}"
            continue
        pieces = math.ceil(len(word) / width)
        rows += [word[i * width : (i + 1) * width] for i in range(pieces)]
    if len(rows) > lines:
        rows = [*rows[: lines - 1], f"{rows[lines - 1][: width - 1]}…"]
    return tuple(rows) or ("",)


def key_title(text: str) -> str:
    """Make a label safe as a tooltip title.

    Vega-Lite writes titles as keys of an object inside an expression: quotes and backslashes end
    the key, and names such as ``__proto__`` are no ordinary keys. Look-alikes and a zero-width
    space keep the label readable and harmless.
    """
    plain = " ".join(text.split()).replace('"', "”").replace("'", "’").replace("\\", "＼")
    return f"{plain}\u200b"
