"""The parts of the Evidence page: a paper figure by figure, the own cohort beside papers, regimens."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from analytics.proportion import proportion
from data import published
from data.store import SnapshotError
from data.variables import Variable
from pages.elements import access, evidence, frame, link, sidebar, tables, takeaway, wording
from pages.elements.catalogue import find
from pages.elements.charts.forest import study_forest
from pages.elements.charts.regimens import regimen_chart, setting_styles
from pages.elements.charts.theme import ALL, Style, markdown_mark, styles
from pages.elements.evidence import Comparison, Figure
from pages.elements.exports.methods import KAPLAN_MEIER
from pages.elements.frame import Cohort
from pages.elements.link import View

_SURVIVAL, _MRD, _PATIENTS = "survival", "mrd", "patients"
_BESIDE, _REGIMENS = "beside", "regimens"
TITLES: Mapping[str, str] = {
    _SURVIVAL: "Published survival beside the cohort",
    _MRD: "Published MRD negativity beside the cohort",
    _PATIENTS: "Published patients beside the cohort",
    _BESIDE: "Your cohort among published ones",
    _REGIMENS: "Regimens for adult ALL, 1985 to 2022",
}
METHOD = f"{KAPLAN_MEIER}; rates with exact 95% CI"
"""How what stands beside a printed figure is computed."""

_LABELS = {
    _SURVIVAL: "Survival",
    _MRD: "MRD negativity",
    _PATIENTS: "Patients",
    _BESIDE: "Your cohort beside",
    _REGIMENS: "Regimens",
}
_TABLES: Mapping[str, tuple[str, ...]] = {
    _SURVIVAL: ("survival_rates",),
    _MRD: ("mrd_negativity",),
    _PATIENTS: ("baseline", "disposition"),
}
_MARKS = {
    evidence.REPRODUCED: ":green[✓] reproduced",
    evidence.DIFFERS: ":red[✕] differs",
    evidence.CANNOT_HOLD: ":orange[▲] cannot hold",
    evidence.NOT_IN_COHORT: ":gray[–] not in the cohort",
    evidence.NOT_SHOWN: ":gray[–] not shown",
}
_PAGES = {
    "Overview": "/",
    "Survival": "/survival",
    "MRD negativity": "/mrd",
    "Patients": "/patients",
}
_TWO_YEARS = 730
_ASSAYS = {"NGS": "NGS", "MFC": "Flow (MFC)", "PCR": "PCR"}
_EVERY = "every"
_SETTINGS: Mapping[str, str] = {
    "short2025": "newly diagnosed",
    "allmrd2019": "newly diagnosed",
    "allmrd2023": "newly diagnosed",
    "nguyen2026": "MRD-positive in CR",
}
"""The setting of each publication, in the words of the review's table of regimens."""


def part(cohort: Cohort) -> str:
    """Return the part of the page that the link asks for."""
    return cohort.choice("part", TITLES, _SURVIVAL)


def is_publication(chosen: str) -> bool:
    """Tell whether a part compares a publication figure by figure."""
    return chosen in _TABLES


def shown(cohort: Cohort, chosen: str) -> Cohort:
    """Return the cohort that a part is about: the publication's, or the one of the sidebar."""
    if chosen not in _TABLES:
        return cohort
    study_id = evidence.figures(publication(cohort))[0].cohort
    if study_id == cohort.study.study_id and not cohort.filter:
        return cohort
    try:
        snapshot = find(study_id)
    except SnapshotError:
        return cohort
    return Cohort(snapshot, access.study(snapshot), access.dictionary(snapshot), View(study_id))


def choose(cohort: Cohort, chosen: str) -> None:
    """Draw the choice of part and, where it matters, of publication."""

    def changed() -> None:
        frame.set_option("part", st.session_state["choice_part"])

    with st.container(horizontal=True, vertical_alignment="bottom"):
        if chosen in _TABLES:
            frame.select("Publication", "publication", _publications(), publication(cohort),
                default=_default_publication(cohort), width=230,
            )  # fmt: skip
        st.segmented_control(
            "Show", list(_LABELS), format_func=lambda name: _LABELS[name],
            default=link.put("choice_part", chosen), key="choice_part", required=True,
            on_change=changed, label_visibility="collapsed",
        )  # fmt: skip


