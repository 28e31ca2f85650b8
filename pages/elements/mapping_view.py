"""The columns of an import: one line per column, what it becomes, and what only the user can say."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from data.endpoints import ENDPOINTS
from data.importing import jobs, privacy, recognise
from data.importing.jobs import Job
from data.importing.mapping import (
    CONSTANTS,
    SPELLINGS,
    TARGETS,
    YES_NO,
    Assignment,
    Question,
    SheetMapping,
    StudyMapping,
    shape,
    targets,
)
from data.importing.problems import Problem
from data.importing.sheets import Sheet
from data.store import Snapshot
from data.variables import TIMEPOINT_DEFAULTS, slug
from pages.elements import access, link, snapshots_view, wording
from pages.elements.catalogue import snapshots

STUDY = ""
"""The part of the screen that is about the study as a whole, among the names of sheets."""

_SHEETS, _ASKED_ABOUT = "sheets_of_import", "asked_about_"
_EXAMPLES, _LONGEST, _WIDE = 3, 40, 560
_ONE_BY_ONE = 60
"""Texts of one column whose levels are asked at the same time."""

_KINDS = {"category": "one of several texts", "number": "a number", "boolean": "yes or no"}
_DECIMALS = {".": "a point: 12.5", ",": "a comma: 12,5"}
_DAY_OF = {
    "none": "the last contact, for everybody",
    "relapsed": "the relapse where there was one, else the last contact",
    "died": "the death where there was one, else the last contact",
    "relapsed,died": "the relapse or the death where there was one, else the last contact",
}
_CONSTANTS = {
    "assay": "Assay of every result",
    "material": "Material of every sample",
    "lod_fraction": "Limit of detection of every sample, as a fraction: 0.0001",
    "less_than": "A result such as ‘<0.01’ means",
    "empty_with_limit": "An empty result beside a limit means",
}


@dataclass(frozen=True)
class Draft:
    """A mapping in the making.

    Attributes
    ----------
    job_id : str
    sheets : mapping of str to Sheet
    mapping : StudyMapping
    questions : tuple of Question
        Those still open.
    notes : tuple of Problem
        What was decided without asking.
    """

    job_id: str
    sheets: Mapping[str, Sheet]
    mapping: StudyMapping
    questions: tuple[Question, ...]
    notes: tuple[Problem, ...]

    def open_in(self, part: str) -> tuple[Question, ...]:
        """Return the open questions of one sheet, or of the study."""
        return tuple(q for q in self.questions if q.sheet == part)


def sheets(job: Job) -> dict[str, Sheet]:
    """Return the sheets of a job by name, read from disk once per session."""
    read = (job.place / "read.json").stat().st_mtime_ns
    kept = st.session_state.get(_SHEETS)
    if kept is None or kept[0] != (job.id, read):
        kept = (job.id, read), {sheet.name: sheet for sheet in job.sheets()}
        st.session_state[_SHEETS] = kept
    return dict(kept[1])


def forget() -> None:
    """Drop what the session holds of the files of an import."""
    for key in [
        key for key in st.session_state if key == _SHEETS or str(key).startswith(_ASKED_ABOUT)
    ]:
        del st.session_state[key]


def mapping_of(job: Job) -> StudyMapping | None:
    """Return the mapping of a job, proposed anew where its files were read otherwise.

    None where the files hold no table.
    """
    found, kept = sheets(job), job.mapping
    if not found:
        return None
    shapes = {name: shape(map(str, sheet.cells)) for name, sheet in found.items()}
    if kept is None or {s.sheet: s.shape for s in kept.sheets} != shapes:
        known = None if kept else jobs.study_of(shapes.values(), job.folder)
        study = kept.study if kept else _description(known) if known else {}
        saved = jobs.saved_mappings(job.folder)
        kept = recognise.propose(found.values(), study, saved)
        kept = replace(kept, study={"study_id": _free_name(kept), **kept.study})
        kept = privacy.without_identifying(found.values(), kept, {s.shape for s in saved})
        job.keep(kept)
    return kept


def _free_name(mapping: StudyMapping) -> str:
    """Return a short name for a study that no study in the store has."""
    taken = {snapshot.study_id for snapshot in snapshots()}
    name = slug(str(mapping.study.get("title", ""))) or "study"
    numbered = (f"{name}_{i}" for i in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def keep(job_id: str, change: Callable[[StudyMapping], StudyMapping]) -> None:
    """Change the mapping of a job as it stands on disk, from a widget's callback.

    Whatever the change leaves with one reading only is filled in.
    """

    def kept() -> None:
        job = jobs.load(job_id)
        mapping = job.mapping
        assert mapping is not None
        job.keep(recognise.complete(sheets(job).values(), change(mapping)))

    snapshots_view.attempt(kept)


def _keep_sheet(job_id: str, name: str, change: Callable[[SheetMapping], SheetMapping]) -> None:
    def changed(mapping: StudyMapping) -> StudyMapping:
        sheets = tuple(change(s) if s.sheet == name else s for s in mapping.sheets)
        return replace(mapping, sheets=sheets)

    keep(job_id, changed)


@dataclass(frozen=True)
class _Place:
    """One assignment on the screen: of a column of a sheet, the one at a position."""

    job_id: str
    sheet: str
    column: str
    position: int
    key: str

    def keep(self, change: Callable[[Assignment], Assignment | None]) -> None:
        """Replace the assignment as it now stands on disk, or remove it."""

        def changed(now: SheetMapping) -> SheetMapping:
            of_column = [i for i, a in enumerate(now.assignments) if a.column == self.column]
            at = of_column[self.position]
            new = change(now.assignments[at])
            put = () if new is None else (new,)
            return replace(now, assignments=now.assignments[:at] + put + now.assignments[at + 1 :])

        _keep_sheet(self.job_id, self.sheet, changed)


def columns(draft: Draft) -> None:
    """Draw the parts of the mapping, the one chosen with its questions first."""
    part = _part(draft)
    if part == STUDY:
        _study(draft)
    else:
        _sheet(draft, next(s for s in draft.mapping.sheets if s.sheet == part))


def _part(draft: Draft) -> str:
    """Draw the choice of the part and the counter that jumps; return the part."""
    used = [sheet.sheet for sheet in draft.mapping.sheets if sheet.role != "nothing"]
    parts = [*used, STUDY]
    key = f"part_{draft.job_id}"
    if st.session_state.get(key) not in parts:
        st.session_state[key] = parts[0]
    looked_at = _looked_at(draft, st.session_state[key])
    left = {part: len(draft.open_in(part)) for part in parts}

    def label(part: str) -> str:
        name = "The study" if part == STUDY else wording.escape(short(part))
        if left[part]:
            return f"{name} · {left[part]}"
        return f"{name} :material/check:" if part != STUDY or looked_at else name

    def jump(to: str) -> None:
        st.session_state[key] = to

    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.segmented_control(
            "Part of the mapping", parts, format_func=label, key=key, required=True,
            label_visibility="collapsed",
        )  # fmt: skip
        total = sum(left.values())
        following = next((p for p in (chosen, *parts) if left.get(p)), None)
        if total:
            st.markdown(f"**{wording.count(total, 'question')} left**", width="content")
            if following != chosen:
                st.button("Go to the next", on_click=jump, args=(following,), key="jump")
        else:
            st.markdown(":green-badge[:material/check: Every question is answered]")
            if not looked_at:
                st.markdown("Title and kind of the study are proposed.", width="content")
                st.button("Look at them", on_click=show_study, args=(draft.job_id,), key="jump")
    return str(chosen)


def show_study(job_id: str) -> None:
    """Choose the part that is about the study, from a widget's callback."""
    st.session_state[f"part_{job_id}"] = STUDY


