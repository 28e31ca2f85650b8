"""Table 1: patients' characteristics, overall and by group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.proportion import fisher_exact

Kind = Literal["number", "category", "boolean"]
FloatArray = npt.NDArray[np.float64]

WILCOXON = "Wilcoxon rank-sum"
KRUSKAL = "Kruskal-Wallis"
FISHER = "Fisher's exact"


@dataclass(frozen=True, eq=False)
class TableOne:
    """Characteristics in long form.

    Attributes
    ----------
    rows
        ``variable``, ``level`` (None for a number, True for a boolean), ``group`` ('' is all
        patients), ``n`` (with a value), ``missing``, ``count``, ``percent`` (of ``n``),
        ``median``, ``minimum``, ``maximum``, ``q1``, ``q3`` (type 7).
    tests
        ``variable``, ``test``, ``p_value``, ``smd`` (largest absolute standardised difference
        between two groups); NaN where not possible, for Fisher's test also where the table is
        too large to enumerate. Empty without groups.
    """

    rows: pd.DataFrame
    tests: pd.DataFrame


def table_one(
    frame: pd.DataFrame, *, variables: Mapping[str, Kind], by: str | None = None
) -> TableOne:
    """Describe `variables`, and compare them between the levels of `by`.

    Parameters
    ----------
    frame
        One row per patient.
    variables
        Column and its kind: 'number', 'category' or 'boolean'.
    by
        Grouping column; every patient needs a label.

    Raises
    ------
    ValueError
        For an absent column, an unknown kind or a missing group label.

    Notes
    -----
    Wilcoxon's rank-sum test (normal approximation with ties and continuity corrected, as R's
    ``wilcox.test(exact = FALSE)``) for two groups and Kruskal-Wallis for more; Fisher's exact
    test for categories. Missing values are counted, and left out of the tests. Standardised
    differences after Yang and Dalton (2012), multivariate for categories.
    """
    absent = [name for name in (*variables, by) if name is not None and name not in frame]
    if absent:
        raise ValueError(f"The frame has no column {', '.join(absent)}.")
    groups = _groups(frame, by)
    rows: list[dict[str, object]] = []
    tests: list[dict[str, object]] = []
    for name, kind in variables.items():
        if kind not in ("number", "category", "boolean"):
            raise ValueError(f"{name}: unknown kind {kind!r}.")
        values = _values(frame[name], kind)
        for label, inside in (("", np.ones(len(frame), dtype=bool)), *groups):
            rows += _describe(name, kind, values, label, inside)
        if by is not None:
            tests.append(_compare(name, kind, values, [inside for _, inside in groups]))
    return TableOne(
        pd.DataFrame(rows, columns=list(_EMPTY_ROW)).astype(_ROW_TYPES),
        pd.DataFrame(tests, columns=["variable", "test", "p_value", "smd"]).astype(
            {"p_value": "float64", "smd": "float64"}
        ),
    )


_EMPTY_ROW: dict[str, object] = {
    "variable": "",
    "level": None,
    "group": "",
    "n": 0,
    "missing": 0,
    **dict.fromkeys(("count", "percent", "median", "minimum", "maximum", "q1", "q3"), np.nan),
}
_ROW_TYPES = {
    "level": "object",
    "group": "object",
    "n": "int64",
    "missing": "int64",
    **dict.fromkeys(("count", "percent", "median", "minimum", "maximum", "q1", "q3"), "float64"),
}


def _groups(frame: pd.DataFrame, by: str | None) -> list[tuple[object, npt.NDArray[np.bool_]]]:
    if by is None:
        return []
    if frame[by].isna().any():
        raise ValueError(
            f"{by}: {int(frame[by].isna().sum())} rows without a group label. "
            "Give them a level of their own or leave them out."
        )
    return [(level, (frame[by] == level).to_numpy(dtype=bool)) for level in _levels(frame[by])]


def _levels(column: pd.Series) -> list[object]:
    """Levels that occur, in the order of the categories or sorted."""
    present = column.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        return list(present.cat.remove_unused_categories().cat.categories)
    return sorted(present.unique().tolist())


def _values(column: pd.Series, kind: Kind) -> pd.Series:
    if kind == "number":
        return pd.to_numeric(column).astype("float64")
    if kind == "boolean":
        return column.astype("boolean")
    return column


def _describe(
    name: str, kind: Kind, values: pd.Series, group: object, inside: npt.NDArray[np.bool_]
) -> list[dict[str, object]]:
    here = values[inside].dropna()
    missing = int(inside.sum()) - len(here)
    start = {**_EMPTY_ROW, "variable": name, "group": group, "n": len(here), "missing": missing}
    if kind == "number":
        if len(here):
            quartiles = np.percentile(here.to_numpy(dtype=np.float64), [0, 25, 50, 75, 100])
            start |= dict(zip(("minimum", "q1", "median", "q3", "maximum"), quartiles, strict=True))
        return [start]
    levels: list[object] = [True] if kind == "boolean" else _levels(values)
    rows = []
    for level in levels:
        count = int((here == level).sum())
        percent = 100 * count / len(here) if len(here) else np.nan
        rows.append({**start, "level": level, "count": count, "percent": percent})
    return rows


def _compare(
    name: str, kind: Kind, values: pd.Series, groups: list[npt.NDArray[np.bool_]]
) -> dict[str, object]:
    parts = [values[inside].dropna() for inside in groups]
    if kind == "number":
        samples = [part.to_numpy(dtype=np.float64) for part in parts]
        test = WILCOXON if len(groups) <= 2 else KRUSKAL
        p_value = _rank_test(samples)
        apart = [_numbers_apart(a, b) for a, b in combinations(samples, 2)]
    else:
        test = FISHER
        levels = [False, True] if kind == "boolean" else _levels(values)
        table = np.array([[int((part == level).sum()) for level in levels] for part in parts])
        table = table.reshape(len(parts), len(levels))
        p_value = fisher_exact(table).p_value
        apart = [_categories_apart(a, b) for a, b in combinations(table, 2)]
    # fmax passes over pairs too small to compare, but keeps one that is infinitely far apart.
    smd = float(np.fmax.reduce(apart, initial=np.nan))
    smd = smd if np.isfinite(smd) else np.nan
    return {"variable": name, "test": test, "p_value": p_value, "smd": smd}


def _rank_test(samples: list[FloatArray]) -> float | None:
    from scipy.stats import kruskal, mannwhitneyu

    samples = [sample for sample in samples if sample.size]
    if len(samples) < 2 or np.ptp(np.concatenate(samples)) == 0:
        return None
    if len(samples) == 2:
        return float(
            mannwhitneyu(samples[0], samples[1], method="asymptotic", use_continuity=True).pvalue
        )
    return float(kruskal(*samples).pvalue)


def _numbers_apart(first: FloatArray, second: FloatArray) -> float:
    if min(first.size, second.size) < 2:
        return np.nan
    distance = abs(float(first.mean() - second.mean()))
    spread = float(np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2))
    if spread == 0:
        return 0.0 if distance == 0 else np.inf
    return distance / spread


def _categories_apart(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    if first.sum() == 0 or second.sum() == 0:
        return np.nan
    # The last level follows from the others, and levels in neither group say nothing.
    used = np.flatnonzero(first + second)[:-1]
    p, q = first[used] / first.sum(), second[used] / second.sum()
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    if used.size and np.linalg.matrix_rank(covariance, hermitian=True) < used.size:
        return np.inf
    return float(np.sqrt((p - q) @ np.linalg.solve(covariance, p - q)))
