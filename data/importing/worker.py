"""The slow steps of a job, in a process with limits: ``python -m data.importing.worker FOLDER read|check``.

Nothing is printed: what goes wrong is written into the folder of the job, in words without values.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from data.importing import formats, privacy
from data.importing.apply import Canonical, apply
from data.importing.check import check, forget_days_after_death
from data.importing.disk import write_json
from data.importing.history import diff
from data.importing.jobs import Job, JobError
from data.importing.limits import apply_limits
from data.importing.mapping import StudyMapping, to_json
from data.importing.problems import Problem, in_order
from data.importing.publish import BUILT, build, digest_of, record, salt, whole
from data.importing.read import Tables, typed
from data.importing.recognise import questions
from data.importing.sheets import Sheet
from data.queries import derivability
from data.store import (
    Snapshot,
    SnapshotError,
    file_sha256,
    find,
    read_json,
    records,
    sql_text,
)

_WALL = 2
"""How many seconds may pass for each second of computing that the limits allow."""


def main(arguments: Sequence[str]) -> int:
    """Do one step of a job; return 0 if it has a result."""
    place, what = Path(arguments[0]), arguments[1]
    job = Job(place.name, place.parent.parent)
    asked = read_json(place / "request.json")
    limits = job.limits
    apply_limits(limits)
    if hasattr(signal, "alarm"):
        signal.alarm(_WALL * limits.cpu_seconds)
    steps: Mapping[str, Callable[[Job], dict[str, Any]]] = {"read": _read, "check": _check}
    try:
        result = steps[what](job)
    except Exception as error:
        write_json(place / "failed.json", {"number": asked["number"], "message": _said(error)})
        return 1
    write_json(place / f"{what}.json", {"number": asked["number"], **result})
    return 0


def _said(error: Exception) -> str:
    """Return why a step failed, without the message of an error that can hold values."""
    if isinstance(error, JobError):
        return str(error)
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return (
            "It needs more memory than an import may take. Split the file, or import it with the "
            "command, which takes more."
        )
    if isinstance(error, OSError):
        return f"It could not be read or written: {error.strerror or error}. Try again."
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        "Something is wrong in this program, not in your file. Please report "
        f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}."
    )


def _progress(job: Job, words: str, share: float | None) -> None:
    """Say what is being done; lost on a crash, so it is not flushed."""
    path = job.place / "progress.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"words": words, "share": share}), "utf-8")
    os.replace(new, path)


def _read(job: Job) -> dict[str, Any]:
    described = read_json(job.place / "job.json")["files"]
    sheets, problems, files, rows = list[Sheet](), list[Problem](), [], 0
    for number, file in enumerate(described):
        so_far = f" ({rows:,} rows read)" if rows else ""
        words = f"Reading file {number + 1} of {len(described)}{so_far}"
        _progress(job, words, number / len(described))
        path = Path(file["path"])
        if not path.is_file():
            what, remedy = "the file is not there any more.", "Choose it again."
            problems.append(Problem("fatal", file["name"], None, None, None, what, remedy))
            continue
        files.append(
            {
                "format": path_format(file["name"]),
                "sha256": file_sha256(path),
                "options": file["options"],
            }
        )
        found, faults = formats.read_file(path, file["name"], limits=job.limits, **file["options"])
        sheets += found
        problems += faults
        rows += sum(len(sheet.cells) for sheet in found)
    _progress(job, f"Keeping {rows:,} rows", 0.9)
    formats.save(tuple(sheets), job.place / "sheets")
    return {"problems": [asdict(p) for p in in_order(problems)], "files": files}


def path_format(name: str) -> str:
    """Return the ending of a file's name, for the history: the name itself can tell too much."""
    return Path(name).suffix.removeprefix(".").lower()


