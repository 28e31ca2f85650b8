"""A selection speaks SQL, English and URL, and all three say the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import queries
from data.cohort import CohortFilter, UnknownInQuery
from data.store import Snapshot
from data.variables import MISSING, STANDARD, Dictionary, quoted

LEVELED = [v for v in STANDARD.values() if v.levels]
NUMBERS = [v for v in STANDARD.values() if v.kind == "number"]


@st.composite
def cohorts(draw: st.DrawFn) -> CohortFilter:
    conditions: dict[str, tuple[object, ...]] = {}
    for variable in draw(
        st.lists(st.sampled_from(LEVELED), unique_by=lambda v: v.name, max_size=4)
    ):
        values = [level.value for level in variable.levels] + [MISSING]
        conditions[variable.name] = tuple(draw(st.lists(st.sampled_from(values), max_size=3)))
    for variable in draw(st.lists(st.sampled_from(NUMBERS), unique_by=lambda v: v.name)):
        bounds = draw(st.tuples(*[st.floats(0, 1000, allow_nan=False)] * 2))
        conditions[variable.name] = tuple(sorted(bounds))
    return CohortFilter(**conditions)


@given(cohorts())
def test_a_link_reads_back_as_the_selection_it_was_written_from(cohort: CohortFilter) -> None:
    assert CohortFilter.from_query(cohort.to_query()) == cohort


def test_order_does_not_matter() -> None:
    one = CohortFilter(risk_group=("high", "standard"), ph_status=("negative",))
    other = CohortFilter(ph_status=["negative"], risk_group=["standard", "high", "high"])
    assert one == other
    assert hash(one) == hash(other)


def test_no_condition_is_everybody() -> None:
    assert CohortFilter(risk_group=()) == CohortFilter()
    assert CohortFilter().describe() == "all patients"
    assert CohortFilter().where() == ("TRUE", {})
    assert not CohortFilter()


def test_describes_itself_in_the_words_of_the_field() -> None:
    cohort = CohortFilter(
        age_years=(18, 60),
        mrd_3_months=("positive", "negative"),
        ph_status=("negative",),
        risk_group=("high",),
        tp53_mutated=("no",),
        mrd_after_cycle_1=("below LOD",),
    )
    assert cohort.describe() == (
        "Ph-negative · high risk · MRD below LOD after cycle 1 · "
        "MRD negative or positive at 3 months · Age 18–60 years · TP53 not mutated"
    )


def test_a_level_that_only_the_study_has_keeps_its_spelling() -> None:
    level = STANDARD["cytogenetics"].level("t(9;22)")
    assert (level.short, level.name) == ("t(9;22)", "t(9;22)")
    assert STANDARD["sex"].level("female").short == "Female"


def test_values_are_parameters_and_never_text() -> None:
    hostile = "high') OR TRUE --"
    where, parameters = CohortFilter(risk_group=(hostile,)).where()
    assert hostile not in where
    assert parameters == {"risk_group": [hostile]}


def test_a_column_outside_the_dictionary_never_reaches_sql() -> None:
    with pytest.raises(KeyError):
        CohortFilter(**{"age_years; DROP TABLE subjects": ("x",)}).where()
    with pytest.raises(ValueError, match="is not a variable name"):
        quoted('age" OR 1=1 --')


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"risk_group": ["hihg"]}, "‘hihg’ is not a level of Risk group"),
        ({"riskgroup": ["high"]}, "no variable ‘riskgroup’"),
        ({"age_years": ["18-60"]}, "‘18-60’ is not a range of Age"),
        ({"age_years": ["60..18"]}, "the first number is the lower"),
        ({"age_years": ["nan..nan"]}, "is not a range of Age"),
        ({"age_years": ["1..2", "3..4"]}, "is not a range of Age"),
    ],
)
def test_what_is_unknown_in_a_link_is_said(query: dict[str, list[str]], said: str) -> None:
    with pytest.raises(UnknownInQuery, match=said) as caught:
        CohortFilter.from_query({"ph_status": ["negative"], **query})
    assert caught.value.rest == CohortFilter(ph_status=("negative",))


@settings(max_examples=25)
@given(cohort=cohorts())
def test_a_condition_never_adds_patients(
    cohort: CohortFilter, short2025: Snapshot, variables: Dictionary
) -> None:
    known = CohortFilter(**{n: c for n, c in cohort if n in variables})
    steps = [n for _, n in queries.attrition(short2025, known, variables)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == len(queries.subjects(short2025, known, variables))


@settings(max_examples=25)
@given(cohort=cohorts())
def test_counts_over_the_levels_add_up_to_the_cohort_without_that_condition(
    cohort: CohortFilter, short2025: Snapshot, variables: Dictionary
) -> None:
    known = CohortFilter(**{n: c for n, c in cohort if n in variables})
    counts = queries.level_counts(short2025, known, variables, ("risk_group", "tp53_mutated"))
    for name, levels in counts.items():
        whole = queries.size(short2025, known.without(name), variables)
        assert sum(levels.values()) == whole
