"""A server of the dashboard on a free port, and the Chromium that looks at it."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
"""Debian's Chromium; Playwright's own download is not used."""


@contextmanager
def serving(script: str = "asgi.py", store: Path | None = None) -> Iterator[str]:
    """Serve a Streamlit script for as long as the block lasts, and yield its address."""
    port = free_port()
    process = start(port, script, store)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    while True:
        # Below those that outgoing connections get: nobody takes it before it is used.
        port = random.randrange(20_000, 32_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def start(
    port: int,
    script: str = "asgi.py",
    store: Path | None = None,
    log: Path | None = None,
    **environment: str,
) -> subprocess.Popen[bytes]:
    """Start a server that answers soon, see `wait_for`; whoever starts it ends it."""
    with Path(log or os.devnull).open("ab") as written:
        return subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | ({"COHORT_STORE": str(store)} if store else {}) | environment,
            stdout=written,
            stderr=written,
        )


def wait_for(url: str, path: str = "/_stcore/health") -> None:
    """Wait until a server answers, for a minute at most."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}{path}").close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The server did not start within a minute.")
