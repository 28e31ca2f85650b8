"""What of a mapping is still open, what an answer changes, and what was decided and should be known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from data.importing import names
from data.importing.columns import Facts, event_of, facts, guesses, unit_of
from data.importing.mapping import (
    CONSTANTS,
    KINDS,
    MRD_UNITS,
    TARGETS,
    YES_NO,
    Assignment,
    Question,
    SheetMapping,
    StudyMapping,
)
from data.importing.sheets import Sheet
from data.importing.values import (
    dates,
    folded,
    is_missing,
    is_undetermined,
    mrd_levels,
    numbers,
    sentinels,
    shown_date,
)
from data.variables import TIMEPOINT_DEFAULTS

_SHOWN = 200
"""Texts of one column that a question lists."""

# --- levels of texts -----------------------------------------------------------------------------

_EVENTS_OF = {
    "cr_achieved": ("cr",),
    "relapsed": ("relapse",),
    "died": ("death", "alive"),
    "alloSCT_given": ("allosct", "sct"),
    "autoSCT_given": ("autosct",),
    "CAR-T_given": ("cart",),
}
"""What the name of a column has to speak of for a bare 1 or 0 to be yes or no."""


def proposed_level(
    assignment: Assignment, text: str, sheet: Sheet
) -> tuple[str | None, str | None]:
    """Return the level that a text certainly is, and the one that its words suggest; None where neither.

    '' is a level: nothing is known.
    """
    target, known = TARGETS[assignment.target], facts(sheet, assignment.column)
    levels = YES_NO if assignment.kind == "boolean" else target.levels
    if text in levels:
        return text, text
    plain = folded(text)
    if re.fullmatch(r"-?\d+", plain) and not _code_is_clear(assignment, known):
        level = _of_censoring(assignment, text, sheet)
        return level, level
    type_ = "boolean" if assignment.kind == "boolean" else target.type
    level = names.level(assignment.target, type_, text, map(folded, known.known))
    if level is not None and level not in levels:
        level = None
    if assignment.target == "died" and event_of(assignment.column) == "alive":
        turned = {"yes": "no", "no": "yes"} if plain in names.LEVELS["boolean"] else {}
        level = turned.get(level or "", level)
    if level is None and (is_missing(text) or leaves_open(assignment, text)):
        level = ""
    if level is None and assignment.target == "endpoint" and _is_derived(text):
        level = ""
    return level, level if level is not None else _suggested(assignment.target, text)


def leaves_open(assignment: Assignment, text: str) -> bool:
    """Whether a text such as 'n.d.' in a column of the study's own, or of words, is no level of its own."""
    target = TARGETS[assignment.target]
    words = assignment.kind in ("category", "boolean") or target.type == "text"
    return target.group in ("Other", "Patient") and words and is_undetermined(text)


def _code_is_clear(assignment: Assignment, known: Facts) -> bool:
    """Whether 1 and 0 in a column are yes and no beyond doubt."""
    status = TARGETS[assignment.target].levels[:1] == ("event",)
    if not set(known.known) <= {"0", "1"} or status:
        return False
    events = _EVENTS_OF.get(assignment.target)
    return events is None or event_of(assignment.column) in events


def _of_censoring(assignment: Assignment, text: str, sheet: Sheet) -> str | None:
    """Return the status that a code of ADaM's CNSR is: it counts the other way, 0 is the event."""
    if (
        names.squashed(assignment.column) != "cnsr"
        or TARGETS[assignment.target].levels[0] != "event"
    ):
        return None
    if text == "0":
        return "event"
    here = (sheet.cells[assignment.column] == text).to_numpy(dtype=bool, na_value=False)
    for column in ("CNSDTDSC", "EVNTDESC"):
        if column in sheet.cells:
            said = sheet.cells[column][here].dropna().astype(str).str.casefold()
            if len(said) and said.str.startswith("competing").all():
                return "competing event"
    return "censored" if int(text) > 0 else None


def _is_derived(text: str) -> bool:
    """Whether an endpoint is one that follows from another: censored at transplant."""
    plain = text.casefold()
    return (
        plain.endswith(("hsct", "_censored_at_allosct", "censored at allosct")) and plain != "hsct"
    )


def _suggested(target: str, text: str) -> str | None:
    if target.endswith("_status") and target != "ph_status":
        level = {"yes": "event", "no": "censored"}.get(names.by_words("died", text))
        return level if target == "OS_status" else None
    known = target in names.BY_WORDS and not is_undetermined(text)
    return names.by_words(target, text) if known else None


