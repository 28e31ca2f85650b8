"""A cluster that is lost, slow or refuses, tables that are not whole: a sentence, and the rest stands."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from data import queries, store
from data.__main__ import main
from data.cohort import CohortFilter
from data.engines import base, local, parquet, spark
from data.store import EngineError, Snapshot, SnapshotError, Unreachable, find, query, snapshots
from tests.engines import beside

ENDLESS = (
    "SELECT count(*) AS n FROM subjects a CROSS JOIN subjects b CROSS JOIN subjects c "
    "CROSS JOIN subjects d CROSS JOIN subjects e CROSS JOIN subjects f WHERE "
    "a.age_years + b.age_years + c.age_years + d.age_years + e.age_years + f.age_years < 0"
)
STUDY, LARGER = "chiaretti2004", "short2025"


@pytest.fixture(scope="module")
def files(store: Path, _spark: None) -> dict[str, Snapshot]:
    """The snapshots as DuckDB has them."""
    return {study: find(study, folder=store) for study in (STUDY, LARGER)}


@pytest.fixture(scope="module")
def published(files: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    parquet.publish(files[LARGER], folder)
    return folder


@pytest.fixture(scope="module")
def engine(published: Path) -> spark.Spark:
    return spark.engine(f"{spark.LOCAL}{published}")


@pytest.fixture(scope="module")
def larger(engine: spark.Spark) -> Snapshot:
    """A study as Spark has it."""
    (snapshot,) = engine.snapshots()
    return snapshot


@pytest.fixture
def copy(files: dict[str, Snapshot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small study, published to a folder of its own that is the store."""
    folder = tmp_path / "copy"
    parquet.publish(files[STUDY], folder)
    monkeypatch.setenv("COHORT_STORE", f"{spark.LOCAL}{folder}")
    return folder


@pytest.fixture
def remote(published: Path) -> Iterator[tuple[spark.Spark, Snapshot]]:
    """The Spark beside the tests as one that somebody else keeps, and the study there."""
    found = spark.Spark("spark://there/tables", local.running(), str(published))
    (snapshot,) = found.snapshots()
    yield found, snapshot
    found.close()


def table(folder: Path, name: str) -> Path:
    (place,) = folder.glob(f"{STUDY}-*/{name}")
    return place


def test_a_table_that_lacks_a_column(copy: Path) -> None:
    (path,) = table(copy, "subjects").glob("*.parquet")
    pd.read_parquet(path).drop(columns="risk_group").to_parquet(path)
    snapshot = find(STUDY)
    assert queries.study(snapshot).study_id == STUDY
    with pytest.raises(
        EngineError, match=r"lacks the column ‘risk_group’.*Publish the snapshot again"
    ):
        query(snapshot, "SELECT risk_group, count(*) AS n FROM subjects GROUP BY risk_group")
    assert query(snapshot, "SELECT count(*) AS n FROM subjects")["n"][0] == 95


def test_a_table_that_is_gone(copy: Path) -> None:
    shutil.rmtree(table(copy, "course"))
    snapshot = find(STUDY)
    with pytest.raises(EngineError, match="does not find the table course of chiaretti2004"):
        query(snapshot, "SELECT count(*) AS n FROM course")
    assert query(snapshot, "SELECT count(*) AS n FROM subjects")["n"][0] == 95


def test_a_table_that_lost_rows(copy: Path) -> None:
    (path,) = table(copy, "outcomes").glob("*.parquet")
    pd.read_parquet(path).head(90).to_parquet(path)
    with pytest.raises(SnapshotError, match=r"outcomes has 90 rows instead of 95.*is not shown"):
        query(find(STUDY), "SELECT 1 AS one")


def test_a_store_without_snapshots_and_a_study_that_is_not_there(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SnapshotError, match="‘nobody’ is not in this store"):
        find("nobody")
    monkeypatch.setenv("COHORT_STORE", f"{spark.LOCAL}{copy / 'nothing'}")
    with pytest.raises(EngineError, match="does not find the table snapshots"):
        snapshots()


