"""MRD negativity of a cohort at every timepoint."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pandas as pd

from analytics.mrd import COUNTED, Denominator, flows, negativity_rates, negativity_tests
from analytics.paired import paired_change
from analytics.proportion import ProportionDifference, proportion_difference
from analytics.suppression import UNSAID, Count, Hidden, concealed, is_small, levels, part_of
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Level, Variable
from pages.elements.answers.small_cells import minimum_of

_EVALUABLE = frozenset(COUNTED["evaluable"])


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
    withheld : tuple of Level
        Groups that a small-cell minimum keeps out of rates and tests.
    """

    rates: pd.DataFrame
    p_values: dict[str, float]
    differences: dict[str, ProportionDifference]
    withheld: tuple[Level, ...] = ()


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
    samples : pandas.DataFrame or None
        One row per patient and timepoint, as `data.queries.mrd_by_timepoint` returns it, of the first
        `MOST_LINES` patients; None where single patients are not shown.
    n : int
        Patients of the cohort.
    totals : pandas.DataFrame
        ``timepoint``, ``status``, ``n``: patients by status, those that occur.
    assays : tuple of str
        Assays of the samples.
    without : float
        Share of all timepoints without a sample; NaN where it would tell a small count.
    flows : pandas.DataFrame
        As `analytics.mrd.flows` returns it.
    changes : pandas.DataFrame
        One row per two consecutive timepoints, with their labels in `first` and `second`, as
        `analytics.paired.paired_change` returns it.
    """

    everybody: pd.DataFrame
    figure: Block | None
    blocks: dict[str, Block]
    samples: pd.DataFrame | None
    n: int
    totals: pd.DataFrame
    assays: tuple[str, ...]
    without: float
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
    names = [n for n in dict.fromkeys(("ph_status", "risk_group", by)) if n and n in variables]
    rows = _rows(snapshot, cohort, variables, names)
    wide, n = rows.wide, rows.n
    splits = {name: rows.split(variables[name]) for name in names}

    def block(name: str, split: pd.DataFrame) -> Block:
        rates = negativity_rates(split, by=name, denominator=denominator)
        tests = negativity_tests(split, by=name, denominator=denominator)
        p_values = dict(zip(tests["timepoint"], tests["p_value"], strict=True))
        return Block(rates, p_values, _differences(rates, variables[name]))

    minimum = minimum_of(snapshot)
    hiding = _Hiding(wide, n, splits, variables, minimum) if minimum else None
    if hiding:
        splits = hiding.splits
    # The Ph-positive stand in the first block; the second compares risk among the others.
    left_out = {"risk_group": ("Ph-positive",)}
    samples = rows.samples
    totals = samples.groupby(["timepoint", "status"], sort=False)[queries.N].sum()
    absent = samples.loc[samples["status"] == "not assessed", queries.N].sum()
    whole = Negativity(
        everybody=negativity_rates(samples, denominator=denominator),
        figure=block(by, splits[by]) if by else None,
        blocks={
            name: block(name, split[~split[name].isin(left_out.get(name, ()))])
            for name, split in splits.items()
        },
        samples=None if minimum else _drawn(snapshot, cohort, variables),
        n=int(n.sum()),
        totals=totals.rename("n").reset_index(),
        assays=queries.assays_of_samples(snapshot, cohort, variables),
        without=float(absent / samples[queries.N].sum()) if len(samples) else float("nan"),
        flows=_flows(wide, n),
        changes=_changes(wide, n),
    )
    return hiding.of(whole, by, denominator) if hiding else whole


MOST_LINES = 500
"""Patients whose levels are drawn over time, one line each."""


def _drawn(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> pd.DataFrame:
    return queries.mrd_by_timepoint(snapshot, cohort, variables, most=MOST_LINES)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The statuses of a cohort, one row for all patients who agree in them and in the groups.

    Attributes
    ----------
    groups : pandas.DataFrame
        One row each, the level of every grouping variable.
    wide : pandas.DataFrame
        The same rows, one column per timepoint with the status.
    n : pandas.Series
        How many patients a row stands for.
    """

    groups: pd.DataFrame
    wide: pd.DataFrame
    n: pd.Series

    @property
    def samples(self) -> pd.DataFrame:
        """One row per row and timepoint, by timepoint: row, timepoint, status, _n, and the groups."""
        rows = self.groups.assign(**{queries.N: self.n, "row": self.n.index})
        return pd.concat(
            [rows.assign(timepoint=name, status=self.wide[name]) for name in self.wide],
            ignore_index=True,
        )

    def split(self, variable: Variable) -> pd.DataFrame:
        """Return the samples of those who have a level to compare."""
        samples = self.samples
        level = samples[variable.name]
        compared = level.isin(variable.compared) if variable.compared else level != MISSING
        return samples.loc[compared, [variable.name, "row", "timepoint", "status", queries.N]]


