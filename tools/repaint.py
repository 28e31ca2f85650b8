"""From a click on a filter to the repainted curves, in Chromium, on a server of its own.

Run it with ``make benchmark``. It clicks a filter of the Survival page 50 times and prints median and
95th percentile of two times: until the cohort line reads differently, and until the drawing of the figure
is another one. Absolute times depend on the machine; the empty rerun beside them is a click on the only
button of a page that shows one number, so that the ratio says what the product adds to Streamlit.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tools.serving import CHROMIUM, serving

CLICKS = 50
EMPTY = """
import streamlit as st
st.button("Again")
st.session_state["n"] = st.session_state.get("n", 0) + 1
st.markdown(f"run {st.session_state['n']}")
"""

WATCH = """
([label, wanted]) => new Promise((resolve) => {
  const line = () => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stMarkdown]')]
    .map((e) => e.innerText).join('|');
  const drawn = () => document.querySelector('[data-testid=stVegaLiteChart] svg')?.innerHTML;
  const before = [line(), drawn()];
  const start = performance.now();
  const button = [...document.querySelectorAll('button')].find((b) => b.innerText.startsWith(label));
  let text = null;
  const look = () => {
    if (text === null && line() !== before[0]) text = performance.now() - start;
    if (text !== null && (!wanted || drawn() !== before[1]))
      return resolve([text, performance.now() - start]);
    if (performance.now() - start > 5000) return resolve([5000, 5000]);
    requestAnimationFrame(look);
  };
  button.click();
  requestAnimationFrame(look);
})
"""


def main() -> None:
    """Measure and print."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        with tempfile.TemporaryDirectory() as folder:
            empty = Path(folder) / "empty.py"
            empty.write_text(EMPTY, "utf-8")
            baseline = empty_reruns(page, str(empty))
        with serving() as url:
            page.goto(f"{url}/survival?study=short2025&by=mrd_3_months")
            page.locator("[data-testid=stVegaLiteChart] svg").wait_for()
            time.sleep(2)
            runs = [clicked(page, label, figure=True) for label in labels()]
        browser.close()
    first, second = ([run[i] for run in runs] for i in (0, 1))
    for name, times in (
        ("empty rerun", baseline),
        ("cohort line changed", first),
        ("figure repainted", second),
    ):
        ordered = sorted(times)
        middle, late = statistics.median(times), ordered[int(0.95 * len(ordered))]
        ratio = middle / statistics.median(baseline)
        print(f"{name:<20} median {middle:5.0f} ms   p95 {late:5.0f} ms   {ratio:4.1f} x empty")


def empty_reruns(page: Page, script: str) -> list[float]:
    """Return the milliseconds of clicks on a page that does next to nothing."""
    with serving(script) as url:
        page.goto(url)
        page.get_by_role("button", name="Again").wait_for()
        return [clicked(page, "Again", figure=False)[0] for _ in range(CLICKS)]


def labels() -> list[str]:
    """Return which filter each click switches on or off; no selection on the way is empty."""
    rounds = ["Ph-negative", "High", "High", "Standard", "Standard", "Ph-negative", "Ph-positive",
              "Ph-positive", "None", "None"]  # fmt: skip
    return [rounds[i % len(rounds)] for i in range(CLICKS)]


def clicked(page: Page, label: str, *, figure: bool) -> tuple[float, float]:
    """Click a button; return milliseconds until the text and until the figure is another one."""
    text, drawn = page.evaluate(WATCH, [label, figure])
    # The next click starts from a quiet page.
    page.wait_for_timeout(400)
    return text, drawn


if __name__ == "__main__":
    main()
