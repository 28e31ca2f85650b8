"""A store that is gone, locked, damaged or slow: pages say what is the matter, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.kill import STUDY, two_contents
from data.__main__ import main
from data.engines import duck
from data.importing import history, publish
from data.importing.disk import StoreNotWritable
from data.importing.jobs import tidy
from data.importing.publish import import_folder
from data.store import Snapshot, SnapshotError, find, pointer, records, snapshots, verify

ROOT = Path(__file__).parents[2]
PAGES = ["app.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
OTHER = "nguyen2026"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return two_contents(tmp_path_factory.mktemp("contents"))


@pytest.fixture(scope="module")
def published(
    contents: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A store with two snapshots of one study, which shows counts from 7, and one of another."""
    folder = tmp_path_factory.mktemp("published") / "store"
    hashes = [import_folder(source, STUDY, folder)[0].hash for source in contents]
    history.set_minimum(STUDY, 7, "ann", folder)
    import_folder(ROOT / "data" / "demo" / OTHER, OTHER, folder)
    return folder, hashes


@pytest.fixture
def folder(
    published: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    copy = Path(shutil.copytree(published[0], tmp_path / "store"))
    monkeypatch.setenv("COHORT_STORE", str(copy))
    yield copy
    # The same snapshots stand elsewhere in the next test.
    st.cache_resource.clear()


@pytest.fixture
def hashes(published: tuple[Path, list[str]]) -> list[str]:
    return published[1]


def run(page: str = "app.py", study: str = STUDY) -> AppTest:
    test = AppTest.from_file(str(ROOT / page), default_timeout=60)
    test.query_params["study"] = study
    return test.run()


def sentence(test: AppTest) -> str:
    """The one error on a page, which has to stand."""
    assert not test.exception
    (error,) = test.error
    return str(error.value)


def spoil(path: Path, content: bytes | None = None) -> None:
    """Damage a file, or give it another content."""
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)


# --- the folder


def test_a_store_that_goes_away_is_said_and_comes_back(folder: Path) -> None:
    test = run()
    assert not test.error
    away = folder.rename(folder.with_name("away"))
    assert "folder of this store is not there" in sentence(test.run())
    away.rename(folder)
    assert not test.run().error


@pytest.mark.parametrize("page", PAGES)
def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def refused(path: object = ".") -> list[str]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("data.store.os.listdir", refused)
    test = run(page)
    assert not test.exception
    said = " ".join(str(error.value) for error in test.error)
    assert "could not be shown" in said if page == "pages/cohorts.py" else "Permission" in said
    assert str(folder) not in said


def test_a_disk_that_fails_while_the_pointer_is_read_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_text

    def failing(self: Path, *arguments: str, **options: str) -> str:
        if self.name == f"{STUDY}.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return real(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", failing)
        assert "cannot be read just now (Input/output error)" in sentence(run())
    assert not run().error


