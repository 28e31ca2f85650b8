"""The course of one patient as an exhibit. A view does not say which patient: no talk can hold it."""

from __future__ import annotations

import pandas as pd

from pages.elements import patients_view, wording
from pages.elements.answers.small_cells import minimum_of
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import script
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import Cohort

PAGE = "Patients"
_COLUMNS = {"day": "Day", "end_day": "Last day", "kind": "Kind", "text": "What"}


def course_of(cohort: Cohort, story: pd.DataFrame) -> Exhibit | None:
    """Return the course of a patient without the identifier; None where single patients are not shown.

    Parameters
    ----------
    story : pandas.DataFrame
        As `answers.who.story` returns it.
    """
    if minimum_of(cohort.snapshot) or story.empty:
        return None
    title = "Course of one patient"
    table = parts.typed(story, names=_COLUMNS)
    shown = pd.DataFrame(
        [[patients_view.day(row), str(row.text)] for row in story.itertuples()],
        columns=["Day", "What"],
    )
    samples = int((story["kind"] == "sample").sum())
    dated = bool(story["day"].notna().any())
    said = f"{wording.count(len(story), 'entry').replace('entrys', 'entries')}, " + (
        wording.count(samples, "MRD sample")
    )
    return Exhibit(
        key="patient_course",
        page=PAGE,
        title=title,
        message=parts.short(said),
        provenance=parts.provenance(
            cohort,
            PAGE,
            counts=f"{parts.counts(cohort)}, one of them shown",
            method=f"days from {cohort.study.day_zero_label}",
            rule=True,
        ),
        spec=patients_view.chart(cohort, story) if dated else None,
        alt=patients_view.said(story),
        tables={title: table},
        shown={title: shown},
        methods=("mrd_negativity",) if samples else (),
        code=script(
            cohort,
            {"data.queries": ["patient"]},
            'patient_id = input("Patient: ")  # which one is not part of a figure',
            "numbers = patient(snapshot, cohort.everybody(), patient_id)",
        ),
    )
