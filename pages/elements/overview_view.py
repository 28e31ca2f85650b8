"""The parts of the Overview: four figures, attrition, disposition, Table 1, the study itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import streamlit as st

from analytics.summary import Kind
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS, Endpoint
from pages.elements import access, frame, plain, sidebar, tables, wording
from pages.elements.charts.bars import bar_list
from pages.elements.frame import Cohort

_NOBODY = "none"
_CHARACTERISTICS = (
    "age_years", "sex", "wbc_10e9_per_l", "ph_status", "risk_group", "cytogenetics", "ph_like",
    "tp53_mutated", "kmt2a_rearranged", "hypodiploid", "complex_karyotype", "ikzf1_plus",
    "molecular_class", "frontline_therapy", "tki", "trackable_locus", "allosct", "car_t",
)  # fmt: skip
"""The rows of Table 1, in the order of clinical papers; a study's own follow after them."""


def figures(cohort: Cohort, endpoint: Endpoint) -> None:
    """Write patients, events, follow-up and MRD negativity, each with its interval."""
    n = access.size(cohort.snapshot, cohort.filter)
    total = access.size(cohort.snapshot, CohortFilter())
    with st.container(horizontal=True, gap="small"):
        _metric("Patients", f"{n:,}", f"of {total:,} in the study, {wording.percent(n / total)}")
        _events(cohort, endpoint)
        _negative(cohort)


def _metric(label: str, value: str, interval: str) -> None:
    st.metric(
        label, value, interval, border=True, height="stretch", delta_color="off",
        delta_arrow="off", width="stretch",
    )  # fmt: skip


def _events(cohort: Cohort, endpoint: Endpoint) -> None:
    refused = access.derivability(cohort.snapshot)[endpoint.code].refused_because
    if refused:
        _metric(f"Events, {endpoint.short}", "–", f"not derivable: {refused}")
        return
    followed = access.followed(cohort.snapshot, cohort.filter, endpoint.code)
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    parts = [
        wording.count(counts["relapsed"], "relapse"),
        f"{counts['died in remission']} died in remission",
    ]
    _metric(
        f"Events, {endpoint.short}", f"{followed.n_event:,}",
        ", ".join(parts) if endpoint.code == "RFS" and followed.n == sum(counts.values())
        else f"{endpoint.events}, of {followed.n:,} who can be counted",
    )  # fmt: skip
    value, limits = wording.median_months(followed.median, followed.low, followed.high)
    _metric(
        "Median follow-up, months", value, f"95% CI {limits}" if limits else "reverse Kaplan–Meier"
    )


def _negative(cohort: Cohort) -> None:
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    if timepoint is None:
        _metric("MRD-negative", "–", "this study has no MRD")
        return
    rates = access.negativity(cohort.snapshot, cohort.filter, None, "evaluable").everybody
    position = [v.name for v in cohort.variables.timepoints].index(timepoint.name)
    line = rates.iloc[position]
    label = timepoint.label.replace("MRD ", "MRD-negative ")
    if math.isnan(line["rate"]):
        _metric(label, "–", "no evaluable patients")
        return
    limits = wording.percent_interval(line["low"], line["high"])
    _metric(
        label, wording.percent(line["rate"]),
        f"{line['negative']}/{line['evaluable']}, 95% CI {limits}",
    )  # fmt: skip


def attrition(cohort: Cohort) -> None:
    """Draw the way from the whole study to the cohort, condition by condition."""
    st.subheader("From the study to this cohort", anchor=False)
    steps = access.attrition(cohort.snapshot, cohort.filter)
    rows, before = [], None
    for words, n in steps:
        change = "" if before is None else f"−{before - n:,}"
        label = words[:1].upper() + words[1:]
        rows.append({"label": label, "n": n, "note": change, "slot": "gray"})
        before = n
    rows[-1]["slot"] = "ink"
    spec = bar_list(rows, total=steps[0][1])
    alt = "Patients left after each filter"
    st.vega_lite_chart(spec, theme=None, width="stretch", key="attrition", alt=alt)


def disposition(cohort: Cohort) -> None:
    """Draw what became of the patients of the cohort, each in one row."""
    st.subheader("What happened to them", anchor=False)
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    total = sum(counts.values())
    slots = {
        "in first remission": "ink",
        "in remission after alloSCT": "green",
        "in remission after CAR T cells": "violet",
        "relapsed": "red",
        "died in remission": "gray",
    }
    rows = [
        {
            "label": state[:1].upper() + state[1:],
            "n": n,
            "note": wording.percent(n / total),
            "slot": slots.get(state, "gray"),
        }
        for state, n in counts.items()
        if n or state in slots
    ]
    spec, alt = bar_list(rows, total=total), "What became of the patients"
    st.vega_lite_chart(spec, theme=None, width="stretch", key="disposition", alt=alt)


