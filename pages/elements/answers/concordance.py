"""Two MRD assays on the same patients at one time: how far they agree, and who is discordant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.paired import Kappa, McNemar, kappa, mcnemar
from analytics.proportion import Proportion, proportion
from data import queries
from data.assays import AssayPair
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary

STATUSES = ("negative", "below LOD", "positive")
"""What a sample can be that is evaluable."""

_NEGATIVE, _OTHER = "negative", "not negative"


@dataclass(frozen=True, eq=False)
class Concordance:
    """How far two assays agree on the patients of a cohort.

    Attributes
    ----------
    pair : AssayPair
    n : int
        Patients evaluable by both.
    statuses : pandas.DataFrame
        Patients by status, rows the first assay, columns the second; only statuses that occur.
    agreed, first, second : Proportion
        Patients in whom the two agree, and who are negative by the first and by the second; below
        LOD is not negative.
    agreement : Kappa
    difference : McNemar
        Of the rates of negativity, the first assay less the second.
    classes : dict of str to int
        Patients by the level of `pair.variable()`, in its order; all four.
    left_out : dict of str to int
        All others of the cohort, by reason.
    days_apart : int
        The longest time between the two samples of a patient.
    """

    pair: AssayPair
    n: int
    statuses: pd.DataFrame
    agreed: Proportion
    first: Proportion
    second: Proportion
    agreement: Kappa
    difference: McNemar
    classes: dict[str, int]
    left_out: dict[str, int]
    days_apart: int


def concordance(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, pair: AssayPair
) -> Concordance:
    """Return how far two assays agree on the patients of a cohort."""
    rows = queries.assays_of_cohort(snapshot, cohort, variables, pair)
    both = rows[rows["agreement"].notna()]
    order = pd.CategoricalDtype(STATUSES, ordered=True)
    first, second = (both[name].astype(order) for name in ("first_status", "second_status"))
    counts = pd.crosstab(first, second, dropna=False)
    seen = [s for s in STATUSES if counts.loc[s].sum() or counts[s].sum()]
    found = both["agreement"].value_counts()
    classes = {name: int(found.get(name, 0)) for name in pair.classes}
    neither, second_only, first_only, positive = classes.values()
    # 'MFC-/NGS+' is negative by the first assay only.
    table = pd.DataFrame(
        [[neither, second_only], [first_only, positive]],
        index=[_NEGATIVE, _OTHER],
        columns=[_NEGATIVE, _OTHER],
    )
    apart = (both["first_day"] - both["second_day"]).abs()
    return Concordance(
        pair,
        len(both),
        counts.loc[seen, seen],
        *(
            proportion(k, len(both))
            for k in (neither + positive, neither + second_only, neither + first_only)
        ),
        kappa(table),
        mcnemar(table),
        classes,
        _left_out(rows[rows["agreement"].isna()], pair),
        int(apart.max()) if len(both) else 0,
    )


def _left_out(rows: pd.DataFrame, pair: AssayPair) -> dict[str, int]:
    """Count those without an answer of both assays, by what they lack."""
    missing = [rows[name].isna() for name in ("first_status", "second_status")]
    vague = [rows[name] == "indeterminate" for name in ("first_status", "second_status")]
    reasons = {
        "no sample by either": missing[0] & missing[1],
        f"no {pair.first} sample": missing[0] & ~missing[1],
        f"no {pair.second} sample": missing[1] & ~missing[0],
        "neither evaluable": vague[0] & vague[1],
        f"{pair.first} not evaluable": vague[0] & ~vague[1] & ~missing[1],
        f"{pair.second} not evaluable": vague[1] & ~vague[0] & ~missing[0],
    }
    return {reason: int(np.sum(mask)) for reason, mask in reasons.items() if mask.any()}
