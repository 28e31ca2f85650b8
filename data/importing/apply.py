"""Turn sheets and their mapping into the tables of a study: text cells still, one column per target.

Everything works on the distinct texts of a column and on whole columns; a row is looked at only to say
what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.importing import names
from data.importing.asking import questions
from data.importing.columns import event_of
from data.importing.mapping import (
    COURSES,
    EVENT_DAYS,
    EVENT_WORDS,
    GIVEN,
    TARGETS,
    Assignment,
    SheetMapping,
    StudyMapping,
)
from data.importing.notes import notes
from data.importing.problems import Problem, row_problems
from data.importing.sheets import Sheet
from data.importing.tables import GIVEN_ENDPOINTS, HIGHEST_RATIO, TABLES, usual_day
from data.importing.values import (
    DAYS_PER_UNIT,
    Flags,
    Floats,
    dates,
    denies,
    is_missing,
    is_unknown,
    mrd_levels,
    numbers,
)
from data.variables import RESERVED, TIMEPOINT_DEFAULTS, slug, timepoint_variable_name

Cells = pd.Series
"""One column: category of text, the index is the row in the file."""

_EVENT_CODES = {"censored": "0", "event": "1", "competing event": "2"}


@dataclass
class Canonical:
    """A study in the form of our tables, its cells still text.

    Attributes
    ----------
    study : dict
        As study.json.
    cells : dict of str to pandas.DataFrame
        By table ('patients', 'mrd_assessments', 'treatments', 'outcomes', 'given_endpoints'): columns of
        category text. The index is the row in the file; several rows of a table can stand on one.
    places : dict
        Of (table, column): the sheet and its column, as the user knows them.
    own : dict of str to dict
        The study's own patient columns: label and kind.
    problems : list of Problem
    """

    study: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, pd.DataFrame] = field(default_factory=dict)
    places: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def apply(sheets: Iterable[Sheet], mapping: StudyMapping) -> Canonical:
    """Return the tables of a study.

    Parameters
    ----------
    sheets : iterable of Sheet
    mapping : StudyMapping
        Without an open question.

    Returns
    -------
    Canonical
        Every table has at least its identifier. Patients are those of the sheets with what was known at
        baseline, else of every sheet with one row per patient, else of all others.

    Raises
    ------
    ValueError
        If a question is open: nothing is guessed. One line per question, without values of patients.
    """
    by_name = {sheet.name: sheet for sheet in sheets}
    open_ = questions(by_name.values(), mapping)
    if open_:
        lines = (" · ".join(filter(None, (q.sheet, q.column, q.target, q.field))) for q in open_)
        raise ValueError("These questions are open:\n" + "\n".join(lines))
    # Every date becomes a day here, so nobody reads dates after this.
    result = Canonical(study={**mapping.study, "date_format": None})
    result.problems += notes(by_name.values(), mapping)
    parts = _Parts(result, own_names(mapping), *_day_zero(by_name, mapping, result))
    for one in mapping.sheets:
        if one.sheet in by_name and one.role != "nothing":
            parts.add(_Source(by_name[one.sheet], one, parts))
    result.cells = parts.tables()
    _say_what_is_missing(result)
    return result


def own_names(mapping: StudyMapping) -> dict[tuple[str, str], str]:
    """Return the name of each variable of the study's own, by sheet and column.

    A name that the product uses gets '_of_study', one that is there already a number; a column whose name
    has no letter or digit becomes 'variable_1'.
    """
    labels = [t["label"] for t in mapping.study.get("timepoints", ())]
    labels += [label for label, *_ in TIMEPOINT_DEFAULTS if "timepoints" not in mapping.study]
    timepoints = {timepoint_variable_name(label) for label in labels}
    taken = RESERVED | {*TABLES["patients"], "day_zero_date"} | timepoints
    taken |= {f"{name}_day" for name in timepoints}
    found: dict[tuple[str, str], str] = {}
    used: set[str] = set()
    for one in mapping.sheets:
        for at, a in enumerate(one.assignments, start=1):
            if a.target != "own" or one.role != "patients":
                continue
            name = slug(a.column)[:60] or f"variable_{at}"
            name = f"{name}_of_study" if name in taken else name
            number, plain = 2, name
            while name in used:
                name, number = f"{plain}_{number}", number + 1
            used.add(name)
            found[one.sheet, a.column] = name
    return found


# --- columns of category text --------------------------------------------------------------------


def recoded(cells: Cells, texts: Sequence[str | None]) -> Cells:
    """Return a column in which each category has another text; None is missing."""
    codes, uniques = pd.factorize(np.array([*texts, None], dtype=object)[:-1])
    mapped = np.append(codes, -1)[cells.cat.codes.to_numpy()]
    return _cells(mapped, list(uniques), cells.index)


def _cells(codes: npt.NDArray[Any], texts: Sequence[str], index: pd.Index) -> Cells:
    categories = pd.Index(list(texts), dtype="object")
    return pd.Series(pd.Categorical.from_codes(codes, categories=categories), index=index)


def _constant(index: pd.Index, text: str) -> Cells:
    return _cells(
        np.full(len(index), 0 if text else -1, dtype="int8"), [text] if text else [], index
    )


def _kept(cells: Cells, where: Flags) -> Cells:
    """Return a column that is missing wherever the flag is not set."""
    return _cells(np.where(where, cells.cat.codes, -1), list(cells.cat.categories), cells.index)


def _together(one: Cells, other: Cells) -> tuple[npt.NDArray[Any], npt.NDArray[Any], list[str]]:
    """Return the codes of two columns under the same categories."""
    texts = list(dict.fromkeys((*one.cat.categories, *other.cat.categories)))
    at = {text: code for code, text in enumerate(texts)}
    codes = [
        np.append([at[text] for text in cells.cat.categories], -1).astype("int64")[
            cells.cat.codes.to_numpy()
        ]
        for cells in (one, other)
    ]
    return codes[0], codes[1], texts


def _first(one: Cells | None, other: Cells) -> Cells:
    """Return a column with the cells of another where its own are missing."""
    if one is None or not len(one.cat.categories):
        return other
    if not len(other.cat.categories) or not one.isna().any():
        return one
    mine, theirs, texts = _together(one, other)
    return _cells(np.where(mine >= 0, mine, theirs), texts, one.index)


def _is(cells: Cells | None, text: str, index: pd.Index) -> Flags:
    if cells is None:
        return np.zeros(len(index), dtype=bool)
    return np.asarray((cells == text).to_numpy(dtype=bool, na_value=False))


def _whole(values: Floats, index: pd.Index) -> Cells:
    """Return days as text, missing where NaN."""
    known = ~np.isnan(values)
    codes = np.full(len(values), -1, dtype="int64")
    uniques, codes[known] = np.unique(values[known], return_inverse=True)
    return _cells(codes, [str(int(value)) for value in uniques], index)


def _written(value: float) -> str:
    return f"{value:.15g}"


# --- day 0 ---------------------------------------------------------------------------------------


def _day_zero(
    by_name: Mapping[str, Sheet], mapping: StudyMapping, result: Canonical
) -> tuple[pd.Series[Any] | None, bool]:
    """Return each patient's day 0, as a date or as a number of the same scale, and whether it is a date."""
    for one in mapping.sheets:
        sheet = by_name.get(one.sheet)
        zero = next((a for a in one.assignments if a.target == "day_zero_date"), None)
        identifier = next((a for a in one.assignments if a.target == "patient_id"), None)
        if sheet is None or one.role != "patients" or zero is None or identifier is None:
            continue
        values = _read_days(sheet, zero, result)
        ids = sheet.cells[identifier.column].astype("object")
        known = pd.Series(values, index=ids.to_numpy())
        known = known[~known.index.duplicated() & known.index.notna()]
        result.places["patients", "day_zero_date"] = (one.sheet, zero.column)
        return known, zero.spelling is not None
    return None, False


