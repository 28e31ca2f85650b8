"""What a starting server computes: the pages of the cohort that it opens, and nothing that can stop it."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import store as stores
from pages.elements import access, catalogue, exhibits, frame, warm
from pages.elements.link import View


def test_the_first_visitor_finds_the_figures_made(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(store))
    made: list[str] = []
    whole = exhibits.exhibit
    monkeypatch.setattr(
        exhibits, "exhibit", lambda key, cohort: (made.append(key), whole(key, cohort))[1]
    )
    warm.warm()
    assert {exhibits.FIGURES[key].page for key in made} == {*warm._PAGES}
    assert not {*made} & {*warm._WHERE_CHOSEN}
    snapshot = catalogue.opened_first()
    study, variables = access.study(snapshot), access.dictionary(snapshot)
    # As a page makes it; the same object, not one made anew.
    cohort = frame.Cohort(snapshot, study, variables, View(snapshot.study_id))
    for key in made:
        assert whole(key, cohort) is whole(key, cohort)
    monkeypatch.setattr(stores, "query", None)
    assert access.size(snapshot, cohort.filter) == 161


@pytest.mark.parametrize("there", [True, False])
def test_a_store_that_cannot_be_shown_does_not_stop_the_server(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store"
    if there:
        folder.mkdir()
        (folder / "a.json").write_text("{", "utf-8")
    monkeypatch.setenv("COHORT_STORE", str(folder))
    warm.begin()


def test_a_figure_that_fails_leaves_the_others(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(store))
    made: list[str] = []

    def failing(key: str, cohort: frame.Cohort) -> None:
        made.append(key)
        raise ValueError("Jane Doe")

    monkeypatch.setattr(exhibits, "exhibit", failing)
    warm.warm()
    assert len(made) > 10
    assert "ValueError" in caplog.text
    assert "Jane" not in caplog.text
