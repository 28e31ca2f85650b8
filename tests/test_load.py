"""The client of the load benchmarks clicks as a browser does, and counts what a reader sees as an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.load import meeting
from benchmarks.load.client import Session
from tests.finished import finished
from tools.serving import serving


def counts(session: Session) -> str:
    """The cohort line of the page."""
    said = [e.markdown.body for e in session.elements if e.WhichOneof("type") == "markdown"]
    return next(m.group(1) for m in map(re.compile(r"\*\*(\d+ of \d+)").search, said) if m)


async def journey(url: str) -> None:
    async with Session(url) as session:
        answer = await session.open("survival", "study=short2025")
        assert answer.errors == ()
        assert 0 < answer.first <= answer.last
        assert answer.size > 10_000
        assert counts(session) == "161 of 161"
        await session.toggle("Risk group", "High")
        assert counts(session) == "59 of 161"
        assert session.query == "study=short2025&risk_group=high"
        await session.choose("Group by", "Ph status")
        assert "by=ph_status" in session.query
        await session.follow("MRD negativity")
        assert counts(session) == "59 of 161"
        await session.toggle("Risk group", "High")
        assert counts(session) == "161 of 161"
        for action in meeting.PRESENTED:
            assert (await action(session)).errors == ()
        with pytest.raises(LookupError, match="no button ‘Nothing’"):
            await session.press("Nothing")
        assert (await session.open("survival", "study=unknown")).errors == (
            "The study ‘unknown’ is not in this store.",
        )
        gone = await session.open("nowhere", "study=short2025")
        assert gone.errors == ("the page is not there",)


def test_the_client_clicks_as_a_browser_does(store: Path) -> None:
    with serving(store=store) as url:
        finished(journey(url))


def test_a_server_that_goes_away_is_an_error(store: Path) -> None:
    async def left_alone() -> tuple[str, ...]:
        with serving(store=store) as url:
            session = await Session(url).__aenter__()
            await session.open("", "study=short2025")
        return (await session.toggle("Risk group", "High")).errors

    (error,) = finished(left_alone())
    assert error in ("ConnectionClosedError", "ConnectionClosedOK", "the socket was closed")