def _rows(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, names: Sequence[str]
) -> _Rows:
    timepoints = {
        t.variable: t.label for t in queries.study(snapshot).timepoints if t.variable in variables
    }
    listed = list(dict.fromkeys((*timepoints, *names)))
    found = queries.combinations(snapshot, cohort, variables, listed)
    wide = pd.DataFrame({label: found[name] for name, label in timepoints.items()})
    return _Rows(found[list(names)], wide, found[queries.N].astype("int64"))


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


def _flows(wide: pd.DataFrame, n: pd.Series) -> pd.DataFrame:
    """Return the flows of rows that stand for `n` patients each."""
    found = flows(wide)
    of = found[["from_timepoint", "to_timepoint", "from_status", "to_status"]].itertuples(
        index=False
    )
    return found.assign(n=[int(n[(wide[a] == s) & (wide[b] == t)].sum()) for a, b, s, t in of])


def _changes(wide: pd.DataFrame, n: pd.Series) -> pd.DataFrame:
    rows = wide.assign(**{queries.N: n})
    found = [
        paired_change(rows, first=first, second=second).assign(first=first, second=second)
        for first, second in pairwise(wide.columns)
    ]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


# With a small-cell minimum

Cells = dict[Hashable, int]
Sums = list[tuple[Hashable, Sequence[Hashable]]]
_OTHER = "evaluable without below LOD"
_WORTH: Mapping[Hashable, int] = {"negative": 2, "evaluable": 3, "others": 4}
"""What is hidden last: the usual rate before what other denominators add to it."""


