"""Publishing is all or nothing, whatever fails; what was published can be undone and deleted."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import kill
from data.importing import disk, history, publish
from data.importing.check import check
from data.importing.disk import StoreBusy, locked
from data.importing.history import Diff, diff, roll_back, set_minimum
from data.importing.jobs import tidy
from data.importing.publish import build, commit, digest_of, import_folder, record
from data.importing.read import read_folder
from data.store import Snapshot, SnapshotError, find, query, snapshots, verify

DEMO = Path(__file__).parents[2] / "data" / "demo"
STUDY = "short2025"


class Built:
    """A snapshot that was built, to be committed as often as a test likes."""

    def __init__(self, source: Path, place: Path) -> None:
        tables = read_folder(source, STUDY)
        self.fields = record(tables, digest_of(tables))
        self.file = place / f"{self.fields['hash']}.built"
        self.fields["file_sha256"] = build(self.file, tables, check(tables))
        self.hash = self.fields["hash"]

    def publish(self, folder: Path, **told: Any) -> Any:
        folder.mkdir(exist_ok=True)
        copy = Path(shutil.copy(self.file, folder.parent / "copy"))
        return commit(copy, self.fields, folder, who="ann", **told)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return kill.two_contents(tmp_path_factory.mktemp("contents"))


@pytest.fixture(scope="module")
def built(contents: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    place = tmp_path_factory.mktemp("built")
    return [Built(source, place) for source in contents]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def files(folder: Path) -> dict[str, int]:
    """Everything in a store but its locks, with the inode: what was replaced shows."""
    paths = (p for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    return {p.relative_to(folder).as_posix(): p.stat().st_ino for p in paths}


# --- failures


class Failing:
    """Lets the n-th call of a few functions of `os` and `json` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int, at: int) -> None:
        self.calls, self.at, self.code = 0, at, code
        for module, name in (
            (os, "fsync"), (os, "replace"), (os, "open"), (disk.json, "dump"), (os, "truncate"),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, self.wrapped(getattr(module, name)))

    def wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(self.code, os.strerror(self.code))
            return real(*arguments, **options)

        return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_whatever_fails_on_the_way_leaves_the_served_snapshot_and_no_debris(
    built: list[Built], folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    first, second = built
    first.publish(folder)
    before = files(folder)
    lines = (folder / f"{STUDY}.history.jsonl").read_bytes()
    n, calls = 0, 0
    while True:
        n += 1
        with monkeypatch.context() as patched:
            failing = Failing(patched, code, at=n)
            try:
                second.publish(folder)
            except OSError as error:
                said = error.errno
            else:
                break
            calls = failing.calls
        assert said == code
        served = find(STUDY, folder=folder)
        verify(served)
        if served.hash == second.hash:
            # Only the last flush, after the pointer was replaced, can fail with the new one served;
            # what follows is the audit log: it opens log and head and flushes both.
            assert calls == n + 4
            history.delete(STUDY, None, "ann", folder)
            break
        assert served.hash == first.hash
        assert files(folder) == before
        assert (folder / f"{STUDY}.history.jsonl").read_bytes() == lines
    assert n > 12


def test_a_full_disk_is_said_in_a_sentence_and_nothing_is_lost(
    contents: list[Path], folder: Path
) -> None:
    snapshot, _ = import_folder(contents[0], STUDY, folder)
    before = files(folder)
    # Files of a process cannot grow beyond this: writing fails as it does on a full disk.
    program = (
        "import resource, signal, sys; from pathlib import Path; from data.__main__ import main; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
        f"sys.exit(main(['import', sys.argv[1], '--study', '{STUDY}']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(contents[1])],
        cwd=DEMO.parents[1], env=os.environ | {"COHORT_STORE": str(folder)}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "could not be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files(folder) == before
    verify(find(STUDY, folder=folder))
    assert find(STUDY, folder=folder) == snapshot


def test_fifty_kills_leave_a_whole_snapshot_and_nothing_else(tmp_path: Path) -> None:
    result = kill.run(50, 2025, tmp_path)
    assert result["faults"] == []
    found: Mapping[str, int] = result["found"]
    assert sum(found.values()) == 50
    assert found["killed, old served"] > 5


def test_what_a_kill_leaves_is_tidied_away(built: list[Built], folder: Path) -> None:
    built[0].publish(folder)
    before = files(folder)
    (folder / ".write-x").write_text("half a point")
    (folder / f"{STUDY}-0123456789ab.duckdb").write_bytes(b"no record")
    (folder / f"{STUDY}-ba9876543210.json").write_text('{"file": "gone.duckdb"}')
    (folder / ".jobs" / "dead").mkdir(parents=True)
    (folder / ".jobs" / "dead" / "owner").touch()
    with (folder / f"{STUDY}.history.jsonl").open("a") as file:
        file.write('{"at": "half a li')
    tidy(folder)
    assert files(folder) == before
    assert [entry.what for entry in history.history(STUDY, folder)] == ["publish"]
    built[1].publish(folder)
    assert [entry.what for entry in history.history(STUDY, folder)] == ["publish", "publish"]


def test_a_publishing_that_was_killed_half_way_is_taken_back(
    built: list[Built], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built[0].publish(folder)
    before = files(folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(history, "point", killed)
        patched.setattr(history, "settle_study", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            built[1].publish(folder)
    assert len(snapshots(folder)) == 2
    assert find(STUDY, folder=folder).hash == built[0].hash
    tidy(folder)
    assert files(folder) == before
    assert len(history.history(STUDY, folder)) == 1


def test_a_deletion_that_was_killed_half_way_is_finished(
    built: list[Built], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in built:
        one.publish(folder)
    with monkeypatch.context() as patched:
        patched.setattr(history, "_remove", lambda *_: None)
        history.delete(STUDY, built[0].hash, "ann", folder)
    assert len(snapshots(folder)) == 2
    tidy(folder)
    assert [s.hash for s in snapshots(folder)] == [built[1].hash]


# --- the order in which things reach the disk


def test_each_file_is_flushed_before_its_name_and_the_pointer_comes_last(
    built: list[Built], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built[0].publish(folder)
    calls = list[str]()

    def name(target: Any) -> str:
        path = Path(os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else target)
        return "written" if path.name.startswith(".write-") else path.name

    def noted(verb: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(f"{verb} {name(arguments[-1])}")
            return real(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", noted("flush", os.fsync))
    monkeypatch.setattr(os, "replace", noted("rename to", os.replace))
    built[1].publish(folder)
    digest = built[1].hash
    assert calls == [
        "flush audit.jsonl",
        "flush audit.head",
        f"flush {STUDY}.history.jsonl",
        "flush store",
        f"rename to {STUDY}-{digest}.duckdb",
        "flush store",
        "flush written",
        f"rename to {STUDY}-{digest}.json",
        "flush store",
        "flush written",
        f"rename to {STUDY}.json",
        "flush store",
    ]


def test_a_snapshot_is_flushed_and_closed_when_it_is_built(
    contents: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = list[Path]()
    monkeypatch.setattr(publish, "flush", flushed.append)
    one = Built(contents[0], tmp_path)
    assert flushed == [one.file]
    assert [p.name for p in tmp_path.iterdir()] == [one.file.name]
    assert one.file.stat().st_mode & 0o222 == 0


# --- several at once


def test_two_imports_at_once_both_end_well(contents: list[Path], folder: Path) -> None:
    ended = dict[int, object]()

    def publish_it(number: int) -> None:
        try:
            ended[number] = import_folder(contents[number], STUDY, folder)[0].hash
        except Exception as error:
            ended[number] = error

    threads = [threading.Thread(target=publish_it, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {s.hash for s in snapshots(folder)} == set(ended.values())
    verify(find(STUDY, folder=folder))
    assert find(STUDY, folder=folder).hash == history.history(STUDY, folder)[0].snapshot


def test_a_store_that_is_held_says_wait(folder: Path) -> None:
    with (
        locked(folder),
        pytest.raises(StoreBusy, match="Wait a minute"),
        locked(folder, wait_seconds=0),
    ):
        pass


def _read_on(folder: Path, ready: Any, end: Any, told: Any) -> None:
    """Ask the served snapshot, and the list of all, until told to end; send what went wrong."""
    read, faults = 0, list[str]()
    while not end.is_set():
        try:
            if _patients(find(STUDY, folder=folder)) != 10 or not snapshots(folder):
                faults.append("not ten patients")
        except Exception as error:
            faults.append(repr(error))
        read += 1
        ready.set()
    told.put((read, faults))


def _patients(snapshot: Snapshot) -> int:
    try:
        return int(query(snapshot, "SELECT count(*) AS n FROM subjects")["n"][0])
    except SnapshotError as error:
        # Rolled back and deleted since it was found: another one is offered, as on a page.
        if error.previous is None:
            raise
        return _patients(error.previous)


def test_a_reader_never_errs_while_others_publish(built: list[Built], folder: Path) -> None:
    built[0].publish(folder)
    context = multiprocessing.get_context("spawn")
    ready, end, told = context.Event(), context.Event(), context.Queue()
    reader = context.Process(target=_read_on, args=(folder, ready, end, told))
    reader.start()
    assert ready.wait(60)
    for _ in range(30):
        built[1].publish(folder)
        roll_back(STUDY, built[0].hash, "ann", folder)
        history.delete(STUDY, built[1].hash, "ann", folder)
    end.set()
    read, faults = told.get(timeout=60)
    reader.join()
    told.close()
    told.join_thread()
    assert faults == []
    assert read > 5


def test_what_is_published_while_the_store_is_listed_is_found(
    built: list[Built], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built[0].publish(folder)
    listed, others = os.listdir, [lambda: built[1].publish(folder)]

    def slowly(path: Path) -> list[str]:
        names = listed(path)
        if others:
            others.pop()()
        return names

    monkeypatch.setattr(os, "listdir", slowly)
    assert find(STUDY, folder=folder).hash == built[1].hash
    others.append(
        lambda: (
            roll_back(STUDY, first.hash, "ann", folder),
            history.delete(STUDY, built[1].hash, "ann", folder),
        )
    )
    assert find(STUDY, folder=folder).hash == first.hash


# --- damage


def damage(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def test_a_damaged_snapshot_offers_the_one_before(built: list[Built], folder: Path) -> None:
    first, second = (one.publish(folder) for one in built)
    damage(second.path)
    with pytest.raises(SnapshotError, match="damaged") as caught:
        query(find(STUDY, folder=folder), "SELECT 1")
    assert caught.value.previous is not None
    assert caught.value.previous.hash == first.hash
    damage(first.path)
    with pytest.raises(SnapshotError, match="damaged") as caught:
        query(find(STUDY, folder=folder), "SELECT 1")
    assert caught.value.previous is None


@pytest.mark.parametrize("what", ["file", "record"])
def test_a_snapshot_in_pieces_offers_a_whole_one(
    built: list[Built], folder: Path, what: str
) -> None:
    first, second = (one.publish(folder) for one in built)
    piece = {"file": second.path, "record": second.path.with_suffix(".json")}[what]
    piece.unlink() if what == "file" else piece.write_text("{half")
    with pytest.raises(SnapshotError, match="missing or damaged") as caught:
        find(STUDY, folder=folder)
    expected = second if what == "pointer" else first
    assert caught.value.previous is not None
    assert caught.value.previous.hash == expected.hash


def test_importing_again_repairs_a_damaged_snapshot(contents: list[Path], folder: Path) -> None:
    snapshot, _ = import_folder(contents[0], STUDY, folder)
    damage(snapshot.path)
    again, _ = import_folder(contents[0], STUDY, folder)
    assert again.hash == snapshot.hash
    assert len(query(again, "SELECT * FROM subjects")) == 10


# --- history, diff, roll back, delete


def test_publishing_the_same_again_writes_nothing(built: list[Built], folder: Path) -> None:
    snapshot = built[0].publish(folder)
    before = files(folder)
    assert built[0].publish(folder) == snapshot
    assert files(folder) == before


def test_the_history_says_who_did_what_when(built: list[Built], folder: Path) -> None:
    for one in built:
        one.publish(folder)
    roll_back(STUDY, built[0].hash, "bob", folder)
    set_minimum(STUDY, 8, "eve", folder)
    history.delete(STUDY, built[1].hash, "bob", folder)
    entries = history.history(STUDY, folder)
    assert [(e.who, e.what, e.snapshot) for e in reversed(entries)] == [
        ("ann", "publish", built[0].hash),
        ("ann", "publish", built[1].hash),
        ("bob", "roll back", built[0].hash),
        ("eve", "minimum", built[0].hash),
        ("bob", "delete", built[1].hash),
    ]
    assert entries[-1].rows["patients"] == 10
    assert sorted(e.at for e in entries) == [e.at for e in reversed(entries)]


def test_rolling_back_serves_the_earlier_one(built: list[Built], folder: Path) -> None:
    first, second = (one.publish(folder) for one in built)
    back = roll_back(STUDY, first.hash, "ann", folder)
    assert back.current
    assert find(STUDY, folder=folder).hash == first.hash
    damage(second.path)
    with pytest.raises(SnapshotError, match="damaged"):
        roll_back(STUDY, second.hash, "ann", folder)
    assert find(STUDY, folder=folder).hash == first.hash
    with pytest.raises(SnapshotError, match="not in this store"):
        roll_back(STUDY, "0" * 12, "ann", folder)


def test_the_small_cell_minimum_stays_unless_told(
    built: list[Built], contents: list[Path], folder: Path
) -> None:
    # study.json of this one says 0.
    assert built[0].publish(folder).small_cell_minimum == 0
    first = find(STUDY, folder=folder)
    assert set_minimum(STUDY, 7, "ann", folder).small_cell_minimum == 7
    assert find(STUDY, folder=folder).key != first.key
    assert built[1].publish(folder).small_cell_minimum == 7
    assert built[1].publish(folder, small_cell_minimum=3).small_cell_minimum == 3
    assert {s.small_cell_minimum for s in snapshots(folder)} == {3}
    with pytest.raises(ValueError, match="0 or more"):
        set_minimum(STUDY, -1, "ann", folder)


def test_a_study_that_says_nothing_hides_counts_below_five(
    contents: list[Path], folder: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(contents[0], tmp_path / "source"))
    study = json.loads((source / "study.json").read_text("utf-8"))
    del study["small_cell_minimum"]
    (source / "study.json").write_text(json.dumps(study), "utf-8")
    assert import_folder(source, STUDY, folder)[0].small_cell_minimum == 5


def edited(table: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a table of a study on disk."""
    change(pd.read_csv(table, dtype=str, keep_default_na=False)).to_csv(table, index=False)


def test_the_diff_counts_patients_outcomes_and_samples(
    contents: list[Path], folder: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(contents[0], tmp_path / "source"))
    before, _ = import_folder(source, STUDY, folder)
    assert str(diff(before, before)) == "nothing is different"

    def edit(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        edited(source / name, change)

    treated = len(pd.read_csv(source / "treatments.csv"))
    gone = pd.read_csv(source / "patients.csv", dtype=str)["patient_id"][9]
    for name in ("patients.csv", "outcomes.csv", "mrd_assessments.csv", "treatments.csv"):
        edit(name, lambda t: t[t["patient_id"] != gone])
    edit("patients.csv", lambda p: pd.concat([p, p.head(2).assign(patient_id=["N1", "N2"])]))
    edit("patients.csv", lambda p: p.assign(centre="A"))
    edit("outcomes.csv", lambda o: o.assign(relapse_site=["CNS", *o["relapse_site"][1:]]))
    edit("patients.csv", lambda p: p.assign(wbc_10e9_per_l=["7", *p["wbc_10e9_per_l"][1:]]))
    samples = pd.read_csv(source / "mrd_assessments.csv", dtype=str)
    edit("mrd_assessments.csv", lambda m: pd.concat([m, m.head(1)]))
    after, _ = import_folder(source, STUDY, folder)
    found = diff(before, after)
    assert found == Diff(
        patients_added=2,
        patients_removed=1,
        patients_changed=1,
        treatments_removed=treated - len(pd.read_csv(source / "treatments.csv")),
        outcomes_changed=1,
        samples_added=1,
        samples_removed=len(pd.read_csv(contents[0] / "mrd_assessments.csv")) - len(samples),
    )
    assert str(found).startswith("2 patients added, 1 patient removed, 1 patient changed, ")
    assert ", 1 outcome changed, 1 sample added" in str(found)


def test_the_diff_counts_treatments(contents: list[Path], folder: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(contents[0], tmp_path / "source"))
    table = source / "treatments.csv"
    before, _ = import_folder(source, STUDY, folder)

    def without(treatments: pd.DataFrame) -> pd.DataFrame:
        return treatments[treatments["kind"] != "alloSCT"]

    given = int((pd.read_csv(table)["kind"] == "alloSCT").sum())
    assert given > 1
    edited(table, without)
    bare, _ = import_folder(source, STUDY, folder)
    assert diff(before, bare) == Diff(treatments_removed=given)
    assert str(diff(before, bare)) == f"{given} treatments removed"
    assert diff(bare, before) == Diff(treatments_added=given)
    edited(table, lambda t: t.assign(start_day=["999", *t["start_day"][1:]], end_day=""))
    ended, _ = import_folder(source, STUDY, folder)
    edited(table, lambda t: t.assign(start_day=["998", *t["start_day"][1:]]))
    later, _ = import_folder(source, STUDY, folder)
    assert str(diff(ended, later)) == "1 treatment changed"


def test_a_difference_that_is_not_counted_is_said_all_the_same(
    contents: list[Path], folder: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(contents[0], tmp_path / "source"))
    before, _ = import_folder(source, STUDY, folder)
    study = json.loads((source / "study.json").read_text("utf-8"))
    (source / "study.json").write_text(json.dumps({**study, "title": "Another"}), "utf-8")
    after, _ = import_folder(source, STUDY, folder)
    assert diff(before, after) == Diff(something_else=True)
    assert str(diff(before, after)).startswith("something else is different: ")


def _open_files() -> set[str]:
    links = (os.readlink(path) for path in _descriptors())
    return {link for link in links if ".duckdb" in link}


def _descriptors() -> Iterator[Path]:
    for path in Path("/proc/self/fd").iterdir():
        if path.is_symlink():
            yield path


def test_what_is_deleted_is_gone(built: list[Built], folder: Path) -> None:
    first, second = (one.publish(folder) for one in built)
    for snapshot in (first, second):
        query(snapshot, "SELECT 1")
    assert len([f for f in _open_files() if str(folder) in f]) == 2
    with pytest.raises(SnapshotError, match="Roll back"):
        history.delete(STUDY, second.hash, "ann", folder)
    history.delete(STUDY, first.hash, "ann", folder)
    assert [s.hash for s in snapshots(folder)] == [second.hash]
    assert not [f for f in _open_files() if str(first.path) in f]
    history.delete(STUDY, None, "ann", folder)
    assert snapshots(folder) == ()
    assert set(files(folder)) == {f"{STUDY}.history.jsonl", "audit.jsonl", "audit.head"}
    assert not [f for f in _open_files() if str(folder) in f]
    with pytest.raises(SnapshotError, match="not in this store"):
        history.delete(STUDY, None, "ann", folder)
    with pytest.raises(SnapshotError, match="not in this store"):
        find(STUDY, folder=folder)


def test_another_study_with_a_longer_name_is_left_alone(built: list[Built], folder: Path) -> None:
    built[0].publish(folder)
    other = {
        **built[0].fields,
        "study_id": f"{STUDY}_b",
        "file": f"{STUDY}_b-{built[0].hash}.duckdb",
    }
    shutil.copy(built[0].file, folder.parent / "copy")
    commit(folder.parent / "copy", other, folder, who="ann")
    history.delete(STUDY, None, "ann", folder)
    assert [s.study_id for s in snapshots(folder)] == [f"{STUDY}_b"]


# --- the hash


def test_the_hash_covers_content_mapping_and_salt(contents: list[Path]) -> None:
    tables = read_folder(contents[0], STUDY)
    other = read_folder(contents[1], STUDY)
    hashes = [
        digest_of(tables),
        digest_of(other),
        digest_of(tables, {"a": 1}),
        digest_of(tables, {"a": 2}),
        digest_of(tables, {"a": 1}, b"salt"),
        digest_of(tables, {"a": 1}, b"pepper"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert digest_of(tables, {"a": 1, "b": 2}) == digest_of(tables, {"b": 2, "a": 1})
    assert digest_of(read_folder(contents[0], STUDY)) == hashes[0]
