"""What the Transplant page can be asked, and how it shows the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.suppression import Count, Hidden
from analytics.survival import KaplanMeier
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS, Endpoint
from pages.elements import access, frame, sidebar, tables, takeaway, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE
from pages.elements.answers.transplant import Comparison, Lanes, Ratio, Transplant, Transplanted
from pages.elements.charts.swimmer import LOOKS, swimmer_chart
from pages.elements.charts.theme import Group, markdown_mark, style_of
from pages.elements.charts.transplant import Span, card_curves, incidence_curves, ratio_axis
from pages.elements.charts.wire import packed
from pages.elements.exports.methods import KAPLAN_MEIER
from pages.elements.frame import Cohort
from pages.elements.remembered import remembered
from pages.elements.survival_view import landmarks

METHOD = f"Cox, Efron ties; log-rank and Mantel–Byar, two-sided; {KAPLAN_MEIER}"
"""How the ratios, tests and curves of the page are computed."""

_OFFERED = ("RFS", "OS")
_ORDERS = {"transplant": "Transplanted first", "length": "Longest first"}
_LONGEST = 48  # months of the figures, as on the Survival page
_STYLES = {False: style_of("allosct", "no"), True: style_of("allosct", "yes")}
_NAMES = {False: "No alloSCT", True: "AlloSCT"}
CAUSES = [
    Group("1", "AlloSCT", "alloSCT", _STYLES[True]),
    Group("2", "Relapse or death", "relapse or death before it", LOOKS["relapse"]),
]
"""What the cumulative incidence of the transplant tells apart."""
GROUPS = [Group(str(key), _NAMES[key], _NAMES[key], _STYLES[key]) for key in (True, False)]
"""The two sides of every comparison; the level is the text of the column ‘switched’."""


@dataclass(frozen=True)
class TransplantView:
    """The choices of the Transplant page, read from the link and the study."""

    endpoint: Endpoint
    origin: str
    landmark_days: int
    default_landmark: int
    latest_landmark: int
    horizon_months: int
    swimmer: bool
    sort: str

    @property
    def milestone(self) -> tuple[str, int]:
        """The milestone of the table: two years, or one where the figures end before."""
        name = "2-year" if self.horizon_months >= 24 else "1-year"
        return name, tables.MILESTONES[name]


def endpoint(cohort: Cohort) -> Endpoint:
    """Return the endpoint that the link asks for if the page offers it, else the study's or RFS."""
    asked = cohort.endpoint().code
    own = cohort.study.default_endpoint
    return ENDPOINTS[next(code for code in (asked, own, "RFS") if code in _OFFERED)]


def title(cohort: Cohort) -> str:
    """Ask the question in the words of the study."""
    if "allosct" not in cohort.variables:
        return "Does alloSCT in first remission help?"
    return f"Does {cohort.variables['allosct'].level('yes').phrase} help?"


_ONE_SIDE = "The cohort is filtered by transplant, so one side of the comparison is missing."


def cannot_be_asked(cohort: Cohort, endpoint: Endpoint) -> bool:
    """Say why the question has no answer in this study or cohort, if it has none."""
    why = why_not(cohort, endpoint)
    if why == _ONE_SIDE:
        _lift(cohort, "Filter", why, "allosct")
    elif why is not None:
        st.info(why)
    return why is not None


def why_not(cohort: Cohort, endpoint: Endpoint) -> str | None:
    """Return why the question has no answer in this study or cohort, safe to show; None if it has one."""
    name = wording.escape(cohort.study.name)
    n: Count = 0
    if "allosct" in cohort.variables:
        found = access.level_counts(cohort.snapshot, CohortFilter(), ("allosct",))["allosct"]
        n = found.get("yes", 0)
    refused = access.derivability(cohort.snapshot)[endpoint.code].refused_because
    chosen = set(cohort.filter.get("allosct"))
    if not n:
        return f"Nobody in {name} had an alloSCT in remission: there is nothing to compare."
    if "allosct" not in landmarks(cohort, endpoint):
        return (
            f"{name} has {wording.count(n, 'patient')} with an alloSCT, and the day of none of them. "
            "Without the day nobody can tell the wait for a transplant from its effect. "
            "Ask the study for the dates."
        )
    if refused:
        return f"{endpoint.label} cannot be derived from this study. {refused}"
    return _ONE_SIDE if chosen and not chosen >= {"no", "yes"} else None


