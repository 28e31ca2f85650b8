"""A server of the embedded cohorts to put under load, and what it takes of memory and processors."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.importing.publish import import_folder
from tools.serving import ROOT, free_port, start, wait_for

STUDIES = sorted(path.parent for path in (ROOT / "data" / "demo").glob("*/study.json"))
RESULTS = ROOT / "benchmarks" / "results"
SCRIPT = "asgi.py"
"""What `make run` serves."""

CORES = 2
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    pid: int

    def memory_mb(self) -> float:
        """Return the memory that it holds now (resident set), in megabytes of 10⁶ bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * _PAGE / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken so far, of all cores together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def embedded() -> Iterator[Path]:
    """Make a store of the embedded cohorts for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        for study in STUDIES:
            import_folder(study, study.name, Path(folder))
        yield Path(folder)


@contextmanager
def serving(store: Path, cores: int = CORES, **environment: str) -> Iterator[Server]:
    """Serve a store for as long as the block lasts, on so many cores."""
    port = free_port()
    process = start(port, SCRIPT, store, **environment)
    try:
        os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:cores])
        server = Server(f"http://127.0.0.1:{port}", process.pid)
        wait_for(server.url)
        yield server
    finally:
        process.terminate()
        process.wait()


def circumstances() -> dict[str, Any]:
    """Return what a reader must know of the machine to judge a time taken on it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "waiting": os.getloadavg()[0],
    }
