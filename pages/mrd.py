"""MRD negativity: rates by timepoint and group, the papers' Table 2, and the way between timepoints."""

from __future__ import annotations

import streamlit as st

from pages.elements import frame, mrd_view, response_view

cohort = frame.open_page("MRD negativity")
view = mrd_view.read(cohort)
frame.heading(cohort, view.title, cohort.endpoint())
if mrd_view.without_mrd(cohort):
    st.stop()
mrd_view.controls(cohort, view)
result = mrd_view.answer(cohort, view)
mrd_view.guards(view, result)
left, right = st.columns([1.12, 1], gap="medium")
with left, frame.part("The rates"):
    mrd_view.figure(cohort, view, result)
with right, frame.part("The table of rates"):
    mrd_view.table(cohort, view, result)
left, right = st.columns(2, gap="medium")
with left, frame.part("The way between timepoints"):
    response_view.alluvial(cohort, result)
with right, frame.part("The levels over time"):
    response_view.kinetics(cohort, result)
    response_view.dynamics(cohort)
chosen = mrd_view.sections(cohort)
with frame.part("This section"):
    mrd_view.section(cohort, chosen)
with frame.part("The summary in plain words"):
    mrd_view.in_plain_words(cohort, view, result)
mrd_view.footer(cohort, view, result)
