"""Does a transplant help: four analyses of one comparison, and who was transplanted when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.competing import CumulativeIncidence, cumulative_incidence
from analytics.events import event_table
from analytics.hazard import cox, hazard_ratios
from analytics.landmark import SWITCHED, Landmark, landmark
from analytics.proportion import Proportion, fisher_exact, proportion
from analytics.survival import KaplanMeier, kaplan_meier, log_rank
from analytics.switching import SimonMakuch, counting_process, simon_makuch
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import Dictionary
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

    n: int
    n_event: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """The transplanted against the others by one method.

    Attributes
    ----------
    none, after : Side
        Without a transplant, and with one.
    ratio : Ratio
        Of the transplanted against the others; none where a side is too small.
    p_value : float or None
        Log-rank test; with entries the test of Mantel and Byar.
    km : KaplanMeier or None
        Curves by ``switched``; None where a side is too small for a curve.
    """

    none: Side
    after: Side
    ratio: Ratio = NO_RATIO
    p_value: float | None = None
    km: KaplanMeier | None = None

    @property
    def too_small(self) -> bool:
        """Whether a side has fewer patients than a curve needs."""
        return min(self.none.n, self.after.n) < FEWEST_FOR_A_CURVE


@dataclass(frozen=True)
class Adjusted:
    """The time-dependent ratio beside covariates, among patients who have them all.

    `n_event` are the events of these `n`; `n_incomplete` patients miss a covariate.
    """

    covariates: tuple[str, ...]
    n: int
    n_event: int
    n_incomplete: int
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
    chosen : Landmark
        Who was followed beyond the landmark, and who was left out.
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

    n: int
    n_event: int
    left_out: dict[str, int]
    n_transplanted: int
    naive: Comparison
    chosen: Landmark
    landmark: Comparison
    simon_makuch: SimonMakuch | None
    readable_from: float
    dependent: Comparison
    n_never_at_risk: int
    n_late: int
    adjusted: Adjusted | None


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
    rows = queries.switch_rows(snapshot, cohort, variables, endpoint=endpoint, name=name)
    left_out = queries.exclusions(snapshot, cohort, variables, endpoint=endpoint)
    if n_undated := int(rows["undated"].sum()):
        left_out[f"{variables[name].level('yes').name} without a date"] = n_undated
    rows = rows[~rows["undated"]].drop(columns="undated")
    chosen = landmark(rows, **_DAYS, at=landmark_days, known_day="known_day")
    by_then = _of(chosen.frame, chosen.frame[SWITCHED])
    at_risk = _at_risk(rows)
    first = float(chosen.frame["switch"].astype("float64").min())
    return Transplant(
        n=len(rows),
        n_event=int((rows["event"] == 1).sum()),
        left_out=left_out,
        n_transplanted=int(rows["switch"].notna().sum()),
        naive=_of(rows, rows["switch"].notna()),
        chosen=chosen,
        landmark=by_then,
        simon_makuch=_simon_makuch(chosen),
        readable_from=max(float(landmark_days), first) if first == first else float(landmark_days),
        dependent=_compared(_table(at_risk), curves=False),
        n_never_at_risk=len(rows) - at_risk["patient_id"].nunique(),
        n_late=at_risk.attrs["n_late"],
        adjusted=_adjusted(rows),
    )


def _of(rows: pd.DataFrame, switched: pd.Series) -> Comparison:
    """Compare groups that are taken as known from the start of the rows."""
    rows = rows.assign(**{SWITCHED: switched.astype(bool)})
    return _compared(event_table(rows, time="time", event="event", by=SWITCHED), curves=True)


def _at_risk(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row per patient and group, from the day on which the selection is known."""
    split = counting_process(rows, **_DAYS)
    known = split["known_day"].astype("float64")
    start = np.fmax(split["start"], known)
    return split.assign(start=start)[start < split["stop"]]


def _table(at_risk: pd.DataFrame) -> pd.DataFrame:
    return event_table(at_risk, time="stop", event="event", entry="start", by=SWITCHED)


def _compared(table: pd.DataFrame, *, curves: bool) -> Comparison:
    sides = {}
    for switched in (False, True):
        own = table[table[SWITCHED] == switched]
        n_event = int(own["n_event"].sum())
        sides[switched] = Side(n_event + int(own["n_censored"].sum()), n_event)
    sizes = Comparison(sides[False], sides[True])
    if sizes.too_small:
        return sizes
    found = hazard_ratios(table, by=SWITCHED, reference=False).groups.set_index("level").loc[True]
    return Comparison(
        sizes.none,
        sizes.after,
        Ratio(found["ratio"], found["low"], found["high"]),
        log_rank(table, by=SWITCHED).p_value,
        kaplan_meier(table, by=SWITCHED) if curves else None,
    )


def _simon_makuch(chosen: Landmark) -> SimonMakuch | None:
    found = simon_makuch(chosen.frame.drop(columns=SWITCHED), **_DAYS, start=chosen.at)
    sizes = found.kaplan_meier.groups["n"]
    return found if len(sizes) == 2 and sizes.min() >= FEWEST_FOR_A_CURVE else None


