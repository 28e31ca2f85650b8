"""The command line of the store: ``python -m data import | list | history | rollback | delete | …``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from data import audit
from data.engines import parquet
from data.exporting import adam
from data.importing import history, jobs
from data.importing.command import PUBLISHED, REFUSED, Options, Outcome, import_paths, who
from data.store import (
    Snapshot,
    SnapshotError,
    changed_folder,
    find,
    snapshots,
    store_folder,
    verify,
)

DEMO = Path(__file__).parent / "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done, published or unchanged. 1: refused. 2: wrong usage. 3: an import has open questions.
    """
    options = _parser().parse_args(arguments)
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "import": _import,
        "list": _list,
        "history": _history,
        "rollback": _roll_back,
        "delete": _delete,
        "minimum": _minimum,
        "export-adam": _export_adam,
        "publish": _publish,
        "audit": _audit,
        "demo": _demo,
    }
    try:
        jobs.tidy_once()
        return commands[options.command](options)
    except (OSError, SnapshotError, ValueError) as error:
        print(error, file=sys.stderr)
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="The cohort store.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, words: str, *, study: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words)
        if study:
            added.add_argument("--study", required=True, help="name of the study: a-z, 0-9 and _")
        return added

    importing = command("import", "check files or folders and publish them as a study")
    importing.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    importing.add_argument("--title", help="of a new study, as every screen shows it")
    importing.add_argument("--mapping", type=Path, help="how the columns are read: a JSON file")
    importing.add_argument("--write-mapping", type=Path, help="where to write the mapping used")
    importing.add_argument("--report", type=Path, help="where to write what was found, as JSON")
    importing.add_argument(
        "--small-cell-minimum", type=_whole, metavar="K", help="hide counts below K; 0 hides none"
    )
    importing.add_argument("--rekey", action="store_true", help="replace patient identifiers")
    importing.add_argument(
        "--values", action="store_true", help="quote cells in the findings: they can identify"
    )
    command("list", "show the snapshots", study=False)
    command("history", "show what happened to a study")
    back = command("rollback", "serve an earlier snapshot of a study again")
    back.add_argument("--snapshot", required=True, help="its hash, as list shows it")
    delete = command("delete", "delete a study, or one snapshot of it, for good")
    delete.add_argument("--snapshot", help="its hash; without it the whole study goes")
    minimum = command("minimum", "hide counts of patients below a number")
    minimum.add_argument("minimum", type=_whole, metavar="K")
    export = command("export-adam", "write the analysis sets of a study under ADaM names, as a ZIP")
    export.add_argument("target", type=Path, metavar="FILE")
    export.add_argument("--snapshot", help="its hash; without it the one that is served")
    published = command("publish", "write a snapshot as Parquet, which Apache Spark reads")
    published.add_argument("--snapshot", help="its hash; without it the one that is served")
    published.add_argument(
        "--to", type=Path, required=True, help="folder; made where it is missing"
    )
    command("audit", "print the audit log and verify its chain", study=False)
    command("demo", "publish the embedded cohorts", study=False)
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0.")
    return int(text)


def _import(given: argparse.Namespace) -> int:
    asked = {name: value for name, value in vars(given).items() if name not in ("command", "paths")}
    asked["study_id"] = asked.pop("study")
    options = Options(**asked)
    outcome = import_paths(given.paths, options)
    # A terminal has a reader; what is not one is likely a log.
    _print_outcome(outcome, values=options.values or sys.stdout.isatty())
    return outcome.exit_code


def _demo(_: argparse.Namespace) -> int:
    codes = []
    for study in sorted(DEMO.glob("*/study.json")):
        outcome = import_paths([study.parent], Options(study.parent.name))
        codes.append(outcome.exit_code)
        quiet = replace(outcome, problems=(), derivable=()) if outcome.snapshot else outcome
        _print_outcome(quiet, values=True)
    return max(codes)


def _print_outcome(outcome: Outcome, *, values: bool) -> None:
    for problem in outcome.problems:
        print(problem if values else replace(problem, value=None))
    for question in outcome.questions:
        place = ", ".join(part for part in (question.sheet, question.column) if part)
        print(f"question {place}: {question.what if values else question.field}")
    for endpoint in outcome.derivable:
        if endpoint.refused_because:
            print(f"{endpoint.code}: not derivable. {endpoint.refused_because}")
        else:
            print(f"{endpoint.code}: {endpoint.n_usable} patients")
        for reason, count in endpoint.excluded.items():
            print(f"    left out {count}: {reason}")
    if outcome.snapshot is not None:
        if outcome.diff is not None and not outcome.unchanged:
            print(f"Changed: {outcome.diff}")
        print(f"{'Unchanged' if outcome.unchanged else 'Published'} {_line(outcome.snapshot)}")
    if outcome.message:
        print(outcome.message, file=sys.stderr)


def _list(_: argparse.Namespace) -> int:
    found = snapshots()
    for snapshot in found:
        print(f"{'*' if snapshot.current else ' '} {_line(snapshot)}")
    if not found:
        print(
            f"No snapshot in {store_folder()}. Publish one with: python -m data import PATH --study ID"
        )
    return PUBLISHED


def _line(snapshot: Snapshot) -> str:
    rows = ", ".join(f"{count} {name}" for name, count in snapshot.rows.items())
    return f"{snapshot.study_id}  {snapshot.hash}  {snapshot.published_at}  {rows}"


def _history(given: argparse.Namespace) -> int:
    entries = history.history(given.study)
    for entry in entries:
        rows = ", ".join(f"{count} {name}" for name, count in entry.rows.items())
        print(f"{entry.at}  {entry.what:<9}  {entry.snapshot or 'the study'}  {entry.who}  {rows}")
    if not entries:
        print(f"Nothing is known of the study ‘{given.study}’.")
    return PUBLISHED


def _roll_back(given: argparse.Namespace) -> int:
    print(f"Serving {_line(history.roll_back(given.study, given.snapshot, who()))}")
    return PUBLISHED


def _delete(given: argparse.Namespace) -> int:
    history.delete(given.study, given.snapshot, who())
    print(f"Deleted {given.snapshot or 'every snapshot'} of {given.study}.")
    return PUBLISHED


def _minimum(given: argparse.Namespace) -> int:
    snapshot = history.set_minimum(given.study, given.minimum, who())
    print(f"{given.study} now hides counts below {snapshot.small_cell_minimum}.")
    return PUBLISHED


def _export_adam(given: argparse.Namespace) -> int:
    content = adam.archive(find(given.study, given.snapshot))
    audit.record(who(), "download", file=f"{given.study}-adam.zip", study=given.study)
    given.target.write_bytes(content)
    print(f"Wrote {given.target}")
    return PUBLISHED


def _publish(given: argparse.Namespace) -> int:
    snapshot = find(given.study, given.snapshot, changed_folder())
    verify(snapshot)
    print(f"Wrote {parquet.publish(snapshot, given.to)}")
    return PUBLISHED


def _audit(_: argparse.Namespace) -> int:
    n = 0
    for line in audit.lines():
        told = ", ".join(f"{name} {value}" for name, value in line.told.items())
        print(f"{line.at}  {line.what:<9}  {line.who}  {told}")
        n += 1
    last, faults = audit.check()
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{n} lines, {'TAMPERED WITH' if faults else 'the chain is whole'}; last hash {last}")
    return REFUSED if faults else PUBLISHED


if __name__ == "__main__":
    sys.exit(main())
