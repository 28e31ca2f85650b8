"""Cohorts: bring one, see what is in the store, and what every variable means."""

from __future__ import annotations

import streamlit as st

from data.importing.jobs import tidy_once
from pages.elements import cohorts_view, frame, import_view, link, snapshots_view

frame.open_administration("Cohorts")
tidy_once()
job_id, step = link.asked_import()
if job_id:
    with frame.part("The import"):
        import_view.draw(job_id, step)
else:
    st.title("Cohorts", anchor=False)
    with frame.part("The place to drop files"):
        import_view.bring()
    with frame.part("The studies in this store"):
        snapshots_view.studies()
    with frame.part("The dictionary"):
        cohorts_view.dictionary()
