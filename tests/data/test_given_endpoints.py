"""Endpoints that a study brings as time and status; studies that lack outcomes, MRD or everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from data import queries
from data.cohort import CohortFilter
from data.importing.check import check
from data.importing.history import Diff, diff
from data.importing.problems import Problem
from data.importing.publish import build, digest_of, record
from data.importing.read import Tables, typed
from data.importing.sheets import ROW
from data.store import Snapshot, query

STUDY = {
    "study_id": "made",
    "title": "Made",
    "day_zero_label": "diagnosis",
    "default_endpoint": "OS",
}
IDS = [f"p{n}" for n in range(6)]
Cells = Mapping[str, Sequence[object]]


def read(**brought: Cells) -> Tables:
    cells = {}
    for name, columns in ({"patients": {"patient_id": IDS}} | brought).items():
        frame = pd.DataFrame(
            {c: pd.Series([None if v is None else str(v) for v in of], dtype="object")
             for c, of in columns.items()}
        ).astype("category")  # fmt: skip
        frame.index = pd.RangeIndex(2, 2 + len(frame), name=ROW)
        cells[name] = frame
    return typed(SimpleNamespace(study=STUDY, cells=cells, places={}, own={}, problems=[]), "")


def published(folder: Path, **brought: Cells) -> Snapshot:
    tables = read(**brought)
    problems = [*tables.problems, *check(tables)]
    assert not [p for p in problems if p.severity == "fatal"]
    path = folder / f"{len(list(folder.iterdir()))}.duckdb"
    fields = record(tables, digest_of(tables))
    sha256 = build(path, tables, problems)
    return Snapshot("made", "Made", fields["hash"], sha256, path, "", fields["rows"], current=True)


def endpoint(snapshot: Snapshot, code: str) -> dict[str, tuple[Any, ...]]:
    rows = query(snapshot, "SELECT * FROM time_to_event WHERE endpoint = $e", {"e": code})
    return {
        r.patient_id: (r.excluded_because,)
        if isinstance(r.excluded_because, str)
        else (int(r.origin_day), int(r.time_days), int(r.event_code), r.event_description)
        for r in rows.itertuples()
    }


def given(code: str, rows: Mapping[str, tuple[object, object]], origin: object = None) -> Cells:
    return {
        "patient_id": list(rows),
        "endpoint": [code] * len(rows),
        "origin_day": [origin] * len(rows),
        "time_days": [time for time, _ in rows.values()],
        "event_code": [event for _, event in rows.values()],
    }


OUTCOMES = {
    "patient_id": IDS,
    "cr_day": [30] * 6,
    "relapse_day": [130, None, None, None, None, None],
    "death_day": [None, 230, None, None, None, None],
    "last_follow_up_day": [500, 230, 500, 500, 500, 500],
}


def test_what_the_study_gives_is_taken_for_everybody(tmp_path: Path) -> None:
    rfs = given("RFS", {"p0": (101, 1), "p1": (200, 1), "p2": (470, 0), "p3": (None, 0)})
    snapshot = published(tmp_path, outcomes=OUTCOMES, given_endpoints=rfs)
    assert endpoint(snapshot, "RFS") == {
        "p0": (30, 101, 1, "event"),
        "p1": (30, 200, 1, "event"),
        "p2": (30, 470, 0, "censored"),
        "p3": ("the study gives no time",),
        "p4": ("the study gives no time",),
        "p5": ("the study gives no time",),
    }
    # The others are derived as ever.
    assert endpoint(snapshot, "OS")["p1"] == (0, 230, 1, "death")
    assert endpoint(snapshot, "CIR")["p0"] == (30, 100, 1, "relapse")
    of = {found.code: found for found in queries.derivability(snapshot)}
    assert of["RFS"].n_usable == 3
    assert of["RFS"].excluded == {"the study gives no time": 3}
    assert of["RFS"].refused_because is None


def test_the_diff_counts_given_endpoints(tmp_path: Path) -> None:
    first = {"p0": (10, 1), "p1": (20, 0), "p2": (30, 0)}
    second = {"p0": (11, 1), "p1": (20, 0), "p3": (30, 0)}
    found = [
        published(tmp_path, given_endpoints=given("OS", times)) for times in (first, second, second)
    ]
    before, after, again = (replace(s, hash=str(at)) for at, s in enumerate(found))
    assert diff(before, after) == Diff(given_endpoints_changed=3)
    assert str(diff(before, after)) == "3 given endpoints changed"
    assert diff(after, again) == Diff(something_else=True)


def test_a_given_endpoint_is_refused_only_where_nobody_has_it(tmp_path: Path) -> None:
    undated = OUTCOMES | {"died": ["yes"] * 6, "death_day": [None] * 6, "relapse_day": [None] * 6}
    snapshot = published(tmp_path, outcomes=undated, given_endpoints=given("OS", {"p0": (10, 1)}))
    of = {found.code: found for found in queries.derivability(snapshot)}
    assert of["OS"].refused_because is None
    assert of["RFS"].refused_because is not None
    empty = published(
        tmp_path, outcomes=undated, given_endpoints=given("OS", {"p0": (None, 1), "p1": (5, None)})
    )
    of = {found.code: found for found in queries.derivability(empty)}
    assert of["OS"].refused_because == "No patient has the days that it needs."


def test_censoring_at_a_transplant_follows_from_what_is_given(tmp_path: Path) -> None:
    courses = {
        "patient_id": ["p0", "p1", "p2", "p3"],
        "kind": ["alloSCT"] * 4,
        "start_day": [90, 230, None, 95],
    }
    rows = {name: (200, 1) for name in IDS[:5]}
    unknown = {
        "patient_id": IDS,
        "cr_day": [30, 30, 30, None, 30, 30],
        "cr_achieved": ["yes"] * 6,
        "last_follow_up_day": [500] * 6,
    }
    snapshot = published(
        tmp_path, outcomes=unknown, treatments=courses, given_endpoints=given("RFS", rows)
    )
    assert endpoint(snapshot, "RFS_censored_at_allosct") == {
        "p0": (30, 60, 0, "alloSCT"),
        "p1": (30, 200, 1, "event"),  # transplanted on that very day
        "p2": ("alloSCT without a date",),
        "p3": ("first remission without a date",),
        "p4": (30, 200, 1, "event"),
        "p5": ("the study gives no time",),
    }
    said = published(
        tmp_path, outcomes=unknown, treatments=courses, given_endpoints=given("RFS", rows, 10)
    )
    assert endpoint(said, "RFS_censored_at_allosct")["p0"] == (10, 80, 0, "alloSCT")


def found(**brought: Cells) -> list[Problem]:
    return [p for p in check(read(**brought)) if "given" in p.file or "disagree" in p.what]


def test_given_and_derived_that_disagree_are_named_with_both_values() -> None:
    os = given(
        "OS", {"p0": (500, 0), "p1": (260, 1), "p2": (500, 1), "p3": (516, 0), "p4": (517, 0)}
    )
    told = [
        (p.severity, p.file, p.row, p.column, p.value)
        for p in found(outcomes=OUTCOMES, given_endpoints=os)
    ]
    assert sorted(told, key=str) == [
        ("warning", "given_endpoints.csv", 3, "time_days", "260 (from the days 230)"),
        ("warning", "given_endpoints.csv", 4, "event_code", "1 (from the outcomes 0)"),
        ("warning", "given_endpoints.csv", 6, "time_days", "517 (from the days 500)"),
    ]


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("OS", {"p0": (500, 0), "p1": (230, 1), "p5": (490, 0)}),
        ("RFS", {"p0": (100, 1), "p1": (200, 1), "p5": (470, 0)}),
        ("EFS", {"p0": (130, 1), "p1": (230, 1), "p5": (500, 0)}),
        ("CIR", {"p0": (100, 1), "p1": (200, 2), "p5": (470, 0)}),
        ("NRM", {"p0": (100, 2), "p1": (200, 1), "p5": (470, 0)}),
    ],
)
def test_given_and_derived_that_agree_say_nothing(
    tmp_path: Path, code: str, rows: Mapping[str, tuple[int, int]]
) -> None:
    assert found(outcomes=OUTCOMES, given_endpoints=given(code, rows)) == []
    # The comparison knows what the SQL derives.
    derived = endpoint(published(tmp_path, outcomes=OUTCOMES), code)
    exact = {name: derived[name][1:3] for name in rows}
    assert found(outcomes=OUTCOMES, given_endpoints=given(code, exact)) == []
    assert all(abs(exact[name][0] - time) <= 10 for name, (time, _) in rows.items())
    assert {n: e for n, (_, e) in exact.items()} == {n: e for n, (_, e) in rows.items()}


def test_undated_events_are_not_compared() -> None:
    outcomes = OUTCOMES | {"died": ["yes"] * 6, "death_day": [None] * 6}
    assert found(outcomes=outcomes, given_endpoints=given("OS", {"p2": (400, 1)})) == []


def test_faults_of_given_endpoints() -> None:
    def said(**columns: Sequence[object]) -> list[tuple[str, str | None]]:
        cells = given("OS", {"p0": (10, 1), "p1": (20, 0)}) | columns
        tables = read(given_endpoints=cells)
        return [
            (p.severity, p.column) for p in [*tables.problems, *check(tables)] if "given" in p.file
        ]

    assert said() == []
    assert said(event_code=[2, 0]) == [("fatal", "event_code")]
    assert said(event_code=[None, 0]) == [("warning", "time_days")]
    assert said(time_days=[None, 20]) == [("warning", "event_code")]
    assert said(time_days=[-1, 20])[0] == ("fatal", "time_days")
    assert said(patient_id=["p0", "p0"]) == [("fatal", "patient_id")]
    assert said(endpoint=["PFS", "OS"])[0] == ("fatal", "endpoint")
    assert said(patient_id=["p0", "nobody"]) == [("fatal", "patient_id")]


SAMPLES = {
    "patient_id": IDS, "day": [30] * 6, "assay": ["NGS"] * 6, "material": ["BM"] * 6,
    "lod_fraction": [1e-6] * 6, "mrd_fraction": [0, 0, 1e-3, 1e-3, 1e-7, 0],
}  # fmt: skip

PARTS: dict[str, dict[str, Cells]] = {
    "patients alone": {},
    "samples alone": {"mrd_assessments": SAMPLES},
    "outcomes alone": {"outcomes": OUTCOMES},
    "one given endpoint": {"given_endpoints": given("OS", {name: (100, 1) for name in IDS})},
    "overall survival that fills the outcomes": {
        "given_endpoints": given("OS", {name: (100, n % 2) for n, name in enumerate(IDS)}),
        "outcomes": {
            "patient_id": IDS, "died": ["no", "yes"] * 3,
            "death_day": [None, 100] * 3, "last_follow_up_day": [100] * 6,
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_every_question_has_an_answer_whatever_a_study_lacks(tmp_path: Path, name: str) -> None:
    snapshot = published(tmp_path, **PARTS[name])
    variables, everybody = queries.dictionary(snapshot), CohortFilter()
    assert queries.study(snapshot).study_id == "made"
    assert len(queries.subjects(snapshot, everybody, variables)) == 6
    assert queries.size(snapshot, everybody, variables) == 6
    assert int(queries.disposition(snapshot, everybody, variables)["n"].sum()) == 6
    queries.level_counts(snapshot, everybody, variables, tuple(variables))
    queries.import_problems(snapshot)
    assert len(queries.mrd_by_timepoint(snapshot, everybody, variables)) == 6 * 3
    for refusal in queries.derivability(snapshot):
        usable = queries.events(snapshot, everybody, variables, endpoint=refusal.code)
        counted = usable[["n_event", "n_competing", "n_censored"]].to_numpy().sum()
        assert counted == refusal.n_usable
        assert refusal.n_usable > 0 or refusal.refused_because
        left = queries.exclusions(snapshot, everybody, variables, endpoint=refusal.code)
        assert sum(left.values()) + refusal.n_usable == 6
        queries.model_rows(snapshot, everybody, variables, endpoint=refusal.code)
        for switch in ("allosct", "car_t"):
            if switch in variables:
                queries.switch_rows(
                    snapshot, everybody, variables, endpoint=refusal.code, name=switch
                )
    for patient in IDS:
        queries.patient(snapshot, everybody, patient)


def test_nothing_known_of_remission_is_not_no_remission(tmp_path: Path) -> None:
    snapshot = published(tmp_path, **PARTS["overall survival that fills the outcomes"])
    states = query(snapshot, "SELECT DISTINCT disposition FROM subjects")
    assert "no remission" not in set(states["disposition"])
    assert "died without remission" not in set(states["disposition"])
    reasons = {v for v in endpoint(snapshot, "RFS").values()}
    assert reasons == {("not known whether remission was reached",)}
