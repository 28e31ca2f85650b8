"""What every page begins and ends with: configuration, the cohort, navigation, guards, footer.

Each page stands alone: the first link to reach a fresh server runs that page without app.py.
"""

from __future__ import annotations

import logging
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

from data.cohort import CohortFilter, UnknownInQuery
from data.endpoints import ENDPOINTS, Endpoint
from data.queries import Study
from data.store import Snapshot, SnapshotError, find, snapshots
from data.variables import COHORTS, MISSING, Dictionary, Variable
from pages.elements import access, link, sidebar, wording
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
}
"""The menu: label and file."""

_COMPARISONS = "comparisons_shown"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """What a page works on: a snapshot, its study and dictionary, and the view of it."""

    snapshot: Snapshot
    study: Study
    variables: Dictionary
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
            _refuse_link((problem,), self.view.with_option(option, None))
        return value

    def number(self, option: str) -> int | None:
        """Return a choice that is a number of days or months; stop the page if it is none."""
        value = self.view.option(option)
        if value is None:
            return None
        if not (value.isdecimal() and int(value) <= 36525):
            problem = f"‘{value}’ is not a number for {option}."
            _refuse_link((problem,), self.view.with_option(option, None))
        return int(value)


def open_page(name: str) -> Cohort:
    """Set the page up and return the cohort that it is to show.

    Parameters
    ----------
    name : str
        A key of `PAGES`.
    """
    st.set_page_config(
        page_title=f"{name} · MRD Cohort Explorer",
        page_icon="🩸",
        layout="wide",
        initial_sidebar_state=280,
    )
    link.enter(name)
    try:
        snapshot = _snapshot()
        study, variables = access.study(snapshot), access.dictionary(snapshot)
    except SnapshotError as error:
        st.error(wording.escape(str(error)))
        st.stop()
    try:
        view = link.current_view(study.study_id, variables)
    except UnknownInQuery as unknown:
        _refuse_link(unknown.problems, st.session_state[link.VIEW])
    saved, _ = link.saved_cohorts(view, variables)
    if len(saved) == len(link.SAVED):
        snapshot = access.comparing(snapshot, saved["A"], saved["B"])
        variables = access.dictionary(snapshot)
    cohort = Cohort(snapshot, study, variables, view)
    cohort.choice("timepoint", {v.name: v for v in variables.timepoints}, "")
    sidebar.draw(cohort.snapshot, cohort.study, cohort.variables, cohort.view)
    with st.container(horizontal=True, gap="xxsmall", wrap=False):
        for label in PAGES:
            page_link(label, view)
    return cohort


def page_link(page: str, view: View, label: str = "", icon: str | None = None) -> None:
    """Draw a link to another page that carries a view."""
    # A page that is run on its own has no siblings to link to, and works all the same.
    with suppress(StreamlitPageNotFoundError):
        st.page_link(PAGES[page], label=label or page, icon=icon, query_params=view.to_query())


def show_patients(cohort: Cohort, groups: Mapping[str, tuple[CohortFilter, int]]) -> None:
    """Draw a popover with one link per group to the Patients page with that selection.

    Parameters
    ----------
    groups : mapping of str to (CohortFilter, int)
        By name, the whole selection of the group and its number of patients; nobody is no link.
    """
    shown = {name: group for name, group in groups.items() if group[1]}
    if not shown:
        return
    # Not tertiary: the name of an open one is too dark to read in the dark theme.
    with st.popover("Show patients", icon=":material/groups:"):
        for name, (selection, n) in shown.items():
            label = f"{wording.escape(name)}, {n:,}"
            page_link("Patients", cohort.view.with_cohort(selection), label)


def patients_by(cohort: Cohort, *by: Variable) -> dict[str, tuple[CohortFilter, int]]:
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


def _snapshot() -> Snapshot:
    study_id, digest = link.asked_study()
    if study_id is None:
        served = [snapshot for snapshot in snapshots() if snapshot.current]
        if not served:
            raise SnapshotError(
                "There is no cohort yet. Publish one with: python -m data import PATH --study ID"
            )
        return max(served, key=lambda snapshot: snapshot.published_at)
    return find(study_id, digest)


def _refuse_link(problems: Sequence[str], rest: View) -> None:
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
    position = next(i for i, (_, n) in enumerate(steps) if n == 0)
    name = list(cohort.filter.phrases(cohort.variables))[position - 1]
    words, before = steps[position][0], steps[position - 1][1]
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
    link.put(key, current)

    def changed() -> None:
        value = st.session_state[key]
        set_option(option, None if value == default else value)

    st.selectbox(
        label,
        list(choices),
        format_func=lambda v: choices[v],
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
    """Let one failing part of a page leave the rest standing.

    The log gets the place of the failure but not its message, which can hold patient values.
    """
    try:
        yield
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("%s: %s in %s:%s", what, type(error).__name__, place.filename, place.lineno)
        st.error(f"{what} could not be shown. The rest of the page is not affected.")


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
    if cohort.study.data_cutoff:
        words.append(f"cut-off {wording.escape(cohort.study.data_cutoff)}")
    cited = wording.escape(cohort.study.citation)
    compared = cohort.snapshot.compared if cohort.view.grouped_by_cohorts else None
    for name, saved in (("A", compared.a), ("B", compared.b)) if compared else ():
        words.append(f"{name}: {wording.escape(saved.describe(cohort.variables))}")
    words += [cohort.words, *(part for part in parts if part), cited, f"v{VERSION}"]
    words = [word for word in words if word]
    st.markdown(f":small[:gray[{' · '.join(words)}]]")
