"""How MRD moves in one cohort: from timepoint to timepoint, over time, and with what outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.mrd import COUNTED
from analytics.suppression import Hidden
from data.cohort import CohortFilter
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
from pages.elements.answers.negativity import Negativity
from pages.elements.charts.flows import FLOW, NODE, alluvial_chart
from pages.elements.charts.kinetics import kinetics_chart
from pages.elements.charts.wire import packed
from pages.elements.frame import Cohort
from pages.elements.remembered import remembered


def flows_chart(result: Negativity) -> dict[str, Any] | None:
    """Return how the status changes; None where the height of a flow would tell a hidden count."""
    if any(isinstance(n, Hidden) for n in (*result.totals["n"], *result.flows["n"])):
        return None
    timepoints = list(result.everybody["timepoint"])
    return alluvial_chart(result.flows, result.totals, timepoints=timepoints)


@remembered(200)
def _packed_flows(result: Negativity) -> dict[str, Any] | None:
    spec = flows_chart(result)
    return spec and packed(spec)


def alluvial(cohort: Cohort, result: Negativity) -> None:
    """Draw how the status changes from timepoint to timepoint; a click makes a flow the cohort."""
    timepoints = list(result.everybody["timepoint"])
    if len(timepoints) < 2:
        return
    st.subheader("From timepoint to timepoint", anchor=False)
    spec = _packed_flows(result)
    if spec is None:
        _listed(result)
        takeaway.menu(cohort, "mrd_flows")
        return
    # Another cohort is another figure: what was clicked in the one before is not selected in it.
    key = f"alluvial_figure_{hash(cohort.filter)}"
    names = [cohort.study.timepoints[k].variable for k in range(len(timepoints))]

    def clicked() -> None:
        hit = st.session_state[key]["selection"]
        narrowed = _narrowed(cohort.filter, names, hit)
        if narrowed != cohort.filter:
            link.change(cohort.view.with_cohort(narrowed))

    st.vega_lite_chart(
        spec, theme=None, width="stretch", key=key, alt=moves(result),
        on_select=clicked, selection_mode=[FLOW, NODE],
    )  # fmt: skip
    _flow_choice(cohort, result, names, key)
    st.markdown("  \n".join(f":small[{line}]" for line in changes(result.changes)))
    takeaway.menu(cohort, "mrd_flows")


def statuses(result: Negativity) -> pd.DataFrame:
    """Return the patients by status and timepoint as texts."""
    wide = result.totals.pivot(index="status", columns="timepoint", values="n")
    order = [status for status in COUNTED["all in remission"] if status in wide.index]
    shown = [
        [_capital(status), *(f"{wide.loc[status, t]:.0f}" if wide.loc[status, t] == wide.loc[status, t]
                             else "0" for t in result.everybody["timepoint"])]
        for status in order
    ]  # fmt: skip
    heads = [wording.short_timepoint(str(t)) for t in result.everybody["timepoint"]]
    return pd.DataFrame(shown, columns=["", *heads])


def _listed(result: Negativity) -> None:
    """Write status by timepoint and the flows as tables: heights would tell what is hidden."""
    st.table(statuses(result), border="horizontal", hide_index=True)
    told = [
        f"{_capital(f['from_timepoint'])} {f['from_status']} → {f['to_timepoint']} {f['to_status']}: "
        f"{f['n']}"
        for f in result.flows.to_dict("records")
        if not isinstance(f["n"], Hidden)
    ]
    text = "Not drawn, since the height of a flow would tell a small count."
    if told:
        text += f" Flows that may be told: {wording.escape('; '.join(told))}."
    lines = [text, *changes(result.changes)]
    st.markdown("  \n".join(f":small[{line}]" for line in lines))


def _narrowed(
    cohort: CohortFilter, names: Sequence[str], hit: Mapping[str, Sequence[Mapping[str, Any]]]
) -> CohortFilter:
    """Return the cohort that a click asks for: those of one flow, or of one node.

    The layers of a figure share their clicks: a node also arrives as a flow without an end, a flow as
    the node that it leaves, and a head as one without anything.
    """
    for chosen in (*hit.get(FLOW, ()), *hit.get(NODE, ())):
        for steps, status in enumerate((chosen.get("start"), chosen.get("end"))):
            if status is not None:
                cohort = cohort.with_(names[int(chosen["step"]) + steps], (str(status),))
    return cohort


def _flow_choice(cohort: Cohort, result: Negativity, names: list[str], key: str) -> None:
    """Offer the flows as a list, for the keyboard and for whoever cannot see the figure."""
    timepoints = list(result.everybody["timepoint"])
    flows = result.flows.to_dict("records")
    labels = [
        f"{_capital(f['from_timepoint'])} {f['from_status']} → {f['to_timepoint']} {f['to_status']}, "
        f"{f['n']:,}"
        for f in flows
    ]

    def chosen() -> None:
        position = st.session_state[f"{key}_list"]
        if position is not None:
            flow = flows[position]
            hit = {"step": timepoints.index(flow["from_timepoint"]),
                   "start": flow["from_status"], "end": flow["to_status"]}  # fmt: skip
            narrowed = _narrowed(cohort.filter, names, {FLOW: [hit]})
            link.change(cohort.view.with_cohort(narrowed))

    st.selectbox(
        "Make a flow the cohort", range(len(flows)), index=None,
        format_func=lambda position: labels[position], key=f"{key}_list", on_change=chosen,
        placeholder="Click a flow or a node to make it the cohort, or choose one here",
        label_visibility="collapsed",
    )  # fmt: skip


def _capital(text: object) -> str:
    return str(text)[:1].upper() + str(text)[1:]


def moves(result: Negativity) -> str:
    """Say what the alluvial shows."""
    n, totals = result.n, result.totals
    negative = totals[totals["status"] == "negative"].set_index("timepoint")["n"]
    said = ", ".join(f"{negative.get(t, 0)} {t}" for t in result.everybody["timepoint"])
    return f"MRD status from timepoint to timepoint of {n} patients; negative: {said}"


def changes(found: pd.DataFrame) -> list[str]:
    """Say for every two timepoints who of those evaluable at both changed."""
    lines = []
    for row in found.itertuples():
        head = f"**{wording.escape(_capital(row.first))} to {wording.escape(str(row.second))}:**"
        if not row.n:
            lines.append(f"{head} nobody is evaluable at both.")
            continue
        if isinstance(row.became_negative, Hidden):
            lines.append(
                f"{head} of {row.n} evaluable at both, too few changed, or stayed, to say how many."
            )
            continue
        p = wording.p_value(row.p_value)
        test = f", exact McNemar {p}" if p else ""
        lines.append(
            f"{head} of {row.n} evaluable at both, {row.became_negative} became negative and "
            f"{row.became_not_negative} no longer were (change {wording.points(row.change)} points, "
            f"95% CI {wording.points_interval(row.low, row.high)}{test}); "
            f":gray[{row.n_excluded} not evaluable at both.]"
        )
    return lines


@dataclass(frozen=True, eq=False)
class Levels:
    """The MRD level of each patient over time.

    Attributes
    ----------
    drawn : pandas.DataFrame
        line, day, mrd_fraction, detected, dynamics; a line is a patient.
    limits : pandas.Series
        Limits of detection that are known.
    without : int
        Patients without a level.
    """

    drawn: pd.DataFrame
    limits: pd.Series
    without: int

    @property
    def lod(self) -> float:
        """The limit of detection that is drawn; without any known one the axis still needs a floor."""
        return float(self.limits.median()) if len(self.limits) else 1e-6

    def chart(self, origin: str) -> dict[str, Any]:
        """Return the figure; its time counts from `origin`."""
        return kinetics_chart(self.drawn, lod=self.lod, origin=origin)


@remembered(200)
def levels(result: Negativity) -> Levels | None:
    """Return the levels over time; None where no sample has one, or single patients are not shown."""
    if result.samples is None:
        return None
    samples = result.samples[result.samples["mrd_fraction"].notna()]
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
    without = result.samples["patient_id"].nunique() - drawn["line"].nunique()
    return None if drawn.empty else Levels(drawn, samples["lod_fraction"].dropna(), without)


@remembered(200)
def _packed_levels(found: Levels, origin: str) -> dict[str, Any]:
    return packed(found.chart(origin))


def kinetics(cohort: Cohort, result: Negativity) -> None:
    """Draw the MRD level of each patient over time."""
    st.subheader("Level over time, one line per patient", anchor=False)
    if result.samples is None:
        frame.no_single_patients(cohort)
        return
    found = levels(result)
    if found is None:
        st.info("No sample of this cohort has a quantified level.")
        return
    st.vega_lite_chart(
        _packed_levels(found, cohort.study.day_zero_label), theme=None, width="stretch",
        key="kinetics_figure", alt=levels_over_time(found.drawn),
    )  # fmt: skip
    which = "limit" if found.limits.nunique() == 1 else "median limit"
    text = ""
    if len(found.limits):
        text = f"Dashed: {which} of detection, {wording.fraction(found.lod)}. "
    text += "Open marks: not detected."
    if found.without:
        text += f" {wording.count(found.without, 'patient')} without a level not drawn."
    if result.n > (drawn := result.samples["patient_id"].nunique()):
        text += f" Of {result.n:,} patients the first {drawn:,} by identifier are looked at."
    st.markdown(f":small[:gray[{text}]]")
    takeaway.menu(cohort, "mrd_kinetics")


def levels_over_time(drawn: pd.DataFrame) -> str:
    """Say what the kinetics show."""
    patients = drawn.groupby("dynamics")["line"].nunique()
    groups = ", ".join(f"{n} {name}" for name, n in patients.items())
    found = int(drawn["detected"].sum())
    return (
        f"MRD level over time of {drawn['line'].nunique()} patients ({groups}): "
        f"detected in {found} of {len(drawn)} samples"
    )


def dynamics(cohort: Cohort) -> None:
    """Say how many respond early, late or not."""
    variable = cohort.variables["mrd_dynamics"]
    counts = access.level_counts(
        cohort.snapshot, cohort.filter.without(variable.name), (variable.name,)
    )[variable.name]
    # The mark, the name and the number stay on one line.
    words = (
        tables.marked(variable, level.value, f"{level.short} ").replace(" ", "\u00a0")
        + f"**{counts.get(level.value, 0):,}**"
        for level in variable.levels
    )
    st.markdown(" · ".join(words))


def responders(cohort: Cohort) -> None:
    """Draw the curves of early, late and non-responders from the last timepoint on."""
    outcome_view.curves(cohort, *by_response(cohort), "responders")


def by_response(cohort: Cohort) -> tuple[Variable, int]:
    """Return what the responders are groups of, and the landmark on which all are known."""
    day = survival_view.landmarks(cohort, cohort.endpoint())["mrd_dynamics"]
    return cohort.variables["mrd_dynamics"], day
