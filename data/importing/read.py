"""Read a folder of the four tables as CSV into typed frames, noting every problem on the way."""

from __future__ import annotations

import csv
import datetime
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from data.endpoints import ENDPOINTS
from data.importing.problems import Problem
from data.importing.tables import REQUIRED_COLUMNS, TABLES, Column
from data.variables import RESERVED, TIMEPOINT_DEFAULTS, slug, timepoint_variable_name

ROW = "_row"
"""Name of the index of a table that was read: the row as a spreadsheet numbers it."""

_DATE_FORMATS = {
    "month/day/year": "%m/%d/%Y",
    "day/month/year": "%d/%m/%Y",
    "year-month-day": "%Y-%m-%d",
}
_PANDAS_TYPES = {
    "text": "string",
    "level": "string",
    "number": "Float64",
    "whole": "Int64",
    "boolean": "boolean",
}
_STUDY_TEXT = ("title", "day_zero_label", "default_endpoint")
_STUDY_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("title", "day_zero_label", "citation", "doi", "notes"), (str,)),
    "synthetic": (bool,),
    "data_cutoff": (str, type(None)),
    "columns": (dict,),
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
        The four tables, typed; the index is the row in the file.
    own : dict of str to dict
        The study's own patient columns: label and type.
    problems : list of Problem
    content : bytes
        Everything that was read, for the hash.
    """

    study: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    content: bytes = b""


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
        With every problem found; a table with a fatal problem may be absent from `frames`.
    """
    tables = Tables()
    tables.study = _read_study(folder, study_id, tables)
    raw = {name: _read_csv(folder / f"{name}.csv", tables) for name in TABLES}
    if raw["patients"] is not None:
        tables.own = _own_columns(raw["patients"], tables)
    day_zero = _day_zero(raw["patients"], tables)
    for name, cells in raw.items():
        if cells is not None:
            tables.frames[name] = _typed(name, cells, day_zero, tables)
    return tables


