"""What a server holds in memory, and how long the curves of new selections take: by size of the registry.

    python -m benchmarks.memory --folder FOLDER --patients 1000000 10000000

A store is made under the folder where it has none. Sessions open the Survival page and stay; then one of
them clicks through selections. Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from benchmarks.load.server import Server, circumstances, embedded, serving
from benchmarks.registry import STUDY, make_store
from benchmarks.repaint import COHORT, FIGURE, LIMIT_MS, PAGES, PILL, opened, walk
from data.store import find
from tools.serving import CHROMIUM, ROOT

RESULT = ROOT / "benchmarks" / "results" / "memory.json"
_POLL_SECONDS = 0.1


class _Peak:
    """The largest memory of a server for as long as the block lasts."""

    def __init__(self, server: Server) -> None:
        self.server, self.mb = server, server.memory_mb()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self.mb = max(self.mb, self.server.memory_mb())

    def __enter__(self) -> _Peak:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watch.join()


def measure(store: Path, study_id: str, sessions: int, clicks: int) -> dict[str, Any]:
    """Measure one study.

    Returns
    -------
    dict
        patients; rest_mb, one_mb and session_mb: the server before anybody came, with one session, and what
        each further one adds; peak_mb while one clicks; first_ms and click_ms (median): until the curves
        of the first visitor, and of a click, are painted.
    """
    snapshot = find(study_id, folder=store)
    with serving(store) as server, sync_playwright() as playwright, _Peak(server) as peak:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        rest, url = server.memory_mb(), f"{server.url}/{PAGES['Survival']}{study_id}"
        page, first = opened(browser, url, FIGURE, PILL)
        one = server.memory_mb()
        for _ in range(sessions):
            opened(browser, url, FIGURE, PILL)
        many = server.memory_mb()
        times = [page.click(level) or LIMIT_MS for level in walk(snapshot, clicks)]
        browser.close()
    return {
        "patients": snapshot.rows["patients"], "sessions": sessions, "clicks": clicks,
        "rest_mb": rest, "one_mb": one, "session_mb": (many - one) / max(sessions, 1),
        "peak_mb": peak.mb, "first_ms": first, "click_ms": statistics.median(times),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "registries")
    parser.add_argument("--patients", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    rows = []
    with embedded() as store:
        rows.append(measure(store, COHORT, options.sessions, options.clicks))
    for patients in options.patients:
        store = options.folder / f"{patients}"
        make_store(store, patients)
        rows.append(measure(store, STUDY, options.sessions, options.clicks))
    results = {"rows": rows, **circumstances()}
    options.to.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
