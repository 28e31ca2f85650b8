"""The talk that a session puts together: where it is kept, and the button that adds a figure to it.

The link holds the name of the talk, the store its text under that name: so a link reopens it, Back takes
an addition back, and whoever shares the store shares the talk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from data import talks
from pages.elements import link
from pages.elements.link import View
from pages.elements.talk import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    MOST_SLIDES,
    Talk,
    TalkFault,
    TalkSlide,
    from_json,
)

if TYPE_CHECKING:
    from pages.elements.exports.exhibit import Exhibit
    from pages.elements.frame import Cohort


def figure_pages() -> dict[str, str]:
    """Return the page of every figure that a slide can show."""
    # Views draw the button, and figures are made of views: imported above, that would be a circle.
    from pages.elements.exhibits import FIGURES

    return {key: figure.page for key, figure in FIGURES.items()}


def talk_of(view: View) -> Talk:
    """Return the talk that a view carries; one without slides where it carries none.

    Raises
    ------
    TalkGone
        If the store does not have it.
    TalkFault
        If it cannot be read.
    """
    name = view.option(link.TALK)
    return from_json(talks.kept(name), figure_pages()) if name else Talk()


def carrying(view: View, talk: Talk) -> View:
    """Keep a talk and return the view that carries it.

    Raises
    ------
    OSError
        If the store cannot be written.
    TalkTooLarge
    """
    kept = talks.keep(talk.to_json()) if talk != Talk() else None
    return view.with_option(link.TALK, kept)


def saved_slide(exhibit: Exhibit, cohort: Cohort) -> TalkSlide:
    """Return the slide that shows an exhibit of a cohort again, and remembers what it says now."""
    query = cohort.view.without_talk().to_query()
    return TalkSlide(
        page=exhibit.page,
        figure=exhibit.key,
        query={name: tuple(values) for name, values in query.items() if name != "snapshot"},
        title=exhibit.title[:LONGEST_TITLE],
        message=exhibit.message[:LONGEST_MESSAGE],
        snapshot=cohort.snapshot.hash,
        seen=seen(exhibit),
    )


def seen(exhibit: Exhibit) -> str:
    """Return what tells whether an exhibit has changed: its counts, and the sentence with its numbers."""
    return f"{exhibit.provenance.counts}\n{exhibit.message}"


def talk_button(cohort: Cohort, key: str) -> None:
    """Draw the button that adds a figure as the page shows it to the talk.

    Parameters
    ----------
    key : str
        Of `exhibits.FIGURES`.
    """
    st.button(
        "Add to talk", icon=":material/add_to_queue:", key=f"add_to_talk_{key}", on_click=_add,
        args=(cohort, key),
    )  # fmt: skip


def _add(cohort: Cohort, key: str) -> None:
    from pages.elements import exhibits

    view: View = st.session_state[link.VIEW]
    exhibit = exhibits.exhibit(key, cohort)
    if exhibit is None:
        st.toast("There is nothing to show here yet.", icon=":material/info:")
        return
    try:
        talk = talk_of(view)
    except (talks.TalkGone, TalkFault):
        talk = Talk()
        st.toast("The talk of this link cannot be read: a new one begins.", icon=":material/info:")
    if len(talk.slides) == MOST_SLIDES:
        st.toast(f"A talk has at most {MOST_SLIDES} slides.", icon=":material/info:")
        return
    if change_talk(view, talk.added(saved_slide(exhibit, cohort))):
        st.toast(f"Added as slide {len(talk.slides) + 1}", icon=":material/add_to_queue:")


def change_talk(view: View, talk: Talk) -> bool:
    """Go on with another talk, from a widget's callback; tell whether it could be kept."""
    try:
        link.change(carrying(view, talk))
    except (OSError, talks.TalkTooLarge) as error:
        st.toast(f"The talk could not be kept. {_why(error)}", icon=":material/error:")
        return False
    return True


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, talks.TalkTooLarge) else "The store cannot be written."
