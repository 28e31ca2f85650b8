"""Fine and Gray's regression: R's values, the theory, and what it does not claim."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from analytics.fine_gray import fine_gray
from tests.analytics.reference import FOLDER, numbers

QUICK = settings(max_examples=40, deadline=None, derandomize=True)
COLUMNS = ("coefficient", "standard_error", "low", "high", "p_value")


@cache
def expected() -> dict[str, Any]:
    return json.loads((FOLDER / "fine_gray.json").read_text())


@cache
def patients(name: str) -> pd.DataFrame:
    rows = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    if name == "myeloid":
        event = np.where(rows["relapse"].notna(), 1, 2 * rows["death"])
        return rows.assign(event=event, time=rows["relapse"].fillna(rows["death_time"]))
    needed = {"mgus2": ["hgb", "mspike"], "pbc": ["arm"], "transplant": ["age"]}[name]
    return rows.dropna(subset=needed)


def fitted(frame: pd.DataFrame, covariates: Any, cause: int = 1) -> pd.DataFrame:
    return fine_gray(frame, time="time", event="event", covariates=covariates, cause=cause).terms


FITS = {
    "mgus2": (["age", "sex", "hgb", "mspike"], 1),
    "mgus2_death": (["age", "sex", "hgb", "mspike"], 2),
    "pbc": (["age", "bili", "albumin", "edema", "sex"], 1),
    "pbc_transplant": (["age", "bili"], 2),
    "transplant": (["age", "sex", "blood"], 1),
    "transplant_death": (["age", "blood"], 2),
    "myeloid": (["arm", "sex"], 1),
}


@pytest.mark.parametrize("name", FITS)
def test_against_r(name: str) -> None:
    covariates, cause = FITS[name]
    found = fitted(patients(name.partition("_")[0]), covariates, cause)
    for column in COLUMNS:
        wanted = numbers(expected()[name][column])
        assert found[column].to_numpy() == pytest.approx(wanted, rel=1e-9, abs=1e-10)
    assert found["subhazard_ratio"].to_numpy() == pytest.approx(np.exp(found["coefficient"]))


def test_terms_and_counts() -> None:
    rows = patients("transplant")
    result = fine_gray(rows, time="time", event="event", covariates=["age", "blood"])
    assert result.terms["term"].tolist() == ["age", "blood[AB]", "blood[B]", "blood[O]"]
    assert result.n == len(rows)
    assert result.n_event == (rows["event"] == 1).sum()
    assert result.n_competing == (rows["event"] > 1).sum()


def test_it_is_not_the_cause_specific_hazard() -> None:
    # Age kills, so it lowers the incidence of progression without lowering its hazard as much.
    rows = patients("mgus2")
    frame = rows.assign(event=(rows["event"] == 1).astype(int))
    assert fitted(rows, "age")["coefficient"].iloc[0] < fitted(frame, "age")["coefficient"].iloc[0]


def test_without_competing_events_it_is_cox() -> None:
    rows = patients("myeloid")[["time", "event", "arm"]]
    # Distinct times: lifelines takes ties after Efron, and the variance is then the robust one.
    rows = rows.assign(time=rows["time"].rank(method="first"), event=rows["event"].clip(upper=1))
    frame = rows.assign(arm=(rows["arm"] == "B").astype(float))
    peer = CoxPHFitter().fit(frame, "time", "event", robust=True, fit_options={"precision": 1e-12})
    found = fitted(rows, "arm").iloc[0]
    assert found["coefficient"] == pytest.approx(peer.params_["arm"], abs=1e-6)
    assert found["standard_error"] == pytest.approx(peer.standard_errors_["arm"], abs=1e-6)


def test_a_level_without_events_has_no_ratio() -> None:
    rows = patients("myeloid")
    spared = rows.assign(group=np.where(rows["id"] % 7 == 0, "spared", rows["arm"]))
    spared.loc[(spared["group"] == "spared") & (spared["event"] == 1), "event"] = 0
    found = fitted(spared, ["group", "sex"]).set_index("term")
    assert found.loc["group[spared]"].isna().all()
    others = found.drop(index="group[spared]")
    assert np.isfinite(others.to_numpy()).all()


def test_a_column_told_twice_has_no_ratio() -> None:
    rows = patients("pbc")
    found = fitted(rows.assign(again=rows["age"] * 2 + 1), ["age", "again", "bili"])
    assert found["coefficient"].isna().tolist() == [True, True, False]


def test_no_event_of_the_cause() -> None:
    frame = pd.DataFrame({"time": [1, 2, 3], "event": [0, 2, 0], "x": [1.0, 2.0, 3.0]})
    assert fitted(frame, "x").drop(columns="term").isna().all(axis=None)


def test_bad_input_is_refused_at_once() -> None:
    frame = pd.DataFrame({"time": [1, 2], "event": [0, 1], "x": [1.0, None], "y": [1, 2]})
    with pytest.raises(ValueError, match=r"(?s)z: no such column.*x: no value in 1 row"):
        fitted(frame, ["x", "z"], cause=1)
    with pytest.raises(ValueError, match="cause: 0 is no event code"):
        fitted(frame, "y", cause=0)
    with pytest.raises(ValueError, match="covariates: none given"):
        fitted(frame, [])
    with pytest.raises(ValueError, match="negative time"):
        fitted(frame.assign(time=-1), "y")


PATIENT = st.tuples(st.integers(0, 20), st.integers(0, 2), st.integers(-3, 3), st.booleans())
COHORT = st.lists(PATIENT, min_size=15, max_size=60).map(
    lambda rows: pd.DataFrame(rows, columns=["time", "event", "x", "flag"])
)


def same(first: pd.DataFrame, second: pd.DataFrame) -> None:
    found, wanted = (frame[["coefficient", "standard_error"]] for frame in (first, second))
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-6, abs=1e-7, nan_ok=True)


@QUICK
@given(COHORT, st.randoms(use_true_random=False))
def test_row_order_is_irrelevant(frame: pd.DataFrame, random: Any) -> None:
    order = random.sample(range(len(frame)), len(frame))
    same(fitted(frame, ["x", "flag"]), fitted(frame.iloc[order], ["x", "flag"]))


@QUICK
@given(COHORT)
def test_only_the_order_of_the_times_counts(frame: pd.DataFrame) -> None:
    other = frame.assign(time=(frame["time"] + 1) ** 2 / 7)
    same(fitted(frame, ["x", "flag"]), fitted(other, ["x", "flag"]))


@QUICK
@given(COHORT)
def test_shifted_and_turned_covariates(frame: pd.DataFrame) -> None:
    first = fitted(frame, ["x", "flag"])
    second = fitted(frame.assign(x=40 - frame["x"] / 2), ["x", "flag"])
    second.loc[0, "coefficient"] /= -2
    second.loc[0, "standard_error"] /= 2
    same(first, second)
