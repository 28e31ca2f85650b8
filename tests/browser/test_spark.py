"""The pages on Apache Spark: the same numbers as on DuckDB, and a lost cluster is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from data.engines import local, parquet, spark
from data.store import find
from tests.engines import beside as java
from tools.serving import serving

SLOW = 180_000
"""Milliseconds: a Spark starts, and every first question is compiled."""
SURVIVAL, MRD = (f"{page}?study=short2025&by=risk_group" for page in ("survival", "mrd"))


@pytest.fixture(scope="module")
def _spark() -> Iterator[None]:
    yield from java.spark("The journey on Apache Spark was not run.")


@pytest.fixture(scope="module")
def published(store: Path, _spark: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    parquet.publish(find("short2025", folder=store), folder)
    return folder


@pytest.fixture(scope="module")
def beside(published: Path) -> Iterator[str]:
    """Serve one cohort with a Spark that starts with the first question."""
    with serving(store=Path(f"{spark.LOCAL}{published}")) as url:
        yield url


@pytest.fixture
def elsewhere(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve it from a Spark that somebody else keeps."""
    address, _, token = local.running().partition("/;token=")
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", token)
    monkeypatch.setenv("COHORT_STORE", f"{address.replace('sc://', spark.CLUSTER)}/{published}")
    with serving() as url:
        yield url


def tables(page: Page, url: str, *, spark: bool) -> list[str]:
    """The texts of a page's tables, once all of it stands."""
    page.goto(url)
    expect(page.get_by_text("· snapshot ").last).to_be_visible(timeout=SLOW)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=SLOW)
    expect(page.get_by_text("computed by Apache Spark")).to_have_count(int(spark))
    expect(page.get_by_role("table").first).to_be_visible()
    return page.get_by_role("table").all_inner_texts()


@pytest.mark.parametrize("path", [SURVIVAL, MRD])
def test_the_pages_say_the_same(beside: str, server: str, page: Page, path: str) -> None:
    there = tables(page, f"{beside}/{path}", spark=True)
    assert there
    assert there == tables(page, f"{server}/{path}", spark=False)


def test_a_study_is_not_changed_from_here(beside: str, page: Page) -> None:
    page.goto(f"{beside}/cohorts")
    expect(page.get_by_text("changed where the data are")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("161 patients")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_a_lost_cluster_is_a_sentence_and_the_last_view_stays(elsewhere: str, page: Page) -> None:
    before = tables(page, f"{elsewhere}/{MRD}", spark=True)
    java.kill()
    page.get_by_role("button", name="High 59").click()
    expect(page.get_by_text("Apache Spark does not answer")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.get_by_role("button", name="Back to the last view").click()
    expect(page.get_by_text("computed by Apache Spark")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("does not answer")).to_have_count(0)
    assert page.get_by_role("table").all_inner_texts() == before
