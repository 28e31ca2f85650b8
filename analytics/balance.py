"""Two treatments of an observational cohort made comparable: propensity, matching, weights."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analytics._counts import FloatArray, IntArray
from analytics._design import design, levels_of
from analytics._logistic import collinear, logistic
from analytics._weighted_survival import WeightedKaplanMeier as WeightedKaplanMeier
from analytics._weighted_survival import aligned, effective_size
from analytics._weighted_survival import weighted_kaplan_meier as weighted_kaplan_meier
from analytics.events import BoolArray, rows_named

Estimand = Literal["ATE", "ATT", "overlap"]

NO_NEIGHBOUR = "no untreated patient within the caliper"
ALL_TAKEN = "every untreated patient within the caliper was taken"
NOT_CHOSEN = "not chosen for any treated patient"

# Logits this close are one, so that rounding does not decide between equals.
_SAME_LOGIT = 1e-10


@dataclass(frozen=True, eq=False)
class Propensity:
    """Probability of treatment given the covariates.

    Attributes
    ----------
    scores, linear
        Probability and its logit, on the index of the rows fitted.
    treated
        Whether treated, on the same index.
    terms
        ``term`` ('(intercept)', 'age', 'risk[high]'), ``coefficient`` (log odds ratio),
        ``standard_error``.
    excluded
        Rows left out of the fit, with ``reason``: which covariates are missing.
    """

    scores: pd.Series
    linear: pd.Series
    treated: pd.Series
    terms: pd.DataFrame
    excluded: pd.DataFrame

    @property
    def n_treated(self) -> int:
        """Treated patients in the fit."""
        return int(self.treated.sum())

    @property
    def n_untreated(self) -> int:
        """Untreated patients in the fit."""
        return len(self.treated) - self.n_treated


@dataclass(frozen=True, eq=False)
class Matched:
    """Treated patients and the untreated ones matched to them.

    Attributes
    ----------
    pairs
        ``pair``, ``treated`` and ``untreated`` (index labels), ``distance`` (of the logits);
        one row per untreated patient matched, so several of one ``pair`` where the ratio is
        above 1.
    frame
        On the index of the scores: ``treated``, ``pair`` (missing where unmatched), ``weight``
        (0 where unmatched) and ``reason`` (None where matched).
    unmatched
        ``treated``, ``reason``, ``n``.
    caliper
        Largest distance allowed, in logits.

    Notes
    -----
    A treated patient has weight 1, and the untreated of one pair share one weight, scaled so
    that all untreated ones add up to their number, as in MatchIt.
    """

    pairs: pd.DataFrame
    frame: pd.DataFrame
    unmatched: pd.DataFrame
    caliper: float


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights that balance the covariates.

    Attributes
    ----------
    weights
        On the index of the scores.
    groups
        ``treated``, ``n``, ``total`` (sum of weights), ``effective_n`` (Kish), ``smallest``,
        ``largest``; the untreated first.
    estimand
        As asked.
    n_truncated
        Patients whose weight was pulled to a quantile.
    """

    weights: pd.Series
    groups: pd.DataFrame
    estimand: Estimand
    n_truncated: int


