"""What stands between the network and Streamlit: headers, hosts, sign-ins that have ended, closed paths.

Streamlit 1.67 serves downloads and uploads to whoever has the address, takes a sign-in for thirty days
whatever the identity provider says, and knows no end of one but the deletion of the cookie. Here each
request and each message of a websocket is asked again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import streamlit
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# Of the pinned version: the same code then decides who somebody is here and on the pages.
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import (
    _get_signed_cookie_with_chunks,
    gather_user_info,
    is_host_allowed,
)

from data import audit, signed_out
from pages.elements import sign_in
from pages.elements.sign_in import Person

RETURN = "return_to"
"""The cookie with the view that was asked for before somebody signed in."""

SESSION_MEGABYTES = 300
"""What one session may have uploaded at a time."""
SERVER_MEGABYTES = 2000
"""What all of them may have: uploads are kept in memory."""

_PAGES = frozenset(
    ["", *(path.stem for path in Path(__file__).parents[1].glob("*.py") if path.stem[0] != "_")]
)
_QUERY = re.compile(r"[\w\-.~%!$&'()*+,;=:@/?]{0,3000}", re.ASCII)
_RETURN_SECONDS = 600

_SIGNED_IN_ONLY = re.compile(r"/(media|_stcore/upload_file|_stcore/metrics)(/|$)")
_CLOSED = re.compile(r"/_stcore/(agent|script-health-check)(/|$)")
_ANYBODY = {"rerun_script", "stop_script", "app_heartbeat"}
_MESSAGES = _ANYBODY | {"file_urls_request", "backend_operation_request"}
"""What a browser may ask over its websocket: not to empty the caches of all."""

_MEGABYTE = 1024 * 1024
_log = logging.getLogger(__name__)


def content_security_policy() -> str:
    """Return the policy of the pages: nothing from elsewhere, no script but Streamlit's own."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline]
    return "; ".join([
        "default-src 'self'", " ".join(["script-src 'self'", *(f"'sha256-{h}'" for h in hashes)]),
        "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:", "font-src 'self' data:",
        "connect-src 'self'", "worker-src 'self' blob:", "object-src 'none'", "base-uri 'self'",
        "frame-ancestors 'none'", "form-action 'self'",
    ])  # fmt: skip


