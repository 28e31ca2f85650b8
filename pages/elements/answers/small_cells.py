"""What of an answer may be shown in a study with a small-cell minimum, before the answer returns.

A result that passed here holds no small count: where one stood is a `Hidden`, which reads as '<5' and is no
number to anything that computes with it. Curves end where fewer than the minimum are at risk, and say
numbers at risk and events by a day in steps of the minimum only.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.competing import CumulativeIncidence
from analytics.landmark import Landmark
from analytics.proportion import Proportion
from analytics.suppression import (
    UNSAID,
    Count,
    Hidden,
    concealed,
    effective,
    fewer,
    in_steps,
    levels,
)
from analytics.survival import KaplanMeier
from data.queries import N

_EXITS = ["n_event", "n_competing", "n_censored"]


class RowsNotShown(PermissionError):
    """Rows of single patients are asked of a study that shows none."""


@dataclass(frozen=True)
class LeftOut:
    """Whom a landmark leaves out.

    Attributes
    ----------
    at : float
    n, n_event : int or Hidden
    reasons : dict of str to (int or Hidden)
    n_later : int or Hidden
        Who changes group after it and stays.
    excluded : pandas.DataFrame or None
        One row per patient left out; None where single patients are not shown.
    """

    at: float
    n: Count
    n_event: Count
    reasons: Mapping[str, Count]
    n_later: Count
    excluded: pd.DataFrame | None


def left_out(chosen: Landmark, minimum: int) -> LeftOut:
    """Return whom a landmark leaves out, as far as it may be said."""
    reasons = patients(chosen.excluded).groupby(chosen.excluded["reason"]).sum()
    found = {str(k): int(v) for k, v in reasons.sort_values(ascending=False, kind="stable").items()}
    n, n_later = int(reasons.sum()), int(chosen.n_later or 0)
    n_in = int(patients(chosen.frame).sum())
    if not minimum:
        return LeftOut(chosen.at, n, chosen.n_events_excluded, found, n_later, chosen.excluded)
    parts: dict[Hashable, int] = {("reason", reason): k for reason, k in found.items()}
    cells = {**parts, "out": n, "in": n_in, "all": n + n_in}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [("out", [*parts]), ("all", ["out", "in"])]
    shown = concealed(cells, sums, minimum, {"all"})
    of_n = isinstance(shown["out"], Hidden)
    events = levels({"event": chosen.n_events_excluded, "none": n - chosen.n_events_excluded},
                    minimum)  # fmt: skip
    later = levels({"later": n_later, "others": n_in - n_later}, minimum)
    return LeftOut(
        chosen.at,
        shown["out"],
        fewer(minimum) if of_n and chosen.n_events_excluded else events["event"],
        {reason: shown["reason", reason] for reason in found},
        later["later"],
        None,
    )


def patients(rows: pd.DataFrame) -> pd.Series:
    """Return how many patients each row stands for."""
    return rows[N] if N in rows else pd.Series(1, rows.index)


def hidden_share(n: Count, total: Count, exact: Proportion) -> Proportion:
    """Return a proportion of which at most the total is known."""
    return replace(exact, count=n, total=total, rate=None, low=None, high=None)


def said(count: Count, others: Count) -> Count:
    """Return a count of a known total: not to be shown where the others are hidden."""
    return UNSAID if isinstance(others, Hidden) and not isinstance(count, Hidden) else count


# Curves


def ended(table: pd.DataFrame, by: Sequence[str], minimum: int) -> pd.DataFrame:
    """Return an event table that ends, in each group, on the last day with enough patients at risk.

    Who is followed for longer is censored on that day.
    """
    exits = table[_EXITS].sum(axis=1)
    keys = [table[name] for name in by] or [pd.Series(0, table.index)]
    table = table.assign(_exits=exits).sort_values("time", kind="stable")
    left = table["_exits"][::-1].groupby([key.reindex(table.index)[::-1] for key in keys]).cumsum()
    at_risk = left.reindex(table.index)
    kept, rest = table[at_risk >= minimum], table[at_risk < minimum]
    kept = kept.drop(columns="_exits").copy()
    of = [key.reindex(table.index) for key in keys]
    later = rest["_exits"].groupby([key.loc[rest.index] for key in of]).sum()
    last = kept.groupby([key.loc[kept.index] for key in of])["time"].idxmax()
    for group, n in later.items():
        if group in last.index:
            kept.loc[last[group], "n_censored"] += n
    return kept.loc[sorted(kept.index)]


@dataclass(frozen=True, eq=False)
class SteppedKaplanMeier(KaplanMeier):
    """Survival curves of a study with a small-cell minimum.

    Attributes
    ----------
    minimum : int
    start : float
        Day up to which nobody has left: the numbers at risk there are those of the groups.
    """

    minimum: int
    start: float

    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Survival at milestones, with numbers at risk and events in steps."""
        return _stepped(super().at(times), self.groups, self.by, self.start, self.minimum)


@dataclass(frozen=True, eq=False)
class SteppedIncidence(CumulativeIncidence):
    """Cumulative incidences of a study with a small-cell minimum, as `SteppedKaplanMeier`."""

    minimum: int
    start: float

    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        """Cumulative incidence at milestones, with numbers at risk and events in steps."""
        return _stepped(super().at(times), self.groups, self.by, self.start, self.minimum)


