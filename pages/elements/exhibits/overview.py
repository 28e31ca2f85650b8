"""The exhibits of the Overview: the way to the cohort, what became of it, Table 1, missing values."""

from __future__ import annotations

import pandas as pd

from analytics.summary import FISHER, KRUSKAL, WILCOXON
from analytics.suppression import Hidden
from data.variables import MISSING
from pages.elements import access, overview_view, tables, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.who import Characteristics
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import script
from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.frame import Cohort

PAGE = "Overview"
_COUNTED = "counts of patients"


def attrition(cohort: Cohort) -> Exhibit | None:
    """Return the way from the study to the cohort."""
    steps = access.attrition(cohort.snapshot, cohort.filter)
    bars = overview_view.attrition_bars(cohort)
    rows = [(step.words, step.n, step.removed) for step in steps]
    table = pd.DataFrame(rows, columns=["Step", "Patients", "Removed"])
    shown = pd.DataFrame(
        [(row["label"], f"{row['n']:,}", row["note"]) for row in bars.rows],
        columns=["", "Patients", "Removed"],
    )
    title = "From the study to this cohort"
    first, last = steps[0].n, steps[-1].n
    share = wording.share(last, first, " ({})")
    message = f"{last:,} of {wording.count(first, 'patient')}{share} are in the cohort"
    if len(steps) == 1:
        message = f"All {wording.count(first, 'patient')} of the study are in the cohort"
    return Exhibit(
        key="attrition",
        page=PAGE,
        title=title,
        message=parts.short(message),
        provenance=_provenance(cohort, _COUNTED),
        spec=bars.chart,
        alt=bars.alt,
        tables={title: parts.typed(table)},
        shown={title: shown},
        methods=_small(cohort),
        code=script(
            cohort,
            {"data.queries": ["attrition"]},
            "numbers = attrition(snapshot, cohort, variables)",
        ),
    )


def disposition(cohort: Cohort) -> Exhibit | None:
    """Return what became of the patients."""
    counts = access.disposition_counts(cohort.snapshot, cohort.filter)
    bars = overview_view.disposition_bars(cohort)
    total = access.size(cohort.snapshot, cohort.filter)
    title = "What happened to them"
    shares = [
        None if isinstance(n, Hidden) or isinstance(total, Hidden) else n / total
        for n in counts.values()
    ]
    table = pd.DataFrame(
        {"State": list(counts), "Patients": list(counts.values()), "Share": shares}
    )
    shown = pd.DataFrame(
        [(row["label"], f"{row['n']:,}", row["note"]) for row in bars.rows],
        columns=["", "Patients", "Share"],
    )
    told = [
        f"{n} of {total} {state}"
        for state, n in counts.items()
        if state in ("relapsed", "died in remission")
    ]
    return Exhibit(
        key="disposition",
        page=PAGE,
        title=title,
        message=parts.short(", ".join(told)),
        provenance=_provenance(cohort, _COUNTED),
        spec=bars.chart,
        alt=bars.alt,
        tables={title: parts.typed(table)},
        shown={title: shown},
        methods=_small(cohort),
        code=script(
            cohort,
            {"data.queries": ["disposition"]},
            "# The last known state; of those in first remission also what they received.",
            "numbers = disposition(snapshot, cohort, variables)",
        ),
    )


def table_one(cohort: Cohort) -> Exhibit | None:
    """Return Table 1 by the grouping of the page."""
    by = overview_view.grouping(cohort)
    name = by.name if by else None
    result = overview_view.characteristics(cohort, by)
    if result.rows.empty:
        return None
    title = overview_view.table_title(by)
    made = {"Characteristics": _rows(cohort, result, name), "Tests": _tests(cohort, result)}
    n, groups = access.size(cohort.snapshot, cohort.filter), [g for g in result.sizes if g]
    message = f"Characteristics of {wording.count(n, 'patient')}"
    if by is not None and len(groups) > 1:
        small = [p for p in result.tests["p_value"] if p == p]
        least = wording.p_value(min(small)) if small else ""
        message += f" in {len(groups)} groups"
        rows = wording.count(len(small), "comparison")
        least = f"{rows}, not adjusted, the smallest {least}" if least else ""
        message = f"{message}; {least}" if least else message
    methods = _methods(cohort, result)
    ends = "quartiles" if minimum_of(cohort.snapshot) else "range"
    method = f"median ({ends}), count/known (percent)"
    if len(groups) > 1:
        method += "; Wilcoxon rank-sum or Kruskal–Wallis, Fisher’s exact test, P not adjusted"
    return Exhibit(
        key="table_one",
        page=PAGE,
        title=title,
        message=parts.short(message),
        provenance=_provenance(cohort, method),
        tables={name: each for name, each in made.items() if len(each)},
        shown={title: tables.table_one(result, cohort.variables, name)},
        methods=methods,
        code=_table_code(cohort, name),
    )


