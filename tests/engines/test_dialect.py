"""From DuckDB's SQL to Spark's: what SQLGlot cannot translate, and where tables are."""

from __future__ import annotations

import pytest

from data.engines import dialect
from data.engines.base import sql_text

TABLES = (("patients", "lake.r.patients"), ("snapshot.patients", "raw"), ("status", "view_1"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM patients", "SELECT a FROM lake.r.patients AS patients"),
        ("FROM snapshot.patients", "SELECT * FROM raw AS patients"),
        ("SELECT p.a FROM patients p", "SELECT p.a FROM lake.r.patients AS p"),
        (
            "SELECT s.a FROM status s LEFT JOIN patients USING (b)",
            "SELECT s.a FROM view_1 AS s LEFT JOIN lake.r.patients AS patients USING (b)",
        ),
        (
            "WITH patients AS (SELECT 1 AS a) SELECT a FROM patients",
            "WITH patients AS (SELECT 1 AS a) SELECT a FROM patients",
        ),
        ("SELECT greatest(a), least(b, c)", "SELECT a, LEAST(b, c)"),
        ("SELECT first(a ORDER BY b) FILTER (c)", "SELECT MIN_BY(a, b) FILTER(WHERE c)"),
        ("SELECT * EXCLUDE (b) FROM t", "SELECT * EXCEPT (b) FROM t"),
        ("SELECT * REPLACE (a + 1 AS a) FROM t", "SELECT * EXCEPT (a), a + 1 AS a FROM t"),
        ("SELECT list_contains($x, a) -- why", "SELECT ARRAY_CONTAINS(:x, a)"),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a NULLS LAST"),
    ],
)
def test_a_query_is_translated(sql: str, expected: str) -> None:
    assert dialect.query(sql, TABLES) == expected


def test_a_pivot_is_an_aggregate_per_level() -> None:
    asked: list[str] = []

    def levels(expression: str) -> list[str]:
        asked.append(expression)
        return ["mrd_b_day", "mrd_a_day"]

    _, days, _ = dialect.statements(sql_text("derive_subjects"))
    made = dialect.statement(days, (("mrd_by_timepoint", "view_1"),), levels)
    assert asked == ["variable || '_day'"]
    assert made.table == "day_wide"
    assert made.sql.startswith(
        "SELECT patient_id, MAX(CASE WHEN variable || '_day' = 'mrd_a_day' THEN sample_day END) "
        "AS `mrd_a_day`, MAX("
    )
    assert made.sql.endswith("FROM view_1 AS mrd_by_timepoint GROUP BY patient_id")


def test_a_level_that_is_no_name_makes_no_column() -> None:
    status, *_ = dialect.statements(sql_text("derive_subjects"))
    with pytest.raises(ValueError, match="not a variable name"):
        dialect.statement(status, (), lambda expression: ["x' OR TRUE --"])


def test_statements_make_or_drop_tables() -> None:
    dropped, made = dialect.statements(sql_text("overlay_close"))
    assert dialect.statement(dropped, (), lambda _: []).dropped == "mrd_assessments"
    assert dialect.statement(made, (), lambda _: []).table == "mrd_assessments"


def test_the_tables_of_a_text_are_found_with_those_inside_it() -> None:
    text = "SELECT (SELECT max(a) FROM course c WHERE c.b = s.b) FROM subjects s JOIN t USING (a)"
    assert dialect.tables_of(text) == {"course", "subjects", "t"}
