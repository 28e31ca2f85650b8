"""What the Survival page can be asked, and how it shows the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.suppression import Count
from data.endpoints import ENDPOINTS, Endpoint
from data.variables import Variable
from pages.elements import access, caveats, frame, plain, tables, takeaway, wording
from pages.elements.answers.small_cells import LeftOut
from pages.elements.answers.survival import (
    FEW_EVENTS,
    FEWEST_FOR_A_CURVE,
    MOST_CROSSED,
    Incidence,
    Survival,
)
from pages.elements.charts.survival import WHOLE, ZOOM, Group, survival_chart
from pages.elements.charts.theme import ALL
from pages.elements.charts.wire import packed
from pages.elements.exports.methods import EXACT_LIMITS
from pages.elements.frame import Cohort
from pages.elements.remembered import remembered

_HORIZONS = {str(m): f"{m} months" for m in (12, 24, 36, 48, 60, 84, 120)}
_SIZES = {"XS": 230, "S": 296, "M": 400, "L": 520}
_UNITS = {unit: unit.capitalize() for unit in wording.UNITS}
_NOBODY = "none"


@dataclass(frozen=True)
class SurvivalView:
    """The choices of the Survival page, read from the link and the study."""

    endpoint: Endpoint
    origin: str
    by: Variable | None
    by2: Variable | None
    landmark_days: int | None
    horizon_months: int
    zoom: tuple[int, int] | None
    unit: str
    size: str

    @property
    def horizon_days(self) -> int:
        """The end of the time axis in whole days."""
        return int(self.horizon_months * wording.DAYS_PER_MONTH)

    @property
    def grouping(self) -> tuple[Variable, ...]:
        """The variables whose levels are the groups: none, one or two."""
        return tuple(variable for variable in (self.by, self.by2) if variable)

    @property
    def title(self) -> str:
        """What the figure shows."""
        if self.by:
            labels = wording.listed(wording.inside(each.label) for each in self.grouping)
            comma = "," if "," in self.endpoint.label else ""
            return f"{self.endpoint.label}{comma} by {labels}"
        if self.endpoint.competing:
            _, comma, rest = self.endpoint.label.partition(",")
            return f"Relapse and non-relapse mortality{comma}{rest}"
        return self.endpoint.label

    @property
    def question(self) -> dict[str, Any]:
        """What is asked of the answers, by the names of their parameters."""
        return {
            "endpoint": self.endpoint.code,
            "by": self.by.name if self.by else None,
            "by2": self.by2.name if self.by2 else None,
            "landmark_days": self.landmark_days,
        }


def read(cohort: Cohort) -> SurvivalView:
    """Return the choices of the link; what it leaves open follows the study."""
    endpoint = cohort.endpoint()
    offered = {_NOBODY: "", **groupings(cohort)}
    by = cohort.choice("by", offered, _NOBODY)
    by2 = cohort.choice("by2", offered, _NOBODY)
    horizon = cohort.choice("horizon", _HORIZONS, _default_horizon(cohort))
    landmark_days = cohort.number("landmark_days")
    return SurvivalView(
        endpoint=endpoint,
        origin=cohort.study.day_zero_label if _from_day_zero(cohort, endpoint) else endpoint.origin,
        by=None if by == _NOBODY else cohort.variables[by],
        # It splits the groups of `by`: without them, or by the same again, there is nothing to split.
        by2=None if _NOBODY in (by, by2) or by == by2 else cohort.variables[by2],
        landmark_days=landmark_days,
        horizon_months=int(horizon),
        zoom=_zoom(cohort, int(horizon), landmark_days or 0),
        unit=cohort.choice("unit", _UNITS, "months"),
        size=cohort.choice("size", _SIZES, "S"),
    )


def _from_day_zero(cohort: Cohort, endpoint: Endpoint) -> bool:
    return not endpoint.origin or access.derivability(cohort.snapshot)[endpoint.code].from_day_zero


def _zoom(cohort: Cohort, horizon: int, landmark_days: int) -> tuple[int, int] | None:
    """Return the months to show, inside the figure; None where that leaves nothing to zoom into."""
    asked = cohort.view.option("zoom") or ""
    found = re.fullmatch(r"(\d{1,4})\.\.(\d{1,4})", asked)
    first, last = (int(end) for end in found.groups()) if found else (0, 0)
    cohort.choice("zoom", {asked: ""} if first < last else {f"0..{horizon}": ""}, "")
    last = min(last, horizon)
    outside = first >= last or last * wording.DAYS_PER_MONTH <= landmark_days
    return None if outside or (first, last) == (0, horizon) else (first, last)


def answer(cohort: Cohort, view: SurvivalView) -> Survival | Incidence:
    """Return the curves: of survival or, where another event can preclude it, of incidence."""
    if view.endpoint.competing:
        return access.incidence(cohort.snapshot, cohort.filter, **view.question)
    return access.survival(
        cohort.snapshot, cohort.filter, **view.question, horizon_days=view.horizon_days
    )


def groupings(cohort: Cohort) -> dict[str, Variable]:
    """Return what curves can be grouped by."""
    # Curves by what became of the patients would only repeat it.
    groupable = cohort.variables.groupable
    return {v.name: v for v in groupable if v.known != "with the outcome"}


def _default_horizon(cohort: Cohort) -> str:
    """Return four years, or less where nobody of the study was followed for that long."""
    days = access.longest_follow_up(cohort.snapshot)
    longest = days / wording.DAYS_PER_MONTH if days == days else 48
    return next((m for m in _HORIZONS if int(m) >= min(longest, 48)), "48")


def landmarks(cohort: Cohort, endpoint: Endpoint) -> dict[str, int]:
    """Return the landmarks that a study offers for each variable known after the origin, in days.

    The target day of an MRD timepoint, or the last day of its window where time starts on day 0
    already; for the response over all timepoints the last of these; for a transplant its median day
    in the study, from the endpoint's origin.
    """
    from_day_zero = _from_day_zero(cohort, endpoint)
    targets = {
        t.variable: t.last_day if from_day_zero else t.target_day for t in cohort.study.timepoints
    }
    offered = dict(targets)
    for name, variable in cohort.variables.items():
        if variable.known == "at a day" and name not in targets and targets:
            offered[name] = max(targets.values())
        if variable.known == "from a day on":
            column, from_remission = str(variable.day_column), bool(endpoint.origin)
            days = access.days_of_change(cohort.snapshot, column, from_remission)
            if days is not None:
                offered[name] = days[0]
    return offered


def controls(cohort: Cohort, view: SurvivalView) -> None:
    """Draw endpoint, grouping, time origin and, folded away, what only changes the figure."""
    groups = {v.name: v.label for v in groupings(cohort).values()}
    by = view.by.name if view.by else _NOBODY
    second = {_NOBODY: "Nothing else"} | {k: label for k, label in groups.items() if k != by}
    current = str(view.landmark_days or "")
    days = sorted(
        {*landmarks(cohort, view.endpoint).values(), *([view.landmark_days] if current else [])}
    )
    marks = {str(day): f"Landmark, {wording.month_label(day)}" for day in days if day}
    origins = {"": view.origin[:1].upper() + view.origin[1:].replace("complete ", "")}
    origins |= wording.distinct(marks, "day ")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        frame.select("Endpoint", "endpoint", _endpoints(cohort, view), view.endpoint.code,
                     default=cohort.study.default_endpoint)  # fmt: skip
        frame.select("Group by", "by", {_NOBODY: "All patients"} | groups, by, default=_NOBODY)
        if view.by:
            frame.select("And by", "by2", second, view.by2.name if view.by2 else _NOBODY,
                         default=_NOBODY)  # fmt: skip
        frame.select("Time from", "landmark_days", origins, current, default="")
        with st.popover("Axis and size", icon=":material/tune:"):
            _look(cohort, view)


def _endpoints(cohort: Cohort, view: SurvivalView) -> dict[str, str]:
    """Return the endpoints that are offered, in words."""
    derivable = access.derivability(cohort.snapshot)

    def words(code: str, e: Endpoint) -> str:
        if derivable[code].refused_because:
            return f"{e.short} (not derivable)"
        if "," in e.label:
            return f"{e.short}, censored at alloSCT"
        return "Incidence of relapse" if code == "CIR" else e.label

    # What a link asks for stands in the choice, even where it is not offered.
    return {
        code: words(code, e)
        for code, e in ENDPOINTS.items()
        if code == view.endpoint.code or not ("," in e.label and derivable[code].refused_because)
    }


def _look(cohort: Cohort, view: SurvivalView) -> None:
    """Draw what changes the figure and none of its numbers."""
    frame.select("Show to", "horizon", _HORIZONS, str(view.horizon_months),
                 default=_default_horizon(cohort), width=200)  # fmt: skip
    key = "choice_zoom"
    zoom = frame.link.put(key, view.zoom or (0, view.horizon_months))
    st.slider("Zoom, months", 0, view.horizon_months, zoom, key=key, on_change=_zoomed,
              args=(key, view.horizon_months))  # fmt: skip
    frame.select("Unit of time", "unit", _UNITS, view.unit, default="months", width=200)
    sizes = {"XS": "Very small", "S": "Small", "M": "Medium", "L": "Large"}
    frame.select("Figure size", "size", sizes, view.size, default="S", width=200)


def _zoomed(key: str, horizon: int) -> None:
    """Take the range of the slider into the view."""
    _zoom_to(*st.session_state[key], horizon)


def _zoom_to(first: int, last: int, horizon: int) -> None:
    whole = (first, last) == (0, horizon) or first >= last
    frame.set_option("zoom", None if whole else f"{first}..{last}")


def refused(cohort: Cohort, view: SurvivalView) -> bool:
    """Say why an endpoint is not shown, if it is not."""
    derivable = access.derivability(cohort.snapshot)[view.endpoint.code]
    if not derivable.refused_because:
        return False
    st.info(
        f"{view.endpoint.label} cannot be derived from this study. {derivable.refused_because} "
        f"A curve from the rest would mislead."
    )
    st.markdown(_reasons("Patients who could not be counted", derivable.excluded))
    return True


def _reasons(head: str, reasons: Mapping[str, Count]) -> str:
    items = "; ".join(f"{wording.escape(reason)} ({n})" for reason, n in reasons.items())
    return f"{head}: {items}." if items else ""


def guards(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> None:
    """Warn of what could mislead, each in one line with its remedy."""
    _immortal_time(cohort, view)
    if result.landmark is not None:
        _landmark_line(cohort, view, result.landmark)
    if caveat := caveats.not_proportional(result):
        frame.guard(caveat.badge, f"{caveat.sentence}; read the rates and the restricted mean.")
    few = ", too few for a curve"
    small = {r.removesuffix(few): n for r, n in result.left_out.items() if r.endswith(few)}
    if small and result.enough:
        head = f"Not drawn, with fewer than {FEWEST_FOR_A_CURVE} patients"
        frame.guard("Too few", _reasons(head, small))
    if result.withheld and result.enough:
        frame.guard("Small groups", frame.withheld(cohort, result.withheld))
    undated = {r: n for r, n in result.left_out.items() if "without a date" in r}
    if undated:
        events = caveats.undated_events(result)
        bias = " Known events are missing: the curve lies too high." if events else ""
        frame.guard("Left out", _reasons("Not in the curves", undated) + bias)
    if view.zoom:
        first, last = view.zoom
        whole = cohort.view.with_option("zoom", None)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/zoom_in: Zoomed to months {first} to {last}; numbers and tests are of "
                "the whole follow-up.",
                width="stretch",
            )
            st.button("Show all", on_click=frame.link.change, args=(whole,))


def _immortal_time(cohort: Cohort, view: SurvivalView) -> None:
    """Warn where a group or a filter rests on something known only after the time origin."""
    for caveat in caveats.of_time(cohort, view.grouping, view.landmark_days):
        sentence = wording.escape(f"{caveat.sentence}.")
        if caveat.chosen_by is not None:
            _lift(cohort, caveat.badge, sentence, caveat.chosen_by)
            continue
        offered = landmarks(cohort, view.endpoint)
        days = [offered[v.name] for v in caveat.late if v.name in offered]
        if not days:
            frame.guard(caveat.badge, f"{sentence} Without dates no landmark can set it right.")
            continue
        remedy = f"Start at {wording.month_label(max(days))}"
        action = cohort.view.with_option("landmark_days", str(max(days)))
        frame.guard(caveat.badge, sentence, remedy, frame.link.change, (action,))


def _lift(cohort: Cohort, badge: str, sentence: str, variable: Variable) -> None:
    if cohort.filter.get(variable.name):
        remedy, view = "Lift this filter", cohort.view
        view = view.with_cohort(cohort.filter.without(variable.name))
    else:
        remedy, view = "Leave the comparison", cohort.view.not_compared()
    frame.guard(badge, sentence, remedy, frame.link.change, (view,))


def _landmark_line(cohort: Cohort, view: SurvivalView, chosen: LeftOut) -> None:
    n, events = chosen.n, chosen.n_event
    origin = wording.escape(view.origin)
    text = f":material/flag: Landmark at {wording.month_label(chosen.at)} from {origin}: " + (
        f"{wording.count(n, 'patient')} left out ({wording.count(events, 'event')})"
        if n
        else "nobody is left out"
    )
    why = "Time starts there."
    if view.by:
        why = "Whoever had an event before could not reach every group"
        later = caveats.chosen_by_later(cohort, [v.name for v in view.grouping])
        why += "." if later else "; groups are as known on that day."
    if n_later := chosen.n_later:
        text += f"; {wording.count(n_later, 'patient')} changed group later and stay as on that day"
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.markdown(f"{text}. {why}", width="stretch")
        if n:
            with st.popover("List them" if chosen.excluded is not None else "Why"):
                st.markdown(_reasons("Why", chosen.reasons))
                if chosen.excluded is None:
                    return
                if len(chosen.excluded) < n:
                    st.markdown(f":small[The first {len(chosen.excluded):,} by identifier:]")
                listed = chosen.excluded.assign(
                    months=(chosen.excluded["time"] / wording.DAYS_PER_MONTH).round(1)
                )
                st.dataframe(
                    listed[["patient_id", "reason", "months"]], hide_index=True,
                    column_config={"patient_id": "Patient", "reason": "Reason",
                                   "months": "Followed, months"},
                )  # fmt: skip


def nothing_to_draw(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> bool:
    """Say in a sentence why there is no curve, if there is none."""
    if result.crowded:
        _too_many(cohort, view, len(result.levels))
        return True
    if result.enough:
        return False
    if result.withheld:
        text = frame.withheld(cohort, result.withheld)
    elif result.n == 0:
        labels = [wording.inside(variable.label) for variable in view.grouping]
        known = f" with a known {wording.listed(labels)}" if labels else ""
        text = f"Nobody of this cohort can be shown in these curves{known}."
    elif result.n == 1:
        text = "Only one patient of this cohort can be shown: there is no curve of one."
    else:
        text = f"{result.n} patients are too few for a curve: every step would be one person."
    st.info(
        f"{text} {_reasons('Left out', _outside(result))} Widen the filter or choose another grouping."
    )
    if not result.minimum:
        frame.page_link("Patients", cohort.view, "Show these patients", ":material/groups:")
    return True


def _too_many(cohort: Cohort, view: SurvivalView, n: int) -> None:
    """Say that two variables make too many groups, and offer the first alone."""
    assert view.by is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"{n} groups are too many to tell apart in one figure; up to {MOST_CROSSED} are drawn. "
            "Narrow the cohort with a filter, or choose another second grouping.",
            width="stretch",
        )
        alone = cohort.view.with_option("by2", None)
        remedy = f"Group by {wording.escape(wording.inside(view.by.label))} alone"
        st.button(remedy, on_click=frame.link.change, args=(alone,))


def chart(view: SurvivalView, result: Survival | Incidence) -> dict[str, Any]:
    """Return the curves over their risk table."""
    first, last = view.zoom or (0, view.horizon_months)
    return survival_chart(
        result.curves,
        groups(result),
        endpoint=quantity(view, result),
        origin=view.origin,
        horizon_months=last,
        first_month=first,
        unit=view.unit,
        landmark_days=view.landmark_days,
        notes=notes(result),
        height=_SIZES[view.size],
    )


@remembered(200)
def _packed(view: SurvivalView, result: Survival | Incidence) -> dict[str, Any]:
    return packed(chart(view, result))


def figure(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> None:
    """Draw the curves over their risk table."""
    first, last = view.zoom or (0, view.horizon_months)
    # Another key by zoom: the figure comes back without the shade of what was dragged over.
    key = f"survival_figure_{first}_{last}"
    st.vega_lite_chart(
        _packed(view, result), theme=None, width="stretch", key=key, alt=in_a_sentence(view, result),
        on_select=lambda: _dragged(key, view), selection_mode=(ZOOM, WHOLE),
    )  # fmt: skip
    takeaway.menu(cohort, "survival_curves")


def _dragged(key: str, view: SurvivalView) -> None:
    """Zoom into what was dragged over, in whole months; a double click shows all again."""
    selected = st.session_state[key]["selection"]
    if selected.get(WHOLE):
        frame.set_option("zoom", None)
        return
    # A click without a drag selects no span, and changes nothing.
    ends = selected.get(ZOOM, {}).get("t")
    if not ends:
        return
    first, last = (wording.UNITS[view.unit][0] * end / wording.DAYS_PER_MONTH for end in ends)
    horizon = view.horizon_months
    _zoom_to(max(math.floor(first), 0), min(math.ceil(last), horizon), horizon)


def quantity(view: SurvivalView, result: Survival | Incidence) -> str:
    """Return what the figure measures; both causes are cumulative incidences."""
    if isinstance(result, Incidence) and result.other is None:
        return "Cumulative incidence"
    return view.endpoint.label.split(",")[0]


def groups(result: Survival | Incidence) -> list[Group]:
    """Return the groups of the figure."""
    if result.by is None:
        return [Group("", "All patients", "All", ALL)]
    looks = tables.looks(result.by)
    return [
        Group(level.value, level.name, level.short, looks[level.value]) for level in result.levels
    ]


def notes(result: Survival | Incidence) -> list[str]:
    """Return what stands inside the figure: the ratio of two groups, and the test."""
    if result.test is None:
        return []
    notes = []
    competing = isinstance(result, Incidence)
    if len(result.levels) == 2 and not competing:
        notes.append(f"Hazard ratio {tables.hazard_ratio(result)}")
    if p := wording.p_value(result.test.p_value):
        notes.append(f"{'Gray’s test' if competing else 'Log-rank'} {p}")
    return notes


@remembered(200)
def in_a_sentence(view: SurvivalView, result: Survival | Incidence) -> str:
    """Return what the figure says: the rate of each group at the milestone, and the test."""
    name = tables.main_milestone(view.horizon_days)
    at = result.curves.at([tables.MILESTONES[name]])
    parts = []
    for level in result.levels or (None,):
        row = result.row(level, at).iloc[0]
        rate = row["survival"] if "survival" in row else row["incidence"]
        text = wording.rate_with_interval(rate, row["low"], row["high"])
        unknown = "too few followed so long" if result.minimum else "not followed that long"
        said = unknown if rate != rate else text
        parts.append(f"{said} {level.name}" if level else f"{said} of {result.n} patients")
    when = "2 years" if name == "2-year" else "1 year"
    test = [note for note in notes(result) if " P " in note]
    ends = "".join(f"; {note[:1].lower()}{note[1:]}".replace("gray", "Gray") for note in test)
    return f"{quantity(view, result)} at {when} {', '.join(parts)}{ends}"


@remembered(200)
def whole_table(view: SurvivalView, result: Survival | Incidence) -> pd.DataFrame:
    """Return every number of each group: one or two of them as columns, more as rows."""
    made = tables.survival_columns if len(result.levels) <= 2 else tables.survival_rows
    return made(result, view.endpoint.short, view.horizon_days, view.unit)


def numbers(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> None:
    """Write the numbers beside the curves."""
    table = whole_table(view, result)
    if len(result.levels) > 2:
        name = tables.main_milestone(view.horizon_days)
        # Where there are two incidences of that day, they take the place of the events.
        shown = [column for column in table.columns if column.startswith(name)]
        events = ["Events"] if len(shown) == 1 else []
        table = table[["", *events, *shown]]
    st.table(table, border="horizontal", hide_index=True)
    lines = tables.comparison(result, view.horizon_days, view.unit)
    if len(result.levels) == 2:
        lines += _not_estimable(result)
    st.markdown("  \n".join(f":small[{line}]" for line in lines))
    if isinstance(result, Survival) and result.few_events:
        _few_events(cohort, view, result)
    with st.container(horizontal=True):
        patients = frame.patients_by(cohort, *view.grouping)
        frame.show_patients(cohort, patients, _not_in_the_curves(result))
        takeaway.menu(cohort, "survival_table")


def _outside(result: Survival | Incidence) -> dict[str, Count]:
    """Return the patients of the cohort who are not in the curves, by reason."""
    return {**result.left_out, **(result.landmark.reasons if result.landmark else {})}


def _not_in_the_curves(result: Survival | Incidence) -> str:
    """Say of the patients of the groups who is in no curve, and who in the curve of another group."""
    said = _reasons("Of these, not in the curves", _outside(result))
    if n_later := result.n_later:
        moved = wording.count(n_later, "patient")
        said += f" {moved} changed group later and stay as on the day of the landmark."
    return said.strip()


def _few_events(cohort: Cohort, view: SurvivalView, result: Survival) -> None:
    """Say that the log-rank test rests on few events, and what the test says that holds then."""
    few = [level.name for level in result.few_events]
    names = wording.escape(wording.listed(few)) if len(few) < 3 else f"{len(few)} groups"
    p = access.permutation_p(
        cohort.snapshot, cohort.filter, **view.question, horizon_days=view.horizon_days
    )
    found = f"permutation **{text}**" if (text := wording.p_value(p)) else "nor is there another"
    frame.guard(
        "Few events", f":small[Log-rank P rests on fewer than {FEW_EVENTS} in {names}; {found}.]"
    )


def by_group(view: SurvivalView, result: Survival | Incidence) -> None:
    """Write what is too much for the side: every milestone of many groups, or of two their differences."""
    short, pair = view.endpoint.short, isinstance(result, Survival) and len(result.levels) == 2
    if pair:
        with st.expander("Differences at every milestone"):
            table = tables.difference_rows(result, short, view.horizon_days)
            st.table(table, border="horizontal", hide_index=True)
    if len(result.levels) <= 2:
        return
    st.subheader("Rates and hazard ratios by group", anchor=False)
    st.table(
        whole_table(view, result).merge(tables.hazard_rows(result), on="", sort=False),
        border="horizontal",
        hide_index=True,
    )
    for line in _not_estimable(result):
        st.markdown(f":small[{line}]")
    if isinstance(result, Survival) and result.pairwise is not None:
        with st.expander("Every two groups, adjusted for their number"):
            st.table(tables.pairwise_rows(result), border="horizontal", hide_index=True)


def _not_estimable(result: Survival | Incidence) -> tuple[str, ...]:
    """Say in a line of Markdown why hazard ratios are not estimable, if some are not."""
    if result.hazard is None or result.hazard.groups["estimable"].all():
        return ()
    missing = set(result.hazard.groups.query("not estimable")["level"])
    blank = [v.name for v in result.levels if v.value in missing and tables.events(result, v) == 0]
    reference = result.levels[0]
    why = "too few events for a finite ratio"
    if reference.name in blank:
        why = f"no event in {wording.escape(reference.name)}, the reference"
    elif blank:
        why = f"no event in {wording.escape(wording.listed(blank))}"
    return (f":gray[Not estimable: {why}.]",)


def in_plain_words(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> None:
    """Offer the result in plain words."""
    if isinstance(result, Incidence):
        text = plain.incidence(result, cohort.study, cohort.filter, cohort.variables)
    else:
        text = plain.survival(
            result, cohort.study, cohort.filter, cohort.variables, view.endpoint, result.by
        )
    frame.in_plain_words(text)


def method(result: Survival | Incidence) -> tuple[str, str]:
    """Return how the curves are estimated, and how they are compared."""
    if isinstance(result, Incidence):
        return (
            "cumulative incidence after Aalen and Johansen, 95% CI log(−log)",
            "Gray’s test; Cox on the cause-specific hazard, Efron ties",
        )
    return "Kaplan–Meier, 95% CI log-log", "log-rank, two-sided; Cox, Efron ties"


def comparison_number(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> int:
    """Count the curves as a comparison; return the number of this session so far, 0 if they are none."""
    if result.test is None:
        return 0
    return frame.comparison_number(cohort, *view.question.values())


def footer(cohort: Cohort, view: SurvivalView, result: Survival | Incidence) -> None:
    """Write study, selection, n and events, method and what was left out."""
    counted = f"n = {result.n}, {wording.count(result.n_event, 'event')} ({view.endpoint.events})"
    estimate, tests = method(result)
    if isinstance(result, Incidence):
        n_competing = wording.count(result.n_competing, "competing event")
        counted += f", {n_competing} ({result.competing.phrase})"
    parts = [counted]
    if result.landmark is not None:
        at = result.landmark.at
        parts.append(
            f"landmark at {wording.month_label(at)} (day {at:.0f}) from {wording.escape(view.origin)}"
        )
    parts += [f"{estimate}, {EXACT_LIMITS}"]
    parts.append("tests and ratio over the whole follow-up")
    if k := result.minimum:
        parts.append(
            f"curves end where fewer than {k} are at risk; at risk and events by steps of {k}"
        )
    parts.append(
        "median follow-up by reverse Kaplan–Meier, of everybody with a time to this endpoint"
    )
    if looks := comparison_number(cohort, view, result):
        parts += [tests, f"exploratory, comparison {looks} of this session"]
    if any(variable.expression for variable in view.grouping):
        parts.append("‘+’ is not negative: it holds below LOD")
    parts.append(_reasons("left out", _outside(result)).rstrip("."))
    frame.footer(cohort, *parts)
