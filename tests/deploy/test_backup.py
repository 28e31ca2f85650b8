"""A store copied as docs/administration.md says while others publish, and put back, is whole."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from data.importing.history import history
from data.store import find, snapshots, verify
from tests.deploy.conftest import needed
from tools.serving import ROOT

STUDY = "nguyen2026"
DOCUMENT = (ROOT / "docs" / "administration.md").read_text("utf-8")


def documented(program: str) -> str:
    """Return the command of the document that starts a program."""
    (line,) = re.findall(rf"^sudo (?:-u cohort )?({program} .+)$", DOCUMENT, re.MULTILINE)
    return line


def test_a_backup_during_publishing_is_whole_and_can_be_put_back(tmp_path: Path) -> None:
    needed("flock")
    store = tmp_path / "store"
    shutil.copytree(ROOT / "data" / "demo" / STUDY, tmp_path / "fewer")
    for path in (tmp_path / "fewer").glob("*.csv"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.startswith("N02,")), "utf-8")
    environment = os.environ | {"COHORT_STORE": str(store)}
    publishing = " && ".join(
        f"{shlex.quote(sys.executable)} -m data import {shlex.quote(str(folder))} --study {STUDY}"
        for folder in (ROOT / "data" / "demo" / STUDY, tmp_path / "fewer")
    )
    subprocess.run(
        publishing, shell=True, cwd=ROOT, env=environment, check=True, capture_output=True
    )
    publisher = subprocess.Popen(
        f"while {publishing}; do :; done", shell=True, cwd=ROOT, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    taken = []
    try:
        while len(history(STUDY, store)) < 5:
            target = tmp_path / f"{len(taken)}.tar"
            command = documented("flock").replace("/var/lib/cohort-explorer", str(store))
            command = command.replace("/var/backups/cohort-explorer/$(date +%F).tar", str(target))
            # 1: tar saw the audit log grow while it read it.
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
            assert done.returncode in (0, 1), done.stderr
            taken.append(target)
            time.sleep(0.5)  # for those who wait for the lock
    finally:
        os.killpg(publisher.pid, 9)
        publisher.wait()
    for target in taken:
        restored = tmp_path / f"{target.stem}-restored"
        restored.mkdir()
        subprocess.run(["tar", "-xf", target, "-C", restored], check=True)
        assert find(STUDY, folder=restored).rows["patients"] in (37, 38)
        for snapshot in snapshots(restored):
            verify(snapshot)
    told = subprocess.run(
        [sys.executable, "-m", "data", "list"], cwd=ROOT, text=True, capture_output=True, check=True,
        env=os.environ | {"COHORT_STORE": str(restored)},
    ).stdout  # fmt: skip
    assert re.search(rf"^\* {STUDY} ", told, re.MULTILINE)
    assert not (restored / ".jobs").exists()
