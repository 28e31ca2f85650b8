"""Who is in a cohort, what became of them, and what is known of each."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.summary import Kind, TableOne, table_one
from analytics.suppression import Count, Hidden, concealed, is_small, levels
from data import queries
from data.cohort import CohortFilter
from data.queries import Patient
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Level, Variable
from pages.elements import wording
from pages.elements.answers.small_cells import minimum_of

_NOT_KNOWN = frozenset({"unknown", "not assessed", "not known"})
"""Levels that say that there is no value."""


def disposition(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary
) -> dict[str, Count]:
    """Return how many patients are in each final state; those in remission by what they received.

    Every patient counts once, so the numbers add up to the cohort.
    """
    rows = queries.disposition(snapshot, cohort, variables)
    counts = dict.fromkeys(
        ("in first remission", "in remission after alloSCT", "in remission after CAR T cells", "relapsed",
         "died in remission"), 0,
    )  # fmt: skip
    for row in rows.itertuples(index=False):
        state = str(row.disposition)
        if state == "in first remission" and row.allosct:
            state = "in remission after alloSCT"
        elif state == "in first remission" and row.car_t:
            state = "in remission after CAR T cells"
        counts[state] = counts.get(state, 0) + int(row.n)
    # With relapse-free survival its events are the relapses and these deaths, and their sum is known.
    parts = ("relapsed", "died in remission")
    cells: dict[Hashable, int] = {**counts, "all": sum(counts.values())}
    cells["events"] = sum(counts[part] for part in parts)
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [("all", [*counts]), ("events", parts)]
    shown = concealed(cells, sums, minimum_of(snapshot), {"all", "events"})
    return {state: shown[state] for state in counts}


@dataclass(frozen=True, eq=False)
class Characteristics:
    """Table 1 of a cohort.

    Attributes
    ----------
    rows, tests : pandas.DataFrame
        As of `analytics.summary.TableOne`.
    sizes : dict of str to (int or Hidden)
        Patients of each group; '' is all.
    withheld : tuple of Level
        Groups that a small-cell minimum keeps out.
    """

    rows: pd.DataFrame
    tests: pd.DataFrame
    sizes: Mapping[str, Count]
    withheld: tuple[Level, ...] = ()


def characteristics(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    rows: Mapping[str, Kind],
    by: str | None,
) -> Characteristics:
    """Return Table 1 of a cohort; a patient without a level of `by` is in no group's column."""
    minimum = minimum_of(snapshot)
    counts = {name: queries.values(snapshot, cohort, variables, name, by) for name in rows}
    if by is None:
        found = _described(counts, rows)
        n = queries.size(snapshot, cohort, variables)
        shown = _shown_rows(found.rows, minimum) if minimum else found.rows
        return Characteristics(shown, found.tests, {"": n})
    of = queries.combinations(snapshot, cohort, variables, (by,))
    sizes = {str(v): int(n) for v, n in zip(of[by], of[queries.N], strict=True)}
    if minimum:
        return _shown_groups(counts, sizes, variables[by], rows, minimum)
    groups = [level.value for level in variables[by].levels if level.value in sizes]
    found = _described(counts, rows, by, groups)
    inside = {group: sizes[group] for group in groups}
    return Characteristics(found.rows, found.tests, {"": sum(inside.values()), **inside})


def _described(
    counts: Mapping[str, pd.DataFrame],
    rows: Mapping[str, Kind],
    by: str | None = None,
    groups: Sequence[str] | None = None,
) -> TableOne:
    """Return Table 1 of patients counted by value, of some groups only if wanted.

    Each variable is described by itself, so that it needs one column at a time.
    """
    tables = []
    for name, kind in rows.items():
        one = counts[name]
        one = one if groups is None else one[one["_group"].isin(groups)]
        n = one[queries.N].to_numpy()
        frame = pd.DataFrame({name: _repeated(one["value"], n, kind)})
        if by is not None:
            levels = pd.Categorical(one["_group"], groups, ordered=True)
            frame[by] = pd.Categorical.from_codes(levels.codes.repeat(n), dtype=levels.dtype)
        tables.append(table_one(frame, variables={name: kind}, by=by))
    empty = table_one(pd.DataFrame({by: []} if by else {}), variables={}, by=by)
    return TableOne(
        *(
            pd.concat(parts, ignore_index=True) if tables else none
            for parts, none in (
                ([t.rows for t in tables], empty.rows), ([t.tests for t in tables], empty.tests),
            )
        )
    )  # fmt: skip