def unresolved(sheet: Sheet, assignment: Assignment) -> tuple[str, ...]:
    """Return the texts of a column of which it is open what they become, the most frequent first."""
    target, known = TARGETS[assignment.target], facts(sheet, assignment.column)
    texts = [text for text in known.texts if text not in assignment.values]
    if target.type == "mrd":
        read = mrd_levels(texts, assignment.unit, assignment.decimal or ".").fraction
        plain = [t for t, value in zip(texts, read, strict=True) if np.isnan(value)]
        if _may_be_coded(assignment, known):
            plain = texts
        ambiguous = names.AMBIGUOUS.get(assignment.target, frozenset())
        return tuple(t for t in plain if not is_missing(t) or folded(t) in ambiguous)
    if target.type in ("number", "whole", "time") or assignment.kind == "number":
        values = numbers(texts, assignment.decimal or ".")
        odd = [t for t, v in zip(texts, values, strict=True) if np.isnan(v) and not is_missing(t)]
        return (*odd, *sentinels(texts, values))
    if target.type == "day" and assignment.unit is not None:
        return sentinels(texts, numbers(texts, assignment.decimal or "."))
    levels = YES_NO if assignment.kind == "boolean" else target.levels
    if not levels:
        return ()
    found = tuple(text for text in texts if text not in levels and not is_missing(text))
    return (*found, "") if _empty_is_open(assignment, known) else found


def _empty_is_open(assignment: Assignment, known: Facts) -> bool:
    """Whether an event is marked where it happened and left empty elsewhere, which may be a no."""
    if assignment.target not in ("died", "relapsed", "cr_achieved") or "" in assignment.values:
        return False
    said = {assignment.values.get(text, text) for text in known.texts if not is_missing(text)}
    return said == {"yes"} and known.filled < known.rows


def effect(sheet: Sheet, assignment: Assignment) -> dict[str, int]:
    """Return what an assignment makes of its column, in rows.

    Returns
    -------
    dict of str to int
        For a target with levels: rows of each level; for the others 'read'. 'not read' are texts that
        do not fit or are still open, 'empty' the rest.
    """
    target, known = TARGETS[assignment.target], facts(sheet, assignment.column)
    levels = YES_NO if assignment.kind == "boolean" else target.levels
    open_ = {*unresolved(sheet, assignment), *_no_days(assignment, known)}
    found: dict[str, int] = {}
    for text, n in (*zip(known.texts, known.counts, strict=True), ("", known.rows - known.filled)):
        became = assignment.values.get(
            text, "" if is_missing(text) and text not in levels else text
        )
        if text in open_:
            became = "not read"
        elif became and (not levels or target.type == "mrd"):
            became = "read"
        found[became or "empty"] = found.get(became or "empty", 0) + n
    return {level: n for level, n in found.items() if n}


def _no_days(assignment: Assignment, known: Facts) -> tuple[str, ...]:
    """Return the texts of a column of days that are none."""
    if TARGETS[assignment.target].type != "day":
        return ()
    texts = [t for t in known.known if assignment.values.get(t) != ""]
    if assignment.spelling is not None:
        read = np.isnat(dates(texts, assignment.spelling))
    else:
        read = np.isnan(numbers(texts, assignment.decimal or "."))
    return tuple(text for text, not_read in zip(texts, read, strict=True) if not_read)


# --- questions -----------------------------------------------------------------------------------


def questions(sheets: Iterable[Sheet], mapping: StudyMapping) -> tuple[Question, ...]:
    """Return everything that only the person who imports can say, sheet by sheet, the study last."""
    by_name = {sheet.name: sheet for sheet in sheets}
    found: list[Question] = []
    for one in mapping.sheets:
        sheet = by_name.get(one.sheet)
        if sheet is None or one.role == "nothing":
            continue
        here = [a for a in one.assignments if a.column in sheet.cells]
        found += _of_sheet(sheet, one)
        for assignment in here:
            found += _of_assignment(sheet, one, assignment)
    return (*found, *_of_study(by_name, mapping))


