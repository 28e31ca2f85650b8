"""The methods paragraph: every key has a sentence, every reference a place, in text and documentation."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from pathlib import Path

import pytest

from data.store import Snapshot
from pages.elements import exhibits
from pages.elements.exports.methods import METHODS, REFERENCES, paragraph, references, software
from pages.elements.frame import cohort_of
from pages.elements.link import View

ROOT = Path(__file__).parents[2]
STATISTICS = (ROOT / "docs" / "statistics.md").read_text("utf-8")


def test_only_what_was_used_is_told_in_the_order_of_papers() -> None:
    said = paragraph(["log_rank", "kaplan_meier", "log_rank"])
    assert said.index("Kaplan and Meier") < said.index("log-rank")
    assert said.count("log-rank") == 1
    assert "Cox" not in said
    assert said.endswith(software())
    assert paragraph([]) == software()
    assert references([]) == ()


@pytest.mark.parametrize("pair", [*combinations([*METHODS][:8], 2)])
def test_numbers_in_the_text_are_those_of_the_list(pair: tuple[str, str]) -> None:
    said, listed = paragraph(pair), references(pair)
    cited = [int(n) for marks in re.findall(r"\[([\d,]+)\]", said) for n in marks.split(",")]
    assert sorted(set(cited)) == list(range(1, len(listed) + 1))
    # New numbers come in order.
    assert list(dict.fromkeys(cited)) == sorted(set(cited))
    wanted = {REFERENCES[key] for method in pair for key in METHODS[method].references}
    assert set(listed) == wanted


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(KeyError, match="guess"):
        paragraph(["cox", "guess"])


def test_every_reference_is_cited_and_every_citation_is_there() -> None:
    cited = {key for method in METHODS.values() for key in method.references}
    assert cited == set(REFERENCES)


def test_references_have_authors_title_place_and_year() -> None:
    for key, text in REFERENCES.items():
        name, year = re.fullmatch(r"([a-z]+)(\d{4})", key).groups()
        assert text.lower().startswith(name)
        assert year in text
        assert re.search(r"(\d{4};\d+:\d+-\d+|; \d{4}|\d{4}, paper [\d-]+)\.$", text), text
        assert text.count(". ") >= 2, text
    assert len(set(REFERENCES.values())) == len(REFERENCES)


def test_sentences_are_whole_and_careful() -> None:
    for method in METHODS.values():
        assert re.match(r"[A-Z].+\.$", method.sentence), method.sentence
        assert "significant" not in method.sentence
        assert " arm" not in method.sentence


@pytest.mark.parametrize("key", REFERENCES)
def test_the_documentation_rests_on_the_same_references(key: str) -> None:
    name, year = re.fullmatch(r"([a-z]+)(\d{4})", key).groups()
    assert re.search(rf"\b{name}\b[^|;.]*\b{year}\b", STATISTICS, re.IGNORECASE), key


def test_every_method_that_an_exhibit_names_has_a_sentence() -> None:
    """Read from the sources: also those that the embedded cohorts never reach."""
    named = set()
    for path in (ROOT / "pages" / "elements" / "exhibits").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "methods":
                named |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
            if isinstance(node, ast.FunctionDef) and "methods" in node.name:
                keys = [n.keys for n in ast.walk(node) if isinstance(n, ast.Dict)]
                named |= {k.value for each in keys for k in each if isinstance(k, ast.Constant)}
    named = {each for each in named if isinstance(each, str)}
    assert {"kaplan_meier", "clopper_pearson"} <= named
    assert named <= set(METHODS)


def test_exhibits_of_the_embedded_cohort_can_be_told(short2025: Snapshot) -> None:
    cohort = cohort_of(View("short2025").with_option("by", "mrd_3_months"))
    for key in (
        "table_one",
        "survival_curves",
        "survival_table",
        "mrd_rates",
        "transplant_answers",
    ):
        found = exhibits.exhibit(key, cohort)
        assert found is not None
        assert found.methods
        assert len(paragraph(found.methods)) > len(software())
