"""What an import finds: each problem says where, what and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One finding of the import.

    Attributes
    ----------
    severity : {'fatal', 'warning', 'note'}
        A fatal one stops the import; a warning changes what can be derived; a note informs.
    file : str
    row : int or None
        As a spreadsheet numbers it: the header is row 1. None where the whole file is meant.
    column : str or None
    value : str or None
        As written. Shown to the person who imports, never stored or logged: it can identify.
    what, remedy : str
    """

    severity: Severity
    file: str
    row: int | None
    column: str | None
    value: str | None
    what: str
    remedy: str

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
        fatal = sum(problem.severity == "fatal" for problem in self.problems)
        super().__init__(f"Nothing was published: {fatal} fatal problem{'s' * (fatal != 1)}.")
