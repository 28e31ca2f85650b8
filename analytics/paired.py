"""Two assays, or two timepoints, on the same patients: change and agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics._counts import FloatArray, IntArray, as_columns
from analytics.mrd import BELOW_LOD, NEGATIVE, POSITIVE, STATUSES
from analytics.proportion import count_table, hybrid_difference, proportion

_EVALUABLE = (NEGATIVE, POSITIVE, BELOW_LOD)
# Below this the variance of kappa is rounding: one patient in 10^9 who disagrees gives more.
_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class McNemar:
    """Two results with two categories each, on the same patients.

    Attributes
    ----------
    n
        Patients with both results.
    first_only, second_only
        The discordant: in the first category by the first result only, by the second only.
    difference, low, high
        Rate of the first category by the first result less that by the second, with limits;
        None where n is 0.
    p_value
        Exact, two-sided; None where nobody is discordant.
    """

    n: int
    first_only: int
    second_only: int
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance.

    Attributes
    ----------
    n
        Patients with both results.
    observed, expected
        Share of patients in whom the two agree, and that expected by chance; None where n is 0.
    kappa
        None where chance alone gives full agreement (one category throughout).
    standard_error, low, high
        Large-sample error and limits, the limits not outside -1 to 1; None where the error is
        0 (as with full agreement): the limits would claim certainty.
    """

    n: int
    observed: float | None
    expected: float | None
    kappa: float | None
    standard_error: float | None
    low: float | None
    high: float | None


def mcnemar(table: pd.DataFrame | npt.ArrayLike, *, confidence: float = 0.95) -> McNemar:
    """Compare two results with two categories each, on the same patients.

    Parameters
    ----------
    table
        2 x 2 counts of patients: rows the first result, columns the second. The rates are
        those of the category that stands first. ``pd.crosstab`` sorts: there False stands
        before True, and ``table.iloc[::-1, ::-1]`` puts True first.
    confidence
        Two-sided level of the limits of the difference.

    Raises
    ------
    ValueError
        For a table that is not 2 x 2, whose rows and columns are labelled differently, or
        whose cells are not whole numbers from 0 on.

    Notes
    -----
    McNemar (1947), exact: R's ``binom.test`` on the discordant patients with probability 0.5.
    Limits after Newcombe (1998), paired method 10: Wilson limits of both rates, and the
    continuity-corrected phi as their correlation.
    """
    counts = _square(table)
    if counts.shape != (2, 2):
        raise ValueError(f"McNemar's test needs a 2 x 2 table, not {_shape(counts)}.")
    (both, first_only), (second_only, neither) = counts.tolist()
    n = both + first_only + second_only + neither
    first = proportion(both + first_only, n, method="wilson", confidence=confidence)
    second = proportion(both + second_only, n, method="wilson", confidence=confidence)
    apart = hybrid_difference(first, second, correlation=_corrected_phi(counts))
    p_value = _sign_test(first_only, second_only)
    return McNemar(n, first_only, second_only, apart.difference, apart.low, apart.high, p_value)


