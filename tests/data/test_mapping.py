"""The mapping as a value: its targets, its JSON, the names of own variables."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importing.apply import own_names
from data.importing.mapping import (
    CONSTANTS,
    KINDS,
    SPELLINGS,
    TARGETS,
    Assignment,
    SheetMapping,
    StudyMapping,
    from_json,
    shape,
    targets,
    to_json,
)
from data.importing.tables import TABLES

WORDS = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def assignments(draw: st.DrawFn, role: str) -> Assignment:
    target = draw(st.sampled_from(sorted(targets(role))))  # type: ignore[arg-type]
    known = TARGETS[target]
    kind = draw(st.sampled_from([None, *KINDS])) if known.type == "own" else None
    levels = ("yes", "no") if kind == "boolean" else known.levels
    level = st.sampled_from(["", *levels]) if levels else WORDS
    return Assignment(
        draw(WORDS),
        target,
        values=draw(st.dictionaries(WORDS, level, max_size=3)),
        unit=draw(st.sampled_from([None, *known.units])),
        spelling=draw(st.sampled_from([None, *SPELLINGS])) if known.dated else None,
        decimal=draw(st.sampled_from([None, ".", ","])),
        timepoint=draw(st.none() | st.text("abc 1", min_size=1, max_size=4)),
        is_day_of=draw(st.sampled_from([(), ("relapsed", "died"), ("none",)])),
        label=draw(WORDS),
        kind=kind,
    )


@st.composite
def mappings(draw: st.DrawFn) -> StudyMapping:
    sheets = []
    for at in range(draw(st.integers(0, 3))):
        role = draw(st.sampled_from(["patients", "samples", "courses", "endpoints"]))
        mine = draw(st.lists(assignments(role), max_size=4))
        key = draw(st.sampled_from(sorted(CONSTANTS)))
        constants = {key: draw(st.sampled_from(sorted(CONSTANTS[key])))}
        sheets.append(
            SheetMapping(f"s{at}", shape([a.column for a in mine]), role, tuple(mine), constants)  # type: ignore[arg-type]
        )
    return StudyMapping({"title": draw(WORDS)}, tuple(sheets), draw(st.booleans()))


@given(mappings())
def test_json_and_back_is_the_same(mapping: StudyMapping) -> None:
    assert from_json(json.loads(json.dumps(to_json(mapping)))) == mapping


def test_every_column_of_our_tables_is_a_target() -> None:
    fed = {"mrd_fraction": "mrd_result", "lod_fraction": "mrd_limit"}
    for table in TABLES.values():
        assert {fed.get(column, column) for column in table} <= set(TARGETS)


def test_targets_belong_to_roles_and_have_words() -> None:
    for name, target in TARGETS.items():
        assert target.roles, name
        assert target.label, name
        assert target.help, name
        assert (target.type in ("level", "boolean")) <= bool(target.levels), name
    assert "own" in targets("patients")
    assert "own" not in targets("samples")
    assert "nothing" in targets("courses")


@pytest.mark.parametrize("content", [None, [], "x", {}, {"sheets": {}}])
def test_json_that_is_no_mapping(content: object) -> None:
    with pytest.raises(ValueError, match="object"):
        from_json(content)


def test_all_faults_of_a_mapping_are_said_at_once() -> None:
    content = {
        "study": [],
        "rekey": "yes",
        "sheets": [
            {
                "sheet": "a.csv",
                "shape": "0",
                "role": "people",
                "constants": {"assay": "PCR", "lod_fraction": "2", "colour": "red"},
                "assignments": [{"column": "x", "target": "sex", "values": {"1": "male"}}],
            },
            {
                "sheet": "b.csv",
                "shape": "0",
                "role": "patients",
                "assignments": [
                    {"column": "a", "target": "sexe"},
                    {"column": "b", "target": "sex", "values": {"1": "man"}},
                    {"column": "c", "target": "cr_day", "unit": "hours", "spelling": "d/m"},
                    {"column": "d", "target": "own", "kind": "text", "size": 3},
                    {"target": "sex"},
                    {"column": "e", "target": "last_follow_up_day", "is_day_of": ["lost"]},
                ],
            },
            "c.csv",
        ],
    }
    with pytest.raises(ValueError, match="study") as refused:
        from_json(content)
    said = str(refused.value).splitlines()
    for where in (
        "study:",
        "rekey:",
        "sheets[0].role:",
        "sheets[0].constants.assay:",
        "sheets[0].constants.lod_fraction:",
        "sheets[0].constants.colour:",
        "sheets[1].assignments[0].target:",
        "sheets[1].assignments[1].values:",
        "sheets[1].assignments[2].unit:",
        "sheets[1].assignments[2].spelling:",
        "sheets[1].assignments[3].size:",
        "sheets[1].assignments[4].column:",
        "sheets[1].assignments[5].is_day_of:",
        "sheets[2]:",
    ):
        assert any(line.startswith(where) for line in said), where


def test_names_of_own_variables() -> None:
    columns = ("BT", "allosct", "🙂", "WBC-1", "WBC 1", "sex", "mrd 3 months", "3x")
    one = SheetMapping(
        "a.csv", "0", "patients", tuple(Assignment(c, "own", kind="category") for c in columns)
    )
    found = own_names(StudyMapping({}, (one,)))
    assert [found["a.csv", column] for column in columns] == [
        "bt", "allosct_of_study", "variable_3", "wbc_1", "wbc_1_2", "sex_of_study",
        "mrd_3_months_of_study", "v_3x",
    ]  # fmt: skip


def test_shape_forgets_the_order_of_the_columns() -> None:
    assert shape(["a", "b"]) == shape(["b", "a"]) != shape(["a"])
