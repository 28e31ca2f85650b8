"""Apache Spark through Spark Connect: the tables stay where they are, a few rows come back.

COHORT_STORE names the cluster and the tables: ``spark://HOST:PORT/CATALOGUE.SCHEMA``, or the folder that
`data.engines.parquet` wrote, as the cluster sees it, in the schema's place; ``spark-local:FOLDER`` starts a
Spark of its own beside the program. A token is taken from SPARK_CONNECT_AUTHENTICATE_TOKEN, which is
Spark's own variable, and is never part of an address.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa

from data.engines import base
from data.engines.base import (
    EngineError,
    Parameters,
    Snapshot,
    TooManyRows,
    Unreachable,
    Unusable,
    rule_texts,
    sql_text,
    used,
)
from data.engines.parquet import DIFFERING, SNAPSHOTS, TABLES, name_of
from data.rule import PARAMETER, MrdRule

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

CLUSTER, LOCAL = "spark://", "spark-local:"
"""How a store begins that Spark answers for."""

MOST_ROWS = 250_000
"""Rows that an answer can have: more are a table that was asked for, and tables stay where they are."""

_LISTED_SECONDS = 60.0
_POLL_SECONDS = 0.1
_DERIVED_KEPT = 6
"""Rules and comparisons whose tables the cluster keeps in memory; the one used longest ago goes first."""

_DERIVED = ("mrd_by_timepoint", "subjects")
"""The tables that an MRD rule or a comparison changes."""

_MEMBERS = pa.schema([("patients", pa.string()), ("cohorts", pa.string())])
_ADDRESS = re.compile(
    r"spark://(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:\d+)?/(?P<tables>[^;?#@]+)"
)
_CATALOGUE = re.compile(r"\w+(\.\w+)*")
_INSTALL = "Install what Apache Spark needs: pip install -r requirements-spark.txt"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def is_spark(store: str) -> bool:
    """Tell whether a store, as COHORT_STORE names it, is one that Spark answers for."""
    return store.startswith((CLUSTER, LOCAL))


@functools.cache
def engine(store: str) -> Spark:
    """Return the engine of a store.

    Raises
    ------
    EngineError
        If the address is none, or what Spark needs is not installed.
    """
    try:
        import pyspark.sql.connect.session  # noqa: F401
        import sqlglot  # noqa: F401
    except ImportError as error:
        raise EngineError(f"This store is read with Apache Spark. {_INSTALL}") from error
    if store.startswith(LOCAL):
        folder = Path(store.removeprefix(LOCAL)).expanduser().absolute()
        return Spark(store, None, str(folder))
    found = _ADDRESS.fullmatch(store)
    if found is None:
        raise EngineError(
            "COHORT_STORE is no address of Spark: write spark://HOST:15002/CATALOGUE.SCHEMA, without "
            "user, password or token. A token belongs into SPARK_CONNECT_AUTHENTICATE_TOKEN."
        )
    return Spark(store, f"sc://{found['host']}{found['port'] or ':15002'}", found["tables"])


@dataclass
class _Connected:
    """A session on a cluster, and what was made in it: temporary views, which go with it."""

    session: SparkSession
    placed: dict[str, dict[str, str]] = field(default_factory=dict)
    derived: OrderedDict[tuple[Any, ...], dict[str, str]] = field(default_factory=OrderedDict)


class Spark:
    """The engine of one store.

    Parameters
    ----------
    store : str
        As COHORT_STORE names it.
    url : str or None
        Of Spark Connect; None starts a Spark beside the program.
    tables : str
        A catalogue's schema, or a folder as the cluster sees it.
    """

    name = "Apache Spark"

    def __init__(self, store: str, url: str | None, tables: str) -> None:
        self.store, self.url, self.tables = store, url, tables
        self._connected: _Connected | None = None
        self._connecting = threading.RLock()
        self._workers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="spark")
        self._listed: tuple[float, tuple[Snapshot, ...]] | None = None

    # ------------------------------------------------------------------ what the store asks

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return every snapshot, by study, the newest first.

        A list is good for a minute. Where the cluster does not answer, the last one stands: what was
        computed of it can still be shown.

        Raises
        ------
        EngineError
            If there is no list yet, and none can be had.
        """
        if self._listed is None or time.monotonic() - self._listed[0] > _LISTED_SECONDS:
            try:
                rows = self._again_if_lost(self._list)
            except Unreachable:
                if self._listed is None:
                    raise
                rows = self._listed[1]
            self._listed = time.monotonic(), rows
        return self._listed[1]

    def frame(self, snapshot: Snapshot, sql: str, parameters: Parameters) -> pd.DataFrame:
        """Return the rows of a query as a frame, with the types that DuckDB gives them."""
        with _relation(self._answer(snapshot, sql, parameters)) as relation:
            rows: pd.DataFrame = relation.df()
            return rows

    def records(self, snapshot: Snapshot, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries, SQL's NULL as None."""
        with _relation(self._answer(snapshot, sql, parameters)) as relation:
            return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def columns(self, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
        """Return the columns of each table of a snapshot, in their order."""

        def read(connected: _Connected) -> dict[str, tuple[str, ...]]:
            tables = self._placed(connected, snapshot, TABLES)
            with _said_plainly():
                return {
                    name: tuple(connected.session.table(at).columns) for name, at in tables.items()
                }

        return self._again_if_lost(read)

    def difference(self, before: Snapshot, after: Snapshot, sql: str) -> dict[str, int]:
        """Return the one row of a query on two snapshots, the schemas ``before`` and ``after``."""

        def read(connected: _Connected) -> pa.Table:
            tables = {
                f"{schema}.{name}": at
                for schema, snapshot in (("before", before), ("after", after))
                for name, at in self._placed(connected, snapshot, DIFFERING).items()
            }
            return self._collected(connected, sql, tables, {})

        with _relation(self._again_if_lost(read)) as relation:
            (row,) = relation.fetchall()
            return dict(zip(relation.columns, row, strict=True))

    def verify(self, snapshot: Snapshot) -> None:
        """Check that the raw tables of a snapshot have the rows that were published.

        Raises
        ------
        Unusable
        """
        self._again_if_lost(lambda connected: self._placed(connected, snapshot, ()))

    def close(self) -> None:
        """Let go of the session; a Spark that was started beside the program ends with it."""
        from data.engines import local

        with self._connecting:
            self._lose()
        if self.url is None:
            local.stop()

    # ------------------------------------------------------------------ queries

    def _answer(self, snapshot: Snapshot, sql: str, parameters: Parameters) -> pa.Table:
        from data.engines import dialect

        rule: MrdRule = parameters.get(PARAMETER) or MrdRule()

        def read(connected: _Connected) -> pa.Table:
            tables = self._tables(connected, snapshot, rule, dialect.tables_of(sql))
            return self._collected(connected, sql, tables, used(sql, parameters))

        return self._again_if_lost(read)

    def _collected(
        self, connected: _Connected, sql: str, tables: Mapping[str, str], values: Mapping[str, Any]
    ) -> pa.Table:
        """Return the rows of a query; while they are computed, whoever asked can change their mind."""
        from data.engines import dialect

        text = dialect.query(sql, tuple(sorted(tables.items())))
        tag = f"cohort-{secrets.token_hex(8)}"
        session = connected.session

        def run() -> pa.Table:
            session.addTag(tag)
            try:
                return session.sql(text, dict(values)).limit(MOST_ROWS + 1).toArrow()
            finally:
                session.removeTag(tag)

        with _said_plainly():
            found = self._awaited(run, lambda: session.interruptTag(tag))
        if found.num_rows > MOST_ROWS:
            raise TooManyRows(
                f"This needs a row for each of more than {MOST_ROWS:,} patients or samples, and rows stay "
                "on the cluster. Choose a smaller cohort."
            )
        return found

    def _awaited(self, run: Callable[[], _T], interrupt: Callable[[], object] | None = None) -> _T:
        future, started = self._workers.submit(run), time.monotonic()
        try:
            while True:
                try:
                    return future.result(timeout=_POLL_SECONDS)
                except TimeoutError:
                    if future.done():
                        return future.result()
                    base.waiting(self.name, time.monotonic() - started)
        except BaseException:
            if interrupt is not None and not future.done():
                # Not waited for: the one who asked has clicked on.
                self._workers.submit(interrupt)
            raise

    # ------------------------------------------------------------------ tables

    def _list(self, connected: _Connected) -> tuple[Snapshot, ...]:
        text = sql_text("query_snapshots")
        tables = {SNAPSHOTS: self._place(connected, SNAPSHOTS, SNAPSHOTS)}
        with _relation(self._collected(connected, text, tables, {})) as relation:
            rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        return tuple(
            Snapshot(**{**row, "rows": json.loads(row["rows"])}, path=Path(), place=self.store)
            for row in rows
        )

    def _tables(
        self, connected: _Connected, snapshot: Snapshot, rule: MrdRule, names: Iterable[str]
    ) -> Mapping[str, str]:
        """Return where tables of a snapshot are, under an MRD rule and with cohorts compared."""
        names = frozenset(names)
        tables = self._placed(connected, snapshot, names)
        if not rule and snapshot.compared is None:
            return tables
        with self._connecting:
            key = (snapshot.study_id, snapshot.hash, rule, snapshot.compared)
            if key not in connected.derived:
                connected.derived[key] = self._derived(connected, snapshot, rule)
                if len(connected.derived) > _DERIVED_KEPT:
                    _, oldest = connected.derived.popitem(last=False)
                    for view in oldest.values():
                        connected.session.catalog.uncacheTable(view)
            connected.derived.move_to_end(key)
            derived = connected.derived[key]
            return {**tables, **{name: at for name, at in derived.items() if name in names}}

    def _placed(
        self, connected: _Connected, snapshot: Snapshot, names: Iterable[str]
    ) -> dict[str, str]:
        """Return where those of some tables are that a snapshot has; its rows are counted first."""
        folder = name_of(snapshot.study_id, snapshot.hash)
        with self._connecting:
            placed = connected.placed.setdefault(folder, {})
            counted = frozenset(snapshot.rows) & frozenset(TABLES)
            first = counted - placed.keys()
            wanted = (frozenset(names) & frozenset(TABLES)) | counted
            for table in wanted - placed.keys():
                placed[table] = self._place(connected, f"{folder}/{table}", table)
            if first:
                try:
                    self._count(connected, snapshot, placed)
                except BaseException:
                    connected.placed.pop(folder)
                    raise
            return {name: placed[name] for name in wanted}

    def _count(self, connected: _Connected, snapshot: Snapshot, tables: Mapping[str, str]) -> None:
        expected = {table: n for table, n in snapshot.rows.items() if table in TABLES}
        text = "\nUNION ALL\n".join(
            sql_text("query_rows").replace("{table}", table) for table in expected
        )
        rows = self._collected(connected, text, tables, {}).to_pylist()
        counted = {row["table_name"]: row["n"] for row in rows}
        for table, n in expected.items():
            if counted[table] != n:
                raise Unusable(f"not whole ({table} has {counted[table]:,} rows instead of {n:,})")

    def _place(self, connected: _Connected, path: str, table: str) -> str:
        """Return the name of a table on the cluster: of the catalogue, or of a view of a folder."""
        if _CATALOGUE.fullmatch(self.tables):
            return f"{self.tables}.{re.sub('[^0-9A-Za-z_]', '_', path)}"
        view = re.sub("[^0-9A-Za-z_]", "_", path)
        folder = f"{self.tables.rstrip('/')}/{path}"

        def look() -> None:
            connected.session.read.parquet(folder).createOrReplaceTempView(view)

        with _said_plainly(f"the table {table} of {path.split('/')[0]}"):
            self._awaited(look)
        return view

    def _derived(self, connected: _Connected, snapshot: Snapshot, rule: MrdRule) -> dict[str, str]:
        """Make views of what depends on an MRD rule or a comparison, by the import's own SQL.

        Returns
        -------
        dict of str to str
            The tables that differ from the snapshot's own, and where they are.
        """
        from data.engines import dialect

        session, prefix = connected.session, f"derived_{secrets.token_hex(6)}"
        own = self._placed(connected, snapshot, TABLES)
        placed = {**own, **{f"snapshot.{name}": at for name, at in own.items()}}
        texts = list(rule_texts(rule)) if rule else []
        if snapshot.compared is not None:
            texts.append(sql_text("overlay_compared"))
            placed["member"] = f"{prefix}_member"
            frame = pa.table(snapshot.compared.parameters(), schema=_MEMBERS)
            session.createDataFrame(frame).createOrReplaceTempView(placed["member"])

        def levels(expression: str) -> list[str]:
            text = sql_text("query_timepoint_levels").replace("{expression}", expression)
            rows = self._collected(connected, text, placed, {}).to_pylist()
            return [str(row["level"]) for row in rows]

        for number, part in enumerate(p for text in texts for p in dialect.statements(text)):
            made = dialect.statement(part, tuple(sorted(placed.items())), levels)
            if made.table:
                placed[made.table] = f"{prefix}_{number}_{made.table}"
                with _said_plainly():
                    found = session.sql(made.sql, used(part, rule.parameters()))
                    found.createOrReplaceTempView(placed[made.table])
        derived = {name: placed[name] for name in _DERIVED if placed[name] != own[name]}
        for view in derived.values():
            session.catalog.cacheTable(view)
        return derived

    # ------------------------------------------------------------------ the session

    def _again_if_lost(self, read: Callable[[_Connected], _T]) -> _T:
        """Read; where the session was lost, read once more in a new one."""
        connected = self._session()
        try:
            return read(connected)
        except Unreachable:
            with self._connecting:
                if self._connected is connected:
                    self._lose()
            return read(self._session())

    def _session(self) -> _Connected:
        with self._connecting:
            if self._connected is None:
                from data.engines import local

                url = self.url or local.running()
                with _said_plainly():
                    self._connected = _Connected(self._awaited(lambda: self._opened(url)))
            return self._connected

    def _opened(self, url: str) -> SparkSession:
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession as Session

        session = Session.builder.remote(url).create()
        # Somebody is waiting: what is not back within seconds is said to be gone, and can be asked again.
        session.client.set_retry_policies([DefaultPolicy(max_retries=4, max_backoff=2000)])
        session.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        session.conf.set("spark.sql.session.timeZone", "UTC")
        return session

    def _lose(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None:
            with contextlib.suppress(Exception):
                connected.session.client.close()


@contextmanager
def _relation(table: pa.Table) -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield rows as DuckDB has them: one home for how SQL's types become those of pandas."""
    with duckdb.connect(":memory:") as connection:
        yield connection.from_arrow(table)


@contextmanager
def _said_plainly(what: str = "a table") -> Iterator[None]:
    """Turn what Spark says into a sentence without values; the kind of error goes to the log."""
    from pyspark.errors import PySparkException

    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        condition = error.getCondition() if isinstance(error, PySparkException) else None
        _log.error("Apache Spark: %s %s", type(error).__name__, condition or "")
        raise _sentence(error, condition or "", what) from None


def _sentence(error: Exception, condition: str, what: str) -> EngineError:
    text = f"{condition} {error}"
    for signs, kind, sentence in _SENTENCES:
        if any(sign in text for sign in signs):
            return kind(sentence.replace("{what}", what).replace("{column}", _column(error)))
    return EngineError(
        f"Apache Spark could not answer ({condition or type(error).__name__}). Try again; whoever keeps "
        "the cluster finds the reason in its log."
    )


def _column(error: Exception) -> str:
    """Return the column that an error is about: a name of the dictionary, never a value."""
    named = re.search(r"(?:name|column) `(?:\w+`\.`)?(\w+)`", str(error))
    return f"the column ‘{named[1]}’" if named else "a column"


_SENTENCES: tuple[tuple[tuple[str, ...], type[EngineError], str], ...] = (
    (
        ("PERMISSION_DENIED", "INSUFFICIENT_PERMISSIONS", "UNAUTHENTICATED", "42501", "AccessDenied",
         "AccessControlException", "Permission denied", "Invalid authentication token"),
        EngineError,
        "Apache Spark refuses to read {what}: the account of this program lacks the permission. Whoever "
        "keeps the cluster can give it, or a new token in SPARK_CONNECT_AUTHENTICATE_TOKEN.",
    ),
    (
        ("UNRESOLVED_COLUMN", "UNRESOLVED_STAR", "UNRESOLVED_USING_COLUMN_FOR_JOIN"),
        EngineError,
        "A table of this snapshot on the cluster lacks {column}, which this needs. Publish the snapshot "
        "again: python -m data publish --study NAME --to FOLDER.",
    ),
    (
        ("TABLE_OR_VIEW_NOT_FOUND", "PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "SCHEMA_NOT_FOUND",
         "NO_SUCH_CATALOG"),
        EngineError,
        "Apache Spark does not find {what} where COHORT_STORE says. Publish the snapshot again, or correct "
        "COHORT_STORE.",
    ),
    (
        ("UNAVAILABLE", "SESSION_NOT_FOUND", "SESSION_CHANGED", "SESSION_CLOSED", "RETRIES_EXCEEDED",
         "closed channel", "OPERATION_NOT_FOUND", "OPERATION_ABANDONED", "Socket closed"),
        Unreachable,
        "Apache Spark does not answer. What was computed before can still be shown; try again in a moment. "
        "If that does not help, the cluster is down or cannot be reached from here.",
    ),
    (
        ("OutOfMemory", "MAX_RESULT_SIZE", "RESOURCE_EXHAUSTED"),
        EngineError,
        "Apache Spark has not enough memory for this. Choose a smaller cohort, or ask whoever keeps the "
        "cluster for more.",
    ),
)  # fmt: skip
"""What an error of Spark has in it, and what it is in words."""