def table_one(cohort: Cohort) -> None:
    """Write Table 1 by the grouping that the link asks for."""
    # A test of baseline against outcome would ignore how long each was followed.
    groupable = cohort.variables.groupable
    allowed = {v.name: v for v in groupable if v.known != "with the outcome"}
    by = cohort.choice("by", allowed, _default_group(cohort))
    shown = {name: label for name, label in {_NOBODY: "No grouping"}.items()} | {
        name: variable.label for name, variable in allowed.items()
    }
    words = "" if by == _NOBODY else f" by {wording.inside(allowed[by].label)}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"Table 1. Characteristics{wording.escape(words)}", anchor=False)
        frame.select("Group by", "by", shown, by, default=_default_group(cohort))
    group = None if by == _NOBODY else by
    result = access.table_one(cohort.snapshot, cohort.filter, _rows(cohort, group), group)
    st.table(
        tables.table_one(result, cohort.variables, group), border="horizontal", hide_index=True
    )
    patients = access.subjects(cohort.snapshot, cohort.filter)
    without = int(patients[group].isna().sum()) if group else 0
    if without:
        missing = f"{wording.count(without, 'patient')} without {wording.inside(allowed[by].label)}"
        st.markdown(f":small[:gray[{wording.escape(missing)} not in this table.]]")


def _default_group(cohort: Cohort) -> str:
    return "risk_group" if "risk_group" in cohort.variables else _NOBODY


def _rows(cohort: Cohort, by: str | None) -> Mapping[str, Kind]:
    known = [cohort.variables[name] for name in _CHARACTERISTICS if name in cohort.variables]
    patients = access.subjects(cohort.snapshot, cohort.filter)
    return {v.name: v.kind for v in known if v.name != by and patients[v.name].nunique() > 1}


def about(cohort: Cohort) -> None:
    """Describe the study: source, endpoints that can be given, what the import found."""
    study = cohort.study
    with st.expander("About this study", icon=":material/info:"):
        if study.synthetic:
            st.markdown(
                "**Synthetic**: no patient of this cohort exists. It was built to agree with printed "
                "figures; what is not printed is invented."
            )
        for text in (study.citation, f"doi:{study.doi}" if study.doi else "", study.notes):
            if text:
                st.markdown(wording.escape(text))
        st.markdown(f"Day 0 is {wording.escape(study.day_zero_label)}.")
        lines = []
        for code, endpoint in ENDPOINTS.items():
            known = access.derivability(cohort.snapshot)[code]
            if "," in endpoint.label:
                continue
            reasons = "; ".join(f"{wording.escape(r)} ({n})" for r, n in known.excluded.items())
            if known.refused_because:
                lines.append(f"- **{endpoint.label}**: not derivable. {known.refused_because}")
            else:
                left = f" Left out: {reasons}." if reasons else ""
                patients = wording.count(known.n_usable, "patient")
                lines.append(f"- **{endpoint.label}**: {patients}.{left}")
        st.markdown("\n".join(lines))
        problems = access.import_problems(cohort.snapshot)
        if len(problems):
            st.markdown(f"**Import report**: {wording.count(len(problems), 'finding')}.")
            st.dataframe(problems, hide_index=True)


def in_plain_words(cohort: Cohort, endpoint: Endpoint) -> None:
    """Offer the cohort in plain words."""
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    followed = access.followed(cohort.snapshot, cohort.filter, endpoint.code)
    frame.in_plain_words(
        plain.overview(
            sum(counts.values()), followed, cohort.study, cohort.filter, cohort.variables, counts
        )
    )


def footer(cohort: Cohort) -> None:
    """Write study, selection and methods."""
    n = access.size(cohort.snapshot, cohort.filter)
    frame.footer(
        cohort, f"n = {n}", "median (range), count/known (percent)",
        "Wilcoxon rank-sum or Kruskal–Wallis, Fisher’s exact test, P not adjusted",
        "SMD largest standardised difference, – where groups do not overlap at all",
        "follow-up by reverse Kaplan–Meier",
        "rate with exact 95% CI",
    )  # fmt: skip
