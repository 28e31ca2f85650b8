"""The filters: the view of the session in widgets, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from analytics.suppression import Count
from data.cohort import CohortFilter
from data.queries import Study
from data.store import Snapshot
from data.variables import COHORTS, MISSING, Dictionary, Variable
from pages.elements import access, compare_view, link, rule_view, wording
from pages.elements.catalogue import snapshots
from pages.elements.link import View

ALWAYS = ("ph_status", "risk_group")
_AFTER_MRD = ("allosct",)
_ADDED = "filters_added"


def draw(snapshot: Snapshot, study: Study, variables: Dictionary, view: View) -> None:
    """Draw the sidebar: study, the filters asked for most, the others, and the MRD rule."""
    with st.sidebar:
        _study(snapshot)
        timepoint = _timepoint(variables, view)
        main = [name for name in (*ALWAYS, timepoint, *_AFTER_MRD) if name in variables]
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
                on_click=link.change, args=(view.with_cohort(view.cohort.everybody()),),
            )  # fmt: skip
            st.button(
                "Undo", icon=":material/undo:", type="tertiary", disabled=not link.can_undo(),
                on_click=link.undo,
            )  # fmt: skip
        # Of its own, so that what comes and goes here does not close or move the folds below.
        with st.container():
            compare_view.draw(snapshot, variables, view)
            if view.cohort:
                _left_out(snapshot, variables, view)
        with st.expander("More filters", icon=":material/tune:", expanded=bool(more)):
            _find(variables, main, more)
            for name in more:
                if variables[name].kind == "number":
                    _range(snapshot, variables[name], view)
                else:
                    _pills(snapshot, variables[name], view, counts[name])
        if study.timepoints:
            rule_view.draw(study, variables, view)


def _study(snapshot: Snapshot) -> None:
    served = {s.study_id: s for s in snapshots() if s.current}
    served[snapshot.study_id] = snapshot
    names = wording.distinct({i: access.study_name(s) for i, s in sorted(served.items())})
    st.selectbox(
        "Study",
        list(names),
        link.put_choice("choice_study", snapshot.study_id, names),
        format_func=lambda study_id: names[study_id],
        key="choice_study",
        on_change=_study_changed,
    )


def _study_changed() -> None:
    view: View = st.session_state[link.VIEW]
    other = view.of_study(st.session_state["choice_study"])
    if view.cohort or view.cohort.rule or view.options != other.options:
        st.toast("Filters and choices belong to a study: they are lifted. Undo brings them back.")
    link.change(other)


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

    def changed() -> None:
        view: View = st.session_state[link.VIEW]
        link.change(view.with_option("timepoint", st.session_state["choice_timepoint"]))

    labels = {
        v.name: wording.escape(wording.short_timepoint(v.label)) for v in variables.timepoints
    }
    st.segmented_control(
        "MRD status at",
        list(labels),
        format_func=lambda name: labels[name],
        default=link.put("choice_timepoint", current),
        key="choice_timepoint",
        on_change=changed,
        required=True,
        width="stretch",
    )


def _pills(
    snapshot: Snapshot,
    variable: Variable,
    view: View,
    counts: Mapping[str, Count],
    *,
    hide_label: bool = False,
) -> None:
    """Draw the levels of one variable, each with the patients it would leave."""
    key = f"filter_{variable.name}"

    def changed() -> None:
        now: View = st.session_state[link.VIEW]
        levels = tuple(st.session_state[key])
        link.change(now.with_cohort(now.cohort.with_(variable.name, levels)))

    pills(snapshot, variable, view.cohort, counts, changed, key=key, hide_label=hide_label)


def pills(
    snapshot: Snapshot,
    variable: Variable,
    cohort: CohortFilter,
    counts: Mapping[str, Count],
    changed: Callable[[], None],
    *,
    key: str,
    hide_label: bool = False,
) -> None:
    """Draw the levels of a variable, those of a cohort chosen; `changed` finds the choice under `key`."""
    name = variable.name
    everyone = access.level_counts(snapshot, cohort.everybody(), (name,))[name]
    chosen = [str(level) for level in cohort.get(name)]
    order = [level.value for level in variable.levels] + [MISSING]
    values = [value for value in order if everyone.get(value) or value in chosen]
    names = wording.distinct({value: variable.level(value).short for value in values})

    def label(value: str) -> str:
        name, n = wording.escape(names[value]), counts.get(value, 0)
        return f"{name} :gray[{n}]" if n else f":gray[{name} 0]"

    st.pills(
        wording.escape(variable.label),
        values,
        selection_mode="multi",
        format_func=label,
        default=link.put(key, chosen),
        key=key,
        on_change=changed,
        label_visibility="collapsed" if hide_label else "visible",
    )


def _range(snapshot: Snapshot, variable: Variable, view: View) -> None:
    """Draw a number as a range, slid or typed; the whole range is no condition and keeps the missing."""
    low, high, whole = access.ends_of(snapshot, variable.name)
    if low == high:
        return
    condition = view.cohort.get(variable.name) or (low, high)
    chosen = tuple(min(max(float(bound), low), high) for bound in condition)
    key = f"filter_{variable.name}"

    def changed(*keys: str) -> None:
        now: View = st.session_state[link.VIEW]
        given = st.session_state[key] if not keys else [st.session_state[k] for k in keys]
        kept = () if tuple(given) == (low, high) else tuple(given)
        link.change(now.with_cohort(now.cohort.with_(variable.name, kept)))

    step, shape = (1.0, "%.0f") if whole else (0.1, "%.1f")
    label = f"{variable.label}, {variable.unit}" if variable.unit else variable.label
    st.slider(
        label, low, high, link.put(key, chosen), key=key, step=step, on_change=changed, format=shape
    )
    ends = f"{key}_from", f"{key}_to"
    with st.container(horizontal=True):
        for end, text, bounds, value in zip(
            ends, ("From", "To"), ((low, chosen[1]), (chosen[0], high)), chosen, strict=True
        ):
            st.number_input(text, *bounds, link.put(end, value), key=end, step=step, format=shape,
                            on_change=changed, args=ends, width=88)  # fmt: skip
    _without_value(snapshot, variable, view)


def _without_value(snapshot: Snapshot, variable: Variable, view: View) -> None:
    """Say what becomes of the patients for whom a number is not known."""
    n = access.without_value(snapshot, view.cohort.without(variable.name), variable.name)
    if n:
        kept = "left out" if view.cohort.get(variable.name) else "included"
        said = f"{wording.count(n, 'patient')} without a value {'is' if n == 1 else 'are'} {kept}"
        st.markdown(f":small[:gray[{said}.]]")


def _left_out(snapshot: Snapshot, variables: Dictionary, view: View) -> None:
    """Fold away what each condition removes: on its own, and after those before it."""
    with st.expander(
        "Who is left out", icon=":material/filter_alt:", key="left_out", on_change="rerun"
    ) as fold:
        if not fold.open:
            return
        steps = access.attrition(snapshot, view.cohort)
        total = steps[0].n
        st.markdown(f":small[Whole study **{total:,}**]")
        names = list(view.cohort.phrases(variables))
        for name, step in zip(names, steps[1:], strict=True):
            alone = view.cohort.everybody().with_(name, view.cohort.get(name))
            removed = total - access.size(snapshot, alone)
            with st.container(
                horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False
            ):
                st.markdown(
                    f":small[{wording.escape(step.words)}  \n:gray[−{step.removed:,} here, "
                    f"−{removed:,} on its own]]",
                    width="stretch",
                )
                st.button(
                    "", icon=":material/close:", type="tertiary", key=f"lift_{name}",
                    help="Lift this filter", on_click=link.change,
                    args=(view.with_cohort(view.cohort.without(name)),),
                )  # fmt: skip
        st.markdown(f":small[This cohort **{steps[-1].n:,}**]")


def _more(snapshot: Snapshot, variables: Dictionary, view: View, main: Sequence[str]) -> list[str]:
    """Return the further filters in use: those with a condition, and those just added."""
    added = st.session_state.get(_ADDED, {}).get(snapshot.study_id, [])
    used = {*added, *(name for name, _ in view.cohort)}
    return [name for name in variables if name in used and name not in main]


def _find(variables: Dictionary, main: Sequence[str], more: Sequence[str]) -> None:
    """Draw the search over every other variable, by its label, its name and its levels."""
    rest = [v for n, v in variables.items() if n not in (*main, *more, COHORTS)]
    found = {(v.name, ""): f"{v.label} · {v.name}" for v in rest}
    for variable in rest:
        for level in variable.levels:
            words = level.phrase[:1].upper() + level.phrase[1:]
            twice = f" · {variable.name}" if words in found.values() else ""
            found[variable.name, level.value] = words + twice
    st.session_state["find_variable"] = None

    def added() -> None:
        view: View = st.session_state[link.VIEW]
        name, level = st.session_state["find_variable"] or ("", "")
        if name:
            studies = st.session_state.setdefault(_ADDED, {})
            studies.setdefault(view.study_id, []).append(name)
        if level:
            link.change(view.with_cohort(view.cohort.with_(name, (level,))))

    st.selectbox(
        "Find a variable",
        list(found),
        index=None,
        format_func=lambda option: found[option],
        key="find_variable",
        on_change=added,
        placeholder="Find a variable or level",
        label_visibility="collapsed",
    )
