"""The audit log: one line per event, chained, and whatever is done to it is found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data import audit
from data.__main__ import main
from data.importing import history
from data.importing.publish import import_folder

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "demo"
STUDY = "nguyen2026"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for i in range(5):
        audit.record("ann@a.example", "download", tmp_path, file=f"figure-{i}.svg")
    return tmp_path / "audit.jsonl"


def texts(log: Path) -> list[str]:
    return log.read_text("utf-8").splitlines()


def write(log: Path, lines: list[str]) -> None:
    log.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def test_a_whole_log_has_no_fault_and_its_last_hash_is_the_last_line_s(log: Path) -> None:
    last, faults = audit.check(log.parent)
    assert faults == []
    assert last == json.loads(texts(log)[-1])["hash"]
    assert [line.told["file"] for line in audit.lines(log.parent)] == [
        f"figure-{i}.svg" for i in range(5)
    ]
    assert {line.who for line in audit.lines(log.parent)} == {"ann@a.example"}


def _another_name(log: Path) -> None:
    write(log, [line.replace("ann@", "bob@") if '"n": 3' in line else line for line in texts(log)])


def _another_name_with_a_hash_of_its_own(log: Path) -> None:
    lines = texts(log)
    found = json.loads(lines[2])
    told = {name: found[name] for name in ("n", "at", "who", "what", "told")} | {"who": "bob"}
    found |= told | {"hash": audit._digest(found["previous"], told)}
    write(log, [*lines[:2], json.dumps(found), *lines[3:]])


def _one_taken_out(log: Path) -> None:
    write(log, [line for line in texts(log) if '"n": 3' not in line])


def _one_put_in(log: Path) -> None:
    lines = texts(log)
    write(log, [*lines[:2], lines[1], *lines[2:]])


def _two_exchanged(log: Path) -> None:
    a, b, *rest = texts(log)
    write(log, [b, a, *rest])


def _the_last_taken_off(log: Path) -> None:
    write(log, texts(log)[:-1])


def _half_the_last_taken_off(log: Path) -> None:
    os.truncate(log, log.stat().st_size - 20)


def _a_field_added(log: Path) -> None:
    lines = texts(log)
    write(log, [json.dumps(json.loads(lines[0]) | {"also": 1}), *lines[1:]])


def _no_json(log: Path) -> None:
    write(log, [*texts(log)[:3], "gone", *texts(log)[4:]])


def _emptied(log: Path) -> None:
    log.write_bytes(b"")


def _deleted(log: Path) -> None:
    log.unlink()


def _written_anew(log: Path) -> None:
    elsewhere = log.parent / "other"
    for i in range(5):
        audit.record("bob", "download", elsewhere, file=f"figure-{i}.svg")
    shutil.copy(elsewhere / log.name, log)


def _head_deleted(log: Path) -> None:
    (log.parent / "audit.head").unlink()


TAMPERED = (
    _another_name, _another_name_with_a_hash_of_its_own, _one_taken_out, _one_put_in, _two_exchanged,
    _the_last_taken_off, _half_the_last_taken_off, _a_field_added, _no_json, _emptied, _deleted,
    _written_anew, _head_deleted,
)  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda each: each.__name__.strip("_"))
def test_tampering_is_found_and_stays_found(
    log: Path, tamper: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(log)
    monkeypatch.setenv("COHORT_STORE", str(log.parent))
    assert audit.check(log.parent)[1]
    assert main(["audit"]) == 1
    if tamper is not _head_deleted:  # the next line writes a head again
        audit.record("ann@a.example", "download", log.parent, file="another.svg")
        assert audit.check(log.parent)[1]


def test_what_a_crash_left_of_a_line_is_written_over(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"n": 6, "at": "20')
    audit.record("ann@a.example", "sign out", log.parent)
    assert audit.check(log.parent)[1] == []
    assert [line.n for line in audit.lines(log.parent)] == [1, 2, 3, 4, 5, 6]


def test_a_crash_between_line_and_head_is_no_tampering(log: Path) -> None:
    head = (log.parent / "audit.head").read_bytes()
    for _ in range(2):
        audit.record("ann@a.example", "sign out", log.parent)
        (log.parent / "audit.head").write_bytes(head)
    assert audit.check(log.parent)[1] == []


MANY = """
import sys
from pathlib import Path
from data import audit
for i in range(25):
    audit.record(sys.argv[2], "download", Path(sys.argv[1]), file=str(i))
"""


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path), f"{i}@a.example"], cwd=ROOT)
        for i in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert audit.check(tmp_path)[1] == []
    assert [line.n for line in audit.lines(tmp_path)] == list(range(1, 76))
    assert {line.who for line in audit.lines(tmp_path)} == {f"{i}@a.example" for i in range(3)}


def test_every_change_of_the_store_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path))
    snapshot, _ = import_folder(DEMO / STUDY, STUDY, tmp_path, who="ann@a.example")
    history.set_minimum(STUDY, 5, "bob@a.example", tmp_path)
    history.roll_back(STUDY, snapshot.hash, "bob@a.example", tmp_path)
    history.delete(STUDY, None, "bob@a.example", tmp_path)
    found = [(line.who, line.what, line.told.get("study")) for line in audit.lines(tmp_path)]
    assert found == [
        ("ann@a.example", "publish", STUDY),
        ("bob@a.example", "minimum", STUDY),
        ("bob@a.example", "roll back", STUDY),
        ("bob@a.example", "delete", STUDY),
    ]
    assert main(["audit"]) == 0
    printed = capsys.readouterr().out
    assert "the chain is whole" in printed
    assert printed.count("@a.example") == 4
    names = {str(name) for name in _identifiers()}
    assert not [name for name in names if name in (tmp_path / "audit.jsonl").read_text("utf-8")]


def _identifiers() -> list[str]:
    rows = (DEMO / STUDY / "patients.csv").read_text("utf-8").splitlines()
    place = rows[0].split(",").index("patient_id")
    return [row.split(",")[place] for row in rows[1:]]


def test_what_fails_is_said_to_have_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_folder(DEMO / STUDY, STUDY, tmp_path)

    def fails(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(history, "point", fails)
    with pytest.raises(OSError, match="no space"):
        history.set_minimum(STUDY, 5, "ann", tmp_path)
    assert [line.what for line in audit.lines(tmp_path)] == ["publish", "minimum", "minimum failed"]


def test_what_cannot_be_logged_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, _ = import_folder(DEMO / STUDY, STUDY, tmp_path)
    (tmp_path / "audit.jsonl").unlink()
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(OSError):  # noqa: PT011  the system's own
        history.delete(STUDY, None, "ann", tmp_path)
    assert snapshot.path.exists()
