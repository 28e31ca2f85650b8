"""Propose how the sheets of a study are read: what is certain is filled in, the rest stays open.

`propose` looks at names and texts, `complete` fills in whatever has one reading only, and `questions` lists
what is left. A mapping without a question can be applied; nothing is decided anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from data.importing import names
from data.importing.asking import (
    answered,
    effect,
    leaves_open,
    proposed_level,
    questions,
    unresolved,
    windows,
)
from data.importing.columns import (
    Facts,
    Guess,
    day_of_timepoint,
    event_of,
    facts,
    guesses,
    tells_later,
    unit_of,
)
from data.importing.mapping import (
    COURSES,
    TARGETS,
    YES_NO,
    Assignment,
    Role,
    SheetMapping,
    StudyMapping,
    shape,
)
from data.importing.notes import notes
from data.importing.sheets import Sheet
from data.importing.tables import TABLES
from data.importing.values import days, folded, is_missing, is_undetermined, numbers
from data.variables import TIMEPOINT_DEFAULTS

__all__ = [
    "answered", "complete", "effect",
    "facts", "identity", "notes", "propose", "proposed", "questions", "unresolved",
    "with_proposals", "with_role",
]  # fmt: skip

_SEVERAL = ("cr_achieved", "relapsed", "died", *(f"{kind}_given" for kind in COURSES))
"""Targets that several columns of a sheet can feed: the first that says something counts."""

_OUTCOME = ("relapsed", "died", "alloSCT_given", "autoSCT_given")


def propose(
    sheets: Iterable[Sheet],
    study: Mapping[str, Any] | None = None,
    saved: Iterable[SheetMapping] = (),
) -> StudyMapping:
    """Return the mapping that names and texts suggest.

    Parameters
    ----------
    sheets : iterable of Sheet
    study : mapping, optional
        What is known of the study, as study.json has it.
    saved : iterable of SheetMapping
        Mappings of earlier files; one with the same column names is taken as it is, and texts that
        were not there then are asked, or read where they are certain.
    """
    sheets = tuple(sheets)
    kept = {mapping.shape: mapping for mapping in saved}
    found = []
    for sheet in sheets:
        known = kept.get(shape(sheet.cells.columns))
        if known is not None:
            found.append(replace(known, sheet=sheet.name))
        else:
            found.append(proposed(sheet, role_of(sheet)))
    mapping = StudyMapping(dict(study or {}), tuple(found))
    return complete(sheets, _study(sheets, _one_day_zero(sheets, mapping, kept)))


def with_role(
    sheets: Iterable[Sheet], mapping: StudyMapping, name: str, role: Role
) -> StudyMapping:
    """Return a mapping in which one sheet has another role; its columns are proposed anew."""
    by_name = {sheet.name: sheet for sheet in sheets}
    changed = tuple(
        proposed(by_name[name], role) if one.sheet == name else one for one in mapping.sheets
    )
    return complete(by_name.values(), replace(mapping, sheets=changed))


def with_proposals(sheets: Iterable[Sheet], mapping: StudyMapping) -> StudyMapping:
    """Return a mapping in which every level that words in a text suggest is taken as it is."""
    sheets = tuple(sheets)
    for question in questions(sheets, mapping):
        if question.proposed:
            mapping = answered(mapping, question, question.proposed)
    return mapping


def identity(sheets: Iterable[Sheet], study: Mapping[str, Any]) -> StudyMapping:
    """Return how the four tables of a folder are read: each column as its name says, each text as it is.

    A text that does not fit stays, so that the check finds it with its row. Sheets are called as the
    tables; a column that a table does not have becomes the study's own in patients, and nothing elsewhere.
    """
    return StudyMapping(dict(study), tuple(_as_written(sheet, study) for sheet in sheets))


_ROLES: Mapping[str, Role] = {
    "patients": "patients", "mrd_assessments": "samples", "treatments": "courses", "outcomes": "patients",
}  # fmt: skip
_RENAMED = {"mrd_fraction": "mrd_result", "lod_fraction": "mrd_limit"}


def _as_written(sheet: Sheet, study: Mapping[str, Any]) -> SheetMapping:
    spelling = study.get("date_format")
    table = PurePath(sheet.name).stem
    role = _ROLES.get(table, "nothing")
    found = []
    for column in map(str, sheet.cells.columns):
        day = re.sub(r"(^|_)date$", r"\1day", column)
        if column == "day_zero_date" and table == "patients":
            found.append(Assignment(column, column, spelling=spelling))
        elif column in TABLES.get(table, {}):
            target = TARGETS[_RENAMED.get(column, column)]
            unit = target.units[0] if target.units else None
            texts = {} if target.type == "id" else {t: t for t in facts(sheet, column).texts}
            plain = target.type in ("text", "own")
            name = _RENAMED.get(column, column)
            found.append(
                Assignment(column, name, {} if plain else texts, unit, None, "." if unit else None)
            )
        elif day in TABLES.get(table, {}):
            found.append(Assignment(column, day, spelling=spelling))
        elif role == "patients" and table == "patients":
            found.append(_declared(sheet, column, study))
        else:
            found.append(Assignment(column, "nothing"))
    constants = (
        dict.fromkeys(("assay", "material", "lod_fraction"), "") if role == "samples" else {}
    )
    constants |= dict(_AS_IT_STANDS) if role == "samples" else {}
    return SheetMapping(sheet.name, shape(sheet.cells.columns), role, tuple(found), constants)


_AS_IT_STANDS = {"less_than": "below LOD", "empty_with_limit": "no result"}


# --- what a row is -------------------------------------------------------------------------------


def role_of(sheet: Sheet) -> Role:
    """Return what one row of a sheet most likely is."""
    identifier = identifier_of(sheet)
    if identifier is None:
        return "nothing"
    columns = [str(c) for c in sheet.cells.columns if c != identifier]
    of = {
        role: {g.target for c in columns for g in guesses(sheet, c, role)[:1]}
        for role in ("patients", "samples", "courses", "endpoints")
    }  # type: dict[Role, set[str]]
    if {"endpoint", "time", "status"} <= of["endpoints"] and not _about_mrd(sheet):
        return "endpoints"
    if {"PARAMCD", "AVAL"} <= set(columns) and _about_mrd(sheet):
        return "samples"
    rows = len(sheet.cells)
    distinct = sheet.cells[identifier].nunique()
    repeated = rows > 0 and distinct < 0.9 * rows
    if "kind" in of["courses"] and "start_day" in of["courses"]:
        kinds = next(c for c in columns if _is(sheet, c, "courses", "kind"))
        known = facts(sheet, kinds).known
        named = [names.level("kind", "level", text) is not None for text in known]
        if (repeated or not rows or len(columns) <= 6) and (not named or np.mean(named) >= 0.3):
            return "courses"
    sampled = {"mrd_result", "call"} & of["samples"] and {"day", "timepoint"} & of["samples"]
    alone = not (of["patients"] & {*TABLES["patients"], *TABLES["outcomes"], "OS_time"})
    if sampled and (repeated or (alone and not _wide(sheet, columns))):
        return "samples"
    return "nothing" if repeated else "patients"


def _about_mrd(sheet: Sheet) -> bool:
    """Whether the parameters of a sheet in the form of BDS are of MRD."""
    for column in ("PARAMCD", "PARAM"):
        if column in sheet.cells:
            return any(names.MRD.search(text.casefold()) for text in facts(sheet, column).known)
    return False


def _wide(sheet: Sheet, columns: Iterable[str]) -> bool:
    """Whether MRD stands in one column per timepoint."""
    return any(
        g.timepoint for c in columns for g in guesses(sheet, c, "patients") if g.target != "mrd_day"
    )


def _is(sheet: Sheet, column: str, role: Role, target: str) -> bool:
    return any(g.target == target for g in guesses(sheet, column, role)[:1])


def identifier_of(sheet: Sheet) -> str | None:
    """Return the column that names the patient: by its name; else one without a name where all differ.

    Of two columns that are the same but for leading zeros it is the one that keeps them.
    """
    columns = [str(c) for c in sheet.cells.columns]
    ranked = [
        (names.PATIENT_IDS.index(names.squashed(c)), c)
        for c in columns
        if names.squashed(c) in names.PATIENT_IDS and facts(sheet, c).kind != "dates"
    ]
    ranked = [(rank, c) for rank, c in ranked if facts(sheet, c).filled >= 0.9 * len(sheet.cells)]
    best = min(ranked)[1] if ranked else None
    unnamed = [c for c in columns if re.fullmatch(r"column \d+", c)]
    for column in (*(c for _, c in sorted(ranked)), *unnamed):
        if best is not None and column != best and _with_zeros(sheet, column, best):
            best = column
    if best is None:
        all_different = [c for c in unnamed if len(facts(sheet, c).texts) == len(sheet.cells) > 0]
        best = all_different[0] if all_different else None
    return best


def _with_zeros(sheet: Sheet, full: str, short: str) -> bool:
    """Whether one column is the other with the leading zeros that it lost."""
    one, other = (sheet.cells[c].astype("string") for c in (full, short))
    same = (one.str.lstrip("0") == other.str.lstrip("0")).fillna(False)
    longer = (one.str.len() > other.str.len()).fillna(False)
    shorter = (one.str.len() < other.str.len()).fillna(False)
    return bool(len(one)) and bool(same.all() and longer.any() and not shorter.any())


# --- what a column is ----------------------------------------------------------------------------


def proposed(sheet: Sheet, role: Role) -> SheetMapping:
    """Return the mapping of one sheet whose rows have a role."""
    columns = [str(c) for c in sheet.cells.columns]
    if role == "nothing":
        assignments = [Assignment(column, "nothing") for column in columns]
        return SheetMapping(sheet.name, shape(columns), role, tuple(assignments))
    identifier = identifier_of(sheet)
    rest = [column for column in columns if column != identifier]
    taken = _Taken.of(sheet, rest, role)
    found: list[Assignment] = []
    for column in columns:
        if column == identifier:
            found.append(Assignment(column, "patient_id"))
            continue
        mine = [_assignment(sheet, column, guess) for guess in taken.by_column.get(column, ())]
        if role == "patients" and (not mine or any(_loses_detail(sheet, a) for a in mine)):
            other = _own(sheet, column, identifier)
            mine += [other] if other.target == "own" or not mine else []
        found += mine or [Assignment(column, "nothing")]
    return SheetMapping(sheet.name, shape(columns), role, tuple(found))


@dataclass(frozen=True)
class _Taken:
    """Which column gets which targets."""

    by_column: dict[str, list[Guess]]

    @classmethod
    def of(cls, sheet: Sheet, columns: Iterable[str], role: Role) -> _Taken:
        """Give each target to the column that fits best."""
        wanted: dict[tuple[str, str | None], list[tuple[int, int, str, Guess]]] = {}
        columns = tuple(columns)
        for column in columns:
            known = facts(sheet, column)
            for guess in (*guesses(sheet, column, role), *_of_texts(sheet, column, role)):
                key = (guess.target, guess.timepoint if guess.target in _OF_TIMEPOINT else None)
                wanted.setdefault(key, []).append((guess.rank, -known.filled, column, guess))
        found: dict[str, list[Guess]] = {}
        for (target, _), candidates in sorted(wanted.items(), key=lambda item: str(item[0])):
            chosen = sorted(candidates, key=lambda c: c[:3])
            for _, _, column, guess in chosen if target in _SEVERAL else chosen[:1]:
                found.setdefault(column, []).append(guess)
        for column, mine in found.items():
            found[column] = _best_of(mine)
        if role == "patients":
            _pair_up(sheet, columns, found)
        return cls(found)


_OF_TIMEPOINT = ("mrd_result", "mrd_limit", "mrd_day", "call")


def _best_of(mine: list[Guess]) -> list[Guess]:
    """Keep what the surest reading of a column says, and what its texts say beside it."""
    best = min(guess.rank for guess in mine)
    kept = [guess for guess in mine if guess.rank == best]
    together = {g.target for g in mine} & {
        *_OUTCOME,
        "cr_achieved",
        "ph_status",
        "kmt2a_rearranged",
    }
    return [g for g in mine if g in kept or (g.target in together and g.rank >= _BY_TEXTS)]


_BY_TEXTS = 6
"""Rank of what only the texts of a column suggest."""


def _of_texts(sheet: Sheet, column: str, role: Role) -> Iterator[Guess]:
    """Yield what the words in the texts of a column suggest, whatever its name."""
    known = facts(sheet, column)
    if role != "patients" or known.kind != "words" or len(known.known) > 60:
        return
    event = event_of(column)
    outcome = names.squashed(column) in names.OUTCOME_TEXTS
    said = {
        target: [names.by_words(target, text) for text in known.known] for target in names.BY_WORDS
    }
    told = outcome or (any(said["relapsed"]) and any(v == "yes" for v in said["died"]))
    if told and event in (None, "last", "vital", "cr"):
        for target in _OUTCOME:
            if "yes" in said[target] and (outcome or target == "died" or event is None):
                yield Guess(target, _BY_TEXTS)
    if names.TRANSCRIPT.search(_together(known)) or "philadelphia" in _together(known):
        yield from [Guess("ph_status", _BY_TEXTS)] * ("negative" in said["ph_status"])
    if (
        re.search(r"kmt2a|(?<![a-z])mll|all1|af4|t\(4;11\)", _together(known))
        and len(known.known) > 1
    ):
        yield Guess("kmt2a_rearranged", _BY_TEXTS)
    if names.squashed(column) in ("t922", "t922q34q11"):
        yield Guess("ph_status", _BY_TEXTS + 1)
    if names.squashed(column) in ("t411", "t411q21q23"):
        yield Guess("kmt2a_rearranged", _BY_TEXTS + 1)


def _together(known: Facts) -> str:
    """Return the texts of a column as one, for a search."""
    return " | ".join(text.casefold() for text in known.known)


def _pair_up(sheet: Sheet, columns: Iterable[str], found: dict[str, list[Guess]]) -> None:
    """Drop half an endpoint; a status of its own that a column of deaths can give is taken from there."""
    have = {guess.target: column for column, mine in found.items() for guess in mine}
    for code in ("OS", "RFS", "EFS", "CIR", "NRM"):
        time, status = f"{code}_time", f"{code}_status"
        if code == "OS" and time in have and status not in have and "died" in have:
            found[have["died"]].append(Guess(status, 5))
        elif (time in have) != (status in have):
            column = have.get(time) or have[status]
            found[column] = [g for g in found[column] if g.target not in (time, status)]
    if "alloSCT_day" in have and "autoSCT_given" in have and "autoSCT_day" not in have:
        guess = next(g for g in found[have["alloSCT_day"]] if g.target == "alloSCT_day")
        if event_of(have["alloSCT_day"]) == "sct":
            found[have["alloSCT_day"]].append(replace(guess, target="autoSCT_day"))
    for column in [column for column, mine in found.items() if not mine]:
        del found[column]


def _assignment(sheet: Sheet, column: str, guess: Guess) -> Assignment:
    units = TARGETS[guess.target].units
    beside = unit_of(f"{column} {sheet.labels[column]}") if column in sheet.labels else None
    unit = next((said for said in (guess.unit, beside) if said in units), None)
    return Assignment(column, guess.target, unit=unit, timepoint=guess.timepoint)


def _loses_detail(sheet: Sheet, assignment: Assignment) -> bool:
    """Whether a column says more than the levels of its target, so that it is also kept as it is."""
    target = TARGETS[assignment.target]
    told = assignment.target in TABLES["outcomes"] or target.group != "Patient"
    if target.type not in ("level", "boolean") or told:
        # What is known only with the outcome must not become something to group by from day 0.
        return False
    known = facts(sheet, assignment.column)
    if known.free_text or len(known.known) > 200 or assignment.target == "sex":
        return False
    # 'm' and 'M' are one text here.
    texts = {folded(text): text for text in known.known}.values()
    every = (proposed_level(assignment, text, sheet)[1] for text in texts)
    levels = [level for level in every if level]
    return len(levels) > max(2, len(dict.fromkeys(levels)))


def _own(sheet: Sheet, column: str, identifier: str | None) -> Assignment:
    """Return a column as a variable of the study's own, typed, or left out where it cannot be one."""
    known = facts(sheet, column)
    own = Assignment(column, "own", label=known.label or column)
    if known.kind in ("empty", "dates") or known.free_text or _looks_like_key(known):
        return Assignment(column, "nothing")
    if tells_later(column) or names.squashed(column) in names.NOT_NEEDED:
        return Assignment(column, "nothing")
    if re.search(r"(?i)(_complete$|^complete\?$)", column):
        # Of REDCap's forms: whether they were filled in.
        return Assignment(column, "nothing")
    if identifier is not None and _with_zeros(sheet, identifier, column):
        return Assignment(column, "nothing")
    if known.kind == "numbers":
        return replace(own, kind="number")
    told = [text for text in known.known if not is_undetermined(text)]
    levels = {names.level("own", "boolean", text, known.known) for text in told}
    if told and levels <= {"yes", "no"} and len(told) <= 4 and not _pos_neg(known):
        return replace(own, kind="boolean")
    return replace(own, kind="category")


