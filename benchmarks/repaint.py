"""From a click on a filter to the figure that it changes, in Chromium: ours, and the same in R Shiny.

    python -m benchmarks.repaint --clicks 50

Every click selects patients in another way, the same in both programs, which take turns. A click lasts from
its event to the first frame in which another figure has been painted. The empty rerun beside them is a
click on the only button of a Streamlit page that shows one number. Writes benchmarks/results/repaint.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.load.server import circumstances, embedded
from benchmarks.registry import STUDY, make_store
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, find
from tools.serving import CHROMIUM, ROOT, free_port, serving, wait_for

RESULT = ROOT / "benchmarks" / "results" / "repaint.json"
PEER = ROOT / "benchmarks" / "peers" / "shiny"
COHORT = "short2025"
FEWEST = 20
"""Patients that a selection on the way leaves at least, so that each has its figure."""

LEVELS = {
    ("ph_status", "negative"): "Ph-negative", ("ph_status", "positive"): "Ph-positive",
    ("risk_group", "standard"): "Standard", ("risk_group", "high"): "High",
    ("mrd_3_months", "negative"): "Negative", ("mrd_3_months", "positive"): "Positive",
}  # fmt: skip
"""The filters that are clicked on, and how their buttons begin."""

PAGES = {
    "Survival": "survival?by=mrd_3_months&timepoint=mrd_3_months&study=",
    "MRD negativity": "mrd?timepoint=mrd_3_months&study=",
    "Overview": "?timepoint=mrd_3_months&study=",
    "Transplant": "transplant?timepoint=mrd_3_months&study=",
}
EMPTY = """
import streamlit as st
st.button("Again")
st.session_state["n"] = st.session_state.get("n", 0) + 1
st.markdown(f"run {st.session_state['n']}")
"""

# What is painted: the drawing of a figure, its bitmap, or the address of a picture once it is decoded.
# Painting on a canvas is no mutation: there every frame is looked at.
WATCH = """
([figure, limit]) => {
  const painted = () => {
    const shown = document.querySelector(figure);
    if (!shown) return null;
    if (shown.tagName === 'CANVAS') return shown.toDataURL();
    if (shown.tagName !== 'IMG') return shown.innerHTML;
    return shown.complete && shown.naturalWidth ? shown.src : null;
  };
  const before = painted();
  let start = null, ended = false;
  addEventListener('click', (event) => { start = event.timeStamp; }, { capture: true, once: true });
  window.repainted = new Promise((resolve) => {
    const end = (found) => { ended = true; watch.disconnect(); resolve(found);
                             document.removeEventListener('load', look, true); };
    const look = () => {
      const now = start === null ? null : painted();
      if (now === null || now === before) return;
      // The frame that this mutation is part of has been painted when a task runs after it.
      requestAnimationFrame(() => setTimeout(() => end(performance.now() - start)));
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { subtree: true, childList: true, attributes: true,
                                   characterData: true });
    document.addEventListener('load', look, true);
    const frame = () => {
      if (ended) return;
      if (document.querySelector(figure)?.tagName === 'CANVAS') look();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    setTimeout(() => end(null), limit);
  });
}
"""
LIMIT_MS = 60_000
FIGURE = "[data-testid=stMain] [data-testid=stVegaLiteChart] :is(svg, canvas)"
IMAGE = "#curves img"
QUIET_MS = 400
"""The next click starts from a quiet page."""

Level = tuple[str, str]


@dataclass(frozen=True)
class Watched:
    """A page that is clicked on: its figure, and how a level of a filter is found on it."""

    page: Page
    figure: str
    level: str

    def click(self, level: Level) -> float | None:
        """Click on a level; return milliseconds until the figure is another one, None where it stays."""
        name, value = level
        button = self.page.locator(self.level.format(name=name, value=value, text=LEVELS[level]))
        button.first.scroll_into_view_if_needed()
        self.page.evaluate(WATCH, [self.figure, LIMIT_MS])
        button.first.click()
        taken = self.page.evaluate("window.repainted")
        self.page.wait_for_timeout(QUIET_MS)
        return None if taken is None else float(taken)


PILL = "[data-testid=stSidebar] [data-testid=stButtonGroup] button:has(:text-matches('^{text}'))"
BOX = "#{name} input[value='{value}']"


def walk(snapshot: Snapshot, clicks: int) -> list[Level]:
    """Return which level each click switches on or off, to selections that are new as far as may be."""
    variables = queries.dictionary(snapshot)
    levels = [level for level in LEVELS if level[0] in variables]
    chosen: frozenset[Level] = frozenset()
    seen, way, chance = {chosen: 1}, list[Level](), random.Random(8)
    sizes = {chosen: queries.size(snapshot, CohortFilter(), variables)}
    for _ in range(clicks):
        offered = [(chosen ^ {level}, level) for level in levels]
        for each, _ in offered:
            if each not in sizes:
                sizes[each] = queries.size(snapshot, _cohort(each), variables)
        chance.shuffle(offered)
        # Another number of patients: the same would leave the figure as it is.
        ways = [o for o in offered if FEWEST <= sizes[o[0]] != sizes[chosen]]
        chosen, level = min(ways, key=lambda o: seen.get(o[0], 0))
        seen[chosen] = seen.get(chosen, 0) + 1
        way.append(level)
    return way


def _cohort(chosen: frozenset[Level]) -> CohortFilter:
    names = {name for name, _ in chosen}
    return CohortFilter(**{n: tuple(v for name, v in chosen if name == n) for n in names})


@contextmanager
def peer(snapshot: Snapshot, folder: Path) -> Iterator[str]:
    """Serve the Shiny app with the patients of a study, and yield its address."""
    variables = queries.dictionary(snapshot)
    people = queries.subjects(snapshot, CohortFilter(), variables)
    rows = queries.event_rows(snapshot, CohortFilter(), variables, endpoint="RFS", landmark_days=0)[
        ["patient_id", "time", "event"]
    ]
    columns = ["patient_id", *dict.fromkeys(name for name, _ in LEVELS)]
    data = folder / "patients.csv"
    people[columns].merge(rows, how="left").to_csv(data, index=False)
    port = free_port()
    process = subprocess.Popen(
        ["Rscript", "--vanilla", "-e", f"shiny::runApp('{PEER}', port = {port}L)"],
        env=os.environ | {"PEER_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}", "")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def opened(browser: Browser, url: str, figure: str, level: str) -> tuple[Watched, float]:
    """Open a page as a new visitor; return it and the milliseconds until its figure was painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_function(
        "(figure) => { const e = document.querySelector(figure);"
        " return e && (e.tagName !== 'IMG' || (e.complete && e.naturalWidth)); }",
        arg=figure, polling="raf", timeout=LIMIT_MS,
    )  # fmt: skip
    first = float(page.evaluate("performance.now()"))
    page.wait_for_timeout(2000)
    return Watched(page, figure, level), first


def _clicked(pages: Sequence[Watched], way: Sequence[Level]) -> list[list[float]]:
    """Click on pages in turns; return the milliseconds of each."""
    times = [list[float]() for _ in pages]
    for level in way:
        for watched, taken in zip(pages, times, strict=True):
            found = watched.click(level)
            if found is not None:
                taken.append(found)
    return times


def _row(
    program: str, page: str, patients: int, times: Sequence[float], clicks: int
) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "program": program, "page": page, "patients": patients, "clicks": clicks,
        "repainted": len(ordered),
        "median_ms": statistics.median(ordered) if ordered else None,
        "p95_ms": ordered[int(0.95 * (len(ordered) - 1))] if ordered else None,
    }  # fmt: skip


