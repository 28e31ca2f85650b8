"""Text cells become typed tables; the folder of a study is read into them. Every problem is noted."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.endpoints import ENDPOINTS
from data.importing.apply import Canonical, apply
from data.importing.asking import questions
from data.importing.formats import read_file
from data.importing.limits import COMMAND
from data.importing.privacy import OLDEST_AGE, holds_ages
from data.importing.problems import Problem, Severity, row_problems
from data.importing.recognise import identity
from data.importing.sheets import ROW, Sheet
from data.importing.tables import REQUIRED_COLUMNS, STORED, TABLES, Column
from data.importing.values import dates
from data.variables import RESERVED, TIMEPOINT_DEFAULTS, slug, timepoint_variable_name

_DATE_FORMATS = ("month/day/year", "day/month/year", "year-month-day")
_STUDY_TEXT = ("title", "day_zero_label", "default_endpoint")
_STUDY_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("title", "day_zero_label", "citation", "doi", "notes"), (str,)),
    "synthetic": (bool,),
    "data_cutoff": (str, type(None)),
    "columns": (dict,),
    "small_cell_minimum": (int, type(None)),
}
_KINDS = ("category", "number", "boolean")


@dataclass
class Tables:
    """A study as read.

    Attributes
    ----------
    study : dict
        study.json with its defaults filled in.
    frames : dict of str to pandas.DataFrame
        The raw tables, typed: numbers as Float64 or Int64, yes / no as boolean, text and levels as
        category. The index is the row in the file; one row of a file can give several of a table.
    own : dict of str to dict
        The study's own patient columns: label and kind.
    problems : list of Problem
    content_sha256 : str
        Of everything that was read: hexadecimal digits.
    places : dict
        Table and column, and the sheet and the column of the user's own that they come from.
    day_zero : pandas.Series or None
        Of each row of patients its day 0 as a day of the calendar, for the checks; it is not stored.
    """

    study: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    content_sha256: str = ""
    places: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    day_zero: pd.Series[float] | None = None

    def place(self, table: str, column: str | None = None) -> tuple[str, str | None]:
        """Return the sheet and the column that the user knows a table and its column by."""
        file = self.places.get((table, "patient_id"), (f"{table}.csv", ""))[0]
        return (file, None) if column is None else self.places.get((table, column), (file, column))


def typed(canonical: Canonical, content_sha256: str) -> Tables:
    """Return the tables of a study, every column typed.

    Parameters
    ----------
    canonical : Canonical
        Numbers with a decimal point, days as whole numbers, yes / no, levels as in `TABLES`.
    content_sha256 : str
        Of the files and of what decided how they were read.

    Returns
    -------
    Tables
        With the problems of `canonical` and those of cells that do not fit. A table that the study does
        not bring is empty.
    """
    problems = list(canonical.problems)
    study = described(canonical.study, "the study’s description", problems)
    return _typed_tables(canonical, study, problems, content_sha256)


def _typed_tables(
    canonical: Canonical, study: dict[str, Any], problems: list[Problem], content_sha256: str
) -> Tables:
    tables = Tables(study, {}, canonical.own, problems, content_sha256, canonical.places)
    for name, columns in STORED.items():
        known = dict(columns)
        if name == "patients":
            known |= {own: _own_column(spec["kind"]) for own, spec in tables.own.items()}
        cells = canonical.cells.get(name)
        if cells is None:
            cells = pd.DataFrame({"patient_id": pd.Categorical([])}, index=pd.Index([], name=ROW))
        tables.frames[name] = _typed(name, cells, known, tables)
    tables.frames["patients"] = _without_identifying_ages(tables)
    zero = canonical.cells.get("patients", pd.DataFrame()).get("day_zero_date")
    if zero is not None:
        tables.day_zero = _days_of_calendar(zero, study["date_format"] or "year-month-day")
    return tables


def _days_of_calendar(cells: pd.Series[Any], spelling: str) -> pd.Series[float]:
    days = pd.Series(dates(list(cells.cat.categories), spelling)).astype("datetime64[s]")
    ordinals = days.map(pd.Timestamp.toordinal, na_action="ignore").to_numpy(float)
    return pd.Series(np.append(ordinals, math.nan)[cells.cat.codes])


def _typed(
    name: str, cells: pd.DataFrame, known: Mapping[str, Column], tables: Tables
) -> pd.DataFrame:
    """Return one table with every column typed, in the order of the schema."""
    for column, spec in known.items():
        if spec.required and column not in cells and (len(cells) or column == "patient_id"):
            file, _ = tables.place(name)
            what, remedy = "the column is missing.", f"Add the column {column}."
            tables.problems.append(Problem("fatal", file, 1, column, None, what, remedy))
    frame = {
        column: _column(tables.place(name, column), cells[column], spec, tables.problems)
        for column, spec in known.items()
        if column in cells
    }
    return pd.DataFrame(frame, index=cells.index)


def _own_column(kind: str) -> Column:
    return Column({"number": "number", "boolean": "boolean"}.get(kind, "text"))  # type: ignore[arg-type]


def _column(
    place: tuple[str, str | None],
    cells: pd.Series[Any],
    spec: Column,
    problems: list[Problem],
) -> pd.Series[Any]:
    """Return one column typed; a cell that does not fit is reported and missing."""
    cells = cells.astype("category")
    texts, codes = list(cells.cat.categories), cells.cat.codes.to_numpy()
    fits, typed_cells, expected = _parsed(texts, codes, spec)
    remedy = "Correct the value, or leave the cell empty if it is not known."
    wrong = np.flatnonzero((codes >= 0) & ~np.append(fits, True)[codes])
    rows, values = cells.index.take(wrong), [texts[code] for code in codes[wrong[:200]]]
    problems += row_problems("fatal", place, rows, values, expected, remedy)
    if spec.required:
        rows = cells.index[codes < 0]
        blank = [None] * len(rows)
        problems += row_problems("fatal", place, rows, blank, "it is empty.", "Fill it in.")
    return pd.Series(typed_cells, index=cells.index)


def _parsed(
    texts: list[str], codes: np.ndarray[Any, Any], spec: Column
) -> tuple[np.ndarray[Any, Any], Any, str]:
    """Return which texts fit a column, its cells typed, and what was expected of the others.

    Each distinct text is read once, however many cells hold it.
    """
    missing = codes < 0
    if spec.type in ("text", "level"):
        fits = np.array([spec.type == "text" or text in spec.levels for text in texts], dtype=bool)
        kept = np.where(np.append(fits, False)[codes], codes, -1)
        cells: Any = pd.Categorical.from_codes(kept, pd.Index(texts, dtype="object"))
        return fits, cells, f"expected one of {', '.join(spec.levels)}."
    if spec.type == "boolean":
        fits = np.array([text in ("yes", "no") for text in texts], dtype=bool)
        yes = np.array([text == "yes" for text in texts] + [False], dtype=bool)
        missing = missing | ~np.append(fits, False)[codes]
        return fits, pd.arrays.BooleanArray(yes[codes], missing), "expected yes or no."
    numbers = np.array([number(text) for text in texts] + [math.nan], dtype=float)
    fits = (numbers >= spec.low) & (numbers <= spec.high)
    if spec.type == "whole":
        fits &= numbers == np.floor(numbers)
    missing = missing | ~fits[codes]
    values = np.where(missing, 0, numbers[codes])
    whole = spec.type == "whole"
    cells = (
        pd.arrays.IntegerArray(values.astype("int64"), missing)
        if whole
        else pd.arrays.FloatingArray(values, missing)
    )
    bounds = f" from {spec.low:g} to {spec.high:g}" if math.isfinite(spec.low + spec.high) else ""
    return fits[:-1], cells, f"expected {'a whole number' if whole else 'a number'}{bounds}."


def number(text: str) -> float:
    """Return a finite number written with a decimal point, or NaN."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in text else math.nan


