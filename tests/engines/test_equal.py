"""Every query of data/sql on both engines: the same frames, to the last count, type and row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st

from benchmarks import make_registry
from data import queries, store
from data.cohort import CohortFilter
from data.engines import duck, local, parquet, spark
from data.engines.base import SQL
from data.engines.spark import Spark
from data.exporting import adam
from data.importing.command import Options, import_paths
from data.rule import MrdRule
from data.store import Snapshot, difference, find, query
from pages.elements import evidence, exhibits, frame
from pages.elements.answers.negativity import negativity
from pages.elements.answers.survival import survival
from pages.elements.answers.who import characteristics
from pages.elements.link import View

EMBEDDED = ("chiaretti2004", "nguyen2026", "short2025")
MADE_UP = "registry"
PATIENTS = 100_000
RULES = (MrdRule("NGS", 1e-5), MrdRule("MFC", None, "negative"), MrdRule(None, 1e-4))
HIGH = CohortFilter(ph_status=("negative",), risk_group=("high",))
VIEWS: Mapping[str, tuple[tuple[CohortFilter, dict[str, str]], ...]] = {
    "chiaretti2004": ((CohortFilter(), {"by": "risk_group"}),),
    "nguyen2026": ((CohortFilter(), {}),),
    "short2025": (
        (CohortFilter(age_years=(18, 60)), {"by": "allosct", "landmark_days": "167"}),
        (HIGH.with_rule(RULES[0]), {"by": "mrd_after_cycle_1"}),
    ),
    MADE_UP: ((CohortFilter(ph_status=("negative",)), {"by": "risk_group"}),),
}
COUNTED = (
    "attrition",
    "disposition",
    "missing_data",
    "survival_curves",
    "survival_table",
    "mrd_rates",
)
"""What is asked of the made-up cohort: what needs no rows of patients."""
OF_PAGES = [key for key in exhibits.FIGURES if key != "evidence_forest"]
"""What is asked of the others: the one left out asks again what `_ask_of_patients` asks of figures."""
OF_THE_STORE = {
    "query_columns": "the engine's own way to its columns",
    "query_difference": "see test_differences_are_equal",
    "query_rows": "counts the rows of what was published, on Spark alone",
    "query_snapshots": "lists what a cluster holds, on Spark alone",
    "query_timepoint_levels": "columns of a pivot, on Spark alone",
    "query_evaluable": "asked by an import, see test_what_an_import_asks",
}
"""Texts that no page asks."""


@pytest.fixture(scope="module")
def folder(store: Path, _spark: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
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


@pytest.fixture(scope="module")
def files(folder: Path) -> dict[str, Snapshot]:
    """The snapshots as DuckDB has them."""
    return {study: find(study, folder=folder) for study in (*EMBEDDED, MADE_UP)}


@pytest.fixture(scope="module")
def published(files: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as folders of Parquet."""
    folder = tmp_path_factory.mktemp("published")
    for snapshot in files.values():
        parquet.publish(snapshot, folder)
    return folder


@pytest.fixture(scope="module")
def engine(published: Path) -> Spark:
    return spark.engine(f"{spark.LOCAL}{published}")


@pytest.fixture(scope="module")
def snapshots(engine: Spark) -> dict[str, Snapshot]:
    """The snapshots as Spark has them."""
    return {snapshot.study_id: snapshot for snapshot in engine.snapshots()}


@dataclass
class Recorder:
    """DuckDB's engine, which notes what it is asked."""

    asked: dict[tuple[object, ...], tuple[Snapshot, str, dict[str, Any]]] = field(
        default_factory=dict
    )

    def frame(self, snapshot: Snapshot, sql: str, parameters: dict[str, Any]) -> pd.DataFrame:
        self._note(snapshot, sql, parameters)
        return duck.frame(snapshot, sql, parameters)

    def records(self, snapshot: Snapshot, sql: str, parameters: dict[str, Any]) -> Any:
        self._note(snapshot, sql, parameters)
        return duck.records(snapshot, sql, parameters)

    def _note(self, snapshot: Snapshot, sql: str, parameters: dict[str, Any]) -> None:
        # Once each: other values of the same text are the same translation.
        rule = parameters.get("mrd_rule")
        self.asked.setdefault(
            (snapshot.study_id, rule, snapshot.compared, sql), (snapshot, sql, dict(parameters))
        )


