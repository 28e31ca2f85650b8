"""Kaplan-Meier with limits and the log-rank test of four groups: ours, lifelines, scikit-survival, R.

``make bench-statistics`` or ``python -m benchmarks.speed`` writes benchmarks/results/speed.json and prints
its table. Every program runs in a process of its own on the same cohort; the runs take turns, so that a
disturbance hits all of them. What is compared is first held equal: a program that answers something else
stops the benchmark.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cohort import write_cohort
from benchmarks.load.server import circumstances
from benchmarks.report import SPEED, speed_tables

ROOT = Path(__file__).parents[1]
PROGRAMS = ("ours", "ours, one table", "lifelines", "scikit-survival", "R")
SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
REPEATS = 9
LONG = 5.0
"""Seconds above which a program's first run stands alone; below, it is a warm-up and not counted."""
CAP = 60.0
"""Expected seconds above which a program is left out; expected is in proportion to the last size."""
TOLERANCE = 1e-8


class Worker:
    """A process that holds one cohort and runs one program on it when asked."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name, self.runs, self._process = name, list[dict[str, Any]](), process
        ready = self._read()
        self.version, self._pid = str(ready["version"]), int(ready["pid"])
        # Resets the peak, so that loading does not count.
        with suppress(OSError):
            Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        self._before = self._memory("VmRSS")

    def run(self) -> float:
        """Make one run and return its seconds."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.runs.append(self._read())
        return float(sum(self.runs[-1]["seconds"].values()))

    def row(self, n: int) -> dict[str, Any]:
        """Return the medians of the runs that count, as the JSON holds them."""
        counted = self.runs[1:] or self.runs
        parts = {
            part: statistics.median(run["seconds"][part] for run in counted)
            for part in counted[0]["seconds"]
        }
        peak = self._memory("VmHWM")
        return {
            "program": self.name,
            "rows": n,
            "runs": len(counted),
            "seconds": statistics.median(sum(run["seconds"].values()) for run in counted),
            "parts": parts,
            "memory_mb": None if peak is None or self._before is None else peak - self._before,
        }

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} stopped; its message stands above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _memory(self, field: str) -> float | None:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text("ascii")
        except OSError:
            return None
        return int(status.split(f"{field}:")[1].split()[0]) / 1024


def installed(programs: Sequence[str] = PROGRAMS) -> list[str]:
    """Return those of the programs that this machine has."""
    there = {
        "lifelines": find_spec("lifelines"),
        "scikit-survival": find_spec("sksurv"),
        "R": shutil.which("Rscript"),
    }
    return [name for name in programs if there.get(name, True)]


def measure(
    sizes: Sequence[int] = SIZES, programs: Sequence[str] = PROGRAMS, repeats: int = REPEATS
) -> dict[str, Any]:
    """Time every program on every size.

    Returns
    -------
    dict
        ``versions`` by program; ``cap`` in seconds; ``rows``, one per program and size, with ``runs``,
        median ``seconds``, their ``parts``, ``memory_mb`` (peak less what was there after loading).
        ``seconds`` is None where a program was left out because of the cap.

    Raises
    ------
    ArithmeticError
        If two programs do not agree to 1e-8.
    """
    results: dict[str, Any] = {"cap": CAP, "versions": {}, "rows": []}
    pace = dict.fromkeys(installed(programs), 0.0)
    for n in sizes:
        # The others are compared with the first, which therefore always runs.
        kept = [name for i, name in enumerate(pace) if i == 0 or pace[name] * n <= CAP]
        results["rows"] += [
            {"program": name, "rows": n, "seconds": None} for name in pace if name not in kept
        ]
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            write_cohort(Path(folder), n)
            workers = [stack.enter_context(working(name, Path(folder))) for name in kept]
            take_turns(workers, repeats)
            check_equal(workers)
            for worker in workers:
                row = worker.row(n)
                results["rows"].append(row)
                results["versions"][worker.name] = worker.version
                pace[worker.name] = row["seconds"] / n
    return results


def take_turns(workers: Sequence[Worker], repeats: int) -> None:
    """Run every worker once, then again and again those whose first run was short."""
    short = [worker for worker in workers if worker.run() <= LONG]
    for i in range(repeats):
        # Another one begins each time.
        for j in range(len(short)):
            short[(i + j) % len(short)].run()


def check_equal(workers: Sequence[Worker]) -> None:
    """Raise unless survival, limits and statistic agree with the first worker's."""
    first = workers[0].runs[0]
    expected = np.asarray(first["survival"])
    known = ~np.isnan(expected)
    for worker in workers:
        for run in worker.runs:
            apart = np.abs(np.asarray(run["survival"]) - expected)[known].max()
            ratio = abs(run["statistic"] / first["statistic"] - 1)
            if not (apart <= TOLERANCE and ratio <= TOLERANCE):
                raise ArithmeticError(
                    f"{worker.name}: survival or limits differ by {apart:.1e}, the log-rank "
                    f"statistic by {ratio:.1e} of its value."
                )


@contextmanager
def working(name: str, folder: Path) -> Iterator[Worker]:
    """Start a worker, and end it afterwards."""
    if name == "R":
        command = ["Rscript", "--vanilla", "benchmarks/worker.R"]
    else:
        command = [sys.executable, "-m", "benchmarks.worker", name]
    with subprocess.Popen(
        [*command, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # Leaving closes its standard input, which ends it.
        yield Worker(name, process)


def main() -> None:
    """Measure, write and print."""
    results = measure() | circumstances()
    SPEED.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(speed_tables(results))


if __name__ == "__main__":
    main()
