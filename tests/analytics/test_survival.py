"""Edges of curves and tests that the reference cases leave open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.hazard import hazard_ratios
from analytics.survival import (
    follow_up,
    kaplan_meier,
    log_rank,
    log_rank_trend,
    pairwise_log_rank,
    restricted_mean,
)

QUICK = settings(max_examples=40, deadline=None, derandomize=True)
PATIENT = st.tuples(st.integers(0, 30), st.integers(0, 1), st.sampled_from("abc"))
COHORT = st.lists(PATIENT, min_size=1, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=["t", "e", "g"])
)


def events(time: list[int], event: list[int], group: list[str] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"t": time, "e": event})
    if group is None:
        return event_table(frame, time="t", event="e")
    return event_table(frame.assign(g=group), time="t", event="e", by="g")


def test_exact_limits_at_one_and_zero() -> None:
    table = events([2, 4, 4, 6], [0, 1, 1, 1])
    curve = kaplan_meier(table).curve.set_index("time")
    assert curve["limit_exact"].tolist() == [True, False, True]
    assert curve.loc[2, ["low", "high"]].tolist() == pytest.approx([0.025 ** (1 / 4), 1])
    # The exact limit of one patient, 0.975, is above the one that held just before.
    assert curve.loc[6, ["low", "high"]].tolist() == pytest.approx([0, curve.loc[4, "high"]])
    assert curve.loc[4, "high"] < 0.8
    ninety = kaplan_meier(table, confidence=0.9).at([0, 1, 3])
    assert ninety["survival"].tolist() == [1, 1, 1]
    assert ninety["low"].tolist() == pytest.approx([0.05 ** (1 / n) for n in (4, 4, 3)])
    assert ninety["limit_exact"].all()


def test_upper_limit_at_zero_is_exact_where_that_is_lower() -> None:
    curve = kaplan_meier(events([1, *[5] * 20], [1] * 21)).curve
    assert curve["high"].iloc[-1] == pytest.approx(1 - 0.025 ** (1 / 20))
    at_once = kaplan_meier(events([5] * 3, [1] * 3)).curve
    assert at_once["high"].tolist() == pytest.approx([1 - 0.025 ** (1 / 3)])


def test_upper_limit_at_zero_is_of_the_group_s_own_last_step() -> None:
    # Group a is at 0 from 2 on; later entries do not raise it again.
    frame = pd.DataFrame(
        {"start": [0, 0, 3, 3, 3, 0], "t": [2, 2, 5, 5, 5, 9], "e": 1, "g": list("aaaaab")}
    )
    table = event_table(frame, time="t", event="e", by="g", entry="start")
    result = kaplan_meier(table, by="g")
    shown = result.curve[result.curve["g"] == "a"]
    assert shown["survival"].tolist() == [0, 0]
    assert shown["high"].tolist() == pytest.approx([1 - 0.025**0.5] * 2)
    assert result.at([2, 5])["high"].iloc[:2].tolist() == pytest.approx([1 - 0.025**0.5] * 2)


@pytest.mark.parametrize("interval", ["log-log", "log", "plain"])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_upper_limit_does_not_rise_with_the_last_step(confidence: float, interval: Any) -> None:
    table = events([1, 2, 3, 4, 4, 6, 7, 8], [1, 1, 1, 0, 1, 1, 1, 1])
    high = kaplan_meier(table, confidence=confidence, interval=interval).curve["high"]
    assert high.iloc[-1] <= high.iloc[-2]


def test_past_the_follow_up_nothing_is_estimated() -> None:
    past = kaplan_meier(events([1, 2], [1, 1])).at(3).iloc[0]
    assert past["n_risk"] == 0
    assert past["n_event"] == 2
    assert past[["survival", "low", "high"]].isna().all()
    assert not past["limit_exact"]


def test_competing_events_are_refused_by_curves_and_means() -> None:
    table = events([1, 2, 3], [1, 2, 0])
    with pytest.raises(ValueError, match="cumulative incidence"):
        kaplan_meier(table)
    with pytest.raises(ValueError, match="cumulative incidence"):
        restricted_mean(table, tau=2)


def test_competing_events_are_censored_in_the_log_rank_and_seen_in_follow_up() -> None:
    groups = ["a", "b"] * 4
    competing = events([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 1, 1, 2, 0, 1, 1], groups)
    censored = events([1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 1, 1, 0, 0, 1, 1], groups)
    assert log_rank(competing, by="g").statistic == log_rank(censored, by="g").statistic
    as_events = events([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 1, 1, 1, 0, 1, 1], groups)
    pd.testing.assert_frame_equal(follow_up(competing), follow_up(as_events))


def test_curves_sum_over_columns_not_asked_for() -> None:
    frame = pd.DataFrame({"t": [3, 3, 5, 8], "e": [1, 0, 1, 0], "g": list("aabb")})
    wide = event_table(frame.assign(s=list("xyxy")), time="t", event="e", by=("g", "s"))
    narrow = event_table(frame, time="t", event="e", by="g")
    pd.testing.assert_frame_equal(
        kaplan_meier(wide, by="g").curve, kaplan_meier(narrow, by="g").curve
    )


def test_entries_between_milestones_count_at_risk() -> None:
    frame = pd.DataFrame({"start": [0, 0, 5], "t": [4, 9, 8], "e": [1, 0, 1]})
    table = event_table(frame, time="t", event="e", entry="start")
    found = kaplan_meier(table).at([0, 4, 5, 6, 9])
    assert found["n_risk"].tolist() == [2, 2, 1, 2, 1]


def test_no_test_with_one_group_or_without_events() -> None:
    alone = log_rank(events([1, 2], [1, 0], ["a", "a"]), by="g")
    assert (alone.statistic, alone.p_value, alone.degrees_of_freedom) == (None, None, 0)
    quiet = log_rank(events([1, 2], [0, 0], ["a", "b"]), by="g")
    assert quiet.statistic is None
    everybody_at_once = log_rank(events([1, 1], [1, 1], ["a", "b"]), by="g")
    assert everybody_at_once.p_value is None


def test_group_gone_before_the_first_event_does_not_count() -> None:
    table = events([1, 1, 4, 5, 6, 7], [0, 0, 1, 1, 1, 0], list("ccabab"))
    test = log_rank(table, by="g")
    without = log_rank(table[table["g"] != "c"], by="g")
    assert test.degrees_of_freedom == 1
    assert test.statistic == pytest.approx(without.statistic)


def test_groups_one_after_the_other_have_no_test() -> None:
    # Summed the usual way, rounding leaves a variance above 0 in a third of these, and P = 1.
    for seed in range(10):
        random = np.random.default_rng(seed)
        day, group = random.integers(1, 20, 60), np.repeat([0, 1], 30)
        frame = pd.DataFrame(
            {"start": 25 * group, "t": day + 30 * group, "e": random.integers(0, 2, 60), "g": group}
        )
        apart = event_table(frame, time="t", event="e", by="g", entry="start")
        for weight in ("log-rank", "peto", (0, 1), (0.3, 0.7)):
            assert log_rank(apart, by="g", weight=weight).p_value is None  # type: ignore[arg-type]
        assert log_rank_trend(apart, by="g").p_value is None


def test_trend_between_groups_that_share_a_score_only_is_no_test() -> None:
    table = events([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 0], list("ababcc"))
    assert log_rank_trend(table, by="g", scores=[1, 1, 2]).p_value is not None
    early = table[table["g"] != "c"]
    assert log_rank_trend(early, by="g", scores=[3, 3]).p_value is None
    assert log_rank_trend(events([1, 2], [0, 0], ["a", "b"]), by="g").statistic is None
    assert log_rank_trend(events([], [], []), by="g").p_value is None


def test_trend_follows_the_order_of_the_categories() -> None:
    random = np.random.default_rng(5)
    level = random.integers(0, 3, 60)
    frame = pd.DataFrame({"t": random.integers(1, 40, 60) - 8 * level + 16, "e": 1})
    names = np.array(["standard", "high", "very high"])
    ordered = pd.Categorical(names[level], categories=list(names), ordered=True)
    found = log_rank_trend(
        event_table(frame.assign(g=ordered), time="t", event="e", by="g"), by="g"
    )
    assert found.groups["g"].tolist() == list(names)
    assert found.groups["score"].tolist() == [1, 2, 3]
    by_text = event_table(frame.assign(g=names[level]), time="t", event="e", by="g")
    again = log_rank_trend(by_text, by="g", scores=[2, 1, 3])
    assert again.statistic == pytest.approx(found.statistic)
    assert log_rank_trend(by_text, by="g").statistic != pytest.approx(found.statistic)


def test_pairs_that_cannot_be_compared_leave_the_adjustment() -> None:
    table = events([1, 1, 4, 5, 6, 7], [0, 0, 1, 1, 1, 0], list("ccabab"))
    pairs = pairwise_log_rank(table, by="g")
    assert pairs[["group_1", "group_2"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert pairs["p_value"].isna().tolist() == [False, True, True]
    assert pairs["p_adjusted"].iloc[0] == pairs["p_value"].iloc[0]


def test_restricted_mean_needs_follow_up_to_tau() -> None:
    table = events([4, 9, 3, 5], [1, 0, 1, 0], list("aabb"))
    with pytest.raises(ValueError, match="not past 5"):
        restricted_mean(table, by="g", tau=6)
    assert restricted_mean(table, by="g", tau=5).groups["mean"].tolist() == [4.5, 4]


def test_unknown_choices_are_refused() -> None:
    table = events([1, 2], [1, 0], ["a", "b"])
    with pytest.raises(ValueError, match="log-log"):
        kaplan_meier(table, interval="arcsine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="peto"):
        log_rank(table, by="g", weight="gehan")  # type: ignore[arg-type]
    for powers in ((-1, 0), (0, np.nan), (np.inf, 0)):
        with pytest.raises(ValueError, match="finite powers"):
            log_rank(table, by="g", weight=powers)
    with pytest.raises(ValueError, match="rho, gamma"):
        log_rank(table, by="g", weight=(1, 0, 0))  # type: ignore[arg-type]
    for scores in ([1], [1, np.nan], [1, 2, 3]):
        with pytest.raises(ValueError, match="each of the 2 groups, in the order a, b"):
            log_rank_trend(table, by="g", scores=scores)
    with pytest.raises(ValueError, match="holm"):
        pairwise_log_rank(table, by="g", adjust="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="confidence"):
        kaplan_meier(table, confidence=95)
    with pytest.raises(ValueError, match="quantile"):
        kaplan_meier(table).quantile(50)
    with pytest.raises(ValueError, match=r"no column h.*by="):
        kaplan_meier(table, by="h")


def test_differences_where_one_group_is_at_one_or_zero_or_over() -> None:
    table = events(
        [2, 4, 6, 9, 3, 4, 5, 8, 7, 9, 9, 9],
        [1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0],
        list("aaaabbbbcccc"),
    )
    result = kaplan_meier(table, by="g")
    found = result.differences([1, 4, 9])
    assert found["group_1"].tolist() == ["a"] * 6
    assert found["group_2"].tolist() == ["b"] * 3 + ["c"] * 3
    assert found["time"].tolist() == [1, 4, 9] * 2
    # At 1 all survive, b is followed to 8, a reaches 0 at 9.
    assert found["p_value"].isna().tolist() == [True, False, True, True, True, True]
    assert found["difference"].isna().tolist() == [False, False, True, False, False, False]
    assert found[["low", "high"]].isna().all(axis=1).tolist() == found["difference"].isna().tolist()
    both_at_one = 1 - 0.025 ** (1 / 4)
    assert found.iloc[0][["low", "high"]].tolist() == pytest.approx([-both_at_one, both_at_one])
    last = result.at(9).set_index("g")
    opposite = found.iloc[5]
    assert opposite["difference"] == 1
    assert opposite["high"] == 1
    below = np.hypot(1 - last.loc["c", "low"], last.loc["a", "high"])
    assert opposite["low"] == pytest.approx(1 - below)


def test_differences_need_two_groups() -> None:
    columns = ["group_1", "group_2", "time", "difference", "low", "high", "p_value"]
    for table, by in ((events([1, 2], [1, 0]), ()), (events([], [], []), "g")):
        found = kaplan_meier(table, by=by).differences([1, 2])
        assert found.columns.tolist() == columns
        assert found.empty
    pairs = pd.DataFrame({"t": [1, 2], "e": 1, "g": list("ab"), "h": list("xy")})
    table = event_table(pairs, time="t", event="e", by=("g", "h"))
    found = kaplan_meier(table, by=("g", "h")).differences(1)
    assert found[["group_1", "group_2"]].to_numpy().tolist() == [[("a", "x"), ("b", "y")]]


@QUICK
@given(COHORT, st.integers(0, 35), st.sampled_from(["log-log", "log", "plain"]))
def test_differences_lie_within_their_limits(frame: pd.DataFrame, day: int, interval: Any) -> None:
    result = kaplan_meier(
        event_table(frame, time="t", event="e", by="g"), by="g", interval=interval
    )
    found, at = result.differences(day), result.at(day)["survival"]
    assert found["difference"].to_numpy() == pytest.approx(
        (at - at.iloc[0]).to_numpy()[1:], nan_ok=True
    )
    known = found.dropna(subset="difference")
    assert found.drop(known.index)[["low", "high", "p_value"]].isna().all(axis=None)
    assert (known["low"] <= known["difference"] + 1e-12).all()
    assert (known["high"] >= known["difference"] - 1e-12).all()
    assert known[["low", "high"]].stack().between(-1 - 1e-12, 1 + 1e-12).all()
    assert found["p_value"].dropna().between(0, 1).all()


@QUICK
@given(COHORT, st.integers(0, 30))
def test_swapped_labels_turn_the_difference_round(frame: pd.DataFrame, day: int) -> None:
    two = frame[frame["g"] != "c"]
    swapped = two.assign(g=two["g"].map({"a": "b", "b": "a"}))
    one, other = (
        kaplan_meier(event_table(rows, time="t", event="e", by="g"), by="g").differences(day)
        for rows in (two, swapped)
    )
    for ours, theirs in (("difference", "difference"), ("low", "high"), ("high", "low")):
        assert one[ours].to_numpy() == pytest.approx(-other[theirs].to_numpy(), nan_ok=True)
    assert one["p_value"].to_numpy() == pytest.approx(other["p_value"].to_numpy(), nan_ok=True)


@QUICK
@given(COHORT)
def test_a_count_split_over_rows_is_the_same_count(frame: pd.DataFrame) -> None:
    table = event_table(frame, time="t", event="e", by="g")
    counts = ["n_event", "n_competing", "n_censored"]
    half = table[counts] // 2
    split = pd.concat([table.assign(**half), table.assign(**(table[counts] - half))])
    pd.testing.assert_frame_equal(
        kaplan_meier(split, by="g").curve, kaplan_meier(table, by="g").curve
    )
    for weight in ("log-rank", (0.5, 1)):
        first, second = (log_rank(rows, by="g", weight=weight) for rows in (table, split))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(first.groups, second.groups)
        assert first.statistic == second.statistic
    pd.testing.assert_frame_equal(follow_up(split, by="g"), follow_up(table, by="g"))


@QUICK
@given(COHORT)
def test_powers_of_zero_and_one_have_names(frame: pd.DataFrame) -> None:
    table = event_table(frame, time="t", event="e", by="g")
    for name, powers in (("log-rank", (0, 0)), ("peto", (1, 0))):
        named = log_rank(table, by="g", weight=name)  # type: ignore[arg-type]
        assert log_rank(table, by="g", weight=powers).statistic == named.statistic


@QUICK
@given(COHORT, st.floats(-5, 5), st.floats(0.1, 5))
def test_trend_of_two_groups_is_the_log_rank(
    frame: pd.DataFrame, start: float, step: float
) -> None:
    two = event_table(frame[frame["g"] != "c"], time="t", event="e", by="g")
    levels = two["g"].nunique()
    scores = [start + step * level for level in range(levels)]
    trend, test = log_rank_trend(two, by="g", scores=scores), log_rank(two, by="g")
    if test.statistic is None:
        assert trend.statistic is None
    else:
        assert trend.statistic == pytest.approx(test.statistic, rel=1e-9, abs=1e-12)


@QUICK
@given(COHORT)
def test_trend_is_the_same_from_the_other_end_and_at_most_the_global_test(
    frame: pd.DataFrame,
) -> None:
    table = event_table(frame, time="t", event="e", by="g")
    n = table["g"].nunique()
    up = log_rank_trend(table, by="g")
    down = log_rank_trend(table, by="g", scores=list(range(n, 0, -1)))
    whole = log_rank(table, by="g")
    if up.statistic is None:
        assert down.statistic is None
    else:
        assert down.statistic == pytest.approx(up.statistic, rel=1e-9, abs=1e-12)
        if whole.statistic is not None:
            assert up.statistic <= whole.statistic * (1 + 1e-9) + 1e-9


def test_numbers_at_risk_are_just_before() -> None:
    # lifelines' table counts those left just after: 3, 1, 0.
    curve = kaplan_meier(events([2, 5, 5, 7], [1, 1, 0, 1])).curve
    assert curve["n_risk"].tolist() == [4, 3, 1]


def test_median_is_the_midpoint_where_survival_stays_at_a_half() -> None:
    # The first time with S <= 0.5 would be 2.
    assert kaplan_meier(events([1, 2, 6, 9], [1] * 4)).median()["median"].tolist() == [4]


def test_no_p_value_past_the_follow_up() -> None:
    # lifelines' fixed-time test answers P = 1 there.
    table = events([1, 2, 3, 4], [1, 0, 1, 0], list("aabb"))
    assert kaplan_meier(table, by="g").differences(50)["p_value"].isna().all()


def test_all_alive_is_not_certain() -> None:
    shown = kaplan_meier(events([10] * 10, [0] * 10)).at(5).iloc[0]
    assert (shown["survival"], shown["high"]) == (1, 1)
    assert shown["low"] == pytest.approx(0.025**0.1)


def test_an_empty_table_gives_empty_results() -> None:
    empty = events([], [], [])
    result = kaplan_meier(empty, by="g")
    assert result.curve.empty
    assert result.groups.empty
    assert result.at([1, 2]).empty
    assert result.median().empty
    assert log_rank(empty, by="g").statistic is None
    assert kaplan_meier(events([], [])).curve.empty
    assert hazard_ratios(empty, by="g").groups.empty


THREE = ([3, 5, 6, 8, 9, 11, 12, 14, 4, 7, 10], [1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0], "aabbabbaccc")


def test_group_without_events_is_not_estimable_and_disturbs_nobody() -> None:
    table = events(THREE[0], THREE[1], list(THREE[2]))
    result = hazard_ratios(table, by="g")
    groups = result.groups.set_index("level")
    assert groups["estimable"].tolist() == [True, True, False]
    assert groups.loc["c", ["ratio", "low", "high", "p_value", "coefficient"]].isna().all()
    assert groups.loc["c", ["n", "n_event"]].tolist() == [3, 0]
    without = hazard_ratios(table[table["g"] != "c"], by="g")
    assert groups.loc["b", "ratio"] == pytest.approx(without.groups["ratio"].iloc[1], rel=1e-12)
    # The time scale of the test is the survival of everybody, so its P value is close, not equal.
    assert result.proportional_hazards_p == pytest.approx(without.proportional_hazards_p, abs=0.02)


def test_reference_without_events_leaves_nothing_to_estimate() -> None:
    table = events(THREE[0], THREE[1], list(THREE[2]))
    result = hazard_ratios(table, by="g", reference="c")
    assert not result.groups["estimable"].any()
    assert result.groups["ratio"].isna().all()
    assert result.reference == "c"
    assert result.proportional_hazards_p is None


def test_separated_groups_have_no_ratio() -> None:
    # Every event of b comes while a is at risk, every event of a once b has gone.
    table = events([1, 2, 3, 8, 9], [1, 1, 1, 1, 1], list("bbbaa"))
    result = hazard_ratios(table, by="g")
    assert result.groups["estimable"].tolist() == [True, False]
    assert result.groups["ratio"].iloc[0] == 1
    assert np.isnan(result.groups["ratio"].iloc[1])


def test_reference_must_occur() -> None:
    table = events(THREE[0], THREE[1], list(THREE[2]))
    with pytest.raises(ValueError, match="not among"):
        hazard_ratios(table, by="g", reference="d")
    with pytest.raises(ValueError, match="one grouping column"):
        hazard_ratios(table, by=("g", "h"))  # type: ignore[arg-type]
