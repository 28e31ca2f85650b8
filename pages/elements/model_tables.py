"""Models as display frames: Cox tables and balanced comparisons, as clinical papers print them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analytics.balance import WeightedKaplanMeier
from analytics.hazard import COLLINEAR, INFINITE
from analytics.suppression import Count, Hidden
from data.variables import Dictionary, Level
from pages.elements import tables, wording
from pages.elements.answers.balanced import Balanced, Method
from pages.elements.answers.models import GROUP, REFERENCE, CovariateRows, CoxModels

_INDENT = "&nbsp;&nbsp;&nbsp;"
_REASONS = {
    REFERENCE: "1 (reference)",
    INFINITE: "no finite estimate",
    COLLINEAR: "follows from the others",
}
AFTER: Mapping[Method, str] = {"matching": "matched", "ATE": "weighted", "ATT": "weighted"}
"""What the patients are after each method."""


def cox_rows(models: CoxModels, *, firth: bool) -> pd.DataFrame:
    """Return the covariates with patients, events and hazard ratios, alone and together."""
    heads = ["", "n", "Events", "Univariable HR (95% CI)", "P", "Multivariable HR (95% CI)", "P "]
    keys = ["one", "all"]
    if firth:
        heads += ["Firth’s HR (95% CI)", "P  "]
        keys.append("firth")
    rows = []
    for covariate in models.covariates:
        rows += _covariate(covariate, keys)
    return pd.DataFrame(rows, columns=[*heads, "P, proportional hazards"])


def _covariate(covariate: CovariateRows, keys: list[str]) -> list[list[str]]:
    label = f"**{wording.escape(covariate.variable.label)}**"
    constant = wording.p_number(covariate.proportional_p)
    lines = [_line(row, keys) for row in covariate.rows.to_dict("records")]
    if covariate.variable.kind == "number":
        return [[f"{label}, {wording.escape(covariate.unit)}", *lines[0], constant]]
    if covariate.time_dependent:
        label += " :gray[from its day on]"
    rows = [[label, *([""] * len(lines[0])), constant]]
    for level, line in zip(covariate.rows["level"], lines, strict=True):
        name = covariate.variable.level(str(level)).short
        rows.append([f"{_INDENT}{wording.escape(name)}", *line, ""])
    return rows


def _line(row: Mapping[Any, Any], keys: list[str]) -> list[str]:
    cells = [f"{row['n']:,}", f"{row['n_event']:,}"]
    for key in keys:
        if math.isnan(row[f"{key}_ratio"]):
            cells += [f":gray[{_REASONS.get(row[f'{key}_reason'], '–')}]", ""]
        else:
            ratio = wording.ratio_cell(*(row[f"{key}_{name}"] for name in ("ratio", "low", "high")))
            cells += [ratio, wording.p_number(row[f"{key}_p"])]
    return cells


def balanced_rows(
    answer: Balanced, variables: Dictionary, by: str, short: str, *, horizon_days: int, start: int
) -> pd.DataFrame:
    """Return patients and rates of both groups, as they are and made comparable."""
    pair = (answer.comparison.reference, answer.comparison.compared)
    asked = tables.milestones(horizon_days)
    groups = answer.after.groups.set_index(GROUP)
    rows = [
        ["**As they are**, patients", *(f"{answer.n[each.value]:,}" for each in pair)],
        [f"{_INDENT}events", *(f"{answer.n_event[each.value]:,}" for each in pair)],
        *_rates(answer.before, pair, asked, short, start),
        [
            f"**{AFTER[answer.method].capitalize()}**, patients",
            *(_after(groups, e, answer.n_after.get(e.value, 0)) for e in pair),
        ],
        *_rates(answer.after, pair, asked, short, start),
    ]
    names = [tables.marked(variables[by], each.value, each.short) for each in pair]
    return pd.DataFrame(rows, columns=["", *names])


def _after(groups: pd.DataFrame, level: Level, shown: Count) -> str:
    if level.value not in groups.index:
        return "0"
    if isinstance(shown, Hidden):
        return str(shown)
    n, effective = groups.loc[level.value, ["n", "effective_n"]]
    return (
        f"{n:,.0f}" if abs(n - effective) < 0.05 else f"{n:,.0f} :gray[(effective {effective:.1f})]"
    )


def _rates(
    curves: WeightedKaplanMeier,
    pair: tuple[Level, Level],
    asked: Mapping[str, int],
    short: str,
    start: int,
) -> list[list[str]]:
    days = {name: day for name, day in asked.items() if day > start}
    found = curves.at(list(days.values())).set_index([GROUP, "time"])
    rows = []
    for name, day in days.items():
        cells = [_rate(found, (each.value, day)) for each in pair]
        rows.append([f"{_INDENT}{name} {short}", *cells])
    return rows


def _rate(found: pd.DataFrame, key: tuple[str, int]) -> str:
    if key not in found.index or math.isnan(found.loc[key, "survival"]):
        return ":small[:gray[past the follow-up]]"
    line = found.loc[key]
    limits = wording.percent_interval(line["low"], line["high"])
    return f"**{wording.percent(line['survival'])}** {limits}"