def _iso(zero: pd.Series[Any], ids: Cells) -> Cells:
    days = zero.reindex(ids.astype("object").to_numpy()).to_numpy().astype("datetime64[D]")
    known = ~np.isnat(days)
    codes = np.full(len(days), -1, dtype="int64")
    uniques, codes[known] = np.unique(days[known], return_inverse=True)
    return _cells(codes, [str(day) for day in uniques], ids.index)


def _read_days(sheet: Sheet, a: Assignment, result: Canonical) -> npt.NDArray[Any]:
    """Return a column of days or dates, one per row; what cannot be read is reported and missing."""
    cells = sheet.cells[a.column]
    texts = [str(text) for text in cells.cat.categories]
    if a.spelling is not None:
        read: npt.NDArray[Any] = dates(texts, a.spelling)
        missing = np.isnat(read)
        nothing: Any = np.datetime64("NaT", "D")
    else:
        numeric = numbers(texts, a.decimal or ".") * DAYS_PER_UNIT[a.unit or "days"]
        read, nothing = np.rint(numeric), np.nan
        missing = np.isnan(numeric)
    empty = np.array([a.values.get(t) == "" or is_missing(t) for t in texts], dtype=bool)
    read = read.copy()
    read[empty] = nothing
    of_row = np.append(read, nothing)[cells.cat.codes.to_numpy()]
    _report(sheet, a, missing & ~empty, result)
    return of_row


def _report(sheet: Sheet, a: Assignment, faulty: Flags, result: Canonical) -> None:
    """Report the rows whose text is no day."""
    if not faulty.any():
        return
    cells = sheet.cells[a.column]
    rows = np.flatnonzero(np.append(faulty, False)[cells.cat.codes.to_numpy()])
    what = "this is not a day that can be read; it is treated as missing."
    remedy = f"Write it as {a.spelling}." if a.spelling else f"Write it as a number of {a.unit}."
    values = [str(v) for v in cells.iloc[rows[:200]]]
    place = (sheet.name, a.column)
    result.problems += row_problems("warning", place, _rows(sheet, rows), values, what, remedy)


