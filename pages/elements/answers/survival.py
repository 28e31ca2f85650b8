"""Survival and cumulative incidence of a cohort, with everything that may be said about them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import pandas as pd

from analytics.competing import CumulativeIncidence, GrayTest, cumulative_incidence, gray_test
from analytics.hazard import HazardRatios, hazard_ratios
from analytics.landmark import Landmark, landmark
from analytics.suppression import UNSAID, Count, Hidden, concealed, is_small, part_of
from analytics.survival import (
    KaplanMeier,
    LogRank,
    PermutationLogRank,
    RestrictedMean,
    follow_up,
    kaplan_meier,
    log_rank,
    log_rank_trend,
    pairwise_log_rank,
    permutation_log_rank,
    restricted_mean,
)
from data import queries
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Level, Variable
from pages.elements import wording
from pages.elements.answers import small_cells
from pages.elements.answers.small_cells import LeftOut, SteppedIncidence, minimum_of

FEWEST_FOR_A_CURVE = 5
"""Fewer patients are not drawn: every step of such a curve is one person."""

FEW_EVENTS = 5
"""Events in a group below which a log-rank test is read with care."""

MOST_CROSSED = 6
"""More groups of two variables are not drawn: nobody could tell them apart."""

RELAPSE = Level("relapse", "Relapse", "Relapse", "relapse")
DEATH = Level("death", "NRM", "Non-relapse mortality", "death without relapse")
CAUSE = Variable("cause_of_failure", "Cause", "category", (RELAPSE, DEATH))
"""What ends a remission: the groups of a figure that shows both cumulative incidences."""

_ORDERED = frozenset({"mrd_dynamics"})
"""Groupings whose levels have an order that the field agrees on."""


@dataclass(frozen=True)
class Crossed(Variable):
    """Two variables as one, with a level for every pair of theirs."""

    parts: tuple[Variable, ...] = ()


def crossed(first: Variable, second: Variable) -> Crossed:
    """Return two variables as one, the first varying slowest."""

    def joined(part: str, *levels: Level) -> str:
        return " · ".join(getattr(level, part) for level in levels)

    known = {first.known, second.known}
    times = ("from a day on", "at a day", "at baseline", "with the outcome")
    return Crossed(
        f"{first.name}_and_{second.name}",
        f"{first.label} and {wording.inside(second.label)}",
        "category",
        tuple(
            Level(*(joined(part, *pair) for part in ("value", "short", "name", "phrase")))
            for pair in product(first.levels, second.levels)
        ),
        known=next(time for time in times if time in known),
        parts=(first, second),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """Who is in a figure of time to an event, and in which groups.

    Attributes
    ----------
    by : Variable or None
        What the groups are levels of; `Crossed` for two variables at once.
    levels : tuple of Level
        The groups that hold patients, in the dictionary's order; empty for all patients together.
    n, n_event, n_competing : int
        Patients and events in the curves.
    left_out : dict of str to int
        Patients of the cohort who are not in the curves, by reason.
    table : pandas.DataFrame
        The event table that all of it rests on, with the column `by`. Its counts are not to be shown.
    landmark : LeftOut or None
    withheld : tuple of Level
        Groups that a small-cell minimum keeps out of curves, tests and tables.
    enough : bool
        Whether there are patients enough for a curve.
    hazard : HazardRatios or None
        Against the first of `levels`; cause-specific where events compete.
    """

    by: Variable | None
    levels: tuple[Level, ...]
    n: Count
    n_event: Count
    n_competing: Count
    left_out: dict[str, Count]
    table: pd.DataFrame
    minimum: int = 0
    landmark: LeftOut | None = None
    withheld: tuple[Level, ...] = ()
    enough: bool = True
    hazard: HazardRatios | None = None

    def row(self, level: Level | None, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a result frame that belong to one group (None: all patients)."""
        if level is None or self.by is None:
            return frame
        return frame[frame[self.by.name] == level.value]

    @property
    def n_later(self) -> Count:
        """Patients whose group changes after the landmark; they stay in the group of that day."""
        return self.landmark.n_later if self.landmark else 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The grouping column of `table`, if there is one."""
        return (self.by.name,) if self.by else ()

    @property
    def crowded(self) -> bool:
        """Tell whether two variables make more groups than can be read."""
        return isinstance(self.by, Crossed) and len(self.levels) > MOST_CROSSED


@dataclass(frozen=True, eq=False, kw_only=True)
class Survival(Answer):
    """The survival of a cohort, all together or by group.

    Attributes
    ----------
    km : KaplanMeier
    test : LogRank or None
        With two groups or more.
    trend : LogRank or None
        With three groups or more in an order that the field agrees on.
    pairwise : pandas.DataFrame or None
        With three groups or more, and only after the test of all: every two of them.
    mean : RestrictedMean or None
        Up to the horizon or, if that is earlier, the last follow-up of a group.
    """

    km: KaplanMeier
    test: LogRank | None = None
    trend: LogRank | None = None
    pairwise: pd.DataFrame | None = None
    mean: RestrictedMean | None = None

    @property
    def curves(self) -> KaplanMeier:
        """What a figure draws."""
        return self.km

    @property
    def few_events(self) -> tuple[Level, ...]:
        """The groups whose events are too few for the chi-squared distribution of the test."""
        if self.test is None:
            return ()
        events = self.km.groups.set_index(self.columns[0])["n_event"]
        return tuple(level for level in self.levels if few_events(events[level.value]))


def few_events(n: Count) -> bool:
    """Tell whether a group has too few events for a test to be read without care."""
    return n.few if isinstance(n, Hidden) else n < FEW_EVENTS


@dataclass(frozen=True, eq=False)
class Incidences:
    """Cumulative incidences as curves: of one cause by group, or of every cause as the groups.

    Attributes
    ----------
    curve, groups : pandas.DataFrame
        As of `CumulativeIncidence`, with ``n_censored``; without ``cause``, or with the grouping
        column in its place.
    by : tuple of str
        The grouping column, if any.
    """

    curve: pd.DataFrame
    groups: pd.DataFrame
    by: tuple[str, ...]
    _whole: CumulativeIncidence
    _names: Mapping[int, str]

    def at(self, times: Sequence[float]) -> pd.DataFrame:
        """Return the incidences at milestones, as `CumulativeIncidence.at` does."""
        return _named(self._whole.at(times), self._names, self._whole.by)


def _named(frame: pd.DataFrame, names: Mapping[int, str], by: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of the causes in `names`, and what they are called as a column if no other is."""
    frame = frame[frame["cause"].isin(list(names))]
    called = {} if by else {CAUSE.name: frame["cause"].map(names)}
    return frame.drop(columns="cause").assign(**called).reset_index(drop=True)


