"""The exhibits of the Evidence page: printed figures beside the cohort's, and the regimens of a review."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from data import published
from data.store import SnapshotError
from pages.elements import evidence, evidence_view, tables, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.evidence import Comparison
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import script
from pages.elements.exports.exhibit import Exhibit, Provenance
from pages.elements.frame import Cohort

PAGE = "Evidence"
_CELLS = {
    "label": "Group", "note": "Patients", "value": "Cohort", "low": "Low", "high": "High",
    "printed": "Printed", "printed_low": "Printed, low", "printed_high": "Printed, high",
}  # fmt: skip
_PUBLISHED = "from data.published import tables\n\nnumbers = tables()\n"


def figure_by_figure(cohort: Cohort) -> Exhibit | None:
    """Return the printed figures of a publication beside those of its cohort."""
    part = evidence_view.part(cohort)
    if not evidence_view.is_publication(part):
        return None
    try:
        found = evidence_view.comparisons(cohort, part)
    except SnapshotError:
        return None
    if not found:
        return None
    shown = evidence_view.shown(cohort, part)
    reproduced = sum(c.verdict == evidence.REPRODUCED for c in found)
    title = evidence_view.TITLES[part]
    spec = evidence_view.forest(found, part)
    synthetic = (
        "the cohort was built to agree, this is no evidence" if shown.study.synthetic else ""
    )
    return Exhibit(
        key="evidence_forest",
        page=PAGE,
        title=title,
        message=parts.short(
            f"{reproduced} of {len(found)} printed figures are reproduced", synthetic
        ),
        provenance=_provenance(cohort, shown, evidence_view.METHOD),
        spec=spec,
        alt=f"{title}: {evidence_view.forest_axis(part)}" if spec else "",
        tables={"Figures": _figures(found)},
        shown={title: _without_links(evidence_view.lines(found))},
        methods=("kaplan_meier", "median", "clopper_pearson", *_small(shown)),
        code=script(
            shown,
            {"pages.elements.evidence": ["compare", "figures"]},
            f"found = [compare(snapshot, variables, each) for each in figures({found[0].figure.study!r})",
            f"         if each.table in {sorted({c.figure.table for c in found})!r}]",
            "numbers = [(each.figure.measure, each.computed, each.verdict) for each in found]",
        ),
    )


def _provenance(cohort: Cohort, shown: Cohort, method: str) -> Provenance:
    said = parts.counts(shown, shown.endpoint())
    made = parts.provenance(shown, PAGE, counts=said, method=method, rule=True)
    # The link shows the page as it was, the numbers are those of the cohort that is shown.
    return parts.linked(made, parts.address(cohort, PAGE))


def _small(cohort: Cohort) -> tuple[str, ...]:
    return ("small_numbers",) if minimum_of(cohort.snapshot) else ()


def _figures(found: Sequence[Comparison]) -> pd.DataFrame:
    rows = [
        (
            c.figure.place, c.figure.population, c.figure.measure, c.figure.printed, c.computed,
            c.value, c.low, c.high, c.difference, c.verdict, c.reason,
        )
        for c in found
    ]  # fmt: skip
    columns = [
        "Where", "Patients", "Figure", "Printed", "Cohort", "Percent", "Low", "High", "Difference",
        "Verdict", "Reason",
    ]  # fmt: skip
    table = parts.typed(pd.DataFrame(rows, columns=columns))
    return table.astype({"Cohort": "object"})


def _without_links(table: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the page with the places of the figures as texts: a file has no page."""
    first = table.columns[0]
    places = table[first].str.replace(r"^\[(.*)\]\([^)]*\)$", r"\1", regex=True)
    return table.assign(**{first: places})


def beside(key: str) -> Callable[[Cohort], Exhibit | None]:
    """Return what builds one of the figures of the own cohort among printed ones."""

    def build(cohort: Cohort) -> Exhibit | None:
        found = next((each for each in evidence_view.beside(cohort) if each.key == key), None)
        if found is None or not found.printed:
            return None
        table = pd.DataFrame(
            [{**row, "Source": source} for source, rows in
             (("This cohort", found.own), ("As published", found.printed)) for row in rows]
        )  # fmt: skip
        typed = parts.typed(table, names={"Source": "Source", **_CELLS})
        shown = pd.DataFrame(
            [[row["label"], str(row["note"]), _cell(row)] for row in (*found.own, *found.printed)],
            columns=["", "Patients", "% (95% CI)"],
        )
        own = [f"{row['label']} {row['text']}" for row in found.own]
        message = (
            f"{own[0]}, beside {wording.count(len(found.printed), 'published figure')}"
            if own
            else (f"{wording.count(len(found.printed), 'published figure')}")
        )
        return Exhibit(
            key=key,
            page=PAGE,
            title=f"{found.title}: this cohort among published ones",
            message=parts.short(message, "an orientation, not a comparison"),
            provenance=_provenance(cohort, cohort, evidence_view.METHOD),
            spec=found.chart,
            alt=found.title,
            tables={found.title: typed},
            shown={found.title: shown},
            methods=("kaplan_meier", "clopper_pearson", *_small(cohort)),
            code=_beside_code(cohort, key) if found.own else _PUBLISHED,
        )

    return build


def _cell(row: dict[str, object]) -> str:
    if row["text"]:
        return str(row["text"])
    low, high = row["printed_low"], row["printed_high"]
    limits = "" if low is None or high is None else f" ({low:g}–{high:g})"
    return "" if row["printed"] is None else f"{row['printed']:g}%{limits}"


def _beside_code(cohort: Cohort, key: str) -> str:
    if key == "evidence_beside":
        return script(
            cohort,
            {"analytics.mrd": ["negativity_rates"], "data.queries": ["mrd_by_timepoint"]},
            "numbers = negativity_rates(mrd_by_timepoint(snapshot, cohort, variables))",
        )
    endpoint = key.removeprefix("evidence_beside_").upper()
    return script(
        cohort,
        {"analytics.survival": ["kaplan_meier"], "data.queries": ["events"]},
        f"table = events(snapshot, cohort, variables, endpoint={endpoint!r})",
        "numbers = kaplan_meier(table).at([730])",
    )


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def regimens(cohort: Cohort) -> Exhibit | None:
    """Return the regimens of the review."""
    rows, spec = evidence_view.regimens()
    title = evidence_view.TITLES["regimens"]
    table = evidence_view.regimen_table(rows)
    drawn = len(spec["datasets"]["dots"])
    heads = tables.REGIMEN_COLUMNS
    source = published.PUBLICATIONS["jabbour2023"]
    made = _provenance(cohort, cohort, "as printed in the review, horizons from 1 to 6 years")
    named = table.rename(columns=dict(heads))
    return Exhibit(
        key="regimens",
        page=PAGE,
        title=title,
        message=parts.short(
            f"{drawn} of {len(rows)} regimens print both MRD negativity and overall survival",
            "heights at different horizons do not compare",
        ),
        provenance=parts.cited(made, f"published: {source['citation']}"),
        spec=spec,
        alt=title,
        tables={"Regimens": parts.typed(named)},
        shown={title: named.map(_text)},
        methods=(),
        code="\n".join(
            (
                "from pandas import to_numeric",
                "",
                "from data.published import tables",
                "",
                'numbers = tables()["regimens"]',
                f"columns = {sorted(tables.REGIMEN_NUMBERS)!r}",
                "numbers[columns] = numbers[columns].apply(to_numeric)",
                "",
            )
        ),
    )