def _rows(sheet: Sheet, positions: npt.NDArray[Any]) -> list[int]:
    return [int(row) for row in sheet.cells.index.to_numpy()[positions]]


# --- one sheet -----------------------------------------------------------------------------------


class _Source:
    """One sheet under its mapping: its columns by target."""

    def __init__(self, sheet: Sheet, mapping: SheetMapping, parts: _Parts) -> None:
        self.sheet, self.mapping, self.parts = sheet, mapping, parts
        self.index = sheet.cells.index
        self.of: dict[str, list[Assignment]] = {}
        for a in mapping.assignments:
            if a.column in sheet.cells:
                self.of.setdefault(a.target, []).append(a)
            elif a.target != "nothing":
                what = "the mapping names this column, and the sheet does not have it."
                parts.problem("fatal", sheet.name, a.column, what, "Add it, or map the sheet anew.")
        (identifier,) = self.of["patient_id"][:1]
        self.ids: Cells = sheet.cells[identifier.column]
        self.id_column = identifier.column

    def place(self, table: str, column: str, *sources: Assignment) -> None:
        """Remember where a column comes from."""
        named = ", ".join(dict.fromkeys(a.column for a in sources))
        self.parts.result.places.setdefault((table, column), (self.sheet.name, named))

    def text(self, a: Assignment) -> Cells:
        """Return a column as text or levels."""
        cells = self.sheet.cells[a.column]
        levelled = bool(TARGETS[a.target].levels) or a.kind == "boolean"
        texts = []
        for text in map(str, cells.cat.categories):
            missing = levelled and is_missing(text) and text not in TARGETS[a.target].levels
            texts.append(a.values.get(text, "" if missing else text) or None)
        found = recoded(cells, texts)
        return _first(
            found, _kept(_constant(self.index, a.values.get("", "")), cells.isna().to_numpy())
        )

    def number(self, a: Assignment, scale: float = 1.0) -> Cells:
        """Return a column of numbers, written with a point."""
        cells = self.sheet.cells[a.column]
        texts = [str(text) for text in cells.cat.categories]
        read = numbers(texts, a.decimal or ".") * scale
        written: list[str | None] = []
        for text, value in zip(texts, read, strict=True):
            empty = text not in a.values and np.isnan(value) and is_missing(text)
            if empty or a.values.get(text) == "":
                written.append(None)
            elif np.isnan(value) or (scale == 1.0 and a.decimal != "," and _is_plain(text)):
                written.append(text)
            else:
                written.append(_written(value))
        return recoded(cells, written)

    def day(self, a: Assignment) -> Cells:
        """Return a column of days from day 0."""
        zero, dated = self.parts.zero, self.parts.dated
        counted = a.spelling is None and (zero is None or dated)
        if counted and a.unit == "days":
            return self._as_it_is(a)
        values = _read_days(self.sheet, a, self.parts.result)
        if counted:
            return _whole(values, self.index)
        if zero is None or dated != (a.spelling is not None):
            what = (
                "there are dates, and no sheet says the day 0 of a patient; nothing can be counted."
            )
            remedy = "Bring a sheet with the day 0 of each patient, or days instead of dates."
            # A time starts somewhere without it, too.
            severity = "warning" if a.target == "origin_day" else "fatal"
            self.parts.problem(severity, self.sheet.name, a.column, what, remedy)
            return _constant(self.index, "")
        start = zero.reindex(self.ids.astype("object").to_numpy()).to_numpy()
        gone = np.isnat(start) if dated else np.isnan(start)
        known = ~(np.isnat(values) if dated else np.isnan(values))
        days = np.full(len(values), np.nan)
        both = known & ~gone
        step = values[both] - start[both]
        days[both] = step.astype("timedelta64[D]").astype("float64") if dated else step
        self.say(
            known & gone, a.column, "there is a day, but no day 0 of its patient.", "Give day 0."
        )
        return _whole(days, self.index)

    def _as_it_is(self, a: Assignment) -> Cells:
        """Return days that are days from day 0 already; a text that was said to stay stays."""
        cells = self.sheet.cells[a.column]
        texts = [str(text) for text in cells.cat.categories]
        read = numbers(texts, a.decimal or ".")
        written: list[str | None] = []
        for text, value in zip(texts, read, strict=True):
            stays = a.values.get(text) == text and (np.isnan(value) or value != np.rint(value))
            if a.values.get(text) == "" or (np.isnan(value) and not stays):
                written.append(None)
            else:
                written.append(text if stays else str(int(np.rint(value))))
        empty = np.array([a.values.get(t) is not None or is_missing(t) for t in texts], dtype=bool)
        _report(self.sheet, a, np.isnan(read) & ~empty, self.parts.result)
        return recoded(cells, written)

    def time(self, a: Assignment) -> Cells:
        """Return a column of times in whole days."""
        return _whole(_read_days(self.sheet, a, self.parts.result), self.index)

    def say(self, where: Flags, column: str, what: str, remedy: str) -> None:
        """Report rows."""
        rows = np.flatnonzero(where)
        if len(rows):
            place = (self.sheet.name, column)
            self.parts.result.problems += row_problems(
                "warning",
                place,
                _rows(self.sheet, rows),
                [None] * min(len(rows), 200),
                what,
                remedy,
            )

    def column(self, a: Assignment) -> Cells:
        """Return a column as its target reads it."""
        type_ = TARGETS[a.target].type
        if type_ == "day":
            return self.day(a)
        if type_ == "time":
            return self.time(a)
        if type_ in ("number", "whole") or (type_ == "own" and a.kind == "number"):
            return self.number(a, 1 / 1000 if a.unit == "per µL" else 1.0)
        return self.text(a)

    def combined(self, target: str) -> Cells | None:
        """Return a target that several columns may feed; the first that says something counts."""
        found: Cells | None = None
        # 'transplant' does not say whose cells: a column that does comes first.
        sources = sorted(self.of.get(target, ()), key=lambda a: event_of(a.column) == "sct")
        for at, a in enumerate(sources):
            cells = self.column(a)
            if found is not None:
                first = sources[0].column if at == 1 else "the columns before it"
                mine, theirs, _ = _together(found, cells)
                what = f"it contradicts ‘{first}’ on ‘{TARGETS[target].label}’; the first is used."
                differ = (mine >= 0) & (theirs >= 0) & (mine != theirs)
                self.say(differ, a.column, what, "Correct one of them, or map only one.")
            found = _first(found, cells)
        return found


