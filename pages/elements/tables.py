"""Results as display frames: strings in printing order, with the marks of the figures."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from analytics.summary import TableOne
from data.variables import Dictionary, Level, Variable
from pages.elements import wording
from pages.elements.answers.negativity import Block
from pages.elements.answers.survival import Survival
from pages.elements.charts.theme import markdown_mark, styles

MILESTONES: Mapping[str, int] = {"1-year": 365, "2-year": 730, "3-year": 1095, "5-year": 1826}
"""Milestones by name, in days: whole days, floor(365.25 years)."""

REGIMEN_COLUMNS: Mapping[str, str] = {
    "setting": "Setting",
    "regimen": "Regimen",
    "agent": "Agent",
    "n": "Patients",
    "age_median": "Median age",
    "cr_percent": "CR, %",
    "mrd_negativity_percent": "MRD-negative, %",
    "mrd_method": "Method",
    "mrd_sensitivity": "Sensitivity",
    "os_percent": "OS, %",
    "os_years": "at, years",
    "os_median_months": "Median OS, months",
    "source": "Where",
}
"""The columns of the regimen table, with their heads."""

REGIMEN_NUMBERS = frozenset(
    ("n", "age_median", "cr_percent", "mrd_negativity_percent", "os_percent", "os_years",
     "os_median_months")
)  # fmt: skip
"""Those of them that sort as numbers."""

_FEW = 5
"""Events in a group below which a log-rank test is read with care."""


def marked(variable: Variable, level: str, text: str) -> str:
    """Return a name with the mark that its curve has: ':blue[●] Negative'."""
    values = [each.value for each in variable.levels]
    style = dict(zip(values, styles(variable.name, values), strict=True))[level]
    return f"{markdown_mark(style)} {wording.escape(text)}"


def survival_columns(
    result: Survival, variable: Variable | None, short: str, horizon_days: int
) -> pd.DataFrame:
    """Return patients, events, median and milestones as rows, the groups as columns."""
    milestones = _milestones(horizon_days)
    rows = {"": ["Patients", "Events", "Median, mo", *(f"{m} {short}" for m in milestones)]}
    for level, cells in _summaries(result, milestones):
        if level is None or variable is None:
            rows["All"] = cells
        else:
            rows[marked(variable, level.value, level.short)] = cells
    return pd.DataFrame(rows)


def survival_rows(
    result: Survival, variable: Variable, short: str, horizon_days: int
) -> pd.DataFrame:
    """Return the groups as rows: events of patients, median and milestones."""
    milestones = _milestones(horizon_days)
    heads = ["", "Events", "Median, mo", *(f"{m} {short}" for m in milestones)]
    rows = []
    for level, (n, n_event, *rest) in _summaries(result, milestones):
        assert level is not None
        rows.append([marked(variable, level.value, level.short), f"{n_event}/{n}", *rest])
    return pd.DataFrame(rows, columns=heads)


def _milestones(horizon_days: int) -> dict[str, int]:
    """Return the milestones inside the figure; one year at least."""
    return {n: day for n, day in MILESTONES.items() if day <= horizon_days or n == "1-year"}


def _summaries(
    result: Survival, milestones: Mapping[str, int]
) -> Iterator[tuple[Level | None, list[str]]]:
    """Yield for each group its patients, events, median and milestones as text."""
    medians, rates = result.km.median(), result.km.at(list(milestones.values()))
    for level in result.levels or (None,):
        median = result.row(level, medians).iloc[0]
        value, limits = wording.median_months(median["median"], median["low"], median["high"])
        cells = [
            f"{median['n']:,.0f}",
            f"{median['n_event']:,.0f}",
            f"**{value}** {limits}".strip(),
        ]
        last = result.row(level, result.km.groups).iloc[0]["last_time"]
        rows = result.row(level, rates).to_dict("records")
        yield level, cells + [_milestone(result, row, last) for row in rows]


def _milestone(result: Survival, at: Mapping[Hashable, Any], last: float) -> str:
    if result.landmark is not None and at["time"] <= result.landmark.at:
        return "–"
    if math.isnan(at["survival"]):
        # Rounded down: 364 days are not yet the year that is asked for.
        months = math.floor(10 * last / wording.DAYS_PER_MONTH) / 10
        return f":small[:gray[followed to {months:.1f} mo]]"
    limits = wording.percent_interval(at["low"], at["high"])
    if at["survival"] == 0:
        # The limit rests on the last at risk alone, and says little else than that.
        limits += f", {at['n_risk']} at risk"
    return f"**{wording.percent(at['survival'])}** {limits}"


def comparison(result: Survival) -> list[str]:
    """Return hazard ratio, tests and restricted mean as lines of Markdown."""
    lines = []
    if result.hazard and result.test:
        if len(result.levels) == 2:
            first, second = (wording.escape(level.name) for level in result.levels)
            lines.append(f"Hazard ratio **{hazard_ratio(result)}**")
            lines.append(f":gray[{second} against {first}]")
        lines.append(f"Log-rank **{wording.p_value(result.test.p_value) or 'not possible'}**")
        zph = result.hazard.proportional_hazards_p
        if zph is not None:
            lines.append(f"Proportional hazards {wording.p_value(zph)}")
    if result.mean is not None:
        lines.append(_restricted_mean(result))
    few = [level.name for level in result.levels if events(result, level) < _FEW]
    if result.test and few:
        lines.append(
            f":gray[Fewer than {_FEW} events in {wording.escape(wording.listed(few))}: "
            "read test and ratio with care.]"
        )
    return lines


def events(result: Survival, level: Level) -> int:
    """Return the events of one group."""
    return int(result.row(level, result.km.groups).iloc[0]["n_event"])


def hazard_ratio(result: Survival) -> str:
    """Return the hazard ratio of the second group against the first, or 'not estimable'."""
    if result.hazard is None or len(result.levels) != 2:
        return wording.NOT_ESTIMABLE
    groups = result.hazard.groups
    line = groups[groups["level"] == result.levels[1].value].iloc[0]
    return wording.ratio(line["ratio"], line["low"], line["high"])


def _restricted_mean(result: Survival) -> str:
    """Return the restricted means from the origin, or from the landmark, and their difference."""
    mean = result.mean
    assert mean is not None
    start = result.landmark.at if result.landmark else 0
    rows = [result.row(level, mean.groups).iloc[0] for level in result.levels or (None,)]
    values = [wording.months(row["mean"] - start, 1) for row in rows]
    span = "" if result.landmark is None else f"from {wording.month_label(start)} "
    text = f"Restricted mean {span}to {wording.month_label(mean.tau)}: {wording.listed(values)}"
    if len(rows) != 2:
        return text
    line = mean.differences.iloc[0]
    sign = 1 if line["group_1"] == result.levels[0].value else -1
    low, high = sorted(sign * line[limit] for limit in ("low", "high"))
    text += f", difference {wording.months(sign * line['difference'], 1)} "
    if min(row["standard_error"] for row in rows) == 0:
        # Its standard error of 0 would call a group without events known for certain.
        return f"{text}(no interval: a group has no event)"
    return f"{text}(95% CI {wording.months(low, 1)} to {wording.months(high, 1)})"


def pairwise_rows(result: Survival, variable: Variable) -> pd.DataFrame:
    """Return one row per two groups: log-rank P as it is and adjusted by Holm's method."""
    assert result.pairwise is not None
    tests = {frozenset((t.group_1, t.group_2)): t for t in result.pairwise.itertuples(index=False)}
    rows = []
    for first, second in combinations(result.levels, 2):
        test = tests[frozenset((first.value, second.value))]
        names = [marked(variable, level.value, level.short) for level in (first, second)]
        p_values = [wording.p_number(p) for p in (test.p_value, test.p_adjusted)]
        rows.append([" against ".join(names), *p_values])
    return pd.DataFrame(rows, columns=["", "Log-rank P", "P, Holm"])


