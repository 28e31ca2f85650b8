"""What every page begins and ends with: configuration, the cohort, navigation, guards, footer.

Each page stands alone: the first link to reach a fresh server runs that page without app.py.
"""

from __future__ import annotations

import logging
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from analytics.suppression import Count
from data.cohort import CohortFilter, UnknownInQuery
from data.endpoints import ENDPOINTS, Endpoint
from data.queries import Study
from data.store import EngineError, Snapshot, SnapshotError, engine_of
from data.variables import COHORTS, MISSING, Dictionary, Level, Variable
from pages.elements import access, engine_view, link, sidebar, sign_in, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.catalogue import find, opened_first
from pages.elements.link import View

ROOT = Path(__file__).parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

PAGES: Mapping[str, str] = {
    "Overview": "app.py",
    "Survival": "pages/survival.py",
    "MRD negativity": "pages/mrd.py",
    "Transplant": "pages/transplant.py",
    "Evidence": "pages/evidence.py",
    "Patients": "pages/patients.py",
    "Present": "pages/present.py",
    "Cohorts": "pages/cohorts.py",
}
"""The menu: label and file."""

_COMPARISONS = "comparisons_shown"
_WORDS = "words_of_choices"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """What a page works on: a snapshot, its study and dictionary, and the view of it."""

    snapshot: Snapshot
    # They follow from the other two.
    study: Study = field(compare=False)
    variables: Dictionary = field(compare=False)
    view: View

    @property
    def filter(self) -> CohortFilter:
        """The selection of patients."""
        return self.view.cohort

    @property
    def words(self) -> str:
        """The selection in words, safe to show."""
        return wording.escape(self.filter.describe(self.variables))

    def endpoint(self) -> Endpoint:
        """Return the endpoint that the link asks for, or the study's own."""
        return ENDPOINTS[self.choice("endpoint", ENDPOINTS, self.study.default_endpoint)]

    def choice(self, option: str, allowed: Mapping[str, object], default: str) -> str:
        """Return what the link says about one choice; stop the page if it says something unknown."""
        value = self.view.option(option)
        if value is None:
            return default
        if value not in allowed:
            problem = (
                f"‘{value}’ is not a choice for {option}: {', '.join(allowed) or 'none here'}."
            )
            self._refuse(problem, self.view.with_option(option, None))
        return value

    def number(self, option: str) -> int | None:
        """Return a choice that is a number of days or months; stop the page if it is none."""
        value = self.view.option(option)
        if value is None:
            return None
        if not (value.isdecimal() and int(value) <= 36525):
            problem = f"‘{value}’ is not a number for {option}."
            self._refuse(problem, self.view.with_option(option, None))
        return int(value)

    def _refuse(self, problem: str, rest: View) -> NoReturn:
        _refuse_link((problem,), rest)


class SavedCohort(Cohort):
    """What a slide or a report works on: there is no page that could say what a link asks for in vain."""

    def _refuse(self, problem: str, rest: View) -> NoReturn:
        raise UnknownInQuery((problem,), rest.cohort)


def open_page(name: str, *, stage: bool = False) -> Cohort:
    """Set the page up and return the cohort that it is to show; nobody who may not be here comes further.

    Parameters
    ----------
    name : str
        A key of `PAGES`.
    stage : bool
        Whether it draws filters and `menu` itself, if at all.
    """
    _configure(name)
    try:
        snapshot = engine_view.asking(_snapshot)()
        study, variables = access.study(snapshot), access.dictionary(snapshot)
    except EngineError as error:
        engine_view.no_answer(error)
    except SnapshotError as error:
        st.error(wording.escape(str(error)))
        if error.previous is not None:
            _offer(error.previous)
        to_page("Cohorts", "Go to the cohorts", ":material/arrow_forward:", {})
        st.stop()
    try:
        view = link.current_view(study.study_id, variables)
    except UnknownInQuery as unknown:
        _refuse_link(unknown.problems, st.session_state[link.VIEW])
    cohort = _compared_if_asked(Cohort(snapshot, study, variables, view))
    cohort.choice("timepoint", {v.name: v for v in variables.timepoints}, "")
    if not stage:
        sidebar.draw(cohort.snapshot, cohort.study, cohort.variables, cohort.view)
        menu(view.to_query())
    return cohort


def cohort_of(view: View) -> Cohort:
    """Return what a view is of, without a page: for a slide or a report.

    Raises
    ------
    SnapshotError
        If its snapshot is not in the store.
    """
    snapshot = find(view.study_id, view.snapshot)
    study, variables = access.study(snapshot), access.dictionary(snapshot)
    return _compared_if_asked(SavedCohort(snapshot, study, variables, view))


