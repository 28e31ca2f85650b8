"""Cumulative incidences and Gray's test: R's values, the theory, and wrong answers not given."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter

from analytics.competing import cause_specific, causes, cumulative_incidence, gray_test
from analytics.events import event_table
from analytics.hazard import hazard_ratios
from analytics.survival import kaplan_meier, log_rank
from tests.analytics.reference import FOLDER, numbers

TIGHT = {"rel": 0, "abs": 1e-8, "nan_ok": True}
QUICK = settings(max_examples=40, deadline=None, derandomize=True)

# Few times and causes, so that ties, empty causes and groups without an event occur.
PATIENT = st.tuples(st.integers(1, 12), st.sampled_from([0, 1, 2, 3]), st.sampled_from("abc"))
COHORT = st.lists(PATIENT, min_size=1, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=["t", "e", "g"])
)


@cache
def expected() -> dict[str, Any]:
    return json.loads((FOLDER / "competing.json").read_text())


@cache
def patients(name: str) -> pd.DataFrame:
    rows = pd.read_csv(FOLDER / "datasets" / f"{name.removesuffix('3')}.csv")
    if name.startswith("myeloid"):
        early = rows["transplant"] < rows["relapse"].fillna(rows["death_time"])
        event = np.where(rows["relapse"].notna(), 1, 2 * rows["death"])
        time = rows["relapse"].fillna(rows["death_time"])
        rows = rows.assign(
            event=event,
            time=time,
            event3=np.where(early, 3, event),
            time3=np.where(early, rows["transplant"], time),
        )
    if name == "mgus2":
        rows = rows.assign(decade=np.digitize(rows["age"], [60, 70, 80]) + 1)
    if name == "pbc":
        rows = rows.dropna(subset=["arm"]).astype({"arm": int})
    return rows


GROUPING = {
    "mgus2": ("sex", "time", "event"),
    "myeloid": ("arm", "time", "event"),
    "myeloid3": ("arm", "time3", "event3"),
    "transplant": ("blood", "time", "event"),
    "pbc": ("arm", "time", "event"),
}


def table(frame: pd.DataFrame, by: Any = "g") -> pd.DataFrame:
    return event_table(frame, time="t", event="e", by=by)


@pytest.mark.parametrize("name", GROUPING)
def test_cumulative_incidence_and_limits(name: str) -> None:
    by, time, event = GROUPING[name]
    events = event_table(patients(name), time=time, event=event, by=by)
    wanted = expected()["curves"][name]
    result = cumulative_incidence(events, by=by)
    found = result.at(wanted["times"])
    assert len(found) == len(wanted["curves"]) * len(wanted["times"])
    for curve in wanted["curves"]:
        rows = found[(found[by].astype(str) == curve["group"]) & (found["cause"] == curve["cause"])]
        incidence = numbers(curve["incidence"])
        assert rows["incidence"].to_numpy() == pytest.approx(incidence, **TIGHT)
        assert rows["limit_exact"].tolist() == (incidence == 0).tolist()
        inner = ~rows["limit_exact"].to_numpy()
        for limit in ("low", "high"):
            values = numbers(curve[limit])
            assert rows[limit].to_numpy()[inner] == pytest.approx(values[inner], **TIGHT)


def test_every_step_with_many_ties() -> None:
    events = event_table(patients("mgus2"), time="time", event="event")
    curve, wanted = cumulative_incidence(events).curve, expected()["whole"]
    for cause in (1, 2):
        rows = curve[curve["cause"] == cause]
        assert rows["time"].tolist() == wanted["time"]
        assert rows["n_risk"].tolist() == wanted["n_risk"]
        assert rows["incidence"].to_numpy() == pytest.approx(
            numbers(wanted[f"incidence_{cause}"]), **TIGHT
        )


def test_late_entries() -> None:
    rows = patients("mgus2")
    rows = rows.assign(entry=rows["age"] * 12, exit=rows["age"] * 12 + rows["time"])
    rows = rows[(rows["entry"] >= 480) & (rows["exit"] > rows["entry"])]
    events = event_table(rows, time="exit", event="event", by="sex", entry="entry")
    wanted = expected()["late"]
    found = cumulative_incidence(events, by="sex").at(wanted["ages"])
    for curve in wanted["curves"]:
        for cause in (1, 2):
            mine = found[(found["sex"] == curve["group"]) & (found["cause"] == cause)]
            assert mine["incidence"].to_numpy() == pytest.approx(
                numbers(curve[f"incidence_{cause}"]), **TIGHT
            )


def _check_test(frame: pd.DataFrame, wanted: dict[str, Any]) -> None:
    by, strata = wanted["by"], wanted["strata"] or ()
    frame = frame.dropna(subset=[by])
    columns = [by, strata] if strata else [by]
    events = event_table(frame, time=wanted["time"], event=wanted["event"], by=columns)
    for index, cause in enumerate(wanted["cause"]):
        found = gray_test(events, by=by, strata=strata, cause=cause)
        assert found.degrees_of_freedom == wanted["df"][index]
        if wanted["statistic"][index] is None:
            assert found.statistic is None
            assert found.p_value is None
        else:
            assert found.statistic == pytest.approx(wanted["statistic"][index], **TIGHT)
            assert found.p_value == pytest.approx(wanted["p_value"][index], **TIGHT)
        assert found.groups["n"].sum() == len(frame)


@pytest.mark.parametrize("name", ["mgus2", "myeloid", "transplant", "pbc"])
def test_gray(name: str) -> None:
    for wanted in expected()["tests"][name]:
        _check_test(patients(name), wanted)


def test_gray_with_few_patients() -> None:
    for wanted in expected()["small"]:
        _check_test(pd.DataFrame(wanted["rows"]), wanted)


def test_relapse_is_not_one_less_kaplan_meier() -> None:
    rows = patients("myeloid")
    rows = rows[(rows["arm"] == "A") & rows["complete_response"].notna()]
    rows = rows.assign(time=rows["time"] - rows["complete_response"])
    events = event_table(rows, time="time", event="event")
    wanted = expected()["naive"]
    found = cumulative_incidence(events).at(1095).set_index("cause")["incidence"]
    assert found[1] == pytest.approx(wanted["incidence"], **TIGHT)
    assert found[1] == pytest.approx(0.467, abs=5e-4)
    assert wanted["one_less_km"] == pytest.approx(0.5035, abs=5e-5)
    with pytest.raises(ValueError, match="competing events"):
        kaplan_meier(cause_specific(events, 1))


def test_ties_are_not_moved_at_random() -> None:
    rows = patients("mgus2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = AalenJohansenFitter(calculate_variance=False, seed=1)
        peer.fit(rows["time"], rows["event"], event_of_interest=1)
    wanted = expected()["whole"]
    exact = pd.Series(numbers(wanted["incidence_1"]), index=wanted["time"])
    jittered = peer.cumulative_density_.iloc[:, 0]
    off = [
        abs(jittered[jittered.index <= month + 0.5].iloc[-1] - value)
        for month, value in exact.items()
    ]
    events = event_table(rows, time="time", event="event")
    found = cumulative_incidence(events).at(exact.index.to_numpy())
    ours = found[found["cause"] == 1]["incidence"].to_numpy() - exact.to_numpy()
    assert max(off) > 1e-5
    assert np.abs(ours).max() < 1e-12


def test_cause_specific_hazards_are_those_of_either_cause_censored() -> None:
    rows = patients("myeloid")
    events = event_table(rows, time="time3", event="event3", by="arm")
    for cause in (1, 2, 3):
        alone = rows.assign(event=(rows["event3"] == cause).astype(int))
        single = event_table(alone, time="time3", event="event", by="arm")
        own = cause_specific(events, cause)
        found, wanted = log_rank(own, by="arm"), log_rank(single, by="arm")
        assert found.statistic == pytest.approx(wanted.statistic, abs=1e-10)
        pd.testing.assert_frame_equal(
            hazard_ratios(own, by="arm").groups, hazard_ratios(single, by="arm").groups
        )
        with pytest.raises(ValueError, match="competing events"):
            kaplan_meier(own)


def test_no_event_yet_is_not_certainty() -> None:
    frame = pd.DataFrame({"t": [2, 3, 5, 8], "e": [0, 2, 1, 0], "g": "a"})
    curve = cumulative_incidence(table(frame)).curve
    first = curve[curve["cause"] == 1].iloc[0]
    assert (first["incidence"], first["low"]) == (0, 0)
    assert first["high"] == pytest.approx(1 - 0.025 ** (1 / 4))
    assert first["limit_exact"]


def test_everybody_relapsed_is_not_certainty() -> None:
    frame = pd.DataFrame({"t": [3, 3, 3], "e": [1, 1, 1], "g": "a"})
    curve = cumulative_incidence(table(frame)).curve
    first, other = curve.iloc[0], curve.iloc[1]
    assert (first["incidence"], first["high"]) == (1, 1)
    assert first["low"] == pytest.approx(0.025 ** (1 / 3))
    assert (other["incidence"], other["low"]) == (0, 0)
    assert other["high"] == pytest.approx(1 - 0.025 ** (1 / 3))


def test_a_last_single_event_takes_no_limit_back() -> None:
    frame = pd.DataFrame({"t": range(1, 11), "e": 1, "g": "a"})
    result = cumulative_incidence(table(frame))
    curve = result.curve[result.curve["cause"] == 1]
    before, last = curve.iloc[-2], curve.iloc[-1]
    assert last["low"] == before["low"] > 0.025
    assert result.at(10)["low"].iloc[0] == before["low"]


def test_nothing_is_said_past_the_follow_up() -> None:
    frame = pd.DataFrame({"t": [2, 3, 5, 9], "e": [1, 2, 1, 0], "g": list("aaab")})
    found = cumulative_incidence(table(frame), by="g").at([0, 5, 6])
    past = found[(found["g"] == "a") & (found["time"] == 6)]
    assert past[["incidence", "low", "high"]].isna().all(axis=None)
    assert past["n_risk"].tolist() == [0, 0]
    assert past["n_event"].tolist() == [2, 1]
    assert found[found["g"] == "b"]["incidence"].tolist() == [0] * 6


def test_a_table_from_the_store_has_one_competing_cause() -> None:
    frame = pd.DataFrame({"t": [2, 3, 5, 9], "e": [1, 2, 3, 0]})
    whole = event_table(frame, time="t", event="e")
    lumped = whole.drop(columns=["n_cause_2", "n_cause_3"])
    assert causes(whole) == (1, 2, 3)
    assert causes(lumped) == (1, 2)
    apart = cumulative_incidence(whole).at(9)["incidence"].tolist()
    together = cumulative_incidence(lumped).at(9)["incidence"].tolist()
    assert together == pytest.approx([apart[0], apart[1] + apart[2]])


def test_summaries_of_the_groups() -> None:
    frame = pd.DataFrame({"t": [2, 3, 5, 9], "e": [1, 2, 2, 0], "g": list("aabb")})
    result = cumulative_incidence(table(frame), by="g")
    assert result.groups.to_dict("list") == {
        "g": ["a", "a", "b", "b"],
        "cause": [1, 2, 1, 2],
        "n": [2, 2, 2, 2],
        "n_event": [1, 1, 0, 1],
        "last_time": [3, 3, 9, 9],
    }
    assert list(result.curve.columns) == [
        "g", "cause", "time", "n_risk", "n_event", "incidence", "low", "high", "limit_exact",
    ]  # fmt: skip


def test_no_patients() -> None:
    empty = event_table(pd.DataFrame({"t": [], "e": [], "g": []}), time="t", event="e", by="g")
    assert cumulative_incidence(empty, by="g").curve.empty
    assert cumulative_incidence(empty).at([1, 2]).empty
    assert gray_test(empty, by="g").statistic is None


@pytest.mark.parametrize("events", [[0, 0, 0, 0], [2, 2, 0, 2]])
def test_no_event_of_the_cause_is_no_test(events: list[int]) -> None:
    frame = pd.DataFrame({"t": [2, 3, 5, 9], "e": events, "g": list("abab")})
    found = gray_test(table(frame), by="g")
    assert (found.statistic, found.p_value, found.degrees_of_freedom) == (None, None, 1)


def test_one_group_is_no_test() -> None:
    frame = pd.DataFrame({"t": [2, 3], "e": [1, 2], "g": list("aa")})
    assert gray_test(table(frame), by="g").statistic is None


def test_bad_input_is_refused() -> None:
    frame = pd.DataFrame({"t": [2, 3], "e": [1, 3], "g": list("ab"), "start": [0, 1]})
    events = table(frame)
    with pytest.raises(ValueError, match=r"Cause 2 is not in the table. Choose among \(1, 3\)"):
        cause_specific(events, 2)
    with pytest.raises(ValueError, match="do not add up"):
        cumulative_incidence(events.assign(n_competing=0))
    with pytest.raises(ValueError, match="between 0 and 1"):
        cumulative_incidence(events, confidence=95)
    with pytest.raises(ValueError, match=r"event_table\("):
        gray_test(pd.DataFrame({"time": [1]}), by="g")
    late = event_table(frame, time="t", event="e", by="g", entry="start")
    with pytest.raises(ValueError, match="after the origin"):
        gray_test(late, by="g")


@QUICK
@given(COHORT)
def test_event_free_and_incidences_add_up_to_one(frame: pd.DataFrame) -> None:
    times = sorted(frame["t"].unique())
    found = cumulative_incidence(table(frame), by="g").at(times)
    total = found.groupby(["g", "time"])["incidence"].sum(min_count=1)
    free = kaplan_meier(table(frame.assign(e=frame["e"].clip(upper=1))), by="g").at(times)
    both = total.to_numpy() + free.sort_values(["g", "time"])["survival"].to_numpy()
    assert both[~np.isnan(both)] == pytest.approx(1.0, abs=1e-12)
    assert np.isnan(both).tolist() == free["survival"].isna().tolist()


@QUICK
@given(COHORT)
def test_limits_hold_a_rising_estimate(frame: pd.DataFrame) -> None:
    curve = cumulative_incidence(table(frame), by="g").curve
    assert curve[["incidence", "low", "high"]].stack().between(0, 1).all()
    assert (curve.groupby(["g", "cause"])["incidence"].diff().fillna(0) >= 0).all()
    assert (curve["low"] <= curve["incidence"] + 1e-12).all()
    assert (curve["high"] >= curve["incidence"] - 1e-12).all()
    # Never a point: a limit of no width would claim certainty.
    assert (curve["high"] > curve["low"]).all()


@QUICK
@given(COHORT)
def test_without_competing_events_it_is_one_less_kaplan_meier(frame: pd.DataFrame) -> None:
    single = table(frame.assign(e=(frame["e"] > 0).astype(int)))
    curve = cumulative_incidence(single, by="g").curve
    curve = curve[curve["cause"] == 1].reset_index(drop=True)
    km = kaplan_meier(single, by="g").curve
    assert curve["incidence"].to_numpy() == pytest.approx(1 - km["survival"].to_numpy())
    assert curve["limit_exact"].tolist() == km["limit_exact"].tolist()


@QUICK
@given(COHORT, st.permutations([1, 2, 3]))
def test_codes_are_names_only(frame: pd.DataFrame, order: list[int]) -> None:
    # Every code occurs, so that both tables tell the same causes apart.
    extra = pd.DataFrame({"t": [3, 5, 7], "e": [1, 2, 3], "g": "a"})
    frame = pd.concat([frame, extra], ignore_index=True)
    renamed = frame.assign(e=frame["e"].map({0: 0, **dict(zip((1, 2, 3), order, strict=True))}))
    first = cumulative_incidence(table(frame), by="g").curve
    second = cumulative_incidence(table(renamed), by="g").curve
    for code, new in zip((1, 2, 3), order, strict=True):
        pd.testing.assert_frame_equal(
            first[first["cause"] == code].drop(columns="cause").reset_index(drop=True),
            second[second["cause"] == new].drop(columns="cause").reset_index(drop=True),
        )


@QUICK
@given(COHORT)
def test_another_unit_rescales_time_only(frame: pd.DataFrame) -> None:
    weeks = frame.assign(t=frame["t"] / 7)
    first = cumulative_incidence(table(frame), by="g").curve
    second = cumulative_incidence(table(weeks), by="g").curve
    assert second["time"].to_numpy() * 7 == pytest.approx(first["time"].to_numpy())
    pd.testing.assert_frame_equal(first.drop(columns="time"), second.drop(columns="time"))
    assert gray_test(table(weeks), by="g").p_value == gray_test(table(frame), by="g").p_value


@QUICK
@given(COHORT)
def test_entry_at_the_origin_changes_nothing(frame: pd.DataFrame) -> None:
    entered = event_table(frame.assign(start=0), time="t", event="e", by="g", entry="start")
    first, second = (cumulative_incidence(each, by="g") for each in (table(frame), entered))
    pd.testing.assert_frame_equal(first.curve, second.curve)
    pd.testing.assert_frame_equal(first.at([0, 4, 12]), second.at([0, 4, 12]))
    assert gray_test(entered, by="g").statistic == gray_test(table(frame), by="g").statistic


@QUICK
@given(COHORT, st.permutations("abc"), st.sampled_from([1, 2]))
def test_gray_does_not_depend_on_names_or_row_order(
    frame: pd.DataFrame, names: Any, cause: int
) -> None:
    frame = frame.assign(e=frame["e"].clip(upper=2))
    renamed = frame[::-1].assign(g=frame["g"].map(dict(zip("abc", names, strict=True))))
    first = gray_test(table(frame), by="g", cause=cause)
    second = gray_test(table(renamed), by="g", cause=cause)
    if first.statistic is None:
        assert second.statistic is None
    else:
        assert second.statistic == pytest.approx(first.statistic, rel=1e-6, abs=1e-9)
    groups = first.groups
    assert groups["observed"].sum() == pytest.approx(groups["expected"].sum())


@QUICK
@given(COHORT)
def test_one_stratum_is_no_stratum(frame: pd.DataFrame) -> None:
    events = event_table(frame.assign(s="all"), time="t", event="e", by=["g", "s"])
    plain, stratified = gray_test(events, by="g"), gray_test(events, by="g", strata="s")
    assert plain.statistic == stratified.statistic
