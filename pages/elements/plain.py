"""A result in plain words: for patients, the press, a first slide.

The sentences follow from the result by rules, so they cannot say what the numbers do not. They are short,
explain the field's words, and are honest about size and chance. No Streamlit in here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analytics.mrd import Denominator
from analytics.suppression import Count, Hidden
from data.cohort import CohortFilter
from data.endpoints import Endpoint
from data.queries import Study
from data.variables import Dictionary, Level, Variable
from pages.elements import wording
from pages.elements.answers.negativity import Negativity
from pages.elements.answers.survival import DEATH, Answer, FollowUp, Incidence, Survival

_FEW_PEOPLE = 50
_CHANCE = 0.05
_LEUKEMIA = "acute lymphoblastic leukemia (ALL), a fast cancer of the blood"
_MRD = (
    "MRD means leukemia cells that are left after treatment. There are so few that only very fine "
    "tests can find them."
)
_OUTCOMES: Mapping[str, str] = {
    "RFS": "alive and still free of leukemia",
    "OS": "alive",
    "EFS": "alive, with the treatment still working",
}
_WHO: Mapping[tuple[str, str], str] = {
    ("ph_status", "negative"): "Their cancer cells lack the Ph chromosome (Ph-negative).",
    ("ph_status", "positive"): "Their cancer cells carry the Ph chromosome (Ph-positive).",
    ("risk_group", "high"): "Their cancer cells have gene changes that make it harder to treat "
    "(high risk).",
    ("risk_group", "standard"): "Their cancer cells have none of the known bad gene changes "
    "(standard risk).",
    ("risk_group", "Ph-positive"): "Their cancer cells carry the Ph chromosome (Ph-positive).",
    ("allosct", "yes"): "They had a transplant of blood stem cells from a donor.",
    ("allosct", "no"): "They had no transplant from a donor while well.",
}
_GROUPS: Mapping[str, str] = {
    "negative": "with no cells found",
    "positive": "with cells still found",
    "early responder": "with no cells found early",
    "late responder": "with no cells found later",
    "non-responder": "with cells found each time",
    "high": "at high risk",
    "standard": "at standard risk",
    "yes": "with a transplant",
    "no": "without a transplant",
}
"""Groups of MRD, risk and transplant, after 'of those'."""
_CALLED: Mapping[str, str] = {
    "the test found no cells in": "the test was called negative in",
    "with no cells found": "with a test called negative",
    "with cells still found": "with a test called positive",
    "with cells found each time": "with each test called positive",
    "how soon the test found none": "how soon the test was called negative",
}
"""What a sentence says under another rule than the study's own."""


_ROUNDING = 1e-9


def in_ten(rate: float) -> str:
    """Return a fraction as 'about 4 in 10', with words for the ends.

    'None' and 'all' are kept for exactly 0 and 1: a rounded 'all' would be a promise.
    """
    if rate in (0, 1):
        return "none" if rate == 0 else "all"
    tenths = math.floor(10 * rate + 0.5)
    if tenths in (0, 10):
        return "fewer than 1 in 10" if tenths == 0 else "more than 9 in 10"
    return f"about {tenths} in 10"


def survival(
    result: Survival,
    study: Study,
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: Endpoint,
    by: Variable | None,
) -> str:
    """Return the survival of a cohort in plain words."""
    outcome = _OUTCOMES[endpoint.code.split("_")[0]]
    lines = [*_people(result.n, study, cohort, variables)]
    compared = by is not None and len(result.levels) > 1
    if by is not None and compared:
        lines.append(_split(by))
    years = _years(result)
    if years is None:
        lines.append("They were not followed for long enough to give a number.")
    else:
        lines += _rates(result, by, years, outcome)
    well = "alive" if endpoint.short == "OS" else "well"
    lines += [*_chance(result), *_caveats(result, compared, cohort, variables, well)]
    return _by_rule(lines, cohort)


def incidence(result: Incidence, study: Study, cohort: CohortFilter, variables: Dictionary) -> str:
    """Return the cumulative incidence of relapse or of death without it in plain words."""
    lines = [*_people(result.n, study, cohort, variables)]
    compared = result.other is not None and len(result.levels) > 1
    if compared and result.by is not None:
        lines.append(_split(result.by))
    years = _years(result)
    if years is None:
        lines.append("They were not followed for long enough to give a number.")
    else:
        lines += _happened(result, years)
    lines += [*_chance(result), *_caveats(result, compared, cohort, variables)]
    return _by_rule(lines, cohort)


