"""MRD negativity of a cohort at every timepoint."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from analytics.mrd import Denominator, flows, negativity_rates, negativity_tests
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary


@dataclass(frozen=True, eq=False)
class Block:
    """Negativity by one variable: rates as `analytics.mrd` gives them, Fisher's P by timepoint."""

    rates: pd.DataFrame
    p_values: dict[str, float]


@dataclass(frozen=True, eq=False)
class Negativity:
    """MRD negativity of a cohort at every timepoint.

    Attributes
    ----------
    everybody : pandas.DataFrame
        As `analytics.mrd.negativity_rates` returns it, for all patients of the cohort.
    figure : Block or None
        By the variable asked for.
    blocks : dict of str to Block
        By Ph status and by risk group among the Ph-negative, as papers print it, and by the
        variable asked for.
    samples : pandas.DataFrame
        One row per patient and timepoint, as `data.queries.mrd_by_timepoint` returns it.
    flows : pandas.DataFrame
        As `analytics.mrd.flows` returns it.
    """

    everybody: pd.DataFrame
    figure: Block | None
    blocks: dict[str, Block]
    samples: pd.DataFrame
    flows: pd.DataFrame = field(repr=False)


def negativity(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    by: str | None,
    denominator: Denominator,
) -> Negativity:
    """Return the MRD negativity rates of a cohort: together, and by one variable."""

    def block(name: str, *, left_out: tuple[str, ...] = ()) -> Block:
        split = queries.mrd_by_timepoint(snapshot, cohort, variables, by=(name,))
        split = split[~split[name].isin(left_out)]
        rates = negativity_rates(split, by=name, denominator=denominator)
        tests = negativity_tests(split, by=name, denominator=denominator)
        return Block(rates, dict(zip(tests["timepoint"], tests["p_value"], strict=True)))

    samples = queries.mrd_by_timepoint(snapshot, cohort, variables)
    wide = samples.pivot(index="patient_id", columns="timepoint", values="status")
    wide = wide[list(dict.fromkeys(samples["timepoint"]))]
    blocks = {
        # The Ph-positive stand in the first block; the second compares risk among the others.
        name: block(name, left_out=("Ph-positive",) if name == "risk_group" else ())
        for name in dict.fromkeys(("ph_status", "risk_group", by))
        if name in variables
    }
    everybody = negativity_rates(samples, denominator=denominator)
    return Negativity(everybody, block(by) if by else None, blocks, samples, flows(wide))
