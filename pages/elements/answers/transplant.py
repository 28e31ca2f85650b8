"""Does a transplant help: four analyses of one comparison, and who was transplanted when."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.competing import CumulativeIncidence, cumulative_incidence
from analytics.events import event_table
from analytics.landmark import SWITCHED, Landmark, landmark
from analytics.proportion import Proportion, fisher_exact, proportion
from analytics.suppression import UNSAID, Count, Hidden, concealed, levels, part_of
from analytics.survival import KaplanMeier, kaplan_meier, log_rank
from analytics.switching import (
    SimonMakuch,
    adjusted_ratio,
    counting_process,
    simon_makuch_from_counts,
    switched_ratio,
)
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, TooManyRows
from data.variables import Dictionary
from pages.elements.answers import small_cells
from pages.elements.answers.small_cells import LeftOut, RowsNotShown, minimum_of
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE, MOST_LISTED

_COVARIATES = ("age_years", "risk_group")
_EVENTS_PER_TERM = 5
"""Fewer events for each coefficient leave an adjusted ratio to chance."""


@dataclass(frozen=True)
class Ratio:
    """A hazard ratio with its 95% limits; NaN where there is no finite one."""

    value: float
    low: float
    high: float


NO_RATIO = Ratio(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Side:
    """Patients (ever at risk) and events on one side of a comparison."""

    n: Count
    n_event: Count


@dataclass(frozen=True, eq=False)
class Comparison:
    """The transplanted against the others by one method.

    Attributes
    ----------
    none, after : Side
        Without a transplant, and with one.
    too_small : bool
        Whether a side has fewer patients than a curve needs.
    ratio : Ratio
        Of the transplanted against the others; none where a side is too small.
    p_value : float or None
        Log-rank test; with entries the test of Mantel and Byar.
    km : KaplanMeier or None
        Curves by ``switched``; None where a side is too small for a curve.
    """

    none: Side
    after: Side
    too_small: bool
    ratio: Ratio = NO_RATIO
    p_value: float | None = None
    km: KaplanMeier | None = None


@dataclass(frozen=True)
class Adjusted:
    """The time-dependent ratio beside covariates, among patients who have them all.

    `n_event` are the events of these `n`; `n_incomplete` patients miss a covariate. `too_many` says that a
    cluster does not give out as many rows as their covariates have kinds; the counts are then 0.
    """

    covariates: tuple[str, ...]
    n: Count
    n_event: Count
    n_incomplete: Count
    enough: bool
    ratio: Ratio = NO_RATIO
    too_many: bool = False


@dataclass(frozen=True, eq=False)
class Transplant:
    """Survival with and without a transplant, four ways.

    Attributes
    ----------
    n, n_event : int
        Patients and events of the endpoint, of whom the day of a transplant is known.
    left_out : dict of str to int
        Patients of the cohort who are not among them, by reason.
    n_transplanted : int
    naive : Comparison
        Ever against never, as if known from the start.
    chosen : LeftOut
        Whom the landmark leaves out.
    landmark : Comparison
        By the group of that day.
    simon_makuch : SimonMakuch or None
        Among the same patients; None where a side is too small for a curve.
    readable_from : float
        Day from which the curve of the transplanted says something: the landmark or, if later, the first
        transplant.
    dependent : Comparison
        Each patient counts as transplanted from the day after the transplant on: Cox with a time-dependent
        covariate, and the test of Mantel and Byar. Patients come under observation on the day on which
        what they were selected by is known.
    n_never_at_risk : int
        Patients who leave before that, and so count nowhere in `dependent`.
    n_late : int
        Transplants on the last day of a patient or after it, which count as none in `dependent`.
    adjusted : Adjusted or None
        None where no covariate varies.
    """

    n: Count
    n_event: Count
    left_out: Mapping[str, Count]
    n_transplanted: Count
    naive: Comparison
    chosen: LeftOut
    landmark: Comparison
    simon_makuch: SimonMakuch | None
    readable_from: float
    dependent: Comparison
    n_never_at_risk: Count
    n_late: Count
    adjusted: Adjusted | None
    minimum: int = 0


def transplant(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    landmark_days: int,
) -> Transplant:
    """Return what four analyses say about the transplant in a cohort."""
    name = "allosct"
    minimum = minimum_of(snapshot)
    asked = {"endpoint": endpoint, "name": name}
    counts = queries.switch_counts(snapshot, cohort, variables, **asked)
    left_out = queries.exclusions(snapshot, cohort, variables, endpoint=endpoint)
    undated = counts["undated"].astype(bool)
    if undated.any():
        reason = f"{variables[name].level('yes').name} without a date"
        left_out[reason] = int(counts.loc[undated, queries.N].sum())
    counts = counts[~undated]
    n, start = int(counts[queries.N].sum()), float(landmark_days)
    chosen = _at_landmark(snapshot, cohort, variables, endpoint, name, landmark_days)
    first = float(chosen.frame["first_switch"].astype("float64").min())
    at_risk = queries.switch_intervals(snapshot, cohort, variables, **asked)
    later = queries.switch_intervals(
        snapshot, cohort, variables, **asked, start=landmark_days, late_entry=False
    )
    found = Transplant(
        n=n,
        n_event=int(counts.loc[counts["event"] == 1, queries.N].sum()),
        left_out=left_out,
        n_transplanted=int(counts.loc[counts["switched"], queries.N].sum()),
        naive=_of(counts, minimum),
        chosen=replace(
            small_cells.left_out(chosen, minimum),
            excluded=None if minimum else queries.landmark_excluded(
                snapshot, cohort, variables,
                endpoint=endpoint, by=(name,), landmark_days=landmark_days, most=MOST_LISTED,
            ),
        ),
        landmark=_of(chosen.frame, minimum, start),
        simon_makuch=_simon_makuch(later, chosen, minimum),
        readable_from=max(start, first) if first == first else start,
        dependent=_compared(at_risk, curves=False, minimum=minimum),
        n_never_at_risk=int(counts["n_never"].sum()),
        n_late=int(counts["n_late"].sum()),
        adjusted=_adjusted(snapshot, cohort, variables, endpoint, name, n, minimum),
        minimum=minimum,
    )  # fmt: skip
    return _shown(found, chosen) if minimum else found


def _at_landmark(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: str,
    name: str,
    landmark_days: int,
) -> Landmark:
    """Return who is followed beyond the landmark and who is not, a row for all patients alike."""
    rows = queries.landmark_counts(
        snapshot, cohort, variables, endpoint=endpoint, by=(name,), landmark_days=landmark_days
    )
    return landmark(
        rows[~rows["undated"].astype(bool)],
        time="time", event="event", switch="switch_day", known_day="known_day",
        at=landmark_days, count=queries.N,
    )  # fmt: skip


def _shown(found: Transplant, chosen: Landmark) -> Transplant:
    """Return the four analyses without small counts: sides, events and who is left out hang together."""
    left = chosen.excluded.groupby("reason")[queries.N].sum()
    n_excluded, followed = int(left.sum()), int(chosen.frame[queries.N].sum())
    n, n_event = int(found.n), int(found.n_event)
    later, ever = int(chosen.n_later or 0), int(found.n_transplanted)
    cells: dict[Hashable, int] = {"n": n, "events": n_event, "ever": ever}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    sides = {"naive": found.naive, "landmark": found.landmark, "dependent": found.dependent}
    for name, each in sides.items():
        for key, side in (("none", each.none), ("after", each.after)):
            k, e = int(side.n), int(side.n_event)
            cells |= {(name, key): k, (name, key, "event"): e, (name, key, "no"): k - e}
            sums.append(((name, key), [(name, key, "event"), (name, key, "no")]))

    def divided(total: Hashable, *parts: tuple[Hashable, int]) -> None:
        """Add parts of a total, and the rest of it."""
        cells.update(parts)
        names = [key for key, _ in parts]
        rest = cells[total] - sum(cells[key] for key in names)
        if rest >= 0:
            cells["rest of", total, *names] = rest
            sums.append((total, [*names, ("rest of", total, *names)]))

    def known(*keys: Hashable) -> list[tuple[Hashable, int]]:
        return [(key, cells[key]) for key in keys]

    divided("n", *known(("naive", "none"), ("naive", "after")))
    divided("n", ("frame", followed), ("excluded", n_excluded))
    divided("frame", *known(("landmark", "none"), ("landmark", "after")))
    divided(("landmark", "none"), ("later", later))
    divided("ever", *known(("landmark", "after"), "later"))
    divided("ever", *known(("dependent", "after")), ("late", int(found.n_late)))
    divided("n", *known(("dependent", "none")))
    divided("n", ("never", int(found.n_never_at_risk)))
    for name in sides:
        divided("events", *known((name, "none", "event"), (name, "after", "event")))
    divided("excluded", ("excluded events", chosen.n_events_excluded))
    reasons = [("reason", str(k)) for k in left.index]
    divided("excluded", *((key, int(left[key[1]])) for key in reasons))
    outside = [("left out", reason) for reason in found.left_out]
    cells["all"] = n + sum(int(k) for k in found.left_out.values())
    divided("all", ("n", n), *((key, int(found.left_out[key[1]])) for key in outside))
    shown = concealed(cells, sums, found.minimum, {"all"})
    made = {name: _shown_comparison(each, name, shown) for name, each in sides.items()}
    curves = made["landmark"].km is not None
    return replace(
        found,
        n=shown["n"],
        n_event=shown["events"],
        left_out={reason: shown["left out", reason] for reason in found.left_out},
        n_transplanted=shown["ever"],
        naive=made["naive"],
        chosen=replace(
            found.chosen,
            n=shown["excluded"],
            n_event=shown["excluded events"],
            reasons={key[1]: shown[key] for key in reasons},
            n_later=shown["later"],
        ),
        landmark=made["landmark"],
        simon_makuch=found.simon_makuch if curves else None,
        dependent=made["dependent"],
        n_never_at_risk=shown["never"],
        n_late=shown["late"],
    )


def _shown_comparison(found: Comparison, name: str, shown: Mapping[Hashable, Count]) -> Comparison:
    none, after = (Side(shown[name, k], shown[name, k, "event"]) for k in ("none", "after"))
    if found.too_small or isinstance(none.n, Hidden) or isinstance(after.n, Hidden):
        return Comparison(none, after, too_small=True)
    km = found.km
    if km is not None:
        sides = {False: none, True: after}
        groups = km.groups.assign(
            n=pd.Series([sides[bool(k)].n for k in km.groups[SWITCHED]], dtype="object"),
            n_event=pd.Series(
                [sides[bool(k)].n_event for k in km.groups[SWITCHED]], dtype="object"
            ),
        )
        km = replace(km, groups=groups)
    return replace(found, none=none, after=after, km=km)


def _of(counts: pd.DataFrame, minimum: int, start: float = 0.0) -> Comparison:
    """Compare groups that are taken as known from the start of the rows."""
    table = event_table(counts, time="time", event="event", by=SWITCHED, count=queries.N)
    return _compared(table, curves=True, minimum=minimum, start=start)


def rows_at_risk(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per patient and group, from the day on which the selection is known."""
    split = counting_process(rows, time="time", event="event", switch="switch")
    known = split["known_day"].astype("float64")
    start = np.fmax(split["start"], known)
    return split.assign(start=start)[start < split["stop"]]


