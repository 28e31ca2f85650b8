"""What a stranger, a viewer and somebody who signed out get from a server over the network: no more."""

from __future__ import annotations

import ast
import http.client
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed, InvalidStatus

from data import audit
from tests.security.conftest import CANARY, STUDY, Server, served
from tests.security.outsider import (
    PEOPLE,
    SECRET,
    USER,
    XSRF,
    ask,
    claims,
    cookie_of,
    signed,
    tab,
)

ROOT = Path(__file__).parents[2]
PAGES = ["", *sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem[0] != "_")]
"""Read from the folder: a new page is asked too."""
HARMLESS = {"markdown", "heading", "button", "text", "None"}
"""What a page draws for somebody who may not be there."""


def _gates(path: Path) -> list[str]:
    """The first statement of a page that is no import and no docstring, if it opens a page."""
    body = ast.parse(path.read_text("utf-8")).body
    code = [n for n in body if not isinstance(n, ast.Import | ast.ImportFrom)
            and not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]  # fmt: skip
    return re.findall(r"frame\.open_(?:page|administration)\(", ast.unparse(code[0]))


@pytest.mark.parametrize("page", PAGES)
def test_the_first_thing_a_page_does_is_to_open_itself(page: str) -> None:
    assert _gates(ROOT / ("app.py" if page == "" else f"pages/{page}.py"))


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_gets_a_sign_in_from_every_page_and_nothing_else(
    closed: Server, page: str
) -> None:
    with tab(closed.url) as stranger:
        stranger.open(page, f"study={STUDY}&patient_id={CANARY}N01")
        assert "Sign in" in stranger.text
        assert stranger.kinds <= HARMLESS
        for word in (CANARY, STUDY, "Nguyen", "patients"):
            assert word not in stranger.drawn


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", ["nobody", "viewer"])
def test_who_may_not_see_patients_is_sent_none_by_any_page(
    closed: Server, page: str, role: str
) -> None:
    with tab(closed.url, cookie_of(closed.url, role)) as person:
        person.open(page, f"study={STUDY}&swimmer=yes&section=subgroups&by=ph_status")
        assert CANARY not in person.text
        if role == "nobody":
            assert "nobody has given you access" in person.text
            assert person.kinds <= HARMLESS
        else:
            assert "Nguyen" in person.text or page == "present"
    assert CANARY not in closed.written


def test_an_editor_does_see_them(closed: Server) -> None:
    with tab(closed.url, cookie_of(closed.url, "editor")) as editor:
        assert CANARY in editor.open("patients", f"study={STUDY}").text


def test_the_roles_decide_what_the_cohorts_page_offers(closed: Server) -> None:
    offered = {}
    for role in ("viewer", "editor", "admin"):
        with tab(closed.url, cookie_of(closed.url, role)) as person:
            text = person.open("cohorts").text
            offered[role] = [
                w
                for w in ("Bring a cohort", "ADaM files", "delete_", "Small numbers: ")
                if w in text
            ]
    assert offered == {
        "viewer": [],
        "editor": ["Bring a cohort", "ADaM files"],
        "admin": ["Bring a cohort", "ADaM files", "delete_", "Small numbers: "],
    }


def _forged(url: str) -> dict[str, dict[str, Any]]:
    """Sign-ins that do not hold, by what is wrong."""
    good, now = claims(url, PEOPLE["admin"]), int(time.time())
    return {
        "signed with another secret": {"told": good, "secret": "another " + SECRET},
        "expired": {"told": good | {"exp": now - 5}},
        "thirteen hours old": {"told": good | {"iat": now - 13 * 3600, "exp": now + 99_999}},
        "without a time": {"told": {k: v for k, v in good.items() if k not in ("iat", "exp")}},
        "of another server": {"told": good | {"origin": "http://localhost:1"}},
        "not signed in": {"told": good | {"is_logged_in": False}},
        "e-mail not verified": {"told": good | {"email_verified": False}},
        "without e-mail": {"told": good | {"email": None}},
        "two e-mails": {"told": good | {"email": f"x@evil.example {PEOPLE['admin']}"}},
    }


WRONG = tuple(_forged("http://localhost"))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_sign_in_that_does_not_hold_opens_nothing(closed: Server, wrong: str) -> None:
    cookies = {USER: signed(**_forged(closed.url)[wrong])}
    with tab(closed.url, cookies) as person:
        person.open("patients", f"study={STUDY}")
        assert CANARY not in person.text
        assert person.kinds <= HARMLESS
    assert ask(f"{closed.url}/media/x.csv", cookies=cookies).status == 401