def _is_plain(text: str) -> bool:
    return text.replace(".", "", 1).replace("e-", "", 1).replace("-", "", 1).isascii() and all(
        letter in "0123456789.e-" for letter in text
    )


# --- all sheets ----------------------------------------------------------------------------------


class _Parts:
    """The tables in the making: what each sheet adds to them."""

    def __init__(
        self,
        result: Canonical,
        own: Mapping[tuple[str, str], str],
        zero: pd.Series[Any] | None,
        dated: bool,
    ) -> None:
        self.result, self.own, self.zero, self.dated = result, own, zero, dated
        self.frames: dict[str, list[pd.DataFrame]] = {}
        self.baseline: list[bool] = []

    def problem(self, severity: Any, sheet: str, column: str, what: str, remedy: str) -> None:
        """Report something about a column."""
        self.result.problems.append(Problem(severity, sheet, 1, column, None, what, remedy))

    def add(self, source: _Source) -> None:
        """Add what a sheet holds."""
        role = source.mapping.role
        if role == "patients":
            self._add_patients(source)
        elif role == "samples":
            self._put("mrd_assessments", source, samples(source))
        elif role == "courses":
            self._put("treatments", source, _plain(source, "treatments"))
        elif role == "endpoints":
            self._put("given_endpoints", source, _endpoint_rows(source))

    def _put(self, table: str, source: _Source, frame: pd.DataFrame | None) -> None:
        if frame is not None:
            self.frames.setdefault(table, []).append(frame)
            source.place(table, "patient_id", Assignment(source.id_column, "patient_id"))

    def _add_patients(self, source: _Source) -> None:
        patients = _plain(source, "patients")
        for a in source.of.get("own", ()):
            name = self.own[source.sheet.name, a.column]
            patients[name] = source.column(a)
            self.result.own[name] = {"label": a.label or a.column, "kind": a.kind or "category"}
            source.place("patients", name, a)
        self.baseline.append(patients.shape[1] > 1)
        for a in source.of.get("day_zero_date", ()):
            if a.spelling is not None and self.zero is not None:
                # For the checks on the calendar; it is dropped before anything is stored.
                patients["day_zero_date"] = _iso(self.zero, source.ids)
        self._put("patients", source, patients)
        outcomes = _outcomes(source)
        self._put("outcomes", source, outcomes)
        self._put("treatments", source, _courses(source))
        self._put("mrd_assessments", source, _wide_samples(source))
        for code in GIVEN:
            self._put("given_endpoints", source, _given(source, code, outcomes))

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables, each with what every sheet adds to it."""
        patients = self.frames.pop("patients", [])
        if any(self.baseline):
            patients = [
                frame for frame, leads in zip(patients, self.baseline, strict=True) if leads
            ]
        found = {
            name: _stacked(frames) for name, frames in self.frames.items() if name != "outcomes"
        }
        if "outcomes" in self.frames:
            found["outcomes"] = self._joined(self.frames["outcomes"])
        if patients:
            found["patients"] = self._joined(patients, say=True)
        else:
            found["patients"] = _only_ids(found.values())
        if "given_endpoints" in found:
            outcomes = _with_deaths(found.get("outcomes"), found["given_endpoints"])
            found |= {} if outcomes is None else {"outcomes": outcomes}
        for table in TABLES:
            found.setdefault(table, _empty(table))
        found.setdefault("given_endpoints", _empty("given_endpoints"))
        return {name: found[name] for name in (*TABLES, "given_endpoints")}

    def _joined(self, frames: list[pd.DataFrame], *, say: bool = False) -> pd.DataFrame:
        """Return sheets with one row per patient as one table, by identifier."""
        table = frames[0]
        for other in frames[1:]:
            mine = table["patient_id"].astype("object").to_numpy()
            theirs = other["patient_id"].astype("object").to_numpy()
            at = pd.Series(np.arange(len(other)), index=theirs)
            at = at[~at.index.duplicated()]
            rows = at.reindex(mine).to_numpy()
            taken = np.where(np.isnan(rows), 0, rows).astype("int64")
            for column in other.columns.drop("patient_id"):
                matched = other[column].iloc[taken] if len(other) else _constant(table.index, "")
                matched = _kept(pd.Series(matched.array, index=table.index), ~np.isnan(rows))
                table[column] = _first(table.get(column), matched)
            new = other[~pd.Series(theirs, index=other.index).isin(set(mine)).to_numpy()]
            lacking = int(np.isnan(rows).sum())
            if say and (len(new) or lacking):
                self._say_who(len(new), lacking)
            if len(new):
                table = _stacked([table, new])
        return table

    def _say_who(self, new: int, lacking: int) -> None:
        what = (
            f"the sheets with one row per patient do not hold the same patients: {new} stand in a later "
            f"one alone, {lacking} not there. All are kept."
        )
        sheet = self.result.places["patients", "patient_id"][0]
        problem = Problem(
            "warning", sheet, None, None, None, what, "Check the identifiers.", new + lacking
        )
        self.result.problems.append(problem)


def _empty(table: str) -> pd.DataFrame:
    columns = GIVEN_ENDPOINTS if table == "given_endpoints" else TABLES[table]
    index = pd.Index([], dtype="int64", name="_row")
    return pd.DataFrame({column: _constant(index, "") for column in columns})


def _only_ids(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the patients of a study that has none but those of its samples."""
    every = _stacked([table[["patient_id"]] for table in tables])
    first = ~every["patient_id"].duplicated().to_numpy() & every["patient_id"].notna().to_numpy()
    return every[first]


