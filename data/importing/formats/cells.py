"""From the raw cells of any format to a `Sheet`: one home for names, missing texts and row numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data.importing.limits import Limits
from data.importing.problems import Problem, Severity
from data.importing.sheets import ROW, Sheet

MISSING = ("NA", ".")
"""Texts that stand for an empty cell: R writes the first, SAS the second. 'ND' or 'none' do not."""

MISSING_IN_WORDS = "empty cells, and cells that hold exactly NA or ."
_DATA = re.compile(r"[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_SEARCHED = 50


class Refused(Exception):
    """A file that cannot be read; carries the finding."""

    def __init__(
        self,
        file: str,
        what: str,
        remedy: str,
        *,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.problem = Problem("fatal", file, row, column, None, what, remedy)
        super().__init__(what)


class Texts:
    """One column while it is gathered, chunk by chunk, as codes and distinct texts."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []

    def add(self, texts: Any) -> None:
        """Add a sequence of str or None, or an Arrow array of strings or of a dictionary of them."""
        if not isinstance(texts, pa.Array):
            texts = pa.array(texts, pa.string())
        if not pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_encode()
        self._chunks.append(texts)

    def categorical(self) -> pd.Categorical:
        """Return the column: stripped, empty cells and `MISSING` missing."""
        if not self._chunks:
            return pd.Categorical([], categories=pd.Index([], dtype=object))
        whole = pa.chunked_array(self._chunks).unify_dictionaries()
        codes = np.concatenate([_codes(chunk) for chunk in whole.chunks])
        self._chunks = []
        return _stripped(whole.chunk(0).dictionary.to_pylist(), codes)


def _codes(chunk: Any) -> Any:
    return chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _stripped(texts: Sequence[str | None], codes: Any) -> pd.Categorical:
    bare = ["" if text is None else text.strip() for text in texts]
    if bare != texts or any(empty in bare for empty in ("", *MISSING)):
        new = dict.fromkeys(text for text in bare if text and text not in MISSING)
        numbers = {text: number for number, text in enumerate(new)}
        places = [numbers.get(text, -1) for text in bare]
        # The place after the last is that of a missing cell, whose code is -1.
        codes, bare = np.array([*places, -1], dtype=np.int32)[codes], list(new)
    return pd.Categorical.from_codes(codes, categories=pd.Index(bare, dtype=object))


