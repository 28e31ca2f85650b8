from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import talks
from pages.elements.talk import MOST_SLIDES, Talk, TalkFault, TalkSlide, from_json, parsed

FIGURES = {"survival_curves": "Survival", "mrd_rates": "MRD negativity"}


def slide(title: str = "Relapse-free survival") -> TalkSlide:
    query = {"study": ("short2025",), "risk_group": ("high", "standard")}
    return TalkSlide(
        "Survival", "survival_curves", query, title, "It falls.", "b2946a8f2030", "161"
    )


def talk(*titles: str) -> Talk:
    return Talk("Meeting", tuple(slide(title) for title in titles))


def titles(of: Talk) -> list[str]:
    return [each.title for each in of.slides]


def test_a_talk_comes_back_from_its_file() -> None:
    written = json.dumps(talk("a", "b").to_json()).encode()
    assert parsed(written, FIGURES) == talk("a", "b")


@given(st.lists(st.text(max_size=5), min_size=1, max_size=5), st.data())
def test_moving_loses_and_adds_no_slide(names: list[str], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(names) - 1))
    by = data.draw(st.integers(-9, 9))
    moved = talk(*names).moved(number, by)
    assert sorted(titles(moved)) == sorted(names)
    assert titles(moved)[min(max(number + by, 0), len(names) - 1)] == names[number]


def test_slides_are_removed_and_doubled_in_their_place() -> None:
    assert titles(talk("a", "b", "c").removed(1)) == ["a", "c"]
    assert titles(talk("a", "b", "c").duplicated(1)) == ["a", "b", "b", "c"]


def test_every_fault_of_a_file_is_named() -> None:
    fields = talk("a", "b").to_json()
    fields["sound"] = "loud"
    fields["slides"][0]["title"] = "x" * 1000
    fields["slides"][1]["figure"] = "pie_chart"
    with pytest.raises(TalkFault) as fault:
        from_json(fields, FIGURES)
    said = str(fault.value).splitlines()
    assert len(said) == 3
    assert said[0].startswith("‘sound’")
    assert said[1].startswith("slide 1: the title has more than")
    assert said[2].startswith("slide 2: there is no such figure")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{}", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_talk_is_refused(content: bytes) -> None:
    with pytest.raises(TalkFault):
        parsed(content, FIGURES)


def test_too_many_slides_are_refused() -> None:
    with pytest.raises(TalkFault, match="Split the talk"):
        from_json(talk(*"a" * (MOST_SLIDES + 1)).to_json(), FIGURES)


def test_a_talk_is_kept_under_the_hash_of_what_it_says(tmp_path: Path) -> None:
    name = talks.keep(talk("a").to_json(), tmp_path)
    assert talks.keep(talk("a").to_json(), tmp_path) == name
    assert talks.keep(talk("b").to_json(), tmp_path) != name
    assert from_json(talks.kept(name, tmp_path), FIGURES) == talk("a")


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 16, "zz"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(talks.TalkGone):
        talks.kept(name, tmp_path)
