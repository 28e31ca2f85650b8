"""What the MRD page can be asked, and how it shows the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pandas as pd
import streamlit as st

from analytics.mrd import Denominator
from data.variables import Variable
from pages.elements import (
    access,
    concordance_view,
    frame,
    plain,
    response_view,
    tables,
    takeaway,
    wording,
)
from pages.elements.answers.negativity import Negativity
from pages.elements.charts.rates import rates_chart
from pages.elements.charts.survival import Group
from pages.elements.charts.theme import ALL, styles
from pages.elements.charts.wire import packed
from pages.elements.frame import Cohort
from pages.elements.remembered import remembered

_NOBODY = "none"
DENOMINATORS = {
    "evaluable": "Evaluable",
    "evaluable without below LOD": "Without below LOD",
    "all in remission": "All in remission",
}
"""The denominators of a rate, in words."""

_EXPLAINED = {
    "evaluable": "Evaluable: a sample in the window; below LOD{count} counts as not negative.",
    "evaluable without below LOD": "Evaluable: a sample in the window; below LOD{count} is left out.",
    "all in remission": "All in remission: whoever has no sample counts as not negative.",
}


_SECTIONS = {"curves": "Outcome by response", "assays": "Two assays compared"}


@dataclass(frozen=True)
class MrdView:
    """The choices of the MRD page."""

    by: Variable | None
    denominator: Denominator

    @property
    def title(self) -> str:
        """What the figure shows."""
        if self.by is None:
            return "MRD negativity by timepoint"
        return f"MRD negativity by {wording.inside(self.by.label)} and timepoint"


def read(cohort: Cohort) -> MrdView:
    """Return the choices of the link; risk group and evaluable patients where it leaves them open."""
    by = cohort.choice("by", {_NOBODY: "", **cohort.variables}, _default_group(cohort))
    if by not in _groupings(cohort):
        # Carried over from another page, which can group by what this one cannot.
        by = _default_group(cohort)
    return MrdView(
        None if by == _NOBODY else cohort.variables[by],
        cast(Denominator, cohort.choice("denominator", DENOMINATORS, "evaluable")),
    )


def _groupings(cohort: Cohort) -> dict[str, str]:
    # Grouping MRD by the MRD of the same timepoint says nothing.
    return {_NOBODY: "All patients"} | {
        v.name: v.label for v in cohort.variables.groupable if v.known != "at a day"
    }


def _default_group(cohort: Cohort) -> str:
    return "risk_group" if "risk_group" in cohort.variables else _NOBODY


def without_mrd(cohort: Cohort) -> bool:
    """Say so where a study has no MRD at all."""
    if cohort.variables.timepoints:
        return False
    st.info(
        f"{wording.escape(cohort.study.name)} brought no MRD assessments, so there is no rate of MRD "
        "negativity. Its survival and its patients are on the other pages."
    )
    return True


def controls(cohort: Cohort, view: MrdView) -> None:
    """Draw grouping and denominator."""
    with st.container(horizontal=True):
        frame.select("Group by", "by", _groupings(cohort),
            view.by.name if view.by else _NOBODY, default=_default_group(cohort),
        )  # fmt: skip
        frame.select("Denominator", "denominator", DENOMINATORS, view.denominator,
            default="evaluable",
        )  # fmt: skip


def guards(view: MrdView, result: Negativity) -> None:
    """Warn where missing samples make the rate."""
    if view.denominator == "all in remission":
        some = wording.percent(result.without) if result.without == result.without else "Some"
        frame.guard(
            "Missing samples", f"{some} of all timepoints have no sample and count as not negative."
        )


def answer(cohort: Cohort, view: MrdView) -> Negativity:
    """Return the rates of the cohort by the chosen grouping."""
    by = view.by.name if view.by else None
    return access.negativity(cohort.snapshot, cohort.filter, by, view.denominator)


def groups(view: MrdView, result: Negativity) -> tuple[pd.DataFrame, list[Group]]:
    """Return the rates that the figure draws, and their groups: those that have patients."""
    if view.by is None or result.figure is None:
        return result.everybody, [Group("", "All patients", "All patients", ALL)]
    rates = result.figure.rates
    present = set(rates.loc[rates["evaluable"] > 0, view.by.name])
    values = [level.value for level in view.by.levels]
    looks = dict(zip(values, styles(view.by.name, values), strict=True))
    return rates, [
        Group(level.value, level.name, level.name, looks[level.value])
        for level in view.by.levels
        if level.value in present
    ]


def chart(view: MrdView, result: Negativity) -> dict[str, Any] | None:
    """Return the rates with their intervals over the table of n/N; None where nobody was evaluable."""
    rates, drawn = groups(view, result)
    if not drawn or not rates["evaluable"].any():
        return None
    # Of three groups or more; the table's test compares two, and the footer says so.
    test = "Fisher" if len(drawn) < 3 else ""
    p_values = result.figure.p_values if result.figure else {}
    tests = {
        timepoint: f"{test} {wording.p_value(p)}".strip() if wording.p_value(p) else ""
        for timepoint, p in p_values.items()
    }
    share = "patients" if view.denominator == "all in remission" else "evaluable"
    return rates_chart(rates, drawn, p_values=tests, denominator=share)


@remembered(200)
def _packed(view: MrdView, result: Negativity) -> dict[str, Any] | None:
    spec = chart(view, result)
    return spec and packed(spec)


def figure(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Draw the rates with their intervals over the table of n/N."""
    spec = _packed(view, result)
    if spec is None:
        st.info("Nobody in this cohort was evaluable for MRD at any timepoint.")
        return
    alt = said(view, result)
    st.vega_lite_chart(spec, theme=None, width="stretch", key="rates_figure", alt=alt)
    takeaway.menu(cohort, "mrd_rates")


