"""Patients: the filtered rows, their download, and the course of one patient."""

from __future__ import annotations

from pages.elements import frame, patients_view

cohort = frame.open_page("Patients")
frame.heading(cohort, "The patients of this cohort", cohort.endpoint())
chosen = None
with frame.part("The table of patients"):
    chosen = patients_view.table(cohort)
with frame.part("The course of the patient"):
    patients_view.course(cohort, chosen)
patients_view.footer(cohort)
