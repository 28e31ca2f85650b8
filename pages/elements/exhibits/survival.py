"""The exhibits of the Survival page: the curves, and the numbers of each group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from data.variables import Variable
from pages.elements import access, caveats, outcome_view, survival_view, tables, wording
from pages.elements.answers.survival import (
    FEW_EVENTS,
    Answer,
    Crossed,
    Incidence,
    Survival,
)
from pages.elements.charts.survival import axis_ticks, survival_chart
from pages.elements.charts.theme import Group
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import names, script
from pages.elements.exports.exhibit import Exhibit, Provenance, Series
from pages.elements.exports.methods import EXACT_LIMITS
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

PAGE = "Survival"
_GROUP = "Group"
Curves = Survival | Incidence


def answered(cohort: Cohort) -> tuple[SurvivalView, Curves] | None:
    """Return the choices of the page and its answer; None where it draws no curve."""
    view = survival_view.read(cohort)
    if access.derivability(cohort.snapshot)[view.endpoint.code].refused_because:
        return None
    result = survival_view.answer(cohort, view)
    return None if result.crowded or not result.enough else (view, result)


def curves(cohort: Cohort) -> Exhibit | None:
    """Return the curves over their risk table."""
    found = answered(cohort)
    if found is None:
        return None
    view, result = found
    unit = "years" if view.unit == "years" else "months"
    quantity = survival_view.quantity(view, result)
    ticks = axis_ticks(view.horizon_months, unit)
    return Exhibit(
        key="survival_curves",
        page=PAGE,
        title=view.title,
        message=message(view, result),
        provenance=_provenance(cohort, view, result),
        spec=survival_view.chart(view, result),
        alt=survival_view.in_a_sentence(view, result),
        chart="curves",
        series=_series(view, result, unit, ticks),
        axes=(f"{unit.capitalize()} from {view.origin}", f"{quantity} (%)"),
        ticks={tick: f"{tick:g}" for tick in ticks},
        counted="At risk (events)",
        notes=tuple(survival_view.notes(result)),
        tables={"Milestones": milestones(view, result), "Curves": steps(result)},
        shown={view.title: survival_view.whole_table(view, result)},
        methods=_methods(view, result, whole=False),
        code=_code(cohort, view, result),
    )


def of_groups(
    cohort: Cohort, by: Variable, landmark_days: int | None, key: str, page: str
) -> Exhibit | None:
    """Return the small survival figure of groups that another page has made."""
    there = outcome_view.asked(cohort, by, landmark_days)
    exhibit, found = curves(there), answered(there)
    if exhibit is None or found is None:
        return None
    view, result = found
    if not isinstance(result, Survival):
        return None
    return replace(
        exhibit,
        key=key,
        page=page,
        spec=outcome_view.chart(view, result),
        alt=outcome_view.said(view, result),
        shown={view.title: outcome_view.numbers_table(view, result)},
        provenance=parts.linked(exhibit.provenance, parts.address(cohort, page)),
    )


def table(cohort: Cohort) -> Exhibit | None:
    """Return the numbers of each group: events, medians, rates, tests, ratios."""
    found = answered(cohort)
    if found is None:
        return None
    view, result = found
    shown = {view.title: survival_view.whole_table(view, result)}
    made = {
        "Groups": groups(result),
        "Milestones": milestones(view, result),
        "Comparison": comparison(view, result),
    }
    if isinstance(result, Survival) and len(result.levels) == 2:
        short, days = view.endpoint.short, view.horizon_days
        shown["Differences at every milestone"] = tables.difference_rows(result, short, days)
        made["Differences"] = _differences(view, result)
    if len(result.levels) > 2 and result.hazard is not None:
        shown["Hazard ratios"] = tables.hazard_rows(result)
    if isinstance(result, Survival) and result.pairwise is not None:
        shown["Every two groups"] = tables.pairwise_rows(result)
        made["Every two groups"] = _pairwise(result)
    shown["Comparison"] = pd.DataFrame(
        {"": list(tables.comparison(result, view.horizon_days, view.unit))}
    )
    return Exhibit(
        key="survival_table",
        page=PAGE,
        title=f"{view.title}: numbers",
        message=message(view, result),
        provenance=_provenance(cohort, view, result),
        tables={name: each for name, each in made.items() if len(each)},
        shown={name: each for name, each in shown.items() if len(each)},
        methods=_methods(view, result, whole=True),
        code=_code(cohort, view, result),
    )


def _provenance(cohort: Cohort, view: SurvivalView, result: Curves) -> Provenance:
    estimate, tests = survival_view.method(result)
    how = f"{estimate}, {EXACT_LIMITS}"
    if result.test is not None:
        how += f"; {tests}"
    if result.landmark is not None:
        how += f"; landmark at {wording.month_label(result.landmark.at)}"
    by_mrd = any(variable.name.startswith("mrd_") for variable in view.grouping)
    said = parts.counts_inside(cohort, "in the curves", result.n, result.n_event)
    warned = (
        *caveats.of_time(cohort, view.grouping, view.landmark_days),
        *caveats.of_curves(result),
    )
    return parts.provenance(cohort, PAGE, counts=said, method=how, rule=by_mrd, caveats=warned)


# Words


def message(view: SurvivalView, result: Curves) -> str:
    """Return the rate of each group at the milestone, the ratio of two, and the test."""
    name = tables.main_milestone(view.horizon_days)
    at = result.curves.at([tables.MILESTONES[name]])
    told = [_rate(result.row(level, at).iloc[0], level.name if level else "")
            for level in result.levels or (None,)]  # fmt: skip
    when = "2 years" if name == "2-year" else "1 year"
    rates = f"{survival_view.quantity(view, result)} at {when}: {', '.join(told)}"
    if len(told) > 3 or len(rates) > 150:
        rates = f"{view.title}: {len(told)} groups compared"
    ratio = tables.hazard_ratio(result)
    two = result.test is not None and len(result.levels) == 2 and isinstance(result, Survival)
    hazard = f"hazard ratio {ratio}" if two else ""
    return parts.short(rates, hazard, _test(result))


def _rate(row: Any, name: str) -> str:
    rate = row["survival"] if "survival" in row else row["incidence"]
    if math.isnan(rate):
        return f"{name} not followed that long".strip()
    limits = wording.percent_interval(row["low"], row["high"])
    return f"{name} {wording.percent(rate)}".strip() + (f" (95% CI {limits})" if limits else "")


def _test(result: Curves) -> str:
    if result.test is None:
        return ""
    name = "Gray’s test" if isinstance(result, Incidence) else "log-rank"
    said = parts.tested(result.test.p_value, name)
    if isinstance(result, Survival) and result.few_events and said:
        return f"{said}, fewer than {FEW_EVENTS} events in a group"
    return said


def _methods(view: SurvivalView, result: Curves, *, whole: bool) -> tuple[str, ...]:
    competing, test = isinstance(result, Incidence), result.test is not None
    mean = isinstance(result, Survival) and result.mean is not None
    used = {
        "kaplan_meier": not competing,
        "median": not competing,
        "restricted_mean": whole and mean,
        "log_rank": test and not competing,
        "trend": whole and isinstance(result, Survival) and result.trend is not None,
        "holm": whole and isinstance(result, Survival) and result.pairwise is not None,
        "cox": test and result.hazard is not None,
        "proportional_hazards": whole and test and result.hazard is not None
        and result.hazard.proportional_hazards_p is not None,
        "aalen_johansen": competing,
        "gray": competing and test,
        "landmark": result.landmark is not None,
        "mrd_negativity": any(variable.name.startswith("mrd_") for variable in view.grouping),
        "small_numbers": bool(result.minimum),
    }  # fmt: skip
    return tuple(name for name, is_used in used.items() if is_used)


# Numbers


def _named(result: Answer, table: pd.DataFrame) -> pd.DataFrame:
    """Return a result's frame with the name of the group in front, in printing order."""
    if result.by is None:
        return table.assign(**{_GROUP: "All patients"})
    rows = [result.row(level, table).assign(**{_GROUP: level.name}) for level in result.levels]
    return pd.concat(rows, ignore_index=True) if rows else table.assign(**{_GROUP: ""})


