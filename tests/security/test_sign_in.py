"""The way of somebody through a real identity provider and back, in Chromium."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from data import audit
from tests.security.conftest import CANARY, STUDY, Server, served
from tests.security.outsider import PEOPLE, USER, ask, secrets, tab
from tools.serving import free_port

pytestmark = pytest.mark.browser
SIGN_IN = "Sign in"
VIEW = f"/survival?study={STUDY}&by=sex&endpoint=OS"


@pytest.fixture(scope="module")
def signing(canaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose identity provider knows the people of the tests."""
    place, port = tmp_path_factory.mktemp("signing"), free_port()
    people = [json.dumps({"sub": name, "email": email}) for name, email in PEOPLE.items()]
    # A process of its own: warnings, which are errors in tests, are none of ours there.
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    with (place / "provider.log").open("wb") as log:
        provider = subprocess.Popen(
            [*command, *(part for person in people for part in ("--user-claims", person))],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with served(place, canaries, secrets("URL", f"http://localhost:{port}")) as server:
            yield server
    finally:
        provider.terminate()
        provider.wait()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    context.set_default_timeout(30_000)
    yield context
    context.close()


def sign_in(page: Page, server: Server, name: str, view: str = VIEW) -> None:
    page.goto(server.url + view)
    page.get_by_role("button", name=SIGN_IN).click()
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_url(re.compile(re.escape(server.url)))


def test_a_link_opened_without_a_session_is_there_after_signing_in(
    signing: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text) if "Content Security" in m.text else None)
    page.goto(signing.url + VIEW)
    expect(page.get_by_role("heading", name="MRD Cohort Explorer")).to_be_visible()
    assert page.get_by_text("Nguyen").count() == 0
    sign_in(page, signing, "viewer")
    expect(page.get_by_role("heading", name="by sex")).to_be_visible()
    assert page.url == signing.url + VIEW
    # Every chart is drawn under the policy that lets no text become code.
    chart = page.locator("[data-testid=stVegaLiteChart] [class*=mark-line] path")
    expect(chart).not_to_have_count(0)
    assert refused == []
    names = {cookie["name"]: cookie for cookie in context.cookies()}
    assert "return_to" not in names
    assert names[USER]["httpOnly"]
    assert names[USER]["sameSite"] == "Lax"
    page.get_by_role("button", name="Signed in").click()
    expect(page.get_by_text(PEOPLE["viewer"])).to_be_visible()
    expect(page.get_by_text("as viewer")).to_be_visible()
    done = [(line.who, line.told["role"]) for line in audit.lines(signing.store)
            if line.what == "sign in"]  # fmt: skip
    assert done[-1] == (PEOPLE["viewer"], "viewer")


def test_signed_out_is_out_in_every_tab_and_with_a_copied_cookie(
    signing: Server, context: BrowserContext
) -> None:
    page, other = context.new_page(), context.new_page()
    sign_in(page, signing, "editor", f"/patients?study={STUDY}")
    expect(page.get_by_role("heading", name="The patients of this cohort")).to_be_visible()
    other.goto(f"{signing.url}/survival?study={STUDY}")
    expect(other.get_by_role("heading", level=1)).to_contain_text("survival")
    copied = {cookie["name"]: cookie["value"] for cookie in context.cookies(signing.url)}
    assert ask(f"{signing.url}/media/none", cookies=copied).status == 404
    page.get_by_role("button", name="Signed in").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("end_session"))
    other.get_by_role("link", name="Patients").click()
    expect(other.get_by_role("button", name=SIGN_IN)).to_be_visible()
    assert ask(f"{signing.url}/media/none", cookies=copied).status == 401
    with tab(signing.url, {USER: copied[USER]}) as again:
        assert CANARY not in again.open("patients", f"study={STUDY}").text


def test_who_has_no_role_is_told_so_and_can_sign_out(
    signing: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    sign_in(page, signing, "nobody")
    expect(page.get_by_text("nobody has given you access")).to_be_visible()
    expect(page.get_by_text(PEOPLE["nobody"])).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    refused = [line.who for line in audit.lines(signing.store) if line.what == "refused"]
    assert refused[-1] == PEOPLE["nobody"]


def test_a_cookie_that_names_a_page_elsewhere_leads_nowhere(
    signing: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(signing.url)
    page.get_by_role("button", name=SIGN_IN).click()
    page.get_by_role("button", name="viewer", exact=True).wait_for()
    context.add_cookies([{"name": "return_to", "value": "%2F%2Fevil.example", "url": signing.url}])
    page.get_by_role("button", name="viewer", exact=True).click()
    page.wait_for_url(f"{signing.url}/**")
    expect(page.get_by_role("heading", name="Who is in the cohort")).to_be_visible()


def test_a_download_by_a_viewer_is_logged_with_the_name_of_its_exhibit(
    signing: Server, context: BrowserContext
) -> None:
    page = context.new_page()
    sign_in(page, signing, "viewer")
    page.get_by_role("button", name="Take away").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").click()
    content = download.value.path().read_bytes()
    assert b"<svg" in content
    assert CANARY.encode() not in content
    line = [line for line in audit.lines(signing.store) if line.what == "download"][-1]
    assert (line.who, line.told["file"]) == (PEOPLE["viewer"], download.value.suggested_filename)
    assert CANARY not in signing.written


def test_every_page_is_drawn_under_the_policy(signing: Server, context: BrowserContext) -> None:
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text) if "Content Security" in m.text else None)
    sign_in(page, signing, "admin")
    for name in ("Overview", "MRD negativity", "Transplant", "Evidence", "Patients", "Present"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_function(
            "() => document.querySelector('[data-test-script-state=notRunning]')"
        )
    assert refused == []
