"""Two MRD assays on the same patients at one time: how far they agree, and who is discordant."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.paired import Kappa, McNemar, kappa, mcnemar
from analytics.proportion import Proportion, proportion
from analytics.suppression import Count, Hidden, concealed
from data import queries
from data.assays import AssayPair
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements.answers import small_cells
from pages.elements.answers.small_cells import minimum_of

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
    by_first, by_second : dict of str to int
        Patients by status of one assay.
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
    n: Count
    statuses: pd.DataFrame
    by_first: Mapping[str, Count]
    by_second: Mapping[str, Count]
    agreed: Proportion
    first: Proportion
    second: Proportion
    agreement: Kappa
    difference: McNemar
    classes: Mapping[str, Count]
    left_out: Mapping[str, Count]
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
    table_of = counts.loc[seen, seen]
    whole = Concordance(
        pair,
        len(both),
        table_of,
        {s: int(table_of.loc[s].sum()) for s in seen},
        {s: int(table_of[s].sum()) for s in seen},
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
    minimum = minimum_of(snapshot)
    return _shown(whole, len(rows), minimum) if minimum else whole


def _shown(whole: Concordance, n_all: int, minimum: int) -> Concordance:
    """Return what may be shown: table, its sums, classes and agreement hang together."""
    statuses = list(whole.statuses)
    cells: dict[Hashable, int] = {
        (a, b): int(whole.statuses.loc[a, b]) for a in statuses for b in statuses
    }
    cells |= {("first", s): int(n) for s, n in whole.by_first.items()}
    cells |= {("second", s): int(n) for s, n in whole.by_second.items()}
    cells |= {("left out", reason): int(n) for reason, n in whole.left_out.items()}
    cells |= {("class", name): int(n) for name, n in whole.classes.items()}
    agreed, n = whole.agreed.count, int(whole.n)
    cells |= {"agreed": agreed, "differ": n - agreed, "n": n, "all": n_all}
    for assay, rate in (("first", whole.first), ("second", whole.second)):
        cells[assay, "others"] = n - rate.count
    classes = [("class", name) for name in whole.classes]
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [
        *((("first", s), [(s, b) for b in statuses]) for s in statuses),
        *((("second", s), [(a, s) for a in statuses]) for s in statuses),
        *((key, _in_class(key, whole, statuses)) for key in classes),
        *(("n", [(side, s) for s in statuses]) for side in ("first", "second")),
        *(
            ((side, "others"), [(side, s) for s in statuses if s != "negative"])
            for side in ("first", "second")
        ),
        ("agreed", [classes[0], classes[3]]),
        ("differ", classes[1:3]),
        ("n", ["agreed", "differ"]),
        ("all", ["n", *(("left out", reason) for reason in whole.left_out)]),
    ]
    shown = concealed(cells, sums, minimum, {"all"})
    told = not any(isinstance(shown[key], Hidden) for key in (*classes, "n"))
    table = pd.DataFrame(
        {b: pd.Series([shown[a, b] for a in statuses], statuses, dtype="object") for b in statuses}
    )
    nothing = {"rate": None, "low": None, "high": None}
    negative = [shown.get((side, "negative"), 0) for side in ("first", "second")]
    rates = {
        name: rate if told else replace(rate, count=count, total=shown["n"], **nothing)
        for name, rate, count in (
            ("agreed", whole.agreed, shown["agreed"]),
            ("first", whole.first, small_cells.said(negative[0], shown["first", "others"])),
            ("second", whole.second, small_cells.said(negative[1], shown["second", "others"])),
        )
    }
    apart = {"difference": None, "low": None, "high": None, "p_value": None}
    return replace(
        whole,
        n=shown["n"],
        statuses=table,
        by_first={s: shown["first", s] for s in statuses},
        by_second={s: shown["second", s] for s in statuses},
        agreement=whole.agreement
        if told
        else replace(whole.agreement, kappa=None, standard_error=None, low=None, high=None),
        difference=whole.difference if told else replace(whole.difference, **apart),
        classes={name: shown["class", name] for name in whole.classes},
        left_out={reason: shown["left out", reason] for reason in whole.left_out},
        **rates,
    )


def _in_class(
    key: tuple[str, str], whole: Concordance, statuses: Sequence[str]
) -> list[tuple[str, str]]:
    """Return the cells of the table that make up a class."""
    position = list(whole.classes).index(key[1])
    # 'MFC-/NGS+' is negative by the first assay only.
    first, second = position in (0, 1), position in (0, 2)
    return [
        (a, b)
        for a in statuses
        for b in statuses
        if ((a == "negative"), (b == "negative")) == (first, second)
    ]


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