def _looked_at(draft: Draft, part: str) -> bool:
    """Return whether somebody saw what is proposed of the study; of one in the store all is known."""
    key = f"{_ASKED_ABOUT}{draft.job_id}_{STUDY}"
    known = any(s.study_id == draft.mapping.study.get("study_id") for s in snapshots())
    st.session_state[key] = known or part == STUDY or st.session_state.get(key, False)
    return bool(st.session_state[key])


def _sheet(draft: Draft, mapped: SheetMapping) -> None:
    sheet = draft.sheets[mapped.sheet]
    open_here = draft.open_in(mapped.sheet)
    _constants(draft, mapped, [q for q in open_here if not q.column])
    waiting = list(dict.fromkeys(q.column for q in open_here if q.column))
    if waiting:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("#### These need you", width="content")
            _same_spelling(draft, mapped, open_here)
    asked = _asked(draft, mapped, waiting)
    for column in asked:
        if column not in waiting and column == next(c for c in asked if c not in waiting):
            st.markdown("#### Answered")
        with st.container(border=True):
            _column(draft, sheet, mapped, column)
    rest = [column for column in sheet.cells if column not in asked]
    left_out = [c for c in rest if all(a.target == "nothing" for a in _of(mapped, c))]
    known = [column for column in rest if column not in left_out]
    for words, icon, some in (
        ("Recognised", ":material/check:", known),
        ("Left out", ":material/block:", left_out),
    ):
        if not some:
            continue
        key = f"fold_{words}_{_index(draft, mapped)}_{draft.job_id}"
        fold = st.expander(f"{words} ({len(some)})", icon=icon, key=key, on_change="rerun")
        if fold.open:
            with fold:
                for column in some:
                    with st.container(border=True):
                        _column(draft, sheet, mapped, column, badge=False)


