"""Imports as jobs on disk: a reload, a restart of the server or another replica goes on with one.

A job is a folder of its own in the store, which only the user can read. What is slow or could fail on a
hostile file is done by a process of its own (`data.importing.worker`), which holds the lock of the job
while it lives; its results stand in the folder, each written in one step.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from data.importing import formats
from data.importing import mapping as mappings
from data.importing.disk import locked, try_lock, write_json
from data.importing.history import MAPPINGS, Diff, settle
from data.importing.limits import PAGE, Limits
from data.importing.mapping import SheetMapping, StudyMapping
from data.importing.problems import Problem
from data.importing.publish import BUILT, JOBS, OWNER, commit, new_folder, whole
from data.importing.sheets import Sheet
from data.queries import Derivability
from data.store import (
    Snapshot,
    changed_folder,
    find,
    read_json,
    record_path,
    snapshots,
    store_folder,
)

State = Literal["reading", "mapping", "checking", "checked", "publishing", "published", "failed"]
What = Literal["read", "check"]

KEPT_HOURS = 24
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ROOT = Path(__file__).parents[2]
_POLL_SECONDS = 0.05

_DEATHS: Mapping[int, str] = {
    getattr(signal, name, 0): sentence
    for name, sentence in {
        "SIGALRM": "It took too long. Split the file, or import it with the command, which takes more.",
        "SIGXCPU": "It took too much computing time. Split the file, or import it with the command.",
        "SIGXFSZ": "It would have written too much. Split the file, or import it with the command.",
        "SIGKILL": "The computer stopped it, most likely because memory ran out. Try a smaller file.",
    }.items()
}
_DIED = "The file made the reading program stop. Save it in another form, CSV for example, and try again."
_LOST = "It was interrupted. Start it again."

_workers: dict[str, subprocess.Popen[bytes]] = {}
_owners: dict[str, int] = {}


class JobError(RuntimeError):
    """A job is gone or cannot do what is asked; the message says why and what helps."""


@dataclass(frozen=True)
class Checked:
    """What checking a mapped study gave.

    Attributes
    ----------
    problems : tuple of Problem
        Of reading, mapping and checking: fatal ones first. Their values are for the screen only.
    rows_read : mapping of str to int
        Rows of each sheet.
    rows : mapping of str to int
        Rows of each table, as they would be stored.
    derivable : tuple of Derivability
        What can be derived; empty where a problem is fatal.
    timepoints : mapping of str to int
        Patients evaluable at each MRD timepoint, by its label.
    diff : Diff or None
        Against the snapshot that is served; None where there is none.
    digest : str
        Of the snapshot that would be published; empty where a problem is fatal.
    unchanged : bool
        Whether that is the one that is served.
    """

    problems: tuple[Problem, ...]
    rows_read: Mapping[str, int]
    rows: Mapping[str, int]
    derivable: tuple[Derivability, ...]
    timepoints: Mapping[str, int]
    diff: Diff | None
    digest: str
    unchanged: bool

    @property
    def fatal(self) -> bool:
        """Whether a problem stops the import."""
        return any(problem.severity == "fatal" for problem in self.problems)


def create(
    files: Iterable[tuple[str, Path | bytes]],
    *,
    folder: Path | None = None,
    limits: Limits = PAGE,
    owned: bool = False,
) -> Job:
    """Return a new job on some files; `start` it with 'read'.

    Parameters
    ----------
    files : iterable of (str, Path or bytes)
        Name and content of each. A path is read where it is.
    folder : Path, optional
        The store; COHORT_STORE or data/store/ by default.
    limits : Limits
        How much is taken on.
    owned : bool
        Whether the job ends with this process; else it waits a day for somebody to go on with it.

    Raises
    ------
    JobError
        If there is no file.
    OSError
        If the store cannot be written.
    """
    folder = folder or changed_folder()
    named = _named(files)
    if not named:
        raise JobError("There is no file to import. Choose at least one.")
    tidy_once(folder)
    job = Job(secrets.token_urlsafe(16), folder)
    place, _owners[job.id] = new_folder(folder, job.id)
    try:
        (place / "files").mkdir()
        described = []
        for number, (name, content) in enumerate(named):
            path = content if isinstance(content, Path) else place / "files" / str(number)
            if isinstance(content, bytes):
                path.write_bytes(content)
            described.append({"name": name, "path": str(path.absolute()), "options": {}})
        write_json(place / "job.json", {"files": described, "limits": asdict(limits)})
    except BaseException:
        job.cancel()
        raise
    if not owned:
        (place / OWNER).unlink()
        os.close(_owners.pop(job.id))
    return job


def _named(files: Iterable[tuple[str, Path | bytes]]) -> list[tuple[str, Path | bytes]]:
    """Give files of the same name names of their own: those of sheets come from them."""
    named: dict[str, Path | bytes] = {}
    for name, content in files:
        stem, dot, ending = name.rpartition(".")
        unique, number = name, 1
        while unique in named:
            number += 1
            unique = f"{stem} ({number}){dot}{ending}" if stem else f"{name} ({number})"
        named[unique] = content
    return list(named.items())


def load(job_id: str, folder: Path | None = None) -> Job:
    """Return a job that was begun, here or in another process.

    Raises
    ------
    JobError
        If there is none of that name, or none any more.
    """
    job = Job(job_id, folder or store_folder())
    if not _ID.fullmatch(job_id) or not (job.place / "job.json").exists():
        raise JobError(
            "This import is not here any more: it was cancelled, or nobody went on with it for "
            f"{KEPT_HOURS} hours. Choose the files again."
        )
    return job


def unfinished(folder: Path | None = None) -> tuple[Job, ...]:
    """Return the imports that wait for somebody to go on with them, the latest first.

    Not those of a command, which end with it.
    """
    folder = folder or store_folder()
    begun = list[tuple[float, Job]]()
    for place in (folder / JOBS).glob("*"):
        job = Job(place.name, folder)
        # Another process can delete one at any moment.
        with suppress(FileNotFoundError):
            touched = (place / "job.json").stat().st_mtime
            if not (place / OWNER).exists() and not job._said("published"):
                begun.append((touched, job))
    return tuple(job for _, job in sorted(begun, key=lambda each: each[0], reverse=True))


@dataclass(frozen=True)
class Job:
    """An import under way.

    Attributes
    ----------
    id : str
        Nobody can guess it: whoever knows it can see the files.
    folder : Path
        The store.
    """

    id: str
    folder: Path

    @property
    def place(self) -> Path:
        """The folder of the job."""
        return self.folder / JOBS / self.id

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files."""
        return tuple(str(file["name"]) for file in self._said("job")["files"])

    @property
    def limits(self) -> Limits:
        """How much the job takes on."""
        return Limits(**self._said("job")["limits"])

    @property
    def state(self) -> State:
        """What the job is doing, or waiting for."""
        if self._said("published"):
            return "published"
        asked = self._said("request")
        if self._lives():
            doing: Mapping[str, State] = {"check": "checking", "publish": "publishing"}
            return doing.get(asked.get("what", ""), "reading")
        if not asked:
            return "reading"
        if asked["what"] == "publish":
            return "checked"
        result = self._said(asked["what"])
        if result.get("number") != asked["number"]:
            return "failed"
        return "checked" if asked["what"] == "check" else "mapping"

    @property
    def message(self) -> str:
        """Why a job failed, and what helps; empty otherwise."""
        if self.state != "failed":
            return ""
        failed, asked = self._said("failed"), self._said("request")
        if failed.get("number") == asked["number"]:
            return str(failed["message"])
        worker = _workers.get(self.id)
        code = worker.poll() if worker else None
        if code is None:
            return _LOST
        return _DEATHS.get(-code, _DIED) if code < 0 else _DIED

    def progress(self) -> tuple[str, float | None]:
        """Return what is being done, in words, and the share that is done, if that is known."""
        said = self._said("progress")
        return str(said.get("words", "")), said.get("share")

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the sheets of the files, as they were read."""
        self._need("mapping", "checking", "checked", "failed")
        return formats.load(self.place / "sheets")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What reading the files found."""
        return tuple(Problem(**fields) for fields in self._said("read").get("problems", ()))

    def read_again(self, name: str, **options: Any) -> None:
        """Read the files again, one of them with other options.

        Parameters
        ----------
        name : str
            Of the file, one of `files`.
        **options
            delimiter, encoding, header_row, as `data.importing.formats.read_file` takes them.
        """
        self._rest()
        described = self._said("job")
        for file in described["files"]:
            if file["name"] == name:
                file["options"] |= options
        write_json(self.place / "job.json", described)
        self.start("read")

    def replace(self, name: str, content: bytes) -> None:
        """Put a corrected file in the place of one and read again; answers to its columns stay.

        Parameters
        ----------
        name : str
            Of the file to replace, one of `files`: the corrected one is called the same from then on.
        content : bytes
            In the same format.
        """
        self._rest()
        described = self._said("job")
        for number, file in enumerate(described["files"]):
            if file["name"] == name:
                path = self.place / "files" / str(number)
                path.write_bytes(content)
                file["path"] = str(path.absolute())
        write_json(self.place / "job.json", described)
        self.start("read")

    @property
    def mapping(self) -> StudyMapping | None:
        """The mapping as it was kept last."""
        said = self._said("mapping")
        return mappings.from_json(said) if said else None

    def keep(self, mapping: StudyMapping) -> None:
        """Keep a mapping; what was checked with another one no longer counts.

        Raises
        ------
        JobError
            If the job is reading, checking or publishing.
        """
        self._rest()
        write_json(self.place / "mapping.json", mappings.to_json(mapping))
        self._back_to_mapping()

    def start(self, what: What) -> None:
        """Have the files read, or the mapped study checked, unless that is under way.

        Raises
        ------
        JobError
            If there is nothing to check yet.
        """
        if what == "check" and not self._said("mapping"):
            raise JobError("The columns have not been assigned yet.")
        if (lock := self._lock()) is None:
            return
        try:
            request = {"what": what, "number": secrets.token_hex(8)}
            for name in ("progress", "worker"):
                (self.place / f"{name}.json").unlink(missing_ok=True)
            write_json(self.place / "request.json", request)
            worker = _workers[self.id] = subprocess.Popen(
                [sys.executable, "-m", "data.importing.worker", str(self.place.absolute()), what],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Libraries print what they choke on, and that can be a patient's.
                stderr=subprocess.DEVNULL,
                # The lock lives as long as the worker does, whatever becomes of this process.
                pass_fds=(lock,),
            )
            write_json(self.place / "worker.json", {"pid": worker.pid})
        finally:
            os.close(lock)

    def wait(self, timeout: float | None = None) -> State:
        """Wait until nothing is under way, or for some seconds; return the state."""
        until = None if timeout is None else time.monotonic() + timeout
        while self._lives() and (until is None or time.monotonic() < until):
            time.sleep(_POLL_SECONDS)
        return self.state

    def checked(self) -> Checked:
        """Return what checking gave.

        Raises
        ------
        JobError
            If the study as it is mapped now was not checked.
        """
        self._need("checked", "publishing")
        said = self._said("check")
        return Checked(
            problems=tuple(Problem(**fields) for fields in said["problems"]),
            rows_read=said["rows_read"],
            rows=said["rows"],
            derivable=tuple(Derivability(**fields) for fields in said["derivable"]),
            timepoints=said["timepoints"],
            diff=said["diff"] and Diff(**said["diff"]),
            digest=said["record"]["hash"] if said["record"] else "",
            unchanged=said["unchanged"],
        )

    def publish(self, who: str, small_cell_minimum: int | None = None) -> Snapshot:
        """Publish what was checked, and delete the files.

        Parameters
        ----------
        who : str
            For the history.
        small_cell_minimum : int, optional
            Left out, the one that the study has in the store stays; a new study gets the one of its
            description, else 5.

        Raises
        ------
        JobError
            If it was not checked, or a problem is fatal.
        StoreBusy
        OSError
            If the store cannot be written; it is as it was.
        """
        if published := self._said("published"):
            return find(published["study_id"], published["snapshot"], self.folder)
        if self.checked().fatal:
            raise JobError("A fatal problem stands in the way. Correct it, then check again.")
        with self._alone():
            fields = self._said("check")["record"]
            number = self._said("check")["number"]
            if (
                not (self.place / BUILT).exists()
                and whole(self.folder, fields["study_id"], fields["hash"]) is None
            ):
                raise JobError("What was checked is not in the store any more. Check again.")
            write_json(self.place / "request.json", {"what": "publish", "number": number})
            snapshot = commit(
                self.place / BUILT,
                fields,
                self.folder,
                who=who,
                small_cell_minimum=small_cell_minimum,
            )
            self._keep_mappings()
            published = {"study_id": snapshot.study_id, "snapshot": snapshot.hash}
            write_json(self.place / "published.json", published)
            self._clear()
        if self.id in _owners:
            self.cancel()
        return snapshot

    def _keep_mappings(self) -> None:
        mapping = self.mapping
        assert mapping is not None
        (self.folder / MAPPINGS).mkdir(exist_ok=True)
        for sheet in mapping.sheets:
            kept = mappings.to_json(StudyMapping({}, (sheet,)))
            write_json(self.folder / MAPPINGS / f"{sheet.shape}.json", kept)

    def _clear(self) -> None:
        """Delete everything that was read; that the job was published stays for a day."""
        for path in self.place.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in ("job.json", "published.json", "lock", OWNER):
                path.unlink(missing_ok=True)
        write_json(self.place / "job.json", {**self._said("job"), "files": []})

    def stop(self) -> None:
        """Stop the checking; what was read and assigned stays."""
        self._kill()
        self._back_to_mapping()

    def _back_to_mapping(self) -> None:
        if self._said("request")["what"] != "read":
            number = self._said("read").get("number")
            write_json(self.place / "request.json", {"what": "read", "number": number})

    def _kill(self) -> None:
        if self._lives():
            with suppress(ProcessLookupError, KeyError):
                os.kill(self._said("worker")["pid"], signal.SIGKILL)
        if worker := _workers.pop(self.id, None):
            worker.kill()
            worker.wait()

    def cancel(self) -> None:
        """Stop whatever is under way and delete the job."""
        self._kill()
        shutil.rmtree(self.place, ignore_errors=True)
        if (owner := _owners.pop(self.id, None)) is not None:
            os.close(owner)

    def _said(self, name: str) -> dict[str, Any]:
        return read_json(self.place / f"{name}.json")

    def _lives(self) -> bool:
        if worker := _workers.get(self.id):
            worker.poll()  # else it stays in the list of processes when it has ended
        try:
            lock = try_lock(self.place / "lock", shared=True)
        except FileNotFoundError:
            return False
        if lock is not None:
            os.close(lock)
        return lock is None

    def _lock(self) -> int | None:
        """Take the job's lock; others only look at it for a moment, a worker keeps it."""
        for _ in range(10):
            if (lock := try_lock(self.place / "lock")) is not None:
                return lock
            time.sleep(_POLL_SECONDS / 5)
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._lock()
        if lock is None:
            raise JobError("This import is busy. Wait until it has finished, or cancel it.")
        try:
            yield
        finally:
            os.close(lock)

    def _rest(self) -> None:
        self._need("mapping", "checked", "failed")

    def _need(self, *states: State) -> None:
        state = self.state
        if state not in states:
            raise JobError(f"The import is {state}. That cannot be done now.")


