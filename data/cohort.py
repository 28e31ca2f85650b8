"""A selection of patients as one frozen value that speaks SQL, English and URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from data import rule as rules
from data.rule import MrdRule
from data.variables import MISSING, STANDARD, Dictionary, Variable, comparison_variable

Levels: TypeAlias = tuple[str, ...]
Range: TypeAlias = tuple[float, float]
Condition: TypeAlias = Levels | Range
Query: TypeAlias = Mapping[str, Sequence[str]]


class UnknownInQuery(ValueError):
    """A link asks for something that the study does not have.

    Attributes
    ----------
    problems : tuple of str
        One sentence for each.
    rest : CohortFilter
        The selection without what is unknown; wider than what the link asked for.
    """

    def __init__(self, problems: tuple[str, ...], rest: CohortFilter) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.rest = rest


@dataclass(frozen=True, init=False)
class CohortFilter:
    """Which patients are in: for each variable named, the levels or the range admitted.

    ``CohortFilter(risk_group=("high",), age_years=(18, 60))`` are the high-risk patients aged 18 to 60,
    both included. No condition means everybody. Order does not matter: equal selections are equal.

    Parameters
    ----------
    rule : MrdRule, optional
        By which samples become MRD statuses, here and in everything asked about these patients; the
        study's own by default.
    **conditions : tuple of str, or (low, high)
        By variable name. An empty tuple is no condition.
    """

    conditions: tuple[tuple[str, Condition], ...]
    rule: MrdRule

    def __init__(
        self, *, rule: MrdRule | None = None, **conditions: Condition | Sequence[str]
    ) -> None:
        kept = sorted((name, _normal(value)) for name, value in conditions.items() if len(value))
        object.__setattr__(self, "conditions", tuple(kept))
        object.__setattr__(self, "rule", rule or MrdRule())

    def __bool__(self) -> bool:
        """Tell whether there is a condition; a rule alone selects nobody."""
        return bool(self.conditions)

    def __iter__(self) -> Iterator[tuple[str, Condition]]:
        return iter(self.conditions)

    def get(self, name: str) -> Condition:
        """Return the condition on a variable; an empty tuple if there is none."""
        return dict(self.conditions).get(name, ())

    def with_(self, name: str, condition: Condition) -> CohortFilter:
        """Return the selection with the condition on one variable replaced (empty: lifted)."""
        return CohortFilter(rule=self.rule, **{**dict(self.conditions), name: condition})

    def with_rule(self, rule: MrdRule) -> CohortFilter:
        """Return the same conditions under another MRD rule."""
        return CohortFilter(rule=rule, **dict(self.conditions))

    def everybody(self) -> CohortFilter:
        """Return the selection with every condition lifted; the MRD rule stays."""
        return CohortFilter(rule=self.rule)

    @property
    def key(self) -> tuple[object, ...]:
        """What decides every answer about this selection, for a cache."""
        return self.conditions, self.rule.assay, self.rule.cutoff, self.rule.below_lod

    def without(self, name: str) -> CohortFilter:
        """Return the selection with the condition on one variable lifted."""
        return self.with_(name, ())

    def where(self, dictionary: Dictionary = STANDARD) -> tuple[str, dict[str, object]]:
        """Return the SQL condition on `subjects` and its named parameters.

        Column names come from the dictionary, every value is a parameter. A patient without a value is
        never inside a range, and has the level 'missing'. Another MRD rule than the study's own stands
        among the parameters: `data.store` reads the tables by it.

        Raises
        ------
        KeyError
            If the dictionary has no such variable.
        """
        clauses, parameters = ["TRUE"], dict[str, object]()
        for name, condition in self.conditions:
            variable = dictionary[name]
            if variable.kind == "number":
                clauses.append(f"{variable.column} BETWEEN ${name}_low AND ${name}_high")
                parameters[f"{name}_low"], parameters[f"{name}_high"] = condition
            else:
                clauses.append(f"list_contains(${name}, {variable.level_sql})")
                parameters[name] = list(condition)
        if self.rule:
            parameters[rules.PARAMETER] = self.rule
        return " AND ".join(clauses), parameters

    def phrases(self, dictionary: Dictionary = STANDARD) -> dict[str, str]:
        """Return for each condition, in the dictionary's order, its words: 'high risk'."""
        conditions = dict(self.conditions)
        return {n: _phrase(v, conditions[n]) for n, v in dictionary.items() if n in conditions}

    def describe(self, dictionary: Dictionary = STANDARD) -> str:
        """Return the selection in words: 'Ph-negative · high risk', or 'all patients'.

        Another MRD rule than the study's own is said at the end: 'MRD by NGS, cut-off 10⁻⁵'.
        """
        who = " · ".join(self.phrases(dictionary).values()) or "all patients"
        return " · ".join(part for part in (who, self.rule.describe()) if part)

    def to_query(self) -> dict[str, list[str]]:
        """Return the selection as the parameters of a link; several levels repeat the key."""
        chosen = {name: _as_text(condition) for name, condition in self.conditions}
        return chosen | self.rule.to_query()

    @classmethod
    def from_query(cls, query: Query, dictionary: Dictionary = STANDARD) -> CohortFilter:
        """Read a selection from the parameters of a link: the inverse of `to_query`.

        Parameters
        ----------
        query : mapping of str to sequence of str
            Only the keys that are meant as variables, and those of the MRD rule.

        Raises
        ------
        UnknownInQuery
            If a variable or a value is unknown. Ignoring it would widen the cohort in silence.
        """
        conditions = dict[str, Condition]()
        rule, problems = MrdRule.from_query(query, dictionary.assays)
        for name, values in query.items():
            if name in rules.KEYS:
                continue
            given = [values] if isinstance(values, str) else list(values)
            if name not in dictionary:
                problems.append(f"This study has no variable ‘{name}’.")
                continue
            condition, problem = _read(dictionary[name], given)
            conditions[name] = condition
            problems += problem
        if problems:
            raise UnknownInQuery(tuple(problems), cls(rule=rule, **conditions))
        return cls(rule=rule, **conditions)


