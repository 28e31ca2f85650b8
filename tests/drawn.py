"""Where the texts of a figure stand once it is drawn, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import vl_convert

from pages.elements.charts.theme import PHONE


@dataclass(frozen=True)
class Drawn:
    """A text in pixels from the figure's upper left corner; `x` is where it is anchored."""

    text: str
    x: float
    y: float
    align: str


def texts(spec: dict[str, Any], *, phone: bool) -> list[Drawn]:
    """Return every text of a figure as a phone or a wide screen draws it."""
    template = {name: part for name, part in spec.items() if name != "datasets"}
    written = json.dumps(template).replace(PHONE, "true" if phone else "false")
    sized = {**json.loads(written), "datasets": spec["datasets"], "width": 348 if phone else 860}
    scene = vl_convert.vegalite_to_scenegraph(json.dumps(sized))["scenegraph"]
    return list(_texts(scene, 0, 0))


def _texts(node: dict[str, Any], x: float, y: float) -> Iterator[Drawn]:
    for item in node.get("items", []):
        left, top = x + item.get("x", 0), y + item.get("y", 0)
        if node.get("marktype") == "text":
            words = item.get("text", "")
            text = "\n".join(words) if isinstance(words, list) else str(words)
            if text:
                left, top = left + item.get("dx", 0), top + item.get("dy", 0)
                yield Drawn(text, left, top, item.get("align", "left"))
        elif node.get("marktype") == "group":
            for child in item.get("items", []):
                yield from _texts(child, left, top)