def _lift(cohort: Cohort, badge: str, sentence: str, name: str) -> None:
    lifted = cohort.view.with_cohort(cohort.filter.without(name))
    frame.guard(badge, sentence, "Lift this filter", frame.link.change, (lifted,))


def read(cohort: Cohort, endpoint: Endpoint) -> TransplantView:
    """Return the choices of the link; what it leaves open follows the study."""
    days = access.days_of_change(cohort.snapshot, "allosct_day", bool(endpoint.origin))
    default = landmarks(cohort, endpoint)["allosct"]
    asked = cohort.number("landmark_days")
    followed = access.longest_follow_up(cohort.snapshot) / wording.DAYS_PER_MONTH
    return TransplantView(
        endpoint=endpoint,
        origin=remission(cohort) if endpoint.origin else cohort.study.day_zero_label,
        landmark_days=default if asked is None else asked,
        default_landmark=default,
        latest_landmark=days[1] if days else default,
        horizon_months=min(_LONGEST, 12 * math.ceil(followed / 12)),
        swimmer=cohort.choice("swimmer", {"yes": "", "no": ""}, "no") == "yes",
        sort=cohort.choice("sort", _ORDERS, "transplant"),
    )


def remission(cohort: Cohort) -> str:
    """Return the day of first remission as it reads after 'from'."""
    from_day_zero = access.derivability(cohort.snapshot)["RFS"].from_day_zero
    return cohort.study.day_zero_label if from_day_zero else ENDPOINTS["RFS"].origin