def beside_shiny(browser: Browser, url: str, snapshot: Snapshot, clicks: int) -> dict[str, Any]:
    """Measure the Survival page and the Shiny app on the same patients, in turns."""
    way, n = walk(snapshot, clicks), snapshot.rows["patients"]
    with tempfile.TemporaryDirectory() as folder, peer(snapshot, Path(folder)) as other:
        ours = f"{url}/{PAGES['Survival']}{snapshot.study_id}"
        visits = {"ours": list[float](), "Shiny": list[float]()}
        # The first visit of all warms the servers up.
        for i in range(6):
            pages = []
            for name, address, figure, level in (
                ("ours", ours, FIGURE, PILL), ("Shiny", other, IMAGE, BOX),
            ):  # fmt: skip
                watched, first = opened(browser, address, figure, level)
                pages.append(watched)
                visits[name] += [first] if i else []
            if i < 5:
                for watched in pages:
                    watched.page.context.close()
        times = _clicked(pages, way)
    rows = [_row(p, "Survival", n, t, clicks) for p, t in zip(visits, times, strict=True)]
    return {"rows": rows, "first_ms": {k: statistics.median(v) for k, v in visits.items()}}


def of_pages(
    browser: Browser, url: str, snapshot: Snapshot, clicks: int, pages: Sequence[str]
) -> list[dict[str, Any]]:
    """Measure some of our pages on one study."""
    way, rows = walk(snapshot, clicks), []
    for name in pages:
        watched, _ = opened(browser, f"{url}/{PAGES[name]}{snapshot.study_id}", FIGURE, PILL)
        (times,) = _clicked([watched], way)
        watched.page.context.close()
        rows.append(_row("ours", name, snapshot.rows["patients"], times, clicks))
    return rows


def empty_rerun(browser: Browser, clicks: int) -> dict[str, Any]:
    """Measure a page of Streamlit's that does next to nothing."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY, "utf-8")
        with serving(str(script)) as url:
            page = browser.new_page()
            page.goto(url)
            page.get_by_role("button", name="Again").wait_for()
            times = []
            for _ in range(clicks):
                page.evaluate(WATCH, ["[data-testid=stMarkdown]", LIMIT_MS])
                page.get_by_role("button", name="Again").click()
                times.append(float(page.evaluate("window.repainted")))
                page.wait_for_timeout(QUIET_MS)
            page.close()
    return _row("Streamlit", "empty rerun", 0, times, clicks)


def measure(clicks: int, registry: Path | None, pages: Sequence[str]) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    clicks : int
        On each page.
    registry : Path or None
        A store with a registry, measured too.
    pages : sequence of str
        Keys of `PAGES`.
    """
    with sync_playwright() as playwright, ExitStack() as stack:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        results: dict[str, Any] = {"rows": [empty_rerun(browser, clicks)], "first_ms": {}}
        store = stack.enter_context(embedded())
        snapshot = find(COHORT, folder=store)
        with serving(store=store) as url:
            rest = [page for page in pages if page != "Survival"]
            if shutil.which("Rscript"):
                beside = beside_shiny(browser, url, snapshot, clicks)
                results["rows"] += beside["rows"]
                results["first_ms"] = beside["first_ms"]
            else:
                rest = list(pages)
            results["rows"] += of_pages(browser, url, snapshot, clicks, rest)
        if registry is not None:
            with serving(store=registry) as url:
                results["rows"] += of_pages(
                    browser, url, find(STUDY, folder=registry), clicks, pages
                )
    return results | circumstances()


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--pages", nargs="*", default=list(PAGES), choices=list(PAGES))
    parser.add_argument("--registry", type=Path, help="folder of a store; made if it is empty")
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--to", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.registry is not None:
        make_store(options.registry, options.patients)
    results = measure(options.clicks, options.registry, options.pages)
    options.to.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