def cohort_of_query(query: Mapping[str, Sequence[str]]) -> Cohort:
    """Return what a saved view is of.

    Parameters
    ----------
    query : mapping
        As `View.to_query` returns it.

    Raises
    ------
    SnapshotError
        If its snapshot is not in the store.
    UnknownInQuery
        If it asks for a variable or a level that the study does not have.
    """
    study_id = "".join(query["study"][-1:])
    snapshot = find(study_id, "".join(query.get("snapshot", ())[-1:]) or None)
    view, problems = link.read(study_id, query, access.dictionary(snapshot))
    if problems:
        raise UnknownInQuery(tuple(problems), view.cohort)
    return cohort_of(view)


def _compared_if_asked(cohort: Cohort) -> Cohort:
    """Return the cohort with the variable that compares its saved cohorts, where there are two."""
    saved, _ = link.saved_cohorts(cohort.view, cohort.variables)
    if len(saved) < len(link.SAVED):
        return cohort
    snapshot = access.comparing(cohort.snapshot, saved["A"], saved["B"])
    return replace(cohort, snapshot=snapshot, variables=access.dictionary(snapshot))


def _offer(previous: Snapshot) -> None:
    """Offer the snapshot that can be shown in place of one that cannot."""
    day = previous.published_at[:10]
    st.button(
        f"Show the snapshot of {day} ({previous.hash})",
        on_click=link.change,
        args=(View(previous.study_id, previous.hash),),
    )


def open_administration(name: str) -> None:
    """Set a page up that needs no cohort; its menu leads back to what the address says of one.

    Parameters
    ----------
    name : str
        A key of `PAGES`.
    """
    _configure(name)
    menu(link.carried())


def _configure(name: str) -> None:
    st.set_page_config(
        page_title=f"{name} · {sign_in.PRODUCT}",
        page_icon="🩸",
        layout="wide",
        initial_sidebar_state=280,
    )
    _come_back()
    sign_in.gate()
    engine_view.reserve()
    link.enter(name)


@st.fragment(run_every="1d")
def _come_back() -> None:
    """Have a browser whose server is gone ask the next one for the page at once.

    Without a fragment that runs again it would wait for a click, and a session that has drawn nothing yet
    cannot take that click.
    """


def menu(query: Mapping[str, list[str]]) -> None:
    """Draw the links to all pages, each with the parameters of its address."""
    with st.container(horizontal=True, gap="xxsmall", vertical_alignment="center"):
        for label in PAGES:
            to_page(label, label, None, query)
        sign_in.badge()


def page_link(page: str, view: View, label: str = "", icon: str | None = None) -> None:
    """Draw a link to another page that carries a view, and the talk that is put together."""
    shown: View | None = st.session_state.get(link.VIEW)
    if shown is not None:
        view = view.with_option(link.TALK, shown.option(link.TALK))
    to_page(page, label or page, icon, view.to_query())


def to_page(
    page: str,
    label: str,
    icon: str | None,
    query: Mapping[str, Sequence[str]],
    tip: str | None = None,
) -> None:
    """Draw a link to a page with the parameters of its address."""
    # A page that is run on its own has no siblings to link to, and works all the same.
    with suppress(StreamlitPageNotFoundError):
        st.page_link(PAGES[page], label=label, icon=icon, query_params=dict(query), help=tip)


def show_patients(
    cohort: Cohort, groups: Mapping[str, tuple[CohortFilter, Count]], note: str = ""
) -> None:
    """Draw a popover with one link per group to the Patients page with that selection.

    A study that shows no single patients has none.

    Parameters
    ----------
    groups : mapping of str to (CohortFilter, int)
        By name, the whole selection of the group and its number of patients; nobody is no link.
    note : str
        What the figure beside it does not share with these selections, safe to show.
    """
    if minimum_of(cohort.snapshot):
        return
    shown = {name: group for name, group in groups.items() if group[1]}
    if not shown:
        return
    # Not tertiary: the name of an open one is too dark to read in the dark theme.
    with st.popover("Show patients", icon=":material/groups:"):
        for name, (selection, n) in shown.items():
            label = f"{wording.escape(name)}, {n:,}"
            page_link("Patients", cohort.view.with_cohort(selection), label)
        if note:
            st.markdown(f":small[:gray[{note}]]")


def patients_by(cohort: Cohort, *by: Variable) -> dict[str, tuple[CohortFilter, Count]]:
    """Return for `show_patients` the groups of a cohort: each level, and those without a value.

    Parameters
    ----------
    *by : Variable
        None for everybody; of two, each level of the first is split by the second.
    """
    if not by:
        return {"All patients": (cohort.filter, access.size(cohort.snapshot, cohort.filter))}
    first, *rest = by
    counts = access.level_counts(cohort.snapshot, cohort.filter, (first.name,))[first.name]
    chosen = set(cohort.filter.get(first.name)) or set(counts)
    groups = {
        first.level(value).name: (cohort.filter.with_(first.name, (value,)), counts[value])
        for value in (*(level.value for level in first.levels), MISSING)
        if value in counts and value in chosen
    }
    return {
        f"{name}, {inner}": group
        for name, (selection, _) in groups.items()
        for inner, group in patients_by(
            replace(cohort, view=cohort.view.with_cohort(selection)), *rest
        ).items()
    } if rest else groups  # fmt: skip


