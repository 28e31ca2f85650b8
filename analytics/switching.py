"""Groups that patients join while followed, such as the transplanted: no immortal time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics._counts import FloatArray, as_columns
from analytics.events import event_table, merge_rounding
from analytics.landmark import SWITCHED, Landmark, landmark, outcome_and_days, refuse_taken
from analytics.survival import KaplanMeier, LogRank, kaplan_meier, log_rank

_MADE = ("start", "stop", "event", SWITCHED)


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
    landmark
        Who was followed beyond the landmark, and who was left out and why.
    collapsed_at
        Day on which the curve of the switched fell to 0 although others changed on that day or
        later. From there on the curve stays at 0 however long they live, and must not be read;
        a later landmark may mend it. None where this did not happen.
    n_late
        As :func:`counting_process` counts it.
    """

    kaplan_meier: KaplanMeier
    landmark: Landmark
    collapsed_at: float | None
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
) -> SimonMakuch:
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
    curves = kaplan_meier(table, by=SWITCHED)
    return SimonMakuch(curves, followed, _collapse(curves, rows), rows.attrs["n_late"])


def _same_times(exits: FloatArray, days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return exits and days of change, from 0 on, without differences by rounding."""
    change = np.maximum(days, 0.0)
    dated = ~np.isnan(change)
    exits, change[dated] = merge_rounding(exits, change[dated])
    return exits, change


def _collapse(curves: KaplanMeier, rows: pd.DataFrame) -> float | None:
    curve = curves.curve
    fallen = curve.loc[curve[SWITCHED] & (curve["survival"] == 0), "time"]
    joined = rows.loc[rows[SWITCHED], "start"]
    if fallen.empty or joined.max() < fallen.min():
        return None
    return float(fallen.min())
