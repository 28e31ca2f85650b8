"""What all exhibits are made of: provenance, typed tables, series of a drawn chart, short sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from analytics.suppression import Count, Hidden
from data.cohort import CohortFilter
from data.endpoints import Endpoint
from data.variables import Variable
from pages.elements import access, frame, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.caveats import Caveat
from pages.elements.charts.theme import Group
from pages.elements.exports.document import plain_text
from pages.elements.exports.exhibit import Provenance, Series
from pages.elements.frame import Cohort

_COUNTED = re.compile(r"(Patients|patients|Events|events|At risk|Known|Missing|Day|day)$")
"""Columns that hold whole numbers, where their values are."""

LONGEST = 230
"""Characters of a message: two lines of a slide."""


def provenance(
    cohort: Cohort,
    page: str,
    *,
    counts: str,
    method: str,
    rule: bool = False,
    caveats: Iterable[Caveat] = (),
) -> Provenance:
    """Return where the numbers of an exhibit come from.

    Parameters
    ----------
    page : str
        A key of `frame.PAGES`.
    counts : str
        As `counts` returns them.
    method : str
        In words.
    rule : bool
        Whether the MRD rule plays a part.
    caveats : iterable of Caveat
        What the page warns of.
    """
    study = cohort.study
    return Provenance(
        study=_one_line(study.name),
        snapshot=cohort.snapshot.hash,
        cohort=_one_line(_selection(cohort)),
        counts=counts,
        method=_with_minimum(cohort, method),
        version=frame.VERSION,
        link=address(cohort, page),
        # Another rule than the study's own stands with the selection already.
        rule="MRD by the rule of the study" if rule and not cohort.filter.rule else "",
        cutoff=study.data_cutoff or "",
        citation=_one_line(study.citation),
        caveats=tuple(_one_line(str(caveat)) for caveat in caveats),
    )


def linked(source: Provenance, link: str) -> Provenance:
    """Return a provenance whose link shows another view."""
    return replace(source, link=link)


def cited(source: Provenance, citation: str) -> Provenance:
    """Return a provenance of what is printed, and not computed from the study."""
    return replace(source, cohort="", counts="", rule="", citation=citation)


def _selection(cohort: Cohort) -> str:
    words = [cohort.filter.describe(cohort.variables)]
    compared = cohort.snapshot.compared if cohort.view.grouped_by_cohorts else None
    for name, saved in (("A", compared.a), ("B", compared.b)) if compared else ():
        words.append(f"{name}: {saved.describe(cohort.variables)}")
    return " · ".join(words)


def _with_minimum(cohort: Cohort, method: str) -> str:
    k = minimum_of(cohort.snapshot)
    return f"{method}; counts under {k} are not shown" if k else method


def _one_line(text: str) -> str:
    return " ".join(text.split())


def address(cohort: Cohort, page: str) -> str:
    """Return page and query that show a view again, on the same snapshot."""
    file = frame.PAGES[page].removeprefix("pages/").removesuffix(".py")
    query = replace(cohort.view.without_talk(), snapshot=cohort.snapshot.hash).to_query()
    return f"{'' if file == 'app' else file}?{urlencode(query, doseq=True)}"


def counts(cohort: Cohort, endpoint: Endpoint | None = None) -> str:
    """Return patients and events of a cohort as the line under a title says them."""
    said = [_patients(cohort)]
    if endpoint and not access.derivability(cohort.snapshot)[endpoint.code].refused_because:
        events = access.followed(cohort.snapshot, cohort.filter, endpoint.code).n_event
        said.append(wording.count(events, "event"))
    return ", ".join(said)


def counts_inside(cohort: Cohort, where: str, n: Count, n_event: Count) -> str:
    """Return patients of a cohort, and patients and events of the figure where these are others.

    Parameters
    ----------
    where : str
        Where they are: 'in the curves'.
    n, n_event : Count
        Of the figure.
    """
    patients, events = _patients(cohort), wording.count(n_event, "event")
    if f"{n}" == f"{access.size(cohort.snapshot, cohort.filter)}":
        return f"{patients}, {events}"
    return f"{patients} · {where} {wording.count(n, 'patient')}, {events}"


def _patients(cohort: Cohort) -> str:
    n, total = (access.size(cohort.snapshot, each) for each in (cohort.filter, CohortFilter()))
    return f"{n:,} of {wording.count(total, 'patient')}"


def typed(table: pd.DataFrame, *, names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return a table with hidden counts as missing, every column of one type, under plain names.

    Parameters
    ----------
    names : mapping of str to str, optional
        The columns to keep, in order, and what they are called; all of them by default.
    """
    kept = table[list(names)].rename(columns=dict(names)) if names else table
    shown = kept.reset_index(drop=True).copy()
    for column in shown:
        if shown[column].dtype == object:
            cells = [None if isinstance(v, Hidden) else v for v in shown[column]]
            shown[column] = pd.Series(cells, shown.index, dtype="object").infer_objects()
        if isinstance(shown[column].dtype, pd.CategoricalDtype):
            shown[column] = shown[column].astype("object")
        if shown[column].dtype == object:
            shown[column] = _of_one_type(shown[column])
        if shown[column].dtype == "float64" and _COUNTED.search(str(column)):
            shown[column] = _whole(shown[column])
    return shown


