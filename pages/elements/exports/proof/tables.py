"""Proofs of rates, paired results, agreement and Table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from analytics.proportion import Proportion, ProportionDifference
from analytics.summary import Kind
from analytics.suppression import Hidden
from data.variables import Dictionary
from pages.elements.answers.concordance import Concordance
from pages.elements.answers.negativity import Block, Negativity
from pages.elements.answers.who import Characteristics
from pages.elements.exports.exhibit import Proof
from pages.elements.exports.proof import check
from pages.elements.exports.proof.check import Lines, number
from pages.elements.exports.proof.parts import codes, not_recomputed, proof, shuffled, withheld

Cell = tuple[tuple[str, str], Proportion]


def rate_proof(
    title: str,
    cells: Sequence[Cell],
    p_values: Mapping[str, float | None],
    differences: Mapping[str, ProportionDifference] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Proof, ...]:
    """Return what repeats rates with limits, and the tests between the groups at each place.

    Parameters
    ----------
    cells : sequence of ((str, str), Proportion)
        Place (a timepoint, a risk group), group and rate; a rate with a hidden count is left out, and
        so is what compares it with others.
    p_values, differences : mapping
        By place.
    """
    open_ = [cell for cell in cells if not _hidden(cell[1])]
    secret = {at for (at, _), rate in cells if _hidden(rate)}
    places, groups = (
        codes(dict.fromkeys(at for (at, _), _ in cells), "t"),
        codes(dict.fromkeys(group for (_, group), _ in cells)),
    )
    lines: Lines = {f"{places[at]}, {groups[g]}": check.of_rate(rate) for (at, g), rate in open_}
    for at, p in p_values.items():
        if at in places and at not in secret:
            lines[f"{places[at]}, test"] = {"p": number(p)}
    for at, found in (differences or {}).items():
        if at in places and at not in secret:
            lines[f"{places[at]}, difference"] = check.of_difference(found)
    rows = pd.DataFrame(
        [(places[at], groups[g], int(rate.count), int(rate.total)) for (at, g), rate in open_],
        columns=["at", "group", "count", "total"],
    ).astype({"at": "object", "group": "object"})
    said = {code: text or "all" for text, code in (*places.items(), *groups.items())}
    said |= {groups[g]: text for g, text in (labels or {}).items() if g in groups}
    return (proof("rates", title, shuffled(rows), lines, said),) if open_ else ()


def _hidden(rate: Proportion) -> bool:
    return isinstance(rate.count, Hidden) or isinstance(rate.total, Hidden)


def negativity_proofs(answer: Negativity, variables: Dictionary) -> tuple[Proof, ...]:
    """Return what repeats the rates of MRD negativity, their tests and the changes between timepoints."""
    together = [
        ((str(row["timepoint"]), ""), _rate(row)) for row in answer.everybody.to_dict("records")
    ]
    made = [*rate_proof("MRD negativity of all patients", together, {})]
    for name, block in answer.blocks.items():
        made += _of_block(block, variables, name)
    for row in answer.changes.to_dict("records"):
        made += _of_change(row)
    return tuple(made)


def _rate(row: Mapping[Any, Any]) -> Proportion:
    return Proportion(
        row["negative"], row["evaluable"], row["rate"], row["low"], row["high"], "exact"
    )


def _of_block(block: Block, variables: Dictionary, name: str) -> tuple[Proof, ...]:
    variable, found = variables[name], dict[tuple[str, str], Proportion]()
    for row in block.rates.to_dict("records"):
        found[str(row["timepoint"]), str(row[name])] = _rate(row)
    known = {
        g for (_, g), rate in found.items() if isinstance(rate.total, Hidden) or rate.total > 0
    }
    groups = [level for level in variable.levels if level.value in known]
    nobody = Proportion(0, 0, None, None, None, "exact")
    places = dict.fromkeys(str(at) for at in block.rates["timepoint"])
    cells = [((at, g.value), found.get((at, g.value), nobody)) for at, g in product(places, groups)]
    return rate_proof(
        f"MRD negativity by {variable.label}", cells, block.p_values, block.differences,
        {level.value: level.name for level in groups},
    )  # fmt: skip


def _of_change(row: Mapping[Any, Any]) -> tuple[Proof, ...]:
    title = f"Change of MRD negativity, {row['first']} to {row['second']}"
    counts = [row[c] for c in ("n", "negative_first", "became_negative", "became_not_negative")]
    if any(isinstance(n, Hidden) for n in counts):
        return (not_recomputed(title, "a count of it is not shown"),)
    n, first, joined, lost = (int(each) for each in counts)
    # The later result stands first, so that the difference is the change.
    cells = [[first - lost, joined], [lost, n - first - joined]]
    lines: Lines = {"paired": {"n": n, "difference": number(row["change"]), "low": number(row["low"]),
                               "high": number(row["high"]), "p": number(row["p_value"])}}  # fmt: skip
    return (proof("mcnemar", title, _square(cells), lines, {}),)


def _square(cells: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Return a table of negative and other as rows: first, second, count."""
    names = ("negative", "other")
    return pd.DataFrame(
        [(a, b, cells[i][j]) for i, a in enumerate(names) for j, b in enumerate(names)],
        columns=["first", "second", "count"],
    )


