"""What somebody without a browser can do: requests, cookies of their own making, and the bare websocket."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import (
    create_signed_value,
    generate_xsrf_token_string,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SECRET = "the cookie secret of the tests, long enough"
PEOPLE: Mapping[str, str] = {
    "admin": "ada@a.example",
    "editor": "eddy@b.example",
    "viewer": "vera@c.example",
    "nobody": "nobody@c.example",
}
"""By role, as `secrets` gives them."""
USER, XSRF = "_streamlit_user", "_streamlit_xsrf"


def secrets(url: str, provider: str = "http://localhost:9") -> str:
    """Return a secrets.toml for a server at a URL."""
    return f"""
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "dashboard"
client_secret = "any"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[roles]
admin = ["{PEOPLE["admin"]}"]
editor = ["*@b.example"]
viewer = ["Vera@C.example"]
"""


def claims(url: str, email: str, **changed: Any) -> dict[str, Any]:
    """Return what a sign-in at a server tells of a person."""
    now = int(time.time())
    told = {
        "iss": "http://localhost:9", "sub": email, "email": email, "iat": now, "exp": now + 3600,
        "nonce": f"of {email}", "origin": url, "is_logged_in": True, "provider": "default",
    }  # fmt: skip
    return told | changed


def signed(told: Mapping[str, Any], secret: str = SECRET) -> str:
    """Return the cookie of a sign-in as a server with that secret makes it."""
    return create_signed_value(secret, USER, json.dumps(told)).decode()


def cookie_of(url: str, role: str) -> dict[str, str]:
    """Return the cookies of somebody with a role."""
    return {USER: signed(claims(url, PEOPLE[role]))}


def written(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    url: str, *, method: str = "GET", cookies: Mapping[str, str] | None = None,
    data: bytes | None = None, **headers: str,
) -> Answer:  # fmt: skip
    """Send one request and follow no redirect."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookies:
        given["Cookie"] = written(cookies)
    request = urllib.request.Request(url, data, given, method=method)
    try:
        with _OPENER.open(request, timeout=20) as answer:
            return _answer(answer.status, answer)
    except urllib.error.HTTPError as error:
        return _answer(error.code, error)


def _answer(status: int, answer: Any) -> Answer:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(status, headers, answer.read())


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stays)


@dataclass
class Tab:
    """A websocket that speaks as a browser's tab does."""

    socket: ClientConnection
    messages: list[ForwardMsg] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def send(self, message: BackMsg) -> None:
        self.socket.send(message.SerializeToString())

    def open(self, page: str, query: str = "") -> Tab:
        """Run a page, named as in its address, and wait until it has been drawn."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        message.rerun_script.is_auto_rerun = False
        self.send(message)
        self.finish()
        return self

    def finish(self) -> None:
        """Take what comes until the script has ended."""
        self.messages.clear()
        self.raw.clear()
        while True:
            content = self.socket.recv(timeout=60)
            assert isinstance(content, bytes)
            message = ForwardMsg.FromString(content)
            self.messages.append(message)
            self.raw.append(content)
            if message.WhichOneof("type") == "script_finished":
                return

    def hangs_up(self, message: BackMsg) -> bool:
        """Send a message and tell whether the server ends the connection over it."""
        try:
            self.send(message)
            while True:
                self.socket.recv(timeout=20)
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False

    @property
    def kinds(self) -> set[str]:
        """What is drawn: the kinds of elements."""
        return {str(m.delta.new_element.WhichOneof("type")) for m in self.messages
                if m.delta.HasField("new_element")}  # fmt: skip

    @property
    def drawn(self) -> str:
        """What is drawn, as far as it is text: without the names of the pages and the address."""
        deltas = [m.delta.SerializeToString() for m in self.messages if m.HasField("delta")]
        return b"".join(deltas).decode("utf-8", errors="replace")

    @property
    def bytes(self) -> bytes:
        """Everything that came."""
        return b"".join(self.raw)

    @property
    def text(self) -> str:
        """Everything that came, as far as it is text."""
        return self.bytes.decode("utf-8", errors="replace")


@contextmanager
def tab(
    url: str, cookies: Mapping[str, str] | None = None, *, origin: str | None = None, **headers: str
) -> Iterator[Tab]:
    """Connect to a server as a browser that stands at `origin`, by default the server's own."""
    token = generate_xsrf_token_string()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["Cookie"] = written({XSRF: token, **(cookies or {})})
    with connect(
        f"ws{url.removeprefix('http')}/_stcore/stream", subprotocols=["streamlit", token],  # type: ignore[list-item]
        additional_headers=given, origin=origin or url, max_size=None, open_timeout=20,  # type: ignore[arg-type]
    ) as socket:  # fmt: skip
        yield Tab(socket)
