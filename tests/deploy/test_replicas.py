"""Two replicas over one store behind nginx: what is published shows, and a lost one loses no view."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from data.store import find
from tests.deploy.conftest import Site, asking_again, connected
from tools.serving import ROOT

pytestmark = pytest.mark.browser

STUDY = "nguyen2026"
VIEW = f"/patients?study={STUDY}&ph_status=negative"
WHOLE = "26 of 38 patients"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that trusts the certificate of the trial."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, accept_downloads=True, ignore_https_errors=True
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def cohort_line(page: Page, text: str) -> None:
    expect(
        page.get_by_test_id("stMain").get_by_text(re.compile(re.escape(text))).first
    ).to_be_visible()


def pill(page: Page, label: str) -> None:
    """Click a filter: it brings a number that only the server can know."""
    connected(page)
    name = re.compile(rf"^{re.escape(label)} \d+")
    page.get_by_test_id("stSidebar").get_by_role("button", name=name).first.click()


def downloaded(page: Page) -> list[dict[str, str]]:
    """Return the patients of the file that the page gives."""
    connected(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    with Path(waiting.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


def replica(page: Page) -> str:
    """Return which replica the browser is bound to."""
    (name,) = [c["value"] for c in page.context.cookies() if c["name"] == "cohort_replica"]
    return str(name)


def command(site: Site, *arguments: object) -> None:
    subprocess.run(
        [sys.executable, "-m", "data", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"COHORT_STORE": str(site.store)}, check=True, capture_output=True,
    )  # fmt: skip


def bound_to(site: Site, **headers: str) -> list[str]:
    """Return the parts of the cookie that binds a visitor to a replica; none if it is not set."""
    status, answered, _ = site.get("/_stcore/health", **headers)
    assert status == 200
    cookies = [cookie.split("; ") for cookie in answered.get_all("Set-Cookie") or []]
    assert all("Secure" in parts for parts in cookies)
    return [part for parts in cookies if parts[0].startswith("cohort_replica=") for part in parts]


def test_whoever_comes_is_shared_out_and_stays(site: Site) -> None:
    drawn = {bound_to(site)[0] for _ in range(40)}
    assert drawn == {"cohort_replica=a", "cohort_replica=b"}
    for name in "ab":
        for _ in range(5):
            # Said again it could overtake a websocket that another replica has answered.
            assert bound_to(site, Cookie=f"cohort_replica={name}") == []
        # The proxy writes a line when the answer is out, so the last one can come after it.
        deadline = time.monotonic() + 30
        while answered_by(site, 5) != {site.ports[name]}:
            assert time.monotonic() < deadline, answered_by(site, 5)
            time.sleep(0.05)


def answered_by(site: Site, last: int) -> set[int]:
    """Return the ports of the replicas that the proxy says gave its last answers."""
    lines = (site.logs / "access.log").read_text("utf-8").splitlines()[-last:]
    return {int(port) for line in lines for port in re.findall(r" 127\.0\.0\.1:(\d+) 200$", line)}


def test_what_the_proxy_answers_itself(site: Site) -> None:
    assert site.get("/_stcore/metrics")[0] == 404
    _, headers, _ = site.get("/")
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    bound = bound_to(site, Cookie="cohort_replica=elsewhere")
    assert bound[0] in ("cohort_replica=a", "cohort_replica=b")
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(bound)


def test_a_name_that_is_not_the_sites_gets_no_answer(site: Site) -> None:
    port = urlsplit(site.url).port
    assert port is not None
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLError):
        careless.wrap_socket(plain, server_hostname="elsewhere.example")


def without_one(folder: Path) -> Path:
    """Return the folder of a study as it is after a Ph-negative patient has withdrawn consent."""
    shutil.copytree(ROOT / "data" / "demo" / STUDY, folder)
    for path in folder.glob("*.csv"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("N02,")), "utf-8")
    return folder


def test_what_is_published_shows_on_every_replica_at_the_next_click(
    site: Site, page: Page, browser: Browser, tmp_path: Path
) -> None:
    pages = {}
    for name in "ab":
        context = browser.new_context(ignore_https_errors=True)
        context.add_cookies([{"name": "cohort_replica", "value": name, "url": site.url}])
        pages[name] = context.new_page()
        pages[name].goto(site.url + f"/survival?study={STUDY}")
        cohort_line(pages[name], "38 of 38 patients")
    before = find(STUDY, folder=site.store).hash
    command(site, "import", without_one(tmp_path / "fresh"), "--study", STUDY)
    for name in "ab":
        pill(pages[name], "Ph-negative")
        cohort_line(pages[name], "of 37 patients")
        assert replica(pages[name]) == name
    command(site, "rollback", "--study", STUDY, "--snapshot", before)
    for name in "ab":
        pill(pages[name], "Ph-negative")
        cohort_line(pages[name], "38 of 38 patients")
        pages[name].context.close()


def test_a_killed_replica_loses_no_view_and_files_still_come(site: Site, page: Page) -> None:
    page.goto(site.url + VIEW)
    cohort_line(page, WHOLE)
    rows = downloaded(page)
    pill(page, "Standard")
    cohort_line(page, "12 of 38 patients")
    address = page.url
    first = replica(page)
    with asking_again(page):
        site.kill(first)
    assert page.url == address
    pill(page, "Standard")
    cohort_line(page, WHOLE)
    other = replica(page)
    assert {first, other} == {"a", "b"}
    assert downloaded(page) == rows
    site.start(first)
    site.up(first)
    # nginx asks a replica that failed again after 5 seconds: by then the cookie must name the other.
    page.wait_for_timeout(6_000)
    assert downloaded(page) == rows
    assert replica(page) == other


def test_a_rolling_restart_loses_no_view(site: Site, page: Page) -> None:
    page.goto(site.url + VIEW)
    cohort_line(page, WHOLE)
    for name, label, patients in (("a", "High", 14), ("b", "Standard", 26)):
        address = page.url
        site.restart(name)
        assert page.url == address
        pill(page, label)
        cohort_line(page, f"{patients} of 38 patients")
    assert len(downloaded(page)) == 26


def test_neither_views_nor_sessions_are_in_the_logs(site: Site, page: Page) -> None:
    page.goto(site.url + VIEW)
    cohort_line(page, WHOLE)
    downloaded(page)
    log = "".join(path.read_text("utf-8") for path in site.logs.glob("*.log"))
    assert " GET /patients 200 " in log
    assert " GET /media 200 " in log
    assert not re.search(r"\?|ph_status|(?<!/static)/media/\w|upload_file/\w", log)
