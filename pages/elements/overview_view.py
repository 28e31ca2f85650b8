"""The parts of the Overview: four figures, attrition, disposition, Table 1, gaps, the study itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from analytics.summary import Kind
from analytics.suppression import Count, Hidden
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS, Endpoint
from data.variables import MISSING, Level, Variable
from pages.elements import access, frame, link, plain, sidebar, tables, takeaway, wording
from pages.elements.answers import who
from pages.elements.answers.small_cells import minimum_of
from pages.elements.charts.bars import bar_list
from pages.elements.charts.missing import missing_chart
from pages.elements.charts.theme import ALL, Group, styles
from pages.elements.frame import Cohort

_NOBODY = "none"
_CHARACTERISTICS = (
    "age_years", "sex", "wbc_10e9_per_l", "ph_status", "risk_group", "cytogenetics", "ph_like",
    "tp53_mutated", "kmt2a_rearranged", "hypodiploid", "complex_karyotype", "ikzf1_plus",
    "molecular_class", "frontline_therapy", "tki", "trackable_locus", "allosct", "car_t",
)  # fmt: skip
"""The rows of Table 1, in the order of clinical papers; a study's own follow after them."""

_STATES = {
    "in first remission": "ink",
    "in remission after alloSCT": "green",
    "in remission after CAR T cells": "violet",
    "relapsed": "red",
    "died in remission": "gray",
}
"""The states that are always shown, with their colours."""
_MOST_COLUMNS = 5


def beside_title(cohort: Cohort) -> None:
    """Offer questions and a report."""
    questions(cohort)
    takeaway.report(cohort)


def questions(cohort: Cohort) -> None:
    """Offer the questions most often asked, of this cohort, each as a link to its answer."""
    # Other choices of this page stay behind: the answer is shown as the question asks.
    kept = {name: cohort.view.option(name) for name in ("timepoint", *link.SAVED.values())}
    plain_view = replace(cohort.view, options=tuple((k, v) for k, v in kept.items() if v))
    with st.popover("Questions", icon=":material/help:"):
        for label, page, options in _questions(cohort):
            view = plain_view
            for name, value in options.items():
                view = view.with_option(name, value)
            frame.page_link(page, view, wording.escape(label))


def _questions(cohort: Cohort) -> Iterator[tuple[str, str, dict[str, str]]]:
    derivable = access.derivability(cohort.snapshot)
    given = {code for code, e in derivable.items() if not e.refused_because}
    endpoint = cohort.study.default_endpoint
    name, censored = ENDPOINTS[endpoint].label, f"{endpoint}_censored_at_allosct"
    transplants = "allosct" in cohort.variables and bool(
        access.level_counts(cohort.snapshot, CohortFilter(), ("allosct",))["allosct"].get("yes")
    )
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    if timepoint is not None:
        by = {"by": timepoint.name}
        yield f"{name} by {timepoint.label}", "Survival", by
        if transplants and censored in given:
            asked = by | {"endpoint": censored}
            yield f"{name} by {timepoint.label}, censored at alloSCT", "Survival", asked
        asked = by | {"section": "subgroups"}
        yield f"Hazard ratio of {timepoint.label} in every subgroup", "Survival", asked
    if "CIR" in given:
        yield "Relapse and non-relapse mortality", "Survival", {"endpoint": "CIR"}
    if timepoint is not None and "ph_status" in cohort.variables:
        yield "MRD negativity by Ph status", "MRD negativity", {"by": "ph_status"}
    if access.assay_pairs(cohort.snapshot):
        label = "Two assays: do they agree, and what of the discordant?"
        yield label, "MRD negativity", {"mrd_section": "assays"}
    if transplants:
        yield "Does alloSCT help?", "Transplant", {}