def _of_sheet(sheet: Sheet, one: SheetMapping) -> Iterator[Question]:
    targets = {a.target for a in one.assignments}
    if "patient_id" not in targets:
        choices = {str(c): _example(facts(sheet, str(c))) for c in sheet.cells.columns}
        what = "Which column names the patient?"
        yield Question(one.sheet, "", "patient_id", "patient_id", what, choices)
    if not targets & {"mrd_result", "call"}:
        return
    for key, what in (
        ("assay", "By which assay was MRD measured?"),
        ("material", "In what was MRD measured?"),
        (
            "lod_fraction",
            "How deep did the assay look where nothing was found? As a fraction: 0.0001.",
        ),
        ("less_than", "What does a result such as ‘{example}’ mean?"),
        ("empty_with_limit", "What does an empty result beside a limit of detection mean?"),
    ):
        example = _asks(sheet, one, key)
        if key not in one.constants and example is not None:
            text = what.replace("{example}", example)
            yield Question(one.sheet, "", key, "", text, _answers(key))


def _answers(key: str) -> dict[str, str]:
    if key != "lod_fraction":
        return dict(CONSTANTS[key])
    depths = {"0.0001": "1 in 10,000 (1e-4)", "0.00001": "1 in 100,000 (1e-5)"}
    return depths | {"0.000001": "1 in a million (1e-6)", **CONSTANTS[key]}


def _asks(sheet: Sheet, one: SheetMapping, key: str) -> str | None:
    """Return an example, or '', where a constant of a sheet is needed; None where it is not."""
    results = [a for a in one.assignments if a.target == "mrd_result"]
    if key in ("assay", "material"):
        return None if any(a.target == key for a in one.assignments) else ""
    if key == "lod_fraction":
        return None if any(a.target == "mrd_limit" for a in one.assignments) else ""
    if key == "less_than":
        for a in results:
            texts = [t for t in facts(sheet, a.column).known if t not in a.values]
            less = mrd_levels(texts, a.unit, a.decimal or ".").less
            if less.any():
                return texts[int(np.flatnonzero(less)[0])]
        return None
    for a in results:
        for limit in one.assignments:
            if limit.target == "mrd_limit" and limit.timepoint == a.timepoint:
                empty, there = sheet.cells[a.column].isna(), sheet.cells[limit.column].notna()
                for call in one.assignments:
                    if call.target == "call" and call.timepoint == a.timepoint:
                        there &= sheet.cells[call.column].isna()
                if (empty & there).any():
                    return ""
    return None


def _of_assignment(sheet: Sheet, one: SheetMapping, a: Assignment) -> Iterator[Question]:
    target, known = TARGETS[a.target], facts(sheet, a.column)

    def ask(field: str, what: str, choices: Mapping[str, str] | None = None) -> Question:
        return Question(one.sheet, a.column, field, a.target, what, choices or {})

    if not known.known and not target.with_timepoint:
        return
    if target.dated and a.spelling is None and a.unit is None and known.known:
        if known.days.spellings:
            yield ask("spelling", *_spellings(known))
        else:
            yield ask("unit", f"In what unit is it{_such_as(known)}?", _units(target.units))
    elif target.units and a.unit is None and not target.dated and not _no_level(a, known):
        yield ask("unit", *_unit_question(one, a, known))
    numeric = target.type in ("number", "whole", "time", "mrd") or a.kind == "number"
    if (numeric or a.unit is not None) and a.decimal is None and known.decimal is None:
        yield ask("decimal", *_decimals(known))
    if target.with_timepoint and one.role == "patients" and not a.timepoint:
        yield ask("timepoint", "At which MRD timepoint was this? Type its label.")
    if target.type == "own" and a.kind is None:
        yield ask("kind", "What are its values?", {kind: kind for kind in KINDS})
    if a.target == "last_follow_up_day" and not a.is_day_of:
        yield from _day_of_whom(one, a)
    yield from _levels_of(sheet, one, a)


def _may_be_coded(a: Assignment, known: Facts) -> bool:
    """Whether the numbers of a result of MRD may be codes: no file says their unit."""
    said = unit_of(a.column) or unit_of(known.label) or (a.column == "AVAL" and a.unit)
    return a.target == "mrd_result" and known.coded and not said


def _no_level(a: Assignment, known: Facts) -> bool:
    """Whether no text of a column is a number whose unit matters, or it is still open whether one is."""
    coded = _may_be_coded(a, known) and all(a.values.get(text) != text for text in known.known)
    return coded or not known.known


