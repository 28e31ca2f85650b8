"""A study whose every name and text tries to be more than text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from data.importing.publish import import_folder
from data.store import Snapshot

STUDY = "hostile"
AWAY = "away.example"
"""A host that nothing may ask for anything."""
RAN = "__hostile_ran"
"""A property of the window that a script from the data would set."""

_IMAGE = f"<img src=x onerror='window.{RAN}=1'>"
TEXTS: tuple[str, ...] = (
    f'"><img src="https://{AWAY}/a.png" onerror="window.{RAN}=1">',
    f"<script>window.{RAN}=1</script>",
    "'; DROP TABLE patients; --",
    f"![picture](https://{AWAY}/b.png)",
    f"[link](https://{AWAY}/c)",
    f"https://{AWAY}/d and www.{AWAY}",
    f'=HYPERLINK("https://{AWAY}/e")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "../../etc/passwd",
    "C:\\Windows\\..\\x",
    "😀 👩‍👩‍👧 émoji",
    "مرحبا بالعالم",
    "txt.\u202egnp.exe",
    "bell\x07 escape\x1b[31m",
    "constructor",
    "__proto__",
    "toString",
    "..",
    "[0]",
    "a.b[c]",
    "\\",
    'O\'Brien "the" `third`',
    "$\\frac{1}{2}$ :red[x] :material/home: **bold** _it_ ~~s~~",
    "# heading",
    "- item",
    "1. item",
    "| a | b |",
    "&lt;b&gt; &#58;",
    "{{7*7}} ${7*7} %s {0}",
    "long " * 60,
    "null",
    "NaN",
    "true",
    "datum",
    "missing of",
    "hasOwnProperty",
    "javascript:alert(1)",
    "tab\tinside",
)
"""Levels, names and identifiers; none is a word that the product itself uses."""

OWN: Mapping[str, str] = {
    "constructor": f"Own {_IMAGE}",
    "proto": "__proto__",
    "dot_and_bracket": "a.b[0]['c']",
    "quotes": 'O\'Brien "q" \\ ![i](https://' + AWAY + "/f.png)",
    "formula": "=1+1",
}
"""The study's own variables: name and label. Between them they have every text as a level."""

TIMEPOINTS = (f'=A1 "quoted" {_IMAGE}', "__proto__ [0]. constructor")
N = 120


def _levels(place: int) -> list[str]:
    """Return the texts that are levels of one of the study's own variables."""
    share = -(-len(TEXTS) // len(OWN))
    return [text.strip() for text in TEXTS[place * share : (place + 1) * share]]


def identifier(i: int) -> str:
    """Return the identifier of a patient."""
    return f"{TEXTS[i % len(TEXTS)].strip()} {i}"


def write(folder: Path) -> None:
    """Write the study as the folder of four tables."""
    folder.mkdir(parents=True)
    ids = [identifier(i) for i in range(N)]
    study = {
        "study_id": STUDY,
        "title": f'Title {_IMAGE} ![x](https://{AWAY}/g.png) "q" =1+1 \u202eabc',
        "day_zero_label": f"day of [x](https://{AWAY}/h) {_IMAGE}",
        "default_endpoint": "RFS",
        "citation": f"![x](https://{AWAY}/i.png) {_IMAGE} https://{AWAY}",
        "doi": f'"><img src="https://{AWAY}/j.png">',
        "notes": f"<script>window.{RAN}=1</script> ![x](https://{AWAY}/k.png)",
        "data_cutoff": f"![x](https://{AWAY}/l.png)",
        "synthetic": True,
        "small_cell_minimum": 0,
        "columns": {name: {"label": label, "type": "category"} for name, label in OWN.items()},
        "timepoints": [
            {"label": label, "target_day": 30 + 60 * i, "first_day": 14 + 60 * i,
             "last_day": 60 + 60 * i}
            for i, label in enumerate(TIMEPOINTS)
        ],
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study), "utf-8")
    _csv(folder / "patients.csv", (_patient(i, ids[i]) for i in range(N)))
    _csv(folder / "outcomes.csv", (_outcome(i, ids[i]) for i in range(N)))
    _csv(folder / "mrd_assessments.csv", (row for i in range(N) for row in _samples(i, ids[i])))
    _csv(folder / "treatments.csv", (row for i in range(N) for row in _courses(i, ids[i])))


def _patient(i: int, patient: str) -> dict[str, object]:
    text = TEXTS[i % len(TEXTS)].strip()
    own = {name: _levels(place)[i % len(_levels(place))] for place, name in enumerate(OWN)}
    return {
        "patient_id": patient, "age_years": 20 + i % 60, "sex": ("female", "male")[i % 2],
        "ph_status": ("negative", "positive")[i % 3 == 0],
        "cytogenetics": TEXTS[i % 7].strip(), "frontline_therapy": text, "tki": TEXTS[i % 5].strip(),
        "disease_status": TEXTS[i % 3].strip(), "trackable_locus": TEXTS[i % 4 + 8].strip(),
        "ecog": TEXTS[i % 4 + 16].strip(), **own,
    }  # fmt: skip


def _outcome(i: int, patient: str) -> dict[str, object]:
    relapse = 100 + 7 * i if i % 3 == 0 else ""
    death = 900 + 5 * i if i % 4 == 0 else ""
    return {
        "patient_id": patient, "cr_day": 20 + i % 15, "relapse_day": relapse,
        "relapse_site": TEXTS[i % len(TEXTS)].strip() if relapse else "", "death_day": death,
        "death_cause": TEXTS[(i + 3) % len(TEXTS)].strip() if death else "",
        "last_follow_up_day": death or 1000 + 9 * i,
    }  # fmt: skip


def _samples(i: int, patient: str) -> Iterable[dict[str, object]]:
    for k, assay in ((0, "NGS"), (1, "MFC"), (0, "MFC")):
        if (i + k) % 5:
            found = (i + k) % 2
            yield {
                "patient_id": patient, "day": 32 + 60 * k, "timepoint": TIMEPOINTS[k],
                "assay": assay, "material": "BM", "target": TEXTS[i % len(TEXTS)].strip(),
                "mrd_fraction": 0.001 * found, "lod_fraction": 1e-6 if assay == "NGS" else 1e-4,
                "call": ("negative", "positive")[found],
            }  # fmt: skip


def _courses(i: int, patient: str) -> Iterable[dict[str, object]]:
    yield {"patient_id": patient, "kind": "induction", "name": TEXTS[i % len(TEXTS)].strip(),
           "start_day": 0, "end_day": 25, "cycle": 1}  # fmt: skip
    if i % 4 == 1:
        yield {"patient_id": patient, "kind": "alloSCT", "name": TEXTS[i % 9].strip(),
               "start_day": 60 + i % 30, "end_day": "", "cycle": ""}  # fmt: skip


def _csv(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    found = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(found)


def publish(folder: Path, store: Path) -> Snapshot:
    """Publish the study into a store."""
    write(folder)
    snapshot, _ = import_folder(folder, STUDY, store)
    return snapshot