def test_what_a_cluster_holds_is_not_changed_from_here(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("rollback --snapshot x", "delete", "minimum 5", "publish --to elsewhere"):
        name, *rest = command.split()
        assert main([name, "--study", STUDY, *rest]) == 1
        assert "read with Apache Spark and changed where the data are" in capsys.readouterr().err
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith(f"* {STUDY}")


def test_publishing_again_carries_the_small_cell_minimum_and_nothing_else(
    files: dict[str, Snapshot], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    before = {path: path.stat().st_mtime_ns for path in table(copy, "subjects").glob("*")}
    parquet.publish(replace(files[STUDY], small_cell_minimum=7), copy)
    assert {path: path.stat().st_mtime_ns for path in table(copy, "subjects").glob("*")} == before
    (snapshot,) = snapshots()
    assert (snapshot.small_cell_minimum, snapshot.current) == (7, True)


def test_rows_stay_where_they_are(
    files: dict[str, Snapshot], larger: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "MOST_ROWS", 100)
    variables = queries.dictionary(files[LARGER])
    with pytest.raises(EngineError, match=r"rows stay on the cluster. Choose a smaller cohort"):
        queries.subjects(larger, CohortFilter(), variables)
    assert queries.size(larger, CohortFilter(), variables) == 161


def test_a_refused_permission(remote: tuple[spark.Spark, Snapshot], published: Path) -> None:
    url = f"sc://localhost:{local.running().rpartition(':')[2].partition('/')[0]}/;token=another"
    stranger = spark.Spark("spark://there/tables", url, str(published))
    with pytest.raises(EngineError, match="account of this program lacks the permission") as raised:
        stranger.snapshots()
    assert "another" not in str(raised.value)
    stranger.close()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("[INSUFFICIENT_PERMISSIONS] User x cannot SELECT", "refuses to read the table t"),
        ("org.apache.hadoop.security.AccessControlException: Permission denied", "refuses to read"),
        ("java.lang.OutOfMemoryError: Java heap space", "not enough memory"),
        ("[INTERNAL_ERROR] value 'Jane Doe'", "could not answer"),
    ],
)
def test_what_spark_says_becomes_a_sentence_without_values(error: str, sentence: str) -> None:
    said = str(spark._sentence(RuntimeError(error), "", "the table t"))
    assert sentence in said
    assert "Jane" not in said


@pytest.mark.usefixtures("_spark")
@pytest.mark.parametrize(
    "address",
    [
        "spark://ann:secret@host/c.s",
        "spark://host:15002/;token=secret",
        "spark://host",
        "spark:///c.s",
    ],
)
def test_an_address_with_credentials_is_none(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", address)
    with pytest.raises(EngineError, match=r"no address of Spark.*without user") as raised:
        snapshots()
    assert "secret" not in str(raised.value)


def test_without_spark_the_rest_works_and_the_error_says_what_to_install(
    files: dict[str, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql.connect.session", None)
    monkeypatch.setenv("COHORT_STORE", f"{spark.LOCAL}/somewhere")
    with pytest.raises(EngineError, match=r"pip install -r requirements-spark\.txt"):
        snapshots()
    assert query(files[STUDY], "SELECT count(*) AS n FROM subjects")["n"][0] == 95


class ClickedOn(BaseException):
    """What a page raises when its reader has moved on."""


def test_a_query_nobody_waits_for_is_cancelled(
    remote: tuple[spark.Spark, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, snapshot = remote
    engine.verify(snapshot)
    waited: list[float] = []

    def look(what: str, seconds: float) -> None:
        waited.append(seconds)
        if what == engine.name and len(waited) > 10:
            raise ClickedOn

    monkeypatch.setattr(base, "_watcher", look)
    with pytest.raises(ClickedOn):
        engine.frame(snapshot, ENDLESS, {})
    monkeypatch.undo()
    session = engine._session().session
    left = _until(lambda: not session.interruptAll())
    assert left, "the query goes on on the cluster"
    assert engine.records(snapshot, "SELECT count(*) AS n FROM subjects", {}) == [{"n": 161}]


def _until(true: object, seconds: float = 60) -> bool:
    assert callable(true)
    for _ in range(int(seconds * 5)):
        if true():
            return True
        time.sleep(0.2)
    return False


def test_a_cluster_that_is_lost_in_the_middle_of_a_query(
    remote: tuple[spark.Spark, Snapshot], engine: spark.Spark, larger: Snapshot
) -> None:
    there, snapshot = remote
    there.verify(snapshot)
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            there.frame(snapshot, ENDLESS, {})
        except BaseException as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert _until(lambda: there._workers._work_queue.empty() and asking.is_alive(), 5)
    time.sleep(1)
    beside.kill()
    asking.join(120)
    assert [type(error) for error in raised] == [Unreachable]
    assert "does not answer" in str(raised[0])
    assert "try again" in str(raised[0])
    # The list that there was still stands, and one's own Spark is started again.
    assert snapshot in there.snapshots()
    assert engine.records(larger, "SELECT count(*) AS n FROM subjects", {}) == [{"n": 161}]


def test_stores_are_told_apart() -> None:
    assert spark.is_spark("spark://host:15002/c.s")
    assert spark.is_spark("spark-local:folder")
    assert not spark.is_spark("/srv/spark")
    assert (
        store.engine_of(Snapshot("s", "S", "0", "", Path(), "", {}, current=True)).name == "DuckDB"
    )
