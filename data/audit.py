"""The audit log of a store: who did what and when, one line per event, each chained to the one before.

``audit.jsonl`` is only ever added to. A line holds the hash of the line before it and its own, so that a
line that is changed, taken out or put in breaks the chain; ``audit.head`` holds the last hash, so that
lines taken off the end are missed. Whoever may write to the folder can write both anew: to rule that out,
the last hash that `check` returns is kept somewhere else. No line holds a patient identifier.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from data.importing.disk import StoreBusy, flush, try_lock
from data.store import store_folder

What = Literal[
    "sign in", "sign out", "refused", "import", "publish", "roll back", "delete", "minimum", "download",
    "publish failed", "roll back failed", "delete failed", "minimum failed",
]  # fmt: skip

LOCAL = "local"
"""Who acts where nobody signs in and no name is given."""

_LOG, _HEAD = "audit.jsonl", "audit.head"
_FIRST = "0" * 64
_LONGEST = 65_536
"""Bytes of a line at most."""
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Line:
    """One event.

    Attributes
    ----------
    n : int
        From 1.
    at : str
        UTC, ISO 8601.
    who : str
        The e-mail of the person signed in; without sign-in the name given for the history, or 'local'.
    what : str
        One of `What`.
    told : mapping of str to str or int
        What it was about: study, snapshot, file, role, minimum.
    """

    n: int
    at: str
    who: str
    what: str
    told: Mapping[str, str | int]


def record(who: str, what: What, folder: Path | None = None, **told: str | int | None) -> None:
    """Add an event to the log; once this returns, it is on disk.

    Parameters
    ----------
    who : str
    what : str
    folder : Path, optional
        The store.
    **told
        What it is about; None is left out. Never an identifier of a patient.

    Raises
    ------
    StoreBusy
        If others write to the log all the while.
    OSError
        If the log cannot be written; then what it would have told must not be done.
    """
    folder = folder or store_folder()
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in told.items() if value is not None}
    descriptor = _locked(folder / _LOG)
    with os.fdopen(descriptor, "r+b") as file:
        # Where the log ends before its head, or otherwise, somebody was at it: the break is to stay.
        n, previous = max(_head(folder) or (0, _FIRST), _last(file), key=lambda end: end[0])
        file.truncate()
        if n == 0:
            _write_head(folder, n, previous)
            flush(folder)
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = {"n": n + 1, "at": at, "who": who or LOCAL, "what": what, "told": kept}
        digest = _digest(previous, line)
        text = json.dumps({**line, "previous": previous, "hash": digest}, ensure_ascii=False)
        file.write(text.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
        _write_head(folder, n + 1, digest)


@contextmanager
def recorded(
    who: str, what: Literal["publish", "roll back", "delete", "minimum"], folder: Path,
    **told: str | int | None,
) -> Iterator[None]:  # fmt: skip
    """Record what the block does before it is done, and where it fails, that it failed.

    Raises
    ------
    OSError
        If it cannot be recorded: the block is not entered.
    """
    record(who, what, folder, **told)
    try:
        yield
    except BaseException:
        failed: Mapping[str, What] = {
            "publish": "publish failed", "roll back": "roll back failed",
            "delete": "delete failed", "minimum": "minimum failed",
        }  # fmt: skip
        with suppress(OSError):
            record(who, failed[what], folder, **told)
        raise


def lines(folder: Path | None = None) -> Iterator[Line]:
    """Yield the events of a log in order; what cannot be read is passed over, as `check` reports it."""
    for text in _texts(folder or store_folder()):
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(text)
            yield Line(*(found[name] for name in ("n", "at", "who", "what", "told")))


def check(folder: Path | None = None) -> tuple[str, Sequence[str]]:
    """Read the whole chain again.

    Returns
    -------
    last : str
        Hash of the last line, to be kept elsewhere.
    faults : sequence of str
        What was tampered with, line by line; empty where the log is whole.
    """
    folder = folder or store_folder()
    faults, previous, n = list[str](), _FIRST, 0
    digests = {0: _FIRST}
    for n, text in enumerate(_texts(folder), start=1):
        try:
            found = json.loads(text)
            line = {name: found[name] for name in ("n", "at", "who", "what", "told")}
            told, mine = found["previous"], found["hash"]
        except (ValueError, KeyError, TypeError):
            faults.append(f"Line {n} is no line of an audit log.")
            continue
        if line["n"] != n or told != previous:
            faults.append(f"Line {n} does not follow the line before: one was taken out or put in.")
        if mine != _digest(told, line) or set(found) != {*line, "previous", "hash"}:
            faults.append(f"Line {n} was changed after it was written.")
        previous = digests[n] = str(mine)
    faults += _missing(folder, digests)
    return previous, faults


def _missing(folder: Path, digests: Mapping[int, str]) -> list[str]:
    """Say whether lines were taken off the end; a crash leaves the head a line behind."""
    head = _head(folder)
    if head is None:
        whole = len(digests) == 1 and not (folder / _HEAD).exists()
        return [] if whole else ["audit.head cannot be read: lines may be missing at the end."]
    n, digest = head
    if n not in digests:
        return [f"The log has {len(digests) - 1} lines and had {n}: the last ones were taken off."]
    if digests[n] != digest:
        return [f"Line {n} is not the one that was written: the log was written anew."]
    return []


def _head(folder: Path) -> tuple[int, str] | None:
    """Return number and hash of the line that was written last, None where that cannot be read."""
    try:
        n, digest = (folder / _HEAD).read_text("ascii").split()
        return int(n), digest
    except (FileNotFoundError, ValueError):
        return None


def _last(file: BinaryIO) -> tuple[int, str]:
    """Return number and hash of the last whole line and stand at its end: a crash can leave half of one."""
    start = max(0, file.seek(0, os.SEEK_END) - _LONGEST)
    file.seek(start)
    content = file.read()
    end = content.rfind(b"\n") + 1
    file.seek(start + end)
    last = content[content.rfind(b"\n", 0, max(end - 1, 0)) + 1 : end]
    if not last:
        return 0, _FIRST
    try:
        found = json.loads(last)
        return int(found["n"]), str(found["hash"])
    except (ValueError, KeyError, TypeError):
        # The chain is broken here already; it goes on from what stands there.
        return 0, hashlib.sha256(last).hexdigest()


def _digest(previous: str, line: Mapping[str, Any]) -> str:
    text = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _write_head(folder: Path, n: int, digest: str) -> None:
    # In place and of one length: less than a sector is written as a whole or not at all.
    descriptor = os.open(folder / _HEAD, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{n:>15} {digest}\n".encode("ascii"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _texts(folder: Path) -> Iterator[str]:
    try:
        content = (folder / _LOG).read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n")[:-1]:
        yield line.decode("utf-8", errors="replace")


def _locked(path: Path) -> int:
    """Return a descriptor of the log that no other process and no other thread has."""
    until = time.monotonic() + _WAIT_SECONDS
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > until:
            raise StoreBusy("The audit log is in use all the while. Try again in a minute.")
        time.sleep(_POLL_SECONDS)
    return descriptor