def saved_mappings(folder: Path | None = None) -> tuple[SheetMapping, ...]:
    """Return how sheets were mapped when they were last published, one per shape."""
    found = list[SheetMapping]()
    for path in sorted(((folder or store_folder()) / MAPPINGS).glob("*.json")):
        with suppress(ValueError):
            found += mappings.from_json(json.loads(path.read_text("utf-8"))).sheets
    return tuple(found)


def study_of(shapes: Iterable[str], folder: Path | None = None) -> Snapshot | None:
    """Return the served study that was published from sheets of these shapes, if it is the only one."""
    folder, wanted, found = folder or store_folder(), set(shapes), list[Snapshot]()
    for snapshot in snapshots(folder):
        if snapshot.current:
            said = read_json(record_path(folder, snapshot.study_id, snapshot.hash)).get("mapping")
            sheets = mappings.from_json(said).sheets if said else ()
            if wanted and {sheet.shape for sheet in sheets} == wanted:
                found.append(snapshot)
    return found[0] if len(found) == 1 else None


_tidied: set[Path] = set()


def tidy_once(folder: Path | None = None) -> None:
    """Tidy a store, once per process."""
    folder = folder or store_folder()
    if folder not in _tidied:
        _tidied.add(folder)
        # What cannot be tidied today stands in nobody's way.
        with suppress(OSError):
            tidy(folder)


def tidy(folder: Path | None = None) -> None:
    """Delete what processes that died left behind, and jobs with which nobody went on for a day."""
    folder = folder or store_folder()
    if not folder.exists():
        return
    with locked(folder):
        settle(folder)
        for place in (folder / JOBS).glob("*"):
            if _is_debris(place):
                shutil.rmtree(place, ignore_errors=True)


def _is_debris(place: Path) -> bool:
    """Tell whether a folder of an import belongs to nobody any more."""
    try:
        if (place / OWNER).exists():
            taken = place / OWNER
        elif (place / "job.json").exists():
            touched = max(path.stat().st_mtime for path in place.iterdir())
            if time.time() - touched < KEPT_HOURS * 3600:
                return False
            taken = place / "lock"
        else:
            # Made under the store's lock, which we hold: nobody is about to write into it.
            return True
        lock = try_lock(taken)
    except FileNotFoundError:
        return False
    if lock is None:
        return False
    os.close(lock)
    return True
