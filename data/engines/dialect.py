"""From the SQL of data/sql, which DuckDB reads as it stands, to the dialect of Apache Spark.

SQLGlot translates. What it cannot is here as one macro each, by the name of what it replaces.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from data.engines.base import sql_text
from data.variables import quoted

READ, WRITE = "duckdb", "spark"

_PIVOT = re.compile(
    r"CREATE TEMP TABLE (?P<table>\w+) AS\s+PIVOT \(SELECT (?P<key>\w+), (?P<what>.+?), (?P<value>\w+) "
    r"FROM (?P<source>\w+)\)\s+ON (?P<on>\w+) USING first\((?P=value)\) GROUP BY (?P=key)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """One statement of a text, translated.

    Attributes
    ----------
    sql : str
        A query.
    table : str
        The table that it makes; empty for one that only asks.
    dropped : str
        The table that the statement drops instead.
    """

    sql: str
    table: str = ""
    dropped: str = ""


Tables = Sequence[tuple[str, str]]
"""How a table is called in the texts, with its schema if it has one, and where it is."""

Levels = Callable[[str], Sequence[str]]
"""Returns the values of an expression over the timepoints of a study, in order."""


@functools.lru_cache(maxsize=2000)
def query(sql: str, tables: Tables) -> str:
    """Return a query in the dialect of Spark.

    Parameters
    ----------
    sql : str
    tables : tuple of (str, str)
        As `Tables`.
    """
    return _written(sqlglot.parse_one(sql, read=READ), dict(tables))


@functools.lru_cache(maxsize=2000)
def tables_of(sql: str) -> frozenset[str]:
    """Return the tables that a text of one or several statements reads, with their schemas if any."""
    found = set[str]()
    for part in statements(sql):
        pivot = _PIVOT.fullmatch(part)
        tree = sqlglot.parse_one(f"FROM {pivot['source']}" if pivot else part, read=READ)
        found |= {_called(table) for table in tree.find_all(exp.Table)}
    return frozenset(found)


def _called(table: exp.Table) -> str:
    return f"{table.db}.{table.name}" if table.db else table.name


def statements(sql: str) -> list[str]:
    """Return the statements of a text, one by one."""
    plain = re.sub(r"--[^\n]*", "", sql)
    return [part.strip() for part in plain.split(";") if part.strip()]


def statement(sql: str, tables: Tables, levels: Levels) -> Statement:
    """Return a statement that makes or drops a table in the dialect of Spark.

    Parameters
    ----------
    sql : str
    tables : tuple of (str, str)
        As `Tables`.
    levels : callable
        As `Levels`.
    """
    pivot = _PIVOT.fullmatch(sql)
    if pivot:
        asked = _pivot(**pivot.groupdict(), levels=levels)
        return Statement(query(asked, tables), pivot["table"])
    tree = sqlglot.parse_one(sql, read=READ)
    (name, *_) = [table.name for table in tree.find_all(exp.Table)]
    if isinstance(tree, exp.Drop):
        return Statement("", dropped=name)
    return Statement(_written(tree.expression, dict(tables)), name)


def _pivot(
    table: str, key: str, what: str, value: str, source: str, on: str, levels: Levels
) -> str:
    """Return DuckDB's PIVOT, which finds its columns itself, as one aggregate per timepoint."""
    expression = re.sub(rf" AS {on}$", "", what)
    columns = "".join(
        f", max(CASE WHEN {expression} = '{level}' THEN {value} END) AS {quoted(level)}"
        for level in sorted(levels(expression))
    )
    text = sql_text("macro_pivot").replace("{key}", key).replace("{source}", source)
    return text.replace("{columns}", columns)


def _written(tree: exp.Expr, tables: dict[str, str]) -> str:
    """Return a tree as text, its tables put in place."""
    inner = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        called = _called(table)
        if called in tables and called not in inner:
            placed = sqlglot.to_table(tables[called], dialect=WRITE)
            placed.set(
                "alias",
                table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name)),
            )
            for part in ("joins", "pivots", "laterals"):
                placed.set(part, table.args.get(part))
            table.replace(placed)
    for macro in (_first_in_order, _one_is_the_greatest, _star_replaced):
        tree = tree.transform(macro)
    return tree.sql(dialect=WRITE, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _first_in_order(node: exp.Expr) -> exp.Expr:
    """first(x ORDER BY y), which Spark has as min_by(x, y)."""
    if isinstance(node, exp.First) and isinstance(node.this, exp.Order):
        (key,) = node.this.expressions
        return exp.Anonymous(this="min_by", expressions=[node.this.this, key.this])
    return node


def _one_is_the_greatest(node: exp.Expr) -> exp.Expr:
    """greatest(x), which Spark wants of two or more."""
    if isinstance(node, exp.Greatest | exp.Least) and not node.expressions:
        (alone,) = node.iter_expressions()
        return alone
    return node


def _star_replaced(node: exp.Expr) -> exp.Expr:
    """* REPLACE (x AS y), which Spark does not have: * without y, then x. The column moves to the end."""
    if isinstance(node, exp.Select):
        for star in [e for e in node.expressions if isinstance(e, exp.Star)]:
            replaced = star.args.get("replace") or []
            if replaced:
                gone = [exp.to_identifier(each.alias) for each in replaced]
                star.set("except_", [*(star.args.get("except_") or []), *gone])
                star.set("replace", None)
                for each in replaced:
                    node.append("expressions", each)
    return node
