"""A snapshot as folders of Parquet, one per table: the form in which Spark reads it.

    FOLDER/<study>-<hash>/<table>/…   the tables, time_to_event divided by endpoint
    FOLDER/snapshots/<study>-<hash>.parquet   one row that describes the snapshot, written last

Whoever keeps a catalogue makes the same tables there, see docs/spark.md.
"""

from __future__ import annotations

import datetime
import json
import os
import secrets
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data.engines import duck
from data.engines.base import Snapshot, sql_text
from data.variables import quoted

SNAPSHOTS = "snapshots"
"""The table with one row per snapshot."""

TABLES = (
    "studies", "timepoints", "own_variables", "patients", "mrd_assessments", "treatments", "outcomes",
    "import_problems", "course", "mrd_by_timepoint", "subjects", "time_to_event", "endpoints",
)  # fmt: skip
"""What a query can read: the raw tables and those derived from them, but for what the study brought."""

DIFFERING = ("patients", "outcomes", "mrd_assessments")
"""The tables in which two snapshots are held against each other."""

_DIVIDED = {"time_to_event": "PARTITION_BY (endpoint), WRITE_PARTITION_COLUMNS false,"}


def name_of(study_id: str, digest: str) -> str:
    """Return the name of the folder of a snapshot."""
    return f"{study_id}-{digest}"


def publish(snapshot: Snapshot, folder: Path) -> Path:
    """Write a snapshot into a folder as Parquet, and make it the one that is served there.

    What is there already is not written again, but for the row that describes the snapshot: with it a
    change of the small-cell minimum arrives.

    Parameters
    ----------
    snapshot : Snapshot
        Of a folder, verified.
    folder : Path
        Made where it is not there.

    Returns
    -------
    Path
        The folder with the tables.

    Raises
    ------
    OSError
        If it cannot be written; readers of the folder see what they saw.
    """
    name = name_of(snapshot.study_id, snapshot.hash)
    place = folder / name
    (folder / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    if not place.exists():
        scratch = folder / f".write-{secrets.token_hex(8)}"
        try:
            _write_tables(snapshot, scratch)
            os.replace(scratch, place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    _write_row(snapshot, folder / SNAPSHOTS, name)
    return place


def _write_tables(snapshot: Snapshot, place: Path) -> None:
    opened = sql_text("publish_open").replace("{path}", duck.text_sql(snapshot.path))
    with duckdb.connect(":memory:", config=dict(duck.BUILD_CONFIG)) as connection:
        connection.execute(opened)
        for table in TABLES:
            (place / table).mkdir(parents=True)
            text = sql_text("publish_table").replace("{table}", quoted(table))
            text = text.replace("{partition}", _DIVIDED.get(table, "PER_THREAD_OUTPUT true,"))
            try:
                connection.execute(text.replace("{folder}", duck.text_sql(place / table)))
            except duckdb.Error as error:
                # Its message can name what was to be written.
                raise OSError(
                    f"The table {table} could not be written ({type(error).__name__}): the disk may be "
                    "full. Nothing was published."
                ) from None


def _write_row(snapshot: Snapshot, folder: Path, name: str) -> None:
    """Write the row of a snapshot in one step: its name begins with a dot until it is whole."""
    row = {
        "study_id": snapshot.study_id,
        "title": snapshot.title,
        "hash": snapshot.hash,
        "file_sha256": snapshot.file_sha256,
        "published_at": snapshot.published_at,
        "published_by": snapshot.published_by,
        "rows": json.dumps(dict(snapshot.rows)),
        "format": snapshot.format,
        "small_cell_minimum": snapshot.small_cell_minimum,
        "served_at": datetime.datetime.now(datetime.UTC).isoformat(),
    }
    scratch = folder / f".{name}.parquet"
    pq.write_table(pa.Table.from_pylist([row]), scratch)
    os.replace(scratch, folder / f"{name}.parquet")
