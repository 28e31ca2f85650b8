"""What a page draws with, named to the browser at once: else it learns of it from the first answer."""

from __future__ import annotations

from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PARTS = ("ArrowVegaLiteChart", "ButtonGroup", "PageLink", "Selectbox", "StreamlitMarkdown", "Table",
          "arrowFormatUtils", "embed", "recordbatch", "serialization")  # fmt: skip
"""Scripts of Streamlit that every page with a figure loads; `embed` is Vega."""


class Preload:
    """ASGI middleware that adds a Link header to the page itself.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._links = links()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", self._links)
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)


def links() -> str:
    """Return the header's value: the scripts as the installed Streamlit names them, from the root."""
    scripts = Path(streamlit.__file__).parent / "static" / "static" / "js"
    names = [path.name for part in _PARTS for path in sorted(scripts.glob(f"{part}.*.js"))]
    return ", ".join(f"<./static/js/{name}>; rel=modulepreload" for name in names)
