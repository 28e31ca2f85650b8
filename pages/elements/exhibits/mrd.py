"""The exhibits of the MRD page: rates, their table, flows, levels over time, outcome, two assays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from analytics.suppression import Hidden
from data.assays import AssayPair
from data.variables import Variable
from pages.elements import concordance_view, mrd_view, response_view, tables, wording
from pages.elements.answers.concordance import Concordance
from pages.elements.answers.negativity import Block, Negativity
from pages.elements.answers.small_cells import minimum_of
from pages.elements.exhibits import parts, survival
from pages.elements.exhibits.code import names, script
from pages.elements.exports.exhibit import Exhibit, Provenance, Series
from pages.elements.frame import Cohort
from pages.elements.mrd_view import MrdView

PAGE = "MRD negativity"
_COUNTS = {"timepoint": "Timepoint", "negative": "Negative", "evaluable": "Evaluable",
           "rate": "Rate", "low": "Low", "high": "High"}  # fmt: skip


def rates(cohort: Cohort) -> Exhibit | None:
    """Return the rates by timepoint and group, over the table of n/N."""
    if not cohort.variables.timepoints:
        return None
    view = mrd_view.read(cohort)
    result = mrd_view.answer(cohort, view)
    spec = mrd_view.chart(view, result)
    if spec is None:
        return None
    timepoints = _timepoints(result)
    drawn = {view.by.name: result.figure} if view.by and result.figure else {}
    of = "patients" if view.denominator == "all in remission" else "evaluable"
    return Exhibit(
        key="mrd_rates",
        page=PAGE,
        title=view.title,
        message=_message(view, result),
        provenance=_provenance(cohort, view),
        spec=spec,
        alt=mrd_view.said(view, result),
        chart="rates",
        series=_series(view, result),
        axes=("", f"MRD-negative (% of {of})"),
        ticks={float(k): label for k, label in enumerate(timepoints, start=1)},
        counted="Negative / n" if of == "patients" else "Negative / evaluable",
        tables=_tables(cohort, result, drawn),
        shown={mrd_view.table_title(view): _shown(cohort, result, drawn)},
        methods=_methods(drawn, result),
        code=_rates_code(cohort, view, [view.by] if view.by else [], blocks=False),
    )


def table(cohort: Cohort) -> Exhibit | None:
    """Return the rates as the papers' Table 2."""
    if not cohort.variables.timepoints:
        return None
    view = mrd_view.read(cohort)
    result = mrd_view.answer(cohort, view)
    by = [cohort.variables[name] for name in result.blocks]
    title = "MRD negativity by timepoint"
    return Exhibit(
        key="mrd_table",
        page=PAGE,
        title=title,
        message=_everybody(result),
        provenance=_provenance(cohort, view),
        tables=_tables(cohort, result, result.blocks),
        shown={f"{title}. {mrd_view.table_title(view)}": _shown(cohort, result, result.blocks)},
        methods=_methods(result.blocks, result),
        code=_rates_code(cohort, view, by, blocks=True),
    )


def _provenance(cohort: Cohort, view: MrdView, method: str = "") -> Provenance:
    if not method:
        denominator = mrd_view.DENOMINATORS[view.denominator].lower()
        method = (
            f"denominator: {denominator}; Clopper–Pearson 95% CI; Fisher’s exact test, not adjusted"
        )
    said = parts.counts(cohort, cohort.endpoint())
    return parts.provenance(cohort, PAGE, counts=said, method=method, rule=True)


def _methods(blocks: Mapping[str, Block], result: Negativity) -> tuple[str, ...]:
    used = {
        "mrd_negativity": True,
        "clopper_pearson": True,
        "fisher": bool(blocks),
        "newcombe": any(block.differences for block in blocks.values()),
        "small_numbers": result.samples is None,
    }
    return tuple(name for name, is_used in used.items() if is_used)


def _timepoints(result: Negativity) -> list[str]:
    return [str(label)[:1].upper() + str(label)[1:] for label in result.everybody["timepoint"]]