def _repeated(values: pd.Series, n: npt.NDArray[np.int64], kind: Kind) -> Any:
    """Return each value as often as there are patients with it."""
    if kind == "number":
        return values.to_numpy(dtype=np.float64, na_value=np.nan).repeat(n)
    if kind == "boolean":
        return values.astype("boolean").repeat(n).array
    found = pd.Categorical(values)
    return pd.Categorical.from_codes(found.codes.repeat(n), dtype=found.dtype)


def _shown_groups(
    counts: Mapping[str, pd.DataFrame],
    everybody: Mapping[str, int],
    variable: Variable,
    rows: Mapping[str, Kind],
    minimum: int,
) -> Characteristics:
    """Return Table 1 by the groups that may be shown, and of all patients.

    Where few have no group they are among all patients: the difference would tell how many.
    """
    by = variable.name
    sizes = {value: n for value, n in everybody.items() if value != MISSING}
    absent = everybody.get(MISSING, 0)
    shown = levels({**sizes, MISSING: absent}, minimum)
    inside = [*sizes] if not is_small(absent, minimum) else [*everybody]
    n = sum(everybody[value] for value in inside)
    groups = [v.value for v in variable.levels
              if v.value in sizes and not isinstance(shown[v.value], Hidden)]  # fmt: skip
    whole = _described(counts, rows, None, inside)
    withheld = tuple(v for v in variable.levels if v.value in sizes and v.value not in groups)
    if not groups:
        return Characteristics(_shown_rows(whole.rows, minimum), whole.tests, {"": n}, withheld)
    split = _described(counts, rows, by, groups)
    table = pd.concat([whole.rows, split.rows[split.rows["group"] != ""]], ignore_index=True)
    found = _shown_rows(table, minimum)
    counted = found[found["count"].notna() | found["median"].notna()]
    secret = found[["n", "missing", "count"]].map(lambda n: isinstance(n, Hidden)).any(axis=1)
    # With its margins known, a P value is as good as the counts that it rests on.
    told = {name for name in counted["variable"] if name not in set(found.loc[secret, "variable"])}
    tests = split.tests.copy()
    tests.loc[~tests["variable"].isin(told), ["p_value", "smd"]] = float("nan")
    return Characteristics(found, tests, {"": n, **{v: sizes[v] for v in groups}}, withheld)


