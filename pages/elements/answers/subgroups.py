"""The hazard ratio of one comparison in every subgroup of a cohort."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.subgroups import Subgroups, subgroup_hazards
from analytics.suppression import UNSAID, Count, Hidden, concealed, is_small, levels
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Variable
from pages.elements.answers.models import (
    EVENT,
    GROUP,
    TIME,
    Comparison,
    comparison,
    known_later,
    patients,
)
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE, group_counts

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
    small: tuple[tuple[str, str, Count], ...]
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
    found = patients_split(
        snapshot, cohort, variables,
        endpoint=endpoint, by=by, against=against, landmark_days=landmark_days,
    )  # fmt: skip
    if found is None:
        return None
    minimum = minimum_of(snapshot)
    frame, chosen, left_out = found
    split = {str(name): frame[name] for name in frame.columns.drop([TIME, EVENT, GROUP])}
    small: list[tuple[str, str, Count]] = []
    for name, column in split.items():
        sizes = column.value_counts(sort=False)
        if minimum:
            counts = {str(level): int(n) for level, n in sizes.items()}
            shown = levels({**counts, MISSING: int(column.isna().sum())}, minimum)
            few = {
                k: n for k, n in shown.items() if isinstance(n, Hidden) or n < FEWEST_FOR_A_CURVE
            }
            small += [(name, level, few[level]) for level in counts if few.get(level, 0)]
            continue
        few = sizes[(sizes > 0) & (sizes < FEWEST_FOR_A_CURVE)]
        small += [(name, str(level), int(n)) for level, n in few.items()]
    answer = subgroup_hazards(frame, time=TIME, event=EVENT, contrast=GROUP, variables=list(split))
    heads = {name: _head(variables[name]) for name in split}
    names = {
        (name, str(level)): _level_name(variables[name], str(level))
        for name, column in split.items()
        for level in column.cat.categories
    }
    drawn = _drawn(answer, small)
    if minimum:
        in_curves = group_counts(
            snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
        )
        pair = (chosen.reference.value, chosen.compared.value)
        drawn = _shown(
            drawn, answer, [in_curves.get(level, (UNSAID, UNSAID)) for level in pair], minimum
        )
    return ForestRows(chosen, drawn, heads, names, tuple(small), *left_out)


def patients_split(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    landmark_days: int | None,
) -> tuple[pd.DataFrame, Comparison, tuple[tuple[Variable, ...], ...]] | None:
    """Return the patients of `subgroups` with variables as levels, the two groups, and what is left out."""
    rows = patients(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
    )
    found = comparison(rows, variables[by], against, minimum_of(snapshot))
    if found is None:
        return None
    rows, chosen = found
    split, *left_out = _splits(rows, variables, by, landmark_days)
    frame = rows[[TIME, EVENT, GROUP]].join(pd.DataFrame(split, index=rows.index))
    return frame, chosen, tuple(left_out)


def _shown(
    drawn: Subgroups,
    answer: Subgroups,
    figure: Sequence[tuple[Count, Count]],
    minimum: int,
) -> Subgroups:
    """Return the subgroups without small counts: those of a variable add up to all patients.

    What the curves hide of both groups is hidden here too.
    """
    secret = {
        ("all", f"{column}{side}")
        for side, counts in zip(("_1", "_2"), figure, strict=True)
        for column, n in zip(("n", "n_event"), counts, strict=True)
        if isinstance(n, Hidden)
    }
    rows = drawn.rows.copy()
    columns = ["n", "n_event", "n_1", "n_event_1", "n_2", "n_event_2"]
    rows[columns] = rows[columns].astype("object")
    tests = drawn.interactions.copy()
    tests["n_missing"] = tests["n_missing"].astype("object")
    whole = answer.rows.iloc[0].to_dict()
    shown = _counts_shown({}, whole, secret, minimum)
    rows.loc[rows.index[0], columns] = pd.Series(shown["all"], dtype="object")
    for name, mine in answer.rows.iloc[1:].groupby("variable", sort=False):
        parts = {str(i): row for i, row in mine.to_dict("index").items()}
        said = _counts_shown(parts, whole, secret, minimum)
        for i in mine.index.intersection(rows.index):
            rows.loc[i, columns] = pd.Series(said[str(i)], dtype="object")
        missing = tests["variable"] == name
        tests.loc[missing, "n_missing"] = pd.Series(said[None]["n"], tests.index[missing])
    # A ratio of which one side is small is one of few patients, and so is its part in the test.
    few = (rows[["n_1", "n_2"]].map(lambda n: isinstance(n, Hidden) and n.few)).any(axis=1)
    few |= (
        answer.rows.loc[rows.index, ["n_1", "n_2"]].map(lambda n: is_small(n, minimum)).any(axis=1)
    )
    rows.loc[few, ["hazard_ratio", "low", "high", "p_value"]] = float("nan")
    tests.loc[tests["variable"].isin(set(rows.loc[few, "variable"])), "p_value"] = float("nan")
    return replace(drawn, rows=rows, interactions=tests)


def _counts_shown(
    parts: Mapping[str, Mapping[str, int]],
    whole: Mapping[str, int],
    secret: set[tuple[str, str]],
    minimum: int,
) -> dict[str | None, dict[str, Count]]:
    """Return the counts of subgroups; under None those of who has no level, under 'all' of all."""
    cells: dict[Hashable, int] = {}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    for key, row in (*parts.items(), ("all", whole)):
        for side in ("_1", "_2"):
            n, e = int(row[f"n{side}"]), int(row[f"n_event{side}"])
            cells |= {(key, f"n{side}"): n, (key, f"n_event{side}"): e, (key, f"none{side}"): n - e}
            sums.append(((key, f"n{side}"), [(key, f"n_event{side}"), (key, f"none{side}")]))
        for column in ("n", "n_event"):
            cells[key, column] = int(row[column])
            sums.append(((key, column), [(key, f"{column}_1"), (key, f"{column}_2")]))
    columns = ("n", "n_event", "n_1", "n_event_1", "n_2", "n_event_2", "none_1", "none_2")
    for column in columns:
        mine = [(key, column) for key in parts]
        rest = cells["all", column] - sum(cells[key] for key in mine)
        cells["rest", column] = rest
        sums.append((("all", column), [*mine, ("rest", column)]))
    if secret:
        secret = secret | {("all", "n")} | {("all", "n_event")}
    known = {("all", "n"), ("all", "n_1"), ("all", "n_2"), ("all", "n_event")} - secret
    shown = concealed(cells, sums, minimum, known, already=secret)
    names = {**{key: key for key in parts}, None: "rest", "all": "all"}
    return {name: {c: shown[key, c] for c in columns[:6]} for name, key in names.items()}


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


def _drawn(answer: Subgroups, small: Sequence[tuple[str, str, Count]]) -> Subgroups:
    named = {(variable, level) for variable, level, _ in small}
    keys = zip(answer.rows["variable"], answer.rows["level"].astype(str), strict=True)
    return replace(answer, rows=answer.rows[[key not in named for key in keys]])
