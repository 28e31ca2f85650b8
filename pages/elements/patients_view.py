"""The Patients page: the rows of the cohort on the screen and as a file, and the course of one patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from data.variables import Variable
from pages.elements import access, frame, takeaway, wording
from pages.elements.answers import who
from pages.elements.answers.small_cells import minimum_of
from pages.elements.charts.theme import markdown_mark, style_of
from pages.elements.charts.timeline import not_drawn, timeline_chart
from pages.elements.downloads import download
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.table import as_csv, as_parquet, defused
from pages.elements.frame import Cohort

_FIRST = (
    "age_years", "sex", "ph_status", "risk_group", "frontline_therapy", "mrd_dynamics", "allosct",
    "disposition", "follow_up_days",
)  # fmt: skip
_DERIVED = {
    "follow_up_days": "Follow-up, days",
    "cr_day": "First remission, day",
    "relapse_day": "Relapse, day",
    "death_day": "Death, day",
    "allosct_day": "AlloSCT, day",
    "car_t_day": "CAR T cells, day",
    "risk_group_of_study": "Risk group as the study gives it",
    "mrd_last_day": "Last MRD sample, day",
}


_TOPICS: Mapping[str, tuple[str, ...]] = {
    "At the start": ("age_years", "sex", "wbc_10e9_per_l", "lineage", "ecog", "extramedullary",
                     "disease_status", "prior_inotuzumab"),
    "Disease": ("ph_status", "risk_group", "risk_group_of_study", "cytogenetics", "ph_like",
                "ph_like_class", "tp53_mutated", "kmt2a_rearranged", "hypodiploid",
                "complex_karyotype", "ikzf1_plus", "trackable_locus"),
    "MRD": (),
    "Treatment": ("frontline_therapy", "tki", "allosct", "allosct_day", "car_t", "car_t_day"),
    "Outcome": ("disposition", "cr_day", "relapse_day", "death_day", "follow_up_days"),
}  # fmt: skip
"""The columns by topic; those of MRD depend on the timepoints, the study’s own are a topic too."""
_STATUSES = ("negative", "positive", "below LOD", "indeterminate")
_CHOSEN, _TABLE = "columns_chosen", "patients_table"


def table(cohort: Cohort) -> str | None:
    """Show the patients with the columns chosen; return the identifier of the one chosen, if any."""
    if frame.no_single_patients(cohort):
        return None
    rows = access.subjects(cohort.snapshot, cohort.filter)
    labels = {name: _label(cohort, name) for name in rows.columns if rows[name].notna().any()}
    with st.container(horizontal=True, vertical_alignment="center"):
        columns = _columns(cohort, labels)
        _downloads(cohort)
        # To the right, where the table's own toolbar comes up.
        st.markdown(
            f"Days from {wording.escape(cohort.study.day_zero_label)} · tick a row to see that "
            "patient’s course",
            width="content",
        )
    n = access.size(cohort.snapshot, cohort.filter)
    if len(rows) < n:
        st.markdown(
            f":small[The first {len(rows):,} of {n:,} patients by identifier; files hold all.]"
        )
    position = _position(cohort, rows)
    st.dataframe(
        _display(cohort, rows[["patient_id", *columns]]),
        hide_index=True,
        # With a course below, the table makes room for it.
        height=_height(len(rows), 560 if position is None else 165),
        column_config={name: st.column_config.Column(labels[name], pinned=name == "patient_id")
                       for name in ("patient_id", *columns)},
        key=_table_key(cohort), on_select="rerun", selection_mode="single-row", placeholder="",
        alt=f"The {wording.count(len(rows), 'patient')} of this cohort, one row each",
    )  # fmt: skip
    return None if position is None else str(rows["patient_id"].iloc[position])


def _columns(cohort: Cohort, labels: Mapping[str, str]) -> list[str]:
    """Offer the columns by topic; return those chosen, in the order of the topics."""
    topics = _topics(cohort, [name for name in labels if name != "patient_id"])
    every = [name for names in topics.values() for name in names]
    usual = {*_FIRST, *(variable.name for variable in cohort.variables.timepoints)}
    choices = st.session_state.setdefault(_CHOSEN, {})
    chosen = choices.setdefault(cohort.study.study_id, [name for name in every if name in usual])

    def toggled(name: str, key: str) -> None:
        chosen.append(name) if st.session_state[key] else chosen.remove(name)

    shown = [name for name in every if name in chosen]
    with st.popover(f"Columns: {len(shown)} of {len(every)}", icon=":material/view_column:"):
        for topic, names in topics.items():
            st.markdown(f"**{topic}**")
            for name in names:
                key = f"column_{cohort.study.study_id}_{name}"
                # A value set in the session would be lost: the boxes exist once the popover is open.
                st.checkbox(wording.escape(labels[name]), name in chosen, key=key,
                            on_change=toggled, args=(name, key))  # fmt: skip
    return shown


def _topics(cohort: Cohort, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns that the study has, by topic."""
    timepoints = [variable.name for variable in cohort.variables.timepoints]
    mrd = [*timepoints, "mrd_dynamics", "mrd_best", *(f"{name}_day" for name in timepoints),
           "mrd_last_day"]  # fmt: skip
    topics = {**_TOPICS, "MRD": mrd}
    listed = {name for topic in topics.values() for name in topic}
    topics["Of this study"] = [name for name in names if name not in listed]
    found = {topic: [name for name in of if name in names] for topic, of in topics.items()}
    return {topic: of for topic, of in found.items() if of}


