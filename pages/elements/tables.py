"""Results as display frames: strings in printing order, with the marks of the figures."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from analytics.proportion import Proportion
from analytics.suppression import Count, Hidden
from analytics.survival import KaplanMeier
from data.variables import Dictionary, Level, Variable, timepoint_variable
from pages.elements import wording
from pages.elements.answers.concordance import Concordance
from pages.elements.answers.negativity import Block
from pages.elements.answers.survival import (
    FEW_EVENTS,
    Answer,
    Crossed,
    Incidence,
    Incidences,
    Survival,
    few_events,
)
from pages.elements.answers.who import Characteristics
from pages.elements.charts.theme import Style, crossed, markdown_mark, styles
from pages.elements.remembered import remembered

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


def looks(variable: Variable) -> dict[str, Style]:
    """Return how each level of a variable, or of two crossed, is drawn everywhere."""
    values = [level.value for level in variable.levels]
    if isinstance(variable, Crossed):
        first, second = (
            styles(part.name, [level.value for level in part.levels]) for part in variable.parts
        )
        return dict(zip(values, crossed(first, second), strict=True))
    return dict(zip(values, styles(variable.name, values), strict=True))


def marked(variable: Variable, level: str, text: str) -> str:
    """Return a name with the mark that its curve has: ':blue[●] Negative'."""
    return f"{markdown_mark(looks(variable)[level])} {wording.escape(text)}"


def survival_columns(
    result: Survival | Incidence, short: str, horizon_days: int, unit: str = "months"
) -> pd.DataFrame:
    """Return patients, events, median or incidence, and milestones as rows, the groups as columns."""
    heads, cells = _summary(result, short, horizon_days, unit)
    columns = {"All": cells[0]} if not result.levels else {}
    for level, values in zip(result.levels, cells, strict=False):
        assert result.by is not None
        columns[marked(result.by, level.value, level.short)] = values
    return pd.DataFrame({"": heads, **columns})


def survival_rows(
    result: Survival | Incidence, short: str, horizon_days: int, unit: str = "months"
) -> pd.DataFrame:
    """Return the groups as rows: events of patients, median, and milestones."""
    heads, cells = _summary(result, short, horizon_days, unit)
    rows = []
    for level, (n, n_event, *rest) in zip(result.levels, cells, strict=True):
        assert result.by is not None
        rows.append([marked(result.by, level.value, level.short), f"{n_event}/{n}", *rest])
    return pd.DataFrame(rows, columns=["", "Events", *heads[2:]])


def milestones(horizon_days: int) -> dict[str, int]:
    """Return the milestones inside the figure; one year at least."""
    return {n: day for n, day in MILESTONES.items() if day <= horizon_days or n == "1-year"}


def main_milestone(horizon_days: int) -> str:
    """Return the milestone that a figure speaks of: two years, or one in a shorter one."""
    return "2-year" if "2-year" in milestones(horizon_days) else "1-year"


def _summary(
    result: Survival | Incidence, short: str, horizon_days: int, unit: str
) -> tuple[list[str], list[list[str]]]:
    """Return the heads of what is said of each group, and the cells group by group."""
    asked = milestones(horizon_days)
    if isinstance(result, Survival):
        heads = ["Patients", "Events", f"Median, {wording.UNITS[unit][1]}"]
        blocks = [_sizes(result), _medians(result, unit), _rates(result, result.km, asked, unit)]
        heads += [f"{name} {short}" for name in asked]
    elif result.other is None:
        years = [name.removesuffix("-year") for name in asked]
        heads = ["Patients", "Events"]
        heads += [f"At {n} year{'' if n == '1' else 's'}" for n in years]
        blocks = [_sizes(result), _rates(result, result.curves, asked, unit)]
    else:
        # Relapse is read together with what precludes it.
        name = main_milestone(horizon_days)
        competing = "CIR" if short == "NRM" else "NRM"
        heads = ["Patients", "Events", *(f"{each} {short}" for each in asked)]
        heads.append(f"{name} {competing}")
        blocks = [
            _sizes(result), _rates(result, result.curves, asked, unit),
            _rates(result, result.other, {name: asked[name]}, unit),
        ]  # fmt: skip
    return heads, [[cell for part in parts for cell in part] for parts in zip(*blocks, strict=True)]


def _sizes(result: Survival | Incidence) -> list[list[str]]:
    # One column at a time: a row of numbers alone would lose what a hidden count reads as.
    rows = (result.row(level, result.curves.groups) for level in result.levels or (None,))
    return [[f"{row[c].iloc[0]:,.0f}" for c in ("n", "n_event")] for row in rows]


def _medians(result: Survival, unit: str) -> list[list[str]]:
    medians, cells = result.km.median(), []
    for level in result.levels or (None,):
        row = result.row(level, medians).iloc[0]
        value, limits = wording.median_months(row["median"], row["low"], row["high"], unit)
        cells.append([f"**{value}** {limits}".strip()])
    return cells


def _rates(
    result: Answer, curves: KaplanMeier | Incidences, asked: Mapping[str, int], unit: str
) -> list[list[str]]:
    rates, cells = curves.at(list(asked.values())), []
    for level in result.levels or (None,):
        last = result.row(level, curves.groups).iloc[0]["last_time"]
        rows = result.row(level, rates).to_dict("records")
        cells.append([_milestone(result, row, last, unit) for row in rows])
    return cells


def _milestone(result: Answer, at: Mapping[Hashable, Any], last: float, unit: str) -> str:
    if result.landmark is not None and at["time"] <= result.landmark.at:
        return "–"
    rate = at["survival"] if "survival" in at else at["incidence"]
    if math.isnan(rate) and isinstance(at["n_risk"], Hidden):
        return f":small[:gray[{at['n_risk']} at risk]]"
    if math.isnan(rate):
        # Rounded down: 364 days are not yet the year that is asked for.
        size, short, decimals = wording.UNITS[unit]
        followed = math.floor(10**decimals * last / size) / 10**decimals
        return f":small[:gray[followed to {followed:.{decimals}f} {short}]]"
    limits = wording.percent_interval(at["low"], at["high"])
    if rate == (0 if "survival" in at else 1):
        # The limit rests on the last at risk alone, and says little else than that.
        limits += f", {at['n_risk']} at risk"
    return f"**{wording.percent(rate)}** {limits}"


@remembered(200)
def comparison(
    result: Survival | Incidence, horizon_days: int, unit: str = "months"
) -> tuple[str, ...]:
    """Return hazard ratio, tests, difference and restricted mean as lines of Markdown."""
    lines = []
    if result.hazard and result.test:
        competing = isinstance(result, Incidence)
        if len(result.levels) == 2:
            first, second = (wording.escape(level.name) for level in result.levels)
            kind = "Cause-specific hazard ratio" if competing else "Hazard ratio"
            lines.append(f"{kind} **{hazard_ratio(result)}**")
            lines.append(f":gray[{second} against {first}]")
        test = "Gray’s test" if competing else "Log-rank"
        lines.append(f"{test} **{wording.p_value(result.test.p_value) or 'not possible'}**")
        zph = result.hazard.proportional_hazards_p
        if zph is not None:
            lines.append(f"Proportional hazards {wording.p_value(zph)}")
    if isinstance(result, Survival):
        lines += _of_survival(result, horizon_days, unit)
    elif result.other is None:
        lines.append(":gray[The two compete: a patient counts with what came first.]")
    elif few := [each.name for each in result.levels if few_events(events(result, each))]:
        lines.append(
            f":gray[Fewer than {FEW_EVENTS} events in {wording.escape(wording.listed(few))}: "
            "read test and ratio with care.]"
        )
    return tuple(lines)


def _of_survival(result: Survival, horizon_days: int, unit: str) -> list[str]:
    lines = []
    if result.trend is not None and (p := wording.p_value(result.trend.p_value)):
        order = wording.listed(level.short for level in result.levels)
        lines.append(f"Trend over {wording.escape(order)} {p}")
    if len(result.levels) == 2 and result.test:
        name = main_milestone(horizon_days)
        (line,) = difference_cells(result, {name: MILESTONES[name]})
        if line[1] != "–":
            text = f"{name} difference {line[1]} points"
            lines.append(f"{text}, {line[2]}" if line[2] else text)
    if result.mean is not None:
        lines.append(_restricted_mean(result, unit))
    return lines


def difference_cells(result: Survival, asked: Mapping[str, int]) -> list[list[str]]:
    """Return per milestone its name, the second group less the first in points, and P."""
    found = result.km.differences(list(asked.values()))
    # The groups of a result stand in sort order, those of a table in the dictionary's.
    sign = 1 if found["group_1"].iloc[0] == result.levels[0].value else -1
    rows = []
    for name, line in zip(asked, found.to_dict("records"), strict=True):
        before = result.landmark is not None and line["time"] <= result.landmark.at
        difference = math.nan if before else sign * line["difference"]
        low, high = sorted(sign * line[limit] for limit in ("low", "high"))
        text = wording.points(difference)
        if text != "–":
            text = f"**{text}** ({wording.points_interval(low, high)})"
        rows.append([name, text, "" if before else wording.p_value(line["p_value"])])
    return rows


@remembered(200)
def difference_rows(result: Survival, short: str, horizon_days: int) -> pd.DataFrame:
    """Return the difference of two groups at every milestone, with P."""
    first, second = result.levels
    rows = [
        [f"{name} {short}", difference, p.removeprefix("P = ").removeprefix("P ") or "–"]
        for name, difference, p in difference_cells(result, milestones(horizon_days))
    ]
    head = wording.escape(f"{second.name} less {first.name}, points (95% CI)")
    return pd.DataFrame(rows, columns=["", head, "P"])


def events(result: Survival | Incidence, level: Level) -> Count:
    """Return the events of one group."""
    n: Count = result.row(level, result.curves.groups)["n_event"].iloc[0]
    return n


def hazard_ratio(result: Answer) -> str:
    """Return the hazard ratio of the second group against the first, or 'not estimable'."""
    if result.hazard is None or len(result.levels) != 2:
        return wording.NOT_ESTIMABLE
    groups = result.hazard.groups
    line = groups[groups["level"] == result.levels[1].value].iloc[0]
    return wording.ratio(line["ratio"], line["low"], line["high"])


def _restricted_mean(result: Survival, unit: str) -> str:
    """Return the restricted means from the origin, or from the landmark, and their difference."""
    mean = result.mean
    assert mean is not None
    start = result.landmark.at if result.landmark else 0

    def label(days: float) -> str:
        text = wording.in_unit(days, unit)
        return wording.month_label(days) if unit == "months" else f"{text} {unit}"

    rows = [result.row(level, mean.groups).iloc[0] for level in result.levels or (None,)]
    values = [wording.in_unit(row["mean"] - start, unit) for row in rows]
    if len(values) > 2:
        names = (wording.escape(level.short) for level in result.levels)
        values = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
    span = "" if result.landmark is None else f"from {label(start)} "
    text = f"Restricted mean {span}to {label(mean.tau)}: {wording.listed(values)}"
    if len(rows) != 2:
        return text
    line = mean.differences.iloc[0]
    sign = 1 if line["group_1"] == result.levels[0].value else -1
    low, high = sorted(sign * line[limit] for limit in ("low", "high"))
    text += f", difference {wording.in_unit(sign * line['difference'], unit)} "
    if min(row["standard_error"] for row in rows) == 0:
        # Its standard error of 0 would call a group without events known for certain.
        return f"{text}(no interval: a group has no event)"
    return f"{text}(95% CI {wording.in_unit(low, unit)} to {wording.in_unit(high, unit)})"


def pairwise_rows(result: Survival) -> pd.DataFrame:
    """Return one row per two groups: log-rank P as it is and adjusted by Holm's method."""
    assert result.pairwise is not None
    assert result.by is not None
    tests = {frozenset((t.group_1, t.group_2)): t for t in result.pairwise.itertuples(index=False)}
    rows = []
    for first, second in combinations(result.levels, 2):
        test = tests[frozenset((first.value, second.value))]
        names = [marked(result.by, level.value, level.short) for level in (first, second)]
        p_values = [wording.p_number(p) for p in (test.p_value, test.p_adjusted)]
        rows.append([" against ".join(names), *p_values])
    return pd.DataFrame(rows, columns=["", "Log-rank P", "P, Holm"])