def kappa(table: pd.DataFrame | npt.ArrayLike, *, confidence: float = 0.95) -> Kappa:
    """Cohen's kappa of two ratings of the same patients in the same categories, unweighted.

    Parameters
    ----------
    table
        k x k counts of patients: rows the first rating, columns the second, the categories in
        the same order.
    confidence
        Two-sided level.

    Raises
    ------
    ValueError
        For a table that is not square, whose rows and columns are labelled differently, or
        whose cells are not whole numbers from 0 on.

    Notes
    -----
    Cohen (1960); large-sample error after Fleiss, Cohen and Everitt (1969), as R's
    ``vcd::Kappa``.
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {confidence}.")
    counts = _square(table)
    n = int(counts.sum())
    if n == 0:
        return Kappa(0, None, None, None, None, None, None)
    shares = counts / n
    observed = float(np.trace(shares))
    expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
    if counts.max() == n == np.trace(counts):
        return Kappa(n, observed, expected, None, None, None, None)
    value = (observed - expected) / (1 - expected)
    variance = _kappa_variance(shares, value, expected)
    if variance < _NO_VARIANCE:
        return Kappa(n, observed, expected, value, None, None, None)
    error = float(np.sqrt(variance / n))
    reach = float(ndtri((1 + confidence) / 2)) * error
    low, high = max(value - reach, -1.0), min(value + reach, 1.0)
    return Kappa(n, observed, expected, value, error, low, high)


def paired_change(
    statuses: pd.DataFrame, *, first: str, second: str, by: str | Sequence[str] = ()
) -> pd.DataFrame:
    """Change of MRD negativity between two timepoints in the patients evaluable at both.

    Parameters
    ----------
    statuses
        One row per patient with a column of MRD statuses for each timepoint, as
        :func:`analytics.mrd.flows` takes it, and the `by` columns. Negative, positive and
        below LOD are evaluable; below LOD is not negative. Where there is a column ``_n``, one
        row for so many patients.
    first, second
        The columns of the two timepoints.
    by
        Grouping column or columns.

    Returns
    -------
    DataFrame
        `by` columns, ``n`` (evaluable at both), ``n_excluded`` (all others),
        ``negative_first``, ``negative_second``, ``became_negative``, ``became_not_negative``,
        ``change`` (rate at the second less rate at the first), ``low``, ``high`` (95%),
        ``p_value`` (exact McNemar test); NaN where nobody is evaluable at both, and for P also
        where nobody changed. One row per group, or one in all.

    Raises
    ------
    ValueError
        For absent columns, a timepoint compared with itself, unknown statuses or a missing
        group label, all at once.

    Notes
    -----
    Test and limits are those of :func:`mcnemar`.
    """
    groups = as_columns(by)
    _check_pair(statuses, first, second, groups)
    before, after = statuses[first], statuses[second]
    both = before.isin(_EVALUABLE) & after.isin(_EVALUABLE)
    was, is_now = both & (before == NEGATIVE), both & (after == NEGATIVE)
    flags = pd.DataFrame(
        {
            "n": both,
            "n_excluded": ~both,
            "negative_first": was,
            "negative_second": is_now,
            "became_negative": is_now & ~was,
            "became_not_negative": was & ~is_now,
        }
    ).astype("int64")
    flags = flags.mul(statuses["_n"], axis=0) if "_n" in statuses else flags
    if groups:
        keys = [statuses[name] for name in groups]
        counts = flags.groupby(keys, observed=True, sort=True).sum().reset_index()
    else:
        counts = flags.sum().to_frame().T
    return counts.join(pd.DataFrame(_changes(counts), index=counts.index, dtype="float64"))


def _changes(counts: pd.DataFrame) -> dict[str, list[float | None]]:
    negative = counts["negative_first"] - counts["became_not_negative"]
    never = counts["n"] - negative - counts["became_negative"] - counts["became_not_negative"]
    columns = (negative, counts["became_negative"], counts["became_not_negative"], never)
    # The later result stands first, so that the difference is the change.
    found = [mcnemar([[a, b], [c, d]]) for a, b, c, d in zip(*columns, strict=True)]
    return {
        "change": [each.difference for each in found],
        "low": [each.low for each in found],
        "high": [each.high for each in found],
        "p_value": [each.p_value for each in found],
    }


def _check_pair(statuses: pd.DataFrame, first: str, second: str, groups: Sequence[str]) -> None:
    problems = [
        f"The statuses have no column {name}. Give a column that they have."
        for name in dict.fromkeys((first, second, *groups))
        if name not in statuses.columns
    ]
    if first == second:
        problems.append(f"{first}: compared with itself. Give two timepoints.")
    for name in (first, second):
        if name in statuses.columns:
            unknown = statuses.index[~statuses[name].isin(STATUSES)]
            if len(unknown):
                problems.append(
                    f"{name}: {len(unknown)} unknown MRD statuses (index {list(unknown[:5])}). "
                    f"Use one of {', '.join(STATUSES)}."
                )
    for name in groups:
        if name in statuses.columns and statuses[name].isna().any():
            problems.append(
                f"{name}: {int(statuses[name].isna().sum())} rows without a group label. "
                "Give them a level of their own or leave them out."
            )
    if problems:
        raise ValueError("\n".join(problems))


def _square(table: pd.DataFrame | npt.ArrayLike) -> IntArray:
    counts = count_table(table)
    if counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(
            f"The table is {_shape(counts)}, but the two ratings have the same categories. "
            "Give one row and one column to each, also where it is empty."
        )
    if isinstance(table, pd.DataFrame):
        rows, columns = table.index.tolist(), table.columns.tolist()
        if rows != columns:
            raise ValueError(
                f"The rows are {rows} and the columns {columns}. Put the same categories in the "
                "same order."
            )
    return counts


def _shape(counts: IntArray) -> str:
    return " x ".join(str(size) for size in counts.shape)


def _corrected_phi(counts: IntArray) -> float:
    """Phi with the excess of agreement brought towards 0 by n/2, but not past it."""
    margins = float(np.prod(np.concatenate([counts.sum(axis=0), counts.sum(axis=1)]), dtype=float))
    if margins == 0:
        return 0.0
    (both, first_only), (second_only, neither) = counts.tolist()
    excess = both * neither - first_only * second_only
    if excess > 0:
        excess = max(excess - counts.sum() / 2, 0.0)
    return float(excess / np.sqrt(margins))


def _sign_test(first_only: int, second_only: int) -> float | None:
    from scipy.special import bdtr

    discordant = first_only + second_only
    if discordant == 0:
        return None
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), discordant, 0.5)))


def _kappa_variance(shares: FloatArray, value: float, expected: float) -> float:
    """Variance of the square root of n times kappa."""
    crossed = shares.sum(axis=0)[:, None] + shares.sum(axis=1)[None, :]
    terms = (np.eye(len(shares)) - (1 - value) * crossed) ** 2
    square = (value - expected * (1 - value)) ** 2
    return float(((shares * terms).sum() - square) / (1 - expected) ** 2)
