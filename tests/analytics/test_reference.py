"""Kaplan-Meier, tests, restricted means and follow-up against R (tests/reference)."""

from __future__ import annotations

from typing import Any

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
from tests.analytics.reference import (
    analyses,
    data,
    events_of,
    further,
    group_rows,
    numbers,
)

TIGHT = {"rel": 0, "abs": 1e-8, "nan_ok": True}
INTERVALS = {"log-log": "ci_loglog", "log": "ci_log", "plain": "ci_plain"}


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(("case", "analysis"), analyses("kaplan_meier"))
def test_kaplan_meier(case: str, analysis: dict[str, Any], interval: Any) -> None:
    group = analysis["columns"].get("group")
    result = kaplan_meier(events_of(case, analysis), by=group or (), interval=interval)
    limits = INTERVALS[interval]
    for label, expected in analysis["expected"]["groups"].items():
        summary = group_rows(result.groups, group, label).iloc[0]
        assert summary["n"] == expected["n"]
        assert summary["n_event"] == expected["events"]
        assert summary["last_time"] == pytest.approx(expected["last_followup"])
        _check_curve(group_rows(result.curve, group, label), expected["curve"], interval)
        _check_milestones(
            group_rows(result.at(analysis["times"]), group, label), expected["at_times"], limits
        )
        for quantile in expected["quantiles"]:
            found = group_rows(result.quantile(1 - quantile["survival_level"]), group, label)
            shown = found[["quantile", "low", "high"]].iloc[0]
            wanted = numbers([quantile["time"], *quantile[limits]])
            assert shown.to_numpy(dtype=float) == pytest.approx(wanted, **TIGHT)
        median = group_rows(result.median(), group, label)["median"].iloc[0]
        assert median == pytest.approx(numbers(expected["median"]).item(), **TIGHT)


def _check_curve(curve: pd.DataFrame, expected: dict[str, Any], interval: str) -> None:
    for ours, theirs in (
        ("time", "time"),
        ("n_risk", "n_risk"),
        ("n_event", "n_event"),
        ("n_censored", "n_censor"),
        ("survival", "surv"),
    ):
        assert curve[ours].to_numpy() == pytest.approx(numbers(expected[theirs]), **TIGHT)
    exact = np.isin(numbers(expected["surv"]), (0, 1))
    assert curve["limit_exact"].tolist() == exact.tolist()
    if interval == "log-log":
        for ours, theirs in (("low", "lower_loglog"), ("high", "upper_loglog")):
            wanted = numbers(expected[theirs])
            assert np.isnan(wanted[exact]).all()
            assert curve[ours].to_numpy()[~exact] == pytest.approx(wanted[~exact], **TIGHT)


def _check_milestones(found: pd.DataFrame, expected: list[dict[str, Any]], limits: str) -> None:
    assert len(found) == len(expected)
    for (_, row), wanted in zip(found.iterrows(), expected, strict=True):
        assert row["n_risk"] == wanted["n_risk"]
        assert row["n_event"] == wanted["cum_events"]
        assert row["survival"] == pytest.approx(numbers(wanted["surv"]).item(), **TIGHT)
        if wanted["surv"] not in (0, 1):
            shown = row[["low", "high"]].to_numpy(dtype=float)
            assert shown == pytest.approx(numbers(wanted[limits]), **TIGHT)


@pytest.mark.parametrize(("case", "analysis"), analyses("logrank"))
def test_log_rank(case: str, analysis: dict[str, Any]) -> None:
    columns, expected = analysis["columns"], analysis["expected"]
    result = log_rank(
        events_of(case, analysis),
        by=columns["group"],
        strata=columns.get("strata", ()),
        weight="peto" if analysis["params"]["rho"] else "log-rank",
    )
    assert result.statistic == pytest.approx(expected["chisq"], **TIGHT)
    assert result.p_value == pytest.approx(expected["p"], **TIGHT)
    assert result.degrees_of_freedom == expected["df"]
    assert result.groups["n"].sum() == expected["n"]
    assert result.groups[columns["group"]].astype(str).tolist() == expected["groups"]
    for name in ("observed", "expected"):
        assert result.groups[name].to_numpy() == pytest.approx(numbers(expected[name]), **TIGHT)


