"""Kaplan-Meier curves of a cohort, with everything that may be said about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from analytics.events import event_table
from analytics.hazard import HazardRatios, hazard_ratios
from analytics.landmark import Landmark, landmark
from analytics.survival import (
    KaplanMeier,
    LogRank,
    RestrictedMean,
    follow_up,
    kaplan_meier,
    log_rank,
    pairwise_log_rank,
    restricted_mean,
)
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary, Level, Variable

FEWEST_FOR_A_CURVE = 5
"""Fewer patients are not drawn: every step of such a curve is one person."""


@dataclass(frozen=True, eq=False)
class Survival:
    """The survival of a cohort, all together or by one variable.

    Attributes
    ----------
    km : KaplanMeier
    levels : tuple of Level
        The groups that hold patients, in the dictionary's order; empty for all patients together.
    n, n_event : int
        Patients and events in the curves.
    left_out : dict of str to int
        Patients of the cohort who are not in the curves, by reason.
    test : LogRank or None
        With two groups or more.
    hazard : HazardRatios or None
        Against the first of `levels`.
    pairwise : pandas.DataFrame or None
        With three groups or more, and only after the test of all: every two of them.
    mean : RestrictedMean or None
        Up to the horizon or, if that is earlier, the last follow-up of a group.
    landmark : Landmark or None
    n_later : int
        Patients whose group changes after the landmark; they stay in the group of that day.
    """

    km: KaplanMeier
    levels: tuple[Level, ...]
    n: int
    n_event: int
    left_out: dict[str, int]
    test: LogRank | None = None
    hazard: HazardRatios | None = None
    pairwise: pd.DataFrame | None = None
    mean: RestrictedMean | None = None
    landmark: Landmark | None = None
    n_later: int = 0

    def row(self, level: Level | None, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a result frame that belong to one group (None: all patients)."""
        return frame if level is None else frame[frame[self.km.by[0]] == level.value]


def survival(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str | None,
    landmark_days: int | None,
    horizon_days: int,
) -> Survival:
    """Return the survival of a cohort, with everything that may be said about it."""
    columns = (by,) if by else ()
    later, chosen = 0, None
    if landmark_days is None:
        table = queries.events(snapshot, cohort, variables, endpoint=endpoint, by=columns)
    else:
        rows = queries.event_rows(
            snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
        )
        undated = rows["undated"].astype(bool)
        chosen = landmark(
            rows[~undated], at=landmark_days, time="time", event="event", known_day="known_day"
        )
        later = int(chosen.frame["later"].sum())
        table = event_table(chosen.frame, time="time", event="event", by=columns)
    left_out = _left_out(snapshot, cohort, variables, endpoint, by)
    if by and landmark_days is not None and undated.any():
        left_out[f"{variables[by].level('yes').name} without a date"] = int(undated.sum())
    if by:
        table = _without_small_groups(table, variables[by], left_out)
    km = kaplan_meier(table, by=columns)
    n, n_event = int(km.groups["n"].sum()), int(km.groups["n_event"].sum())
    levels: tuple[Level, ...] = ()
    if by:
        present = set(km.groups[by])
        levels = tuple(level for level in variables[by].levels if level.value in present)
    result = Survival(
        km, levels, n, n_event, left_out, landmark=chosen, n_later=later,
        mean=_mean(table, columns, km, horizon_days, landmark_days),
    )  # fmt: skip
    if len(levels) < 2:
        return result
    return replace(
        result,
        test=log_rank(table, by=columns),
        hazard=hazard_ratios(table, by=str(by), reference=levels[0].value),
        pairwise=pairwise_log_rank(table, by=columns) if len(levels) > 2 else None,
    )


def _without_small_groups(
    table: pd.DataFrame, variable: Variable, left_out: dict[str, int]
) -> pd.DataFrame:
    """Return the event table without the groups too small for a curve, noting them."""
    sizes = table.groupby(variable.name)[["n_event", "n_competing", "n_censored"]].sum().sum(axis=1)
    small = sizes[sizes < FEWEST_FOR_A_CURVE]
    for value, n in small.items():
        left_out[f"{variable.level(str(value)).name}, too few for a curve"] = int(n)
    return table[~table[variable.name].isin(small.index)]


def _mean(
    table: pd.DataFrame, by: tuple[str, ...], km: KaplanMeier, horizon: int, start: int | None
) -> RestrictedMean | None:
    """Restricted mean to the horizon; after a landmark the time before it is everybody's alike."""
    last = km.groups["last_time"]
    if last.empty:
        return None
    tau = min(horizon, int(last.min()))
    return restricted_mean(table, by=by, tau=tau) if tau > (start or 0) else None


def _left_out(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, endpoint: str, by: str | None
) -> dict[str, int]:
    reasons = queries.exclusions(snapshot, cohort, variables, endpoint=endpoint)
    if by:
        variable = variables[by]
        compared = variable.compared or tuple(level.value for level in variable.levels)
        counts = queries.levels_of_endpoint(snapshot, cohort, variables, endpoint=endpoint, by=by)
        for value, n in counts.items():
            if value not in compared:
                reasons[variable.level(value).name] = n
    return reasons


@dataclass(frozen=True)
class FollowUp:
    """Events of an endpoint in a cohort, and its median follow-up by reverse Kaplan-Meier, days."""

    n: int
    n_event: int
    median: float
    low: float
    high: float


def followed(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, endpoint: str
) -> FollowUp:
    """Return how many events an endpoint has in a cohort, and how long it was followed."""
    table = queries.events(snapshot, cohort, variables, endpoint=endpoint)
    if table.empty:
        return FollowUp(0, 0, float("nan"), float("nan"), float("nan"))
    line = follow_up(table).iloc[0]
    return FollowUp(
        int(line["n"]), int(table["n_event"].sum()), line["median"], line["low"], line["high"]
    )