def steps(result: Curves) -> pd.DataFrame:
    """Return the curves step by step, over the whole follow-up."""
    value = "survival" if isinstance(result, Survival) else "incidence"
    names_ = {
        _GROUP: _GROUP, "time": "Day", "n_risk": "At risk", "n_event": "Events",
        "n_censored": "Censored", value: value.capitalize(), "low": "Low", "high": "High",
    }  # fmt: skip
    table = _named(result, result.curves.curve)
    # With a small-cell minimum nobody is told when one patient was last seen.
    hidden = {"n_censored"} if result.minimum else set()
    kept = {k: v for k, v in names_.items() if k in table and k not in hidden}
    return parts.typed(table, names=kept)


def milestones(view: SurvivalView, result: Curves) -> pd.DataFrame:
    """Return the rate of each group at every milestone, those past its follow-up missing."""
    asked = tables.milestones(view.horizon_days)
    value = "survival" if isinstance(result, Survival) else "incidence"
    table = _named(result, result.curves.at(list(asked.values())))
    start = result.landmark.at if result.landmark else -1
    # Before a landmark nobody can have had an event: a rate there says nothing.
    table = table[table["time"] > start]
    days = {day: name for name, day in asked.items()}
    table = table.assign(Milestone=[days[int(day)] for day in table["time"]])
    names_ = {
        _GROUP: _GROUP, "Milestone": "Milestone", "time": "Day", "n_risk": "At risk",
        "n_event": "Events", value: value.capitalize(), "low": "Low", "high": "High",
    }  # fmt: skip
    return parts.typed(table, names=names_)


