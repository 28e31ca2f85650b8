"""Proofs of Cox models, of a comparison in subgroups, and of groups made comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.switching import counting_process
from pages.elements.answers.balanced import Balanced, Weighed
from pages.elements.answers.models import EVENT, GROUP, TIME, CoxModels, Fits
from pages.elements.answers.subgroups import ForestRows
from pages.elements.exports.exhibit import Proof
from pages.elements.exports.proof import check
from pages.elements.exports.proof.check import Lines, Numbers, number
from pages.elements.exports.proof.parts import (
    FIRST,
    coded,
    codes,
    later,
    proof,
    shuffled,
    withheld,
)

_MOVED = "_changes_on"


def cox_proofs(answer: CoxModels, fits: Fits | None, minimum: int = 0) -> tuple[Proof, ...]:
    """Return what repeats the Cox models: each covariate alone, all together, and penalised.

    Parameters
    ----------
    fits : Fits or None
        As `answers.rows.cox_models` returns it; None where single patients are not shown.
    """
    if fits is None:
        return withheld("Cox models", minimum)
    if not answer.covariates:
        return ()
    names = codes(fits.names, "x")
    labels = {names[v.name]: v.label for v in fits.kept}
    rows, levels = _covariates(fits, names, labels)
    moved = _moved(rows, names[fits.moving]) if fits.moving else rows.drop(columns=_MOVED)
    rows = rows.drop(columns=_MOVED)
    said = {"labels": labels, "levels": levels}
    moving = [names[fits.moving]] if fits.moving else []
    return (
        _together(answer, names, fits, moved, said),
        *_alone(answer, names, fits, rows, [n for n in names.values() if n not in moving], said),
        *_alone(answer, names, fits, moved, moving, said),
    )


def _together(
    answer: CoxModels,
    names: Mapping[str, str],
    fits: Fits,
    rows: pd.DataFrame,
    said: Mapping[str, Any],
) -> Proof:
    """Return the model of all covariates together, plain and penalised where it was asked for."""
    whole = {"events": number(answer.n_event), "likelihood_ratio_p": number(answer.p_value),
             "concordance": number(answer.concordance)}  # fmt: skip
    lines = {"all together": whole, **_ratios(answer, names, fits, "all", "all together"),
             **_proportional(answer, names)}  # fmt: skip
    model = {"covariates": [*names.values()], "firth": False, "whole": True}
    models = {"all together": model}
    if any(each.rows["firth_ratio"].notna().any() for each in answer.covariates):
        models["penalised"] = {**model, "firth": True, "whole": False}
        lines |= _ratios(answer, names, fits, "firth", "penalised")
    return proof("cox", "Cox's model, all together", shuffled(rows), lines, models=models, **said)


def _alone(
    answer: CoxModels, names: Mapping[str, str], fits: Fits, rows: pd.DataFrame,
    covariates: Sequence[str], said: Mapping[str, Any],
) -> tuple[Proof, ...]:  # fmt: skip
    """Return a model of each of some covariates, which its lines are named by."""
    lines = {line.replace("alone", f"alone {line[:3]}"): each
             for line, each in _ratios(answer, names, fits, "one", "alone").items()
             if line[:3] in covariates}  # fmt: skip
    models = {f"alone {name}": {"covariates": [name], "firth": False, "whole": False}
              for name in covariates}  # fmt: skip
    title = "Cox's models, each covariate alone"
    return (proof("cox", title, shuffled(rows), lines, models=models, **said),) if models else ()


def _covariates(
    fits: Fits, names: Mapping[str, str], labels: dict[str, str]
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Return the patients with codes as covariates, and the codes of the levels in their order."""
    rows = pd.DataFrame({"time": fits.frame[TIME], "event": fits.frame[EVENT]})
    levels: dict[str, list[str]] = {}
    for variable in fits.kept:
        name, column = names[variable.name], fits.frame[fits.names[variable.name]]
        if isinstance(column.dtype, pd.CategoricalDtype):
            of = codes(column.cat.categories, "l")
            column = column.astype("object").map(of).astype("object")
            levels[name] = list(of.values())
            labels |= {
                f"{name} {of[v]}": f"{variable.label} {variable.level(str(v)).name}" for v in of
            }
        rows[name] = column
    rows[_MOVED] = fits.frame["_switch"] if fits.moving else np.nan
    return rows, levels