def _incidences(
    whole: CumulativeIncidence, table: pd.DataFrame, names: Mapping[int, str]
) -> Incidences:
    keys = [*whole.by, "time"]
    censored = table.groupby(keys, as_index=False)["n_censored"].sum()
    curve = _named(whole.curve, names, whole.by)
    if not isinstance(whole, SteppedIncidence):
        curve = curve.merge(censored, on=keys, how="left")
    groups = _named(whole.groups, names, whole.by)
    return Incidences(curve, groups, whole.by or (CAUSE.name,), whole, names)


@dataclass(frozen=True, eq=False, kw_only=True)
class Incidence(Answer):
    """The cumulative incidence of relapse or of non-relapse mortality, and of the other of the two.

    Attributes
    ----------
    curves : Incidences
        Of the cause by group or, for all patients together, of both causes as the groups.
    other : Incidences or None
        Of the competing cause by group.
    cause, competing : Level
        What the endpoint counts, and what precludes it.
    test : GrayTest or None
        With two groups or more.
    """

    curves: Incidences
    other: Incidences | None
    cause: Level
    competing: Level
    test: GrayTest | None = None


def survival(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str | None,
    by2: str | None = None,
    landmark_days: int | None,
    horizon_days: int,
) -> Survival:
    """Return the survival of a cohort, with everything that may be said about it.

    Parameters
    ----------
    by, by2 : str or None
        Names of one or two grouping variables.
    """
    who, events = _answer(snapshot, cohort, variables, endpoint, by, by2, landmark_days)
    table, columns = who.table, who.columns
    km = kaplan_meier(table, by=columns)
    if who.minimum:
        km = _ended_survival(who, events)
    mean = _mean(table, columns, km, horizon_days, landmark_days)
    result = Survival(**vars(who), km=km, mean=mean)
    if len(who.levels) < 2 or who.crowded:
        return result
    several = len(who.levels) > 2
    return replace(
        result,
        test=log_rank(table, by=columns),
        trend=_trend(who) if several and columns[0] in _ORDERED else None,
        hazard=hazard_ratios(table, by=columns[0], reference=who.levels[0].value),
        pairwise=pairwise_log_rank(table, by=columns) if several else None,
    )


