"""One warm server for all tests of a process; a fresh page of its one Chromium for each test."""

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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