@pytest.mark.parametrize("cookie", ["", "x", "chunks-3", "chunks-99999999", "é", "W10.a.b", "{}"])
def test_a_cookie_that_is_none_opens_nothing(closed: Server, cookie: str) -> None:
    answer = ask(f"{closed.url}/media/x.csv", cookies={USER: quote(cookie)})
    assert answer.status == 401


def test_signed_out_is_signed_out_everywhere_and_for_good(closed: Server) -> None:
    told = claims(closed.url, PEOPLE["editor"], nonce="once")
    cookies = {USER: signed(told)}
    with tab(closed.url, cookies) as open_tab:
        assert CANARY in open_tab.open("patients", f"study={STUDY}").text
        assert ask(f"{closed.url}/media/none", cookies=cookies).status == 404
        assert ask(f"{closed.url}/auth/logout", cookies=cookies).status == 302
        click = BackMsg()
        click.rerun_script.query_string = f"study={STUDY}"
        assert open_tab.hangs_up(click)
    assert ask(f"{closed.url}/media/none", cookies=cookies).status == 401
    with tab(closed.url, cookies) as again:
        again.open("patients", f"study={STUDY}")
        assert CANARY not in again.text
        assert "Sign in" in again.text
    # Somebody else, and the same person signed in anew, are not affected.
    assert ask(f"{closed.url}/media/none", cookies=cookie_of(closed.url, "editor")).status == 404
    ended = [line for line in audit.lines(closed.store) if line.what == "sign out"]
    assert [line.who for line in ended] == [PEOPLE["editor"]]


@pytest.mark.parametrize("path", [
    "/media/a.csv", "/media/", "/media", "/media/../media/a", "/_stcore/upload_file/s/f",
    "/_stcore/metrics", "/_stcore/metrics/",
])  # fmt: skip
def test_files_uploads_and_metrics_need_a_sign_in(closed: Server, path: str) -> None:
    for role in (None, "nobody"):
        answer = ask(closed.url + path, cookies=cookie_of(closed.url, role) if role else None)
        assert answer.status == 401
        assert answer.body == b"Sign in first."
    assert ask(closed.url + path, method="HEAD").status == 401


def _download(server: Server, cookies: dict[str, str], page: str, name: str) -> str:
    """Make the file of a button of a page, as its click does; return its address."""
    with tab(server.url, cookies) as person:
        person.open(page, f"study={STUDY}")
        buttons = [m.delta.new_element.download_button for m in person.messages
                   if m.delta.new_element.HasField("download_button")]  # fmt: skip
        (button,) = (b for b in buttons if b.label == name)
        click = BackMsg()
        (session,) = {m.new_session.initialize.session_id for m in person.messages} - {""}
        click.backend_operation_request.session_id = session
        click.backend_operation_request.request_id = "1"
        click.backend_operation_request.deferred_file.file_id = button.deferred_file_id
        person.send(click)
        while True:
            content = person.socket.recv(timeout=60)
            message = type(person.messages[0]).FromString(content)
            if message.WhichOneof("type") == "backend_operation_response":
                assert not message.backend_operation_response.error_msg
                url = message.backend_operation_response.deferred_file.url
                answer = ask(server.url + url, cookies=cookies)
                assert answer.status == 200
                assert CANARY.encode() in answer.body
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["content-disposition"].startswith("attachment")
                assert ask(server.url + url).status == 401
                return str(url)


def test_a_download_needs_the_sign_in_and_is_in_the_audit_log(closed: Server) -> None:
    _download(closed, cookie_of(closed.url, "editor"), "patients", "Download CSV")
    downloads = [line for line in audit.lines(closed.store) if line.what == "download"]
    assert downloads[-1].who == PEOPLE["editor"]
    assert str(downloads[-1].told["file"]).startswith(STUDY)
    assert CANARY not in (closed.store / "audit.jsonl").read_text("utf-8")
    assert CANARY not in closed.written


def test_a_stranger_s_websocket_takes_no_request_but_for_the_page(closed: Server) -> None:
    with tab(closed.url) as stranger:
        stranger.open("")
        clear = BackMsg(clear_cache=True)
        files = BackMsg()
        files.file_urls_request.request_id = "1"
        files.file_urls_request.file_names.append("a.csv")
        deferred = BackMsg()
        deferred.backend_operation_request.request_id = "2"
        deferred.backend_operation_request.deferred_file.file_id = "x"
        for message in (clear, files, deferred):
            stranger.send(message)
        stranger.open("")
        answered = {m.WhichOneof("type") for m in stranger.messages}
        assert not answered & {"file_urls_response", "backend_operation_response"}


