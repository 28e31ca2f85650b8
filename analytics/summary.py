"""Table 1: patients' characteristics, overall and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import FloatArray, as_columns
from analytics._design import levels_of
from analytics.proportion import fisher_exact

Kind = Literal["number", "category", "boolean"]

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
    frame: pd.DataFrame, *, variables: Mapping[str, Kind] | Sequence[str], by: str | None = None
) -> TableOne:
    """Describe `variables`, and compare them between the levels of `by`.

    Parameters
    ----------
    frame
        One row per patient.
    variables
        Columns and their kinds: 'number', 'category' or 'boolean'. Of columns alone, the kind
        is that of their type: boolean, numeric, and a category for every other.
    by
        Grouping column; every patient needs a label.

    Raises
    ------
    ValueError
        For an absent column, an unknown kind, values that are not of their kind or a missing
        group label, all at once.

    Notes
    -----
    Wilcoxon's rank-sum test (normal approximation with ties and continuity corrected, as R's
    ``wilcox.test(exact = FALSE)``) for two groups and Kruskal-Wallis for more; Fisher's exact
    test for categories. Missing values are counted, and left out of the tests. Differences are
    those of :func:`standardised_difference`.
    """
    kinds, columns = _checked(frame, variables, by)
    groups = _groups(frame, by)
    rows: list[dict[str, object]] = []
    tests: list[dict[str, object]] = []
    for name, kind in kinds.items():
        values = columns[name]
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


def standardised_difference(
    values_1: pd.Series | npt.ArrayLike,
    values_2: pd.Series | npt.ArrayLike,
    *,
    kind: Kind,
    weights_1: pd.Series | npt.ArrayLike | None = None,
    weights_2: pd.Series | npt.ArrayLike | None = None,
) -> float | None:
    """Absolute standardised difference of a variable between two groups.

    Parameters
    ----------
    values_1, values_2
        One value per patient; missing ones are left out with their weights.
    kind
        'number', 'category' or 'boolean'.
    weights_1, weights_2
        Weights of the patients, by position; 1 each where not given.

    Returns
    -------
    float or None
        None where it is infinite (a difference without any spread) or cannot be had: fewer
        than two numbers, or no category, with a weight in a group.

    Raises
    ------
    ValueError
        For an unknown kind, values that are not of their kind, and weights that are missing,
        negative, infinite or not one per value, all at once.

    Notes
    -----
    Numbers: difference of the means over the root of the mean variance. Categories: Yang and
    Dalton (2012), multivariate, over the root of the mean covariance. Weighted means, rates
    and variances after Austin and Stuart (2015), the variances as R's ``cov.wt``; the
    denominator is weighted as well.
    """
    problems: list[str] = []
    first, weights_1 = _weighted(values_1, weights_1, kind, 1, problems)
    second, weights_2 = _weighted(values_2, weights_2, kind, 2, problems)
    if problems:
        raise ValueError("\n".join(problems))
    if first.empty or second.empty:
        return None
    if kind == "number":
        numbers_1, numbers_2 = first.to_numpy(np.float64), second.to_numpy(np.float64)
        apart = _numbers_apart(numbers_1, numbers_2, weights_1, weights_2)
    else:
        levels = [False, True] if kind == "boolean" else levels_of(pd.concat([first, second]))
        apart = _categories_apart(
            _level_counts(first, weights_1, levels), _level_counts(second, weights_2, levels)
        )
    return apart if np.isfinite(apart) else None


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


def _checked(
    frame: pd.DataFrame, variables: Mapping[str, Kind] | Sequence[str], by: str | None
) -> tuple[dict[str, Kind], dict[str, pd.Series]]:
    """Return the kind and the values of every variable."""
    names = list(variables) if isinstance(variables, Mapping) else as_columns(variables)
    absent = [name for name in (*names, by) if name is not None and name not in frame]
    problems = []
    if absent:
        problems.append(f"The frame has no column {', '.join(absent)}. Name columns that it has.")
    kinds: dict[str, Kind] = {}
    columns: dict[str, pd.Series] = {}
    for name in names:
        if name not in frame:
            continue
        column = frame[name]
        kinds[name] = variables[name] if isinstance(variables, Mapping) else _kind(column)
        columns[name] = _of_kind(column, kinds[name], name, problems)
    if by in frame and frame[by].isna().any():
        problems.append(
            f"{by}: {int(frame[by].isna().sum())} rows without a group label. "
            "Give them a level of their own or leave them out."
        )
    if problems:
        raise ValueError("\n".join(problems))
    return kinds, columns


def _kind(column: pd.Series) -> Kind:
    # A category of numbers or truths is one on purpose.
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    return "number" if pd.api.types.is_numeric_dtype(column) else "category"


def _of_kind(column: pd.Series, kind: Kind, name: str, problems: list[str]) -> pd.Series:
    if kind not in ("number", "category", "boolean"):
        problems.append(f"{name}: unknown kind {kind!r}. Use 'number', 'category' or 'boolean'.")
        return column
    try:
        if kind == "number":
            return pd.to_numeric(column).astype("float64")
        return column.astype("boolean") if kind == "boolean" else column
    except (TypeError, ValueError):
        problems.append(f"{name}: holds values that are no {kind}. Correct them or the kind.")
        return column


def _weighted(
    values: pd.Series | npt.ArrayLike,
    weights: pd.Series | npt.ArrayLike | None,
    kind: Kind,
    group: int,
    problems: list[str],
) -> tuple[pd.Series, FloatArray | None]:
    """Return the values that are known, and their weights."""
    column = _of_kind(pd.Series(values), kind, f"values_{group}", problems)
    known = column.notna().to_numpy(dtype=bool)
    if weights is None:
        return column[known], None
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != known.shape:
        problems.append(
            f"weights_{group}: {given.size} weights for {known.size} values. Give one for each."
        )
        return column, None
    if not (np.isfinite(given) & (given >= 0)).all():
        problems.append(f"weights_{group}: a weight is missing, negative or infinite. Correct it.")
    return column[known], given[known]


def _groups(frame: pd.DataFrame, by: str | None) -> list[tuple[object, npt.NDArray[np.bool_]]]:
    if by is None:
        return []
    return [(level, (frame[by] == level).to_numpy(dtype=bool)) for level in levels_of(frame[by])]


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
    levels: list[object] = [True] if kind == "boolean" else levels_of(values)
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
        levels = [False, True] if kind == "boolean" else levels_of(values)
        counts = [_level_counts(part, None, levels) for part in parts]
        table = np.array(counts).reshape(len(parts), len(levels))
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


def _numbers_apart(
    first: FloatArray,
    second: FloatArray,
    weights_1: FloatArray | None = None,
    weights_2: FloatArray | None = None,
) -> float:
    mean_1, variance_1 = _moments(first, weights_1)
    mean_2, variance_2 = _moments(second, weights_2)
    distance = abs(mean_1 - mean_2)
    spread = float(np.sqrt((variance_1 + variance_2) / 2))
    if spread == 0:
        return 0.0 if distance == 0 else np.inf
    return distance / spread


def _moments(values: FloatArray, weights: FloatArray | None) -> tuple[float, float]:
    """Mean and unbiased variance; NaN for fewer than two values with a weight."""
    if weights is not None:
        values, weights = values[weights > 0], weights[weights > 0]
    if values.size < 2:
        return np.nan, np.nan
    if np.ptp(values) == 0:
        # Rounding would leave a spread of 1e-17, and a difference of that size over it.
        return float(values[0]), 0.0
    if weights is None:
        return float(values.mean()), float(values.var(ddof=1))
    shares = weights / weights.sum()
    mean = float(shares @ values)
    return mean, float(shares @ (values - mean) ** 2 / (1 - shares @ shares))


def _level_counts(
    values: pd.Series, weights: FloatArray | None, levels: Sequence[object]
) -> FloatArray:
    """Patients, or the sum of their weights, at each level."""
    at = [(values == level).to_numpy(dtype=bool) for level in levels]
    if weights is None:
        return np.array([each.sum() for each in at], dtype=np.float64)
    return np.array([weights[each].sum() for each in at], dtype=np.float64)


def _categories_apart(first: FloatArray, second: FloatArray) -> float:
    if first.sum() == 0 or second.sum() == 0:
        return np.nan
    # The last level follows from the others, and levels in neither group say nothing.
    used = np.flatnonzero(first + second)[:-1]
    p, q = first[used] / first.sum(), second[used] / second.sum()
    covariance = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    if used.size and np.linalg.matrix_rank(covariance, hermitian=True) < used.size:
        return np.inf
    return float(np.sqrt((p - q) @ np.linalg.solve(covariance, p - q)))
