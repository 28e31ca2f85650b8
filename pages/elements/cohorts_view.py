"""The Cohorts page beside its imports: the place to drop files, and the dictionary of variables."""

from __future__ import annotations

import functools

import pandas as pd
import streamlit as st

from data.importing.mapping import TARGETS
from data.importing.tables import TABLES, Column
from data.variables import STANDARD, Variable

_TABLES = {
    "patients": "patients",
    "mrd_assessments": "MRD samples",
    "treatments": "treatments",
    "outcomes": "outcomes",
}
_KINDS = {
    "text": "text",
    "number": "number",
    "whole": "whole number",
    "boolean": "yes / no",
    "level": "one of these",
    "category": "one of these",
}


def dictionary() -> None:
    """Show every column that can be brought and every variable that follows, with a search."""
    st.subheader("What every variable means", anchor=False)
    st.markdown(
        "Your columns can have any names: an import matches them with these, and asks where it is not "
        "sure. Whatever is not here is kept as a variable of your study’s own."
    )
    wanted = st.text_input(
        "Search", placeholder="Search: transplant, Ph, lod, days …", key="dictionary_search",
        label_visibility="collapsed", max_chars=80,
    )  # fmt: skip
    rows = dictionary_rows()
    for word in wanted.lower().split():
        found = rows.apply(lambda column, w=word: column.str.lower().str.contains(w, regex=False))
        rows = rows[found.any(axis=1)]
    if rows.empty:
        st.markdown("Nothing of that name. It would be kept as a variable of your study’s own.")
        return
    st.dataframe(
        rows, hide_index=True, height=min(35 * (len(rows) + 1) + 3, 390), key="dictionary_table",
        alt=f"The dictionary: {len(rows)} of {len(dictionary_rows())} variables",
    )  # fmt: skip


@functools.cache
def dictionary_rows() -> pd.DataFrame:
    """Return the dictionary as a frame of texts: name, meaning, table, kind, values."""
    rows = [
        (name, _meaning(name), _TABLES[table], _KINDS[column.type], _allowed(column))
        for table, columns in TABLES.items()
        for name, column in columns.items()
    ]
    brought = {name for name, *_ in rows}
    rows += [
        (v.name, v.label, "follows from the others", _KINDS[v.kind], _levels(v))
        for v in STANDARD.values()
        if v.name not in brought
    ]
    return pd.DataFrame(rows, columns=["Name", "Meaning", "Table", "Kind", "Values"])


_TARGET = {"mrd_fraction": "mrd_result", "lod_fraction": "mrd_limit"}
"""Columns of the tables that an import calls otherwise."""


def _meaning(name: str) -> str:
    return TARGETS[_TARGET.get(name, name)].label


def _allowed(column: Column) -> str:
    if column.levels:
        return ", ".join(column.levels)
    if column.type == "boolean":
        return "yes, no"
    if column.type == "whole" and column.high == 36525:
        return "days from day 0"
    if column.type in ("number", "whole"):
        return f"{column.low:g} to {column.high:g}"
    return ""


def _levels(variable: Variable) -> str:
    if variable.kind == "boolean":
        return "yes, no"
    return ", ".join(level.value for level in variable.levels) or variable.unit