def _shown(cohort: Cohort, result: Negativity, blocks: Mapping[str, Block]) -> pd.DataFrame:
    return tables.negativity(result.everybody, blocks, cohort.variables)


# Words


def when(timepoint: str) -> str:
    """Return a timepoint inside a sentence: 'at 3 months', 'after cycle 1'."""
    return f"at {timepoint}" if timepoint[:1].isdigit() else timepoint


def _everybody(result: Negativity) -> str:
    told = []
    for row in result.everybody.itertuples(index=False):
        if row.rate == row.rate:
            count = f"{row.negative}/{row.evaluable}"
            limits = wording.percent_interval(row.low, row.high)
            rate = f"{wording.percent(row.rate)} ({count}, 95% CI {limits})"
            told.append(f"{when(str(row.timepoint))} {rate}")
    return parts.short(f"MRD negativity {', '.join(told)}") if told else "No rate can be given."


def _message(view: MrdView, result: Negativity) -> str:
    """Return the rates at the last timepoint that has any, and the test there."""
    if view.by is None or result.figure is None:
        return _everybody(result)
    drawn, found = mrd_view.groups(view, result)
    here = drawn[drawn["rate"].notna()]
    if here.empty:
        return "No rate can be given."
    order = [t for t in result.everybody["timepoint"] if (here["timepoint"] == t).any()]
    at = here[here["timepoint"] == order[-1]].set_index(view.by.name)
    told = [
        f"{group.label} {wording.rate_with_interval(*at.loc[group.level, ['rate', 'low', 'high']])}"
        for group in found
        if group.level in at.index
    ]
    rates_ = f"MRD negativity {when(str(order[-1]))}: {', '.join(told)}"
    if len(rates_) > 170:
        rates_ = f"{view.title}: {len(told)} groups compared"
    p = result.figure.p_values.get(str(order[-1]))
    return parts.short(rates_, parts.tested(p, "Fisher’s exact test"))


# Numbers


def _tables(
    cohort: Cohort, result: Negativity, blocks: Mapping[str, Block]
) -> dict[str, pd.DataFrame]:
    """Return the rates of all and of each block, their tests, and the patients by status."""
    counted = [result.everybody.assign(Variable="", Group="All patients")]
    counted += [_named(cohort.variables[name], block.rates) for name, block in blocks.items()]
    columns = {"Variable": "Variable", "Group": "Group", **_COUNTS}
    found = pd.concat([each[list(columns)].astype(object) for each in counted], ignore_index=True)
    tests = _tests(cohort, blocks)
    statuses = {"timepoint": "Timepoint", "status": "Status", "n": "Patients"}
    made = {
        "Rates": parts.typed(found, names=columns),
        "Tests": tests,
        "Statuses": parts.typed(result.totals, names=statuses),
    }
    return {name: each for name, each in made.items() if len(each)}


def _named(variable: Variable, found: pd.DataFrame) -> pd.DataFrame:
    group = parts.called(found[variable.name], variable)
    return found.assign(Variable=variable.label, Group=group)


def _tests(cohort: Cohort, blocks: Mapping[str, Block]) -> pd.DataFrame:
    rows = [
        {"Variable": cohort.variables[name].label, "Timepoint": timepoint, "P, Fisher": p,
         **_difference(block, timepoint)}
        for name, block in blocks.items()
        for timepoint, p in block.p_values.items()
    ]  # fmt: skip
    columns = ["Variable", "Timepoint", "P, Fisher", "Difference", "Low", "High"]
    return parts.typed(pd.DataFrame(rows, columns=columns))


def _difference(block: Block, timepoint: str) -> dict[str, float | None]:
    apart = block.differences.get(timepoint)
    if apart is None:
        return {}
    return {"Difference": apart.difference, "Low": apart.low, "High": apart.high}