def _without_identifying_ages(tables: Tables) -> pd.DataFrame:
    """Return the patients with ages above 89 as 90, and say so: they identify."""
    patients = tables.frames["patients"]
    for column in patients.columns:
        label = tables.own.get(column, {}).get("label", "")
        if patients[column].dtype != "Float64" or not holds_ages(column, label):
            continue
        old = (patients[column] > OLDEST_AGE - 1).fillna(False).to_numpy(bool)
        rows, values = patients.index[old], [f"{age:g}" for age in patients[column][old][:200]]
        what, remedy = "ages above 89 are stored as 90 and shown as 90+.", "Nothing to do."
        place = tables.place("patients", column)
        tables.problems += row_problems("note", place, rows, values, what, remedy)
        patients = patients.assign(**{column: patients[column].mask(old, OLDEST_AGE)})
    return patients


def described(
    study: Mapping[str, Any], file: str, problems: list[Problem], study_id: str | None = None
) -> dict[str, Any]:
    """Return what study.json says with its defaults filled in; what is faulty is reported and left out."""
    study = dict(study)
    for key, what, remedy in _study_faults(study, study_id or str(study.get("study_id", ""))):
        problems.append(Problem("fatal", file, None, key, None, what, remedy))
        # What is faulty is not read any further; the import is refused anyway.
        study.pop(key, None)
    defaults: dict[str, Any] = {
        **dict.fromkeys(("citation", "doi", "notes"), ""),
        "synthetic": False,
        "data_cutoff": None,
        "date_format": None,
        "columns": {},
        "timepoints": [
            dict(zip(("label", "target_day", "first_day", "last_day"), row, strict=True))
            for row in TIMEPOINT_DEFAULTS
        ],
    }
    return defaults | study


