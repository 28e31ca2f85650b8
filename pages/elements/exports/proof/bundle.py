"""The archive with which a reader repeats the numbers of figures: data, numbers, and two programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

import analytics
from data.exporting.package import zipped
from data.exporting.table import defused
from pages.elements.exports.exhibit import Exhibit, Proof
from pages.elements.exports.proof.parts import NOT_RECOMPUTED

_HERE = Path(__file__).parent
_PINNED = ("numpy", "pandas", "scipy")


def bundle(exhibits: Sequence[Exhibit]) -> bytes:
    """Return a ZIP that recomputes the numbers of exhibits.

    Parameters
    ----------
    exhibits : sequence of Exhibit
        In the order of a talk or a report; proofs that occur twice are written once.

    Returns
    -------
    bytes
        data/*.csv, expected.json (also as CSV for R), check.py with the statistics and their pins,
        check.R, README.txt and provenance.txt. The same exhibits give the same bytes.
    """
    files = {**_programs(), **_numbers(exhibits), "provenance.txt": _provenance(exhibits)}
    return zipped(dict(sorted(files.items())))


def _programs() -> dict[str, bytes]:
    """Return the programs, and the statistics as they run here."""
    statistics = sorted(Path(str(analytics.__file__)).parent.glob("*.py"))
    pins = "".join(f"{name}=={version(name)}\n" for name in _PINNED)
    return {
        **{name: (_HERE / name).read_bytes() for name in ("check.py", "check.R", "README.txt")},
        **{f"analytics/{path.name}": path.read_bytes() for path in statistics},
        "requirements.txt": pins.encode(),
    }


def _numbers(exhibits: Sequence[Exhibit]) -> dict[str, bytes]:
    """Return data and numbers, by name of file."""
    data: dict[str, bytes] = {}
    names: dict[bytes, str] = {}
    proofs, left = [], []
    for key, proof, rows in _once(exhibits):
        if proof.kind == NOT_RECOMPUTED:
            left.append({"exhibit": key, **proof.options})
            continue
        name = names.setdefault(rows, f"data/{len(names) + 1:02d}.csv")
        data[name] = rows
        proofs.append(
            {"id": f"p{len(proofs) + 1:02d}", "exhibit": key, "title": proof.options["title"],
             "kind": proof.kind, "data": name, "options": dict(proof.options),
             "expected": proof.expected}
        )  # fmt: skip
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    whole = {"format": 1, "sha256": digests, "proofs": proofs, "not_recomputed": left}
    return {
        **data,
        "expected.json": json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False).encode(),
        "expected.csv": _csv(_expected(proofs)),
        "options.csv": _csv(_options(proofs, data)),
    }


def _once(exhibits: Iterable[Exhibit]) -> Iterator[tuple[str, Proof, bytes]]:
    """Yield each computation with the key of the first exhibit that has it, and its rows as a file."""
    seen: set[tuple[str, bytes]] = set()
    written: dict[int, bytes] = {}
    for exhibit in exhibits:
        for proof in exhibit.proofs:
            # Many computations share one frame, which may hold a million patients.
            if (rows := written.get(id(proof.rows))) is None:
                rows = written[id(proof.rows)] = _csv(proof.rows)
            same = json.dumps([proof.kind, proof.options, proof.expected]), rows
            if same not in seen:
                seen.add(same)
                yield exhibit.key, proof, rows


def _csv(frame: pd.DataFrame) -> bytes:
    """Return rows as CSV at full precision; whole numbers without a point."""
    written = frame.copy()
    for name in written:
        column = written[name]
        if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
            written[name] = column.astype("Int64")
    return bytes(written.to_csv(index=False, lineterminator="\n").encode())


def _expected(proofs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    rows = [
        (proof["id"], line, name, "" if value is None else repr(value))
        for proof in proofs
        for line, numbers in proof["expected"].items()
        for name, value in numbers.items()
    ]
    return pd.DataFrame(rows, columns=["proof", "line", "name", "value"])


def _options(proofs: Sequence[Mapping[str, Any]], data: Mapping[str, bytes]) -> pd.DataFrame:
    """Return the options for R: one row per value, names of values in lists joined by a slash."""
    rows: list[tuple[str, str, str]] = []
    for proof in proofs:
        md5 = hashlib.md5(data[proof["data"]], usedforsecurity=False).hexdigest()
        given = {key: proof[key] for key in ("exhibit", "kind", "data")} | {"md5": md5}
        for name, value in _flat({**proof["options"], **given}):
            rows.append((proof["id"], name, value))
    return pd.DataFrame(rows, columns=["proof", "name", "value"])


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{name}/{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each, name)
    elif value is not None:
        yield name, str(defused(value) if isinstance(value, str) else value)


def _provenance(exhibits: Sequence[Exhibit]) -> bytes:
    said = (
        f"{exhibit.title} ({exhibit.key})\n{exhibit.message}\n{exhibit.provenance.footnote}\n"
        f"{exhibit.provenance.link}\n"
        for exhibit in exhibits
    )
    return "\n".join(said).encode()