class _Hiding:
    """What of the statuses of a cohort may be shown, in all and by several variables at once.

    Attributes
    ----------
    splits : dict of str to pandas.DataFrame
        The samples by each variable, without groups that are small or would tell a small one.
    shown : dict
        By (variable, group), timepoint and status or denominator; all patients are ('', '').
    """

    def __init__(
        self,
        wide: pd.DataFrame,
        n: pd.Series,
        splits: Mapping[str, pd.DataFrame],
        variables: Dictionary,
        minimum: int,
    ) -> None:
        self.wide, self.n, self.minimum = wide, n, minimum
        self.splits, self.withheld = {}, {}
        for name, split in splits.items():
            self.splits[name], self.withheld[name] = _without_telling_groups(
                split, variables[name], minimum
            )
        self.shown: dict[Hashable, Count] = {}
        for timepoint in wide.columns:
            self.shown |= self._at(timepoint, {})
        for timepoint in wide.columns:
            self.shown |= self._at(timepoint, self.splits)

    def _at(self, timepoint: object, splits: Mapping[str, pd.DataFrame]) -> dict[Hashable, Count]:
        """Return what may be shown of one timepoint beside what is shown already."""
        cells, sums = Cells(), Sums()
        everybody = {("", ""): set(self.wide.index)}
        for name, split in splits.items():
            ids = split.groupby(name, observed=True)["row"].agg(set)
            groups = {(name, str(group)): found for group, found in ids.items()}
            rest = everybody["", ""].difference(*groups.values())
            groups[name, ""] = rest
            for status in COUNTED["all in remission"]:
                parts = [(group, timepoint, status) for group in groups]
                sums.append(((("", ""), timepoint, status), parts))
            everybody |= groups
        seen = dict[frozenset[object], tuple[str, str]]()
        for group, ids in everybody.items():
            counts = self._counts(timepoint, list(ids))
            statuses = {s: int(counts.get(s, 0)) for s in COUNTED["all in remission"]}
            _add(cells, sums, (group, timepoint), statuses)
            # The same patients under two names, as the Ph-positive of Ph status and risk group.
            twin = seen.setdefault(frozenset(ids), group)
            if twin != group:
                sums += [((*(group, timepoint), s), [(twin, timepoint, s)]) for s in statuses]
        sizes = {(group, timepoint, "all in remission") for group in everybody}
        fixed = {key for key in cells if key in self.shown}
        secret = {key for key in fixed if isinstance(self.shown[key], Hidden)}
        worth = {key: _WORTH.get(key[-1], 0) for key in cells
                 if isinstance(key, tuple) and _OTHER not in key}  # fmt: skip
        found = concealed(cells, sums, self.minimum, sizes | (fixed - secret), worth, secret)
        return {key: n for key, n in found.items() if key not in fixed}

    def _counts(self, timepoint: object, rows: Sequence[int] | pd.Index) -> pd.Series:
        """Return how many patients of some rows have each status at a timepoint."""
        return self.n.loc[rows].groupby(self.wide.loc[rows, timepoint]).sum()

    def of(self, whole: Negativity, by: str | None, denominator: Denominator) -> Negativity:
        """Return the negativity as far as it may be shown, without rows of samples."""
        flow = self._flows(whole.flows)
        n = [self.shown[("", ""), r.timepoint, r.status] for r in whole.totals.itertuples()]
        absent = [self.shown[("", ""), t, "not assessed"] for t in self.wide.columns]
        everybody = [(("", ""), timepoint) for timepoint in whole.everybody["timepoint"]]
        return replace(
            whole,
            everybody=self._rates(whole.everybody, everybody, denominator),
            figure=self._block(whole.figure, by, denominator) if whole.figure and by else None,
            blocks={k: self._block(block, k, denominator) for k, block in whole.blocks.items()},
            samples=None,
            totals=whole.totals.assign(n=pd.Series(n, whole.totals.index, dtype="object")),
            without=float("nan") if any(isinstance(k, Hidden) for k in absent) else whole.without,
            flows=whole.flows.assign(n=pd.Series(list(flow.values()), dtype="object")),
            changes=_changes_shown(whole.changes, flow, self.minimum),
        )

    def _block(self, block: Block, name: str, denominator: Denominator) -> Block:
        who = [((name, str(group)), timepoint) for group, timepoint in
               zip(block.rates[name], block.rates["timepoint"], strict=True)]  # fmt: skip
        rates = self._rates(block.rates, who, denominator)
        told = rates.assign(told=rates["rate"].notna() | (rates["evaluable"] == 0))
        whole = told.groupby("timepoint", observed=True)["told"].all()
        # With its margins known, a P value of two groups is as good as their counts.
        open_ = {str(timepoint) for timepoint, all_told in whole.items() if all_told}
        nothing = {"difference": None, "low": None, "high": None}
        return Block(
            rates,
            {t: p if t in open_ else float("nan") for t, p in block.p_values.items()},
            {t: d if t in open_ else replace(d, **nothing) for t, d in block.differences.items()},
            self.withheld[name],
        )

    def _rates(
        self, rates: pd.DataFrame, who: Sequence[tuple[object, object]], denominator: Denominator
    ) -> pd.DataFrame:
        """Return rates with what may be said of their counts, and no rate where one is hidden."""
        negative = [self.shown[*key, "negative"] for key in who]
        evaluable = [self.shown[*key, denominator] for key in who]
        # The count is some of a total: hidden where the others are.
        others = [isinstance(self.shown[*key, denominator, "others"], Hidden) for key in who]
        negative = [UNSAID if hidden and not isinstance(n, Hidden) else n
                    for n, hidden in zip(negative, others, strict=True)]  # fmt: skip
        secret = [isinstance(a, Hidden) or isinstance(b, Hidden)
                  for a, b in zip(negative, evaluable, strict=True)]  # fmt: skip
        found = rates.assign(
            negative=pd.Series(negative, rates.index, dtype="object"),
            evaluable=pd.Series(evaluable, rates.index, dtype="object"),
        )
        found.loc[secret, ["rate", "low", "high"]] = float("nan")
        return found

    def _flows(self, moves: pd.DataFrame) -> dict[tuple[str, str, str, str], Count]:
        """Return the flows as far as they may be shown beside the statuses at both ends."""
        columns = ["from_timepoint", "to_timepoint", "from_status", "to_status"]
        flow = {tuple(row[c] for c in columns): int(row["n"]) for row in moves.to_dict("records")}
        cells, sums = Cells(), Sums()
        cells |= flow
        for timepoint in self.wide.columns:
            for status, n in self._counts(timepoint, self.wide.index).items():
                total = (("", ""), timepoint, status)
                cells[total] = int(n)
                for at, place in ((0, 2), (1, 3)):
                    mine = [key for key in flow if (key[at], key[place]) == (timepoint, status)]
                    sums += [(total, mine)] if mine else []
        known = {key for key in cells if key not in flow}
        secret = {key for key in known if isinstance(self.shown[key], Hidden)}
        found = concealed(cells, sums, self.minimum, known - secret, already=secret)
        return {key: found[key] for key in flow}


