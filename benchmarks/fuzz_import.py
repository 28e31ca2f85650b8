"""Damage files of every form and import them: every one is read or refused with a sentence.

    python -m benchmarks.fuzz_import --files 10000

Each file goes the whole way in a process with limits and a watchdog: read, mapped with whatever answer
comes first, checked, and published where nothing is fatal. Where its process dies, the file is given to a
job, which has to say so in a sentence. A death without one, a hang, an error of the program or a store that
does not verify is a fault; the files that caused it are kept in build/fuzz/. The exit code is 1 if there
is one.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.seeds import seeds
from data.exporting import templates
from data.importing import jobs, worker
from data.importing.disk import write_json
from data.importing.limits import PAGE
from data.importing.mapping import Question, StudyMapping
from data.importing.recognise import answered, propose, questions
from data.importing.sheets import Sheet
from data.store import find, snapshots, verify

RESULT = Path(__file__).parent / "results" / "fuzz_import.json"
KEPT = Path(__file__).parents[1] / "build" / "fuzz"
SEED = 20251
STUDY = "fuzzed"
OUTCOMES = ("published", "read", "refused", "stopped", "crashed", "hung", "partial")
FAULTS = ("crashed", "hung", "partial")
_SECONDS = 120
_ROUNDS = 40
# One process reads many files; what it may take for one is held by the watchdog.
_LIMITS = replace(PAGE, cpu_seconds=10**6)

_TOKENS = (
    b"\0", b'"', b"'", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b";", b"\t", b"|", b",,,,", b"=1+1",
    b"-1", b"1e999", b"nan", b"99999999999999999999", b"00/00/0000", b"31.02.2020", b"<script>", b"../../x",
    "😀".encode(), "‮".encode(), b"\x80", b'"' * 50, b"NA", b"x" * 20_000, b"A1048577", b"XFE1", b"&#0;",
)  # fmt: skip


def damaged(content: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Return a file with one to four faults in its bytes, its lines or its parts."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if content[:2] == b"PK" and chance.random() < 0.8:
            content = _damaged_archive(content, chance, others)
        elif b"\n" in content[:400] and content[:4] != b"PAR1" and chance.random() < 0.6:
            content = _damaged_lines(content, chance)
        else:
            content = chance.choice(_BYTES)(content, chance, others)
    return content


def _flipped(content: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        if changed:
            value = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            changed[chance.randrange(len(changed))] = value
    return bytes(changed)


def _cut(content: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _left_out(content: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.choice((1, 2, 4, 80, 1000)) :]


def _twice(content: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start = chance.randrange(len(content) + 1)
    piece = content[start : start + chance.choice((1, 8, 80, 1000))]
    return content[:start] + piece * chance.choice((1, 2, 50)) + content[start:]


def _with_token(content: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + chance.choice(_TOKENS) + content[start + chance.choice((0, 1, 4)) :]


def _spliced(content: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other)) :]


_BYTES: tuple[Callable[[bytes, random.Random, Sequence[bytes]], bytes], ...] = (
    _flipped, _flipped, _flipped, _cut, _left_out, _twice, _with_token, _with_token, _spliced,
)  # fmt: skip


def _damaged_archive(content: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Damage what is packed in a workbook, so that the damage gets past the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError):
        return _flipped(content, chance, others)
    if not parts:
        return content
    name = chance.choice(list(parts))
    if chance.random() < 0.1:
        del parts[name]
    elif chance.random() < 0.5:
        parts[name] = _damaged_xml(parts[name], chance)
    else:
        parts[name] = chance.choice(_BYTES)(parts[name], chance, others)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, inside in parts.items():
            archive.writestr(part, inside)
    return packed.getvalue()


def _damaged_xml(content: bytes, chance: random.Random) -> bytes:
    """Change one attribute, number or element of XML."""
    found = list(re.finditer(rb'"[^"<>]*"|>[^<>]+<|<[^<>]+>', content))
    if not found:
        return content
    hit = chance.choice(found)
    numbers = [b"0", b"-1", b"4294967296", b"1048577", b"99999999999999999999", b"1e308", b"", b"x"]
    new = chance.choice([*numbers, hit[0] * 3, *_TOKENS])
    if hit[0][:1] in b'">' and chance.random() < 0.8:
        new = hit[0][:1] + new + hit[0][-1:]
    return content[: hit.start()] + new + content[hit.end() :]


def _damaged_lines(content: bytes, chance: random.Random) -> bytes:
    """Move, double, drop or change lines and cells of a text."""
    lines = content.split(b"\n")
    place = chance.randrange(len(lines))
    delimiter = max((b",", b";", b"\t", b"|"), key=lines[0].count)
    cells = lines[place].split(delimiter)
    kind = chance.randrange(7)
    if kind == 0:
        lines.insert(chance.randrange(len(lines)), lines[place])
    elif kind == 1:
        del lines[place]
    elif kind == 2:
        lines.insert(0, chance.choice((b"# comment", b"A title", b"", b",,,", b"1;2;3")))
    elif kind == 3:
        chance.shuffle(lines)
    elif kind == 4:
        return content.replace(delimiter, chance.choice((b",", b";", b"\t", b"|", b" ")))
    else:
        cells[chance.randrange(len(cells))] = chance.choice(_TOKENS)
        lines[place] = delimiter.join(cells)
    return b"\n".join(lines)


def through(content: bytes, name: str, store: Path) -> tuple[str, str]:
    """Import one file the whole way, in this process; return what came of it and why.

    Returns
    -------
    outcome : str
        One of `OUTCOMES`.
    words : str
        Of a refusal or a fault; without values.
    """
    job = jobs.create([(name, content)], folder=store, limits=_LIMITS)
    try:
        if words := _step(job, "read"):
            return _failed(words)
        refused = [problem.what for problem in job.problems if problem.severity == "fatal"]
        if refused:
            return "refused", refused[0]
        mapping = _mapped(job.sheets())
        if mapping is None:
            return "read", "questions stay open"
        write_json(job.place / "mapping.json", worker.to_json(mapping))
        if words := _step(job, "check"):
            return _failed(words)
        checked = job.checked()
        if checked.fatal:
            return "refused", checked.problems[0].what
        job.publish("fuzz")
        for snapshot in snapshots(store):
            verify(snapshot)
        find(STUDY, folder=store)
        return "published", ""
    finally:
        job.cancel()


def _step(job: jobs.Job, what: str) -> str:
    """Let the worker do one step in this process; return why it failed."""
    write_json(job.place / "request.json", {"what": what, "number": what})
    if worker.main([str(job.place), what]) == 0:
        return ""
    return str(json.loads((job.place / "failed.json").read_text("utf-8"))["message"])


def _failed(words: str) -> tuple[str, str]:
    return ("crashed" if "Something is wrong in this program" in words else "refused"), words


def _mapped(sheets: tuple[Sheet, ...]) -> StudyMapping | None:
    """Answer every question with the first answer; None where that does not end."""
    said = {
        "study_id": STUDY,
        "title": "Fuzzed",
        "day_zero_label": "day 0",
        "default_endpoint": "OS",
    }
    mapping = propose(sheets, said)
    for _ in range(_ROUNDS):
        open_ = questions(sheets, mapping)
        if not open_:
            return mapping
        try:
            mapping = answered(mapping, open_[0], _answer(open_[0]))
        except ValueError:
            return None
    return None


def _answer(question: Question) -> str | dict[str, str]:
    if question.field == "values":
        level = next(iter(question.choices), "")
        return dict.fromkeys(question.texts, level)
    return next(iter(question.choices), "30")


def _serve(connection: Connection, store: Path) -> None:
    """Import what comes through the pipe, in a process of its own."""
    # Libraries print what they choke on.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        content, name = connection.recv()
        try:
            connection.send(through(content, name, store))
        except MemoryError:
            connection.send(("refused", "memory"))
        except Exception as error:
            place = error.__traceback__
            while place and place.tb_next:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
            kind = "partial" if type(error).__name__ == "SnapshotError" else "crashed"
            connection.send((kind, f"{type(error).__name__} at {where}"))


def _as_a_job(content: bytes, name: str, store: Path) -> str:
    """Return the sentence with which a job says that its process died; '' if it does not."""
    job = jobs.create([(name, content)], folder=store)
    try:
        job.start("read")
        return job.message if job.wait(_SECONDS) == "failed" else ""
    finally:
        job.cancel()


class _Hand:
    """A process that imports one file at a time, with a store of its own."""

    def __init__(self, folder: Path, number: int) -> None:
        self.store = folder / f"store{number}"
        self.store.mkdir()
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.store), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, content: bytes, name: str) -> None:
        self.given, self.until = (content, name), time.monotonic() + _SECONDS
        self.connection.send((content, name))

    def take(self) -> tuple[str, str] | None:
        """Return what came of the file, None while it is under way."""
        try:
            if self.connection.poll():
                return self.connection.recv()  # type: ignore[no-any-return]
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self._start()
            said = _as_a_job(*self.given, self.store)
            return ("stopped", said) if said else ("crashed", f"the process ended with {code}")
        if time.monotonic() < self.until:
            return None
        self.process.kill()
        self.process.join()
        self._start()
        return "hung", f"not ready after {_SECONDS} s"


def fuzz(
    files: Iterable[tuple[str, bytes]], processes: int, *, keep: Path | None = None
) -> Counter[tuple[str, str, str]]:
    """Import files in some processes.

    Parameters
    ----------
    files : iterable of (str, bytes)
        Name and content.
    processes : int
    keep : Path, optional
        Where the files that caused a fault are kept.

    Returns
    -------
    Counter
        How often each form of file (its ending), outcome and sentence came.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    waiting = iter(files)
    with tempfile.TemporaryDirectory() as folder:
        free = [_Hand(Path(folder), number) for number in range(processes)]
        busy: list[_Hand] = []
        while True:
            while free and (file := next(waiting, None)) is not None:
                free[-1].give(file[1], file[0])
                busy.append(free.pop())
            if not busy:
                break
            wait([hand.connection for hand in busy], timeout=1)
            for hand in list(busy):
                if (came := hand.take()) is None:
                    continue
                content, name = hand.given
                counts[(Path(name).suffix, *came)] += 1
                if came[0] in FAULTS and keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    number = sum(counts.values())
                    (keep / f"{came[0]}-{number}-{Path(name).name}").write_bytes(content)
                busy.remove(hand)
                free.append(hand)
        for hand in free:
            hand.process.kill()
            hand.process.join()
    return counts


