"""Import by command, for refreshes that nobody watches: every outcome has an exit code and a report."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data.importing import jobs
from data.importing.disk import StoreBusy
from data.importing.formats import FORMS
from data.importing.history import Diff, diff
from data.importing.jobs import Job, JobError
from data.importing.limits import COMMAND
from data.importing.mapping import Question, StudyMapping, from_json, shape, to_json
from data.importing.problems import SEVERITIES, ImportRefused, Problem
from data.importing.publish import import_folder
from data.importing.recognise import propose, questions
from data.importing.sheets import Sheet
from data.queries import Derivability, derivability
from data.store import Snapshot, SnapshotError, find, pointer, store_folder

PUBLISHED, REFUSED, USAGE, OPEN = 0, 1, 2, 3
"""Exit codes: published or unchanged; refused; wrong usage; questions that only a person can answer."""

_FOLDER = ("study.json", "patients.csv")
_POLL_SECONDS = 0.1
_STEPS = ("Reading", "Assigning columns", "Checking", "Publishing")


@dataclass(frozen=True)
class Options:
    """What the command was asked, beside the files.

    Attributes
    ----------
    study_id : str
    title : str or None
    mapping, write_mapping, report : Path or None
        Files: the mapping to use, where to write the one that was used, where to write the report.
    small_cell_minimum : int or None
    rekey, values : bool
        Whether identifiers are replaced; whether values are said on the screen and in the report.
    """

    study_id: str
    title: str | None = None
    mapping: Path | None = None
    write_mapping: Path | None = None
    report: Path | None = None
    small_cell_minimum: int | None = None
    rekey: bool = False
    values: bool = False


@dataclass
class Outcome:
    """What came of an import."""

    exit_code: int = REFUSED
    message: str = ""
    snapshot: Snapshot | None = None
    unchanged: bool = False
    problems: Sequence[Problem] = ()
    questions: Sequence[Question] = ()
    rows_read: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    derivable: Sequence[Derivability] = ()
    timepoints: Mapping[str, int] = field(default_factory=dict)
    diff: Diff | None = None


class WrongUsage(ValueError):
    """The command cannot be carried out as it was given."""


def who() -> str:
    """Return the name of the user of this computer, for the history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def import_paths(paths: Sequence[Path], options: Options) -> Outcome:
    """Import files and folders as one study, and write the report if one is asked for.

    Parameters
    ----------
    paths : sequence of Path
        A folder with study.json and patients.csv is read as docs/data-model.md says; of another, every
        file of an accepted form, and study.json where it has one.
    """
    outcome = Outcome()
    try:
        if len(paths) == 1 and all((paths[0] / name).is_file() for name in _FOLDER):
            _import_folder(paths[0], options, outcome)
        else:
            _import_files(paths, options, outcome)
    except WrongUsage as error:
        outcome.exit_code, outcome.message = USAGE, str(error)
    except (JobError, SnapshotError, StoreBusy, OSError) as error:
        outcome.exit_code, outcome.message = REFUSED, str(error)
    if options.report is not None:
        text = json.dumps(as_report(outcome, values=options.values), indent=1, ensure_ascii=False)
        options.report.write_text(text + "\n", "utf-8")
    return outcome


def _import_folder(folder: Path, options: Options, outcome: Outcome) -> None:
    """Import the folder of a study."""
    asked = (options.mapping, options.write_mapping, options.title, options.rekey or None)
    if any(value is not None for value in asked):
        raise WrongUsage(
            f"{folder} has a study.json, which says title and columns: leave out --title, "
            "--mapping, --write-mapping and --rekey."
        )
    served = _served(options.study_id)
    jobs.tidy_once()
    try:
        snapshot, outcome.problems = import_folder(
            folder, options.study_id, who=who(), small_cell_minimum=options.small_cell_minimum
        )
    except ImportRefused as refused:
        outcome.problems, outcome.message = refused.problems, str(refused)
        return
    outcome.derivable, outcome.rows = derivability(snapshot), snapshot.rows
    _published(snapshot, served, outcome)


