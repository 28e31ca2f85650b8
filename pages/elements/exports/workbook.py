"""Tables as a spreadsheet: typed cells, a frozen header, provenance and dictionary, and no formula."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.exporting.package import MADE, workbook_bytes
from data.exporting.table import defused
from data.variables import Dictionary
from pages.elements.exports.document import AUTHOR, writable
from pages.elements.exports.exhibit import Provenance

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\']")
_WIDEST = 48
_RATES = frozenset({"Rate", "Survival", "Incidence"})
_LIMITS = frozenset({"Low", "High"})


def as_xlsx(
    tables: Mapping[str, pd.DataFrame],
    provenance: Provenance,
    meanings: Iterable[tuple[str, str, str, str]] = (),
) -> bytes:
    """Return tables as one spreadsheet.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        By the name of the sheet. Numbers stay numbers, whole ones without decimals; yes/no cells are
        'yes' and 'no'; missing ones are empty.
    provenance : Provenance
        The sheet 'Provenance'.
    meanings : iterable of (str, str, str, str)
        The sheet 'Dictionary': column, meaning, unit, levels. Left out where there are none.

    Returns
    -------
    bytes
        The same for the same tables. A text that begins like a formula is a text.
    """
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    taken: set[str] = set()
    for name, table in tables.items():
        _sheet(book.create_sheet(_sheet_name(name, taken)), table)
    _sheet(book.create_sheet(_sheet_name("Provenance", taken)), provenance_table(provenance))
    rows = list(meanings)
    if rows:
        columns = ["Column", "Meaning", "Unit", "Levels"]
        sheet = book.create_sheet(_sheet_name("Dictionary", taken))
        _sheet(sheet, pd.DataFrame(rows, columns=columns))
    book.properties.creator = book.properties.lastModifiedBy = AUTHOR
    book.properties.created = book.properties.modified = MADE
    return workbook_bytes(book)


def dictionary_rows(
    variables: Dictionary, columns: Iterable[str]
) -> list[tuple[str, str, str, str]]:
    """Return what the columns of a table of patients mean: column, label, unit, levels."""
    rows = []
    for column in columns:
        if column in variables:
            variable = variables[column]
            levels = ", ".join(level.value for level in variable.levels)
            rows.append((column, variable.label, variable.unit, levels))
        elif column.endswith("_day") or column.endswith("_days"):
            rows.append((column, "Day from the patient’s day 0", "days", ""))
    return rows


def provenance_table(source: Provenance) -> pd.DataFrame:
    """Return what a reader needs to trace the numbers, one row a fact."""
    fields = {
        "Study": source.study,
        "Snapshot": source.snapshot,
        "Data cut-off": source.cutoff,
        "Cohort": source.cohort,
        "Counts": source.counts,
        "Read with care": " · ".join(source.caveats),
        "MRD rule": source.rule,
        "Method": source.method,
        "Citation": source.citation,
        "Version": f"MRD Cohort Explorer v{source.version}",
        "View": source.link,
    }
    rows = [(name, value) for name, value in fields.items() if value]
    return pd.DataFrame(rows, columns=["What", "Value"])


def _sheet_name(name: str, taken: set[str]) -> str:
    base = writable(_NOT_IN_A_NAME.sub(" ", name)).strip()[:28] or "Table"
    # Excel keeps one name for itself.
    base = f"{base} table" if base.lower() == "history" else base
    found, n = base, 1
    while found.lower() in taken:
        n += 1
        found = f"{base} {n}"
    taken.add(found.lower())
    return found


def _sheet(sheet: Worksheet, table: pd.DataFrame) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    for j, name in enumerate(table.columns, start=1):
        _put(sheet, 1, j, str(name)).font = Font(bold=True)
    formats = [_format(str(name), table) for name in table.columns]
    for i, row in enumerate(table.astype(object).itertuples(index=False), start=2):
        for j, value in enumerate(row, start=1):
            _put(sheet, i, j, value, formats[j - 1])
    for j, name in enumerate(table.columns, start=1):
        longest = max((len(str(v)) for v in table.iloc[:200, j - 1]), default=0)
        width = min(max(longest, len(str(name))) + 2, _WIDEST)
        sheet.column_dimensions[get_column_letter(j)].width = width
    sheet.freeze_panes = "A2"
    if len(table):
        sheet.auto_filter.ref = sheet.dimensions


def _format(name: str, table: pd.DataFrame) -> str:
    """Return how a column of numbers is shown: rates and their limits as percents."""
    rates = name in _RATES or (name in _LIMITS and not _RATES.isdisjoint(table.columns))
    return "0.0%" if rates else "General"


def _put(sheet: Worksheet, row: int, column: int, value: object, shape: str = "General") -> Any:
    cell = sheet.cell(row, column)
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return cell
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, numbers.Real) and math.isfinite(value):
        # NumPy's numbers are not known to the format.
        cell.value = int(value) if float(value).is_integer() else float(value)
        cell.number_format = shape
        return cell
    cell.value = writable(str(value))
    # A text stays one, however it begins, and when somebody edits it.
    cell.data_type, cell.quotePrefix = "s", defused(value) != value
    return cell
