"""Who is in a cohort, what became of them, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analytics.summary import Kind, TableOne, table_one
from data import queries
from data.cohort import CohortFilter
from data.queries import Patient
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements import wording

_NOT_KNOWN = frozenset({"unknown", "not assessed", "not known"})
"""Levels that say that there is no value."""


def disposition(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> dict[str, int]:
    """Return how many patients are in each final state; those in remission by what they received.

    Every patient counts once, so the numbers add up to the cohort.
    """
    rows = queries.disposition(snapshot, cohort, variables)
    counts = dict.fromkeys(
        ("in first remission", "in remission after alloSCT", "in remission after CAR T cells", "relapsed",
         "died in remission"), 0,
    )  # fmt: skip
    for row in rows.itertuples(index=False):
        state = str(row.disposition)
        if state == "in first remission" and row.allosct:
            state = "in remission after alloSCT"
        elif state == "in first remission" and row.car_t:
            state = "in remission after CAR T cells"
        counts[state] = counts.get(state, 0) + int(row.n)
    return counts


def characteristics(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    rows: Mapping[str, Kind],
    by: str | None,
) -> TableOne:
    """Return Table 1 of a cohort; a patient without a level of `by` is in no group's column."""
    frame = queries.subjects(snapshot, cohort, variables)
    for name, kind in rows.items():
        if kind == "boolean":
            frame[name] = frame[name].astype("boolean")
    if by is not None:
        variable = variables[by]
        order = [level.value for level in variable.levels]
        if variable.kind == "boolean":
            frame[by] = frame[by].map({True: "yes", False: "no"})
        frame = frame[frame[by].notna()]
        kinds = pd.CategoricalDtype([v for v in order if v in set(frame[by])], ordered=True)
        frame[by] = frame[by].astype(kinds)
    return table_one(frame, variables=rows, by=by)


def steps(cohort: CohortFilter, variables: Dictionary) -> list[CohortFilter]:
    """Return the selections on the way from the study to the cohort, as `queries.attrition` counts."""
    way = [cohort.everybody()]
    for name in cohort.phrases(variables):
        way.append(way[-1].with_(name, cohort.get(name)))
    return way


def in_state(cohort: CohortFilter, state: str) -> CohortFilter:
    """Return the selection of those of a cohort whom `disposition` counts in a state."""
    treated = {
        "in first remission": {"allosct": "no", "car_t": "no"},
        "in remission after alloSCT": {"allosct": "yes"},
        "in remission after CAR T cells": {"allosct": "no", "car_t": "yes"},
    }.get(state)
    chosen = cohort.with_("disposition", (state if treated is None else "in first remission",))
    for name, level in (treated or {}).items():
        chosen = chosen.with_(name, (level,))
    return chosen


def completeness(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, by: str | None
) -> pd.DataFrame:
    """Return how many patients have a value, per variable and level of `by` ('' is everybody).

    Columns variable, group, n, known. 'Unknown', 'not assessed' and 'not known' are no values.
    """
    frame = queries.subjects(snapshot, cohort, variables)
    groups = {"": pd.Series(True, index=frame.index)}
    if by is not None:
        labels = frame[by].map(
            {True: "yes", False: "no"} if variables[by].kind == "boolean" else str, "ignore"
        )
        groups |= {v.value: labels == v.value for v in variables[by].levels}
    rows = []
    for name in variables:
        known = frame[name].notna() & ~frame[name].isin(_NOT_KNOWN)
        for group, inside in groups.items():
            rows.append((name, group, int(inside.sum()), int((known & inside).sum())))
    return pd.DataFrame(rows, columns=["variable", "group", "n", "known"])


def story(patient: Patient) -> pd.DataFrame:
    """Return what happened to a patient, one row each, in the order of time; undated rows last.

    Columns: ``day`` and ``end_day`` (missing where not known), ``kind`` ('sample', 'treatment',
    'remission', 'relapse', 'death' or 'last seen'), ``name`` (kind of treatment, or MRD status),
    ``level`` and ``limit`` (MRD fractions of a sample, 0 is 'nothing found'), ``text``.
    """
    columns = ["day", "end_day", "kind", "name", "level", "limit", "text"]
    rows = pd.DataFrame(
        [*_outcomes(patient.course), *_treatments(patient.treatments), *_samples(patient.samples)],
        columns=columns,
    )
    numbers = dict.fromkeys(("day", "end_day", "level", "limit"), "float64")
    return rows.astype(numbers).sort_values("day", kind="stable", ignore_index=True)


def _outcomes(course: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    site, cause = course["relapse_site"], course["death_cause"]
    for kind, day, happened, text in (
        ("remission", course["cr_day"], course["cr_achieved"], "First complete remission"),
        ("relapse", course["relapse_day"], course["relapsed"], "Relapse" + _after(site)),
        ("death", course["death_day"], course["died"], "Died" + _after(cause)),
    ):
        if day is not None or happened:
            yield day, None, kind, kind, None, None, text
    if course["death_day"] is None and course["last_follow_up_day"] is not None:
        yield course["last_follow_up_day"], None, "last seen", "last seen", None, None, "Last seen"


def _after(detail: str | None) -> str:
    return f", {detail}" if detail else ""


def _treatments(treatments: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for row in treatments.astype(object).where(treatments.notna(), None).itertuples(index=False):
        text = row.kind[:1].upper() + row.kind[1:]
        if row.name and row.name != row.kind:
            text += f", {row.name}"
        if row.cycle is not None:
            text += f", cycle {row.cycle}"
        yield row.start_day, row.end_day, "treatment", row.kind, None, None, text


def _samples(samples: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    places = {"BM": "marrow", "PB": "blood"}
    for row in samples.astype(object).where(samples.notna(), None).itertuples(index=False):
        if row.mrd_fraction:
            found = wording.fraction(row.mrd_fraction)
        else:
            found = "nothing found" if row.mrd_fraction == 0 else row.call or "no result"
        if row.lod_fraction:
            found += f", limit {wording.fraction(row.lod_fraction)}"
        how = ", ".join(filter(None, (row.assay, places.get(row.material), row.target)))
        status = row.status or "not used"
        stands = f" {_when(row.timepoint)}" if row.timepoint else ", stands for no timepoint"
        text = f"MRD {row.status or 'sample'}{stands}: {found}" + (f" ({how})" if how else "")
        level = 0.0 if row.mrd_fraction is None and row.call == "negative" else row.mrd_fraction
        yield row.day, None, "sample", status, level, row.lod_fraction, text


def _when(timepoint: str) -> str:
    """Return 'at 3 months' or 'after cycle 1', as the variable of a timepoint is labelled."""
    return timepoint if timepoint.startswith("after") else f"at {timepoint}"
