"""Names and values from a study that try to be more than text are shown as text on every page."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Element

from data import queries
from data.cohort import CohortFilter
from data.exporting.adam import analysis_sets, archive
from data.exporting.table import as_csv, as_parquet
from data.importing.formats import read_file
from data.store import Snapshot
from pages.elements import wording
from pages.elements.answers import who
from pages.elements.charts.timeline import timeline_chart
from tests import hostile
from tests.hostile import AWAY, OWN, STUDY, TEXTS, TIMEPOINTS
from tests.sheets import published

ROOT = Path(__file__).parents[2]

ACTIVE = re.compile(
    rf"https?://{AWAY}|www\.{AWAY}"  # a link by itself
    r"|(?<!\\)\](?:\(|\[)(?=[^)]*away)"  # a link or an image
    r"|(?<!\\)<(?:img|script|b\b)"
    r"|(?<!\\):(?:red\[x|material/home)"
    r"|(?<![\\_])__proto__|(?<![\\*])\*\*bold|(?<!\\)`third|(?<![\\~])~~s~~"
    r"|(?<!\\)\$\\+frac|(?<!\\)&(?:lt|#58);"
    r"|\u202e"  # turns round what stands after it
)
"""Text of the study that Markdown would not show as it is."""

NOT_MARKDOWN = {
    # Shown as text by the browser's own control, or not shown at all.
    ("Selectbox", "options"), ("Selectbox", "raw_value"), ("Selectbox", "placeholder"),
    ("MultiSelect", "options"), ("MultiSelect", "default"), ("MultiSelect", "raw_values"),
    ("MultiSelect", "placeholder"),
    ("PageLink", "query_string"), ("PageLink", "page"), ("NavLink", "url"),
    ("TextInput", "default"), ("TextInput", "value"), ("TextInput", "placeholder"),
    ("VegaLiteChart", "spec"), ("VegaLiteChart", "alt"),
    ("DownloadButton", "url"), ("Code", "code_text"),
}  # fmt: skip
KEYS = re.compile(r"(^|_)(id|hash|key|form_id|columns|element_id|icon)$")


@pytest.fixture(scope="module")
def snapshot(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STORE", str(folder / "store"))
        yield hostile.publish(folder / "study", folder / "store")


def run(page: str, **query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in {"study": STUDY, **query}.items():
        test.query_params[name] = value
    return (test if page == "app.py" else test.switch_page(page)).run()


def nodes(block: Block) -> Iterator[Block | Element]:
    yield block
    for child in block.children.values():
        if isinstance(child, Block):
            yield from nodes(child)
        else:
            yield child


def texts(message: Message) -> Iterator[tuple[str, str, str]]:
    """Every text of a message that the browser is sent: message, field, text."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if isinstance(each, Message):
                yield from texts(each)
            elif isinstance(each, str):
                yield type(message).__name__, field.name, each


def markdown_of(test: AppTest) -> Iterator[tuple[str, str, str]]:
    for part in test._tree.children.values():
        for node in nodes(part):
            if node.type == "arrow_table" or node.type == "table":
                frame = node.value
                cells = [*map(str, frame.columns), *map(str, frame.to_numpy().ravel())]
                yield from (("Table", "cell", cell) for cell in cells)
            elif node.type not in ("arrow_data_frame", "dataframe"):
                proto = getattr(node, "proto", None)
                if isinstance(proto, Message):
                    for name, field, text in texts(proto):
                        if (name, field) not in NOT_MARKDOWN and not KEYS.search(field):
                            yield name, field, text


def specs(test: AppTest) -> Iterator[dict[str, Any]]:
    for part in test._tree.children.values():
        for node in nodes(part):
            spec = getattr(getattr(node, "proto", None), "spec", None)
            if node.type == "arrow_vega_lite_chart" and spec:
                yield json.loads(spec)


