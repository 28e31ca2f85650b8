"""An import is a job on disk: another process goes on with it, and no file takes the server down."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from data.importing import jobs, worker
from data.importing.jobs import Job, JobError, create, load, saved_mappings, tidy
from data.importing.limits import PAGE
from data.importing.mapping import Assignment, StudyMapping
from data.importing.recognise import answered, propose, questions, with_role
from data.store import SnapshotError, find, query, snapshots

STUDY = {
    "study_id": "ward",
    "title": "Ward 7",
    "day_zero_label": "diagnosis",
    "default_endpoint": "OS",
    "timepoints": [],
}
CSV = """patient_id,sex,age_years,last_follow_up_day,died,death_day
007,male,41,900,no,
008,female,93,500,yes,500
009,male,30,1200,no,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


class Here:
    """In place of a process of its own, which takes seconds to start: the worker in this one."""

    def __init__(self, command: list[str], **_: object) -> None:
        self.pid, self.returncode = 0, worker.main(command[3:])

    def poll(self) -> int:
        return self.returncode

    wait = kill = poll


@pytest.fixture(autouse=True)
def _here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(jobs.subprocess, "Popen", Here)
        monkeypatch.setattr(worker, "apply_limits", lambda limits: None)
        monkeypatch.setattr(signal, "alarm", lambda seconds: None)


@pytest.fixture
def own_process() -> None:
    """Asks for workers as they are."""


def read(folder: Path, text: str = CSV, name: str = "ward.csv") -> Job:
    job = create([(name, text.encode("utf-8"))], folder=folder)
    job.start("read")
    assert job.wait(60) == "mapping", job.message
    return job


def mapped(job: Job, **changes: Any) -> StudyMapping:
    mapping = replace(propose(job.sheets(), STUDY), **changes)
    assert questions(job.sheets(), mapping) == ()
    job.keep(mapping)
    return mapping


def checked(job: Job) -> jobs.Checked:
    job.start("check")
    assert job.wait(60) == "checked", job.message
    return job.checked()


def test_a_job_goes_from_files_to_a_snapshot(folder: Path) -> None:
    job = read(folder)
    mapping = mapped(job)
    found = checked(job)
    assert not found.fatal
    assert found.rows_read == {"ward.csv": 3}
    assert found.rows["patients"] == 3
    assert {e.code: e.n_usable for e in found.derivable}["OS"] == 3
    assert (found.diff, found.unchanged) == (None, False)
    words, share = job.progress()
    assert words
    assert share is None or 0 <= share <= 1
    snapshot = job.publish("ann", 0)
    assert (snapshot.hash, snapshot.published_by) == (found.digest, "ann")
    assert snapshot.small_cell_minimum == 0
    assert query(snapshot, "SELECT max(age_years) AS age FROM patients")["age"][0] == 90
    assert job.state == "published"
    assert job.publish("bob") == snapshot
    assert load(job.id, folder).state == "published"
    assert saved_mappings(folder) == mapping.sheets
    # What was read is gone; that the job was published is all that stays.
    left = {p.name for p in job.place.iterdir()}
    assert left == {"job.json", "published.json", "lock"}
    assert "ward.csv" not in (job.place / "job.json").read_text("utf-8")


def test_the_next_file_is_compared_with_what_is_served(folder: Path) -> None:
    first = read(folder)
    mapped(first)
    checked(first)
    first.publish("ann")
    again = read(folder)
    mapped(again)
    assert checked(again).unchanged
    assert not (again.place / "snapshot.duckdb").exists()
    assert again.publish("ann").hash == find("ward", folder=folder).hash
    assert len(snapshots(folder)) == 1
    more = read(folder, CSV + "010,female,50,100,no,\n")
    mapped(more)
    found = checked(more)
    assert str(found.diff) == "1 patient added"
    assert not found.unchanged
    more.publish("ann")
    assert len(snapshots(folder)) == 2
    assert snapshots(folder)[0].small_cell_minimum == 5