@dataclass(frozen=True)
class Compared:
    """Two saved cohorts, A against B, and who is in each.

    Attributes
    ----------
    a, b : CohortFilter
        Each with the MRD rule under which it was saved.
    in_a, in_b : frozenset of str
        The patients. Those in both are in neither group.
    """

    a: CohortFilter
    b: CohortFilter
    in_a: frozenset[str] = field(compare=False, repr=False)
    in_b: frozenset[str] = field(compare=False, repr=False)

    def parameters(self) -> dict[str, object]:
        """Return the parameters of the SQL that gives `subjects` the column `cohorts`."""
        groups = {"A": sorted(self.in_a - self.in_b), "B": sorted(self.in_b - self.in_a)}
        return {
            "patients": [patient for members in groups.values() for patient in members],
            "cohorts": [name for name, members in groups.items() for _ in members],
        }


def _normal(value: Condition | Sequence[str]) -> Condition:
    if all(isinstance(item, int | float) for item in value):
        low, high = value
        return (float(low), float(high))
    return tuple(sorted({str(item) for item in value}))


def _as_text(condition: Condition) -> list[str]:
    if isinstance(condition[0], float):
        return ["..".join(_number(float(bound)) for bound in condition)]
    return [str(level) for level in condition]


def _number(value: float) -> str:
    """Return a number as short as it can be read back: 18, 7.6."""
    return str(int(value)) if value == int(value) else repr(value)


def _read(variable: Variable, values: Iterable[str]) -> tuple[Condition, list[str]]:
    if variable.kind == "number":
        return _read_range(variable, list(values))
    known = {level.value for level in variable.levels} | {MISSING}
    given = list(values)
    if not variable.levels:
        return tuple(given), []
    problems = [
        f"‘{value}’ is not a level of {variable.label}: "
        + ", ".join(level.value for level in variable.levels)
        + "."
        for value in given
        if value not in known
    ]
    return tuple(value for value in given if value in known), problems


def _read_range(variable: Variable, values: list[str]) -> tuple[Condition, list[str]]:
    try:
        (text,) = values
        low, high = (float(part) for part in text.split(".."))
    except ValueError:
        shown = ", ".join(values)
        return (), [f"‘{shown}’ is not a range of {variable.label}; write it as 18..60."]
    if not low <= high:
        return (), [f"‘{text}’ is not a range of {variable.label}: the first number is the lower."]
    return (low, high), []


def _phrase(variable: Variable, condition: Condition) -> str:
    if isinstance(condition[0], float):
        low, high = (_number(float(bound)) for bound in condition)
        return f"{variable.label} {low}–{high} {variable.unit}".strip()
    order = [level.value for level in variable.levels] + [MISSING]
    values = sorted(map(str, condition), key=lambda v: order.index(v) if v in order else len(order))
    levels = [variable.level(value) for value in values]
    if variable.is_timepoint:
        # 'MRD negative or positive at 3 months': the timepoint is said once.
        words = " or ".join(level.value for level in levels)
        return f"MRD {words}{variable.label.removeprefix('MRD')}"
    return " or ".join(level.phrase for level in levels)


def with_comparison(variables: Dictionary, a: CohortFilter, b: CohortFilter) -> Dictionary:
    """Return the dictionary of a study with the variable that compares two saved cohorts."""
    named = dict.fromkeys(name for cohort in (a, b) for name, _ in cohort)
    late = tuple(name for name in named if variables[name].known != "at baseline")
    words = {"A": a.describe(variables), "B": b.describe(variables)}
    every = (*variables.values(), comparison_variable(words, late))
    return Dictionary(every, variables.assays)
