"""Overview: who is in the cohort, how they got there, and what became of them. The landing page."""

from __future__ import annotations

import streamlit as st

from pages.elements import frame, overview_view

cohort = frame.open_page("Overview")
endpoint = cohort.endpoint()
frame.heading(
    cohort, "Who is in the cohort", endpoint, beside=lambda: overview_view.beside_title(cohort)
)
with frame.part("The four figures"):
    overview_view.figures(cohort, endpoint)
left, right = st.columns(2, gap="medium")
with left, frame.part("The way from the study to this cohort"):
    overview_view.attrition(cohort)
with right, frame.part("What happened to them"):
    overview_view.disposition(cohort)
by = overview_view.grouping(cohort)
with frame.part("Table 1"):
    overview_view.table_one(cohort, by)
with frame.part("The missing data"):
    overview_view.missing(cohort, by)
with frame.part("The summary in plain words"):
    overview_view.in_plain_words(cohort, endpoint)
with frame.part("The description of the study"):
    overview_view.about(cohort)
overview_view.footer(cohort)
