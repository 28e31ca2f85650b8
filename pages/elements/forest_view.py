"""The forest of one comparison in every subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from data.variables import Variable
from pages.elements import access, comparison_view, frame, tables, takeaway, wording
from pages.elements.answers.subgroups import MOST_LEVELS, ForestRows
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE
from pages.elements.charts.subgroups import subgroup_forest
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView


def draw(cohort: Cohort, view: SurvivalView) -> None:
    """Draw the forest of one comparison."""
    by = comparison_view.grouping(cohort, view, "A forest")
    if by is None:
        return
    against = comparison_view.against(cohort, by)
    found = answer(cohort, view, by)
    if found is None:
        comparison_view.no_two_groups(by)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(title(found), anchor=False, width="stretch")
        comparison_view.pick(found.comparison, against)
    rows, blank = forest_rows(found)
    n = sum(row["kind"] == "row" for row in rows)
    for row in rows:
        looks = frame.comparison_number(
            cohort, "subgroup", view.endpoint.code, by.name, found.comparison.compared.value,
            view.landmark_days, row.get("variable"), row["label"],
        )  # fmt: skip
    frame.guard(
        "Exploratory",
        f"{wording.count(n, 'subgroup')} compared, none adjusted: read the interaction P before any "
        f"single ratio, and expect one in 20 below 0.05 by chance. Comparison {looks} of this session.",
    )
    _later(cohort, view, found.later)
    st.vega_lite_chart(
        chart(by, found, rows), theme=None, width="stretch", key="subgroup_forest",
        alt=forest_alt(found, rows),
    )  # fmt: skip
    takeaway.menu(cohort, "subgroup_forest")
    _forest_notes(cohort, view, found, blank)


def answer(cohort: Cohort, view: SurvivalView, by: Variable) -> ForestRows | None:
    """Return the comparison in every subgroup; None without two groups."""
    return access.subgroups(
        cohort.snapshot, cohort.filter, endpoint=view.endpoint.code, by=by.name,
        against=comparison_view.against(cohort, by), landmark_days=view.landmark_days,
    )  # fmt: skip


def title(found: ForestRows) -> str:
    """Return what the forest shows, safe to show."""
    return f"Hazard ratio of {comparison_view.names(found.comparison)}, by subgroup"


def chart(by: Variable, found: ForestRows, rows: Sequence[dict[str, object]]) -> dict[str, Any]:
    """Return the forest."""
    looked = tables.looks(by)
    pair = (found.comparison.reference, found.comparison.compared)
    return subgroup_forest(rows, groups=[(level.name, looked[level.value]) for level in pair])


def forest_rows(found: ForestRows) -> tuple[list[dict[str, object]], list[str]]:
    """Return the rows of the forest, and the variables without any ratio, which are not drawn."""
    every = found.subgroups.rows
    rows: list[dict[str, object]] = [_row("all", "All patients", every.iloc[0].to_dict())]
    blank = []
    for test in found.subgroups.interactions.to_dict("records"):
        mine = every[every["variable"] == test["variable"]]
        if mine["hazard_ratio"].isna().all():
            blank.append(found.heads[test["variable"]])
            continue
        missing = f" ({test['n_missing']} not known)" if test["n_missing"] else ""
        head = f"{found.heads[test['variable']]}{missing}"
        rows.append({"kind": "head", "label": head, "p": wording.p_number(test["p_value"])})
        for line in mine.to_dict("records"):
            name = found.levels[line["variable"], str(line["level"])]
            rows.append({**_row("row", name, line), "variable": line["variable"]})
    return rows, blank


def _row(kind: str, label: str, line: Mapping[str, object]) -> dict[str, object]:
    limits = (line["hazard_ratio"], line["low"], line["high"])
    return {
        "kind": kind,
        "label": label,
        "n": line["n"],
        "n_event": line["n_event"],
        "first": f"{line['n_event_1']}/{line['n_1']}",
        "second": f"{line['n_event_2']}/{line['n_2']}",
        **dict(zip(("value", "low", "high"), limits, strict=True)),
        "text": wording.ratio_cell(*limits),
    }


def forest_alt(found: ForestRows, rows: Sequence[Mapping[str, object]]) -> str:
    """Return the forest in words."""
    n = sum(row["kind"] == "row" for row in rows)
    told = [row for row in rows if row["kind"] == "row" and row["value"] == row["value"]]
    text = f"Hazard ratio of {comparison_view.names(found.comparison)}: {rows[0]['text']} in all patients"
    if not told:
        return f"{text}; none can be estimated in {n} subgroups."
    least, most = (pick(told, key=lambda row: row["value"]) for pick in (min, max))
    return (
        f"{text}; in {n} subgroups from {least['text']} ({least['label']}) to {most['text']} "
        f"({most['label']})."
    )


def _forest_notes(
    cohort: Cohort, view: SurvivalView, found: ForestRows, blank: Sequence[str]
) -> None:
    """Say how the forest was made, and what is not in it."""
    parts = []
    if found.small:
        few = (
            f"{found.heads[name]}: {found.levels[name, level]} ({n})"
            for name, level, n in found.small
        )
        parts.append(f"fewer than {FEWEST_FOR_A_CURVE} patients: {'; '.join(few)}")
    if blank:
        parts.append(f"no ratio in any of its groups: {wording.listed(blank)}")
    if found.crowded:
        crowded = wording.listed(v.label for v in found.crowded)
        parts.append(f"more than {MOST_LEVELS} levels: {crowded}")
    if found.single:
        parts.append(f"one level only: {wording.listed(v.label for v in found.single)}")
    if parts:
        comparison_view.small(f"Not drawn, {wording.escape('; '.join(parts))}.")
    cause = " Cause-specific: the competing event censors." if view.endpoint.competing else ""
    comparison_view.small(
        "Counts beside a row (on a wide screen): events/patients. A Cox model in each subgroup, Efron "
        "ties, Wald 95% CI; numbers are split at the median of these patients. Larger squares hold more "
        "events; a triangle says that the interval goes on; the dotted line is the ratio of all "
        "patients. Interaction P, in the line of each variable: likelihood ratio test of equal "
        f"ratios.{cause}"
    )


def _later(cohort: Cohort, view: SurvivalView, later: Sequence[Variable]) -> None:
    """Say what is left out because it is known only later, and offer a landmark."""
    if not later:
        return
    names = wording.escape(wording.listed(v.label for v in later))
    sentence = f"{names}: known only after time starts."
    comparison_view.guard_late(cohort, view, "Left out", sentence, later)
