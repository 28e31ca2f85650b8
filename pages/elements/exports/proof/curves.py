"""Proofs of survival, cumulative incidence, follow-up and the transplant's four analyses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.landmark import SWITCHED, landmark
from analytics.switching import counting_process
from data.variables import Variable
from pages.elements.answers.small_cells import LeftOut
from pages.elements.answers.survival import (
    CAUSE,
    Answer,
    FollowUp,
    Incidence,
    Incidences,
    Survival,
)
from pages.elements.answers.transplant import (
    Adjusted,
    Comparison,
    Transplant,
    Transplanted,
    rows_at_risk,
)
from pages.elements.exports.exhibit import Proof
from pages.elements.exports.proof import check
from pages.elements.exports.proof.check import Lines, number
from pages.elements.exports.proof.parts import (
    FIRST,
    coded,
    codes,
    expanded,
    later,
    proof,
    shuffled,
    withheld,
)
from pages.elements.exports.proof.tables import rate_proof

_NO_DAYS: list[int] = []


def survival_proofs(
    answer: Survival | Incidence, milestones: Sequence[int], permutation_p: float | None = None
) -> tuple[Proof, ...]:
    """Return what repeats the curves of a cohort, their tests and ratios.

    Parameters
    ----------
    milestones : sequence of int
        Days at which the page says the curves, see `tables.milestones`.
    permutation_p : float, optional
        Where the page was asked for it.
    """
    if answer.minimum:
        return withheld("Curves, tests and hazard ratios", answer.minimum)
    if not answer.enough:
        return ()
    column = None if answer.by in (None, CAUSE) else answer.columns[0]
    of = codes(level.value for level in answer.levels) if column else {}
    labels = _labels(answer, of)
    rows = expanded(answer.table, column, of)
    days = later(milestones, answer.landmark.at if answer.landmark else None)
    made = [*left_out_proofs(answer.landmark, rows)]
    if isinstance(answer, Survival):
        made += _of_survival(answer, rows, column, of, labels, days)
    else:
        made += _of_incidence(answer, rows, column, of, labels, days)
    if permutation_p is not None:
        lines: Lines = {"permutation": {"p": permutation_p}}
        title = "Log-rank test by permutation"
        made.append(proof("permutation_log_rank", title, rows, lines, labels))
    return tuple(made)


def _labels(answer: Answer, of: Mapping[Any, str]) -> dict[str, str]:
    if not of:
        return {FIRST: "All patients"}
    return {of[level.value]: level.name for level in answer.levels}


def _of_survival(
    answer: Survival, rows: pd.DataFrame, column: str | None, of: Mapping[Any, str],
    labels: Mapping[str, str], days: list[int],
) -> list[Proof]:  # fmt: skip
    grouped = coded(column, of)
    lines = check.of_curves(answer.km, days, grouped)
    made = [proof("kaplan_meier", "Survival by Kaplan and Meier", rows, lines, labels,
                  milestones=days)]  # fmt: skip
    if answer.mean:
        lines = check.of_means(answer.mean, grouped, of)
        made.append(proof("restricted_mean", "Restricted mean", rows, _forward(lines), labels,
                          tau=number(answer.mean.tau)))  # fmt: skip
    if answer.test:
        lines = check.of_test(answer.test, grouped)
        made.append(proof("log_rank", "Log-rank test", rows, lines, labels))
    if answer.trend:
        trend: Lines = {"trend": {"statistic": number(answer.trend.statistic),
                                  "p": number(answer.trend.p_value)}}  # fmt: skip
        made.append(proof("log_rank_trend", "Log-rank test for trend", rows, trend, labels))
    if answer.pairwise is not None:
        lines = _in_order(check.of_pairs(answer.pairwise, of))
        made.append(proof("pairwise_log_rank", "Log-rank tests of every two groups, after Holm",
                          rows, lines, labels))  # fmt: skip
    return made + _of_hazard(answer, rows, of, labels)


def _forward(lines: Lines) -> Lines:
    """Return restricted means with differences to the first group, whichever the result starts with."""
    means = {name: each for name, each in lines.items() if " less " not in name}
    if len(means) != 2:
        # Of more groups the page shows the means alone.
        return means
    ((name, found),) = (pair for pair in lines.items() if " less " in pair[0])
    if name.startswith("g01 less"):
        low, high = found["high"], found["low"]
        found = {"difference": _minus(found["difference"]), "low": _minus(low), "high": _minus(high),
                 "p": found["p"]}  # fmt: skip
    return means | {"g02 less g01, mean": found}


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _in_order(lines: Lines) -> Lines:
    """Return pairs with the first of the two groups first."""
    return {" and ".join(sorted(name.split(" and "))): each for name, each in lines.items()}


def _of_hazard(
    answer: Answer, rows: pd.DataFrame, of: Mapping[Any, str], labels: Mapping[str, str]
) -> list[Proof]:
    if answer.hazard is None:
        return []
    lines = check.of_ratios(answer.hazard, coded("group", of))
    title = "Hazard ratios by Cox's model"
    if isinstance(answer, Incidence):
        title = "Cause-specific hazard ratios by Cox's model"
    reference = of[answer.levels[0].value]
    return [proof("hazard_ratios", title, rows, lines, labels, reference=reference)]


def _of_incidence(
    answer: Incidence, rows: pd.DataFrame, column: str | None, of: Mapping[Any, str],
    labels: Mapping[str, str], days: list[int],
) -> list[Proof]:  # fmt: skip
    grouped = coded(column, of)
    labels = {**labels, "cause 1": answer.cause.name, "cause 2": answer.competing.name}
    if column is None:
        cause = {answer.cause.value: 1, answer.competing.value: 2}
        lines = _incidence_lines(answer.curves, days, lambda f: grouped(f).assign(
            cause=[cause[v] for v in f[CAUSE.name]]))  # fmt: skip
    else:
        lines = _incidence_lines(answer.curves, days, lambda f: grouped(f).assign(cause=1))
        if answer.other:
            lines |= _incidence_lines(answer.other, days, lambda f: grouped(f).assign(cause=2))
    made = [proof("cumulative_incidence", "Cumulative incidence by Aalen and Johansen", rows, lines,
                  labels, milestones=days)]  # fmt: skip
    if answer.test:
        lines = check.of_test(answer.test, grouped)
        made.append(proof("gray", "Gray's test", rows, lines, labels))
    return made + _of_hazard(answer, rows, of, labels)


def _incidence_lines(found: Incidences, days: list[int], grouped: check.Coded) -> Lines:
    return check.of_incidences(found, days, grouped)


def left_out_proofs(chosen: LeftOut | None, kept: pd.DataFrame) -> tuple[Proof, ...]:
    """Return what repeats whom a landmark leaves out, beside those who are followed on."""
    # Of very many only the first are listed: what stands in the file would not add up.
    if chosen is None or chosen.excluded is None or len(chosen.excluded) != chosen.n:
        return ()
    columns = ["time", "event", "known_day"]
    rows = pd.concat([kept, chosen.excluded]).reindex(columns=columns).astype("float64")
    rows = shuffled(rows.astype({"event": "int64"}))
    lines: Lines = {
        "followed on": {"n": len(kept)},
        "left out": {"n": number(chosen.n), "events": number(chosen.n_event)},
        **{f"left out, {reason}": {"n": number(n)} for reason, n in chosen.reasons.items()},
    }
    return (proof("landmark", "Whom the landmark leaves out", rows, lines, {},
                  landmark=number(chosen.at)),)  # fmt: skip


def follow_up_proofs(
    found: FollowUp, table: pd.DataFrame | None, minimum: int = 0
) -> tuple[Proof, ...]:
    """Return what repeats the median follow-up.

    Parameters
    ----------
    table : pandas.DataFrame or None
        As `answers.rows.followed` returns it; None where single patients are not shown.
    minimum : int
        Smallest count that the study shows.
    """
    if table is None:
        return withheld("Median follow-up", minimum)
    if table.empty:
        return ()
    names = {"n": "n", "events": "n_event", "median": "median", "low": "low", "high": "high"}
    lines: Lines = {"follow-up": {key: number(getattr(found, at)) for key, at in names.items()}}
    title = "Median follow-up by reverse Kaplan-Meier"
    return (proof("follow_up", title, expanded(table, None, {}), lines, {FIRST: "All patients"}),)


# The transplant

_SIDES = {False: FIRST, True: "g02"}


ANALYSES = ("naive", "landmark", "simon_makuch", "dependent")
"""The four analyses of the transplant."""


def transplant_proofs(
    answer: Transplant,
    rows: pd.DataFrame | None,
    milestones: Sequence[int],
    analyses: Collection[str] = ANALYSES,
) -> tuple[Proof, ...]:
    """Return what repeats the analyses of the transplant.

    Parameters
    ----------
    rows : pandas.DataFrame or None
        As `answers.rows.transplant` returns them; None where single patients are not shown.
    analyses : collection of str
        Which of `ANALYSES` a figure shows.
    """
    if rows is None:
        return withheld("The analyses of the transplant", answer.minimum)
    days = later(milestones, None)
    ever = _sided(rows, rows["switch"].notna())
    chosen = landmark(rows, time="time", event="event", switch="switch", known_day="known_day",
                      at=answer.chosen.at)  # fmt: skip
    by_then = _sided(chosen.frame, chosen.frame[SWITCHED])
    after = later(milestones, answer.chosen.at)
    moving = rows_at_risk(rows).rename(columns={"stop": "time"})
    dependent = _sided(moving, moving[SWITCHED])
    left_out = left_out_proofs(answer.chosen, chosen.frame)
    found = {
        "naive": _compared(answer.naive, "Ever against never transplanted", ever, days),
        "landmark": (
            *left_out, *_compared(answer.landmark, "By the group at the landmark", by_then, after),
        ),
        "simon_makuch": (*left_out, *_simon_makuch(answer, chosen.frame, after)),
        "dependent": (
            *_compared(answer.dependent, "From the day of the transplant on", dependent, []),
            *_adjusted(answer.adjusted, moving),
        ),
    }  # fmt: skip
    return tuple(each for name in ANALYSES if name in analyses for each in found[name])


def _sided(rows: pd.DataFrame, switched: pd.Series) -> pd.DataFrame:
    start = ["start"] if "start" in rows else []
    rows = rows.assign(group=[_SIDES[bool(each)] for each in switched])
    return shuffled(rows[["group", *start, "time", "event"]].astype({"event": "int64"}))


def _compared(
    found: Comparison, title: str, rows: pd.DataFrame, days: list[int]
) -> tuple[Proof, ...]:
    if found.too_small:
        return ()
    labels = {FIRST: "no alloSCT", "g02": "alloSCT"}
    ratio: Lines = {"g02, ratio": {"ratio": number(found.ratio.value),
                                   "low": number(found.ratio.low),
                                   "high": number(found.ratio.high)}}  # fmt: skip
    test: Lines = {"test": {"p": number(found.p_value)}}
    made = [
        proof("hazard_ratios", f"{title}: hazard ratio", rows, ratio, labels, reference=FIRST),
        proof("log_rank", f"{title}: test", rows, test, labels),
    ]
    if found.km is not None:
        lines = check.of_curves(found.km, days, coded(SWITCHED, _SIDES))
        made.append(proof("kaplan_meier", f"{title}: curves", rows, lines, labels, milestones=days))
    return tuple(made)


def _simon_makuch(answer: Transplant, frame: pd.DataFrame, days: list[int]) -> tuple[Proof, ...]:
    if answer.simon_makuch is None:
        return ()
    split = counting_process(frame.drop(columns=SWITCHED), time="time", event="event",
                             switch="switch").rename(columns={"stop": "time"})  # fmt: skip
    split["start"] = split["start"].clip(lower=answer.chosen.at)
    rows = _sided(split, split[SWITCHED])
    rows = rows[rows["start"] < rows["time"]].reset_index(drop=True)
    lines = check.of_curves(answer.simon_makuch.kaplan_meier, days, coded(SWITCHED, _SIDES))
    labels = {FIRST: "no alloSCT yet", "g02": "after alloSCT"}
    return (proof("kaplan_meier", "Curves by Simon and Makuch", rows, lines, labels,
                  milestones=days),)  # fmt: skip


def _adjusted(found: Adjusted | None, moving: pd.DataFrame) -> tuple[Proof, ...]:
    if found is None or not found.enough:
        return ()
    names = codes((SWITCHED, *found.covariates), "x")
    rows = moving[["start", "time", "event", *names]].rename(columns=names)
    rows["x01"] = rows["x01"].astype("int64")
    levels: dict[str, list[str]] = {}
    for name in found.covariates:
        if not pd.api.types.is_numeric_dtype(rows[names[name]]):
            of = codes(sorted(rows[names[name]].dropna().unique()), "l")
            rows[names[name]] = rows[names[name]].map(of).astype("object")
            levels[names[name]] = list(of.values())
    lines: Lines = {"x01, adjusted": {"ratio": number(found.ratio.value),
                                      "low": number(found.ratio.low),
                                      "high": number(found.ratio.high)}}  # fmt: skip
    model = {"covariates": list(names.values()), "firth": False, "whole": False}
    return (proof("cox", "From the day of the transplant on, adjusted", shuffled(rows), lines,
                  {"x01": "alloSCT"}, levels=levels, models={"adjusted": model}),)  # fmt: skip


def transplanted_proofs(
    answer: Transplanted, status: Variable | None, minimum: int = 0
) -> tuple[Proof, ...]:
    """Return what repeats who was transplanted: shares with limits, their tests, the incidence.

    Parameters
    ----------
    status : Variable or None
        The MRD status of the timepoint.
    """
    shares = answer.shares
    compared = [s for s in (status.compared if status else ()) if s in answer.statuses]
    by_status = [((r, s), shares[r, s]) for r in ("", *answer.risks) for s in compared]
    by_risk = [((s, r), shares[r, s]) for s in ("", *answer.statuses) for r in answer.risks]
    tests = [
        # With a minimum no test may also mean one that would tell a count.
        {at: p for at, p in of.items() if p is not None or not minimum}
        for of in (answer.by_status, answer.by_risk)
    ]
    made = [
        *rate_proof("Transplanted by MRD status", by_status, tests[0]),
        *rate_proof("Transplanted by risk group", by_risk, tests[1]),
        *rate_proof("Transplanted in all", [(("", ""), shares["", ""])], {}),
    ]
    if answer.incidence is None:
        return tuple(made)
    if minimum:
        return (*made, *withheld("Cumulative incidence of the transplant", minimum))
    lines = check.of_incidences(answer.incidence, _NO_DAYS, coded(None, {}))
    labels = {FIRST: "All patients", "cause 1": "alloSCT", "cause 2": "relapse or death before"}
    rows = _from_curve(answer.incidence.curve)
    title = "Cumulative incidence of the transplant"
    made.append(proof("cumulative_incidence", title, rows, lines, labels, milestones=_NO_DAYS))
    return tuple(made)


def _from_curve(curve: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient of an incidence in one group: who leaves is who is no more at risk."""
    wide = curve.pivot(index="time", columns="cause", values="n_event")
    at_risk = curve.groupby("time")["n_risk"].first().to_numpy()
    exits = at_risk - np.append(at_risk[1:], 0)
    table = pd.DataFrame({"time": wide.index, "n_event": wide.get(1, 0).to_numpy()})
    table["n_competing"] = wide[2].to_numpy() if 2 in wide else 0
    return expanded(
        table.assign(n_censored=exits - table["n_event"] - table["n_competing"]), None, {}
    )
