"""From a published figure to the view that shows it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from data import queries
from data.store import find
from pages.elements import evidence, wording

pytestmark = pytest.mark.browser

# One of each kind, from every publication: rates, P values, counts, landmarks, ages.
FOLLOWED = [
    ("short2025", "survival", "Fig. 1A", "RFS at 2 years, MRD negative after cycle 1"),
    ("short2025", "survival", "Fig. 1C", "log-rank P of RFS by MRD at 6 months"),
    ("short2025", "survival", "Suppl. Fig. 2", "RFS at 2 years, MRD positive at 3 months"),
    ("short2025", "survival", "Fig. 2A", "log-rank P of RFS by MRD after cycle 1"),
    ("short2025", "survival", "Fig. 2B", "RFS at 2 years, MRD positive after cycle 1"),
    ("short2025", "survival", "Fig. 3", "RFS at 2 years, late responders"),
    ("short2025", "survival", "Suppl. Fig. 3", "RFS at 2 years, non-responders"),
    ("short2025", "survival", "Fig. 4A", "RFS at 2 years, alloSCT by the landmark"),
    ("short2025", "survival", "Fig. 4B", "log-rank P of RFS by alloSCT"),
    ("short2025", "mrd", "Table 2", "MRD negative at 3 months"),
    ("short2025", "patients", "Table 1", "age, years"),
    ("short2025", "patients", "Table 1", "frontline therapy mini-hyper-CVD-based"),
    ("allmrd2023", "survival", "Results", "LFS at 2 years, ALL/MRD2023"),
    ("allmrd2019", "survival", "Results", "log-rank P of OS by trial"),
    ("allmrd2019", "mrd", "Results", "MRD negative after induction"),
    ("nguyen2026", "survival", "Fig. 1B", "OS at 2 years, MRD responders"),
    ("nguyen2026", "survival", "Suppl. Fig. 2C", "RFS at 2 years, MRD non-responders"),
]


@pytest.fixture(scope="module")
def listed(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Return the page of an address, which is loaded once as long as the same one is asked for."""
    page, loaded = browser.new_page(), [""]

    def at(address: str) -> Page:
        if loaded != [address]:
            page.goto(address)
            loaded[:] = [address]
        return page

    yield at
    page.close()


@pytest.mark.parametrize(("study", "part", "place", "measure"), FOLLOWED)
def test_the_link_of_a_figure_leads_to_its_number(
    server: str,
    store: Path,
    listed: Callable[[str], Page],
    study: str,
    part: str,
    place: str,
    measure: str,
) -> None:
    figure = next(f for f in evidence.figures(study) if f.place == place and f.measure == measure)
    snapshot = find(figure.cohort, folder=store)
    compared = evidence.compare(snapshot, queries.dictionary(snapshot), figure)
    assert compared.verdict == evidence.REPRODUCED
    page = listed(f"{server}/evidence?study={figure.cohort}&publication={study}&part={part}")
    row = page.get_by_role("row").filter(has_text=measure)
    row = row.filter(has_text=compared.computed.split(" ")[0])
    link = row.get_by_role("link", name=place).first
    with page.expect_popup() as opened:
        link.click()
    view = opened.value
    number = compared.computed.split(" (")[0]
    if figure.quantity == "percent":
        # Pages write whole percents, whatever the paper prints.
        number = wording.percent(compared.value / 100)
    wanted = f"P = {number}" if "log-rank P" in measure else number
    expect(view.get_by_test_id("stMain")).to_contain_text(
        re.compile(rf"(?<![\d.]){re.escape(wanted)}(?![\d])")
    )
    if "landmark" in measure or "alloSCT" in measure:
        expect(
            view.get_by_text("Landmark at 5.5 months from first complete remission")
        ).to_be_visible()
    view.close()