def _shown_rows(rows: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Return the rows of Table 1 without small counts, and with quartiles in place of single patients."""
    parts = [_shown_variable(mine, minimum) for _, mine in rows.groupby("variable", sort=False)]
    if not parts:
        return rows
    return pd.concat(parts).assign(minimum=float("nan"), maximum=float("nan"))


def _shown_variable(mine: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Hide counts of one variable: its levels and the missing, by group, with the sums of both."""
    mine = mine.copy()
    groups = list(dict.fromkeys(mine["group"]))
    counts: dict[str, dict[object, int]] = {}
    for group in groups:
        here = mine[mine["group"] == group]
        n, absent = int(here["n"].iloc[0]), int(here["missing"].iloc[0])
        found: dict[object, int] = {
            ("level", level): int(k)
            for level, k in zip(here["level"], here["count"].fillna(0), strict=True)
        }
        found["others"] = n - sum(found.values())
        counts[group] = {**found, "missing": absent, "n": n}
    shown = _nested(counts, minimum)
    for group in groups:
        at = mine["group"] == group
        values = [shown[group, ("level", level)] for level in mine.loc[at, "level"]]
        has_count = mine.loc[at, "count"].notna()
        for column, cells in (
            ("count", [v if ok else float("nan") for v, ok in zip(values, has_count, strict=True)]),
            ("n", [shown[group, "n"]] * int(at.sum())),
            ("missing", [shown[group, "missing"]] * int(at.sum())),
        ):
            mine[column] = mine[column].astype("object")
            mine.loc[at, column] = pd.Series(cells, mine.index[at], dtype="object")
        if is_small(counts[group]["n"], minimum):
            mine.loc[at, ["median", "q1", "q3"]] = float("nan")
    return mine


def _nested(
    counts: Mapping[str, Mapping[object, int]], minimum: int
) -> dict[tuple[str, object], Count]:
    """Hide counts of groups that are parts of all patients (group ''), whose sizes are known."""
    cells: dict[Hashable, int] = {}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    names = [name for name in counts[""] if name not in ("n", "missing")]
    split = [group for group in counts if group]
    rest = {k: n - sum(counts[g].get(k, 0) for g in split) for k, n in counts[""].items()}
    everybody = {**counts, **({"rest": rest} if split else {})}
    for group, found in everybody.items():
        cells |= {(group, k): max(n, 0) for k, n in {**dict.fromkeys(names, 0), **found}.items()}
        cells[group, "size"] = max(found["n"], 0) + max(found["missing"], 0)
        sums.append(((group, "n"), [(group, k) for k in names]))
        sums.append(((group, "size"), [(group, "n"), (group, "missing")]))
    if split:
        sums += [(("", k), [(g, k) for g in (*split, "rest")]) for k in (*names, "n", "missing")]
    known: set[Hashable] = {(group, "size") for group in everybody}
    # All patients first, as the filters count them: what is hidden there must not stand here.
    every = levels({k: cells["", k] for k in (*names, "missing")}, minimum)
    secret = {("", k) for k, n in every.items() if isinstance(n, Hidden)}
    known |= {("", k) for k in every} - secret
    known |= {("", "n")} - ({("", "n")} if ("", "missing") in secret else set())
    shown = concealed(cells, sums, minimum, known, already=secret)
    return {(group, k): shown[group, k] for group in counts for k in (*names, "n", "missing")}


@dataclass(frozen=True)
class Step:
    """One step from the study to a cohort: the condition in words, who is left, and who went here."""

    words: str
    n: Count
    removed: Count = 0


def attrition(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> list[Step]:
    """Return the whole study and then, condition by condition, who is left."""
    found = queries.attrition(snapshot, cohort, variables)
    counts = [n for _, n in found]
    cells: dict[Hashable, int] = {("n", i): n for i, n in enumerate(counts)}
    sums: list[tuple[Hashable, Sequence[Hashable]]] = []
    for i in range(1, len(counts)):
        cells["removed", i] = counts[i - 1] - counts[i]
        sums.append((("n", i - 1), [("n", i), ("removed", i)]))
    ends = {("n", 0), ("n", len(counts) - 1)}
    shown = concealed(cells, sums, minimum_of(snapshot), ends)
    return [
        Step(words, shown["n", i], shown.get(("removed", i), 0))
        for i, (words, _) in enumerate(found)
    ]


def steps(cohort: CohortFilter, variables: Dictionary) -> list[CohortFilter]:
    """Return the selections on the way from the study to the cohort, as `queries.attrition` counts."""
    way = [cohort.everybody()]
    for name in cohort.phrases(variables):
        way.append(way[-1].with_(name, cohort.get(name)))
    return way


def in_state(cohort: CohortFilter, state: str) -> CohortFilter:
    """Return the selection of those of a cohort whom `disposition` counts in a state."""
    treated = {
        "in first remission": {"allosct": "no", "car_t": "no"},
        "in remission after alloSCT": {"allosct": "yes"},
        "in remission after CAR T cells": {"allosct": "no", "car_t": "yes"},
    }.get(state)
    chosen = cohort.with_("disposition", (state if treated is None else "in first remission",))
    for name, level in (treated or {}).items():
        chosen = chosen.with_(name, (level,))
    return chosen


def completeness(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, by: str | None
) -> pd.DataFrame:
    """Return how many patients have a value, per variable and level of `by` ('' is everybody).

    Columns variable, group, n, known, missing. 'Unknown', 'not assessed' and 'not known' are no values.
    """
    minimum = minimum_of(snapshot)
    unknown = tuple(sorted(_NOT_KNOWN))
    found = queries.known(snapshot, cohort, variables, by=by, unknown=unknown)
    of = found.set_index("_group")
    groups = {"": of.sum()}
    if by is not None:
        nobody = of.sum() * 0
        groups |= {
            v.value: of.loc[v.value] if v.value in of.index else nobody
            for v in variables[by].levels
        }
    if minimum:
        sizes = {group: int(row[queries.N]) for group, row in groups.items() if group}
        whole = int(groups[""][queries.N])
        shown = levels({**sizes, MISSING: whole - sum(sizes.values())}, minimum)
        groups = {g: m for g, m in groups.items() if not isinstance(shown.get(g, 0), Hidden)}
    rows: list[tuple[object, ...]] = []
    for name in variables:
        counts: dict[str, dict[object, int]] = {}
        for group, row in groups.items():
            n, k = int(row[queries.N]), int(row[name])
            counts[group] = {"known": k, "n": k, "missing": n - k, "size": n}
        said = _nested(counts, minimum)
        rows += [
            (name, group, c["size"], said[group, "known"], said[group, "missing"])
            for group, c in counts.items()
        ]
    columns = ["variable", "group", "n", "known", "missing"]
    if not minimum:
        return pd.DataFrame(rows, columns=columns)
    # A column of numbers would lose what a hidden count reads as.
    return pd.DataFrame(rows, columns=columns, dtype="object")


def story(patient: Patient) -> pd.DataFrame:
    """Return what happened to a patient, one row each, in the order of time; undated rows last.

    Columns: ``day`` and ``end_day`` (missing where not known), ``kind`` ('sample', 'treatment',
    'remission', 'relapse', 'death' or 'last seen'), ``name`` (kind of treatment, or MRD status),
    ``level`` and ``limit`` (MRD fractions of a sample, 0 is 'nothing found'), ``text``.
    """
    columns = ["day", "end_day", "kind", "name", "level", "limit", "text"]
    rows = pd.DataFrame(
        [*_outcomes(patient.course), *_treatments(patient.treatments), *_samples(patient.samples)],
        columns=columns,
    )
    numbers = dict.fromkeys(("day", "end_day", "level", "limit"), "float64")
    return rows.astype(numbers).sort_values("day", kind="stable", ignore_index=True)


def _outcomes(course: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    site, cause = course["relapse_site"], course["death_cause"]
    for kind, day, happened, text in (
        ("remission", course["cr_day"], course["cr_achieved"], "First complete remission"),
        ("relapse", course["relapse_day"], course["relapsed"], "Relapse" + _after(site)),
        ("death", course["death_day"], course["died"], "Died" + _after(cause)),
    ):
        if day is not None or happened:
            yield day, None, kind, kind, None, None, text
    if course["death_day"] is None and course["last_follow_up_day"] is not None:
        yield course["last_follow_up_day"], None, "last seen", "last seen", None, None, "Last seen"


def _after(detail: str | None) -> str:
    return f", {detail}" if detail else ""


def _treatments(treatments: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for row in treatments.astype(object).where(treatments.notna(), None).itertuples(index=False):
        text = row.kind[:1].upper() + row.kind[1:]
        if row.name and row.name != row.kind:
            text += f", {row.name}"
        if row.cycle is not None:
            text += f", cycle {row.cycle}"
        yield row.start_day, row.end_day, "treatment", row.kind, None, None, text


def _samples(samples: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    places = {"BM": "marrow", "PB": "blood"}
    for row in samples.astype(object).where(samples.notna(), None).itertuples(index=False):
        if row.mrd_fraction:
            found = wording.fraction(row.mrd_fraction)
        else:
            found = "nothing found" if row.mrd_fraction == 0 else row.call or "no result"
        if row.lod_fraction:
            found += f", limit {wording.fraction(row.lod_fraction)}"
        how = ", ".join(filter(None, (row.assay, places.get(row.material), row.target)))
        status = row.status or "not used"
        stands = f" {_when(row.timepoint)}" if row.timepoint else ", stands for no timepoint"
        text = f"MRD {row.status or 'sample'}{stands}: {found}" + (f" ({how})" if how else "")
        level = 0.0 if row.mrd_fraction is None and row.call == "negative" else row.mrd_fraction
        yield row.day, None, "sample", status, level, row.lod_fraction, text


def _when(timepoint: str) -> str:
    """Return 'at 3 months' or 'after cycle 1', as the variable of a timepoint is labelled."""
    return timepoint if timepoint.startswith("after") else f"at {timepoint}"