def _check(job: Job) -> dict[str, Any]:
    read = read_json(job.place / "read.json")
    _progress(job, "Applying the mapping", 0.05)
    sheets, mapping = formats.load(job.place / "sheets"), job.mapping
    assert mapping is not None
    _refuse_unfinished(sheets, mapping)
    canonical = apply(sheets, mapping)
    key = salt(job.folder) if mapping.rekey else None
    if key is not None:
        rekey(canonical, key)
    content = hashlib.sha256(json.dumps(read["files"], sort_keys=True).encode("utf-8")).hexdigest()
    tables = typed(canonical, content)
    rows = {name: len(frame) for name, frame in tables.frames.items()}
    _progress(job, f"Checking {sum(rows.values()):,} rows", 0.2)
    found = (*job.problems, *identifying(sheets, mapping), *tables.problems, *check(tables))
    forget_days_after_death(tables)
    problems = in_order(dict.fromkeys(found))
    result = {
        "problems": [asdict(problem) for problem in problems],
        "rows_read": {sheet.name: len(sheet.cells) for sheet in sheets},
        "rows": rows, "derivable": [], "timepoints": {}, "diff": None, "record": None,
        "unchanged": False,
    }  # fmt: skip
    del sheets, canonical
    if any(problem.severity == "fatal" for problem in problems):
        return result
    said = to_json(mapping)
    fields = record(tables, digest_of(tables, said, key), files=read["files"], mapping=said)
    return result | _built(job, tables, problems, fields)


def _refuse_unfinished(sheets: tuple[Sheet, ...], mapping: StudyMapping) -> None:
    if all(one.role == "nothing" for one in mapping.sheets):
        raise JobError("No sheet is used. Say of at least one what a row of it is.")
    if n := len(questions(sheets, mapping)):
        raise JobError(f"{n} question{'s are' if n > 1 else ' is'} open. Answer first, then check.")


def _built(
    job: Job, tables: Tables, problems: Sequence[Problem], fields: dict[str, Any]
) -> dict[str, Any]:
    """Build the snapshot in the folder of the job, and say what it would bring."""

    def progress(words: str, share: float | None) -> None:
        _progress(job, words, None if share is None else 0.3 + 0.65 * share)

    # A refresh with the same files has nothing to build.
    found = whole(job.folder, fields["study_id"], fields["hash"])
    if found is None:
        path = job.place / BUILT
        fields["file_sha256"] = build(path, tables, problems, progress)
        found = Snapshot(
            fields["study_id"], fields["title"], fields["hash"], fields["file_sha256"],
            path, "", fields["rows"], current=False,
        )  # fmt: skip
    served = _served(job.folder, found.study_id)
    _progress(job, "Comparing with the snapshot that is served", 0.97)
    evaluable = records(found, sql_text("query_evaluable"))
    return {
        "derivable": [asdict(endpoint) for endpoint in derivability(found)],
        "timepoints": {row["timepoint"]: row["n"] for row in evaluable},
        "diff": _diff(served, found),
        "record": fields,
        "unchanged": served is not None and served.hash == found.hash,
    }


def _served(folder: Path, study_id: str) -> Snapshot | None:
    try:
        return find(study_id, folder=folder)
    except SnapshotError:
        return None


def _diff(served: Snapshot | None, built: Snapshot) -> dict[str, int] | None:
    try:
        return asdict(diff(served, built)) if served else None
    except SnapshotError:
        return None


def rekey(canonical: Canonical, key: bytes) -> None:
    """Replace the identifiers of patients in every table, the same one by the same."""
    for cells in canonical.cells.values():
        if "patient_id" in cells:
            ids = cells["patient_id"].cat
            new = privacy.rekeyed(ids.categories.to_series(), key)
            cells["patient_id"] = ids.rename_categories(list(new))


def identifying(sheets: Sequence[Sheet], mapping: StudyMapping) -> list[Problem]:
    """Return the findings on columns that look like identifiers and are not left out or replaced."""
    used = {
        (sheet.sheet, assignment.column): assignment.target
        for sheet in mapping.sheets
        if sheet.role != "nothing"
        for assignment in sheet.assignments
        if assignment.target != "nothing"
    }
    return [
        problem
        for problem in privacy.identifying(tuple(sheets))
        if (target := used.get((problem.file, problem.column or ""))) is not None
        and not (target == "patient_id" and mapping.rekey)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
