"""Coverage of pointwise limits and error of type I of two tests in small samples.

``make simulations`` or ``python -m benchmarks.simulations`` writes benchmarks/results/simulations.json and
prints its tables. All replicates of a setting are the groups of one event table. Kaplan-Meier and the
log-rank test see nothing but the order of the times, so each replicate's times are replaced by ranks: the
replicates then share their few distinct times.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc

from analytics.events import event_table
from analytics.log_rank import log_rank, permutation_log_rank
from analytics.survival import kaplan_meier
from benchmarks.report import SIMULATIONS, simulation_tables

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SEED = 20260114
COVERAGE_REPLICATES = 10_000
PATIENTS = (5, 10, 20, 40)
SURVIVAL = (0.95, 0.8, 0.5)
TEST_REPLICATES = {
    (5, 5): 10_000,
    (10, 10): 10_000,
    (20, 20): 2_000,
    (40, 40): 2_000,
    (5, 20): 10_000,
}
"""By sizes of the two groups; fewer where going through the permutations takes long."""
CENSORED = 0.3
LEVEL = 0.05


def coverage(
    *,
    replicates: int,
    patients: Sequence[int] = PATIENTS,
    survival: Sequence[float] = SURVIVAL,
) -> list[dict[str, Any]]:
    """Simulate how often 95% limits of S(1) hold the true value.

    Survival is exponential, follow-up ends uniformly, so that 30% are censored before time 1.

    Returns
    -------
    list of dict
        One per setting and program: ``survival``, ``n``, ``replicates``, ``program``, ``coverage``,
        ``none`` (the share of replicates with missing limits or an interval without width). Missing
        limits do not cover.
    """
    rows = []
    for true in survival:
        for n in patients:
            random = np.random.default_rng([SEED, n])
            events, milestone = _ranked(*_followed(random, (replicates, n), true))
            for program, (low, high) in _limits(events, milestone).items():
                rows.append(
                    {
                        "survival": true,
                        "n": n,
                        "replicates": replicates,
                        "program": program,
                        "coverage": float(np.mean((low <= true) & (true <= high))),
                        "none": float(np.mean(~(low < high))),
                    }
                )
    return rows


def type_1_error(sizes: tuple[int, int], replicates: int) -> list[dict[str, Any]]:
    """Simulate how often two groups with one survival are told apart at the 5% level.

    Survival and censoring are exponential, 30% are censored.

    Returns
    -------
    list of dict
        One per test: ``sizes``, ``replicates``, ``test``, ``rejected``, ``none`` (the share of
        replicates without a P value, which do not reject).
    """
    random = np.random.default_rng([SEED, *sizes])
    shape = (replicates, sum(sizes))
    event_time = random.exponential(1, shape)
    end = random.exponential((1 - CENSORED) / CENSORED, shape)
    event = event_time <= end
    rank = _rank(np.minimum(event_time, end))
    first = np.broadcast_to(np.arange(sum(sizes)) < sizes[0], shape)
    p_values = {**_our_tests(rank, event, first), "R survdiff": _survdiff(rank, event, first)}
    return [
        {
            "sizes": list(sizes),
            "replicates": replicates,
            "test": test,
            "rejected": float(np.mean(p_value <= LEVEL)),
            "none": float(np.mean(np.isnan(p_value))),
        }
        for test, p_value in p_values.items()
    ]


def _followed(
    random: np.random.Generator, shape: tuple[int, int], survival: float
) -> tuple[FloatArray, BoolArray]:
    """Draw times and events; the true S(1) is `survival`."""
    rate = -np.log(survival)
    # A share of (1 - S(1)) / (rate * longest) is censored before time 1.
    longest = (1 - survival) / (rate * CENSORED)
    event_time = random.exponential(1 / rate, shape)
    end = random.uniform(0, longest, shape)
    return np.minimum(event_time, end), event_time <= end


def _ranked(time: FloatArray, event: BoolArray) -> tuple[pd.DataFrame, int]:
    """Return an event table by replicate, and the day in it that stands for time 1."""
    milestone = time.shape[1] + 1
    past = time > 1
    # Those up to time 1 end on the days before the milestone, the others from the day after.
    day = milestone - 1 + _rank(time) - (~past).sum(axis=1, keepdims=True) + past
    return _table(day, event), milestone


def _rank(time: FloatArray) -> IntArray:
    rank: IntArray = time.argsort(axis=1).argsort(axis=1) + 1
    return rank


def _table(day: IntArray, event: BoolArray, **columns: npt.NDArray[Any]) -> pd.DataFrame:
    flat = {"day": day, "event": event, **columns}
    frame = pd.DataFrame({name: values.ravel() for name, values in flat.items()})
    frame["replicate"] = np.repeat(np.arange(day.shape[0]), day.shape[1])
    return event_table(frame, time="day", event="event", by=["replicate", *columns])


def _limits(events: pd.DataFrame, milestone: int) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Limits at the milestone by program; those of the others are worked out from their formulas."""
    curves = kaplan_meier(events, by="replicate")
    ours = curves.at(milestone)
    log = kaplan_meier(events, by="replicate", interval="log").at(milestone)
    # lifelines carries the last value on, where R and we say that nothing is known.
    last = curves.curve.groupby("replicate").last().reset_index()
    carried = ours.where(ours["survival"].notna(), last[ours.columns])
    return {
        "ours": _pair(ours),
        "lifelines": _pair(_without_exact(carried, at_zero=0.0)),
        "R": _pair(_without_exact(log, at_zero=np.nan)),
    }