def figures(cohort: Cohort, endpoint: Endpoint) -> None:
    """Write patients, events, follow-up and MRD negativity, each with its interval."""
    n = access.size(cohort.snapshot, cohort.filter)
    total = access.size(cohort.snapshot, CohortFilter())
    with st.container(horizontal=True, gap="small"):
        _metric("Patients", f"{n:,}", f"of {total:,} in the study, {wording.share(n, total)}")
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
        _metric(_events_label(endpoint), "–", f"not derivable: {refused}")
        return
    followed = access.followed(cohort.snapshot, cohort.filter, endpoint.code)
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    n = access.size(cohort.snapshot, cohort.filter)
    parts = [
        wording.count(counts["relapsed"], "relapse"),
        f"{counts['died in remission']} died in remission",
    ]
    _metric(
        _events_label(endpoint), f"{followed.n_event:,}",
        ", ".join(parts) if endpoint.code == "RFS" and followed.n == n
        else f"{endpoint.events}, of {followed.n:,} who can be counted",
    )  # fmt: skip
    value, limits = wording.median_months(followed.median, followed.low, followed.high)
    _metric(
        "Median follow-up, months", value, f"95% CI {limits}" if limits else "reverse Kaplan–Meier"
    )


def _events_label(endpoint: Endpoint) -> str:
    until = " to alloSCT" if endpoint.censored_at_allosct else ""
    return f"Events, {endpoint.short}{until}"


def _negative(cohort: Cohort) -> None:
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    if timepoint is None:
        _metric("MRD-negative", "–", "this study has no MRD")
        return
    rates = access.negativity(cohort.snapshot, cohort.filter, None, "evaluable").everybody
    position = [v.name for v in cohort.variables.timepoints].index(timepoint.name)
    line = rates.iloc[position]
    label = wording.escape(timepoint.label.replace("MRD ", "MRD-negative ", 1))
    if math.isnan(line["rate"]) and line["evaluable"]:
        _metric(label, "–", f"{line['negative']} of {line['evaluable']}")
        return
    if math.isnan(line["rate"]):
        _metric(label, "–", "no evaluable patients")
        return
    limits = wording.percent_interval(line["low"], line["high"])
    _metric(
        label, wording.percent(line["rate"]),
        f"{line['negative']}/{line['evaluable']}, 95% CI {limits}",
    )  # fmt: skip


@dataclass(frozen=True)
class Bars:
    """Counts as bars: their rows, the selection of patients behind each, and what they say."""

    rows: Sequence[Mapping[str, Any]]
    selections: Sequence[CohortFilter]
    total: Count
    alt: str

    @property
    def chart(self) -> dict[str, Any]:
        """The bars."""
        return bar_list(self.rows, total=self.total)


def attrition_bars(cohort: Cohort) -> Bars:
    """Return the way from the whole study to the cohort, condition by condition."""
    steps = access.attrition(cohort.snapshot, cohort.filter)
    rows: list[dict[str, Any]] = []
    for step in steps:
        change = f"−{step.removed:,}" if rows else ""
        rows.append({"label": _capital(step.words), "n": step.n, "note": change, "slot": "gray"})
    rows[-1]["slot"] = "ink"
    alt = "Patients after each filter: " + ", ".join(f"{step.words} {step.n}" for step in steps)
    total = access.size(cohort.snapshot, CohortFilter())
    return Bars(rows, who.steps(cohort.filter, cohort.variables), total, alt)


def attrition(cohort: Cohort) -> None:
    """Draw the way from the whole study to the cohort."""
    _bars(cohort, "From the study to this cohort", "attrition", attrition_bars(cohort))


def disposition_bars(cohort: Cohort) -> Bars:
    """Return what became of the patients of the cohort, each in one row."""
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    total = access.size(cohort.snapshot, cohort.filter)
    shown = {state: n for state, n in counts.items() if n or state in _STATES}
    rows = [
        {
            "label": _capital(state),
            "n": n,
            "note": wording.share(n, total),
            "slot": _STATES.get(state, "gray"),
        }
        for state, n in shown.items()
    ]
    said = ", ".join(f"{state} {n} {wording.share(n, total, '({})')}".strip()
                     for state, n in shown.items())  # fmt: skip
    selections = [who.in_state(cohort.filter, state) for state in shown]
    return Bars(rows, selections, total, f"Of {total} patients: {said}")


def disposition(cohort: Cohort) -> None:
    """Draw what became of the patients of the cohort."""
    _bars(cohort, "What happened to them", "disposition", disposition_bars(cohort))