def _publications() -> dict[str, str]:
    return {study: _short_citation(study) for study in evidence.studies()}


def _short_citation(study: str) -> str:
    """Return 'Short 2025' for a key such as short2025, 'ALL/MRD2019' for a trial."""
    name = study.rstrip("0123456789")
    year = study.removeprefix(name)
    return f"ALL/MRD{year}" if name == "allmrd" else f"{name.capitalize()} {year}"


def publication(cohort: Cohort) -> str:
    """Return the publication that the link asks for, or the one that the cohort was built from."""
    return cohort.choice("publication", _publications(), _default_publication(cohort))


def _default_publication(cohort: Cohort) -> str:
    known = evidence.studies()
    mine = [study for study in known if study.startswith(cohort.study.study_id)]
    return (*mine, *known)[0]


def comparisons(cohort: Cohort, chosen: str) -> tuple[Comparison, ...]:
    """Return the figures of a part of the publication beside those of its cohort.

    Raises
    ------
    SnapshotError
        If that cohort is not in the store.
    """
    study = publication(cohort)
    return access.comparisons(find(evidence.figures(study)[0].cohort), study, _TABLES[chosen])


def _figure_by_figure(name: str) -> Callable[[Cohort], None]:
    def show(cohort: Cohort) -> None:
        try:
            found = comparisons(cohort, name)
        except SnapshotError as error:
            st.info(f"{wording.escape(str(error))} Publish it with `python -m data demo`.")
            return
        if not found:
            st.info("This publication prints none of these figures.")
            return
        _summary(cohort, found)
        spec = forest(found, name)
        if spec is not None:
            axis = forest_axis(name)
            st.vega_lite_chart(spec, theme=None, width="stretch", key=f"forest_{name}", alt=axis)
        takeaway.menu(cohort, "evidence_forest")
        st.table(lines(found), border="horizontal", hide_index=True)

    return show


def _summary(cohort: Cohort, found: Sequence[Comparison]) -> None:
    """Say of how many printed figures the cohort reproduces how many, and on which patients."""
    counts = {verdict: sum(c.verdict == verdict for c in found) for verdict in evidence.VERDICTS}
    study = access.study(find(found[0].figure.cohort))
    text = f"**{counts[evidence.REPRODUCED]} of {len(found)}** printed figures are reproduced"
    if counts[evidence.CANNOT_HOLD]:
        text += f", {counts[evidence.CANNOT_HOLD]} cannot hold as printed"
    if counts[evidence.NOT_IN_COHORT]:
        text += f", {counts[evidence.NOT_IN_COHORT]} are not in the cohort tables"
    if counts[evidence.NOT_SHOWN]:
        text += f", {counts[evidence.NOT_SHOWN]} are not shown for their small numbers"
    text += f", **{counts[evidence.DIFFERS]}** differ." if counts[evidence.DIFFERS] else "."
    text += f" Computed now from all patients of {wording.escape(study.name)}, whatever the filters say."
    if study.synthetic:
        text += " The cohort was built to agree: this checks the calculation and is no evidence."
    st.markdown(text)


def forest_axis(name: str) -> str:
    """Return what the forest of a part measures."""
    return "Event-free at 2 years (%)" if name == _SURVIVAL else "MRD-negative (%)"


def forest(found: Sequence[Comparison], name: str) -> dict[str, Any] | None:
    """Return the printed rates over the cohort's, group by group; None where nothing is a rate."""
    if name == _PATIENTS:
        return None
    rates = [c for c in found if c.figure.quantity == "percent" and not math.isnan(c.value)]
    if name == _MRD:
        rates = [c for c in found if not math.isnan(c.value)]
    rows: list[dict[str, Any]] = []
    for (place, head), group in groupby(rates, key=lambda c: (c.figure.place, _head(c.figure))):
        rows.append({"kind": "head", "label": head, "note": place})
        rows += [_row(comparison) for comparison in group]
    return study_forest(rows, axis_title=forest_axis(name)) if rows else None


def _head(figure: Figure) -> str:
    """Return what the rows of a group share: the patients, and what splits their curves."""
    text = figure.population
    if figure.table == "survival_rates":
        endpoint = figure.cells["endpoint"]
        text = f"{endpoint}, {text}, by {wording.inside(_variable(figure).label)}"
    return text[:1].upper() + text[1:]


