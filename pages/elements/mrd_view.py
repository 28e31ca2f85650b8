"""What the MRD page can be asked, and how it shows the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pandas as pd
import streamlit as st

from analytics.mrd import Denominator
from data.variables import Variable
from pages.elements import access, frame, plain, tables, wording
from pages.elements.answers.negativity import Negativity
from pages.elements.charts.flows import alluvial_chart
from pages.elements.charts.kinetics import kinetics_chart
from pages.elements.charts.rates import rates_chart
from pages.elements.charts.survival import Group
from pages.elements.charts.theme import ALL, styles
from pages.elements.frame import Cohort

_NOBODY = "none"
_DENOMINATORS = {
    "evaluable": "Evaluable",
    "evaluable without below LOD": "Without below LOD",
    "all in remission": "All in remission",
}
_EXPLAINED = {
    "evaluable": "Evaluable: a sample in the window; below LOD{count} counts as not negative.",
    "evaluable without below LOD": "Evaluable: a sample in the window; below LOD{count} is left out.",
    "all in remission": "All in remission: whoever has no sample counts as not negative.",
}


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
        cast(Denominator, cohort.choice("denominator", _DENOMINATORS, "evaluable")),
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
        frame.select("Denominator", "denominator", _DENOMINATORS, view.denominator,
            default="evaluable",
        )  # fmt: skip


def guards(view: MrdView, result: Negativity) -> None:
    """Warn where missing samples make the rate."""
    if view.denominator == "all in remission":
        missing = (result.samples["status"] == "not assessed").mean()
        frame.guard(
            "Missing samples",
            f"{wording.percent(missing)} of all timepoints have no sample and count as not negative.",
        )


def answer(cohort: Cohort, view: MrdView) -> Negativity:
    """Return the rates of the cohort by the chosen grouping."""
    by = view.by.name if view.by else None
    return access.negativity(cohort.snapshot, cohort.filter, by, view.denominator)


def figure(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Draw the rates with their intervals over the table of n/N."""
    if view.by is None or result.figure is None:
        rates, groups = result.everybody, [Group("", "All patients", "All patients", ALL)]
        tests: dict[str, str] = {}
    else:
        rates = result.figure.rates
        present = set(rates.loc[rates["evaluable"] > 0, view.by.name])
        values = [level.value for level in view.by.levels]
        looks = dict(zip(values, styles(view.by.name, values), strict=True))
        groups = [
            Group(level.value, level.name, level.name, looks[level.value])
            for level in view.by.levels
            if level.value in present
        ]
        # Of three groups or more; the table's test compares two, and the footer says so.
        test = "Fisher" if len(groups) < 3 else ""
        tests = {
            timepoint: f"{test} {wording.p_value(p)}".strip() if wording.p_value(p) else ""
            for timepoint, p in result.figure.p_values.items()
        }
    if not groups or not rates["evaluable"].any():
        st.info("Nobody in this cohort was evaluable for MRD at any timepoint.")
        return
    share = "patients" if view.denominator == "all in remission" else "evaluable"
    spec = rates_chart(rates, groups, p_values=tests, denominator=share)
    st.vega_lite_chart(spec, theme=None, width="stretch", key="rates_figure", alt=view.title)


def table(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Write the rates as the papers' Table 2."""
    of = "all" if view.denominator == "all in remission" else "evaluable"
    st.subheader(f"Negative / {of}, % (exact 95% CI)", anchor=False)
    shown = tables.negativity(result.everybody, result.blocks, cohort.variables)
    st.table(shown, border="horizontal", hide_index=True)
    below = result.samples[result.samples["status"] == "below LOD"]
    counts = below.groupby("timepoint", sort=False).size()
    said = ", ".join(f"{n} {wording.escape(str(t))}" for t, n in counts.items())
    text = _EXPLAINED[view.denominator].format(count=f" ({said})" if said else "")
    indeterminate = int((result.samples["status"] == "indeterminate").sum())
    if indeterminate:
        text += (
            f" {wording.count(indeterminate, 'sample')} indeterminate: never counted as negative."
        )
    st.markdown(f":small[:gray[{text}]]")


def alluvial(result: Negativity) -> None:
    """Draw how the status changes from timepoint to timepoint."""
    if result.samples["timepoint"].nunique() < 2:
        return
    st.subheader("From timepoint to timepoint", anchor=False)
    totals = result.samples.groupby(["timepoint", "status"], sort=False).size()
    spec = alluvial_chart(
        result.flows,
        totals.rename("n").reset_index(),
        timepoints=list(dict.fromkeys(result.samples["timepoint"])),
    )
    alt = "MRD status from timepoint to timepoint"
    st.vega_lite_chart(spec, theme=None, width="stretch", key="alluvial_figure", alt=alt)


def kinetics(cohort: Cohort, result: Negativity) -> None:
    """Draw the MRD level of each patient over time."""
    st.subheader("Level over time, one line per patient", anchor=False)
    samples = result.samples[result.samples["mrd_fraction"].notna()]
    if samples.empty:
        st.info("No sample of this cohort has a quantified level.")
        return
    drawn = pd.DataFrame(
        {
            # A running number, so that no patient id reaches the browser.
            "line": pd.factorize(samples["patient_id"])[0],
            "day": samples["sample_day"],
            "mrd_fraction": samples["mrd_fraction"],
            "detected": samples["mrd_fraction"] > 0,
            "dynamics": samples["mrd_dynamics"],
        }
    )
    spec = kinetics_chart(
        drawn, lod=float(samples["lod_fraction"].median()), origin=cohort.study.day_zero_label
    )
    alt = "MRD level of each patient over time"
    st.vega_lite_chart(spec, theme=None, width="stretch", key="kinetics_figure", alt=alt)


def dynamics(cohort: Cohort) -> None:
    """Say how many respond early, late or not, and link to their curves."""
    if "mrd_dynamics" not in cohort.variables:
        return
    variable = cohort.variables["mrd_dynamics"]
    counts = access.level_counts(
        cohort.snapshot, cohort.filter.without("mrd_dynamics"), ("mrd_dynamics",)
    )["mrd_dynamics"]
    words = " · ".join(
        tables.marked(variable, level.value, f"{level.name} ") + f"**{counts.get(level.value, 0)}**"
        for level in variable.levels
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(words, width="content")
        view = cohort.view.with_option("by", "mrd_dynamics")
        frame.page_link("Survival", view, "Their curves", ":material/show_chart:")


def in_plain_words(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Offer the result in plain words."""
    text = plain.negativity(result, cohort.study, cohort.filter, cohort.variables, view.denominator)
    frame.in_plain_words(text)


def footer(cohort: Cohort, view: MrdView, result: Negativity) -> None:
    """Write study, selection, assay and method."""
    assays = ", ".join(sorted(result.samples["assay"].dropna().unique()))
    frame.footer(
        cohort, wording.escape(assays), f"denominator: {_DENOMINATORS[view.denominator].lower()}",
        "Clopper–Pearson 95% CI", "Fisher’s exact test, two-sided, P not adjusted",
        "in the figure of all groups together, in the table block by block",
    )  # fmt: skip