def _without_exact(shown: pd.DataFrame, *, at_zero: float) -> pd.DataFrame:
    """Put back what Greenwood gives alone: 1 to 1 at survival 1, `at_zero` at 0."""
    shown = shown.copy()
    shown.loc[shown["survival"] >= 1, ["low", "high"]] = 1.0
    shown.loc[shown["survival"] <= 0, ["low", "high"]] = at_zero
    return shown


def _pair(shown: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    return shown["low"].to_numpy(np.float64), shown["high"].to_numpy(np.float64)


def _our_tests(rank: IntArray, event: BoolArray, first: BoolArray) -> dict[str, FloatArray]:
    tables = _table(rank, event, first=first).groupby("replicate")
    tests = [
        (log_rank(events, by="first").p_value, permutation_log_rank(events, by="first").p_value)
        for _, events in tables
    ]
    asymptotic, permuted = np.array(tests, dtype=np.float64).T
    return {"log-rank": asymptotic, "permutation log-rank": permuted}


def _survdiff(rank: IntArray, event: BoolArray, first: BoolArray) -> FloatArray:
    """P values by the formula of R's ``survdiff`` for two groups without ties."""
    order = rank.argsort(axis=1)
    event, first = (np.take_along_axis(values, order, axis=1) for values in (event, first))
    at_risk = np.arange(rank.shape[1], 0, -1)
    share = first[:, ::-1].cumsum(axis=1)[:, ::-1] / at_risk
    excess = (event * (first - share)).sum(axis=1)
    variance = (event * share * (1 - share)).sum(axis=1)
    statistic = np.divide(
        excess**2, variance, out=np.full_like(variance, np.nan), where=variance > 0
    )
    p_value: FloatArray = chdtrc(1, statistic)
    return p_value


def main() -> None:
    """Simulate, write and print."""
    # Every process of the pool has a core; threads of the linear algebra would only get in the way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        tested = pool.map(type_1_error, TEST_REPLICATES, TEST_REPLICATES.values())
        results = {
            "coverage": coverage(replicates=COVERAGE_REPLICATES),
            "type_1_error": list(chain.from_iterable(tested)),
        }
    SIMULATIONS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(simulation_tables(results))


if __name__ == "__main__":
    main()