def _compared(table: pd.DataFrame, *, curves: bool, minimum: int, start: float = 0.0) -> Comparison:
    sides = {}
    for switched in (False, True):
        own = table[table[SWITCHED] == switched]
        n_event = int(own["n_event"].sum())
        sides[switched] = Side(n_event + int(own["n_censored"].sum()), n_event)
    sizes = Comparison(
        sides[False],
        sides[True],
        too_small=any(int(side.n) < _fewest(minimum) for side in sides.values()),
    )
    if sizes.too_small:
        return sizes
    return Comparison(
        sizes.none,
        sizes.after,
        False,
        Ratio(*switched_ratio(table)),
        log_rank(table, by=SWITCHED).p_value,
        _curves(table, minimum, start) if curves else None,
    )


def _fewest(minimum: int) -> int:
    return max(FEWEST_FOR_A_CURVE, minimum)


def _curves(table: pd.DataFrame, minimum: int, start: float) -> KaplanMeier:
    if not minimum:
        return kaplan_meier(table, by=SWITCHED)
    found = kaplan_meier(small_cells.ended(table, (SWITCHED,), minimum), by=SWITCHED)
    return small_cells.stepped_survival(found, found.groups, minimum, start)


def _simon_makuch(table: pd.DataFrame, chosen: Landmark, minimum: int) -> SimonMakuch | None:
    found = simon_makuch_from_counts(table)
    sizes = found.kaplan_meier.groups["n"]
    if len(sizes) < 2 or sizes.min() < _fewest(minimum):
        return None
    if not minimum:
        return found
    km = found.kaplan_meier
    groups = km.groups.astype({"n": "object", "n_event": "object"})
    for i, side in km.groups.iterrows():
        n, n_event = int(side["n"]), int(side["n_event"])
        groups.at[i, "n"] = part_of(n, int(chosen.frame[queries.N].sum()), minimum)
        groups.at[i, "n_event"] = part_of(n_event, n, minimum)
    if any(isinstance(n, Hidden) for n in groups["n_event"]):
        groups["n_event"] = [small_cells.said(n, UNSAID) for n in groups["n_event"]]
    return replace(found, kaplan_meier=small_cells.cut(km, groups, minimum, chosen.at))