def _adjusted(rows: pd.DataFrame) -> Adjusted | None:
    """Fit the time-dependent ratio beside age and risk group, as far as they vary."""
    names = tuple(name for name in _COVARIATES if rows[name].nunique() > 1)
    if not names:
        return None
    complete = rows[rows[list(names)].notna().all(axis=1)]
    at_risk = _at_risk(complete)
    n_event = int((at_risk["event"] == 1).sum())
    terms = 1 + sum(rows[name].nunique() - 1 if name == "risk_group" else 1 for name in names)
    n, n_incomplete = at_risk["patient_id"].nunique(), len(rows) - len(complete)
    if n_event < _EVENTS_PER_TERM * terms or _compared(_table(at_risk), curves=False).too_small:
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
        Days from there to the transplant among the transplanted; NaN if nobody was.
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


def transplanted(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, timepoint: str | None
) -> Transplanted:
    """Return the transplanted by risk group and MRD status, and their cumulative incidence."""
    people = queries.subjects(snapshot, cohort, variables)
    risks, risk = _levels(people, variables, "risk_group")
    statuses, status = _levels(people, variables, timepoint)
    yes = people["allosct"] == "yes"
    cells = {
        (r, s): yes[((risk == r) | (r == "")) & ((status == s) | (s == ""))]
        for r in ("", *risks)
        for s in ("", *statuses)
    }
    compared = variables[timepoint].compared if timepoint else ()
    days = queries.switch_rows(snapshot, cohort, variables, endpoint="RFS", name="allosct")
    days = days[~days["undated"]]
    when = days["switch"].dropna().astype("float64")
    return Transplanted(
        risks,
        statuses,
        {key: proportion(int(cell.sum()), len(cell)) for key, cell in cells.items()},
        {r: _fisher([cells[r, s] for s in compared if s in statuses]) for r in ("", *risks)},
        {s: _fisher([cells[r, s] for r in risks]) for s in ("", *statuses)},
        _incidence(days) if len(days) >= FEWEST_FOR_A_CURVE and len(when) else None,
        *(float(when.median()), float(when.min()), float(when.max())),
    )


def _levels(
    people: pd.DataFrame, variables: Dictionary, name: str | None
) -> tuple[tuple[str, ...], pd.Series]:
    """Return the levels of a variable that hold patients, and the level of each patient."""
    if name is None or name not in variables:
        return (), pd.Series("", index=people.index)
    present = set(people[name].dropna())
    return tuple(v.value for v in variables[name].levels if v.value in present), people[name]


def _fisher(groups: list[pd.Series]) -> float | None:
    if len(groups) < 2:
        return None
    return fisher_exact([[int(g.sum()), len(g) - int(g.sum())] for g in groups]).p_value


def _incidence(days: pd.DataFrame) -> CumulativeIncidence:
    """Return the incidence of the transplant, which relapse or death can preclude."""
    switch = days["switch"].astype("float64")
    first = switch.notna()
    codes = np.where(first, 1, np.where(days["event"] == 1, 2, 0))
    frame = pd.DataFrame({"time": switch.where(first, days["time"]), "event": codes})
    return cumulative_incidence(event_table(frame, time="time", event="event"))


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
    """

    patients: pd.DataFrame
    samples: pd.DataFrame
    n_without_remission: int
    n_undated: int


def lanes(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, transplanted_first: bool
) -> Lanes:
    """Return the lanes of a cohort, the longest first, if wanted below those of the transplanted."""
    people = queries.subjects(snapshot, cohort, variables)
    dated = people[people["cr_day"].notna() & people["follow_up_days"].notna()]
    columns = {"end": "follow_up_days", "allosct": "allosct_day", "car_t": "car_t_day",
               "relapse": "relapse_day", "death": "death_day"}  # fmt: skip
    origin = dated["cr_day"].astype("float64")
    drawn = pd.DataFrame(
        {new: dated[old].astype("float64") - origin for new, old in columns.items()}
    )
    drawn = drawn.assign(risk_group=dated["risk_group"], patient_id=dated["patient_id"])
    drawn["first"] = drawn["allosct"].notna() & transplanted_first
    drawn = drawn.sort_values(["first", "end"], ascending=False, kind="stable")
    lane = pd.Series(range(len(drawn)), index=drawn["patient_id"])
    samples = queries.mrd_by_timepoint(snapshot, cohort, variables)
    samples = samples[samples["sample_day"].notna() & samples["patient_id"].isin(lane.index)]
    return Lanes(
        drawn.drop(columns=["patient_id", "first"]).reset_index(drop=True),
        pd.DataFrame(
            {
                "lane": samples["patient_id"].map(lane).astype("int64"),
                "day": (samples["sample_day"] - samples["cr_day"]).astype("float64"),
                "status": samples["status"],
            }
        ).reset_index(drop=True),
        len(people) - len(dated),
        int(((dated["allosct"] == "yes") & dated["allosct_day"].isna()).sum()),
    )
