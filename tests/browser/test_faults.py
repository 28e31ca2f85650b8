"""What goes wrong outside the program, seen in the browser: a server that dies, another language."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.still import still
from tools.serving import free_port, start, wait_for

SAID = """() => [...document.querySelectorAll('[data-testid=stMain], [data-testid=stSidebar]')]
  .map((part) => part.innerText).join('\\n')"""
DRAWN = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg text')]
  .map((text) => text.textContent)"""
CELLS = """() => [...document.querySelectorAll('[data-testid=stDataFrame] canvas td')]
  .map((cell) => cell.textContent)"""
TYPED = "() => [...document.querySelectorAll('input')].map((field) => field.value)"
NUMBERS = {"en-US": "1,234.5", "de-DE": "1.234,5", "tr-TR": "1.234,5", "ar-EG": "١٬٢٣٤٫٥"}
"""How each language writes a number: what no page may depend on."""

PLACES = (
    "?study=short2025&age_years=30..60",
    "survival?study=short2025&by=mrd_3_months",
    "mrd?study=short2025",
    "transplant?study=short2025",
    "patients?study=short2025",
    "cohorts",
)


@pytest.fixture
def killable(store: Path) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """A server that can be killed and started again: its address, and how to do both."""
    port, running = free_port(), list[subprocess.Popen[bytes]]()
    url = f"http://127.0.0.1:{port}"

    def revive() -> None:
        running.append(start(port, store=store))
        wait_for(url)

    def kill() -> None:
        process = running.pop()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    revive()
    yield url, kill, revive
    for process in running:
        process.terminate()
        process.wait()


def connected(page: Page) -> None:
    """Wait until the page has found its server again and shows what that says."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=60_000)
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)


def disconnected(page: Page) -> None:
    """Wait until the page has noticed that its server is gone."""
    app = page.get_by_test_id("stApp")
    expect(app).not_to_have_attribute("data-test-connection-state", "CONNECTED")


def test_a_server_that_is_killed_in_a_talk_comes_back_to_the_slide(
    killable: tuple[str, Callable[[], None], Callable[[], None]], page: Page
) -> None:
    url, kill, revive = killable
    page.goto(f"{url}/present?study=short2025")
    page.get_by_role("button", name="Example talk").click()
    page.get_by_role("button", name="Present", exact=True).click()
    figure = page.locator(".st-key-stage_figure svg.marks")
    for number in (1, 2, 3):
        expect(page.get_by_text(re.compile(rf"^{number} / \d+$"))).to_be_visible()
        expect(figure).to_be_visible()
        if number < 3:
            page.keyboard.press("PageDown")
    title, address = page.get_by_role("heading", level=1).inner_text(), page.url
    kill()
    disconnected(page)
    # What was on the wall stays there.
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(figure).to_be_visible()
    revive()
    connected(page)
    assert page.url == address
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(figure).to_be_visible()
    last = page.get_by_text("8 / 8", exact=True)
    for _ in range(10):
        # A key pressed while the page is on its way from the new server is lost.
        page.keyboard.press("End")
        with suppress(AssertionError):
            expect(last).to_be_visible(timeout=5_000)
            break
    expect(last).to_be_visible()


def test_a_server_that_is_killed_comes_back_to_the_same_patients(
    killable: tuple[str, Callable[[], None], Callable[[], None]], page: Page
) -> None:
    url, kill, revive = killable
    page.goto(f"{url}/survival?study=short2025&by=mrd_3_months")
    page.get_by_test_id("stSidebar").get_by_role("button", name="High").click()
    expect(page.get_by_text("59 of 161 patients")).to_be_visible()
    kill()
    disconnected(page)
    revive()
    connected(page)
    expect(page.get_by_text("59 of 161 patients")).to_be_visible()
    # A click while the connection is made anew is lost.
    page.wait_for_timeout(2000)
    still(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Ph-negative").click()
    expect(page).to_have_url(re.compile("ph_status=negative"))
    expect(page).to_have_url(re.compile("risk_group=high"))


def read(page: Page) -> list[object]:
    """Return every text, number and label that a page shows."""
    return [page.evaluate(what) for what in (SAID, DRAWN, CELLS, TYPED)]


def settled(page: Page, wanted: list[object] | None = None) -> list[object]:
    """Return what a page shows once it is what is wanted, or else once it changes no more."""
    before: list[object] = []
    for _ in range(40):
        connected(page)
        # A click at once after a connection is made anew is lost.
        page.wait_for_timeout(500)
        still(page)
        now = read(page)
        if now == (wanted or before) and any(now[1:]):
            break
        before = now
    return now


@pytest.fixture(scope="module")
def speaking(browser: Browser) -> Iterator[dict[str, Page]]:
    """A page of a browser of each language."""
    contexts = {
        language: browser.new_context(locale=language, timezone_id="UTC") for language in NUMBERS
    }
    yield {language: context.new_page() for language, context in contexts.items()}
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("place", PLACES)
def test_numbers_are_written_the_same_in_a_browser_of_any_language(
    server: str, speaking: dict[str, Page], place: str
) -> None:
    english: list[object] | None = None
    for language, number in NUMBERS.items():
        page = speaking[language]
        page.goto(f"{server}/{place}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("(1234.5).toLocaleString()") == number
        now = settled(page, english)
        english = english or now
        assert now == english, language