def _every_row(cohort: Cohort) -> pd.DataFrame:
    """Return all patients of the cohort, with the columns that hold a value."""
    rows = access.every_subject(cohort.snapshot, cohort.filter)
    return rows.loc[:, rows.notna().any()]


def _downloads(cohort: Cohort) -> None:
    """Offer every column of the rows as files, which are written on a click only."""

    def written(write: Callable[[pd.DataFrame], bytes]) -> bytes:
        return write(_every_row(cohort))

    kind = "synthetic" if cohort.study.synthetic else "real"
    file = f"{cohort.study.study_id}-{kind}-{cohort.snapshot.hash}-patients"
    for label, ending, mime, write in (
        ("Download CSV", "csv", "text/csv", as_csv),
        ("Parquet", "parquet", "application/vnd.apache.parquet", as_parquet),
    ):
        download(label, partial(written, write), f"{file}.{ending}", mime, icon=":material/download:",
                 rows=True)  # fmt: skip
    takeaway.patients(cohort, partial(_every_row, cohort), f"{file}.xlsx")


def _display(cohort: Cohort, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as the screen shows them: levels in words, formulas defused."""
    shown = rows.copy()
    for name, variable in cohort.variables.items():
        if name in shown and variable.kind != "number":
            shown[name] = shown[name].map(lambda value, v=variable: _cell(v, value))
    if "age_years" in shown and (shown["age_years"] == 90).any():
        shown["age_years"] = shown["age_years"].map(
            lambda age: "90+" if age == 90 else f"{age:.0f}"
        )
    # The table's own toolbar writes a file of what is shown.
    texts = shown.select_dtypes("object").columns
    shown[texts] = shown[texts].map(defused)
    return shown


def _height(rows: int, most: int) -> int:
    return min(35 * (rows + 1) + 3, most)


def _table_key(cohort: Cohort) -> str:
    # Another selection of patients has other rows: a position in it means somebody else.
    return f"{_TABLE}_{cohort.snapshot.hash}_{hash(cohort.filter)}"


def _position(cohort: Cohort, rows: pd.DataFrame) -> int | None:
    """Return the row that is chosen: a position, kept in the session and never in the link."""
    state = st.session_state.get(_table_key(cohort))
    chosen = state["selection"]["rows"] if state else []
    return chosen[0] if chosen and chosen[0] < len(rows) else None


def course(cohort: Cohort, patient_id: str | None) -> None:
    """Show what happened to the patient chosen, as a figure and as a list."""
    if patient_id is None:
        return
    _walk(cohort, patient_id)
    story = who.story(access.patient(cohort.snapshot, cohort.filter.everybody(), patient_id))
    wide, narrow = st.columns([1.6, 1], gap="medium")
    with wide:
        if story["day"].notna().any():
            st.vega_lite_chart(
                chart(cohort, story), theme=None, width="stretch", key="timeline", alt=said(story)
            )
            st.markdown(_key(story))
        takeaway.menu(cohort, "patient_course", lambda: _exhibit(cohort, story))
        without = not_drawn(story)
        if without:
            st.markdown(f":small[:gray[Only in the list: {wording.count(without, 'item')} "
                        "without a day, an MRD level or a limit of detection.]]")  # fmt: skip
    with narrow:
        st.markdown(_lines(story))


def chart(cohort: Cohort, story: pd.DataFrame) -> dict[str, Any]:
    """Return the course of one patient as a figure."""
    return timeline_chart(story, origin=cohort.study.day_zero_label)


def _exhibit(cohort: Cohort, story: pd.DataFrame) -> Exhibit | None:
    # Exhibits are made of views: imported above, that would be a circle.
    from pages.elements.exhibits import patients

    return patients.course_of(cohort, story)


def _walk(cohort: Cohort, patient_id: str) -> None:
    """Write whose course it is, with the way to the one before and the next."""
    rows = access.subjects(cohort.snapshot, cohort.filter)
    position = int(rows["patient_id"].tolist().index(patient_id))

    def go(to: int | None) -> None:
        chosen = [] if to is None else [to]
        st.session_state[_table_key(cohort)] = {
            "selection": {"rows": chosen, "columns": [], "cells": []}
        }

    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Patient {wording.escape(patient_id)}", anchor=False, width="content")
        st.markdown(f":gray[{position + 1:,} of {len(rows):,}]", width="stretch")
        st.button("Previous", icon=":material/chevron_left:", on_click=go, args=(position - 1,),
                  disabled=position == 0)  # fmt: skip
        st.button("Next", icon=":material/chevron_right:", on_click=go, args=(position + 1,),
                  disabled=position + 1 == len(rows))  # fmt: skip
        st.button("Close", icon=":material/close:", on_click=go, args=(None,), type="tertiary")


def said(story: pd.DataFrame) -> str:
    """Return the outcome and the MRD of a story in a sentence, for those who do not see the figure."""
    told = [f"{row.text}, {day(row)}" for row in story.itertuples() if row.kind != "treatment"]
    return f"Course of one patient. {'; '.join(told)}."


def _lines(story: pd.DataFrame) -> str:
    """Return a story as a Markdown list, in the order of time."""
    lines = (f"- :small[**{day(row).capitalize()}**: {wording.escape(row.text)}]"
             for row in story.itertuples())  # fmt: skip
    return "\n".join(lines)


def day(row: Any) -> str:
    """Return the day of an entry of a course, in words."""
    if row.day != row.day:
        return "day not known"
    span = f"{row.day:.0f}" + (f" to {row.end_day:.0f}" if row.end_day > row.day else "")
    return f"day {span} ({wording.months(row.day, 1)} mo)".replace("-", "−")


def _key(story: pd.DataFrame) -> str:
    """Return what the marks of the samples mean, of those that there are."""
    shown = story.loc[story["kind"] == "sample", "name"]
    parts = [f"{markdown_mark(style_of('mrd_best', status))} MRD {status}"
             for status in _STATUSES if (shown == status).any()]  # fmt: skip
    if (shown == "not used").any():
        parts.append(":gray[✚] sample that stands for no timepoint")
    if (story["level"] == 0).any():
        parts.append("open: nothing found, drawn at the limit of detection")
    return f":small[{' · '.join(parts)}]" if parts else ""


def _label(cohort: Cohort, name: str) -> str:
    if name in cohort.variables:
        variable = cohort.variables[name]
        return f"{variable.label}, {variable.unit}" if variable.unit else variable.label
    if name in _DERIVED:
        return _DERIVED[name]
    timepoint = cohort.variables.get(name.removesuffix("_day"))
    if timepoint is not None:
        return f"{timepoint.label}, sample day"
    return "Patient" if name == "patient_id" else name


def _cell(variable: Variable, value: object) -> str | None:
    if value is None or value is pd.NA or value != value:
        return None
    text = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else value
    return variable.level(str(text)).short


def footer(cohort: Cohort) -> None:
    """Write study and selection, and what the file holds."""
    if minimum_of(cohort.snapshot):
        frame.footer(cohort)
        return
    frame.footer(
        cohort, "the file holds the rows above with every column as stored, UTF-8",
        "an empty cell is a missing value",
    )  # fmt: skip
