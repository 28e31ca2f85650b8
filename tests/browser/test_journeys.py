"""What users do, in a real browser, from the first request to a fresh server on."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from data.cohort import CohortFilter
from data.queries import dictionary, size, subjects
from data.store import Snapshot
from tests.still import still
from tools.serving import serving
from tools.walk import READY

pytestmark = pytest.mark.browser

FIG_2B = "/survival?study=short2025&ph_status=negative&risk_group=high&by=mrd_after_cycle_1"
PAGES = ("/", "/survival", "/mrd", "/patients")


def cohort_line(page: Page, text: str) -> None:
    """Wait until the cohort line says `text`."""
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile(re.escape(text))).first).to_be_visible()


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def pill(page: Page, label: str) -> None:
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("button", name=re.compile(rf"^{re.escape(label)} \d+")).first.click()


@pytest.fixture
def fresh(store: Path) -> Iterator[str]:
    """A server of which nothing has been asked yet."""
    with serving(store=store) as url:
        yield url


def test_a_deep_link_is_the_first_request_of_a_fresh_server(fresh: str, page: Page) -> None:
    page.goto(fresh + FIG_2B)
    cohort_line(page, "59 of 161 patients")
    figure = page.get_by_test_id("stVegaLiteChart")
    expect(figure).to_contain_text("100% (")
    expect(figure).to_contain_text("38% (")
    expect(figure).to_contain_text("Log-rank P = 0.01")
    expect(figure).to_contain_text("9 (0)")
    expect(figure).to_contain_text("16 (0)")


def test_filter_page_back_back_reload_and_another_browser(
    server: str, page: Page, browser: Browser
) -> None:
    page.goto(f"{server}/survival?study=short2025")
    cohort_line(page, "161 of 161 patients")
    pill(page, "Ph-negative")
    cohort_line(page, "110 of 161 patients")
    assert query(page)["ph_status"] == ["negative"]
    page.get_by_role("link", name="MRD negativity").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("MRD negativity by risk group")
    cohort_line(page, "110 of 161 patients")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Relapse-free survival")
    cohort_line(page, "110 of 161 patients")
    page.go_back()
    cohort_line(page, "161 of 161 patients")
    assert "ph_status" not in query(page)
    pill(page, "High")
    cohort_line(page, "59 of 161 patients")
    page.reload()
    cohort_line(page, "59 of 161 patients")
    other = browser.new_context().new_page()
    other.goto(page.url)
    cohort_line(other, "59 of 161 patients")
    other.context.close()


@pytest.mark.parametrize("path", ["/survival", "/mrd"])
def test_after_back_a_click_keeps_every_filter(server: str, page: Page, path: str) -> None:
    # After Back the counts in the labels change, and the pills were drawn without their choice.
    both = "mrd_after_cycle_1=negative&mrd_3_months=negative"
    page.goto(f"{server}{path}?study=short2025&{both}")
    cohort_line(page, "MRD negative after cycle 1")
    pill(page, "Ph-negative")
    expect(page).to_have_url(re.compile("ph_status=negative"))
    cohort_line(page, "Ph-negative ·")
    page.go_back()
    expect(page).not_to_have_url(re.compile("ph_status"))
    expect(page.get_by_test_id("stMain").get_by_text("Ph-negative ·")).to_have_count(0)
    pill(page, "None")
    expect(page).to_have_url(re.compile("allosct=no"))
    asked = query(page)
    assert (asked["mrd_after_cycle_1"], asked["mrd_3_months"]) == (["negative"], ["negative"])


def test_two_quick_clicks_both_count(server: str, page: Page) -> None:
    page.goto(f"{server}/survival?study=short2025")
    cohort_line(page, "161 of 161 patients")
    pill(page, "Ph-negative")
    pill(page, "High")
    cohort_line(page, "59 of 161 patients")
    expect(page).to_have_url(re.compile("ph_status=negative.*risk_group=high"))


def test_after_quick_clicks_page_and_address_agree(
    server: str, page: Page, short2025: Snapshot
) -> None:
    # Faster than the page repaints a click can be lost, since a pill is known by its label and the
    # label holds a count; what must never happen is a link that shows another cohort than the page.
    page.goto(f"{server}/survival?study=short2025")
    cohort_line(page, "161 of 161 patients")
    for label in ("High", "Ph-negative", "Positive", "AlloSCT in CR1"):
        pill(page, label)
    variables = dictionary(short2025)

    def agree() -> bool:
        asked = query(page)
        asked.pop("study")
        n = size(short2025, CohortFilter.from_query(asked, variables), variables)
        return f"{n} of 161 patients" in page.get_by_test_id("stMain").inner_text()

    settled = 0
    for _ in range(100):
        page.wait_for_timeout(200)
        settled = settled + 1 if agree() else 0
        if settled == 5:
            return
    pytest.fail(f"{page.url} shows another cohort than it asks for")


def test_an_unknown_value_in_a_link_is_said(server: str, page: Page) -> None:
    page.goto(f"{server}/survival?study=short2025&risk_group=hihg")
    expect(page.get_by_text("‘hihg’ is not a level of Risk group")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(0)
    page.get_by_role("button", name="Show without it").click()
    cohort_line(page, "161 of 161 patients")


def test_another_study_starts_without_the_filters_of_the_first(server: str, page: Page) -> None:
    page.goto(server + FIG_2B)
    cohort_line(page, "59 of 161 patients")
    page.get_by_role("combobox", name="Study").first.click()
    page.get_by_role("option", name="Chiaretti 2004 (real)").click()
    cohort_line(page, "95 of 95 patients")
    assert query(page) == {"study": ["chiaretti2004"]}
    page.go_back()
    cohort_line(page, "59 of 161 patients")


def test_the_landmark_and_who_falls_out(server: str, page: Page) -> None:
    page.goto(f"{server}/survival?study=short2025&by=mrd_6_months")
    page.get_by_role("button", name="Start at 6 months").click()
    expect(page.get_by_text("Landmark at 6 months from first complete remission")).to_be_visible()
    # A list that is opened while the page is still on its way closes again.
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    page.get_by_text("List them").click()
    expect(page.get_by_text("event before the landmark").first).to_be_visible()


def test_hovering_reads_all_groups(server: str, page: Page) -> None:
    page.goto(server + FIG_2B)
    figure = page.get_by_test_id("stVegaLiteChart")
    expect(figure).to_contain_text("At risk")
    box = figure.bounding_box()
    assert box is not None
    tooltip = page.locator("#vg-tooltip-element")
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.move(box["x"] + 205, box["y"] + 110)
    expect(tooltip).to_contain_text("at risk")
    assert tooltip.inner_text().count("at risk") == 2


def test_the_file_holds_exactly_the_filtered_rows(
    server: str, page: Page, short2025: Snapshot
) -> None:
    page.goto(f"{server}/patients?study=short2025&risk_group=high&mrd_after_cycle_1=positive")
    cohort_line(page, "16 of 161 patients")
    with page.expect_download() as download:
        # A click with the mouse misses a button that moves while the page is still being drawn.
        page.get_by_role("button", name="Download CSV").press("Enter")
    content = download.value.path().read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    got = pd.read_csv(io.BytesIO(content), dtype=str)
    cohort = CohortFilter(risk_group=("high",), mrd_after_cycle_1=("positive",))
    want = subjects(short2025, cohort, dictionary(short2025))
    assert list(got["patient_id"]) == list(want["patient_id"])
    assert list(got["age_years"].astype(float)) == list(want["age_years"])
    assert short2025.hash in download.value.suggested_filename


def test_a_file_stays_while_others_use_the_server(
    server: str, page: Page, browser: Browser
) -> None:
    page.goto(f"{server}/patients?study=short2025")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").press("Enter")
    other = browser.new_page()
    for study in ("chiaretti2004", "nguyen2026", "short2025"):
        other.goto(f"{server}/patients?study={study}")
        other.wait_for_function(READY)
    other.close()
    # A browser that is slower than they are asks now.
    assert page.request.get(download.value.url).body() == download.value.path().read_bytes()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (1920, "light")])
def test_no_page_is_wider_than_its_window_or_calls_out(
    server: str, browser: Browser, path: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844 if width == 390 else 720}, color_scheme=scheme
    )
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console",
        lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None,
    )
    page.goto(f"{server}{path}?study=short2025")
    expect(page.get_by_text("161 of 161 patients").first).to_be_visible()
    page.get_by_text("snapshot").last.wait_for()
    still(page)
    widths = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stMain], [data-testid=stMainBlockContainer]')]"
        ".map((e) => [e.scrollWidth, e.clientWidth])"
    )
    assert widths
    assert all(scroll <= client for scroll, client in widths)
    local = re.compile(
        rf"^({re.escape(server)}|{re.escape(server.replace('http', 'ws'))}|data:|blob:)"
    )
    assert [url for url in asked if not local.match(url)] == []
    # Streamlit looks for its own health page under the path of a deep link first.
    assert [c for c in complaints if "404" not in c] == []
    context.close()