def _declared(sheet: Sheet, column: str, study: Mapping[str, Any]) -> Assignment:
    """Return a column of a folder's patients as the study's own: as declared, else typed by its texts."""
    known, spec = facts(sheet, column), dict(study.get("columns", {}).get(column, {}))
    kind = "category"
    if known.texts and set(known.texts) <= set(YES_NO):
        kind = "boolean"
    elif known.texts and not np.isnan(numbers(known.texts)).any():
        kind = "number"
    kind = str(spec.get("type") or kind)
    label = str(spec.get("label") or column.replace("_", " ").capitalize())
    texts = {} if kind == "category" else {text: text for text in known.texts}
    return Assignment(column, "own", texts, decimal=".", label=label, kind=kind)


def _pos_neg(known: Facts) -> bool:
    """Whether the texts are positive and negative, which stay words."""
    return any(
        text.casefold().startswith(("pos", "neg", "mut", "wt", "wild")) for text in known.known
    )


def _looks_like_key(known: Facts) -> bool:
    """Whether nearly every row has a text of its own that is no plain number."""
    different = len(known.known) >= 0.95 * max(1, known.filled) and known.filled > 20
    whole = all(re.fullmatch(r"\d+", text) for text in known.known[:200])
    counted = whole and different and len({len(text) for text in known.known}) <= 2
    return (different and known.kind == "words") or (counted and known.filled > 20)


