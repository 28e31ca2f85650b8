"""Survival: curves of the cohort, their numbers, and what may be said of them."""

from __future__ import annotations

import streamlit as st

from pages.elements import frame, models_view, survival_view

cohort = frame.open_page("Survival")
view = survival_view.read(cohort)
frame.heading(cohort, view.title, view.endpoint, view.unit)
survival_view.controls(cohort, view)
if survival_view.refused(cohort, view):
    st.stop()
result = survival_view.answer(cohort, view)
survival_view.guards(cohort, view, result)
if survival_view.nothing_to_draw(cohort, view, result):
    st.stop()
# First of all, so that every part of the page says the number of the whole page.
survival_view.comparison_number(cohort, view, result)
wide, narrow = st.columns([2.15, 1], gap="medium")
with wide, frame.part("The curves"):
    survival_view.figure(cohort, view, result)
with narrow, frame.part("The numbers"):
    survival_view.numbers(cohort, view, result)
with frame.part("The table by group"):
    survival_view.by_group(view, result)
models_view.sections(cohort, view, result)
with frame.part("The summary in plain words"):
    survival_view.in_plain_words(cohort, view, result)
survival_view.footer(cohort, view, result)
