"""The one button for a file: made on a click, for a person who may have it, and noted in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Literal

import streamlit as st
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileStorage

from data import audit
from pages.elements import sign_in
from pages.elements.frame import log_failure

KEPT_SECONDS = 30
"""How long at least a file, and a button that is no more on its page, outlast their last use."""


class Files(MediaFileManager):
    """The files of a server, which stay until a browser surely has them.

    Streamlit's own drops at the end of anybody's run whatever no page refers to at that moment: the
    buttons of a page that is on its way again, and a file that is made but not yet fetched.
    """

    def __init__(self, storage: MediaFileStorage) -> None:
        super().__init__(storage)
        self._next = 0.0
        self._left = set[str]()

    def remove_orphaned_files(self) -> None:
        """Mark what nobody refers to, and remove what was marked the time before."""
        now = monotonic()
        if now >= self._next:
            self._next = now + KEPT_SECONDS
            super().remove_orphaned_files()

    def _remove_orphaned_deferred_callables(self) -> None:
        # Streamlit marks files before it removes them, but not these.
        shown = {
            name for names in self._files_by_session_and_coord.values() for name in names.values()
        }
        left = self._deferred_callables.keys() - shown
        for name in left & self._left:
            self._drop_deferred_id(name)
        self._left = left


class NotMade(RuntimeError):
    """A file could not be made; the log says where, and nothing of what it would have held."""


def download(
    label: str,
    make: Callable[[], bytes | str],
    name: str,
    mime: str | None = None,
    *,
    key: str | None = None,
    icon: str = "",
    help: str | None = None,
    type: Literal["secondary", "tertiary"] = "secondary",
    rows: bool = False,
) -> None:
    """Draw a button for a file that is made when it is clicked, without running the page again.

    Parameters
    ----------
    make : callable
        Runs apart from the page, in a thread of its own.
    name : str
        Of the file. It goes into the audit log: it holds no text of a user or of the data.
    rows : bool
        Whether the file has rows of single patients.
    """
    person = sign_in.present()

    def made() -> bytes | str:
        with sign_in.acting(person):
            return _made(make, name, rows=rows)

    st.download_button(
        label, made, name, mime, key=key, icon=icon or None, help=help, type=type, on_click="ignore"
    )


def _made(make: Callable[[], bytes | str], name: str, *, rows: bool) -> bytes | str:
    """Return a file, once it stands in the audit log."""
    person = sign_in.present()
    if person is None or person.role is None:
        raise sign_in.Refused("Nobody is signed in any more.")
    if rows:
        sign_in.require("see single patients")
    try:
        content = make()
    except Exception as error:
        log_failure(f"The file {name}", error)
        # Streamlit writes the message and its causes to the log, and they can hold patient values.
        raise NotMade(f"The file {name} could not be made.") from None
    audit.record(person.name, "download", file=name)
    return content
