"""Every page of the embedded cohorts with a small-cell minimum of 5, and everything that it sends."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest

from analytics.suppression import Hidden, is_small
from data.cohort import CohortFilter
from data.queries import dictionary, events, level_counts, subjects
from data.queries import study as study_of
from data.store import Snapshot, find
from pages.elements import tables
from pages.elements.answers.small_cells import RowsNotShown
from pages.elements.answers.survival import survival
from pages.elements.answers.who import characteristics

ROOT = Path(__file__).parents[2]
STUDIES = ("allmrd", "chiaretti2004", "nguyen2026", "short2025")
MINIMUM = 5

COUNTS = (
    r"\b[1-4] (?:patient|event|death|relapse|sample|competing|died|transplanted|left out|others)",
    r"\b[1-4] of \d",
    r"(?<![\d.,^])[1-4]/\d+(?![\d.]*°)",
    r"\(n = [1-4]\)",
    r"n = [1-4]\b",
    r":gray\[[1-4]\]",
    r"−[1-4] (?:here|on)",
    r"\([1-4]\)",
    r"(?:relapsed|remission|cells) [1-4]\b",
    r"≥[1-4]\b(?!%)",
)
"""Where a text says how many: none of these may hold 1 to 4."""

PRINTED = ("each need at least 2 events",)
"""Of a publication, not of a cohort."""


@pytest.fixture(scope="module")
def small(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the embedded cohorts, each with a minimum of 5."""
    folder = tmp_path_factory.mktemp("small") / "store"
    shutil.copytree(store, folder)
    for study in STUDIES:
        pointer = folder / f"{study}.json"
        fields = json.loads(pointer.read_text("utf-8")) | {"small_cell_minimum": MINIMUM}
        pointer.write_text(json.dumps(fields), "utf-8")
    return folder


@pytest.fixture(autouse=True)
def _served(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(small))


