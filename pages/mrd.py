"""MRD negativity: rates by timepoint and group, the papers' Table 2, and the way between timepoints."""

from __future__ import annotations

import streamlit as st

from pages.elements import frame, mrd_view

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
    mrd_view.alluvial(result)
with right, frame.part("The levels over time"):
    mrd_view.kinetics(cohort, result)
with frame.part("The response over time"):
    mrd_view.dynamics(cohort)
with frame.part("The summary in plain words"):
    mrd_view.in_plain_words(cohort, view, result)
mrd_view.footer(cohort, view, result)