# --- what is certain -----------------------------------------------------------------------------


def complete(sheets: Iterable[Sheet], mapping: StudyMapping) -> StudyMapping:
    """Return a mapping with everything filled in that can be read in one way only.

    What was answered stays. To be called after each change of an assignment.
    """
    by_name = {sheet.name: sheet for sheet in sheets}
    completed = tuple(
        replace(
            one,
            assignments=tuple(
                _complete(by_name[one.sheet], assignment, mapping) for assignment in one.assignments
            ),
            constants={**_constants(by_name[one.sheet], one), **one.constants},
        )
        if one.sheet in by_name
        else one
        for one in mapping.sheets
    )
    return replace(mapping, sheets=completed)


def _complete(sheet: Sheet, one: Assignment, mapping: StudyMapping) -> Assignment:
    target, known = TARGETS[one.target], facts(sheet, one.column)
    as_number = one.unit is not None and known.dates.spellings == ("yearmonthday",)
    if target.dated and one.spelling is None and known.days.spellings and not as_number:
        format_ = mapping.study.get("date_format")
        given = format_ if format_ in known.days.spellings else None
        one = replace(one, spelling=known.days.certain or given)
    if target.dated and known.days.spellings and not as_number:
        one = replace(one, unit=None)
    if target.type in ("number", "whole", "time", "mrd", "day") or one.kind == "number":
        one = replace(one, decimal=one.decimal or known.decimal)
    if target.units and not target.dated and one.unit is None:
        one = replace(one, unit=_unit_beside(sheet, one))
    if target.type == "mrd" and one.unit is None and known.known:
        percent = all(text.endswith("%") for text in known.known if re.match(r"[<≤]?\s*\d", text))
        has = any(text.endswith("%") for text in known.known)
        one = replace(one, unit="percent" if percent and has else unit_of(one.column))
        one = replace(one, unit=one.unit if one.unit in target.units else None)
    if target.levels or one.kind == "boolean" or target.type == "text" or one.kind == "category":
        one = replace(one, values={**_certain_values(sheet, one), **one.values})
    return one


