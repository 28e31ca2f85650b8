"""The lists in the documents are the lists in the code, and what they point to exists."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import chain
from pathlib import Path

import pytest
from streamlit import config

from data.__main__ import _parser
from data.endpoints import ENDPOINTS
from data.exporting.adam import ADAM
from data.importing.command import Outcome, as_report
from data.importing.limits import COMMAND, PAGE
from data.importing.mapping import (
    CONSTANTS,
    MRD_UNITS,
    SPELLINGS,
    TARGETS,
    Assignment,
    SheetMapping,
    StudyMapping,
)
from data.importing.tables import REQUIRED_COLUMNS, TABLES, Column
from data.variables import STANDARD, Variable
from pages.elements.link import OPTIONS
from pages.elements.tables import MILESTONES
from tools.pictures import PICTURES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path
    for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md")
    if path.exists()
]
FOLDERS = (
    "analytics",
    "benchmarks",
    "data",
    "pages",
    "tests",
    "tools",
    "docs",
    "deploy",
    ".streamlit",
    ".ci",
)
IN_ROOT = re.compile(
    r"app\.py|asgi\.py|Makefile|Dockerfile|LICENSE|[A-Z]+\.md|pyproject\.toml|compose\.yaml|mkdocs\.yml"
    r"|requirements[\w-]*\.txt"
)
BUILT = ("data/store", ".streamlit/secrets.toml")
"""Written by an import and by whoever runs a server, not part of the repository."""


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def rows(part: str) -> dict[str, list[str]]:
    """The table rows of a text, by the code in their first cell."""
    found = {}
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"`[^`]+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def section(name: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    match = re.search(rf"^(#+) {re.escape(heading)}.*\n", text(name), re.MULTILINE)
    assert match, f"docs/{name} has no heading {heading!r}"
    rest = text(name)[match.end() :]
    return re.split(rf"^#{{1,{len(match[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_the_import_is_described(table: str) -> None:
    described = rows(section("data-model.md", f"{table}.csv"))
    assert list(described) == list(TABLES[table])
    for name, column in TABLES[table].items():
        kind, bounds = described[name]
        assert kind.startswith(_word(column)), name
        assert ("needed" in kind) == (name in REQUIRED_COLUMNS[table]), name
        assert ("never empty" in kind) == (column.required and name != "patient_id"), name
        if column.levels:
            assert tuple(re.findall(r"`([^`]+)`", bounds)) == column.levels, name
        if column.type in ("number", "whole"):
            assert bounds.startswith(f"{column.low:.0f} to {column.high:.0f}"), name


def _word(column: Column) -> str:
    return {"boolean": "yes/no", "whole": "whole number"}.get(column.type, column.type)


@pytest.mark.parametrize("variable", STANDARD.values(), ids=list(STANDARD))
def test_every_variable_is_described(variable: Variable) -> None:
    label, known, levels = rows(section("data-model.md", "Variables"))[variable.name]
    assert (label, known) == (variable.label, variable.known)
    if not levels.startswith("the "):
        shown = [level.value for level in variable.levels]
        assert levels == (", ".join(shown) or variable.unit or "from the data")


def test_no_variable_is_described_that_does_not_exist() -> None:
    assert list(rows(section("data-model.md", "Variables"))) == list(STANDARD)


def test_every_endpoint_is_described() -> None:
    codes = [code for code in ENDPOINTS if "_censored_" not in code]
    assert list(rows(section("data-model.md", "Endpoints"))) == codes


def test_every_option_of_a_link_is_described() -> None:
    assert set(OPTIONS) <= set(rows(section("using.md", "Links")))


def test_every_target_of_a_mapping_is_described() -> None:
    described = rows(section("importing.md", "Targets"))
    assert list(described) == list(TARGETS)
    for name, target in TARGETS.items():
        sheets, needs = described[name]
        assert sheets == ", ".join(target.roles), name
        levels = tuple(re.findall(r"`([^`]+)`", needs))
        assert levels == target.levels, name
        assert ("a unit" in needs) == bool(target.units or target.type == "day"), name
        assert ("spelling" in needs) == target.dated, name
        assert ("timepoint" in needs) == target.with_timepoint, name


def test_every_field_of_a_mapping_is_described() -> None:
    described = section("importing.md", "The mapping as a file")
    for each in chain(*map(fields, (StudyMapping, SheetMapping, Assignment))):
        assert f"`{each.name}`" in described, each.name
    assert all(f"`{word}`" in described for word in (*CONSTANTS, *SPELLINGS, *MRD_UNITS))


def test_every_command_and_option_is_described() -> None:
    part = section("importing.md", "The nightly refresh")
    described = re.findall(r"^\| `([\w-]+)` \| (?:`(--[\w-]+)`)? *\|", part, re.MULTILINE)
    (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    there = []
    for name, command in commands.choices.items():
        options = [a.option_strings[0] for a in command._actions if a.option_strings]
        there += [(name, option) for option in ["", *options] if option != "-h"]
    assert described == there


def test_every_key_of_the_report_is_described() -> None:
    described = section("importing.md", "The nightly refresh")
    keys = as_report(Outcome(), values=False)
    assert [key for key in keys if f"`{key}`" not in described] == []


def test_every_column_of_the_analysis_sets_is_described() -> None:
    lines = re.findall(
        r"^\| (AD\w+) \| `(\w+)` \| (.+?) \| (.*?) ?\|$",
        section("importing.md", "ADaM"),
        re.MULTILINE,
    )
    assert [(d, n) for d, n, *_ in lines] == [
        (d, i.name) for d, items in ADAM.items() for i in items
    ]
    items = [item for every in ADAM.values() for item in every]
    for (*_, holds, source), item in zip(lines, items, strict=True):
        assert holds.startswith(item.label), item.name
        assert source == item.source, item.name


def test_the_limits_of_a_file_are_those_described() -> None:
    described = section("importing.md", "Accepted forms")
    for line in (
        f"| size of a file | {PAGE.bytes // 10**6} MB | {COMMAND.bytes // 10**9} GB |",
        f"| cells of a table | {PAGE.cells // 10**6} million | {COMMAND.cells // 10**6} million |",
        f"| columns of a table | {PAGE.columns:,} | {COMMAND.columns:,} |",
        f"| one line, one cell | {PAGE.line_bytes // 10**6} MB, {PAGE.cell_characters:,} characters |",
        f"| a workbook unpacked | {PAGE.unpacked_bytes // 10**6} MB, at most {PAGE.ratio} times its size |",
        f"| memory, processor time | {PAGE.memory_bytes >> 30} GiB, {PAGE.cpu_seconds} s | "
        f"{COMMAND.memory_bytes >> 30} GiB, {COMMAND.cpu_seconds} s |",
    ):
        assert line in described


def _what_is_found(source: str) -> Iterator[str]:
    """Yield of every finding that a source can make the longest part that does not vary."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Assign):
            continue
        names, values = node.targets, [node.value]
        if isinstance(names[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            names, values = names[0].elts, node.value.elts
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and name.id == "what":
                parts = value.values if isinstance(value, ast.JoinedStr) else [value]
                constant = [p.value for p in parts if isinstance(p, ast.Constant)]
                yield max(map(str, constant), key=len).strip(" .,:;‘’()")


def test_every_finding_of_the_checks_is_described() -> None:
    described = section("importing.md", "Findings and their remedy")
    sources = sorted((ROOT / "data" / "importing").glob("check*.py"))
    found = [what for path in sources for what in _what_is_found(path.read_text("utf-8"))]
    assert len(found) > 30
    assert [what for what in found if what not in described] == []


REFERENCE = ROOT / "tests" / "reference"


def test_every_reference_program_and_its_values_are_described() -> None:
    described = (REFERENCE / "README.md").read_text("utf-8")
    named = set(re.findall(r"`([\w.]+)`", described))
    files = {path.name for path in REFERENCE.glob("*.*") if path.name != "README.md"}
    cases = {path.parent.name for path in REFERENCE.glob("*/expected.json")}
    assert files | cases <= named
    written = {f"{path.stem}.json" for path in REFERENCE.glob("*.R")}
    assert {path.name for path in REFERENCE.glob("*.json")} <= written


def test_every_reference_data_set_is_described_with_its_rows() -> None:
    described = rows((REFERENCE / "README.md").read_text("utf-8"))
    for path in (REFERENCE / "datasets").glob("*.csv"):
        lines = path.read_text("utf-8").splitlines()
        assert int(described[path.name][0]) == len(lines) - 1, path.name


def test_the_milestones_are_those_described() -> None:
    days = ", ".join(str(day) for day in MILESTONES.values())
    assert f"floor(365.25 y): {days} |" in text("statistics.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_exists(document: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", document.read_text("utf-8"))
    named = [span for span in spans if _is_path(span)]
    assert [span for span in named if not list(ROOT.glob(span.rstrip("/")))] == []


def _is_path(span: str) -> bool:
    if span.startswith(BUILT) or not re.fullmatch(r"[\w.*/-]+", span):
        return False
    return bool(IN_ROOT.fullmatch(span)) or ("/" in span and span.split("/")[0] in FOLDERS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_resolves(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8"))
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(target)
    assert broken == []


def _anchors(path: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a Markdown file."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_paths_of_the_documents_are_looked_at() -> None:
    spans = chain.from_iterable(
        re.findall(r"`([^`\n]+)`", path.read_text("utf-8")) for path in DOCUMENTS
    )
    assert sum(map(_is_path, spans)) > 20


def _named(pattern: str) -> set[tuple[str, ...]]:
    """Return what the documents name, as the groups of a pattern."""
    found = set()
    for path in DOCUMENTS:
        found |= {match.groups() for match in re.finditer(pattern, path.read_text("utf-8"), re.M)}
    return found


def test_every_make_target_that_is_named_exists() -> None:
    there = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for (target,) in _named(r"(?:`|^ *)make ([\w-]+)(?=`| *#| [A-Z]+=|$)")}
    assert {"run", "test", "docs"} <= named
    assert named <= there


def test_every_command_that_is_named_exists() -> None:
    (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    named = _named(r"python -m ([a-z_.]+)(?: ([a-z][\w-]*))?")
    assert ("data", "demo") in named
    for module, command in named:
        if module != "venv":
            assert importlib.util.find_spec(module), module
        assert module != "data" or command in commands.choices, command


def test_every_setting_that_is_named_exists() -> None:
    template = (ROOT / "deploy" / "nginx.conf.template").read_text("utf-8")
    known = {option.env_var for option in config._config_options_template.values()}
    known |= set(re.findall(r"\bCOHORT_[A-Z_]+\b", template)) | {"COHORT_STORE"}
    named = {name for (name,) in _named(r"\b((?:STREAMLIT|COHORT)_[A-Z_]+[A-Z])\b")}
    assert {"COHORT_STORE", "COHORT_TLS", "STREAMLIT_SERVER_COOKIE_SECRET"} <= named
    assert named <= known
    options = {name for (name,) in _named(r"(?:`|--)((?:server|browser|client)\.[a-zA-Z]+)\b")}
    assert {"server.port", "server.maxUploadSize"} <= options
    assert options <= set(config._config_options_template)


def test_every_page_and_study_that_a_link_names_exists() -> None:
    pages = {path.stem for path in (ROOT / "pages").glob("*.py")} | {""}
    studies = {path.parent.name for path in (ROOT / "data" / "demo").glob("*/study.json")}
    named = _named(r"`/([a-z_]*)\?study=([\w]+)")
    assert len(named) > 5
    assert {page for page, _ in named} <= pages
    assert {study for _, study in named} <= studies
    table = re.findall(r"^\| \w[^|]* \| `/(\w*)` \|", section("using.md", "Pages"), re.MULTILINE)
    assert set(table) == pages


def test_every_test_that_is_named_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for (name,) in _named(r"`(test_\w+)`")}
    assert len(named) > 3
    assert [name for name in named if f"def {name}(" not in source] == []


def test_every_document_is_in_the_site() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    documents = [path.name for path in DOCUMENTS if path.parent.name == "docs"]
    assert [name for name in documents if f": {name}\n" not in nav] == []


def test_every_picture_that_is_shown_is_taken() -> None:
    shown = {name for (name,) in _named(r"!\[[^\]]+\]\((?:docs/)?pictures/([\w-]+)\.png\)")}
    assert shown == set(PICTURES)