def _moved(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the intervals of patients before and after the day on which a covariate changes."""
    known = rows[rows[name].notna()]
    split = counting_process(known, time="time", event="event", switch=_MOVED)
    split[name] = np.where(split["switched"], "l02", "l01").astype("object")
    return split.drop(columns="switched").rename(columns={"stop": "time"})


def _ratios(
    answer: CoxModels, names: Mapping[str, str], fits: Fits, model: str, said: str
) -> Lines:
    found: Lines = {}
    for each in answer.covariates:
        name = names[each.variable.name]
        column = fits.frame[fits.names[each.variable.name]]
        of = (
            codes(column.cat.categories, "l")
            if isinstance(column.dtype, pd.CategoricalDtype)
            else {}
        )
        for row in each.rows.to_dict("records"):
            numbers: Numbers = {
                key: number(row[f"{model}_{key}"]) for key in ("ratio", "low", "high", "p")
            }
            if numbers["ratio"] is not None:
                term = name if row["level"] is None else f"{name} {of[row['level']]}"
                found[f"{term}, {said}"] = numbers
    return found


def _proportional(answer: CoxModels, names: Mapping[str, str]) -> Lines:
    said = "proportional hazards, all together"
    each: Lines = {f"{names[c.variable.name]}, {said}": {"p": number(c.proportional_p)}
                   for c in answer.covariates}  # fmt: skip
    return each | {f"GLOBAL, {said}": {"p": number(answer.proportional_p)}}


def subgroup_proofs(
    answer: ForestRows, frame: pd.DataFrame | None, minimum: int = 0
) -> tuple[Proof, ...]:
    """Return what repeats the ratio of two groups in every subgroup, and the tests of interaction.

    Parameters
    ----------
    frame : pandas.DataFrame or None
        As `answers.rows.subgroups` returns it; None where single patients are not shown.
    """
    if frame is None:
        return withheld("Hazard ratios in subgroups", minimum)
    names = codes(frame.columns.drop([TIME, EVENT, GROUP]), "s")
    of_group = codes(frame[GROUP].cat.categories)
    rows = pd.DataFrame({"group": frame[GROUP].astype("object").map(of_group),
                         "time": frame[TIME], "event": frame[EVENT]})  # fmt: skip
    levels, of_level = dict[str, list[str]](), dict[tuple[str, str], str]()
    labels = {"g01": answer.comparison.reference.name, "g02": answer.comparison.compared.name}
    for name, code in names.items():
        of = codes(frame[name].cat.categories, "l")
        rows[code] = frame[name].astype("object").map(of).astype("object")
        levels[code] = list(of.values())
        of_level |= {(name, str(level)): each for level, each in of.items()}
        labels[code] = answer.heads[name]
        labels |= {f"{code} {each}": f"{answer.heads[name]} {answer.levels[name, str(level)]}"
                   for level, each in of.items()}  # fmt: skip
    drawn = answer.subgroups.rows
    at = zip(drawn["variable"], drawn["level"], strict=True)
    drawn = drawn.assign(
        level=[of_level.get((str(v), str(level))) for v, level in at],
        variable=drawn["variable"].map(names),
    )
    tests = answer.subgroups.interactions
    lines = check.of_subgroups(drawn, tests.assign(variable=tests["variable"].map(names)))
    return (proof("subgroups", "Hazard ratios in subgroups", shuffled(rows), lines, labels,
                  levels=levels),)  # fmt: skip


def balance_proofs(
    answer: Balanced,
    weighed: Weighed | None,
    covariates: Sequence[str],
    milestones: Sequence[int],
    minimum: int = 0,
) -> tuple[Proof, ...]:
    """Return what repeats the comparison before and after weighting or matching.

    Weights are computed again; who was matched with whom is taken from the rows.

    Parameters
    ----------
    weighed : Weighed or None
        As `answers.rows.weighed` returns it; None where single patients are not shown.
    """
    if weighed is None:
        return withheld("Groups made comparable", minimum)
    used, chosen = weighed.used, answer.comparison
    of_group = {chosen.reference.value: FIRST, chosen.compared.value: "g02"}
    rows = pd.DataFrame({"group": used[GROUP].astype("object").map(of_group),
                         "time": used[TIME], "event": used[EVENT], "weight": weighed.weight})  # fmt: skip
    names, levels = codes(covariates, "x"), dict[str, list[str]]()
    if weighed.pair is not None:
        rows["pair"] = weighed.pair.astype("float64")
    for name in () if weighed.pair is not None else covariates:
        column = used[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            of = codes(column.cat.categories, "l")
            column, levels[names[name]] = column.astype("object").map(of), list(of.values())
        rows[names[name]] = column
    days = later(milestones, None)
    lines = _balanced_lines(answer, of_group, days)
    labels = {FIRST: chosen.reference.name, "g02": chosen.compared.name}
    estimand = None if answer.method == "matching" else answer.method
    return (proof("weighted", f"Groups made comparable ({answer.method})", shuffled(rows), lines,
                  labels, milestones=days, estimand=estimand, levels=levels,
                  covariates=[] if estimand is None else list(names.values())),)  # fmt: skip


def _balanced_lines(answer: Balanced, of_group: Mapping[Any, str], days: list[int]) -> Lines:
    found: Lines = {}
    grouped = coded(GROUP, of_group)
    for when, ratio, km in (("before", answer.ratio_before, answer.before),
                            ("after", answer.ratio_after, answer.after)):  # fmt: skip
        found[f"ratio, {when}"] = {"ratio": number(ratio.value), "low": number(ratio.low),
                                   "high": number(ratio.high), "p": number(ratio.p_value)}  # fmt: skip
        found |= check.of_weighted_curves(km, days, when, grouped)
    return found
