"""On the connection that answers pages, a statement of one's own reads the snapshot and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from data.store import find, query
from tests.security.conftest import STUDY

STATEMENTS = (
    "DELETE FROM patients",
    "UPDATE patients SET age_years = 1",
    "INSERT INTO patients SELECT * FROM patients",
    "DROP TABLE patients",
    "ALTER TABLE patients ADD COLUMN x INTEGER",
    "TRUNCATE patients",
    "CREATE TABLE x (a INTEGER)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE SCHEMA x",
    "CREATE SEQUENCE x",
    "CREATE MACRO x() AS 1",
    "CREATE TYPE x AS ENUM ('a')",
    "CREATE SECRET x (TYPE s3)",
    "CREATE PERSISTENT SECRET x (TYPE s3)",
    "COPY patients TO '{out}/a.csv'",
    "COPY (SELECT 1) TO '{out}/a.parquet' (FORMAT parquet)",
    "COPY patients FROM '/etc/passwd'",
    "EXPORT DATABASE '{out}/x'",
    "IMPORT DATABASE '{out}/x'",
    "ATTACH '{out}/a.duckdb' AS x",
    "ATTACH '/etc/passwd' AS x",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM 'https://away.example/a.csv'",
    "SELECT * FROM hidden_frame",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL x FROM community",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '{out}'",
    "SET memory_limit = '100GB'",
    "PRAGMA enable_profiling",
    "SET log_query_path = '{out}/log'",
    "CHECKPOINT",
    "VACUUM",
)


def _whole(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir() if path.is_file()}  # fmt: skip


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_hostile_statement_is_refused(
    canaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(canaries))
    monkeypatch.chdir(tmp_path)
    hidden_frame = duckdb.sql("SELECT 1").df()
    assert len(hidden_frame) == 1
    before, snapshot = _whole(canaries), find(STUDY)
    try:
        found = query(snapshot, statement.format(out=tmp_path))
    except duckdb.Error:
        pass
    else:
        # What is let through tells nothing and does nothing.
        assert statement in ("CHECKPOINT", "VACUUM"), found
    assert list(tmp_path.iterdir()) == []
    assert _whole(canaries) == before