def _published(snapshot: Snapshot, served: Snapshot | None, outcome: Outcome) -> None:
    outcome.exit_code, outcome.snapshot = PUBLISHED, snapshot
    outcome.unchanged = served is not None and served.hash == snapshot.hash
    if served is not None and outcome.diff is None:
        try:
            outcome.diff = diff(served, snapshot)
        except SnapshotError:
            outcome.diff = None


def _served(study_id: str) -> Snapshot | None:
    folder = store_folder()
    digest = pointer(folder, study_id).get("snapshot")
    try:
        return find(study_id, digest, folder) if digest else None
    except SnapshotError:
        return None


def _files(paths: Iterable[Path]) -> list[tuple[str, Path | bytes]]:
    """Return the files that are meant, by name."""
    endings = {ending for form in FORMS.values() for ending in form}
    found: list[tuple[str, Path | bytes]] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in endings]
            if not inside:
                raise WrongUsage(f"{path} holds no file of an accepted form.")
            found += [(p.name, p) for p in inside]
        elif path.is_file():
            found.append((path.name, path))
        else:
            raise WrongUsage(f"{path} is not there. Give a file or a folder.")
    return found


def _import_files(paths: Sequence[Path], options: Options, outcome: Outcome) -> None:
    files, given, study = _files(paths), _mapping_of(options), _described(paths)
    job = jobs.create(files, limits=COMMAND, owned=True)
    try:
        _step(job, "read", 0)
        outcome.problems = job.problems
        sheets = job.sheets()
        outcome.rows_read = {sheet.name: len(sheet.cells) for sheet in sheets}
        if any(problem.severity == "fatal" for problem in outcome.problems):
            outcome.message = "Nothing was published: the files cannot be read as they are."
            return
        print(f"Step 2 of {len(_STEPS)}: {_STEPS[1]}", file=sys.stderr, flush=True)
        mapping = _mapped(sheets, options, given, study)
        outcome.questions = questions(sheets, mapping)
        if options.write_mapping is not None:
            text = json.dumps(to_json(mapping), indent=1, ensure_ascii=False)
            options.write_mapping.write_text(text + "\n", "utf-8")
        if outcome.questions:
            outcome.exit_code = OPEN
            outcome.message = _open(outcome.questions, options)
            return
        job.keep(mapping)
        del sheets
        _check_and_publish(job, options, outcome)
    finally:
        job.cancel()


def _check_and_publish(job: Job, options: Options, outcome: Outcome) -> None:
    _step(job, "check", 2)
    checked = job.checked()
    outcome.problems, outcome.rows = checked.problems, checked.rows
    outcome.derivable, outcome.timepoints = checked.derivable, checked.timepoints
    outcome.diff = checked.diff
    if checked.fatal:
        outcome.message = str(ImportRefused(checked.problems))
        return
    print(f"Step 4 of {len(_STEPS)}: {_STEPS[3]}", file=sys.stderr, flush=True)
    served = _served(options.study_id)
    _published(job.publish(who(), options.small_cell_minimum), served, outcome)


def _mapping_of(options: Options) -> StudyMapping | None:
    """Return the mapping in the file that was given."""
    if options.mapping is None:
        return None
    try:
        given = from_json(json.loads(options.mapping.read_text("utf-8")))
    except ValueError as error:
        raise WrongUsage(f"{options.mapping} is not a mapping: {error}") from error
    named = given.study.get("study_id", options.study_id)
    if named != options.study_id:
        raise WrongUsage(f"{options.mapping} is for the study {named}, not {options.study_id}.")
    return given


