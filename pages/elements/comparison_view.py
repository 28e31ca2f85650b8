"""What the models below the curves have in common: which two groups, which covariates, guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from data.variables import Variable
from pages.elements import access, frame, survival_view, wording
from pages.elements.answers.models import Comparison
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

NONE = "none"
_ADD = "add_covariate"


def grouping(cohort: Cohort, view: SurvivalView, what: str) -> Variable | None:
    """Return the grouping; where there is none, offer some."""
    if view.by is not None:
        return view.by
    names = [v.name for v in cohort.variables.timepoints]
    names += ["risk_group", "ph_status", "allosct", "frontline_therapy"]
    offered = [cohort.variables[name] for name in names if name in cohort.variables]
    st.markdown(f"{what} compares two groups. Choose by what, here or under ‘Group by’ above:")
    with st.container(horizontal=True):
        for variable in offered:
            chosen = cohort.view.with_option("by", variable.name)
            label = wording.escape(variable.label)
            st.button(
                label, key=f"compare_{variable.name}", on_click=frame.link.change, args=(chosen,)
            )
    return None


def against(cohort: Cohort, by: Variable) -> str | None:
    """Return which level the link compares with the first; one of another grouping does not count."""
    levels = {level.value: "" for v in cohort.variables.groupable for level in v.levels}
    asked = cohort.choice("contrast", levels, "")
    return asked if asked in {level.value for level in by.levels} else None


def pick(comparison: Comparison, asked: str | None) -> None:
    """Let another level be compared with the reference, where there are several."""
    if len(comparison.offered) > 1:
        offered = {level.value: level.name for level in comparison.offered}
        frame.select(
            f"Compared with {wording.escape(comparison.reference.name)}", "contrast", offered,
            comparison.compared.value, default=comparison.offered[0].value, width=230,
        )  # fmt: skip
    if asked and asked != comparison.compared.value:
        st.markdown(f":small[‘{wording.escape(asked)}’ has fewer than {FEWEST_FOR_A_CURVE} patients "
                    "here or is the reference; another group is compared.]")  # fmt: skip


def names(comparison: Comparison) -> str:
    """Return 'MRD positive against MRD negative', safe to show."""
    return wording.escape(f"{comparison.compared.name} against {comparison.reference.name}")


def no_two_groups(by: Variable) -> None:
    """Say that there is nothing to compare."""
    label = wording.escape(wording.inside(by.label))
    st.info(
        f"Fewer than two groups of {label} hold {FEWEST_FOR_A_CURVE} patients or more: there is "
        "nothing to compare. Widen the filter or choose another grouping."
    )


def small(text: str) -> None:
    """Write a note in small grey letters."""
    st.markdown(f":small[:gray[{text}]]")


def guard_late(
    cohort: Cohort, view: SurvivalView, badge: str, sentence: str, late: Iterable[Variable]
) -> None:
    """Write a guard on variables known only later, with the landmark that mends it if there is one."""
    offered = survival_view.landmarks(cohort, view.endpoint)
    deciding = cohort.variables.deciding(variable.name for variable in late)
    last = max((offered[v.name] for v in deciding if v.name in offered), default=None)
    if last is None:
        frame.guard(badge, f"{sentence} Without dates no landmark can set it right.")
        return
    action = cohort.view.with_option("landmark_days", str(last))
    remedy = f"Start at {wording.month_label(last)}"
    frame.guard(badge, sentence, remedy, frame.link.change, (action,))


def default_covariates(cohort: Cohort, view: SurvivalView, *, grouping: bool) -> tuple[str, ...]:
    """Return the grouping, age, leucocytes, and risk group or Ph status: those that vary."""
    varying = access.varying(cohort.snapshot, cohort.filter, None, "unknown")
    by = view.by.name if view.by else ""

    def varies(name: str) -> bool:
        return name in cohort.variables and name in varying

    disease = next((n for n in ("risk_group", "ph_status") if varies(n)), "")
    if by in ("risk_group", "ph_status"):
        disease = ""
    named = [by if grouping else "", "age_years", "wbc_10e9_per_l", disease]
    return tuple(n for n in named if n and (n == by or varies(n)))


def chosen_covariates(
    cohort: Cohort, offered: Mapping[str, Variable], default: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the covariates that the link asks for, of those offered."""
    asked = cohort.view.option("covariates")
    if asked is None:
        return default
    named = asked.split(",")
    known = all(name in cohort.variables for name in named) or asked == NONE
    cohort.choice("covariates", {asked: ""} if known else cohort.variables, "")
    return tuple(name for name in named if name in offered)


def covariates(
    cohort: Cohort, offered: Mapping[str, Variable], default: tuple[str, ...]
) -> tuple[str, ...]:
    """Draw the covariates as pills and a way to find another; return those chosen."""
    chosen = chosen_covariates(cohort, offered, default)
    asked = cohort.view.option("covariates")
    if asked is not None:
        named = asked.split(",")
        passed = [cohort.variables[n] for n in named if n in cohort.variables and n not in offered]
        if passed:
            small(
                f"Not among the covariates here: {wording.escape(wording.listed(v.label for v in passed))}."
            )
    shown = list(dict.fromkeys([*default, *chosen]))
    key = "choice_covariates"

    def write(wanted: Sequence[str]) -> None:
        same = set(wanted) == set(default)
        frame.set_option("covariates", None if same else ",".join(wanted) or NONE)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.pills(
            "Covariates", shown, selection_mode="multi", default=frame.link.put(key, list(chosen)),
            key=key,
            format_func=lambda name: wording.escape(offered[name].label),
            on_change=lambda: write([n for n in shown if n in st.session_state[key]]),
        )  # fmt: skip
        st.session_state[_ADD] = None
        st.selectbox(
            "Add a covariate", [name for name in offered if name not in shown], index=None, key=_ADD,
            format_func=lambda name: offered[name].label, placeholder="Find a covariate",
            on_change=lambda: write([*chosen, *filter(None, [st.session_state[_ADD]])]), width=230,
            label_visibility="collapsed",
        )  # fmt: skip
    return chosen
