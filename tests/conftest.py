"""A store with the embedded cohorts, built once for all tests, by the importer itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from data.importing.publish import import_folder
from data.queries import dictionary
from data.store import Snapshot
from data.variables import Dictionary

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("quick")

DEMO = Path(__file__).parents[1] / "data" / "demo"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for study in ("allmrd", "chiaretti2004", "nguyen2026", "short2025"):
        import_folder(DEMO / study, study, folder)
    os.environ["COHORT_STORE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def short2025(store: Path) -> Snapshot:
    from data.store import find

    return find("short2025", folder=store)


@pytest.fixture(scope="session")
def chiaretti2004(store: Path) -> Snapshot:
    from data.store import find

    return find("chiaretti2004", folder=store)


@pytest.fixture(scope="session")
def variables(short2025: Snapshot) -> Dictionary:
    return dictionary(short2025)
