"""Groups that patients join while followed, such as the transplanted: no immortal time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics._counts import COUNTS, ENTRY, FloatArray, IntArray, as_columns
from analytics._design import design
from analytics._partial import maximum
from analytics._patterns import MOST_CELLS, Intervals, PatternLikelihood
from analytics.events import event_table, merge_rounding
from analytics.hazard import cox
from analytics.landmark import SWITCHED, Landmark, landmark, outcome_and_days, refuse_taken
from analytics.survival import KaplanMeier, LogRank, kaplan_meier, log_rank

_MADE = ("start", "stop", "event", SWITCHED)
_RATIO = ("hazard_ratio", "low", "high")


@dataclass(frozen=True, eq=False)
class MantelByar(LogRank):
    """A log-rank test in which patients count in the group they are in at each event.

    Attributes
    ----------
    statistic, p_value
        Chi-squared statistic and its upper tail; None where no test is possible.
    degrees_of_freedom
        1; 0 where only one of the two groups was ever at risk at an event.
    groups
        ``switched``, ``n`` (patients ever at risk in the group: who changes is in both),
        ``observed``, ``expected``.
    n_late, n_dropped
        As :func:`counting_process` counts them.
    """

    n_late: int
    n_dropped: int


@dataclass(frozen=True, eq=False)
class SimonMakuch:
    """Survival of those who have not changed and of those who have.

    Attributes
    ----------
    kaplan_meier
        Curves by ``switched``. Times run from the origin; both curves are 1 at the landmark,
        so that milestones up to it say nothing.
    collapsed_at
        Day on which the curve of the switched fell to 0 although others changed on that day or
        later. From there on the curve stays at 0 however long they live, and must not be read;
        a later landmark may mend it. None where this did not happen.
    """

    kaplan_meier: KaplanMeier
    collapsed_at: float | None


@dataclass(frozen=True, eq=False)
class SimonMakuchOfPatients(SimonMakuch):
    """The same, from one row per patient.

    Attributes
    ----------
    landmark
        Who was followed beyond the landmark, and who was left out and why.
    n_late
        As :func:`counting_process` counts it.
    """

    landmark: Landmark
    n_late: int


def counting_process(frame: pd.DataFrame, *, time: str, event: str, switch: str) -> pd.DataFrame:
    """Split the follow-up of each patient where the group changes.

    Parameters
    ----------
    frame
        One row per patient.
    time, event
        Columns as in :func:`analytics.events.event_table`.
    switch
        Column with the day of the change, from the same origin; missing means never. On the
        day of the change itself a patient still counts in the old group.

    Returns
    -------
    DataFrame
        ``start``, ``stop`` (at risk at t where ``start < t <= stop``), ``event`` (0 where the
        row ends with the change), ``switched``, then the columns of `frame` other than those
        three; one row per patient and group, under the patient's index. A change on day 0 or
        before gives one row, switched from the start; a change on the last day or after it
        gives one row, not switched. ``attrs["n_late"]`` counts the latter, and
        ``attrs["n_dropped"]`` patients who leave on day 0 and are never at risk.

    Raises
    ------
    ValueError
        For unusable times, codes and days, naming the rows, absent columns, and columns that
        already bear the name of one to be made.

    Notes
    -----
    Andersen and Gill (1982); the rows of ``tmerge`` with ``tdc`` in R's survival.
    """
    exits, codes, days = outcome_and_days(frame, time, event, switch)
    carried = frame.drop(columns=[time, event, switch])
    refuse_taken(carried.columns, _MADE)
    exits, change = _same_times(exits, days[switch])
    seen, changes = exits > 0, change < exits
    before, after = np.flatnonzero(seen & ~(change <= 0)), np.flatnonzero(seen & changes)
    # Stable: the row before the change comes first.
    order = np.argsort(np.concatenate([before, after]), kind="stable")
    patient = np.concatenate([before, after])[order]
    switched = np.repeat([False, True], [before.size, after.size])[order]
    ends = switched | ~changes[patient]
    rows = carried.iloc[patient].assign(
        start=np.where(switched, change[patient], 0.0),
        stop=np.where(ends, exits[patient], change[patient]),
        event=np.where(ends, codes[patient], 0),
        switched=switched,
    )
    rows = rows[[*_MADE, *carried.columns]]
    rows.attrs |= {
        "n_late": int((seen & (change >= exits)).sum()),
        "n_dropped": int((~seen).sum()),
    }
    return rows


def mantel_byar(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    switch: str,
    strata: str | Sequence[str] = (),
) -> MantelByar:
    """Compare the hazards after the change with those before or without it.

    Parameters
    ----------
    frame, time, event, switch
        As in :func:`counting_process`; competing events count as censored.
    strata
        Columns, known at the origin, within whose levels the two are compared.

    Raises
    ------
    ValueError
        As :func:`counting_process`, and for missing labels of strata.

    Notes
    -----
    Mantel and Byar (1974): the log-rank test on the rows of :func:`counting_process`, with
    the hypergeometric variance. It equals the score test of R's
    ``coxph(Surv(start, stop, event) ~ switched, ties = "exact")``.
    """
    rows = counting_process(frame, time=time, event=event, switch=switch)
    within = as_columns(strata)
    table = event_table(rows, time="stop", event="event", entry="start", by=[SWITCHED, *within])
    test = log_rank(table, by=SWITCHED, strata=within)
    return MantelByar(
        test.statistic,
        test.degrees_of_freedom,
        test.p_value,
        test.groups,
        n_late=rows.attrs["n_late"],
        n_dropped=rows.attrs["n_dropped"],
    )


def simon_makuch(
    frame: pd.DataFrame, *, time: str, event: str, switch: str, start: float = 0
) -> SimonMakuchOfPatients:
    """Estimate survival by a group that patients join while followed.

    Who changes leaves the risk set of the first curve and enters that of the second.

    Parameters
    ----------
    frame, time, event, switch
        As in :func:`counting_process`.
    start
        Landmark from which the curves begin, among those followed beyond it. At 0 the curve of
        the switched rests on few patients at first; a landmark by which a fair number have
        changed avoids this.

    Raises
    ------
    ValueError
        As :func:`counting_process`; for a negative or missing `start`; where competing events
        are present.

    Notes
    -----
    Simon and Makuch (1984), as R's ``survfit(Surv(start, stop, event) ~ switched)``. The curve
    of the switched is not that of any fixed set of patients: it is what the hazard after the
    change amounts to, provided that it does not depend on when the change came.
    """
    rows = counting_process(frame, time=time, event=event, switch=switch)
    followed = landmark(frame, time=time, event=event, at=start)
    # What lies before the landmark now ends before it starts, which the event table leaves out.
    rows["start"] = rows["start"].clip(lower=start)
    table = event_table(rows, time="stop", event="event", entry="start", by=SWITCHED)
    found = simon_makuch_from_counts(table)
    return SimonMakuchOfPatients(
        found.kaplan_meier, found.collapsed_at, followed, rows.attrs["n_late"]
    )


def simon_makuch_from_counts(events: pd.DataFrame) -> SimonMakuch:
    """Estimate survival from an event table by ``switched`` with entries.

    The same as :func:`simon_makuch` on the patients that the table counts, from its first entry on.
    """
    curves = kaplan_meier(events, by=SWITCHED)
    return SimonMakuch(curves, _collapse(curves, events))


def switched_ratio(events: pd.DataFrame) -> pd.Series:
    """Fit the hazard ratio of the switched from an event table by ``switched``, with entries or without.

    Returns
    -------
    Series
        ``hazard_ratio``, ``low``, ``high`` (95%); NaN where there is no finite ratio.

    Notes
    -----
    As :func:`analytics.hazard.hazard_ratios`, at a fraction of its cost where events are very many.
    """
    n_exit = events[list(COUNTS)].to_numpy(np.int64).sum(axis=1)
    entries = (
        events[ENTRY].to_numpy(np.int64) if ENTRY in events else np.zeros(len(events), np.int64)
    )
    pattern, time = events[SWITCHED].to_numpy(np.int64), events["time"].to_numpy(np.float64)
    # Whoever enters late is taken out of the risk sets up to the entry.
    split = Intervals(
        pattern=np.tile(pattern, 2),
        start=np.full(2 * len(events), -np.inf),
        stop=np.tile(time, 2),
        n=np.concatenate([n_exit, -entries]),
        n_event=np.concatenate([events["n_event"].to_numpy(np.int64), np.zeros_like(entries)]),
    )
    return _ratio(np.array([[0.0], [1.0]]), split)


def adjusted_ratio(rows: pd.DataFrame, *, covariates: Sequence[str], count: str) -> pd.Series:
    """Fit the hazard ratio of the switched beside covariates, each patient switched from the change on.

    Parameters
    ----------
    rows
        One row per kind of patient: the covariates; ``entry`` (when observation starts), ``time``,
        ``event`` and ``switch`` as in :func:`counting_process`, in whole days. Who leaves at the entry
        or before is never at risk.
    covariates
        Columns without missing values: numbers enter as they are, others as indicators.
    count
        Column with the number of patients that a row stands for.

    Returns
    -------
    Series
        As :func:`switched_ratio`.

    Notes
    -----
    As :func:`analytics.hazard.cox` on the rows of :func:`counting_process`, Efron's ties: from the
    numbers at risk by pattern of covariates where these are few, which costs the same however many the
    patients are, and from the rows otherwise.
    """
    rows = rows[rows["entry"] < rows["time"]]
    codes, found = zip(*(pd.factorize(rows[name], sort=True) for name in covariates), strict=True)
    shape = [len(each) for each in found]
    kind, kinds = pd.factorize(np.asarray(np.ravel_multi_index(codes, shape)), sort=True)
    levels = np.unravel_index(kinds, shape)
    own = pd.DataFrame(
        {name: of[at] for name, of, at in zip(covariates, found, levels, strict=True)}
    )
    patterns = pd.concat([own, own], ignore_index=True).assign(
        **{SWITCHED: np.repeat([False, True], len(own))}
    )
    split = _intervals(rows, kind.astype(np.int64), len(own), rows[count].to_numpy(np.int64))
    terms = (SWITCHED, *covariates)
    if split.event_times.size * len(patterns) <= MOST_CELLS:
        return _ratio(design(patterns, terms).matrix, split)
    counted = patterns.iloc[split.pattern].assign(
        start=split.start, stop=split.stop, event=split.n_event > 0, n=split.n
    )
    fit = cox(counted, time="stop", event="event", entry="start", covariates=terms, count="n")
    # Its only term is the first.
    return fit.terms.iloc[0][list(_RATIO)].astype("float64")


def _ratio(patterns: FloatArray, split: Intervals) -> pd.Series:
    """Return the ratio of the first column of a matrix of patterns."""
    from scipy.special import ndtri

    if not split.event_times.size:
        return pd.Series(np.nan, list(_RATIO))
    top = maximum(PatternLikelihood(patterns, split))
    reach = float(ndtri(0.975)) * np.sqrt(top.covariance[0, 0])
    return pd.Series(np.exp(top.beta[0] + np.array([0.0, -reach, reach])), list(_RATIO))


def _intervals(rows: pd.DataFrame, kind: IntArray, n_kinds: int, n: IntArray) -> Intervals:
    """Split rows where the group changes; the patterns of the switched follow those of the others."""
    entry, time, switch = (
        rows[name].to_numpy(np.float64, na_value=np.nan) for name in ("entry", "time", "switch")
    )
    died = rows["event"].to_numpy() == 1
    switched = switch < time
    moved = switched & (switch > entry)
    return Intervals(
        pattern=np.concatenate([kind + n_kinds * switched, kind[moved]]),
        start=np.concatenate([np.where(moved, switch, entry), entry[moved]]),
        stop=np.concatenate([time, switch[moved]]),
        n=np.concatenate([n, n[moved]]),
        n_event=np.concatenate([n * died, np.zeros(int(moved.sum()), np.int64)]),
    )


def _same_times(exits: FloatArray, days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return exits and days of change, from 0 on, without differences by rounding."""
    change = np.maximum(days, 0.0)
    dated = ~np.isnan(change)
    exits, change[dated] = merge_rounding(exits, change[dated])
    return exits, change


def _collapse(curves: KaplanMeier, events: pd.DataFrame) -> float | None:
    curve = curves.curve
    fallen = curve.loc[curve[SWITCHED] & (curve["survival"] == 0), "time"]
    joined = events.loc[events[SWITCHED] & (events[ENTRY] > 0), "time"]
    if fallen.empty or joined.max() < fallen.min():
        return None
    return float(fallen.min())