def _stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Return frames one below the other; columns stay categories."""
    if len(frames) == 1:
        return frames[0]
    index = pd.Index(np.concatenate([frame.index.to_numpy() for frame in frames]), name="_row")
    columns = list(dict.fromkeys(column for frame in frames for column in frame.columns))
    found = {}
    for column in columns:
        texts: dict[str, int] = {}
        codes = []
        for frame in frames:
            if column not in frame:
                codes.append(np.full(len(frame), -1, dtype="int64"))
                continue
            at = [texts.setdefault(text, len(texts)) for text in frame[column].cat.categories]
            codes.append(np.append(at, -1).astype("int64")[frame[column].cat.codes.to_numpy()])
        found[column] = _cells(np.concatenate(codes), list(texts), index)
    return pd.DataFrame(found, index=index)


def _plain(source: _Source, table: str) -> pd.DataFrame:
    """Return the columns of a table that a sheet has, each from one column of the sheet."""
    found = {"patient_id": source.ids}
    for column in TABLES[table]:
        if column in source.of and column != "patient_id":
            cells = source.combined(column)
            if cells is not None:
                found[column] = cells
                source.place(table, column, *source.of[column])
    return pd.DataFrame(found, index=source.index)


def _outcomes(source: _Source) -> pd.DataFrame | None:
    outcomes = _plain(source, "outcomes")
    for event, day in EVENT_DAYS.items():
        if day in outcomes and (event not in outcomes or outcomes[event].isna().all()):
            told = _happened(source, event, day, outcomes[day])
            if told is not None:
                outcomes[event] = told
                source.place("outcomes", event, *source.of[day])
    for a in source.of.get("last_follow_up_day", ())[:1]:
        last, here = outcomes["last_follow_up_day"], source.index
        open_ = np.ones(len(here), dtype=bool)
        for event, day in (("relapsed", "relapse_day"), ("died", "death_day")):
            if event in a.is_day_of:
                happened = _is(outcomes.get(event), "yes", here) & open_
                outcomes[day] = _first(outcomes.get(day), _kept(last, happened))
                source.place("outcomes", day, a)
                open_ &= ~happened
    return outcomes if outcomes.shape[1] > 1 else None


_NO_DAY = {
    "yes": "this gives no day: the {event} counts as one whose day is not known.",
    "": "it says that nobody knows: whether there was a {event} is taken as not known.",
}
_NO_DAY_REMEDY = "Write the day, leave the cell empty if there was none, or add a column yes / no."


def _happened(source: _Source, event: str, day: str, days: Cells) -> Cells | None:
    """Return whether an event happened that has days alone; None where every cell is a day or empty."""
    said = _constant(source.index, "")
    open_ = np.zeros(len(source.index), dtype=bool)
    for a in source.of[day]:
        words = _said_without_day(source, a, event)
        for level, what in _NO_DAY.items():
            where = _is(words, level, source.index) & days.isna().to_numpy()
            source.say(where, a.column, what.format(event=EVENT_WORDS[event]), _NO_DAY_REMEDY)
            open_ |= where
        said = _first(said, words)
    if not open_.any():
        return None
    yes = _kept(_constant(source.index, "yes"), days.notna().to_numpy())
    no = _kept(_constant(source.index, "no"), ~_is(said, "", source.index))
    return _first(_first(yes, _kept(said, ~_is(said, "", source.index))), no)


def _said_without_day(source: _Source, a: Assignment, event: str) -> Cells:
    """Return what each text of a column of days says of its event: 'yes', 'no', '' for not known."""
    cells = source.sheet.cells[a.column]
    found: list[str | None] = []
    for text in map(str, cells.cat.categories):
        if is_unknown(text) or a.values.get(text) == "":
            found.append("")
        elif is_missing(text):
            found.append(None)
        else:
            level = names.level(event, "boolean", text) or names.by_words(event, text)
            # 'not documented' is neither a yes nor a no.
            found.append(level if level == "no" else "" if denies(text) else "yes")
    return recoded(cells, found)


def _courses(source: _Source) -> pd.DataFrame | None:
    """Return the transplants and CAR T cells that a sheet names in columns of their own."""
    days: dict[str, Cells] = {}
    given: dict[str, Cells] = {}
    for kind in COURSES:
        for found, target in ((days, f"{kind}_day"), (given, f"{kind}_given")):
            cells = source.combined(target)
            if cells is not None:
                found[kind] = cells
    kinds = dict.fromkeys((*days, *given))
    columns = [a.column for kind in kinds for a in source.of.get(f"{kind}_day", ())]
    frames = []
    for kind in kinds:
        yes = _is(given.get(kind), "yes", source.index)
        no = _is(given.get(kind), "no", source.index)
        mine = {a.column for a in source.of.get(f"{kind}_day", ())}
        # One column with the day of either transplant says nothing by itself about which it was.
        shared = any(columns.count(column) > 1 for column in mine)
        dated = days[kind].notna().to_numpy() if kind in days else np.zeros(len(no), dtype=bool)
        where = yes if shared else yes | (dated & ~no)
        for a in source.of.get(f"{kind}_day", ()) if kind not in given and not shared else ():
            undated = _is(_said_without_day(source, a, f"{kind}_given"), "yes", source.index)
            source.say(
                undated & ~dated, a.column, _NO_DAY["yes"].format(event=kind), _NO_DAY_REMEDY
            )
            where |= undated
        if not shared and mine:
            what = f"there is a day of {kind}, and another column says that it was not given."
            source.say(dated & no, sorted(mine)[0], what, "Correct one of them; it is not counted.")
        course = {"patient_id": source.ids, "kind": _constant(source.index, kind)}
        course |= {"start_day": days[kind]} if kind in days else {}
        frames.append(pd.DataFrame(course, index=source.index)[where])
        used = (*source.of.get(f"{kind}_given", ()), *source.of.get(f"{kind}_day", ()))
        source.place("treatments", "kind", *used)
        source.place("treatments", "start_day", *used)
    return _stacked(frames) if frames else None


# --- MRD -----------------------------------------------------------------------------------------


def samples(source: _Source) -> pd.DataFrame:
    """Return the samples of a sheet with one row per sample."""
    found: dict[str, Cells] = {"patient_id": source.ids}
    for column in ("day", "timepoint", "assay", "material", "target"):
        cells = source.combined(column)
        if cells is not None:
            found[column] = cells
            source.place("mrd_assessments", column, *source.of[column])
    found |= _result(source, *(_one(source, t, None) for t in ("mrd_result", "mrd_limit", "call")))
    return _mrd_frame(source, found)


def _one(source: _Source, target: str, timepoint: str | None) -> Assignment | None:
    every = (a for a in source.of.get(target, ()) if timepoint in (None, a.timepoint))
    return next(every, None)


def _wide_samples(source: _Source) -> pd.DataFrame | None:
    """Return the samples of a sheet with one row per patient: those with a result or a call."""
    used = (*source.of.get("mrd_result", ()), *source.of.get("call", ()))
    frames = []
    for label in dict.fromkeys(a.timepoint for a in used if a.timepoint):
        assignments = [_one(source, t, label) for t in ("mrd_result", "mrd_limit", "call")]
        found: dict[str, Cells] = {"patient_id": source.ids}
        found |= _result(source, *assignments)
        day = _one(source, "mrd_day", label)
        usual = _usual_day(source.parts.result.study, label)
        found["timepoint"] = _constant(source.index, label)
        found["day"] = source.day(day) if day else _constant(source.index, usual)
        if day:
            source.place("mrd_assessments", "day", day)
        elif usual and assignments[0] is not None:
            what = (
                f"no column gives the day of MRD ‘{label}’: day {usual} of the timepoint is used."
            )
            place = source.sheet.name, assignments[0].column
            source.parts.result.places.setdefault(("mrd_assessments", usual_day(label)), place)
            source.parts.result.problems.append(
                Problem("note", source.sheet.name, None, assignments[0].column, None, what,
                        "Give the day of the sample where it is known.")
            )  # fmt: skip
        frame = _mrd_frame(source, found)
        says = frame["call"].notna() | frame["mrd_fraction"].notna()
        frames.append(frame[says.to_numpy()])
    return _stacked(frames) if frames else None


def _usual_day(study: Mapping[str, Any], label: str) -> str:
    known = {t["label"]: t["target_day"] for t in study.get("timepoints", ())}
    usual = {name: day for name, day, *_ in TIMEPOINT_DEFAULTS}
    day = known.get(label, usual.get(label))
    return "" if day is None else str(day)


def _mrd_frame(source: _Source, found: dict[str, Cells]) -> pd.DataFrame:
    constants = source.mapping.constants
    for column in ("assay", "material"):
        if column not in found:
            found[column] = _constant(source.index, constants.get(column, ""))
    columns = [column for column in TABLES["mrd_assessments"] if column in found]
    return pd.DataFrame({column: found[column] for column in columns}, index=source.index)


def _result(
    source: _Source, result: Assignment | None, limit: Assignment | None, call: Assignment | None
) -> dict[str, Cells]:
    """Return level, limit of detection and call of one result per row."""
    constants, index = source.mapping.constants, source.index
    level = lod = said = _constant(index, "")
    if result is not None:
        level, lod, said = _levels(source, result)
        source.place("mrd_assessments", "mrd_fraction", result)
    there = level.notna().to_numpy() | said.notna().to_numpy()
    if limit is not None:
        lod = _first(lod, _levels(source, limit, limit=True)[0])
        source.place("mrd_assessments", "lod_fraction", limit)
    if call is not None:
        own = source.text(call)
        source.place("mrd_assessments", "call", call)
        there |= own.notna().to_numpy()
        said = _first(own, said)
    alone = ~there & lod.notna().to_numpy()
    meaning = constants.get("empty_with_limit", "no result")
    if meaning != "no result" and alone.any():
        said = _first(said, _kept(_constant(index, meaning), alone))
        if meaning == "negative":
            level = _first(level, _kept(_constant(index, "0"), alone))
    if constants.get("lod_fraction"):
        lod = _first(lod, _kept(_constant(index, constants["lod_fraction"]), there))
    return {"mrd_fraction": level, "lod_fraction": lod, "call": said}


def _levels(source: _Source, a: Assignment, *, limit: bool = False) -> tuple[Cells, Cells, Cells]:
    """Return level, limit and call that the texts of a column give."""
    cells = source.sheet.cells[a.column]
    texts = [str(text) for text in cells.cat.categories]
    read = mrd_levels(texts, a.unit, a.decimal or ".")
    less = read.less & ~limit
    meaning = source.mapping.constants.get("less_than", "below LOD")
    too_high = read.fraction > (1 if limit else HIGHEST_RATIO)
    _report_levels(source, a, too_high)
    level: list[str | None] = []
    lod: list[str | None] = []
    call: list[str | None] = []
    direct = a.unit == "fraction" and a.decimal != ","
    for text, value, low, wrong in zip(texts, read.fraction, less, too_high, strict=True):
        word = a.values.get(text)
        if word is not None and (word != text or np.isnan(value)):
            level.append("0" if word == "negative" else text if word == text else None)
            lod.append(None)
            call.append(word if word and word != text else None)
            continue
        written = text if direct and _is_plain(text) else _written(value)
        written = None if np.isnan(value) or wrong else written  # type: ignore[assignment]
        zero = "0" if meaning == "negative" and written else None
        level.append(zero if low else written)
        lod.append(written if low else None)
        call.append(meaning if low and written else None)
    return recoded(cells, level), recoded(cells, lod), recoded(cells, call)


def _report_levels(source: _Source, a: Assignment, too_high: Flags) -> None:
    if not too_high.any():
        return
    cells = source.sheet.cells[a.column]
    rows = np.flatnonzero(np.append(too_high, False)[cells.cat.codes.to_numpy()])
    what = f"as {a.unit} this is more MRD than there are cells."
    source.parts.result.problems += row_problems(
        "fatal", (source.sheet.name, a.column), _rows(source.sheet, rows),
        [str(v) for v in cells.iloc[rows[:200]]], what, "Correct the value, or the unit.",
    )  # fmt: skip


# --- endpoints that the study brings -------------------------------------------------------------


def _given(source: _Source, code: str, outcomes: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return one endpoint of a sheet with one row per patient."""
    if f"{code}_time" not in source.of or f"{code}_status" not in source.of:
        return None
    (time,), (status,) = source.of[f"{code}_time"][:1], source.of[f"{code}_status"][:1]
    origin = _constant(source.index, "0")
    if code in ("RFS", "CIR", "NRM") and outcomes is not None and "cr_day" in outcomes:
        origin = _first(outcomes["cr_day"], origin)
    endpoint = _constant(source.index, code)
    return _endpoint_frame(source, endpoint, source.time(time), status, origin, None, time)


