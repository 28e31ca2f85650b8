"""Every page, light and dark, against WCAG 2 A and AA, as axe-core checks them."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from pages.elements.frame import PAGES
from tests.still import still

pytestmark = pytest.mark.browser

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
NOT_OURS: dict[str, tuple[str, ...]] = {
    # Vega-Lite draws the rectangle of an interval selection and offers no way to name or hide it.
    "svg-img-alt": ("_brush",),
}
"""By rule the parts of a selector that a page cannot set."""


def path(page: str) -> str:
    file = PAGES[page]
    return "/" if file == "app.py" else f"/{file.removeprefix('pages/').removesuffix('.py')}"


def violations(page: Page) -> list[str]:
    """What axe finds serious or critical, without the exceptions: rule, selector and why."""
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{violation['id']}: {selector}: {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
        for selector in [" ".join(map(str, node["target"]))]
        if not any(part in selector for part in NOT_OURS.get(violation["id"], ()))
    ]


def settle(page: Page) -> None:
    """Wait until the whole page is there and its figures are drawn."""
    page.get_by_text("snapshot").last.wait_for()
    still(page)


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Browser) -> Any:
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, color_scheme=request.param
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_violation(server: str, themed: Page, name: str) -> None:
    themed.goto(f"{server}{path(name)}?study=short2025")
    settle(themed)
    assert violations(themed) == []


def test_the_course_of_a_patient_and_the_folds_have_none(server: str, themed: Page) -> None:
    themed.goto(f"{server}/patients?study=nguyen2026")
    settle(themed)
    table = themed.get_by_test_id("stDataFrame").bounding_box()
    assert table is not None
    themed.mouse.click(table["x"] + 18, table["y"] + 80)
    expect(themed.get_by_role("heading", name="Patient N02")).to_be_visible()
    settle(themed)
    assert violations(themed) == []
    themed.goto(f"{server}/?study=short2025&risk_group=high")
    settle(themed)
    themed.get_by_text("Missing data").click()
    themed.get_by_role("button", name="Show patients").first.click()
    settle(themed)
    assert violations(themed) == []
