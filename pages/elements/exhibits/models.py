"""The exhibits below the curves: the forest of subgroups, Cox models, two groups made comparable."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from analytics.suppression import Count
from data.variables import Variable
from pages.elements import (
    balance_view,
    caveats,
    comparison_view,
    forest_view,
    model_tables,
    models_view,
    tables,
    wording,
)
from pages.elements.answers.balanced import Balanced
from pages.elements.answers.models import GROUP, CoxModels, known_later
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.subgroups import ForestRows
from pages.elements.charts.balance import ACCEPTED, love_plot
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import script
from pages.elements.exhibits.survival import PAGE, Curves, answered
from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

_SIZES = {"n": "Patients", "n_event": "Events"}


def _with_events(cohort: Cohort) -> tuple[SurvivalView, Curves] | None:
    """Return the curves that the models stand below; None without an event to model."""
    found = answered(cohort)
    return found if found and found[1].n_event else None


def _provenance(
    cohort: Cohort,
    view: SurvivalView,
    method: str,
    n: Count,
    n_event: Count,
    compared: Iterable[Variable],
) -> Provenance:
    if view.landmark_days is not None:
        method += f"; landmark at {wording.month_label(view.landmark_days)}"
    if view.endpoint.competing:
        method += "; cause-specific: the competing event censors"
    said = parts.counts_inside(cohort, "in the model", n, n_event)
    warned = caveats.of_time(cohort, compared, view.landmark_days)
    return parts.provenance(cohort, PAGE, counts=said, method=method, caveats=warned)


def _methods(cohort: Cohort, view: SurvivalView, *used: str) -> tuple[str, ...]:
    landmark = ("landmark",) if view.landmark_days is not None else ()
    small = ("small_numbers",) if minimum_of(cohort.snapshot) else ()
    return (*used, *landmark, *small)


# Subgroups


def subgroup_forest(cohort: Cohort) -> Exhibit | None:
    """Return the hazard ratio of one comparison in every subgroup."""
    found = _with_events(cohort)
    if found is None or found[0].by is None:
        return None
    view = found[0]
    assert view.by is not None
    forest = forest_view.answer(cohort, view, view.by)
    if forest is None:
        return None
    rows, _ = forest_view.forest_rows(forest)
    everybody = forest.subgroups.rows.iloc[0]
    title = parts.plain(forest_view.title(forest))
    return Exhibit(
        key="subgroup_forest",
        page=PAGE,
        title=f"{title}, {wording.inside(view.endpoint.label)}",
        message=_forest_message(forest),
        provenance=_provenance(
            cohort, view, "a Cox model in each subgroup, Efron ties, Wald 95% CI; none adjusted",
            everybody["n"], everybody["n_event"], [view.by],
        ),
        spec=forest_view.chart(view.by, forest, rows),
        alt=parts.plain(forest_view.forest_alt(forest, rows)),
        tables={"Subgroups": _subgroups(forest), "Interactions": _interactions(forest)},
        shown={title: _forest_shown(forest, rows)},
        methods=_methods(cohort, view, "cox", "subgroups"),
        code=_answer_code(
            cohort,
            "subgroups",
            "subgroups",
            f"endpoint={view.endpoint.code!r}, by={view.by.name!r}, "
            f"against={forest.comparison.compared.value!r}, landmark_days={view.landmark_days}",
            "numbers = found.subgroups.rows",
        ),
    )  # fmt: skip


def _forest_message(forest: ForestRows) -> str:
    everybody = forest.subgroups.rows.iloc[0]
    limits = (everybody[name] for name in ("hazard_ratio", "low", "high"))
    tests = forest.subgroups.interactions
    known = tests[tests["p_value"].notna()]
    said = ""
    if len(known):
        least = known.loc[known["p_value"].idxmin()]
        name = forest.heads[least["variable"]]
        count = wording.count(len(known), "interaction")
        said = f"{count} tested, not adjusted, the smallest {wording.p_value(least['p_value'])} ({name})"
    return parts.short(f"hazard ratio in all patients {wording.ratio(*limits)}", said)


def _subgroups(forest: ForestRows) -> pd.DataFrame:
    rows = forest.subgroups.rows
    first, second = forest.comparison.reference.name, forest.comparison.compared.name
    labelled = rows.assign(
        variable=[forest.heads.get(name, "All patients") for name in rows["variable"]],
        level=[
            forest.levels.get((variable, str(level)), "")
            for variable, level in zip(rows["variable"], rows["level"], strict=True)
        ],
    )
    names = {
        "variable": "Variable", "level": "Subgroup", **_SIZES,
        "n_1": f"{first}, patients", "n_event_1": f"{first}, events",
        "n_2": f"{second}, patients", "n_event_2": f"{second}, events",
        "hazard_ratio": "Hazard ratio", "low": "Low", "high": "High", "p_value": "P",
    }  # fmt: skip
    return parts.typed(labelled, names=names)


def _interactions(forest: ForestRows) -> pd.DataFrame:
    tests = forest.subgroups.interactions
    labelled = tests.assign(variable=[forest.heads[name] for name in tests["variable"]])
    names = {"variable": "Variable", "n_missing": "Missing", "p_value": "P, interaction"}
    return parts.typed(labelled, names=names)


def _forest_shown(forest: ForestRows, rows: list[dict[str, object]]) -> pd.DataFrame:
    first, second = forest.comparison.reference.short, forest.comparison.compared.short
    cells = [
        [row["label"], "", "", "", "", row["p"]]
        if row["kind"] == "head"
        else [row["label"], f"{row['n_event']}/{row['n']}", row["first"], row["second"],
              row["text"], ""]
        for row in rows
    ]  # fmt: skip
    columns = ["", "Events / patients", first, second, "Hazard ratio (95% CI)", "P, interaction"]
    return pd.DataFrame(cells, columns=columns)


# Cox models


def cox_table(cohort: Cohort) -> Exhibit | None:
    """Return the Cox models with each covariate alone, and with all together."""
    found = _with_events(cohort)
    if found is None:
        return None
    view = found[0]
    default = comparison_view.default_covariates(cohort, view, grouping=True)
    chosen = comparison_view.chosen_covariates(cohort, models_view.offered(cohort), default)
    try:
        models, firth = models_view.cox_models(cohort, view, chosen) if chosen else (None, False)
    except ValueError:
        return None
    if models is None or not models.covariates:
        return None
    title = models_view.cox_title(view)
    # A covariate that changes is in the model from its day on.
    compared = [c.variable for c in models.covariates if not c.time_dependent]
    used = ["cox", "proportional_hazards"]
    used += ["firth"] if firth and models.infinite else []
    used += ["time_dependent_cox"] if any(c.time_dependent for c in models.covariates) else []
    return Exhibit(
        key="cox_table",
        page=PAGE,
        title=title,
        message=_cox_message(models),
        provenance=_provenance(
            cohort, view, "Cox, Efron ties, Wald 95% CI; complete cases",
            models.n, models.n_event, compared,
        ),
        tables={"Covariates": _covariates(models), "Joint model": _joint(models)},
        shown={title: model_tables.cox_rows(models, firth=firth and models.infinite)},
        methods=_methods(cohort, view, *used),
        code=_answer_code(
            cohort,
            "models",
            "cox_models",
            f"endpoint={view.endpoint.code!r}, covariates={chosen!r}, "
            f"landmark_days={view.landmark_days}, firth={firth}",
            "numbers = {c.variable.name: c.rows for c in found.covariates}",
        ),
    )  # fmt: skip


def _cox_message(models: CoxModels) -> str:
    named = wording.listed(wording.inside(c.variable.label) for c in models.covariates)
    head = (
        f"{wording.count(models.n, 'patient')}, {wording.count(models.n_event, 'event')} in the model of "
        f"{named}"
    )
    clear = [
        name
        for c in models.covariates
        for row in c.rows.to_dict("records")
        if not math.isnan(row["all_ratio"]) and (row["all_low"] > 1 or row["all_high"] < 1)
        for name in [_ratio_of(c.variable, row)]
    ]
    few = "fewer than ten events for each coefficient" if models.few_events else ""
    said = "; ".join(clear) if clear else "no 95% interval of a ratio excludes 1"
    return parts.short(head, said, few)


def _ratio_of(variable: Variable, row: dict[object, object]) -> str:
    level = row["level"]
    name = variable.label if level is None else variable.level(str(level)).name
    ratio = wording.ratio(*(float(str(row[f"all_{k}"])) for k in ("ratio", "low", "high")))
    return f"{wording.inside(name)} {ratio}"


def _covariates(models: CoxModels) -> pd.DataFrame:
    rows = []
    for covariate in models.covariates:
        variable = covariate.variable
        for row in covariate.rows.to_dict("records"):
            level = row["level"]
            said = covariate.unit if level is None else variable.level(str(level)).name
            line = {"Covariate": variable.label, "Level or unit": said, "Patients": row["n"],
                    "Events": row["n_event"]}  # fmt: skip
            for key, name in (("one", "Alone"), ("all", "Together"), ("firth", "Firth")):
                for column, what in (
                    ("ratio", "ratio"),
                    ("low", "low"),
                    ("high", "high"),
                    ("p", "P"),
                ):
                    line[f"{name}, {what}"] = row.get(f"{key}_{column}")
            rows.append({**line, "P, proportional hazards": covariate.proportional_p})
    return parts.typed(pd.DataFrame(rows)).dropna(axis="columns", how="all")


def _joint(models: CoxModels) -> pd.DataFrame:
    rows = {
        "Patients": models.n,
        "Events": models.n_event,
        "Patients left out, a covariate missing": models.n_left,
        "Concordance": models.concordance,
        "P of all covariates together": models.p_value,
        "P of proportional hazards": models.proportional_p,
    }
    return parts.typed(pd.DataFrame({"What": list(rows), "Value": list(rows.values())}))


# Balance


def balance(cohort: Cohort) -> Exhibit | None:
    """Return two groups before and after they were made comparable."""
    found = _with_events(cohort)
    if found is None or found[0].by is None or found[0].endpoint.competing:
        return None
    view, by = found[0], found[0].by
    assert by is not None
    if known_later(by) and view.landmark_days is None:
        return None
    method = balance_view.method_asked(cohort)
    default = comparison_view.default_covariates(cohort, view, grouping=False)
    offered = balance_view.offered(cohort, view, by)
    chosen = comparison_view.chosen_covariates(cohort, offered, default)
    try:
        answer = balance_view.answer(cohort, view, by, chosen, method) if chosen else None
    except ValueError:
        return None
    if answer is None:
        return None
    rows = balance_view.love_rows(cohort, answer)
    title = parts.plain(balance_view.title(answer))
    return Exhibit(
        key="balance",
        page=PAGE,
        title=title,
        message=_balance_message(answer, rows),
        provenance=_provenance(
            cohort, view, _how(answer), sum(answer.n.values()), sum(answer.n_event.values()), [by]
        ),
        spec=love_plot(rows),
        alt=balance_view.love_alt(rows),
        tables={
            "Differences": _differences(rows),
            "Ratios": _ratios(answer),
            "Milestones": _milestones(view, answer),
        },
        shown={title: balance_view.balanced_table(cohort, view, by, answer)},
        methods=_methods(
            cohort, view, "standardised_difference",
            "matching" if answer.method == "matching" else "weighting", "kaplan_meier", "cox",
        ),
        code=_answer_code(
            cohort,
            "balanced",
            "balanced",
            f"endpoint={view.endpoint.code!r}, by={by.name!r}, "
            f"against={answer.comparison.compared.value!r}, covariates={chosen!r}, "
            f"method={method!r}, landmark_days={view.landmark_days}",
            "numbers = found.table",
        ),
    )  # fmt: skip


def _how(answer: Balanced) -> str:
    if answer.method == "matching":
        return "propensity score, matched 1 to 1, caliper 0.2 SD; robust 95% CI"
    return f"inverse probability of treatment weights ({answer.method}); robust 95% CI"


def _balance_message(answer: Balanced, rows: list[dict[str, object]]) -> str:
    after = answer.ratio_after
    ratio = wording.ratio(after.value, after.low, after.high)
    apart = sum(abs(value) > ACCEPTED for r in rows if (value := float(str(r["after"]))) == value)
    left = f"all standardised differences within {ACCEPTED}"
    if apart:
        left = f"{wording.count(apart, 'standardised difference')} still above {ACCEPTED}"
    done = model_tables.AFTER[answer.method]
    return parts.short(
        f"hazard ratio {done} {ratio}", parts.tested(after.p_value, "robust log-rank"), left
    )


def _differences(rows: list[dict[str, object]]) -> pd.DataFrame:
    names = {"label": "Covariate", "before": "SMD before", "after": "SMD after"}
    return parts.typed(pd.DataFrame(rows), names=names)


def _ratios(answer: Balanced) -> pd.DataFrame:
    rows = [
        (name, r.value, r.low, r.high, r.p_value)
        for name, r in (("As they are", answer.ratio_before), ("After", answer.ratio_after))
    ]
    return parts.typed(pd.DataFrame(rows, columns=["When", "Hazard ratio", "Low", "High", "P"]))


def _milestones(view: SurvivalView, answer: Balanced) -> pd.DataFrame:
    start = view.landmark_days or 0
    days = {day: n for n, day in tables.milestones(view.horizon_days).items() if day > start}
    pair = {
        each.value: each.name for each in (answer.comparison.reference, answer.comparison.compared)
    }
    made = []
    for name, curves in (("As they are", answer.before), ("After", answer.after)):
        at = curves.at(list(days))
        made.append(
            at.assign(
                When=name,
                Group=[pair[str(level)] for level in at[GROUP]],
                Milestone=[days[int(day)] for day in at["time"]],
            )
        )
    names = {"When": "When", "Group": "Group", "Milestone": "Milestone", "time": "Day",
             "survival": "Survival", "low": "Low", "high": "High"}  # fmt: skip
    return parts.typed(pd.concat(made, ignore_index=True), names=names)


def _answer_code(cohort: Cohort, module: str, name: str, asked: str, last: str) -> str:
    return script(
        cohort,
        {f"pages.elements.answers.{module}": [name]},
        f"found = {name}(snapshot, cohort, variables, {asked})",
        last,
    )
