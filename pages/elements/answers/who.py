"""Who is in a cohort, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.summary import Kind, TableOne, table_one
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary


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