def groups(result: Curves) -> pd.DataFrame:
    """Return patients and events of each group and, of survival, the median in days."""
    names_ = {_GROUP: _GROUP, "n": "Patients", "n_event": "Events", "last_time": "Last day"}
    if isinstance(result, Incidence):
        return parts.typed(_named(result, result.curves.groups), names=names_)
    medians = _named(result, result.km.median())[["median", "low", "high"]]
    table = _named(result, result.curves.groups).join(medians)
    names_ |= {"median": "Median, days", "low": "Low", "high": "High"}
    return parts.typed(table, names=names_)


def comparison(view: SurvivalView, result: Curves) -> pd.DataFrame:
    """Return tests, hazard ratios and restricted means as rows."""
    rows: list[dict[str, Any]] = []
    competing = isinstance(result, Incidence)
    if result.test is not None:
        name = "Gray’s test" if competing else "Log-rank test"
        rows.append({"What": name, "P": result.test.p_value})
    if result.hazard is not None:
        rows += _ratios(result, competing)
    if isinstance(result, Survival):
        rows += _of_survival(result)
    columns = ["What", "Value", "Low", "High", "P"]
    return parts.typed(pd.DataFrame(rows, columns=columns))


def _ratios(result: Curves, competing: bool) -> list[dict[str, Any]]:
    assert result.hazard is not None
    kind = "Cause-specific hazard ratio" if competing else "Hazard ratio"
    first, *others = result.levels
    lines = result.hazard.groups.set_index("level")
    rows = [
        {"What": f"{kind}, {level.name} against {first.name}", "Value": line["ratio"],
         "Low": line["low"], "High": line["high"], "P": line["p_value"]}
        for level in others
        for line in [lines.loc[level.value]]
    ]  # fmt: skip
    zph = result.hazard.proportional_hazards_p
    return rows if zph is None else [*rows, {"What": "Proportional hazards", "P": zph}]


def _of_survival(result: Survival) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if result.trend is not None:
        rows.append({"What": "Log-rank test for trend", "P": result.trend.p_value})
    if result.mean is not None:
        start = result.landmark.at if result.landmark else 0
        for line in _named(result, result.mean.groups).to_dict("records"):
            what = f"Restricted mean to day {result.mean.tau:.0f}, {line[_GROUP]}, days"
            if start:
                what += f" from day {start:.0f}"
            rows.append({"What": what, "Value": line["mean"] - start})
    return rows


def _differences(view: SurvivalView, result: Survival) -> pd.DataFrame:
    asked = tables.milestones(view.horizon_days)
    found = result.km.differences(list(asked.values()))
    sign = 1 if found["group_1"].iloc[0] == result.levels[0].value else -1
    start = result.landmark.at if result.landmark else -1
    rows = []
    for name, line in zip(asked, found.to_dict("records"), strict=True):
        if line["time"] > start:
            low, high = sorted(sign * line[limit] for limit in ("low", "high"))
            rows.append([name, line["time"], sign * line["difference"], low, high, line["p_value"]])
    first, second = result.levels
    head = f"{second.name} less {first.name}"
    return parts.typed(pd.DataFrame(rows, columns=["Milestone", "Day", head, "Low", "High", "P"]))


