"""A random cohort, as a snapshot of the store and as the bare columns that other programs take."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from data.store import Snapshot, file_sha256

ENDPOINT = "OS"
GROUP = "risk_group"
LEVELS = ("Ph-positive", "high", "standard", "unknown")
"""The four levels of the product's risk group, in the order in which text sorts."""

_LAST_DAY = 3650
# Mean days to the event; with follow-up ending evenly over ten years, 40% have it.
_MEAN_DAYS = np.array([3160.0, 3230.0, 3230.0, 3300.0])
_COLUMNS = ("time", "event", "group")
# The two tables that a question joins, as an import leaves them but for one endpoint where it writes
# ten; and one table that needs no join.
_SNAPSHOT = """
    CREATE TABLE subjects AS
        SELECT CAST(row AS INTEGER) AS _key, printf('P%08d', row) AS patient_id,
            CAST(risk_group AS VARCHAR) AS risk_group
        FROM incoming;
    CREATE TABLE time_to_event AS
        SELECT CAST(row AS INTEGER) AS _key, printf('P%08d', row) AS patient_id, 'OS' AS endpoint,
            time AS time_days,
            event AS event_code
        FROM incoming;
    CREATE TABLE one_table AS
        SELECT 'OS' AS endpoint, time AS time_days, event AS event_code,
            CAST(risk_group AS VARCHAR) AS risk_group
        FROM incoming;
"""


def write_cohort(folder: Path, n: int, *, seed: int = 20260114) -> None:
    """Write `n` patients into a folder: a DuckDB file, and one file of int32 per column.

    Whole days up to 3650, about 40% events, four groups of about equal size.
    """
    random = np.random.default_rng(seed)
    group = random.integers(0, len(LEVELS), n)
    event_day = np.ceil(random.exponential(_MEAN_DAYS[group]))
    last_day = random.integers(1, _LAST_DAY + 1, n)
    frame = pd.DataFrame(
        {
            "time": np.minimum(event_day, last_day).astype(np.int32),
            "event": (event_day <= last_day).astype(np.int32),
            "group": group.astype(np.int32),
        }
    )
    for name in _COLUMNS:
        frame[name].to_numpy().tofile(folder / f"{name}.bin")
    with duckdb.connect(str(_store(folder))) as connection:
        labels = pd.Categorical.from_codes(group, categories=pd.Index(LEVELS))
        connection.register("incoming", frame.assign(row=np.arange(n), risk_group=labels))
        connection.execute(_SNAPSHOT)


def read_snapshot(folder: Path) -> Snapshot:
    """Return the DuckDB file of a folder as the store knows it."""
    path = _store(folder)
    return Snapshot("benchmark", "Benchmark", "0", file_sha256(path), path, "", {}, current=True)


def read_columns(folder: Path) -> tuple[npt.NDArray[np.int32], ...]:
    """Return time, event and group number of a folder."""
    return tuple(np.fromfile(folder / f"{name}.bin", dtype=np.int32) for name in _COLUMNS)


def _store(folder: Path) -> Path:
    return folder / "cohort.duckdb"