def _series(view: MrdView, result: Negativity) -> tuple[Series, ...]:
    drawn, found = mrd_view.groups(view, result)
    every = list(result.everybody["timepoint"])
    made = []
    for group in found:
        mine = drawn if view.by is None else drawn[drawn[view.by.name] == group.level]
        at = mine.set_index("timepoint").reindex(every)
        points = pd.DataFrame({"x": range(1, len(every) + 1)})
        for new, old in (("value", "rate"), ("low", "low"), ("high", "high")):
            points[new] = 100 * at[old].to_numpy(dtype="float64")
        counted = tuple(
            "" if negative != negative else f"{negative:.0f}/{evaluable:.0f}"
            for negative, evaluable in zip(at["negative"], at["evaluable"], strict=True)
        )
        made.append(Series(name=group.label, short=group.short, style=group.style, points=points,
                           counts=counted))  # fmt: skip
    return tuple(made)


# Code


def _rates_code(cohort: Cohort, view: MrdView, by: list[Variable], *, blocks: bool) -> str:
    imports = {"analytics.mrd": ["negativity_rates"], "data.queries": ["mrd_by_timepoint"]}
    asked = f"denominator={view.denominator!r}"
    body = [
        "samples = mrd_by_timepoint(snapshot, cohort, variables)",
        f"numbers = negativity_rates(samples, {asked})",
    ]
    if not by:
        return script(cohort, imports, *body)
    imports["analytics.mrd"].append("negativity_tests")
    body += [
        "groups, tests = {}, {}",
        f"for by in {names(*(variable.name for variable in by))}:",
        "    samples = mrd_by_timepoint(snapshot, cohort, variables, by=(by,))",
    ]
    if blocks and any(variable.name == "risk_group" for variable in by):
        body += [
            '    if by == "risk_group":',
            '        samples = samples[samples[by] != "Ph-positive"]',
        ]
    body += [
        f"    groups[by] = negativity_rates(samples, by=by, {asked})",
        f"    tests[by] = negativity_tests(samples, by=by, {asked})",
    ]
    return script(cohort, imports, *body)


# The way between timepoints


def flows(cohort: Cohort) -> Exhibit | None:
    """Return how the status changes from timepoint to timepoint."""
    found = _answered(cohort)
    if found is None or len(found[1].everybody) < 2:
        return None
    view, result = found
    columns = {"from_timepoint": "From", "from_status": "Status", "to_timepoint": "To",
               "to_status": "Then", "n": "Patients"}  # fmt: skip
    made = {"Flows": parts.typed(result.flows, names=columns), "Changes": _changes(result)}
    title = "MRD status from timepoint to timepoint"
    told = [parts.plain(line) for line in response_view.changes(result.changes)]
    return Exhibit(
        key="mrd_flows",
        page=PAGE,
        title=title,
        message=parts.short(_moved(result) or "MRD status of the same patients over time"),
        provenance=_provenance(cohort, view, _PAIRED),
        spec=response_view.flows_chart(result),
        alt=response_view.moves(result),
        tables={name: each for name, each in made.items() if len(each)},
        shown={title: response_view.statuses(result), "Changes": pd.DataFrame({"": told})},
        methods=("mrd_negativity", "newcombe", "mcnemar", *_small(result)),
        code=script(
            cohort,
            {"analytics.mrd": ["flows"], "analytics.paired": ["paired_change"],
             "data.queries": ["mrd_by_timepoint"], "itertools": ["pairwise"]},
            "samples = mrd_by_timepoint(snapshot, cohort, variables)",
            'wide = samples.pivot(index="patient_id", columns="timepoint", values="status")',
            'wide = wide[list(dict.fromkeys(samples["timepoint"]))]',
            "numbers = flows(wide)",
            "changes = [paired_change(wide, first=a, second=b) for a, b in pairwise(wide.columns)]",
        ),
    )  # fmt: skip


_PAIRED = "change: Newcombe’s paired 95% CI, exact McNemar test"


def _answered(cohort: Cohort) -> tuple[MrdView, Negativity] | None:
    if not cohort.variables.timepoints:
        return None
    view = mrd_view.read(cohort)
    return view, mrd_view.answer(cohort, view)