def _unit_question(one: SheetMapping, a: Assignment, known: Facts) -> tuple[str, dict[str, str]]:
    target, what = TARGETS[a.target], f"In what unit is it{_such_as(known)}"
    if target.type != "mrd":
        return f"{what}?", _units(target.units)
    units = _units(MRD_UNITS[3:] if _negative(known) else target.units)
    results = [b.unit for b in one.assignments if b.target == "mrd_result" and b.unit in units]
    if a.target != "mrd_limit" or not results:
        return f"{what}, and of the other MRD columns here?", units
    same = str(results[0])
    return f"{what}? The results are in {same}.", {same: f"{units[same]} (as the results)"} | {
        unit: text for unit, text in units.items() if unit != same
    }


def _such_as(known: Facts) -> str:
    shown = [text for text in known.known if re.match(r"[<≤]?\s*[-−]?\d", text)]
    return f" (such as {', '.join(f'‘{text}’' for text in shown[:3])})" if shown else ""


def _example(known: Facts) -> str:
    return (
        f"such as {', '.join(f'‘{text[:40]}’' for text in known.texts[:3])}"
        if known.texts
        else "empty"
    )


def _negative(known: Facts) -> bool:
    return any(re.match(r"[<≤]?\s*[-−]\s*\d", text) for text in known.known)


_UNIT_WORDS = {
    "fraction": "fraction: 0.0001 is 1 in 10,000 cells",
    "percent": "percent: 0.01 is 1 in 10,000 cells",
    "per million": "per million: 100 is 1 in 10,000 cells",
    "log10 fraction": "log10 of the fraction: -4 is 1 in 10,000 cells",
    "log10 percent": "log10 of the percent: -2 is 1 in 10,000 cells",
    "10e9/L": "×10⁹/L, the same as thousands per µL",
    "per µL": "per µL: 12,000 is 12 ×10⁹/L",
}


def _units(units: Iterable[str]) -> dict[str, str]:
    return {unit: _UNIT_WORDS.get(unit, unit) for unit in units}


def _decimals(known: Facts) -> tuple[str, dict[str, str]]:
    text = next(t for t in known.known if "," in t or "." in t)
    point, comma = (numbers([text], decimal)[0] for decimal in (".", ","))
    return f"‘{text}’ can be read in two ways. Which sign marks the decimals?", {
        ".": f"a point: ‘{text}’ is {point:g}",
        ",": f"a comma: ‘{text}’ is {comma:g}",
    }


def _spellings(known: Facts) -> tuple[str, dict[str, str]]:
    reading = known.days
    choices = {}
    typed = dates(known.known, "year-month-day")
    told = [t for t, day in zip(known.known, typed, strict=True) if np.isnat(day)] or known.known
    for spelling in reading.spellings:
        unread = set(reading.unread.get(spelling, ()))
        # An example that the readings tell apart, as far as there is one.
        texts = [t for t in told if t not in unread] or [t for t in known.known if t not in unread]
        shown = max(texts[:50], key=lambda t: len({shown_date(t, s) for s in reading.spellings}))
        count = f"; {len(unread)} texts are no date then" if unread else ""
        choices[spelling] = f"{spelling}: ‘{shown}’ is {shown_date(shown, spelling)}{count}"
    return "How are the dates written? They can be read in more than one way.", choices


def _day_of_whom(one: SheetMapping, a: Assignment) -> Iterator[Question]:
    """Ask whether the day of last contact is also that of an event that has no day of its own."""
    targets = {other.target for other in one.assignments}
    open_ = [
        event
        for event, day in (("relapsed", "relapse_day"), ("died", "death_day"))
        if event in targets and day not in targets
    ]
    if "died" not in open_ and "OS_status" in targets:
        return
    if not open_:
        return
    both = {
        "relapsed,died": "of the relapse or the death, whichever came first, where there was one"
    }
    single = {
        "relapsed": "of the relapse, where there was one",
        "died": "of the death, where there was one",
    }
    choices = both if len(open_) == 2 else {}
    choices |= {event: single[event] for event in open_}
    choices["none"] = "of the last contact alone"
    yield Question(one.sheet, a.column, "is_day_of", a.target, "Whose day is it?", choices)


