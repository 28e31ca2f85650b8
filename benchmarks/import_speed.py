"""Import a registry with the command and measure it: ``python -m benchmarks.import_speed [PATIENTS]``.

The files are made by `benchmarks.make_registry`: Parquet, three MRD samples per patient. Measured are the
seconds from the command's start to its end and the largest memory of each of its processes: the command
itself, and the workers that read and check.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.load.server import circumstances
from benchmarks.make_registry import write

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "import_speed.json"
_POLL_SECONDS = 0.05


def measure(patients: int) -> dict[str, Any]:
    """Import a registry of some patients and return what it took.

    Returns
    -------
    dict
        patients, seconds, cpu_seconds, load (of the machine at the start: processes that wanted a core),
        cores, ``peak_mb`` by process, and ``steps``: the seconds at which each began.
    """
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "registry", patients)
        load, used, begun = os.getloadavg()[0], _cpu(), time.monotonic()
        command = [sys.executable, "-m", "data", "import", f"{folder}/registry"]
        process = subprocess.Popen(
            [*command, "--study", "registry", "--report", f"{folder}/report.json"],
            cwd=ROOT, env=os.environ | {"COHORT_STORE": f"{folder}/store"}, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        peaks = dict[str, float]()
        watch = threading.Thread(target=_watch, args=(process, peaks))
        watch.start()
        steps = {}
        for line in process.stderr or ():
            words = re.sub(r" \(.*|^Step \d of \d: ", "", line.strip())
            steps[words] = round(time.monotonic() - begun, 1)
        code = process.wait()
        seconds = time.monotonic() - begun
        watch.join()
        if code != 0:
            raise RuntimeError(f"The import ended with {code}: {list(steps)[-1]}")
        rows = json.loads(Path(f"{folder}/report.json").read_text("utf-8"))["rows"]
    return {
        "patients": patients,
        "rows": rows,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_cpu() - used, 1),
        "cores": os.cpu_count(),
        "load": round(load, 1),
        "peak_mb": {name: round(mb) for name, mb in peaks.items()},
        "steps": steps,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(process: subprocess.Popen[str], peaks: dict[str, float]) -> None:
    """Note the largest memory of the command and of its workers while it runs."""
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            try:
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                status = Path(f"/proc/{pid}/status").read_text("utf-8")
            except OSError:
                continue
            worker = b"data.importing.worker" in arguments
            name = f"worker, {arguments[-2].decode()}" if worker else "command"
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                peaks[name] = max(peaks.get(name, 0.0), int(found[1]) / 1000)
        time.sleep(_POLL_SECONDS)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    except OSError:
        return []
    return [int(child) for child in text.split()]


if __name__ == "__main__":
    result = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000) | circumstances()
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