def _small(result: Negativity) -> tuple[str, ...]:
    return ("small_numbers",) if result.samples is None else ()


def _changes(result: Negativity) -> pd.DataFrame:
    columns = {"first": "From", "second": "To", "n": "Patients", "n_excluded": "Not evaluable at both",
               "became_negative": "Became negative", "became_not_negative": "No longer negative",
               "change": "Change", "low": "Low", "high": "High", "p_value": "P"}  # fmt: skip
    if result.changes.empty:
        return pd.DataFrame(columns=list(columns.values()))
    return parts.typed(result.changes, names=columns)


def _moved(result: Negativity) -> str:
    """Return who became negative between the first two timepoints."""
    for row in result.changes.itertuples():
        if isinstance(row.became_negative, Hidden) or not row.n:
            continue
        return (
            f"{when(str(row.first))} to {when(str(row.second)).removeprefix('at ')}: of {row.n} evaluable "
            f"at both, {row.became_negative} became negative and {row.became_not_negative} no longer were"
        )
    return ""


def kinetics(cohort: Cohort) -> Exhibit | None:
    """Return the MRD level of each patient over time; None where single patients are not shown."""
    found = _answered(cohort)
    levels = response_view.levels(found[1]) if found else None
    if found is None or levels is None:
        return None
    view, _ = found
    drawn = levels.drawn.assign(line=levels.drawn["line"] + 1)
    columns = {"line": "Patient", "day": "Day", "mrd_fraction": "MRD level", "detected": "Detected",
               "dynamics": "Response"}  # fmt: skip
    table = parts.typed(drawn, names=columns)
    title = "MRD level over time, one line per patient"
    n, positive = drawn["line"].nunique(), int(drawn["detected"].sum())
    median = drawn.loc[drawn["detected"], "mrd_fraction"].median()
    shown = pd.DataFrame(
        [
            [name, f"{rows['line'].nunique()}", f"{int(rows['detected'].sum())}/{len(rows)}"]
            for name, rows in drawn.groupby("dynamics", sort=False, observed=True)
        ],
        columns=["Response", "Patients", "Detected / samples"],
    )
    return Exhibit(
        key="mrd_kinetics",
        page=PAGE,
        title=title,
        message=parts.short(
            f"MRD was found in {positive} of {len(drawn)} samples of {wording.count(n, 'patient')}",
            f"median level where found {wording.fraction(median)}" if positive else "",
        ),
        provenance=_provenance(cohort, view, "levels as measured; open marks: not detected"),
        spec=levels.chart(cohort.study.day_zero_label),
        alt=response_view.levels_over_time(levels.drawn),
        tables={"Levels": table},
        shown={title: shown},
        methods=("mrd_negativity",),
        code=script(
            cohort,
            {"data.queries": ["mrd_by_timepoint"]},
            "samples = mrd_by_timepoint(snapshot, cohort, variables)",
            'columns = ["sample_day", "mrd_fraction", "mrd_dynamics"]',
            'numbers = samples.loc[samples["mrd_fraction"].notna(), columns]',
        ),
    )


# Outcome, and two assays


def by_response(cohort: Cohort) -> Exhibit | None:
    """Return the survival of early, late and non-responders."""
    if "mrd_dynamics" not in cohort.variables:
        return None
    by, day = response_view.by_response(cohort)
    return survival.of_groups(cohort, by, day, "mrd_outcome", PAGE)


def by_agreement(cohort: Cohort) -> Exhibit | None:
    """Return the survival of the classes of two assays."""
    pair = concordance_view.pair_asked(cohort)
    if pair is None:
        return None
    variable, result = concordance_view.answer(cohort, pair)
    if not result.n:
        return None
    landmark = concordance_view.landmark(cohort, result)
    return survival.of_groups(cohort, variable, landmark, "concordance_outcome", PAGE)


