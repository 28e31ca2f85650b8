"""Who enters a landmark analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.landmark import landmark

PATIENTS = pd.DataFrame(
    {
        "day": [100, 180, 180, 200, 400, 500, 90],
        "code": [1, 0, 2, 1, 0, 1, 0],
        "transplant_day": [np.nan, 50, np.nan, 180, 181, np.nan, np.nan],
    },
    index=list("abcdefg"),
)
COLUMNS = {"time": "day", "event": "code"}
PATIENT = st.tuples(
    st.integers(0, 30), st.integers(0, 2), st.one_of(st.none(), st.integers(-3, 35))
)
COHORT = st.lists(PATIENT, max_size=40).map(
    lambda rows: pd.DataFrame(rows, columns=["day", "code", "switch"])
)


def test_reasons() -> None:
    result = landmark(PATIENTS, at=180, **COLUMNS, known_day="transplant_day")
    assert result.frame.index.tolist() == ["d", "f"]
    assert list(result.frame.columns) == list(PATIENTS.columns)
    assert result.frame["day"].tolist() == [200, 500]
    assert result.excluded["reason"].to_dict() == {
        "a": "event before the landmark",
        "b": "last seen before the landmark",
        "c": "event before the landmark",
        "e": "status known only after the landmark",
        "g": "last seen before the landmark",
    }
    assert result.n_events_excluded == 2
    assert result.at == 180
    assert result.n_later is None


def test_without_a_known_day_status_is_not_asked() -> None:
    result = landmark(PATIENTS, at=180, **COLUMNS)
    assert result.frame.index.tolist() == ["d", "e", "f"]


def test_the_group_is_that_of_the_landmark_and_later_changes_are_counted() -> None:
    result = landmark(PATIENTS, at=180, **COLUMNS, switch="transplant_day")
    assert result.frame["switched"].to_dict() == {"d": True, "e": False, "f": False}
    assert result.frame["switched"].dtype == bool
    assert result.n_later == 1
    assert "switched" not in result.excluded.columns
    assert "switched" not in PATIENTS.columns


def test_nobody_excluded_leaves_an_empty_list() -> None:
    result = landmark(PATIENTS, at=0, **COLUMNS)
    assert result.excluded.empty
    assert "reason" in result.excluded.columns


def test_bad_input() -> None:
    for at in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="day from 0 on"):
            landmark(PATIENTS, at=at, **COLUMNS)
    with pytest.raises(ValueError, match="unknown event code"):
        landmark(PATIENTS.assign(code=0.5), at=1, **COLUMNS)
    with pytest.raises(ValueError, match="no column 'known'"):
        landmark(PATIENTS, at=1, **COLUMNS, known_day="known")
    with pytest.raises(ValueError, match="already has a column 'switched'"):
        landmark(PATIENTS.assign(switched=1), at=1, **COLUMNS, switch="transplant_day")
    dated = PATIENTS.assign(transplant_day=pd.Timestamp("2020-01-01"))
    with pytest.raises(ValueError, match="holds dates"):
        landmark(dated, at=1, **COLUMNS, switch="transplant_day")


def test_all_problems_are_named_at_once() -> None:
    wrong = PATIENTS.assign(
        day=[-1, *PATIENTS["day"][1:]],
        code=[*PATIENTS["code"][:-1], 0.5],
        transplant_day=["soon", np.inf, None, None, 3, 4, None],
    )
    with pytest.raises(ValueError, match="negative time") as error:
        landmark(wrong, at=1, **COLUMNS, known_day="known", switch="transplant_day")
    said = str(error.value)
    assert "day: a negative time in 1 row (index a)" in said
    assert "code: an unknown event code in 1 row (index g)" in said
    assert "no column 'known'" in said
    assert "transplant_day: not a day in 2 rows (index a, b)" in said
    assert "leave it missing" in said


@settings(max_examples=40, deadline=None, derandomize=True)
@given(COHORT, st.integers(0, 30))
def test_everybody_is_kept_or_excluded_and_in_one_group(frame: pd.DataFrame, at: int) -> None:
    result = landmark(frame, at=at, **COLUMNS, switch="switch")
    kept = result.frame
    assert len(kept) + len(result.excluded) == len(frame)
    assert set(kept.index).isdisjoint(result.excluded.index)
    assert (kept["day"] > at).all()
    assert (result.excluded["day"] <= at).all()
    assert kept["switched"].sum() + result.n_later + kept["switch"].isna().sum() == len(kept)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(COHORT, st.integers(0, 15), st.integers(0, 15))
def test_a_later_landmark_adds_nobody_and_unswitches_nobody(
    frame: pd.DataFrame, first: int, wait: int
) -> None:
    early = landmark(frame, at=first, **COLUMNS, switch="switch").frame
    late = landmark(frame, at=first + wait, **COLUMNS, switch="switch").frame
    assert set(late.index) <= set(early.index)
    assert (late["switched"] >= early.loc[late.index, "switched"]).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(COHORT, st.integers(0, 30), st.lists(st.integers(1, 3), min_size=40, max_size=40))
def test_counts_are_patients(frame: pd.DataFrame, at: int, counts: list[int]) -> None:
    kinds = frame.assign(patients=counts[: len(frame)])
    rows = kinds.loc[kinds.index.repeat(kinds["patients"])]
    one = landmark(rows, at=at, **COLUMNS, switch="switch")
    many = landmark(kinds, at=at, **COLUMNS, switch="switch", count="patients")
    assert many.frame["patients"].sum() == len(one.frame)
    assert many.excluded.groupby("reason")["patients"].sum().to_dict() == (
        one.excluded["reason"].value_counts().to_dict()
    )
    assert (many.n_later, many.n_events_excluded) == (one.n_later, one.n_events_excluded)