def no_single_patients(cohort: Cohort) -> bool:
    """Say so where a study shows no rows of single patients, and who can change it."""
    minimum = minimum_of(cohort.snapshot)
    if minimum:
        whose = (
            "Whoever keeps the study can change its small-cell minimum under Cohorts."
            if sign_in.may("see single patients")
            else "You are signed in as a viewer; an editor can see them where the study allows it."
        )
        st.info(
            f"{wording.escape(cohort.study.name)} shows no single patients: counts under {minimum} are "
            f"hidden, and a patient is a count of one. {whose}"
        )
    return bool(minimum)


def withheld(cohort: Cohort, levels: Sequence[Level]) -> str:
    """Return a sentence on groups that a small-cell minimum keeps out, safe to show; '' without any."""
    minimum = minimum_of(cohort.snapshot)
    if not levels:
        return ""
    names = wording.escape(wording.listed(level.name for level in levels))
    if len(levels) == 1:
        why = f"it has fewer than {minimum} patients, or would tell how many others are as few"
        return f"{names} is not shown and in no test: {why}."
    return (
        f"{names} are not shown and in no test: at least one of them has fewer than {minimum} patients, "
        "and the others would tell how many."
    )


def _snapshot() -> Snapshot:
    study_id, digest = link.asked_study()
    return opened_first() if study_id is None else find(study_id, digest)


def _refuse_link(problems: Sequence[str], rest: View) -> NoReturn:
    """Say what a link asks for in vain, and stop: showing the rest would be another cohort."""
    st.subheader("This link cannot be shown as it stands", anchor=False)
    for problem in problems:
        st.markdown(wording.escape(problem))
    st.button("Show without it", on_click=link.change, args=(rest,))
    st.stop()


def heading(
    cohort: Cohort,
    title: str,
    endpoint: Endpoint,
    unit: str = "months",
    beside: Callable[[], None] | None = None,
) -> None:
    """Write the title, `beside` it what a page offers, and the cohort line.

    Where nobody is left, it says why and stops.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(wording.escape(title), anchor=False, width="stretch")
        if beside is not None:
            beside()
    if why := access.withheld(cohort.snapshot, cohort.filter):
        _withheld(cohort, why)
    total = access.size(cohort.snapshot, CohortFilter())
    n = access.size(cohort.snapshot, cohort.filter)
    parts = [
        wording.escape(cohort.study.name),
        cohort.words,
        f"**{n:,} of {wording.count(total, 'patient')}**",
    ]
    if not access.derivability(cohort.snapshot)[endpoint.code].refused_because:
        followed = access.followed(cohort.snapshot, cohort.filter, endpoint.code)
        parts.append(f"**{wording.count(followed.n_event, 'event')}**")
        if followed.median == followed.median:
            decimals = 1 if unit == "years" else 0
            time = wording.in_unit(followed.median, unit, decimals)
            until = " to alloSCT" if endpoint.censored_at_allosct else ""
            parts.append(f"median follow-up{until} {time} {wording.UNITS[unit][1]}")
    st.markdown(" · ".join(parts))
    if n == 0:
        _nobody(cohort)
    if cohort.view.grouped_by_cohorts:
        _compared(cohort)


def _withheld(cohort: Cohort, why: str) -> None:
    """Say that nothing of a selection is shown, offer to lift each of its filters, and stop."""
    st.markdown(f"{wording.escape(cohort.study.name)} · {cohort.words}")
    st.info(
        f"{wording.escape(why)}: nothing of this selection is shown. Lift a filter, or choose another one."
    )
    with st.container(horizontal=True):
        for name, words in cohort.filter.phrases(cohort.variables).items():
            lifted = cohort.view.with_cohort(cohort.filter.without(name))
            st.button(
                f"Lift ‘{wording.escape(words)}’", key=f"withheld_{name}", on_click=link.change,
                args=(lifted,),
            )  # fmt: skip
    st.stop()


def _compared(cohort: Cohort) -> None:
    """Say who is in neither group of two saved cohorts, and that a filter narrows both."""
    both = access.in_both(cohort.snapshot, cohort.filter)
    if both:
        verb = "is" if both == 1 else "are"
        guard(
            "In both",
            f"{wording.count(both, 'patient')} {verb} in both cohorts and in neither group: the "
            "groups are not the whole cohorts.",
        )
        left = access.level_counts(cohort.snapshot, cohort.filter, (COHORTS,))[COHORTS]
        for name in link.SAVED:
            if not left.get(name):
                guard("Inside", f"All of cohort {name} is in the other one: nothing is left of it.")
    if cohort.filter:
        lifted = cohort.view.with_cohort(cohort.filter.everybody())
        guard(
            "Filter",
            "The filter applies on top of both cohorts.",
            "Lift it",
            link.change,
            (lifted,),
        )


def _nobody(cohort: Cohort) -> None:
    """Say which condition removed the last patients, offer to lift it, and stop."""
    steps = access.attrition(cohort.snapshot, cohort.filter)
    position = next(i for i, step in enumerate(steps) if step.n == 0)
    name = list(cohort.filter.phrases(cohort.variables))[position - 1]
    words, before = steps[position].words, steps[position - 1].n
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"‘{wording.escape(words)}’ removed the last {wording.count(before, 'patient')}."
        )
        lifted = cohort.view.with_cohort(cohort.filter.without(name))
        st.button("Lift this filter", on_click=link.change, args=(lifted,))
    st.stop()


def set_option(name: str, value: str | None) -> None:
    """Replace one choice of the view, from a widget's callback."""
    view: View = st.session_state[link.VIEW]
    link.change(view.with_option(name, value))


