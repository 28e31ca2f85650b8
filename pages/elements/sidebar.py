"""The filters: the view of the session in widgets, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from data.cohort import CohortFilter
from data.queries import Study
from data.store import Snapshot, snapshots
from data.variables import MISSING, Dictionary, Variable
from pages.elements import access, link, wording
from pages.elements.link import View

_ALWAYS = ("ph_status", "risk_group")
_AFTER_MRD = ("allosct",)
_ADDED = "filters_added"


def draw(snapshot: Snapshot, study: Study, variables: Dictionary, view: View) -> None:
    """Draw the sidebar: study, the filters asked for most, the others, and the MRD rule."""
    with st.sidebar:
        _study(snapshot)
        timepoint = _timepoint(variables, view)
        main = [name for name in (*_ALWAYS, timepoint, *_AFTER_MRD) if name in variables]
        more = _more(snapshot, variables, view, main)
        names = tuple(n for n in (*main, *more) if variables[n].kind != "number")
        counts = access.level_counts(snapshot, view.cohort, names)
        for name in main:
            if name == timepoint:
                _timepoint_control(variables, timepoint)
            _pills(snapshot, variables[name], view, counts[name], hide_label=name == timepoint)
        with st.container(horizontal=True):
            st.button(
                "Reset", icon=":material/restart_alt:", type="tertiary", disabled=not view.cohort,
                on_click=link.change, args=(view.with_cohort(CohortFilter()),),
            )  # fmt: skip
            st.button(
                "Undo", icon=":material/undo:", type="tertiary", disabled=not link.can_undo(),
                on_click=link.undo,
            )  # fmt: skip
        with st.expander("More filters", icon=":material/tune:", expanded=bool(more)):
            _find(variables, main, more)
            for name in more:
                if variables[name].kind == "number":
                    _range(snapshot, variables[name], view)
                else:
                    _pills(snapshot, variables[name], view, counts[name])
        if study.timepoints:
            with st.expander("MRD rule", icon=":material/rule:"):
                st.markdown(mrd_rule(study))


def mrd_rule(study: Study) -> str:
    """Return the rule that gives a timepoint its MRD status, in sentences."""
    windows = "; ".join(
        f"{wording.escape(t.label)}: day {t.first_day} to {t.last_day}, nearest to {t.target_day}"
        for t in study.timepoints
    )
    return (
        f":small[**Negative**: nothing found in marrow, with a sensitivity of 10⁻⁶ (NGS) or 10⁻⁴ "
        "(flow, PCR). **Positive**: at or above the limit of detection, marrow or blood. "
        "**Below LOD**: found, under the limit of detection. **Indeterminate**: nothing found, but in "
        "blood or with a shallower assay; never counted as negative.]\n\n"
        ":small[**Early responder**: negative at the first timepoint. **Late responder**: positive "
        "there, negative later. **Non-responder**: positive at least once, never negative.]\n\n"
        f":small[Samples before alloSCT, CAR T cells and relapse, from "
        f"{wording.escape(study.day_zero_label)}. {windows}.]"
    )


def _study(snapshot: Snapshot) -> None:
    served = {s.study_id: s for s in snapshots() if s.current}
    served[snapshot.study_id] = snapshot
    link.put("choice_study", snapshot.study_id)
    st.selectbox(
        "Study",
        sorted(served),
        format_func=lambda study_id: access.study(served[study_id]).name,
        key="choice_study",
        on_change=_study_changed,
    )


def _study_changed() -> None:
    view: View = st.session_state[link.VIEW]
    if view.cohort or view.options:
        st.toast("Filters and grouping belong to a study: they are lifted. Undo brings them back.")
    link.change(View(st.session_state["choice_study"]))


def _timepoint(variables: Dictionary, view: View) -> str:
    """Return the timepoint whose status the sidebar offers.

    As asked, else one that the cohort is filtered or the curves are grouped by, else the first.
    """
    names = [variable.name for variable in variables.timepoints]
    used = [name for name in names if view.cohort.get(name)]
    wanted = [view.option("timepoint"), *used, view.option("by"), *names]
    return next((name for name in wanted if name in names and name), "")


def chosen_timepoint(variables: Dictionary, view: View) -> Variable | None:
    """Return the MRD variable of the timepoint chosen in the sidebar, if the study has any."""
    name = _timepoint(variables, view)
    return variables[name] if name else None


def _timepoint_control(variables: Dictionary, current: str) -> None:
    link.put("choice_timepoint", current)

    def changed() -> None:
        view: View = st.session_state[link.VIEW]
        link.change(view.with_option("timepoint", st.session_state["choice_timepoint"]))

    labels = {v.name: wording.short_timepoint(v.label) for v in variables.timepoints}
    st.segmented_control(
        "MRD status at",
        list(labels),
        format_func=lambda name: labels[name],
        key="choice_timepoint",
        on_change=changed,
        required=True,
        width="stretch",
    )


def _pills(
    snapshot: Snapshot,
    variable: Variable,
    view: View,
    counts: Mapping[str, int],
    *,
    hide_label: bool = False,
) -> None:
    """Draw the levels of one variable, each with the patients it would leave."""
    everyone = access.level_counts(snapshot, CohortFilter(), (variable.name,))[variable.name]
    chosen = [str(level) for level in view.cohort.get(variable.name)]
    order = [level.value for level in variable.levels] + [MISSING]
    values = [value for value in order if everyone.get(value) or value in chosen]
    key = f"filter_{variable.name}"
    link.put(key, chosen)

    def changed() -> None:
        now: View = st.session_state[link.VIEW]
        levels = tuple(st.session_state[key])
        link.change(now.with_cohort(now.cohort.with_(variable.name, levels)))

    def label(value: str) -> str:
        name, n = wording.escape(variable.level(value).short), counts.get(value, 0)
        return f"{name} :gray[{n}]" if n else f":gray[{name} 0]"

    st.pills(
        variable.label,
        values,
        selection_mode="multi",
        format_func=label,
        key=key,
        on_change=changed,
        label_visibility="collapsed" if hide_label else "visible",
    )


def _range(snapshot: Snapshot, variable: Variable, view: View) -> None:
    """Draw a number as a range; the whole range is no condition and keeps missing values."""
    values = access.subjects(snapshot, CohortFilter())[variable.name].dropna()
    low, high = float(values.min()), float(values.max())
    if low == high:
        return
    key = f"filter_{variable.name}"
    condition = view.cohort.get(variable.name) or (low, high)
    link.put(key, tuple(min(max(float(bound), low), high) for bound in condition))

    def changed() -> None:
        now: View = st.session_state[link.VIEW]
        chosen = tuple(st.session_state[key])
        kept = () if chosen == (low, high) else chosen
        link.change(now.with_cohort(now.cohort.with_(variable.name, kept)))

    whole = bool((values == values.round()).all())
    label = f"{variable.label}, {variable.unit}" if variable.unit else variable.label
    st.slider(label, low, high, key=key, step=1.0 if whole else 0.1, on_change=changed,
              format="%.0f" if whole else "%.1f")  # fmt: skip


def _more(snapshot: Snapshot, variables: Dictionary, view: View, main: Sequence[str]) -> list[str]:
    """Return the further filters in use: those with a condition, and those just added."""
    added = st.session_state.get(_ADDED, {}).get(snapshot.study_id, [])
    timepoints = {variable.name for variable in variables.timepoints}
    used = [name for name, _ in view.cohort if name not in main and name not in timepoints]
    return [name for name in variables if name in {*used, *added}]


def _find(variables: Dictionary, main: Sequence[str], more: Sequence[str]) -> None:
    timepoints = {variable.name for variable in variables.timepoints}
    rest = [n for n in variables if n not in main and n not in more and n not in timepoints]
    st.session_state["find_variable"] = None

    def added() -> None:
        view: View = st.session_state[link.VIEW]
        name = st.session_state["find_variable"]
        if name:
            studies = st.session_state.setdefault(_ADDED, {})
            studies.setdefault(view.study_id, []).append(name)

    st.selectbox(
        "Find a variable",
        rest,
        index=None,
        format_func=lambda name: variables[name].label,
        key="find_variable",
        on_change=added,
        placeholder="Find a variable",
        label_visibility="collapsed",
    )
