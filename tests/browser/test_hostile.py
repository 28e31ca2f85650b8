"""In a real browser, text of a study that tries to be more than text runs nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from data.variables import build_dictionary
from tests import hostile
from tests.hostile import AWAY, OWN, RAN, STUDY, TIMEPOINTS
from tests.still import still
from tools.serving import serving
from tools.walk import LOOK, READY

pytestmark = pytest.mark.browser

FIRST, SECOND = (variable.name for variable in build_dictionary(TIMEPOINTS).timepoints)
VIEWS: tuple[tuple[str, dict[str, str]], ...] = (
    *(("survival", {"by": name}) for name in OWN),
    *(("mrd", {"by": name}) for name in OWN),
    ("", {"by": "disease_status"}),
    ("", {"by": SECOND}),
    ("survival", {"by": FIRST, "section": "subgroups"}),
    ("survival", {"by": SECOND, "section": "cox"}),
    ("survival", {"by": "disease_status", "endpoint": "CIR"}),
    ("mrd", {"mrd_section": "curves"}),
    ("mrd", {"mrd_section": "assays"}),
    ("mrd", {"by": "disease_status"}),
    ("transplant", {"swimmer": "yes"}),
    ("evidence", {}),
    ("patients", {}),
    ("cohorts", {}),
)
DRAWN = {"", "survival", "mrd", "transplant"}
"""The pages that have a figure."""
FROM_THE_STUDY = ", ".join(
    f"[data-testid=stApp] {element}"
    for element in (f"img[src*='{AWAY}']", f"a[href*='{AWAY}']", "script", "img[src='x']")
)
MARKS = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
  .filter((chart) => chart.checkVisibility())
  .map((chart) => [...chart.querySelectorAll('[class*=mark-] :is(path, text, rect, circle)')]
    .filter((mark) => mark.getBoundingClientRect().width > 0).length)"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.publish(folder / "study", folder / "store")
    with serving(store=folder / "store") as url:
        yield url


@pytest.fixture(scope="module")
def looked(browser: Browser) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page, the addresses outside that it asked for, and what it wrote as an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page, asked, errors = context.new_page(), list[str](), list[str]()
    page.on(
        "request",
        lambda request: (
            asked.append(request.url)
            if urlsplit(request.url).hostname not in ("127.0.0.1", None)
            else None
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    yield page, asked, errors
    context.close()


@pytest.mark.parametrize(
    ("path", "query"), VIEWS, ids=lambda part: part if isinstance(part, str) else ",".join(part.values())
)  # fmt: skip
def test_a_page_of_a_hostile_study_is_drawn_and_nothing_runs(
    served: str,
    looked: tuple[Page, list[str], list[str]],
    path: str,
    query: dict[str, str],
) -> None:
    page, asked, errors = looked
    asked.clear()
    errors.clear()
    page.goto(f"{served}/{path}?{urlencode({'study': STUDY, **query})}")
    page.get_by_test_id("stMain").get_by_role("heading").first.wait_for()
    page.wait_for_function(READY)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    if path in DRAWN:
        page.get_by_test_id("stVegaLiteChart").first.wait_for()
    still(page)
    marks = page.evaluate(MARKS)
    assert all(number > 0 for number in marks), marks
    # A label of 300 characters may be cut; a figure without a mark, or a part that failed, may not be.
    wrong = [found for found in page.evaluate(LOOK) if not found.startswith(("cut off", "wider"))]
    assert wrong == []
    assert page.evaluate(f"window.{RAN}") is None
    assert page.locator(FROM_THE_STUDY).count() == 0
    assert asked == []
    assert errors == []


def test_pointing_at_the_marks_shows_text(
    served: str, looked: tuple[Page, list[str], list[str]]
) -> None:
    page, asked, errors = looked
    page.goto(f"{served}/mrd?{urlencode({'study': STUDY, 'by': 'constructor'})}")
    page.wait_for_function(READY)
    still(page)
    for mark in page.locator("[data-testid=stVegaLiteChart] .mark-symbol path").all()[:12]:
        mark.hover(force=True)
        page.wait_for_timeout(60)
    assert page.locator(FROM_THE_STUDY).count() == 0
    assert page.evaluate(f"window.{RAN}") is None
    assert asked == []
    assert errors == []