def hazard_rows(result: Answer) -> pd.DataFrame:
    """Return one row per group: hazard ratio against the first, with P."""
    assert result.hazard is not None
    assert result.by is not None
    rows = []
    for level in result.levels:
        line = result.hazard.groups[result.hazard.groups["level"] == level.value].iloc[0]
        name = marked(result.by, level.value, level.short)
        if level.value == result.hazard.reference:
            rows.append([name, "reference", ""])
        else:
            ratio = wording.ratio(line["ratio"], line["low"], line["high"]).replace("95% CI ", "")
            rows.append([name, ratio, wording.p_number(line["p_value"])])
    kind = "Cause-specific hazard ratio" if isinstance(result, Incidence) else "Hazard ratio"
    return pd.DataFrame(rows, columns=["", f"{kind} (95% CI)", "P"])


def negativity(
    everybody: pd.DataFrame, blocks: Mapping[str, Block], variables: Dictionary
) -> pd.DataFrame:
    """Return n/N and percent by timepoint, block by block, with Fisher's P under each block."""
    timepoints = list(dict.fromkeys(everybody["timepoint"]))
    heads = ["", *(wording.escape(wording.short_timepoint(str(t))) for t in timepoints)]
    rows = [["**All patients**", *_cells(everybody, timepoints)]]
    for name, block in blocks.items():
        variable = variables[name]
        shown = [level for level in variable.levels if level.value in set(block.rates[name])]
        for level in shown:
            cells = _cells(block.rates[block.rates[name] == level.value], timepoints)
            rows.append([marked(variable, level.value, level.name), *cells])
        if len(shown) > 1:
            rows.append(_tests(block, timepoints))
    return pd.DataFrame(rows, columns=heads)


