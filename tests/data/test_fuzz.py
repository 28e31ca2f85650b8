"""Damaged files of every form are read or refused with a sentence (benchmarks/fuzz_import.py has more)."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from benchmarks.fuzz_import import FAULTS, damaged, damaged_files, fuzz, summary
from benchmarks.seeds import seeds
from data.importing.formats import load, read_file, save

READ, IMPORTED = 200, 24


def test_a_damaged_file_is_read_or_refused_with_a_sentence(tmp_path: Path) -> None:
    path, refused = tmp_path / "file", 0
    for name, content in damaged_files(READ):
        path.write_bytes(content)
        sheets, problems = read_file(path, name)
        fatal = [problem for problem in problems if problem.severity == "fatal"]
        assert sheets or fatal
        assert all(problem.what.endswith(".") and problem.remedy for problem in problems)
        for sheet in sheets:
            names = list(sheet.cells.columns)
            assert len(set(names)) == len(names)
            assert all(name and name == name.strip() for name in names)
            assert sheet.dates | set(sheet.labels) <= set(names)
        save(sheets, tmp_path / "kept")
        assert len(load(tmp_path / "kept")) == len(sheets)
        refused += bool(fatal)
    assert 10 < refused < READ - 10


def test_no_damaged_file_brings_the_import_down() -> None:
    # What comes first is whole.
    files = itertools.islice(damaged_files(READ), 40, 40 + IMPORTED)
    counts = fuzz(files, processes=2)
    assert [key for key in counts if key[1] in FAULTS] == []
    assert sum(summary(counts).values()) == IMPORTED


def test_the_same_seed_damages_the_same_way() -> None:
    assert list(damaged_files(50, seed=1)) == list(damaged_files(50, seed=1))
    known = list(seeds().values())
    changed = [damaged(content, random.Random(3), known) != content for content in known]
    assert sum(changed) > len(known) / 2