def _by_rule(lines: Sequence[str], cohort: CohortFilter) -> str:
    """Join the lines; by another rule than the study's a negative test can have found some cells."""
    text = "\n".join(lines)
    if cohort.rule:
        for found, called in _CALLED.items():
            text = text.replace(found, called)
    return text


def _caveats(
    result: Answer, compared: bool, cohort: CohortFilter, variables: Dictionary, well: str = "well"
) -> list[str]:
    """Say from when on the groups are known, and what a gap does not show."""
    by = [result.by.name] if result.by is not None else []
    grouped = variables.deciding(name for name in by if name in variables)
    chosen = variables.deciding(name for name, _ in cohort)
    later = [v for v in (*grouped, *chosen) if v.known == "from a day on" and v.name not in by]
    lines = []
    if any(v.day_column for v in grouped) and result.landmark is None:
        lines.append(
            "The groups became known only after some time. Those who did badly before then can not "
            "be in the better group. So the gap may look too large."
        )
    elif later or (result.landmark is None and any(v.known == "at a day" for v in chosen)):
        lines.append(
            "Some were chosen by what became known only later. Those who did badly before then are "
            "not among them. So the numbers may look too good."
        )
    if result.landmark is not None:
        when = wording.month_label(result.landmark.at)
        fair = "" if later else " That is a fair start line."
        lines.append(f"Only those who were still {well} at {when} count.{fair}")
    if compared:
        lines.append("Such a gap alone does not show that one thing causes the other.")
    return lines


def _happened(result: Incidence, years: int) -> list[str]:
    """Say to how many the leukemia came back, or who died without that."""
    at = result.curves.at([365 * years])
    time = "one year" if years == 1 else "two years"
    lines = []
    for level in result.levels or (None,):
        row = result.row(level, at).iloc[0]
        cause = level if result.other is None else result.cause
        group = "" if result.other is None else _group(result.by, level)
        share = in_ten(row["incidence"])
        if cause == DEATH:
            lines.append(f"Within {time}, {share} {group}died without the leukemia coming back.")
        else:
            whom = f"in {share} {group}".rstrip()
            lines.append(f"Within {time}, the leukemia came back {whom}.")
        lines.append(_between(row["low"], row["high"]))
    return lines


def negativity(
    result: Negativity,
    study: Study,
    cohort: CohortFilter,
    variables: Dictionary,
    denominator: Denominator,
) -> str:
    """Return the MRD negativity of a cohort in plain words."""
    everybody = denominator == "all in remission"
    lines = [*_people(result.n, study, cohort, variables), _MRD]
    for row in result.everybody.itertuples(index=False):
        when = _when(str(row.timepoint))
        if not row.evaluable:
            lines.append(f"{when}, nobody was tested.")
            continue
        if math.isnan(row.rate):
            lines.append(f"{when}, too few are on one side to say how many.")
            continue
        whom = f"all {row.evaluable}, tested or not" if everybody else f"the {row.evaluable} tested"
        lines.append(f"{when}, the test found no cells in {in_ten(row.rate)} of {whom}.")
        if row.evaluable < _FEW_PEOPLE:
            lines.append(f"{_between(row.low, row.high)} {_few(int(row.evaluable))}")
    lines.append("Not all were tested each time. So the steps do not show the same people.")
    return _by_rule(lines, cohort)


def overview(
    n: Count,
    followed: FollowUp,
    study: Study,
    cohort: CohortFilter,
    variables: Dictionary,
    counts: Mapping[str, Count],
) -> str:
    """Return who is in a cohort and what became of them, in plain words."""
    lines = [*_people(n, study, cohort, variables)]
    well = sum(k for state, k in counts.items() if "remission" in state and state.startswith("in "))
    if not isinstance(well, Hidden):
        lines.append(f"When last seen, {in_ten(well / n)} of them were alive and free of leukemia.")
    relapsed = counts.get("relapsed", 0)
    if isinstance(relapsed, Hidden):
        lines.append("In some of them the leukemia came back. How many would tell who they are.")
    elif relapsed:
        lines.append(f"In {relapsed} of the {n}, the leukemia came back.")
    if not math.isnan(followed.median):
        when = wording.months(followed.median)
        lines.append(f"Half of them were watched for {when} months or longer.")
    if n < _FEW_PEOPLE:
        lines.append(_few(n))
    return "\n".join(lines)