def _tests(block: Block, timepoints: Sequence[object]) -> list[str]:
    """Return the row under a block: Fisher's P and, of two groups, the difference in points."""
    tests = [wording.p_number(block.p_values.get(str(t))) for t in timepoints]
    if not block.differences:
        return [":gray[P, Fisher]", *(f":gray[{p}]" for p in tests)]
    cells = []
    for timepoint, p in zip(timepoints, tests, strict=True):
        apart = block.differences[str(timepoint)]
        limits = wording.points_interval(apart.low, apart.high)
        points = f"{wording.points(apart.difference)} ({limits})" if limits else "–"
        cells.append(f":small[:gray[{points}]]  \n:gray[{p}]")
    return [":gray[Difference]  \n:gray[P, Fisher]", *cells]


def concordance(result: Concordance) -> pd.DataFrame:
    """Return the patients by status, rows the first assay, columns the second, with totals."""
    counts, status = result.statuses, timepoint_variable("any")
    names = {s: marked(status, s, status.level(s).short) for s in counts.columns}
    by = f"{wording.escape(result.pair.first)} ↓ {wording.escape(result.pair.second)} →"
    rows = [
        [names[s], *(f"{n}" for n in counts.loc[s]), f"**{result.by_first[s]}**"]
        for s in counts.index
    ]
    rows.append(["**All**", *(f"**{result.by_second[s]}**" for s in counts), f"**{result.n}**"])
    return pd.DataFrame(rows, columns=[by, *names.values(), "All"])


