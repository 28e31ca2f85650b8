"""One program on one cohort: loads it, then makes one timed run for every line on standard input.

``python -m benchmarks.worker <program> <folder>`` is started by benchmarks/speed.py, as is
benchmarks/worker.R. The first line of its output names the process and the version, every other line is
one run: the seconds by part, survival with limits per group and milestone, the log-rank statistic.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.cohort import ENDPOINT, GROUP, LEVELS, read_columns, read_snapshot
from data.store import Snapshot

MILESTONES = (365, 1095, 1826)

Run = Callable[[], dict[str, Any]]
FloatArray = npt.NDArray[np.float64]

# What data/sql/query_events.sql does, without its join to the patients.
_ONE_TABLE = """
    SELECT risk_group, time_days AS time,
        CAST(count(*) FILTER (event_code = 1) AS INTEGER) AS n_event,
        CAST(count(*) FILTER (event_code >= 2) AS INTEGER) AS n_competing,
        CAST(count(*) FILTER (event_code = 0) AS INTEGER) AS n_censored
    FROM one_table WHERE endpoint = $endpoint AND time_days IS NOT NULL AND risk_group IS NOT NULL
    GROUP BY ALL ORDER BY ALL
"""


def ours(folder: Path) -> Run:
    """Count with the product's own query, then estimate and test."""
    from data.cohort import CohortFilter
    from data.queries import events
    from data.variables import STANDARD

    snapshot = _opened(folder)
    return _from_counts(
        lambda: events(snapshot, CohortFilter(), STANDARD, endpoint=ENDPOINT, by=[GROUP])
    )


def ours_one_table(folder: Path) -> Run:
    """Count in one table that holds the group too, then estimate and test."""
    from data.store import query

    snapshot = _opened(folder)
    return _from_counts(lambda: query(snapshot, _ONE_TABLE, {"endpoint": ENDPOINT}))


def _opened(folder: Path) -> Snapshot:
    """Open the store, and load beforehand what the first question would import."""
    import scipy.special  # noqa: F401

    from data.store import query

    snapshot = read_snapshot(folder)
    query(snapshot, "SELECT 1 AS one")
    return snapshot


def _from_counts(count: Callable[[], pd.DataFrame]) -> Run:
    from analytics.log_rank import log_rank
    from analytics.survival import kaplan_meier

    def run() -> dict[str, Any]:
        started = perf_counter()
        events = count()
        counted = perf_counter()
        curves = kaplan_meier(events, by=GROUP)
        estimated = perf_counter()
        test = log_rank(events, by=GROUP)
        tested = perf_counter()
        seconds = {
            "count": counted - started,
            "survival": estimated - counted,
            "log_rank": tested - estimated,
        }
        shown = curves.at(MILESTONES)
        # Where survival is 1 our limits are exact and those of others are not.
        limits = shown[["low", "high"]].mask(shown["limit_exact"])
        return {
            "seconds": seconds,
            "survival": np.column_stack([shown["survival"], limits]).tolist(),
            "statistic": test.statistic,
        }

    return run


def lifelines(folder: Path) -> Run:
    """Estimate and test with lifelines, from the rows."""
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    time, event, group = read_columns(folder)

    def run() -> dict[str, Any]:
        started = perf_counter()
        curves = [
            KaplanMeierFitter().fit(time[group == level], event[group == level])
            for level in range(len(LEVELS))
        ]
        estimated = perf_counter()
        statistic = multivariate_logrank_test(time, group, event).test_statistic
        seconds = {"survival": estimated - started, "log_rank": perf_counter() - estimated}
        shown = [
            _at(
                curve.survival_function_.index.to_numpy(),
                curve.survival_function_.iloc[:, 0].to_numpy(),
                *curve.confidence_interval_.to_numpy().T,
            )
            for curve in curves
        ]
        return {"seconds": seconds, "survival": np.vstack(shown).tolist(), "statistic": statistic}

    return run


def scikit_survival(folder: Path) -> Run:
    """Estimate and test with scikit-survival, from the rows."""
    from sksurv.compare import compare_survival
    from sksurv.nonparametric import kaplan_meier_estimator
    from sksurv.util import Surv

    time, event, group = read_columns(folder)
    happened = event == 1
    outcome = Surv.from_arrays(happened, time)

    def run() -> dict[str, Any]:
        started = perf_counter()
        curves = [
            kaplan_meier_estimator(
                happened[group == level], time[group == level], conf_type="log-log"
            )
            for level in range(len(LEVELS))
        ]
        estimated = perf_counter()
        statistic, _ = compare_survival(outcome, group)
        seconds = {"survival": estimated - started, "log_rank": perf_counter() - estimated}
        shown = [_at(when, survival, *limits) for when, survival, limits in curves]
        return {"seconds": seconds, "survival": np.vstack(shown).tolist(), "statistic": statistic}

    return run


def _at(when: FloatArray, *columns: FloatArray) -> FloatArray:
    rows = np.searchsorted(when, MILESTONES, side="right") - 1
    values: FloatArray = np.column_stack(columns)[rows]
    return values


PROGRAMS: dict[str, tuple[Callable[[Path], Run], str]] = {
    "ours": (ours, "duckdb"),
    "ours, one table": (ours_one_table, "duckdb"),
    "lifelines": (lifelines, "lifelines"),
    "scikit-survival": (scikit_survival, "scikit-survival"),
}
"""How to load each program, and the distribution that it needs."""


def main(name: str, folder: Path) -> None:
    """Say who is there, then answer every line on standard input with one run."""
    load, distribution = PROGRAMS[name]
    run = load(folder)
    print(json.dumps({"pid": os.getpid(), "version": f"{distribution} {version(distribution)}"}))
    sys.stdout.flush()
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