@pytest.mark.parametrize(("case", "analysis"), analyses("logrank_pairwise"))
def test_pairwise(case: str, analysis: dict[str, Any]) -> None:
    events, by = events_of(case, analysis), analysis["columns"]["group"]
    for adjust, name in (("holm", "p_holm"), ("BH", "p_bh")):
        result = pairwise_log_rank(events, by=by, adjust=adjust)
        wanted = pd.DataFrame(analysis["expected"])
        assert result["group_1"].tolist() == wanted["a"].tolist()
        assert result["group_2"].tolist() == wanted["b"].tolist()
        for ours, theirs in (("statistic", "chisq"), ("p_value", "p_raw"), ("p_adjusted", name)):
            assert result[ours].to_numpy() == pytest.approx(wanted[theirs].to_numpy(), **TIGHT)


@pytest.mark.parametrize(("case", "analysis"), analyses("rmst"))
def test_restricted_mean(case: str, analysis: dict[str, Any]) -> None:
    group = analysis["columns"]["group"]
    result = restricted_mean(events_of(case, analysis), by=group, tau=analysis["params"]["tau"])
    for label, expected in analysis["expected"]["groups"].items():
        row = group_rows(result.groups, group, label).iloc[0]
        for ours, theirs in (
            ("mean", "rmst"),
            ("standard_error", "se"),
            ("low", "lower"),
            ("high", "upper"),
        ):
            assert row[ours] == pytest.approx(expected[theirs], **TIGHT)
    wanted = analysis["expected"]["difference_2_minus_1"]
    row = result.differences.iloc[0]
    pair = result.differences[["group_1", "group_2"]].astype(str)
    assert pair.iloc[0].tolist() == wanted["groups"]
    for ours, theirs in (
        ("difference", "est"),
        ("standard_error", "se"),
        ("low", "lower"),
        ("high", "upper"),
        ("p_value", "p"),
    ):
        assert row[ours] == pytest.approx(wanted[theirs], **TIGHT)


@pytest.mark.parametrize(("case", "analysis"), analyses("reverse_km_followup"))
def test_follow_up(case: str, analysis: dict[str, Any]) -> None:
    events, group = events_of(case, analysis), analysis["columns"].get("group")
    for label, expected in analysis["expected"]["groups"].items():
        every = label == "all"
        by = () if every or group is None else group
        row = group_rows(follow_up(events, by=by), None if every else group, label).iloc[0]
        wanted = numbers([expected["median_followup"], *expected["ci_loglog"]])
        found = row[["median", "low", "high"]].to_numpy(dtype=float)
        assert found == pytest.approx(wanted, **TIGHT)
        assert row["n"] == expected["n"]


@pytest.mark.parametrize(("case", "by"), [("01_aml", "grp"), ("02_veteran", "celltype")])
def test_cox_of_the_cases(case: str, by: str) -> None:
    wanted = {
        analysis.values[1]["id"]: analysis.values[1]
        for analysis in analyses("cox")
        if analysis.values[0] == case
    }["cox_efron" if case == "01_aml" else "cox_factor"]["expected"]
    result = hazard_ratios(event_table(data(case), time="time", event="status", by=by), by=by)
    fitted = result.groups.iloc[1:]
    for ours, theirs in (
        ("coefficient", "coef"),
        ("standard_error", "se"),
        ("ratio", "hr"),
        ("low", "lower"),
        ("high", "upper"),
        ("p_value", "p"),
    ):
        values = numbers([term[theirs] for term in wanted["terms"]])
        assert fitted[ours].to_numpy() == pytest.approx(values, abs=1e-7)
    global_test = wanted["ph_test_km"][-1]
    assert result.proportional_hazards_p == pytest.approx(global_test["p"], abs=1e-7)


