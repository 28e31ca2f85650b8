"""Present: the talk as a list to be put in order, and its slides one at a time for a room."""

from __future__ import annotations

from pages.elements import frame, present_view, stage_view

cohort = frame.open_page("Present", stage=True)
talk = present_view.talk_of(cohort)
number = stage_view.number(cohort, talk)
if number is None:
    present_view.contents(cohort, talk)
else:
    stage_view.show(talk, number)
