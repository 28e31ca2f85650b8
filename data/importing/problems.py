"""What an import finds: each problem says where, what and the remedy."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import pandas as pd

Severity = Literal["fatal", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("fatal", "warning", "note")
"""The gravest first."""

LISTED = 200
"""Rows with the same finding in the same column that are named one by one; the rest are counted."""


@dataclass(frozen=True)
class Problem:
    """One finding of the import.

    Attributes
    ----------
    severity : {'fatal', 'warning', 'note'}
        A fatal one stops the import; a warning changes what can be derived; a note informs.
    file : str
        The sheet or file as the user knows it.
    row : int or None
        As a spreadsheet numbers it: the header is row 1. None where no single row is meant.
    column : str or None
        As the user's own file calls it.
    value : str or None
        As written. Shown to the person who imports, never stored or logged: it can identify.
    what, remedy : str
        Without values of patients, for the same reason.
    rows : int
        How many rows have it.
    """

    severity: Severity
    file: str
    row: int | None
    column: str | None
    value: str | None
    what: str
    remedy: str
    rows: int = 1

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", {self.column}"
        value = "" if self.value is None else f" ‘{self.value}’"
        return f"{self.severity:<7}  {place}{value}: {self.what} {self.remedy}"


class ImportRefused(ValueError):
    """An import with at least one fatal problem. Nothing was published."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        fatal = sum(problem.rows for problem in self.problems if problem.severity == "fatal")
        super().__init__(f"Nothing was published: {fatal:,} fatal problem{'s' * (fatal != 1)}.")


def row_problems(
    severity: Severity,
    place: tuple[str, str | None],
    rows: Collection[Any],
    values: Sequence[str | None],
    what: str,
    remedy: str,
    *,
    of_each: Sequence[str] | None = None,
) -> list[Problem]:
    """Return one finding that many rows can have: the first rows one by one, the rest as a count.

    Parameters
    ----------
    severity : {'fatal', 'warning', 'note'}
    place : tuple of str
        Sheet and column, as the user knows them.
    rows : collection of int
        Every row that has it.
    values : sequence of str or None
        The cells of at least the first `LISTED` of these rows.
    what, remedy : str
    of_each : sequence of str, optional
        What to say of each of the rows that are listed, in place of `what`.
    """
    file, column = place
    listed = list(islice(rows, LISTED))
    said = [what] * len(listed) if of_each is None else of_each
    found = [
        Problem(severity, file, int(row), column, value, each, remedy)
        for row, value, each in zip(listed, values, said, strict=False)
    ]
    rest = len(rows) - len(found)
    if rest > 0:
        of = f"the same in {rest:,} further row{'s' * (rest != 1)}: {what}"
        found.append(Problem(severity, file, None, column, None, of, remedy, rest))
    return found


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems with the gravest first, then by file and row; a count of further rows comes last."""

    def key(problem: Problem) -> tuple[int, str, float]:
        row = (math.inf if problem.rows > 1 else 0) if problem.row is None else problem.row
        return SEVERITIES.index(problem.severity), problem.file, row

    return sorted(problems, key=key)


def report(problems: Iterable[Problem]) -> pd.DataFrame:
    """Return problems as the sheet that a data manager works through.

    Returns
    -------
    pandas.DataFrame
        severity, file, row (missing where no single row is meant), column, value, problem, remedy, and
        rows (how many have it); the gravest first.
    """
    columns = ["severity", "file", "row", "column", "value", "problem", "remedy", "rows"]
    cells = [
        (p.severity, p.file, p.row, p.column, p.value, p.what, p.remedy, p.rows)
        for p in in_order(problems)
    ]
    return pd.DataFrame(cells, columns=columns).astype({"row": "Int64", "rows": "Int64"})
