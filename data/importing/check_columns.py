"""Checks of columns as a whole: empty ones, two spellings of one level, levels that are used once."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

import pandas as pd

from data.importing.findings import Findings
from data.importing.tables import TABLES

_NOT_LEVELS = ("patient_id", "timepoint")
_FEW_LEVELS = 30
"""A column with more texts than this is not one of categories."""
_ENOUGH_PATIENTS = 20


def check_columns(found: Findings) -> None:
    """Report what is doubtful about whole columns of a study."""
    for table, columns in TABLES.items():
        if not found.has(table):
            continue
        for column in found[table].columns:
            cells = found[table][column]
            if column != "patient_id" and cells.isna().all():
                found.column("note", table, column, "the column is empty.", "Nothing to do.")
            elif (
                isinstance(cells.dtype, pd.CategoricalDtype)
                and column not in _NOT_LEVELS
                and not (column in columns and columns[column].levels)
            ):
                _spellings(found, table, column)
                _used_once(found, table, column)


def _spellings(found: Findings, table: str, column: str) -> None:
    """Texts that differ only in case, spaces or hyphens."""
    counts = found[table][column].value_counts()
    counts = counts[counts > 0]
    alike = defaultdict(list)
    for text in counts.index:
        alike[_plain(str(text))].append(str(text))
    for texts in alike.values():
        if len(texts) > 1:
            what = f"these look like one level in {len(texts)} spellings; each counts as its own."
            value, rows = " | ".join(texts), int(counts[texts[1:]].sum())
            remedy = "Give them one spelling."
            found.column("warning", table, column, what, remedy, value=value, rows=rows)


def _plain(text: str) -> str:
    """Return a text without what two spellings of one level differ in. Signs and dots stay."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"(?<=[^\W_])[\s_\-–]+(?=[^\W_])", " ", plain)
    plain = re.sub(r"(?<=[^\W\d]) (?=\d)|(?<=\d) (?=[^\W\d])", "", plain)
    return re.sub(r"\s+(?=\W)|(?<=\W)\s+", "", plain).strip(" .")


def _used_once(found: Findings, table: str, column: str) -> None:
    if table != "patients":
        return
    counts = found[table][column].value_counts()
    counts = counts[counts > 0]
    once = [str(text) for text in counts.index[counts == 1]]
    if once and len(counts) <= _FEW_LEVELS and counts.sum() >= _ENOUGH_PATIENTS:
        what = f"{len(once)} of its {len(counts)} levels stand{'s' * (len(once) == 1)} for one patient."
        remedy, value = "Merge rare levels if they are to be compared.", " | ".join(once)
        found.column("note", table, column, what, remedy, value=value, rows=len(once))
