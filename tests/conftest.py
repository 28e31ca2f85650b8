"""What all tests share: a store with the embedded cohorts, built by the importer itself, and a Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from data.importing.publish import import_folder
from data.queries import dictionary
from data.store import Snapshot
from data.variables import Dictionary
from tools.serving import CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("quick")

DEMO = Path(__file__).parents[1] / "data" / "demo"


LONG = ("browser", "security", "deploy", "engines", "faults")
"""Folders of tests that start servers or browsers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first: the short ones then fill what is left of either worker.

    What starts servers and browsers is tried once more where it fails: beside other tests on two cores a
    click can be lost. What fails for a reason fails twice.
    """
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    for item in items:
        if item.path.parent.name in LONG:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show why something had to be tried twice: it passed, and is still to be looked at."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried once more: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for study in ("allmrd", "chiaretti2004", "nguyen2026", "short2025"):
        import_folder(DEMO / study, study, folder)
    os.environ["COHORT_STORE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def short2025(store: Path) -> Snapshot:
    from data.store import find

    return find("short2025", folder=store)


@pytest.fixture(scope="session")
def chiaretti2004(store: Path) -> Snapshot:
    from data.store import find

    return find("chiaretti2004", folder=store)


@pytest.fixture(scope="session")
def variables(short2025: Snapshot) -> Dictionary:
    return dictionary(short2025)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # One of a process: Playwright does not start a second time beside itself.
    if CHROMIUM is None:
        reason = "Chromium is not installed: this browser journey was not run."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