def _people(n: Count, study: Study, cohort: CohortFilter, variables: Dictionary) -> list[str]:
    """Say who is counted: how many, with what disease, and what sets them apart."""
    lines = []
    if study.synthetic:
        lines.append("These people are not real. They were made up to match a printed study.")
    lines.append(f"We looked at {n} people with {_LEUKEMIA}.")
    for name, words in cohort.phrases(variables).items():
        levels = cohort.get(name)
        known = _WHO.get((name, str(levels[0]))) if len(levels) == 1 else None
        lines.append(known or f"We chose only: {words}.")
    if cohort.rule:
        rule = cohort.rule.describe().removeprefix("MRD ")
        lines.append(f"We read the MRD tests by another rule than the study did: {rule}.")
    return lines


def _split(by: Variable) -> str:
    if by.name == "mrd_dynamics":
        return f"{_MRD} We split them by how soon the test found none."
    if by.is_timepoint:
        return f"{_MRD} We split them by the test {_when(by.label.removeprefix('MRD ')).lower()}."
    if by.name == "allosct":
        return "We split them by a transplant of blood stem cells from a donor."
    return f"We split them by {wording.inside(by.label)}."


def _when(timepoint: str) -> str:
    """Return a timepoint as the start of a sentence: 'After cycle 1', 'At 3 months'."""
    text = f"at {timepoint}" if timepoint[:1].isdigit() else timepoint
    return text[:1].upper() + text[1:]


def _years(result: Survival | Incidence) -> int | None:
    """Return the milestone to speak of: two years, or one if not all were followed for that long."""
    shortest = int(result.curves.groups["last_time"].min())
    return next((years for years, day in ((2, 730), (1, 365)) if day <= shortest), None)


def _rates(result: Survival, by: Variable | None, years: int, outcome: str) -> list[str]:
    at = result.km.at([365 * years])
    lines = []
    for level in result.levels or (None,):
        row = result.row(level, at).iloc[0]
        group = _group(by, level)
        time = "one year" if years == 1 else "two years"
        if row["survival"] in (0, 1):
            lines += _without_exception(row, group, time, outcome)
        else:
            lines.append(f"After {time}, {in_ten(row['survival'])} {group}were {outcome}.")
            lines.append(_between(row["low"], row["high"]))
    return lines


def _without_exception(row: Any, group: str, time: str, outcome: str) -> list[str]:
    """Say that nobody or everybody had an event, without promising it: few were followed so long."""
    event = "die" if outcome == "alive" else "relapse or die"
    followed = "Only one was" if row["n_risk"] == 1 else f"{row['n_risk']} were"
    lines = [f"Within {time}, no one {group}was seen to {event}."]
    if row["survival"] == 0:
        lines = [f"Within {time}, all {group}whom one could follow for so long did {event}."]
    return [*lines, f"{followed} still followed then.", _between(row["low"], row["high"])]


def _group(by: Variable | None, level: Level | None) -> str:
    if by is None or level is None:
        return ""
    known = by.known == "at a day" or by.name in ("risk_group", "allosct")
    if known and level.value in _GROUPS:
        return f"of those {_GROUPS[level.value]} "
    return f"in the group ‘{level.name}’ "


def _between(low: float, high: float) -> str:
    """Say how far the true share may lie from the one found."""
    if math.isnan(low) or math.isnan(high):
        return "How sure we can be of this is not known."
    # Outwards: a narrower span would claim more than the interval does.
    ends = [math.floor(10 * low + _ROUNDING), math.ceil(10 * high - _ROUNDING)]
    if ends == [0, 10]:
        return "From so few people, the true share can not be told."
    if ends[0] == ends[1]:
        return f"The true share is likely close to {ends[0]} in 10."
    return f"The true share may lie between {ends[0]} and {ends[1]} in 10."


def _chance(result: Survival | Incidence) -> Sequence[str]:
    lines = []
    p = result.test.p_value if result.test else None
    if p is not None and p < _CHANCE:
        lines.append("A gap this wide is rare when there is no true gap.")
    elif p is not None:
        lines.append("A gap like this can well come by chance.")
    if result.n < _FEW_PEOPLE:
        lines.append(_few(result.n))
    return lines


def _few(n: Count) -> str:
    return f"{n} people is a small number: this could be chance."
