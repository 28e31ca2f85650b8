"""A table as it stands in a file: text cells under column names, before anything is understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

ROW = "_row"
"""Name of the index of a sheet: the row as a spreadsheet numbers it, the header being row 1."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table of a file.

    Attributes
    ----------
    name : str
        Unique among the sheets of an import: 'cohort.csv', 'cohort.xlsx: Patients'.
    cells : pandas.DataFrame
        Every column of dtype category, its categories the distinct texts, stripped; an empty cell is
        missing. Column names are unique, stripped and never empty. The index is named `ROW`.
    labels : mapping of str to str
        A longer label of a column, where the file has one (SAS).
    dates : frozenset of str
        Columns that the file itself types as dates; their cells are written YYYY-MM-DD.
    reading : mapping of str to str
        How the file was read, in words for the screen: 'encoding', 'delimiter', 'header row'.
    """

    name: str
    cells: pd.DataFrame
    labels: Mapping[str, str] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    reading: Mapping[str, str] = field(default_factory=dict)
