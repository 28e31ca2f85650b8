"""One server and one page of the one Chromium for all tests of a process: both are warm after the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tools.serving import serving

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def server(store: Path) -> Iterator[str]:
    """Serve the embedded cohorts on a free port; tests that change a store have a server of their own."""
    with serving(store=store) as url:
        yield url


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A page that shows and remembers nothing."""
    tab.set_viewport_size({"width": 1280, "height": 720})
    yield tab
    if tab.url.startswith("http"):
        tab.evaluate("localStorage.clear(), sessionStorage.clear()")
    tab.goto("about:blank")