def _endpoint_rows(source: _Source) -> pd.DataFrame:
    """Return the endpoints of a sheet with one row per patient and endpoint."""
    (time,), (status,), (endpoint,) = (source.of[t][:1] for t in ("time", "status", "endpoint"))
    start, words = source.of.get("origin_day"), source.of.get("event_description")
    origin = _constant(source.index, "0")
    origin = _first(source.day(start[0]), origin) if start else origin
    said = source.text(words[0]) if words else None
    codes = source.text(endpoint)
    return _endpoint_frame(source, codes, source.time(time), status, origin, said, time)


def _endpoint_frame(
    source: _Source, endpoint: Cells, time: Cells, status: Assignment, origin: Cells,
    said: Cells | None, time_column: Assignment,
) -> pd.DataFrame:  # fmt: skip
    levels = source.text(status)
    known = [_EVENT_CODES.get(str(text), str(text)) for text in levels.cat.categories]
    frame = pd.DataFrame(
        {
            "patient_id": source.ids,
            "endpoint": endpoint,
            "origin_day": origin,
            "time_days": time,
            "event_code": recoded(levels, known),
            "event_description": said if said is not None else _constant(source.index, ""),
        }
    )
    named = endpoint.notna().to_numpy()
    half = (time.notna() != levels.notna()).to_numpy() & named
    what = "it has a time without a status, or a status without a time, and is left out of the endpoint."
    source.say(half, time_column.column, what, "Give both.")
    source.place("given_endpoints", "time_days", time_column)
    source.place("given_endpoints", "event_code", status)
    for column in ("endpoint", "origin_day", "event_description"):
        if source.of.get(column):
            source.place("given_endpoints", column, source.of[column][0])
    return frame[(time.notna() & levels.notna()).to_numpy() & named]