def hazard_rows(result: Survival, variable: Variable) -> pd.DataFrame:
    """Return one row per group: hazard ratio against the first, with P."""
    assert result.hazard is not None
    rows = []
    for level in result.levels:
        line = result.hazard.groups[result.hazard.groups["level"] == level.value].iloc[0]
        name = marked(variable, level.value, level.short)
        if level.value == result.hazard.reference:
            rows.append([name, "reference", ""])
        else:
            ratio = wording.ratio(line["ratio"], line["low"], line["high"]).replace("95% CI ", "")
            rows.append([name, ratio, wording.p_number(line["p_value"])])
    return pd.DataFrame(rows, columns=["", "Hazard ratio (95% CI)", "P"])


def negativity(
    everybody: pd.DataFrame, blocks: Mapping[str, Block], variables: Dictionary
) -> pd.DataFrame:
    """Return n/N and percent by timepoint, block by block, with Fisher's P under each block."""
    timepoints = list(dict.fromkeys(everybody["timepoint"]))
    heads = ["", *(wording.short_timepoint(str(t)) for t in timepoints)]
    rows = [["**All patients**", *_cells(everybody, timepoints)]]
    for name, block in blocks.items():
        variable = variables[name]
        shown = [level for level in variable.levels if level.value in set(block.rates[name])]
        for level in shown:
            cells = _cells(block.rates[block.rates[name] == level.value], timepoints)
            rows.append([marked(variable, level.value, level.name), *cells])
        if len(shown) > 1:
            tests = [wording.p_number(block.p_values.get(str(t))) for t in timepoints]
            rows.append([":gray[P, Fisher]", *(f":gray[{p}]" for p in tests)])
    return pd.DataFrame(rows, columns=heads)


