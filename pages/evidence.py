"""Evidence: every published figure beside the same figure of the cohort, and the regimens of a review."""

from __future__ import annotations

from pages.elements import evidence_view, frame

cohort = frame.open_page("Evidence")
part = evidence_view.part(cohort)
shown = evidence_view.shown(cohort, part)
frame.heading(shown, evidence_view.TITLES[part], shown.endpoint())
evidence_view.choose(cohort, part)
with frame.part(evidence_view.TITLES[part]):
    evidence_view.PARTS[part](cohort)
evidence_view.footer(cohort, part)
