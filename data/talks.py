"""Talks kept in the store: small JSON texts, each under the hash of what it says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.importing.disk import write_json
from data.store import store_folder

_NAME = re.compile(r"[0-9a-f]{16}")
LARGEST = 200_000
"""Bytes of a talk at most."""


class TalkGone(LookupError):
    """A link names a talk that this store does not have."""


class TalkTooLarge(ValueError):
    """A talk has more text than a store takes."""


def keep(talk: Mapping[str, Any], folder: Path | None = None) -> str:
    """Write a talk and return its name: equal talks have equal names, and none is ever changed.

    Parameters
    ----------
    talk : mapping
        JSON.
    folder : Path, optional
        The store.

    Raises
    ------
    TalkTooLarge
    OSError
        If the store cannot be written.
    """
    content = json.dumps(talk, ensure_ascii=False, sort_keys=True).encode("utf-8")
    if len(content) > LARGEST:
        raise TalkTooLarge(f"It has more than {LARGEST:,} bytes: split it.")
    name = hashlib.sha256(content).hexdigest()[:16]
    path = _path(name, folder)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, talk)
    return name


def kept(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return a talk.

    Raises
    ------
    TalkGone
        If there is none of this name.
    """
    try:
        if not _NAME.fullmatch(name):
            raise FileNotFoundError
        return dict(json.loads(_path(name, folder).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise TalkGone("The talk of this link is not in this store.") from error


def _path(name: str, folder: Path | None) -> Path:
    return (folder or store_folder()) / "talks" / f"{name}.json"