def _variable(figure: Figure) -> Variable:
    return access.dictionary(find(figure.cohort))[figure.level.partition("=")[0]]


def _row(comparison: Comparison) -> dict[str, Any]:
    figure, cells = comparison.figure, comparison.figure.cells
    label, count = figure.measure, cells.get("n", "")
    if figure.table == "mrd_negativity":
        label = label.removeprefix("MRD negative ")
        count = f"{cells['n_negative']}/{cells['n_evaluable']}"
    else:
        label = _variable(figure).level(figure.level.partition("=")[2]).short
    style = _style(figure)
    return {
        "kind": "row",
        "label": label,
        "note": count,
        "printed": _number(cells["percent"]),
        "printed_low": _number(cells.get("ci_low", "")),
        "printed_high": _number(cells.get("ci_high", "")),
        "value": comparison.value,
        "low": comparison.low,
        "high": comparison.high,
        "text": _rate_text(comparison.value, comparison.low, comparison.high),
        "slot": style.slot,
        "shape": style.shape,
    }


def _style(figure: Figure) -> Style:
    """Return the look of the level that a figure is about, as every page draws it."""
    if not figure.level:
        return ALL
    variable, level = _variable(figure), figure.level.partition("=")[2]
    values = [each.value for each in variable.levels]
    return dict(zip(values, styles(variable.name, values), strict=True)).get(level, ALL)


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _rate_text(value: float, low: float, high: float) -> str:
    return wording.rate_with_interval(value / 100, low / 100, high / 100)


def lines(found: Sequence[Comparison]) -> pd.DataFrame:
    """Return every figure as a row with a link to the view that shows it."""
    rows = [
        [
            _linked(c.figure),
            f"{wording.escape(c.figure.measure)}  \n:gray[{wording.escape(_patients(c.figure))}]",
            wording.escape(c.figure.printed),
            f"**{wording.escape(c.computed)}**" + _limits(c),
            _MARKS[c.verdict]
            + (f"  \n:small[:gray[{wording.escape(c.reason)}]]" if c.reason else ""),
        ]
        for c in found
    ]
    heads = ["Where", "Figure", "Printed", "Cohort (95% CI)", "Verdict"]
    return pd.DataFrame(rows, columns=heads)


def _patients(figure: Figure) -> str:
    """Return of whom a figure is: a landmark keeps those who are event-free then."""
    day = figure.option("landmark_days")
    then = f", event-free at {wording.month_label(int(day))} (landmark)" if day else ""
    return figure.population + then


def _limits(comparison: Comparison) -> str:
    limits = wording.percent_interval(comparison.low / 100, comparison.high / 100)
    return f"  \n:gray[{limits}]" if limits else ""


def _linked(figure: Figure) -> str:
    """Return the place of a figure as a link to the view that shows it."""
    place = wording.escape(figure.place)
    if figure.view is None:
        return place
    query = urlencode(figure.view.to_query(), doseq=True)
    return f"[{place}]({_PAGES[figure.page]}?{query})"


def _beside(cohort: Cohort) -> None:
    """Draw the own cohort, as filtered, among what papers print."""
    st.markdown(
        "The cohort as filtered, first; below it what papers print. :small[:gray[Assays, their "
        "sensitivity, timepoints, denominators and time origins differ: an orientation, not a "
        "comparison.]]"
    )
    settings = {_EVERY: "Every setting"} | {s: s[:1].upper() + s[1:] for s in _settings()}
    assays = {_EVERY: "Every assay"} | _ASSAYS
    setting, assay = _asked(cohort)
    with st.container(horizontal=True):
        frame.select("Setting", "setting", settings, setting, default=_EVERY, width=260)
        frame.select("MRD assay", "assay", assays, assay, default=_EVERY)
    for part_of in beside(cohort):
        st.subheader(part_of.title, anchor=False)
        if not part_of.printed:
            st.info("No published figure of this setting and assay. Choose another one.")
            continue
        st.vega_lite_chart(
            part_of.chart, theme=None, width="stretch", key=f"beside_{part_of.title}",
            alt=part_of.title,
        )  # fmt: skip
        takeaway.menu(cohort, part_of.key)