HAZARD = {
    "aml": ("01_aml", "time", "status", "grp", None, None),
    "veteran": ("02_veteran", "time", "status", "celltype", None, None),
    "veteran_squamous": ("02_veteran", "time", "status", "celltype", None, "squamous"),
    "lung_ecog": ("lung", "time", "event", "ecog", None, None),
    "lung_ties": ("lung", "month", "event", "ecog", None, None),
    "lung_ties_sex": ("lung", "month", "event", "sex", None, None),
    "lung_entry": ("lung", "time", "event", "ecog", "entry", None),
}


@pytest.mark.parametrize("name", HAZARD)
def test_hazard_ratios(name: str) -> None:
    case, time, event, by, entry, reference = HAZARD[name]
    events = event_table(data(case), time=time, event=event, by=by, entry=entry)
    result = hazard_ratios(events, by=by, reference=reference)
    wanted = further()["hazard"][name]
    fitted = result.groups[result.groups["level"] != result.reference]
    for column in ("coefficient", "standard_error", "p_value", "low", "high"):
        assert fitted[column].to_numpy() == pytest.approx(numbers(wanted[column]), rel=1e-9)
    assert result.proportional_hazards_p == pytest.approx(
        wanted["proportional_hazards_p"], rel=1e-9
    )


def test_left_truncation() -> None:
    wanted = further()["truncation"]
    events = event_table(data("lung"), time="time", event="event", entry="entry")
    result = kaplan_meier(events)
    for ours, theirs in (
        ("time", "time"),
        ("n_risk", "n_risk"),
        ("n_event", "n_event"),
        ("survival", "survival"),
    ):
        assert result.curve[ours].to_numpy() == pytest.approx(numbers(wanted[theirs]), **TIGHT)
    inner = ~result.curve["limit_exact"].to_numpy()
    for name in ("low", "high"):
        assert result.curve[name].to_numpy()[inner] == pytest.approx(
            numbers(wanted[name])[inner], **TIGHT
        )
    for index, p in enumerate((0.25, 0.5, 0.75)):
        found = result.quantile(p)[["quantile", "low", "high"]].to_numpy()[0]
        names = ("quantiles", "quantiles_low", "quantiles_high")
        assert found == pytest.approx(numbers([wanted[name][index] for name in names]), **TIGHT)
    mean = restricted_mean(events, tau=365).groups.iloc[0]
    assert mean["mean"] == pytest.approx(wanted["restricted_mean"], abs=1e-8)
    assert mean["standard_error"] == pytest.approx(wanted["restricted_mean_se"], abs=1e-8)


def test_left_truncated_log_rank() -> None:
    rows = data("lung").assign(day=lambda frame: frame["month"] * 30)
    events = event_table(rows, time="day", event="event", by="ecog", entry="entry")
    assert log_rank(events, by="ecog").statistic == pytest.approx(
        further()["truncation"]["log_rank"], abs=1e-8
    )


@pytest.mark.parametrize(
    ("name", "strata", "weight"),
    [
        ("ecog", (), "log-rank"),
        ("ecog_by_sex", "sex", "log-rank"),
        ("peto_ecog_by_sex", "sex", "peto"),
        ("peto_ecog", (), "peto"),
    ],
)
def test_log_rank_with_many_ties(name: str, strata: Any, weight: Any) -> None:
    events = event_table(data("lung"), time="month", event="event", by=("ecog", "sex"))
    result = log_rank(events, by="ecog", strata=strata, weight=weight)
    wanted = further()["tests"][name]
    assert result.statistic == pytest.approx(wanted["statistic"], **TIGHT)
    for column in ("observed", "expected"):
        assert result.groups[column].to_numpy() == pytest.approx(numbers(wanted[column]), **TIGHT)


def test_follow_up_and_restricted_mean_by_sex() -> None:
    wanted = further()
    months = event_table(data("lung"), time="month", event="event", by="sex")
    found = follow_up(months, by="sex")
    for name in ("median", "low", "high"):
        assert found[name].to_numpy() == pytest.approx(numbers(wanted["follow_up"][name]), **TIGHT)
    days = event_table(data("lung"), time="time", event="event", by="sex")
    means = restricted_mean(days, by="sex", tau=500).groups
    for name in ("mean", "standard_error"):
        assert means[name].to_numpy() == pytest.approx(
            numbers(wanted["restricted_mean"][name]), **TIGHT
        )
