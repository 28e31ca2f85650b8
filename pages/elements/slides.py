"""Slides of a talk as the store shows them now."""

from __future__ import annotations

from dataclasses import dataclass

from data.cohort import CohortFilter, UnknownInQuery
from data.store import Snapshot, SnapshotError
from pages.elements import access, exhibits, frame
from pages.elements.add_to_talk import seen
from pages.elements.answers.small_cells import minimum_of
from pages.elements.catalogue import snapshots
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import Cohort
from pages.elements.talk import TalkSlide


@dataclass(frozen=True, eq=False)
class Showing:
    """A slide with what it shows.

    Attributes
    ----------
    cohort : Cohort or None
        None where the view cannot be opened.
    exhibit : Exhibit or None
        None where there is nothing to show; then `problem` says why.
    problem : str
    changed : str
        What is no longer as it was saved; empty where nothing is.
    """

    cohort: Cohort | None
    exhibit: Exhibit | None
    problem: str = ""
    changed: str = ""


def showing(
    slide: TalkSlide, live: CohortFilter | None = None, *, size: str | None = None
) -> Showing:
    """Return a slide as the store shows it now.

    Parameters
    ----------
    slide : TalkSlide
    live : CohortFilter, optional
        Patients to look at for now, instead of those of the saved view.
    size : str, optional
        Of the figure, instead of that of the saved view.
    """
    try:
        cohort = frame.cohort_of_query(slide.query)
        view = cohort.view if live is None else cohort.view.with_cohort(live)
        view = view.with_option("size", size or view.option("size"))
        if view != cohort.view:
            cohort = frame.cohort_of(view)
        exhibit = exhibits.exhibit(slide.figure, cohort)
    except SnapshotError as error:
        return Showing(None, None, str(error))
    except UnknownInQuery as unknown:
        return Showing(None, None, " ".join(unknown.problems))
    except Exception as error:
        # One slide that fails must not take the talk with it.
        frame.log_failure("A slide", error)
        return Showing(None, None, "This slide could not be shown. The others are not affected.")
    if exhibit is None:
        return Showing(cohort, None, _why_nothing(cohort))
    return Showing(cohort, exhibit, changed="" if live else _changed(slide, cohort, exhibit))


def _why_nothing(cohort: Cohort) -> str:
    if why := access.withheld(cohort.snapshot, cohort.filter):
        return f"{why}: nothing of this selection is shown."
    if not access.size(cohort.snapshot, cohort.filter):
        return "Nobody is left with these filters."
    return "There is nothing to draw for these patients."


def _changed(slide: TalkSlide, cohort: Cohort, exhibit: Exhibit) -> str:
    """Return in a sentence what is other than when the slide was saved."""
    if slide.snapshot == cohort.snapshot.hash or slide.seen == seen(exhibit):
        return ""
    if minimum_of(cohort.snapshot):
        # What was seen then may be what is not to be shown now.
        return "The numbers are not those with which it was saved."
    (then, _, said), now = slide.seen.partition("\n"), exhibit.provenance.counts
    if then != now:
        return f"Saved with {then}; now {now}."
    return f"Saved with other numbers: ‘{said}’ Now: ‘{exhibit.message}’"


def of_study(slide: TalkSlide) -> list[Snapshot]:
    """Return the snapshots that the store has of the study of a slide."""
    study = "".join(slide.query["study"][-1:])
    return [snapshot for snapshot in snapshots() if snapshot.study_id == study]