def _adjusted(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: str,
    name: str,
    n_all: int,
    minimum: int,
) -> Adjusted | None:
    """Fit the time-dependent ratio beside age and risk group, as far as they vary."""
    try:
        counts = queries.switch_covariates(
            snapshot, cohort, variables, endpoint=endpoint, name=name
        )
    except TooManyRows:
        return Adjusted(_COVARIATES, 0, 0, 0, enough=False, too_many=True)
    levels = {each: counts[each].nunique() for each in _COVARIATES}
    names = tuple(each for each in _COVARIATES if levels[each] > 1)
    if not names:
        return None
    complete = counts[counts[list(names)].notna().all(axis=1)]
    at_risk = complete[complete["entry"] < complete["time"]]
    of = at_risk[queries.N]
    n, n_event = int(of.sum()), int(of[at_risk["event"] == 1].sum())
    n_incomplete = n_all - int(complete[queries.N].sum())
    terms = 1 + sum(levels[each] - 1 if each == "risk_group" else 1 for each in names)
    switched = at_risk["switch"] < at_risk["time"]
    waited = ~(switched & (at_risk["switch"] <= at_risk["entry"]))
    few = n_event < _EVENTS_PER_TERM * terms
    few |= min(int(of[switched].sum()), int(of[waited].sum())) < _fewest(minimum)
    counted = (
        part_of(n, n_all, minimum), part_of(n_event, max(n, n_event), minimum),
        part_of(n_incomplete, n_all, minimum),
    )  # fmt: skip
    if few:
        return Adjusted(names, *counted, enough=False)
    ratio = Ratio(*adjusted_ratio(at_risk, covariates=names, count=queries.N))
    return Adjusted(names, *counted, enough=True, ratio=ratio)