_TOO_MANY = 5000
"""Distinct texts from which on nobody maps them one by one."""


_UNITS = {
    "day": "days", "week": "weeks", "month": "months", "year": "years", "fraction": "fraction",
    "percent": "percent", "%": "percent", "proportion": "fraction",
}  # fmt: skip


def _unit_beside(sheet: Sheet, one: Assignment) -> str | None:
    """Return the unit that stands beside a value in ADaM: in AVALU, or at the end of PARAM."""
    if one.column != "AVAL" and one.target != "mrd_limit":
        return None
    said: set[str] = set()
    if "AVALU" in sheet.cells:
        said = {text.casefold().removesuffix("s") for text in facts(sheet, "AVALU").known}
    elif "PARAM" in sheet.cells:
        # 'Overall survival (months)'
        said = {
            found[1] if (found := re.search(r"\((\w+?)s?\)$", text.casefold())) else ""
            for text in facts(sheet, "PARAM").known
        }
    unit = _UNITS.get(said.pop()) if len(said) == 1 else None
    return unit if unit in TARGETS[one.target].units else None


def _certain_values(sheet: Sheet, one: Assignment) -> dict[str, str]:
    """Return the texts of a column that are certainly a level, and words for 'not known'."""
    target, known = TARGETS[one.target], facts(sheet, one.column)
    found = {}
    levelled = bool(target.levels) or one.kind == "boolean"
    texts = unresolved(sheet, replace(one, values={})) if target.type == "mrd" else known.texts
    for text in texts if len(texts) <= _TOO_MANY else ():
        if levelled:
            level, _ = proposed_level(one, text, sheet)
            if level is not None and level != text:
                found[text] = level
        elif is_missing(text) or leaves_open(one, text):
            found[text] = ""
    if one.target == "timepoint":
        found |= {
            t: "" for t in known.texts if re.match(r"(?i)(base ?line|screen|diagnos|unsched)", t)
        }
    return found


