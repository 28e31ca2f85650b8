"""Who may import whom, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    ROOT / "app.py",
    *sorted(path for folder in ("analytics", "data", "pages") for path in ROOT.glob(f"{folder}/**/*.py")),
]  # fmt: skip
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]

SCREENLESS = (
    "pages/elements/charts/",
    "pages/elements/exports/",
    "pages/elements/wording.py",
    "pages/elements/tables.py",
    "pages/elements/model_tables.py",
    "pages/elements/answers/",
    "pages/elements/evidence.py",
    "pages/elements/plain.py",
    "pages/elements/talk.py",
)
ONLY_IN = {
    "streamlit": ("app.py", "pages/"),
    "duckdb": ("data/",),
    "altair": ("pages/elements/charts/",),
    "lifelines": ("analytics/",),
    "scipy": ("analytics/",),
}
NEVER_IN = {
    "analytics/": {"app", "data", "pages"},
    "data/": {"app", "analytics", "pages"},
    **{place: {"app", "streamlit"} for place in SCREENLESS},
}
SQL = re.compile(r"\s*(SELECT|INSERT|CREATE|ALTER|UPDATE|DELETE|DROP|ATTACH|COPY)\b")
BUILDS_SQL = {"data/importing/publish.py"}
"""Writes identifiers into SQL, each through quoted()."""


def inside(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{inside(path)} imports relatively"
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=inside)
def test_layers(path: Path) -> None:
    packages, name = imported(path), inside(path)
    for package, places in ONLY_IN.items():
        assert package not in packages or name.startswith(places)
    for place, refused in NEVER_IN.items():
        assert not (name.startswith(place) and packages & refused)


def test_every_place_of_the_rules_exists() -> None:
    places = {*NEVER_IN, *BUILDS_SQL, *(place for places in ONLY_IN.values() for place in places)}
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("path", SOURCES, ids=inside)
def test_no_sql_is_put_together(path: Path) -> None:
    if inside(path) not in BUILDS_SQL:
        assert list(_built_sql(path.read_text("utf-8"))) == []


def _built_sql(source: str) -> Iterator[int]:
    """Yield the lines on which text that begins as SQL is filled in, added to or formatted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            head = node.values[0] if node.values else None
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            head = node.func.value if node.func.attr == "format" else None
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            head = node.left
        else:
            continue
        if isinstance(head, ast.Constant) and SQL.match(str(head.value)):
            yield node.lineno


@pytest.mark.parametrize(
    "source",
    ['f"SELECT {x}"', '"INSERT INTO {}".format(x)', '"SELECT " + x', '"ALTER TABLE %s" % x'],
)
def test_sql_that_is_put_together_is_found(source: str) -> None:
    assert list(_built_sql(source)) == [1]


def test_identifiers_in_sql_are_quoted() -> None:
    for name in BUILDS_SQL:
        source = (ROOT / name).read_text("utf-8")
        lines = set(_built_sql(source))
        assert lines, f"{name} builds no SQL any more: take it out of BUILDS_SQL"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.JoinedStr) and node.lineno in lines:
                filled = [v.value for v in node.values if isinstance(v, ast.FormattedValue)]
                # A column's type is looked up in a constant, everything else is an identifier.
                known = re.compile(r"quoted\(|_OWN_TYPES\[")
                assert all(known.match(ast.unparse(value)) for value in filled)


@pytest.mark.parametrize("path", PAGES, ids=inside)
def test_a_page_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 60
