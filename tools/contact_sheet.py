"""Every figure of the product as it leaves the screen, side by side: ``python -m tools.contact_sheet``.

Runs the pages on an embedded cohort, prints each figure in each preset and in both colours, and writes the
sheets to build/figures/. Says which figures have texts without room; exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import pyarrow as pa
import streamlit as st
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.exports.figure import ONE_COLUMN, SLIDE, TWO_COLUMN, Style, as_png, as_svg
from pages.elements.exports.texts import trouble
from tools.serving import ROOT

FOLDER = ROOT / "build" / "figures"
PRESETS: Mapping[str, Style] = {"one": ONE_COLUMN, "two": TWO_COLUMN, "slide": SLIDE}
VIEWS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("app.py", {"by": "mrd_after_cycle_1", "ph_status": "negative"}),
    ("pages/survival.py", {}),
    ("pages/survival.py", {"by": "risk_group"}),
    ("pages/survival.py", {"by": "mrd_3_months", "landmark_days": "120", "section": "subgroups"}),
    ("pages/survival.py", {"by": "risk_group", "by2": "mrd_after_cycle_1"}),
    ("pages/survival.py", {"by": "mrd_dynamics", "horizon": "60", "zoom": "12..48", "unit": "days"}),
    ("pages/survival.py", {"by": "ph_status", "section": "balance"}),
    ("pages/survival.py", {"endpoint": "CIR"}),
    ("pages/survival.py", {"endpoint": "CIR", "by": "mrd_after_cycle_1"}),
    ("pages/mrd.py", {"by": "risk_group", "mrd_section": "curves"}),
    ("pages/mrd.py", {"by": "ph_status"}),
    ("pages/transplant.py", {"swimmer": "yes"}),
    ("pages/evidence.py", {"part": "survival"}),
    ("pages/evidence.py", {"part": "mrd"}),
    ("pages/evidence.py", {"part": "beside"}),
    ("pages/evidence.py", {"part": "regimens"}),
    ("pages/patients.py", {}),
)  # fmt: skip
"""Pages and queries that together show every chart there is."""

_PROVENANCE = Provenance(
    study="Short 2025 (synthetic)",
    snapshot="0123456789ab",
    cutoff="2024-06-30",
    cohort="Ph-negative · high risk · MRD negative at 3 months",
    counts="59 of 161 patients, 14 events",
    rule="MRD negative below 0.01%, below LOD counted as negative",
    method="Kaplan–Meier, 95% CI on the log-log scale; log-rank test; Cox model, Efron’s ties",
    citation="Synthetic cohort made from the published figures",
    version="0.1.0",
    link="",
)


def figures(study: str = "short2025") -> list[Exhibit]:
    """Return every figure that the pages draw, the first of those that are drawn alike."""
    found: dict[tuple[str, str], Exhibit] = {}
    for page, query in VIEWS:
        for call in drawn(page, {"study": study, **query}):
            key = re.sub(r"(_-?\d+)+$", "", str(call["key"]))
            title = str(call["alt"] or key).split(":")[0][:110]
            exhibit = Exhibit(
                key=re.sub(r"\W+", "_", key),
                page=page,
                title=title,
                message="",
                provenance=_PROVENANCE,
                spec=call["spec"],
                alt=str(call["alt"] or ""),
            )
            settings = json.dumps({k: v for k, v in call["spec"].items() if k != "datasets"})
            found.setdefault((key, settings), exhibit)
    return list(found.values())


def drawn(page: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what a page hands to `st.vega_lite_chart`: specification, key and alternative text."""
    calls: list[dict[str, Any]] = []
    draw = st.vega_lite_chart

    def noted(spec: dict[str, Any], **options: Any) -> Any:
        calls.append({"key": None, "alt": "", **options, "spec": _read(spec)})
        return draw(spec, **options)

    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    if page == "app.py":
        # The fold of the missing data is drawn when it is open.
        test.session_state["missing"] = True
    else:
        test.switch_page(page)
    with mock.patch.object(st, "vega_lite_chart", noted):
        test.run()
        if page == "pages/patients.py":
            calls.clear()
            table = next(k for k in test.session_state if k.startswith("patients_table"))
            rows = {"selection": {"rows": [2], "columns": [], "cells": []}}
            test.session_state[table] = rows
            test.run()
    if test.exception or not calls:
        raise RuntimeError(f"{page} with {dict(query)} draws nothing: {test.exception}")
    return calls


def _read(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chart with the rows that it is sent with."""
    rows = {
        name: pa.ipc.open_stream(sent).read_all().to_pylist() if isinstance(sent, bytes) else sent
        for name, sent in spec.get("datasets", {}).items()
    }
    return {**spec, "datasets": rows}


def sheet(pictures: Sequence[tuple[str, bytes]], columns: int) -> Image.Image:
    """Return pictures side by side, each under its name, rows as high as their highest."""
    opened = [(name, Image.open(io.BytesIO(content))) for name, content in pictures]
    wide = max(picture.width for _, picture in opened) + 12
    rows = [opened[i : i + columns] for i in range(0, len(opened), columns)]
    heights = [max(picture.height for _, picture in row) + 28 for row in rows]
    page = Image.new("RGB", (columns * wide, sum(heights)), "#DDDDDD")
    draw = ImageDraw.Draw(page)
    for i, row in enumerate(rows):
        for k, (name, picture) in enumerate(row):
            at = (k * wide + 6, sum(heights[:i]) + 18)
            draw.text((at[0], at[1] - 14), name, fill="black")
            page.paste(picture.convert("RGB"), at)
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheets, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.contact_sheet", description=__doc__)
    parser.add_argument("--study", default="short2025")
    exhibits = figures(parser.parse_args(arguments).study)
    FOLDER.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name, preset in PRESETS.items():
        for colours in ("print", "greyscale"):
            style = replace(preset, colours=colours)
            dpi = 50 if preset is SLIDE else 110
            pictures = [(each.key, as_png(each, style, dpi)) for each in exhibits]
            sheet(pictures, 6 if preset is ONE_COLUMN else 3).save(FOLDER / f"{name}-{colours}.png")
        for each in exhibits:
            if count := trouble(as_svg(each, preset).decode()):
                wrong += 1
                print(f"{each.key}, {name}: {count} texts without room")
    print(f"{len(exhibits)} figures, {wrong} with texts without room; see {FOLDER}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
