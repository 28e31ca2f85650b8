"""Presenting: one slide fills the window, readable from the last row, with its filters one key away."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from data.cohort import CohortFilter
from data.variables import Variable
from pages.elements import access, frame, link, present_view, sidebar, wording
from pages.elements.charts.survival import WHOLE, ZOOM
from pages.elements.charts.wire import packed
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import Cohort
from pages.elements.link import View
from pages.elements.remembered import remembered
from pages.elements.slides import Showing, showing
from pages.elements.talk import Talk, TalkSlide

_LIVE, _OPEN = "live_filter", "live_filters_open"
_MOST_GROUPS = 3  # that leave their figure its usual height
_ONE_LINE = 80  # characters of a message that have room on one line

# A slide is set at half the size it has in a room of 1080 lines: text of 12 pixels is 24 there. What the
# window is, only the browser knows.
_STYLE = """<style>
:root { --enlarged: 1 }
@media (min-width: 1000px) { :root { --enlarged: 1.1 } }
@media (min-width: 1270px) and (min-height: 700px) { :root { --enlarged: 1.36 } }
@media (min-width: 1560px) and (min-height: 820px) { :root { --enlarged: 1.6 } }
@media (min-width: 1880px) and (min-height: 1000px) { :root { --enlarged: 2 } }
@media (min-width: 2500px) and (min-height: 1360px) { :root { --enlarged: 2.67 } }
@media (min-width: 3800px) and (min-height: 2000px) { :root { --enlarged: 4 } }
.st-key-stage_head, .st-key-stage_table, .st-key-stage_foot, .st-key-stage_figure svg.marks {
  zoom: var(--enlarged)
}
/* The chart is drawn as wide as this, and then enlarged. */
.st-key-stage_figure { width: calc(100% / var(--enlarged)) }
[data-testid=stMainBlockContainer] { padding: .5rem 2.5vw 0 }
/* Nothing lies over the words of a slide, wherever the mouse rests. */
.st-key-stage_keys, [data-testid=stStatusWidget], [data-testid=stElementToolbar] { display: none }
</style>"""


def number(cohort: Cohort, talk: Talk) -> int | None:
    """Return which slide the link presents, counted from 1; None where it presents none."""
    asked = cohort.number(link.PRESENT)
    return None if asked is None or not talk.slides else min(max(asked, 1), len(talk.slides))


def show(talk: Talk, number: int) -> None:
    """Draw one slide, and make the next ready."""
    slide = talk.slides[number - 1]
    live = _live(number)
    st.html(_STYLE)
    stage = st.container(key="stage", gap="xsmall")
    # Before the figure, so that a key goes on while it is still computed.
    _keys(len(talk.slides))
    now = _sized(slide, number)
    with stage:
        with st.container(key="stage_head", gap="xxsmall"):
            if now.cohort is not None and st.session_state.get(_OPEN):
                _filters(now.cohort, number)
            _head(slide, number, now, live is not None)
        if now.exhibit is not None:
            _figure(now.exhibit)
        with st.container(key="stage_foot", horizontal=True, vertical_alignment="center",
                          gap="xxsmall", wrap=False):  # fmt: skip
            _foot(len(talk.slides), number, now.exhibit, live is not None)
    if number < len(talk.slides):
        # The slide is on its way already: what is computed here, the next key finds done.
        _sized(talk.slides[number], number + 1)


def _sized(slide: TalkSlide, number: int) -> Showing:
    """Return a slide with its figure as high as there is room."""
    live, low = _live(number), bool(st.session_state.get(_OPEN))
    now = showing(slide, live, size="XS" if low else "S")
    if low or now.exhibit is None or len(now.exhibit.series) <= _MOST_GROUPS:
        return now
    return showing(slide, live, size="XS")


# What is on the slide


def _head(slide: TalkSlide, number: int, now: Showing, is_live: bool) -> None:
    """Write the message, or of other patients the numbers in a sentence; and below it what is shown."""
    exhibit = now.exhibit
    message = exhibit.message if is_live and exhibit else slide.message
    size = 23 if len(message) <= _ONE_LINE else 18
    source = exhibit.provenance if exhibit else None
    shown = [html.escape(slide.title)]
    if source:
        shown += [html.escape(source.cohort), f"<b>{html.escape(source.counts)}</b>"]
    st.html(
        f'<h1 style="font:600 {size}px/1.25 Source Serif,serif;margin:0;padding:0">'
        f'{html.escape(message)}</h1><p style="font-size:13px;line-height:1.4;margin:2px 0 0">'
        f"{' · '.join(shown)}</p>"
    )
    if not is_live:
        present_view.changes(number - 1, slide, now)
    elif exhibit is None:
        st.info(wording.escape(now.problem))


def _figure(exhibit: Exhibit) -> None:
    if exhibit.spec is None:
        with st.container(key="stage_table"):
            for table in list(exhibit.shown.values())[:1]:
                st.table(table, border="horizontal", hide_index=True)
        return
    with st.container(key="stage_figure"):
        st.vega_lite_chart(_still(exhibit), theme=None, width="stretch", alt=exhibit.alt)


@remembered(48)
def _still(exhibit: Exhibit) -> dict[str, Any]:
    """Return the figure of an exhibit without what only its page answers: a drag, a double click."""
    spec = exhibit.spec or {}
    kept = [param for param in spec.get("params", ()) if param.get("name") not in (ZOOM, WHOLE)]
    return packed({**spec, "params": kept})


# What is below it


def _foot(last: int, number: int, exhibit: Exhibit | None, is_live: bool) -> None:
    with st.container():
        st.html(_footnote(exhibit))
    if is_live:
        st.button("Back to the saved view", icon=":material/undo:", type="tertiary",
                  key="stage_saved", on_click=_back_to_saved)  # fmt: skip
    _button("chevron_left", "Previous slide", -1, last, number == 1)
    st.markdown(f"{number} / {last}", width="content")
    _button("chevron_right", "Next slide", 1, last, number == last)
    st.button("", icon=":material/tune:", type="tertiary", key="stage_filters", help="Filters (F)",
              on_click=_toggle)  # fmt: skip
    st.button("", icon=":material/close:", type="tertiary", key="stage_close", help="Leave (Esc)",
              on_click=_leave)  # fmt: skip


def _footnote(exhibit: Exhibit | None) -> str:
    if exhibit is None:
        return "<p></p>"
    source = exhibit.provenance
    cutoff = f"cut-off {source.cutoff}" if source.cutoff else ""
    parts = (source.study, f"snapshot {source.snapshot}", cutoff, source.rule, source.method)
    warned = [f"<b>{html.escape(caveat)}</b>" for caveat in source.caveats]
    said = " · ".join([*warned, *(html.escape(part) for part in parts if part)])
    return f'<p style="font-size:12px;line-height:1.3;margin:0;opacity:.8">{said}</p>'


def _button(icon: str, tip: str, by: int, last: int, disabled: bool = False) -> None:
    st.button(
        "", icon=f":material/{icon}:", type="tertiary", key=f"stage_{icon}", help=tip,
        disabled=disabled, on_click=_step, args=(by, last),
    )  # fmt: skip


def _keys(last: int) -> None:
    """Draw a button for every key of a keyboard and of a clicker: each can have only one."""
    keys = {
        "Right": 1, "PageDown": 1, "Space": 1, "Left": -1, "PageUp": -1, "Home": -last, "End": last
    }  # fmt: skip
    with st.container(key="stage_keys"):
        for key, by in keys.items():
            st.button(key, key=f"key_{key}", shortcut=key, on_click=_step, args=(by, last))
        st.button("Leave", key="key_escape", shortcut="Escape", on_click=_leave)
        st.button("Filters", key="key_filters", shortcut="F", on_click=_toggle)


def _step(by: int, last: int) -> None:
    """Go on from the slide that is shown now, which can be later than the one the button was drawn on."""
    view: View = st.session_state[link.VIEW]
    to = min(max(int(view.option(link.PRESENT) or 1) + by, 1), last)
    _back_to_saved()
    if view.option(link.PRESENT) != str(to):
        frame.set_option(link.PRESENT, str(to))


def _leave() -> None:
    _back_to_saved()
    frame.set_option(link.PRESENT, None)


# Its filters, for now


def _live(number: int) -> CohortFilter | None:
    """Return the patients that a slide looks at for now, if they are not those of the saved view."""
    of, cohort = st.session_state.get(_LIVE, (0, None))
    return cohort if of == number else None


def _back_to_saved() -> None:
    st.session_state.pop(_LIVE, None)


def _toggle() -> None:
    st.session_state[_OPEN] = not st.session_state.get(_OPEN)


def _filters(cohort: Cohort, number: int) -> None:
    """Draw the filters of a slide: what is asked most, and what its view is chosen by."""
    asked = _asked(cohort)
    counts = access.level_counts(cohort.snapshot, cohort.filter, tuple(v.name for v in asked))
    with st.container(horizontal=True, vertical_alignment="bottom", key="stage_pills"):
        for variable in asked:
            key = f"live_{variable.name}"

            def changed(name: str = variable.name, key: str = key) -> None:
                levels = tuple(st.session_state[key])
                st.session_state[_LIVE] = number, cohort.filter.with_(name, levels)

            with st.container(width="content"):
                sidebar.pills(
                    cohort.snapshot,
                    variable,
                    cohort.filter,
                    counts[variable.name],
                    changed,
                    key=key,
                )


def _asked(cohort: Cohort) -> list[Variable]:
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    names = [*sidebar.ALWAYS, timepoint.name if timepoint else "", *(n for n, _ in cohort.filter)]
    found = [cohort.variables[name] for name in dict.fromkeys(names) if name in cohort.variables]
    return [variable for variable in found if variable.kind != "number"]
