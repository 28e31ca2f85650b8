"""Two versions of the program on one store: what another one made is named as such, and stays."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.kill import STUDY, two_contents
from data.importing import history, publish
from data.importing.publish import import_folder
from data.store import (
    FORMAT,
    Snapshot,
    SnapshotError,
    file_sha256,
    find,
    read_json,
    snapshots,
    sql_text,
)

ROOT = Path(__file__).parents[2]
KNOWN = (2, "1baaa7e7db47f06a")
"""`FORMAT`, and the hash of what schema and derivations say since then."""

_COMMENT = re.compile(r"--[^\n]*")


def test_the_format_is_raised_with_what_snapshots_hold() -> None:
    texts = [sql_text(name) for name in ("schema", *publish._DERIVATIONS)]
    said = "\0".join(" ".join(_COMMENT.sub("", text).split()) for text in texts)
    now = (FORMAT, hashlib.sha256(said.encode("utf-8")).hexdigest()[:16])
    assert now == KNOWN, (
        "The schema or a derivation has changed. Raise FORMAT in data/engines/base.py if snapshots made "
        f"before lack what is read now, or would give other numbers; then write {now} here."
    )


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return two_contents(tmp_path_factory.mktemp("contents"))


@pytest.fixture(scope="module")
def published(contents: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "store"
    for source in contents:
        import_folder(source, STUDY, folder)
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = Path(shutil.copytree(published, tmp_path / "store"))
    monkeypatch.setenv("COHORT_STORE", str(copy))
    yield copy
    st.cache_resource.clear()


def of_another_version(snapshot: Snapshot, version: int) -> Snapshot:
    """Have a snapshot be what another version made: without a column that is read here."""
    snapshot.path.chmod(0o644)
    with duckdb.connect(str(snapshot.path)) as connection:
        connection.execute("ALTER TABLE endpoints DROP COLUMN from_day_zero")
        connection.execute("CHECKPOINT")
    record = snapshot.path.with_suffix(".json")
    fields = {**read_json(record), "file_sha256": file_sha256(snapshot.path), "format": version}
    if not version:  # from before it was counted
        del fields["format"]
    record.write_text(json.dumps(fields), "utf-8")
    return find(snapshot.study_id, snapshot.hash, snapshot.path.parent)


def run(page: str = "app.py") -> AppTest:
    test = AppTest.from_file(str(ROOT / page), default_timeout=60)
    test.query_params["study"] = STUDY
    return test.run()


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (0, "from an earlier version of the program and is not shown. Import the study again."),
        (
            FORMAT + 1,
            "from a later version of the program than runs here and is not shown. Update",
        ),
    ],
)
def test_a_snapshot_of_another_version_is_named_and_another_offered(
    folder: Path, version: int, said: str
) -> None:
    served = of_another_version(find(STUDY, folder=folder), version)
    (other,) = {s.hash for s in snapshots(folder)} - {served.hash}
    test = run()
    assert not test.exception
    assert said in test.error[0].value
    (offer,) = [button for button in test.button if other in button.label]
    test = offer.click().run()
    assert not test.error
    cohorts = run("pages/cohorts.py")
    assert not cohorts.exception
    assert said in cohorts.error[0].value
    history.roll_back(STUDY, other, "ann", folder)
    assert not run().error
    with pytest.raises(SnapshotError, match="version of the program"):
        history.roll_back(STUDY, served.hash, "ann", folder)
    assert find(STUDY, folder=folder).hash == other


def test_what_cannot_be_read_is_not_offered(folder: Path) -> None:
    for snapshot in snapshots(folder):
        of_another_version(snapshot, 0)
    test = run()
    assert "earlier version" in test.error[0].value
    assert not [button for button in test.button if "snapshot" in button.label]


def test_importing_again_serves_a_new_snapshot_and_keeps_the_old(
    contents: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "FORMAT", 0)
    before, _ = import_folder(contents[0], STUDY, tmp_path)
    assert before.format == 0
    monkeypatch.undo()
    after, _ = import_folder(contents[0], STUDY, tmp_path)
    assert after.format == FORMAT
    assert {s.hash for s in snapshots(tmp_path)} == {before.hash, after.hash}
    assert find(STUDY, folder=tmp_path).hash == after.hash