_ASSAY_WORDS = (
    ("BCR::ABL1 PCR", r"bcr[ :/._-]*abl"),
    ("NGS", r"(?<![a-z])ngs(?![a-z])|clonoseq|sequencing"),
    ("MFC", r"(?<![a-z])(mfc|flow|fcm|facs|durchfluss\w*)(?![a-z])"),
    ("qPCR", r"(?<![a-z])(rq-?pcr|qpcr|ig/?tr)(?![a-z])"),
)


def _constants(sheet: Sheet, mapping: SheetMapping) -> dict[str, str]:
    """Return what the names of a sheet and its MRD columns say of every row."""
    mrd = [a.column for a in mapping.assignments if a.target in ("mrd_result", "mrd_limit", "call")]
    if not mrd or any(a.target == "assay" for a in mapping.assignments):
        return {}
    text = " ".join((sheet.name, *mrd)).casefold().replace("_", " ")
    found = [assay for assay, words in _ASSAY_WORDS if re.search(words, text)]
    return {"assay": found[0]} if len(found) == 1 else {}


# --- the study -----------------------------------------------------------------------------------


def _one_day_zero(
    sheets: tuple[Sheet, ...], mapping: StudyMapping, saved: Mapping[str, SheetMapping]
) -> StudyMapping:
    """Leave day 0 open where more than one column could be it."""
    places = [
        (one.sheet, a.column)
        for one in mapping.sheets
        for a in one.assignments
        if a.target == "day_zero_date"
    ]
    # Within a sheet the best one was taken: the others are counted again here.
    by_name = {sheet.name: sheet for sheet in sheets}
    rivals = {
        (one.sheet, str(column))
        for one in mapping.sheets
        if one.role == "patients" and one.shape not in saved
        for column in by_name[one.sheet].cells.columns
        if any(
            g.target == "day_zero_date"
            for g in guesses(by_name[one.sheet], str(column), "patients")
        )
    }
    exact = {place for place in rivals if place[1] == "day_zero_date"}
    if not places or len(exact or rivals) <= 1:
        return mapping
    changed = []
    for one in mapping.sheets:
        kept = tuple(
            Assignment(a.column, "nothing") if a.target == "day_zero_date" else a
            for a in one.assignments
        )
        changed.append(one if one.shape in saved else replace(one, assignments=kept))
    return replace(mapping, sheets=tuple(changed))