def _index(draft: Draft, mapped: SheetMapping) -> int:
    return list(draft.sheets).index(mapped.sheet)


def _asked(draft: Draft, mapped: SheetMapping, waiting: Sequence[str]) -> list[str]:
    """Return the columns asked about, those that wait first: the others stay on the screen."""
    seen: dict[str, None] = st.session_state.setdefault(
        f"{_ASKED_ABOUT}{draft.job_id}_{mapped.sheet}", {}
    )
    seen.update(dict.fromkeys(waiting))
    answered = [c for c in seen if c not in waiting and c in draft.sheets[mapped.sheet].cells]
    return [*waiting, *answered]


def _same_spelling(draft: Draft, mapped: SheetMapping, questions: Sequence[Question]) -> None:
    """Offer the spelling of dates that was answered last for the other columns of dates."""
    asked = [q for q in questions if q.field == "spelling"]
    used = [a.spelling for a in mapped.assignments if a.spelling]
    spelling = next((s for s in used if asked and all(s in q.choices for q in asked)), None)
    if spelling is None:
        return
    places = {(q.column, q.target) for q in asked}

    def changed(now: SheetMapping) -> SheetMapping:
        return replace(now, assignments=tuple(
            replace(a, spelling=spelling) if (a.column, a.target) in places else a
            for a in now.assignments
        ))  # fmt: skip

    st.button(
        f"All dates as {spelling}", icon=":material/event:", key="same_spelling",
        on_click=_keep_sheet, args=(draft.job_id, mapped.sheet, changed),
    )  # fmt: skip


def _of(mapped: SheetMapping, column: str) -> list[Assignment]:
    return [a for a in mapped.assignments if a.column == column]


def _column(
    draft: Draft, sheet: Sheet, mapped: SheetMapping, column: str, *, badge: bool = True
) -> None:
    """Draw the line of a column, and under it what its targets need."""
    found = _of(mapped, column)
    open_here = [q for q in draft.open_in(mapped.sheet) if q.column == column]
    name, becomes, state = st.columns([2.6, 2.6, 1.2], gap="small", vertical_alignment="top")
    with name:
        _what_it_is(sheet, column)
        for note in draft.notes:
            if (note.file, note.column) == (mapped.sheet, column):
                st.markdown(f":small[:gray[:material/info: {wording.escape(note.what)}]]")
    key = f"{draft.job_id}_{_index(draft, mapped)}_{list(sheet.cells).index(column)}"
    places = [_Place(draft.job_id, mapped.sheet, column, at, f"{key}_{at}")
              for at in range(len(found))]  # fmt: skip
    mine = [[q for q in open_here if q.target == a.target] for a in found]
    changed = []
    with becomes:
        for place, assignment, questions in zip(places, found, mine, strict=True):
            _becomes(mapped, assignment, place, removable=len(found) > 1)
            changed.append(_answered(draft, sheet, mapped, assignment, questions, place))
    with state:
        if open_here:
            st.markdown(f":orange-badge[{wording.count(len(open_here), 'question')}]")
        elif badge:
            st.markdown(":green-badge[:material/check: Ready]")
        if found and found[0].target != "nothing":
            st.button("Use it also as …", type="tertiary", key=f"{key}_also", on_click=_also,
                      args=(draft, mapped, column))  # fmt: skip
    for place, assignment, questions, change in zip(places, found, mine, changed, strict=True):
        _needs(draft, sheet, mapped, assignment, questions, place, change=change)