def _pairwise(result: Survival) -> pd.DataFrame:
    assert result.pairwise is not None
    assert result.by is not None
    told = result.pairwise.assign(
        **{name: parts.called(result.pairwise[name], result.by) for name in ("group_1", "group_2")}
    )
    names_ = {"group_1": "Group", "group_2": "Against", "p_value": "P", "p_adjusted": "P, Holm"}
    return parts.typed(told, names=names_)


def _series(
    view: SurvivalView, result: Curves, unit: str, ticks: list[float]
) -> tuple[Series, ...]:
    """Return the whole curves, also where the figure zooms into them."""
    drawn_groups = survival_view.groups(result)
    spec = survival_chart(
        result.curves, drawn_groups, endpoint="", origin="", horizon_months=view.horizon_months,
        unit=unit, landmark_days=view.landmark_days,
    )  # fmt: skip
    texts: dict[tuple[int, float], str] = {
        (row["y"], row["t"]): row["text"] for row in spec["datasets"]["risk"]
    }
    places = sorted({row["y"] for row in spec["datasets"]["risk"]})
    counted = [tuple(texts.get((y, round(t, 4)), "") for t in ticks) for y in places]
    return parts.drawn_series(
        spec["datasets"],
        drawn_groups,
        [_censored(result, group, unit) for group in drawn_groups],
        counted,
    )


def _censored(result: Curves, group: Group, unit: str) -> Mapping[float, int]:
    curve = result.curves.curve
    if result.curves.by:
        curve = curve[curve[result.curves.by[0]].astype(str) == group.level]
    size = wording.UNITS[unit][0]
    return {
        round(float(day) / size, 4): int(n)
        for day, n in zip(curve["time"], curve["n_censored"], strict=True)
        if n == n and n
    }


# Code


def _code(cohort: Cohort, view: SurvivalView, result: Curves) -> str:
    competing = isinstance(result, Incidence)
    imports: dict[str, list[str]] = {"data.queries": []}
    by = [variable.name for variable in view.grouping]
    body = _event_table(view, by, imports)
    columns: tuple[str, ...] = tuple(by)
    if isinstance(result.by, Crossed):
        columns = (result.by.name,)
        first, second = (f'table["{name}"].astype(str)' for name in by)
        body.append(f'table["{result.by.name}"] = {first} + " · " + {second}')
    if by and result.by is not None and result.by.name == columns[0]:
        levels = [level.value for level in result.levels]
        body.append(f'table = table[table["{columns[0]}"].isin({levels!r})]')
    days = list(tables.milestones(view.horizon_days).values())
    compared = result.test is not None
    if competing:
        imports["analytics.competing"] = [
            "cumulative_incidence",
            *(["gray_test"] if compared else []),
        ]
        body.append(f"found = cumulative_incidence(table, by={names(*columns)})")
        test = f"gray_test(table, by={names(*columns)})"
    else:
        imports["analytics.survival"] = ["kaplan_meier", *(["log_rank"] if compared else [])]
        body.append(f"found = kaplan_meier(table, by={names(*columns)})")
        test = f"log_rank(table, by={names(*columns)})"
    body.append(f"numbers = found.at({days})")
    if compared:
        imports["analytics.hazard"] = ["hazard_ratios"]
        reference = result.levels[0].value
        body.append(f"p_value = {test}.p_value")
        body.append(
            f"ratios = hazard_ratios(table, by={columns[0]!r}, reference={reference!r}).groups"
        )
    return script(cohort, imports, *body)


def _event_table(view: SurvivalView, by: list[str], imports: dict[str, list[str]]) -> list[str]:
    """Return the lines that make the event table, noting what they import."""
    asked = f"endpoint={view.endpoint.code!r}, by={names(*by)}"
    if view.landmark_days is None:
        imports["data.queries"].append("events")
        return [f"table = events(snapshot, cohort, variables, {asked})"]
    at = view.landmark_days
    imports["data.queries"].append("event_rows")
    imports |= {"analytics.events": ["event_table"], "analytics.landmark": ["landmark"]}
    return [
        f"rows = event_rows(snapshot, cohort, variables, {asked}, landmark_days={at})",
        'rows = rows[~rows["undated"].astype(bool)]',
        f'rows = landmark(rows, at={at}, time="time", event="event", known_day="known_day",',
        '                switch="switch_day").frame',
        f'table = event_table(rows, time="time", event="event", by={names(*by)})',
    ]