@dataclass(frozen=True)
class Beside:
    """The own cohort among printed ones: rows as `charts.forest` draws them."""

    key: str
    title: str
    own: list[dict[str, Any]]
    printed: list[dict[str, Any]]
    axis: str

    @property
    def chart(self) -> dict[str, Any]:
        """The figure."""
        head = [{"kind": "head", "label": "This cohort"}, *self.own] if self.own else []
        rows = [*head, {"kind": "head", "label": "As published"}, *self.printed]
        return study_forest(rows, axis_title=self.axis)


def _asked(cohort: Cohort) -> tuple[str, str]:
    """Return setting and assay that the link asks for."""
    settings = {_EVERY: ""} | dict.fromkeys(_settings(), "")
    return (
        cohort.choice("setting", settings, _EVERY),
        cohort.choice("assay", {_EVERY: ""} | _ASSAYS, _EVERY),
    )


def beside(cohort: Cohort) -> Iterator[Beside]:
    """Yield the MRD negativity and the survival of the cohort among printed ones."""
    setting, assay = _asked(cohort)
    yield _mrd_beside(cohort, setting, assay)
    for code, names in (("RFS", ("RFS", "LFS")), ("OS", ("OS",))):
        yield _survival_beside(cohort, code, names, setting)


def _settings() -> list[str]:
    regimens = published.tables()["regimens"]["setting"]
    return list(dict.fromkeys([*_SETTINGS.values(), *regimens]))


def _mrd_beside(cohort: Cohort, setting: str, assay: str) -> Beside:
    rows = _own_negativity(cohort)
    found: list[dict[str, Any]] = []
    printed = published.tables()["mrd_negativity"]
    for row in printed[printed["subgroup"] == "all"].to_dict("records"):
        if setting in (_EVERY, _SETTINGS[row["study"]]) and (
            assay in row["assay"] or assay == _EVERY
        ):
            exact = proportion(int(row["n_negative"]), int(row["n_evaluable"]))
            limits = [None if x is None else round(100 * x) for x in (exact.low, exact.high)]
            name = f"{_short_citation(row['study'])}, {row['timepoint']} ({row['assay']})"
            count = f"{row['n_negative']}/{row['n_evaluable']}"
            found.append(_printed_row(name, count, row["percent"], *limits))
    for row in published.tables()["regimens"].to_dict("records"):
        fits = setting in (_EVERY, row["setting"]) and (
            assay in row["mrd_method"] or assay == _EVERY
        )
        if row["mrd_negativity_percent"] and fits:
            # The review prints how many were treated, not how many were evaluable: no interval.
            name = f"{row['regimen']} ({row['mrd_method']})"
            found.append(_printed_row(name, row["n"], row["mrd_negativity_percent"], None, None))
    axis = "MRD-negative (%), exact 95% CI where n/N is printed"
    return Beside("evidence_beside", "MRD negativity", rows, found, axis)


def _own_negativity(cohort: Cohort) -> list[dict[str, Any]]:
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    if timepoint is None:
        return []
    rates = access.negativity(cohort.snapshot, cohort.filter, None, "evaluable").everybody
    names = [variable.name for variable in cohort.variables.timepoints]
    line = rates.iloc[names.index(timepoint.name)]
    count = f"{line['negative']}/{line['evaluable']}"
    label = f"{cohort.study.name}, {timepoint.label.removeprefix('MRD ')}"
    return [_own_row(label, count, line["rate"], line["low"], line["high"])]


def _survival_beside(cohort: Cohort, code: str, names: Sequence[str], setting: str) -> Beside:
    rows: list[dict[str, Any]] = []
    if not access.derivability(cohort.snapshot)[code].refused_because:
        rows = _own_survival(cohort, code)
    found = []
    printed = published.tables()["survival_rates"]
    chosen = printed[printed["endpoint"].isin(names) & (printed["population"] == "all")]
    for row in chosen.to_dict("records"):
        if setting not in (_EVERY, _SETTINGS[row["study"]]):
            continue
        what = "" if row["stratum"] == "trial" else f", MRD {row['level']} {row['mrd_timepoint']}"
        limits = (_number(row["ci_low"]), _number(row["ci_high"]))
        label = f"{_short_citation(row['study'])}{what}"
        found.append(_printed_row(label, row["n"], row["percent"], *limits))
    word = "Relapse-free" if code == "RFS" else "Overall"
    title = f"{word} survival at 2 years"
    return Beside(f"evidence_beside_{code.lower()}", title, rows, found, f"{title} (%)")


