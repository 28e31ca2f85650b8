"""What the store asks of whatever answers its queries, and the snapshots that they are asked of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from data.cohort import Compared
from data.rule import DEPTH_OF_STUDY, MrdRule

SQL = Path(__file__).parents[1] / "sql"

Parameters = Mapping[str, Any]


FORMAT = 2
"""What snapshots hold and how: raised whenever those made before could not be read, or would be misread.

A test holds it against the schema and the derivations; snapshots from before it was counted have 0.
"""


class SnapshotError(RuntimeError):
    """A snapshot cannot be used: it is not here, damaged, or of another version of the program.

    Attributes
    ----------
    previous : Snapshot or None
        The newest other snapshot of the study that is whole, to open instead.
    """

    def __init__(self, message: str, previous: Snapshot | None = None) -> None:
        super().__init__(message)
        self.previous = previous


@dataclass(frozen=True)
class Snapshot:
    """One published state of a study.

    Attributes
    ----------
    study_id, title : str
    hash : str
        Twelve characters of the SHA-256 of what was imported and of the derivations: equal input
        gives an equal hash, on any machine.
    file_sha256 : str
        Of the DuckDB file, checked before the first use.
    path : Path
    published_at : str
        UTC, ISO 8601.
    rows : mapping of str to int
        Rows of each raw table.
    current : bool
        Whether this is the one that is served.
    published_by : str
    small_cell_minimum : int
        Of the study, whichever snapshot: the smallest number of patients that may be shown; 0 shows all.
    compared : Compared or None
        Two saved cohorts, by which `subjects` then has the column `cohorts`.
    format : int
        `FORMAT` of the program that made it.
    place : str
        The store on a cluster that holds it, as COHORT_STORE names it; empty for a file at `path`.
    """

    study_id: str
    title: str
    hash: str
    file_sha256: str
    path: Path
    published_at: str
    rows: Mapping[str, int] = field(hash=False)
    current: bool
    published_by: str = ""
    small_cell_minimum: int = 0
    compared: Compared | None = None
    format: int = FORMAT
    place: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What decides every answer that this gives: equal keys, equal answers."""
        compared = self.compared
        cohorts = compared and (compared.a.key, compared.b.key)
        return self.place, self.study_id, self.hash, self.small_cell_minimum, cohorts


class EngineError(SnapshotError):
    """What answers the queries cannot answer this one; the message says why, without values."""


class Unreachable(EngineError):
    """A cluster does not answer, or has forgotten who asked: the same question can be asked again."""


class TooManyRows(EngineError):
    """Rows of patients are asked for that are more than leave a cluster."""


class Unusable(Exception):
    """The data of a snapshot are not what was published; the argument says how: 'damaged'."""


class Engine(Protocol):
    """What answers the queries of data/sql on a snapshot.

    A text is written once, in the dialect of DuckDB; values are parameters by name, and those that a text
    does not use are not passed on. The parameter ``mrd_rule`` makes the query read the tables as that
    rule derives them. Equal snapshots give equal answers, whatever the engine.

    Attributes
    ----------
    name : str
        As a screen says it.
    """

    name: str

    def frame(self, snapshot: Snapshot, sql: str, parameters: Parameters) -> pd.DataFrame:
        """Return the rows of a query as a frame."""

    def records(self, snapshot: Snapshot, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries, SQL's NULL as None."""

    def columns(self, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
        """Return the columns of each table of a snapshot, in their order."""

    def difference(self, before: Snapshot, after: Snapshot, sql: str) -> dict[str, int]:
        """Return the one row of a query on two snapshots, the schemas ``before`` and ``after``."""

    def verify(self, snapshot: Snapshot) -> None:
        """Check that the data of a snapshot are there and are those that were published.

        Raises
        ------
        Unusable
        """


@functools.cache
def sql_text(name: str) -> str:
    """Return the text of data/sql/<name>.sql."""
    return (SQL / f"{name}.sql").read_text("utf-8")


def used(sql: str, parameters: Parameters) -> dict[str, Any]:
    """Return those of some parameters that a text names."""
    return {name: value for name, value in parameters.items() if f"${name}" in sql}


def rule_texts(rule: MrdRule) -> tuple[str, ...]:
    """Return the texts that derive anew, from the tables of ``snapshot``, what depends on an MRD rule."""
    depth = DEPTH_OF_STUDY if rule.cutoff is None else "$cutoff"
    return (
        sql_text("overlay_samples"),
        sql_text("derive_mrd_by_timepoint").replace(DEPTH_OF_STUDY, depth),
        sql_text("overlay_reasons"),
        sql_text("derive_subjects"),
        sql_text("overlay_close"),
    )


def _nobody(what: str, seconds: float) -> None:
    pass


_watcher: Callable[[str, float], None] = _nobody


def watch(callback: Callable[[str, float], None]) -> None:
    """Have a function called several times a second while somebody waits for an answer.

    Parameters
    ----------
    callback : callable
        Takes what is waited for, in words, and the seconds so far, in the thread of who asked. Where it
        raises, the query is cancelled and the exception passed on.
    """
    global _watcher
    _watcher = callback


def waiting(what: str, seconds: float) -> None:
    """Say that somebody waits; raise what `watch` was told to."""
    _watcher(what, seconds)
