"""What sessions leave behind: opened, used and closed, one after the other.

``python -m benchmarks.load.sessions --count 1000``. Streamlit keeps the last 128 sessions that were
closed, for people whose connection broke; so the memory before is taken after more than that many, and a
server that forgets sessions has the same after a thousand more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.load.client import Session
from benchmarks.load.server import RESULTS, Server, circumstances, embedded, serving

RESULT = RESULTS / "sessions.json"
WARM_UP = 200
OPEN = 100
_AT_ONCE = 4
ADDRESSES = (
    ("survival", "study=short2025&by=mrd_3_months"),
    ("", "study=short2025"),
    ("mrd", "study=short2025"),
    ("transplant", "study=short2025"),
    ("present", "study=short2025"),
)


async def _visit(url: str, number: int) -> list[str]:
    """Open an address, click a filter where there is one, and leave; return what went wrong."""
    async with Session(url) as session:
        answer = await session.open(*ADDRESSES[number % len(ADDRESSES)])
        errors = [*answer.errors]
        if any(label == "Risk group" for label, _ in session.rows()):
            errors += (await session.toggle("Risk group", "High")).errors
    return errors


async def _visits(url: str, count: int) -> list[str]:
    """Have so many sessions come and go, a few at a time; return what went wrong."""
    free, errors = asyncio.Semaphore(_AT_ONCE), list[str]()

    async def one(number: int) -> None:
        async with free:
            errors.extend(await _visit(url, number))

    await asyncio.gather(*(one(number) for number in range(count)))
    return errors


async def _open_at_once(server: Server, count: int) -> float:
    """Return the memory of one session that is open, in megabytes."""
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(Session(server.url)) for _ in range(count)]
        before = server.memory_mb()
        for number, session in enumerate(sessions):
            await session.open(*ADDRESSES[number % len(ADDRESSES)])
        return (server.memory_mb() - before) / count


def measure(
    count: int, warm_up: int = WARM_UP, opened: int = OPEN, **environment: str
) -> dict[str, Any]:
    """Have sessions come and go on a server of its own and return what was measured."""
    with embedded() as store, serving(store, **environment) as server:
        rest = server.memory_mb()
        errors = asyncio.run(_visits(server.url, warm_up))
        before = server.memory_mb()
        errors += asyncio.run(_visits(server.url, count))
        after = server.memory_mb()
        each = asyncio.run(_open_at_once(server, opened))
    return {
        "count": count,
        "warm_up": warm_up,
        "opened": opened,
        "errors": len(errors),
        "rest_mb": rest,
        "before_mb": before,
        "after_mb": after,
        "growth": after / before - 1,
        "open_mb": each,
    }


def main() -> None:
    """Measure, print what was measured and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.sessions")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--dry", action="store_true", help="do not write the results down")
    given = parser.parse_args()
    results = circumstances() | measure(given.count)
    print(json.dumps(results, indent=1, ensure_ascii=False))
    if not given.dry:
        RESULT.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