def _study(sheets: tuple[Sheet, ...], mapping: StudyMapping) -> StudyMapping:
    """Fill in what the columns say of the study: title, day 0, endpoint, timepoints."""
    every = [a for one in mapping.sheets for a in one.assignments]
    zero = [a.column for a in every if a.target == "day_zero_date" and a.column != "day_zero_date"]
    have = {a.target for a in every}
    endpoint = "RFS" if have & {"cr_day", "RFS_time", "endpoint"} else "OS"
    first = PurePath(mapping.sheets[0].sheet.split(":")[0]).stem if mapping.sheets else "study"
    defaults: dict[str, Any] = {
        "title": first.replace("_", " "),
        "day_zero_label": _label_of_zero(zero[0]) if zero else "day 0",
        "default_endpoint": endpoint,
    }
    study = {**defaults, **mapping.study}
    if "timepoints" not in study:
        found = _timepoints(sheets, mapping)
        given = _given_windows(sheets, mapping)
        by_name = {sheet.name: sheet for sheet in sheets}
        has_mrd = any(
            facts(by_name[one.sheet], a.column).known
            for one in mapping.sheets
            for a in one.assignments
            if a.target in ("mrd_result", "call")
        )
        if given:
            study["timepoints"] = given
        elif found is not None:
            study["timepoints"] = windows(found)
        elif not has_mrd:
            study["timepoints"] = []
    return replace(mapping, study=study)


