"""A talk in a real browser: put together, shown in a room, saved and opened again."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pptx import Presentation

from pages.elements.present_view import EXAMPLE
from tests.still import still

pytestmark = pytest.mark.browser

ROOMS = {"1080p": (1920, 1080), "720p": (1280, 720)}
SLIDES = json.loads(EXAMPLE.read_text("utf-8"))["slides"]
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
SMALLEST = """() => {
  const of = (node) => {
    let size = parseFloat(getComputedStyle(node).fontSize);
    for (let each = node; each; each = each.parentElement)
      size *= parseFloat(getComputedStyle(each).zoom || 1);
    return size;
  };
  const texts = [...document.querySelectorAll('.st-key-stage *')].filter((node) =>
    [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
    && node.checkVisibility() && !node.closest('[data-testid=stIconMaterial]')
    && !node.closest('[role=graphics-document] [aria-hidden=true]'));
  return Math.min(...texts.map(of));
}"""
OVERFLOW = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return [main.scrollHeight - main.clientHeight, main.scrollWidth - main.clientWidth];
}"""


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def example(server: str, page: Page) -> None:
    page.goto(f"{server}/present?study=short2025")
    page.get_by_role("button", name="Example talk").click()
    expect(page.get_by_label("Title of slide 8")).to_have_value(SLIDES[7]["title"])


def present(server: str, page: Page, size: tuple[int, int] = (1920, 1080)) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    example(server, page)
    page.get_by_role("button", name="Present", exact=True).click()
    on_slide(page, 1)


def on_slide(page: Page, number: int) -> None:
    """Wait until a slide is there with its figure."""
    expect(page.get_by_text(f"{number} / {len(SLIDES)}", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text(SLIDES[number - 1]["message"])
    expect(page.locator(".st-key-stage_figure svg.marks")).to_be_visible()


def test_a_figure_is_added_where_it_stands_and_the_page_stays(
    server: str, page: Page, browser: Browser
) -> None:
    page.goto(f"{server}/survival?study=short2025&risk_group=high&by=mrd_3_months")
    # At once: a click on a page just opened has to keep what the link says.
    page.get_by_role("button", name="Take away").first.click()
    page.get_by_role("button", name="Add to talk").click()
    expect(page.get_by_text("Added as slide 1")).to_be_visible()
    expect(page).to_have_url(re.compile("by=mrd_3_months.*talk="))
    expect(page.get_by_text("59 of 161 patients").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Present").click()
    title = "Relapse-free survival by MRD at 3 months"
    expect(page.get_by_label("Title of slide 1")).to_have_value(title)
    assert query(page)["risk_group"] == ["high"]
    other = browser.new_page()
    other.goto(page.url)
    expect(other.get_by_label("Title of slide 1")).to_have_value(title)
    other.get_by_role("link", name="Open", exact=True).click()
    expect(other.get_by_role("heading", level=1)).to_have_text(title)
    assert query(other)["talk"] == query(page)["talk"]
    other.close()


def test_keys_of_keyboard_and_clicker_and_nothing_from_outside(server: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    present(server, page)
    for chrome in ("stSidebar", "stMainMenu", "stAppDeployButton"):
        expect(page.get_by_test_id(chrome)).to_have_count(0)
    expect(page.get_by_role("link", name="Overview")).to_have_count(0)
    for key, number in (
        ("PageDown", 2), ("ArrowRight", 3), ("Space", 4), ("PageUp", 3), ("ArrowLeft", 2),
        ("End", 8), ("PageDown", 8), ("Home", 1), ("ArrowLeft", 1),
    ):  # fmt: skip
        page.keyboard.press(key)
        on_slide(page, number)
    page.get_by_role("button", name="chevron_right").click()
    on_slide(page, 2)
    page.keyboard.press("Space")
    on_slide(page, 3)
    still(page)
    on_slide(page, 3)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Present")).to_be_visible()
    assert "present" not in query(page)
    outside = [url for url in asked if not url.startswith((server, "data:", "blob:"))]
    assert outside == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_slide_fills_the_room_and_can_be_read(
    server: str, page: Page, room: str, record_property: pytest.RecordProperty
) -> None:
    present(server, page, ROOMS[room])
    took = []
    for number in range(1, len(SLIDES) + 1):
        on_slide(page, number)
        still(page)
        assert page.evaluate(OVERFLOW) == [0, 0], number
        assert page.evaluate(SMALLEST) >= (24 if room == "1080p" else 16), number
        figure = page.locator(".st-key-stage_figure svg.marks").bounding_box()
        assert figure is not None
        assert figure["width"] > 0.9 * ROOMS[room][0]
        if number < len(SLIDES):
            started = time.perf_counter()
            page.keyboard.press("PageDown")
            on_slide(page, number + 1)
            took.append(round(1000 * (time.perf_counter() - started)))
    record_property(f"milliseconds to the next slide at {room}", took)
    print(f"milliseconds to the next slide at {room}: {took}")


def test_filters_are_one_key_away_and_the_saved_view_comes_back(server: str, page: Page) -> None:
    present(server, page)
    page.keyboard.press("f")
    page.locator(".st-key-stage_pills").get_by_role("button", name="High").click()
    expect(page.get_by_text("59 of 161 patients")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(SLIDES[0]["message"])
    page.get_by_role("button", name="Back to the saved view").click()
    on_slide(page, 1)
    page.keyboard.press("f")
    expect(page.locator(".st-key-stage_pills")).to_have_count(0)


def test_the_enlarged_figure_reads_out_what_the_pointer_is_at(server: str, page: Page) -> None:
    present(server, page)
    figure = page.locator(".st-key-stage_figure svg.marks").bounding_box()
    assert figure is not None
    page.mouse.move(figure["x"] + 0.3 * figure["width"], figure["y"] + 0.3 * figure["height"])
    page.mouse.move(figure["x"] + 0.3 * figure["width"] + 5, figure["y"] + 0.3 * figure["height"])
    expect(page.locator("#vg-tooltip-element")).to_contain_text("MRD negative")


def test_a_talk_is_saved_opened_again_and_a_presentation(
    server: str, page: Page, tmp_path: Path
) -> None:
    example(server, page)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save talk").click()
    file = tmp_path / "talk.json"
    saving.value.save_as(file)
    assert json.loads(file.read_text("utf-8")) == json.loads(EXAMPLE.read_text("utf-8"))
    with page.expect_download(timeout=60_000) as exporting:
        page.get_by_role("button", name="PowerPoint").click()
    deck = Presentation(io.BytesIO(Path(exporting.value.path()).read_bytes()))
    assert [each.shapes.title.text for each in deck.slides] == [s["title"] for s in SLIDES]
    page.goto(f"{server}/present?study=short2025")
    page.get_by_role("button", name="Open talk").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    expect(page.get_by_label("Title of slide 8")).to_have_value(SLIDES[7]["title"])
    page.go_back()
    expect(page.get_by_text("A talk is made of views")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_slide_are_accessible(server: str, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    page = context.new_page()
    example(server, page)
    still(page)
    assert violations(page) == []
    page.get_by_role("button", name="Present", exact=True).click()
    on_slide(page, 1)
    page.keyboard.press("f")
    expect(page.locator(".st-key-stage_pills")).to_be_visible()
    still(page)
    assert violations(page) == []
    context.close()


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{each['id']}: {node['target']}: {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
