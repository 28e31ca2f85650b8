"""What the checks of an import share: the tables, their patients, and the list of what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.importing.problems import LISTED, Problem, Severity, row_problems
from data.importing.read import Tables


class Findings:
    """The tables under check, and what was found so far.

    Parameters
    ----------
    tables : Tables
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.problems: list[Problem] = []
        self._patients = _Places(self["patients"])

    def __getitem__(self, table: str) -> pd.DataFrame:
        """Return a table if its rows belong to patients, else an empty one."""
        frame = self.tables.frames.get(table, pd.DataFrame())
        return frame if "patient_id" in frame else pd.DataFrame()

    def has(self, table: str, *columns: str) -> bool:
        """Return whether a table has rows and these columns."""
        return len(self[table]) > 0 and {*columns} <= {*self[table].columns}

    def name(self, table: str, column: str) -> str:
        """Return what the user's own file calls a column."""
        return self.tables.place(table, column)[1] or column

    def patient(self, table: str) -> np.ndarray[Any, Any]:
        """Return of each row of a table the position of its patient, -1 for nobody."""
        return self._patients.of(self[table])

    def rows(
        self,
        severity: Severity,
        table: str,
        column: str,
        rows: Any,
        what: str,
        remedy: str,
        *,
        beside: Iterable[tuple[str, pd.Series[Any]]] = (),
        each: Callable[[np.ndarray[Any, Any]], Sequence[str]] | None = None,
        place: tuple[str, str | None] | None = None,
    ) -> None:
        """Report rows of a table, each with its cell and those that stand beside it in question.

        `place` is the sheet and the column to name, where they are not those of the column.
        """
        frame = self[table]
        faulty = np.flatnonzero(true(rows))
        listed = faulty[:LISTED]
        values: list[str | None] = [shown(value) for value in frame[column].iloc[listed]]
        for name, cells in beside:
            of = [shown(value) for value in cells.iloc[listed]]
            values = [f"{v or 'empty'} ({name} {o})" for v, o in zip(values, of, strict=True)]
        numbers = frame.index.to_numpy()[faulty]
        place, said = place or self.tables.place(table, column), each(listed) if each else None
        self.problems += row_problems(severity, place, numbers, values, what, remedy, of_each=said)

    def column(
        self,
        severity: Severity,
        table: str,
        column: str,
        what: str,
        remedy: str,
        *,
        value: str | None = None,
        rows: int = 1,
    ) -> None:
        """Report a column as a whole."""
        file, name = self.tables.place(table, column)
        self.problems.append(Problem(severity, file, None, name, value, what, remedy, rows))


class _Places:
    """Where each patient stands first in a table."""

    def __init__(self, frame: pd.DataFrame) -> None:
        ids = frame.get("patient_id", pd.Series(dtype="category")).astype("category")
        codes = ids.cat.codes.to_numpy()
        self._known = ids.cat.categories
        # The last place is that of a missing identifier, whose code is -1.
        self._first = np.full(len(self._known) + 1, -1)
        self._first[codes[::-1]] = np.arange(len(ids))[::-1]
        self._first[-1] = -1

    def of(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return of each row of a table where its patient stands first, -1 for nowhere."""
        ids = frame["patient_id"].astype("category")
        where = np.append(self._known.get_indexer(ids.cat.categories), -1)
        found: np.ndarray[Any, Any] = self._first[where[ids.cat.codes.to_numpy()]]
        return found


def true(rows: Any) -> np.ndarray[Any, Any]:
    """Return where rows are true; not known counts as not."""
    known: np.ndarray[Any, Any] = pd.array(rows, dtype="boolean").fillna(False).to_numpy(bool)
    return known


def shown(value: object) -> str | None:
    """Return a cell as the user would write it, None where it is empty."""
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def at(values: pd.Series[Any], positions: np.ndarray[Any, Any]) -> pd.Series[Any]:
    """Return the values of the rows at these positions, missing where a position is -1."""
    return values.reset_index(drop=True).reindex(positions)