def _what_it_is(sheet: Sheet, column: str) -> None:
    texts = sheet.cells[column].value_counts()
    texts = texts[texts > 0]
    label = sheet.labels.get(column, "")
    examples = ", ".join(shortened(text) for text in texts.index[:_EXAMPLES]) or "nothing"
    filled = int(texts.sum())
    said = [
        f"**{wording.escape(shortened(column, 120))}**",
        f":gray[{wording.escape(label)}]" if label and label != column else "",
        f":small[:gray[{wording.escape(examples)}{' …' if len(texts) > _EXAMPLES else ''}]]",
        f":small[:gray[{len(texts):,} different in {filled:,} of {len(sheet.cells):,} rows]]",
    ]
    st.markdown("  \n".join(line for line in said if line))


def shortened(text: object, longest: int = _LONGEST) -> str:
    """Return a text from a file, cut where it would not fit on the screen."""
    words = " ".join(str(text).split())
    # The end stays: names of columns often differ in it alone.
    return words if len(words) <= longest else f"{words[: longest - 13]}…{words[-12:]}"


def short(name: str) -> str:
    """Return the name of a sheet as a label."""
    return shortened(name, 32)


def _becomes(
    mapped: SheetMapping, assignment: Assignment, place: _Place, *, removable: bool
) -> None:
    choices, key = targets(mapped.role), f"{place.key}_target"

    def words(name: str) -> str:
        target = choices.get(name) or TARGETS[name]
        return target.label if target.group == "Other" else f"{target.group} · {target.label}"

    def changed() -> None:
        place.keep(lambda now: _fresh(now, st.session_state[key]))

    index = link.put_choice(key, assignment.target, choices)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", wrap=False):
        st.selectbox(
            f"{wording.escape(shortened(assignment.column))} becomes", list(choices), index,
            format_func=words, key=key, on_change=changed, label_visibility="collapsed",
        )  # fmt: skip
        if removable:
            st.button("", icon=":material/close:", type="tertiary", key=f"{place.key}_remove",
                      help="Do not use it as this", on_click=place.keep,
                      args=(lambda now: None,))  # fmt: skip


def _fresh(assignment: Assignment, target: str) -> Assignment:
    """Return an assignment to another target: what the old one needed is asked anew."""
    old, new = TARGETS[assignment.target], TARGETS[target]
    same = new.type == old.type
    return Assignment(
        assignment.column,
        target,
        unit=assignment.unit if assignment.unit in new.units else None,
        spelling=assignment.spelling if new.dated else None,
        decimal=assignment.decimal if same else None,
        timepoint=assignment.timepoint if new.with_timepoint else None,
        label=assignment.label or (assignment.column if target == "own" else ""),
    )


def _also(draft: Draft, mapped: SheetMapping, column: str) -> None:
    def changed(now: SheetMapping) -> SheetMapping:
        used = {a.target for a in now.assignments if a.column == column}
        target = "own" if "own" not in used and "own" in targets(now.role) else "nothing"
        new = Assignment(column, target, label=column if target == "own" else "")
        last = max(i for i, a in enumerate(now.assignments) if a.column == column)
        before, after = now.assignments[: last + 1], now.assignments[last + 1 :]
        return replace(now, assignments=(*before, new, *after))

    _keep_sheet(draft.job_id, mapped.sheet, changed)


