"""The few lines of Python that make the numbers of an exhibit from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from data.cohort import CohortFilter
from data.rule import MrdRule
from pages.elements.frame import Cohort

_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "data.cohort": ("CohortFilter",),
    "data.queries": ("dictionary",),
    "data.store": ("find",),
}


def script(cohort: Cohort, imports: Mapping[str, Iterable[str]], *body: str) -> str:
    """Return a script that finds the cohort of a view, and goes on with `body`.

    Parameters
    ----------
    imports : mapping of str to iterable of str
        By module, the names that the body needs; those of the first lines come by themselves.
    body : str
        Lines that use `snapshot`, `cohort` and `variables`.
    """
    wanted = {module: {*names} for module, names in imports.items()}
    for module, names in _ALWAYS.items():
        wanted.setdefault(module, set()).update(names)
    rules = [cohort.filter.rule]
    compared = cohort.snapshot.compared
    if compared:
        wanted["data.queries"].add("comparing")
        rules += [compared.a.rule, compared.b.rule]
    if any(rules):
        wanted["data.rule"] = {"MrdRule"}
    lines = [
        f"from {module} import {', '.join(sorted(wanted[module]))}" for module in sorted(wanted)
    ]
    lines += [
        "",
        f"snapshot = find({cohort.study.study_id!r}, {cohort.snapshot.hash!r})",
        "variables = dictionary(snapshot)",
    ]
    if compared:
        lines += [
            f"saved = {selection(compared.a)}, {selection(compared.b)}",
            "snapshot = comparing(snapshot, *saved, variables)",
            "variables = dictionary(snapshot)",
        ]
    lines.append(f"cohort = {selection(cohort.filter)}")
    return "\n".join([*lines, *body]) + "\n"


def selection(cohort: CohortFilter) -> str:
    """Return a selection of patients as Python."""
    rule = [f"rule={_rule(cohort.rule)}"] if cohort.rule else []
    conditions = [f"{name}={condition!r}" for name, condition in cohort]
    return f"CohortFilter({', '.join([*rule, *conditions])})"


def _rule(rule: MrdRule) -> str:
    return f"MrdRule({rule.assay!r}, {rule.cutoff!r}, {rule.below_lod!r})"


def names(*each: str) -> str:
    """Return names as a tuple in Python: ("a",)."""
    return repr(tuple(each))
