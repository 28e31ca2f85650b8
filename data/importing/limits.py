"""How large a file may be, and what the process that reads it may use."""

from __future__ import annotations

import sys
from dataclasses import dataclass

_MB = 1_000_000
_GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What reading one file may cost. Beyond it the file is refused with a sentence.

    Attributes
    ----------
    bytes : int
        Of the file.
    columns, cells : int
        Of one table; cells are rows times columns.
    line_bytes : int
        Of one line of a text file.
    cell_characters : int
        Of one cell.
    unpacked_bytes : int
        Of everything in a workbook, which is a zip archive.
    ratio : int
        How many times smaller than its content a workbook of more than 10 MB may be.
    memory_bytes : int
        Of address space, on top of what the process has when it sets its limits.
    cpu_seconds : int
    written_bytes : int
        Of any one file that the process writes.
    """

    bytes: int
    cells: int
    columns: int
    unpacked_bytes: int
    memory_bytes: int
    cpu_seconds: int
    written_bytes: int
    line_bytes: int = 10 * _MB
    cell_characters: int = 10_000
    ratio: int = 100


PAGE = Limits(
    bytes=60 * _MB,
    cells=20 * _MB,
    columns=2_000,
    unpacked_bytes=500 * _MB,
    memory_bytes=2 * _GIB,
    cpu_seconds=60,
    written_bytes=1_000 * _MB,
)
"""For a file that comes through the page, where others work on the same machine."""

COMMAND = Limits(
    bytes=4_000 * _MB,
    cells=200 * _MB,
    columns=10_000,
    unpacked_bytes=2_000 * _MB,
    memory_bytes=8 * _GIB,
    cpu_seconds=900,
    written_bytes=8_000 * _MB,
)
"""For ``python -m data import``."""


def apply_limits(limits: Limits) -> None:
    """Limit memory, processor time and written files of this process, for good.

    For a process that does nothing but read files: beyond its memory it raises MemoryError or dies,
    beyond its time it is ended. Where the system has no such limits (Windows) nothing happens.
    """
    if sys.platform == "win32":
        return
    import resource

    for kind, amount in (
        (resource.RLIMIT_AS, limits.memory_bytes + _mapped()),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.written_bytes),
        (resource.RLIMIT_CORE, 0),  # A core file would hold patient values.
    ):
        hard = resource.getrlimit(kind)[1]
        value = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (value, hard))


def _mapped() -> int:
    """Return the address space that this process has already; libraries alone map about 1 GB."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
    except OSError:
        return _GIB
    import resource

    return pages * resource.getpagesize()
