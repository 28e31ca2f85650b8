"""The Patients page: the rows of the cohort on the screen and as a file."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data.variables import Variable
from pages.elements import access, frame, wording
from pages.elements.exports.table import as_csv
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


def table(cohort: Cohort) -> None:
    """Show the patients, with the columns chosen, and offer all of their columns as a file."""
    rows = access.subjects(cohort.snapshot, cohort.filter)
    labels = {name: _label(cohort, name) for name in rows.columns if rows[name].notna().any()}
    kind = "synthetic" if cohort.study.synthetic else "real"
    file = f"{cohort.study.study_id}-{kind}-{cohort.snapshot.hash}-patients.csv"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(
            f"**{wording.count(len(rows), 'patient')}** · {len(labels)} columns · "
            f"days count from {wording.escape(cohort.study.day_zero_label)}",
            width="stretch",
        )
        st.download_button(
            "Download CSV", as_csv(rows[list(labels)]), file, "text/csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    shown = rows[list(labels)].copy()
    for name, variable in cohort.variables.items():
        if name in shown and variable.kind != "number":
            shown[name] = shown[name].map(lambda value, v=variable: _cell(v, value))
    if "age_years" in shown and (shown["age_years"] == 90).any():
        shown["age_years"] = shown["age_years"].map(
            lambda age: "90+" if age == 90 else f"{age:.0f}"
        )
    first = ["patient_id", *(name for name in _FIRST if name in labels)]
    st.dataframe(
        shown,
        hide_index=True,
        height=_height(len(shown)),
        column_order=[*first, *(name for name in labels if name not in first)],
        column_config={name: st.column_config.Column(label, pinned=name == "patient_id")
                       for name, label in labels.items()},
    )  # fmt: skip


def _height(rows: int) -> int:
    return min(35 * (rows + 1) + 3, 560)


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
    frame.footer(
        cohort, "the file holds the rows above with every column as stored, UTF-8",
        "an empty cell is a missing value",
    )  # fmt: skip