def _levels_of(sheet: Sheet, one: SheetMapping, a: Assignment) -> Iterator[Question]:
    texts = unresolved(sheet, a)
    if not texts:
        return
    target = TARGETS[a.target]
    levels = YES_NO if a.kind == "boolean" else target.levels
    if not levels:
        shown = ", ".join(f"‘{text[:40]}’" for text in texts[:5])
        what = f"These are no plain numbers: {shown}. What do they mean?"
        kept = {t: f"the number {t}" for t in texts[:_SHOWN] if not np.isnan(numbers([t])[0])}
        yield Question(
            one.sheet, a.column, "values", a.target, what,
            {"": "not known: leave it empty", **kept}, texts[:_SHOWN],
        )  # fmt: skip
        return
    known = {text: proposed_level(a, text, sheet)[1] for text in texts[:_SHOWN] if text}
    suggested = {text: level for text, level in known.items() if level is not None}
    what = f"What do these texts mean for ‘{target.label}’?"
    if texts == ("",):
        what = f"Every filled cell says yes. What is an empty one for ‘{target.label}’?"
    if len(texts) > _SHOWN:
        what += f" The first {_SHOWN} of {len(texts):,} are shown; is this the right column?"
    choices = {**{level: level for level in levels}, "": "not known: leave it empty"}
    if _may_be_coded(a, facts(sheet, a.column)):
        what = f"These may be codes. {what}"
        choices |= {text: f"the level {text} as it stands" for text in texts if text}
    yield Question(
        one.sheet, a.column, "values", a.target, what, choices, texts[:_SHOWN], suggested
    )


def _of_study(by_name: Mapping[str, Sheet], mapping: StudyMapping) -> Iterator[Question]:
    used = [(one, a) for one in mapping.sheets if one.role != "nothing" for a in one.assignments]
    used = [(one, a) for one, a in used if one.sheet in by_name]
    zero = [a for _, a in used if a.target == "day_zero_date"]
    dated = any(a.spelling is not None for _, a in used if a.target != "day_zero_date")
    if (dated and not any(a.spelling for a in zero)) or (not zero and _offsets(by_name, mapping)):
        for one in mapping.sheets:
            choices = _zero_columns(by_name.get(one.sheet), one)
            if choices:
                what = "Which column is day 0, from which every day counts?"
                yield Question(one.sheet, "", "day_zero_date", "day_zero_date", what, choices)
                break
    given = mapping.study.get("timepoints")
    labels = (
        {t["label"] for t in given} if given is not None else {t[0] for t in TIMEPOINT_DEFAULTS}
    )
    for label in timepoint_labels(by_name, mapping):
        if label not in labels:
            what = f"On which day from day 0 is MRD ‘{label}’ taken? Give a whole number of days."
            yield Question("", label, "timepoints", "", what)


def _offsets(by_name: Mapping[str, Sheet], mapping: StudyMapping) -> bool:
    """Whether days are offsets from a calendar day, with more than one column that may be day 0."""
    return any(
        len(
            [
                g
                for g in guesses(by_name[one.sheet], a.column, "patients")
                if g.target == "day_zero_date"
            ]
        )
        and facts(by_name[one.sheet], a.column).kind == "numbers"
        for one in mapping.sheets
        if one.role == "patients" and one.sheet in by_name
        for a in one.assignments
        if a.target == "nothing" and a.column in by_name[one.sheet].cells
    )


def _zero_columns(sheet: Sheet | None, one: SheetMapping) -> dict[str, str]:
    if sheet is None or one.role != "patients":
        return {}
    columns = [str(column) for column in sheet.cells.columns]
    return {
        column: f"{column}, {_example(facts(sheet, column))}"
        for column in columns
        if facts(sheet, column).kind == "dates"
        or any(g.target == "day_zero_date" for g in guesses(sheet, column, "patients"))
    }


def timepoint_labels(by_name: Mapping[str, Sheet], mapping: StudyMapping) -> list[str]:
    """Return the labels of MRD timepoints that a mapping uses, in the order of the columns."""
    found: dict[str, None] = {}
    for one in mapping.sheets:
        sheet = by_name.get(one.sheet)
        for a in one.assignments if sheet is not None else ():
            if one.role == "patients" and TARGETS[a.target].with_timepoint and a.timepoint:
                found[a.timepoint] = None
            elif one.role == "samples" and a.target == "timepoint" and sheet is not None:
                texts = facts(sheet, a.column).texts
                found |= dict.fromkeys(a.values.get(text, text) for text in texts)
    return [label for label in found if label]


# --- answers -------------------------------------------------------------------------------------

_FIELDS = frozenset(one.name for one in fields(Assignment)) - {"column", "target"}


