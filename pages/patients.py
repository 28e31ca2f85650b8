"""Patients: the filtered rows, and their download."""

from __future__ import annotations

from pages.elements import frame, patients_view

cohort = frame.open_page("Patients")
frame.heading(cohort, "The patients of this cohort", cohort.endpoint())
with frame.part("The table of patients"):
    patients_view.table(cohort)
patients_view.footer(cohort)