def _bars(cohort: Cohort, head: str, key: str, bars: Bars) -> None:
    """Draw counts as bars under a heading, with a link from each to its patients."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(head, anchor=False, width="stretch")
        groups = zip(bars.rows, bars.selections, strict=True)
        frame.show_patients(cohort, {row["label"]: (chosen, row["n"]) for row, chosen in groups})
    st.vega_lite_chart(bars.chart, theme=None, width="stretch", key=key, alt=bars.alt)
    takeaway.menu(cohort, key)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def characteristics(cohort: Cohort, by: Variable | None) -> who.Characteristics:
    """Return Table 1 by a grouping."""
    name = by.name if by else None
    return access.table_one(cohort.snapshot, cohort.filter, table_rows(cohort, name), name)


def table_title(by: Variable | None) -> str:
    """Return what Table 1 is called."""
    return "Table 1. Characteristics" + (f" by {wording.inside(by.label)}" if by else "")


def table_one(cohort: Cohort, by: Variable | None) -> None:
    """Write Table 1 by the grouping that the link asks for."""
    groups = {_NOBODY: "No grouping"} | {v.name: v.label for v in _groupings(cohort)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(wording.escape(table_title(by)), anchor=False)
        frame.select("Group by", "by", groups, by.name if by else _NOBODY,
                     default=_default_group(cohort))  # fmt: skip
        if by:
            frame.show_patients(cohort, frame.patients_by(cohort, by))
        takeaway.menu(cohort, "table_one")
    name = by.name if by else None
    with st.spinner("Comparing the groups"):
        result = characteristics(cohort, by)
    if result.rows.empty:
        st.markdown(":gray[Nothing is known of the patients at baseline.]")
        return
    st.table(tables.table_one(result, cohort.variables, name), border="horizontal", hide_index=True)
    _withheld(cohort, result.withheld)
    if by and result.rows["group"].nunique() == 2:
        st.markdown(":small[:gray[There is one group only, so nothing is compared.]]")
    without = frame.patients_by(cohort, by).get(by.level(MISSING).name) if by else None
    if by and without:
        missing = f"{wording.count(without[1], 'patient')} without {wording.inside(by.label)}"
        where = "in no group" if isinstance(without[1], Hidden) else "not in this table"
        st.markdown(f":small[:gray[{wording.escape(missing)} {where}.]]")


def _withheld(cohort: Cohort, levels: Sequence[Level]) -> None:
    if said := frame.withheld(cohort, levels):
        st.markdown(f":small[:gray[{said}]]")


def grouping(cohort: Cohort) -> Variable | None:
    """Return the variable that the link groups by, the study's usual one, or none."""
    allowed = {v.name: v for v in _groupings(cohort)}
    by = cohort.choice("by", {_NOBODY: None, **cohort.variables}, _default_group(cohort))
    if by not in allowed and by != _NOBODY:
        # Carried over from another page, which can group by what this one cannot.
        by = _default_group(cohort)
    return allowed.get(by)


def _groupings(cohort: Cohort) -> list[Variable]:
    # A test of baseline against outcome would ignore how long each was followed.
    return [v for v in cohort.variables.groupable if v.known != "with the outcome"]


def missing(cohort: Cohort, by: Variable | None) -> None:
    """Draw how many patients have no value, per variable and group, once the fold is open."""
    fold = st.expander("Missing data", icon=":material/grid_off:", on_change="rerun", key="missing")
    if not fold.open:
        return
    with fold:
        found = gaps(cohort, by)
        if found.labels:
            st.vega_lite_chart(
                found.chart, theme=None, width="stretch", key="missing_figure", alt=found.alt
            )
            takeaway.menu(cohort, "missing_data")
        whole = found.everybody[found.everybody["missing"] == 0]["variable"]
        st.markdown(_explained(cohort, whole, by, found.groups))


