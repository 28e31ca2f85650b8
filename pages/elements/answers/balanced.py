"""Two groups of a cohort made comparable by matching or weights."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from analytics.suppression import UNSAID, Count, Hidden, concealed, part_of
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary, Level, Variable
from pages.elements.answers.models import (
    EVENT,
    GROUP,
    TIME,
    Comparison,
    comparison,
    patients,
    without_telling_levels,
)
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import group_counts

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
    n, n_event, n_after : dict of str to int
        Patients and events by level, before, and patients after.
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
    withheld : dict of str to tuple of Level
        Levels of covariates that a small-cell minimum keeps out; their patients count as missing.
    """

    comparison: Comparison
    method: Method
    table: pd.DataFrame
    n: Mapping[str, Count]
    n_event: Mapping[str, Count]
    n_after: Mapping[str, Count]
    before: WeightedKaplanMeier
    after: WeightedKaplanMeier
    ratio_before: Ratio
    ratio_after: Ratio
    missing: Mapping[str, Count]
    n_missing: Count
    unmatched: tuple[tuple[Level, str, Count], ...]
    withheld: Mapping[str, tuple[Level, ...]]


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
    found = weighed(
        snapshot, cohort, variables, endpoint=endpoint, by=by, against=against,
        covariates=covariates, method=method, landmark_days=landmark_days,
    )  # fmt: skip
    if found is None:
        return None
    minimum = minimum_of(snapshot)
    rows, used, weight, pair = found.rows, found.used, found.weight, found.pair
    asked = {"treated": _TREATED, "covariates": list(covariates)}
    missing = rows[list(covariates)].isna().sum()
    events = (used[EVENT] == 1).groupby(used[GROUP], observed=True).sum()
    kept = used[(weight > 0).to_numpy()]
    answer = Balanced(
        comparison=found.comparison,
        method=method,
        table=balance_table(used, weights=weight, **asked),
        n=_sizes(used),
        n_event={str(k): int(n) for k, n in events.items()},
        n_after=_sizes(kept),
        before=_curves(_ended(used, used, minimum), pd.Series(1.0, used.index)),
        after=_curves(_ended(used, kept, minimum), weight),
        ratio_before=_ratio(cox(used, time=TIME, event=EVENT, covariates=[_TREATED]), "score"),
        ratio_after=_balanced_ratio(used, weight, pair),
        missing={str(name): int(n) for name, n in missing.items() if n},
        n_missing=len(rows) - len(used),
        unmatched=found.unmatched,
        withheld=found.withheld,
    )
    if not minimum:
        return answer
    figure = group_counts(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
    )
    return _shown(answer, rows, figure, minimum)


@dataclass(frozen=True, eq=False)
class Weighed:
    """The patients of `balanced` with their weights.

    Attributes
    ----------
    comparison : Comparison
    rows, used : pandas.DataFrame
        Everybody compared, by patient_id, and those of them with every covariate.
    weight, pair : pandas.Series
        Of `used`; no pair where nobody was matched, and none at all without matching.
    unmatched, withheld
        As of `Balanced`.
    """

    comparison: Comparison
    rows: pd.DataFrame
    used: pd.DataFrame
    weight: pd.Series
    pair: pd.Series | None
    unmatched: tuple[tuple[Level, str, int], ...]
    withheld: Mapping[str, tuple[Level, ...]]


def weighed(
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
) -> Weighed | None:
    """Return the patients of `balanced` with their weights; raises as it does."""
    rows = patients(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days
    )
    minimum = minimum_of(snapshot)
    found = comparison(rows, variables[by], against, minimum)
    if found is None:
        return None
    rows, chosen = found
    rows, withheld = without_telling_levels(rows, [variables[name] for name in covariates], minimum)
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
    return Weighed(chosen, rows, used, weight, pair, unmatched, withheld)


def _sizes(rows: pd.DataFrame) -> dict[str, Count]:
    return {str(k): int(n) for k, n in rows[GROUP].value_counts().items()}


def _ended(rows: pd.DataFrame, kept: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Return patients followed, in each group, until the last day with enough of the kept at risk."""
    if not minimum:
        return rows
    last = kept.groupby(GROUP, observed=True)[TIME].agg(
        lambda time: time.nlargest(minimum).iloc[-1] if len(time) >= minimum else -1
    )
    ends = rows[GROUP].map(last).astype("float64")
    later = rows[TIME] > ends
    return rows.assign(**{TIME: rows[TIME].mask(later, ends), EVENT: rows[EVENT].mask(later, 0)})


def _shown(
    answer: Balanced,
    rows: pd.DataFrame,
    figure: Mapping[str, tuple[Count, Count]],
    minimum: int,
) -> Balanced:
    """Return the comparison without small counts: groups, left out and unmatched add up.

    What the curves hide of both groups is hidden here too.
    """
    secret = {
        (name, g)
        for g in answer.n
        for name, n in zip(("all", "events"), figure.get(g, (UNSAID, UNSAID)), strict=True)
        if isinstance(n, Hidden)
    }
    cells: dict[Hashable, int] = {"missing": int(answer.n_missing)}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [
        ("missing", [("missing", g) for g in answer.n])
    ]
    for g in answer.n:
        mine = rows[rows[GROUP] == g]
        n, n_event, after = (int(each[g]) for each in (answer.n, answer.n_event, answer.n_after))
        all_events = int((mine[EVENT] == 1).sum())
        lonely = {(g, reason): int(k) for level, reason, k in answer.unmatched if level.value == g}
        cells |= {
            ("all", g): len(mine), ("n", g): n, ("missing", g): len(mine) - n, ("after", g): after,
            ("events", g): all_events, ("event", g): n_event, ("none", g): n - n_event,
            ("event missing", g): all_events - n_event, **lonely,
        }  # fmt: skip
        sums += [
            (("all", g), [("n", g), ("missing", g)]), (("n", g), [("after", g), *lonely]),
            (("n", g), [("event", g), ("none", g)]),
            (("events", g), [("event", g), ("event missing", g)]),
        ]  # fmt: skip
        if answer.method != "matching":
            # Weights leave nobody out.
            cells["after", g] = n
    known = {k for k in cells if isinstance(k, tuple) and k[0] in ("all", "events")} - secret
    shown = concealed(cells, sums, minimum, known, already=secret)
    return replace(
        answer,
        n={g: shown["n", g] for g in answer.n},
        n_event={g: shown["event", g] for g in answer.n},
        n_after={g: shown["after", g] for g in answer.n},
        missing={name: part_of(int(k), len(rows), minimum) for name, k in answer.missing.items()},
        n_missing=shown["missing"],
        unmatched=tuple((v, why, shown[v.value, why]) for v, why, _ in answer.unmatched),
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