def propensity(frame: pd.DataFrame, *, treated: str, covariates: Sequence[str]) -> Propensity:
    """Estimate the probability of treatment by logistic regression.

    Parameters
    ----------
    frame
        One row per patient, with an index of its own for each.
    treated
        Column with true or 1 for the treated and false or 0 for the others.
    covariates
        Columns known before treatment: numbers as they are, others as indicators against
        their first level. Rows with a missing one are left out; to keep them, give the
        missing a level of its own.

    Raises
    ------
    ValueError
        For unusable columns, all at once; for covariates that follow from one another; and
        where covariates decide the treatment (separation), so that no score exists.

    Notes
    -----
    Rosenbaum and Rubin (1983). Maximum likelihood by Newton's method, as R's
    ``glm(family = binomial)``.
    """
    from scipy.special import expit

    is_treated = _checked(frame, treated, covariates)
    missing = frame.loc[:, list(covariates)].isna()
    kept = ~missing.any(axis=1).to_numpy(dtype=bool)
    rows, y = frame[kept], is_treated[kept]
    if y.all() or not y.any():
        raise ValueError(
            f"{treated}: of the {len(rows)} rows with every covariate, none or all are treated. "
            "Choose covariates that are known, or give the missing a level of its own."
        )
    columns = design(rows, covariates)
    names = columns.terms["term"].tolist()
    lost = collinear(columns.matrix)
    if lost:
        raise ValueError(
            f"{', '.join(names[k] for k in lost)}: constant, or determined by the other "
            "covariates. Leave it out, or merge levels."
        )
    fit = logistic(columns.matrix, y.astype(np.float64))
    if fit is None:
        raise ValueError(_separation(rows, y, covariates))
    terms = pd.DataFrame(
        {
            "term": ["(intercept)", *names],
            "coefficient": fit.coefficient,
            "standard_error": np.sqrt(np.diag(fit.covariance)),
        }
    )
    linear = pd.Series(fit.linear, rows.index, name="linear")
    return Propensity(
        scores=pd.Series(expit(fit.linear), rows.index, name="score"),
        linear=linear,
        treated=pd.Series(y, rows.index, name="treated"),
        terms=terms,
        excluded=frame[~kept].assign(reason=_reasons(missing[~kept])),
    )


def match(scores: Propensity, *, caliper: float = 0.2, ratio: int = 1) -> Matched:
    """Match untreated patients to treated ones with like scores.

    Parameters
    ----------
    scores
        As :func:`propensity` gives them.
    caliper
        Largest distance, in standard deviations of the logit over all patients.
    ratio
        Untreated patients wanted for each treated one.

    Raises
    ------
    ValueError
        For a caliper that is not above 0 or a ratio that is not a whole number from 1 on.

    Notes
    -----
    Nearest neighbour on the logit, without replacement, the treated with the highest scores
    first (ties in the order of the rows); for a ratio above 1 everybody's first match comes
    before anybody's second. With all sorted by score, then row, the neighbours before and
    after are asked, and of two equally near the one before is taken. Caliper after Austin
    (2011). As R's ``matchit(method = "nearest", link = "linear.logit", caliper = 0.2)``, but
    for its version 4.5.1, which holds a caliper against whole logits only.
    """
    if not (np.isfinite(caliper) and caliper > 0):
        raise ValueError(f"A caliper is above 0, not {caliper}. 0.2 is usual.")
    if ratio < 1 or ratio != int(ratio):
        raise ValueError(f"A ratio is a whole number from 1 on, not {ratio}.")
    linear = scores.linear.to_numpy(dtype=np.float64)
    treated = scores.treated.to_numpy(dtype=bool)
    width = caliper * float(linear.std(ddof=1))
    grid = np.rint(linear / _SAME_LOGIT).astype(np.int64)
    limit = int(width / _SAME_LOGIT)
    first, second = _nearest(grid, treated, limit, int(ratio))
    # Who finds nobody in the first round finds nobody later.
    pair = pd.factorize(first)[0] + 1
    index = scores.linear.index
    pairs = pd.DataFrame(
        {
            "pair": pair,
            "treated": index[first],
            "untreated": index[second],
            "distance": np.abs(linear[first] - linear[second]),
        }
    ).sort_values("pair", kind="stable", ignore_index=True)
    frame = pd.DataFrame({"treated": treated, "pair": pd.NA, "weight": 0.0}, index=index)
    frame = frame.astype({"pair": "Int64"}).assign(reason=_lonely(grid, treated, limit))
    for members, weight in ((first, np.ones(len(first))), (second, _shares(pair))):
        frame.iloc[members, 1] = pair
        frame.iloc[members, 2] = weight
        frame.iloc[members, 3] = None
    unmatched = frame[frame["pair"].isna()].groupby(["treated", "reason"]).size()
    return Matched(pairs, frame, unmatched.rename("n").reset_index(), width)