def _own_survival(cohort: Cohort, code: str) -> list[dict[str, Any]]:
    result = access.survival(
        cohort.snapshot, cohort.filter, endpoint=code, by=None, landmark_days=None,
        horizon_days=_TWO_YEARS,
    )  # fmt: skip
    if not result.n or (result.minimum and not result.enough):
        return []
    at = result.km.at([_TWO_YEARS]).iloc[0]
    return [_own_row(cohort.study.name, str(result.n), at["survival"], at["low"], at["high"])]


def _own_row(label: str, count: str, rate: float, low: float, high: float) -> dict[str, Any]:
    known = rate == rate
    return {
        "kind": "row", "label": label, "note": count, "printed": None, "printed_low": None,
        "printed_high": None, "value": 100 * rate, "low": 100 * low, "high": 100 * high,
        "text": wording.rate_with_interval(rate, low, high) if known else "not estimable",
        "slot": "blue",
    }  # fmt: skip


def _printed_row(
    label: str, count: str, percent: str, low: float | None, high: float | None
) -> dict[str, Any]:
    return {
        "kind": "row", "label": label, "note": count, "printed": _number(percent),
        "printed_low": low, "printed_high": high, "value": None, "low": None, "high": None,
        "text": "",
    }  # fmt: skip


def _regimens(cohort: Cohort) -> None:
    """Draw and list the regimens of the review."""
    rows, spec = regimens()
    legend = " · ".join(
        f"{markdown_mark(style)} {wording.escape(setting)}"
        for setting, style in setting_styles(rows).items()
    )
    st.markdown(legend)
    st.vega_lite_chart(spec, theme=None, width="stretch", key="regimens", alt=TITLES[_REGIMENS])
    drawn = len(spec["datasets"]["dots"])
    st.markdown(
        f":small[:gray[{drawn} of {len(rows)} regimens print both MRD negativity and overall survival; "
        "the others stand in the table only. Survival is at the horizon written beside each name, "
        "from 1 to 6 years: heights at different horizons do not compare. The area is the number of "
        "patients.]]"
    )
    takeaway.menu(cohort, "regimens")
    st.dataframe(
        regimen_table(rows), hide_index=True, column_config=dict(tables.REGIMEN_COLUMNS),
        placeholder="–",
    )  # fmt: skip


def regimens() -> tuple[list[dict[Hashable, Any]], dict[str, Any]]:
    """Return the regimens of the review, and the figure of those that print both rates."""
    rows = published.tables()["regimens"].to_dict("records")
    return rows, regimen_chart(rows)


def regimen_table(rows: Sequence[Mapping[Hashable, Any]]) -> pd.DataFrame:
    """Return the regimens with numbers as numbers."""
    table = pd.DataFrame(rows)
    numbers = [c for c in table if c in tables.REGIMEN_NUMBERS]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    return table[list(tables.REGIMEN_COLUMNS)]


PARTS: Mapping[str, Callable[[Cohort], None]] = {
    **{name: _figure_by_figure(name) for name in _TABLES},
    _BESIDE: _beside,
    _REGIMENS: _regimens,
}
"""What each part draws."""


def footer(cohort: Cohort, chosen: str) -> None:
    """Write the source of the printed figures, and how the cohort's, if there are any, were computed."""
    sources = published.PUBLICATIONS
    methods = [METHOD]
    if chosen in _TABLES:
        names = [publication(cohort)]
        methods.append("reproduced: equal at the printed precision, limits within 2 points")
    elif chosen == _REGIMENS:
        names = ["jabbour2023"]
        methods = ["rates and horizons as the review prints them, nothing computed from the cohort"]
    else:
        names = [study for study in sources if study != "jabbour2023"]
    cited = "; ".join(wording.escape(_citation(sources[name])) for name in names)
    frame.footer(shown(cohort, chosen), f"published: {cited}", *methods)


def _citation(source: Mapping[str, str]) -> str:
    return source["citation"] + (f", doi {source['doi']}" if source.get("doi") else "")