def concordance(cohort: Cohort) -> Exhibit | None:
    """Return how two assays agree."""
    pair = concordance_view.pair_asked(cohort)
    if pair is None:
        return None
    variable, result = concordance_view.answer(cohort, pair)
    if not result.n:
        return None
    title = f"{pair.first} and {pair.second} {pair.when}"
    rows = [
        (first, second, result.statuses.loc[first, second])
        for first in result.statuses.index
        for second in result.statuses.columns
    ]
    counts = pd.DataFrame(rows, columns=[pair.first, pair.second, "Patients"])
    method = "agreement of negative against not negative; Cohen’s kappa; exact McNemar test"
    return Exhibit(
        key="concordance",
        page=PAGE,
        title=title,
        message=_agreed(result),
        provenance=_of_assays(cohort, method),
        tables={"Statuses": parts.typed(counts), "Agreement": _agreement(result)},
        shown={
            f"Patients by {title}": tables.concordance(result),
            "Agreement": tables.agreement(result),
        },
        methods=(
            "mrd_negativity", "clopper_pearson", "newcombe", "mcnemar", "kappa",
            *(("small_numbers",) if minimum_of(cohort.snapshot) else ()),
        ),
        code=_concordance_code(cohort, pair, variable),
    )  # fmt: skip


def _of_assays(cohort: Cohort, method: str) -> Provenance:
    said = parts.counts(cohort, cohort.endpoint())
    return parts.provenance(cohort, PAGE, counts=said, method=method, rule=True)


def _agreed(result: Concordance) -> str:
    rate, found = result.agreed, result.agreement
    if rate.rate is None or rate.low is None or rate.high is None:
        return "Too few patients in one class to say how far the two agree."
    limits = wording.percent_interval(rate.low, rate.high)
    kappa = ""
    if found.kappa is not None:
        kappa = f"kappa {found.kappa:.2f}"
        if found.low is not None and found.high is not None:
            kappa += f" (95% CI {found.low:.2f} to {found.high:.2f})"
    return parts.short(
        f"The two agree in {wording.percent(rate.rate)} of {result.n} patients (95% CI {limits})",
        kappa.replace("-", "−"),
        parts.tested(result.difference.p_value, "McNemar’s test"),
    )


def _agreement(result: Concordance) -> pd.DataFrame:
    chance, apart = result.agreement, result.difference
    rows = [
        [name, rate.count, rate.total, rate.rate, rate.low, rate.high, None]
        for name, rate in (
            ("Agree", result.agreed),
            (f"Negative by {result.pair.first}", result.first),
            (f"Negative by {result.pair.second}", result.second),
        )
    ]
    rows.append(["Kappa", None, None, chance.kappa, chance.low, chance.high, None])
    rows.append(["Difference", None, None, apart.difference, apart.low, apart.high, apart.p_value])
    columns = ["What", "Count", "Patients", "Value", "Low", "High", "P"]
    return parts.typed(pd.DataFrame(rows, columns=columns, dtype="object"))


def _concordance_code(cohort: Cohort, pair: AssayPair, variable: Variable) -> str:
    every = cohort.filter.without(variable.name)
    return script(
        replace(cohort, view=cohort.view.with_cohort(every)),
        {
            "analytics.paired": ["kappa", "mcnemar"],
            "data.assays": ["assay_pairs"],
            "data.queries": ["assays_of_cohort"],
            "pandas": ["crosstab"],
        },
        "pairs = {(p.assays, p.time): p for p in assay_pairs(snapshot)}",
        f"pair = pairs[{pair.assays!r}, {pair.time!r}]",
        "rows = assays_of_cohort(snapshot, cohort, variables, pair)",
        'rows = rows[rows["agreement"].notna()]',
        'numbers = crosstab(rows["first_status"], rows["second_status"])',
        'order = ["negative", "not negative"]',
        'called = rows[["first_status", "second_status"]].map(',
        '    lambda status: status if status == "negative" else "not negative")',
        'table = crosstab(called["first_status"], called["second_status"])',
        "table = table.reindex(index=order, columns=order, fill_value=0)",
        "agreement, difference = kappa(table), mcnemar(table)",
    )
