"""Forest of published figures and bubbles of published regimens, as data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd
import pytest

from pages.elements.charts.forest import study_forest
from pages.elements.charts.placement import Box
from pages.elements.charts.regimens import regimen_chart, setting_styles
from tests.drawn import texts

PALETTE = {"blue", "red", "green", "violet", "orange", "gray", "yellow"}
HOSTILE = ["a.b[0]", "__proto__", "constructor", 'he said "no"', "it's \\ back", "<img src=x>"]
LONG = "Chemotherapy-free dasatinib and blinatumomab given until transplantation"


def head(label: str, **more: Any) -> dict[str, Any]:
    return {"kind": "head", "label": label, **more}


def row(label: str, **more: Any) -> dict[str, Any]:
    numbers = ("printed", "printed_low", "printed_high", "value", "low", "high")
    empty: dict[str, Any] = dict.fromkeys(numbers)
    return {"kind": "row", "label": label, "note": "9", "text": "", **empty, **more}


ROWS = [
    head("MRD after cycle 1", note="Fig. 1A"),
    row("negative", printed=94, value=93.8, low=63.2, high=99.1, text="94% (63–99)", slot="blue"),
    row("positive", printed=66.5, value=66.3, low=46.0, high=80.5, text="66% (46–80)", slot="red"),
    head("Trial"),
    row("A", note="5/8", printed=62.5, printed_low=52, printed_high=73, text="not estimable"),
    row("B", value=0.0, low=math.nan, high=math.nan, printed=math.nan, text="0%"),
]


def regimen(name: str, **more: Any) -> dict[str, Any]:
    known = {
        "setting": "newly diagnosed",
        "regimen": name,
        "agent": "blinatumomab",
        "n": 40,
        "mrd_negativity_percent": 90.0,
        "mrd_method": "NGS",
        "os_percent": 75.0,
        "os_years": 3.0,
    }
    return {**known, **more}


REGIMENS = [
    regimen("small", n=20, os_percent=81.5, os_years=1.0),
    regimen("large", n=271, setting="relapsed", mrd_negativity_percent=71, os_years=math.nan),
    regimen("no MRD", mrd_negativity_percent=math.nan),
    regimen("no survival", setting="MRD-positive", os_percent=None),
    regimen("as text", n="38", mrd_negativity_percent="97", os_percent="", os_years=""),
]


@pytest.fixture(scope="module")
def forest() -> dict[str, Any]:
    return study_forest(ROWS, axis_title="Relapse-free at 2 years (%)")


@pytest.fixture(scope="module")
def all_specs(forest: dict[str, Any]) -> list[dict[str, Any]]:
    return [forest, regimen_chart(REGIMENS)]


def walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def fields(spec: dict[str, Any]) -> set[str]:
    template = {name: part for name, part in spec.items() if name != "datasets"}
    return {node["field"] for node in walk(template) if isinstance(node.get("field"), str)}


def column(spec: dict[str, Any], name: str, *keys: str) -> list[Any]:
    drawn = [tuple(item[key] for key in keys) for item in spec["datasets"][name]]
    return drawn if len(keys) > 1 else [values[0] for values in drawn]


# Look


def test_charts_name_palette_colours_only(all_specs: list[dict[str, Any]]) -> None:
    for spec in all_specs:
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b", json.dumps(spec))
        for node in walk(spec):
            assert not {"fill", "stroke"} & set(node.get("encoding", {}))
            color = node.get("encoding", {}).get("color", {})
            assert {color["value"]} <= PALETTE if "value" in color else True
            assert set(color.get("scale", {}).get("range", [])) <= PALETTE


def test_every_text_says_its_colour(all_specs: list[dict[str, Any]]) -> None:
    for spec in all_specs:
        marks = [node for node in walk(spec) if isinstance(node.get("mark"), dict)]
        texts = [node for node in marks if node["mark"].get("type") == "text"]
        assert texts
        assert all(text["encoding"]["color"] == {"value": "yellow"} for text in texts)


def test_all_data_are_bound_by_name(all_specs: list[dict[str, Any]]) -> None:
    for spec in all_specs:
        named = {n["data"]["name"] for n in walk(spec) if isinstance(n.get("data"), dict)}
        assert named == set(spec["datasets"])
        json.dumps(spec, allow_nan=False)


# Forest


def test_marks_are_the_rows(forest: dict[str, Any]) -> None:
    assert column(forest, "values", "g", "value") == [("v0", 93.8), ("v1", 66.3), ("v2", 0.0)]
    assert column(forest, "intervals", "g", "low", "high") == [
        ("v0", 63.2, 99.1),
        ("v1", 46.0, 80.5),
    ]
    assert column(forest, "printed", "value") == [94, 66.5, 62.5]
    assert column(forest, "printed_intervals", "low", "high") == [(52, 73)]


def test_columns_read_what_is_drawn(forest: dict[str, Any]) -> None:
    assert column(forest, "rows", "label", "n", "paper", "cohort") == [
        ("negative", "9", "94%", "94% (63–99)"),
        ("positive", "9", "66.5%", "66% (46–80)"),
        ("A", "5/8", "62.5% (52–73)", "not estimable"),
        ("B", "9", "–", "0%"),
    ]
    assert column(forest, "rows", "group") == ["MRD after cycle 1"] * 2 + ["Trial"] * 2
    assert column(forest, "heads", "text", "paper") == [
        ("MRD after cycle 1", "Fig. 1A"),
        ("Trial", ""),
    ]
    assert column(forest, "columns", "n", "title") == [("n/N", "Relapse-free at 2 years (%)")]


def test_a_phone_reads_the_paper_beside_the_cohort(forest: dict[str, Any]) -> None:
    drawn = texts(forest, phone=True)
    (head,) = (text for text in drawn if text.text == "Paper / cohort\n(95% CI)")
    assert [text.text for text in drawn if text.x == head.x and text != head] == [
        "94% / 94% (63–99)",
        "66.5% / 66% (46–80)",
        "62.5% / not estimable",
        "– / 0%",
    ]
    wide = {text.text for text in texts(forest, phone=False)}
    assert {"Paper", "Cohort (95% CI)", "62.5% (52–73)", "94% (63–99)"} <= wide


def test_a_phone_reads_what_is_published_where_no_row_has_both() -> None:
    own = row("mine", value=82.0, low=73.0, high=88.0, text="82% (73–88)")
    printed = row("theirs", printed=85.6, printed_low=71.9, printed_high=92.9)
    drawn = texts(study_forest([own, printed, row("neither")], axis_title=""), phone=True)
    (head,) = (text for text in drawn if text.text == "Rate (95% CI)")
    values = [text.text for text in drawn if text.x == head.x and text != head]
    assert values == ["82% (73–88)", "85.6% (71.9–92.9)", "–"]


def test_marks_stand_on_their_rows(forest: dict[str, Any]) -> None:
    rows = column(forest, "rows", "y", "top", "bottom")
    assert all(y == (top + bottom) / 2 for y, top, bottom in rows)
    assert [bottom - top for _, top, bottom in rows] == pytest.approx([21] * 4)
    places = [y for y, _, _ in rows]
    assert column(forest, "values", "y") == [places[0], places[1], places[3]]
    assert column(forest, "printed", "y") == places[:3]
    assert column(forest, "keys", "y") == places[:2]
    first, second = column(forest, "heads", "y")
    assert second - places[1] == pytest.approx(1.2 * 21)
    assert places[0] - first == 21
    assert forest["height"] == math.ceil(rows[-1][2])


def test_levels_keep_their_marks(forest: dict[str, Any]) -> None:
    ranges = [n["scale"] for n in walk(forest) if "range" in (n.get("scale") or {})]
    assert {"domain": ["v0", "v1", "v2"], "range": ["blue", "red", "yellow"]} in ranges
    assert {"domain": ["v0", "v1", "v2"], "range": ["circle", "diamond", "circle"]} in ranges
    own = study_forest([row("late", slot="green", shape="triangle-up")], axis_title="")
    assert "triangle-up" in json.dumps(own["layer"])


def test_the_axis_is_the_whole_range(forest: dict[str, Any]) -> None:
    scales = [n["x"]["scale"] for n in walk(forest) if "scale" in (n.get("x") or {})]
    assert scales
    assert all(scale["domain"] == [0, 100] for scale in scales)


def test_long_labels_make_room() -> None:
    spec = study_forest([head(LONG * 2), row(LONG), row("short")], axis_title=LONG)
    first, second = spec["datasets"]["rows"]
    assert first["text"].replace("\n", " ") == first["label"] == LONG
    assert first["bottom"] - first["top"] > second["bottom"] - second["top"] == 21
    assert spec["datasets"]["columns"][0]["title_phone"].replace("\n", " ") == LONG


def test_hostile_labels_stay_data() -> None:
    rows = [head(HOSTILE[0]), *(row(name, text=name, note=name) for name in HOSTILE)]
    spec = study_forest(rows, axis_title=HOSTILE[3])
    template = json.dumps({name: part for name, part in spec.items() if name != "datasets"})
    assert not any(json.dumps(name)[1:-1] in template for name in HOSTILE)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in fields(spec))
    assert column(spec, "rows", "label") == column(spec, "rows", "cohort") == HOSTILE


def test_a_forest_without_rows_is_empty() -> None:
    spec = study_forest([], axis_title="")
    assert all(not rows for name, rows in spec["datasets"].items() if name != "columns")


def test_a_figure_does_not_change_an_earlier_one(forest: dict[str, Any]) -> None:
    kept = json.dumps(forest)
    study_forest([*ROWS[:-1], row("B", value=12.0)], axis_title="Other")
    assert json.dumps(forest) == kept


# Regimens


def test_bubbles_are_the_regimens_with_both_figures() -> None:
    spec = regimen_chart(REGIMENS)
    assert column(spec, "dots", "regimen", "x", "y", "n") == [
        ("large", 71, 75, 271),
        ("small", 90, 81.5, 20),
    ]
    assert column(spec, "dots", "mrd", "os") == [
        ("71% (NGS)", "75%"),
        ("90% (NGS)", "81.5% at 1 year"),
    ]
    assert column(spec, "dots", "g") == ["v1", "v0"]
    assert regimen_chart([])["datasets"] == {"dots": [], "labels": []}


def test_bubbles_and_their_key_share_the_looks() -> None:
    looks = setting_styles(REGIMENS)
    assert list(looks) == ["newly diagnosed", "relapsed", "MRD-positive"]
    ranges = [n["scale"] for n in walk(regimen_chart(REGIMENS)) if "range" in n.get("scale", {})]
    domain = ["v0", "v1", "v2"]
    assert {"domain": domain, "range": [look.color for look in looks.values()]} in ranges
    assert {"domain": domain, "range": [look.symbol for look in looks.values()]} in ranges


def test_labels_never_meet_at_their_width() -> None:
    crowd = [
        regimen(f"Regimen number {i}", mrd_negativity_percent=60 + 7 * i % 40, os_percent=40 + i)
        for i in range(30)
    ]
    labels = pd.DataFrame(regimen_chart(crowd)["datasets"]["labels"])
    assert labels.groupby("start").size().between(1, 29).all()
    assert not labels.duplicated(["start", "text"]).any()
    assert labels.groupby("start")["end"].nunique().eq(1).all()
    for width, here in labels.groupby("start"):
        assert isinstance(width, int)
        boxes = [_box(label, width) for label in here.to_dict("records")]
        assert not any(_meet(a, b) for a, b in combinations(boxes, 2))
        assert all(box.left >= 0 and box.right <= width for box in boxes)


def _box(label: dict[Any, Any], width: int) -> Box:
    # Lengths a little under those that the placement allows for.
    length = 5.5 * len(label["text"])
    left = width * (label["x"] - 50) / 52 + label["dx"]
    left -= {"left": 0, "center": length / 2, "right": length}[label["align"]]
    middle = 420 * label["y"] / 106 - label["dy"]
    return Box(left, middle - 6, left + length, middle + 6)


def _meet(a: Box, b: Box) -> bool:
    apart = a.right <= b.left or b.right <= a.left or a.top <= b.bottom or b.top <= a.bottom
    return not apart


def test_a_label_alone_stands_right_of_its_bubble() -> None:
    labels = regimen_chart([regimen("one", mrd_negativity_percent=60)])["datasets"]["labels"]
    assert {(label["align"], label["text"]) for label in labels} == {("left", "one, 3 y")}
    starts = [label["start"] for label in labels]
    assert [label["end"] for label in labels[:-1]] == starts[1:]


def test_hostile_regimens_stay_data() -> None:
    rows = [regimen(name, setting=name, agent=name, mrd_method=name) for name in HOSTILE]
    spec = regimen_chart(rows)
    # The key is for files: Vega reads nothing of it.
    drawn = {name: part for name, part in spec.items() if name not in ("datasets", "usermeta")}
    template = json.dumps(drawn)
    assert not any(json.dumps(name)[1:-1] in template for name in HOSTILE)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in fields(spec))
    assert column(spec, "dots", "setting") == HOSTILE


def test_a_level_drawn_in_ink_has_its_mark_beside_the_others() -> None:
    shared = {
        "kind": "row", "note": "12", "printed": 43.0, "printed_low": None, "printed_high": None,
        "value": 43.0, "low": 11.0, "high": 72.0, "text": "43% (11–72)",
    }  # fmt: skip
    rows = [shared | {"label": "Yes", "slot": "ink"}, shared | {"label": "No", "slot": "blue"}]
    spec = study_forest(rows, axis_title="RFS (%)")
    assert column(spec, "keys", "y") == column(spec, "values", "y")
