"""Files between a click and the browser's fetch, while others use the same server."""

from __future__ import annotations

import pytest
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from pages.elements import downloads


@pytest.fixture
def files() -> downloads.Files:
    return downloads.Files(MemoryMediaFileStorage("/media"))


def button(files: downloads.Files) -> str:
    """Draw a button as a run of a page does, and return what it is known by."""
    return files.add_deferred(lambda: "rows", "text/csv", "0.1")


def others_run(files: downloads.Files) -> None:
    """End three runs of other people's pages."""
    for _ in range(3):
        files.remove_orphaned_files()


def content(files: downloads.Files, url: str) -> bytes | None:
    file = files.read_file(url.removeprefix("/media/"))
    return file and file.content


def test_a_file_is_there_until_the_browser_has_fetched_it(files: downloads.Files) -> None:
    made = files.execute_deferred(button(files))
    others_run(files)
    assert content(files, made) == b"rows"


def test_a_button_on_the_screen_works_while_its_page_runs_again(files: downloads.Files) -> None:
    on_the_screen = button(files)
    files.clear_session_refs()
    others_run(files)
    assert content(files, files.execute_deferred(on_the_screen)) == b"rows"


def test_what_nobody_uses_any_more_is_forgotten(
    files: downloads.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(downloads, "monotonic", lambda: now)
    left = button(files)
    made = files.execute_deferred(left)
    files.clear_session_refs()
    shown = button(files)
    for _ in range(2):
        others_run(files)
        now += downloads.KEPT_SECONDS
    others_run(files)
    assert content(files, made) is None
    with pytest.raises(MediaFileStorageError):
        files.execute_deferred(left)
    assert content(files, files.execute_deferred(shown)) == b"rows"


def test_a_file_made_anew_counts_from_then(
    files: downloads.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(downloads, "monotonic", lambda: now)
    shown = button(files)
    files.execute_deferred(shown)
    others_run(files)
    made = files.execute_deferred(shown)
    now += downloads.KEPT_SECONDS
    others_run(files)
    assert content(files, made) == b"rows"