def select(
    label: str,
    option: str,
    choices: Mapping[str, str],
    current: str,
    *,
    default: str,
    width: int = 170,
) -> None:
    """Draw one selectbox whose choice lives in the link under `option`.

    Parameters
    ----------
    choices : mapping of str to str
        Value in the link and words on the screen.
    current, default : str
        The default is not written into the link.
    """
    key = f"choice_{option}"
    words, shown = wording.distinct(choices), st.session_state.setdefault(_WORDS, {})
    index = link.put_choice(key, current, choices)
    if shown.get(key, words).get(current) != words.get(current):
        # The browser keeps the words that it was sent with the value, and they are no choice any more.
        st.session_state[key] = current
    shown[key] = words

    def changed() -> None:
        value = st.session_state[key]
        set_option(option, None if value == default else value)

    st.selectbox(
        label,
        list(choices),
        index,
        format_func=lambda v: words[v],
        key=key,
        on_change=changed,
        width=width,
    )


def guard(
    badge: str, sentence: str, remedy: str = "", on_click: Callable[..., None] | None = None,
    args: tuple[object, ...] = (),
) -> None:  # fmt: skip
    """Write one line of warning, with its remedy as a button at the far right."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":orange-badge[:material/warning: {badge}] {sentence}", width="stretch")
        if remedy:
            # Two lines can offer the same remedy.
            st.button(remedy, key=f"remedy {badge} {sentence}", on_click=on_click, args=args)


@contextmanager
def part(what: str) -> Iterator[None]:
    """Let one failing part of a page leave the rest standing."""
    try:
        with engine_view.part():
            yield
    except EngineError as error:
        log_failure(what, error)
        st.error(f"{what} could not be shown. {wording.escape(str(error))}")
    except Exception as error:
        log_failure(what, error)
        st.error(f"{what} could not be shown. The rest of the page is not affected.")


def log_failure(what: str, error: Exception) -> None:
    """Write where something failed to the log, without the message: it can hold patient values."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("%s: %s in %s:%s", what, type(error).__name__, place.filename, place.lineno)


def in_plain_words(text: str) -> None:
    """Fold a summary in plain words away, with a button that copies it."""
    with st.expander("In plain words", icon=":material/chat_bubble:"):
        st.code(text, language=None, wrap_lines=True)


def comparison_number(cohort: Cohort, *what: object) -> int:
    """Count the different comparisons that this session has been shown; return the number so far."""
    seen: set[object] = st.session_state.setdefault(_COMPARISONS, set())
    seen.add((cohort.snapshot.key, cohort.filter, *what))
    return len(seen)


def footer(cohort: Cohort, *parts: str) -> None:
    """Write what a reader needs to trace a figure: study, snapshot, selection, and `parts`."""
    words = [wording.escape(cohort.study.name), f"snapshot {cohort.snapshot.hash}"]
    if cohort.snapshot.place:
        words.append(f"computed by {engine_of(cohort.snapshot).name}")
    if cohort.study.data_cutoff:
        words.append(f"cut-off {wording.escape(cohort.study.data_cutoff)}")
    cited = wording.escape(cohort.study.citation)
    compared = cohort.snapshot.compared if cohort.view.grouped_by_cohorts else None
    for name, saved in (("A", compared.a), ("B", compared.b)) if compared else ():
        words.append(f"{name}: {wording.escape(saved.describe(cohort.variables))}")
    words += [cohort.words, *(part for part in parts if part), cited, f"v{VERSION}"]
    words = [word for word in words if word]
    st.markdown(f":small[:gray[{' · '.join(words)}]]")
