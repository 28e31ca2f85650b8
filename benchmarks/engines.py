"""The same questions to DuckDB and to a local Spark, by size of a made-up registry.

    python -m benchmarks.engines --folder FOLDER --patients 100000 1000000 10000000

A store and its Parquet form are made under the folder where it has none. Every engine answers in a process
of its own, each question several times, and every answer of the two is held against each other: they are
equal to the last count, or this fails. Writes benchmarks/results/engines.json.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.load.server import circumstances
from benchmarks.registry import STUDY, make_store
from data import queries
from data.cohort import CohortFilter
from data.engines import parquet, spark
from data.rule import MrdRule
from data.store import Snapshot, find
from data.variables import Dictionary
from tools.serving import ROOT

RESULT = ROOT / "benchmarks" / "results" / "engines.json"
RUNS = 5
_ADULTS = CohortFilter(age_years=(18, 60), ph_status=("negative",))
_RULE = CohortFilter(rule=MrdRule(None, 1e-4))
_KEY = ["risk_group"]

Ask = Callable[[Snapshot, Dictionary], pd.DataFrame]
QUESTIONS: Mapping[str, Ask] = {
    "the event table of overall survival": lambda s, v: queries.events(
        s, CohortFilter(), v, endpoint="OS"
    ),
    "the same by risk group, of a selection": lambda s, v: queries.events(
        s, _ADULTS, v, endpoint="OS", by=_KEY
    ),
    "everybody in relapse-free survival, by risk group": lambda s, v: queries.counted(
        s, CohortFilter(), v, endpoint="RFS", by=_KEY
    ),
    "how many have a value, of every variable": lambda s, v: queries.known(s, _ADULTS, v),
    "patients by MRD status and risk group": lambda s, v: queries.combinations(
        s, CohortFilter(), v, [v.timepoints[0].name, *_KEY]
    ),
    "the same under another MRD rule": lambda s, v: queries.combinations(
        s, _RULE, v, [v.timepoints[0].name, *_KEY]
    ),
}
"""What is asked: counts, from which curves, tests and tables are computed."""


def memory_mb() -> float:
    """Return what this process holds in memory."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def answers(store: str) -> dict[str, Any]:
    """Ask every question of the store that COHORT_STORE names, in this process.

    Returns
    -------
    dict
        seconds (median of the runs after the first), first (seconds of the first) and frame by question;
        bytes, all answers as they came; memory_mb, what the process grew by, and first_mb, what it held.
    """
    snapshot = find(STUDY)
    variables = queries.dictionary(snapshot)
    held, found = memory_mb(), dict[str, Any]()
    for name, ask in QUESTIONS.items():
        times = []
        for _ in range(RUNS + 1):
            started = time.perf_counter()
            frame = ask(snapshot, variables)
            times.append(time.perf_counter() - started)
        ordered = frame.sort_values(list(frame.columns), ignore_index=True)
        found[name] = {
            "seconds": statistics.median(times[1:]), "first": times[0], "frame": ordered,
            "bytes": int(frame.memory_usage(deep=True, index=False).sum()), "rows": len(frame),
        }  # fmt: skip
    if spark.is_spark(store):
        spark.engine(store).close()
    return {"answers": found, "first_mb": held, "memory_mb": memory_mb()}


def measure(folder: Path, patients: int) -> list[dict[str, Any]]:
    """Ask both engines about one registry; return a row for each.

    Raises
    ------
    AssertionError
        If an answer differs.
    """
    store, published = folder / f"{patients}", folder / f"{patients}-parquet"
    make_store(store, patients)
    snapshot = find(STUDY, folder=store)
    parquet.publish(snapshot, published)
    places = {"DuckDB": str(store), "Apache Spark": f"{spark.LOCAL}{published}"}
    results = {name: _in_a_process(place) for name, place in places.items()}
    for question in QUESTIONS:
        here, there = (result["answers"][question]["frame"] for result in results.values())
        pd.testing.assert_frame_equal(there, here, check_exact=True, obj=question)
    return [
        {
            "engine": name, "patients": patients, "first_mb": result["first_mb"],
            "memory_mb": result["memory_mb"],
            "answers": {
                question: {key: value for key, value in answer.items() if key != "frame"}
                for question, answer in result["answers"].items()
            },
        }
        for name, result in results.items()
    ]  # fmt: skip


def _in_a_process(store: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-m", "benchmarks.engines", "--answer", file.name]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"COHORT_STORE": store})
        found: dict[str, Any] = pickle.loads(Path(file.name).read_bytes())
        return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "registries")
    parser.add_argument("--patients", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--to", type=Path, default=RESULT)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.answer is not None:
        options.answer.write_bytes(pickle.dumps(answers(os.environ["COHORT_STORE"])))
        return
    rows = [row for patients in options.patients for row in measure(options.folder, patients)]
    results = {"rows": rows, **circumstances()}
    options.to.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
