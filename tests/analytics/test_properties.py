"""What the theory says must hold for any cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.landmark import landmark
from analytics.proportion import fisher_exact, proportion
from analytics.survival import kaplan_meier, log_rank, restricted_mean

PATIENT = st.tuples(st.integers(0, 30), st.integers(0, 1), st.sampled_from("abc"))
COHORT = st.lists(PATIENT, min_size=1, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=["t", "e", "g"])
)


def table(frame: pd.DataFrame, by: Any = "g") -> pd.DataFrame:
    return event_table(frame, time="t", event="e", by=by)


@given(COHORT, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(frame: pd.DataFrame, random: Any) -> None:
    order = random.sample(range(len(frame)), len(frame))
    pd.testing.assert_frame_equal(table(frame), table(frame.iloc[order]))


@given(COHORT)
def test_everybody_is_at_risk_at_the_origin(frame: pd.DataFrame) -> None:
    result = kaplan_meier(table(frame), by="g")
    assert result.at(0)["n_risk"].tolist() == frame.groupby("g").size().tolist()
    assert result.groups["n"].sum() == len(frame)


@given(COHORT, st.sampled_from(["log-log", "log", "plain"]))
def test_survival_falls_within_its_limits(frame: pd.DataFrame, interval: Any) -> None:
    curve = kaplan_meier(table(frame), by="g", interval=interval).curve
    assert curve["survival"].between(0, 1).all()
    assert (curve.groupby("g")["survival"].diff().fillna(0) <= 0).all()
    assert (curve["low"] <= curve["survival"] + 1e-12).all()
    assert (curve["high"] >= curve["survival"] - 1e-12).all()
    assert curve[["low", "high"]].stack().between(0, 1).all()


@given(COHORT)
def test_another_unit_rescales_time_only(frame: pd.DataFrame) -> None:
    days = kaplan_meier(table(frame), by="g")
    weeks = kaplan_meier(table(frame.assign(t=frame["t"] / 7)), by="g")
    assert weeks.curve["time"].to_numpy() * 7 == pytest.approx(days.curve["time"].to_numpy())
    for name in ("n_risk", "survival", "low", "high"):
        assert weeks.curve[name].tolist() == days.curve[name].tolist()
    scaled = weeks.median()[["median", "low", "high"]].to_numpy() * 7
    wanted = days.median()[["median", "low", "high"]].to_numpy()
    assert scaled == pytest.approx(wanted, nan_ok=True)


@given(COHORT, st.permutations("abc"))
def test_log_rank_does_not_depend_on_the_names(frame: pd.DataFrame, names: Any) -> None:
    renamed = frame.assign(g=frame["g"].map(dict(zip("abc", names, strict=True))))
    first, second = log_rank(table(frame), by="g"), log_rank(table(renamed), by="g")
    assert first.degrees_of_freedom == second.degrees_of_freedom
    if first.statistic is None:
        assert second.statistic is None
    else:
        assert second.statistic == pytest.approx(first.statistic, rel=1e-6, abs=1e-9)


@given(COHORT)
def test_observed_and_expected_have_one_sum(frame: pd.DataFrame) -> None:
    for weight in ("log-rank", "peto"):
        groups = log_rank(table(frame), by="g", weight=weight).groups  # type: ignore[arg-type]
        assert groups["observed"].sum() == pytest.approx(groups["expected"].sum())


@given(COHORT, COHORT)
def test_tables_add_up(first: pd.DataFrame, second: pd.DataFrame) -> None:
    both = table(pd.concat([first, second], ignore_index=True))
    parts = pd.concat([table(first), table(second)])
    pd.testing.assert_frame_equal(both, parts.groupby(["g", "time"]).sum().reset_index())


@given(COHORT, st.integers(0, 30))
def test_a_landmark_adds_nobody(frame: pd.DataFrame, day: int) -> None:
    result = landmark(frame, at=day, time="t", event="e")
    assert len(result.frame) + len(result.excluded) == len(frame)
    assert set(result.frame.index).isdisjoint(result.excluded.index)
    assert (result.frame["t"] > day).all()


@given(COHORT)
def test_without_censoring_survival_is_the_share_beyond(frame: pd.DataFrame) -> None:
    curve = kaplan_meier(table(frame.assign(e=1), by=()))
    share = [(frame["t"] > t).mean() for t in curve.curve["time"]]
    assert curve.curve["survival"].to_numpy() == pytest.approx(np.array(share))
    last = frame["t"].max()
    if last > 0:
        mean = restricted_mean(table(frame.assign(e=1), by=()), tau=last).groups["mean"]
        assert mean.iloc[0] == pytest.approx(frame["t"].mean())


@given(COHORT, st.integers(1, 20))
def test_entry_at_the_origin_changes_nothing(frame: pd.DataFrame, shift: int) -> None:
    later = frame.assign(t=frame["t"] + shift, start=0)
    entered = event_table(later, time="t", event="e", by="g", entry="start")
    with_entry, without = kaplan_meier(entered, by="g"), kaplan_meier(table(later), by="g")
    pd.testing.assert_frame_equal(with_entry.curve, without.curve)
    times = [0, shift, shift + 15]
    pd.testing.assert_frame_equal(with_entry.at(times), without.at(times))


@given(
    st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from(["exact", "wilson"]),
)
def test_an_interval_holds_its_rate(pair: tuple[int, int], method: Any) -> None:
    found = proportion(*pair, method=method)
    if pair[1] == 0:
        assert found.rate is None
    else:
        assert 0 <= found.low <= found.rate <= found.high <= 1  # type: ignore[operator]


@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=2, max_size=4))
def test_fisher_ignores_the_order_of_rows_and_columns(rows: list[list[int]]) -> None:
    counts = np.array(rows)
    first, second = fisher_exact(counts).p_value, fisher_exact(counts[::-1, ::-1].T).p_value
    if first is None:
        assert second is None
    else:
        assert 0 < first <= 1
        assert second == pytest.approx(first, rel=1e-9)
