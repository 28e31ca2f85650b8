"""The only caches of the dashboard, keyed on the snapshot, the selection and the options.

A snapshot never changes, so nothing here goes stale. Results are shared between sessions, not copied:
they are frozen, and nobody writes into their frames.

What a page gets of a study with a small-cell minimum, it gets here, and as far as it may be shown: a count
that may not is a `Hidden`, and rows of single patients are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pandas as pd
import streamlit as st

from analytics.mrd import Denominator
from analytics.summary import Kind
from analytics.suppression import Count, is_small, levels, part_of
from data import assays, queries
from data.assays import AssayPair
from data.cohort import CohortFilter
from data.importing import history
from data.store import Snapshot, SnapshotError
from data.variables import Dictionary
from pages.elements import evidence
from pages.elements.answers import balanced as balances
from pages.elements.answers import concordance as agreement
from pages.elements.answers import models, who
from pages.elements.answers import negativity as rates
from pages.elements.answers import subgroups as forests
from pages.elements.answers import survival as curves
from pages.elements.answers import transplant as transplants
from pages.elements.answers.small_cells import RowsNotShown, minimum_of
from pages.elements.engine_view import asking

_KEYS = {Snapshot: lambda s: s.key, CohortFilter: lambda c: c.key}
_kept = st.cache_resource(max_entries=500, show_spinner=False, hash_funcs=_KEYS)
_F = TypeVar("_F", bound=Callable[..., object])


def _cached(function: _F) -> _F:
    """Keep the answers of a function, and say on the page where an engine is slow or has none."""
    return asking(_kept(function))


@_cached
def study(snapshot: Snapshot) -> queries.Study:
    """Return the study of a snapshot."""
    return queries.study(snapshot)


@st.cache_resource(max_entries=500, ttl=60, show_spinner=False, hash_funcs=_KEYS)
def study_name(snapshot: Snapshot) -> str:
    """Return the name of a study for a list of them; one that cannot be opened does not close the list."""
    try:
        return study(snapshot).name
    except SnapshotError:
        return snapshot.title


@_cached
def dictionary(snapshot: Snapshot) -> Dictionary:
    """Return the dictionary of a snapshot."""
    return queries.dictionary(snapshot)


@_cached
def derivability(snapshot: Snapshot) -> dict[str, queries.Derivability]:
    """Return whether each endpoint can be given, by code."""
    found = {endpoint.code: endpoint for endpoint in queries.derivability(snapshot)}
    minimum = minimum_of(snapshot)
    return {code: _derivable(e, minimum) for code, e in found.items()} if minimum else found


def _derivable(endpoint: queries.Derivability, minimum: int) -> queries.Derivability:
    """Return whether an endpoint can be given, without small counts."""
    shown = levels({"": endpoint.n_usable, **endpoint.excluded}, minimum)
    why = endpoint.refused_because
    return replace(
        endpoint,
        n_usable=shown.pop(""),
        excluded=shown,
        refused_because=why and re.sub(r"\d+ of (the )?\d+", "Too many", why),
    )


@_cached
def comparing(snapshot: Snapshot, a: CohortFilter, b: CohortFilter) -> Snapshot:
    """Return the snapshot with two saved cohorts to compare."""
    return queries.comparing(snapshot, a, b, dictionary(snapshot))


@_cached
def in_both(snapshot: Snapshot, cohort: CohortFilter) -> Count:
    """Return how many patients of a cohort are in both of the cohorts compared."""
    n = queries.in_both(snapshot, cohort, dictionary(snapshot))
    return part_of(n, _size(snapshot, cohort), minimum_of(snapshot))


@_cached
def _size(snapshot: Snapshot, cohort: CohortFilter) -> int:
    return queries.size(snapshot, cohort, dictionary(snapshot))


@_cached
def size(snapshot: Snapshot, cohort: CohortFilter) -> Count:
    """Return the number of patients in a cohort."""
    n, minimum = _size(snapshot, cohort), minimum_of(snapshot)
    return part_of(n, _size(snapshot, CohortFilter()), minimum) if minimum else n


@_cached
def withheld(snapshot: Snapshot, cohort: CohortFilter) -> str:
    """Return why nothing of a cohort may be shown, '' where it may: it or what it leaves out is few."""
    minimum = minimum_of(snapshot)
    if not minimum:
        return ""
    n = _size(snapshot, cohort)
    if is_small(n, minimum):
        return f"Fewer than {minimum} patients"
    if n and is_small(_size(snapshot, CohortFilter()) - n, minimum):
        return f"All but fewer than {minimum} patients of the study"
    for name, words in cohort.phrases(dictionary(snapshot)).items():
        if n and is_small(_size(snapshot, cohort.without(name)) - n, minimum):
            return f"‘{words}’ leaves out fewer than {minimum} patients"
    return ""


@_cached
def level_counts(
    snapshot: Snapshot, cohort: CohortFilter, names: Sequence[str]
) -> dict[str, dict[str, Count]]:
    """Return the live counts of the filters."""
    found = queries.level_counts(snapshot, cohort, dictionary(snapshot), names)
    minimum = minimum_of(snapshot)
    # As the rates of MRD negativity do: a number hidden here must not stand there.
    return {name: levels(counts, minimum, last={"negative"}) for name, counts in found.items()}


MOST_ROWS = 5000
"""Patients whose rows a page shows; a file holds them all."""


@_cached
def subjects(snapshot: Snapshot, cohort: CohortFilter) -> pd.DataFrame:
    """Return the patients of a cohort for a screen: the first `MOST_ROWS` by identifier.

    Raises
    ------
    RowsNotShown
        With a small-cell minimum.
    """
    return _rows(snapshot, cohort, MOST_ROWS)


def every_subject(snapshot: Snapshot, cohort: CohortFilter) -> pd.DataFrame:
    """Return all patients of a cohort, for a file; nothing of it is kept.

    Raises
    ------
    RowsNotShown
        With a small-cell minimum.
    """
    return _rows(snapshot, cohort, None)


def _rows(snapshot: Snapshot, cohort: CohortFilter, most: int | None) -> pd.DataFrame:
    if minimum_of(snapshot):
        raise RowsNotShown("This study shows no single patients.")
    return queries.subjects(snapshot, cohort, dictionary(snapshot), most=most)


@_cached
def varying(
    snapshot: Snapshot, cohort: CohortFilter, among: str | None = None, ignored: str | None = None
) -> frozenset[str]:
    """Return the variables with more than one value, `ignored` apart, of those with a value of `among`."""
    return queries.varying(snapshot, cohort, dictionary(snapshot), among=among, ignored=ignored)


@_cached
def longest_follow_up(snapshot: Snapshot) -> float:
    """Return the longest follow-up of a study in days, NaN without any.

    It is in whole years with a small-cell minimum.
    """
    days = queries.span(snapshot, "follow_up_days").high
    return math.ceil(days / 365) * 365.0 if minimum_of(snapshot) and days == days else days


@_cached
def days_of_change(snapshot: Snapshot, column: str, from_remission: bool) -> tuple[int, int] | None:
    """Return the median and the last day of a change, such as a transplant, in a study.

    With a small-cell minimum the last day is one that as many patients reach, and fewer have no median.
    """
    found = queries.days(
        snapshot, CohortFilter(), dictionary(snapshot), column, "cr_day" if from_remission else ""
    )
    upwards = found[queries.N].cumsum()
    n, fewest = int(found[queries.N].sum()), max(minimum_of(snapshot), 1)
    if n < fewest:
        return None
    middle = [
        found["day"].iloc[int(upwards.searchsorted(k, "right"))] for k in ((n - 1) // 2, n // 2)
    ]
    return int(sum(middle) / 2), int(
        found["day"].iloc[int(upwards.searchsorted(n - fewest, "right"))]
    )


@_cached
def ends_of(snapshot: Snapshot, name: str) -> tuple[float, float, bool]:
    """Return the smallest and the largest value of a number in a study, and whether all are whole.

    With a small-cell minimum the ends are rounded outwards: they would be single patients.
    """
    found = queries.span(snapshot, name)
    low, high, whole = found.low, found.high, found.whole
    if minimum_of(snapshot) and high > low:
        step = 10.0 ** math.floor(math.log10(high - low))
        low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return low, high, whole


@_cached
def without_value(snapshot: Snapshot, cohort: CohortFilter, name: str) -> Count:
    """Return how many of a cohort have no value of a variable."""
    found = queries.known(snapshot, cohort, dictionary(snapshot), names=(name,)).iloc[0]
    n = int(found[queries.N])
    return part_of(n - int(found[name]), n, minimum_of(snapshot))


@_cached
def attrition(snapshot: Snapshot, cohort: CohortFilter) -> list[who.Step]:
    """Return the steps from the study to the cohort."""
    return who.attrition(snapshot, cohort, dictionary(snapshot))


@_cached
def followed(snapshot: Snapshot, cohort: CohortFilter, endpoint: str) -> curves.FollowUp:
    """Return the events of an endpoint and the median follow-up."""
    return curves.followed(snapshot, cohort, dictionary(snapshot), endpoint)


@_cached
def survival(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    by: str | None,
    by2: str | None = None,
    landmark_days: int | None,
    horizon_days: int,
) -> curves.Survival:
    """Return the survival of a cohort."""
    return curves.survival(
        snapshot,
        cohort,
        dictionary(snapshot),
        endpoint=endpoint,
        by=by,
        by2=by2,
        landmark_days=landmark_days,
        horizon_days=horizon_days,
    )


@_cached
def incidence(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    by: str | None,
    by2: str | None = None,
    landmark_days: int | None,
) -> curves.Incidence:
    """Return the cumulative incidence of an endpoint that another event can preclude."""
    return curves.incidence(
        snapshot,
        cohort,
        dictionary(snapshot),
        endpoint=endpoint,
        by=by,
        by2=by2,
        landmark_days=landmark_days,
    )


@st.cache_resource(
    max_entries=500, show_spinner="Permuting patients between the groups", hash_funcs=_KEYS
)
def permutation_p(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    by: str | None,
    by2: str | None,
    landmark_days: int | None,
    horizon_days: int,
) -> float | None:
    """Return the permutation P value of the log-rank test of `survival`."""
    result = survival(
        snapshot,
        cohort,
        endpoint=endpoint,
        by=by,
        by2=by2,
        landmark_days=landmark_days,
        horizon_days=horizon_days,
    )
    return curves.permutation(result).p_value


@_cached
def subgroups(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    landmark_days: int | None,
) -> forests.ForestRows | None:
    """Return the hazard ratio of two groups in every subgroup."""
    return forests.subgroups(
        snapshot,
        cohort,
        dictionary(snapshot),
        endpoint=endpoint,
        by=by,
        against=against,
        landmark_days=landmark_days,
    )


@_cached
def cox_models(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    covariates: tuple[str, ...],
    landmark_days: int | None,
    firth: bool,
) -> models.CoxModels:
    """Return Cox models with each covariate alone, and with all of them."""
    return models.cox_models(
        snapshot,
        cohort,
        dictionary(snapshot),
        endpoint=endpoint,
        covariates=covariates,
        landmark_days=landmark_days,
        firth=firth,
    )


@_cached
def balanced(
    snapshot: Snapshot,
    cohort: CohortFilter,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    covariates: tuple[str, ...],
    method: balances.Method,
    landmark_days: int | None,
) -> balances.Balanced | None:
    """Return two groups made comparable by matching or weights."""
    return balances.balanced(
        snapshot,
        cohort,
        dictionary(snapshot),
        endpoint=endpoint,
        by=by,
        against=against,
        covariates=covariates,
        method=method,
        landmark_days=landmark_days,
    )


@_cached
def negativity(
    snapshot: Snapshot, cohort: CohortFilter, by: str | None, denominator: Denominator
) -> rates.Negativity:
    """Return the MRD negativity of a cohort."""
    return rates.negativity(snapshot, cohort, dictionary(snapshot), by=by, denominator=denominator)


@_cached
def transplant(
    snapshot: Snapshot, cohort: CohortFilter, *, endpoint: str, landmark_days: int
) -> transplants.Transplant:
    """Return survival with and without a transplant, four ways."""
    return transplants.transplant(
        snapshot, cohort, dictionary(snapshot), endpoint=endpoint, landmark_days=landmark_days
    )


@_cached
def transplanted(
    snapshot: Snapshot, cohort: CohortFilter, timepoint: str | None
) -> transplants.Transplanted:
    """Return who of a cohort was transplanted, and when."""
    return transplants.transplanted(snapshot, cohort, dictionary(snapshot), timepoint=timepoint)


@_cached
def lanes(
    snapshot: Snapshot, cohort: CohortFilter, *, transplanted_first: bool
) -> transplants.Lanes:
    """Return the course of each patient."""
    return transplants.lanes(
        snapshot, cohort, dictionary(snapshot), transplanted_first=transplanted_first
    )


@_cached
def assay_pairs(snapshot: Snapshot) -> tuple[AssayPair, ...]:
    """Return where a study has patients evaluable by two assays at one time."""
    found, minimum = assays.assay_pairs(snapshot), minimum_of(snapshot)
    if not minimum:
        return found
    total = _size(snapshot, CohortFilter())
    return tuple(replace(pair, n=part_of(pair.n, total, minimum)) for pair in found)


@_cached
def concordance(
    snapshot: Snapshot, cohort: CohortFilter, two: str, time: str
) -> agreement.Concordance:
    """Return how far two assays agree at one time, both as a link names them."""
    (pair,) = (p for p in assay_pairs(snapshot) if (p.assays, p.time) == (two, time))
    return agreement.concordance(snapshot, cohort, dictionary(snapshot), pair)


@_cached
def disposition_counts(snapshot: Snapshot, cohort: CohortFilter) -> dict[str, Count]:
    """Return how many patients of a cohort are in each final state."""
    return who.disposition(snapshot, cohort, dictionary(snapshot))


@_cached
def table_one(
    snapshot: Snapshot, cohort: CohortFilter, rows: Mapping[str, Kind], by: str | None
) -> who.Characteristics:
    """Return Table 1 of a cohort."""
    return who.characteristics(snapshot, cohort, dictionary(snapshot), rows=rows, by=by)


@_cached
def patient(snapshot: Snapshot, everybody: CohortFilter, patient_id: str) -> queries.Patient:
    """Return the course of one patient; the selection is that of everybody under an MRD rule.

    Raises
    ------
    RowsNotShown
        With a small-cell minimum.
    """
    if minimum_of(snapshot):
        raise RowsNotShown("This study shows no single patients.")
    return queries.patient(snapshot, everybody, patient_id)


@_cached
def completeness(snapshot: Snapshot, cohort: CohortFilter, by: str | None) -> pd.DataFrame:
    """Return for each variable how many patients of a cohort have a value."""
    return who.completeness(snapshot, cohort, dictionary(snapshot), by=by)


@_cached
def import_problems(snapshot: Snapshot) -> pd.DataFrame:
    """Return what the import of a snapshot found, row by row."""
    return queries.import_problems(snapshot)


@_cached
def changes(older: Snapshot, newer: Snapshot) -> history.Diff:
    """Return what changed from one snapshot of a study to another."""
    return history.diff(older, newer)


@st.cache_resource(
    max_entries=20, show_spinner="Computing every published figure", hash_funcs=_KEYS
)
def comparisons(
    snapshot: Snapshot, study: str, tables: tuple[str, ...]
) -> tuple[evidence.Comparison, ...]:
    """Return the printed figures in some tables of a publication beside those of its cohort."""
    variables = dictionary(snapshot)
    return tuple(
        evidence.compare(snapshot, variables, figure)
        for figure in evidence.figures(study)
        if figure.table in tables
    )