def _trend(who: Answer) -> LogRank:
    """Test along the order of the levels."""
    order = [level.value for level in who.levels]
    # Scores are asked for in the sort order of the groups.
    return log_rank_trend(
        who.table, by=who.columns, scores=[order.index(value) for value in sorted(order)]
    )


def _ended_survival(who: Answer, events: pd.DataFrame) -> KaplanMeier:
    """Return the curves as far as enough patients are at risk, with the events of the whole follow-up."""
    found = kaplan_meier(small_cells.ended(who.table, who.columns, who.minimum), by=who.columns)
    groups = found.groups.assign(n=events["n"], n_event=events["n_event"])
    start = who.landmark.at if who.landmark else 0.0
    return small_cells.stepped_survival(found, groups, who.minimum, start)


def permutation(result: Survival) -> PermutationLogRank:
    """Return the log-rank test that holds with few events, too slow to be made unasked."""
    return permutation_log_rank(result.table, by=result.columns)


def incidence(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str | None,
    by2: str | None = None,
    landmark_days: int | None,
) -> Incidence:
    """Return the cumulative incidence of an endpoint that another event can preclude."""
    who, events = _answer(snapshot, cohort, variables, endpoint, by, by2, landmark_days)
    table, columns = who.table, who.columns
    causes = (RELAPSE, DEATH) if ENDPOINTS[endpoint].short == "CIR" else (DEATH, RELAPSE)
    whole = cumulative_incidence(table, by=columns)
    if who.minimum:
        whole = _ended_incidence(who, events)
    names = {1: causes[0].value, 2: causes[1].value}
    if not columns:
        curves = _incidences(whole, table, names)
        shown = replace(who, by=CAUSE, levels=causes)
        return Incidence(
            **vars(shown), curves=curves, other=None, cause=causes[0], competing=causes[1]
        )
    result = Incidence(
        **vars(who),
        curves=_incidences(whole, table, {1: names[1]}),
        other=_incidences(whole, table, {2: names[2]}),
        cause=causes[0],
        competing=causes[1],
    )
    if len(who.levels) < 2 or who.crowded:
        return result
    return replace(
        result,
        test=gray_test(table, by=columns),
        hazard=hazard_ratios(table, by=columns[0], reference=who.levels[0].value),
    )


def _ended_incidence(who: Answer, events: pd.DataFrame) -> CumulativeIncidence:
    """Return the incidences as `_ended_survival` returns curves."""
    found = cumulative_incidence(
        small_cells.ended(who.table, who.columns, who.minimum), by=who.columns
    )
    keys = [*who.columns, "cause"]
    of_cause = pd.concat(
        [
            events.assign(cause=code, n_event=events[column])
            for code, column in ((1, "n_event"), (2, "n_competing"))
        ]
    )
    groups = found.groups[[*keys, "last_time"]].merge(
        of_cause[[*keys, "n", "n_event"]], on=keys, how="left"
    )
    start = who.landmark.at if who.landmark else 0.0
    return small_cells.stepped_incidence(found, groups, who.minimum, start)


