"""Edges of curves and tests that the reference cases leave open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.events import event_table
from analytics.hazard import hazard_ratios
from analytics.survival import (
    follow_up,
    kaplan_meier,
    log_rank,
    pairwise_log_rank,
    restricted_mean,
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
    assert curve.loc[6, ["low", "high"]].tolist() == pytest.approx([0, 1 - 0.025])
    ninety = kaplan_meier(table, confidence=0.9).at([0, 1, 3])
    assert ninety["survival"].tolist() == [1, 1, 1]
    assert ninety["low"].tolist() == pytest.approx([0.05 ** (1 / n) for n in (4, 4, 3)])
    assert ninety["limit_exact"].all()


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
    with pytest.raises(ValueError, match="holm"):
        pairwise_log_rank(table, by="g", adjust="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="confidence"):
        kaplan_meier(table, confidence=95)
    with pytest.raises(ValueError, match="quantile"):
        kaplan_meier(table).quantile(50)
    with pytest.raises(ValueError, match=r"no column h.*by="):
        kaplan_meier(table, by="h")


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
    assert groups.loc["b", "ratio"] == without.groups["ratio"].iloc[1]
    assert result.proportional_hazards_p == without.proportional_hazards_p


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
