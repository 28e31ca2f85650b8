"""The only caches of the dashboard, keyed on the snapshot, the selection and the options.

A snapshot never changes, so nothing here goes stale. Results are shared between sessions, not copied:
they are frozen, and nobody writes into their frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analytics.mrd import Denominator
from analytics.summary import Kind, TableOne
from data import assays, queries
from data.assays import AssayPair
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements import evidence
from pages.elements.answers import balanced as balances
from pages.elements.answers import concordance as agreement
from pages.elements.answers import models, who
from pages.elements.answers import negativity as rates
from pages.elements.answers import subgroups as forests
from pages.elements.answers import survival as curves
from pages.elements.answers import transplant as transplants

_KEYS = {Snapshot: lambda s: s.key, CohortFilter: lambda c: c.key}
_cached = st.cache_resource(max_entries=500, show_spinner=False, hash_funcs=_KEYS)


@_cached
def study(snapshot: Snapshot) -> queries.Study:
    """Return the study of a snapshot."""
    return queries.study(snapshot)


@_cached
def dictionary(snapshot: Snapshot) -> Dictionary:
    """Return the dictionary of a snapshot."""
    return queries.dictionary(snapshot)


@_cached
def derivability(snapshot: Snapshot) -> dict[str, queries.Derivability]:
    """Return whether each endpoint can be given, by code."""
    return {endpoint.code: endpoint for endpoint in queries.derivability(snapshot)}


@_cached
def comparing(snapshot: Snapshot, a: CohortFilter, b: CohortFilter) -> Snapshot:
    """Return the snapshot with two saved cohorts to compare."""
    return queries.comparing(snapshot, a, b, dictionary(snapshot))


@_cached
def in_both(snapshot: Snapshot, cohort: CohortFilter) -> int:
    """Return how many patients of a cohort are in both of the cohorts compared."""
    return queries.in_both(snapshot, cohort, dictionary(snapshot))


@_cached
def size(snapshot: Snapshot, cohort: CohortFilter) -> int:
    """Return the number of patients in a cohort."""
    return queries.size(snapshot, cohort, dictionary(snapshot))


@_cached
def level_counts(
    snapshot: Snapshot, cohort: CohortFilter, names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return the live counts of the filters."""
    return queries.level_counts(snapshot, cohort, dictionary(snapshot), names)


@_cached
def subjects(snapshot: Snapshot, cohort: CohortFilter) -> pd.DataFrame:
    """Return the patients of a cohort."""
    return queries.subjects(snapshot, cohort, dictionary(snapshot))


@_cached
def attrition(snapshot: Snapshot, cohort: CohortFilter) -> list[tuple[str, int]]:
    """Return the steps from the study to the cohort."""
    return queries.attrition(snapshot, cohort, dictionary(snapshot))


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
    return assays.assay_pairs(snapshot)


@_cached
def concordance(
    snapshot: Snapshot, cohort: CohortFilter, two: str, time: str
) -> agreement.Concordance:
    """Return how far two assays agree at one time, both as a link names them."""
    (pair,) = (p for p in assay_pairs(snapshot) if (p.assays, p.time) == (two, time))
    return agreement.concordance(snapshot, cohort, dictionary(snapshot), pair)


@_cached
def disposition_counts(snapshot: Snapshot, cohort: CohortFilter) -> dict[str, int]:
    """Return how many patients of a cohort are in each final state."""
    return who.disposition(snapshot, cohort, dictionary(snapshot))


@_cached
def table_one(
    snapshot: Snapshot, cohort: CohortFilter, rows: Mapping[str, Kind], by: str | None
) -> TableOne:
    """Return Table 1 of a cohort."""
    return who.characteristics(snapshot, cohort, dictionary(snapshot), rows=rows, by=by)


@_cached
def patient(snapshot: Snapshot, everybody: CohortFilter, patient_id: str) -> queries.Patient:
    """Return the course of one patient; the selection is that of everybody under an MRD rule."""
    return queries.patient(snapshot, everybody, patient_id)


@_cached
def completeness(snapshot: Snapshot, cohort: CohortFilter, by: str | None) -> pd.DataFrame:
    """Return for each variable how many patients of a cohort have a value."""
    return who.completeness(snapshot, cohort, dictionary(snapshot), by=by)


@_cached
def import_problems(snapshot: Snapshot) -> pd.DataFrame:
    """Return what the import of a snapshot found."""
    return queries.import_problems(snapshot)


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