def _answer(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: str,
    by: str | None,
    by2: str | None,
    landmark_days: int | None,
) -> tuple[Answer, pd.DataFrame]:
    """Count who is in the curves, in which group, and who is not; and the events that may be shown."""
    minimum = minimum_of(snapshot)
    names = tuple(name for name in (by, by2) if name)
    grouping = variables[names[0]] if names else None
    if len(names) == 2:
        grouping = crossed(variables[names[0]], variables[names[1]])
    counted = queries.counted(snapshot, cohort, variables, endpoint=endpoint, by=names)
    outside = _reasons(counted)
    left_out: dict[str, Count] = {**_left_out(counted, outside, variables, names)}
    chosen = None
    if landmark_days is None:
        table = _compared(counted, variables, names)
    else:
        rows = queries.landmark_counts(
            snapshot, cohort, variables, endpoint=endpoint, by=names, landmark_days=landmark_days
        )
        undated = rows["undated"].astype(bool)
        if undated.any():
            left_out[_undated_reason(variables, names)] = int(rows.loc[undated, queries.N].sum())
        chosen = _at_landmark(rows[~undated], landmark_days)
        table = _event_table(chosen.frame, names)
    levels: tuple[Level, ...] = ()
    withheld: tuple[Level, ...] = ()
    if grouping:
        table = _one_column(table, names, grouping)
    sizes: dict[str, Count] = {}
    if minimum:
        table, withheld, sizes, left_out = _without_telling_groups(
            table, grouping, left_out, chosen, [*outside], minimum
        )
    if grouping:
        table = _without_small_groups(table, grouping, left_out)
        present = set(table[grouping.name])
        levels = tuple(level for level in grouping.levels if level.value in present)
    counts = table[["n_event", "n_competing", "n_censored"]].sum()
    n = int(counts.sum())
    who = Answer(
        by=grouping, levels=levels, n=n, n_event=int(counts["n_event"]),
        n_competing=int(counts["n_competing"]), left_out=left_out, table=table, minimum=minimum,
        landmark=None if chosen is None else replace(
            small_cells.left_out(chosen, minimum), excluded=None if minimum else _excluded(
                snapshot, cohort, variables, endpoint, names, chosen.at)),
        withheld=withheld, enough=n >= max(FEWEST_FOR_A_CURVE, minimum),
    )  # fmt: skip
    if not minimum:
        return who, pd.DataFrame()
    whole = counted[counted["time"].notna()]
    n_all = int(whole[["n_event", "n_competing", "n_censored"]].to_numpy().sum())
    events, together = small_cells.outcomes(
        table, who.columns, int(whole["n_event"].sum()), n_all, minimum
    )
    groups = events[grouping.name] if grouping else [""]
    events["n"] = pd.Series([sizes[str(group)] for group in groups], dtype="object")
    shown = part_of(n, n_all, minimum)
    if not isinstance(shown, Hidden):
        shown = part_of(n, queries.size(snapshot, cohort, variables), minimum)
    return replace(who, n=shown, **together), events


MOST_LISTED = 1000
"""Patients whom a landmark leaves out that are listed one by one."""


def _at_landmark(rows: pd.DataFrame, at: int) -> Landmark:
    """Return the landmark of rows that stand for several patients each, counted in patients."""
    found = landmark(
        rows, at=at, time="time", event="event", known_day="known_day", switch="switch_day"
    )
    out, kept = found.excluded, found.frame
    return replace(
        found,
        n_events_excluded=int(out.loc[out["event"] > 0, queries.N].sum()),
        n_later=int(kept.loc[kept["switch_day"] > at, queries.N].sum()),
    )


