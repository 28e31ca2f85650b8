"""What a page says while an engine computes, and where it cannot answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import wraps
from typing import NoReturn, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from data.engines import base
from data.store import EngineError, Unreachable
from pages.elements import link, wording

_SILENT_SECONDS = 0.7
"""A quicker answer needs no word in between."""

_place: ContextVar[tuple[DeltaGenerator, Context] | None] = ContextVar("place", default=None)
_inside_part: ContextVar[bool] = ContextVar("inside_part", default=False)
_F = TypeVar("_F", bound=Callable[..., object])


def reserve() -> None:
    """Keep the place at the top of a page where it says that it waits, or why there is no answer."""
    _place.set((st.empty(), copy_context()))


@contextmanager
def part() -> Iterator[None]:
    """Let a part of a page say by itself why it has no answer; the rest of the page goes on."""
    token = _inside_part.set(True)
    try:
        yield
    finally:
        _inside_part.reset(token)


def asking(function: _F) -> _F:
    """Have whoever asks an engine wait in sight, and get a sentence where there is no answer."""

    @wraps(function)
    def asked(*args: object, **kwargs: object) -> object:
        waited = _waited.set([])
        try:
            return function(*args, **kwargs)
        except EngineError as error:
            if _inside_part.get() and not isinstance(error, Unreachable):
                raise
            no_answer(error)
        finally:
            if _waited.get():
                _say(lambda place: place.empty())
            _waited.reset(waited)

    return asked  # type: ignore[return-value]


def no_answer(error: EngineError) -> NoReturn:
    """Say why an engine does not answer, offer to ask again or to go back, and stop the page."""
    kept = _place.get()
    with (kept[0] if kept else st.empty()).container():
        st.error(wording.escape(str(error)))
        with st.container(horizontal=True):
            st.button("Try again", key="engine_again", icon=":material/refresh:")
            if link.can_undo():
                st.button("Back to the last view", key="engine_back", on_click=link.undo)
    st.stop()


_waited: ContextVar[list[float]] = ContextVar("waited")


def _show(what: str, seconds: float) -> None:
    """Say how long somebody waits. A click since then stops the run here, and with it the query."""
    seen = _waited.get(None)
    if seconds >= _SILENT_SECONDS and seen is not None:
        seen.append(seconds)
        text = f":material/hourglass: {what}: {seconds:.0f} s"
        _say(lambda place: place.markdown(f":gray[{text}]"))


def _say(write: Callable[[DeltaGenerator], object]) -> None:
    kept = _place.get()
    if kept is not None:
        place, context = kept
        # In the context of the page: a cached function would keep the message and repeat it.
        context.copy().run(write, place)


base.watch(_show)