def weights(
    scores: Propensity,
    *,
    estimand: Estimand = "ATE",
    stabilised: bool = True,
    truncate: float | None = None,
) -> Weights:
    """Weigh patients so that the covariates have one distribution in both treatments.

    Parameters
    ----------
    scores
        As :func:`propensity` gives them.
    estimand
        Whose covariates are aimed at: 'ATE' all patients, 'ATT' the treated, 'overlap' those
        whose treatment was most open.
    stabilised
        Whether the weights average about 1 in each group, as they should where a model or a
        test adds the groups up, rather than standing for the whole target.
    truncate
        Quantile, such as 0.99, above which a weight becomes the quantile, and likewise below
        its complement; not at all unless given.

    Raises
    ------
    ValueError
        For an unknown estimand or a quantile that is not between 0.5 and 1.

    Notes
    -----
    With score e the weights are h / e for the treated and h / (1 - e) for the others, where h
    is 1 (ATE: Robins, Hernán and Brumback 2000), e (ATT) or e (1 - e) (overlap: Li, Morgan and
    Zaslavsky 2018). Stabilised ones are multiplied by the share of the patient's group over
    the mean of h. Truncation after Cole and Hernán (2008).
    """
    if estimand not in ("ATE", "ATT", "overlap"):
        raise ValueError(f"Unknown estimand {estimand!r}: use 'ATE', 'ATT' or 'overlap'.")
    if truncate is not None and not 0.5 < truncate < 1:
        raise ValueError(f"Weights are truncated at a quantile above 0.5, not at {truncate}.")
    e, treated = scores.scores.to_numpy(), scores.treated.to_numpy(dtype=bool)
    own = np.where(treated, e, 1 - e)
    target = {"ATE": np.ones_like(e), "ATT": e, "overlap": e * (1 - e)}[estimand]
    found = target / own
    if stabilised:
        found *= np.where(treated, treated.mean(), 1 - treated.mean()) / target.mean()
    n_truncated = 0
    if truncate is not None:
        low, high = np.quantile(found, [1 - truncate, truncate])
        n_truncated = int(((found < low) | (found > high)).sum())
        found = np.clip(found, low, high)
    series = pd.Series(found, scores.scores.index, name="weight")
    return Weights(series, _weight_groups(found, treated), estimand, n_truncated)


def balance_table(
    frame: pd.DataFrame,
    *,
    treated: str,
    covariates: Sequence[str],
    weights: pd.Series | None = None,
) -> pd.DataFrame:
    """Compare the covariates of treated and untreated, before and after weighting or matching.

    Parameters
    ----------
    frame
        One row per patient, with an index of its own for each: those of the scores.
    treated, covariates
        Columns as in :func:`propensity`.
    weights
        Weight of every row, on the index of `frame`; of a matching, ``Matched.frame["weight"]``.

    Returns
    -------
    DataFrame
        ``covariate``, ``level`` (None for a number, True for a boolean), ``n_missing`` (left
        out of the row), ``treated_before``, ``untreated_before``, ``treated_after``,
        ``untreated_after`` (mean of a number, percent of a level), ``smd_before``,
        ``smd_after`` (standardised difference, treated less untreated), and of numbers
        ``variance_ratio_before``, ``variance_ratio_after`` (treated over untreated). NaN where
        it cannot be had; 'after' is NaN without weights.

    Raises
    ------
    ValueError
        For unusable columns or rows without a weight.

    Notes
    -----
    Differences of means or proportions over the root of the mean of the two groups' variances
    *before* weighting, in both columns: a change of the denominator could pass for balance
    (Stuart 2010). Weighted variances are unbiased for weights that are not counts, as R's
    ``cov.wt``.
    """
    is_treated = _checked(frame, treated, covariates)
    weight = np.zeros(len(frame)) if weights is None else aligned(weights, frame)
    rows = [
        {"covariate": name, "level": level, **_balance(values, is_treated, weight, level is None)}
        for name, level, values in _rows(frame, covariates)
    ]
    return pd.DataFrame(rows).astype({"level": "object"})