_MEANINGS: Mapping[str, tuple[str, str]] = {
    "Group": ("Group of patients", ""),
    "Milestone": ("Time at which a rate is given", ""),
    "Day": ("Days from the origin of time", "days"),
    "Last day": ("Last follow-up of the group", "days"),
    "Median, days": (
        "Time by which half of the group had the event; empty where not reached",
        "days",
    ),
    "At risk": ("Patients still followed without the event, just before the day", "patients"),
    "Events": ("Patients with the event; up to the day, where there is one", "patients"),
    "Censored": ("Patients last seen on the day without the event", "patients"),
    "Survival": ("Share without the event", "fraction"),
    "Incidence": ("Share with the event", "fraction"),
    "Rate": ("Share of those evaluable", "fraction"),
    "Value": ("Estimate", ""),
    "Hazard ratio": ("Above 1: more events than in the group compared with", ""),
    "Low": ("Lower limit of the 95% interval", "as the estimate"),
    "High": ("Upper limit of the 95% interval", "as the estimate"),
    "P": ("P value, two-sided", ""),
    "P, Holm": ("P value adjusted after Holm", ""),
    "P, Fisher": ("P value of Fisher’s exact test, two-sided", ""),
    "SMD": ("Largest standardised difference between two groups", ""),
    "Known": ("Patients with a value", "patients"),
    "Missing": ("Patients without a value", "patients"),
    "Patients": ("Number of patients", "patients"),
    "Negative": ("MRD-negative patients", "patients"),
    "Evaluable": ("Patients counted in the denominator", "patients"),
}


def meanings(tables: Iterable[pd.DataFrame]) -> list[tuple[str, str, str, str]]:
    """Return what the columns of tables mean: column, meaning, unit, levels."""
    columns = dict.fromkeys(str(column) for table in tables for column in table)
    return [(name, *_MEANINGS[name], "") for name in columns if name in _MEANINGS]


def _whole(column: pd.Series) -> pd.Series:
    """Return counts that came as decimals, since some are missing, as whole numbers."""
    known = column.dropna()
    return column.astype("Int64") if len(known) and (known % 1 == 0).all() else column


def _of_one_type(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if len(known) and all(isinstance(v, (int, float, np.number)) for v in known):
        numbers = pd.to_numeric(column, errors="raise")
        whole = all(float(v).is_integer() for v in known)
        return numbers.astype("Int64") if whole else numbers.astype("float64")
    texts = column.where(column.notna(), None)
    return texts.map(lambda v: v if v is None else str(v))


def called(column: Iterable[object], variable: Variable) -> list[str]:
    """Return levels by their names."""
    return [variable.level(str(value)).name for value in column]


def plain(text: str) -> str:
    """Return a text of the screen as it is read: without Markdown and on one line."""
    return plain_text(text.replace("\u2060", ""))


def short(*parts: str, most: int = LONGEST) -> str:
    """Join the parts of a sentence with semicolons, as many as fit; a capital first."""
    said = ""
    for part in filter(None, parts):
        longer = f"{said}; {part}" if said else part
        if said and len(longer) >= most:
            break
        said = longer
    said = said if len(said) < most else f"{said[: most - 2].rstrip()}…"
    return said[:1].upper() + said[1:] + ("" if said.endswith(("…", ".")) or not said else ".")


def tested(p: float | None, name: str) -> str:
    """Return a test as a part of a sentence: its P value and, where it is large, what it does not show."""
    if not (text := wording.p_value(p)):
        return ""
    assert p is not None
    return f"{name} {text}" + ("" if p < 0.05 else ": no difference shown")


def drawn_series(
    datasets: Mapping[str, Sequence[Mapping[str, Any]]],
    groups: Sequence[Group],
    censored: Sequence[Mapping[float, int]],
    counted: Sequence[tuple[str, ...]],
) -> tuple[Series, ...]:
    """Return the curves that a chart draws, one series a group.

    Parameters
    ----------
    datasets : mapping
        Of the chart: steps (g, t, s, lo, hi) and ticks (g, t, s).
    censored : sequence of mapping of float to int
        For each group how many were last seen at a place of the axis; no entry is one.
    counted : sequence of tuple of str
        For each group the texts under the ticks.
    """
    return tuple(
        Series(
            name=group.label,
            short=group.short,
            style=group.style,
            points=_points(datasets, f"v{i}", censored[i]),
            counts=counted[i],
        )
        for i, group in enumerate(groups)
    )


def _points(
    datasets: Mapping[str, Sequence[Mapping[str, Any]]], alias: str, censored: Mapping[float, int]
) -> pd.DataFrame:
    steps = [row for row in datasets["steps"] if row["g"] == alias]
    marks = {float(row["t"]) for row in datasets["ticks"] if row["g"] == alias}
    drawn = {
        "time": [float(row["t"]) for row in steps],
        "value": [row["s"] for row in steps],
        "low": [row.get("lo", np.nan) for row in steps],
        "high": [row.get("hi", np.nan) for row in steps],
    }
    # A time with a fall and the end of the line at once is one row, the last of both.
    points = pd.DataFrame(drawn, dtype="float64").drop_duplicates("time", keep="last")
    points = points.set_index("time")
    every = sorted({*points.index, *marks})
    points = points.reindex(every)
    between = points["value"].isna()
    points = points.where(~between, points.ffill())
    at_risk = {time: censored.get(time, 1) for time in marks}
    points["n_censored"] = [int(at_risk.get(time, 0)) for time in every]
    return points.rename_axis("time").reset_index()
