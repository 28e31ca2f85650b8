"""One row per patient for a group joined while followed: the days from the endpoint's origin."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.switching import counting_process
from data import queries
from data.cohort import CohortFilter
from data.queries import N
from data.store import Snapshot, find, sql_text

DAYS = {"time": "time", "event": "event", "switch": "switch"}


def rows(snapshot: Snapshot, endpoint: str = "RFS", **conditions: tuple[str, ...]) -> pd.DataFrame:
    return queries.switch_rows(
        snapshot, CohortFilter(**conditions), queries.dictionary(snapshot),
        endpoint=endpoint, name="allosct",
    )  # fmt: skip


@pytest.mark.parametrize(("endpoint", "origin"), [("RFS", "cr_day"), ("OS", None)])
def test_the_day_counts_from_the_origin_of_the_endpoint(
    short2025: Snapshot, endpoint: str, origin: str | None
) -> None:
    people = queries.subjects(short2025, CohortFilter(), queries.dictionary(short2025))
    found = rows(short2025, endpoint).set_index("patient_id")
    people = people.set_index("patient_id").loc[found.index]
    expected = people["allosct_day"] - (people[origin] if origin else 0)
    pd.testing.assert_series_equal(
        found["switch"].astype("float64"), expected.astype("float64"), check_names=False
    )
    assert found["switch"].notna().sum() == 24
    assert not found["undated"].any()
    assert found["known_day"].isna().all()


def test_a_selection_by_mrd_is_known_from_the_sample_on(short2025: Snapshot) -> None:
    variables = queries.dictionary(short2025)
    chosen = CohortFilter(mrd_3_months=("positive",), risk_group=("high",))
    people = queries.subjects(short2025, chosen, variables)
    found = rows(short2025, mrd_3_months=("positive",), risk_group=("high",))
    assert found["patient_id"].tolist() == people["patient_id"].tolist()
    expected = people["mrd_3_months_day"] - people["cr_day"]
    assert found["known_day"].tolist() == expected.tolist()
    assert set(found["risk_group"]) == {"high"}
    assert found["age_years"].tolist() == people["age_years"].tolist()


def test_the_latest_of_several_days_counts(short2025: Snapshot) -> None:
    chosen = {"mrd_after_cycle_1": ("positive",), "mrd_3_months": ("negative",)}
    people = queries.subjects(
        short2025, CohortFilter(**chosen), queries.dictionary(short2025)
    )  # fmt: skip
    days = people[["mrd_after_cycle_1_day", "mrd_3_months_day"]].max(axis=1) - people["cr_day"]
    assert rows(short2025, **chosen)["known_day"].tolist() == days.tolist()


def test_a_transplant_without_a_day_is_told_from_none(chiaretti2004: Snapshot) -> None:
    found = rows(chiaretti2004)
    assert found["switch"].isna().all()
    assert found["undated"].sum() == 3
    assert len(found) == 66
    # An unknown risk group is no group to adjust for.
    assert "unknown" not in set(found["risk_group"].dropna())
    assert found["risk_group"].isna().any()


def test_a_cohort_chosen_by_two_assays_is_known_from_the_later_sample(store: Path) -> None:
    nguyen = find("nguyen2026", folder=store)
    variables = queries.dictionary(nguyen)
    (name,) = [v for v in variables if v.startswith("agreement_")]
    cohort = CohortFilter(**{name: (variables[name].levels[1].value,)})
    rows = queries.switch_rows(nguyen, cohort, variables, endpoint="RFS", name="allosct")
    assert len(rows) == queries.size(nguyen, cohort, variables) > 0


# Counts and rows are the same patients.


def split(rows: pd.DataFrame, start: int, late_entry: bool) -> pd.DataFrame:
    """The event table of the rows, patient by patient."""
    rows = rows[~rows["undated"].astype(bool)].astype({"switch": "float64", "known_day": "float64"})
    known = np.fmax(rows["known_day"], start)
    rows = rows[(rows["time"] > known) & (late_entry | (known <= start))]
    moving = counting_process(rows, **DAYS)
    entry = np.fmax(moving["start"], np.fmax(moving["known_day"], start))
    table = event_table(
        moving.assign(start=entry), time="stop", event="event", entry="start", by="switched"
    )
    return table.drop(columns=[name for name in table if name.startswith("n_cause_")])


def check(
    rows: pd.DataFrame,
    counts: pd.DataFrame,
    intervals: dict[tuple[int, bool], pd.DataFrame],
    covariates: pd.DataFrame,
    incidence: pd.DataFrame,
) -> None:
    """Hold what is counted against the rows."""
    switch, known = (rows[name].astype("float64") for name in ("switch", "known_day"))
    ever = rows.assign(
        switched=switch.notna(),
        n_late=(rows["time"] > 0) & (switch >= rows["time"]),
        n_never=rows["time"] <= np.fmax(known, 0),
        _n=1,
    )
    keys = ["undated", "switched", "time", "event"]
    expected = ever.groupby(keys)[["n_late", "n_never", N]].sum().reset_index()
    pd.testing.assert_frame_equal(counts, expected, check_dtype=False)
    for (start, late_entry), found in intervals.items():
        pd.testing.assert_frame_equal(found, split(rows, start, late_entry), check_dtype=False)
    dated = rows[~rows["undated"].astype(bool)]
    repeated = covariates.loc[covariates.index.repeat(covariates[N])]
    columns = ["age_years", "risk_group", "entry", "time", "event", "switch"]
    one = rows.assign(entry=np.fmax(known, 0)).loc[dated.index, columns]
    one, other = (f.astype({"risk_group": "str"}) for f in (one, repeated[columns]))
    pd.testing.assert_frame_equal(
        *(f.sort_values(columns, ignore_index=True) for f in (one, other)), check_dtype=False
    )
    first = switch[dated.index].fillna(dated["time"])
    code = np.where(switch[dated.index].notna(), 1, np.where(dated["event"] == 1, 2, 0))
    came = pd.Series(1, dated.index).groupby([first.rename("time"), pd.Series(code, dated.index,
                                              name="event")]).sum()  # fmt: skip
    assert incidence.set_index(["time", "event"])[N].to_dict() == came.to_dict()


@pytest.mark.parametrize("endpoint", ["RFS", "OS", "CIR"])
@pytest.mark.parametrize(
    "conditions",
    [{}, {"mrd_3_months": ("positive", "negative")}, {"risk_group": ("high",)}],
)
def test_counts_are_those_of_the_rows(
    short2025: Snapshot, endpoint: str, conditions: dict[str, tuple[str, ...]]
) -> None:
    asked = short2025, CohortFilter(**conditions), queries.dictionary(short2025)
    of = {"endpoint": endpoint, "name": "allosct"}
    kinds = [(0, True), (91, False), (400, False)]
    check(
        rows(short2025, endpoint, **conditions),
        queries.switch_counts(*asked, **of),
        {(s, e): queries.switch_intervals(*asked, **of, start=s, late_entry=e) for s, e in kinds},
        queries.switch_covariates(*asked, **of),
        queries.switch_incidence(*asked, **of),
    )


def test_counts_tell_the_undated_apart(chiaretti2004: Snapshot) -> None:
    found = queries.switch_counts(
        chiaretti2004, CohortFilter(), queries.dictionary(chiaretti2004),
        endpoint="RFS", name="allosct",
    )  # fmt: skip
    assert found.loc[found["undated"], N].sum() == 3
    assert found[N].sum() == 66


DAY = st.one_of(st.none(), st.integers(-2, 14))
PATIENT = st.tuples(
    st.integers(0, 12), st.integers(0, 2), DAY, st.booleans(), DAY,
    st.sampled_from([None, 31.5, 40]), st.sampled_from([None, "high", "standard"]),
)  # fmt: skip
COLUMNS = ("time", "event", "switch", "changed", "known_day", "age_years", "risk_group")


@given(st.lists(PATIENT, min_size=1, max_size=30), st.integers(0, 6))
def test_any_rows_are_counted(patients: list[tuple[object, ...]], start: int) -> None:
    frame = pd.DataFrame(patients, columns=COLUMNS).astype(
        {"switch": "Int64", "known_day": "Int64", "age_years": "float64", "risk_group": "object"}
    )
    frame = frame.assign(undated=frame.pop("changed") & frame["switch"].isna())
    with duckdb.connect() as connection:
        connection.register("given", frame)

        def ask(name: str, parameters: dict[str, object] | None = None) -> pd.DataFrame:
            text = sql_text(name).replace("{rows}", "SELECT * FROM given")
            text = text.replace("{risk_group}", "risk_group")
            return connection.execute(text, parameters or {}).df()

        check(
            frame,
            ask("query_switch_counts"),
            {
                (day, late_entry): ask(
                    "query_switch_intervals", {"start": day, "late_entry": late_entry}
                )
                for day, late_entry in ((0, True), (start, False))
            },
            ask("query_switch_covariates"),
            ask("query_switch_incidence"),
        )