def _answered(
    draft: Draft, sheet: Sheet, mapped: SheetMapping, assignment: Assignment,
    questions: Sequence[Question], place: _Place,
) -> bool:  # fmt: skip
    """Say what was answered or recognised of an assignment; return whether it is to be changed."""
    asked = {question.field for question in questions}
    fields = _fields(draft, mapped, assignment)
    said = [words for name, (words, _) in fields.items() if name not in asked and words]
    answered = _levels_here(sheet, assignment)
    if answered and "values" not in asked:
        pairs = [f"{shortened(t, 24)} = {v or 'empty'}" for t, v in list(answered.items())[:6]]
        said.append(", ".join(pairs) + (" …" if len(answered) > 6 else ""))
    if not said:
        return False
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":small[{wording.escape('; '.join(said))}]", width="stretch")
        return st.toggle("Change", key=f"{place.key}_change")


def _levels_here(sheet: Sheet, assignment: Assignment) -> dict[str, str]:
    """Return the levels of the texts that this file has: a saved mapping can know more."""
    here = set(sheet.cells[assignment.column].cat.categories)
    return {text: level for text, level in assignment.values.items() if text in here}


def _needs(
    draft: Draft, sheet: Sheet, mapped: SheetMapping, assignment: Assignment,
    questions: Sequence[Question], place: _Place, *, change: bool,
) -> None:  # fmt: skip
    """Draw the open questions of one assignment, or every field that can be changed."""
    by_field = {question.field: question for question in questions}
    for name, (_, choices) in _fields(draft, mapped, assignment).items():
        question = by_field.get(name)
        if question is not None or change:
            _field(assignment, name, question, choices, place)
    values = by_field.get("values")
    if values is not None or (change and _levels_here(sheet, assignment)):
        _values(sheet, assignment, values, place)