def _stepped(
    at: pd.DataFrame, groups: pd.DataFrame, by: Sequence[str], start: float, minimum: int
) -> pd.DataFrame:
    sizes = groups.groupby(list(by), observed=True)["n"].first() if by else groups["n"].iloc[0]
    whole = [sizes[key] for key in at[by[0]]] if by else [sizes] * len(at)
    n_risk = [
        n if time <= start else in_steps(k, minimum) if k else fewer(minimum)
        for time, k, n in zip(at["time"], at["n_risk"].tolist(), whole, strict=True)
    ]
    n_event = [in_steps(n, minimum) for n in at["n_event"].tolist()]
    return at.assign(
        n_risk=pd.Series(n_risk, at.index, dtype="object"),
        n_event=pd.Series(n_event, at.index, dtype="object"),
    )


def stepped_survival(
    km: KaplanMeier, groups: pd.DataFrame, minimum: int, start: float
) -> SteppedKaplanMeier:
    """Return curves without counts by day; `groups` has what may be said of the whole follow-up."""
    fields = {**vars(km), "curve": _without_counts(km.curve), "groups": groups}
    return SteppedKaplanMeier(**fields, minimum=minimum, start=start)


def stepped_incidence(
    found: CumulativeIncidence, groups: pd.DataFrame, minimum: int, start: float
) -> SteppedIncidence:
    """Return incidences without counts by day; `groups` has what may be said of the whole follow-up."""
    fields = {**vars(found), "curve": _without_counts(found.curve), "groups": groups}
    return SteppedIncidence(**fields, minimum=minimum, start=start)


def _without_counts(curve: pd.DataFrame) -> pd.DataFrame:
    # A mark where one patient was last seen would be that patient.
    return curve.drop(columns=["n_risk", "n_event"]).assign(n_censored=0)


def cut(km: KaplanMeier, groups: pd.DataFrame, minimum: int, start: float) -> SteppedKaplanMeier:
    """Return curves with late entries up to the first day with too few at risk."""
    names = list(km.by)
    few = km.curve[(km.curve["n_risk"] < minimum) & (km.curve["time"] > start)]
    first = few.groupby(names, observed=True)["time"].min()
    ends = pd.Series([first.get(key, np.inf) for key in km.curve[names[0]]], km.curve.index)
    curve = km.curve[km.curve["time"] < ends]
    last = curve.groupby(names, observed=True)["time"].max()
    until = [float(last.get(key, start)) for key in groups[names[0]]]
    ended_groups = groups.assign(last_time=until)
    found = stepped_survival(km, ended_groups, minimum, start)
    return _Cut(**{**vars(found), "curve": _without_counts(curve)})


@dataclass(frozen=True, eq=False)
class _Cut(SteppedKaplanMeier):
    def at(self, times: float | Sequence[float]) -> pd.DataFrame:
        at = super().at(times)
        last = self.groups.set_index(self.by[0])["last_time"]
        past = at["time"].to_numpy() > at[self.by[0]].map(last).to_numpy(dtype=float)
        at.loc[past, ["survival", "low", "high"]] = np.nan
        at.loc[past, "n_risk"] = fewer(self.minimum)
        return at


def outcomes(
    table: pd.DataFrame, by: Sequence[str], n_event_all: int, n_all: int, minimum: int
) -> tuple[pd.DataFrame, dict[str, Count]]:
    """Return what may be said of the events of groups and of all of them together.

    Parameters
    ----------
    table : pandas.DataFrame
        Event table of the groups that are shown.
    n_event_all, n_all : int
        Events and patients of the whole cohort: the rest follows from them.

    Returns
    -------
    pandas.DataFrame
        The `by` column if any, n_event, n_competing.
    dict
        n_event, n_competing of all groups together.
    """
    name = by[0] if by else None
    sums = (table.groupby(name, sort=True)[_EXITS].sum() if name
            else table[_EXITS].sum().to_frame().T)  # fmt: skip
    counts = {str(key): row.to_dict() for key, row in sums.iterrows()}
    n, events = int(sums.to_numpy().sum()), int(sums["n_event"].sum())
    rest = {"n_event": n_event_all - events, "others": n_all - n - (n_event_all - events)}
    cells: dict[Hashable, int] = {
        (g, c): int(v) for g, row in counts.items() for c, v in row.items()
    }
    cells |= {("rest", c): max(v, 0) for c, v in rest.items()}
    cells |= {("all", c): int(sums[c].sum()) for c in _EXITS}
    cells |= {("size", g): int(sum(row.values())) for g, row in counts.items()}
    cells |= {"n": n, "events": events + max(rest["n_event"], 0),
              "left": sum(max(v, 0) for v in rest.values())}  # fmt: skip
    parts: list[tuple[Hashable, Sequence[Hashable]]] = [
        *((("size", g), [(g, c) for c in _EXITS]) for g in counts),
        *((("all", c), [(g, c) for g in counts]) for c in _EXITS),
        ("n", [("all", c) for c in _EXITS]),
        ("events", [("all", "n_event"), ("rest", "n_event")]),
        ("left", [("rest", "n_event"), ("rest", "others")]),
    ]
    known = {"n", "left", *(("size", g) for g in counts)}
    shown = concealed(cells, parts, minimum, known)
    said = {c: [shown[str(g), c] for g in sums.index] for c in ("n_event", "n_competing")}
    groups = pd.DataFrame(
        {
            **({name: sums.index} if name else {}),
            **{c: pd.Series(v, dtype="object") for c, v in said.items()},
        }
    )
    return groups, {c: shown["all", c] for c in ("n_event", "n_competing")}


def minimum_of(snapshot: object) -> int:
    """Return the smallest count that a study shows; 0 shows every one."""
    return effective(int(getattr(snapshot, "small_cell_minimum", 0)))
