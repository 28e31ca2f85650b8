"""Servers as they are put before strangers: with sign-in, behind a proxy, and on this machine alone."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from data.importing.publish import import_folder
from tests.security import outsider
from tools.serving import free_port, start, wait_for

DEMO = Path(__file__).parents[2] / "data" / "demo"
STUDY = "nguyen2026"
CANARY = "CANARY-7f3a-"
"""How the identifier of every patient begins: it may stand nowhere that it should not."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    url : str
        As the browser says it.
    store, log : Path
    """

    url: str
    store: Path
    log: Path

    @property
    def written(self) -> str:
        """The log so far."""
        return self.log.read_text("utf-8", errors="replace")


@pytest.fixture(scope="session")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one study in which every patient is a canary, every count and row to be shown."""
    folder = tmp_path_factory.mktemp("canaries")
    source = folder / "source"
    shutil.copytree(DEMO / STUDY, source)
    for path in source.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows({**row, "patient_id": CANARY + row["patient_id"]} for row in rows)
    import_folder(source, STUDY, folder / "store", small_cell_minimum=0)
    return folder / "store"


@contextmanager
def served(
    place: Path, store: Path, secrets: str | None = None, script: str = "asgi.py", **environment: str
) -> Iterator[Server]:  # fmt: skip
    place.mkdir(exist_ok=True)
    port = free_port()
    # The name that an identity provider knows: localhost is not 127.0.0.1.
    url = f"http://localhost:{port}"
    file = place / "secrets.toml"
    if secrets is not None:
        file.write_text(secrets.replace("URL", url), "utf-8")
    process = start(
        port, script, store, place / "log", STREAMLIT_SECRETS_FILES=str(file), **environment
    )
    try:
        wait_for(url)
        yield Server(url, store, place / "log")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def closed(canaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with sign-in."""
    place = tmp_path_factory.mktemp("closed")
    with served(place, canaries, outsider.secrets("URL")) as server:
        yield server


@pytest.fixture(scope="module")
def proxied(canaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes from a proxy who somebody is."""
    roles = outsider.secrets("URL").partition("[roles]")[2]
    with served(
        tmp_path_factory.mktemp("proxied"), canaries, f"[roles]{roles}",
        STREAMLIT_SERVER_TRUSTED_USER_HEADERS=json.dumps({"X-Email": "email"}),
    ) as server:  # fmt: skip
        yield server


@pytest.fixture(scope="module")
def local(canaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as `make run` starts it."""
    with served(tmp_path_factory.mktemp("local"), canaries) as server:
        yield server


@pytest.fixture(scope="module")
def unguarded(canaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with sign-in that was started without its guard."""
    place = tmp_path_factory.mktemp("unguarded")
    with served(place, canaries, outsider.secrets("URL"), script="app.py") as server:
        yield server


def fails_to_start(place: Path, secrets: str, **environment: str) -> str:
    """Return what a server says that must not start."""
    file = place / "secrets.toml"
    file.write_text(secrets, "utf-8")
    process = start(free_port(), "asgi.py", place, place / "log",
                    STREAMLIT_SECRETS_FILES=str(file), **environment)  # fmt: skip
    try:
        assert process.wait(60) != 0
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        pytest.fail("The server started.")
    return (place / "log").read_text("utf-8")