@dataclass
class Draft:
    """A table that was read, before it is a `Sheet`.

    Attributes
    ----------
    name : str
        Of the sheet.
    header : sequence of str
        Column names as written.
    columns : sequence of Texts
    rows : sequence of int
        Of each record, as a spreadsheet numbers it.
    header_row : int
        Row of the header; 0 where the names are not a row of the file.
    labels, reading : dict
    dates : set of int
        Places of the columns that the file types as dates.
    problems : list of Problem
    """

    name: str
    header: Sequence[str]
    columns: Sequence[Texts]
    rows: Any
    header_row: int = 0
    labels: Mapping[int, str] = field(default_factory=dict)
    dates: set[int] = field(default_factory=set)
    reading: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def found(
        self, severity: Severity, row: int | None, column: str | None, what: str, remedy: str
    ) -> None:
        """Note a problem."""
        self.problems.append(Problem(severity, self.name, row, column, None, what, remedy))

    def sheet(self, limits: Limits) -> Sheet:
        """Return the sheet; blank rows and columns without name and content are passed over."""
        cells = [column.categorical() for column in self.columns]
        kept = [
            place
            for place, column in enumerate(cells)
            if self.header[place].strip() or (column.codes >= 0).any()
        ]
        if len(kept) < len(cells):
            self.reading["left out"] = f"{len(cells) - len(kept)} columns without name and content"
        names = self._names(kept)
        filled = np.zeros(len(self.rows), dtype=bool)
        for place in kept:
            filled |= cells[place].codes >= 0
        index = pd.Index(np.asarray(self.rows, dtype="int64")[filled], name=ROW)
        every = bool(filled.all())
        frame = pd.DataFrame(
            {
                name: cells[place] if every else cells[place][filled]
                for name, place in zip(names, kept, strict=True)
            },
            index=index,
            copy=False,
        )
        if not len(frame):
            self.found("note", None, None, "it has column names and no rows.", "Add rows if any.")
        self._long_cells(frame, limits)
        if self.header_row:
            self.reading["header row"] = f"row {self.header_row}"
        self.reading["missing"] = MISSING_IN_WORDS
        of = dict(zip(kept, names, strict=True))
        return Sheet(
            self.name,
            frame,
            labels={of[place]: text for place, text in self.labels.items() if place in of},
            dates=frozenset(of[place] for place in self.dates if place in of),
            reading=self.reading,
        )

    def _names(self, kept: Sequence[int]) -> list[str]:
        """Return unique names of the columns that are kept, and say which were changed."""
        written = [self.header[place].strip() for place in kept]
        taken = set(written)
        row = self.header_row or None
        names: list[str] = []
        for place, text in zip(kept, written, strict=True):
            name = text or f"column {place + 1}"
            base, number = name, 2
            while name in names or (name != text and name in taken):
                name, number = f"{base} ({number})", number + 1
            names.append(name)
            if not text:
                what = f"a column has no name; it is called ‘{name}’."
                self.found("note", row, name, what, "Give it a name if it is more than row names.")
            elif name != text:
                what = f"the name ‘{text}’ stands over more than one column."
                self.found("warning", row, name, what, f"This one is called ‘{name}’; rename one.")
        return names

    def _long_cells(self, frame: pd.DataFrame, limits: Limits) -> None:
        for place, name in enumerate(frame.columns):
            column = frame.iloc[:, place].array
            longest = max(map(len, column.categories), default=0)
            if max(longest, len(name)) > limits.cell_characters:
                lengths = np.fromiter(map(len, column.categories), dtype=np.int64)
                too_long = np.flatnonzero(lengths > limits.cell_characters)
                hit = np.flatnonzero(np.isin(column.codes, too_long))
                row = int(frame.index[hit[0]]) if len(hit) else self.header_row or None
                what = f"a cell holds more than {limits.cell_characters:,} characters."
                self.found("fatal", row, name[:80], what, "Shorten it or leave the column out.")


def header_place(rows: Sequence[Sequence[str | None]], name: str) -> int:
    """Return the place of the header among the first rows: the first row that names most columns.

    Raises
    ------
    Refused
        If none of the rows holds anything.
    """
    filled = [[bool(cell and cell.strip()) for cell in row] for row in rows[:_SEARCHED]]
    width = max(map(sum, filled), default=0)
    if not width:
        raise Refused(name, "it holds nothing.", "Write the column names in its first row.")
    wanted = 1 if width == 1 else max(2, width // 2 + 1)
    for place, cells in enumerate(filled):
        # R leaves the name of its row names empty.
        if sum(cells) >= wanted or (len(cells) > 1 and all(cells[1:])):
            return place
    raise AssertionError("one row is as wide as the widest")


def check_header(draft: Draft, above: int, *, chosen: bool, alone: bool = True) -> None:
    """Say where the header was found, and refuse one that reads like a row of data.

    Parameters
    ----------
    draft : Draft
    above : int
        How many rows above the header hold something.
    chosen : bool
        Whether the person said which row it is.
    alone : bool
        Whether the file holds no other table; another table can do without this one.
    """
    row = draft.header_row
    texts = [text.strip() for text in draft.header if text.strip()]
    if chosen:
        return
    if above:
        what = f"the column names were found in row {row}; what stands above is passed over."
        draft.found("note", row, None, what, "If they stand elsewhere, say in which row.")
    if sum(bool(_DATA.fullmatch(text)) for text in texts) * 2 >= max(len(texts), 1):
        what = "this row should hold the column names, and reads like data."
        remedy = "Add a row of names, or say which row holds them."
        draft.found("fatal" if alone else "warning", row, None, what, remedy)


def check_size(name: str, rows: int, columns: int, limits: Limits) -> None:
    """Refuse a table that is too large.

    Raises
    ------
    Refused
    """
    if columns > limits.columns:
        what = f"it has {columns:,} columns; {limits.columns:,} can be read."
        raise Refused(name, what, "Keep the columns that the study needs.")
    if rows * columns > limits.cells:
        what = f"it has {rows:,} rows and {columns:,} columns; {limits.cells:,} cells can be read."
        remedy = "Keep the columns that the study needs, or import it with the command."
        raise Refused(name, what, remedy)