def _cells(rates: pd.DataFrame, timepoints: Sequence[object]) -> list[str]:
    cells = []
    for timepoint in timepoints:
        found = rates[rates["timepoint"] == timepoint]
        if found.empty or not found.iloc[0]["evaluable"]:
            cells.append(":gray[no evaluable patients]")
            continue
        line = found.iloc[0]
        limits = wording.percent_interval(line["low"], line["high"])
        cells.append(
            f"**{wording.percent(line['rate'])}** {line['negative']}/{line['evaluable']}"
            f"  \n:gray[{limits}]"
        )
    return cells


def table_one(result: TableOne, variables: Dictionary, by: str | None) -> pd.DataFrame:
    """Return Table 1: a row per number and per level, a column per group, P and difference."""
    groups = [group for group in dict.fromkeys(result.rows["group"]) if group != ""]
    heads = {"": "All"} | {
        group: marked(variables[by], group, variables[by].level(group).short)
        for group in groups if by
    }  # fmt: skip
    sizes = result.rows.groupby("group")[["n", "missing"]].first().sum(axis=1)
    names = {group: f"{head}, n = {sizes[group]}" for group, head in heads.items()}
    rows = []
    for name in dict.fromkeys(result.rows["variable"]):
        rows += _characteristic(variables[name], result, list(heads))
    columns = ["", *names.values(), *(["P", "SMD"] if groups else [])]
    return pd.DataFrame(rows, columns=columns)


def _characteristic(variable: Variable, result: TableOne, groups: Sequence[str]) -> list[list[str]]:
    mine = result.rows[result.rows["variable"] == variable.name]
    tests = result.tests[result.tests["variable"] == variable.name]
    test = ["", ""]
    if len(tests):
        smd = tests.iloc[0]["smd"]
        test = [
            wording.p_number(tests.iloc[0]["p_value"]),
            "–" if math.isnan(smd) else f"{smd:.2f}",
        ]
    if len(groups) == 1:
        test = []
    label = wording.escape(variable.label)
    rows = []
    if variable.kind == "number":
        unit = f", {wording.escape(variable.unit)}" if variable.unit else ""
        cells = [_number_cell(mine[mine["group"] == group]) for group in groups]
        rows.append([f"{label}{unit}", *cells, *test])
    elif variable.kind == "boolean":
        cells = [_count_cell(mine[mine["group"] == group]) for group in groups]
        rows.append([label, *cells, *test])
    else:
        rows.append([label, *([""] * len(groups)), *test])
        order = [level.value for level in variable.levels]
        for value in sorted(set(mine["level"].dropna()), key=order.index):
            at = mine[mine["level"] == value]
            cells = [_count_cell(at[at["group"] == group]) for group in groups]
            text = wording.escape(variable.level(value).short)
            rows.append([f"&nbsp;&nbsp;&nbsp;{text}", *cells, *([""] * len(test))])
    missing = [int(mine.loc[mine["group"] == group, "missing"].iloc[0]) for group in groups]
    if any(missing):
        cells = [f":gray[{n}]" for n in missing]
        rows.append(["&nbsp;&nbsp;&nbsp;:gray[missing]", *cells, *([""] * len(test))])
    return rows


def _number_cell(lines: pd.DataFrame) -> str:
    line = lines.iloc[0]
    if not line["n"]:
        return "–"
    median, limits = wording.median_range(line["median"], line["minimum"], line["maximum"])
    if line["variable"] == "age_years":
        limits = wording.age_range(limits)
    return f"{median} :gray[({limits})]"


def _count_cell(lines: pd.DataFrame) -> str:
    if lines.empty or not lines.iloc[0]["n"]:
        return "–"
    line = lines.iloc[0]
    return f"{line['count']:.0f}/{line['n']} :gray[({wording.whole_percent(line['count'] / line['n'])}%)]"