def _with_deaths(outcomes: pd.DataFrame | None, given: pd.DataFrame) -> pd.DataFrame | None:
    """Return outcomes with the deaths and the follow-up of overall survival, where they have none."""
    survival = given[_is(given["endpoint"], "OS", given.index)]
    if not len(survival):
        return outcomes
    if outcomes is None:
        outcomes = pd.DataFrame({"patient_id": survival["patient_id"]}, index=survival.index)
    by_patient = survival.drop_duplicates("patient_id")
    at = pd.Series(np.arange(len(by_patient)), index=by_patient["patient_id"].astype("object"))
    rows = at.reindex(outcomes["patient_id"].astype("object").to_numpy()).to_numpy()
    known = ~np.isnan(rows)
    taken = np.where(known, rows, 0).astype("int64")
    dead = _is(by_patient["event_code"], "1", by_patient.index)[taken]
    days = (_as_floats(by_patient["origin_day"]) + _as_floats(by_patient["time_days"]))[taken]
    died = _cells(np.where(known, np.where(dead, 0, 1), -1), ["yes", "no"], outcomes.index)
    brought = {"died", "death_day"} & set(outcomes.columns)
    if not brought:
        outcomes["died"] = died
        outcomes["death_day"] = _whole(np.where(known & dead, days, np.nan), outcomes.index)
    if "last_follow_up_day" not in outcomes:
        outcomes["last_follow_up_day"] = _whole(
            np.where(known & ~dead, days, np.nan), outcomes.index
        )
    return outcomes