def test_nobody_empties_the_caches_of_all(closed: Server, local: Server) -> None:
    for server, cookies in ((closed, cookie_of(closed.url, "viewer")), (local, {})):
        with tab(server.url, cookies) as person:
            person.open("", f"study={STUDY}&ph_status=negative")
            person.send(BackMsg(clear_cache=True))
            # The session forgets its state where it is obeyed, and so the address that it wrote.
            person.open("", f"study={STUDY}&ph_status=negative")
            assert "Nguyen" in person.text


HEADERS = (
    {"X_Email": PEOPLE["admin"]}, {"X_Forwarded_Email": PEOPLE["admin"]},
    {"X_Forwarded_User": PEOPLE["admin"]}, {"X_Auth_Request_Email": PEOPLE["admin"]},
    {"Remote_User": PEOPLE["admin"]}, {"X_Forwarded_For": "127.0.0.1"},
    {"X_Forwarded_Host": "localhost"}, {"X_Forwarded_Proto": "https"},
    {"X_Original_URL": "/_stcore/health"}, {"X_Rewrite_URL": "/_stcore/health"},
    {"Forwarded": "for=127.0.0.1;host=localhost"},
    {"Authorization": "Bearer x"},
)  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS, ids=lambda each: next(iter(each)))
def test_headers_from_outside_make_nobody_somebody(closed: Server, headers: dict[str, str]) -> None:
    assert ask(f"{closed.url}/media/x", **headers).status == 401
    with tab(closed.url, **headers) as stranger:
        stranger.open("patients", f"study={STUDY}")
        assert CANARY not in stranger.text
        assert "Sign in" in stranger.text


def test_a_trusted_proxy_says_who_somebody_is(proxied: Server) -> None:
    with tab(proxied.url, X_Email=PEOPLE["editor"]) as editor:
        assert CANARY in editor.open("patients", f"study={STUDY}").text
    with tab(proxied.url, X_Email=PEOPLE["viewer"]) as viewer:
        assert CANARY not in viewer.open("patients", f"study={STUDY}").text
    for cookies in ({}, cookie_of(proxied.url, "admin")):
        with tab(proxied.url, cookies) as stranger:
            stranger.open("patients", f"study={STUDY}")
            assert "You are not signed in" in stranger.text
            assert CANARY not in stranger.text
    assert ask(f"{proxied.url}/media/x").status == 401
    assert ask(f"{proxied.url}/media/x", X_Email=PEOPLE["viewer"]).status == 404
    assert "the proxy must drop these headers from outside" in proxied.written


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80",
    "localhost@evil.example", "",
])  # fmt: skip
@pytest.mark.parametrize("kind", ["closed", "local"])
def test_a_name_that_is_not_ours_gets_nothing(
    request: pytest.FixtureRequest, kind: str, host: str
) -> None:
    server: Server = request.getfixturevalue(kind)
    assert ask(f"{server.url}/", Host=host).status in (400, 421)
    assert ask(f"{server.url}/media/x", Host=host).status in (400, 421)


def test_a_page_of_another_site_gets_no_websocket(closed: Server, local: Server) -> None:
    for server in (closed, local):
        for origin in ("https://evil.example", "http://localhost:1", "null"):
            cookies = cookie_of(server.url, "admin")
            with (
                pytest.raises((InvalidStatus, ConnectionClosed)),
                tab(server.url, cookies, origin=origin) as person,
            ):
                person.open("patients")


def test_a_page_of_another_site_uploads_nothing(closed: Server, local: Server) -> None:
    for server in (closed, local):
        url = f"{server.url}/_stcore/upload_file/session/file"
        cookies = {**cookie_of(server.url, "admin"), XSRF: "2|00000000|61|1"}
        given: dict[str, Any] = {"method": "PUT", "data": b"x", "cookies": cookies}
        assert ask(url, **given).status == 403
        assert ask(url, **given, X_Xsrftoken="2|00000000|61|1",
                   Origin="https://evil.example").status == 403  # fmt: skip
        # A token of one's own making passes that, and there is no such session.
        assert ask(url, **given, X_Xsrftoken="2|00000000|61|1", Origin=server.url).status == 400


def test_an_upload_has_a_length_and_a_limit(local: Server) -> None:
    url = f"{local.url}/_stcore/upload_file/session/file"
    unending = http.client.HTTPConnection(urlsplit(local.url).netloc, timeout=20)
    unending.putrequest("PUT", urlsplit(url).path)
    unending.putheader("Transfer-Encoding", "chunked")
    unending.endheaders()
    assert unending.getresponse().status == 411
    unending.close()
    too_much = str(301 * 1024 * 1024)
    assert ask(url, method="PUT", data=b"x", Content_Length=too_much).status == 413


