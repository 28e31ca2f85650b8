"""Two replicas of the server over one store behind nginx with TLS, on the loopback address."""

from __future__ import annotations

import os
import shutil
import ssl
import string
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tools.serving import ROOT, free_port, start, wait_for

TEMPLATE = ROOT / "deploy" / "nginx.conf.template"
SECRET = "the-same-secret-on-every-replica-of-this-test"
MAIN = """
pid {folder}/nginx.pid;
error_log {folder}/start.log;
{user}
events {{ }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {site};
}}
"""


def needed(program: str) -> str:
    """Return where a program is; without it the test is skipped, in CI failed, and says why."""
    # Debian keeps nginx where only an administrator's shell looks.
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        reason = f"{program} is not installed: what needs it was not tested."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def asking_again(page: Page) -> Iterator[None]:
    """Wait, after the block, until the browser has asked another server for the page and has it.

    A click in between would be lost; the run itself can be over before anybody looks.
    """
    page.evaluate("""() => {
      const app = document.querySelector('[data-testid=stApp]');
      const look = () => { window.ran ||= app.dataset.testScriptState === 'running'; };
      window.ran = false;
      new MutationObserver(look).observe(app, {attributes: true});
    }""")
    yield
    while not page.evaluate("window.ran"):
        page.wait_for_timeout(50)
    connected(page)


def connected(page: Page) -> None:
    """Wait until a page is connected and drawn."""
    page.locator(
        "[data-test-connection-state=CONNECTED][data-test-script-state=notRunning]"
    ).wait_for()


@dataclass
class Site:
    """What a visitor reaches, and the processes behind it."""

    url: str
    store: Path
    logs: Path
    trust: ssl.SSLContext
    ports: Mapping[str, int]
    replicas: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a replica; `up` waits for it."""
        self.replicas[name] = start(
            self.ports[name],
            "asgi.py",
            self.store,
            STREAMLIT_SERVER_COOKIE_SECRET=SECRET,
            STREAMLIT_BROWSER_SERVER_ADDRESS="localhost",
        )

    def up(self, name: str) -> None:
        wait_for(f"http://127.0.0.1:{self.ports[name]}")

    def kill(self, name: str) -> None:
        """End a replica as a crash would."""
        self.replicas[name].kill()
        self.replicas[name].wait()

    def restart(self, name: str) -> None:
        """Restart a replica as an upgrade would."""
        self.replicas[name].terminate()
        self.replicas[name].wait(timeout=20)
        self.start(name)
        self.up(name)

    def get(self, path: str, **headers: str) -> tuple[int, HTTPMessage, bytes]:
        """Return status, headers and content of an address; no redirect is followed."""
        request = urllib.request.Request(self.url + path, headers=headers)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.trust), _AsItIs()
        )
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()


class _AsItIs(urllib.request.HTTPErrorProcessor):
    def http_response(self, request, response):  # type: ignore[no-untyped-def]
        return response

    https_response = http_response


def filled(folder: Path, **values: object) -> Path:
    """Fill the template in as envsubst does."""
    text = string.Template(TEMPLATE.read_text("utf-8"))
    path = folder / "cohort.conf"
    path.write_text(text.safe_substitute(values), "utf-8")
    return path


@contextmanager
def proxying(folder: Path, site: Path) -> Iterator[None]:
    """Run nginx with the configuration of a site for as long as the block lasts."""
    user = "user root;" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder, site=site, user=user), "utf-8")
    command = [needed("nginx"), "-c", main, "-g", "daemon off;"]
    proxy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not (folder / "nginx.pid").exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert (folder / "nginx.pid").exists(), (folder / "start.log").read_text("utf-8")
        yield
    finally:
        proxy.terminate()
        proxy.wait()


def certificate(folder: Path) -> Path:
    """Make a certificate for localhost, as an administrator does for a trial."""
    subprocess.run(
        [
            needed("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "fullchain.pem"


@pytest.fixture(scope="module")
def site(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a copy of the store of the tests: what is published here is not for the others."""
    needed("nginx")
    folder = tmp_path_factory.mktemp("site")
    trust = ssl.create_default_context(cafile=certificate(folder))
    ports = {"a": free_port(), "b": free_port()}
    http, https = free_port(), free_port()
    copy = shutil.copytree(store, folder / "store")
    site = Site(f"https://localhost:{https}", copy, folder, trust, ports)
    proxy = filled(
        folder, COHORT_NAME="localhost", COHORT_TLS=folder, COHORT_LOGS=folder,
        COHORT_A=f"127.0.0.1:{ports['a']}", COHORT_B=f"127.0.0.1:{ports['b']}",
        COHORT_HTTP_PORT=f"127.0.0.1:{http}", COHORT_HTTPS_PORT=f"127.0.0.1:{https}",
    )  # fmt: skip
    try:
        site.start("a")
        site.start("b")
        site.up("a")
        site.up("b")
        with proxying(folder, proxy):
            yield site
    finally:
        for process in site.replicas.values():
            process.terminate()
            process.wait()