def _described(paths: Iterable[Path]) -> dict[str, Any]:
    """Return what the study.json of a folder says."""
    study: dict[str, Any] = {}
    for path in paths:
        if (path / "study.json").is_file():
            try:
                study |= json.loads((path / "study.json").read_text("utf-8"))
            except (ValueError, TypeError) as error:
                raise WrongUsage(f"{path / 'study.json'} is not a JSON object: {error}") from error
    return study


def _mapped(
    sheets: Sequence[Sheet],
    options: Options,
    given: StudyMapping | None,
    study: Mapping[str, Any],
) -> StudyMapping:
    """Return how the sheets are read: as the mapping says that was given, else as is proposed."""
    study = {**study, **(given.study if given else {}), "study_id": options.study_id}
    if options.title is not None:
        study["title"] = options.title
    if given is not None:
        _need_same_columns(sheets, given, options)
    saved = given.sheets if given else jobs.saved_mappings()
    mapping = propose(sheets, study, saved)
    return replace(mapping, rekey=options.rekey or (given is not None and given.rekey))


def _need_same_columns(sheets: Sequence[Sheet], given: StudyMapping, options: Options) -> None:
    """Refuse files whose columns the mapping does not know: nothing of it is guessed anew."""
    known = {one.shape for one in given.sheets}
    by_name = {one.sheet: {a.column for a in one.assignments} for one in given.sheets}
    for sheet in sheets:
        columns = [str(column) for column in sheet.cells.columns]
        if shape(columns) in known:
            continue
        before = by_name.get(sheet.name, set())
        new = ", ".join(c for c in columns if c not in before)
        gone = ", ".join(sorted(before - set(columns)))
        raise WrongUsage(
            f"The columns of {sheet.name} are not those of {options.mapping}. New: {new or 'none'}. "
            f"Gone: {gone or 'none'}. Make a new mapping with --write-mapping, without --mapping."
        )


def _open(open_questions: Sequence[Question], options: Options) -> str:
    n = len(open_questions)
    what = "There is 1 open question" if n == 1 else f"There are {n} open questions"
    if options.write_mapping is not None:
        return f"{what}. Answer in {options.write_mapping} and give it with --mapping."
    return (
        f"{what}. Write the mapping with --write-mapping FILE, answer in it and give it with "
        "--mapping FILE; or import on the page Cohorts and download the mapping there."
    )


def _step(job: Job, what: jobs.What, number: int) -> None:
    """Have one step done, saying how far it is.

    Raises
    ------
    JobError
        If it fails.
    """
    told = ""
    job.start(what)
    while True:
        ended = job.wait(_POLL_SECONDS) not in ("reading", "checking")
        words, share = job.progress()
        if words and words != told:
            percent = "" if share is None else f" ({share:.0%})"
            line = f"Step {number + 1} of {len(_STEPS)}: {words}{percent}"
            print(line, file=sys.stderr, flush=True)
            told = words
        if ended:
            break
        time.sleep(_POLL_SECONDS)
    if job.state == "failed":
        raise JobError(f"{_STEPS[number]} failed. {job.message} Nothing was published.")


def as_report(outcome: Outcome, *, values: bool) -> dict[str, Any]:
    """Return an outcome as the JSON of the report.

    Parameters
    ----------
    values : bool
        Whether it quotes cells: they can be a patient's.
    """
    found = outcome.problems
    return {
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        "snapshot": outcome.snapshot.hash if outcome.snapshot else None,
        "unchanged": outcome.unchanged,
        "rows_read": dict(outcome.rows_read),
        "rows": dict(outcome.rows),
        "counts": {s: sum(p.rows for p in found if p.severity == s) for s in SEVERITIES},
        "problems": [_without(asdict(p), () if values else ("value",)) for p in found],
        "questions": [
            _without(asdict(q), () if values else ("what", "choices", "texts", "proposed"))
            for q in outcome.questions
        ],
        "derivability": [asdict(endpoint) for endpoint in outcome.derivable],
        "timepoints": dict(outcome.timepoints),
        "diff": asdict(outcome.diff) if outcome.diff else None,
    }


def _without(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
