"""Two groups of a cohort made comparable by matching or weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analytics.balance import (
    WeightedKaplanMeier,
    balance_table,
    match,
    propensity,
    weighted_kaplan_meier,
    weights,
)
from analytics.hazard import Cox, cox
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary, Level, Variable
from pages.elements.answers.models import EVENT, GROUP, TIME, Comparison, comparison, patients

Method = Literal["matching", "ATE", "ATT"]

_TREATED, _PAIR, _WEIGHT = "_treated", "_pair", "_weight"


class NobodyToCompare(ValueError):
    """Some levels of a covariate hold patients of one group only.

    Attributes
    ----------
    variable : Variable
    alone, shared : tuple of Level
        The levels without anybody of one group, and those with patients of both.
    """

    def __init__(
        self, variable: Variable, alone: tuple[Level, ...], shared: tuple[Level, ...]
    ) -> None:
        super().__init__(variable.label)
        self.variable, self.alone, self.shared = variable, alone, shared


@dataclass(frozen=True)
class Ratio:
    """A hazard ratio with 95% limits and P; NaN where it cannot be estimated."""

    value: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Balanced:
    """Two groups before and after they were made comparable.

    Attributes
    ----------
    comparison : Comparison
    method : {'matching', 'ATE', 'ATT'}
    table : pandas.DataFrame
        As `analytics.balance.balance_table` returns it; ``covariate`` is a variable's name.
    n_event : dict of str to int
        Events by level, before.
    before, after : WeightedKaplanMeier
        By level, of the same patients.
    ratio_before, ratio_after : Ratio
        Of the compared group against the reference; after with robust limits, and as P the
        robust log-rank test.
    missing : dict of str to int
        Patients without a value, by variable; who lacks several counts in each.
    n_missing : int
        Patients left out for it.
    unmatched : tuple of (Level, str, int)
        Group, reason and patients.
    """

    comparison: Comparison
    method: Method
    table: pd.DataFrame
    n_event: Mapping[str, int]
    before: WeightedKaplanMeier
    after: WeightedKaplanMeier
    ratio_before: Ratio
    ratio_after: Ratio
    missing: Mapping[str, int]
    n_missing: int
    unmatched: tuple[tuple[Level, str, int], ...]


def balanced(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    against: str | None,
    covariates: Sequence[str],
    method: Method,
    landmark_days: int | None,
) -> Balanced | None:
    """Return two groups made comparable by matching or weights; None without two groups.

    Raises
    ------
    NobodyToCompare
        Where a level of a covariate holds patients of one group only.
    ValueError
        Where no propensity score exists otherwise.
    """
    rows = patients(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
    )
    found = comparison(rows, variables[by], against)
    if found is None:
        return None
    rows, chosen = found
    rows = rows.set_index("patient_id")
    rows[_TREATED] = rows[GROUP] == chosen.compared.value
    rows[list(covariates)] = _as_levels(rows, [variables[name] for name in covariates])
    _refuse_one_sided(rows, [variables[name] for name in covariates])
    scores = propensity(rows, treated=_TREATED, covariates=list(covariates))
    used = rows.loc[scores.scores.index]
    unmatched: tuple[tuple[Level, str, int], ...] = ()
    if method == "matching":
        matched = match(scores)
        weight, pair = matched.frame["weight"], matched.frame["pair"]
        lonely = matched.unmatched.itertuples(index=False)
        named = {True: chosen.compared, False: chosen.reference}
        unmatched = tuple((named[bool(r.treated)], str(r.reason), int(r.n)) for r in lonely)
    else:
        weight, pair = weights(scores, estimand=method).weights, None
    asked = {"treated": _TREATED, "covariates": list(covariates)}
    missing = rows[list(covariates)].isna().sum()
    events = (used[EVENT] == 1).groupby(used[GROUP], observed=True).sum()
    return Balanced(
        comparison=chosen,
        method=method,
        table=balance_table(used, weights=weight, **asked),
        n_event={str(k): int(n) for k, n in events.items()},
        before=_curves(used, pd.Series(1.0, used.index)),
        after=_curves(used, weight),
        ratio_before=_ratio(cox(used, time=TIME, event=EVENT, covariates=[_TREATED]), "score"),
        ratio_after=_balanced_ratio(used, weight, pair),
        missing={str(name): int(n) for name, n in missing.items() if n},
        n_missing=len(scores.excluded),
        unmatched=unmatched,
    )


def _refuse_one_sided(rows: pd.DataFrame, chosen: Sequence[Variable]) -> None:
    """Raise where a level decides the group: its patients have nobody to be compared with."""
    complete = rows[rows[[v.name for v in chosen]].notna().all(axis=1)]
    for variable in chosen:
        if variable.kind != "number":
            both = pd.crosstab(complete[variable.name], complete[GROUP]).gt(0).all(axis=1)
            if not both.all():
                named = {side: both.index[both == side] for side in (True, False)}
                alone, shared = (
                    tuple(variable.level(str(level)) for level in named[side])
                    for side in (False, True)
                )
                raise NobodyToCompare(variable, alone, shared)


def _as_levels(rows: pd.DataFrame, chosen: Sequence[Variable]) -> pd.DataFrame:
    """Return the covariates as a model takes them, without levels that nobody has."""
    return pd.DataFrame(
        {
            v.name: rows[v.name].astype("float64")
            if v.kind == "number"
            else rows[v.name].cat.remove_unused_categories()
            for v in chosen
        }
    )


def _curves(used: pd.DataFrame, weight: pd.Series) -> WeightedKaplanMeier:
    return weighted_kaplan_meier(used, time=TIME, event=EVENT, weights=weight, by=GROUP)


def _balanced_ratio(used: pd.DataFrame, weight: pd.Series, pair: pd.Series | None) -> Ratio:
    """Hazard ratio of the weighted or matched patients, with robust limits."""
    kept = used.assign(**{_WEIGHT: weight, _PAIR: pair})[(weight > 0).to_numpy()]
    model = {"time": TIME, "event": EVENT, "covariates": [_TREATED]}
    fit = cox(kept, weights=_WEIGHT, cluster=None if pair is None else _PAIR, **model)
    return _ratio(fit, "robust score")


def _ratio(fit: Cox, test: str) -> Ratio:
    p_value = float(fit.tests.set_index("test")["p_value"][test])
    line = fit.terms.iloc[0]
    return Ratio(float(line["hazard_ratio"]), float(line["low"]), float(line["high"]), p_value)
