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
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements import evidence
from pages.elements.answers import negativity as rates
from pages.elements.answers import survival as curves
from pages.elements.answers import who

_KEYS = {Snapshot: lambda s: (s.study_id, s.hash), CohortFilter: lambda c: c.conditions}
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
        landmark_days=landmark_days,
        horizon_days=horizon_days,
    )


@_cached
def negativity(
    snapshot: Snapshot, cohort: CohortFilter, by: str | None, denominator: Denominator
) -> rates.Negativity:
    """Return the MRD negativity of a cohort."""
    return rates.negativity(snapshot, cohort, dictionary(snapshot), by=by, denominator=denominator)


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