@functools.cache
def _whole() -> dict[str, bytes]:
    """Return the files to damage by name; some hold the time at which they were made."""
    known = {**seeds(), **templates.examples(), "template.xlsx": templates.workbook()}
    return {name: content for name, content in known.items() if not name.endswith(".json")}


def damaged_files(number: int, seed: int = SEED) -> Iterator[tuple[str, bytes]]:
    """Yield damaged files of every form, one form after the other; a seed damages the same way."""
    known = _whole()
    chance, names = random.Random(seed), sorted(known)
    contents = list(known.values())
    for n in range(number):
        name = names[n % len(names)]
        # Every tenth file is whole: so that what can be read is imported, too.
        whole = n // len(names) % 10 == 0
        yield name, known[name] if whole else damaged(known[name], chance, contents)


def summary(counts: Counter[tuple[str, str, str]]) -> dict[str, int]:
    """Return how many files had each outcome."""
    totals: Counter[str] = Counter()
    for (_, outcome, _), count in counts.items():
        totals[outcome] += count
    return {outcome: totals[outcome] for outcome in OUTCOMES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the import, write the result and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    counts = fuzz(damaged_files(options.files, options.seed), options.processes, keep=KEPT)
    totals = summary(counts)
    for (ending, outcome, words), count in sorted(counts.items(), key=lambda item: -item[1]):
        if outcome in FAULTS:
            print(f"{count:6}  {ending}  {outcome}: {words}")
    by_form = Counter({(ending, outcome): 0 for ending, outcome, _ in counts})
    for (ending, outcome, _), count in counts.items():
        by_form[ending, outcome] += count
    result = {
        "files": options.files,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
        **totals,
        "forms": {f"{e} {o}": count for (e, o), count in sorted(by_form.items())},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(", ".join(f"{count:,} {outcome}" for outcome, count in totals.items()))
    return int(any(totals[fault] for fault in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
