"""The embedded allmrd cohort against every figure in the published tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from analytics.events import event_table
from analytics.proportion import proportion
from analytics.survival import kaplan_meier, log_rank

DATA = Path(__file__).resolve().parents[2] / "data"
DEMO = DATA / "demo" / "allmrd"
STUDY = json.loads((DEMO / "study.json").read_text(encoding="utf-8"))
TRIALS = {"allmrd2019": "ALL/MRD2019", "allmrd2023": "ALL/MRD2023"}
TIMEPOINTS = {"after induction": "after induction", "after consolidation C-1": "after C-1"}
MILESTONES = {"2": 730}
LIMIT_TOLERANCE = 1.5  # points: limits hang on numbers at risk, which were not printed

Row = dict[str, str]


def published(table: str) -> list[Row]:
    frame = pd.read_csv(DATA / "published" / f"{table}.csv", dtype=str, keep_default_na=False)
    return frame[frame["study"].isin(TRIALS)].to_dict("records")


def cases(rows: Iterable[Row], *columns: str) -> list[Any]:
    return [pytest.param(row, id="-".join(filter(None, map(row.get, columns)))) for row in rows]


RATES = published("survival_rates")
NEGATIVITY = published("mrd_negativity")


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(DEMO / f"{name}.csv")


@cache
def samples() -> pd.DataFrame:
    frame = table("mrd_assessments").drop(columns="timepoint")
    for window in STUDY["timepoints"]:
        inside = frame["day"].between(window["first_day"], window["last_day"])
        frame.loc[inside, "timepoint"] = window["label"]
    return frame


@cache
def cohort() -> pd.DataFrame:
    frame = table("patients").merge(table("outcomes"), on="patient_id", validate="1:1")
    status = samples().pivot(index="patient_id", columns="timepoint", values="call")
    frame = frame.merge(status, on="patient_id", how="left")
    end = frame["relapse_day"].fillna(frame["death_day"]).fillna(frame["last_follow_up_day"])
    frame["LFS_days"] = (end - frame["cr_day"]).astype(int)
    frame["LFS_event"] = frame["relapse_day"].notna() | frame["death_day"].notna()
    frame["OS_days"] = frame["last_follow_up_day"]
    frame["OS_event"] = frame["death_day"].notna()
    return frame


def population(words: str, mrd_timepoint: str) -> pd.DataFrame:
    """Select the patients of both trials that a published row describes."""
    frame = cohort()
    if words.startswith("age "):
        youngest, oldest = map(int, words.removeprefix("age ").split("-"))
        return frame[frame["age_years"].between(youngest, oldest)]
    if words.startswith("MRD-"):
        return frame[frame[TIMEPOINTS[mrd_timepoint]] == words.removeprefix("MRD-")]
    assert words == "all"
    return frame


def events(row: Row) -> pd.DataFrame:
    return event_table(
        population(row["population"], row["mrd_timepoint"]),
        time=f"{row['endpoint']}_days",
        event=f"{row['endpoint']}_event",
        by="trial",
    )


def estimate(row: Row) -> pd.Series:
    rates = kaplan_meier(events(row), by="trial").at([MILESTONES[row["horizon_years"]]])
    return rates.set_index("trial").loc[row["level"]]


def as_printed(value: float, printed: str) -> str:
    decimals = len(printed.partition(".")[2])
    return f"{value:.{decimals}f}"


NAMES = ("study", "endpoint", "population")


@pytest.mark.parametrize("row", cases(RATES, *NAMES))
def test_two_year_rate(row: Row) -> None:
    assert as_printed(100 * estimate(row)["survival"], row["percent"]) == row["percent"]
    assert row["level"] == TRIALS[row["study"]]
    if row["n"]:
        chosen = population(row["population"], row["mrd_timepoint"])
        assert (chosen["trial"] == row["level"]).sum() == int(row["n"])


@pytest.mark.parametrize(
    "row", cases([row for row in RATES if row["ci_low"] or row["ci_high"]], *NAMES)
)
def test_limits(row: Row) -> None:
    found = estimate(row)
    for side in ("low", "high"):
        if printed := row[f"ci_{side}"]:
            assert 100 * found[side] == pytest.approx(float(printed), abs=LIMIT_TOLERANCE)


@pytest.mark.parametrize("row", cases([row for row in RATES if row["p_value"]], *NAMES))
def test_log_rank_between_the_trials(row: Row) -> None:
    found = log_rank(events(row), by="trial").p_value
    assert found is not None
    assert as_printed(found, row["p_value"]) == row["p_value"]


@pytest.mark.parametrize("row", cases(NEGATIVITY, "study", "timepoint"))
def test_negativity(row: Row) -> None:
    frame = cohort()
    calls = frame.loc[frame["trial"] == TRIALS[row["study"]], TIMEPOINTS[row["timepoint"]]]
    found = proportion(int((calls == "negative").sum()), int(calls.notna().sum()))
    assert (found.count, found.total) == (int(row["n_negative"]), int(row["n_evaluable"]))
    assert found.rate is not None
    assert as_printed(100 * found.rate, row["percent"]) == row["percent"]


@pytest.mark.parametrize(
    "row", cases([row for row in NEGATIVITY if row["p_value"]], "study", "timepoint")
)
def test_negativity_compared(row: Row) -> None:
    frame = cohort()
    counts = pd.crosstab(frame["trial"], frame[TIMEPOINTS[row["timepoint"]]])
    found = chi2_contingency(counts, correction=False).pvalue
    assert as_printed(found, row["p_value"]) == row["p_value"]


@pytest.mark.parametrize("row", cases(published("studies"), "study"))
def test_size_of_a_trial(row: Row) -> None:
    assert (cohort()["trial"] == TRIALS[row["study"]]).sum() == int(row["n"])


def test_every_published_row_of_the_trials_is_used() -> None:
    assert {row["endpoint"] for row in RATES} == {"LFS", "OS"}
    assert {row["stratum"] for row in RATES} == {"trial"}
    assert {row["landmark"] for row in RATES} == {""}
    assert {row["timepoint"] for row in NEGATIVITY} == set(TIMEPOINTS)
    assert not published("baseline")
    assert not published("disposition")


def test_no_two_patients_share_a_time() -> None:
    assert cohort()["LFS_days"].is_unique
    assert cohort()["OS_days"].is_unique


def test_ages_are_those_of_the_trials() -> None:
    assert cohort()["age_years"].between(16, 65).all()
    assert cohort()["age_years"].dtype.kind == "i"


def test_everyone_has_one_marrow_sample_at_each_timepoint_before_remission_ends() -> None:
    frame = samples()
    assert frame.groupby("patient_id")["timepoint"].nunique().eq(len(STUDY["timepoints"])).all()
    assert len(frame) == len(STUDY["timepoints"]) * len(cohort())
    ends = cohort().assign(end=lambda each: each["cr_day"] + each["LFS_days"])
    assert (frame["day"] < frame["patient_id"].map(ends.set_index("patient_id")["end"])).all()


def test_calls_follow_from_level() -> None:
    frame = samples()
    negative = frame["call"] == "negative"
    assert (frame.loc[negative, "mrd_fraction"] == 0).all()
    assert (frame.loc[~negative, "mrd_fraction"] >= frame.loc[~negative, "lod_fraction"]).all()


def test_days_of_a_patient_are_in_order() -> None:
    frame = cohort()
    assert (frame["LFS_days"] > 0).all()
    dead = frame["death_day"].notna()
    assert (frame.loc[dead, "death_day"] == frame.loc[dead, "last_follow_up_day"]).all()
    assert not (frame["relapse_day"] >= frame["last_follow_up_day"]).any()
    courses = table("treatments").merge(frame)
    assert (courses["start_day"] <= courses["end_day"]).all()
    assert (courses["end_day"] < courses["cr_day"] + courses["LFS_days"]).all()


def test_blinatumomab_is_for_the_positive_in_one_trial_and_for_all_in_the_other() -> None:
    courses = table("treatments")
    treated = cohort()["patient_id"].isin(
        courses.loc[courses["kind"] == "blinatumomab", "patient_id"]
    )
    older = cohort()["trial"] == "ALL/MRD2019"
    negative = cohort()["after C-1"] == "negative"
    assert not treated[older & negative].any()
    # Whoever relapsed or was last seen before the first course has none.
    assert treated[~older].mean() > 0.9
    assert treated[older & ~negative].mean() > 0.8