def controls(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    """Draw endpoint and landmark, and say whom the landmark leaves out."""
    derivable = access.derivability(cohort.snapshot)
    endpoints = {
        code: ENDPOINTS[code].label for code in _OFFERED if not derivable[code].refused_because
    }
    own = cohort.study.default_endpoint
    left, middle, right = st.columns([1, 1.7, 2.1], gap="medium", vertical_alignment="bottom")
    with left:
        frame.select("Endpoint", "endpoint", endpoints, view.endpoint.code,
                     default=own if own in _OFFERED else "RFS")  # fmt: skip
    with middle:
        _slider(view)
    right.markdown(f":small[{_left_out(result)}]")


def _slider(view: TransplantView) -> None:
    """Draw the landmark in half months; days that a link or the study asks for have a place too."""
    halves = {round(k * wording.DAYS_PER_MONTH / 2) for k in range(2, 241)}
    days = {day for day in halves if day <= view.latest_landmark}
    days |= {view.default_landmark, view.landmark_days}

    def changed() -> None:
        day = st.session_state["choice_landmark_slider"]
        frame.set_option("landmark_days", None if day == view.default_landmark else str(day))

    st.select_slider(
        f"Landmark, from {view.origin}",
        sorted(days),
        frame.link.put("choice_landmark_slider", view.landmark_days),
        format_func=lambda day: f"{wording.month_label(day)}, day {day}",
        key="choice_landmark_slider",
        on_change=changed,
    )


def _left_out(result: Transplant) -> str:
    """Say who is in the landmark analysis and who is not, with the reasons."""
    n = result.chosen.n
    said = ", ".join(f"{reason} ({k})" for reason, k in result.chosen.reasons.items())
    who = f"{wording.count(n, 'patient')} left out: {said}" if n else "Nobody left out"
    by_then, later = result.landmark.after.n, result.chosen.n_later
    return f"{who}; {by_then} transplanted by then, {later} later."


def guards(cohort: Cohort) -> None:
    """Warn where link or filters ask for something else than the page can show."""
    asked = cohort.endpoint()
    if asked.code not in _OFFERED:
        rest = cohort.view.with_option("endpoint", None)
        shown = endpoint(cohort)
        sentence = f"{asked.label} is not offered here: shown is {shown.label.lower()}."
        frame.guard("Endpoint", sentence, f"Stay with {shown.short}", frame.link.change, (rest,))
    for name, _ in cohort.filter:
        variable = cohort.variables[name]
        if variable.known == "with the outcome":
            sentence = "The cohort is chosen by its outcome: this is nobody’s prospect."
            _lift(cohort, "Outcome", sentence, name)
        elif variable.known == "from a day on" and name != "allosct":
            what = wording.escape(wording.inside(variable.label))
            sentence = f"The filter on {what} counts what came later: to be in it one had to live."
            _lift(cohort, "Immortal time", sentence, name)


def answer_in_words(result: Transplant) -> str:
    """Return the time-dependent ratio, its test, and what that shows."""
    p = wording.p_value(result.dependent.p_value)
    ratio = _words(result.dependent.ratio)
    return f"hazard ratio of transplant counted from its day {ratio}{', ' + p if p else ''}: " + (
        verdict(result)
    )


def answer(view: TransplantView, result: Transplant) -> None:
    """Say in one sentence what the naive and the time-dependent ratio are, and what that shows."""
    if result.naive.too_small:
        st.info(_too_few(result))
        return
    found = result.dependent
    p = wording.p_value(found.p_value)
    st.markdown(
        f":gray[Naive hazard ratio {_words(result.naive.ratio)}, but whoever was transplanted had to "
        "live long enough for it.] With transplant counted from its day: "
        f"**{_words(found.ratio)}**{', ' + p if p else ''}: {verdict(result)}."
    )


def _words(ratio: Ratio) -> str:
    return wording.ratio(ratio.value, ratio.low, ratio.high)


def _too_few(result: Transplant) -> str:
    return (
        f"In this cohort {result.n_transplanted} of {wording.count(result.n, 'patient')} had an "
        "alloSCT in remission: too few on one side to compare. Widen the filter."
    )


def verdict(result: Transplant) -> str:
    """Say what the interval says, and never more."""
    found, p = result.dependent, result.dependent.p_value
    events = wording.count(found.none.n_event + found.after.n_event, "event")
    events += f" ({found.after.n_event} after transplant)"
    if result.minimum and isinstance(found.after.n_event, Hidden):
        events = f"{found.after.n_event} events after transplant"
    if found.too_small and result.minimum:
        return "too few at risk on one side"
    if found.too_small:
        return f"fewer than {FEWEST_FOR_A_CURVE} at risk on one side"
    if math.isnan(found.ratio.value):
        return f"no finite ratio with {events}"
    if found.ratio.low > 1:
        return f"more events after transplant, with {events} and nobody randomised"
    if found.ratio.high < 1:
        return f"fewer events after transplant, with {events} and nobody randomised"
    if p is not None and p < 0.05:
        return f"test and interval disagree, as they can with {events}"
    return f"a benefit is neither shown nor excluded with {events}"


def cards(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    """Draw the four analyses side by side, each with its caveat."""
    key = " · ".join(f"{markdown_mark(_STYLES[k])} {_NAMES[k]}" for k in (True, False))
    st.markdown(
        f":small[{key} · {view.endpoint.label.lower()} in percent by months from {view.origin}; "
        "hazard ratios (HR) of alloSCT against none]"
    )
    draw: tuple[Callable[[Cohort, TransplantView, Transplant], None], ...] = (
        _naive, _landmark, _simon_makuch, _dependent,
    )  # fmt: skip
    for column, analysis in zip(st.columns(4, border=True), draw, strict=True):
        with column, frame.part("This analysis"):
            analysis(cohort, view, result)


def _metric(label: str, ratio: Ratio, *, gray: bool = False) -> None:
    value, _, limits = _words(ratio).rstrip(")").partition(" (")
    value = value if math.isnan(ratio.value) else f"HR {value}"
    st.metric(
        label, f":gray[{value}]" if gray else value, limits or None, delta_color="off",
        delta_arrow="off",
    )  # fmt: skip


def _caveat(text: str) -> None:
    st.markdown(f":small[{text}]")


@dataclass(frozen=True, eq=False)
class Card:
    """The figure of one of the four analyses.

    Attributes
    ----------
    title : str
    spec : dict
    alt : str
    km : KaplanMeier or None
        What it draws; None for ratios.
    """

    title: str
    spec: dict[str, Any]
    alt: str
    km: KaplanMeier | None = None


@remembered(200)
def card(view: TransplantView, result: Transplant, key: str) -> Card | None:
    """Return the figure of an analysis: naive, landmark, simon_makuch or ratios; None if it has none."""
    drawn = {"naive": _naive_card, "landmark": _landmark_card, "simon_makuch": _simon_makuch_card}
    if key == "ratios":
        return Card("Hazard ratios of alloSCT", *_ratios(result))
    return drawn[key](view, result)


def _naive_card(view: TransplantView, result: Transplant) -> Card | None:
    km = result.naive.km
    if km is None:
        return None
    spec = card_curves(km, GROUPS, horizon_months=view.horizon_months)
    alt = _alt("Ever against never transplanted", view, result.naive)
    return Card("Naive: ever against never transplanted", spec, alt, km)


def _landmark_name(result: Transplant) -> str:
    return f"Landmark, {wording.month_label(result.chosen.at)}"


def _landmark_card(view: TransplantView, result: Transplant) -> Card | None:
    km = result.landmark.km
    if km is None:
        return None
    spec = card_curves(
        km, GROUPS, horizon_months=view.horizon_months, landmark_days=result.chosen.at
    )
    alt = _alt("By the group on the day of the landmark", view, result.landmark)
    return Card(f"{_landmark_name(result)}: transplanted by then or not", spec, alt, km)


def _simon_makuch_card(view: TransplantView, result: Transplant) -> Card | None:
    found = result.simon_makuch
    if found is None:
        return None
    stop = math.inf if found.collapsed_at is None else found.collapsed_at
    spec = card_curves(
        found.kaplan_meier, GROUPS, horizon_months=view.horizon_months,
        landmark_days=result.chosen.at, spans={"True": Span(result.readable_from, stop)},
    )  # fmt: skip
    p = wording.p_value(result.dependent.p_value)
    alt = f"Patients change curve at the transplant; {view.endpoint.label.lower()}. {p}"
    return Card("Simon–Makuch: patients change curve at transplant", spec, alt, found.kaplan_meier)


def _ratios(result: Transplant) -> tuple[dict[str, Any], str]:
    """Return the three hazard ratios on one axis, and the same in words."""
    shown = {"Naive": result.naive.ratio, "Landmark": result.landmark.ratio,
             "Time-dependent": result.dependent.ratio}  # fmt: skip
    rows = [
        {"text": f"{name} {_number(ratio)}", "value": ratio.value, "low": ratio.low,
         "high": ratio.high, "strong": name == "Time-dependent"}
        for name, ratio in shown.items()
    ]  # fmt: skip
    said = "; ".join(f"{name} {_words(ratio)}" for name, ratio in shown.items())
    return ratio_axis(rows), f"Hazard ratios of alloSCT against none. {said}"


@remembered(200)
def _packed(view: TransplantView, result: Transplant, key: str) -> dict[str, Any]:
    made = card(view, result, key)
    assert made is not None
    return packed(made.spec)


def _card(cohort: Cohort, view: TransplantView, result: Transplant, key: str) -> None:
    made = card(view, result, key)
    assert made is not None
    _figure(_packed(view, result, key), key, made.alt)
    takeaway.menu(cohort, "transplant_answers" if key == "ratios" else f"transplant_{key}")


def _naive(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    found = result.naive
    _metric("1 · Naive :orange-badge[immortal time]", found.ratio, gray=True)
    _card(cohort, view, result, "naive")
    _caveat("Biased: the wait for the transplant counts as its success.")


def _landmark(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    found = result.landmark
    _metric(f"2 · {_landmark_name(result)}", found.ratio)
    if found.km is None:
        sides = {"transplanted by then": found.after.n, "not yet transplanted": found.none.n}
        _caveat(f"{_few(sides)} {_MOVE}")
        return
    _card(cohort, view, result, "landmark")
    n, later = result.chosen.n, result.chosen.n_later
    whoever = f"{later} transplanted later count as none" if later else "nobody transplanted later"
    _caveat(f"{n or 'Nobody'} left out before; {whoever}.")


_MOVE = "Move the landmark."


def _few(sides: Mapping[str, Count]) -> str:
    if any(isinstance(n, Hidden) for n in sides.values()):
        return "Too few on one side for a curve."
    small = [f"{n} {what}" for what, n in sides.items() if n < FEWEST_FOR_A_CURVE]
    return f"{wording.listed(small)}: too few for a curve."


def _simon_makuch(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    found = result.simon_makuch
    p = wording.p_value(result.dependent.p_value)
    st.metric(
        "3 · Simon–Makuch", p or "No test", "Mantel–Byar test", delta_color="off", delta_arrow="off"
    )
    if found is None:
        _caveat(f"Fewer than {FEWEST_FOR_A_CURVE} on a side beyond the landmark. {_MOVE}")
        return
    _card(cohort, view, result, "simon_makuch")
    text = "Patients change curve at transplant"
    if found.collapsed_at is not None:
        when = wording.month_label(found.collapsed_at)
        _caveat(f"{text}; alloSCT unreadable from {when}: nobody was left in it. {_MOVE}")
    else:
        _caveat(f"{text}; curves from the landmark, P from the start.")


def _dependent(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    _metric("4 · Cox, time-dependent", result.dependent.ratio)
    _card(cohort, view, result, "ratios")
    _caveat(f"Everybody counts, alloSCT from its day on. {_adjusted(result)}")


def _number(ratio: Ratio) -> str:
    return _words(ratio).partition(" (")[0]


def _adjusted(result: Transplant) -> str:
    found = result.adjusted
    if found is None:
        return ""
    names = {"age_years": "age", "risk_group": "risk group"}
    what = wording.listed(names[name] for name in found.covariates)
    if found.too_many:
        return f"Too many patients to adjust for {what} on the cluster: choose a smaller cohort."
    if not found.enough:
        return f"Too few events ({found.n_event}) to adjust for {what}."
    missing = f"; {found.n_incomplete} with a missing value left out" if found.n_incomplete else ""
    return f"Adjusted for {what}: **{_words(found.ratio)}**{missing}."


def _alt(what: str, view: TransplantView, found: Comparison) -> str:
    return (
        f"{what}, {view.endpoint.label.lower()}: {found.after.n_event} events in {found.after.n} "
        f"with alloSCT, {found.none.n_event} in {found.none.n} without; "
        f"hazard ratio {_words(found.ratio)}"
    )


def _figure(spec: dict[str, object], key: str, alt: str) -> None:
    st.vega_lite_chart(
        spec, theme=None, width="stretch", key=f"transplant_{key}", alt=alt
    )  # fmt: skip


@remembered(200)
def numbers_table(view: TransplantView, result: Transplant) -> pd.DataFrame:
    """Return patients, events, rates, ratio and P of the four analyses as one table."""
    name, day = view.milestone
    rate = f"{name} {view.endpoint.short}"
    marks = {key: f"{markdown_mark(_STYLES[key])} {_NAMES[key]}" for key in (True, False)}
    rows = [
        f"{marks[key]}, {what}" for what in ("events / patients", rate) for key in (True, False)
    ]
    table = {"": [*rows, "HR (95% CI)", "P"]}
    methods = {"Naive": result.naive, "Landmark": result.landmark, "Simon–Makuch": None,
               "Time-dependent": result.dependent}  # fmt: skip
    for head, found in methods.items():
        table[head] = (
            _simon_makuch_cells(result, day) if found is None else _cells(result, found, day)
        )
    return pd.DataFrame(table).replace("–", "\u2060–\u2060", regex=True)  # unbroken on a phone


def numbers(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    """Write the numbers of the four analyses."""
    st.table(numbers_table(view, result), border="horizontal", hide_index=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":small[:gray[{_notes(cohort, result)}]]", width="stretch")
        asked = cohort.view.with_option("by", "allosct").with_option("endpoint", "CIR")
        asked = asked.with_option("landmark_days", str(view.landmark_days))
        frame.page_link("Survival", asked, "Relapse and non-relapse mortality",
                        ":material/show_chart:")  # fmt: skip


def _cells(result: Transplant, found: Comparison, day: int) -> list[str]:
    counts = [f"{side.n_event}/{side.n}" for side in (found.after, found.none)]
    start = result.chosen.at if found is result.landmark else 0
    rates = ["–", "–"]
    if found.km is not None and day > start:
        rates = _rates(found.km.at(day))
    ratio = wording.ratio_cell(found.ratio.value, found.ratio.low, found.ratio.high)
    ratio = "–" if found.too_small else ratio
    return [*counts, *rates, ratio, wording.p_number(found.p_value)]


def _rates(at: pd.DataFrame) -> list[str]:
    rates = at.set_index("switched")
    return [
        wording.rate_with_interval(*rates.loc[key, ["survival", "low", "high"]])
        for key in (True, False)
    ]


def _simon_makuch_cells(result: Transplant, day: int) -> list[str]:
    found = result.simon_makuch
    if found is None:
        return ["–"] * 6
    sizes = found.kaplan_meier.groups.set_index("switched")
    counts = [f"{sizes.loc[k, 'n_event']}/{sizes.loc[k, 'n']}" for k in (True, False)]
    after, none = _rates(found.kaplan_meier.at(day))
    collapsed = found.collapsed_at is not None and day >= found.collapsed_at
    if day <= result.readable_from or collapsed:
        after = "–"
    if day <= result.chosen.at:
        none = "–"
    return [*counts, after, none, "–", wording.p_number(result.dependent.p_value)]


def _notes(cohort: Cohort, result: Transplant) -> str:
    """Say what the table counts, and whom it counts where."""
    notes = [
        "Patients who change group are on both sides of Simon–Makuch and of the time-dependent ratio",
        "P: log-rank; of the last two Mantel–Byar from the start, where the counts begin at the landmark",
    ]
    if result.n_late:
        notes.append(
            f"{result.n_late} transplanted on the last day followed or later count as none"
        )
    if result.n_never_at_risk:
        notes.append(
            f"{result.n_never_at_risk} left before their MRD was known: not in the last one"
        )
    selected = cohort.variables.deciding(name for name, _ in cohort.filter)
    if any(variable.known == "at a day" for variable in selected):
        notes.append(
            "time-dependent: each counts from the day on which the chosen MRD status is known"
        )
    car_t = (
        access.level_counts(cohort.snapshot, cohort.filter, ("car_t",))
        if "car_t" in (cohort.variables)
        else {}
    )
    if n := car_t.get("car_t", {}).get("yes", 0):
        notes.append(f"CAR T cells in remission ({n}) are not a transplant")
    return "; ".join(notes) + "."


def transplanted(cohort: Cohort) -> Transplanted:
    """Return who was transplanted by risk group and MRD status, and when."""
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    name = timepoint.name if timepoint else None
    return access.transplanted(cohort.snapshot, cohort.filter, name)


def who(cohort: Cohort, view: TransplantView) -> None:
    """Draw who was transplanted by risk group and MRD, and when."""
    found = transplanted(cohort)
    st.subheader("Who was transplanted, and when", anchor=False)
    left, right = st.columns([1.7, 1], gap="medium")
    with left:
        _who_table(cohort, found)
    with right:
        _when_figure(cohort, view, found)


def who_table(cohort: Cohort, found: Transplanted) -> pd.DataFrame:
    """Return who was transplanted by risk group and MRD status."""
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    heads = [""]
    if timepoint is not None:
        heads += [tables.marked(timepoint, s, timepoint.level(s).short) for s in found.statuses]
    tested = len(found.statuses) > 1 and any(p is not None for p in found.by_status.values())
    rows = []
    for risk in ("", *found.risks) if len(found.risks) > 1 else ("",):
        risks = cohort.variables["risk_group"] if risk else None
        name = tables.marked(risks, risk, risks.level(risk).short) if risks else "**All**"
        cells = [_share(found, risk, status) for status in (*found.statuses, "")]
        rows.append([name, *cells, *([wording.p_number(found.by_status[risk])] if tested else [])])
    if len(found.risks) > 1:
        p_values = [wording.p_number(found.by_risk[status]) for status in (*found.statuses, "")]
        cells = [f":gray[{p}]" for p in p_values]
        rows.append([":gray[P, Fisher]", *cells, *([""] if tested else [])])
    columns = [*heads, "All", *(["P, Fisher"] if tested else [])]
    return pd.DataFrame(rows, columns=columns)


def _who_table(cohort: Cohort, found: Transplanted) -> None:
    table = who_table(cohort, found)
    st.table(table, border="horizontal", hide_index=True)
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    note = "Transplanted of all patients, with exact 95% CI."
    if timepoint is not None and found.statuses:
        label = wording.escape(timepoint.label)
        note = f"Transplanted of all patients by {label}, with exact 95% CI."
        tested = "P, Fisher" in table
        note += " P on the right: negative against positive." if tested else ""
        note += " Samples after a transplant do not count: who was transplanted before is ‘not assessed’."
    st.markdown(f":small[:gray[{note}]]")
    everybody = found.shares["", ""]
    counts = {"yes": everybody.count, "no": everybody.total - everybody.count}
    names = {"yes": _NAMES[True], "no": _NAMES[False]}
    chosen = {v: cohort.filter.with_("allosct", (v,)) for v in counts}
    with st.container(horizontal=True):
        frame.show_patients(cohort, {names[v]: (chosen[v], n) for v, n in counts.items()})
        takeaway.menu(cohort, "transplant_who")


def _share(found: Transplanted, risk: str, status: str) -> str:
    share = found.shares[risk, status]
    if isinstance(share.count, Hidden) or isinstance(share.total, Hidden):
        return f"{share.count}/{share.total}"
    if share.rate is None or share.low is None or share.high is None:
        return ":gray[no patients]"
    limits = wording.percent_interval(share.low, share.high)
    return f"**{wording.percent(share.rate)}** {share.count}/{share.total}  \n:gray[{limits}]"


def _when_figure(cohort: Cohort, view: TransplantView, found: Transplanted) -> None:
    if found.incidence is None and found.quartiles:
        st.info("Too few of this cohort have a dated transplant to show the time to it.")
        return
    if found.incidence is None:
        st.info("Nobody of this cohort has a dated transplant: there is no time to it.")
        return
    median, limits = wording.median_months(found.median, found.first, found.last)
    key = " or ".join(f"{markdown_mark(group.style)} {group.short}" for group in CAUSES)
    st.markdown(
        f"Median time to alloSCT **{median} months** "
        f"({'quartiles' if found.quartiles else 'range'} {limits}) from {remission(cohort)}  \n"
        f":small[Cumulative incidence, percent: {key}]"
    )
    spec, alt = when_chart(cohort, view, found)
    _figure(spec, "incidence", alt)
    takeaway.menu(cohort, "transplant_incidence")


def when_chart(
    cohort: Cohort, view: TransplantView, found: Transplanted
) -> tuple[dict[str, Any], str]:
    """Return the cumulative incidence of the transplant, and the same in words."""
    assert found.incidence is not None
    spec = incidence_curves(
        found.incidence, CAUSES, origin=remission(cohort), horizon_months=view.horizon_months
    )
    day = min(365, int(found.incidence.groups["last_time"].min()))
    at = found.incidence.at(day).set_index("cause")
    said = wording.rate_with_interval(*at.loc[1, ["incidence", "low", "high"]])
    return spec, f"Cumulative incidence of alloSCT at {wording.month_label(day)}: {said}"


def swimmer(cohort: Cohort, view: TransplantView) -> None:
    """Draw the lanes of all patients, once somebody asks for them."""
    if minimum_of(cohort.snapshot):
        return

    def changed() -> None:
        frame.set_option("swimmer", "yes" if st.session_state["choice_swimmer"] else None)

    st.subheader(f"Every patient, from {remission(cohort)}", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        drawn = frame.link.put("choice_swimmer", view.swimmer)
        st.toggle("Draw a lane for every patient", drawn, key="choice_swimmer", on_change=changed)
        if view.swimmer:
            frame.select("Order", "sort", _ORDERS, view.sort, default="transplant")
    if view.swimmer:
        with st.spinner("Drawing the lanes"):
            _lanes(cohort, view)


def lanes(cohort: Cohort, view: TransplantView) -> Lanes:
    """Return the course of each patient in the order of the page."""
    first = view.sort == "transplant"
    return access.lanes(cohort.snapshot, cohort.filter, transplanted_first=first)


def lanes_chart(cohort: Cohort, found: Lanes) -> tuple[dict[str, Any], str]:
    """Return a lane for every patient, and the same in words."""
    texts = [
        _lane_text(position, row) for position, row in enumerate(found.patients.to_dict("records"))
    ]
    samples = found.samples.assign(
        text=[
            f"Lane {row['lane'] + 1}: MRD {row['status']} at {wording.months(row['day'], 1)} mo"
            for row in found.samples.to_dict("records")
        ]
    )
    spec = swimmer_chart(found.patients.assign(text=texts), samples, origin=remission(cohort))
    counts = found.patients.notna().sum()
    return spec, (
        f"One lane for each of {len(found.patients)} patients: {counts['allosct']} with alloSCT, "
        f"{counts['relapse']} relapsed, {counts['death']} died"
    )


def _lanes(cohort: Cohort, view: TransplantView) -> None:
    found = lanes(cohort, view)
    if found.patients.empty:
        st.info("Nobody of this cohort has a dated remission and follow-up.")
        return
    st.markdown(_swimmer_key(found))
    spec, alt = lanes_chart(cohort, found)
    _figure(spec, "swimmer", alt)
    takeaway.menu(cohort, "swimmer")
    notes = []
    if found.n_more:
        n = len(found.patients)
        notes.append(f"the first {n:,} of {n + found.n_more:,} in this order are drawn")
    if found.n_without_remission:
        notes.append(f"{found.n_without_remission} without a dated remission have no lane")
    if found.n_undated:
        notes.append(f"{found.n_undated} with an alloSCT without a date are drawn without it")
    if notes:
        st.markdown(f":small[:gray[{'; '.join(notes)}.]]")


def _swimmer_key(found: Lanes) -> str:
    """Explain what the lanes of this cohort hold, and nothing else."""
    drawn = {*found.samples["status"], *found.patients.columns[found.patients.notna().any()]}
    bars = {"allosct": "alloSCT and after", "car_t": "CAR T cells and after"}
    marks = {"negative": "MRD negative", "positive": "MRD positive", "below LOD": "below LOD",
             "indeterminate": "indeterminate", "relapse": "relapse", "death": "death"}  # fmt: skip
    key = [":gray[━━] before"]
    key += [f":{LOOKS[k].slot}[**┃**━━] {name}" for k, name in bars.items() if k in drawn]
    key += [f"{markdown_mark(LOOKS[k])} {name}" for k, name in marks.items() if k in drawn]
    return f":small[{' · '.join([*key, ':gray[▸] still followed'])}]"


def _lane_text(position: int, row: Mapping[object, float]) -> str:
    words = {"allosct": "alloSCT", "car_t": "CAR T cells", "relapse": "relapse", "death": "death"}
    events = sorted((row[kind], what) for kind, what in words.items() if not math.isnan(row[kind]))
    said = [f"{what} at {wording.months(day, 1)} mo" for day, what in events]
    if math.isnan(row["death"]):
        said.append(f"followed to {wording.months(row['end'], 1)} mo")
    return f"Lane {position + 1}: {', '.join(said)}"


def footer(cohort: Cohort, view: TransplantView, result: Transplant) -> None:
    """Write study, selection, n and events, method and what was left out."""
    n_event = wording.count(result.n_event, "event")
    parts = [
        f"n = {result.n}, {n_event} ({view.endpoint.events})",
        METHOD,
        f"figures to {view.horizon_months} months, ratios and tests over the whole follow-up",
    ]
    if not result.naive.too_small:
        looks = frame.comparison_number(
            cohort, "transplant", view.endpoint.code, view.landmark_days
        )
        parts.append(f"exploratory, comparison {looks} of this session")
    if result.left_out:
        reasons = "; ".join(f"{wording.escape(r)} ({n})" for r, n in result.left_out.items())
        parts.append(f"left out: {reasons}")
    if k := result.minimum:
        parts.append(f"curves end where fewer than {k} are at risk")
    frame.footer(cohort, *parts)