def _read_study(folder: Path, study_id: str, tables: Tables) -> dict[str, Any]:
    file = folder / "study.json"

    def fatal(column: str | None, what: str, remedy: str) -> None:
        tables.problems.append(Problem("fatal", file.name, None, column, None, what, remedy))

    study: dict[str, Any] = {}
    try:
        content = file.read_bytes()
        tables.content += content
        study = dict(json.loads(content.decode("utf-8")))
    except FileNotFoundError:
        keys = ", ".join(("study_id", *_STUDY_TEXT))
        fatal(None, "the file is missing.", f"Add a study.json with {keys}.")
    except (ValueError, TypeError) as error:
        fatal(None, f"this is not a JSON object in UTF-8 ({error}).", "Correct the file.")
    if study:
        for key, what, remedy in _study_faults(study, study_id):
            fatal(key, what, remedy)
            # What is faulty is not read any further; the import is refused anyway.
            study.pop(key, None)
    defaults: dict[str, Any] = {
        "citation": "",
        "doi": "",
        "notes": "",
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


def _read_csv(file: Path, tables: Tables) -> pd.DataFrame | None:
    """Read a file as text cells, stripped; the index is the row in the file."""

    def fatal(row: int | None, what: str, remedy: str, value: str | None = None) -> None:
        tables.problems.append(Problem("fatal", file.name, row, None, value, what, remedy))

    try:
        content = file.read_bytes()
        lines = list(csv.reader(content.decode("utf-8-sig").splitlines(keepends=True), strict=True))
    except FileNotFoundError:
        fatal(None, "the file is missing.", "Add it; a table without rows is its header alone.")
        return None
    except (UnicodeDecodeError, csv.Error) as error:
        fatal(
            None, f"this is not a comma-separated file in UTF-8 ({error}).", "Save it as CSV UTF-8."
        )
        return None
    tables.content += b"\0" + file.name.encode() + b"\0" + content
    if not lines:
        fatal(None, "the file is empty.", "Write the column names in its first row.")
        return None
    header = [name.strip() for name in lines[0]]
    for name in {name for name in header if header.count(name) > 1}:
        fatal(1, "the column stands twice.", "Remove one of them.", name)
        return None
    rows, numbers = [], []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            fatal(
                number,
                f"it has {len(cells)} cells under {len(header)} columns.",
                "Correct the row.",
            )
            continue
        rows.append([cell.strip() for cell in cells])
        numbers.append(number)
    index = pd.Index(numbers, name=ROW, dtype="int64")
    return pd.DataFrame(rows, columns=header, index=index, dtype="object")


def _own_columns(patients: pd.DataFrame, tables: Tables) -> dict[str, dict[str, str]]:
    """Return label and type of the columns of `patients` that only this study has."""
    own = {}
    labels = [window["label"] for window in tables.study["timepoints"]]
    timepoints = {timepoint_variable_name(label) for label in labels}
    taken = RESERVED | timepoints | {f"{name}_day" for name in timepoints}
    for name in patients.columns:
        if name in TABLES["patients"] or name == "day_zero_date":
            continue
        if slug(name) != name or name in taken:
            what = "a column of the study’s own needs a name of a-z, 0-9 and _."
            remedy = f"Call it {slug(name) or 'variable'}."
            if name in taken:
                what, remedy = "this name is taken by the product.", f"Call it {name}_of_study."
            tables.problems.append(Problem("fatal", "patients.csv", 1, None, name, what, remedy))
            continue
        declared = dict(tables.study["columns"].get(name, {}))
        kind = declared.get("type") or _guess(patients[name])
        label = declared.get("label") or name.replace("_", " ").capitalize()
        own[name] = {"label": str(label), "kind": str(kind)}
    return own


def _guess(cells: pd.Series[Any]) -> str:
    """Return the type of an undeclared column: boolean if all yes / no, number if all are."""
    filled = [cell for cell in cells if cell]
    if filled and set(filled) <= {"yes", "no"}:
        return "boolean"
    return "number" if filled and all(_number(cell) is not None for cell in filled) else "category"


def _day_zero(patients: pd.DataFrame | None, tables: Tables) -> dict[str, datetime.date]:
    """Return each patient's calendar day 0, where the study brings dates."""
    if patients is None or "day_zero_date" not in patients:
        return {}
    dates = _dates("patients.csv", patients, "day_zero_date", tables)
    return {
        str(patient): date
        for patient, date in zip(patients.get("patient_id", pd.Series()), dates, strict=False)
        if date is not None
    }


def _dates(
    file: str, cells: pd.DataFrame, column: str, tables: Tables
) -> list[datetime.date | None]:
    """Read one column of calendar dates in the study's spelling; others are reported and missing."""
    spelling = tables.study["date_format"]
    if spelling not in _DATE_FORMATS:
        what, remedy = (
            "there are dates, and the study does not say how they are written.",
            (f"Put date_format into study.json: {', '.join(_DATE_FORMATS)}."),
        )
        tables.problems.append(Problem("fatal", file, None, column, None, what, remedy))
        return [None] * len(cells)
    read: list[datetime.date | None] = []
    for row, text in cells[column].items():
        try:
            read.append(datetime.datetime.strptime(text, _DATE_FORMATS[spelling]).date())
        except ValueError:
            read.append(None)
            if text:
                what = "this is not a date that can be read; it is treated as missing."
                remedy = f"Write it as {spelling}."
                tables.problems.append(
                    Problem("warning", file, int(str(row)), column, text, what, remedy)
                )
    return read


def _typed(
    name: str, cells: pd.DataFrame, day_zero: Mapping[str, datetime.date], tables: Tables
) -> pd.DataFrame:
    """Return one table with every column typed, in the order of the schema."""
    file = f"{name}.csv"
    cells = _days_from_dates(file, cells, day_zero, tables)
    known = dict(TABLES[name])
    if name == "patients":
        known |= {own: _own_column(spec["kind"]) for own, spec in tables.own.items()}
    for column in cells.columns:
        if column not in known and column != "day_zero_date" and slug(column) == column:
            what, remedy = "this column is not known and is left out.", "Rename or remove it."
            tables.problems.append(Problem("warning", file, 1, column, None, what, remedy))
    for column in REQUIRED_COLUMNS[name]:
        if column not in cells:
            what = "the column is missing."
            remedy = f"Add the column {column}" + (
                f" (or {column.removesuffix('day')}date)." if column.endswith("day") else "."
            )
            tables.problems.append(Problem("fatal", file, 1, column, None, what, remedy))
    typed = {
        column: _column(file, column, cells[column], spec, tables)
        for column, spec in known.items()
        if column in cells
    }
    return pd.DataFrame(typed, index=cells.index)


def _own_column(kind: str) -> Column:
    return Column({"number": "number", "boolean": "boolean"}.get(kind, "text"))  # type: ignore[arg-type]


def _days_from_dates(
    file: str, cells: pd.DataFrame, day_zero: Mapping[str, datetime.date], tables: Tables
) -> pd.DataFrame:
    """Replace each *_date column by *_day, counted from the patient's day 0. No date is kept."""
    dated = {
        c: c.removesuffix("date") + "day" for c in cells.columns if re.search(r"(^|_)date$", c)
    }
    dated.pop("day_zero_date", None)
    patients = cells.get("patient_id", pd.Series("", index=cells.index))
    for column, day in dated.items():
        days = []
        for (row, patient), date in zip(
            patients.items(), _dates(file, cells, column, tables), strict=True
        ):
            start = day_zero.get(patient)
            days.append("" if date is None or start is None else str((date - start).days))
            if date is not None and start is None:
                what, remedy = (
                    "there is a date, but no day 0 of its patient.",
                    "Give day_zero_date.",
                )
                tables.problems.append(
                    Problem("warning", file, int(str(row)), column, None, what, remedy)
                )
        cells = cells.assign(**{day: days})
    return cells.drop(columns=list(dated))


def _column(
    file: str, name: str, cells: pd.Series[Any], spec: Column, tables: Tables
) -> pd.Series[Any]:
    """Return one column typed; a cell that does not fit is reported and missing."""
    parse, expected = _parser(spec)
    values: list[object] = []
    for row, text in cells.items():
        value = parse(text) if text else None
        if (text and value is None) or (not text and spec.required):
            what = expected if text else "it is empty."
            remedy = "Correct the value, or leave the cell empty if it is not known."
            problem = Problem(
                "fatal",
                file,
                int(str(row)),
                name,
                text or None,
                what,
                remedy if text else "Fill it in.",
            )
            tables.problems.append(problem)
        values.append(value)
    return pd.Series(values, index=cells.index, dtype=_PANDAS_TYPES[spec.type])


def _parser(spec: Column) -> tuple[Callable[[str], object], str]:
    """Return how a cell of this column is read (None: it does not fit) and what was expected."""
    if spec.type == "boolean":
        return {"yes": True, "no": False}.get, "expected yes or no."
    if spec.type == "level":
        return _one_of(spec.levels), f"expected one of {', '.join(spec.levels)}."
    if spec.type == "text":
        return str, ""
    word = "a whole number" if spec.type == "whole" else "a number"
    bounds = f" from {spec.low:g} to {spec.high:g}" if math.isfinite(spec.low + spec.high) else ""

    def number(text: str) -> float | None:
        value = _number(text)
        fits = value is not None and spec.low <= value <= spec.high
        return value if fits and (spec.type == "number" or value == int(value or 0)) else None

    return number, f"expected {word}{bounds}."


def _one_of(levels: Iterable[str]) -> Callable[[str], object]:
    return {level: level for level in levels}.get


def _number(text: str) -> float | None:
    """Return a finite number written with a decimal point, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
