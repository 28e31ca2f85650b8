"""What was decided about the columns of an import without asking, and what was left out: to be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from data.importing import names
from data.importing.columns import Facts, event_of, facts, tells_later
from data.importing.mapping import EVENT_DAYS, TARGETS, Assignment, SheetMapping, StudyMapping
from data.importing.problems import Problem
from data.importing.sheets import Sheet
from data.importing.values import is_missing, is_undetermined, is_unknown


def notes(sheets: Iterable[Sheet], mapping: StudyMapping) -> list[Problem]:
    """Return what was decided without asking and what was left out, for the screen and the report."""
    by_name = {sheet.name: sheet for sheet in sheets}
    found: list[Problem] = []
    for one in mapping.sheets:
        sheet = by_name.get(one.sheet)
        if sheet is None:
            continue
        if one.role == "nothing":
            found.append(
                _note(
                    one.sheet,
                    None,
                    "this sheet is left out.",
                    "Say what its rows are, if it holds patients.",
                )
            )
            continue
        for a in one.assignments:
            if a.column in sheet.cells:
                found += _notes_on(sheet, one, a)
    return found


def _note(sheet: str, column: str | None, what: str, remedy: str, rows: int = 1) -> Problem:
    return Problem("note", sheet, None, column, None, what, remedy, rows)


def _notes_on(sheet: Sheet, one: SheetMapping, a: Assignment) -> Iterator[Problem]:
    known = facts(sheet, a.column)
    if a.spelling is not None and known.dates.both:
        yield _note_on_dates(one, a, known)
    if a.target not in ("patient_id", "nothing"):
        yield from _note_on_missing(one, a, known)
    if a.target == "endpoint":
        yield from _note_on_endpoints(one, a, known)
    if a.target == "patient_id":
        yield from _note_on_id(sheet, one, a)
    if a.target == "nothing" and known.filled:
        why = f"it is left out: {_why_left_out(known)}."
        yield _note(one.sheet, a.column, why, "Map it if it is needed.")
    if (
        a.target.startswith("alloSCT")
        and event_of(a.column) == "sct"
        and not _cells_said(sheet, one)
    ):
        what = "its name does not say whose cells were given; it is read as allogeneic."
        remedy = "Map it to autoSCT, or leave it out, if that is wrong."
        yield _note(one.sheet, a.column, what, remedy)
    if a.unit in ("weeks", "months", "years"):
        what = f"{a.unit} are turned into whole days (a month is 30.4375 days, a year 365.25)."
        yield _note(one.sheet, a.column, what, "Give days where they are known.")
    if a.target == "own" and a.kind == "boolean" and set(known.known) <= {"0", "1"}:
        remedy = "Make it a category if it is not."
        yield _note(one.sheet, a.column, "1 is read as yes, 0 as no.", remedy)
    if a.target == "day_zero_date":
        remedy = "Choose another day 0 if that is wrong."
        yield _note(one.sheet, a.column, "every day counts from this one.", remedy)


def _note_on_dates(one: SheetMapping, a: Assignment, known: Facts) -> Problem:
    reading = known.dates
    of = f"{reading.both} of {len(known.known)} different dates could be read with day and month either way"
    what = f"{of}: they are read as {a.spelling}."
    if len(reading.spellings) == 1 and reading.decided_by:
        what = f"{of}; ‘{reading.decided_by}’ decides: they are {a.spelling}."
    return _note(one.sheet, a.column, what, "Change the spelling if that is wrong.")


def _cells_said(sheet: Sheet, one: SheetMapping) -> bool:
    """Whether the values of a transplant say whose cells were given."""
    return any(
        "yes" in (names.by_words("alloSCT_given", text), names.by_words("autoSCT_given", text))
        for a in one.assignments
        if a.target in ("alloSCT_given", "autoSCT_given") and a.column in sheet.cells
        for text in facts(sheet, a.column).known
    )


def _why_left_out(known: Facts) -> str:
    if tells_later(known.column):
        return "it tells what happened later"
    if known.kind == "dates":
        return "it holds dates of nothing that is known here"
    return (
        "it holds texts that differ from row to row" if known.free_text else "nothing here needs it"
    )


def _note_on_missing(one: SheetMapping, a: Assignment, known: Facts) -> Iterator[Problem]:
    """Say which words are read as an empty cell."""
    counts = dict(zip(known.texts, known.counts, strict=True))
    target = TARGETS[a.target]
    implied = target.type not in ("text", "own") or a.kind != "category"
    # Of an event that has a day alone, the rows that nobody knows are said with what they become.
    alone = {day: event for event, day in EVENT_DAYS.items()}.get(a.target)
    told = alone is not None and alone not in {b.target for b in one.assignments}
    empty = [
        text
        for text in known.texts
        if is_missing(text) and text not in target.levels and not (told and is_unknown(text))
        and a.values.get(text, "" if implied and target.type != "text" else text) == ""
    ]  # fmt: skip
    empty += [t for t in known.texts if is_undetermined(t) and a.values.get(t) == ""]
    if empty:
        shown = ", ".join(f"‘{word}’" for word in empty)
        rows = sum(counts[word] for word in empty)
        remedy = "Map it, if it is an answer of its own."
        yield _note(one.sheet, a.column, f"{shown} is read as an empty cell.", remedy, rows)


def _note_on_endpoints(one: SheetMapping, a: Assignment, known: Facts) -> Iterator[Problem]:
    """Say which endpoints of a table of endpoints are left out, each with its rows."""
    for text, rows in zip(known.texts, known.counts, strict=True):
        if a.values.get(text) == "" and not is_missing(text):
            what = f"‘{text}’ is left out: its {rows:,} rows are not read."
            remedy = "Say which endpoint it is, if it is needed."
            yield _note(one.sheet, a.column, what, remedy, rows)


def _alike(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    """Whether two columns hold the same identifiers, leading zeros apart."""
    same = (one.str.lstrip("0") == other.str.lstrip("0")).fillna(False)
    return bool(len(same)) and bool(same.all())


def _note_on_id(sheet: Sheet, one: SheetMapping, a: Assignment) -> Iterator[Problem]:
    """Say where another column is the same identifier without its leading zeros."""
    mine = sheet.cells[a.column].astype("string")
    for column in map(str, sheet.cells.columns):
        if column == a.column or facts(sheet, column).filled < facts(sheet, a.column).filled:
            continue
        # Nearly every column differs in its first rows: a registry has millions more.
        if not _alike(
            *(
                cells.iloc[:100].astype("string")
                for cells in (sheet.cells[a.column], sheet.cells[column])
            )
        ):
            continue
        other = sheet.cells[column].astype("string")
        differ = int((mine != other).sum())
        if _alike(mine, other) and differ:
            what = (
                f"it differs from ‘{column}’ by leading zeros alone, in {differ} rows; patients go by "
                f"‘{a.column}’."
            )
            yield _note(
                one.sheet, a.column, what, "Choose the other column if that is wrong.", differ
            )
