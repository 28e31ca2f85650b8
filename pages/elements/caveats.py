"""What can mislead in a figure of time to an event: decided once, for its page and for what leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analytics.suppression import Count
from data.variables import Variable
from pages.elements import tables, wording
from pages.elements.answers.survival import FEW_EVENTS, Incidence, Survival, few_events
from pages.elements.frame import Cohort


@dataclass(frozen=True)
class Caveat:
    """One warning.

    Attributes
    ----------
    badge : str
        What it is called: 'Immortal time'.
    sentence : str
        Without its full stop, and as the data have it: escape it for a page.
    late : tuple of Variable
        What is known only later; a landmark sets it right.
    chosen_by : Variable or None
        By what the cohort is chosen; only another cohort sets that right.
    """

    badge: str
    sentence: str
    late: tuple[Variable, ...] = ()
    chosen_by: Variable | None = None

    def __str__(self) -> str:
        return f"{self.badge}: {self.sentence}"


def of_time(
    cohort: Cohort, grouping: Iterable[Variable], landmark_days: int | None
) -> Iterator[Caveat]:
    """Yield a warning where a group or a filter rests on something known only after time starts."""
    by = [variable.name for variable in grouping]
    deciding = cohort.variables.deciding([*by, *(name for name, _ in cohort.filter)])
    changing = chosen_by_later(cohort, by)
    for variable in deciding:
        if variable.known == "with the outcome":
            sentence = "The cohort is chosen by its outcome: these curves are nobody’s prospects"
            yield Caveat("Outcome", sentence, chosen_by=variable)
    # A landmark sets right what is known on its day; it cannot undo a choice by what came later.
    late = tuple(v for v in deciding if v.day_column and v not in changing)
    if landmark_days is None and late:
        what = wording.listed(wording.inside(variable.label) for variable in late)
        is_are = "is" if len(late) == 1 else "are"
        sentence = (
            f"{what[:1].upper()}{what[1:]} {is_are} known only in patients still event-free then"
        )
        yield Caveat("Immortal time", sentence, late=late)
    for variable in changing:
        what = wording.inside(variable.label)
        chosen = "The filter on" if cohort.filter.get(variable.name) else "A saved cohort chosen by"
        when = "time starts" if landmark_days is None else "the landmark"
        sentence = f"{chosen} {what} also counts what came after {when}"
        yield Caveat("Immortal time", sentence, chosen_by=variable)


def chosen_by_later(cohort: Cohort, by: Sequence[str]) -> list[Variable]:
    """Return what decides who is in a cohort or its groups and may come after any landmark."""
    deciding = cohort.variables.deciding([*by, *(name for name, _ in cohort.filter)])
    return [v for v in deciding if v.known == "from a day on" and v.name not in by]


def not_proportional(result: Survival | Incidence) -> Caveat | None:
    """Return the warning that one hazard ratio does not tell it all, if the test says so."""
    p = result.hazard.proportional_hazards_p if result.hazard else None
    if p is None or p >= 0.05:
        return None
    sentence = f"{wording.p_value(p)}: one hazard ratio does not describe the whole follow-up"
    return Caveat("Hazards not proportional", sentence)


def undated_events(result: Survival | Incidence) -> dict[str, Count]:
    """Return the known events that are missing from the curves for want of a date, by reason."""
    return {
        reason: n
        for reason, n in result.left_out.items()
        if "without a date" in reason and reason.startswith(("death", "relapse"))
    }


def of_curves(result: Survival | Incidence) -> Iterator[Caveat]:
    """Yield a warning where the numbers of curves say less than they seem to."""
    if caveat := not_proportional(result):
        yield caveat
    missing = [f"{reason} ({n})" for reason, n in undated_events(result).items()]
    if missing:
        yield Caveat("Left out", f"{wording.listed(missing)}: the curve lies too high")
    few = _of_few_events(result)
    if few:
        names = wording.listed(few) if len(few) < 3 else f"{len(few)} groups"
        yield Caveat("Few events", f"fewer than {FEW_EVENTS} in {names}")


def _of_few_events(result: Survival | Incidence) -> list[str]:
    """Return the compared groups with too few events for their test."""
    if isinstance(result, Survival):
        return [level.name for level in result.few_events]
    compared = result.levels if result.test is not None else ()
    return [level.name for level in compared if few_events(tables.events(result, level))]