@dataclass(frozen=True, eq=False)
class Transplanted:
    """Who of a cohort was transplanted, and when.

    Attributes
    ----------
    risks, statuses : tuple of str
        Levels that hold patients, in the dictionary's order; empty where the study has no such variable.
    shares : dict of (risk or '', status or '') to Proportion
        Transplanted of all in each cell; '' stands for all.
    by_status, by_risk : dict of str to float or None
        Fisher's P within each risk group ('': all), MRD negative against positive; and within each
        status, between the risk groups.
    incidence : CumulativeIncidence or None
        Cause 1 is the transplant, cause 2 relapse or death before it, from first remission.
    median, first, last : float
        Days from there to the transplant among the transplanted; NaN if nobody was. With a
        small-cell minimum the quartiles take the place of the first and the last, who are patients.
    quartiles : bool
        Whether they do.
    """

    risks: tuple[str, ...]
    statuses: tuple[str, ...]
    shares: dict[tuple[str, str], Proportion]
    by_status: dict[str, float | None]
    by_risk: dict[str, float | None]
    incidence: CumulativeIncidence | None
    median: float
    first: float
    last: float
    quartiles: bool = False


def transplanted(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, timepoint: str | None
) -> Transplanted:
    """Return the transplanted by risk group and MRD status, and their cumulative incidence."""
    names = [name for name in ("risk_group", timepoint) if name and name in variables]
    people = queries.combinations(snapshot, cohort, variables, (*names, "allosct"))
    risks, risk = _levels(people, variables, "risk_group")
    statuses, status = _levels(people, variables, timepoint)
    yes = people["allosct"] == "yes"

    def cell(r: str, s: str) -> tuple[int, int]:
        here = people[((risk == r) | (r == "")) & ((status == s) | (s == ""))]
        return int(here.loc[yes, queries.N].sum()), int(here[queries.N].sum())

    cells = {(r, s): cell(r, s) for r in ("", *risks) for s in ("", *statuses)}
    compared = variables[timepoint].compared if timepoint else ()
    days = queries.switch_incidence(snapshot, cohort, variables, endpoint="RFS", name="allosct")
    when = days.loc[days["event"] == 1, ["time", queries.N]]
    when = when["time"].repeat(when[queries.N]).astype("float64")
    n_dated, minimum = int(days[queries.N].sum()), minimum_of(snapshot)
    found = Transplanted(
        risks,
        statuses,
        {key: proportion(*found) for key, found in cells.items()},
        {r: _fisher([cells[r, s] for s in compared if s in statuses]) for r in ("", *risks)},
        {s: _fisher([cells[r, s] for r in risks]) for s in ("", *statuses)},
        _incidence(days, minimum) if n_dated >= FEWEST_FOR_A_CURVE and len(when) else None,
        *(float(when.median()), float(when.min()), float(when.max())),
    )
    return _shown_who(found, cells, when, minimum) if minimum else found


