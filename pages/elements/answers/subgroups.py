"""The hazard ratio of one comparison in every subgroup of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.subgroups import Subgroups, subgroup_hazards
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary, Variable
from pages.elements.answers.models import (
    EVENT,
    GROUP,
    TIME,
    Comparison,
    comparison,
    known_later,
    patients,
)
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE

MOST_LEVELS = 6
"""A variable with more levels is no row of a forest: its subgroups are too small."""


@dataclass(frozen=True, eq=False)
class ForestRows:
    """The hazard ratio of one comparison in every subgroup.

    Attributes
    ----------
    comparison : Comparison
    subgroups : Subgroups
        Without the subgroups in `small`.
    heads : dict of str to str
        Label of each variable, with its unit.
    levels : dict of (str, str) to str
        Name of each level of each variable.
    small : tuple of (str, str, int)
        Variable, level and patients of subgroups too small to be drawn.
    later : tuple of Variable
        Left out: known only after time starts, and no landmark is set.
    crowded : tuple of Variable
        Left out: more levels than `MOST_LEVELS`.
    single : tuple of Variable
        Left out: one level only among these patients.
    """

    comparison: Comparison
    subgroups: Subgroups
    heads: Mapping[str, str]
    levels: Mapping[tuple[str, str], str]
    small: tuple[tuple[str, str, int], ...]
    later: tuple[Variable, ...]
    crowded: tuple[Variable, ...]
    single: tuple[Variable, ...]


def subgroups(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    landmark_days: int | None,
) -> ForestRows | None:
    """Return the hazard ratio of two groups in every subgroup; None without two groups."""
    rows = patients(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
    )
    found = comparison(rows, variables[by], against)
    if found is None:
        return None
    rows, chosen = found
    split, *left_out = _splits(rows, variables, by, landmark_days)
    frame = rows[[TIME, EVENT, GROUP]].join(pd.DataFrame(split, index=rows.index))
    small = []
    for name, column in split.items():
        sizes = column.value_counts(sort=False)
        few = sizes[(sizes > 0) & (sizes < FEWEST_FOR_A_CURVE)]
        small += [(name, str(level), int(n)) for level, n in few.items()]
    answer = subgroup_hazards(frame, time=TIME, event=EVENT, contrast=GROUP, variables=list(split))
    heads = {name: _head(variables[name]) for name in split}
    levels = {
        (name, str(level)): _level_name(variables[name], str(level))
        for name, column in split.items()
        for level in column.cat.categories
    }
    return ForestRows(chosen, _drawn(answer, small), heads, levels, tuple(small), *left_out)


def _splits(
    rows: pd.DataFrame, variables: Dictionary, by: str, landmark_days: int | None
) -> tuple[dict[str, pd.Series], tuple[Variable, ...], tuple[Variable, ...], tuple[Variable, ...]]:
    """Return every variable as levels, and those left out: known later, too many levels, one."""
    split = dict[str, pd.Series]()
    later, crowded, single = list[Variable](), list[Variable](), list[Variable]()
    for name, variable in variables.items():
        if name == by or variable.known == "with the outcome":
            continue
        number = variable.kind == "number"
        column = _at_median(rows[name]) if number else rows[name].cat.remove_unused_categories()
        if known_later(variable) and landmark_days is None:
            if len(column.cat.categories) > 1:
                later.append(variable)
        elif len(column.cat.categories) < 2:
            single.append(variable)
        elif len(column.cat.categories) > MOST_LEVELS:
            crowded.append(variable)
        else:
            split[name] = column
    return split, tuple(later), tuple(crowded), tuple(single)


def _at_median(values: pd.Series) -> pd.Series:
    """Return a number as two levels, below its median and from it on."""
    numbers = values.astype("float64")
    middle = numbers.median()
    text = f"{middle:g}" if abs(middle) < 1e5 else f"{middle:.0f}"
    below, above = f"< {text}", f"≥ {text}"
    named = np.where(numbers < middle, below, above).astype("object")
    column = pd.Series(pd.Categorical(named, [below, above]), values.index).mask(numbers.isna())
    return column.cat.remove_unused_categories()


def _head(variable: Variable) -> str:
    return f"{variable.label}, {variable.unit}" if variable.unit else variable.label


def _level_name(variable: Variable, level: str) -> str:
    return level if variable.kind == "number" else variable.level(level).short


def _drawn(answer: Subgroups, small: Sequence[tuple[str, str, int]]) -> Subgroups:
    named = {(variable, level) for variable, level, _ in small}
    keys = zip(answer.rows["variable"], answer.rows["level"].astype(str), strict=True)
    return replace(answer, rows=answer.rows[[key not in named for key in keys]])
