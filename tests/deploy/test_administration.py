"""docs/administration.md alone leads to a server with TLS and sign-in: its own lines are run here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.deploy.conftest import asking_again, connected, needed, proxying
from tools.serving import ROOT, free_port, wait_for

pytestmark = pytest.mark.browser

DOCUMENT = (ROOT / "docs" / "administration.md").read_text("utf-8")
VIEW = "/survival?study=short2025&ph_status=negative"
NOT_HERE = r"^(systemctl|nginx|curl|chgrp) .*$"
"""What a test cannot have: a system's services, and another user."""


def lines(folder: Path, ports: dict[str, int]) -> str:
    """Return the lines of steps 2 to 6 for a folder in the place of the whole machine."""
    part = DOCUMENT[DOCUMENT.index("**2. ") : DOCUMENT.index("**7. ")]
    text = "\n".join(re.findall(r"^```\n(.*?)^```", part, re.MULTILINE | re.DOTALL))
    for there, here in {
        "sudo -u cohort ": "",
        "sudo ": "",
        "-g cohort ": "",
        "-o cohort ": "",
        "https://cohorts.example.org/": f"https://localhost:{ports['https']}/",
        "cohorts.example.org": "localhost",
        "https://login.example.org/": f"http://localhost:{ports['provider']}/",
        "PORT=443": f"PORT=127.0.0.1:{ports['https']}",
        "PORT=80 ": f"PORT=127.0.0.1:{ports['http']} ",
        ":8501": f":{ports['a']}",
        ":8502": f":{ports['b']}",
        "/opt/cohort-explorer": f"{folder}/opt",
        "/etc/cohort-explorer": f"{folder}/etc",
        "/var/lib/cohort-explorer": f"{folder}/store",
        "/var/log/nginx": f"{folder}",
        "/etc/nginx/conf.d": f"{folder}",
        "/etc/systemd/system/": f"{folder}",
    }.items():
        text = text.replace(there, here)
    return f"set -eu\ncd {folder}/opt\n" + re.sub(NOT_HERE, "", text, flags=re.MULTILINE)


def installed(folder: Path) -> None:
    """Do step 1: the program, with the packages of this checkout."""
    for name in ("analytics", "data", "pages", "deploy"):
        ignored = shutil.ignore_patterns("store", "__pycache__")
        shutil.copytree(ROOT / name, folder / "opt" / name, ignore=ignored)
    for name in (
        "app.py",
        "asgi.py",
        "requirements.txt",
        "pyproject.toml",
        ".streamlit/config.toml",
    ):
        (folder / "opt" / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, folder / "opt" / name)
    (folder / "opt" / ".venv").symlink_to(Path(sys.executable).parents[1])


@contextmanager
def running(command: list[str | Path], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # type: ignore[call-overload]
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def by_the_unit(folder: Path, port: int) -> tuple[list[str | Path], dict[str, object]]:
    """Return how systemd would start a replica: command, folder and environment of the unit."""
    unit = (folder / "cohort-explorer@.service").read_text("utf-8").replace("%i", str(port))
    unit = unit.replace("/opt/cohort-explorer", f"{folder}/opt")
    (command,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    (given,) = re.findall(r"^Environment=(.+)$", unit, re.MULTILINE)
    text = given.replace("/var/lib/cohort-explorer", f"{folder}/store").replace(" ", "\n")
    text += "\n" + (folder / "etc" / "environment").read_text("utf-8")
    environment = {"PATH": os.environ["PATH"]}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        environment[name] = value.strip('"')
    return command.split(), {"cwd": folder / "opt", "env": environment}


def provider(port: int) -> list[str | Path]:
    person = {"sub": "you", "email": "you@example.org"}
    program = Path(sys.executable).parent / "oidc-provider-mock"
    return [program, "--port", str(port), "--user-claims", json.dumps(person)]


def test_the_lines_of_the_document_give_a_server_with_tls_and_sign_in(
    tmp_path: Path, browser: Browser
) -> None:
    for program in ("nginx", "openssl", "envsubst"):
        needed(program)
    ports = {name: free_port() for name in ("a", "b", "http", "https", "provider")}
    installed(tmp_path)
    subprocess.run(["bash", "-c", lines(tmp_path, ports)], check=True, capture_output=True)
    assert oct((tmp_path / "etc" / "secrets.toml").stat().st_mode)[-3:] == "640"
    with ExitStack() as running_here:
        running_here.enter_context(running(provider(ports["provider"])))
        replicas = {}
        for name in "ab":
            command, options = by_the_unit(tmp_path, ports[name])
            replicas[name] = running_here.enter_context(running(command, **options))
        for name in "ab":
            wait_for(f"http://127.0.0.1:{ports[name]}")
        running_here.enter_context(proxying(tmp_path, tmp_path / "cohort-explorer.conf"))
        context = browser.new_context(ignore_https_errors=True)
        running_here.callback(context.close)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"https://localhost:{ports['https']}{VIEW}")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="you", exact=True).click()
        expect(page.get_by_text("110 of 161 patients").first).to_be_visible()
        assert page.url == f"https://localhost:{ports['https']}{VIEW}"
        cookies = {cookie["name"]: cookie for cookie in context.cookies(page.url)}
        assert all(cookie["secure"] for cookie in cookies.values())
        assert cookies["_streamlit_user"]["httpOnly"]
        connected(page)
        with asking_again(page):
            replicas[cookies["cohort_replica"]["value"]].kill()
        page.get_by_text("Signed in").click()
        expect(page.get_by_text("as admin")).to_be_visible()
