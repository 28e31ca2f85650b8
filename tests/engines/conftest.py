"""A made-up cohort and the embedded ones in both forms, and one Spark beside the tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import make_registry
from data.engines import parquet, spark
from data.importing.command import Options, import_paths
from data.store import Snapshot, find

EMBEDDED = ("chiaretti2004", "nguyen2026", "short2025")
MADE_UP = "registry"
PATIENTS = 100_000


@pytest.fixture(scope="session")
def _spark_is_here() -> None:
    missing = [
        what
        for what, here in (
            ("Java", shutil.which("java")),
            ("requirements-spark.txt", importlib.util.find_spec("pyspark")),
        )
        if not here
    ]
    if missing:
        reason = f"Not installed: {' and '.join(missing)}. Nothing was compared with Apache Spark."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def folder(
    store: Path, _spark_is_here: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A store with the embedded cohorts and a made-up one."""
    folder, source = tmp_path_factory.mktemp("both") / "store", tmp_path_factory.mktemp("made")
    shutil.copytree(store, folder)
    make_registry.write(source, PATIENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STORE", str(folder))
        outcome = import_paths([source], Options(MADE_UP, small_cell_minimum=0))
    assert outcome.snapshot is not None, outcome.message
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def files(folder: Path) -> dict[str, Snapshot]:
    """The snapshots as DuckDB has them."""
    return {study: find(study, folder=folder) for study in (*EMBEDDED, MADE_UP)}


@pytest.fixture(scope="session")
def published(files: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as folders of Parquet."""
    folder = tmp_path_factory.mktemp("published")
    for snapshot in files.values():
        parquet.publish(snapshot, folder)
    return folder


@pytest.fixture(scope="session")
def engine(published: Path) -> Iterator[spark.Spark]:
    found = spark.engine(f"{spark.LOCAL}{published}")
    yield found
    found.close()


@pytest.fixture(scope="session")
def snapshots(engine: spark.Spark) -> dict[str, Snapshot]:
    """The snapshots as Spark has them."""
    return {snapshot.study_id: snapshot for snapshot in engine.snapshots()}
