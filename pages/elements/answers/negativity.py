"""MRD negativity of a cohort at every timepoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from analytics.mrd import Denominator, flows, negativity_rates, negativity_tests
from analytics.paired import paired_change
from analytics.proportion import ProportionDifference, proportion_difference
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary, Variable


@dataclass(frozen=True, eq=False)
class Block:
    """Negativity by one variable.

    Attributes
    ----------
    rates : pandas.DataFrame
        As `analytics.mrd.negativity_rates` gives them.
    p_values : dict of str to float
        Fisher's P by timepoint.
    differences : dict of str to ProportionDifference
        Of exactly two groups, by timepoint: the first in the dictionary's order less the second.
    """

    rates: pd.DataFrame
    p_values: dict[str, float]
    differences: dict[str, ProportionDifference]


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
    changes : pandas.DataFrame
        One row per two consecutive timepoints, with their labels in `first` and `second`, as
        `analytics.paired.paired_change` returns it.
    """

    everybody: pd.DataFrame
    figure: Block | None
    blocks: dict[str, Block]
    samples: pd.DataFrame
    flows: pd.DataFrame = field(repr=False)
    changes: pd.DataFrame = field(repr=False)


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
        p_values = dict(zip(tests["timepoint"], tests["p_value"], strict=True))
        return Block(rates, p_values, _differences(rates, variables[name]))

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
    figure = block(by) if by else None
    return Negativity(everybody, figure, blocks, samples, flows(wide), _changes(wide))


def _differences(rates: pd.DataFrame, variable: Variable) -> dict[str, ProportionDifference]:
    present = set(rates.loc[rates["evaluable"] > 0, variable.name])
    groups = [level.value for level in variable.levels if level.value in present]
    if len(groups) != 2:
        return {}
    found = {}
    for timepoint, here in rates.groupby("timepoint", observed=True, sort=False):
        counts = here.set_index(variable.name)[["negative", "evaluable"]]
        first, second = (
            counts.loc[group].tolist() if group in counts.index else [0, 0] for group in groups
        )
        found[str(timepoint)] = proportion_difference(*first, *second)
    return found


def _changes(wide: pd.DataFrame) -> pd.DataFrame:
    found = [
        paired_change(wide, first=first, second=second).assign(first=first, second=second)
        for first, second in pairwise(wide.columns)
    ]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()
