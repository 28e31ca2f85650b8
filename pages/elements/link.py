"""What a page shows as one frozen value, and its way to the address line and back.

The view lives in the session. It is read from the link on arrival, on Back and Forward, and whenever the
address differs from the one written last; a widget's callback replaces it, and only then is the
address written, so that the Back button undoes one choice at a time and is never trapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import parse_qs, urlencode

import streamlit as st

from data.cohort import CohortFilter, UnknownInQuery, with_comparison
from data.variables import COHORTS, Dictionary

T = TypeVar("T")

OPTIONS = (
    "endpoint", "by", "landmark_days", "horizon", "size", "timepoint", "denominator", "part",
    "by2", "unit", "zoom", "publication", "setting", "assay", "cohort_a", "cohort_b", "swimmer", "sort",
    "section", "contrast", "covariates", "firth", "balance",
    "mrd_section", "assays", "assays_at", "talk", "present",
)  # fmt: skip
"""Keys of a link that are choices of a page, not variables."""

SAVED: Mapping[str, str] = {"A": "cohort_a", "B": "cohort_b"}
"""The saved cohorts, and where a link holds them."""

TALK, PRESENT = "talk", "present"
"""The talk that is put together, which goes with every page and study; and the slide presented of it."""

_STUDY, _SNAPSHOT = "study", "snapshot"
_IMPORT, _STEP = "import", "step"
VIEW, _WRITTEN, _CHANGED, _PAST = "view", "written_query", "view_changed", "past_views"
_PAGE, _DRAWN = "page_shown", "drawn_on_page"


@dataclass(frozen=True)
class View:
    """The study, its snapshot if the link pins one, the cohort, and the choices of the page."""

    study_id: str
    snapshot: str | None = None
    cohort: CohortFilter = CohortFilter()  # noqa: RUF009  frozen
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str | None:
        """Return one choice, or None if the link leaves it open."""
        return dict(self.options).get(name)

    def with_option(self, name: str, value: str | None) -> View:
        """Return the view with one choice replaced, or left open."""
        options = {**dict(self.options), name: value}
        return replace(self, options=tuple((k, v) for k, v in options.items() if v is not None))

    def with_cohort(self, cohort: CohortFilter) -> View:
        """Return the view of another cohort of the same study."""
        return replace(self, cohort=cohort)

    def with_saved(self, name: str, cohort: CohortFilter | None) -> View:
        """Return the view with a cohort saved as A or B; None clears it, and with it their comparison."""
        if cohort is None:
            return self.not_compared().with_option(SAVED[name], None)
        return self.with_option(SAVED[name], urlencode(cohort.to_query(), doseq=True))

    def compared(self) -> View:
        """Return the view that compares the saved cohorts, and nothing but them."""
        everybody = self.not_compared().with_cohort(self.cohort.everybody())
        return everybody.with_option("by", COHORTS)

    def not_compared(self) -> View:
        """Return the view without grouping or filter by the saved cohorts, which stay."""
        view = self.with_cohort(self.cohort.without(COHORTS))
        for name in self.grouped_by_cohorts:
            view = view.with_option(name, None)
        return view

    def of_study(self, study_id: str) -> View:
        """Return the view of another study: nothing stays but the talk."""
        return View(study_id).with_option(TALK, self.option(TALK))

    def without_talk(self) -> View:
        """Return the view as it is saved and cited."""
        return self.with_option(TALK, None).with_option(PRESENT, None)

    @property
    def grouped_by_cohorts(self) -> tuple[str, ...]:
        """The choices of the page that are the comparison of the saved cohorts."""
        return tuple(name for name, value in self.options if value == COHORTS)

    def to_query(self) -> dict[str, list[str]]:
        """Return the parameters of a link that shows this view."""
        query = {_STUDY: [self.study_id]}
        if self.snapshot:
            query[_SNAPSHOT] = [self.snapshot]
        return query | self.cohort.to_query() | {name: [value] for name, value in self.options}


def asked_study() -> tuple[str | None, str | None]:
    """Return study and snapshot that the address asks for; the session's where it asks for none."""
    view = st.session_state.get(VIEW)
    if view is not None and (_CHANGED in st.session_state or not _moved()):
        return view.study_id, view.snapshot
    query = _address()
    study = query.get(_STUDY, [None])[-1] or (view.study_id if view else None)
    return study, query.get(_SNAPSHOT, [None])[-1]


def asked_import() -> tuple[str | None, str | None]:
    """Return the import that the address of the Cohorts page goes on with, and its step."""
    return st.query_params.get(_IMPORT), st.query_params.get(_STEP)


def show_import(job_id: str | None, step: str | None = None) -> None:
    """Have the address go on with an import, or with none; what it says of a cohort stays."""
    asked = {_IMPORT: [job_id] if job_id else [], _STEP: [step] if step else []}
    st.query_params.from_dict(carried() | {name: value for name, value in asked.items() if value})


def carried() -> dict[str, list[str]]:
    """Return what the address says of a cohort.

    Without the import: whoever has its address sees the file that is being imported.
    """
    return {name: value for name, value in _address().items() if name not in (_IMPORT, _STEP)}


