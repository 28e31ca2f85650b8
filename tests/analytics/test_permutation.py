"""The log-rank test by permutation, against R and against what must hold for any cohort."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import _permutation
from analytics.events import event_table
from analytics.survival import log_rank, permutation_log_rank
from tests.analytics.reference import FOLDER, analyses, events_of, numbers

QUICK = settings(max_examples=40, deadline=None, derandomize=True)
PATIENT = st.tuples(
    st.integers(1, 12), st.integers(0, 1), st.sampled_from("ab"), st.sampled_from("xy")
)
COHORT = st.lists(PATIENT, min_size=2, max_size=12).map(
    lambda rows: pd.DataFrame(rows, columns=["t", "e", "g", "s"])
)


def table(frame: pd.DataFrame, by: Any = ("g", "s")) -> pd.DataFrame:
    return event_table(frame, time="t", event="e", by=by)


@cache
def reference() -> dict[str, Any]:
    return json.loads((FOLDER / "survival.json").read_text())["permutation"]


@pytest.mark.parametrize("name", reference())
def test_all_allocations(name: str) -> None:
    wanted = reference()[name]
    frame = pd.DataFrame({key: wanted[key] for key in ("time", "event", "group", "stratum")})
    events = event_table(frame, time="time", event="event", by=("group", "stratum"))
    strata = "stratum" if name.endswith("strata") else ()
    found = permutation_log_rank(events, by="group", strata=strata)
    assert found.p_value == pytest.approx(wanted["p"], abs=1e-8)
    assert found.statistic == pytest.approx(wanted["statistic"], abs=1e-8)
    assert (found.method, found.draws) == ("exact", None)
    assert found.n_allocations == wanted["allocations"]
    excess = (found.groups["observed"] - found.groups["expected"]).to_numpy()
    assert excess == pytest.approx(numbers(wanted["excess"]), abs=1e-8)


@pytest.mark.parametrize(("case", "analysis"), analyses("logrank_permutation"))
def test_worked_case(case: str, analysis: dict[str, Any]) -> None:
    found = permutation_log_rank(events_of(case, analysis), by=analysis["columns"]["group"])
    wanted = analysis["expected"]
    assert found.p_value == pytest.approx(wanted["p_two_sided"], abs=1e-8)
    assert found.n_allocations == wanted["allocations"]
    first = found.groups.iloc[0]
    assert first["observed"] - first["expected"] == pytest.approx(wanted["U"], abs=1e-8)


def all_excess(frame: pd.DataFrame, strata: pd.Series) -> np.ndarray:
    """Observed less expected for every set of patients that could be group b, by definition."""
    kept = frame["g"] == "b"
    chosen = np.array(
        [np.isin(range(len(frame)), two) for two in combinations(range(len(frame)), kept.sum())]
    )
    excess = np.zeros(len(chosen))
    for level in strata.unique():
        inside = (strata == level).to_numpy()
        chosen_here = chosen[:, inside].sum(axis=1) == kept[inside].sum()
        chosen, excess = chosen[chosen_here], excess[chosen_here]
        for day in frame["t"][inside].unique():
            risk = inside & (frame["t"] >= day).to_numpy()
            dead = inside & ((frame["t"] == day) & (frame["e"] == 1)).to_numpy()
            excess += chosen[:, dead].sum(axis=1) - dead.sum() * chosen[:, risk].mean(axis=1)
    return excess


@QUICK
@given(COHORT, st.booleans())
def test_two_groups_by_definition(frame: pd.DataFrame, stratified: bool) -> None:
    found = permutation_log_rank(table(frame), by="g", strata="s" if stratified else ())
    strata = frame["s"] if stratified else pd.Series("x", frame.index)
    excess = np.abs(all_excess(frame, strata))
    assert found.n_allocations == len(excess)
    if found.p_value is None:
        assert excess.max() == pytest.approx(0, abs=1e-9)
    else:
        last = found.groups.iloc[-1]
        seen = abs(last["observed"] - last["expected"])
        assert found.p_value == pytest.approx(np.mean(excess >= seen - 1e-9), abs=1e-12)


@QUICK
@given(COHORT, st.randoms(use_true_random=False), st.permutations("ab"))
def test_order_and_names_are_irrelevant(frame: pd.DataFrame, random: Any, names: Any) -> None:
    shuffled = frame.iloc[random.sample(range(len(frame)), len(frame))]
    renamed = shuffled.assign(g=shuffled["g"].map(dict(zip("ab", names, strict=True))))
    first = permutation_log_rank(table(frame), by="g", strata="s")
    second = permutation_log_rank(table(renamed), by="g", strata="s")
    assert second.p_value == pytest.approx(first.p_value, abs=1e-12)
    assert (second.method, second.n_allocations) == (first.method, first.n_allocations)


@QUICK
@given(COHORT, st.integers(1, 12))
def test_three_groups_give_a_whole_number_of_allocations(frame: pd.DataFrame, day: int) -> None:
    three = pd.concat([frame, pd.DataFrame([(day, 1, "c", "x")], columns=list("tegs"))])
    found = permutation_log_rank(table(three), by="g")
    if found.p_value is not None:
        counted = found.p_value * found.n_allocations
        assert round(counted) >= 1
        assert counted == pytest.approx(round(counted))
        assert found.p_value <= 1


def sixty(k: int) -> pd.DataFrame:
    random = np.random.default_rng(11)
    group = np.arange(60) % k
    time = np.ceil(random.exponential(20 + 15 * (group == 1)))
    return pd.DataFrame({"t": time, "e": random.random(60) < 0.8, "g": group, "s": group % 1})


@pytest.mark.parametrize("k", [2, 3])
def test_with_sixty_patients_it_is_near_the_chi_squared(k: int) -> None:
    events = table(sixty(k))
    found = permutation_log_rank(events, by="g")
    assert (found.method, found.draws) == ("simulated", 20_000)
    assert found.p_value == pytest.approx(log_rank(events, by="g").p_value, abs=0.03)
    assert found.p_value == permutation_log_rank(events, by="g").p_value
    # Other names, same draws.
    swapped = table(sixty(k).assign(g=lambda rows: -rows["g"]))
    assert found.p_value == permutation_log_rank(swapped, by="g").p_value


@pytest.mark.parametrize("name", ["ovarian", "ovarian_strata", "colon_three"])
def test_draws_meet_the_exact_share(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_permutation, "_MOST", 1)
    wanted = reference()[name]
    frame = pd.DataFrame({key: wanted[key] for key in ("time", "event", "group", "stratum")})
    events = event_table(frame, time="time", event="event", by=("group", "stratum"))
    strata = "stratum" if name.endswith("strata") else ()
    found = permutation_log_rank(events, by="group", strata=strata, draws=10_000)
    assert (found.method, found.draws) == ("simulated", 10_000)
    # Three standard errors.
    assert found.p_value == pytest.approx(wanted["p"], abs=0.015)


def test_a_simulated_share_is_never_zero() -> None:
    apart = pd.DataFrame({"t": range(1, 101), "e": 1, "g": np.repeat(["a", "b"], 50)})
    found = permutation_log_rank(table(apart, "g"), by="g", draws=99)
    assert found.p_value == pytest.approx(0.01)


def test_many_allocations_are_exact_where_scores_are_few() -> None:
    # 2,000 patients and 2 events: only the allocation of the events matters.
    time = [5, 9, *[10] * 1998]
    frame = pd.DataFrame({"t": time, "e": [1, 1, *[0] * 1998], "g": ["a", "a", *"ab" * 999]})
    found = permutation_log_rank(table(frame, "g"), by="g")
    assert found.method == "exact"
    assert found.n_allocations > 10**500
    # Both in a, which has 1,001 patients, or both in b.
    both = (1001 * 1000 + 999 * 998) / (2000 * 1999)
    assert found.p_value == pytest.approx(both, abs=1e-8)


def test_nothing_to_permute() -> None:
    for time, event, group in (
        ([1, 2], [1, 0], ["a", "a"]),
        ([1, 2], [0, 0], ["a", "b"]),
        ([1, 1], [1, 1], ["a", "b"]),
        ([], [], []),
    ):
        frame = pd.DataFrame({"t": time, "e": event, "g": group})
        found = permutation_log_rank(table(frame, "g"), by="g")
        assert (found.statistic, found.p_value, found.method) == (None, None, None)
        assert found.n_allocations == 1 + (len(set(group)) == 2)


def test_groups_that_share_no_stratum() -> None:
    frame = pd.DataFrame({"t": [1, 2, 3, 4], "e": 1, "g": list("aabb"), "s": list("xxyy")})
    found = permutation_log_rank(table(frame), by="g", strata="s")
    assert (found.p_value, found.n_allocations) == (None, 1)


def test_left_truncation_is_refused() -> None:
    frame = pd.DataFrame({"start": [0, 0, 2], "t": [4, 9, 8], "e": [1, 0, 1], "g": list("aba")})
    late = event_table(frame, time="t", event="e", by="g", entry="start")
    with pytest.raises(ValueError, match=r"Entries after the origin \(1\).*Use log_rank"):
        permutation_log_rank(late, by="g")
    early = event_table(frame.assign(start=0), time="t", event="e", by="g", entry="start")
    assert permutation_log_rank(early, by="g").method == "exact"


def test_no_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        permutation_log_rank(table(sixty(2)), by="g", draws=0)
