"""The Transplant page: four analyses, who was transplanted, and every course."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analytics.events import event_table
from analytics.hazard import cox, hazard_ratios
from analytics.proportion import fisher_exact
from analytics.survival import kaplan_meier, log_rank
from analytics.switching import counting_process, mantel_byar, simon_makuch
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, TooManyRows, Unreachable, find
from pages.elements import wording
from pages.elements.answers.transplant import Transplant, lanes, transplant, transplanted
from pages.elements.charts.swimmer import LANE, swimmer_chart
from pages.elements.charts.theme import Group, style_of
from pages.elements.charts.transplant import Span, card_curves, incidence_curves, ratio_axis
from pages.elements.transplant_view import _adjusted
from tests.pages.test_pages import asked, run, said, tables

PAGE = "pages/transplant.py"
COLUMNS = {"time": "time", "event": "event", "switch": "switch"}
HIGH = {"study": "short2025", "risk_group": "high"}
FIG_4A = {**HIGH, "mrd_after_cycle_1": "positive"}
FIG_4B = {**HIGH, "mrd_3_months": "positive"}
PALETTE = {"blue", "red", "green", "violet", "orange", "gray", "yellow"}


@pytest.fixture(autouse=True)
def _store(short2025: Snapshot) -> None:
    """Have the embedded cohorts in the store that the pages open."""


@pytest.fixture
def nguyen2026(store: Path) -> Snapshot:
    return find("nguyen2026", folder=store)


def metrics(test: AppTest) -> dict[str, tuple[str, str]]:
    return {m.label.split(" ")[0]: (m.value, m.delta) for m in test.metric}


def click(test: AppTest, label: str) -> AppTest:
    (button,) = [b for b in test.button if b.label == label]
    return button.click().run()


def numbers(test: AppTest) -> pd.DataFrame:
    table = tables(test)[0].set_index("")
    return table.replace("\u2060", "", regex=True)


def of(
    snapshot: Snapshot, endpoint: str = "RFS", day: int = 167, **conditions: Any
) -> tuple[Transplant, pd.DataFrame]:
    variables, cohort = queries.dictionary(snapshot), CohortFilter(**conditions)
    rows = queries.switch_rows(snapshot, cohort, variables, endpoint=endpoint, name="allosct")
    found = transplant(snapshot, cohort, variables, endpoint=endpoint, landmark_days=day)
    return found, rows.drop(columns="undated")


# The answers.


@pytest.mark.parametrize("endpoint", ["RFS", "OS"])
@pytest.mark.parametrize("conditions", [{}, {"risk_group": ("high",)}])
def test_the_four_analyses_are_those_of_analytics(
    short2025: Snapshot, endpoint: str, conditions: dict[str, Any]
) -> None:
    found, rows = of(short2025, endpoint, **conditions)
    ever = rows.assign(switched=rows["switch"].notna())
    table = event_table(ever, time="time", event="event", by="switched")
    naive = hazard_ratios(table, by="switched", reference=False).groups.iloc[1]
    assert found.naive.ratio.value == pytest.approx(naive["ratio"], rel=1e-12)
    assert found.naive.p_value == pytest.approx(log_rank(table, by="switched").p_value)
    later = rows[rows["time"] > 167].assign(switched=lambda f: (f["switch"] <= 167).fillna(False))
    at = event_table(later, time="time", event="event", by="switched")
    by_then = hazard_ratios(at, by="switched", reference=False).groups.iloc[1]
    assert found.landmark.ratio.high == pytest.approx(by_then["high"], rel=1e-12)
    split = counting_process(rows, **COLUMNS)
    fit = cox(split, time="stop", event="event", entry="start", covariates=("switched",)).terms
    assert found.dependent.ratio.value == pytest.approx(fit["hazard_ratio"].iloc[0], rel=1e-9)
    assert found.dependent.p_value == pytest.approx(mantel_byar(rows, **COLUMNS).p_value, abs=1e-12)
    assert found.simon_makuch is not None
    drawn = simon_makuch(rows, **COLUMNS, start=167).kaplan_meier.at([365, 730])
    pd.testing.assert_frame_equal(found.simon_makuch.kaplan_meier.at([365, 730]), drawn)


@pytest.mark.parametrize(
    "published", [(FIG_4A, "80%", "0%", "0.009"), (FIG_4B, "86%", "21%", "0.02")]
)
def test_the_published_landmark_is_met(published: tuple[dict[str, str], str, str, str]) -> None:
    query, after, none, p = published
    page = run(PAGE, query | {"landmark_days": "167"})
    landmark = numbers(page)["Landmark"]
    assert landmark[":green[■] AlloSCT, 2-year RFS"].startswith(after)
    assert landmark[":gray[●] No alloSCT, 2-year RFS"].startswith(none)
    assert landmark["P"] == p


def test_who_is_selected_by_mrd_counts_from_the_day_it_is_known(short2025: Snapshot) -> None:
    found, rows = of(short2025, mrd_3_months=("positive",))
    split = counting_process(rows, **COLUMNS)
    start = np.maximum(split["start"], split["known_day"].astype("float64"))
    entered = split.assign(start=start)
    fit = cox(entered, time="stop", event="event", entry="start", covariates=("switched",)).terms
    assert found.dependent.ratio.value == pytest.approx(fit["hazard_ratio"].iloc[0], rel=1e-9)
    assert found.n_never_at_risk == 0
    everybody, _ = of(short2025)
    assert everybody.dependent.none.n == everybody.n == 161
    assert everybody.dependent.after.n == everybody.n_transplanted == 24


def test_a_ratio_is_adjusted_only_with_five_events_for_each_term(
    short2025: Snapshot, nguyen2026: Snapshot
) -> None:
    found, rows = of(short2025)
    split = counting_process(rows, **COLUMNS)
    fit = cox(
        split, time="stop", event="event", entry="start",
        covariates=("switched", "age_years", "risk_group"),
    ).terms.set_index("covariate")  # fmt: skip
    assert found.adjusted is not None
    assert found.adjusted.covariates == ("age_years", "risk_group")
    assert found.adjusted.ratio.value == pytest.approx(
        fit.loc["switched", "hazard_ratio"], rel=1e-9
    )
    assert (found.adjusted.n, found.adjusted.n_event, found.adjusted.n_incomplete) == (161, 22, 0)
    few, _ = of(nguyen2026, day=94)
    assert few.adjusted is not None
    assert not few.adjusted.enough
    assert math.isnan(few.adjusted.ratio.value)


def test_a_cluster_that_gives_no_more_rows_leaves_the_adjusted_ratio_out(
    short2025: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> pd.DataFrame:
        raise TooManyRows("too many rows")

    monkeypatch.setattr(queries, "switch_covariates", refuse)
    found, _ = of(short2025)
    assert found.adjusted is not None
    assert found.adjusted.too_many
    assert not found.adjusted.enough
    assert found.dependent.none.n == 161
    assert "Too many patients to adjust for age and risk group" in _adjusted(found)

    def lost(*_: object, **__: object) -> pd.DataFrame:
        raise Unreachable("no answer")

    monkeypatch.setattr(queries, "switch_covariates", lost)
    with pytest.raises(Unreachable):
        of(short2025)


def test_patients_with_a_transplant_of_unknown_day_are_left_out(chiaretti2004: Snapshot) -> None:
    found, _ = of(chiaretti2004)
    assert found.left_out["AlloSCT in CR1 without a date"] == 3
    assert found.n + sum(found.left_out.values()) == 95
    assert found.naive.too_small
    assert found.simon_makuch is None


def test_the_landmark_splits_everybody(short2025: Snapshot) -> None:
    for day in (0, 91, 167, 400, 5000):
        found, _ = of(short2025, day=day)
        by_then, out = found.landmark, len(found.chosen.excluded)
        assert by_then.none.n + by_then.after.n + out == found.n
        assert found.readable_from >= day


def test_who_was_transplanted_adds_up(short2025: Snapshot) -> None:
    variables = queries.dictionary(short2025)
    found = transplanted(short2025, CohortFilter(), variables, timepoint="mrd_3_months")
    assert (found.shares["", ""].count, found.shares["", ""].total) == (24, 161)
    # Printed: 21 of 59 at high risk, 3 of 51 at standard risk, P < 0.001.
    assert (found.shares["high", ""].count, found.shares["high", ""].total) == (21, 59)
    assert (found.shares["standard", ""].count, found.shares["standard", ""].total) == (3, 51)
    for risk in found.risks:
        cells = [found.shares[risk, status].total for status in found.statuses]
        assert sum(cells) == found.shares[risk, ""].total
    three = [[found.shares[r, ""].count, found.shares[r, ""].total - found.shares[r, ""].count]
             for r in found.risks]  # fmt: skip
    assert found.by_risk[""] == fisher_exact(three).p_value
    assert found.incidence is not None
    assert found.incidence.groups["n_event"].tolist()[0] == 24
    # Printed: median 5.5 months, range 2.6 to 30.1.
    shown = [wording.months(day, 1) for day in (found.median, found.first, found.last)]
    assert shown == ["5.5", "2.6", "30.1"]


def test_the_lanes_hold_every_patient_and_no_identifier(short2025: Snapshot) -> None:
    variables = queries.dictionary(short2025)
    found = lanes(short2025, CohortFilter(), variables, transplanted_first=True)
    assert len(found.patients) == 161
    assert "patient_id" not in {*found.patients, *found.samples}
    assert found.patients["allosct"].notna().tolist() == [True] * 24 + [False] * 137
    assert found.patients["end"][:24].is_monotonic_decreasing
    longest = lanes(short2025, CohortFilter(), variables, transplanted_first=False)
    assert longest.patients["end"].is_monotonic_decreasing
    # A sample counts only before the transplant.
    day = found.patients["allosct"].reindex(found.samples["lane"]).to_numpy()
    assert (np.isnan(day) | (found.samples["day"].to_numpy() <= day)).all()


# The page.


def test_the_page_says_the_answer_with_its_numbers(short2025: Snapshot) -> None:
    found, _ = of(short2025, risk_group=("high",))
    page = run(PAGE, HIGH)
    assert not page.exception
    assert not page.error
    assert page.title[0].value == "Does alloSCT in first remission help?"
    ratio = found.dependent.ratio
    assert f"**{wording.ratio(ratio.value, ratio.low, ratio.high)}**" in said(page)
    assert "a benefit is neither shown nor excluded with 11 events (2 after transplant)" in said(
        page
    )
    cards = metrics(page)
    assert cards["1"] == (f":gray[HR {found.naive.ratio.value:.2f}]", "95% CI 0.08–1.79")
    assert cards["2"][0] == f"HR {found.landmark.ratio.value:.2f}"
    assert cards["3"] == (wording.p_value(found.dependent.p_value), "Mantel–Byar test")
    assert cards["4"] == ("HR 0.46", "95% CI 0.10–2.18")
    table = numbers(page)
    assert table.loc["HR (95% CI)", "Time-dependent"] == "0.46 (0.10–2.18)"
    assert table.loc[":green[■] AlloSCT, events / patients"].tolist() == [
        "2/21",
        "2/12",
        "2/21",
        "2/21",
    ]
    assert "Adjusted for age" in said(page)
    assert "exploratory, comparison 1 of this session" in said(page)


def test_the_landmark_moves_with_the_slider_and_its_default_is_not_written() -> None:
    page = run(PAGE, HIGH)
    (slider,) = page.select_slider
    assert slider.value == 167
    assert "Nobody left out; 12 transplanted by then, 9 later." in said(page)
    page = slider.set_value(274).run()
    assert asked(page, "landmark_days") == ["274"]
    assert "2 · Landmark, 9 months" in [m.label for m in page.metric]
    assert "left out: " in said(page)
    page = page.select_slider[0].set_value(167).run()
    assert "landmark_days" not in page.query_params


def test_a_day_from_a_link_has_its_place_on_the_slider() -> None:
    page = run(PAGE, HIGH | {"landmark_days": "100"})
    assert page.select_slider[0].value == 100
    assert not page.exception


def test_overall_survival_counts_from_day_zero() -> None:
    page = run(PAGE, HIGH)
    (choice,) = [box for box in page.selectbox if box.label == "Endpoint"]
    page = choice.set_value("OS").run()
    assert asked(page, "endpoint") == ["OS"]
    assert page.select_slider[0].label == "Landmark, from start of treatment"
    assert page.select_slider[0].value == 191
    assert "overall survival in percent by months from start of treatment" in said(page)


@pytest.mark.parametrize("endpoint", ["EFS", "CIR", "RFS_censored_at_allosct"])
def test_another_endpoint_is_said_and_replaced(endpoint: str) -> None:
    page = run(PAGE, HIGH | {"endpoint": endpoint})
    assert "is not offered here: shown is relapse-free survival" in said(page)
    page = click(page, "Stay with RFS")
    assert "endpoint" not in page.query_params
    assert "is not offered here" not in said(page)


def test_a_filter_on_the_transplant_stops_with_the_remedy() -> None:
    page = run(PAGE, HIGH | {"allosct": "yes"})
    assert "one side of the comparison is missing" in said(page)
    assert not page.metric
    page = click(page, "Lift this filter")
    assert len(page.metric) == 4
    both = run(PAGE, HIGH | {"allosct": ["no", "yes"]})
    assert len(both.metric) == 4


def test_two_filters_that_mislead_each_have_their_line() -> None:
    page = run(PAGE, {"study": "short2025", "car_t": "no", "disposition": "in first remission"})
    assert not page.exception
    assert "counts what came later" in said(page)
    assert "chosen by its outcome" in said(page)
    assert [b.label for b in page.button].count("Lift this filter") == 2


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"study": "allmrd"}, "Nobody in ALL/MRD 2019 and 2023"),
        ({"study": "chiaretti2004"}, "8 patients with an alloSCT, and the day of none of them"),
        ({"study": "short2025", "risk_group": "standard"}, "In this cohort 3 of 51 patients had"),
        ({"study": "short2025", "ph_status": "positive"}, "In this cohort 0 of 51 patients had"),
        ({"study": "short2025", "age_years": "18..18", "sex": "male"}, "removed the last"),
        ({"study": "nguyen2026", "mrd_best": "negative"}, "In this cohort 2 of 25 patients"),
    ],
)
def test_too_few_or_none_is_a_sentence(query: dict[str, str | list[str]], words: str) -> None:
    page = run(PAGE, query)
    assert not page.exception
    assert not page.error
    assert words in said(page)
    assert not page.metric


def test_one_patient_is_a_sentence(short2025: Snapshot) -> None:
    people = queries.subjects(short2025, CohortFilter(), queries.dictionary(short2025))
    alone = people["wbc_10e9_per_l"].max()
    page = run(
        PAGE, {"study": "short2025", "wbc_10e9_per_l": f"{alone}..{alone}", "swimmer": "yes"}
    )
    assert not page.exception
    assert not page.error
    assert "of 1 patient had an alloSCT in remission: too few" in said(page)


def test_too_few_by_the_landmark_is_a_sentence_in_the_card() -> None:
    page = run(PAGE, HIGH | {"landmark_days": "30"})
    assert metrics(page)["2"] == ("not estimable", "")
    assert "0 transplanted by then: too few for a curve. Move the landmark." in said(page)
    assert numbers(page)["Landmark"].tolist()[2:] == ["–"] * 4
    late = run(PAGE, HIGH | {"landmark_days": "5000"})
    assert not late.exception
    assert not late.error
    assert "Fewer than 5 on a side beyond the landmark" in said(late)


def test_another_study_asks_in_its_own_words() -> None:
    page = run(PAGE, {"study": "nguyen2026"})
    assert page.title[0].value == "Does alloSCT in remission help?"
    assert page.select_slider[0].label == "Landmark, from start of blinatumomab"
    assert "Too few events (11) to adjust for age and risk group." in said(page)


def test_the_lanes_are_drawn_when_asked_for_and_carry_no_identifier() -> None:
    page = run(PAGE, HIGH)
    closed = len(page.get("vega_lite_chart"))
    (toggle,) = page.toggle
    page = toggle.set_value(True).run()
    assert asked(page, "swimmer") == ["yes"]
    charts = page.get("vega_lite_chart")
    assert len(charts) == closed + 1
    assert "still followed" in said(page)
    (order,) = [box for box in page.selectbox if box.label == "Order"]
    page = order.set_value("length").run()
    assert asked(page, "sort") == ["length"]
    for chart in page.get("vega_lite_chart"):
        assert "S0" not in json.dumps(json.loads(chart.proto.spec))


def test_question_5_is_three_clicks_from_the_landing_page() -> None:
    page = run("app.py", {"study": "short2025"})
    for label, level in (("Risk group", "high"), ("MRD after cycle 1", "positive")):
        (pills,) = [p for p in page.get("button_group") if p.label == label]
        page = pills.set_value([level]).run()
    page = page.switch_page(PAGE).run()
    assert "**16 of 161 patients**" in said(page)
    assert "2 · Landmark, 5.5 months" in [m.label for m in page.metric]


# The charts as data.

TWO = [Group(str(k), name, name, style_of("allosct", level))
       for k, name, level in ((True, "AlloSCT", "yes"), (False, "No alloSCT", "no"))]  # fmt: skip


def colours(spec: Any) -> set[str]:
    """Every colour that a specification writes."""
    if isinstance(spec, dict):
        own = spec.get("color")
        found = set()
        if isinstance(own, dict):
            found = {own["value"]} if "value" in own else set(own["scale"]["range"])
        return found.union(*map(colours, spec.values()))
    return set().union(*map(colours, spec)) if isinstance(spec, list) else set()


def test_a_card_draws_the_curve_of_the_result(short2025: Snapshot) -> None:
    found, _ = of(short2025, risk_group=("high",))
    assert found.landmark.km is not None
    spec = card_curves(found.landmark.km, TWO, horizon_months=48, landmark_days=167)
    steps = pd.DataFrame(spec["datasets"]["steps"])
    for alias, switched in (("v0", True), ("v1", False)):
        drawn = steps[steps["g"] == alias]
        assert drawn["t"].iloc[0] == pytest.approx(167 / 30.4375, abs=1e-3)
        curve = found.landmark.km.curve
        curve = curve[(curve["switched"] == switched) & (curve["time"] <= 48 * 30.4375)]
        assert drawn["s"].tolist()[1:-1] == pytest.approx((100 * curve["survival"]).tolist())
    assert spec["datasets"]["landmark"] == [{"t": 0.0, "t2": pytest.approx(5.4867, abs=1e-3)}]
    assert {row["text"] for row in spec["datasets"]["ends"]} == {"AlloSCT", "No alloSCT"}
    assert colours(spec) <= PALETTE


def test_a_curve_that_cannot_be_read_is_not_drawn() -> None:
    frame = pd.DataFrame(
        {
            "time": [40, 60, 300, 400, 500, 700, 800, 900],
            "event": [1, 1, 0, 1, 0, 0, 1, 0],
            "switch": [20, 30, 200, None, 250, None, None, None],
        }
    )
    found = simon_makuch(frame, **COLUMNS)
    assert found.collapsed_at == 60
    spans = {"True": Span(20, found.collapsed_at)}
    spec = card_curves(found.kaplan_meier, TWO, horizon_months=48, spans=spans)
    after = [row for row in spec["datasets"]["steps"] if row["g"] == "v0"]
    assert after[0]["t"] == pytest.approx(20 / 30.4375, abs=1e-3)
    assert after[-1]["t"] == pytest.approx(60 / 30.4375, abs=1e-3)
    assert min(row["s"] for row in after) == 50
    none = [row for row in spec["datasets"]["steps"] if row["g"] == "v1"]
    assert none[0]["t"] == 0


def test_ratios_are_clipped_to_the_axis_and_named_where_there_is_none() -> None:
    nothing = float("nan")
    rows = [
        {"text": "Naive 0.50", "value": 0.5, "low": 0.001, "high": 1000.0, "strong": False},
        {"text": "Landmark not estimable", "value": nothing, "low": nothing, "high": nothing,
         "strong": False},
        {"text": "Time-dependent 1.10", "value": 1.1, "low": 0.4, "high": 3.0, "strong": True},
    ]  # fmt: skip
    spec = ratio_axis(rows)
    first, second, third = spec["datasets"]["ratios"]
    assert (first["less"], first["more"]) == (True, True)
    assert (first["low"], first["high"]) == (0.01, 100)
    assert "value" not in second
    assert (third["less"], third["more"], third["g"]) == (False, False, "v1")
    assert colours(spec) <= PALETTE
    json.dumps(spec, allow_nan=False)


def test_the_incidence_figure_reads_the_estimates(short2025: Snapshot) -> None:
    found = transplanted(
        short2025, CohortFilter(), queries.dictionary(short2025), timepoint="mrd_3_months"
    )
    assert found.incidence is not None
    causes = [Group("1", "AlloSCT", "AlloSCT", style_of("allosct", "yes")),
              Group("2", "Relapse", "Relapse", style_of("mrd_status", "positive"))]  # fmt: skip
    spec = incidence_curves(found.incidence, causes, origin="remission", horizon_months=48)
    at = found.incidence.at(365).set_index("cause").loc[1]
    text = wording.rate_with_interval(at["incidence"], at["low"], at["high"])
    assert spec["datasets"]["hover"][12]["v0"] == text
    assert all(row["lo"] <= row["hi"] for row in spec["datasets"]["bands"])
    json.dumps(spec, allow_nan=False)


def test_a_lane_is_cut_at_each_change() -> None:
    nothing = float("nan")
    patients = pd.DataFrame(
        {
            "end": [600.0, 300.0], "allosct": [100.0, nothing], "car_t": [nothing, nothing],
            "relapse": [400.0, nothing], "death": [600.0, nothing], "text": ["Lane 1", "Lane 2"],
        }
    )  # fmt: skip
    samples = pd.DataFrame(
        {
            "lane": [0, 1],
            "day": [-5.0, 60.0],
            "status": ["positive", "negative"],
            "text": ["a", "b"],
        }
    )
    spec = swimmer_chart(patients, samples, origin="remission")
    bars = [(row["y"], row["t"], row["t2"]) for row in spec["datasets"]["bars"]]
    assert bars == [
        (LANE / 2, 0, pytest.approx(3.285, abs=1e-3)),
        (LANE / 2, pytest.approx(3.285, abs=1e-3), pytest.approx(19.713, abs=1e-3)),
        (1.5 * LANE, 0, pytest.approx(9.856, abs=1e-3)),
    ]
    assert len(spec["datasets"]["strokes"]) == 1
    assert len(spec["datasets"]["marks"]) == 5  # two samples, relapse, death, still followed
    assert spec["height"] == 17
    assert [row["t"] for row in spec["datasets"]["heads"]] == [0, 6, 12, 18, 24]
    assert colours(spec) <= PALETTE
    json.dumps(spec, allow_nan=False)


def test_300_lanes_keep_their_height() -> None:
    lane = {"end": 500.0, **dict.fromkeys(("allosct", "car_t", "relapse", "death"), float("nan"))}
    patients = pd.DataFrame([lane | {"text": f"Lane {i + 1}"} for i in range(300)])
    spec = swimmer_chart(
        patients, pd.DataFrame(columns=["lane", "day", "status", "text"]), origin="remission"
    )
    assert spec["height"] == 2550


def test_no_transplant_curve_is_the_level_of_kaplan_meier(short2025: Snapshot) -> None:
    found, rows = of(short2025)
    ever = rows.assign(switched=rows["switch"].notna())
    km = kaplan_meier(event_table(ever, time="time", event="event", by="switched"), by="switched")
    assert found.naive.km is not None
    pd.testing.assert_frame_equal(found.naive.km.curve, km.curve)