def _study_faults(study: Mapping[str, Any], study_id: str) -> list[tuple[str, str, str]]:
    """Return what is wrong in study.json: key, problem, remedy."""
    found = [(key, "it is missing.", "Add it.") for key in _STUDY_TEXT if not study.get(key)]
    found += [
        (key, f"{key} has the wrong type.", f"Give it as {kinds[0].__name__}.")
        for key, kinds in _STUDY_TYPES.items()
        if key in study and not isinstance(study[key], kinds)
    ]
    if study.get("study_id") != study_id:
        named = f"it names the study {study.get('study_id')!r}."
        found.append(("study_id", named, f"Import it as {study_id!r}, or correct it."))
    if not study_id or slug(study_id) != study_id:
        found.append(("study_id", f"{study_id!r} cannot be a name.", "Use a-z, 0-9 and _."))
    for key, allowed in (("default_endpoint", ENDPOINTS), ("date_format", _DATE_FORMATS)):
        if study.get(key) is not None and study[key] not in allowed:
            found.append((key, f"{key} is not known.", f"Use one of {', '.join(allowed)}."))
    windows = study.get("timepoints", [])
    if not isinstance(windows, list) or not all(_is_window(window) for window in windows):
        what = "a timepoint needs label, first_day <= target_day <= last_day."
        found.append(("timepoints", what, "Correct it."))
    elif len({timepoint_variable_name(w["label"]) for w in windows}) < len(windows):
        found.append(("timepoints", "two timepoints have the same name.", "Rename one of them."))
    columns = study.get("columns", {})
    for name, spec in columns.items() if isinstance(columns, dict) else ():
        if not isinstance(spec, dict) or spec.get("type", "category") not in _KINDS:
            what = f"the type of the column {name} is not known."
            found.append(("columns", what, f"Use one of {', '.join(_KINDS)}."))
    return found


def _is_window(window: object) -> bool:
    if not isinstance(window, dict) or not isinstance(window.get("label"), str):
        return False
    days = [window.get(key) for key in ("first_day", "target_day", "last_day")]
    return all(type(day) is int for day in days) and days == sorted(days)  # type: ignore[type-var]


def read_folder(folder: Path, study_id: str) -> Tables:
    """Read study.json and the four tables of a folder.

    Parameters
    ----------
    folder : Path
    study_id : str
        The name under which the study is to be published; study.json must agree.

    Returns
    -------
    Tables
        With every problem found.
    """
    content, problems, sheets = hashlib.sha256(), list[Problem](), list[Sheet]()
    study = described(_read_study(folder, content, problems), "study.json", problems, study_id)
    for name in TABLES:
        for sheet in _read_table(folder / f"{name}.csv", content, problems):
            left_out = _check_header(sheet, study, problems)
            cells = _known_timepoints(sheet.cells.drop(columns=left_out), sheet, study, problems)
            if {"patient_id", *(("kind",) if name == "treatments" else ())} <= {*cells.columns}:
                sheets.append(replace(sheet, cells=cells))
    mapping = identity(sheets, study)
    asked = questions(sheets, mapping)
    for question in asked:
        place = (question.sheet or "study.json", None, question.column or None, None)
        problems.append(Problem("fatal", *place, question.what, "Say it in study.json."))
    canonical = Canonical(study) if asked or not sheets else apply(sheets, mapping)
    for sheet in sheets if not asked else ():
        if sheet.name == "patients.csv" and "day_zero_date" in sheet.cells:
            zero = sheet.cells["day_zero_date"]
            canonical.cells["patients"] = canonical.cells["patients"].assign(day_zero_date=zero)
    return _typed_tables(canonical, study, problems + canonical.problems, content.hexdigest())