def test_a_sample_whose_usual_day_is_after_the_death_does_not_count(folder: Path) -> None:
    lines = CSV.replace("500,yes,500", "12,yes,12").splitlines()
    results = ("MRD_EOI_BM (%)", "0.5", "0.4", "neg")
    text = "\n".join(f"{line},{more}" for line, more in zip(lines, results, strict=True))
    window = {"label": "EOI", "target_day": 30, "first_day": 20, "last_day": 60}
    study = STUDY | {"timepoints": [window]}
    job = read(folder, text)
    mapping = propose(job.sheets(), study)
    (sheet,) = mapping.sheets
    constants = {"assay": "NGS", "material": "BM", "lod_fraction": "1e-6"}
    mapping = replace(
        mapping, sheets=(replace(sheet, constants=constants | dict(sheet.constants)),)
    )
    assert "mrd_result" in {a.target for a in sheet.assignments}
    for question in questions(job.sheets(), mapping):
        mapping = answered(mapping, question, question.proposed or "1e-6")
    job.keep(mapping)
    found = checked(job)
    assert not found.fatal
    (late,) = [p for p in found.problems if "after the death" in p.what]
    assert (late.severity, late.row, late.column) == ("warning", 3, "MRD_EOI_BM (%)")
    assert "Give the day" in late.remedy
    snapshot = job.publish("ann")
    days = query(snapshot, "SELECT patient_id, day FROM mrd_assessments ORDER BY patient_id")
    assert [None if day != day else day for day in days["day"].astype(float)] == [30, None, 30]
    evaluable = query(snapshot, "SELECT patient_id, status FROM mrd_by_timepoint ORDER BY 1")
    assert evaluable["status"][1] == "not assessed"


def test_a_fatal_problem_stops_the_publishing_alone(folder: Path) -> None:
    job = read(folder, CSV + "007,female,50,100,no,\n")
    job.keep(with_role(job.sheets(), propose(job.sheets(), STUDY), "ward.csv", "patients"))
    found = checked(job)
    assert found.fatal
    assert found.digest == ""
    with pytest.raises(JobError, match="fatal"):
        job.publish("ann")
    assert snapshots(folder) == ()


def test_what_is_not_finished_is_not_checked(folder: Path) -> None:
    job = read(folder, CSV.replace("male,41", "m?,41"))
    job.keep(propose(job.sheets(), STUDY))
    job.start("check")
    assert job.state == "failed"
    assert "question" in job.message
    job.keep(with_role(job.sheets(), propose(job.sheets(), STUDY), "ward.csv", "nothing"))
    job.start("check")
    assert job.state == "failed"
    assert "No sheet is used" in job.message


def test_what_looks_like_a_name_stops_the_import_until_it_is_left_out(folder: Path) -> None:
    text = CSV.replace("sex", "surname").replace("female", "Miller").replace("male", "Smith")
    job = read(folder, text)
    mapping = propose(job.sheets(), STUDY)
    (sheet,) = mapping.sheets
    used = tuple(
        replace(a, target="own", label="Surname", kind="category") if a.column == "surname" else a
        for a in sheet.assignments
    )
    job.keep(replace(mapping, sheets=(replace(sheet, assignments=used),)))
    assert [p.column for p in checked(job).problems if p.severity == "fatal"] == ["surname"]
    left = tuple(
        Assignment("surname", "nothing") if a.column == "surname" else a for a in sheet.assignments
    )
    job.keep(replace(mapping, sheets=(replace(sheet, assignments=left),)))
    assert job.state == "mapping"
    assert not checked(job).fatal


def test_identifiers_are_replaced_by_salted_ones(folder: Path, tmp_path: Path) -> None:
    found = []
    for store in (folder, folder, tmp_path / "other"):
        job = read(store)
        mapped(job, rekey=True)
        found.append(checked(job).digest)
        snapshot = job.publish("ann")
        ids = set(query(snapshot, "SELECT patient_id FROM patients")["patient_id"])
        assert len(ids) == 3
        assert not ids & {"007", "008", "009"}
    # The salt is the store's own: the same patients have other names in another store.
    assert found[0] == found[1] != found[2]
    assert stat.S_IMODE((folder / ".salt").stat().st_mode) == 0o600


@pytest.mark.usefixtures("own_process")
def test_a_study_is_brought_again_within_the_limits_of_the_page(folder: Path) -> None:
    first = read(folder)
    mapped(first)
    checked(first)
    first.publish("ann")
    again = read(folder, CSV.replace("007,male,41", "007,male,42"))
    mapped(again)
    assert str(checked(again).diff) == "1 patient changed"


@pytest.mark.usefixtures("own_process")
def test_another_process_goes_on_with_a_job(folder: Path) -> None:
    job = read(folder)
    mapped(job)
    assert load(job.id, folder).state == "mapping"
    job.start("check")
    # As after a restart: nothing is known of the worker but what stands on disk.
    process = jobs._workers.pop(job.id)
    assert load(job.id, folder).state == "checking"
    assert load(job.id, folder).wait(60) == "checked"
    process.wait()
    assert load(job.id, folder).publish("bob").published_by == "bob"


