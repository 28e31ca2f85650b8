"""Two assays on the same patients: their table, who is discordant, and the outcome of each class."""

from __future__ import annotations

import streamlit as st

from analytics.suppression import Hidden
from data.assays import AT_START, SAME_DAY, AssayPair
from data.variables import Variable
from pages.elements import (
    access,
    frame,
    link,
    outcome_view,
    survival_view,
    tables,
    takeaway,
    wording,
)
from pages.elements.answers.concordance import Concordance
from pages.elements.frame import Cohort


def shown(cohort: Cohort) -> None:
    """Show how two assays agree, or say why there is nothing to compare."""
    pairs = access.assay_pairs(cohort.snapshot)
    asked = pair_asked(cohort)
    if asked is None:
        st.info(
            f"{wording.escape(cohort.study.name)} has no patients evaluable by two MRD assays at "
            "the same time: there is nothing to compare."
        )
        return
    two, time = asked.assays, asked.time
    named = {p.assays: f"{p.first} and {p.second}" for p in pairs}
    times = {p.time: f"{_capital(p.when)} ({p.n:,})" for p in pairs if p.assays == two}
    with st.container(horizontal=True):
        frame.select("Assays", "assays", named, two, default=pairs[0].assays)
        frame.select("Taken", "assays_at", times, time, default=next(iter(times)), width=230)
    variable, result = answer(cohort, asked)
    if not result.n:
        st.info(f"Nobody of this cohort is evaluable by both. {_left_out(result)}")
        return
    left, right = st.columns([1.12, 1], gap="medium")
    with left:
        st.table(tables.concordance(result), border="horizontal", hide_index=True)
        st.markdown(f":small[:gray[{_explained(cohort, result)}]]")
        takeaway.menu(cohort, "concordance")
    with right:
        st.table(tables.agreement(result), border="horizontal", hide_index=True)
    _classes(cohort, result, variable)
    outcome_view.curves(cohort, variable, landmark(cohort, result), "concordance")


def pair_asked(cohort: Cohort) -> AssayPair | None:
    """Return the two assays and the time that the link asks for; None in a study without any."""
    pairs = access.assay_pairs(cohort.snapshot)
    if not pairs:
        return None
    two = cohort.choice("assays", {p.assays: "" for p in pairs}, pairs[0].assays)
    times = {p.time: p for p in pairs if p.assays == two}
    return times[cohort.choice("assays_at", times, next(iter(times)))]


def answer(cohort: Cohort, pair: AssayPair) -> tuple[Variable, Concordance]:
    """Return how two assays agree, and the variable whose levels are the classes."""
    variable = cohort.variables[pair.variable().name]
    # A class alone would agree, or not, by choice.
    every = cohort.filter.without(variable.name)
    return variable, access.concordance(cohort.snapshot, every, pair.assays, pair.time)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _explained(cohort: Cohort, result: Concordance) -> str:
    """Say what was paired, how it was counted, and who is left out."""
    pair = result.pair
    how = {
        AT_START: f"the last sample by each up to {cohort.study.day_zero_label}",
        SAME_DAY: "the first day on which both were taken",
    }.get(pair.position, "the sample by each nearest the target day")
    apart = f", at most {wording.count(result.days_apart, 'day')} apart"
    parts = [
        f"{_capital(wording.escape(how))}{apart if result.days_apart else ', on the same day'}.",
        "Agreement and test are of negative against not negative; below LOD is not negative.",
    ]
    shown = not isinstance(result.n, Hidden) and result.agreement.observed is not None
    if shown and result.agreement.low is None and {result.first.count, result.second.count} & {
        0, result.n
    }:  # fmt: skip
        parts.append("One assay gave one answer throughout: kappa says nothing here.")
    if cohort.filter.get(result.pair.variable().name):
        parts.append("Of all classes, also those that the filter leaves out.")
    if cohort.filter.rule:
        parts.append("Statuses by the study’s own rule, since another could leave out an assay.")
    return " ".join([*parts, _left_out(result)]).strip()


def _left_out(result: Concordance) -> str:
    reasons = "; ".join(f"{wording.escape(r)} ({n})" for r, n in result.left_out.items())
    return f"Left out: {reasons}." if reasons else ""


def _classes(cohort: Cohort, result: Concordance, variable: Variable) -> None:
    """Offer each class as the cohort."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Make a class the cohort", width="content")
        for level in variable.levels:
            n = result.classes[level.value]
            chosen = cohort.view.with_cohort(cohort.filter.with_(variable.name, (level.value,)))
            st.button(
                f"{tables.marked(variable, level.value, level.short)} :gray[{n}]",
                key=f"class_{level.value}",
                disabled=not n or chosen == cohort.view,
                on_click=link.change,
                args=(chosen,),
            )


def landmark(cohort: Cohort, result: Concordance) -> int | None:
    """Return the day from which the classes can be compared; None if they are known from the start."""
    position = result.pair.position
    if position == AT_START:
        return None
    offered = survival_view.landmarks(cohort, cohort.endpoint())
    names = [t.variable for t in cohort.study.timepoints]
    return offered[names[-1 if position == SAME_DAY else position - 1]]