def _shown_who(
    found: Transplanted,
    groups: Mapping[tuple[str, str], tuple[int, int]],
    when: pd.Series,
    minimum: int,
) -> Transplanted:
    """Return who was transplanted without small counts: rows, columns and their sums hang together."""
    cells: dict[Hashable, int] = {}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    for key, (yes, n) in groups.items():
        cells |= {(*key, "yes"): yes, (*key, "no"): n - yes, (*key, "n"): n}
        sums.append(((*key, "n"), [(*key, "yes"), (*key, "no")]))
    lines: list[tuple[tuple[str, str], list[tuple[str, str]]]] = []
    for r in ("", *found.risks):
        lines.append(((r, ""), [(r, s) for s in found.statuses]))
    for s in ("", *found.statuses):
        lines.append((("", s), [(r, s) for r in found.risks]))
    for total, parts in lines:
        for what in ("yes", "no", "n") if parts else ():
            rest = cells[*total, what] - sum(cells[*part, what] for part in parts)
            cells["rest", *total, parts[0], what] = rest
            names = [(*part, what) for part in parts]
            sums.append(((*total, what), [*names, ("rest", *total, parts[0], what)]))
    # What the filters show of risk groups and statuses, and of the transplanted, stands elsewhere.
    known: set[Hashable] = {("", "", "yes"), ("", "", "no"), ("", "", "n")}
    unsaid: set[Hashable] = set()
    for keys in ([(r, "") for r in found.risks], [("", s) for s in found.statuses]):
        sizes = {key: cells[*key, "n"] for key in keys}
        outside = {("rest",): cells["", "", "n"] - sum(sizes.values())}
        told = levels({**sizes, **outside}, minimum, last={("", "negative")}) if sizes else {}
        known |= {(*key, "n") for key in sizes if not isinstance(told[key], Hidden)}
        unsaid |= {(*key, "n") for key in sizes if isinstance(told[key], Hidden)}
    shown = concealed(cells, sums, minimum, known, already=unsaid)
    shares, secret = {}, set[tuple[str, str]]()
    for key, share in found.shares.items():
        yes, no, n = (shown[*key, what] for what in ("yes", "no", "n"))
        if any(isinstance(each, Hidden) for each in (yes, no, n)):
            secret.add(key)
            count = small_cells.said(yes, no)
            share = small_cells.hidden_share(count, n, share)
        shares[key] = share
    enough = len(when) >= minimum and ("", "") not in secret
    quartile = (float(when.quantile(q)) if enough else float("nan") for q in (0.5, 0.25, 0.75))
    return replace(
        found,
        shares=shares,
        by_status={
            r: None if any((r, s) in secret for s in found.statuses) else p
            for r, p in found.by_status.items()
        },
        by_risk={
            s: None if any((r, s) in secret for r in found.risks) else p
            for s, p in found.by_risk.items()
        },
        incidence=found.incidence if enough else None,
        **dict(zip(("median", "first", "last"), quartile, strict=True)),
        quartiles=True,
    )