def forget() -> None:
    """Drop the view of the session and the address: the study it shows is gone."""
    for name in (VIEW, _WRITTEN, _CHANGED, _PAST):
        st.session_state.pop(name, None)
    st.query_params.clear()


def current_view(study_id: str, variables: Dictionary) -> View:
    """Return what is to be shown now, and bring address and session into agreement.

    Raises
    ------
    UnknownInQuery
        If the link asks for a variable or a level that the study does not have.
    """
    view: View | None = st.session_state.get(VIEW)
    if _CHANGED in st.session_state and view is not None:
        # A click on a widget: the address the browser sent with it can be one click old.
        st.query_params.from_dict(view.to_query())
        st.session_state[_WRITTEN] = view.to_query()
        # Last, so that a run stopped by the next click before the address is written does it again.
        del st.session_state[_CHANGED]
    elif view is None or _moved() or view.study_id != study_id:
        first = view is None
        view = _read(study_id, variables)
        st.session_state[VIEW], st.session_state[_WRITTEN] = view, _address()
        # What the browser shows is one view old: every widget is told its value again.
        st.session_state[_DRAWN] = set()
        if not first:
            # A message of ours may have crossed the browser's. It is told again where it stands;
            # after Back it stands there already, and nothing changes.
            st.query_params.from_dict(_address())
    return view


def put(key: str, value: T) -> T:
    """Have a widget show a value, before it is drawn; return it, to be given as the widget's default.

    The browser needs both. It forgets what it was told to show if a click elsewhere has the page drawn
    again before it stands, and sends the default back as if somebody had chosen it.

    Told only where it shows another one: a value that the server sets overwrites what the user clicked
    while the page was still on its way, and the click is lost. A page just entered draws new widgets,
    which do not know what those of the page before showed.
    """
    shown, drawn = st.session_state.get(key), st.session_state.setdefault(_DRAWN, set())
    same = sorted(shown) == sorted(value) if isinstance(shown, list) else shown == value
    if key not in st.session_state or key not in drawn or not same:
        st.session_state[key] = value
    drawn.add(key)
    return value


def put_choice(key: str, value: T | None, options: Iterable[T]) -> int | None:
    """Have a widget show one of its options, as `put` does, and return its place; None for no option."""
    among = list(options)
    value = put(key, value if value in among else None)
    return None if value is None else among.index(value)


def enter(page: str) -> None:
    """Note which page is shown, before its first widget is drawn."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE], st.session_state[_DRAWN] = page, set()


def change(view: View) -> None:
    """Replace the view, from a widget's callback; the one before can be taken back with `undo`."""
    before = st.session_state.get(VIEW)
    if before is not None and before != view:
        st.session_state.setdefault(_PAST, []).append(before)
    _set(view)


def undo() -> None:
    """Return to the view before the last change."""
    _set(st.session_state[_PAST].pop())


def can_undo() -> bool:
    """Tell whether there is a change to take back."""
    return bool(st.session_state.get(_PAST))


def _set(view: View) -> None:
    st.session_state[VIEW] = view
    st.session_state[_CHANGED] = True


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _moved() -> bool:
    """Tell whether the browser stands at another address than the one this session last wrote."""
    return bool(_address() != st.session_state.get(_WRITTEN))


def _read(study_id: str, variables: Dictionary) -> View:
    view, said = read(study_id, _address(), variables)
    if said:
        st.session_state[VIEW] = view
        st.session_state[_WRITTEN] = None
        raise UnknownInQuery(tuple(said), view.cohort)
    return view


def read(
    study_id: str, query: Mapping[str, Sequence[str]], variables: Dictionary
) -> tuple[View, list[str]]:
    """Return the view that a link shows, and what in it cannot be read."""
    left = {name: list(values) for name, values in query.items() if values}
    snapshot = left.pop(_SNAPSHOT, [""])[-1] or None
    left.pop(_STUDY, None)
    options = {name: left.pop(name)[-1] for name in OPTIONS if name in left}
    view = View(study_id, snapshot, options=tuple(options.items()))
    cohorts, problems = saved_cohorts(view, variables)
    for name in SAVED:
        if problems.get(name):
            view = view.with_saved(name, None)
    if len(cohorts) == len(SAVED):
        variables = with_comparison(variables, **{name.lower(): c for name, c in cohorts.items()})
    said = [sentence for sentences in problems.values() for sentence in sentences]
    try:
        view = view.with_cohort(CohortFilter.from_query(left, variables))
    except UnknownInQuery as unknown:
        view, said = view.with_cohort(unknown.rest), [*said, *unknown.problems]
    return view, said


def saved_cohorts(
    view: View, variables: Dictionary
) -> tuple[dict[str, CohortFilter], dict[str, list[str]]]:
    """Return the saved cohorts of a view by name, and for each what cannot be read."""
    cohorts, problems = dict[str, CohortFilter](), dict[str, list[str]]()
    for name, option in SAVED.items():
        text = view.option(option)
        if text is None:
            continue
        try:
            cohorts[name] = CohortFilter.from_query(parse_qs(text), variables)
            if not cohorts[name]:
                del cohorts[name]
                problems[name] = [f"Cohort {name} has no condition."]
        except UnknownInQuery as unknown:
            problems[name] = [f"Cohort {name}: {problem}" for problem in unknown.problems]
    return cohorts, problems