def fields_and_keys(spec: Any) -> Iterator[str]:
    """The names that Vega makes into code: fields, and what is computed under a name."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key in ("field", "as", "groupby", "fields", "key", "lookup"):
                yield from (v for v in (value if isinstance(value, list) else [value])
                            if isinstance(v, str))  # fmt: skip
            if key == "datasets":
                yield from (name for rows in value.values() for row in rows for name in row)
            else:
                yield from fields_and_keys(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from fields_and_keys(value)


def tooltip_titles(spec: Any) -> Iterator[str]:
    """The titles in tooltips, which Vega makes the keys of an object."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key == "tooltip" and isinstance(value, list):
                yield from (each["title"] for each in value if "title" in each)
            if key != "datasets":
                yield from tooltip_titles(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from tooltip_titles(value)


def expressions(spec: Any) -> Iterator[str]:
    """What Vega runs: expressions, filters and calculations."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key in ("expr", "calculate", "test", "filter", "update", "labelExpr", "signal"):
                yield from (v for v in (value if isinstance(value, list) else [value])
                            if isinstance(v, str))  # fmt: skip
            if key != "datasets":
                yield from expressions(value)
    elif isinstance(spec, list):
        for value in spec:
            yield from expressions(value)


FIRST, SECOND = (variable.name for variable in queries.build_dictionary(TIMEPOINTS).timepoints)
VIEWS = [
    *(("pages/survival.py", {"by": name}) for name in OWN),
    ("pages/survival.py", {"by": FIRST, "section": "subgroups"}),
    ("pages/survival.py", {"by": "disease_status", "by2": SECOND}),
    ("pages/survival.py", {"by": "disease_status", "endpoint": "CIR", "section": "cox"}),
    ("app.py", {"by": SECOND}),
    *(("pages/mrd.py", {"by": name}) for name in ("constructor", "proto", "quotes")),
    ("pages/mrd.py", {"mrd_section": "assays"}),
    ("pages/transplant.py", {"swimmer": "yes"}),
    ("pages/evidence.py", {"part": "beside"}),
    ("pages/patients.py", {}),
    ("pages/cohorts.py", {}),
]


@pytest.mark.parametrize(
    ("page", "query"), VIEWS, ids=lambda part: part if isinstance(part, str) else ",".join(part.values())
)  # fmt: skip
def test_a_page_shows_hostile_text_as_text(
    snapshot: Snapshot, page: str, query: dict[str, str]
) -> None:
    test = run(page, **query)
    assert not test.exception
    assert "could not be shown" not in " ".join(element.value for element in test.error)
    active = [(*where, ACTIVE.search(text)[0], text[:300]) for *where, text in markdown_of(test)
              if ACTIVE.search(text)]  # fmt: skip
    assert active == []
    for spec in specs(test):
        for name in fields_and_keys(spec):
            assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ]*", name), name
            assert name not in ("constructor", "__proto__", "toString", "valueOf"), name
        for title in tooltip_titles(spec):
            assert not re.search(r"[\"'\\\[\].]", title), title
            assert title not in TEXTS
        for run_by_vega in expressions(spec):
            assert AWAY not in run_by_vega
            assert hostile.RAN not in run_by_vega


def test_the_filters_by_a_hostile_level_select_and_say_so(snapshot: Snapshot) -> None:
    variables = queries.dictionary(snapshot)
    for name in OWN:
        for level in variables[name].levels:
            cohort = CohortFilter(**{name: (level.value,)})
            assert CohortFilter.from_query(cohort.to_query(), variables) == cohort
            assert queries.size(snapshot, cohort, variables) > 0
    level = variables["constructor"].levels[0].value
    test = run("pages/patients.py", constructor=level)
    assert not test.exception
    assert not [text for *_, text in markdown_of(test) if ACTIVE.search(text)]


def test_the_course_of_a_patient_is_text(snapshot: Snapshot) -> None:
    patient = queries.patient(snapshot, CohortFilter(), hostile.identifier(1))
    spec = timeline_chart(who.story(patient), origin=queries.study(snapshot).day_zero_label)
    assert not [n for n in fields_and_keys(spec) if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_ ]*", n)]
    assert not [e for e in expressions(spec) if AWAY in e]


def test_hostile_column_names_become_labels_of_plain_names(tmp_path: Path) -> None:
    names = [text.strip() for text in TEXTS]
    cells = {name: [("alpha", "beta")[(row + k) % 2] for row in range(12)]
             for k, name in enumerate(names)}  # fmt: skip
    rows = pd.DataFrame(
        {"patient_id": [f"P{row}" for row in range(12)], "died": ["no"] * 12,
         "last_follow_up_day": range(200, 212), **cells}
    )  # fmt: skip
    rows.to_csv(tmp_path / "cohort.csv", index=False)
    study = {"study_id": "named", "title": "Named", "day_zero_label": "diagnosis",
             "default_endpoint": "OS", "timepoints": []}  # fmt: skip
    sheets, _ = read_file(tmp_path / "cohort.csv", "cohort.csv")
    again = published(sheets, study, tmp_path / "store", {"is_day_of": "none"})
    variables = queries.dictionary(again)
    assert set(names) <= {variable.label for variable in variables.values()}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in variables)


@pytest.mark.parametrize("text", TEXTS)
def test_escaped_text_is_not_active(text: str) -> None:
    for shown in (text.strip(), f"before {text} after"):
        assert not ACTIVE.search(wording.escape(shown))


def test_files_hold_hostile_text_as_text(snapshot: Snapshot) -> None:
    rows = queries.subjects(snapshot, CohortFilter(), queries.dictionary(snapshot))
    read = pd.read_csv(io.BytesIO(as_csv(rows)), dtype=str, keep_default_na=False)
    for column in ("patient_id", "frontline_therapy", *OWN):
        for shown, stored in zip(read[column], rows[column], strict=True):
            assert shown in (stored, f"'{stored}") or (shown == "" and pd.isna(stored))
            assert not re.match(r"[=+\-@\t\r]", shown)
    stored = pd.read_parquet(io.BytesIO(as_parquet(rows)))
    assert stored["patient_id"].tolist() == rows["patient_id"].tolist()


def test_the_archive_has_plain_names_and_holds_every_text(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    sets = analysis_sets(snapshot)
    with zipfile.ZipFile(io.BytesIO(archive(snapshot))) as folder:
        assert all(re.fullmatch(r"[A-Za-z]+\.[a-z]+", name) for name in folder.namelist())
        folder.extractall(tmp_path)
    assert pd.read_parquet(tmp_path / "adsl.parquet")["TRT01P"].equals(sets["ADSL"]["TRT01P"])
    assert {text.strip() for text in TEXTS} == set(sets["ADSL"]["TRT01P"])
    for file in tmp_path.glob("*.csv"):
        cells = pd.read_csv(file, dtype=str, keep_default_na=False)
        every = [*cells.columns, *cells.to_numpy().ravel()]
        assert not [cell for cell in every if re.match(r"[=+@\t\r]|-(?![\d.])", cell)]