def _fields(
    draft: Draft, mapped: SheetMapping, assignment: Assignment
) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Return the fields that a target can have: what was answered in words, and the choices."""
    target = TARGETS[assignment.target]
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    if target.units:
        found["unit"] = (assignment.unit or "", {unit: unit for unit in target.units})
    if target.dated:
        spelled = {name: f"{name}, as in {example}" for name, example in SPELLINGS.items()}
        found["spelling"] = (
            f"dates as {assignment.spelling}" if assignment.spelling else "",
            spelled,
        )
    if target.type in ("number", "mrd", "time") or assignment.kind == "number":
        marked = _DECIMALS.get(assignment.decimal or "")
        found["decimal"] = (f"decimals with {marked}" if marked else "", _DECIMALS)
    if target.with_timepoint and mapped.role == "patients":
        labels = {t["label"]: t["label"] for t in timepoints(draft.mapping)}
        found["timepoint"] = (assignment.timepoint or "", labels)
    if assignment.target == "last_follow_up_day":
        key = ",".join(assignment.is_day_of)
        found["is_day_of"] = (f"day of {_DAY_OF[key]}" if key in _DAY_OF else "", _DAY_OF)
    if target.type == "own":
        kind = _KINDS.get(assignment.kind or "", "")
        label = assignment.label if assignment.label != assignment.column else ""
        found["kind"] = (kind, _KINDS)
        found["label"] = (f"shown as ‘{label}’" if label else "", {})
    return found


def _field(
    assignment: Assignment, name: str, question: Question | None, choices: Mapping[str, str],
    place: _Place,
) -> None:  # fmt: skip
    """Draw one field of an assignment: a choice, or a text where anything can be typed."""
    key = f"{place.key}_{name}"
    choices = (question.choices if question else None) or choices
    current = getattr(assignment, name)
    current = ",".join(current) or None if name == "is_day_of" else current or None

    def changed() -> None:
        value = st.session_state[key]
        new: Any = tuple(value.split(",")) if name == "is_day_of" and value else value
        if question is not None and value:
            keep(place.job_id, lambda now: recognise.answered(now, question, value))
        else:
            place.keep(lambda now: replace(now, **{name: new}))

    asked = question.what if question else _ASKED.get(name, name)
    if choices:
        st.selectbox(
            wording.escape(asked), list(choices), link.put_choice(key, current, choices),
            format_func=lambda v: choices[v], key=key, on_change=changed, placeholder="Choose",
            width=_WIDE,
        )  # fmt: skip
    else:
        st.text_input(wording.escape(asked), link.put(key, current or ""), key=key,
                      on_change=changed, max_chars=120, width=_WIDE)  # fmt: skip


_ASKED = {
    "unit": "Unit",
    "spelling": "How the dates are written",
    "decimal": "Decimals are written with",
    "timepoint": "MRD timepoint",
    "is_day_of": "Whose day it is",
    "kind": "Its values are",
    "label": "Name on the screen",
}


def _values(sheet: Sheet, assignment: Assignment, question: Question | None, place: _Place) -> None:
    """Draw one choice of level per text of the column, the open ones first, with its count."""
    target = TARGETS[assignment.target]
    levels = YES_NO if assignment.kind == "boolean" else target.levels
    kept = set(question.choices if question else {})
    counts = sheet.cells[assignment.column].value_counts()
    still = question.texts[:_ONE_BY_ONE] if question else ()
    proposed = dict(question.proposed) if question else {}
    if question:
        st.markdown(wording.escape(question.what))
    texts = [*still, *(t for t in assignment.values if t not in still and t in counts.index)]
    with st.container(horizontal=True, gap="small"):
        for text in texts:
            n = int(counts.get(text, 0))
            label = f"{wording.escape(shortened(text))} ({n:,})"
            current = assignment.values.get(text, proposed.get(text))
            words = {level: level for level in levels} | {"": "leave empty"}
            if text and text not in words and text in {*kept, current}:
                words[text] = "as it stands"
            _level(text, label, words, current, place)
    if not still:
        return

    def answer(given: Mapping[str, str]) -> None:
        place.keep(lambda now: replace(now, values={**now.values, **given}))

    if question and len(question.texts) > _ONE_BY_ONE:
        st.markdown(
            f":gray[{len(question.texts) - _ONE_BY_ONE:,} further texts are asked once these are "
            "answered, or left empty by the button below.]"
        )
    rest = [text for text in question.texts if text not in proposed] if question else []
    with st.container(horizontal=True):
        if proposed:
            st.button(f"Confirm {wording.count(len(proposed), 'proposal')}", key=f"{place.key}_confirm",
                      icon=":material/check:", on_click=answer, args=(proposed,))  # fmt: skip
        if len(rest) > 1:
            others = f"the other {len(rest)}" if len(rest) < len(texts) else f"all {len(rest)}"
            st.button(f"Leave {others} empty", key=f"{place.key}_empty", type="tertiary",
                      on_click=answer, args=(dict.fromkeys(rest, ""),))  # fmt: skip


def _level(
    text: str, label: str, words: Mapping[str, str], current: str | None, place: _Place
) -> None:
    key = f"{place.key}_level_{text}"

    def changed() -> None:
        level = st.session_state[key]
        place.keep(lambda now: replace(now, values=_put(now.values, text, level)))

    st.selectbox(
        label, list(words), link.put_choice(key, current, words), key=key,
        format_func=lambda level: words[level], on_change=changed, placeholder="Choose", width=190,
    )  # fmt: skip


def _put(answers: Mapping[str, str], name: str, value: str | None) -> dict[str, str]:
    """Return answers with one put in, or taken back where it was cleared."""
    rest = {key: answer for key, answer in answers.items() if key != name}
    return rest if value is None else rest | {name: value.strip()}


def _constants(draft: Draft, mapped: SheetMapping, questions: Sequence[Question]) -> None:
    """Draw what is asked of a sheet as a whole, and what holds for every row and stands in no column."""
    asked = {question.field: question for question in questions}
    shown = dict.fromkeys((*asked, *(k for k in mapped.constants if k in CONSTANTS)))
    if not shown:
        return
    with st.container(border=True):
        st.markdown("**For every row of this sheet**")
        with st.container(horizontal=True):
            for name in shown:
                if name in CONSTANTS:
                    _constant(draft, mapped, name, asked.get(name))
                else:
                    _question(draft, asked[name])


def _constant(draft: Draft, mapped: SheetMapping, name: str, question: Question | None) -> None:
    choices = (question.choices if question else None) or CONSTANTS.get(name, {})
    key = f"{draft.job_id}_{_index(draft, mapped)}_{name}"
    current = mapped.constants.get(name)
    label = wording.escape(question.what if question else _CONSTANTS.get(name, name))

    def changed() -> None:
        value = st.session_state[key]
        _keep_sheet(
            draft.job_id, mapped.sheet,
            lambda now: replace(now, constants=_put(now.constants, name, value)),
        )  # fmt: skip

    offered = list(dict.fromkeys((*choices, *([current] if current else []))))
    st.selectbox(
        label, offered, link.put_choice(key, current, offered), key=key,
        format_func=lambda v: choices.get(v, v), on_change=changed, placeholder="Choose",
        accept_new_options=name == "lod_fraction", width=_WIDE,
    )  # fmt: skip


def timepoints(mapping: StudyMapping) -> list[dict[str, Any]]:
    """Return the MRD timepoints of a study: its own, or the usual ones."""
    given = mapping.study.get("timepoints")
    names = ("label", "target_day", "first_day", "last_day")
    usual = [dict(zip(names, each, strict=True)) for each in TIMEPOINT_DEFAULTS]
    return usual if given is None else [dict(each) for each in given]


def _keep_study(job_id: str, **given: Any) -> None:
    keep(job_id, lambda mapping: replace(mapping, study={**mapping.study, **given}))


def _study(draft: Draft) -> None:
    """Draw the form of the study as a whole."""
    asked = {question.field: question for question in draft.open_in(STUDY) if not question.column}
    for question in draft.open_in(STUDY):
        if question.column or question.field not in _FORM:
            _question(draft, question)
    _known_study(draft)
    left, right = st.columns(2, gap="medium")
    with left:
        _study_text(draft, "title", "Title, as every screen shows it", asked)
        _study_text(draft, "study_id", "Short name, for links: a-z, 0-9 and _", asked)
        _study_text(draft, "day_zero_label", "Day 0 is", asked, "start of treatment")
        _study_choice(draft, "default_endpoint", "Endpoint shown first", {
            code: endpoint.label for code, endpoint in ENDPOINTS.items()
            if not endpoint.censored_at_allosct
        }, asked)  # fmt: skip
    with right:
        _study_choice(draft, "synthetic", "The patients are", {
            False: "real patients", True: "synthetic: made up, none of them exists",
        }, asked)  # fmt: skip
        _study_choice(draft, "small_cell_minimum", "Who looks at it", {
            5: "Others look at it too: hide counts under 5, and rows of single patients",
            0: "Only our own group looks at it: show everything",
        }, asked)  # fmt: skip
        _study_text(draft, "data_cutoff", "Data cut-off", asked, "2025-06")
        _study_text(draft, "citation", "Citation", asked)
    _windows(draft)


def _known_study(draft: Draft) -> None:
    """Offer the studies of the store: what is brought can be the next state of one of them."""
    served = {snapshot.study_id: snapshot for snapshot in snapshots() if snapshot.current}
    key = f"{draft.job_id}_known_study"
    current = draft.mapping.study.get("study_id")

    def changed() -> None:
        study_id = st.session_state[key]
        given = (
            _description(served[study_id]) if study_id else {"study_id": _free_name(draft.mapping)}
        )
        _keep_study(draft.job_id, **given)

    if served:
        offered = ["", *served]
        index = link.put_choice(key, current if current in served else "", offered)
        st.selectbox(
            "This is", offered, index, key=key, on_change=changed, width=_WIDE,
            format_func=lambda s: f"the next state of {served[s].title} ({s})" if s else "a new study",
        )  # fmt: skip


def _description(snapshot: Snapshot) -> dict[str, Any]:
    """Return what study.json says of a study that is in the store."""
    known = access.study(snapshot)
    names = ("study_id", "title", "citation", "doi", "day_zero_label", "default_endpoint",
             "synthetic", "data_cutoff", "notes")  # fmt: skip
    windows = [
        {
            "label": t.label,
            "target_day": t.target_day,
            "first_day": t.first_day,
            "last_day": t.last_day,
        }
        for t in known.timepoints
    ]
    return {name: getattr(known, name) for name in names} | {"timepoints": windows}


_FORM = ("title", "study_id", "day_zero_label", "default_endpoint", "synthetic",
         "small_cell_minimum", "data_cutoff", "citation")  # fmt: skip


USUAL = {"synthetic": False, "small_cell_minimum": 5}
"""What holds of a study unless something else is chosen."""


def _label_of(words: str, question: Question | None) -> str:
    return f"{words} :orange-badge[needed]" if question else words


def _study_text(
    draft: Draft, name: str, words: str, asked: Mapping[str, Question], example: str = ""
) -> None:
    key = f"{draft.job_id}_study_{name}"

    def changed() -> None:
        text = " ".join(st.session_state[key].split())
        given = {name: slug(text) if name == "study_id" else text or None}
        _keep_study(draft.job_id, **given)

    st.text_input(
        _label_of(words, asked.get(name)), link.put(key, str(draft.mapping.study.get(name) or "")),
        key=key, on_change=changed, placeholder=example or None, max_chars=300,
    )  # fmt: skip


def _study_choice(
    draft: Draft, name: str, words: str, choices: Mapping[Any, str], asked: Mapping[str, Question]
) -> None:
    key = f"{draft.job_id}_study_{name}"
    index = link.put_choice(key, draft.mapping.study.get(name, USUAL.get(name)), choices)
    draw = st.selectbox if len(choices) > 2 else st.radio
    draw(
        _label_of(words, asked.get(name)), list(choices), index, format_func=lambda v: choices[v],
        key=key, on_change=lambda: _keep_study(draft.job_id, **{name: st.session_state[key]}),
    )  # fmt: skip


def _question(draft: Draft, question: Question) -> None:
    """Draw a question that no field of the screen is for."""
    key = f"{draft.job_id}_{question.sheet}_{question.column}_{question.field}_{question.target}"

    def changed() -> None:
        answer = st.session_state[key]
        if answer is not None and answer != "":
            keep(draft.job_id, lambda now: recognise.answered(now, question, str(answer)))

    what = wording.escape(question.what)
    if question.choices:
        st.selectbox(
            what, list(question.choices), index=None, key=key, width=_WIDE, on_change=changed,
            format_func=lambda v: question.choices[v], placeholder="Choose",
        )  # fmt: skip
    elif question.field == "timepoints":
        st.number_input(what, -36525, 36525, None, key=key, on_change=changed, step=1, width=_WIDE)
    else:
        st.text_input(what, key=key, on_change=changed, max_chars=300, width=_WIDE)


def _windows(draft: Draft) -> None:
    """Draw the MRD timepoints: label, target day and window, a row each."""
    st.markdown("#### MRD timepoints")
    st.markdown(
        ":gray[A sample belongs to a timepoint where your file says so, else where its day from day 0 "
        "lies in the window. A study without MRD needs none.]"
    )
    rows = timepoints(draft.mapping)
    for at, row in enumerate(rows):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            for name, words in (("label", "Timepoint"), ("target_day", "Target day"),
                                ("first_day", "From day"), ("last_day", "To day")):  # fmt: skip
                _window_field(draft, rows, at, name, words)
            st.button(
                "", icon=":material/close:", type="tertiary", key=f"{draft.job_id}_window_{at}",
                help=f"Remove {wording.escape(str(row['label']))}",
                on_click=lambda at=at: _keep_study(
                    draft.job_id, timepoints=[r for i, r in enumerate(rows) if i != at]
                ),
            )  # fmt: skip
    new = {"label": "", "target_day": 0, "first_day": 0, "last_day": 0}
    st.button(
        "Add a timepoint", icon=":material/add:", key=f"{draft.job_id}_window_add",
        on_click=lambda: _keep_study(draft.job_id, timepoints=[*rows, new]),
    )  # fmt: skip


def _window_field(
    draft: Draft, rows: Sequence[Mapping[str, Any]], at: int, name: str, words: str
) -> None:
    key = f"{draft.job_id}_window_{at}_{name}"

    def changed() -> None:
        now = timepoints(jobs.load(draft.job_id).mapping)
        now[at][name] = st.session_state[key]
        _keep_study(draft.job_id, timepoints=now)

    value = link.put(key, rows[at][name])
    if name == "label":
        st.text_input(words, value, key=key, on_change=changed, max_chars=60, width=200)
    else:
        st.number_input(words, -36525, 36525, value, key=key, on_change=changed, step=1, width=120)