@pytest.mark.usefixtures("own_process")
def test_a_worker_that_is_killed_is_said_and_can_start_again(folder: Path) -> None:
    job = read(folder)
    mapped(job)
    job.start("check")
    os.kill(json.loads((job.place / "worker.json").read_text("utf-8"))["pid"], signal.SIGKILL)
    assert job.wait(30) == "failed"
    assert "memory" in job.message
    jobs._workers.pop(job.id).wait()
    assert "Start it again" in load(job.id, folder).message
    assert not checked(load(job.id, folder)).fatal


@pytest.mark.usefixtures("own_process")
def test_a_worker_beyond_its_limits_is_a_sentence(folder: Path) -> None:
    limits = replace(PAGE, written_bytes=1000)
    job = create([("ward.csv", CSV.encode("utf-8"))], folder=folder, limits=limits)
    job.start("read")
    assert job.wait(60) == "failed"
    assert "too large" in job.message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Miller"), "memory"),
        (duckdb.OutOfMemoryException("Miller"), "memory"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_what_the_computer_lacks_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    job = create([("ward.csv", CSV.encode("utf-8"))], folder=folder)
    monkeypatch.setattr(worker.formats, "read_file", failing)
    job.start("read")
    assert job.state == "failed"
    assert words in job.message
    assert "Miller" not in job.message


def test_a_failure_of_the_program_quotes_no_value(folder: Path) -> None:
    job = read(folder)
    mapped(job)
    (job.place / "sheets" / "sheets.json").write_text('{"Miller": 1}')
    job.start("check")
    assert job.wait(60) == "failed"
    assert "Miller" not in job.message
    assert "report" in job.message


@pytest.mark.usefixtures("own_process")
def test_starting_twice_starts_one_worker(folder: Path) -> None:
    job = read(folder)
    mapped(job)
    job.start("check")
    first = jobs._workers[job.id]
    job.start("check")
    assert jobs._workers[job.id] is first
    with pytest.raises(JobError, match="checking"):
        job.keep(mapped_as_it_is(job))
    assert job.wait(60) == "checked"


def mapped_as_it_is(job: Job) -> StudyMapping:
    assert job.mapping is not None
    return job.mapping


def test_a_job_is_cancelled_with_all_that_it_read(folder: Path) -> None:
    job = read(folder)
    mapped(job)
    job.start("check")
    job.cancel()
    assert not job.place.exists()
    with pytest.raises(JobError, match="not here any more"):
        load(job.id, folder)


@pytest.mark.parametrize("name", ["", ".", "..", "../store", "a/b", "x" * 22, "x" * 21 + "/"])
def test_only_the_name_of_a_job_is_one(folder: Path, name: str) -> None:
    read(folder)
    with pytest.raises(JobError, match="not here any more"):
        load(name, folder)


def test_nobody_else_can_read_a_job(folder: Path) -> None:
    job = read(folder)
    assert stat.S_IMODE((folder / ".jobs").stat().st_mode) == 0o700
    assert stat.S_IMODE(job.place.stat().st_mode) == 0o700


def test_jobs_are_kept_for_a_day(folder: Path) -> None:
    job, old = read(folder), read(folder)
    long_ago = time.time() - 25 * 3600
    for path in (*old.place.iterdir(), old.place):
        os.utime(path, (long_ago, long_ago))
    tidy(folder)
    assert job.place.exists()
    assert not old.place.exists()


def test_files_of_one_name_are_told_apart(folder: Path) -> None:
    job = create([("a.csv", b"x\n1\n"), ("a.csv", b"x\n2\n")], folder=folder)
    assert job.files == ("a.csv", "a (2).csv")
    with pytest.raises(JobError, match="no file"):
        create([], folder=folder)


def test_a_file_that_went_away_is_a_finding(folder: Path, tmp_path: Path) -> None:
    job = create([("gone.csv", tmp_path / "gone.csv")], folder=folder)
    job.start("read")
    assert job.wait(60) == "mapping"
    assert [p.severity for p in job.problems] == ["fatal"]


def test_files_are_read_again_with_another_delimiter(folder: Path) -> None:
    job = read(folder, CSV.replace(",", "|"))
    before = list(job.sheets()[0].cells.columns)
    job.read_again("ward.csv", delimiter=";")
    assert job.wait(60) == "mapping"
    after = list(job.sheets()[0].cells.columns) if job.sheets() else []
    assert before != after


def test_what_was_checked_and_deleted_since_is_checked_again(folder: Path) -> None:
    from data.importing.history import delete

    first = read(folder)
    mapped(first)
    checked(first)
    first.publish("ann")
    again = read(folder)
    mapped(again)
    assert checked(again).unchanged
    delete("ward", None, "ann", folder)
    with pytest.raises(JobError, match="Check again"):
        again.publish("ann")
    with pytest.raises(SnapshotError, match="not in this store"):
        find("ward", folder=folder)