def run(page: str, query: dict[str, str | list[str]]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = value
    return (test if page == "app.py" else test.switch_page(page)).run()


def elements(block: Any) -> Iterator[Any]:
    """Yield every element of a page, in the sidebar and in folds too."""
    for child in block.children.values():
        if hasattr(child, "children") and child.children:
            yield from elements(child)
        elif hasattr(child, "proto"):
            yield child


def texts(value: object) -> Iterator[str]:
    """Yield every text in what a protocol message holds."""
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def sent(test: AppTest) -> tuple[list[str], dict[str, Any]]:
    """Return all text that a page sends, tables among it, and the datasets of its figures."""
    said, figures = [], dict[str, Any]()
    for root in (test.main, test.sidebar):
        for i, element in enumerate(elements(root)):
            proto = element.proto
            kind = element.type
            if kind in ("arrow_vega_lite_chart", "vega_lite_chart"):
                json.loads(proto.spec, parse_constant=_no_number)
                rows = {d.name: as_rows(d.data.data) for d in proto.datasets}
                rows |= {"data": as_rows(proto.data.data)} if proto.data.data else {}
                figures[f"{proto.id or i}"] = rows
                said += [proto.alt, *texts(rows)]
            elif kind in ("table", "arrow_table", "arrow_data_frame", "dataframe"):
                frame = element.value
                frame = frame.data if hasattr(frame, "data") else frame
                said += [str(c) for c in frame.columns]
                own = [column for column in frame if column != "Printed"]
                said += [str(v) for column in own for v in frame[column]]
            else:
                said += list(texts(MessageToDict(proto)))
    return said, figures


def as_rows(data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a dataset as the browser gets them."""
    return list(pa.ipc.open_stream(data).read_all().to_pylist())


def _no_number(text: str) -> float:
    raise AssertionError(f"a figure is sent {text}, which no browser reads")


def patient_ids(study: str, folder: Path) -> set[str]:
    snapshot = find(study, folder=folder)
    return set(subjects(snapshot, CohortFilter(), dictionary(snapshot))["patient_id"])


def groupings(study: str, folder: Path) -> list[str]:
    variables = dictionary(find(study, folder=folder))
    return [v.name for v in variables.groupable if v.known != "with the outcome"]


def assert_nothing_small(test: AppTest, ids: set[str], where: str) -> None:
    assert not test.exception, where
    assert not test.error, (where, [e.value for e in test.error])
    said, figures = sent(test)
    for text in said:
        if len(text) > 20_000 or any(printed in text for printed in PRINTED):
            continue  # the specification of a figure, or what a paper prints
        for pattern in COUNTS:
            found = re.search(pattern, text)
            assert not found, f"{where}: {found.group(0) if found else ''!r} in {text!r}"
        assert not re.search(r"\bnan\b|Hidden\(", text), (where, text)
        assert text not in ids, (where, text)
    for key, datasets in figures.items():
        for name, rows in datasets.items():
            for row in rows:
                for column in ("n", "n_event", "n_risk", "n_censored", "count", "known"):
                    value = row.get(column)
                    few = isinstance(value, int | float) and 0 < value < MINIMUM
                    assert not few, (where, key, name, row)
        assert not datasets.get("ticks"), (where, "a mark for a patient last seen")


PAGES = ("app.py", "pages/survival.py", "pages/mrd.py", "pages/transplant.py")
VIEWS: tuple[tuple[str, dict[str, str]], ...] = (
    *((page, {"study": study}) for study in ("nguyen2026", "short2025") for page in PAGES),
    *((page, {"study": "chiaretti2004"}) for page in PAGES[:2]),
    ("pages/mrd.py", {"study": "allmrd"}),
    ("app.py", {"study": "short2025", "ph_status": "negative", "by": "cytogenetics"}),
    ("pages/survival.py", {"study": "short2025", "by": "cytogenetics", "section": "cox"}),
    ("pages/survival.py", {"study": "short2025", "by": "mrd_3_months", "landmark_days": "91",
                           "section": "subgroups"}),
    ("pages/survival.py", {"study": "short2025", "by": "risk_group", "section": "balance"}),
    ("pages/survival.py", {"study": "short2025", "endpoint": "CIR", "by": "risk_group"}),
    ("pages/mrd.py", {"study": "short2025", "mrd_section": "curves"}),
    ("pages/evidence.py", {"study": "nguyen2026", "part": "patients"}),
    ("pages/evidence.py", {"study": "short2025", "part": "beside"}),
)  # fmt: skip


@pytest.mark.parametrize(("page", "query"), VIEWS)
def test_no_page_sends_a_small_count(page: str, query: dict[str, str], small: Path) -> None:
    test = run(page, query)
    assert_nothing_small(test, patient_ids(query["study"], small), f"{page} {query}")


def test_the_same_page_without_a_minimum_sends_them(short2025: Snapshot) -> None:
    """The search above finds what it looks for."""
    os.environ["COHORT_STORE"] = str(short2025.path.parent)
    test = run("app.py", {"study": "short2025"})
    with pytest.raises(AssertionError):
        assert_nothing_small(test, set(), "app.py")


def test_a_small_selection_and_its_complement_are_refused(small: Path) -> None:
    snapshot = find("short2025", folder=small)
    counts = level_counts(snapshot, CohortFilter(), dictionary(snapshot), ["cytogenetics"])
    few = {level: n for level, n in counts["cytogenetics"].items() if n < MINIMUM}
    assert few
    most = [level for level in counts["cytogenetics"] if level not in few]
    some = min(few)
    for chosen, words in (([some], "Fewer than 5 patients"), (most, "")):
        test = run("app.py", {"study": "short2025", "cytogenetics": chosen})
        said = " ".join(e.value for e in test.info)
        assert "nothing of this selection is shown" in said
        assert words in said
        assert not test.table
        assert not test.metric
        next(b for b in test.button if b.label.startswith("Lift")).click().run()
        assert "161 of 161 patients" in " ".join(e.value for e in test.markdown)


def test_a_filter_that_removes_few_of_the_others_is_refused(small: Path) -> None:
    """Lifting it would tell how many by subtraction."""
    snapshot = find("short2025", folder=small)
    variables = dictionary(snapshot)
    negative = CohortFilter(ph_status=("negative",))
    counts = level_counts(snapshot, negative, variables, ["cytogenetics"])["cytogenetics"]
    kept = [level for level, n in counts.items() if n >= MINIMUM]
    removed = sum(n for n in counts.values() if n < MINIMUM)
    assert 0 < removed < 2 * MINIMUM
    few = next(level for level, n in counts.items() if n < MINIMUM)
    others = [*kept, *(level for level, n in counts.items() if n < MINIMUM and level != few)]
    query: dict[str, str | list[str]] = {"study": "short2025", "ph_status": "negative",
                                         "cytogenetics": others}  # fmt: skip
    assert "nothing of this selection" in " ".join(e.value for e in run("app.py", query).info)


@pytest.mark.parametrize("page", ["pages/patients.py", "pages/transplant.py"])
def test_single_patients_are_not_shown(page: str, small: Path) -> None:
    test = run(page, {"study": "short2025", "swimmer": "yes"})
    assert not test.dataframe
    assert not test.get("download_button")
    assert "Show patients" not in str(test.main)
    if page == "pages/patients.py":
        assert "small-cell minimum under Cohorts" in " ".join(e.value for e in test.info)


def test_rows_of_single_patients_are_refused_to_every_page(small: Path) -> None:
    from pages.elements import access

    snapshot = find("short2025", folder=small)
    for ask in (
        lambda: access.subjects(snapshot, CohortFilter()),
        lambda: access.patient(snapshot, CohortFilter(), "S-001"),
        lambda: access.lanes(snapshot, CohortFilter(), transplanted_first=True),
    ):
        with pytest.raises(RowsNotShown):
            ask()


def test_pages_ask_the_store_by_way_of_what_hides() -> None:
    """A page, or part of one, that asks the store itself would get counts as they are."""
    allowed = {"Study", "Timepoint", "Derivability", "Patient"}
    for path in [*ROOT.glob("pages/*.py"), *ROOT.glob("pages/elements/*.py")]:
        if path.name in ("access.py", "evidence.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "data.queries":
                assert {alias.name for alias in node.names} <= allowed, path.name
            if isinstance(node, ast.ImportFrom) and node.module == "data":
                assert "queries" not in {alias.name for alias in node.names}, path.name
            if isinstance(node, ast.ImportFrom) and node.module == "data.store":
                assert not {"query", "records"} & {alias.name for alias in node.names}, path.name


@pytest.mark.parametrize("study", STUDIES)
def test_every_grouping_hides_groups_events_and_the_end_of_curves(study: str, small: Path) -> None:
    snapshot = find(study, folder=small)
    variables = dictionary(snapshot)
    endpoint = study_of(snapshot).default_endpoint
    everybody = events(snapshot, CohortFilter(), variables, endpoint=endpoint)
    whole = int(everybody[["n_event", "n_competing", "n_censored"]].to_numpy().sum())
    for by in groupings(study, small):
        result = survival(
            snapshot, CohortFilter(), variables, endpoint=endpoint, by=by, landmark_days=None,
            horizon_days=1461,
        )  # fmt: skip
        raw = events(snapshot, CohortFilter(), variables, endpoint=endpoint, by=(by,))
        counts = raw.groupby(by)[["n_event", "n_competing", "n_censored"]].sum()
        sizes = counts.sum(axis=1)
        shown = {level.value for level in result.levels}
        assert all(sizes[level] >= MINIMUM for level in shown), by
        if not shown or any(isinstance(n, Hidden) for n in result.km.groups["n"]):
            continue
        # The curve of all patients less the curves shown leaves nobody, or enough.
        gone = whole - int(sizes[list(shown)].sum())
        assert gone == 0 or gone >= MINIMUM, by
        for row in result.km.groups.itertuples():
            if isinstance(row.n_event, int):
                n, n_event = int(sizes[getattr(row, by)]), int(counts["n_event"][getattr(row, by)])
                assert row.n_event == n_event
                assert not is_small(n_event, MINIMUM), by
                assert not is_small(n - n_event, MINIMUM), by
        for level in shown:
            mine = raw[raw[by] == level].sort_values("time")
            left = mine[["n_event", "n_competing", "n_censored"]].sum(axis=1)
            at_risk = left[::-1].cumsum()[::-1]
            last = mine["time"][at_risk >= MINIMUM].max()
            curve = result.km.curve
            assert curve.loc[curve[by] == level, "time"].max() <= last, by
        assert not {"n_risk", "n_event"} & set(result.km.curve)
        assert (result.km.curve["n_censored"] == 0).all()
        text = " ".join(map(str, tables.survival_rows(result, "RFS", 1461).to_numpy().ravel()))
        assert not any(re.search(pattern, text) for pattern in COUNTS), (by, text)


@pytest.mark.parametrize("study", ["chiaretti2004", "nguyen2026"])
def test_table_one_by_every_grouping(study: str, small: Path) -> None:
    snapshot = find(study, folder=small)
    variables = dictionary(snapshot)
    # Fisher's test of many levels in many groups is slow, and no part of this.
    kinds: dict[str, Any] = {
        name: variables[name].kind for name in ("age_years", "sex", "allosct") if name in variables
    }
    frame = subjects(snapshot, CohortFilter(), variables)
    for by in groupings(study, small):
        rows = {name: kind for name, kind in kinds.items() if name != by and by in frame}
        if not rows:
            continue
        found = characteristics(snapshot, CohortFilter(), variables, rows=rows, by=by)
        text = tables.table_one(found, variables, by).to_string()
        for pattern in COUNTS:
            assert not re.search(pattern, text), (by, text)
        for name in ("n", "missing", "count"):
            assert not any(is_small(int(n), MINIMUM) for n in found.rows[name]
                           if not isinstance(n, Hidden) and n == n), (by, name)  # fmt: skip
        assert found.rows[["minimum", "maximum"]].isna().all(axis=None)


def test_the_minimum_is_part_of_what_results_are_kept_under(small: Path) -> None:
    snapshot = find("short2025", folder=small)
    assert snapshot.key != replace(snapshot, small_cell_minimum=0).key