def _event_table(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the event table of rows that stand for several patients each."""
    outcome = {"n_event": rows["event"] == 1, "n_competing": rows["event"] >= 2,
               "n_censored": rows["event"] == 0}  # fmt: skip
    keys = [*names, "time"]
    counts = rows[keys].assign(**{name: rows[queries.N] * of for name, of in outcome.items()})
    return (
        counts.groupby(keys, sort=True).sum().reset_index().astype(dict.fromkeys(outcome, "int64"))
    )


def _excluded(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: str,
    names: Sequence[str],
    at: float,
) -> pd.DataFrame:
    """Return the first patients whom a landmark leaves out, one row each with the reason."""
    rows = queries.landmark_excluded(
        snapshot, cohort, variables,
        endpoint=endpoint, by=names, landmark_days=int(at), most=MOST_LISTED,
    )  # fmt: skip
    return landmark(rows, at=at, time="time", event="event", known_day="known_day").excluded


def _compared(counted: pd.DataFrame, variables: Dictionary, names: Sequence[str]) -> pd.DataFrame:
    """Return the event table of those who have a level to compare in every variable."""
    kept = counted["time"].notna()
    for name in names:
        compared = variables[name].compared
        kept &= counted[name].isin(compared) if compared else counted[name] != MISSING
    table = counted.loc[kept, [*names, "time", "n_event", "n_competing", "n_censored"]]
    return table.astype({"time": "int64"}).reset_index(drop=True)


def _reasons(counted: pd.DataFrame) -> dict[str, int]:
    """Return the patients for whom the endpoint cannot be given by reason, the most frequent first."""
    found = counted[counted["time"].isna()].groupby("reason", sort=True)[queries.N].sum()
    return {str(k): int(n) for k, n in found.sort_values(ascending=False, kind="stable").items()}


def group_counts(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str,
    landmark_days: int | None,
) -> dict[str, tuple[Count, Count]]:
    """Return patients and events of each group as the curves of a study with a minimum show them."""
    _, events = _answer(snapshot, cohort, variables, endpoint, by, None, landmark_days)
    rows = zip(events[by], events["n"], events["n_event"], strict=True)
    return {str(level): (n, n_event) for level, n, n_event in rows}


def _undated_reason(variables: Dictionary, names: Sequence[str]) -> str:
    changing = [variables[name] for name in names if variables[name].known == "from a day on"]
    return f"{' or '.join(v.level('yes').name for v in changing)} without a date"


def _one_column(table: pd.DataFrame, names: tuple[str, ...], grouping: Variable) -> pd.DataFrame:
    """Return the event table with two grouping columns as one."""
    if len(names) == 1:
        return table
    first, second = (table[name].astype(str) for name in names)
    joined = table.drop(columns=list(names))
    joined.insert(0, grouping.name, first + " · " + second)
    return joined


def _without_telling_groups(
    table: pd.DataFrame,
    variable: Variable | None,
    left_out: Mapping[str, Count],
    chosen: Landmark | None,
    outside: Sequence[str],
    minimum: int,
) -> tuple[pd.DataFrame, tuple[Level, ...], dict[str, Count], dict[str, Count]]:
    """Return the event table without groups that are small or would tell a small one, sizes and reasons.

    Groups, reasons and whom a landmark leaves out add up to the cohort; without the reasons in
    `outside`, to those of the curve of all patients.
    """
    exits = table[["n_event", "n_competing", "n_censored"]].sum(axis=1)
    sizes = exits.groupby(table[variable.name]).sum() if variable else pd.Series({"": exits.sum()})
    groups = {("group", str(value)): int(n) for value, n in sizes.items()}
    reasons = {("reason", reason): int(n) for reason, n in left_out.items()}
    cells: dict[Hashable, int] = {**groups, **reasons}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    if chosen is not None:
        cells["landmark"] = int(small_cells.patients(chosen.excluded).sum())
    away = [("reason", reason) for reason in outside if ("reason", reason) in cells]
    inside = [key for key in cells if key not in away]
    cells["curve"] = sum(cells[key] for key in inside)
    cells["all"] = cells["curve"] + sum(cells[key] for key in away)
    sums += [("curve", inside), ("all", ["curve", *away])]
    sums += _of_the_first(variable, groups, cells)
    few = is_small(cells["all"] - cells["curve"], minimum)
    shown = concealed(cells, sums, minimum, {"all"} if few else {"all", "curve"})
    sizes_shown = {value: shown["group", value] for _, value in groups}
    said = {reason: shown["reason", reason] for reason in left_out}
    if variable is None or not any(is_small(n, minimum) for n in groups.values()):
        # No group is small: where a reason is, the size of a curve is hidden for it, not the curve.
        return table, (), sizes_shown, said
    hidden = {value for value, n in sizes_shown.items() if isinstance(n, Hidden)}
    kept = table[~table[variable.name].astype(str).isin(hidden)]
    withheld = tuple(level for level in variable.levels if level.value in hidden)
    return kept, withheld, sizes_shown, said


def _of_the_first(
    variable: Variable | None, groups: Mapping[tuple[str, str], int], cells: dict[Hashable, int]
) -> list[tuple[Hashable, Sequence[Hashable]]]:
    """Add the sizes by the first of two variables to the cells, and return what adds up to them."""
    if not isinstance(variable, Crossed):
        return []
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    for k, part in enumerate(variable.parts):
        for level in part.levels:
            mine = [key for key in groups if key[1].split(" · ")[k] == level.value]
            if mine:
                cells["of", part.name, level.value] = sum(groups[key] for key in mine)
                sums.append((("of", part.name, level.value), mine))
    return sums


def _without_small_groups(
    table: pd.DataFrame, variable: Variable, left_out: dict[str, Count]
) -> pd.DataFrame:
    """Return the event table without the groups too small for a curve, noting them."""
    sizes = table.groupby(variable.name)[["n_event", "n_competing", "n_censored"]].sum().sum(axis=1)
    small = sizes[sizes < FEWEST_FOR_A_CURVE]
    for value, n in small.items():
        left_out[f"{variable.level(str(value)).name}, too few for a curve"] = int(n)
    return table[~table[variable.name].isin(small.index)]


def _mean(
    table: pd.DataFrame, by: tuple[str, ...], km: KaplanMeier, horizon: int, start: int | None
) -> RestrictedMean | None:
    """Restricted mean to the horizon; after a landmark the time before it is everybody's alike."""
    last = km.groups["last_time"]
    if last.empty:
        return None
    tau = min(horizon, int(last.min()))
    return restricted_mean(table, by=by, tau=tau) if tau > (start or 0) else None


def _left_out(
    counted: pd.DataFrame,
    outside: Mapping[str, int],
    variables: Dictionary,
    names: tuple[str, ...],
) -> dict[str, int]:
    """Count who is left out by reason; who has several is counted with the first."""
    reasons = dict(outside)
    if not names:
        return reasons
    compared = {
        name: variables[name].compared or tuple(level.value for level in variables[name].levels)
        for name in names
    }
    inside = counted[counted["time"].notna()]
    for values, n in inside.groupby(list(names), sort=True)[queries.N].sum().items():
        each = values if isinstance(values, tuple) else (values,)
        for name, value in zip(names, each, strict=True):
            if value not in compared[name]:
                reason = variables[name].level(str(value)).name
                reasons[reason] = reasons.get(reason, 0) + int(n)
                break
    return reasons


@dataclass(frozen=True)
class FollowUp:
    """Events of an endpoint in a cohort, and its median follow-up by reverse Kaplan-Meier, days."""

    n: Count
    n_event: Count
    median: float
    low: float
    high: float


def followed(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, endpoint: str
) -> FollowUp:
    """Return how many events an endpoint has in a cohort, and how long it was followed."""
    table = queries.events(snapshot, cohort, variables, endpoint=endpoint)
    if table.empty:
        return FollowUp(0, 0, float("nan"), float("nan"), float("nan"))
    line = follow_up(table).iloc[0]
    n, n_event = int(line["n"]), int(table["n_event"].sum())
    limits = line["median"], line["low"], line["high"]
    if minimum := minimum_of(snapshot):
        return _of_enough(n, n_event, limits, queries.size(snapshot, cohort, variables), minimum)
    return FollowUp(n, n_event, *limits)


def _of_enough(
    n: int, n_event: int, limits: tuple[float, float, float], total: int, minimum: int
) -> FollowUp:
    """Return events and follow-up as far as they may be shown: n of a known total, events of n."""
    counted, nan = part_of(n, total, minimum), float("nan")
    if n < minimum:
        return FollowUp(counted, UNSAID if n_event else 0, nan, nan, nan)
    return FollowUp(counted, part_of(n_event, n, minimum), *limits)
