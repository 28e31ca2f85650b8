"""The MRD rule in the sidebar: what it is, and the choices that change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from data.queries import Study
from data.rule import CUTOFFS, MrdRule, power
from data.variables import Dictionary
from pages.elements import link, wording
from pages.elements.link import View

_ANY, _OWN = "any", "own"
_BELOW_LOD = {"own status": "Its own status", "negative": "Negative"}


def draw(study: Study, variables: Dictionary, view: View) -> None:
    """Draw the fold with the rule in force, and its choices."""
    rule = view.cohort.rule
    label = f"MRD rule :orange-badge[{wording.escape(_short(rule))}]" if rule else "MRD rule"
    with st.expander(label, icon=":material/rule:", key="mrd_rule"):
        if len(variables.assays) > 1:
            assays = {_ANY: "Any"} | {name: name for name in variables.assays}
            _choice("Assay", "assay", assays, rule.assay or _ANY)
        cutoffs = {_OWN: "Study’s own"} | {t: power(value) for t, value in CUTOFFS.items()}
        spelled = {value: text for text, value in CUTOFFS.items()}
        _choice("Cut-off", "cutoff", cutoffs, spelled.get(rule.cutoff or 0, _OWN))
        _choice("Found below the limit of detection", "below_lod", _BELOW_LOD, rule.below_lod)
        if rule:
            st.button(
                "Study’s own rule", icon=":material/restart_alt:", type="tertiary",
                on_click=link.change, args=(view.with_cohort(view.cohort.with_rule(MrdRule())),),
            )  # fmt: skip
        st.markdown(sentences(study, rule))


def _short(rule: MrdRule) -> str:
    """Return what differs from the study's own rule, as short as a fold's label: 'NGS 10⁻⁵'."""
    parts = [rule.assay or "", power(rule.cutoff) if rule.cutoff else ""]
    parts.append("LOD" if rule.below_lod == "negative" else "")
    return " ".join(part for part in parts if part)


def _choice(label: str, field: str, choices: Mapping[str, str], current: str) -> None:
    key = f"rule_{field}"

    def changed() -> None:
        view: View = st.session_state[link.VIEW]
        value = st.session_state[key]
        meant = {_ANY: None, _OWN: None}.get(value, CUTOFFS.get(value, value))
        rule = replace(view.cohort.rule, **{field: meant})
        link.change(view.with_cohort(view.cohort.with_rule(rule)))

    if len(choices) < 4:
        st.segmented_control(
            label, list(choices), format_func=lambda v: choices[v], default=link.put(key, current),
            key=key, on_change=changed, required=True, width="stretch",
        )  # fmt: skip
    else:
        st.selectbox(label, list(choices), link.put_choice(key, current, choices),
                     format_func=lambda v: choices[v], key=key, on_change=changed)  # fmt: skip


def sentences(study: Study, rule: MrdRule) -> str:
    """Return the rule that gives a timepoint its MRD status, in sentences."""
    windows = "; ".join(
        f"{wording.escape(t.label)}: day {t.first_day} to {t.last_day}, nearest to {t.target_day}"
        for t in study.timepoints
    )
    only = f"Only samples by {wording.escape(rule.assay)} count. " if rule.assay else ""
    levels = _own_levels() if rule.cutoff is None else _levels(power(rule.cutoff))
    limit = "the limit of detection"
    if rule.cutoff is not None:
        limit = f"a limit of detection that is not deeper than {power(rule.cutoff)}"
    trace = "a status of its own, not negative"
    if rule.below_lod == "negative":
        trace = "counts as negative here, in marrow and with that sensitivity"
    return (
        f":small[{only}{levels} **Below LOD**: found under {limit}; {trace}.]\n\n"
        ":small[**Early responder**: negative at the first timepoint. **Late responder**: positive "
        "there, negative later. **Non-responder**: positive at least once, never negative.]\n\n"
        f":small[Samples before alloSCT, CAR T cells and relapse, from "
        f"{wording.escape(study.day_zero_label)}. {windows}.]"
    )


def _own_levels() -> str:
    return (
        "**Negative**: nothing found in marrow, with a sensitivity of 10⁻⁶ (NGS) or 10⁻⁴ "
        "(flow, PCR). **Positive**: at or above the limit of detection, marrow or blood. "
        "**Indeterminate**: nothing found, but in blood or with a shallower assay; never counted as "
        "negative."
    )


def _levels(cutoff: str) -> str:
    return (
        f"**Positive**: a level of {cutoff} or more, marrow or blood. **Negative**: less, or nothing, "
        f"in marrow, with a sensitivity of {cutoff}. **Indeterminate**: the same in blood or with a "
        "shallower assay; never counted as negative. A call without a level keeps its call."
    )
