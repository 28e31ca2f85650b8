"""Charts as data: what a figure draws is what the result says."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.mrd import flows, negativity_rates
from analytics.survival import KaplanMeier, kaplan_meier
from pages.elements.charts.bars import bar_list
from pages.elements.charts.flows import alluvial_chart
from pages.elements.charts.kinetics import kinetics_chart
from pages.elements.charts.placement import Box, beside_dots, free_place, push_apart
from pages.elements.charts.rates import rates_chart
from pages.elements.charts.survival import survival_chart
from pages.elements.charts.theme import (
    ALL,
    MARK,
    Group,
    key_title,
    markdown_mark,
    style_of,
    styles,
    wrap,
)

ROOT = Path(__file__).parents[2]
PALETTE = {"blue", "red", "green", "violet", "orange", "gray", "yellow"}
HOSTILE = ["a.b[0]", "__proto__", "constructor", 'he said "no"', "it's \\ back", "toString"]
MONTH = 30.4375


def km(**groups: list[tuple[int, int]]) -> KaplanMeier:
    return km_of(groups)


def km_of(groups: dict[str, list[tuple[int, int]]]) -> KaplanMeier:
    rows = [(level, day, event) for level, times in groups.items() for day, event in times]
    frame = pd.DataFrame(rows, columns=["g", "day", "event"])
    return kaplan_meier(event_table(frame, time="day", event="event", by="g"), by="g")


def groups_of(levels: list[str], variable: str = "any") -> list[Group]:
    looks = styles(variable, levels)
    return [Group(v, f"MRD {v}", v, look) for v, look in zip(levels, looks, strict=True)]


def draw(result: KaplanMeier, levels: list[str], **options: Any) -> dict[str, Any]:
    words = {"endpoint": "Relapse-free survival", "origin": "first complete remission"}
    return survival_chart(result, groups_of(levels), **{"horizon_months": 48, **words, **options})


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


TWO = {
    "negative": [(100, 0), (200, 1), (300, 0), (900, 1), (1600, 0)],
    "positive": [(50, 1), (60, 1), (400, 0), (700, 1), (1000, 0)],
}


@pytest.fixture(scope="module")
def two() -> KaplanMeier:
    return km_of(TWO)


@pytest.fixture(scope="module")
def all_specs(two: KaplanMeier) -> list[dict[str, Any]]:
    samples = _samples()
    rates = negativity_rates(samples, by="g")
    return [
        draw(two, ["negative", "positive"], notes=("Log-rank P = 0.04",), landmark_days=30),
        rates_chart(rates, groups_of(["x", "y"]), p_values={"3 months": "Fisher P = 0.57"}),
        _alluvial(),
        kinetics_chart(_levels(), lod=1e-6, origin="diagnosis"),
        bar_list([{"label": "Whole study", "n": 3, "note": "", "slot": "ink"}], total=5),
    ]


def _samples() -> pd.DataFrame:
    rows = [
        ("x", "after cycle 1", "negative"),
        ("x", "after cycle 1", "positive"),
        ("x", "3 months", "negative"),
        ("y", "after cycle 1", "not assessed"),
        ("y", "3 months", "below LOD"),
        ("y", "3 months", "negative"),
    ]
    return pd.DataFrame(rows, columns=["g", "timepoint", "status"])


_STATUSES = pd.DataFrame(
    {
        "after cycle 1": ["negative", "positive", "positive", "not assessed", "below LOD"],
        "3 months": ["negative", "negative", "positive", "not assessed", "negative"],
        "6 months": ["negative", "negative", "positive", "positive", "indeterminate"],
    }
)


def _alluvial() -> dict[str, Any]:
    totals = _STATUSES.melt(var_name="timepoint", value_name="status")
    totals = totals.groupby(["timepoint", "status"]).size().rename("n").reset_index()
    return alluvial_chart(flows(_STATUSES), totals, timepoints=list(_STATUSES))


def _levels() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": [0, 0, 1, 1, 2],
            "day": [30, 91, 28, 95, 30],
            "mrd_fraction": [2e-4, 0.0, 3e-3, 5e-5, np.nan],
            "detected": [True, False, True, True, True],
            "dynamics": ["late responder"] * 2 + ["non-responder"] * 2 + ["unknown"],
        }
    )


# Look


def test_every_fixed_level_has_its_look() -> None:
    assert style_of("mrd_3_months", "negative").color == "blue"
    assert style_of("mrd_dynamics", "non-responder").shape == "diamond"
    assert style_of("risk_group", "Ph-positive").color == "orange"
    assert style_of("ph_status", "negative").color == "yellow"
    assert style_of("allosct", "unknown").shape == "cross"
    with pytest.raises(KeyError, match="styles"):
        style_of("frontline_therapy", "hyper-CVAD")


@pytest.mark.parametrize("variable", ["any", "risk_group", "mrd_3_months", "allosct"])
def test_no_two_levels_look_alike(variable: str) -> None:
    levels = ["negative", "positive", "standard", "high", "yes", "no", "unknown", "not assessed"]
    looks = styles(variable, levels + [f"level {i}" for i in range(30)])
    assert len({(look.slot, look.shape) for look in looks}) == len(looks) == 38


def test_free_levels_take_the_slots_in_order() -> None:
    assert [look.slot for look in styles("any", ["a", "b", "c"])] == ["ink", "blue", "red"]
    assert len({look.shape for look in styles("any", list("abcdef"))}) == 6
    assert len({look.dash for look in styles("any", list("abcdef"))}) == 6


def test_ink_is_never_written_as_a_markdown_colour() -> None:
    assert markdown_mark(ALL) == "●"
    assert markdown_mark(style_of("mrd_3_months", "positive")) == ":red[◆]"
    assert len(set(MARK.values())) == len(MARK)


def test_labels_break_without_loss() -> None:
    assert wrap("hyper-CVAD with rituximab", 12) == ("hyper-CVAD", "with", "rituximab")
    assert "".join(wrap("x" * 25, 10)) == "x" * 25
    assert wrap("", 10) == ("",)
    assert wrap("one two three four", 5, lines=2)[-1].endswith("…")


@pytest.mark.parametrize("label", HOSTILE)
def test_tooltip_titles_are_harmless(label: str) -> None:
    assert key_title(label) not in HOSTILE
    assert not set("\"'\\") & set(key_title(label))


def test_charts_name_palette_colours_only(all_specs: list[dict[str, Any]]) -> None:
    for spec in all_specs:
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b", json.dumps(spec))
        for node in walk(spec):
            assert not {"fill", "stroke"} & set(node.get("encoding", {}))
            color = node.get("encoding", {}).get("color", {})
            assert {color["value"]} <= PALETTE if "value" in color else True
            assert set(color.get("scale", {}).get("range", [])) <= PALETTE


def test_every_text_says_its_colour(all_specs: list[dict[str, Any]]) -> None:
    texts = [
        node
        for spec in all_specs
        for node in walk(spec)
        if isinstance(node.get("mark"), dict) and node["mark"].get("type") == "text"
    ]
    assert len(texts) > 12
    assert all(text["encoding"]["color"] == {"value": "yellow"} for text in texts)


def test_all_data_are_bound_by_name(all_specs: list[dict[str, Any]]) -> None:
    for spec in all_specs:
        named = {n["data"]["name"] for n in walk(spec) if isinstance(n.get("data"), dict)}
        assert named == set(spec["datasets"])
        json.dumps(spec, allow_nan=False)


def test_theme_gives_every_slot_a_colour_in_both_themes() -> None:
    theme = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))["theme"]
    for side in ("light", "dark"):
        colors = theme[side]
        order = [
            colors[f"{slot}Color"]
            for slot in ("yellow", "blue", "red", "green", "violet", "orange", "gray")
        ]
        assert colors["yellowColor"] == colors["textColor"]
        assert colors["chartCategoricalColors"] == order


def test_streamlit_knows_every_option() -> None:
    from streamlit import config

    known = set(config.get_config_options())

    def names(table: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, value in table.items():
            name = f"{path}.{key}" if path else key
            yield from names(value, name) if isinstance(value, dict) else [name]

    table = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))
    assert set(names(table)) <= known


# Survival


def test_steps_are_the_steps_of_the_result(two: KaplanMeier) -> None:
    steps = pd.DataFrame(draw(two, ["negative", "positive"])["datasets"]["steps"])
    for alias, level in (("v0", "negative"), ("v1", "positive")):
        curve = two.curve[(two.curve["g"] == level) & (two.curve["time"] <= 48 * MONTH)]
        events = curve[curve["n_event"] > 0]
        drawn = steps[steps["g"] == alias]
        falls = drawn[drawn["s"].diff() < 0]
        assert falls["t"].tolist() == pytest.approx((events["time"] / MONTH).round(4).tolist())
        assert falls["s"].tolist() == pytest.approx((100 * events["survival"]).tolist())
        assert falls["lo"].tolist() == pytest.approx((100 * events["low"]).tolist())
        assert falls["hi"].tolist() == pytest.approx((100 * events["high"]).tolist())
        assert drawn["s"].iloc[0] == 100


def test_a_curve_ends_at_the_horizon_or_the_last_follow_up(two: KaplanMeier) -> None:
    steps = pd.DataFrame(draw(two, ["negative", "positive"])["datasets"]["steps"])
    assert steps.groupby("g")["t"].max().tolist() == [48, pytest.approx(1000 / MONTH, abs=1e-4)]
    steps = pd.DataFrame(draw(two, ["positive"], horizon_months=24)["datasets"]["steps"])
    assert steps["t"].max() == 24


def test_ticks_are_the_censored_times(two: KaplanMeier) -> None:
    ticks = draw(two, ["negative", "positive"], horizon_months=24)["datasets"]["ticks"]
    assert [tick["t"] for tick in ticks] == [round(day / MONTH, 4) for day in (100, 300, 400)]
    assert [tick["g"] for tick in ticks] == ["v0", "v0", "v1"]


def test_risk_table_repeats_the_result(two: KaplanMeier) -> None:
    rows = draw(two, ["negative", "positive"])["datasets"]["risk"]
    months = [0, 6, 12, 18, 24, 30, 36, 42, 48]
    table = two.at([math.floor(m * MONTH) for m in months])
    for alias, level in (("v0", "negative"), ("v1", "positive")):
        mine = [row for row in rows if row["g"] == alias]
        state = table[table["g"] == level]
        assert [row["t"] for row in mine] == months
        assert [row["text"] for row in mine] == [
            f"{n} ({events})" for n, events in zip(state["n_risk"], state["n_event"], strict=True)
        ]


def test_milestone_reads_the_rate_with_its_interval(two: KaplanMeier) -> None:
    data = draw(two, ["negative", "positive"])["datasets"]
    row = two.at([730])
    assert [dot["s"] for dot in data["milestones"]] == pytest.approx(
        (100 * row["survival"]).tolist()
    )
    assert all(re.fullmatch(r"\d+% \(\d+–\d+\)", dot["text"]) for dot in data["milestones"])
    assert not draw(two, ["negative"], horizon_months=12)["datasets"]["milestones"]


def test_a_long_name_leaves_the_phone_read_out_alone() -> None:
    times = [(100, 1), (800, 1), (1500, 0)]
    for name, named in (("short", True), ("a name of thirty characters, so", False)):
        dot = draw(km_of({name: times}), [name])["datasets"]["milestones"][0]
        assert (name in dot["named"]) is named
        assert dot["text"] in dot["named"]


def test_a_phone_leaves_out_the_names_that_it_would_cut_off() -> None:
    late = [(640, 1)] + [(1500, 0)] * 6
    groups = {"late": [(100, 1), (610, 1), *late] * 3, "non-responder": [*late, (730, 1)] * 3}
    data = draw(km_of(groups), list(groups), horizon_months=48)["datasets"]
    for dot in data["milestones"]:
        # The rule stands in the middle of a plot of at most 232 pixels.
        assert len(dot["named"]) * 6.1 <= 116
    assert any("non-responder" in dot["text"] for dot in data["milestones"])


def test_nothing_is_estimated_past_the_last_follow_up() -> None:
    result = km(short=[(100, 1), (200, 0)], long=[(900, 0), (1500, 1)])
    data = draw(result, ["short", "long"])["datasets"]
    assert [dot["g"] for dot in data["milestones"]] == ["v1"]
    assert data["hover"][-1]["v0"] == "past the last follow-up"
    assert "at risk" in data["hover"][0]["v0"]


def test_hover_band_and_milestone_agree_without_events() -> None:
    result = km(a=[(100, 0), (300, 0), (1500, 0)])
    data = draw(result, ["a"])["datasets"]
    step = [row for row in data["steps"] if row["t"] <= 24][-1]
    assert data["milestones"][0]["text"] == f"100% ({math.floor(step['lo'] + 0.5)}–100)"
    hover = next(row for row in data["hover"] if row["t"] == 24)
    assert hover["v0"] == f"{data['milestones'][0]['text']}, 1 at risk"


def test_landmark_starts_curves_and_table(two: KaplanMeier) -> None:
    later = km_of({g: [(d + 91, e) for d, e in times] for g, times in TWO.items()})
    data = draw(later, ["negative", "positive"], landmark_days=91)["datasets"]
    start = 91 / MONTH
    assert data["landmark"] == [{"t": 0.0, "t2": start}]
    assert min(row["t"] for row in data["steps"]) == pytest.approx(start, abs=1e-4)
    assert data["hover"][0]["t"] >= start
    first, second, *_ = (row for row in data["risk"] if row["g"] == "v0")
    assert (first["t"], first["text"]) == (pytest.approx(start, abs=1e-4), "5 (0)")
    assert second["t"] - first["t"] > 4


@pytest.mark.parametrize("horizon", [24, 48, 84, 120])
def test_axis_never_crowds(two: KaplanMeier, horizon: int) -> None:
    axes = [
        n["axis"] for n in walk(draw(two, ["negative"], horizon_months=horizon)) if n.get("axis")
    ]
    ticks = next(a["values"] for a in axes if a.get("title", "") and "Months" in a["title"])
    assert ticks[0] == 0
    assert ticks[-1] == horizon
    assert len(ticks) <= 11


def test_hostile_names_never_become_fields() -> None:
    result = km_of({name: [(100 * i + 50, 1), (900, 0)] for i, name in enumerate(HOSTILE)})
    spec = draw(result, HOSTILE)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in fields(spec))
    titles = [n["title"] for n in walk(spec) if str(n.get("field", "")).startswith("v")]
    assert len(set(titles)) == len(HOSTILE)
    assert all(title.endswith("\u200b") for title in titles)
    assert {row["text"].replace("\n", " ") for row in spec["datasets"]["names"]} == set(HOSTILE)


def test_groups_without_patients_draw_nothing(two: KaplanMeier) -> None:
    data = draw(two, ["negative", "nobody"])["datasets"]
    for name in ("steps", "ticks", "milestones", "ends", "risk"):
        assert {row["g"] for row in data[name]} == {"v0"}
    assert data["hover"][0]["v1"] == "no patients"


def test_one_patient_and_everybody() -> None:
    frame = pd.DataFrame({"day": [400], "event": [0]})
    result = kaplan_meier(event_table(frame, time="day", event="event"))
    group = Group("", "All patients", "All", ALL)
    spec = survival_chart(
        result, [group], endpoint="Overall survival", origin="diagnosis", horizon_months=48
    )
    assert [row["s"] for row in spec["datasets"]["steps"]] == [100, 100]
    assert spec["datasets"]["risk"][0]["text"] == "1 (0)"
    with pytest.raises(ValueError, match="one grouping column"):
        survival_chart(result, [group, group], endpoint="", origin="", horizon_months=48)


def test_a_figure_does_not_change_an_earlier_one(two: KaplanMeier) -> None:
    first = draw(two, ["negative", "positive"])
    kept = json.dumps(first["datasets"])
    second = draw(km(negative=[(10, 1)], positive=[(20, 1)]), ["negative", "positive"])
    assert json.dumps(first["datasets"]) == kept != json.dumps(second["datasets"])


def test_notes_avoid_the_curves() -> None:
    steep = km(a=[(10 * i, 1) for i in range(1, 30)] + [(1500, 0)])
    notes = draw(steep, ["a"], notes=("Log-rank P = 0.04",))["datasets"]["notes"]
    assert {note["align"] for note in notes} == {"right"}
    assert min(note["y"] for note in notes) > 50
    flat = km(a=[(1500, 0)] * 5)
    notes = draw(flat, ["a"], notes=("Log-rank P = 0.04",))["datasets"]["notes"]
    assert {note["align"] for note in notes} == {"left"}
    assert max(note["y"] for note in notes) < 10


def test_end_labels_stand_apart() -> None:
    same = [(100, 1), (1500, 0), (1600, 0)]
    result = km_of({name: same for name in "abcd"})
    ends = draw(result, list("abcd"))["datasets"]["ends"]
    places = sorted(row["y"] for row in ends)
    assert min(np.diff(places)) >= 15 / 296 * 100 - 1e-9


# Placement


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=8),
    st.floats(1, 12),
)
def test_pushed_apart_inside_the_bounds(values: list[float], gap: float) -> None:
    placed = push_apart(values, gap, 0, 100)
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in placed)
    ordered = sorted(placed)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(ordered))
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            assert placed[i] < placed[j] or not a < b


def test_values_far_apart_stay() -> None:
    assert push_apart([80, 20], 5, 0, 100) == [80, 20]


def test_read_outs_keep_clear_of_each_other() -> None:
    flat = [[(0.0, y), (1.0, y)] for y in (70.0, 69.0)]
    upper, lower = beside_dots([(0.5, 70.0), (0.5, 69.0)], flat, widths=[0.2, 0.2], unit=100 / 296)
    assert upper.shift < 0 < lower.shift
    assert upper.clear


def test_read_outs_stand_in_the_order_of_their_dots() -> None:
    # The lowest curve falls at the dots, which leaves no room right above the middle one.
    levels, falls = (93.8, 72.9, 71.0), (0.3, 0.42, 0.4997)
    curves = [
        [(0.1, 100.0), (fall - 0.1, (2 * y + 100) / 3), (fall, y), (1.0, y)]
        for y, fall in zip(levels, falls, strict=True)
    ]
    for unit in (100 / 230, 100 / 296):
        for width in (0.24, 0.48):
            dots = [(0.4997, y) for y in levels]
            places = beside_dots(dots, curves, widths=[width] * 3, unit=unit)
            heights = [y - p.shift * unit for y, p in zip(levels, places, strict=True)]
            assert heights == sorted(heights, reverse=True)


def test_read_outs_stay_inside_the_plot() -> None:
    crowd = [[(0.0, y), (0.59, y)] for y in np.arange(2.0, 100, 0.7)]
    (place,) = beside_dots([(0.6, 50.0)], crowd, widths=[0.5], unit=100 / 230)
    assert place.left


def test_a_block_finds_the_free_corner() -> None:
    low = [[(0.0, 100.0), (0.05, 3.0), (1.0, 3.0)]]
    assert free_place(low, [], width=0.5, height=15).right
    taken = Box(0.5, 80, 1, 100)
    assert free_place(low, [taken], width=0.5, height=15).bottom < 80


# MRD


def test_dots_and_counts_are_the_rates() -> None:
    rates = negativity_rates(_samples(), by="g")
    data = rates_chart(rates, groups_of(["x", "y"]), p_values={"3 months": "Fisher P = 0.57"})[
        "datasets"
    ]
    estimable = rates.dropna(subset="rate")
    assert [dot["rate"] for dot in data["dots"]] == pytest.approx(
        (100 * estimable["rate"]).tolist()
    )
    assert [dot["low"] for dot in data["dots"]] == pytest.approx((100 * estimable["low"]).tolist())
    assert [row["text"] for row in data["counts"]] == ["1/2", "1/1", "0/0", "1/2"]
    assert [(p["text"], p["p"]) for p in data["panels"]] == [
        ("After cycle 1", ""),
        ("3 months", "Fisher P = 0.57"),
    ]
    for dot in data["dots"]:
        panel = data["panels"][int(dot["x"])]
        assert panel["left"] < dot["x"] < panel["right"]


def test_rates_of_everybody_and_of_too_many_columns() -> None:
    rates = negativity_rates(_samples().drop(columns="g"))
    spec = rates_chart(rates, [Group("", "All patients", "All patients", ALL)], p_values={})
    assert [row["text"] for row in spec["datasets"]["counts"]] == ["1/2", "2/3"]
    with pytest.raises(ValueError, match="one grouping column"):
        rates_chart(rates.assign(a="1", b="2"), groups_of(["x"]), p_values={})


def test_alluvial_conserves_patients() -> None:
    data = _alluvial()["datasets"]
    nodes = pd.DataFrame(data["nodes"])
    unit = (nodes["y2"] - nodes["y"]) / nodes["text"].str.extract(r"(\d+)$")[0].astype(int)
    assert unit.to_numpy() == pytest.approx(unit.iloc[0])
    bands = pd.DataFrame(data["flows"])
    assert bands.groupby("f").size().eq(25).all()
    tall = (bands["y2"] - bands["y"]).to_numpy()
    assert tall == pytest.approx(bands["n"].to_numpy() * unit.iloc[0])
    assert bands.groupby("f")["n"].first().sum() == 2 * len(_STATUSES)
    assert nodes.loc[nodes["x"] == 0, "text"].tolist() == [
        "Negative 1",
        "Below LOD 1",
        "Positive 2",
        "Not assessed 1",
    ]


def test_kinetics_shows_lines_not_patients() -> None:
    spec = kinetics_chart(_levels(), lod=1e-6, origin="diagnosis")
    points = pd.DataFrame(spec["datasets"]["points"])
    assert set(points["line"]) == {0, 1}
    found = points[points["detected"]]
    assert found["y"].tolist() == pytest.approx(np.log10([2e-4, 3e-3, 5e-5]).tolist())
    assert (points.loc[~points["detected"], "y"] < -6).all()
    assert found["read"].iloc[0] == "2.0 × 10⁻⁴"
    assert [head["n"] for head in spec["datasets"]["heads"]] == ["1", "1"]


def test_kinetics_of_nobody_is_an_empty_figure() -> None:
    spec = kinetics_chart(_levels().iloc[:0], lod=1e-6, origin="diagnosis")
    assert spec["datasets"]["points"] == []


def test_bars_keep_order_and_long_labels() -> None:
    label = "Frontline therapy: chemotherapy-free dasatinib + blinatumomab"
    rows = [
        {"label": "Whole study", "n": 1610, "note": "", "slot": "gray"},
        {"label": label, "n": 0, "note": "−1,610", "slot": "ink"},
    ]
    spec = bar_list(rows, total=1610)
    bars = spec["datasets"]["bars"]
    assert [bar["n"] for bar in bars] == [1610, 0]
    assert bars[0]["text"] == "1,610"
    assert bars[1]["label"].replace("\n", " ") == label
    assert spec["height"] == 24 + 24 + 14
    assert bar_list([], total=0)["datasets"]["bars"] == []
