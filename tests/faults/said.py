"""Print what the product says of a study, as JSON: ``python -m tests.faults.said STORE [PART OF]``.

Run under different languages and time zones it has to print the same.
"""

from __future__ import annotations

import json
import locale
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.cohort import CohortFilter
from data.exporting.table import as_csv
from data.importing.publish import import_folder
from data.queries import subjects
from pages.elements import access, exhibits, frame
from pages.elements.link import View
from pages.elements.snapshots_view import moment

STUDY = "short2025"
SOURCE = Path(__file__).parents[2] / "data" / "demo" / STUDY


def said(store: Path, part: int = 0, of: int = 1) -> dict[str, Any]:
    """Import the study and return its hash, its patients and a part of all figures and tables, as text."""
    os.environ["COHORT_STORE"] = str(store)
    snapshot, problems = import_folder(SOURCE, STUDY, store)
    cohort = frame.cohort_of(View(STUDY))
    rows = subjects(snapshot, CohortFilter(), access.dictionary(snapshot))
    found: dict[str, Any] = {
        "hash": snapshot.hash,
        "problems": [str(problem) for problem in problems],
        "patients": as_csv(rows).decode("utf-8"),
        "moment": moment("2026-03-05T23:30:00+00:00"),
    }
    for key in list(exhibits.FIGURES)[part::of]:
        exhibit = exhibits.exhibit(key, cohort)
        if exhibit is not None:
            found[key] = {
                "words": [exhibit.title, exhibit.message, exhibit.alt, *exhibit.notes],
                "provenance": asdict(exhibit.provenance),
                "spec": exhibit.spec,
                "tables": {k: as_csv(v).decode("utf-8") for k, v in exhibit.tables.items()},
                "shown": {k: v.to_csv() for k, v in exhibit.shown.items()},
            }
    return found


if __name__ == "__main__":
    # No part of the product does this, but a library may.
    locale.setlocale(locale.LC_ALL, "")
    print(json.dumps(said(Path(sys.argv[1]), *map(int, sys.argv[2:])), default=str, sort_keys=True))