@pytest.fixture(scope="module")
def asked(folder: Path, files: dict[str, Snapshot]) -> Iterator[Recorder]:
    """What every figure and file of the pages asks, at least once each."""
    recorder = Recorder()
    st.cache_resource.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STORE", str(folder))
        patch.setattr(store, "engine_of", lambda snapshot: recorder)
        for study, views in VIEWS.items():
            for chosen, options in views:
                cohort = frame.cohort_of(View(study, None, chosen, tuple(options.items())))
                for key in COUNTED if study == MADE_UP else OF_PAGES:
                    exhibits.FIGURES[key].build(cohort)
            if study != MADE_UP:
                adam.archive(files[study])
                _ask_of_patients(files[study])
    yield recorder
    st.cache_resource.clear()


def _ask_of_patients(snapshot: Snapshot) -> None:
    variables = queries.dictionary(snapshot)
    patient_id = str(queries.subjects(snapshot, HIGH.everybody(), variables)["patient_id"].iat[-1])
    queries.patient(snapshot, CohortFilter(), patient_id)
    queries.import_problems(snapshot)
    query(snapshot, store.sql_text("query_first_course"), {"kind": "alloSCT"})
    query(snapshot, store.sql_text("query_level_at_start"))
    by = ("risk_group",)
    queries.events(snapshot, HIGH, variables, endpoint="OS", by=by)
    queries.event_rows(snapshot, HIGH, variables, endpoint="RFS", by=by, landmark_days=100)
    queries.switch_rows(snapshot, HIGH, variables, endpoint="OS", name="allosct")
    queries.mrd_by_timepoint(snapshot, HIGH, variables, by=by)
    if snapshot.study_id in evidence.studies():
        for figure in evidence.figures(snapshot.study_id)[::6]:
            evidence.compare(snapshot, variables, figure)


def _templates(sql: str) -> frozenset[str]:
    return frozenset(name for name, said in _TEXTS.items() if said in sql)


_TEXTS = {
    # How its comment begins, which no two texts share, before anything is filled in.
    path.stem: path.read_text("utf-8").partition("\n")[0].partition("{")[0]
    for path in sorted((*SQL.glob("query_*.sql"), *SQL.glob("export_*.sql")))
}


def test_every_query_of_the_store_is_asked(asked: Recorder) -> None:
    found = {name for _, sql, _ in asked.asked.values() for name in _templates(sql)}
    # Texts on one line, set into others, have lost their comments.
    inner = {name for name in _TEXTS if name.startswith("query_assay_pair")}
    assert {*_TEXTS} - found - inner == {*OF_THE_STORE}


@pytest.mark.parametrize("study", [*EMBEDDED, MADE_UP])
def test_every_query_gives_the_same_frame(
    asked: Recorder, engine: Spark, snapshots: dict[str, Snapshot], study: str
) -> None:
    mine = _few_of_each([q for key, q in asked.asked.items() if key[0] == study])
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda q: _both(engine, snapshots[study], *q), mine)
        for (_, sql, _), (got, expected) in zip(mine, results, strict=True):
            _assert_same(got, expected, sql)


def _few_of_each(
    found: list[tuple[Snapshot, str, dict[str, Any]]],
) -> list[tuple[Snapshot, str, dict[str, Any]]]:
    """Return the longest and the shortest question of each text and rule: time is short."""
    kinds: dict[object, list[tuple[Snapshot, str, dict[str, Any]]]] = {}
    for each in found:
        kinds.setdefault((_templates(each[1]) or each[1], each[2].get("mrd_rule")), []).append(each)
    chosen = []
    for some in kinds.values():
        some.sort(key=lambda each: len(each[1]))
        chosen += some if len(some) == 1 else [some[0], some[-1]]
    return chosen