_WINDOW = {"target_day": "AWTARGET", "first_day": "AWLO", "last_day": "AWHI"}


def _given_windows(sheets: tuple[Sheet, ...], mapping: StudyMapping) -> list[dict[str, Any]]:
    """Return the timepoints with the windows that a table of samples in ADaM's form brings."""
    by_name = {sheet.name: sheet for sheet in sheets}
    for one in mapping.sheets:
        cells = by_name[one.sheet].cells
        label = next((a.column for a in one.assignments if a.target == "timepoint"), None)
        if label is None or not {*_WINDOW.values()} <= set(cells.columns):
            continue
        rows = cells[[label, *_WINDOW.values()]].dropna().drop_duplicates().astype("object")
        days_ = {key: numbers(list(rows[column])) for key, column in _WINDOW.items()}
        if rows[label].is_unique and not any(np.isnan(d).any() for d in days_.values()):
            found = [
                {"label": text, **{key: int(d[at]) for key, d in days_.items()}}
                for at, text in enumerate(rows[label])
            ]
            return sorted(found, key=lambda t: (t["target_day"], t["label"]))
    return []


_ZERO_LABELS = (
    ("diagnosis", r"diag|dx|(^|_)ed($|_)"),
    ("start of treatment", r"treat|ther|trt|trat|behandl|induction|c1d1"),
    ("randomisation", r"rand"),
    ("enrolment", r"enrol|registr|inclusion|einschluss|entry"),
)


def _label_of_zero(column: str) -> str:
    """Return what day 0 is, from the name of its column."""
    return next(
        (words for words, found in _ZERO_LABELS if re.search(found, column.lower())), "day 0"
    )


def _timepoints(sheets: tuple[Sheet, ...], mapping: StudyMapping) -> dict[str, int] | None:
    """Return label and day of the timepoints that the sheets name; None where they name none."""
    by_name = {sheet.name: sheet for sheet in sheets}
    labels: dict[str, int | None] = {}
    for one in mapping.sheets:
        sheet = by_name[one.sheet]
        for a in one.assignments:
            if one.role == "patients" and a.target in _OF_TIMEPOINT and a.timepoint:
                label = a.timepoint
                labels.setdefault(label, _day_of(sheet, one, label))
            elif a.target == "timepoint":
                labels |= _named_in(sheet, one, a)
    usual = {label: day for label, day, *_ in TIMEPOINT_DEFAULTS}
    known = {label: usual.get(label, day) for label, day in labels.items()}
    return {label: day for label, day in known.items() if day is not None} if labels else None


def _day_of(sheet: Sheet, one: SheetMapping, label: str) -> int | None:
    """Return the day of a timepoint: as its label says, else the median of its samples."""
    said = day_of_timepoint(label)
    for a in one.assignments:
        if said is None and a.target == "mrd_day" and a.timepoint == label and a.unit is not None:
            known = facts(sheet, a.column)
            read = np.repeat(days(known.texts, a.unit, None, known.decimal or "."), known.counts)
            said = None if np.isnan(read).all() else int(np.nanmedian(read))
    return said


def _named_in(sheet: Sheet, one: SheetMapping, timepoint: Assignment) -> dict[str, int | None]:
    """Return the timepoints in a column of a table of samples, by their label or the median day."""
    known = facts(sheet, timepoint.column)
    skipped = _certain_values(sheet, timepoint)
    labels = [text for text in known.texts if text not in skipped]
    if len(labels) > 24:
        return {}
    day = next((a for a in one.assignments if a.target == "day" and a.unit is not None), None)
    found: dict[str, int | None] = {label: day_of_timepoint(label) for label in labels}
    if day is None:
        return found
    cells = sheet.cells[day.column]
    values = days(
        list(cells.cat.categories), day.unit, None, facts(sheet, day.column).decimal or "."
    )
    of_row = np.append(values, np.nan)[cells.cat.codes.to_numpy()]
    for label in labels:
        here = of_row[(sheet.cells[timepoint.column] == label).to_numpy()]
        if found[label] is None and not np.isnan(here).all():
            found[label] = int(np.nanmedian(here))
    return found
