"""The server of asgi.py: what it loads before anybody comes, and what it tells the browser to fetch."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pages.elements import preload
from tests.finished import finished

ROOT = Path(__file__).parents[1]


def answered(response: Response) -> dict[str, str]:
    """Return the headers of a response behind the middleware."""

    async def endpoint(request: Request) -> Response:
        return response

    app = preload.Preload(Starlette(routes=[Route("/", endpoint)]))
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    finished(app(scope, receive, send))
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}  # type: ignore[attr-defined]


def test_the_page_names_scripts_that_are_there() -> None:
    named = re.findall(
        r"<\./static/js/([^>]+)>; rel=modulepreload", answered(HTMLResponse(""))["link"]
    )
    scripts = Path(streamlit.__file__).parent / "static" / "static" / "js"
    assert {name.partition(".")[0] for name in named} == set(preload._PARTS)
    assert all((scripts / name).is_file() for name in named)


@pytest.mark.parametrize("response", [JSONResponse({}), Response(b"", media_type="text/css")])
def test_nothing_else_names_any(response: Response) -> None:
    assert "link" not in answered(response)


def test_every_view_is_loaded_before_the_first_visit() -> None:
    views = {f"pages.elements.{path.stem}" for path in (ROOT / "pages/elements").glob("*_view.py")}
    program = "import asgi, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pages.elements.survival_view" in views
    assert views <= set(done.stdout.split())
