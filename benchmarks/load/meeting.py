"""A meeting: everybody clicks along on one server. ``python -m benchmarks.load.meeting --people 25``.

Most follow the presenter, click by click; every fourth person goes their own way. Each person is a
session of its own, and clicks at a fixed pace for as long as the meeting lasts: the next click waits for
the answer to the one before. A click ends when the script of its page has finished and everything has
arrived; what the browser then takes to draw is measured by the benchmark of single clicks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.client import Answer, Session
from benchmarks.load.server import RESULTS, Server, circumstances, embedded, serving

RESULT = RESULTS / "load.json"
STUDY = "study=short2025"
WANDERING = 4
"""Every so manieth person does not follow the presenter."""

Action = Callable[[Session], Awaitable[Answer]]


def _follow(page: str) -> Action:
    return lambda session: session.follow(page)


def _toggle(label: str, option: str) -> Action:
    return lambda session: session.toggle(label, option)


def _choose(label: str, option: str) -> Action:
    return lambda session: session.choose(label, option)


def _press(label: str) -> Action:
    return lambda session: session.press(label)


PRESENTED: Sequence[Action] = (
    _follow("Overview"),
    _toggle("Ph status", "Ph-negative"),
    _follow("Survival"),
    _choose("Group by", "Risk group"),
    _choose("Group by", "MRD at 3 months"),
    _toggle("Risk group", "High"),
    _toggle("Risk group", "High"),
    _choose("Time from", "Landmark, 3 months"),
    _choose("Time from", "First remission"),
    _follow("MRD negativity"),
    _toggle("Transplant", "None"),
    _toggle("Transplant", "None"),
    _toggle("Ph status", "Ph-negative"),
    _follow("Transplant"),
    _toggle("Risk group", "High"),
    _toggle("Risk group", "High"),
    _follow("Present"),
    _press("Example talk"),
    _press("Present"),
    *[_press("PageDown")] * 7,
    _press("Leave"),
    _follow("Survival"),
    _choose("Group by", "All patients"),
)
"""What the presenter clicks, over and over: it ends as it began."""

_ROAMED = ("Overview", "Survival", "MRD negativity", "Transplant", "Patients")


@dataclass
class Noted:
    """What was seen: of every click its answer, or why it found nothing; and what the server took."""

    answers: list[Answer] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)


async def _person(url: str, number: int, ends: float, every: float, noted: Noted) -> None:
    draw = random.Random(number)
    wanders = number % WANDERING == WANDERING - 1
    # People come one after the other, and nobody clicks at the same moment as all others.
    await asyncio.sleep(draw.uniform(0, every))
    # Kept from then on: the first visit ends for many at once, and they would click together ever after.
    begun = time.monotonic()
    async with Session(url) as session:
        noted.answers.append(await session.open("", STUDY))
        clicks = 0
        while time.monotonic() < ends:
            action = _wandering(session, draw) if wanders else PRESENTED[clicks % len(PRESENTED)]
            try:
                noted.answers.append(await action(session))
            except LookupError as missing:
                noted.missing.append(str(missing))
                await session.open("", STUDY)
            clicks += 1
            # To the next beat of one's own: whoever had to wait would else click with all others who did.
            await asyncio.sleep(every - (time.monotonic() - begun) % every)


def _wandering(session: Session, draw: random.Random) -> Action:
    """Return a click of somebody who looks around: a filter mostly, else another page."""
    rows = [row for row in session.rows() if row[0] in ("Ph status", "Risk group", "Transplant")]
    if not rows or draw.random() < 0.25:
        return _follow(draw.choice(_ROAMED))
    label, options = draw.choice(rows)
    return _toggle(label, draw.choice(options).split(" :gray")[0])


async def _watch(server: Server, seconds: float, noted: Noted) -> None:
    """Note the memory after the first minute, and when the meeting ends."""
    first = min(60.0, seconds / 2)
    await asyncio.sleep(first)
    noted.memory_mb[f"after {first:.0f} s"] = server.memory_mb()
    await asyncio.sleep(seconds - first)
    noted.memory_mb["at the end"] = server.memory_mb()


async def _meet(server: Server, people: int, every: float, seconds: float) -> Noted:
    noted = Noted(memory_mb={"at the start": server.memory_mb()})
    ends = time.monotonic() + seconds
    persons = [_person(server.url, number, ends, every, noted) for number in range(people)]
    await asyncio.gather(_watch(server, seconds, noted), *persons)
    return noted


def measure(people: int, every: float, minutes: float, **environment: str) -> dict[str, Any]:
    """Hold a meeting on a server of its own and return what was measured, times in milliseconds."""
    seconds = 60 * minutes
    with embedded() as store, serving(store, **environment) as server:
        server_before, ours_before = server.cpu_seconds(), time.process_time()
        noted = asyncio.run(_meet(server, people, every, seconds))
        server_cpu, ours = server.cpu_seconds() - server_before, time.process_time() - ours_before
    errors = Counter(noted.missing)
    errors.update(error for answer in noted.answers for error in answer.errors)
    last = sorted(1000 * answer.last for answer in noted.answers)
    first = sorted(1000 * answer.first for answer in noted.answers)
    return {
        "people": people,
        "every": every,
        "minutes": minutes,
        "clicks": len(noted.answers),
        "errors": dict(errors),
        "first": _spread(first),
        "finished": _spread(last),
        "median_kb": statistics.median(answer.size for answer in noted.answers) / 1000,
        "memory_mb": {when: round(mb) for when, mb in noted.memory_mb.items()},
        "cores": {"server": server_cpu / seconds, "people": ours / seconds},
    }


def _spread(ordered: Sequence[float]) -> dict[str, float]:
    late = ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]
    return {"median": statistics.median(ordered), "p95": late, "max": ordered[-1]}


def main() -> None:
    """Hold a meeting for each number of people, print what was measured and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.meeting")
    parser.add_argument("--people", type=int, nargs="+", default=[25, 50])
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two clicks")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--dry", action="store_true", help="do not write the results down")
    given = parser.parse_args()
    rows = []
    for people in given.people:
        rows.append(measure(people, given.every, given.minutes))
        print(json.dumps(rows[-1], indent=1), flush=True)
    if not given.dry:
        results = circumstances() | {"rows": rows}
        RESULT.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
