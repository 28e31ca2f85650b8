"""One comparison in every subgroup: hazard ratios, and whether they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics._counts import COUNTS
from analytics._design import levels_of
from analytics.events import event_table
from analytics.hazard import NO_EVENT, cox_from_counts, likelihood_ratio

ONE_GROUP = "only one of the two groups"

_NUMBERS = ("hazard_ratio", "low", "high", "p_value")


@dataclass(frozen=True, eq=False)
class Subgroups:
    """The hazard ratio of one comparison among all patients and in every subgroup.

    Attributes
    ----------
    rows
        ``variable``, ``level`` (None for all patients, who come first), ``n``, ``n_event``,
        ``n_1``, ``n_event_1`` (of the reference), ``n_2``, ``n_event_2`` (of the group compared
        with it), ``hazard_ratio``, ``low``, ``high`` (95%, Wald), ``p_value``, ``reason``. Where
        no finite ratio exists the numbers are NaN and ``reason`` says why.
    interactions
        ``variable``, ``n_missing`` (patients without a level, who are in none of its rows),
        ``statistic``, ``degrees_of_freedom``, ``p_value`` of equal ratios in all levels; NaN
        where fewer than two levels tell anything about the ratio.
    reference, compared
        The two levels: the ratio is that of `compared` over `reference`.
    """

    rows: pd.DataFrame
    interactions: pd.DataFrame
    reference: object
    compared: object


def subgroup_hazards(
    frame: pd.DataFrame, *, time: str, event: str, contrast: str, variables: Sequence[str]
) -> Subgroups:
    """Estimate the hazard ratio of two groups in every level of other variables.

    Parameters
    ----------
    frame
        One row per patient.
    time, event
        Columns as in :func:`analytics.events.event_table`; competing events count as censored.
    contrast
        Column with exactly two levels and no missing value. The first, in the order of the
        categories or else sorted, is the reference.
    variables
        Columns with levels. Patients without one are left out of that variable's rows.

    Raises
    ------
    ValueError
        Where `contrast` has not two levels or is among `variables`, and as
        :func:`analytics.events.event_table`.

    Notes
    -----
    Each ratio is from a Cox model of that subgroup alone, as R's
    ``coxph(Surv(time, event) ~ contrast, subset = level)``. The interaction is the likelihood
    ratio test of ``contrast + variable`` against ``contrast * variable``, as R's ``anova`` of the
    two. A level without events adds nothing to its statistic, and here no degree of freedom
    either. None of the P values is adjusted for their number (Wang and others 2007).
    """
    levels = _contrast_levels(frame, contrast, variables)
    rows: list[tuple[object, ...]] = [
        ("", None, *_row(_table(frame, time, event, contrast, ()), contrast, levels))
    ]
    tests = []
    for variable in variables:
        known = frame[frame[variable].notna()]
        table = _table(known, time, event, contrast, (variable,))
        rows += [
            (variable, level, *_row(part, contrast, levels))
            for level, part in _parts(table, variable)
        ]
        n_missing = len(frame) - len(known)
        tests.append((variable, n_missing, *_interaction(table, contrast, variable)))
    counts = ["n", "n_event", "n_1", "n_event_1", "n_2", "n_event_2"]
    return Subgroups(
        pd.DataFrame(rows, columns=["variable", "level", *counts, *_NUMBERS, "reason"]),
        pd.DataFrame(
            tests,
            columns=["variable", "n_missing", "statistic", "degrees_of_freedom", "p_value"],
        ),
        *levels,
    )


def _contrast_levels(
    frame: pd.DataFrame, contrast: str, variables: Sequence[str]
) -> tuple[object, object]:
    absent = [name for name in (contrast, *variables) if name not in frame.columns]
    if absent:
        raise ValueError(f"The frame has no column {', '.join(map(repr, absent))}.")
    if contrast in variables:
        raise ValueError(f"{contrast}: is what is compared, and cannot be a subgroup too.")
    levels = levels_of(frame[contrast])
    if len(levels) != 2:
        raise ValueError(f"{contrast}: has {len(levels)} levels. A comparison takes two.")
    return levels[0], levels[1]


def _table(
    frame: pd.DataFrame, time: str, event: str, contrast: str, by: Sequence[str]
) -> pd.DataFrame:
    return event_table(frame, time=time, event=event, by=[contrast, *by])


def _parts(table: pd.DataFrame, variable: str) -> Iterator[tuple[object, pd.DataFrame]]:
    """Yield every level with the patients who have it."""
    for level in levels_of(table[variable]):
        yield level, table[(table[variable] == level).to_numpy(dtype=bool)]


def _row(
    table: pd.DataFrame, contrast: str, levels: tuple[object, object]
) -> tuple[int | float | str, ...]:
    """Return counts, ratio with limits and P, and why there is none."""
    counts: list[int] = []
    for group in levels:
        mine = table[(table[contrast] == group).to_numpy(dtype=bool)]
        counts += [int(mine[list(COUNTS)].to_numpy().sum()), int(mine["n_event"].sum())]
    n, n_event = counts[0] + counts[2], counts[1] + counts[3]
    if not (counts[0] and counts[2]):
        return (n, n_event, *counts, *[np.nan] * len(_NUMBERS), ONE_GROUP)
    if not n_event:
        return (n, n_event, *counts, *[np.nan] * len(_NUMBERS), NO_EVENT)
    (term,) = cox_from_counts(table, covariates=(contrast,)).terms.to_dict("records")
    return (n, n_event, *counts, *(float(term[name]) for name in _NUMBERS), str(term["reason"]))


def _interaction(table: pd.DataFrame, contrast: str, variable: str) -> tuple[float, int, float]:
    """Test whether the ratio is the same in all levels that had an event."""
    told = [part for _, part in _parts(table, variable) if part["n_event"].sum() > 0]
    if len(told) < 2:
        return np.nan, 0, np.nan
    rows = pd.concat(told, ignore_index=True)
    main = cox_from_counts(rows, covariates=(contrast, variable))
    full = cox_from_counts(rows, covariates=(contrast, variable, (contrast, variable)))
    statistic, df, p_value = likelihood_ratio(main, full)
    return (np.nan, 0, np.nan) if p_value is None else (statistic, df, p_value)
