"""How the columns of the sheets of a study become the tables of the store: a value, kept as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from data.importing.tables import TABLES
from data.variables import STANDARD

Role = Literal["patients", "samples", "courses", "endpoints", "nothing"]
"""What one row of a sheet is: a patient, an MRD sample, a course of treatment, a patient's endpoint."""


@dataclass(frozen=True)
class Assignment:
    """What one column of a sheet becomes. A column can have several.

    Whatever a target needs and is None or absent here is an open question; it is never guessed.

    Attributes
    ----------
    column : str
    target : str
        A key of `TARGETS`: 'ph_status', 'cr_day', 'mrd_result', 'own', 'nothing'.
    values : mapping of str to str
        For a target with levels: each text of the column and its level, '' to leave it empty. The text
        '' is the empty cell, where it means something: a column that holds 'Y' and nothing else.
    unit : str or None
        Of a time, a level of MRD or a white cell count.
    spelling : str or None
        Of dates: 'day/month/year' and so on; of a column that is written as dates.
    decimal : {'.', ','} or None
    timepoint : str or None
        Of the MRD targets of a sheet with one row per patient: the label of the timepoint.
    is_day_of : tuple of str
        Of 'last_follow_up_day': events ('relapsed', 'died') whose day it is where they happened; the
        first that happened counts. ('none',): it was asked, and it is the last contact alone.
    label : str
        Of a variable of the study's own, as the screen shows it.
    kind : {'category', 'number', 'boolean'} or None
        Of a variable of the study's own.
    """

    column: str
    target: str
    values: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    spelling: str | None = None
    decimal: str | None = None
    timepoint: str | None = None
    is_day_of: tuple[str, ...] = ()
    label: str = ""
    kind: str | None = None


