"""A browser without a screen: a session of the dashboard over its websocket, in Streamlit's messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 60.0
"""Seconds after which an answer counts as none."""

_ENDED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)
_RUNS_CACHED = 2
"""Runs for which a browser keeps a message that the server need not send again."""


@dataclass(frozen=True)
class Answer:
    """What a click was answered with.

    Attributes
    ----------
    first, last : float
        Seconds until the first part of the page has come, and until the script has finished.
    size : int
        Bytes of all messages.
    errors : tuple of str
        What a reader would see as an error; empty if all is well.
    """

    first: float
    last: float
    size: int
    errors: tuple[str, ...]


@dataclass
class Session:
    """One browser tab. Used as an asynchronous context manager, it is connected for as long as the block.

    What is not on the page to be clicked is a LookupError.

    Attributes
    ----------
    url : str
        Of the server: http://127.0.0.1:8501.
    query : str
        Of the address, without the question mark; the server can change it.
    elements : list
        What the page shows: the protobufs of its elements, in order of arrival.
    """

    url: str
    query: str = ""
    elements: list[Any] = field(default_factory=list)
    _page: str = ""
    _values: dict[str, str | list[str]] = field(default_factory=dict)
    _cached: dict[str, tuple[ForwardMsg, int]] = field(default_factory=dict)
    _runs: int = 0
    _socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        stream = f"{self.url.replace('http', 'ws', 1)}/_stcore/stream"
        self._socket = await connect(
            stream, subprotocols=["streamlit"], max_size=None, compression=None
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._socket is not None
        await self._socket.close()

    # What a reader does

    async def open(self, page: str = "", query: str = "") -> Answer:
        """Open an address: the page as the path names it ('survival'; '' is the first), and its query."""
        self.query, self._values = query, {}
        return await self._run(page_name=page)

    async def follow(self, label: str) -> Answer:
        """Click the link to another page of the menu."""
        link = self._one("page_link", label)
        self.query = link.query_string
        return await self._run(page_hash=link.page_script_hash)

    async def press(self, label: str) -> Answer:
        """Click a button."""
        button = self._one("button", label)
        return await self._run(pressed=button.id)

    async def toggle(self, label: str, option: str) -> Answer:
        """Click one of several buttons in a row, which may be named by its beginning."""
        group = self._one("button_group", label)
        content = _beginning(option, [o.content for o in group.options])
        chosen = list(self._values.get(group.id, ()))
        several = group.click_mode == group.MULTI_SELECT
        if content in chosen and several:
            chosen.remove(content)
        else:
            chosen = [*chosen, content] if several else [content]
        self._values[group.id] = chosen
        return await self._run()

    async def choose(self, label: str, option: str) -> Answer:
        """Choose one option of a list, which may be named by its beginning."""
        box = self._one("selectbox", label)
        self._values[box.id] = _beginning(option, box.options)
        return await self._run()

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the rows of buttons on the page: label and options, as `toggle` takes them."""
        return [
            (group.label, [_plain(option.content) for option in group.options])
            for group in self._all("button_group")
        ]

    def _one(self, kind: str, label: str) -> Any:
        for element in self._all(kind):
            if element.label == label:
                return element
        raise LookupError(f"There is no {kind} ‘{label}’ on the page.")

    def _all(self, kind: str) -> Iterator[Any]:
        return (getattr(e, kind) for e in self.elements if e.WhichOneof("type") == kind)

    # What the browser does

    async def _run(self, *, page_name: str = "", page_hash: str = "", pressed: str = "") -> Answer:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self.query, page_name
        state.page_script_hash = page_hash or ("" if page_name or not self._page else self._page)
        shown = {e.id for kind in ("button_group", "selectbox") for e in self._all(kind)}
        for name, value in self._values.items():
            if name in shown:
                state.widget_states.widgets.append(_state(name, value))
        if pressed:
            state.widget_states.widgets.append(WidgetState(id=pressed, trigger_value=True))
        state.cached_message_hashes.extend(self._cached)
        try:
            async with asyncio.timeout(PATIENCE):
                assert self._socket is not None
                await self._socket.send(message.SerializeToString())
                return await self._answer(time.perf_counter())
        except (TimeoutError, ConnectionClosed) as error:
            return Answer(PATIENCE, PATIENCE, 0, (type(error).__name__,))

    async def _answer(self, started: float) -> Answer:
        assert self._socket is not None
        first, size, errors = 0.0, 0, list[str]()
        async for content in self._socket:
            size += len(content)
            message = ForwardMsg.FromString(content if isinstance(content, bytes) else b"")
            self._take(message, errors)
            if not first and message.WhichOneof("type") in ("delta", "ref_hash"):
                first = time.perf_counter() - started
            if (
                message.WhichOneof("type") == "script_finished"
                and message.script_finished in _ENDED
            ):
                if message.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    errors.append("the script does not compile")
                self._forget()
                return Answer(first, time.perf_counter() - started, size, tuple(errors))
        return Answer(
            first, time.perf_counter() - started, size, (*errors, "the socket was closed")
        )

    def _take(self, message: ForwardMsg, errors: list[str]) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            kept, _ = self._cached[message.ref_hash]
            self._cached[message.ref_hash] = kept, self._runs
            message, kind = kept, "delta"
        elif message.metadata.cacheable:
            self._cached[message.hash] = message, self._runs
        if kind == "new_session":
            self.elements, self._page = [], message.new_session.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "page_not_found":
            errors.append("the page is not there")
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._show(message.delta.new_element, errors)

    def _show(self, element: Any, errors: list[str]) -> None:
        self.elements.append(element)
        kind = element.WhichOneof("type")
        if kind == "exception":
            errors.append(f"exception {element.exception.type}")
        elif kind == "alert" and element.alert.format == Alert.ERROR:
            errors.append(element.alert.body)
        elif kind == "button_group":
            group = element.button_group
            if group.set_value:
                self._values[group.id] = list(group.raw_values)
            else:
                default = [group.options[index].content for index in group.default]
                self._values.setdefault(group.id, default)
        elif kind == "selectbox" and element.selectbox.set_value:
            self._values[element.selectbox.id] = element.selectbox.raw_value

    def _forget(self) -> None:
        """Let go of messages as a browser does, when they were not shown for some runs."""
        self._runs += 1
        self._cached = {
            name: (message, run)
            for name, (message, run) in self._cached.items()
            if self._runs - run <= _RUNS_CACHED
        }


def _state(name: str, value: str | Sequence[str]) -> WidgetState:
    state = WidgetState(id=name)
    if isinstance(value, str):
        state.string_value = value
    else:
        state.string_array_value.data.extend(value)
        state.string_array_value.SetInParent()
    return state


def _beginning(option: str, options: Sequence[str]) -> str:
    for content in options:
        if _plain(content).startswith(option):
            return content
    raise LookupError(f"There is no ‘{option}’ among the options.")


def _plain(label: str) -> str:
    """Return a label without its colour."""
    return label.removeprefix(":gray[")