def _both(
    engine: Spark, there: Snapshot, here: Snapshot, sql: str, parameters: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    expected = duck.frame(here, sql, parameters)
    return engine.frame(replace(there, compared=here.compared), sql, parameters), expected


def _assert_same(got: pd.DataFrame, expected: pd.DataFrame, sql: str) -> None:
    if "ORDER BY" not in sql.rsplit(")", maxsplit=1)[-1]:
        columns = list(expected.columns)
        got, expected = (frame.sort_values(columns, ignore_index=True) for frame in (got, expected))
    pd.testing.assert_frame_equal(got, expected, check_exact=True, obj=sql)


@pytest.mark.parametrize(
    ("study", "rule"),
    [("short2025", RULES[0]), ("short2025", RULES[2]), ("nguyen2026", RULES[1])],
    ids=str,
)
def test_rules_derive_the_same_tables(
    files: dict[str, Snapshot], snapshots: dict[str, Snapshot], study: str, rule: MrdRule
) -> None:
    for table in ("mrd_by_timepoint", "subjects", "mrd_assessments"):
        text = f"FROM {table} ORDER BY ALL"
        here, there = (query(s[study], text, {"mrd_rule": rule}) for s in (files, snapshots))
        pd.testing.assert_frame_equal(there[list(here)], here, check_exact=True)
        assert set(there) == set(here)


def test_two_saved_cohorts_compare_alike(
    files: dict[str, Snapshot], snapshots: dict[str, Snapshot]
) -> None:
    found = []
    for snapshot in (files["short2025"], snapshots["short2025"]):
        variables = queries.dictionary(snapshot)
        young = CohortFilter(age_years=(0, 50), rule=RULES[1])
        compared = queries.comparing(snapshot, HIGH, young, variables)
        wider = queries.dictionary(compared)
        found.append(
            queries.events(compared, CohortFilter(), wider, endpoint="OS", by=("cohorts",))
        )
        found.append(queries.in_both(compared, CohortFilter(), wider))
    pd.testing.assert_frame_equal(found[0], found[2], check_exact=True)
    assert found[1] == found[3] > 0


def test_differences_are_equal(files: dict[str, Snapshot], snapshots: dict[str, Snapshot]) -> None:
    here, there = (difference(some["short2025"], some["nguyen2026"]) for some in (files, snapshots))
    assert here.pop("given_endpoints_changed") == 0
    assert here == there
    assert here["patients_added"] > 0
    assert here["treatments_added"] > 0


def test_what_an_import_asks(files: dict[str, Snapshot], snapshots: dict[str, Snapshot]) -> None:
    text = store.sql_text("query_evaluable")
    here, there = (query(some["short2025"], text) for some in (files, snapshots))
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_columns_are_equal(
    files: dict[str, Snapshot], snapshots: dict[str, Snapshot], engine: Spark
) -> None:
    here, there = duck.columns(files["short2025"]), engine.columns(snapshots["short2025"])
    assert {name: {*here[name]} for name in parquet.TABLES} == {n: {*c} for n, c in there.items()}


def test_tables_of_a_catalogue_answer_alike(
    files: dict[str, Snapshot], engine: Spark, published: Path
) -> None:
    engine.snapshots()
    session = engine._session().session
    session.sql("CREATE DATABASE lake").collect()
    (place,) = published.glob("short2025-*")
    sources = {f"{place.name.replace('-', '_')}_{name}": place / name for name in parquet.TABLES}
    sources["snapshots"] = published / "snapshots" / f"{place.name}.parquet"
    for name, source in sources.items():
        made = f"CREATE TABLE lake.{name} USING parquet AS SELECT * FROM parquet.`{source}`"
        session.sql(made).collect()
    catalogue = Spark("spark://there/lake", local.running(), "lake")
    (snapshot,) = catalogue.snapshots()
    text = "SELECT risk_group, mrd_3_months, count(*) AS n FROM subjects GROUP BY ALL ORDER BY ALL"
    for rule in (None, RULES[1]):
        here = duck.frame(files["short2025"], text, {"mrd_rule": rule})
        there = catalogue.frame(snapshot, text, {"mrd_rule": rule})
        pd.testing.assert_frame_equal(there, here, check_exact=True)
    catalogue.close()


@pytest.mark.parametrize("study", ["short2025", MADE_UP])
def test_curves_tests_and_rates_are_equal(
    files: dict[str, Snapshot], snapshots: dict[str, Snapshot], study: str
) -> None:
    found = []
    for snapshot in (files[study], snapshots[study]):
        variables = queries.dictionary(snapshot)
        curves = survival(
            snapshot, CohortFilter(), variables, endpoint="OS", by="risk_group",
            landmark_days=None, horizon_days=1096,
        )  # fmt: skip
        rates = negativity(
            snapshot, CohortFilter(), variables, by="risk_group", denominator="evaluable"
        )
        kinds = {"age_years": "number", "sex": "category", "kmt2a_rearranged": "boolean"}
        table = characteristics(
            snapshot, CohortFilter(), variables, rows=kinds, by="risk_group",  # type: ignore[arg-type]
        )  # fmt: skip
        assert curves.test is not None
        found.append((curves.km.curve, curves.km.groups, rates.everybody, table.rows, table.tests,
                      pd.DataFrame([{"P": curves.test.p_value, "z": curves.test.statistic}])))  # fmt: skip
    for here, there in zip(*found, strict=True):
        pd.testing.assert_frame_equal(there, here, check_exact=True)


def test_published_figures_are_equal(
    files: dict[str, Snapshot], snapshots: dict[str, Snapshot]
) -> None:
    found = []
    for snapshot in (files["nguyen2026"], snapshots["nguyen2026"]):
        variables = queries.dictionary(snapshot)
        figures = evidence.figures("nguyen2026")[::20]
        found.append([evidence.compare(snapshot, variables, figure) for figure in figures])
    assert found[0] == found[1]
    assert found[0]
