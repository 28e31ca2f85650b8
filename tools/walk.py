"""Every grouping of every embedded cohort on every page that groups, looked at: ``make walk``.

Opens each view in Chromium, light and dark, and reports what a reader would stumble over: a part that
could not be shown, a figure with nothing in it, text cut off by the edge of its figure, a page wider than
its window. Writes a contact sheet per study and theme to build/walk/. Exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

from data.queries import dictionary
from data.store import Snapshot, snapshots
from data.variables import Variable
from pages.elements.frame import PAGES
from tools.serving import CHROMIUM, ROOT, serving

FOLDER = ROOT / "build" / "walk"
WINDOW = (1280, 900)
SCHEMES = ("light", "dark")
GROUPS: dict[str, Callable[[Variable], bool]] = {
    "Overview": lambda variable: variable.known != "with the outcome",
    "Survival": lambda variable: variable.known != "with the outcome",
    "MRD negativity": lambda variable: variable.known != "at a day",
    "Transplant": lambda variable: False,
}
"""The pages looked at, and what each groups by; each is opened without a grouping too."""

READY = """() => document.querySelector('[data-test-script-state=notRunning]')
  && !document.querySelector('[data-testid=stSpinner]')"""
LOOK = r"""() => {
  const found = [], main = document.querySelector('[data-testid=stMain]');
  if (!main) return ['no page'];
  const bad = /.{0,60}(could not be shown|cannot be shown as it stands|Traceback).{0,40}/;
  const words = main.innerText.match(bad);
  if (words) found.push(words[0]);
  if (document.querySelector('[data-testid=stException]')) found.push('an exception');
  const block = document.querySelector('[data-testid=stMainBlockContainer]');
  const wide = [document.documentElement, main, block];
  if (wide.some((e) => e.scrollWidth > e.clientWidth)) found.push('wider than the window');
  for (const chart of main.querySelectorAll('[data-testid=stVegaLiteChart]')) {
    if (!chart.checkVisibility()) continue;
    const svg = chart.querySelector('svg');
    if (!svg || !svg.querySelector('text')) { found.push('an empty figure'); continue; }
    const edge = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      const style = getComputedStyle(text);
      if (!text.textContent.trim() || style.opacity === '0' || box.width === 0) continue;
      if (box.left < edge.left - 2 || box.right > edge.right + 2
          || box.top < edge.top - 3 || box.bottom > edge.bottom + 3)
        found.push(`cut off: '${text.textContent}'`);
    }
  }
  return [...new Set(found)];
}"""


@dataclass(frozen=True)
class View:
    """One view to look at: a page, and what it is grouped by."""

    study: str
    page: str
    by: str | None

    @property
    def path(self) -> str:
        """The address, from the root of the server."""
        file = PAGES[self.page].removeprefix("pages/").removesuffix(".py")
        query = {"study": self.study} | ({"by": self.by} if self.by else {})
        return f"/{'' if file == 'app' else file}?{urlencode(query)}"


def views(snapshot: Snapshot, pages: Sequence[str]) -> Iterator[View]:
    """Yield every page without a grouping and by each variable that it groups by."""
    variables = dictionary(snapshot)
    for page in pages:
        yield View(snapshot.study_id, page, None)
        for variable in variables.groupable:
            if GROUPS[page](variable):
                yield View(snapshot.study_id, page, variable.name)


def look(page: Page, url: str, view: View) -> Iterator[tuple[str, list[str], bytes]]:
    """Open a view, and yield for each theme its name, what is wrong, and a picture."""
    page.emulate_media(color_scheme="light")
    page.goto(url + view.path)
    page.get_by_test_id("stMain").get_by_role("heading").first.wait_for()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_function(READY)
        # The last figures are drawn after the last text has arrived.
        page.wait_for_timeout(700 if scheme == "light" else 300)
        found = page.evaluate(LOOK)
        if found:
            # On a busy machine a figure can come late.
            page.wait_for_timeout(2000)
            found = page.evaluate(LOOK)
        yield scheme, found, page.screenshot(type="jpeg", quality=70)


def contact_sheet(pictures: Sequence[tuple[str, bytes]], columns: int = 4) -> Image.Image:
    """Return the pictures side by side, each under its name."""
    width, height, line = 480, 338, 16
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + line)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (name, content) in enumerate(pictures):
        x, y = i % columns * width, i // columns * (height + line)
        draw.text((x + 4, y + 2), name, fill="black")
        sheet.paste(Image.open(io.BytesIO(content)).resize((width, height)), (x, y + line))
    return sheet


def walk(page: Page, url: str, wanted: Sequence[View]) -> int:
    """Look at the views of one study, print what is wrong, write the sheets; return how many are."""
    sheets: dict[str, list[tuple[str, bytes]]] = {scheme: [] for scheme in SCHEMES}
    wrong = 0
    for view in wanted:
        name = f"{view.page} by {view.by}" if view.by else view.page
        for scheme, found, picture in look(page, url, view):
            sheets[scheme].append((f"{name}{' !' if found else ''}", picture))
            wrong += bool(found)
            for problem in found:
                print(f"{view.study}, {name}, {scheme}: {problem}  {view.path}", flush=True)
    for scheme, pictures in sheets.items():
        contact_sheet(pictures).save(FOLDER / f"{wanted[0].study}-{scheme}.png")
    print(f"{wanted[0].study}: {len(wanted)} views, {wrong} with something wrong", flush=True)
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk, and return the exit code."""
    pages = [name for name in GROUPS if name in PAGES]
    parser = argparse.ArgumentParser(prog="python -m tools.walk", description=__doc__)
    parser.add_argument("--study", help="one study; all by default")
    parser.add_argument("--page", choices=pages, help="one page; all that group by default")
    asked = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WINDOW[0], "height": WINDOW[1]})
        page.set_default_timeout(60_000)
        for snapshot in snapshots():
            if snapshot.current and asked.study in (None, snapshot.study_id):
                chosen = [asked.page] if asked.page else pages
                wrong += walk(page, url, list(views(snapshot, chosen)))
        browser.close()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
