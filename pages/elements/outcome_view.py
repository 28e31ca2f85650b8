"""A small survival figure with its numbers, for groups that another page has made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from data.variables import Variable
from pages.elements import frame, survival_view, tables, takeaway, wording
from pages.elements.answers.survival import Survival
from pages.elements.charts.survival import Group, survival_chart
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

FIGURES = {"responders": "mrd_outcome", "concordance": "concordance_outcome"}
"""The exhibit of each figure."""

_MILESTONE = 730
_NOT_CARRIED = ("by2", "zoom", "unit", "horizon", "size")


def curves(cohort: Cohort, by: Variable, landmark_days: int | None, key: str) -> None:
    """Draw the survival of the groups with its numbers, and link to all of it on Survival.

    Parameters
    ----------
    landmark_days : int or None
        Where the groups are known; a filter that is known later moves the landmark on.
    key : str
        Of the figure on the page.
    """
    there = asked(cohort, by, landmark_days)
    view = survival_view.read(there)
    if view.endpoint.competing:
        st.info(f"{view.endpoint.label} by these groups is on the Survival page.")
        frame.page_link("Survival", there.view, icon=":material/show_chart:")
        return
    if survival_view.refused(there, view):
        return
    result = survival_view.answer(there, view)
    assert isinstance(result, Survival)
    _who_is_in(view, result)
    survival_view.guards(cohort, view, result)
    if not result.enough:
        st.info("No group is large enough for a curve: every step of it would be one person.")
        return
    wide, narrow = st.columns([2.15, 1], gap="medium")
    with wide:
        st.vega_lite_chart(
            chart(view, result), theme=None, width="stretch", key=f"{key}_figure",
            alt=said(view, result),
        )  # fmt: skip
        takeaway.menu(cohort, FIGURES[key])
    with narrow:
        _numbers(cohort, view, result)
        frame.page_link("Survival", there.view, "All of it on Survival", ":material/show_chart:")


def asked(cohort: Cohort, by: Variable, landmark_days: int | None) -> Cohort:
    """Return the cohort with the choices that the Survival page would have for these groups."""
    offered = survival_view.landmarks(cohort, cohort.endpoint())
    late = [name for name, _ in cohort.filter if cohort.variables[name].known == "at a day"]
    days = [offered[name] for name in late if name in offered]
    start = max([*days, *([landmark_days] if landmark_days else [])], default=None)
    view = cohort.view.with_option("by", by.name)
    view = view.with_option("landmark_days", str(start) if start else None)
    for option in _NOT_CARRIED:
        view = view.with_option(option, None)
    return replace(cohort, view=view)


def _who_is_in(view: SurvivalView, result: Survival) -> None:
    """Write what is drawn, of how many, and who is left out and why."""
    n, events = wording.count(result.n, "patient"), wording.count(result.n_event, "event")
    parts = [f"**{wording.escape(view.title)}** · {n}, {events}"]
    reasons = "; ".join(f"{wording.escape(r)} ({n})" for r, n in result.left_out.items())
    if reasons:
        parts.append(f":gray[left out: {reasons}]")
    st.markdown(" · ".join(parts))


def chart(view: SurvivalView, result: Survival) -> dict[str, Any]:
    """Return the small survival figure."""
    assert view.by is not None
    looks = tables.looks(view.by)
    groups = [Group(x.value, x.name, x.short, looks[x.value]) for x in result.levels]
    p = wording.p_value(result.test.p_value) if result.test else ""
    return survival_chart(
        result.km,
        groups,
        endpoint=view.endpoint.label.split(",")[0],
        origin=view.origin,
        horizon_months=view.horizon_months,
        landmark_days=view.landmark_days,
        notes=[f"Log-rank {p}"] if p else [],
        height=230,
    )


def said(view: SurvivalView, result: Survival) -> str:
    """Say what the curves show."""
    rates = result.km.at([_MILESTONE])
    found = ((x.name, result.row(x, rates).iloc[0]["survival"]) for x in result.levels)
    told = (f"{name} {wording.percent(rate)} at 2 years" for name, rate in found)
    return f"{view.title}: {', '.join(told)}"


def numbers_table(view: SurvivalView, result: Survival) -> pd.DataFrame:
    """Return events and the rate at the milestone of each group."""
    rows = tables.survival_rows(result, view.endpoint.short, _MILESTONE)
    return rows[["", "Events", f"2-year {view.endpoint.short}"]]


def _numbers(cohort: Cohort, view: SurvivalView, result: Survival) -> None:
    st.table(numbers_table(view, result), border="horizontal", hide_index=True)
    lines = list(tables.comparison(result, view.horizon_days))
    if result.test is not None:
        looks = frame.comparison_number(cohort, *view.question.values())
        lines.append(f":gray[Exploratory, comparison {looks} of this session]")
    st.markdown("  \n".join(f":small[{line}]" for line in lines))
