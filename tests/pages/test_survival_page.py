"""The Survival figure: incidence, two groupings, units, zoom, differences, few events."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analytics.competing import cause_specific, cumulative_incidence, gray_test
from analytics.events import event_table
from analytics.hazard import hazard_ratios
from analytics.landmark import landmark
from analytics.log_rank import log_rank, log_rank_trend, permutation_log_rank
from analytics.survival import kaplan_meier
from data import queries
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS
from data.store import Snapshot, find
from data.variables import Dictionary
from pages.elements import plain, survival_view, tables, wording
from pages.elements.answers import survival as answers
from pages.elements.charts.survival import survival_chart
from pages.elements.charts.theme import Group, crossed, styles

ROOT = Path(__file__).parents[2]
STUDIES = ("short2025", "nguyen2026", "allmrd", "chiaretti2004")
HIGH = CohortFilter(ph_status=("negative",), risk_group=("high",))
FIG_2B = {"study": "short2025", "ph_status": "negative", "risk_group": "high",
          "by": "mrd_after_cycle_1"}  # fmt: skip


@pytest.fixture(autouse=True)
def _store(short2025: Snapshot) -> None:
    """Have the embedded cohorts in the store that the pages open."""


def run(query: dict[str, str]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    test = test.switch_page("pages/survival.py").run()
    assert not test.exception
    assert not test.error
    return test


def said(test: AppTest) -> str:
    kinds = ("title", "subheader", "markdown", "info", "error")
    return "\n".join(str(e.value) for kind in kinds for e in test.get(kind))


def box(test: AppTest, label: str) -> Any:
    (found,) = [each for each in test.selectbox if each.label == label]
    return found


def press(test: AppTest, label: str) -> AppTest:
    (button,) = [each for each in test.button if each.label == label]
    return button.click().run()


def table(test: AppTest, place: int = 0) -> pd.DataFrame:
    return test.table[place].value.set_index("")


def alt(test: AppTest) -> str:
    return str(test.get("vega_lite_chart")[0].proto.alt)


def spec(test: AppTest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(test.get("vega_lite_chart")[0].proto.spec)
    return found


def axis(figure: dict[str, Any]) -> dict[str, Any]:
    """The time axis of a figure with its scale."""
    for layer in figure["vconcat"][0]["layer"]:
        x = layer["encoding"].get("x", {})
        if x.get("axis") and "from" in str(x["axis"].get("title")):
            return {**x["axis"], "domain": x["scale"]["domain"]}
    raise AssertionError("no time axis")


# Known numbers


def test_question_1_with_the_permutation_p_and_the_figure_in_a_sentence(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run(FIG_2B)
    numbers = table(test)
    assert numbers.loc["2-year RFS"].str.slice(0, 8).tolist() == ["**100%**", "**38%** "]
    assert alt(test) == (
        "Relapse-free survival at 2 years 100% (40–100) MRD negative, "
        "38% (10–66) MRD positive; log-rank P = 0.01"
    )
    by = "mrd_after_cycle_1"
    events = queries.events(short2025, HIGH, variables, endpoint="RFS", by=(by,))
    p = permutation_log_rank(events, by=by).p_value
    assert "rests on fewer than 5 in MRD negative" in said(test)
    assert f"permutation **{wording.p_value(p)}**" in said(test)
    assert p == pytest.approx(0.0058, abs=5e-5)


def test_question_2_the_same_censored_at_transplant(
    short2025: Snapshot, variables: Dictionary
) -> None:
    code, by = "RFS_censored_at_allosct", "mrd_after_cycle_1"
    test = run(FIG_2B | {"endpoint": code})
    events = queries.events(short2025, HIGH, variables, endpoint=code, by=(by,))
    at = kaplan_meier(events, by=by).at([730])
    shown = table(test).loc["2-year RFS"].tolist()
    for cell, row in zip(shown, at.itertuples(), strict=True):
        assert cell.startswith(f"**{wording.percent(row.survival)}**") or (
            "followed to" in cell and pd.isna(row.survival)
        )
    assert wording.p_value(log_rank(events, by=by).p_value) in said(test)


def test_question_6_relapse_and_non_relapse_mortality_of_the_transplanted(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run({"study": "short2025", "endpoint": "CIR", "allosct": "yes"})
    cohort = CohortFilter(allosct=("yes",))
    events = queries.events(short2025, cohort, variables, endpoint="CIR")
    at = cumulative_incidence(events).at([730]).set_index("cause")
    relapse, mortality = table(test).loc["At 2 years"]
    for cell, cause in ((relapse, 1), (mortality, 2)):
        row = at.loc[cause]
        limits = wording.percent_interval(row["low"], row["high"])
        assert cell == f"**{wording.percent(row['incidence'])}** {limits}"
    assert (relapse, mortality) == ("**5%** 0–21", "**5%** 0–21")
    assert "Immortal time" in said(test)
    assert test.title[0].value == "Relapse and non-relapse mortality"


# Cumulative incidence


def test_incidence_by_group_with_the_competing_cause_and_grays_test(
    short2025: Snapshot, variables: Dictionary
) -> None:
    by, everybody = "mrd_3_months", CohortFilter()
    test = run({"study": "short2025", "endpoint": "CIR", "by": by})
    events = queries.events(short2025, everybody, variables, endpoint="CIR", by=(by,))
    at = cumulative_incidence(events, by=by).at([730])
    for head, cause in (("2-year CIR", 1), ("2-year NRM", 2)):
        rows = at[at["cause"] == cause]
        assert [cell.split()[0] for cell in table(test).loc[head]] == [
            f"**{wording.percent(rate)}**" for rate in rows["incidence"]
        ]
    gray = gray_test(events, by=by)
    assert f"Gray’s test **{wording.p_value(gray.p_value)}**" in said(test)
    ratio = hazard_ratios(cause_specific(events, 1), by=by, reference="negative").groups.iloc[1]
    shown = wording.ratio(ratio["ratio"], ratio["low"], ratio["high"])
    assert f"Cause-specific hazard ratio **{shown}**" in said(test)
    assert "Log-rank" not in said(test)
    assert alt(test).endswith(f"Gray’s test {wording.p_value(gray.p_value)}")


@pytest.mark.parametrize("code", [code for code, e in ENDPOINTS.items() if e.competing])
@pytest.mark.parametrize("by", [None, "risk_group"])
def test_the_two_incidences_and_survival_add_up_to_one(
    code: str, by: str | None, short2025: Snapshot, variables: Dictionary
) -> None:
    question = {"by": by, "landmark_days": 91}
    result = answers.incidence(short2025, CohortFilter(), variables, endpoint=code, **question)
    rfs = answers.survival(
        short2025, CohortFilter(), variables, horizon_days=1460,
        endpoint=code.replace("CIR", "RFS").replace("NRM", "RFS"), **question,
    )  # fmt: skip
    days = [365, 730]
    free = rfs.km.at(days)["survival"].to_numpy()
    if result.other is None:
        parts = result.curves.at(days).groupby("time")["incidence"].sum().to_numpy()
    else:
        parts = (
            result.curves.at(days)["incidence"] + result.other.at(days)["incidence"]
        ).to_numpy()
    assert parts + free == pytest.approx(1)
    assert result.n == rfs.n
    assert result.n_event + result.table["n_competing"].sum() == rfs.n_event


def test_the_figure_of_an_incidence_rises_from_zero_and_repeats_the_result(
    short2025: Snapshot, variables: Dictionary
) -> None:
    result = answers.incidence(
        short2025, CohortFilter(), variables, endpoint="CIR", by="mrd_after_cycle_1",
        landmark_days=None,
    )  # fmt: skip
    data = drawn(result)["datasets"]
    for alias, level in zip(("v0", "v1"), result.levels, strict=True):
        steps = pd.DataFrame([row for row in data["steps"] if row["g"] == alias])
        curve = result.row(level, result.curves.curve)
        events = curve[(curve["n_event"] > 0) & (curve["time"] <= 1461)]
        rises = steps[steps["s"].diff() > 0]
        assert steps["s"].iloc[0] == 0
        assert steps["s"].is_monotonic_increasing
        assert rises["s"].tolist() == pytest.approx((100 * events["incidence"]).tolist())
        risk = [row["text"] for row in data["risk"] if row["g"] == alias]
        state = result.row(level, result.curves.at([730])).iloc[0]
        assert risk[4] == f"{state['n_risk']} ({state['n_event']})"
    ticks = result.curves.curve.query("n_censored > 0 and time <= 1461")
    assert len(data["ticks"]) == len(ticks)


def drawn(result: answers.Survival | answers.Incidence, **options: Any) -> dict[str, Any]:
    assert result.by is not None
    looks = tables.looks(result.by)
    groups = [Group(v.value, v.name, v.short, looks[v.value]) for v in result.levels]
    words = {"endpoint": "Incidence", "origin": "remission", "horizon_months": 48}
    return survival_chart(result.curves, groups, **{**words, **options})


def test_both_causes_stand_in_one_figure_with_their_own_looks(
    short2025: Snapshot, variables: Dictionary
) -> None:
    for code, first in (("CIR", "Relapse"), ("NRM", "Non-relapse mortality")):
        result = answers.incidence(
            short2025, CohortFilter(), variables, endpoint=code, by=None, landmark_days=None
        )
        assert result.levels[0].name == first
        ends = [row["text"].replace("\n", " ") for row in drawn(result)["datasets"]["ends"]]
        assert sorted(ends) == ["Non-relapse mortality", "Relapse"]
        looks = tables.looks(answers.CAUSE)
        assert (looks["relapse"].shape, looks["death"].shape) == ("x", "square")


def test_a_read_out_that_could_be_taken_for_another_curves_is_named(
    short2025: Snapshot, variables: Dictionary
) -> None:
    result = answers.incidence(
        short2025, CohortFilter(), variables, endpoint="CIR", by=None, landmark_days=None
    )
    dots = drawn(result)["datasets"]["milestones"]
    assert [dot["text"].split()[0] for dot in dots] == ["Relapse", "NRM"]


@pytest.mark.parametrize("by", [None, "risk_group", "mrd_3_months"])
@pytest.mark.parametrize("code", ["CIR", "NRM"])
def test_incidence_in_plain_words_promises_nothing(
    code: str, by: str | None, short2025: Snapshot, variables: Dictionary
) -> None:
    result = answers.incidence(
        short2025, CohortFilter(), variables, endpoint=code, by=by, landmark_days=None
    )
    text = plain.incidence(result, queries.study(short2025), CohortFilter(), variables)
    assert ("the leukemia came back in" in text) == (code == "CIR" or by is None)
    assert ("died without the leukemia coming back" in text) == (code == "NRM" or by is None)
    assert "The true share" in text
    assert ("does not show that one thing causes the other" in text) == (by is not None)


# Two groupings


def test_two_groupings_make_four_curves_that_read_both_ways(
    short2025: Snapshot, variables: Dictionary
) -> None:
    query = {"study": "short2025", "ph_status": "negative", "by": "risk_group",
             "by2": "mrd_3_months", "landmark_days": "91"}  # fmt: skip
    test = run(query)
    names = ("risk_group", "mrd_3_months")
    cohort = CohortFilter(ph_status=("negative",))
    rows = queries.event_rows(
        short2025, cohort, variables, endpoint="RFS", by=names, landmark_days=91
    )
    chosen = landmark(rows, at=91, time="time", event="event", known_day="known_day")
    events = event_table(chosen.frame, time="time", event="event", by=names)
    km = kaplan_meier(events, by=names)
    expected = {
        f"{variables['risk_group'].level(a).short} · {variables['mrd_3_months'].level(b).short}":
        f"{n_event}/{n}"
        for a, b, n, n_event in km.groups[[*names, "n", "n_event"]].itertuples(index=False)
    }  # fmt: skip
    shown = {name.split("] ")[1]: text for name, text in table(test)["Events"].items()}
    assert shown == expected
    assert len(shown) == 4
    assert wording.p_value(log_rank(events, by=names).p_value) in said(test)
    assert test.title[0].value == "Relapse-free survival by risk group and MRD at 3 months"


def test_colour_tells_the_first_grouping_and_mark_and_dash_the_second() -> None:
    risk, mrd = ["standard", "high", "Ph-positive"], ["negative", "positive"]
    pairs = dict(
        zip(product(risk, mrd), crossed(styles("risk_group", risk), styles("mrd_x", mrd)),
            strict=True)
    )  # fmt: skip
    for (a, b), look in pairs.items():
        assert look.slot == styles("risk_group", risk)[risk.index(a)].slot
        second = styles("mrd_x", mrd)[mrd.index(b)]
        assert (look.shape, look.dash) == (second.shape, second.dash)
    many = styles("any", [f"level {i}" for i in range(9)])
    looks = crossed(many[:6], many[:6])
    assert len({(look.slot, look.shape, look.dash) for look in looks}) == 36


def test_more_than_six_groups_are_a_sentence_with_a_way_back() -> None:
    query = {"study": "short2025", "by": "cytogenetics", "by2": "mrd_3_months"}
    test = run(query)
    assert "groups are too many to tell apart" in said(test)
    assert not test.get("vega_lite_chart")
    test = press(test, "Group by cytogenetics alone")
    assert "by2" not in test.query_params
    assert test.get("vega_lite_chart")


def test_the_second_grouping_is_offered_with_the_first_and_warned_of_alike() -> None:
    test = run({"study": "short2025"})
    assert not [each for each in test.selectbox if each.label == "And by"]
    test = box(test, "Group by").set_value("risk_group").run()
    assert "Immortal time" not in said(test)
    test = box(test, "And by").set_value("allosct").run()
    assert "Immortal time" in said(test)
    assert test.query_params["by2"] in ("allosct", ["allosct"])
    test = box(test, "Group by").set_value("none").run()
    assert test.title[0].value == "Relapse-free survival"


def test_whose_group_changes_later_is_counted_for_either_grouping(
    short2025: Snapshot, variables: Dictionary
) -> None:
    question = {"endpoint": "RFS", "landmark_days": 100, "horizon_days": 1460}
    alone = answers.survival(short2025, CohortFilter(), variables, by="allosct", **question)
    for by, by2 in (("allosct", "sex"), ("sex", "allosct")):
        both = answers.survival(short2025, CohortFilter(), variables, by=by, by2=by2, **question)
        assert both.n_later == alone.n_later > 0
        assert both.n + too_few(both) == alone.n + too_few(alone)


def too_few(result: answers.Answer) -> int:
    return sum(n for reason, n in result.left_out.items() if "too few" in reason)


@pytest.mark.parametrize("code", ["RFS", "CIR"])
@pytest.mark.parametrize(("by", "by2"), [("risk_group", "mrd_3_months"), ("mrd_best", "allosct")])
@pytest.mark.parametrize("day", [None, 183])
def test_who_is_left_out_of_two_groupings_adds_up_to_the_cohort(
    code: str, by: str, by2: str, day: int | None, short2025: Snapshot, variables: Dictionary
) -> None:
    question = {"endpoint": code, "by": by, "by2": by2, "landmark_days": day}
    if code == "RFS":
        result: answers.Answer = answers.survival(
            short2025, CohortFilter(), variables, horizon_days=1460, **question
        )
    else:
        result = answers.incidence(short2025, CohortFilter(), variables, **question)
    excluded = 0 if result.landmark is None else len(result.landmark.excluded)
    assert result.n + sum(result.left_out.values()) + excluded == 161


# Landmark


NEAR = {"study": "short2025", "by": "mrd_3_months", "landmark_days": "90"}


@pytest.mark.parametrize("day", ["88", "90", "91", "92", "167"])
def test_a_rerun_keeps_the_landmark_of_the_link(day: str) -> None:
    test = run(NEAR | {"landmark_days": day})
    n = table(test).loc["Patients"].tolist()
    test.run()
    assert test.query_params["landmark_days"] in (day, [day])
    assert table(test).loc["Patients"].tolist() == n
    words = box(test, "Time from").options
    assert len(set(words)) == len(words)


def test_two_landmarks_of_the_same_month_are_told_apart_by_their_day() -> None:
    test = run(NEAR)
    assert "Landmark, 3 months (day 90)" in box(test, "Time from").options
    assert "Landmark, 3 months (day 91)" in box(test, "Time from").options
    test = box(test, "Time from").set_value("91").run()
    assert test.query_params["landmark_days"] in ("91", ["91"])
    shown = box(test, "Time from")
    assert "Landmark, 3 months" in shown.options
    # The browser would send the words back that it was sent last.
    assert (shown.proto.set_value, shown.proto.raw_value) == (True, "Landmark, 3 months")


def traced(test: AppTest) -> str:
    (text,) = [str(e.value) for e in test.markdown if "snapshot " in str(e.value)]
    return text


def in_brackets(text: str) -> int:
    return sum(map(int, re.findall(r"\((\d+)\)", text)))


@pytest.mark.parametrize("by", ["mrd_3_months", "allosct"])
def test_the_footer_accounts_for_every_patient_of_the_cohort(by: str) -> None:
    text = traced(run(NEAR | {"by": by}))
    assert "landmark at 3 months (day 90) from first complete remission" in text
    (n,) = re.findall(r"n = (\d+),", text)
    (left_out,) = re.findall(r"· left out: (.*?) ·", text)
    assert "last seen before the landmark" in left_out
    assert int(n) + in_brackets(left_out) == 161
    assert "landmark" not in traced(run({"study": "short2025", "by": by}))


def test_the_patients_offered_say_who_of_them_is_in_no_curve() -> None:
    def note(test: AppTest) -> str:
        return next(
            (str(e.value) for e in test.markdown if "not in the curves" in str(e.value)), ""
        )

    assert in_brackets(note(run(NEAR))) == 161 - 106
    moved = note(run(NEAR | {"by": "allosct", "landmark_days": "167"}))
    assert in_brackets(moved) == 8
    assert "12 patients changed group later and stay as on the day of the landmark" in moved
    assert note(run({"study": "short2025", "by": "sex"})) == ""


def test_choices_of_the_same_words_show_what_stands_in_the_link() -> None:
    choices = {"age": "Age", "age_years": "Age", "sex": "Sex"}
    shown = wording.distinct(choices)
    assert shown == {"age": "Age (age)", "age_years": "Age (age_years)", "sex": "Sex"}


# Tests


def test_the_difference_at_two_years_is_the_second_group_less_the_first(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run({"study": "short2025", "by": "allosct", "landmark_days": "167"})
    result = answers.survival(
        short2025, CohortFilter(), variables, endpoint="RFS", by="allosct", landmark_days=167,
        horizon_days=1461,
    )  # fmt: skip
    line = result.km.differences([730]).iloc[0]
    assert (line["group_1"], line["group_2"]) == ("no", "yes")
    limits = wording.points_interval(line["low"], line["high"])
    assert f"2-year difference **{wording.points(line['difference'])}** ({limits})" in said(test)
    rows = table(test, 1)
    assert rows.index.tolist() == ["1-year RFS", "2-year RFS", "3-year RFS"]
    assert rows.columns[0] == "AlloSCT in CR1 less No alloSCT, points (95% CI)"


def test_a_difference_before_the_landmark_is_none(
    short2025: Snapshot, variables: Dictionary
) -> None:
    result = answers.survival(
        short2025, CohortFilter(), variables, endpoint="RFS", by="mrd_3_months",
        landmark_days=400, horizon_days=1461,
    )  # fmt: skip
    rows = tables.difference_rows(result, "RFS", 1461)
    assert rows.iloc[0, 1:].tolist() == ["–", "–"]


def test_the_trend_follows_the_order_of_the_responders(
    short2025: Snapshot, variables: Dictionary
) -> None:
    test = run({"study": "short2025", "by": "mrd_dynamics"})
    events = queries.events(
        short2025, CohortFilter(), variables, endpoint="RFS", by=("mrd_dynamics",)
    )
    trend = log_rank_trend(events, by="mrd_dynamics", scores=[0, 1, 2])
    assert f"Early, Late and Non-responder {wording.p_value(trend.p_value)}" in said(test)
    assert "Trend" not in said(run({"study": "short2025", "by": "risk_group"}))


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"by": "risk_group", "by2": "mrd_after_cycle_1"},
         "no event in Standard risk · MRD negative, the reference"),
        ({"by": "mrd_after_cycle_1", "by2": "mrd_3_months"}, "no event in MRD negative · MRD positive"),
        ({"by": "mrd_after_cycle_1", "ph_status": "negative"}, "no event in MRD negative, the reference"),
    ],
)  # fmt: skip
def test_a_ratio_that_cannot_be_estimated_says_why(query: dict[str, str], why: str) -> None:
    assert f"Not estimable: {why}." in said(run({"study": "short2025", **query}))


def test_ratios_that_are_estimated_need_no_reason() -> None:
    assert "Not estimable" not in said(run({"study": "short2025", "by": "risk_group"}))


@pytest.mark.parametrize("section", ["subgroups", "cox", "balance"])
def test_a_page_counts_its_comparisons_once(section: str) -> None:
    test = run({"study": "short2025", "by": "mrd_3_months", "landmark_days": "91",
                "section": section})  # fmt: skip
    for _ in range(2):
        numbers = re.findall(r"omparison (\d+) of this session", said(test))
        assert len(numbers) == 2
        assert len(set(numbers)) == 1
        test.run()


def test_enough_events_need_no_permutation() -> None:
    assert "Few events" not in said(run({"study": "short2025", "by": "mrd_3_months"}))


# Unit and zoom


@pytest.mark.parametrize(
    ("unit", "median", "title", "last"),
    [("months", "24.0 12.0–NR", "Months", 48), ("years", "2.00 1.00–NR", "Years", 4),
     ("days", "730 364–NR", "Days", 1461)],
)  # fmt: skip
def test_the_unit_of_time(
    unit: str, median: str, title: str, last: float, short2025: Snapshot, variables: Dictionary
) -> None:
    test = box(run(FIG_2B), "Unit of time").set_value(unit).run()
    head = f"Median, {wording.UNITS[unit][1]}"
    assert table(test).loc[head].iloc[1].replace("*", "") == median
    shown = axis(spec(test))
    assert shown["title"] == f"{title} from first complete remission"
    assert shown["domain"] == [0, last]
    followed = answers.followed(short2025, HIGH, variables, "RFS").median
    text = wording.in_unit(followed, unit, 1 if unit == "years" else 0)
    assert f"median follow-up {text} {wording.UNITS[unit][1]}" in said(test)


def test_horizon_and_size_change_the_figure_alone() -> None:
    test = run(FIG_2B)
    before = table(test)
    test = box(test, "Figure size").set_value("L").run()
    assert spec(test)["vconcat"][0]["height"] == 520
    test = box(test, "Show to").set_value("60").run()
    assert axis(spec(test))["domain"] == [0, 60]
    assert table(test).loc["2-year RFS"].equals(before.loc["2-year RFS"])


def test_a_zoom_shows_a_part_of_the_axis_and_changes_no_number() -> None:
    whole = run(FIG_2B)
    test = whole.slider[0].set_range(6, 18).run()
    assert test.query_params["zoom"] in ("6..18", ["6..18"])
    shown = axis(spec(test))
    assert shown["domain"] == [6, 18]
    assert shown["values"] == [6, 8, 10, 12, 14, 16, 18]
    assert "Zoomed to months 6 to 18" in said(test)
    assert table(test).equals(table(run(FIG_2B)))
    test = press(test, "Show all")
    assert axis(spec(test))["domain"] == [0, 48]
    assert "zoom" not in test.query_params


@pytest.mark.parametrize("zoom", ["18..6", "x", "6", "6..6"])
def test_a_zoom_that_is_none_is_refused(zoom: str) -> None:
    test = run(FIG_2B | {"zoom": zoom})
    assert f"‘{zoom}’ is not a choice for zoom" in said(test).replace("\\", "")


def test_a_zoom_past_the_figure_or_before_the_landmark_shows_all() -> None:
    assert axis(spec(run(FIG_2B | {"zoom": "50..80"})))["domain"] == [0, 48]
    query = FIG_2B | {"zoom": "0..6", "landmark_days": "200"}
    assert axis(spec(run(query)))["domain"] == [0, 48]


def test_zoomed_curves_start_at_the_zoom_with_the_state_of_that_day(
    short2025: Snapshot, variables: Dictionary
) -> None:
    result = answers.survival(
        short2025, CohortFilter(), variables, endpoint="RFS", by="mrd_3_months",
        landmark_days=None, horizon_days=1461,
    )  # fmt: skip
    figure = drawn(result, first_month=12, horizon_months=24, landmark_days=91)
    at = result.km.at([365, 730])
    for alias, level in zip(("v0", "v1"), result.levels, strict=True):
        steps = [row for row in figure["datasets"]["steps"] if row["g"] == alias]
        rows = result.row(level, at)["survival"].tolist()
        assert [steps[0]["s"], steps[-1]["s"]] == pytest.approx([100 * rate for rate in rows])
        assert steps[0]["t"] == pytest.approx(12, abs=0.05)
        assert steps[-1]["t"] == 24
    assert figure["datasets"]["landmark"] == []
    risk = [row for row in figure["datasets"]["risk"] if row["g"] == "v0"]
    assert [row["t"] for row in risk] == [12, 14, 16, 18, 20, 22, 24]


# Nothing to draw, and every study


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("code", ["RFS", "OS", "CIR", "NRM", "CIR_censored_at_allosct"])
def test_every_study_and_endpoint_by_everything_is_drawn_or_says_why(study: str, code: str) -> None:
    variables = queries.dictionary(find(study))
    first = next(v.name for v in variables.groupable if v.levels)
    for by in (None, first):
        test = run({"study": study, "endpoint": code} | ({"by": by} if by else {}))
        drawn_or_said = test.get("vega_lite_chart") or test.info
        assert drawn_or_said
        assert "could not be shown" not in said(test)


@pytest.mark.parametrize("code", ["CIR", "NRM", "RFS"])
@pytest.mark.parametrize(
    "more",
    [
        {"age_years": "18..18"},
        {"landmark_days": "3000"},
        {"risk_group": "standard", "mrd_after_cycle_1": "negative", "by": "mrd_after_cycle_1"},
        {"by": "mrd_after_cycle_1", "by2": "mrd_6_months", "age_years": "60..70"},
    ],
)
def test_empty_states_are_sentences(code: str, more: dict[str, str]) -> None:
    test = run({"study": "short2025", "endpoint": code, **more})
    assert test.get("vega_lite_chart") or test.info or "removed the last" in said(test)
    assert "could not be shown" not in said(test)


def test_no_event_of_the_cause_is_an_incidence_of_zero_with_its_limit() -> None:
    query = {"study": "short2025", "endpoint": "CIR", "mrd_after_cycle_1": "negative"}
    test = run(query)
    relapse = table(test).loc["At 2 years"].iloc[0]
    assert relapse.startswith("**0%** 0–")


# Dragging over the figure


def test_the_drag_starts_empty_for_what_it_covers_does_not_answer_to_the_pointer() -> None:
    params = {param["name"]: param for param in spec(run(FIG_2B))["params"]}
    assert params["zoom"]["value"] == {"x": [0, 0]}
    assert params["zoom"]["select"]["zoom"] is False
    assert "pointerType === 'mouse'" in params["zoom"]["select"]["on"]
    assert list(run(FIG_2B).get("vega_lite_chart")[0].proto.selection_mode) == ["whole", "zoom"]


@pytest.mark.parametrize(
    ("unit", "selected", "asked"),
    [
        ("months", {"zoom": {"t": [6.4, 17.2]}}, ["6..18"]),
        ("years", {"zoom": {"t": [0.55, 1.45]}}, ["6..18"]),
        ("days", {"zoom": {"t": [200.0, 540.0]}}, ["6..18"]),
        ("months", {"zoom": {"t": [0.2, 47.9]}}, [None]),
        ("months", {"zoom": {}}, []),
        ("months", {"zoom": {}, "whole": [{"t": 3.0}]}, [None]),
    ],
)
def test_a_drag_zooms_to_whole_months_and_a_double_click_back(
    unit: str, selected: dict[str, Any], asked: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = survival_view.SurvivalView(
        endpoint=ENDPOINTS["RFS"], origin="", by=None, by2=None, landmark_days=None,
        horizon_months=48, zoom=None, unit=unit, size="S",
    )  # fmt: skip
    said_to_link: list[str | None] = []
    monkeypatch.setattr(survival_view.st, "session_state", {"figure": {"selection": selected}})
    monkeypatch.setattr(survival_view.frame, "set_option", lambda _, v: said_to_link.append(v))
    survival_view._dragged("figure", view)
    assert said_to_link == asked
