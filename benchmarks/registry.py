"""Stores of made registries, to measure what many patients cost.

    python -m benchmarks.registry FOLDER PATIENTS

Up to a million patients are imported as anybody's are. More are that million several times over, each time
under other identifiers: what pages ask of them costs the same, and making them takes minutes, not hours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.make_registry import write
from data.store import file_sha256, find
from tools.serving import ROOT

STUDY = "registry"
IMPORTED = 1_000_000
"""Patients that are imported; more are copies of them."""


def make_store(folder: Path, patients: int) -> None:
    """Make a store with a registry of some patients, unless the folder holds one.

    Raises
    ------
    ValueError
        If more than a million patients are not whole millions.
    """
    if (folder / f"{STUDY}.json").exists():
        return
    copies, rest = divmod(patients, IMPORTED)
    if copies and rest:
        raise ValueError(f"{patients:,} patients are not whole millions. Ask for whole millions.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as raw:
        write(Path(raw), min(patients, IMPORTED))
        command = [sys.executable, "-m", "data", "import", raw, "--study", STUDY]
        store = os.environ | {"COHORT_STORE": str(folder)}
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=store)
    if copies > 1:
        _multiply(folder, copies)


def _multiply(folder: Path, copies: int) -> None:
    """Replace the snapshot of a store by one with its patients several times."""
    one = find(STUDY, folder=folder)
    many = one.path.with_name(f"{STUDY}-{copies:012d}.duckdb")
    shutil.copy(one.path, many)
    many.chmod(0o644)
    with duckdb.connect(str(many)) as connection:
        connection.execute("SET enable_progress_bar = FALSE")
        tables = connection.execute(
            "SELECT table_name FROM duckdb_columns() WHERE column_name = 'patient_id' "
            "AND NOT internal ORDER BY ALL"
        ).fetchall()
        for (table,) in tables:
            _copy_rows(connection, table, copies, one.rows["patients"])
        connection.execute(f"UPDATE endpoints SET n_usable = n_usable * {copies}")
    many.chmod(0o444)
    record = one.path.with_suffix(".json")
    fields = json.loads(record.read_text("utf-8")) | {
        "hash": f"{copies:012d}",
        "file": many.name,
        "file_sha256": file_sha256(many),
        "rows": {name: n * copies for name, n in one.rows.items()},
    }
    many.with_suffix(".json").write_text(json.dumps(fields), "utf-8")
    pointer = folder / f"{STUDY}.json"
    told = json.loads(pointer.read_text("utf-8")) | {"snapshot": fields["hash"]}
    pointer.write_text(json.dumps(told), "utf-8")
    for path in (record, one.path):
        path.unlink()


def _copy_rows(
    connection: duckdb.DuckDBPyConnection, table: str, copies: int, patients: int
) -> None:
    """Write the rows of a table anew, once per copy, in the order in which an import leaves them."""
    columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    changed = "chr(CAST(65 + $copy AS INTEGER)) || patient_id AS patient_id"
    if "_key" in columns:
        changed += f", CAST(_key + $copy * {patients} AS INTEGER) AS _key"
    connection.execute(f"ALTER TABLE {table} RENAME TO one")
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM one LIMIT 0")
    parts = [("", {})]
    if table == "time_to_event":
        codes = connection.execute("SELECT DISTINCT endpoint FROM one ORDER BY ALL").fetchall()
        parts = [("WHERE endpoint = $endpoint", {"endpoint": code}) for (code,) in codes]
    for where, parameters in parts:
        for copy in range(copies):
            connection.execute(
                f"INSERT INTO {table} SELECT * REPLACE ({changed}) FROM one {where}",
                {"copy": copy, **parameters},
            )
    connection.execute("DROP TABLE one")
    connection.execute("CHECKPOINT")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("patients", type=int)
    options = parser.parse_args()
    make_store(options.folder, options.patients)
    print(find(STUDY, folder=options.folder).path)