def _known_timepoints(
    cells: pd.DataFrame, sheet: Sheet, study: Mapping[str, Any], problems: list[Problem]
) -> pd.DataFrame:
    """Return the cells of samples without timepoints that study.json does not have, which are reported."""
    if sheet.name != "mrd_assessments.csv" or "timepoint" not in cells:
        return cells
    labels = [window["label"] for window in study["timepoints"]]
    named = cells["timepoint"]
    wrong = (named.notna() & ~named.isin(labels)).to_numpy()
    what = f"the study has no such timepoint ({', '.join(labels) or 'none'})."
    remedy = "Leave it empty for the window rule, or add the timepoint to study.json."
    place, rows = (sheet.name, "timepoint"), cells.index[wrong]
    problems += row_problems("fatal", place, rows, list(named[wrong][:200]), what, remedy)
    return cells.assign(timepoint=named.mask(wrong).cat.remove_unused_categories())


def _read_study(folder: Path, content: Any, problems: list[Problem]) -> dict[str, Any]:
    what, remedy = "the file is missing.", f"Add it with {', '.join(('study_id', *_STUDY_TEXT))}."
    try:
        text = (folder / "study.json").read_bytes()
        content.update(text)
        return dict(json.loads(text.decode("utf-8")))
    except FileNotFoundError:
        pass
    except (ValueError, TypeError) as error:
        what, remedy = f"this is not a JSON object in UTF-8 ({error}).", "Correct the file."
    problems.append(Problem("fatal", "study.json", None, None, None, what, remedy))
    return {}


def _read_table(file: Path, content: Any, problems: list[Problem]) -> tuple[Sheet, ...]:
    if not file.exists():
        what = "the file is missing."
        remedy = "Add it; a table without rows is its header alone."
        problems.append(Problem("fatal", file.name, None, None, None, what, remedy))
        return ()
    content.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    sheets, found = read_file(file, file.name, limits=COMMAND, delimiter=",")
    problems += found
    return sheets


def _check_header(sheet: Sheet, study: Mapping[str, Any], problems: list[Problem]) -> list[str]:
    """Report columns of a folder's table that cannot be read, that nobody knows and that are missing.

    Returns those that are left out.
    """
    left_out: list[str] = []

    def said(severity: Severity, column: str | None, value: str | None, what: str, do: str) -> None:
        problems.append(Problem(severity, sheet.name, 1, column, value, what, do))
        left_out.extend(filter(None, (column or value,)))

    table, columns = Path(sheet.name).stem, [str(column) for column in sheet.cells.columns]
    labels = [window["label"] for window in study["timepoints"]]
    timepoints = {timepoint_variable_name(label) for label in labels}
    taken = RESERVED | timepoints | {f"{name}_day" for name in timepoints}
    for name in columns:
        day = re.sub(r"(^|_)date$", r"\1day", name)
        zero = (table, name) == ("patients", "day_zero_date")
        if name in TABLES[table]:
            continue
        if zero or (name != day and day in TABLES[table]):
            if not study["date_format"]:
                what = "there are dates, and the study does not say how they are written."
                remedy = f"Put date_format into study.json: {', '.join(_DATE_FORMATS)}."
                said("fatal", name, None, what, remedy)
        elif table != "patients":
            what, remedy = "this column is not known and is left out.", "Rename or remove it."
            said("warning", name, None, what, remedy)
        elif name in taken:
            what, remedy = "this name is taken by the product.", f"Call it {name}_of_study."
            said("fatal", None, name, what, remedy)
        elif slug(name) != name:
            what = "a column of the study’s own needs a name of a-z, 0-9 and _."
            said("fatal", None, name, what, f"Call it {slug(name) or 'variable'}.")
    for name in REQUIRED_COLUMNS[table]:
        if name not in columns and name.removesuffix("day") + "date" not in columns:
            remedy = f"Add the column {name}"
            remedy += f" (or {name.removesuffix('day')}date)." if name.endswith("day") else "."
            said("fatal", name, None, "the column is missing.", remedy)
    return [name for name in left_out if name in columns]
