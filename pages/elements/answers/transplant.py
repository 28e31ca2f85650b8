"""Does a transplant help: four analyses of one comparison, and who was transplanted when."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.competing import CumulativeIncidence, cumulative_incidence
from analytics.events import event_table
from analytics.hazard import cox, hazard_ratios
from analytics.landmark import SWITCHED, Landmark, landmark
from analytics.proportion import Proportion, fisher_exact, proportion
from analytics.suppression import UNSAID, Count, Hidden, concealed, levels, part_of
from analytics.survival import KaplanMeier, kaplan_meier, log_rank
from analytics.switching import SimonMakuch, counting_process, simon_makuch
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements.answers import small_cells
from pages.elements.answers.small_cells import LeftOut, RowsNotShown, minimum_of
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE

_DAYS = {"time": "time", "event": "event", "switch": "switch"}
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

    `n_event` are the events of these `n`; `n_incomplete` patients miss a covariate.
    """

    covariates: tuple[str, ...]
    n: Count
    n_event: Count
    n_incomplete: Count
    enough: bool
    ratio: Ratio = NO_RATIO


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
    rows = queries.switch_rows(snapshot, cohort, variables, endpoint=endpoint, name=name)
    left_out = queries.exclusions(snapshot, cohort, variables, endpoint=endpoint)
    if n_undated := int(rows["undated"].sum()):
        left_out[f"{variables[name].level('yes').name} without a date"] = n_undated
    rows = rows[~rows["undated"]].drop(columns="undated")
    chosen = landmark(rows, **_DAYS, at=landmark_days, known_day="known_day")
    by_then = _of(chosen.frame, chosen.frame[SWITCHED], minimum, float(landmark_days))
    at_risk = rows_at_risk(rows)
    first = float(chosen.frame["switch"].astype("float64").min())
    found = Transplant(
        n=len(rows),
        n_event=int((rows["event"] == 1).sum()),
        left_out=left_out,
        n_transplanted=int(rows["switch"].notna().sum()),
        naive=_of(rows, rows["switch"].notna(), minimum),
        chosen=small_cells.left_out(chosen, minimum),
        landmark=by_then,
        simon_makuch=_simon_makuch(chosen, minimum),
        readable_from=max(float(landmark_days), first) if first == first else float(landmark_days),
        dependent=_compared(_table(at_risk), curves=False, minimum=minimum),
        n_never_at_risk=len(rows) - at_risk["patient_id"].nunique(),
        n_late=at_risk.attrs["n_late"],
        adjusted=_adjusted(rows, minimum),
        minimum=minimum,
    )
    return _shown(found, chosen) if minimum else found


def _shown(found: Transplant, chosen: Landmark) -> Transplant:
    """Return the four analyses without small counts: sides, events and who is left out hang together."""
    frame, excluded = chosen.frame, chosen.excluded
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

    excluded_events = int((excluded["event"] != 0).sum()) if len(excluded) else 0
    divided("n", *known(("naive", "none"), ("naive", "after")))
    divided("n", ("frame", len(frame)), ("excluded", len(excluded)))
    divided("frame", *known(("landmark", "none"), ("landmark", "after")))
    divided(("landmark", "none"), ("later", later))
    divided("ever", *known(("landmark", "after"), "later"))
    divided("ever", *known(("dependent", "after")), ("late", int(found.n_late)))
    divided("n", *known(("dependent", "none")))
    divided("n", ("never", int(found.n_never_at_risk)))
    for name in sides:
        divided("events", *known((name, "none", "event"), (name, "after", "event")))
    divided("excluded", ("excluded events", excluded_events))
    reasons = [("reason", str(k)) for k in excluded["reason"].unique()]
    divided("excluded", *((key, int((excluded["reason"] == key[1]).sum())) for key in reasons))
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


def _of(rows: pd.DataFrame, switched: pd.Series, minimum: int, start: float = 0.0) -> Comparison:
    """Compare groups that are taken as known from the start of the rows."""
    rows = rows.assign(**{SWITCHED: switched.astype(bool)})
    table = event_table(rows, time="time", event="event", by=SWITCHED)
    return _compared(table, curves=True, minimum=minimum, start=start)


