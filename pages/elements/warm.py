"""What the first visitors would wait for, computed while the server starts."""

from __future__ import annotations

from threading import Thread

from data.store import SnapshotError, cluster
from pages.elements import access, catalogue, exhibits, frame, sign_in
from pages.elements.link import View

_LONGEST_SECONDS = 5.0
"""A large cohort takes longer: the server begins to answer, and the rest is computed beside it."""

_PAGES = ("Overview", "Survival", "MRD negativity", "Transplant")
_WHERE_CHOSEN = ("subgroup_forest", "cox_table", "balance", "mrd_outcome", "concordance",
                 "concordance_outcome", "swimmer")  # fmt: skip
"""Figures that a page computes for whoever asks for them."""


def begin() -> None:
    """Compute what a bare address and the pages beside it show, for at most some seconds.

    A cluster is not asked for what nobody may want to see.
    """
    if not cluster():
        warming = Thread(target=warm, daemon=True, name="warm")
        warming.start()
        warming.join(_LONGEST_SECONDS)


def warm() -> None:
    """Compute it to the end; what cannot be computed is left to the page, which says why."""
    with sign_in.acting(sign_in.LOCAL):
        try:
            snapshot = catalogue.opened_first()
            study, variables = access.study(snapshot), access.dictionary(snapshot)
        except SnapshotError:
            return
        cohort = frame.Cohort(snapshot, study, variables, View(snapshot.study_id))
        for key, figure in exhibits.FIGURES.items():
            if figure.page in _PAGES and key not in _WHERE_CHOSEN:
                with frame.part(figure.title):
                    exhibits.exhibit(key, cohort)