def _without_telling_groups(
    split: pd.DataFrame, variable: Variable, minimum: int
) -> tuple[pd.DataFrame, tuple[Level, ...]]:
    """Return the samples without groups that are small or would tell a small one."""
    counts = split.drop_duplicates("row").groupby(variable.name)[queries.N].sum()
    sizes = {str(value): int(n) for value, n in counts.items()}
    shown = levels(sizes, minimum)
    hidden = {value for value, n in shown.items() if isinstance(n, Hidden)}
    withheld = tuple(level for level in variable.levels if level.value in hidden)
    return split[~split[variable.name].isin(hidden)], withheld


def _add(
    cells: Cells, sums: Sums, who: tuple[tuple[str, str], object], counts: Mapping[str, int]
) -> None:
    """Add the statuses of some patients at one timepoint, and every denominator made of them."""
    cells |= {(*who, status): n for status, n in counts.items()}
    for name, counted in COUNTED.items():
        cells[*who, name] = sum(counts[status] for status in counted)
        sums.append(((*who, name), [(*who, status) for status in counted]))
        others = [status for status in counted if status != "negative"]
        cells[*who, name, "others"] = sum(counts[status] for status in others)
        sums.append(((*who, name, "others"), [(*who, status) for status in others]))
    out = [status for status in counts if status not in COUNTED["evaluable"]]
    cells[*who, "out"] = sum(counts[status] for status in out)
    sums.append(((*who, "out"), [(*who, status) for status in out]))
    sums.append(((*who, "all in remission"), [(*who, "evaluable"), (*who, "out")]))


def _changes_shown(
    changes: pd.DataFrame, flow: Mapping[tuple[str, str, str, str], Count], minimum: int
) -> pd.DataFrame:
    """Return who changed between two timepoints, all of it or nothing: its counts derive from the flows."""
    if changes.empty:
        return changes
    counts = ["became_negative", "became_not_negative", "negative_first", "negative_second"]
    rows = []
    for row in changes.to_dict("records"):
        here = [n for (a, b, start, end), n in flow.items()
                if (a, b) == (row["first"], row["second"]) and {start, end} <= _EVALUABLE]  # fmt: skip
        whole = [row["n"], row["n_excluded"], *(row[c] for c in counts)]
        whole += [row["n"] - row[c] for c in counts]
        if any(isinstance(n, Hidden) for n in here) or any(
            is_small(int(n), minimum) for n in whole
        ):
            told = part_of(int(row["n"]), int(row["n"] + row["n_excluded"]), minimum)
            nothing = dict.fromkeys(("change", "low", "high", "p_value"), float("nan"))
            row |= {**dict.fromkeys(counts, UNSAID), **nothing, "n": told, "n_excluded": UNSAID}
        rows.append(row)
    return pd.DataFrame(rows, columns=changes.columns)