def rows_at_risk(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per patient and group, from the day on which the selection is known."""
    split = counting_process(rows, **_DAYS)
    known = split["known_day"].astype("float64")
    start = np.fmax(split["start"], known)
    return split.assign(start=start)[start < split["stop"]]


def _table(at_risk: pd.DataFrame) -> pd.DataFrame:
    return event_table(at_risk, time="stop", event="event", entry="start", by=SWITCHED)


def _compared(table: pd.DataFrame, *, curves: bool, minimum: int, start: float = 0.0) -> Comparison:
    sides = {}
    for switched in (False, True):
        own = table[table[SWITCHED] == switched]
        n_event = int(own["n_event"].sum())
        sides[switched] = Side(n_event + int(own["n_censored"].sum()), n_event)
    fewest = max(FEWEST_FOR_A_CURVE, minimum)
    sizes = Comparison(
        sides[False], sides[True], too_small=any(int(side.n) < fewest for side in sides.values())
    )
    if sizes.too_small:
        return sizes
    found = hazard_ratios(table, by=SWITCHED, reference=False).groups.set_index("level").loc[True]
    return Comparison(
        sizes.none,
        sizes.after,
        False,
        Ratio(found["ratio"], found["low"], found["high"]),
        log_rank(table, by=SWITCHED).p_value,
        _curves(table, minimum, start) if curves else None,
    )


def _curves(table: pd.DataFrame, minimum: int, start: float) -> KaplanMeier:
    if not minimum:
        return kaplan_meier(table, by=SWITCHED)
    found = kaplan_meier(small_cells.ended(table, (SWITCHED,), minimum), by=SWITCHED)
    return small_cells.stepped_survival(found, found.groups, minimum, start)


def _simon_makuch(chosen: Landmark, minimum: int) -> SimonMakuch | None:
    found = simon_makuch(chosen.frame.drop(columns=SWITCHED), **_DAYS, start=chosen.at)
    sizes = found.kaplan_meier.groups["n"]
    if len(sizes) < 2 or sizes.min() < max(FEWEST_FOR_A_CURVE, minimum):
        return None
    if not minimum:
        return found
    km = found.kaplan_meier
    groups = km.groups.astype({"n": "object", "n_event": "object"})
    for i, side in km.groups.iterrows():
        n, n_event = int(side["n"]), int(side["n_event"])
        groups.at[i, "n"] = part_of(n, len(chosen.frame), minimum)
        groups.at[i, "n_event"] = part_of(n_event, n, minimum)
    if any(isinstance(n, Hidden) for n in groups["n_event"]):
        groups["n_event"] = [small_cells.said(n, UNSAID) for n in groups["n_event"]]
    return replace(found, kaplan_meier=small_cells.cut(km, groups, minimum, chosen.at))


def _adjusted(rows: pd.DataFrame, minimum: int) -> Adjusted | None:
    """Fit the time-dependent ratio beside age and risk group, as far as they vary."""
    names = tuple(name for name in _COVARIATES if rows[name].nunique() > 1)
    if not names:
        return None
    complete = rows[rows[list(names)].notna().all(axis=1)]
    at_risk = rows_at_risk(complete)
    n_event = int((at_risk["event"] == 1).sum())
    terms = 1 + sum(rows[name].nunique() - 1 if name == "risk_group" else 1 for name in names)
    n, n_incomplete = at_risk["patient_id"].nunique(), len(rows) - len(complete)
    sizes = _compared(_table(at_risk), curves=False, minimum=minimum)
    few = n_event < _EVENTS_PER_TERM * terms
    n_all = len(rows)
    n_event, n, n_incomplete = (
        part_of(n_event, max(n, n_event), minimum), part_of(n, n_all, minimum),
        part_of(n_incomplete, n_all, minimum),
    )  # fmt: skip
    if few or sizes.too_small:
        return Adjusted(names, n, n_event, n_incomplete, enough=False)
    fit = cox(
        at_risk, time="stop", event="event", entry="start", covariates=(SWITCHED, *names)
    ).terms.set_index("covariate").loc[SWITCHED]  # fmt: skip
    ratio = Ratio(fit["hazard_ratio"], fit["low"], fit["high"])
    return Adjusted(names, n, n_event, n_incomplete, enough=True, ratio=ratio)


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
    days = queries.switch_rows(snapshot, cohort, variables, endpoint="RFS", name="allosct")
    days = days[~days["undated"]]
    when = days["switch"].dropna().astype("float64")
    minimum = minimum_of(snapshot)
    found = Transplanted(
        risks,
        statuses,
        {key: proportion(*found) for key, found in cells.items()},
        {r: _fisher([cells[r, s] for s in compared if s in statuses]) for r in ("", *risks)},
        {s: _fisher([cells[r, s] for r in risks]) for s in ("", *statuses)},
        _incidence(days, minimum) if len(days) >= FEWEST_FOR_A_CURVE and len(when) else None,
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
    switch = days["switch"].astype("float64")
    first = switch.notna()
    codes = np.where(first, 1, np.where(days["event"] == 1, 2, 0))
    frame = pd.DataFrame({"time": switch.where(first, days["time"]), "event": codes})
    table = event_table(frame, time="time", event="event")
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
