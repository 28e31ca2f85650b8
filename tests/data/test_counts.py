"""What is counted in the store equals what the rows of the patients say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.events import event_table
from analytics.landmark import landmark
from analytics.mrd import flows
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, find
from data.variables import MISSING, Dictionary

COHORTS = (CohortFilter(), CohortFilter(sex=("female",)), CohortFilter(ph_status=("negative",)))
Case = tuple[Snapshot, Dictionary, CohortFilter]


@pytest.fixture(params=["short2025", "nguyen2026", "chiaretti2004"])
def snapshot(request: pytest.FixtureRequest, store: Path) -> Snapshot:
    return find(str(request.param), folder=store)


@pytest.fixture(params=COHORTS, ids=lambda cohort: cohort.describe())
def case(request: pytest.FixtureRequest, snapshot: Snapshot) -> Case:
    variables = queries.dictionary(snapshot)
    cohort: CohortFilter = request.param
    if any(name not in variables for name, _ in cohort):
        cohort = CohortFilter()
    return snapshot, variables, cohort


def test_known_values(case: Case) -> None:
    snapshot, variables, cohort = case
    rows = queries.subjects(snapshot, cohort, variables)
    found = queries.known(snapshot, cohort, variables, unknown=("unknown", "not assessed"))
    assert int(found[queries.N].iloc[0]) == len(rows)
    for name in variables:
        held = rows[name].notna() & ~rows[name].isin(["unknown", "not assessed"])
        assert int(found[name].iloc[0]) == held.sum(), name


def test_known_values_by_group(case: Case) -> None:
    snapshot, variables, cohort = case
    rows = queries.subjects(snapshot, cohort, variables)
    found = queries.known(snapshot, cohort, variables, by="disposition").set_index("_group")
    groups = rows["disposition"].fillna(MISSING)
    assert found[queries.N].to_dict() == groups.value_counts().to_dict()
    for name in variables:
        assert found[name].to_dict() == rows[name].notna().groupby(groups).sum().to_dict()


@pytest.mark.parametrize(("among", "ignored"), [(None, None), (None, "unknown"), ("allosct", None)])
def test_what_varies(case: Case, among: str | None, ignored: str | None) -> None:
    snapshot, variables, cohort = case
    rows = queries.subjects(snapshot, cohort, variables)
    rows = rows[rows[among].notna()] if among else rows
    expected = {n for n in variables if len(set(rows[n].dropna().unique()) - {ignored}) > 1}
    found = queries.varying(snapshot, cohort, variables, among=among, ignored=ignored)
    assert found == expected


def test_spans_and_days(snapshot: Snapshot) -> None:
    variables = queries.dictionary(snapshot)
    rows = queries.subjects(snapshot, CohortFilter(), variables)
    for name in [v.name for v in variables.values() if v.kind == "number"] + ["follow_up_days"]:
        values = rows[name].dropna().astype("float64")
        found = queries.span(snapshot, name)
        assert (found.low, found.high) == (values.min(), values.max())
        assert found.whole == (values == values.round()).all()
    days = (rows["allosct_day"] - rows["cr_day"]).dropna().astype("float64")
    found_days = queries.days(snapshot, CohortFilter(), variables, "allosct_day", "cr_day")
    assert np.repeat(found_days["day"], found_days[queries.N]).tolist() == sorted(days)


def test_values_by_group(case: Case) -> None:
    snapshot, variables, cohort = case
    rows = queries.subjects(snapshot, cohort, variables)
    for name in variables:
        found = queries.values(snapshot, cohort, variables, name, "disposition")
        held = found[found["value"].notna()]
        expected = rows.groupby(["disposition", name]).size()
        keys = zip(held["_group"], held["value"], strict=True)
        assert dict(zip(keys, held[queries.N], strict=True)) == expected.to_dict(), name
        assert found[queries.N].sum() == len(rows)


@pytest.mark.parametrize("endpoint", ["RFS", "OS", "CIR", "RFS_censored_at_allosct"])
def test_one_question_gives_events_and_exclusions(case: Case, endpoint: str) -> None:
    snapshot, variables, cohort = case
    found = queries.counted(snapshot, cohort, variables, endpoint=endpoint, by=("disposition",))
    events = queries.events(snapshot, cohort, variables, endpoint=endpoint, by=("disposition",))
    there = found[found["time"].notna() & (found["disposition"] != MISSING)]
    pd.testing.assert_frame_equal(
        there[list(events)].reset_index(drop=True).astype({"time": events["time"].dtype}), events
    )
    left = found[found["time"].isna()].groupby("reason")[queries.N].sum().to_dict()
    assert left == queries.exclusions(snapshot, cohort, variables, endpoint=endpoint)
    assert found[queries.N].sum() == queries.size(snapshot, cohort, variables)


@pytest.mark.parametrize("by", [(), ("allosct",), ("mrd_3_months",), ("mrd_dynamics", "allosct")])
def test_a_landmark_is_counted_as_its_rows_are(snapshot: Snapshot, by: tuple[str, ...]) -> None:
    variables, at = queries.dictionary(snapshot), 120
    if any(name not in variables for name in by):
        by = ("allosct",)
    asked = {"endpoint": "RFS", "by": by, "landmark_days": at}
    days = {"time": "time", "event": "event", "known_day": "known_day", "switch": "switch_day"}
    rows = queries.event_rows(snapshot, CohortFilter(), variables, **asked)  # type: ignore[arg-type]
    counts = queries.landmark_counts(snapshot, CohortFilter(), variables, **asked)  # type: ignore[arg-type]
    assert counts[queries.N].sum() == len(rows)
    one, many = (landmark(f[~f["undated"].astype(bool)], at=at, **days) for f in (rows, counts))
    repeated = many.frame.loc[many.frame.index.repeat(many.frame[queries.N])]
    tables = [event_table(f, time="time", event="event", by=by) for f in (one.frame, repeated)]
    pd.testing.assert_frame_equal(*tables)
    reasons = many.excluded.groupby("reason")[queries.N].sum()
    assert reasons.to_dict() == one.excluded["reason"].value_counts().to_dict()
    assert many.frame.loc[many.frame["switch_day"] > at, queries.N].sum() == one.n_later
    listed = queries.landmark_excluded(snapshot, CohortFilter(), variables, **asked, most=3)  # type: ignore[arg-type]
    assert listed["patient_id"].tolist() == one.excluded["patient_id"].tolist()[:3]


def test_combinations_give_the_flows(short2025: Snapshot) -> None:
    variables = queries.dictionary(short2025)
    names = [variable.name for variable in variables.timepoints]
    found = queries.combinations(short2025, CohortFilter(), variables, names)
    rows = queries.subjects(short2025, CohortFilter(), variables)[names]
    pd.testing.assert_frame_equal(
        flows(found.loc[found.index.repeat(found[queries.N]), names]), flows(rows)
    )


@pytest.mark.parametrize("first", [True, False])
def test_lanes_are_the_longest_first_and_the_rest_is_counted(
    short2025: Snapshot, first: bool
) -> None:
    variables = queries.dictionary(short2025)
    rows = queries.subjects(short2025, CohortFilter(), variables)
    dated = rows[rows["cr_day"].notna() & rows["follow_up_days"].notna()]
    dated = dated.assign(
        length=dated["follow_up_days"] - dated["cr_day"],
        first=dated["allosct_day"].notna() & first,
    ).sort_values(["first", "length"], ascending=False, kind="stable")
    found = queries.lanes(short2025, CohortFilter(), variables, transplanted_first=first, most=20)
    assert found["patient_id"].tolist() == dated["patient_id"].tolist()[:20]
    undrawn = queries.without_lane(short2025, CohortFilter(), variables)
    assert undrawn.n_lanes == len(dated)
    assert undrawn.n_without_remission == len(rows) - len(dated)