def _levels(
    people: pd.DataFrame, variables: Dictionary, name: str | None
) -> tuple[tuple[str, ...], pd.Series]:
    """Return the levels of a variable that hold patients, and the level of each row."""
    if name is None or name not in variables:
        return (), pd.Series("", index=people.index)
    present = set(people[name])
    return tuple(v.value for v in variables[name].levels if v.value in present), people[name]


def _fisher(groups: list[tuple[int, int]]) -> float | None:
    if len(groups) < 2:
        return None
    return fisher_exact([[yes, n - yes] for yes, n in groups]).p_value


def _incidence(days: pd.DataFrame, minimum: int) -> CumulativeIncidence:
    """Return the incidence of the transplant, which relapse or death can preclude."""
    table = event_table(days, time="time", event="event", count=queries.N)
    if not minimum:
        return cumulative_incidence(table)
    found = cumulative_incidence(small_cells.ended(table, (), minimum))
    counts = {
        name: pd.Series(UNSAID, found.groups.index, dtype="object") for name in ("n", "n_event")
    }
    return small_cells.stepped_incidence(found, found.groups.assign(**counts), minimum, 0.0)


@dataclass(frozen=True, eq=False)
class Lanes:
    """The course of each patient, in days from first remission and without any identifier.

    Attributes
    ----------
    patients : pandas.DataFrame
        ``end`` (death or last follow-up), ``allosct``, ``car_t``, ``relapse``, ``death`` (NaN where
        there is none) and ``risk_group``; one row per patient, in drawing order.
    samples : pandas.DataFrame
        ``lane`` (position in `patients`), ``day``, ``status``; one row per sample that stands for a
        timepoint.
    n_without_remission : int
        Patients without a dated remission or follow-up, who have no lane.
    n_undated : int
        Patients with a transplant whose day nobody knows; their lane shows none.
    n_more : int
        Patients who would have a lane below these: `MOST_LANES` are drawn.
    """

    patients: pd.DataFrame
    samples: pd.DataFrame
    n_without_remission: int
    n_undated: int
    n_more: int = 0


MOST_LANES = 500
"""Lanes that are drawn: a figure of more would be taller than a browser can paint."""


def lanes(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, transplanted_first: bool
) -> Lanes:
    """Return the lanes of a cohort, the longest first, if wanted below those of the transplanted.

    Raises
    ------
    RowsNotShown
        With a small-cell minimum.
    """
    if minimum_of(snapshot):
        raise RowsNotShown("This study shows no single patients.")
    undrawn = queries.without_lane(snapshot, cohort, variables)
    dated = queries.lanes(
        snapshot, cohort, variables, transplanted_first=transplanted_first, most=MOST_LANES
    )
    columns = {"end": "follow_up_days", "allosct": "allosct_day", "car_t": "car_t_day",
               "relapse": "relapse_day", "death": "death_day"}  # fmt: skip
    origin = dated["cr_day"].astype("float64")
    drawn = pd.DataFrame(
        {new: dated[old].astype("float64") - origin for new, old in columns.items()}
    )
    drawn = drawn.assign(risk_group=dated["risk_group"], patient_id=dated["patient_id"])
    lane = pd.Series(range(len(drawn)), index=drawn["patient_id"])
    samples = queries.samples_of(snapshot, cohort, [str(one) for one in lane.index])
    return Lanes(
        drawn.drop(columns="patient_id"),
        pd.DataFrame(
            {
                "lane": samples["patient_id"].map(lane).astype("int64"),
                "day": (samples["sample_day"] - samples["cr_day"]).astype("float64"),
                "status": samples["status"],
            }
        ).reset_index(drop=True),
        undrawn.n_without_remission,
        undrawn.n_undated,
        undrawn.n_lanes - len(drawn),
    )