def concordance_proofs(answer: Concordance) -> tuple[Proof, ...]:
    """Return what repeats the agreement of two assays."""
    counts = list(answer.classes.values())
    if any(isinstance(n, Hidden) for n in counts):
        return (not_recomputed("Agreement of two assays", "a count of it is not shown"),)
    neither, second_only, first_only, positive = (int(n) for n in counts)
    rows = _square([[neither, second_only], [first_only, positive]])
    paired: Lines = {"paired": {"n": number(answer.difference.n),
                                **check.of_difference(answer.difference),
                                "p": number(answer.difference.p_value)}}  # fmt: skip
    agreement: Lines = {"agreement": check.of_kappa(answer.agreement)}
    rates = [(("", name), rate) for name, rate in (
        ("agreed", answer.agreed), (f"{answer.pair.first} negative", answer.first),
        (f"{answer.pair.second} negative", answer.second))]  # fmt: skip
    return (
        proof("kappa", "Agreement of two assays, Cohen's kappa", rows, agreement, {}),
        proof("mcnemar", "Difference of the rates of two assays", rows, paired, {}),
        *rate_proof("Rates of two assays", rates, {}),
    )


def table_one_proofs(
    answer: Characteristics,
    frame: pd.DataFrame | None,
    variables: Dictionary,
    *,
    rows: Mapping[str, Kind],
    by: str | None,
    minimum: int = 0,
) -> tuple[Proof, ...]:
    """Return what repeats Table 1, each variable on its own so that no patient can be put together.

    Parameters
    ----------
    frame : pandas.DataFrame or None
        As `answers.rows.table_one` returns it; None where single patients are not shown.
    rows, by
        As they were asked for.
    """
    if frame is None:
        return withheld("Table 1", minimum)
    groups = codes(frame[by].cat.categories) if by else {}
    names = codes(rows, "v")
    labels = {names[name]: variables[name].label for name in rows}
    labels |= {code: variables[str(by)].level(str(value)).name for value, code in groups.items()}
    parts, of_levels = [], dict[str, dict[Any, str]]()
    for name, kind in rows.items():
        if kind == "category":
            of_levels[name] = codes(sorted(frame[name].dropna().unique()), f"{names[name]}l")
        values = _values(frame[name], kind, of_levels.get(name, {}))
        group = [groups[value] for value in frame[by]] if by else "g01"
        parts.append(pd.DataFrame({"variable": names[name], "group": group, "value": values}))
    for name, of in of_levels.items():
        labels |= {code: variables[name].level(str(value)).name for value, code in of.items()}
    data = pd.concat(parts, ignore_index=True)
    data = data.sort_values(list(data), key=lambda column: column.map(str), ignore_index=True)
    kinds = {names[name]: kind for name, kind in rows.items()}
    levels = {names[name]: list(of.values()) for name, of in of_levels.items()}
    lines = _table_one_lines(answer, names, groups, of_levels, rows)
    return (proof("table_one", "Table 1", data, lines, labels, kinds=kinds, levels=levels,
                  grouped=by is not None),)  # fmt: skip


def _values(column: pd.Series, kind: Kind, of: Mapping[Any, str]) -> pd.Series:
    if kind == "category":
        column = column.map(of)
    elif kind == "boolean":
        column = column.astype("boolean").map({True: "yes", False: "no"})
    return column.astype("object").where(column.notna(), None)


def _table_one_lines(
    answer: Characteristics,
    names: Mapping[str, str],
    groups: Mapping[Any, str],
    of_levels: Mapping[str, Mapping[Any, str]],
    kinds: Mapping[str, Kind],
) -> Lines:
    rows = answer.rows
    codes_of = {name: of_levels.get(name, {True: "yes"}) for name in names}
    level = [
        codes_of[v].get(level, "") for v, level in zip(rows["variable"], rows["level"], strict=True)
    ]
    coded_rows = rows.assign(
        kind=rows["variable"].map(dict(kinds)),
        level=level,
        group=[groups[group] if group else "all" for group in rows["group"].map(str)],
        variable=rows["variable"].map(dict(names)),
    )
    tests = answer.tests.assign(variable=answer.tests["variable"].map(dict(names)))
    return check.of_table_one(coded_rows, tests)
