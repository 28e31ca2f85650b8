"""A data manager's own file, from the drop zone to a curve, by clicks alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.queries import dictionary, events
from data.store import find, snapshots
from tests.hostile import RAN, TEXTS
from tests.still import still
from tools.serving import serving

pytestmark = pytest.mark.browser

DEMO = Path(__file__).parents[2] / "data" / "demo" / "chiaretti2004"


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    import_folder(DEMO, "chiaretti2004", folder)
    return folder


@pytest.fixture(scope="module")
def own_server(own_store: Path) -> Iterator[str]:
    with serving(store=own_store) as url:
        yield url


def main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def settle(page: Page) -> None:
    """Wait until the script has run and everything it drew is there."""
    # A click is on its way to the server before the page says so.
    page.wait_for_timeout(100)
    still(page)


def drop(page: Page, url: str, *files: Path) -> None:
    """Drop files and wait until they are read."""
    page.goto(f"{url}/cohorts")
    page.locator("input[type=file]").set_input_files([str(file) for file in files])
    button = page.get_by_role("button", name=re.compile(r"^arrow_forward Read \d|Read \d+ file"))
    expect(button).to_be_enabled()
    button.click()
    expect(page).to_have_url(re.compile("import="))
    expect(page.get_by_role("button", name="Continue with the columns")).to_be_visible()


def choose(page: Page, label: str | re.Pattern[str], option: str) -> None:
    box = page.get_by_role("combobox", name=label).first
    box.click()
    page.get_by_role("option", name=option).first.click()
    settle(page)


def confirm_every_proposal(page: Page) -> None:
    buttons = page.get_by_role("button", name=re.compile(r"Confirm \d+ proposals?"))
    expect(buttons.first).to_be_visible()
    while n := buttons.count():
        buttons.first.click()
        expect(buttons).to_have_count(n - 1)
        settle(page)


def check(page: Page) -> None:
    page.get_by_role("button", name="Check everything").click()
    expect(page.get_by_role("heading", name="What was found")).to_be_visible(timeout=60_000)
    settle(page)


def publish(page: Page, who: str) -> None:
    page.get_by_role("button", name="Continue to publishing").click()
    page.get_by_label("Your name, for the history").fill(who)
    page.get_by_label("Your name, for the history").press("Enter")
    settle(page)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(main(page).get_by_text("The files that were read are deleted")).to_be_visible()


def test_the_raw_chiaretti_table_from_the_file_to_the_curve(
    own_server: str, own_store: Path, page: Page
) -> None:
    drop(page, own_server, DEMO / "ALL_pData.csv")
    expect(main(page)).to_contain_text("128 rows, 22 columns")
    page.get_by_role("button", name="Continue with the columns").click()
    expect(main(page)).to_contain_text("questions left")
    expect(main(page)).to_contain_text("29 of 87 different dates could be read with day and month")
    confirm_every_proposal(page)
    expect(main(page)).to_contain_text("1 question left")
    assert page.get_by_role("button", name="Check everything").is_disabled()
    # A reload in the middle goes on where it was.
    page.reload()
    expect(main(page)).to_contain_text("1 question left")
    choose(page, "Whose day is it?", "of the relapse or the death")
    expect(main(page)).to_contain_text("Every question is answered")
    main(page).get_by_role("radio", name=re.compile("The study")).click()
    page.get_by_text("Only our own group looks at it").click()
    settle(page)
    check(page)
    for quirk in (
        "36 of 91 different dates could be read",
        "it differs from ‘cod’ by leading zeros alone, in 21 rows",
        "Ph-positive, but no t(9;22) on karyotype",
        "a death whose day is not known",
        "9 of 9 alloSCT have no day",
        "for 28 of 128 patients it is not known whether there was a relapse",
        "15 of 16 known events have no date",
        "last follow-up without a date",
    ):
        expect(main(page)).to_contain_text(quirk)
    page.get_by_text("this is not a day that can be read").click()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    sheet = Path(download.value.path()).read_text("utf-8-sig")
    assert "00/09/20+T12501" in sheet
    publish(page, "A. Manager")
    page.get_by_role("link", name="Published: open it").click()
    expect(main(page).get_by_text("128 of 128 patients")).to_be_visible()
    assert not [*(own_store / ".jobs").glob("*/files")]

    n, n_events = rfs(own_store, "chiaretti2004", CohortFilter())
    assert rfs(own_store, "all_pdata", CohortFilter().with_("lineage", ("B",))) == (n, n_events)
    page.goto(f"{own_server}/survival?study=all_pdata&endpoint=RFS")
    expect(main(page).get_by_text("128 of 128 patients")).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_text("More filters").click()
    box = page.get_by_role("combobox", name="Find a variable")
    box.click()
    box.press_sequentially("Lineage: B")
    settle(page)
    page.get_by_role("option").first.click()
    expect(main(page).get_by_text("95 of 128 patients")).to_be_visible()
    expect(main(page).get_by_text(f"{n_events} events").first).to_be_visible()
    assert (n, n_events) == (66, 50)


def rfs(folder: Path, study_id: str, cohort: CohortFilter) -> tuple[int, int]:
    """Return patients and events of RFS."""
    snapshot = find(study_id, folder=folder)
    table = events(snapshot, cohort, dictionary(snapshot), endpoint="RFS")
    counts = table[["n_event", "n_competing", "n_censored"]].sum()
    return int(counts.sum()), int(counts["n_event"])


def test_a_study_is_deleted_after_saying_what_goes(
    own_server: str, own_store: Path, page: Page
) -> None:
    page.goto(f"{own_server}/cohorts")
    card = page.get_by_test_id("stVerticalBlock").filter(has_text="Chiaretti 2004 (real)").last
    card.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the study Chiaretti 2004 (chiaretti2004, 95 patients)")
    expect(dialog.get_by_role("button", name="Delete it for good")).to_be_disabled()
    name = dialog.get_by_label("Your name, for the history")
    name.fill("Ann")
    name.press("Enter")
    dialog.get_by_role("button", name="Delete it for good").click()
    expect(dialog).to_have_count(0)
    expect(main(page).get_by_text("Chiaretti 2004 (real)")).to_have_count(0)
    assert "chiaretti2004" not in {snapshot.study_id for snapshot in snapshots(own_store)}
    assert not [*own_store.glob("chiaretti2004*.duckdb")]


def test_a_hostile_file_is_only_text_on_every_screen(
    own_server: str, tmp_path: Path, page: Page
) -> None:
    names = [text for text in TEXTS if text.strip() and "\x07" not in text and "\t" not in text]
    names = list(dict.fromkeys(" ".join(name.split())[:200] for name in names))[:24]
    file = tmp_path / "hostile.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["patient_id", "sex", *names])
        for row in range(12):
            sex = "<b>f</b>" if row % 2 else "=1+1"
            writer.writerow([f"P{row}", sex, *(names[(row + i) % 3] for i in range(len(names)))])
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    drop(page, own_server, file)
    page.get_by_role("button", name="Continue with the columns").click()
    expect(main(page)).to_contain_text("=1+1")
    main(page).get_by_text(re.compile(r"^Left out \(")).click()
    settle(page)
    for text in ("<script>", "![picture]", "DROP TABLE patients; --", "émoji", "مرحبا"):
        expect(main(page)).to_contain_text(text)
    kept = page.locator("[class*='_0_2_0_target'] input")
    kept.click()
    page.get_by_role("option", name="A variable of this study").click()
    settle(page)
    choose(page, "What are its values?", "category")
    for label in ("=1+1 (6)", "</b> (6)"):
        choose(page, label, "female")
    check(page)
    for fold in main(page).get_by_test_id("stExpander").all()[:6]:
        fold.locator("summary").click()
        settle(page)
    assert not page.evaluate(f"window.{RAN}")
    assert not [url for url in asked if not url.startswith((own_server, "data:", "blob:"))]
    page.get_by_role("button", name="Cancel the import").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
    expect(main(page)).to_contain_text("Studies in this store")
    assert "import" not in page.url
