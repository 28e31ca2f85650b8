"""One row per patient for a group joined while followed: the days from the endpoint's origin."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, find


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