def _checked(frame: pd.DataFrame, treated: str, covariates: Sequence[str]) -> BoolArray:
    """Who is treated; raises naming every unusable column."""
    absent = [name for name in (treated, *covariates) if name not in frame.columns]
    if absent:
        raise ValueError(f"The frame has no column {', '.join(map(repr, absent))}.")
    problems = []
    if not frame.index.is_unique:
        problems.append("The index of the frame repeats labels. Give each row its own.")
    if not covariates or treated in covariates:
        problems.append("Name covariates, and not the treatment among them.")
    found = pd.to_numeric(frame[treated], errors="coerce")
    values = found.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isin(values, (0, 1)).all():
        problems.append(
            f"{treated}: neither yes nor no in {rows_named(frame, ~np.isin(values, (0, 1)))}. "
            "Use true or 1 for the treated, false or 0 for the others; leave out the unknown."
        )
    for name in covariates:
        column = frame[name]
        if column.dtype.kind in "mM":
            problems.append(f"{name}: holds dates or durations. Turn them into numbers.")
        elif pd.api.types.is_numeric_dtype(column):
            infinite = np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan))
            if infinite.any():
                problems.append(f"{name}: infinite in {rows_named(frame, infinite)}. Correct them.")
    if problems:
        raise ValueError("\n".join(problems))
    is_treated: BoolArray = values == 1
    return is_treated


def _reasons(missing: pd.DataFrame) -> list[str]:
    """Name the missing covariates of every row."""
    texts = np.array([f"{name}, " for name in missing.columns], dtype="object")
    joined = np.where(missing.to_numpy(dtype=bool), texts, "").sum(axis=1)
    return [f"missing {text[:-2]}" for text in joined]


def _rows(
    frame: pd.DataFrame, covariates: Sequence[str]
) -> Iterator[tuple[str, object, FloatArray]]:
    """Every number, and every level as 0 or 1, with NaN where missing."""
    for name in covariates:
        column = frame[name]
        if pd.api.types.is_bool_dtype(column):
            yield name, True, column.to_numpy(dtype=np.float64, na_value=np.nan)
        elif pd.api.types.is_numeric_dtype(column):
            yield name, None, column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            for level in levels_of(column):
                here = (column == level).to_numpy(dtype=np.float64, na_value=np.nan)
                yield name, level, np.where(column.isna(), np.nan, here)


def _separation(frame: pd.DataFrame, treated: BoolArray, covariates: Sequence[str]) -> str:
    alone = [
        name if level is None or level is True else f"{name}[{level}]"
        for name, level, values in _rows(frame, covariates)
        if _decides(values[treated], values[~treated])
    ]
    names = ", ".join(alone) or f"a combination of {', '.join(covariates)}"
    return (
        f"{names}: decides who is treated, so that these patients have nobody to be compared "
        "with and no score. Leave it out, merge levels, or leave out the patients it decides for."
    )


def _decides(treated: FloatArray, untreated: FloatArray) -> bool:
    """Whether all values of one group lie on one side of those of the other."""
    return bool(treated.min() >= untreated.max() or untreated.min() >= treated.max())


def _nearest(
    grid: IntArray, treated: BoolArray, limit: int, ratio: int
) -> tuple[IntArray, IntArray]:
    """Rows matched: treated and untreated, in the order of matching."""
    queue = np.flatnonzero(treated)
    queue = queue[np.argsort(-grid[queue], kind="stable")]
    places = list(zip(grid.tolist(), range(grid.size), strict=True))
    free = sorted(
        place for place, is_treated in zip(places, treated, strict=True) if not is_treated
    )
    found: list[tuple[int, int]] = []
    # One patient after another: whom one takes the next cannot have.
    for _ in range(ratio):
        for row in queue.tolist():
            near = _closest(free, places[row], limit)
            if near is not None:
                found.append((row, free.pop(near)[1]))
    matched = np.array(found, dtype=np.int64).reshape(-1, 2)
    return matched[:, 0], matched[:, 1]


