"""What the walker sees, on pages made to be wrong."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import Page

from tools.walk import LOOK, contact_sheet

pytestmark = pytest.mark.browser

FIGURE = "<div data-testid='stVegaLiteChart'><svg width='200' height='50'>{}</svg></div>"
SEEN = {
    "<p>All is well</p>": [],
    FIGURE.format("<text x='10' y='20'>whole</text>"): [],
    FIGURE.format("<text x='180' y='20'>clipped</text>"): ["cut off: 'clipped'"],
    FIGURE.format("<path d='M0,0h9'/>"): ["an empty figure"],
    "<p>The curves could not be shown.</p>": ["The curves could not be shown."],
    "<div style='width: 3000px'>wide</div>": ["wider than the window"],
}


@pytest.mark.parametrize("content", SEEN)
def test_what_is_wrong_is_found(page: Page, content: str) -> None:
    page.set_content(
        f"<div data-testid='stMain'><div data-testid='stMainBlockContainer'>{content}</div></div>"
    )
    assert page.evaluate(LOOK) == SEEN[content]


def test_a_contact_sheet_holds_every_picture() -> None:
    made = io.BytesIO()
    Image.new("RGB", (1280, 900), "red").save(made, "jpeg")
    sheet = contact_sheet([(f"view {i}", made.getvalue()) for i in range(5)])
    assert sheet.size == (4 * 480, 2 * 354)
    assert sheet.getpixel((240, 354 + 150))[0] > 250
