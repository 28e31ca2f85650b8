"""Writing that survives a crash: flushed before it gets its name, and by one process at a time."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

SCRATCH = ".write-"
"""How the name of a file begins that is being written."""

_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.02


class StoreBusy(OSError):
    """Somebody else is changing the store just now."""


class StoreNotWritable(OSError):
    """The store cannot be written; `errno` has why."""

    def __str__(self) -> str:
        return (
            f"The store cannot be written ({self.strerror}). Nothing was changed. Have its disk and the "
            "rights of its folder looked at, then try again."
        )


def flush(path: Path) -> None:
    """Have the operating system write a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Replace a small JSON file in one step; where that fails, the file is as it was."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=SCRATCH, delete=False
    ) as file:
        try:
            json.dump(fields, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    flush(path.parent)


def open_lock(path: Path) -> int:
    """Return a descriptor that holds the lock of a new file."""
    descriptor = try_lock(path)
    if descriptor is None:
        raise StoreBusy(f"{path.name} is in use.")
    return descriptor


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Return a descriptor that holds the lock of a file until it is closed; None if it is taken.

    A lock ends with the last process that has the descriptor, however that ends. A shared one is for a
    look at whether it is taken.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
    return descriptor


def _try_lock_of(folder: Path) -> int | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return try_lock(folder / ".lock")
    except OSError as error:
        raise StoreNotWritable(error.errno, error.strerror) from error


@contextmanager
def locked(folder: Path, wait_seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a store, without which nobody changes what is in it.

    Raises
    ------
    StoreBusy
        If others hold it all the while.
    StoreNotWritable
        If the folder takes no file.
    """
    until = time.monotonic() + wait_seconds
    while (descriptor := _try_lock_of(folder)) is None:
        if time.monotonic() > until:
            raise StoreBusy(
                "Another import is being published just now. Wait a minute and try again."
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)