def _closest(free: list[tuple[int, int]], wanted: tuple[int, int], limit: int) -> int | None:
    """Find the neighbour in the sorted places that is nearer; None where none is in the limit."""
    above = bisect_left(free, wanted)
    gaps = {
        place: abs(free[place][0] - wanted[0])
        for place in range(max(above - 1, 0), min(above + 1, len(free)))
    }
    near = min(gaps, key=gaps.__getitem__, default=None)
    return near if near is not None and gaps[near] <= limit else None


def _lonely(grid: IntArray, treated: BoolArray, limit: int) -> list[str]:
    """Give the reason why each patient would be unmatched."""
    others = np.sort(grid[~treated])
    above = np.searchsorted(others, grid)
    gaps = np.abs(others[np.clip([above - 1, above], 0, others.size - 1)] - grid)
    taken = np.where(gaps.min(axis=0) <= limit, ALL_TAKEN, NO_NEIGHBOUR)
    return list(np.where(treated, taken, NOT_CHOSEN))


def _shares(pair: IntArray) -> FloatArray:
    """Weights of the untreated, one row each, given their pair."""
    mean_size = pair.size / pair.max(initial=1)
    shares: FloatArray = mean_size / np.bincount(pair)[pair]
    return shares


def _weight_groups(found: FloatArray, treated: BoolArray) -> pd.DataFrame:
    rows = [
        {
            "treated": group,
            "n": int(inside.sum()),
            "total": float(found[inside].sum()),
            "effective_n": effective_size(found[inside]),
            "smallest": float(found[inside].min()),
            "largest": float(found[inside].max()),
        }
        for group, inside in ((False, ~treated), (True, treated))
    ]
    return pd.DataFrame(rows)


def _balance(
    values: FloatArray, treated: BoolArray, weight: FloatArray, number: bool
) -> dict[str, float]:
    """One row of the balance table, but for its names."""
    known = ~np.isnan(values)
    ones = np.ones_like(values)
    (mean_1, var_1), (mean_0, var_0), (after_1, var_after_1), (after_0, var_after_0) = (
        _moments(values[group], each[group], number)
        for each in (ones, weight)
        for group in (known & treated, known & ~treated)
    )
    scale = 1 if number else 100
    spread = float(np.sqrt((var_1 + var_0) / 2))
    return {
        "n_missing": int((~known).sum()),
        "treated_before": scale * mean_1,
        "untreated_before": scale * mean_0,
        "treated_after": scale * after_1,
        "untreated_after": scale * after_0,
        "smd_before": _over(mean_1 - mean_0, spread) if mean_1 != mean_0 else 0.0,
        "smd_after": _over(after_1 - after_0, spread) if after_1 != after_0 else 0.0,
        "variance_ratio_before": _over(var_1, var_0) if number else np.nan,
        "variance_ratio_after": _over(var_after_1, var_after_0) if number else np.nan,
    }


def _moments(values: FloatArray, weight: FloatArray, number: bool) -> tuple[float, float]:
    """Weighted mean and variance; a level has the variance of its proportion."""
    values, weight = values[weight > 0], weight[weight > 0]
    if values.size == 0:
        return np.nan, np.nan
    if np.ptp(values) == 0:
        # Rounding would leave a spread of 1e-17; one patient has none to be told.
        return float(values[0]), 0.0 if values.size > 1 or not number else np.nan
    share = weight / weight.sum()
    mean = float(share @ values)
    if not number:
        return mean, mean * (1 - mean)
    return mean, float(share @ (values - mean) ** 2 / (1 - share @ share))


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else np.nan