def answered(
    mapping: StudyMapping, question: Question, answer: str | Mapping[str, str]
) -> StudyMapping:
    """Return a mapping in which one question is answered.

    Parameters
    ----------
    mapping : StudyMapping
    question : Question
    answer : str or mapping of str to str
        For 'values' the level of each text, '' to leave it empty; else one of the choices, or what was
        typed.

    Raises
    ------
    ValueError
        If the answer is not one that the question allows.
    """
    if question.field == "values":
        if isinstance(answer, str):
            raise ValueError("Say for each text what it means.")
        wrong = sorted(
            {v for v in answer.values() if question.choices and v not in question.choices}
        )
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: use {', '.join(filter(None, question.choices))}."
            )
        return _on_assignment(
            mapping, question, lambda a: replace(a, values={**a.values, **answer})
        )
    if not isinstance(answer, str):
        raise ValueError("One answer is needed.")
    free = question.field == "lod_fraction"
    if question.choices and answer not in question.choices and not free:
        raise ValueError(f"‘{answer}’ is not one of {', '.join(question.choices)}.")
    if question.field == "timepoints":
        return _with_timepoint(mapping, question.column, answer)
    if question.field in ("patient_id", "day_zero_date"):
        return _with_column(mapping, question, answer)
    if question.field in _FIELDS:
        value: Any = tuple(answer.split(",")) if question.field == "is_day_of" else answer
        mapping = _on_assignment(mapping, question, lambda a: replace(a, **{question.field: value}))
        mrd = question.field == "unit" and TARGETS[question.target].type == "mrd"
        return _same_unit(mapping, question.sheet, answer) if mrd else mapping
    if question.sheet:
        return _on_sheet(
            mapping,
            question.sheet,
            lambda s: replace(s, constants={**s.constants, question.field: answer}),
        )
    return replace(mapping, study={**mapping.study, question.field: answer})


def _on_sheet(mapping: StudyMapping, name: str, change: Any) -> StudyMapping:
    sheets = tuple(change(one) if one.sheet == name else one for one in mapping.sheets)
    return replace(mapping, sheets=sheets)


def _on_assignment(mapping: StudyMapping, question: Question, change: Any) -> StudyMapping:
    def changed(one: SheetMapping) -> SheetMapping:
        mine = (question.column, question.target)
        every = (change(a) if (a.column, a.target) == mine else a for a in one.assignments)
        return replace(one, assignments=tuple(every))

    return _on_sheet(mapping, question.sheet, changed)


def _same_unit(mapping: StudyMapping, name: str, unit: str) -> StudyMapping:
    """Give the other results and limits of a sheet the unit that one of them was said to have."""

    def changed(one: SheetMapping) -> SheetMapping:
        every = (
            replace(a, unit=unit) if TARGETS[a.target].type == "mrd" and a.unit is None else a
            for a in one.assignments
        )
        return replace(one, assignments=tuple(every))

    return _on_sheet(mapping, name, changed)


def _with_column(mapping: StudyMapping, question: Question, column: str) -> StudyMapping:
    """Give a column the target of a question, beside what it already is."""

    def changed(one: SheetMapping) -> SheetMapping:
        mine = [a for a in one.assignments if a.column == column]
        alone = question.field == "patient_id"
        spelling = next((a.spelling for a in mine if a.spelling), None)
        unit = None if spelling else next((a.unit for a in mine if a.unit == "days"), None)
        new = Assignment(column, question.field)
        new = new if alone else replace(new, spelling=spelling, unit=unit)
        kept = [
            a for a in one.assignments
            if a.target != question.field
            and (a.column != column or not (alone or a.target == "nothing"))
        ]  # fmt: skip
        return replace(one, assignments=(*kept, new))

    return _on_sheet(mapping, question.sheet, changed)


def _with_timepoint(mapping: StudyMapping, label: str, answer: str) -> StudyMapping:
    if not re.fullmatch(r"-?\d{1,5}", answer.strip()):
        raise ValueError(f"‘{answer}’ is not a whole number of days.")
    known = {t["label"]: t["target_day"] for t in mapping.study.get("timepoints", ())}
    every = windows({**known, label: int(answer)})
    return replace(mapping, study={**mapping.study, "timepoints": every})


_MARGIN = 21
"""Days before the first and after the last timepoint that still belong to it."""


def windows(days: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return timepoints with windows that meet halfway between their days."""
    ordered = sorted(days.items(), key=lambda item: (item[1], item[0]))
    found = []
    for at, (label, day) in enumerate(ordered):
        before = ordered[at - 1][1] if at else None
        after = ordered[at + 1][1] if at + 1 < len(ordered) else None
        first = day - _MARGIN if before is None else min(day, (before + day) // 2 + 1)
        last = day + _MARGIN if after is None else max(day, (day + after) // 2)
        found.append({"label": label, "target_day": day, "first_day": first, "last_day": last})
    return found
