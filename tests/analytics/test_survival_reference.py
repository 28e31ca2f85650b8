"""Curves, milestones, means, follow-up and tests of eleven data sets against R (survival.R)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.events import event_table
from analytics.survival import (
    follow_up,
    kaplan_meier,
    log_rank,
    log_rank_trend,
    pairwise_log_rank,
    restricted_mean,
)
from tests.analytics.reference import FOLDER, numbers

TIGHT = {"rel": 0, "abs": 1e-8, "nan_ok": True}
INTERVALS = {"log-log": "loglog", "log": "log", "plain": "plain"}
DERIVED = {
    "bladder": ("event", lambda rows: (rows["status"] == 1).astype(int)),
    "kidney": ("band", lambda rows: (rows["age"] > 45).astype(int)),
    "heart": ("band", lambda rows: (rows["age"] > 0).astype(int)),
}


@cache
def reference() -> dict[str, Any]:
    return json.loads((FOLDER / "survival.json").read_text())


@cache
def rows(name: str) -> pd.DataFrame:
    found = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    if name in DERIVED:
        column, derive = DERIVED[name]
        found[column] = derive(found)
    wanted = reference()["sets"].get(name)
    return found if wanted is None else found.dropna(subset=[wanted["stratum"]])


@cache
def events(name: str) -> pd.DataFrame:
    wanted = reference()["sets"][name]
    return event_table(
        rows(name),
        time=wanted["time"],
        event=wanted["event"],
        by=(wanted["group"], wanted["stratum"]),
        entry=wanted["entry"] or None,
    )


SETS = list(reference()["sets"])
LATE = ("cgd", "heart")


def groups_of(frame: pd.DataFrame, wanted: dict[str, Any]) -> list[tuple[Any, pd.DataFrame]]:
    """Pair each group of R with our rows."""
    labels = frame[wanted["group"]].astype(str)
    assert set(labels) == set(wanted["groups"])
    return [(expected, frame[labels == label]) for label, expected in wanted["groups"].items()]


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", SETS)
def test_milestones(name: str, interval: Any) -> None:
    wanted = reference()["sets"][name]
    result = kaplan_meier(events(name), by=wanted["group"], interval=interval)
    for expected, summary in groups_of(result.groups, wanted):
        assert summary[["n", "n_event", "last_time"]].to_numpy()[0] == pytest.approx(
            [expected["n"], expected["events"], expected["last"]]
        )
    for expected, found in groups_of(result.at(wanted["times"]), wanted):
        seen = expected["n_seen"]
        past, found = found.iloc[seen:], found.iloc[:seen]
        assert past[["survival", "low", "high"]].isna().all(axis=None)
        for column in ("n_risk", "n_event", "survival"):
            assert found[column].to_numpy() == pytest.approx(numbers(expected[column]), **TIGHT)
        inner = ~found["limit_exact"].to_numpy()
        assert inner.tolist() == [0 < s < 1 for s in expected["survival"]]
        for column, theirs in expected["limits"][INTERVALS[interval]].items():
            shown = found[column].to_numpy()
            assert shown[inner] == pytest.approx(numbers(theirs)[inner], **TIGHT)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("name", SETS)
def test_quartiles(name: str, interval: Any) -> None:
    wanted = reference()["sets"][name]
    result = kaplan_meier(events(name), by=wanted["group"], interval=interval)
    for index, p in enumerate((0.25, 0.5, 0.75)):
        for expected, found in groups_of(result.quantile(p), wanted):
            limits = expected["quantile_limits"][INTERVALS[interval]]
            theirs = [expected["quantile"], limits["low"], limits["high"]]
            shown = found[["quantile", "low", "high"]].to_numpy()[0]
            assert shown == pytest.approx(numbers([values[index] for values in theirs]), **TIGHT)


@pytest.mark.parametrize("name", SETS)
def test_restricted_mean_and_follow_up(name: str) -> None:
    wanted = reference()["sets"][name]
    means = restricted_mean(events(name), by=wanted["group"], tau=wanted["tau"]).groups
    for expected, found in groups_of(means, wanted):
        theirs = numbers([*expected["restricted_mean"], *expected["restricted_mean_se"]])
        assert found[["mean", "standard_error"]].to_numpy()[0] == pytest.approx(theirs, **TIGHT)
    for expected, found in groups_of(follow_up(events(name), by=wanted["group"]), wanted):
        shown = found[["median", "low", "high"]].to_numpy()[0]
        assert shown == pytest.approx(numbers(expected["follow_up"]), **TIGHT)


@pytest.mark.parametrize("name", SETS)
def test_differences_at_milestones(name: str) -> None:
    wanted = reference()["sets"][name]
    found = kaplan_meier(events(name), by=wanted["group"]).differences(wanted["times"])
    label = found["group_2"].astype(str)
    for second, expected in wanted["differences"].items():
        ours = found[label == second]
        known = ours.iloc[: len(expected)]
        assert ours.iloc[len(expected) :, 3:].isna().all(axis=None)
        theirs = {key: numbers([row[key] for row in expected]) for key in expected[0]}
        assert known["time"].to_numpy() == pytest.approx(theirs["time"])
        assert known["difference"].to_numpy() == pytest.approx(theirs["difference"], **TIGHT)
        assert known["p_value"].to_numpy() == pytest.approx(theirs["p"], **TIGHT)
        inner = ~np.isnan(theirs["low"])
        for column in ("low", "high"):
            assert known[column].notna().all()
            assert known[column].to_numpy()[inner] == pytest.approx(theirs[column][inner], **TIGHT)


@pytest.mark.parametrize("name", SETS)
def test_log_rank(name: str) -> None:
    wanted = reference()["sets"][name]
    for test in [*wanted["weighted"], *wanted.get("survdiff", [])]:
        strata = wanted["stratum"] if test["strata"] else ()
        powers, expected = tuple(test["powers"]), test["value"]
        result = log_rank(events(name), by=wanted["group"], strata=strata, weight=powers)
        assert result.statistic == pytest.approx(expected["statistic"], **TIGHT)
        if "p" in expected:
            assert result.p_value == pytest.approx(expected["p"], **TIGHT)
        for column in ("observed", "expected"):
            # Sums of up to a thousand events.
            ours = result.groups[column].to_numpy()
            assert ours == pytest.approx(numbers(expected[column]), rel=1e-11, abs=1e-8)


@pytest.mark.parametrize("name", SETS)
def test_trend(name: str) -> None:
    wanted = reference()["sets"][name]
    for test in [*wanted["weighted"], *wanted.get("survdiff", [])]:
        if test["powers"] == [0, 0]:
            strata = wanted["stratum"] if test["strata"] else ()
            result = log_rank_trend(events(name), by=wanted["group"], strata=strata)
            assert result.statistic == pytest.approx(test["value"]["trend"], **TIGHT)


@pytest.mark.parametrize("name", [name for name in SETS if name not in LATE])
def test_pairs(name: str) -> None:
    wanted = reference()["sets"][name]
    for adjust, theirs in (("holm", "holm"), ("BH", "bh")):
        result = pairwise_log_rank(events(name), by=wanted["group"], adjust=adjust)  # type: ignore[arg-type]
        for column, key in (("statistic", "statistic"), ("p_value", "p"), ("p_adjusted", theirs)):
            expected = numbers(wanted["pairwise"][key])
            assert result[column].to_numpy() == pytest.approx(expected, **TIGHT)


# Answers that other programs give, and that are wrong.


def test_the_error_of_the_restricted_mean_is_not_the_spread_of_the_times() -> None:
    # The root of lifelines' return_variance is 1153 days here.
    deaths = event_table(rows("rotterdam"), time="dtime", event="death")
    found = restricted_mean(deaths, tau=3652).groups.iloc[0]
    theirs = reference()["rotterdam_mean"]
    assert found[["mean", "standard_error"]].tolist() == pytest.approx(theirs, **TIGHT)
    assert theirs[1] == pytest.approx(21.5, abs=0.01)


def test_in_follow_up_the_censored_leave_first() -> None:
    # Were the dead to leave before those censored in the same month, the median would be 184.
    found = follow_up(event_table(rows("mgus2"), time="death_time", event="death")).iloc[0]
    theirs = reference()["mgus2_follow_up"]
    assert theirs[0] == 185
    assert found[["median", "low", "high"]].tolist() == pytest.approx(theirs, **TIGHT)