@dataclass(frozen=True, eq=False)
class Gaps:
    """How many patients have no value, per variable and group.

    Attributes
    ----------
    counts : pandas.DataFrame
        As `answers.who.completeness` returns it.
    labels : list of (str, str)
        Name and label of the variables that miss values, the most first.
    groups : list of Group
        The columns of the figure.
    """

    counts: pd.DataFrame
    labels: list[tuple[str, str]]
    groups: list[Group]

    @property
    def everybody(self) -> pd.DataFrame:
        """The counts of all patients."""
        return self.counts[self.counts["group"] == ""]

    @property
    def chart(self) -> dict[str, Any]:
        """The figure."""
        return missing_chart(self.counts, self.groups, self.labels)

    @property
    def alt(self) -> str:
        """The figure in words."""
        missing = self.everybody.set_index("variable")["missing"]
        said = ", ".join(f"{label} {missing[name]}" for name, label in self.labels)
        return f"Patients without a value: {said}"


def gaps(cohort: Cohort, by: Variable | None) -> Gaps:
    """Return how many patients have no value."""
    counts = access.completeness(cohort.snapshot, cohort.filter, by.name if by else None)
    everybody = counts[counts["group"] == ""]
    # The hidden ones last: their place would tell what they are.
    short = everybody[everybody["missing"] > 0].sort_values(
        "missing", ascending=False, kind="stable", key=lambda column: column.astype("float64")
    )
    labels = [(name, cohort.variables[name].label) for name in short["variable"]]
    return Gaps(counts, labels, [Group("", "All patients", "All", ALL), *_columns(by, counts)])


def _columns(by: Variable | None, counts: pd.DataFrame) -> list[Group]:
    """Return the groups that have patients, if there are few enough to stand side by side."""
    if by is None:
        return []
    values = [level.value for level in by.levels]
    looks = dict(zip(values, styles(by.name, values), strict=True))
    present = set(counts.loc[counts["n"] > 0, "group"])
    found = [Group(v.value, v.name, v.short, looks[v.value]) for v in by.levels
             if v.value in present]  # fmt: skip
    return found if len(found) <= _MOST_COLUMNS else []


def _explained(
    cohort: Cohort, complete: Iterable[str], by: Variable | None, groups: Sequence[Group]
) -> str:
    names = [wording.inside(cohort.variables[name].label) for name in complete]
    lines = ["Missing: no value, unknown or not assessed. Percent of all patients of the column."]
    if names:
        lines.append(f"Known in everybody: {wording.listed(names)}.")
    if by and len(groups) == 1:
        lines.append(f"Too many groups by {wording.inside(by.label)} to stand side by side.")
    return f":small[:gray[{wording.escape(' '.join(lines))}]]"


def _default_group(cohort: Cohort) -> str:
    return "risk_group" if "risk_group" in cohort.variables else _NOBODY


def table_rows(cohort: Cohort, by: str | None) -> Mapping[str, Kind]:
    """Return the rows of Table 1: what varies in the cohort."""
    known = [cohort.variables[name] for name in _CHARACTERISTICS if name in cohort.variables]
    varying = access.varying(cohort.snapshot, cohort.filter, by)
    return {v.name: v.kind for v in known if v.name != by and v.name in varying}


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
        if minimum_of(cohort.snapshot):
            st.markdown("The import report names rows of single patients and is not shown.")
        elif len(problems):
            st.markdown(f"**Import report**: {wording.count(len(problems), 'finding')}.")
            st.dataframe(problems, hide_index=True)


def in_plain_words(cohort: Cohort, endpoint: Endpoint) -> None:
    """Offer the cohort in plain words."""
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    followed = access.followed(cohort.snapshot, cohort.filter, endpoint.code)
    frame.in_plain_words(
        plain.overview(
            access.size(cohort.snapshot, cohort.filter),
            followed,
            cohort.study,
            cohort.filter,
            cohort.variables,
            counts,
        )
    )


def footer(cohort: Cohort) -> None:
    """Write study, selection and methods."""
    n = access.size(cohort.snapshot, cohort.filter)
    frame.footer(
        cohort, f"n = {n}",
        f"median ({'quartiles' if minimum_of(cohort.snapshot) else 'range'}), count/known (percent)",
        "Wilcoxon rank-sum or Kruskal–Wallis, Fisher’s exact test, P not adjusted",
        "SMD largest standardised difference, – where groups do not overlap at all",
        "follow-up by reverse Kaplan–Meier",
        "rate with exact 95% CI",
    )  # fmt: skip