_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not stricter: the address from which somebody signs in is where they come back to.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Guard:
    """ASGI middleware around the whole of Streamlit.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._policy = content_security_policy()
        sign_in.guarded()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        person = _who(scope)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, person)
            return
        path = _path(scope)
        sending = self._with_headers(scope, path, send)
        if refused := _refusal(scope, path, person):
            await refused(scope, receive, sending)
            return
        if path == "/auth/logout" and person is not None and not await _end(person):
            response = PlainTextResponse("You are still signed in: this could not be noted.", 503)
            await response(scope, receive, sending)
            return
        await self.app(scope, receive, sending)

    async def _websocket(
        self, scope: Scope, receive: Receive, send: Send, person: Person | None
    ) -> None:
        """Pass on the messages of a browser for as long as its sign-in lasts, known ones only."""
        if _is_foreign(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008})
            return
        allowed = _MESSAGES if person is not None and person.role is not None else _ANYBODY

        async def checked() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                asked = _asked(message)
                if person is not None and person.ended:
                    await send({"type": "websocket.send", "bytes": _load_again(asked)})
                    await send({"type": "websocket.close", "code": 1008})
                    return {"type": "websocket.disconnect", "code": 1008}
                if asked.WhichOneof("type") in allowed:
                    return message

        await self.app(scope, checked, send)

    def _with_headers(self, scope: Scope, path: str, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers["Content-Security-Policy"] = self._policy
                if path.startswith("/media/"):
                    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
                    headers["Cache-Control"] = "no-store"
                await _sign_in_answer(scope, path, headers)
            await send(message)

        return sending


def _path(scope: Scope) -> str:
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return str(scope["path"]).removeprefix(f"/{base}" if base else "")


def _asked(message: Message) -> BackMsg:
    """Return what a browser asks over its websocket; nothing where it makes no sense."""
    asked = BackMsg()
    try:
        asked.ParseFromString(message.get("bytes") or b"")
    except DecodeError:
        return BackMsg()
    return asked


def _load_again(asked: BackMsg) -> bytes:
    """Return the message that has the browser load its view again: connected anew, it would only wait."""
    answer = ForwardMsg()
    answer.auth_redirect.url = f"?{asked.rerun_script.query_string}"
    return answer.SerializeToString()


def _who(scope: Scope) -> Person | None:
    """Return who asks; a sign-in that does not hold is taken out of the request."""
    if not sign_in.setup().asked:
        return sign_in.LOCAL
    connection = HTTPConnection(scope)
    person = sign_in.person_of(_claims(connection.cookies) | gather_user_info(connection.headers))
    if person is None or person.ended:
        if person is not None and person.key and scope["type"] == "websocket":
            _log.warning("A sign-in that has ended was presented again.")
        _drop_cookies(scope, connection.cookies)
        return None
    return person


def _claims(cookies: Mapping[str, str]) -> dict[str, object]:
    """Return what the cookie of the sign-in says, if it is signed and for this origin."""
    try:
        found = json.loads(_get_signed_cookie_with_chunks(dict(cookies), USER_COOKIE_NAME) or b"{}")
    except (ValueError, UnicodeError):
        return {}
    same = isinstance(found, dict) and found.get("origin") == sign_in.setup().origin
    return found if same else {}


def _drop_cookies(scope: Scope, cookies: Mapping[str, str]) -> None:
    kept = [f"{name}={value}" for name, value in cookies.items()
            if not name.startswith(USER_COOKIE_NAME)]  # fmt: skip
    others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    scope["headers"] = [*others, (b"cookie", "; ".join(kept).encode("latin-1"))]


def _refusal(scope: Scope, path: str, person: Person | None) -> PlainTextResponse | None:
    """Return the answer to a request that does not pass."""
    headers = Headers(scope=scope)
    if not is_host_allowed(headers.get("host")):
        return PlainTextResponse(
            "This server is not known by that name: server.allowedHosts lists those it has.", 421
        )
    if _CLOSED.match(path):
        return PlainTextResponse("Not found", 404)
    if _SIGNED_IN_ONLY.match(path) and (person is None or person.role is None):
        return PlainTextResponse("Sign in first.", 401)
    if scope["method"] not in ("GET", "HEAD", "OPTIONS") and _is_foreign(headers):
        return PlainTextResponse("Asked from another site.", 403)
    return _over_quota(path, headers) if scope["method"] == "PUT" else None


def _is_foreign(headers: Headers) -> bool:
    """Tell whether a browser asks from another site; Streamlit lets in every port of this machine."""
    origin = headers.get("origin")
    own = {headers.get("host"), urlsplit(sign_in.setup().origin).netloc} - {"", None}
    return origin is not None and urlsplit(origin).netloc not in own


def _over_quota(path: str, headers: Headers) -> PlainTextResponse | None:
    """Return the answer to an upload for which there is no room."""
    size = headers.get("content-length", "")
    if not size.isdecimal():
        return PlainTextResponse("The length of the file is needed.", 411)
    session = path.removeprefix("/_stcore/upload_file/").partition("/")[0]
    stored = getattr(runtime.get_instance().uploaded_file_mgr, "file_storage", {})
    held = {name: sum(len(file.data) for file in tuple(files.values()))
            for name, files in tuple(stored.items())}  # fmt: skip
    if held.get(session, 0) + int(size) > SESSION_MEGABYTES * _MEGABYTE:
        return PlainTextResponse(f"A session takes up to {SESSION_MEGABYTES} MB at a time.", 413)
    if sum(held.values()) + int(size) > SERVER_MEGABYTES * _MEGABYTE:
        return PlainTextResponse("There is no room for uploads now. Try again later.", 503)
    return None


async def _end(person: Person) -> bool:
    """End a sign-in on every replica; tell whether that is certain."""
    try:
        if person.key:
            await asyncio.to_thread(signed_out.end, person.key)
        await asyncio.to_thread(audit.record, person.name, "sign out")
    except OSError as error:
        _log.error("A sign-out could not be noted: %s", error)
        return False
    return True


async def _sign_in_answer(scope: Scope, path: str, headers: MutableHeaders) -> None:
    """Keep the view asked for while somebody signs in, note who did, and lead them back to it."""
    known = sign_in.setup()
    if not known.origin:
        return
    if path == "/auth/login" and (view := _asked_view(Headers(scope=scope), known.origin)):
        headers.append("Set-Cookie", _cookie(quote(view, safe=""), _RETURN_SECONDS))
    if path == "/oauth2callback" and (person := _just_signed_in(headers)):
        view = unquote(HTTPConnection(scope).cookies.get(RETURN, ""))
        if _is_view(view):
            headers["Location"] = view
        headers.append("Set-Cookie", _cookie("", 0))
        role = person.role.name.lower() if person.role else None
        await asyncio.to_thread(
            audit.record, person.name, "sign in" if role else "refused", role=role
        )
    if known.origin.startswith("https:"):
        _secure(headers)


def _cookie(value: str, seconds: int) -> str:
    return f"{RETURN}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax"


def _asked_view(headers: Headers, origin: str) -> str:
    """Return page and query from which somebody goes to sign in, '' where that is none of ours."""
    came = urlsplit(headers.get("referer", ""))
    if f"{came.scheme}://{came.netloc}" != origin:
        return ""
    view = came.path + (f"?{came.query}" if came.query else "")
    return view if _is_view(view) else ""


def _is_view(text: str) -> bool:
    """Tell whether a text is the address of one of our pages, without a server, with a query or none."""
    path, _, query = text.partition("?")
    return path[:1] == "/" and path[1:] in _PAGES and bool(_QUERY.fullmatch(query))


def _just_signed_in(headers: MutableHeaders) -> Person | None:
    """Return whose cookie of a sign-in an answer sets."""
    cookies = _set_cookies(headers.getlist("set-cookie"))
    return sign_in.person_of(_claims(cookies)) if cookies.get(USER_COOKIE_NAME) else None


def _set_cookies(lines: Iterable[str]) -> dict[str, str]:
    return {name: morsel.value for line in lines for name, morsel in SimpleCookie(line).items()}


def _secure(headers: MutableHeaders) -> None:
    """Have cookies sent over TLS only; Streamlit leaves that out."""
    lines = headers.getlist("set-cookie")
    del headers["set-cookie"]
    for line in lines:
        headers.append("Set-Cookie", line if "; secure" in line.lower() else f"{line}; Secure")
