"""Sheets published as an import does it, without a job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.importing.apply import apply
from data.importing.check import check
from data.importing.publish import BUILT, build, commit, digest_of, new_folder, record
from data.importing.read import typed
from data.importing.recognise import answered, propose, questions
from data.importing.sheets import Sheet
from data.store import Snapshot


def published(
    sheets: Iterable[Sheet], study: Mapping[str, Any], store: Path, answers: Mapping[str, Any]
) -> Snapshot:
    """Publish sheets as they are recognised; `answers` are by target or field of a question.

    A question that has no answer there fails the test, and so does a fatal finding.
    """
    sheets = tuple(sheets)
    mapping = propose(sheets, study)
    while open_ := questions(sheets, mapping):
        question = open_[0]
        key = question.target or question.field
        assert key in answers or question.field in answers, question
        mapping = answered(mapping, question, answers.get(key, answers.get(question.field)))
    tables = typed(apply(sheets, mapping), "0" * 64)
    problems = [*tables.problems, *check(tables)]
    assert [str(problem) for problem in problems if problem.severity == "fatal"] == []
    store.mkdir()
    fields = record(tables, digest_of(tables))
    place, owner = new_folder(store)
    fields["file_sha256"] = build(place / BUILT, tables, problems)
    snapshot = commit(place / BUILT, fields, store, who="test", small_cell_minimum=0)
    os.close(owner)
    return snapshot