@dataclass(frozen=True)
class SheetMapping:
    """How one sheet is read.

    Attributes
    ----------
    sheet : str
        Name of the sheet.
    shape : str
        Hash of its column names, under which a mapping is kept for the next file of that form.
    role : Role
    assignments : tuple of Assignment
    constants : mapping of str to str
        What holds for every row and stands in no column: 'assay', 'material', 'lod_fraction',
        'less_than' and 'empty_with_limit' (what '<0.01' and an empty result with a limit mean:
        'negative' or 'below LOD'; for the latter also 'no result').
    """

    sheet: str
    shape: str
    role: Role
    assignments: tuple[Assignment, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyMapping:
    """How a study is read: what study.json says, and every sheet.

    Attributes
    ----------
    study : mapping
        As study.json in docs/data-model.md.
    sheets : tuple of SheetMapping
    rekey : bool
        Whether patient identifiers are replaced by salted ones on the way in.
    """

    study: Mapping[str, Any]
    sheets: tuple[SheetMapping, ...]
    rekey: bool = False


@dataclass(frozen=True)
class Question:
    """Something that only the person who imports can say.

    Attributes
    ----------
    sheet, column : str
        Empty where the whole study or sheet is meant.
    field : str
        What answers it: a field of `Assignment` ('spelling', 'unit', 'decimal', 'values', 'timepoint',
        'kind'), a key of the constants of the sheet, or of the study.
    target : str
        Of the assignment that is meant.
    what : str
        The question in words.
    choices : mapping of str to str
        Answers and what each means, with an example of the column; empty where anything can be typed.
    texts : tuple of str
        For 'values': the texts of the column that have no level yet, the most frequent first.
    proposed : mapping of str to str
        For 'values': the level that words in a text suggest, to be confirmed. No answer by itself.
    """

    sheet: str
    column: str
    field: str
    target: str
    what: str
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    texts: tuple[str, ...] = ()
    proposed: Mapping[str, str] = dataclasses.field(default_factory=dict)


def shape(columns: Iterable[str]) -> str:
    """Return the hash of the column names of a sheet, whatever their order."""
    names = "\n".join(sorted(columns))
    return hashlib.sha256(names.encode("utf-8")).hexdigest()[:16]


TargetType = Literal[
    "id", "text", "number", "whole", "boolean", "level", "day", "time", "mrd", "own", "nothing"
]

YES_NO = ("yes", "no")
TIME_UNITS = ("days", "weeks", "months", "years")
MRD_UNITS = ("fraction", "percent", "per million", "log10 fraction", "log10 percent")
WBC_UNITS = ("10e9/L", "per µL")
CALLS = TABLES["mrd_assessments"]["call"].levels
STATUSES = ("event", "competing event", "censored")
GIVEN = ("OS", "RFS", "EFS", "CIR", "NRM")
"""Endpoints that a study can bring as a time and a status."""
KINDS = ("category", "number", "boolean")
"""Types of a variable of the study's own."""
COURSES = ("alloSCT", "autoSCT", "CAR-T")
"""Treatments that a sheet with one row per patient can name in columns of its own."""

EVENT_DAYS: Mapping[str, str] = {
    "died": "death_day", "relapsed": "relapse_day", "cr_achieved": "cr_day",
}  # fmt: skip
"""The day of each event that a patient has once."""
EVENT_WORDS = {"died": "death", "relapsed": "relapse", "cr_achieved": "remission"}

CONSTANTS: Mapping[str, Mapping[str, str]] = {
    "assay": {
        **{assay: assay for assay in TABLES["mrd_assessments"]["assay"].levels},
        "": "not known, or several",
    },
    "material": {"BM": "bone marrow", "PB": "peripheral blood", "": "not known, or both"},
    "lod_fraction": {"": "not known"},
    "less_than": {
        "negative": "nothing was found, and that is how deep the assay looked",
        "below LOD": "something was found, below the limit",
    },
    "empty_with_limit": {
        "negative": "nothing was found, and that is how deep the assay looked",
        "below LOD": "something was found, below the limit",
        "no result": "there is no result",
    },
}
"""What can hold for all rows of a sheet, and the answers; 'lod_fraction' also takes any fraction."""


@dataclass(frozen=True)
class Target:
    """What a column can become.

    Attributes
    ----------
    label : str
        In a select box.
    help : str
        One line for the screen.
    group : str
        Under which the select box lists it.
    roles : tuple of Role
        Sheets in which it can be chosen.
    type : TargetType
        'boolean' and 'level' need a level for every text of the column. 'day' is a number of days,
        weeks, months or years from day 0, or a date; 'time' is the number alone; 'mrd' is a result
        or a limit of MRD.
    levels : tuple of str
    units : tuple of str
        Of which one is needed, unless the cells are dates.
    dated : bool
        The cells can be dates; then their spelling is needed instead of a unit.
    with_timepoint : bool
        In a sheet with one row per patient it needs the label of its timepoint.
    """

    label: str
    help: str
    group: str
    roles: tuple[Role, ...]
    type: TargetType
    levels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether the cells can be dates."""
        return self.type == "day"

    @property
    def with_timepoint(self) -> bool:
        """Whether it needs a timepoint in a sheet with one row per patient."""
        return self.group == "MRD" and "patients" in self.roles


_EVERY: tuple[Role, ...] = ("patients", "samples", "courses", "endpoints")
_PATIENTS: tuple[Role, ...] = ("patients",)
_SAMPLES: tuple[Role, ...] = ("samples",)


def _target_of(name: str, table: str, label: str, group: str, roles: tuple[Role, ...]) -> Target:
    """Return the target of a column of our tables."""
    column = TABLES[table][name]
    if name.endswith("_day"):
        text = "days, weeks, months or years from day 0, or a date"
        return Target(label, text, group, roles, "day", (), TIME_UNITS)
    levels = YES_NO if column.type == "boolean" else column.levels
    text = ", ".join(levels) if levels else {"text": "kept as written"}.get(column.type, "a number")
    units = WBC_UNITS if name.startswith("wbc") else ()
    return Target(label, text, group, roles, column.type, levels, units)


_OUTCOME_LABELS = {
    "cr_day": "First complete remission: day or date",
    "relapse_day": "First relapse: day or date",
    "relapse_site": "Site of relapse",
    "death_day": "Death: day or date",
    "death_cause": "Cause of death",
    "last_follow_up_day": "Last follow-up: day or date",
    "cr_achieved": "Complete remission: yes / no",
    "relapsed": "Relapse: yes / no",
    "died": "Death: yes / no",
}
_COURSE_LABELS = {
    "kind": "Kind of treatment",
    "name": "Name of the treatment",
    "start_day": "Start: day or date",
    "end_day": "End: day or date",
    "cycle": "Cycle",
}
_MRD_ROLES: tuple[Role, ...] = ("patients", "samples")


def _patient_targets() -> dict[str, Target]:
    labels = {name: STANDARD[name].label for name in TABLES["patients"] if name != "patient_id"}
    return {
        name: _target_of(name, "patients", label, "Patient", _PATIENTS)
        for name, label in labels.items()
    } | {
        name: _target_of(name, "outcomes", label, "Outcome", _PATIENTS)
        for name, label in _OUTCOME_LABELS.items()
    }


def _course_targets() -> dict[str, Target]:
    found = {}
    for kind in COURSES:
        given = f"{kind}: yes / no"
        day = "days, weeks, months or years from day 0, or a date; a day alone means given"
        found[f"{kind}_given"] = Target(given, "yes, no", "Treatment", _PATIENTS, "boolean", YES_NO)
        found[f"{kind}_day"] = Target(
            f"{kind}: day or date", day, "Treatment", _PATIENTS, "day", (), TIME_UNITS
        )
    return found | {
        name: _target_of(name, "treatments", label, "Treatment", ("courses",))
        for name, label in _COURSE_LABELS.items()
    }


def _mrd_targets() -> dict[str, Target]:
    day = "days, weeks, months or years from day 0, or a date"
    result = "a level, ‘<’ and a limit, or words such as negative"
    return {
        "day": Target("Sample: day or date", day, "MRD sample", _SAMPLES, "day", (), TIME_UNITS),
        "timepoint": Target(
            "Timepoint", "the label of an MRD timepoint", "MRD sample", _SAMPLES, "text"
        ),
        **{
            name: _target_of(name, "mrd_assessments", label, "MRD sample", _SAMPLES)
            for name, label in (
                ("assay", "Assay"),
                ("material", "Marrow or blood"),
                ("target", "Target of the assay"),
            )
        },
        "mrd_result": Target("MRD result", result, "MRD", _MRD_ROLES, "mrd", CALLS, MRD_UNITS),
        "mrd_limit": Target(
            "Limit of detection", "of the assay", "MRD", _MRD_ROLES, "mrd", (), MRD_UNITS
        ),
        "call": Target(
            "MRD call",
            "wins over the level where both are there",
            "MRD",
            _MRD_ROLES,
            "level",
            CALLS,
        ),
        "mrd_day": Target("MRD sample: day or date", day, "MRD", _PATIENTS, "day", (), TIME_UNITS),
    }


def _endpoint_targets() -> dict[str, Target]:
    group = "Endpoint of the study"
    rows: tuple[Role, ...] = ("endpoints",)
    found = {}
    for code in GIVEN:
        label = code if code == "OS" else f"{code} (from first remission)"
        label = "EFS" if code == "EFS" else label
        found[f"{code}_time"] = Target(
            f"{label}: time",
            "to event or end of follow-up",
            group,
            _PATIENTS,
            "time",
            (),
            TIME_UNITS,
        )
        found[f"{code}_status"] = Target(
            f"{code}: status", ", ".join(STATUSES), group, _PATIENTS, "level", STATUSES
        )
    return found | {
        "endpoint": Target("Endpoint", ", ".join(GIVEN), group, rows, "level", GIVEN),
        "time": Target("Time", "to event or end of follow-up", group, rows, "time", (), TIME_UNITS),
        "status": Target("Status", ", ".join(STATUSES), group, rows, "level", STATUSES),
        "origin_day": Target(
            "Start of time: day or date", "from day 0", group, rows, "day", (), TIME_UNITS
        ),
        "event_description": Target("What happened", "kept as written", group, rows, "text"),
    }


TARGETS: Mapping[str, Target] = {
    "patient_id": Target("Patient identifier", "one per patient", "Patient", _EVERY, "id"),
    "day_zero_date": Target(
        "Day 0", "the date, or the day on the same scale as the others, from which all days count",
        "Patient", _PATIENTS, "day", (), ("days",),
    ),
    **_patient_targets(),
    **_course_targets(),
    **_mrd_targets(),
    **_endpoint_targets(),
    "own": Target(
        "A variable of this study", "kept under its own name", "Other", _PATIENTS, "own"
    ),
    "nothing": Target("Leave it out", "not stored", "Other", _EVERY, "nothing"),
}  # fmt: skip
"""What a column can become, by the name under which a mapping keeps it."""


def targets(role: Role) -> dict[str, Target]:
    """Return what a column of a sheet with this role can become, in the order of a select box."""
    return {name: target for name, target in TARGETS.items() if role in target.roles}


def to_json(mapping: StudyMapping) -> dict[str, Any]:
    """Return a mapping as JSON: what is empty is left out, and `from_json` gives the same value."""
    sheets = [
        {
            "sheet": sheet.sheet,
            "shape": sheet.shape,
            "role": sheet.role,
            "assignments": [_filled(asdict(one)) for one in sheet.assignments],
            "constants": dict(sheet.constants),
        }
        for sheet in mapping.sheets
    ]
    return {"study": dict(mapping.study), "rekey": mapping.rekey, "sheets": sheets}


def _filled(assignment: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in assignment.items() if value not in (None, "", (), {})}
    # The name of a column can be empty only in a file that no reader here makes; it is kept anyway.
    kept |= {"column": assignment["column"]}
    return kept | ({"is_day_of": list(kept["is_day_of"])} if "is_day_of" in kept else {})


def from_json(content: Any) -> StudyMapping:
    """Return the mapping that `to_json` wrote.

    Raises
    ------
    ValueError
        If anything does not fit; the message has one line per fault, and where it is.
    """
    faults: list[str] = []
    if not isinstance(content, dict) or not isinstance(content.get("sheets"), list):
        raise ValueError("A mapping is an object with study, sheets and rekey.")
    if not isinstance(content.get("study", {}), dict):
        faults.append("study: it is not an object.")
    if not isinstance(content.get("rekey", False), bool):
        faults.append("rekey: it is not true or false.")
    sheets = [
        _sheet_from_json(sheet, f"sheets[{at}]", faults)
        for at, sheet in enumerate(content["sheets"])
    ]
    if faults:
        raise ValueError("\n".join(faults))
    return StudyMapping(
        content.get("study", {}), tuple(s for s in sheets if s), content.get("rekey", False)
    )


def _sheet_from_json(content: Any, where: str, faults: list[str]) -> SheetMapping | None:
    if not isinstance(content, dict) or not isinstance(content.get("assignments", []), list):
        faults.append(f"{where}: a sheet is an object with sheet, shape, role and assignments.")
        return None
    before = len(faults)
    faults += [
        f"{where}.{key}: a text is missing."
        for key in ("sheet", "shape")
        if not isinstance(content.get(key), str)
    ]
    role: Any = content.get("role")
    constants = content.get("constants", {})
    if role not in get_args(Role):
        faults.append(f"{where}.role: {role!r} is not one of {', '.join(get_args(Role))}.")
    if not _texts(constants):
        faults.append(f"{where}.constants: it is not an object of texts.")
    else:
        faults += _constant_faults(constants, where)
    assignments = tuple(
        _assignment_from_json(one, role, f"{where}.assignments[{at}]", faults)
        for at, one in enumerate(content.get("assignments", []))
    )
    if len(faults) > before:
        return None
    kept = tuple(one for one in assignments if one)
    return SheetMapping(content["sheet"], content["shape"], role, kept, constants)


def _constant_faults(constants: Mapping[str, str], where: str) -> list[str]:
    found = []
    for key, value in constants.items():
        known = CONSTANTS.get(key)
        if known is None:
            found.append(f"{where}.constants.{key}: it is not one of {', '.join(CONSTANTS)}.")
        elif value not in known and (key != "lod_fraction" or not _is_fraction(value)):
            found.append(f"{where}.constants.{key}: {value!r} is not an answer.")
    return found


def _is_fraction(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False


def _assignment_from_json(
    content: Any, role: Any, where: str, faults: list[str]
) -> Assignment | None:
    if not isinstance(content, dict):
        faults.append(f"{where}: it is not an object.")
        return None
    before = len(faults)
    texts = ("column", "target", "unit", "spelling", "decimal", "timepoint", "label", "kind")
    known = {one.name for one in fields(Assignment)}
    faults += [f"{where}.{key}: it is not known." for key in sorted(set(content) - known, key=str)]
    faults += [
        f"{where}.{key}: it is not a text."
        for key in texts
        if not isinstance(content.get(key, ""), str)
        and (key in texts[:2] or content[key] is not None)
    ]
    faults += [f"{where}.{key}: it is missing." for key in texts[:2] if key not in content]
    if not _texts(content.get("values", {})):
        faults.append(f"{where}.values: it is not an object of texts.")
    events = content.get("is_day_of", [])
    if not isinstance(events, list) or not set(events) <= {"relapsed", "died", "none"}:
        faults.append(f"{where}.is_day_of: use relapsed, died, or none alone.")
    if len(faults) == before:
        one = Assignment(**{**content, "is_day_of": tuple(events)})
        faults += [f"{where}.{fault}" for fault in assignment_faults(one, role)]
        return one
    return None


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(item, str) for pair in value.items() for item in pair
    )


def assignment_faults(assignment: Assignment, role: Role) -> list[str]:
    """Return what of an assignment does not fit its target, as 'field: fault'."""
    target = TARGETS.get(assignment.target)
    if target is None or role not in (*target.roles, "nothing"):
        return [f"target: {assignment.target!r} is not one for {role}."]
    found = []
    allowed = {
        "unit": target.units,
        "decimal": (".", ","),
        "kind": KINDS if target.type == "own" else (),
        "spelling": tuple(SPELLINGS) if target.dated else (),
    }
    for key, choices in allowed.items():
        value = getattr(assignment, key)
        if value is not None and value not in choices:
            found.append(f"{key}: {value!r} is not one of {', '.join(choices) or 'none'}.")
    levels = YES_NO if assignment.kind == "boolean" else target.levels
    wrong = sorted({v for v in assignment.values.values() if v and levels and v not in levels})
    if wrong:
        found.append(f"values: {', '.join(map(repr, wrong))}: use {', '.join(levels)} or nothing.")
    return found


SPELLINGS: Mapping[str, str] = {
    "year-month-day": "2024-03-05",
    "day/month/year": "05/03/2024",
    "month/day/year": "03/05/2024",
    "day.month.year": "05.03.2024",
    "day month-name year": "05-Mar-2024",
    "month-name day year": "March 5, 2024",
    "day/month/yy": "05/03/24",
    "month/day/yy": "03/05/24",
    "day.month.yy": "05.03.24",
    "day month-name yy": "05-Mar-24",
    "yearmonthday": "20240305",
}
"""How dates can be written, each with the fifth of March 2024. Two digits of a year: 69 to 99 are 19yy."""
