"""The exhibits of the Transplant page: four analyses, who was transplanted and when, every lane."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.suppression import Count
from analytics.survival import KaplanMeier
from data.endpoints import Endpoint
from pages.elements import access, caveats, sidebar, tables, transplant_view, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.transplant import Ratio, Transplant
from pages.elements.caveats import Caveat
from pages.elements.charts.survival import axis_ticks
from pages.elements.charts.theme import Group
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import script
from pages.elements.exports.exhibit import Exhibit, Provenance, Series
from pages.elements.frame import Cohort
from pages.elements.transplant_view import TransplantView

PAGE = "Transplant"
_SIDES = {False: "No alloSCT", True: "AlloSCT"}
_NAIVE = Caveat("Immortal time", "whoever was transplanted had to live long enough for it")
_METHODS = {
    "naive": ("kaplan_meier", "log_rank", "cox"),
    "landmark": ("kaplan_meier", "log_rank", "cox", "landmark"),
    "simon_makuch": ("simon_makuch", "mantel_byar", "landmark"),
}


def asked(cohort: Cohort) -> tuple[TransplantView, Transplant] | None:
    """Return the choices of the page and its answer; None where the question has none."""
    endpoint = transplant_view.endpoint(cohort)
    if not _can_be_asked(cohort, endpoint):
        return None
    view = transplant_view.read(cohort, endpoint)
    result = access.transplant(
        cohort.snapshot, cohort.filter, endpoint=endpoint.code, landmark_days=view.landmark_days
    )
    return view, result


def _can_be_asked(cohort: Cohort, endpoint: Endpoint) -> bool:
    return transplant_view.why_not(cohort, endpoint) is None


def answers(cohort: Cohort) -> Exhibit | None:
    """Return the hazard ratios of the four analyses, and the table of all their numbers."""
    found = asked(cohort)
    if found is None or found[1].naive.too_small:
        return None
    view, result = found
    card = transplant_view.card(view, result, "ratios")
    assert card is not None
    title = f"{transplant_view.title(cohort)} Four analyses"
    message = transplant_view.answer_in_words(result)
    return Exhibit(
        key="transplant_answers",
        page=PAGE,
        title=title,
        message=parts.short(message[:1].upper() + message[1:]),
        provenance=_provenance(cohort, view, result),
        spec=card.spec,
        alt=card.alt,
        tables={"Analyses": _analyses(view, result)},
        shown={title: transplant_view.numbers_table(view, result)},
        methods=(
            "kaplan_meier", "log_rank", "cox", "landmark", "mantel_byar", "simon_makuch",
            "time_dependent_cox", *_small(cohort),
        ),
        code=_answers_code(cohort, view),
    )  # fmt: skip


def analysis(key: str) -> Callable[[Cohort], Exhibit | None]:
    """Return what builds the curves of one analysis: naive, landmark or simon_makuch."""

    def build(cohort: Cohort) -> Exhibit | None:
        found = asked(cohort)
        if found is None or found[1].naive.too_small:
            return None
        return _curves(cohort, *found, key)

    return build


def _curves(cohort: Cohort, view: TransplantView, result: Transplant, key: str) -> Exhibit | None:
    card = transplant_view.card(view, result, key)
    if card is None or card.km is None:
        return None
    ticks = axis_ticks(view.horizon_months, "months")
    read = _readable(result, key)
    return Exhibit(
        key=f"transplant_{key}",
        page=PAGE,
        title=f"{card.title}, {wording.inside(view.endpoint.label)}",
        message=_message(result, key),
        provenance=_provenance(cohort, view, result, key),
        spec=card.spec,
        alt=card.alt,
        chart="curves",
        series=_series(card.spec, card.km, ticks, read),
        axes=(f"Months from {view.origin}", f"{view.endpoint.label} (%)"),
        ticks={tick: f"{tick:g}" for tick in ticks},
        counted="At risk (events)",
        tables={"Milestones": _milestones(view, card.km, read), "Curves": _steps(card.km, read)},
        shown={card.title: _sides(view, card.km, read)},
        methods=(*_METHODS[key], *_small(cohort)),
        code=_curves_code(cohort, view, key),
    )


def _message(result: Transplant, key: str) -> str:
    if key == "simon_makuch":
        said = parts.tested(result.dependent.p_value, "Mantel–Byar test")
        return parts.short("patients change curve at transplant", said)
    found = result.naive if key == "naive" else result.landmark
    ratio = f"hazard ratio of alloSCT against none {_ratio(found.ratio)}"
    biased = "biased: the wait for the transplant counts as its success" if key == "naive" else ""
    return parts.short(ratio, parts.tested(found.p_value, "log-rank"), biased)


def _ratio(ratio: Ratio) -> str:
    return wording.ratio(ratio.value, ratio.low, ratio.high)


def incidence(cohort: Cohort) -> Exhibit | None:
    """Return when patients were transplanted, as a cumulative incidence."""
    found = asked(cohort)
    if found is None:
        return None
    view, _ = found
    transplanted = transplant_view.transplanted(cohort)
    if transplanted.incidence is None:
        return None
    spec, alt = transplant_view.when_chart(cohort, view, transplanted)
    curve = transplanted.incidence.curve
    names = {str(group.level): group.label for group in transplant_view.CAUSES}
    table = curve.assign(Cause=[names[str(code)] for code in curve["cause"]])
    columns = {"Cause": "Cause", "time": "Day", "n_risk": "At risk", "n_event": "Events",
               "incidence": "Incidence", "low": "Low", "high": "High"}  # fmt: skip
    ends = (transplanted.median, transplanted.first, transplanted.last)
    what = "quartiles" if transplanted.quartiles else "range"
    median, limits = wording.median_months(*ends)
    title = "Time to alloSCT"
    summary = pd.DataFrame(
        [(title, *ends)], columns=["What", "Median, days", f"First ({what})", f"Last ({what})"]
    )
    ticks = axis_ticks(view.horizon_months, "months")
    return Exhibit(
        key="transplant_incidence",
        page=PAGE,
        title=f"{title}, cumulative incidence",
        message=parts.short(
            f"median time to alloSCT {median} months ({what} {limits}) among the transplanted"
        ),
        provenance=_of_everybody(cohort, view, "cumulative incidence after Aalen and Johansen"),
        spec=spec,
        alt=alt,
        chart="curves",
        series=_incidence_series(spec),
        axes=(f"Months from {transplant_view.remission(cohort)}", "Cumulative incidence (%)"),
        ticks={tick: f"{tick:g}" for tick in ticks},
        tables={
            "Summary": parts.typed(summary),
            "Curves": parts.typed(table, names={k: v for k, v in columns.items() if k in table}),
        },
        shown={title: pd.DataFrame([(median, limits)], columns=["Median, months", what])},
        methods=("aalen_johansen", *_small(cohort)),
        code=script(
            cohort,
            {
                "numpy": ["where"],
                "analytics.competing": ["cumulative_incidence"],
                "analytics.events": ["event_table"],
                "data.queries": ["switch_rows"],
            },
            "rows = switch_rows(snapshot, cohort, variables, endpoint='RFS', name='allosct')",
            'rows = rows[~rows["undated"]]',
            'switch = rows["switch"].astype("float64")',
            'rows["first"] = switch.where(switch.notna(), rows["time"])',
            'rows["code"] = where(switch.notna(), 1, where(rows["event"] == 1, 2, 0))',
            'table = event_table(rows[["first", "code"]], time="first", event="code")',
            "numbers = cumulative_incidence(table).curve",
        ),
    )


def who(cohort: Cohort) -> Exhibit | None:
    """Return who was transplanted by risk group and MRD status."""
    found = asked(cohort)
    if found is None:
        return None
    view, _ = found
    transplanted = transplant_view.transplanted(cohort)
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    rows = [
        (
            cohort.variables["risk_group"].level(risk).name if risk else "All",
            timepoint.level(status).name if status and timepoint else "All",
            share.count, share.total, share.rate, share.low, share.high,
        )
        for (risk, status), share in transplanted.shares.items()
    ]  # fmt: skip
    columns = ["Risk group", "MRD status", "Transplanted", "Patients", "Rate", "Low", "High"]
    everybody = transplanted.shares["", ""]
    rate = ""
    if everybody.rate is not None and everybody.low is not None and everybody.high is not None:
        limits = wording.percent_interval(everybody.low, everybody.high)
        rate = f" ({wording.percent(everybody.rate)}, 95% CI {limits})"
    title = "Who was transplanted"
    by = f" by {wording.inside(timepoint.label)}" if timepoint and transplanted.statuses else ""
    return Exhibit(
        key="transplant_who",
        page=PAGE,
        title=title + by,
        message=parts.short(f"{everybody.count} of {everybody.total} had an alloSCT{rate}"),
        provenance=_of_everybody(cohort, view, "exact 95% CI; Fisher’s exact test, not adjusted"),
        tables={title: parts.typed(pd.DataFrame(rows, columns=columns))},
        shown={title + by: transplant_view.who_table(cohort, transplanted)},
        methods=("clopper_pearson", "fisher", *_small(cohort)),
        code=_who_code(cohort, timepoint.name if timepoint else None),
    )


def _who_code(cohort: Cohort, timepoint: str | None) -> str:
    keys = [name for name in ("risk_group", timepoint) if name and name in cohort.variables]
    groups = f"people.groupby({keys!r}, observed=True)" if keys else "people"
    return script(
        cohort,
        {"data.queries": ["subjects"]},
        "people = subjects(snapshot, cohort, variables)",
        'people["yes"] = people["allosct"] == "yes"',
        f'numbers = {groups}["yes"].agg(["sum", "size"])',
    )


def swimmer(cohort: Cohort) -> Exhibit | None:
    """Return the lanes of the patients; None where single patients are not shown."""
    found = asked(cohort)
    if found is None or minimum_of(cohort.snapshot):
        return None
    view, _ = found
    lanes = transplant_view.lanes(cohort, view)
    if lanes.patients.empty:
        return None
    spec, alt = transplant_view.lanes_chart(cohort, lanes)
    columns = {"end": "Last day", "allosct": "AlloSCT", "car_t": "CAR T cells",
               "relapse": "Relapse", "death": "Death"}  # fmt: skip
    patients = lanes.patients.assign(lane=range(1, len(lanes.patients) + 1))
    samples = lanes.samples.assign(lane=lanes.samples["lane"] + 1)
    counts = lanes.patients.notna().sum()
    title = f"Every patient, from {transplant_view.remission(cohort)}"
    return Exhibit(
        key="swimmer",
        page=PAGE,
        title=title,
        message=parts.short(
            f"{len(patients)} patients: {counts['allosct']} with alloSCT, "
            f"{counts['relapse']} relapsed, {counts['death']} died"
        ),
        provenance=_of_everybody(cohort, view, "as recorded"),
        spec=spec,
        alt=alt,
        tables={
            "Lanes": parts.typed(patients, names={"lane": "Lane", **columns}),
            "Samples": parts.typed(
                samples, names={"lane": "Lane", "day": "Day", "status": "MRD status"}
            ),
        },
        methods=(),
        code=script(
            cohort,
            {"data.queries": ["subjects"]},
            "people = subjects(snapshot, cohort, variables)",
            'people = people.dropna(subset=["cr_day", "follow_up_days"])',
            'days = ["follow_up_days", "allosct_day", "car_t_day", "relapse_day", "death_day"]',
            'numbers = people[days].astype("float64").sub(people["cr_day"].astype("float64"), axis=0)',
        ),
    )


def _provenance(
    cohort: Cohort, view: TransplantView, result: Transplant, key: str = ""
) -> Provenance:
    """Return where the numbers of all four analyses come from, or of the curves of one."""
    method = f"{transplant_view.METHOD}; landmark at {wording.month_label(view.landmark_days)}"
    where, n, n_event = "in the analyses", result.n, result.n_event
    if key:
        where = "in the curves"
    if key in ("landmark", "simon_makuch"):
        sides = (result.landmark.none, result.landmark.after)
        n, n_event = sum(side.n for side in sides), sum(side.n_event for side in sides)
    said = parts.counts_inside(cohort, where, n, n_event)
    warned = (*((_NAIVE,) if key == "naive" else ()), *_warned(cohort, view))
    return parts.provenance(cohort, PAGE, counts=said, method=method, caveats=warned)


def _of_everybody(cohort: Cohort, view: TransplantView, method: str) -> Provenance:
    """Return where numbers come from that are of the whole cohort, and of no survival."""
    said = parts.counts(cohort)
    return parts.provenance(cohort, PAGE, counts=said, method=method, caveats=_warned(cohort, view))


def _warned(cohort: Cohort, view: TransplantView) -> tuple[Caveat, ...]:
    compared = cohort.variables["allosct"]
    return tuple(caveats.of_time(cohort, [compared], view.landmark_days))


def _small(cohort: Cohort) -> tuple[str, ...]:
    return ("small_numbers",) if minimum_of(cohort.snapshot) else ()


# Numbers


def _analyses(view: TransplantView, result: Transplant) -> pd.DataFrame:
    rows: list[list[object]] = []
    for name, found in (
        ("Naive", result.naive),
        ("Landmark", result.landmark),
        ("Time-dependent", result.dependent),
    ):
        sides = (found.after, found.none)
        counts: list[Count] = [each for side in sides for each in (side.n, side.n_event)]
        ratio = found.ratio
        rows.append([name, *counts, ratio.value, ratio.low, ratio.high, found.p_value])
    adjusted = result.adjusted
    if adjusted is not None and adjusted.enough:
        ratio = adjusted.ratio
        beside = wording.listed(name.removesuffix("_years").replace("_", " ")
                                for name in adjusted.covariates)  # fmt: skip
        name = f"Time-dependent, adjusted for {beside}"
        rows.append([name, *[None] * 4, ratio.value, ratio.low, ratio.high, None])
    heads = ["Analysis", "AlloSCT, patients", "AlloSCT, events", "None, patients", "None, events",
             "Hazard ratio", "Low", "High", "P"]  # fmt: skip
    return parts.typed(pd.DataFrame(rows, columns=heads))


def _readable(result: Transplant, key: str) -> dict[bool, tuple[float, float]]:
    """Return after and before which day the curve of each side says something."""
    start = -1.0 if key == "naive" else float(result.chosen.at)
    span = {False: (start, math.inf), True: (start, math.inf)}
    found = result.simon_makuch
    if key == "simon_makuch" and found is not None:
        stop = math.inf if found.collapsed_at is None else found.collapsed_at
        span[True] = (result.readable_from, stop)
    return span


def _read(table: pd.DataFrame, span: dict[bool, tuple[float, float]]) -> pd.DataFrame:
    """Return the rows of both sides that may be read, under the names of the sides."""
    kept = [
        span[bool(key)][0] < day < span[bool(key)][1]
        for key, day in zip(table["switched"], table["time"], strict=True)
    ]
    table = table[kept]
    return table.assign(Group=[_SIDES[bool(key)] for key in table["switched"]])


def _milestones(
    view: TransplantView, km: KaplanMeier, span: dict[bool, tuple[float, float]]
) -> pd.DataFrame:
    days = {day: name for name, day in tables.milestones(_horizon_days(view)).items()}
    table = _read(km.at(list(days)), span)
    table = table.assign(Milestone=[days[int(day)] for day in table["time"]])
    names = {"Group": "Group", "Milestone": "Milestone", "time": "Day", "n_risk": "At risk",
             "n_event": "Events", "survival": "Survival", "low": "Low", "high": "High"}  # fmt: skip
    return parts.typed(table, names=names)


def _steps(km: KaplanMeier, span: dict[bool, tuple[float, float]]) -> pd.DataFrame:
    names = {"Group": "Group", "time": "Day", "n_risk": "At risk", "n_event": "Events",
             "survival": "Survival", "low": "Low", "high": "High"}  # fmt: skip
    table = _read(km.curve, span)
    return parts.typed(table, names={k: v for k, v in names.items() if k in table})


def _sides(
    view: TransplantView, km: KaplanMeier, span: dict[bool, tuple[float, float]]
) -> pd.DataFrame:
    """Return patients, events and rates of both sides as texts."""
    name, day = view.milestone
    rates = km.at(day).set_index("switched")
    groups = km.groups.set_index("switched")
    rows = []
    for key in (True, False):
        first, last = span[key]
        rate = wording.rate_with_interval(*rates.loc[key, ["survival", "low", "high"]])
        counts = f"{groups.loc[key, 'n_event']}/{groups.loc[key, 'n']}"
        rows.append([_SIDES[key], counts, rate if first < day < last else "–"])
    columns = ["", "Events / patients", f"{name} {view.endpoint.short} (95% CI)"]
    return pd.DataFrame(rows, columns=columns)


def _horizon_days(view: TransplantView) -> int:
    return int(view.horizon_months * wording.DAYS_PER_MONTH)


def _series(
    spec: Mapping[str, Any],
    km: KaplanMeier,
    ticks: list[float],
    span: dict[bool, tuple[float, float]],
) -> tuple[Series, ...]:
    groups = transplant_view.GROUPS
    month = wording.DAYS_PER_MONTH
    at = km.at([math.floor(tick * month + 1e-6) for tick in ticks])
    counted = []
    for group in groups:
        mine = at[at["switched"].astype(str) == group.level]
        first, last = span[group.level == "True"]
        counted.append(
            tuple(
                f"{n:.0f} ({events:.0f})" if first < day < last else ""
                for day, n, events in zip(
                    mine["time"], mine["n_risk"], mine["n_event"], strict=True
                )
            )
        )
    drawn = parts.drawn_series(spec["datasets"], groups, [{}] * len(groups), counted)
    return tuple(
        _with_limits(series, group, km, span[group.level == "True"][0])
        for series, group in zip(drawn, groups, strict=True)
    )


def _with_limits(series: Series, group: Group, km: KaplanMeier, start: float) -> Series:
    """Return a series with the limits that the small figures leave out, from its start on."""
    points = series.points
    if points.empty:
        return series
    days = [round(time * wording.DAYS_PER_MONTH, 1) for time in points["time"]]
    at = km.at(days)
    mine = at[at["switched"].astype(str) == group.level]
    said = [day > start for day in days]
    limits = {end: (100 * mine[end].to_numpy(dtype="float64")) for end in ("low", "high")}
    return replace(
        series, points=points.assign(**{k: np.where(said, v, np.nan) for k, v in limits.items()})
    )


def _incidence_series(spec: Mapping[str, Any]) -> tuple[Series, ...]:
    groups = transplant_view.CAUSES
    datasets = spec["datasets"]
    limits = {(row["g"], row["t"]): (row["lo"], row["hi"]) for row in datasets["bands"]}
    steps = [
        {**row, "lo": low, "hi": high}
        for row in datasets["steps"]
        for low, high in [limits.get((row["g"], row["t"]), (math.nan, math.nan))]
    ]
    empty = [()] * len(groups)
    return parts.drawn_series({**datasets, "steps": steps}, groups, [{}] * len(groups), empty)


# Code


def _answers_code(cohort: Cohort, view: TransplantView) -> str:
    return script(
        cohort,
        {
            "analytics.events": ["event_table"],
            "analytics.hazard": ["hazard_ratios"],
            "analytics.landmark": ["landmark"],
            "analytics.log_rank": ["log_rank"],
            "analytics.switching": ["counting_process"],
            "data.queries": ["switch_rows"],
            "numpy": ["fmax"],
            "pandas": ["DataFrame"],
        },
        *_rows(view),
        'naive = rows.assign(switched=rows["switch"].notna())',
        f"later = landmark(rows, **days, at={view.landmark_days}, known_day='known_day').frame",
        "split = counting_process(rows, **days)",
        'split["start"] = fmax(split["start"], split["known_day"].astype("float64"))',
        'split = split[split["start"] < split["stop"]]',
        "event_tables = {",
        '    "Naive": event_table(naive, time="time", event="event", by="switched"),',
        '    "Landmark": event_table(later, time="time", event="event", by="switched"),',
        '    "Time-dependent": event_table(split, time="stop", event="event", entry="start",',
        '                                  by="switched"),',
        "}",
        "numbers = DataFrame(",
        '    {name: {**hazard_ratios(table, by="switched", reference=False).groups.iloc[-1],',
        '            "p_value": log_rank(table, by="switched").p_value}',
        "     for name, table in event_tables.items()}",
        ").T",
    )


def _rows(view: TransplantView) -> list[str]:
    return [
        f"rows = switch_rows(snapshot, cohort, variables, endpoint={view.endpoint.code!r},",
        "                   name='allosct')",
        'rows = rows[~rows["undated"]].drop(columns="undated")',
        "days = {'time': 'time', 'event': 'event', 'switch': 'switch'}",
    ]


def _curves_code(cohort: Cohort, view: TransplantView, key: str) -> str:
    imports = {"data.queries": ["switch_rows"]}
    at = view.landmark_days
    if key == "simon_makuch":
        imports |= {"analytics.landmark": ["landmark"], "analytics.switching": ["simon_makuch"]}
        body = [
            f"rows = landmark(rows, **days, at={at}, known_day='known_day').frame",
            f"found = simon_makuch(rows.drop(columns='switched'), **days, start={at}).kaplan_meier",
        ]
    else:
        imports |= {"analytics.events": ["event_table"], "analytics.survival": ["kaplan_meier"]}
        body = ['rows["switched"] = rows["switch"].notna()']
        if key == "landmark":
            imports["analytics.landmark"] = ["landmark"]
            body = [f"rows = landmark(rows, **days, at={at}, known_day='known_day').frame"]
        body += [
            'table = event_table(rows, time="time", event="event", by="switched")',
            'found = kaplan_meier(table, by="switched")',
        ]
    return script(cohort, imports, *_rows(view), *body, "numbers = found.curve")
