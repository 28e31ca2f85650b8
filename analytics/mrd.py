"""MRD negativity by timepoint, and how MRD moves between timepoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Literal

import numpy as np
import pandas as pd

from analytics._counts import as_columns
from analytics.proportion import fisher_exact, proportion

Denominator = Literal["evaluable", "evaluable without below LOD", "all in remission"]

NEGATIVE, POSITIVE, BELOW_LOD = "negative", "positive", "below LOD"
STATUSES = (NEGATIVE, POSITIVE, BELOW_LOD, "indeterminate", "not assessed")
COUNTED: dict[Denominator, tuple[str, ...]] = {
    "evaluable": (NEGATIVE, POSITIVE, BELOW_LOD),
    "evaluable without below LOD": (NEGATIVE, POSITIVE),
    "all in remission": STATUSES,
}
"""Statuses in each denominator."""


def negativity_rates(
    samples: pd.DataFrame,
    *,
    by: str | Sequence[str] = (),
    denominator: Denominator = "evaluable",
) -> pd.DataFrame:
    """Rate of MRD negativity at each timepoint.

    Parameters
    ----------
    samples
        One row per patient and timepoint with ``timepoint`` and ``status`` (negative,
        positive, below LOD, indeterminate, not assessed); where there is a column ``_n``, one row
        for so many patients.
    by
        Grouping column or columns.
    denominator
        'evaluable' counts below LOD as not negative; 'evaluable without below LOD' leaves it
        out; 'all in remission' counts every row, missing ones as not negative.

    Returns
    -------
    DataFrame
        `by` columns, ``timepoint``, ``negative``, ``evaluable``, ``rate``, ``low``, ``high``
        (exact 95%); NaN where nobody is evaluable. Timepoints stay in the order of their
        categories, or in that in which they come.

    Raises
    ------
    ValueError
        For an unknown status or a missing timepoint or group label.
    """
    columns = [*as_columns(by), "timepoint"]
    counted = _ordered(samples, columns, denominator)
    flags = counted[columns].assign(
        negative=(counted["status"] == NEGATIVE).astype("int64"),
        evaluable=counted["status"].isin(COUNTED[denominator]).astype("int64"),
    )
    if "_n" in counted:
        flags[["negative", "evaluable"]] = flags[["negative", "evaluable"]].mul(
            counted["_n"], axis=0
        )
    rates = flags.groupby(columns, observed=True, sort=True).sum().reset_index()
    found = [
        proportion(count, total)
        for count, total in zip(rates["negative"], rates["evaluable"], strict=True)
    ]
    for name in ("rate", "low", "high"):
        rates[name] = np.array([getattr(each, name) for each in found], dtype=np.float64)
    return rates


def negativity_tests(
    samples: pd.DataFrame,
    *,
    by: str | Sequence[str],
    denominator: Denominator = "evaluable",
) -> pd.DataFrame:
    """Compare negativity between groups at each timepoint by Fisher's exact test.

    Returns
    -------
    DataFrame
        ``timepoint``, ``p_value``; NaN where fewer than two groups are evaluable or all
        patients agree.
    """
    rates = negativity_rates(samples, by=by, denominator=denominator)
    rows = []
    for timepoint, here in rates.groupby("timepoint", observed=True, sort=True):
        table = np.column_stack([here["negative"], here["evaluable"] - here["negative"]])
        rows.append((timepoint, fisher_exact(table).p_value))
    tests = pd.DataFrame(rows, columns=["timepoint", "p_value"])
    return tests.astype({"timepoint": rates["timepoint"].dtype, "p_value": "float64"})


def flows(statuses: pd.DataFrame) -> pd.DataFrame:
    """Count the moves between consecutive timepoints.

    Parameters
    ----------
    statuses
        One row per patient, one column per timepoint, in order.

    Returns
    -------
    DataFrame
        ``from_timepoint``, ``to_timepoint``, ``from_status``, ``to_status``, ``n``; only moves
        that occur, statuses in the order of `STATUSES`.
    """
    _check_statuses(_long(statuses))
    return pd.DataFrame(
        list(_moves(statuses)),
        columns=["from_timepoint", "to_timepoint", "from_status", "to_status", "n"],
    )


def _moves(statuses: pd.DataFrame) -> Iterator[tuple[object, object, str, str, int]]:
    timepoints = list(statuses.columns)
    for before, after in pairwise(timepoints):
        counts = Counter(zip(statuses[before], statuses[after], strict=True))
        for start, end in product(STATUSES, STATUSES):
            if (start, end) in counts:
                yield before, after, start, end, counts[start, end]


def _ordered(
    samples: pd.DataFrame, columns: Sequence[str], denominator: Denominator
) -> pd.DataFrame:
    """Check the samples and return them with a timepoint in the order of the data."""
    if denominator not in COUNTED:
        raise ValueError(f"Unknown denominator {denominator!r}: use one of {list(COUNTED)}.")
    absent = [name for name in (*columns, "status") if name not in samples.columns]
    if absent:
        raise ValueError(f"The samples have no column {', '.join(absent)}.")
    unlabelled = [name for name in columns if samples[name].isna().any()]
    if unlabelled:
        raise ValueError(f"Samples without a label in {', '.join(unlabelled)}.")
    _check_statuses(samples["status"])
    if isinstance(samples["timepoint"].dtype, pd.CategoricalDtype):
        return samples
    order = pd.Categorical(samples["timepoint"], categories=samples["timepoint"].unique())
    return samples.assign(timepoint=order)


def _long(statuses: pd.DataFrame) -> pd.Series:
    if statuses.shape[1] == 0:
        raise ValueError("Response over time needs at least one timepoint.")
    long: pd.Series = pd.concat([statuses[name] for name in statuses.columns])
    return long


def _check_statuses(statuses: pd.Series) -> None:
    unknown = statuses[~statuses.isin(STATUSES)]
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} unknown MRD statuses (index {list(unknown.index[:5])}). "
            f"Use one of {', '.join(STATUSES)}."
        )
