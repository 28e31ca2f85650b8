"""Transplant: does alloSCT in first remission help; four answers, who was transplanted, every course."""

from __future__ import annotations

import streamlit as st

from pages.elements import access, frame, transplant_view

cohort = frame.open_page("Transplant")
endpoint = transplant_view.endpoint(cohort)
frame.heading(cohort, transplant_view.title(cohort), endpoint)
if transplant_view.cannot_be_asked(cohort, endpoint):
    st.stop()
view = transplant_view.read(cohort, endpoint)
result = access.transplant(
    cohort.snapshot, cohort.filter, endpoint=endpoint.code, landmark_days=view.landmark_days
)
transplant_view.controls(cohort, view, result)
transplant_view.guards(cohort)
with frame.part("The answer in a sentence"):
    transplant_view.answer(view, result)
if not result.naive.too_small:
    with frame.part("The four analyses"):
        transplant_view.cards(cohort, view, result)
    with frame.part("The numbers of the four analyses"):
        transplant_view.numbers(cohort, view, result)
with frame.part("Who was transplanted"):
    transplant_view.who(cohort, view)
with frame.part("The lanes of the patients"):
    transplant_view.swimmer(cohort, view)
transplant_view.footer(cohort, view, result)