def said(view: MrdView, result: Negativity) -> str:
    """Say what the figure shows."""
    rates, drawn = groups(view, result)
    parts = []
    for timepoint, here in rates[rates["evaluable"] > 0].groupby(
        "timepoint", sort=False, observed=True
    ):
        told = []
        for group in drawn:
            row = here if view.by is None else here[here[view.by.name] == group.level]
            if len(row):
                one = row.iloc[0]
                rate = (
                    one["negative"] if one["rate"] != one["rate"] else wording.percent(one["rate"])
                )
                told.append(f"{group.label} {rate} of {one['evaluable']}")
        parts.append(f"{timepoint}: {', '.join(told)}")
    return f"{view.title}. {'; '.join(parts)}"


def table_title(view: MrdView) -> str:
    """Return what the cells of the table are."""
    of = "all" if view.denominator == "all in remission" else "evaluable"
    return f"Negative / {of}, % (exact 95% CI)"


def table(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Write the rates as the papers' Table 2."""
    st.subheader(table_title(view), anchor=False)
    shown = tables.negativity(result.everybody, result.blocks, cohort.variables)
    st.table(shown, border="horizontal", hide_index=True)
    below = result.totals[result.totals["status"] == "below LOD"]
    told = ", ".join(
        f"{n} {wording.escape(str(t))}" for t, n in zip(below["timepoint"], below["n"], strict=True)
    )
    text = _EXPLAINED[view.denominator].format(count=f" ({told})" if told else "")
    if cohort.filter.rule.below_lod == "negative" and view.denominator != "all in remission":
        text = (
            "Evaluable: a sample in the window; below LOD counts as negative, by the rule chosen."
        )
    indeterminate = result.totals.loc[result.totals["status"] == "indeterminate", "n"].sum()
    if indeterminate:
        text += (
            f" {wording.count(indeterminate, 'sample')} indeterminate: never counted as negative."
        )
    withheld = {level for block in result.blocks.values() for level in block.withheld}
    if why := frame.withheld(cohort, sorted(withheld, key=lambda level: level.name)):
        text += f" {why}"
    st.markdown(f":small[:gray[{text}]]")
    shown_in = [frame.patients_by(cohort, cohort.variables[name]) for name in result.blocks]
    behind = {name: group for block in shown_in for name, group in block.items()}
    with st.container(horizontal=True):
        frame.show_patients(cohort, behind)
        takeaway.menu(cohort, "mrd_table")


def sections(cohort: Cohort) -> str:
    """Draw the choice of what follows, and return it: nothing of it is computed before it is asked for."""
    two = access.assay_pairs(cohort.snapshot)
    default = "assays" if two else _NOBODY
    chosen = cohort.choice("mrd_section", {_NOBODY: "", **_SECTIONS}, default)
    key = "choice_mrd_section"

    def changed() -> None:
        value = st.session_state[key] or _NOBODY
        frame.set_option("mrd_section", None if value == default else value)

    st.segmented_control(
        "Further", list(_SECTIONS), format_func=lambda name: _SECTIONS[name],
        default=frame.link.put(key, None if chosen == _NOBODY else chosen), key=key, on_change=changed,
        label_visibility="collapsed",
    )  # fmt: skip
    return chosen


def section(cohort: Cohort, chosen: str) -> None:
    """Show the section that was chosen, if any."""
    if chosen == "curves":
        response_view.responders(cohort)
    elif chosen == "assays":
        concordance_view.shown(cohort)


def in_plain_words(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Offer the result in plain words."""
    text = plain.negativity(result, cohort.study, cohort.filter, cohort.variables, view.denominator)
    frame.in_plain_words(text)


def footer(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Write study, selection, assay and method."""
    assays = ", ".join(result.assays)
    frame.footer(
        cohort, wording.escape(assays), f"denominator: {DENOMINATORS[view.denominator].lower()}",
        "Clopper–Pearson 95% CI", "Fisher’s exact test, two-sided, P not adjusted",
        "difference: the first of two groups less the second, in points, Newcombe’s 95% CI",
        "change and difference of assays: Newcombe’s paired 95% CI, exact McNemar",
        "in the figure of all groups together, in the table block by block",
    )  # fmt: skip
