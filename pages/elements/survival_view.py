"""What the Survival page can be asked, and how it shows the answer."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from analytics.landmark import Landmark
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS, Endpoint
from data.variables import Variable
from pages.elements import access, frame, plain, tables, wording
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE, Survival
from pages.elements.charts.survival import Group, survival_chart
from pages.elements.charts.theme import ALL, styles
from pages.elements.frame import Cohort

_HORIZONS = {str(m): f"{m} months" for m in (12, 24, 36, 48, 60, 84, 120)}
_SIZES = {"S": 296, "M": 400, "L": 520}
_NOBODY = "none"


@dataclass(frozen=True)
class SurvivalView:
    """The choices of the Survival page, read from the link and the study."""

    endpoint: Endpoint
    origin: str
    by: Variable | None
    landmark_days: int | None
    horizon_months: int
    size: str

    @property
    def horizon_days(self) -> int:
        """The end of the time axis in whole days."""
        return int(self.horizon_months * wording.DAYS_PER_MONTH)

    @property
    def title(self) -> str:
        """What the figure shows."""
        return self.endpoint.label + (f" by {wording.inside(self.by.label)}" if self.by else "")


def read(cohort: Cohort) -> SurvivalView:
    """Return the choices of the link; what it leaves open follows the study."""
    endpoint = cohort.endpoint()
    by = cohort.choice("by", {_NOBODY: "", **_groupings(cohort)}, _NOBODY)
    horizon = cohort.choice("horizon", _HORIZONS, _default_horizon(cohort))
    return SurvivalView(
        endpoint=endpoint,
        origin=cohort.study.day_zero_label
        if cohort.study.remission_is_day_zero or not endpoint.origin
        else endpoint.origin,
        by=None if by == _NOBODY else cohort.variables[by],
        landmark_days=cohort.number("landmark_days"),
        horizon_months=int(horizon),
        size=cohort.choice("size", _SIZES, "S"),
    )


def _groupings(cohort: Cohort) -> dict[str, Variable]:
    # Curves by what became of the patients would only repeat it.
    groupable = cohort.variables.groupable
    return {v.name: v for v in groupable if v.known != "with the outcome"}


def _default_horizon(cohort: Cohort) -> str:
    """Return four years, or less where nobody of the study was followed for that long."""
    followed = access.subjects(cohort.snapshot, CohortFilter())["follow_up_days"]
    longest = float(followed.max()) / wording.DAYS_PER_MONTH if followed.notna().any() else 48
    return next((m for m in _HORIZONS if int(m) >= min(longest, 48)), "48")


def landmarks(cohort: Cohort, endpoint: Endpoint) -> dict[str, int]:
    """Return the landmarks that a study offers for each variable known after the origin, in days.

    The target day of an MRD timepoint, or the last day of its window where time starts on day 0
    already; for the response over all timepoints the last of these; for a transplant its median day
    in the study, from the endpoint's origin.
    """
    from_day_zero = not endpoint.origin or cohort.study.remission_is_day_zero
    targets = {
        t.variable: t.last_day if from_day_zero else t.target_day for t in cohort.study.timepoints
    }
    offered = dict(targets)
    subjects = access.subjects(cohort.snapshot, CohortFilter())
    for name, variable in cohort.variables.items():
        if variable.known == "at a day" and name not in targets and targets:
            offered[name] = max(targets.values())
        if variable.known == "from a day on":
            origin = subjects["cr_day"] if endpoint.origin else 0
            days = (subjects[variable.day_column] - origin).dropna()
            if len(days):
                offered[name] = int(statistics.median(days))
    return offered


def controls(cohort: Cohort, view: SurvivalView) -> None:
    """Draw endpoint, grouping, time origin, horizon and size."""
    derivable = access.derivability(cohort.snapshot)

    def words(code: str, e: Endpoint) -> str:
        censored = "," in e.label
        if derivable[code].refused_because:
            return f"{e.short} (not derivable)"
        return f"{e.short}, censored at alloSCT" if censored else e.label

    # What a link asks for stands in the choice, even where it is not offered.
    endpoints = {
        code: words(code, e)
        for code, e in ENDPOINTS.items()
        if code == view.endpoint.code
        or not (e.competing or ("," in e.label and derivable[code].refused_because))
    }
    groups = {_NOBODY: "All patients"} | {v.name: v.label for v in _groupings(cohort).values()}
    current = str(view.landmark_days or "")
    days = sorted(
        {*landmarks(cohort, view.endpoint).values(), *([view.landmark_days] if current else [])}
    )
    origins = {"": view.origin[:1].upper() + view.origin[1:].replace("complete ", "")} | {
        str(day): f"Landmark, {wording.month_label(day)}" for day in days if day
    }
    default_horizon = _default_horizon(cohort)
    with st.container(horizontal=True):
        frame.select("Endpoint", "endpoint", endpoints, view.endpoint.code,
                     default=cohort.study.default_endpoint)  # fmt: skip
        frame.select("Group by", "by", groups, view.by.name if view.by else _NOBODY,
                     default=_NOBODY)  # fmt: skip
        frame.select("Time from", "landmark_days", origins, current, default="")
        frame.select("Show to", "horizon", _HORIZONS, str(view.horizon_months),
                     default=default_horizon, width=120)  # fmt: skip
        sizes = {"S": "Small", "M": "Medium", "L": "Large"}
        frame.select("Figure size", "size", sizes, view.size, default="S", width=120)


def refused(cohort: Cohort, view: SurvivalView) -> bool:
    """Say why an endpoint is not shown, if it is not."""
    derivable = access.derivability(cohort.snapshot)[view.endpoint.code]
    if view.endpoint.competing:
        st.info(
            f"{view.endpoint.label} is not drawn as a survival curve: another event can preclude "
            f"it, and 1 − Kaplan–Meier would overstate it. Choose {_offer(cohort)}."
        )
    elif derivable.refused_because:
        st.info(
            f"{view.endpoint.label} cannot be derived from this study. {derivable.refused_because} "
            f"A curve from the rest would mislead."
        )
        st.markdown(_reasons("Patients who could not be counted", derivable.excluded))
    else:
        return False
    return True


def _offer(cohort: Cohort) -> str:
    return ENDPOINTS[cohort.study.default_endpoint].label.lower()


def _reasons(head: str, reasons: Mapping[str, int]) -> str:
    items = "; ".join(f"{wording.escape(reason)} ({n})" for reason, n in reasons.items())
    return f"{head}: {items}." if items else ""


def guards(cohort: Cohort, view: SurvivalView, result: Survival) -> None:
    """Warn of what could mislead, each in one line with its remedy."""
    _immortal_time(cohort, view)
    if result.landmark is not None:
        _landmark_line(view, result.landmark, result.n_later)
    if result.hazard and (p := result.hazard.proportional_hazards_p) is not None and p < 0.05:
        frame.guard(
            "Hazards not proportional",
            f"{wording.p_value(p)}: one hazard ratio does not describe the whole follow-up; "
            "read the rates and the restricted mean.",
        )
    small = {r: n for r, n in result.left_out.items() if "too few for a curve" in r}
    if small and result.n >= FEWEST_FOR_A_CURVE:
        frame.guard("Too few", _reasons("Not drawn", small))
    undated = {r: n for r, n in result.left_out.items() if "without a date" in r}
    if undated:
        events = [r for r in undated if r.startswith(("death", "relapse"))]
        bias = " Known events are missing: the curve lies too high." if events else ""
        frame.guard("Left out", _reasons("Not in the curves", undated) + bias)


def _immortal_time(cohort: Cohort, view: SurvivalView) -> None:
    """Warn where a group or a filter rests on something known only after the time origin."""
    by = view.by.name if view.by else None
    named = dict.fromkeys([*([by] if by else []), *(name for name, _ in cohort.filter)])
    late = [cohort.variables[name] for name in named if cohort.variables[name].day_column]
    changing = [v for v in late if v.known == "from a day on" and v.name != by]
    for variable in [cohort.variables[name] for name in named]:
        if variable.known == "with the outcome":
            sentence = "The cohort is chosen by its outcome: these curves are nobody’s prospects."
            _lift(cohort, "Outcome", sentence, variable)
    if view.landmark_days is None and late:
        offered = landmarks(cohort, view.endpoint)
        what = wording.escape(wording.listed(wording.inside(v.label) for v in late))
        is_are = "is" if len(late) == 1 else "are"
        sentence = (
            f"{what[:1].upper()}{what[1:]} {is_are} known only in patients still event-free then."
        )
        days = [offered[v.name] for v in late if v.name in offered]
        if not days:
            frame.guard("Immortal time", f"{sentence} Without dates no landmark can set it right.")
            return
        remedy = f"Start at {wording.month_label(max(days))}"
        action = cohort.view.with_option("landmark_days", str(max(days)))
        frame.guard("Immortal time", sentence, remedy, frame.link.change, (action,))
    for variable in changing if view.landmark_days is not None else ():
        what = wording.inside(variable.label)
        sentence = f"The filter on {what} also counts what came after the landmark."
        _lift(cohort, "Immortal time", wording.escape(sentence), variable)


def _lift(cohort: Cohort, badge: str, sentence: str, variable: Variable) -> None:
    lifted = cohort.view.with_cohort(cohort.filter.without(variable.name))
    frame.guard(badge, sentence, "Lift this filter", frame.link.change, (lifted,))


def _landmark_line(view: SurvivalView, chosen: Landmark, n_later: int) -> None:
    n, events = len(chosen.excluded), chosen.n_events_excluded
    reasons = chosen.excluded["reason"].value_counts()
    text = f":material/flag: Landmark at {wording.month_label(chosen.at)} from {view.origin}: " + (
        f"{wording.count(n, 'patient')} left out ({wording.count(events, 'event')})"
        if n
        else "nobody is left out"
    )
    why = (
        "Whoever had an event before could not reach every group; groups are as known on that day."
        if view.by
        else "Time starts there."
    )
    if n_later:
        text += f"; {wording.count(n_later, 'patient')} changed group later and stay as on that day"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{text}. {why}", width="stretch" if n == 0 else "content")
        if n:
            with st.popover("List them", type="tertiary"):
                st.markdown(_reasons("Why", {str(k): int(v) for k, v in reasons.items()}))
                listed = chosen.excluded.assign(
                    months=(chosen.excluded["time"] / wording.DAYS_PER_MONTH).round(1)
                )
                st.dataframe(
                    listed[["patient_id", "reason", "months"]], hide_index=True,
                    column_config={"patient_id": "Patient", "reason": "Reason",
                                   "months": "Followed, months"},
                )  # fmt: skip


def nothing_to_draw(cohort: Cohort, view: SurvivalView, result: Survival) -> bool:
    """Say in a sentence why there is no curve, if there is none."""
    if result.n >= FEWEST_FOR_A_CURVE:
        return False
    reasons = dict(result.left_out)
    if result.landmark is not None:
        for reason, n in result.landmark.excluded["reason"].value_counts().items():
            reasons[str(reason)] = int(n)
    if result.n == 0:
        known = f" with a known {wording.inside(view.by.label)}" if view.by else ""
        text = f"Nobody of this cohort can be shown in these curves{known}."
    elif result.n == 1:
        text = "Only one patient of this cohort can be shown: there is no curve of one."
    else:
        text = f"{result.n} patients are too few for a curve: every step would be one person."
    st.info(f"{text} {_reasons('Left out', reasons)} Widen the filter or choose another grouping.")
    frame.page_link("Patients", cohort.view, "Show these patients", ":material/groups:")
    return True


def figure(view: SurvivalView, result: Survival) -> None:
    """Draw the curves over their risk table."""
    spec = survival_chart(
        result.km,
        _groups(view, result),
        endpoint=view.endpoint.label.split(",")[0],
        origin=view.origin,
        horizon_months=view.horizon_months,
        landmark_days=view.landmark_days,
        notes=_notes(result),
        height=_SIZES[view.size],
    )
    st.vega_lite_chart(spec, theme=None, width="stretch", key="survival_figure", alt=view.title)


def _groups(view: SurvivalView, result: Survival) -> list[Group]:
    if view.by is None:
        return [Group("", "All patients", "All", ALL)]
    values = [level.value for level in view.by.levels]
    looks = dict(zip(values, styles(view.by.name, values), strict=True))
    return [
        Group(level.value, level.name, level.short, looks[level.value]) for level in result.levels
    ]


def _notes(result: Survival) -> list[str]:
    if result.test is None:
        return []
    notes = []
    if len(result.levels) == 2:
        notes.append(f"Hazard ratio {tables.hazard_ratio(result)}")
    if p := wording.p_value(result.test.p_value):
        notes.append(f"Log-rank {p}")
    return notes


def numbers(view: SurvivalView, result: Survival) -> None:
    """Write the numbers beside the curves."""
    if view.by is None or len(result.levels) <= 2:
        table = tables.survival_columns(result, view.by, view.endpoint.short, view.horizon_days)
        st.table(table, border="horizontal", hide_index=True)
    else:
        table = tables.survival_rows(result, view.by, view.endpoint.short, view.horizon_days)
        middle = [c for c in table.columns if c.startswith("2-year")] or [table.columns[-1]]
        st.table(table[["", "Events", *middle]], border="horizontal", hide_index=True)
    lines = tables.comparison(result)
    st.markdown("  \n".join(f":small[{line}]" for line in lines))


def by_group(view: SurvivalView, result: Survival) -> None:
    """Write all milestones and hazard ratios, where there are too many groups for the side."""
    if view.by is None or len(result.levels) <= 2:
        return
    st.subheader("Rates and hazard ratios by group", anchor=False)
    rates = tables.survival_rows(result, view.by, view.endpoint.short, view.horizon_days)
    st.table(
        rates.merge(tables.hazard_rows(result, view.by), on="", sort=False),
        border="horizontal",
        hide_index=True,
    )
    if result.pairwise is not None:
        with st.expander("Every two groups, adjusted for their number"):
            st.table(tables.pairwise_rows(result, view.by), border="horizontal", hide_index=True)


def in_plain_words(cohort: Cohort, view: SurvivalView, result: Survival) -> None:
    """Offer the result in plain words."""
    frame.in_plain_words(
        plain.survival(
            result, cohort.study, cohort.filter, cohort.variables, view.endpoint, view.by
        )
    )


def footer(cohort: Cohort, view: SurvivalView, result: Survival) -> None:
    """Write study, selection, n and events, method and what was left out."""
    parts = [
        f"n = {result.n}, {wording.count(result.n_event, 'event')} ({view.endpoint.events})",
        "Kaplan–Meier, 95% CI log-log, at 100% and 0% the exact limit for those at risk",
        "tests and ratio over the whole follow-up",
        "median follow-up, of the whole cohort, by reverse Kaplan–Meier",
    ]
    if result.test is not None and view.by is not None:
        parts.append("log-rank, two-sided; Cox, Efron ties")
        looks = frame.comparison_number(
            cohort, view.endpoint.code, view.by.name, view.landmark_days
        )
        parts.append(f"exploratory, comparison {looks} of this session")
    if result.left_out:
        parts.append(_reasons("left out", result.left_out).rstrip("."))
    frame.footer(cohort, *parts)
