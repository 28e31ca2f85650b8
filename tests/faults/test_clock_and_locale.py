"""Numbers, files and the order of things do not depend on language, time zone or clock of the server."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kill import STUDY, two_contents
from data.importing import history
from data.importing.history import roll_back
from data.importing.jobs import tidy
from data.importing.publish import import_folder
from data.store import find

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"tr_TR": "Pacific/Kiritimati", "de_DE": "America/St_Johns", "ar_SA": "Asia/Kathmandu"}
"""Languages that write numbers, capitals or dates in another way, and time zones far from each other."""


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The languages, made for this test: a server need not have them."""
    folder = tmp_path_factory.mktemp("languages")
    for language in ELSEWHERE:
        reason = f"The language {language} cannot be made here: what it changes was not tested."
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "-i", language, "-f", "UTF-8", folder / f"{language}.UTF-8"],
            capture_output=True,
        )
        if not made or made.returncode:
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
    return folder


def said(store: Path, *part: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.said", str(store), *part],
        cwd=ROOT, env=os.environ | environment, capture_output=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_language_and_time_zone_of_the_server_change_nothing(
    languages: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as two:
        whole = two.submit(said, tmp_path / "usual", LC_ALL="C.UTF-8", TZ="UTC")
        parts = {
            language: two.submit(
                said, tmp_path / language, str(number), str(len(ELSEWHERE)),
                LOCPATH=str(languages), LC_ALL=f"{language}.UTF-8", TZ=zone,
            )
            for number, (language, zone) in enumerate(ELSEWHERE.items())
        }  # fmt: skip
    usual, seen = whole.result(), set[str]()
    for language, part in parts.items():
        for name, what in part.result().items():
            assert what == usual[name], (language, name)
            seen.add(name)
    assert seen == usual.keys()
    assert len(seen) > 20


class Clock:
    """A clock that a test sets."""

    UTC = datetime.UTC
    now_is = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

    @property
    def datetime(self) -> Clock:
        return self

    def now(self, _: datetime.tzinfo) -> datetime.datetime:
        return self.now_is


def test_a_clock_that_is_set_back_changes_nothing_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, store = Clock(), tmp_path / "store"
    monkeypatch.setattr(history, "datetime", clock)
    first, second = two_contents(tmp_path)
    before, _ = import_folder(first, STUDY, store)
    clock.now_is -= datetime.timedelta(days=400)
    after, _ = import_folder(second, STUDY, store)
    assert after.published_at < before.published_at
    tidy(store)
    assert find(STUDY, folder=store).hash == after.hash
    assert [entry.snapshot for entry in history.history(STUDY, store)] == [after.hash, before.hash]
    clock.now_is -= datetime.timedelta(days=400)
    roll_back(STUDY, before.hash, "ann", store)
    tidy(store)
    assert find(STUDY, folder=store).hash == before.hash
    assert history.history(STUDY, store)[0].what == "roll back"