def missing_data(cohort: Cohort) -> Exhibit | None:
    """Return how many patients have no value, per variable and group."""
    by = overview_view.grouping(cohort)
    found = overview_view.gaps(cohort, by)
    if not found.labels:
        return None
    names = {group.level: group.label for group in found.groups}
    counts = found.counts[found.counts["group"].isin(list(names))]
    labelled = counts.assign(
        label=[cohort.variables[name].label for name in counts["variable"]],
        group=[names[group] for group in counts["group"]],
    )
    columns = {"label": "Variable", "group": "Group", "n": "Patients", "known": "Known",
               "missing": "Missing"}  # fmt: skip
    wide = pd.DataFrame(
        [
            [label, *(f"{_missing(found.counts, name, group)}" for group in names)]
            for name, label in found.labels
        ],
        columns=["", *(group.short for group in found.groups)],
    )
    (name, label), *_ = found.labels
    most = _missing(found.counts, name, "")
    title = "Missing data" + (f" by {wording.inside(by.label)}" if by and len(names) > 1 else "")
    return Exhibit(
        key="missing_data",
        page=PAGE,
        title=title,
        message=parts.short(
            f"{wording.count(len(found.labels), 'variable')} with missing values",
            f"most often {wording.inside(label)}: {most} of "
            f"{wording.count(access.size(cohort.snapshot, cohort.filter), 'patient')}",
        ),
        provenance=_provenance(cohort, "no value, unknown or not assessed"),
        spec=found.chart,
        alt=found.alt,
        tables={"Missing data": parts.typed(labelled, names=columns)},
        shown={title: wide},
        methods=_small(cohort),
        code=script(
            cohort,
            {"data.queries": ["subjects"]},
            "rows = subjects(snapshot, cohort, variables)",
            f"columns = rows[{[n for n, _ in found.labels]!r}]",
            'no_value = ["unknown", "not assessed", "not known"]',
            "numbers = (columns.isna() | columns.isin(no_value)).sum()",
        ),
    )


def _missing(counts: pd.DataFrame, name: str, group: str) -> object:
    at = counts[(counts["variable"] == name) & (counts["group"] == group)]
    return at["missing"].iloc[0] if len(at) else ""


def _provenance(cohort: Cohort, method: str) -> Provenance:
    said = parts.counts(cohort, cohort.endpoint())
    return parts.provenance(cohort, PAGE, counts=said, method=method)


def _small(cohort: Cohort) -> tuple[str, ...]:
    return ("small_numbers",) if minimum_of(cohort.snapshot) else ()


def _methods(cohort: Cohort, result: Characteristics) -> tuple[str, ...]:
    tests = set(result.tests["test"]) if len(result.tests) else set()
    used = {
        "wilcoxon": WILCOXON in tests,
        "kruskal": KRUSKAL in tests,
        "fisher": FISHER in tests,
        "standardised_difference": bool(len(result.tests))
        and bool(result.tests["smd"].notna().any()),
    }
    return (*(name for name, is_used in used.items() if is_used), *_small(cohort))


def _rows(cohort: Cohort, result: Characteristics, by: str | None) -> pd.DataFrame:
    grouping = cohort.variables[by] if by else None
    rows = result.rows
    variables = [cohort.variables[name] for name in rows["variable"]]
    levels = [
        None
        if v.kind != "category" or level is None or level != level
        else v.level(str(level)).name
        for v, level in zip(variables, rows["level"], strict=True)
    ]
    groups = [
        grouping.level(str(group)).name if grouping and group != "" else "All patients"
        for group in rows["group"]
    ]
    labels = [v.label for v in variables]
    table = rows.assign(variable=labels, level=levels, group=groups)
    names = {
        "variable": "Characteristic", "level": "Level", "group": "Group", "n": "Known",
        "missing": "Missing", "count": "Patients", "median": "Median", "q1": "Lower quartile",
        "q3": "Upper quartile", "minimum": "Minimum", "maximum": "Maximum",
    }  # fmt: skip
    if minimum_of(cohort.snapshot):
        names = {k: v for k, v in names.items() if k not in ("minimum", "maximum")}
    return parts.typed(table, names=names)


def _tests(cohort: Cohort, result: Characteristics) -> pd.DataFrame:
    labels = [cohort.variables[name].label for name in result.tests["variable"]]
    table = result.tests.assign(variable=labels)
    names = {"variable": "Characteristic", "test": "Test", "p_value": "P", "smd": "SMD"}
    return parts.typed(table, names=names)


def _table_code(cohort: Cohort, by: str | None) -> str:
    kinds = dict(overview_view.table_rows(cohort, by))
    body = ["rows = subjects(snapshot, cohort, variables)"]
    if booleans := [name for name, kind in kinds.items() if kind == "boolean"]:
        body.append(f'rows[{booleans!r}] = rows[{booleans!r}].astype("boolean")')
    if by is not None:
        if cohort.variables[by].kind == "boolean":
            body.append(f'rows["{by}"] = rows["{by}"].map({{True: "yes", False: "no"}})')
        body.append(f'rows = rows[rows["{by}"].notna() & (rows["{by}"] != {MISSING!r})]')
    body += [f"kinds = {kinds!r}", f"numbers = table_one(rows, variables=kinds, by={by!r})"]
    imports = {"analytics.summary": ["table_one"], "data.queries": ["subjects"]}
    return script(cohort, imports, *body)
