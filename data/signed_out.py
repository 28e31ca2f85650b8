"""Sign-ins that were ended: an empty file for each in the folder of the store, seen by every replica."""

from __future__ import annotations

import re
import time
from pathlib import Path

from data.importing.disk import flush
from data.store import store_folder

_KEY = re.compile(r"[0-9a-f]{64}")
_KEPT_SECONDS = 2 * 24 * 3600
"""For longer than a sign-in lasts."""


def end(key: str, folder: Path | None = None) -> None:
    """End a sign-in for good.

    Parameters
    ----------
    key : str
        64 hexadecimal digits.
    folder : Path, optional
        The store.

    Raises
    ------
    OSError
        If it cannot be written down.
    """
    place = _place(folder)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _file(place, key).touch()
    flush(place)
    for path in place.iterdir():
        if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
            path.unlink(missing_ok=True)


def ended(key: str, folder: Path | None = None) -> bool:
    """Tell whether a sign-in was ended."""
    return _file(_place(folder), key).exists()


def _place(folder: Path | None) -> Path:
    return (folder or store_folder()) / ".signed_out"


def _file(place: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ValueError("A sign-in is known by 64 hexadecimal digits.")
    return place / key