def agreement(result: Concordance) -> pd.DataFrame:
    """Return agreement, kappa, both rates of negativity, their difference and McNemar's P."""
    chance, apart = result.agreement, result.difference
    value, limits = wording.NOT_ESTIMABLE, wording.NOT_ESTIMABLE
    if chance.kappa is not None:
        value = f"**{chance.kappa:.2f}**".replace("-", "−")
    if chance.low is not None and chance.high is not None:
        limits = f"{chance.low:.2f} to {chance.high:.2f}".replace("-", "−")
    shares = {
        "Agree": result.agreed,
        f"Negative by {result.pair.first}": result.first,
        f"Negative by {result.pair.second}": result.second,
    }
    agreed, *negative = ([wording.escape(name), *_share(r)] for name, r in shares.items())
    points = wording.points_interval(apart.low, apart.high)
    both = wording.escape(f"{result.pair.first} against {result.pair.second}")
    rows = [
        agreed,
        ["Kappa", value, limits],
        *negative,
        ["Difference, points", f"**{wording.points(apart.difference)}**", points],
        ["McNemar P, exact", f"**{wording.p_number(apart.p_value)}**", ""],
    ]
    return pd.DataFrame(rows, columns=["", both, "95% CI"])


def _share(rate: Proportion) -> tuple[str, str]:
    if isinstance(rate.count, Hidden) or isinstance(rate.total, Hidden):
        return f"{rate.count}/{rate.total}", ""
    if rate.rate is None or rate.low is None or rate.high is None:
        return "–", ""
    limits = wording.percent_interval(rate.low, rate.high)
    return f"**{wording.percent(rate.rate)}** {rate.count}/{rate.total}", limits


