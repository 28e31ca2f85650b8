"""A fresh server for each test module, and a page of the one Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tools.serving import serving

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[str]:
    """Serve the embedded cohorts on a free port; nothing has been asked of it yet."""
    with serving(store=store) as url:
        yield url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    context.set_default_timeout(30_000)
    page = context.new_page()
    yield page
    context.close()
