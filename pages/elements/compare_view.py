"""Two saved cohorts, A and B: saved, listed and compared from the sidebar."""

from __future__ import annotations

import streamlit as st

from data.store import Snapshot
from data.variables import COHORTS, Dictionary
from pages.elements import access, link, wording
from pages.elements.link import SAVED, View


def draw(snapshot: Snapshot, variables: Dictionary, view: View) -> None:
    """Draw the buttons that save the selection, and the cohorts saved."""
    saved, _ = link.saved_cohorts(view, variables)
    selection = view.cohort.without(COHORTS)
    with st.container(horizontal=True):
        for name in SAVED:
            st.button(
                f"Save as {name}", icon=":material/bookmark_add:", type="tertiary",
                disabled=not selection or saved.get(name) == selection,
                on_click=link.change, args=(view.with_saved(name, selection),),
                help="Keep this selection, to compare it with another one.",
            )  # fmt: skip
    for name, cohort in saved.items():
        n = access.size(snapshot, cohort)
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
            words = wording.escape(cohort.describe(variables))
            st.markdown(f":small[**{name}** {words} :gray[{n:,}]]", width="stretch")
            st.button(
                "", icon=":material/close:", type="tertiary", key=f"clear_{name}",
                help=f"Clear {name}", on_click=link.change, args=(view.with_saved(name, None),),
            )  # fmt: skip
    if len(saved) == len(SAVED):
        shown = view.compared()
        st.button(
            "Compare A with B", icon=":material/compare_arrows:", width="stretch",
            disabled=shown.to_query() == view.to_query(), on_click=link.change, args=(shown,),
            help="Group by the two cohorts, with every filter lifted.",
        )  # fmt: skip
