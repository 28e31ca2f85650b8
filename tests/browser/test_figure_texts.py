"""Every figure as a file, measured by a browser: no text is cut off, none touches another."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from data.store import Snapshot
from pages.elements.exports.figure import as_svg
from pages.elements.exports.texts import FONT
from tools.contact_sheet import PRESETS, figures

pytestmark = pytest.mark.browser

# A line's box has room above capitals and below descenders, which may meet that of the next line.
MEASURE = """async (svg) => {
  document.body.innerHTML = svg;
  await document.fonts.ready;
  const drawing = document.querySelector('svg'), paper = drawing.getBoundingClientRect();
  const found = [], boxes = [];
  for (const text of drawing.querySelectorAll('text'))
    for (const line of text.children.length ? text.children : [text]) {
      const words = line.textContent.trim();
      if (!words || text.getAttribute('opacity') === '0') continue;
      const box = line.getBoundingClientRect(), turned = text.outerHTML.includes('rotate(');
      const [dx, dy] = turned ? [0.2 * box.width, 1] : [1, 0.2 * box.height];
      boxes.push({words, left: box.left + dx, right: box.right - dx,
                  top: box.top + dy, bottom: box.bottom - dy});
    }
  boxes.forEach((a, i) => {
    if (a.left < paper.left - 1 || a.right > paper.right + 1
        || a.top < paper.top - 1 || a.bottom > paper.bottom + 1) found.push(`cut off: ${a.words}`);
    for (const b of boxes.slice(i + 1))
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        found.push(`${a.words} touches ${b.words}`);
  });
  const fonts = [...document.fonts].filter((font) => font.status === 'loaded');
  return {found, count: boxes.length, fonts: [...new Set(fonts.map((font) => font.family))]};
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> object:
    context = browser.new_context(viewport={"width": 1400, "height": 2000})
    yield context.new_page()
    context.close()


def test_no_text_of_any_figure_is_cut_off_or_touches_another(
    short2025: Snapshot, page: object
) -> None:
    exhibits = figures()
    assert len({each.key for each in exhibits}) >= 20
    wrong = []
    for name, style in PRESETS.items():
        for each in exhibits:
            seen = page.evaluate(MEASURE, as_svg(each, style).decode())  # type: ignore[attr-defined]
            assert seen["count"] > 3
            assert FONT in "".join(seen["fonts"])
            wrong += [f"{each.key}, {name}: {what}" for what in seen["found"]]
    assert not wrong


def test_the_browser_finds_what_touches_and_what_is_cut_off(page: object) -> None:
    texts = [(10, 20, "one"), (14, 22, "two"), (90, 60, "three")]
    inner = "".join(f'<text x="{x}" y="{y}" font-size="12px">{word}</text>' for x, y, word in texts)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="80">{inner}</svg>'
    seen = page.evaluate(MEASURE, svg)  # type: ignore[attr-defined]
    assert seen["found"] == ["one touches two", "cut off: three"]
