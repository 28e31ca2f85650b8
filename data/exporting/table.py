"""A table as a file: CSV that a spreadsheet opens as it is and runs nothing of, and Parquet."""

from __future__ import annotations

import io
import re

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

_FORMULA = re.compile(r"^[=+\-@\t\r\n＝＋－＠]")


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its columns in order; the index is not written.

    Returns
    -------
    bytes
        UTF-8 with a byte order mark, which spreadsheets need to read the signs. A text cell that one
        would run as a formula is preceded by an apostrophe, a column name too; numbers stay numbers.
        True and False are 'yes' and 'no', as an import reads them.
    """
    written = frame.apply(lambda column: column.map(_cell)).rename(columns=defused)
    return bytes(written.to_csv(index=False).encode("utf-8-sig"))


def as_parquet(frame: pd.DataFrame) -> bytes:
    """Return a frame as Parquet, with the types of its columns and every value as stored."""
    written = io.BytesIO()
    frame.to_parquet(written, index=False)
    return written.getvalue()


def as_xlsx(frame: pd.DataFrame) -> bytes:
    """Return a frame as a spreadsheet with one sheet: its header stays in view, and no text is run.

    Characters that a spreadsheet cannot hold are left out.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Findings")
    sheet.freeze_panes = "A2"
    for row in (list(frame.columns), *frame.astype(object).to_numpy().tolist()):
        sheet.append([None if pd.isna(cell) else _xlsx_cell(cell) for cell in row])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _xlsx_cell(value: object) -> object:
    return defused(ILLEGAL_CHARACTERS_RE.sub("", value)) if isinstance(value, str) else value


def defused(value: object) -> object:
    """Return a cell, with an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return defused(value)