def _cells(rates: pd.DataFrame, timepoints: Sequence[object]) -> list[str]:
    cells = []
    for timepoint in timepoints:
        found = rates[rates["timepoint"] == timepoint]
        if found.empty or not found.iloc[0]["evaluable"]:
            cells.append(":gray[no evaluable patients]")
            continue
        line = found.iloc[0]
        if math.isnan(line["rate"]):
            cells.append(f"{line['negative']}/{line['evaluable']}")
            continue
        limits = wording.percent_interval(line["low"], line["high"])
        cells.append(
            f"**{wording.percent(line['rate'])}** {line['negative']}/{line['evaluable']}"
            f"  \n:gray[{limits}]"
        )
    return cells


def table_one(result: Characteristics, variables: Dictionary, by: str | None) -> pd.DataFrame:
    """Return Table 1: a row per number and per level, a column per group, P and difference."""
    groups = [group for group in dict.fromkeys(result.rows["group"]) if group != ""]
    heads = {"": "All"} | {
        group: marked(variables[by], group, variables[by].level(group).short)
        for group in groups if by
    }  # fmt: skip
    names = {group: f"{head} (n = {result.sizes[group]:,})" for group, head in heads.items()}
    lines = {name: _Lines() for name in result.rows["variable"]}
    for line in result.rows.to_dict("records"):
        lines[line["variable"]][line["group"], line["level"]] = line
    tests = {line["variable"]: line for line in result.tests.to_dict("records")}
    rows = []
    for name, mine in lines.items():
        rows += _characteristic(variables[name], mine, tests.get(name), list(heads))
    columns = ["Characteristic", *names.values(), *(["P", "SMD"] if groups else [])]
    return pd.DataFrame(rows, columns=columns)


_Line = dict[Hashable, Any]
_Lines = dict[tuple[str, Any], _Line]


def _characteristic(
    variable: Variable, lines: _Lines, tested: _Line | None, groups: Sequence[str]
) -> list[list[str]]:
    test = ["", ""]
    if tested is not None:
        smd = tested["smd"]
        test = [wording.p_number(tested["p_value"]), "–" if math.isnan(smd) else f"{smd:.2f}"]
    if len(groups) == 1:
        test = []
    first = {group: line for (group, _), line in reversed(lines.items())}
    label = wording.escape(variable.label)
    rows = []
    if variable.kind == "number":
        unit = f", {wording.escape(variable.unit)}" if variable.unit else ""
        cells = [_number_cell(first[group]) for group in groups]
        rows.append([f"{label}{unit}", *cells, *test])
    elif variable.kind == "boolean":
        cells = [_count_cell(first[group]) for group in groups]
        rows.append([label, *cells, *test])
    else:
        rows.append([label, *([""] * len(groups)), *test])
        order = [level.value for level in variable.levels]
        for value in sorted({level for _, level in lines if level in order}, key=order.index):
            cells = [_count_cell(lines.get((group, value))) for group in groups]
            text = wording.escape(variable.level(value).short)
            rows.append([f"&nbsp;&nbsp;&nbsp;{text}", *cells, *([""] * len(test))])
    missing = [first[group]["missing"] for group in groups]
    if any(missing):
        cells = [f":gray[{n}]" for n in missing]
        rows.append(["&nbsp;&nbsp;&nbsp;:gray[missing]", *cells, *([""] * len(test))])
    return rows


def _number_cell(line: _Line) -> str:
    if not line["n"]:
        return "–"
    if math.isnan(line["median"]):
        return f"{line['n']} patients"
    # The ends of a range are single patients.
    ends = ("minimum", "maximum") if line["minimum"] == line["minimum"] else ("q1", "q3")
    median, limits = wording.median_range(line["median"], *(line[end] for end in ends))
    if line["variable"] == "age_years":
        limits = wording.age_range(limits)
    return f"{median} :gray[({limits})]"


def _count_cell(line: _Line | None) -> str:
    if line is None or not line["n"]:
        return "–"
    if isinstance(line["count"], Hidden) or isinstance(line["n"], Hidden):
        return f"{line['count']:.0f}/{line['n']}"
    return f"{line['count']:.0f}/{line['n']} :gray[({wording.whole_percent(line['count'] / line['n'])}%)]"
