"""Mantel-Byar, Simon-Makuch and the rows beneath them, against R and against the theory."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import switching
from analytics.events import event_table
from analytics.hazard import cox, hazard_ratios
from analytics.landmark import landmark
from analytics.survival import kaplan_meier, log_rank
from analytics.switching import (
    adjusted_ratio,
    counting_process,
    mantel_byar,
    simon_makuch,
    simon_makuch_from_counts,
    switched_ratio,
)
from tests.analytics.reference import FOLDER, numbers

TIGHT = {"rel": 0, "abs": 1e-8, "nan_ok": True}
COLUMNS = {"time": "time", "event": "event", "switch": "switch"}
COHORTS = ("stanford", "myeloid", "mgus2", "rotterdam")
QUICK = settings(max_examples=40, deadline=None, derandomize=True)


@cache
def wanted() -> dict[str, Any]:
    return json.loads((FOLDER / "switching.json").read_text())


@cache
def read(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / "datasets" / f"{name}.csv")


@cache
def cohort(name: str) -> pd.DataFrame:
    rows = read(name)
    time, event, switch, stratum = {
        "stanford": ("time", "event", "wait", "surgery"),
        "myeloid": ("death_time", "death", "transplant", "sex"),
        "mgus2": ("death_time", "death", "time", "sex"),
        "rotterdam": ("dtime", "death", "rtime", "grade"),
    }[name]
    changed = {"mgus2": rows.get("event"), "rotterdam": rows.get("recur")}.get(name)
    days = rows[switch] if changed is None else rows[switch].where(changed == 1)
    return pd.DataFrame(
        {
            "id": rows["id"],
            "time": rows[time],
            "event": rows[event],
            "switch": days,
            "stratum": rows[stratum],
        }
    )


@pytest.mark.parametrize("name", COHORTS)
def test_rows(name: str) -> None:
    rows, expected = counting_process(cohort(name), **COLUMNS), wanted()[name]
    assert len(rows) == expected["n_rows"]
    assert rows.attrs["n_late"] == expected["n_late"]
    assert rows.attrs["n_dropped"] == expected["n_dropped"]
    assert (rows["stop"] - rows["start"]).sum() == expected["person_time"]
    assert rows["switched"].value_counts().sort_index().tolist() == expected["n"]


@pytest.mark.parametrize("strata", [(), "stratum"])
@pytest.mark.parametrize("name", COHORTS)
def test_mantel_byar(name: str, strata: Any) -> None:
    result = mantel_byar(cohort(name), **COLUMNS, strata=strata)
    expected = wanted()[name]["stratified" if strata else "mantel_byar"]
    assert result.statistic == pytest.approx(expected["statistic"], **TIGHT)
    assert result.p_value == pytest.approx(expected["p_value"], **TIGHT)
    assert result.degrees_of_freedom == 1
    assert result.groups["switched"].tolist() == [False, True]
    assert result.groups["n"].tolist() == wanted()[name]["n"]
    for column in ("observed", "expected"):
        assert result.groups[column].to_numpy() == pytest.approx(numbers(expected[column]), **TIGHT)
    assert result.n_late == wanted()[name]["n_late"]
    assert result.n_dropped == wanted()[name]["n_dropped"]


def test_mantel_byar_is_the_score_test_of_the_exact_likelihood() -> None:
    frame, expected = cohort("stanford"), wanted()["score"]
    found = mantel_byar(frame, **COLUMNS).statistic
    assert found == pytest.approx(expected["stanford_exact"], **TIGHT)
    untied = frame.assign(time=1000 * frame["time"] + frame["id"], switch=1000 * frame["switch"])
    found = mantel_byar(untied, **COLUMNS).statistic
    assert found == pytest.approx(expected["stanford_untied"], **TIGHT)


def test_the_rows_of_the_heart_data_come_back() -> None:
    heart = read("heart")
    changed = heart[heart["transplant"] == 1].set_index("id")["start"]
    patients = heart.groupby("id").agg(time=("stop", "max"), event=("event", "max"))
    frame = patients.assign(switch=changed.reindex(patients.index))
    rows = counting_process(frame, **COLUMNS)
    assert rows.index.tolist() == heart["id"].tolist()
    for ours, theirs in (
        ("start", "start"),
        ("stop", "stop"),
        ("event", "event"),
        ("switched", "transplant"),
    ):
        assert rows[ours].astype(float).tolist() == heart[theirs].astype(float).tolist()
    result, expected = mantel_byar(frame, **COLUMNS), wanted()["heart"]
    assert result.statistic == pytest.approx(expected["statistic"], **TIGHT)
    assert result.statistic == pytest.approx(expected["exact"], **TIGHT)
    assert result.p_value == pytest.approx(expected["p_value"], **TIGHT)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", COHORTS)
def test_simon_makuch(name: str, which: int) -> None:
    expected = wanted()[name]["simon_makuch"][which]
    result = simon_makuch(cohort(name), **COLUMNS, start=expected["start"])
    found = result.kaplan_meier.at(expected["times"])
    for switched, label in ((False, "not_switched"), (True, "switched")):
        shown, values = found[found["switched"] == switched], expected[label]
        for column in ("n_risk", "n_event"):
            assert shown[column].tolist() == values[column]
        # R carries the last value on; here nothing is said past the follow-up.
        known = shown["survival"].notna().to_numpy()
        assert known.sum() >= 3
        assert not shown["limit_exact"].any()
        for column in ("survival", "low", "high"):
            ours = shown[column].to_numpy()[known]
            assert ours == pytest.approx(numbers(values[column])[known], **TIGHT)
    assert result.landmark.at == expected["start"]
    assert (result.landmark.frame["time"] > expected["start"]).all()
    assert result.collapsed_at == expected["collapsed_at"]
    assert result.n_late == wanted()[name]["n_late"]


def test_those_ever_transplanted_do_not_look_better() -> None:
    """The naive comparison has the wrong sign: a ratio of 0.74 where it is 1.80."""
    frame, expected = cohort("myeloid"), wanted()["myeloid_answers"]
    ever = event_table(
        frame.assign(ever=frame["switch"].notna()), time="time", event="event", by="ever"
    )
    naive = log_rank(ever, by="ever")
    assert naive.p_value == pytest.approx(expected["ever"]["log_rank_p"], **TIGHT)
    assert expected["ever"]["ratio"] < 0.75
    assert naive.groups["observed"].iloc[1] < naive.groups["expected"].iloc[1]

    result = mantel_byar(frame, **COLUMNS)
    assert result.groups["observed"].iloc[1] > result.groups["expected"].iloc[1]
    assert result.p_value is not None
    assert result.p_value < 1e-5
    rates = simon_makuch(frame, **COLUMNS, start=180).kaplan_meier.at([730, 1095])["survival"]
    assert (rates[2:].to_numpy() < rates[:2].to_numpy()).all()


@pytest.mark.parametrize("which", range(3))
def test_landmark(which: int) -> None:
    expected = wanted()["myeloid_answers"]["landmark"][which]
    chosen = landmark(cohort("myeloid"), **COLUMNS, at=expected["at"])
    assert len(chosen.frame) == expected["n"]
    assert chosen.frame["switched"].sum() == expected["n_switched"]
    assert chosen.n_later == expected["n_later"]
    table = event_table(chosen.frame, time="time", event="event", by="switched")
    test = log_rank(table, by="switched")
    assert test.statistic == pytest.approx(expected["log_rank"], **TIGHT)
    assert test.p_value == pytest.approx(expected["log_rank_p"], **TIGHT)
    ratio = hazard_ratios(table, by="switched").groups.iloc[1]
    assert ratio["ratio"] == pytest.approx(expected["ratio"], abs=1e-7)
    assert ratio["p_value"] == pytest.approx(expected["p_value"], abs=1e-7)


@pytest.mark.parametrize("name", COHORTS)
def test_the_rows_give_the_time_dependent_ratio(name: str) -> None:
    rows = counting_process(cohort(name), **COLUMNS)
    table = event_table(rows, time="stop", event="event", entry="start", by="switched")
    found, expected = hazard_ratios(table, by="switched"), wanted()[name]["time_dependent"]
    assert found.groups["ratio"].iloc[1] == pytest.approx(expected["ratio"], rel=1e-7)
    assert found.groups["p_value"].iloc[1] == pytest.approx(expected["p_value"], abs=1e-7)


def frame_of(*patients: tuple[float, float, float | None]) -> pd.DataFrame:
    index = list("abcdefgh")[: len(patients)]
    return pd.DataFrame(
        patients, columns=["time", "event", "switch"], index=index, dtype=float
    ).assign(site=index)


def test_the_day_of_the_change_belongs_to_the_old_group() -> None:
    patients = frame_of((10, 1, 4), (10, 1, 10), (10, 2, None), (10, 1, 0), (9, 0, -2), (0, 1, 0))
    rows = counting_process(patients, **COLUMNS)
    assert list(rows.columns) == ["start", "stop", "event", "switched", "site"]
    assert rows.index.tolist() == rows["site"].tolist() == ["a", "a", "b", "c", "d", "e"]
    assert rows["start"].tolist() == [0, 4, 0, 0, 0, 0]
    assert rows["stop"].tolist() == [4, 10, 10, 10, 10, 9]
    assert rows["event"].tolist() == [0, 1, 1, 2, 1, 0]
    assert rows["switched"].tolist() == [False, True, False, False, True, True]
    assert rows.attrs == {"n_late": 1, "n_dropped": 1}


def test_days_that_differ_by_rounding_lose_no_event() -> None:
    patients = frame_of((0.1 + 0.2, 1, 0.3), (1, 1, 0.5), (2, 0, None))
    rows = counting_process(patients, **COLUMNS)
    assert rows.attrs["n_late"] == 1
    assert rows["event"].sum() == 2
    assert mantel_byar(patients, **COLUMNS).groups["observed"].sum() == 2


def test_one_death_among_one_at_risk_is_flagged() -> None:
    """From there on the product limit is 0 for those too who change later and live."""
    alone = frame_of((5, 1, 2), (50, 0, 10), (60, 0, 12), (70, 1, None), (80, 0, None))
    result = simon_makuch(alone, **COLUMNS)
    assert result.kaplan_meier.at(40)["survival"].tolist() == [1, 0]
    assert result.collapsed_at == 5
    mended = simon_makuch(alone, **COLUMNS, start=15)
    assert mended.collapsed_at is None
    assert mended.kaplan_meier.at(40)["survival"].tolist() == [1, 1]
    assert mended.landmark.excluded["reason"].to_dict() == {"a": "event before the landmark"}


def test_who_changes_on_the_day_of_the_fall_came_too_late_for_it() -> None:
    same_day = frame_of((5, 1, 2), (50, 0, 5), (70, 1, None))
    assert simon_makuch(same_day, **COLUMNS).collapsed_at == 5
    before = frame_of((5, 1, 2), (50, 0, 4), (70, 1, None))
    assert simon_makuch(before, **COLUMNS).collapsed_at is None


def test_a_curve_that_ends_at_0_has_not_collapsed() -> None:
    everybody_dies = frame_of((5, 1, 2), (50, 1, 4), (70, 1, None))
    result = simon_makuch(everybody_dies, **COLUMNS)
    assert result.kaplan_meier.curve["survival"].min() == 0
    assert result.collapsed_at is None


def test_nobody_left_gives_no_number() -> None:
    patients = frame_of((5, 1, 2), (50, 0, 10))
    for frame, start in ((patients, 60), (patients.iloc[:0], 0)):
        result = simon_makuch(frame, **COLUMNS, start=start)
        assert result.kaplan_meier.curve.empty
        assert result.collapsed_at is None
    test = mantel_byar(patients.iloc[:0], **COLUMNS)
    assert (test.statistic, test.degrees_of_freedom, test.p_value) == (None, 0, None)


def test_competing_events_are_refused_by_the_curve_only() -> None:
    patients = frame_of((10, 1, 4), (12, 2, None), (20, 1, None), (30, 0, 3))
    with pytest.raises(ValueError, match="competing"):
        simon_makuch(patients, **COLUMNS)
    censored = patients.assign(event=patients["event"] % 2)
    found = mantel_byar(patients, **COLUMNS).statistic
    assert found == mantel_byar(censored, **COLUMNS).statistic


def test_bad_input() -> None:
    patients = frame_of((10, 1, 4), (12, 0, None))
    with pytest.raises(ValueError, match="already has a column 'start', 'switched'"):
        counting_process(patients.assign(start=0, switched=0), **COLUMNS)
    with pytest.raises(ValueError, match="day from 0 on"):
        simon_makuch(patients, **COLUMNS, start=-1)
    with pytest.raises(ValueError, match="site: no group label"):
        mantel_byar(patients.assign(site=["x", None]), **COLUMNS, strata="site")
    wrong = patients.assign(time=[np.nan, 12], event=[1, 0.5], switch=["soon", None])
    for function in (counting_process, mantel_byar, simon_makuch):
        with pytest.raises(ValueError, match="missing time") as error:
            function(wrong, **COLUMNS)
        assert "event: an unknown event code in 1 row (index b)" in str(error.value)
        assert "switch: not a day in 1 row (index a)" in str(error.value)
    with pytest.raises(ValueError, match="no column 'transplant'"):
        counting_process(patients, time="time", event="event", switch="transplant")


PATIENT = st.tuples(
    st.integers(0, 20),
    st.integers(0, 1),
    st.one_of(st.none(), st.integers(-2, 22)),
    st.sampled_from("xy"),
)
PATIENTS = st.lists(PATIENT, max_size=30).map(
    lambda rows: pd.DataFrame(rows, columns=["time", "event", "switch", "site"])
)


@QUICK
@given(PATIENTS)
def test_splitting_keeps_events_and_time(frame: pd.DataFrame) -> None:
    rows = counting_process(frame, **COLUMNS)
    seen = frame[frame["time"] > 0]
    assert rows["event"].sum() == seen["event"].sum()
    assert (rows["stop"] - rows["start"]).sum() == seen["time"].sum()
    assert (rows["start"] < rows["stop"]).all()
    assert set(rows.index) == set(seen.index)
    assert (rows.groupby(level=0)["stop"].max() == seen["time"]).all()
    assert rows.attrs["n_dropped"] == len(frame) - len(seen)
    assert not rows.reset_index().duplicated(["index", "switched"]).any()


@QUICK
@given(PATIENTS)
def test_the_pooled_curve_does_not_notice_the_split(frame: pd.DataFrame) -> None:
    rows = counting_process(frame, **COLUMNS)
    split = kaplan_meier(event_table(rows, time="stop", event="event", entry="start"))
    seen = frame[frame["time"] > 0]
    whole = kaplan_meier(event_table(seen, time="time", event="event")).curve
    at = split.at(whole["time"].to_numpy())
    for column in ("n_risk", "survival", "low", "high"):
        assert at[column].to_numpy() == pytest.approx(whole[column].to_numpy())


@QUICK
@given(PATIENTS, st.sampled_from([(), "site"]))
def test_observed_and_expected_have_one_sum(frame: pd.DataFrame, strata: Any) -> None:
    result = mantel_byar(frame, **COLUMNS, strata=strata)
    assert result.groups["observed"].sum() == pytest.approx(result.groups["expected"].sum())
    assert result.groups["observed"].sum() == frame.loc[frame["time"] > 0, "event"].sum()
    assert result.degrees_of_freedom in (0, 1)
    assert (result.statistic is None) == (result.p_value is None)


@QUICK
@given(PATIENTS, st.sampled_from([None, 0, -2, 25]))
def test_one_group_has_no_test(frame: pd.DataFrame, day: int | None) -> None:
    result = mantel_byar(frame.assign(switch=day), **COLUMNS)
    assert (result.statistic, result.degrees_of_freedom, result.p_value) == (None, 0, None)
    assert len(result.groups) == min((frame["time"] > 0).sum(), 1)


@QUICK
@given(PATIENTS, st.randoms(use_true_random=False))
def test_row_order_and_unit_are_irrelevant(frame: pd.DataFrame, random: Any) -> None:
    other = frame.iloc[random.sample(range(len(frame)), len(frame))]
    other = other.assign(time=other["time"] / 7, switch=other["switch"] / 7)
    first, second = mantel_byar(frame, **COLUMNS), mantel_byar(other, **COLUMNS)
    assert (first.statistic is None) == (second.statistic is None)
    if first.statistic is not None:
        assert second.statistic == pytest.approx(first.statistic, rel=1e-6, abs=1e-9)
    days, weeks = simon_makuch(frame, **COLUMNS), simon_makuch(other, **COLUMNS)
    assert weeks.kaplan_meier.curve["survival"].tolist() == pytest.approx(
        days.kaplan_meier.curve["survival"].tolist()
    )
    assert (days.collapsed_at is None) == (weeks.collapsed_at is None)


@QUICK
@given(PATIENTS)
def test_changes_before_the_origin_make_baseline_groups(frame: pd.DataFrame) -> None:
    frame = frame[frame["time"] > 0]
    frame = frame.assign(switch=frame["switch"].where(frame["switch"] <= 0))
    table = event_table(
        frame.assign(switched=frame["switch"].notna()), time="time", event="event", by="switched"
    )
    plain, found = log_rank(table, by="switched"), mantel_byar(frame, **COLUMNS)
    assert found.statistic == pytest.approx(plain.statistic)
    pd.testing.assert_frame_equal(
        simon_makuch(frame, **COLUMNS).kaplan_meier.curve,
        kaplan_meier(table, by="switched").curve,
    )


@QUICK
@given(PATIENTS, st.integers(0, 20))
def test_a_landmark_holds_the_same_patients_in_both(frame: pd.DataFrame, start: int) -> None:
    result = simon_makuch(frame, **COLUMNS, start=start)
    chosen = landmark(frame, **COLUMNS, at=start)
    first = result.kaplan_meier.at(start + 1).set_index("switched")["n_risk"]
    n_switched = chosen.frame["switched"].sum()
    assert first.get(True, 0) == n_switched
    assert first.get(False, 0) == len(chosen.frame) - n_switched
    assert len(result.landmark.excluded) == len(chosen.excluded)
    curve = result.kaplan_meier.curve
    assert (curve["time"] > start).all()
    assert (curve["low"] <= curve["survival"] + 1e-12).all()
    assert (curve["high"] >= curve["survival"] - 1e-12).all()


# From counts.

RATIO = ["hazard_ratio", "low", "high"]


@pytest.mark.parametrize("name", COHORTS)
def test_the_ratio_of_counts_is_that_of_the_rows(name: str) -> None:
    rows = counting_process(cohort(name), **COLUMNS)
    table = event_table(rows, time="stop", event="event", entry="start", by="switched")
    expected = hazard_ratios(table, by="switched", reference=False).groups.iloc[1]
    assert switched_ratio(table).tolist() == pytest.approx(
        expected[["ratio", "low", "high"]].tolist(), rel=1e-12
    )
    ever = event_table(
        cohort(name).assign(switched=cohort(name)["switch"].notna()),
        time="time", event="event", by="switched",
    )  # fmt: skip
    expected = hazard_ratios(ever, by="switched", reference=False).groups.iloc[1]
    assert switched_ratio(ever).tolist() == pytest.approx(
        expected[["ratio", "low", "high"]].tolist(), rel=1e-12
    )
    late = simon_makuch(cohort(name), **COLUMNS, start=30)
    rows["start"] = rows["start"].clip(lower=30)
    table = event_table(rows, time="stop", event="event", entry="start", by="switched")
    found = simon_makuch_from_counts(table)
    pd.testing.assert_frame_equal(found.kaplan_meier.curve, late.kaplan_meier.curve)
    assert found.collapsed_at == late.collapsed_at


KIND = st.tuples(
    st.integers(0, 4), st.integers(0, 12), st.integers(0, 2),
    st.one_of(st.none(), st.integers(-2, 14)), st.sampled_from([30.0, 41.5, 60.0]),
    st.sampled_from(["high", "low", "standard"]), st.integers(1, 3),
)  # fmt: skip


@pytest.mark.parametrize("most_cells", [switching.MOST_CELLS, 0])
@QUICK
@given(kinds=st.lists(KIND, min_size=1, max_size=40))
def test_the_adjusted_ratio_of_counts_is_that_of_the_rows(
    most_cells: int, kinds: list[tuple[Any, ...]]
) -> None:
    columns = ["entry", "time", "event", "switch", "age", "risk", "patients"]
    counts = pd.DataFrame(kinds, columns=columns).astype({"switch": "float64"})
    rows = counts.loc[counts.index.repeat(counts["patients"])].reset_index(drop=True)
    split = counting_process(rows.rename(columns={"entry": "from"}), **COLUMNS)
    split["start"] = split["start"].clip(lower=split["from"])
    fit = cox(
        split, time="stop", event="event", entry="start", covariates=("switched", "age", "risk")
    )
    expected = fit.terms.set_index("covariate").loc["switched", RATIO].astype("float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "MOST_CELLS", most_cells)
        found = adjusted_ratio(counts, covariates=("age", "risk"), count="patients")
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-7, nan_ok=True)
