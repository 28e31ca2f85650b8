"""Make a registry of any size as Parquet files, to measure an import: the same numbers every time.

    python -m benchmarks.make_registry FOLDER --patients 1000000

One row per patient, outcome and course of treatment, three MRD samples per patient; nothing in it is
anybody's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20251
FOLLOWED_DAYS = 3650
_TIMEPOINTS = (
    ("after cycle 1", 30, 14, 60),
    ("3 months", 91, 61, 136),
    ("6 months", 183, 137, 228),
)
_FEATURES = ("kmt2a_rearranged", "hypodiploid", "complex_karyotype", "ph_like", "tp53_mutated")


def registry(patients: int) -> dict[str, pa.Table]:
    """Return the tables of a registry by name.

    Parameters
    ----------
    patients : int
        Number of patients; three samples each.
    """
    random = np.random.default_rng(SEED)
    ids = pa.array(np.char.mod("R%07d", np.arange(patients)))
    features = {name: random.random(patients) < 0.12 for name in _FEATURES}
    ph = random.random(patients) < 0.25
    features["ph_like"] &= ~ph
    high = np.any(list(features.values()), axis=0)
    outcomes, last, transplant = _outcomes(random, high)
    return {
        "patients": pa.table(
            {
                "patient_id": ids,
                "age_years": random.integers(18, 90, patients),
                "sex": _words(random.random(patients) < 0.46, "female", "male"),
                "wbc_10e9_per_l": np.round(np.exp(random.normal(2.5, 1.2, patients)), 1).clip(
                    0, 2000
                ),
                "lineage": pa.array(np.full(patients, "B")),
                "ph_status": _words(ph, "positive", "negative"),
                **{name: _words(there, "yes", "no") for name, there in features.items()},
                "frontline_therapy": _pick(
                    random, ("GMALL 07/2003", "hyper-CVAD", "GRAALL"), patients
                ),
                "disease_status": pa.array(np.full(patients, "CR1")),
                "centre": _pick(random, tuple(f"C{n:03}" for n in range(120)), patients),
                "ferritin": np.round(np.exp(random.normal(6, 0.8, patients)), 0),
            }
        ),
        "outcomes": pa.table({"patient_id": ids, **outcomes}),
        "treatments": _treatments(ids, transplant),
        "mrd_assessments": _samples(random, ids, high, last),
    }


def _outcomes(
    random: np.random.Generator, high: np.ndarray[Any, Any]
) -> tuple[dict[str, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the outcomes, consistent with each other, when each was last seen, days of transplants."""
    n = len(high)
    remission = random.integers(20, 60, n)
    scale = np.where(high, 900, 2200)
    relapse = remission + 200 + random.exponential(scale, n).astype("int64")
    death = np.where(relapse < FOLLOWED_DAYS, relapse, remission + 200)
    death = death + 1 + random.exponential(1500, n).astype("int64")
    closed = random.integers(400, FOLLOWED_DAYS, n)
    relapsed = relapse <= closed
    last = np.minimum(closed, death)
    transplanted = (random.random(n) < 0.4) & (remission + 60 < np.minimum(relapse, last))
    days = {
        "cr_day": pa.array(remission),
        "relapse_day": pa.array(relapse, mask=~(relapsed & (relapse <= last))),
        "death_day": pa.array(death, mask=death > closed),
        "last_follow_up_day": pa.array(last),
    }
    return days, last, np.where(transplanted, remission + 60, 0)


def _treatments(ids: pa.Array, transplant: np.ndarray[Any, Any]) -> pa.Table:
    rows = np.flatnonzero(transplant)
    return pa.table(
        {
            "patient_id": ids.take(pa.array(rows)),
            "kind": pa.array(np.full(len(rows), "alloSCT")),
            "start_day": transplant[rows],
        }
    )


def _samples(
    random: np.random.Generator,
    ids: pa.Array,
    high: np.ndarray[Any, Any],
    last: np.ndarray[Any, Any],
) -> pa.Table:
    """Return three samples per patient, none after the last follow-up."""
    n, limit = len(high), 1e-6
    parts = []
    for label, target, first, end in _TIMEPOINTS:
        day = random.integers(max(first, target - 12), min(end, target + 12), n)
        found = random.random(n) < np.where(high, 0.5, 0.3)
        level = np.where(found, 10 ** random.uniform(-6.5, -2, n).round(2), 0.0)
        call = np.where(level >= limit, "positive", np.where(level > 0, "below LOD", "negative"))
        parts.append(
            pa.table(
                {
                    "patient_id": ids,
                    "day": np.minimum(day, last),
                    "timepoint": pa.array(np.full(n, label)),
                    "assay": pa.array(np.full(n, "NGS")),
                    "material": _words(random.random(n) < 0.9, "BM", "PB"),
                    "target": _pick(random, ("IGH", "IGK", "TRG"), n),
                    "mrd_fraction": level,
                    "lod_fraction": np.full(n, limit),
                    "call": pa.array(call),
                }
            )
        )
    return pa.concat_tables(parts)


def _words(rows: np.ndarray[Any, Any], yes: str, no: str) -> pa.Array:
    return pa.array(np.where(rows, yes, no))


def _pick(random: np.random.Generator, texts: tuple[str, ...], n: int) -> pa.Array:
    return pa.array(np.array(texts)[random.integers(0, len(texts), n)])


def study(study_id: str) -> dict[str, Any]:
    """Return the description of the registry, as study.json."""
    windows = [
        dict(zip(("label", "target_day", "first_day", "last_day"), row, strict=True))
        for row in _TIMEPOINTS
    ]
    return {
        "study_id": study_id,
        "title": "Made registry",
        "day_zero_label": "start of treatment",
        "default_endpoint": "RFS",
        "synthetic": True,
        "timepoints": windows,
    }


def write(folder: Path, patients: int) -> list[Path]:
    """Write the registry to a folder and return its files, study.json last."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in registry(patients).items():
        paths.append(folder / f"{name}.parquet")
        pq.write_table(table, paths[-1])
    paths.append(folder / "study.json")
    paths[-1].write_text(json.dumps(study("registry"), indent=1), "utf-8")
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=1_000_000)
    options = parser.parse_args()
    for path in write(options.folder, options.patients):
        print(f"{path}  {path.stat().st_size / 1e6:,.1f} MB")
