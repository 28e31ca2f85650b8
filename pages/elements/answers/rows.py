"""The rows behind an answer without identifiers, for who recomputes it.

They are made when they are asked for, and kept nowhere. A study with a small-cell minimum gives none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analytics.summary import Kind
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements.answers import balanced, models
from pages.elements.answers import subgroups as forests
from pages.elements.answers.small_cells import minimum_of


def followed(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, endpoint: str
) -> pd.DataFrame | None:
    """Return the event table of `survival.followed`."""
    if minimum_of(snapshot):
        return None
    return queries.events(snapshot, cohort, variables, endpoint=endpoint)


def transplant(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str
) -> pd.DataFrame | None:
    """Return one row per patient of `transplant.transplant`: time, event, switch, known_day, covariates."""
    if minimum_of(snapshot):
        return None
    rows = queries.switch_rows(snapshot, cohort, variables, endpoint=endpoint, name="allosct")
    return rows[~rows["undated"]].drop(columns=["undated", "patient_id"])


def table_one(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    rows: Mapping[str, Kind],
    by: str | None,
) -> pd.DataFrame | None:
    """Return one row per patient of Table 1: its variables and the groups as categories in their order."""
    if minimum_of(snapshot):
        return None
    frame = queries.subjects(snapshot, cohort, variables)
    if by is None:
        return frame[list(rows)]
    group = (
        frame[by].map({True: "yes", False: "no"}) if variables[by].kind == "boolean" else frame[by]
    )
    present = set(group.dropna())
    order = [level.value for level in variables[by].levels if level.value in present]
    frame = frame[[name for name in rows if name != by]].assign(
        **{by: pd.Categorical(group, order)}
    )
    return frame[frame[by].notna()]


def cox_models(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    covariates: Sequence[str],
    landmark_days: int | None,
) -> models.Fits | None:
    """Return the patients of `models.cox_models`, with the covariates as they enter."""
    if minimum_of(snapshot):
        return None
    return models.model_fits(
        snapshot, cohort, variables,
        endpoint=endpoint, covariates=covariates, landmark_days=landmark_days,
    )  # fmt: skip


def subgroups(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    landmark_days: int | None,
) -> pd.DataFrame | None:
    """Return the patients of `subgroups.subgroups`, with every variable as levels."""
    if minimum_of(snapshot):
        return None
    found = forests.patients_split(
        snapshot, cohort, variables,
        endpoint=endpoint, by=by, against=against, landmark_days=landmark_days,
    )  # fmt: skip
    return found[0] if found else None


def weighed(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    covariates: Sequence[str],
    method: balanced.Method,
    landmark_days: int | None,
) -> balanced.Weighed | None:
    """Return the patients of `balanced.balanced` with their weights."""
    if minimum_of(snapshot):
        return None
    return balanced.weighed(
        snapshot, cohort, variables, endpoint=endpoint, by=by, against=against,
        covariates=covariates, method=method, landmark_days=landmark_days,
    )  # fmt: skip