@pytest.fixture
def read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store on a file system that takes no writes."""
    open_, mkdir = os.open, os.mkdir

    def refuse(path: object) -> None:
        if folder in (Path(str(path)), *Path(str(path)).parents):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def opened(path: str, flags: int, *arguments: int, **options: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refuse(path)
        return open_(path, flags, *arguments, **options)

    def made(path: str, *arguments: int, **options: int) -> None:
        if not os.path.isdir(path):
            refuse(path)
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "mkdir", made)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_store_that_is_read_only_shows_everything(read_only: Path, page: str) -> None:
    test = run(page)
    assert not test.exception
    assert not test.error


def test_a_store_that_is_read_only_takes_nothing_and_says_so(
    read_only: Path, contents: list[Path], hashes: list[str]
) -> None:
    with pytest.raises(StoreNotWritable) as caught:
        import_folder(contents[0], STUDY, read_only)
    assert caught.value.errno == errno.EROFS
    said = str(caught.value)
    assert "cannot be written (Read-only file system). Nothing was changed." in said
    assert str(read_only) not in said
    with pytest.raises(StoreNotWritable):
        history.roll_back(STUDY, hashes[0], "ann", read_only)
    assert find(STUDY, folder=read_only).hash == hashes[1]
    assert main(["list"]) == 0


# --- damage


@pytest.mark.parametrize("content", [b"", b'{"snapshot": ', b"[1]", b'{"snapshot": 1}'])
def test_a_damaged_pointer_is_read_in_the_history_and_mended(
    folder: Path, hashes: list[str], content: bytes
) -> None:
    whole = pointer(folder, STUDY)
    spoil(folder / f"{STUDY}.json", content)
    served = find(STUDY, folder=folder)
    assert (served.hash, served.small_cell_minimum) == (hashes[1], 7)
    assert not run().error
    history.delete(STUDY, hashes[0], "ann", folder)
    assert find(STUDY, folder=folder).hash == hashes[1]
    tidy(folder)
    assert json.loads((folder / f"{STUDY}.json").read_text("utf-8")) == whole
    assert [s.hash for s in snapshots(folder) if s.study_id == STUDY] == [hashes[1]]


def test_a_pointer_that_is_gone_shows_no_small_count(folder: Path, hashes: list[str]) -> None:
    (folder / f"{STUDY}.json").unlink()
    with pytest.raises(SnapshotError, match="missing or damaged") as caught:
        find(STUDY, folder=folder)
    assert caught.value.previous is not None
    assert caught.value.previous.small_cell_minimum == 7
    assert history.roll_back(STUDY, hashes[0], "ann", folder).small_cell_minimum == 7


def test_without_pointer_and_history_the_usual_minimum_holds(
    folder: Path, hashes: list[str]
) -> None:
    (folder / f"{STUDY}.json").unlink()
    (folder / f"{STUDY}.history.jsonl").unlink()
    assert find(STUDY, hashes[0], folder).small_cell_minimum == publish.MINIMUM


def test_a_damaged_record_is_said_and_its_snapshot_kept(
    folder: Path, contents: list[Path], hashes: list[str]
) -> None:
    served = find(STUDY, folder=folder)
    spoil(served.path.with_suffix(".json"))
    tidy(folder)
    assert served.path.exists()
    test = run()
    assert "missing or damaged" in sentence(test)
    assert any(hashes[0] in button.label for button in test.button)
    import_folder(contents[1], STUDY, folder)
    again = find(STUDY, folder=folder)
    verify(again)
    assert again.hash == served.hash


def test_a_study_whose_only_record_is_damaged_is_not_called_unknown(folder: Path) -> None:
    spoil(find(OTHER, folder=folder).path.with_suffix(".json"))
    assert "is damaged. Import the study again." in sentence(run(study=OTHER))


@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_study_leaves_the_pages_of_the_others_standing(folder: Path, page: str) -> None:
    spoil(find(OTHER, folder=folder).path)
    test = run(page)
    assert not test.exception
    said = [str(error.value) for error in test.error]
    if page == "pages/cohorts.py":
        assert len(said) == 1
        assert "is damaged and is not shown" in said[0]
    else:
        assert said == []
        assert "damaged" in sentence(run(page, OTHER))


def test_a_file_that_can_no_longer_be_read_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cursor:
        def __enter__(self) -> Cursor:
            return self

        def __exit__(self, *_: object) -> None: ...

        def execute(self, *_: object) -> None:
            raise duck.duckdb.IOException("IO Error: /secret/path")

    class Connection:
        cursor = Cursor

    monkeypatch.setattr(duck, "_connection", lambda *_: Connection())
    with pytest.raises(SnapshotError, match="gone or cannot be read") as caught:
        records(find(STUDY, folder=folder), "SELECT 1")
    assert "secret" not in str(caught.value)


# --- a slow disk


def test_a_slow_disk_holds_up_those_alone_who_ask_for_what_is_on_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = find(STUDY, folder=folder), find(OTHER, folder=folder)
    began, arrived = threading.Event(), threading.Event()
    real = duck.file_sha256

    def delayed(path: Path) -> str:
        if path == slow.path:
            began.set()
            assert arrived.wait(60)
        return real(path)

    monkeypatch.setattr(duck, "file_sha256", delayed)
    found: dict[str, int] = {}

    def ask(snapshot: Snapshot) -> None:
        (row,) = records(snapshot, "SELECT count(*) AS n FROM patients")
        found[snapshot.study_id] = row["n"]

    waiting = [threading.Thread(target=ask, args=(slow,)) for _ in range(3)]
    other = threading.Thread(target=ask, args=(quick,))
    for thread in waiting:
        thread.start()
    try:
        assert began.wait(60)
        other.start()
        other.join(60)
        assert found == {OTHER: 38}
    finally:
        arrived.set()
    for thread in waiting:
        thread.join(60)
    assert found == {OTHER: 38, STUDY: 10}
