"""Every published figure beside the cohort's: ``python -m tools.evidence [--study NAME]``.

Prints a line per printed figure and a summary per publication. Exit code 0 if all that can hold is
reproduced, 1 if a figure differs, 2 if a cohort is not in the store.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from data.queries import dictionary
from data.store import SnapshotError, find
from pages.elements.evidence import DIFFERS, VERDICTS, Comparison, compare, figures, studies


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.evidence", description=__doc__)
    parser.add_argument("--study", choices=studies(), help="one publication; all by default")
    asked = parser.parse_args(arguments).study
    codes = [_report(study) for study in ([asked] if asked else studies())]
    return max(codes)


def compared(study: str) -> list[Comparison]:
    """Return every figure of a publication beside that of the served snapshot of its cohort.

    Raises
    ------
    SnapshotError
        If the cohort is not in the store.
    """
    printed = figures(study)
    snapshot = find(printed[0].cohort)
    variables = dictionary(snapshot)
    return [compare(snapshot, variables, figure) for figure in printed]


def _report(study: str) -> int:
    try:
        found = compared(study)
    except SnapshotError as error:
        print(f"{study}: {error}", file=sys.stderr)
        return 2
    lines = [_cells(comparison) for comparison in found]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"{study}, cohort {found[0].figure.cohort}")
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"  {'  '.join(padded)}".rstrip())
    counts = Counter(comparison.verdict for comparison in found)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    print(f"{study}: {len(found)} printed figures: {said}\n")
    return int(counts[DIFFERS] > 0)


def _cells(comparison: Comparison) -> tuple[str, ...]:
    figure, reason = comparison.figure, comparison.reason
    verdict = f"{comparison.verdict}: {reason}" if reason else comparison.verdict
    return (
        figure.place, figure.population, figure.measure, figure.printed, comparison.computed, verdict,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
