"""The server: the dashboard behind its guard. ``streamlit run asgi.py`` starts it."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime import runtime

from pages import elements
from pages.elements import downloads, sign_in, warm
from pages.elements.guard import Guard
from pages.elements.preload import Preload


def load() -> None:
    """Import what the pages draw with, so that nobody's first visit waits for it.

    It stays for as long as the server does: the collector need not look at it again.
    """
    for module in pkgutil.iter_modules(elements.__path__, f"{elements.__name__}."):
        if module.name.endswith("_view"):
            importlib.import_module(module.name)
    # analytics asks for it where it is needed: a command that needs no test starts without it.
    importlib.import_module("scipy.stats")
    gc.freeze()


sign_in.say_at_start()
load()
warm.begin()
# There is no setting for it.
runtime.MediaFileManager = downloads.Files
app = st.App("app.py", middleware=[Middleware(Guard), Middleware(Preload)])