def _as_floats(cells: Cells) -> Floats:
    values = numbers([str(text) for text in cells.cat.categories])
    return np.append(values, np.nan)[cells.cat.codes.to_numpy()]


# --- what the file does not say ------------------------------------------------------------------


def _say_what_is_missing(result: Canonical) -> None:
    """Say how many events have no day and of how many patients nothing is known."""
    outcomes, n = result.cells["outcomes"], len(result.cells["outcomes"])
    for event, day in EVENT_DAYS.items():
        word = EVENT_WORDS[event]
        if event not in outcomes or not n:
            continue
        sheet, column = result.places.get(("outcomes", event), ("outcomes", event))
        unknown = int(outcomes[event].isna().sum())
        if unknown:
            what = f"for {unknown} of {n} patients it is not known whether there was a {word}."
            remedy = "Not known is never taken as no; fill it in where it is known."
            result.problems.append(
                Problem("note", sheet, None, column, None, what, remedy, unknown)
            )
        happened = _is(outcomes[event], "yes", outcomes.index)
        dated = outcomes[day].notna().to_numpy() if day in outcomes else np.zeros(n, dtype=bool)
        undated, every = int((happened & ~dated).sum()), int(happened.sum())
        if undated:
            what = f"{undated} of {every} patients with a {word} have no day of it."
            remedy = (
                "Give the day where it is known; endpoints that need it leave these patients out."
            )
            result.problems.append(
                Problem("note", sheet, None, column, None, what, remedy, undated)
            )
    courses = result.cells["treatments"]
    for kind in COURSES:
        mine = courses[_is(courses.get("kind"), kind, courses.index)] if len(courses) else courses
        undated = int(mine["start_day"].isna().sum()) if "start_day" in mine else len(mine)
        if undated:
            sheet, column = result.places.get(("treatments", "kind"), ("treatments", "kind"))
            what = f"{undated} of {len(mine)} {kind} have no day."
            remedy = "Give the day where it is known."
            result.problems.append(
                Problem("note", sheet, None, column, None, what, remedy, undated)
            )
