"""The command line of the store: ``python -m data import | list | demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.importing.problems import ImportRefused, Problem
from data.importing.publish import import_folder
from data.queries import derivability
from data.store import Snapshot, SnapshotError, snapshots, store_folder

DEMO = Path(__file__).parent / "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m data", description="The cohort store.")
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", help="check a folder of CSV tables and publish it")
    importing.add_argument("path", type=Path)
    importing.add_argument("--study", required=True, help="name of the study: a-z, 0-9 and _")
    commands.add_parser("list", help="show the snapshots")
    commands.add_parser("demo", help="publish the embedded cohorts")
    options = parser.parse_args(arguments)
    try:
        if options.command == "import":
            return _import(options.path, options.study)
        if options.command == "demo":
            return max(_import(study.parent, study.parent.name, quiet=True)
                       for study in sorted(DEMO.glob("*/study.json")))  # fmt: skip
        return _list()
    except (OSError, SnapshotError) as error:
        print(error, file=sys.stderr)
        return 1


def _import(path: Path, study_id: str, *, quiet: bool = False) -> int:
    if not path.is_dir():
        print(
            f"{path} is not a folder. Give the folder that holds the four tables.", file=sys.stderr
        )
        return 2
    try:
        snapshot, problems = import_folder(path, study_id)
    except ImportRefused as refused:
        _print_problems(refused.problems)
        print(refused, file=sys.stderr)
        return 1
    if not quiet:
        _print_problems(problems)
        _print_derivability(snapshot)
    print(f"Published {_line(snapshot)}")
    return 0


def _list() -> int:
    found = snapshots()
    for snapshot in found:
        print(f"{'*' if snapshot.current else ' '} {_line(snapshot)}")
    if not found:
        print(
            f"No snapshot in {store_folder()}. Publish one with: python -m data import PATH --study ID"
        )
    return 0


def _line(snapshot: Snapshot) -> str:
    rows = ", ".join(f"{count} {name}" for name, count in snapshot.rows.items())
    return f"{snapshot.study_id}  {snapshot.hash}  {snapshot.published_at}  {rows}"


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem)


def _print_derivability(snapshot: Snapshot) -> None:
    for endpoint in derivability(snapshot):
        if endpoint.refused_because:
            print(f"{endpoint.code}: not derivable. {endpoint.refused_because}")
        else:
            print(f"{endpoint.code}: {endpoint.n_usable} patients")
        for reason, count in endpoint.excluded.items():
            print(f"    left out {count}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