PARTS = (
    "/../secrets.toml", "/..%2f..%2f.streamlit/secrets.toml", "/%2e%2e/%2e%2e/etc/passwd",
    "/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/app/static/../app.py", "/component/../../etc/passwd", "/component/x/%2e%2e%2f%2e%2e%2fapp.py",
    "//evil.example/x", "/\\\\evil.example\\x", "/media/../../etc/passwd",
    "/_stcore/bidi-components/../../../etc/passwd", "/.streamlit/secrets.toml", "/data/store/x",
    "/audit.jsonl", "/%00", "/static/js/%00",
)  # fmt: skip


@pytest.mark.parametrize("path", PARTS)
def test_no_path_leads_out_of_what_is_served(closed: Server, local: Server, path: str) -> None:
    for server in (closed, local):
        answer = ask(server.url + path)
        for word in (b"root:", b"cookie_secret", b"import streamlit", b'"previous"'):
            assert word not in answer.body
        page = b'<div id="root"></div>' in answer.body
        assert answer.status >= 400 or page


@pytest.mark.parametrize("path", [
    "/_stcore/agent/interact", "/_stcore/agent/mcp", "/_stcore/agent/openapi.json", "/_stcore/agent",
    "/_stcore/script-health-check",
])  # fmt: skip
def test_what_nobody_needs_is_closed(closed: Server, local: Server, path: str) -> None:
    for server in (closed, local):
        for method in ("GET", "POST"):
            data = b"{}" if method == "POST" else None
            assert ask(server.url + path, method=method, data=data).status == 404


@pytest.mark.parametrize("path", [
    "/", "/survival", "/_stcore/health", "/media/x", "/nothing", "/static/none.js", "/auth/login",
    "/_stcore/host-config", "//x",
])  # fmt: skip
def test_every_answer_has_its_headers(closed: Server, local: Server, path: str) -> None:
    for server in (closed, local):
        headers = ask(server.url + path).headers
        policy = headers["content-security-policy"]
        assert "unsafe-eval" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        if path.startswith("/media/"):
            assert policy == "default-src 'none'; sandbox"
            assert headers["cache-control"] == "no-store"
        else:
            assert "script-src 'self' 'sha256-" in policy
            assert "frame-ancestors 'none'" in policy
            assert "https:" not in policy


HOSTILE = (
    "'; DROP TABLE patients; --", "x\" UNION SELECT patient_id FROM patients --",
    "1; ATTACH '/etc/passwd' AS x", "$1 ? %s", "\x00", "../../etc/passwd", "__proto__",
    "<script>alert(1)</script>", "é" * 2000, "-1", "1e999",
)  # fmt: skip
OPTIONS = (
    "study", "snapshot", "ph_status", "by", "timepoint", "landmark_days", "cohort_a", "talk", "import",
    "age_years",
)  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_a_hostile_value_in_an_address_is_only_a_value(local: Server, option: str) -> None:
    before = audit.check(local.store)
    with tab(local.url) as person:
        for value in HOSTILE:
            page = "cohorts" if option in ("import", "step") else "survival"
            query = f"{option}={quote(value)}" + ("" if option == "study" else f"&study={STUDY}")
            person.open(page, query)
            assert "root:" not in person.text
            assert CANARY not in person.text
            assert "Traceback" not in person.text
            assert not person.kinds & {"exception"}
    assert audit.check(local.store) == before
    assert "Traceback" not in local.written
    with tab(local.url) as person:
        assert CANARY in person.open("patients", f"study={STUDY}").text


def test_without_its_guard_a_server_with_sign_in_shows_nothing(unguarded: Server) -> None:
    for cookies in ({}, cookie_of(unguarded.url, "admin")):
        with tab(unguarded.url, cookies) as person:
            person.open("patients", f"study={STUDY}")
            assert "streamlit run asgi.py" in person.text
            assert CANARY not in person.text


def test_a_server_for_all_without_sign_in_says_so_on_its_pages_and_in_its_log(
    canaries: Path, tmp_path: Path
) -> None:
    with served(tmp_path / "open", canaries, STREAMLIT_SERVER_ADDRESS="0.0.0.0") as server:
        assert "Listening on 0.0.0.0 without sign-in" in server.written
        with tab(server.url) as person:
            assert "listens on 0.0.0.0 without sign-in" in person.open("").drawn


def test_a_server_for_this_computer_alone_says_nothing_of_it(local: Server) -> None:
    assert "without sign-in" not in local.written
    with tab(local.url) as person:
        assert "without sign-in" not in person.open("").drawn
        assert "Signed in" not in person.drawn
