"""The talk as a list: its order, its words, and the files it leaves as."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import streamlit as st

from data import talks
from pages.elements import add_to_talk, frame, link, wording
from pages.elements.add_to_talk import change_talk, figure_pages
from pages.elements.answers.small_cells import minimum_of
from pages.elements.catalogue import snapshots
from pages.elements.downloads import download
from pages.elements.exports import handout
from pages.elements.exports import slides as powerpoint
from pages.elements.frame import Cohort
from pages.elements.link import View
from pages.elements.slides import Showing, of_study, showing
from pages.elements.talk import (
    LONGEST_MESSAGE,
    LONGEST_TITLE,
    Talk,
    TalkFault,
    TalkSlide,
    parsed,
)

EXAMPLE = Path(__file__).parent / "talks" / "short2025.json"
"""A talk of the embedded cohort short2025."""

_FAULT = "talk_fault"
_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def talk_of(cohort: Cohort) -> Talk:
    """Return the talk of the link; where it cannot be had, say why and stop."""
    try:
        return add_to_talk.talk_of(cohort.view)
    except (talks.TalkGone, TalkFault) as error:
        _top(cohort)
        _faults(str(error))
        anew = cohort.view.without_talk()
        st.button("Begin another talk", on_click=link.change, args=(anew,))
        st.stop()


def _top(cohort: Cohort) -> None:
    frame.menu(cohort.view.with_option(link.PRESENT, None).to_query())
    st.title("Present", anchor=False)


def contents(cohort: Cohort, talk: Talk) -> None:
    """Draw the talk as a list, with everything that changes it or takes it away."""
    _top(cohort)
    _actions(talk)
    if not talk.slides:
        st.markdown(
            "A talk is made of views. **Add to talk**, beside a figure on its page, takes the figure as it "
            "stands there; filters stay at hand while it is shown. A slide follows the study: on a newer "
            "snapshot it says what has changed. Or open the example, or a talk that was saved as a file."
        )
        return
    _text("Title of the talk", "talk_title", talk.title, LONGEST_TITLE, _retitled)
    for number, slide in enumerate(talk.slides):
        with st.container(border=True, gap="xsmall"):
            _slide(talk, number, slide)
    st.markdown(
        ":small[:gray[Presenting: → or Page Down goes on, ← or Page Up back, Home and End to the ends, F "
        "shows the filters, Esc leaves; F11 fills the screen. The link in the address line reopens "
        "this talk.]]"
    )


def _actions(talk: Talk) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Present", icon=":material/slideshow:", disabled=not talk.slides,
            on_click=frame.set_option, args=(link.PRESENT, "1"),
        )  # fmt: skip
        if talk.slides:
            download(
                "Save talk", partial(_as_json, talk), "talk.json", "application/json",
                icon=":material/save:",
            )  # fmt: skip
            download(
                "PowerPoint", partial(_as_pptx, talk), "talk.pptx", _PPTX,
                icon=":material/download:",
            )  # fmt: skip
            download(
                "HTML", partial(_as_html, talk), "talk.html", "text/html", icon=":material/download:",
                help="One file for any browser; printed, it is a PDF with a slide a page",
            )  # fmt: skip
        with st.popover("Open talk", icon=":material/folder_open:"):
            st.file_uploader(
                "A talk that was saved as a file", "json", key="talk_file", on_change=_open_file
            )
            if fault := st.session_state.get(_FAULT):
                _faults(fault)
        if any(snapshot.study_id == EXAMPLE.stem for snapshot in snapshots()):
            st.button("Example talk", icon=":material/school:", on_click=_open_example)


def _faults(text: str) -> None:
    st.error("  \n".join(wording.escape(line) for line in text.splitlines()))


def _as_json(talk: Talk) -> bytes:
    return json.dumps(talk.to_json(), ensure_ascii=False, indent=1).encode("utf-8")


def _as_pptx(talk: Talk) -> bytes:
    return powerpoint.deck(_shown(talk))


def _as_html(talk: Talk) -> bytes:
    return handout.as_html(talk.title, _shown(talk))


def _shown(talk: Talk) -> list[powerpoint.Slide]:
    """Return the slides that can be shown."""
    shown = [(slide, showing(slide).exhibit) for slide in talk.slides]
    return [
        powerpoint.Slide(exhibit, slide.title, slide.message)
        for slide, exhibit in shown
        if exhibit is not None
    ]


def _open_file() -> None:
    file = st.session_state["talk_file"]
    if file is not None:
        _open(file.getvalue())


def _open_example() -> None:
    _open(EXAMPLE.read_bytes())


def _open(content: bytes) -> None:
    """Go on with the talk of a file; the one before is a step back in the browser."""
    st.session_state.pop(_FAULT, None)
    try:
        talk = parsed(content, figure_pages())
    except TalkFault as fault:
        st.session_state[_FAULT] = str(fault)
        return
    change_talk(st.session_state[link.VIEW], talk)


# One slide of the list


def _slide(talk: Talk, number: int, slide: TalkSlide) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{number + 1}**", width="content")
        _text(
            f"Title of slide {number + 1}", f"slide_{number}_title", slide.title, LONGEST_TITLE,
            partial(_reworded, number, "title"),
        )  # fmt: skip
        _buttons(talk, number, slide)
    _text(
        f"Message of slide {number + 1}", f"slide_{number}_message", slide.message, LONGEST_MESSAGE,
        partial(_reworded, number, "message"),
    )  # fmt: skip
    st.markdown(f":small[:gray[{wording.escape(_about(slide))}]]")
    changes(number, slide, showing(slide) if _is_other(slide) else None)


def _about(slide: TalkSlide) -> str:
    # Counts of before a small-cell minimum are not to be shown under it.
    hidden = any(minimum_of(snapshot) for snapshot in of_study(slide))
    counts = "" if hidden else slide.seen.partition("\n")[0]
    pinned = f"stays with snapshot {slide.query['snapshot'][-1]}" if _pinned(slide) else ""
    return " · ".join(part for part in (slide.page, counts, pinned) if part)


def _pinned(slide: TalkSlide) -> bool:
    return bool(slide.query.get("snapshot"))


def _is_other(slide: TalkSlide) -> bool:
    """Tell whether another snapshot is served than the one that a slide was saved on."""
    served = {snapshot.hash for snapshot in of_study(slide) if snapshot.current}
    return not _pinned(slide) and slide.snapshot not in served


def changes(number: int, slide: TalkSlide, now: Showing | None) -> None:
    """Say what is no longer as a slide was saved, and offer the snapshot of then, or the numbers of now."""
    if now is None or not (now.changed or now.problem):
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"changes_{number}"):
        said = wording.escape(now.problem or now.changed)
        badge = ":material/update: Changed" if now.changed else ":material/warning: Not shown"
        st.markdown(f":orange-badge[{badge}] {said}", width="stretch")
        if _is_other(slide) and slide.snapshot in {each.hash for each in of_study(slide)}:
            st.button(
                "Pin the old snapshot", key=f"pin_{number}", on_click=_replace,
                args=(number, _pin(slide)),
            )  # fmt: skip
        if now.exhibit is not None and now.cohort is not None:
            taken = add_to_talk.saved_slide(now.exhibit, now.cohort)
            taken = replace(taken, title=slide.title, query=slide.query)
            st.button("Take the new numbers", key=f"take_{number}", on_click=_replace,
                      args=(number, taken))  # fmt: skip


def _pin(slide: TalkSlide) -> TalkSlide:
    return replace(slide, query={**slide.query, "snapshot": (slide.snapshot,)})


def _buttons(talk: Talk, number: int, slide: TalkSlide) -> None:
    last = len(talk.slides) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        _icon("arrow_upward", "Move up", number, lambda t: t.moved(number, -1), number == 0)
        _icon("arrow_downward", "Move down", number, lambda t: t.moved(number, 1), number == last)
        _icon("content_copy", "Duplicate", number, lambda t: t.duplicated(number))
        _icon("delete", "Remove", number, lambda t: t.removed(number))
        st.button(
            "", icon=":material/slideshow:", type="tertiary", key=f"present_{number}",
            help="Present from here", on_click=frame.set_option, args=(link.PRESENT, str(number + 1)),
        )  # fmt: skip
        view: View = st.session_state[link.VIEW]
        talk_name = view.option(link.TALK)
        query = dict(slide.query) | ({link.TALK: (talk_name,)} if talk_name else {})
        frame.to_page(slide.page, "Open", None, query, "Open the view on its page")


def _icon(
    icon: str, tip: str, number: int, to: Callable[[Talk], Talk], disabled: bool = False
) -> None:
    st.button(
        "", icon=f":material/{icon}:", type="tertiary", key=f"{icon}_{number}", help=tip,
        disabled=disabled, on_click=_change, args=(to,),
    )  # fmt: skip


def _text(
    label: str, key: str, text: str, most: int, changed: Callable[[str], None]
) -> None:  # fmt: skip
    st.text_input(
        label, link.put(key, text), key=key, max_chars=most, label_visibility="collapsed", width="stretch",
        on_change=lambda: changed(st.session_state[key]),
    )  # fmt: skip


def _change(to: Callable[[Talk], Talk]) -> None:
    view: View = st.session_state[link.VIEW]
    change_talk(view, to(add_to_talk.talk_of(view)))


def _retitled(text: str) -> None:
    _change(lambda talk: replace(talk, title=text))


def _reworded(number: int, field: str, text: str) -> None:
    _change(lambda talk: talk.with_slide(number, replace(talk.slides[number], **{field: text})))


def _replace(number: int, slide: TalkSlide) -> None:
    _change(lambda talk: talk.with_slide(number, slide))
