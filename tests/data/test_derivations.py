"""The rules of the data model on patients made for them, one rule each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data import queries
from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.store import Snapshot, query

STUDY = {
    "study_id": "made",
    "title": "Made",
    "day_zero_label": "start of treatment",
    "default_endpoint": "RFS",
}


class Made:
    """A study written down patient by patient."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, list[dict[str, Any]]] = {
            "patients": [], "mrd_assessments": [], "treatments": [], "outcomes": []
        }  # fmt: skip

    def patient(
        self,
        patient_id: str,
        *,
        samples: list[dict[str, Any]] | None = None,
        treatments: list[dict[str, Any]] | None = None,
        outcome: dict[str, Any] | None = None,
        **features: Any,
    ) -> None:
        key = {"patient_id": patient_id}
        self.rows["patients"].append(key | {"ph_status": "negative"} | features)
        self.rows["mrd_assessments"] += [
            key | {"assay": "NGS", "material": "BM", "lod_fraction": 1e-6} | s
            for s in samples or []
        ]
        self.rows["treatments"] += [key | t for t in treatments or []]
        days = {"cr_day": 28, "relapse_day": None, "death_day": None, "last_follow_up_day": 400}
        self.rows["outcomes"].append(key | days | (outcome or {}))

    def publish(self, **study: Any) -> Snapshot:
        (self.folder / "study.json").write_text(json.dumps(STUDY | study), "utf-8")
        columns = {
            "patients": ["patient_id"],
            "mrd_assessments": ["patient_id", "day"],
            "treatments": ["patient_id", "kind"],
            "outcomes": ["patient_id", "cr_day", "last_follow_up_day"],
        }
        for name, rows in self.rows.items():
            frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns[name])
            frame.to_csv(self.folder / f"{name}.csv", index=False)
        return import_folder(self.folder, "made", self.folder / "store")[0]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def status(snapshot: Snapshot) -> dict[str, str]:
    rows = query(snapshot, "SELECT * FROM mrd_by_timepoint WHERE timepoint = 'after cycle 1'")
    return dict(zip(rows["patient_id"], rows["status"], strict=True))


def outcome(snapshot: Snapshot, endpoint: str) -> dict[str, tuple[Any, ...]]:
    rows = query(snapshot, "SELECT * FROM time_to_event WHERE endpoint = $e", {"e": endpoint})
    return {
        r.patient_id: (r.excluded_because,)
        if isinstance(r.excluded_because, str)
        else (int(r.time_days), int(r.event_code))
        for r in rows.itertuples()
    }


SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "negative in marrow": ({"call": "negative"}, "negative"),
    "nothing found, no call": ({"mrd_fraction": 0}, "negative"),
    "negative in blood": ({"call": "negative", "material": "PB"}, "indeterminate"),
    "negative, material unknown": ({"call": "negative", "material": None}, "indeterminate"),
    "negative, too shallow": ({"call": "negative", "lod_fraction": 1e-5}, "indeterminate"),
    "negative, depth unknown": ({"call": "negative", "lod_fraction": None}, "indeterminate"),
    "flow at 1e-4": ({"call": "negative", "assay": "MFC", "lod_fraction": 1e-4}, "negative"),
    "flow at 1e-3": ({"call": "negative", "assay": "MFC", "lod_fraction": 1e-3}, "indeterminate"),
    "positive in blood": ({"call": "positive", "material": "PB"}, "positive"),
    "found above the limit": ({"mrd_fraction": 1e-6}, "positive"),
    "found below the limit": ({"mrd_fraction": 9e-7}, "below LOD"),
    "called below LOD": ({"call": "below LOD"}, "below LOD"),
    "not evaluable": ({"call": "not evaluable"}, "indeterminate"),
    "no result": ({"mrd_fraction": None}, "indeterminate"),
}


def test_status_of_a_sample(made: Made) -> None:
    for name, (sample, _) in SAMPLES.items():
        made.patient(name, samples=[{"day": 30, **sample}])
    made.patient("no sample")
    snapshot = made.publish()
    assert status(snapshot) == {n: s for n, (_, s) in SAMPLES.items()} | {
        "no sample": "not assessed"
    }
    why = query(snapshot, "SELECT * FROM mrd_by_timepoint WHERE status = 'indeterminate'")
    assert why["not_evaluable_because"].notna().all()


def test_the_sample_that_stands_for_a_timepoint(made: Made) -> None:
    negative, positive = {"call": "negative"}, {"call": "positive"}
    made.patient("nearest", samples=[{"day": 20, **positive}, {"day": 33, **negative}])
    made.patient("marrow first", samples=[
        {"day": 30, **positive, "material": "PB"}, {"day": 30, **negative}])  # fmt: skip
    made.patient(
        "deeper first",
        samples=[
            {"day": 28, "assay": "MFC", "lod_fraction": 1e-4, **negative},
            {"day": 32, **positive},
        ],
    )
    made.patient("first day", samples=[{"day": 14, **negative}])
    made.patient("too early", samples=[{"day": 13, **negative}])
    made.patient("last day", samples=[{"day": 60, **negative}])
    made.patient("after transplant", samples=[{"day": 40, **negative}],
                 treatments=[{"kind": "alloSCT", "start_day": 40}])  # fmt: skip
    made.patient("after CAR T cells", samples=[{"day": 40, **negative}],
                 treatments=[{"kind": "CAR-T", "start_day": 35}])  # fmt: skip
    made.patient("after relapse", samples=[{"day": 50, **negative}], outcome={"relapse_day": 45})
    made.patient("before transplant", samples=[{"day": 39, **negative}],
                 treatments=[{"kind": "alloSCT", "start_day": 40}])  # fmt: skip
    found = status(made.publish())
    assert found == {
        "nearest": "negative", "marrow first": "negative", "deeper first": "positive",
        "first day": "negative", "too early": "not assessed", "last day": "negative",
        "after transplant": "not assessed", "after CAR T cells": "not assessed",
        "after relapse": "not assessed", "before transplant": "negative",
    }  # fmt: skip


def test_a_named_timepoint_counts_whatever_its_day(made: Made) -> None:
    made.patient("named", samples=[{"day": 75, "timepoint": "after cycle 1", "call": "negative"}])
    made.patient("other", samples=[{"day": 30, "timepoint": "3 months", "call": "negative"}])
    snapshot = made.publish()
    assert status(snapshot) == {"named": "negative", "other": "not assessed"}


DYNAMICS = {
    "nnn": "early responder", "n..": "early responder", "npp": "early responder",
    "pn.": "late responder", "p.n": "late responder", "ppn": "late responder",
    "ppp": "non-responder", "p..": "non-responder", ".p.": "non-responder", "bp.": "non-responder",
    ".n.": "unknown", "b..": "unknown", "bn.": "unknown", "...": "unknown", ".pn": "unknown",
}  # fmt: skip


def test_dynamics(made: Made) -> None:
    calls = {"n": "negative", "p": "positive", "b": "below LOD"}
    for pattern in DYNAMICS:
        made.patient(pattern, samples=[
            {"day": day, "call": calls[sign]}
            for day, sign in zip((30, 91, 183), pattern, strict=True) if sign in calls
        ])  # fmt: skip
    snapshot = made.publish()
    rows = query(snapshot, "SELECT patient_id, mrd_dynamics FROM subjects")
    assert dict(rows.itertuples(index=False)) == DYNAMICS


def test_risk_group(made: Made) -> None:
    none = dict.fromkeys(
        ("hypodiploid", "complex_karyotype", "kmt2a_rearranged", "ph_like", "tp53_mutated"), "no"
    )
    made.patient("standard", **none)
    made.patient("high", **none | {"tp53_mutated": "yes"})
    made.patient("high although one is missing", **none | {"ph_like": None, "hypodiploid": "yes"})
    made.patient("unknown", **none | {"ph_like": None})
    made.patient("nothing known")
    made.patient("positive", **none | {"ph_status": "positive", "tp53_mutated": "yes"})
    made.patient("status unknown", **none | {"ph_status": None})
    rows = query(made.publish(), "SELECT patient_id, risk_group FROM subjects")
    assert dict(rows.itertuples(index=False)) == {
        "standard": "standard", "high": "high", "high although one is missing": "high",
        "unknown": "unknown", "nothing known": "unknown", "positive": "Ph-positive",
        "status unknown": "unknown",
    }  # fmt: skip


def test_endpoints(made: Made) -> None:
    made.patient("well")
    made.patient(
        "relapsed", outcome={"relapse_day": 100, "death_day": 300, "last_follow_up_day": 300}
    )
    made.patient("died", outcome={"death_day": 128, "last_follow_up_day": 128})
    made.patient("transplanted", treatments=[{"kind": "alloSCT", "start_day": 90}],
                 outcome={"relapse_day": 200})  # fmt: skip
    made.patient("transplanted after relapse", treatments=[{"kind": "alloSCT", "start_day": 250}],
                 outcome={"relapse_day": 200})  # fmt: skip
    made.patient("refractory", treatments=[{"kind": "induction", "start_day": 0, "end_day": 35}],
                 outcome={"cr_day": None, "last_follow_up_day": 90})  # fmt: skip
    for name, end, death in (("refractory, died later", 40, 400), ("died in induction", 35, 20)):
        made.patient(
            name,
            treatments=[{"kind": "induction", "start_day": 0, "end_day": end}],
            outcome={"cr_day": None, "death_day": death, "last_follow_up_day": death},
        )
    snapshot = made.publish()
    assert outcome(snapshot, "RFS") == {
        "well": (372, 0), "relapsed": (72, 1), "died": (100, 1), "transplanted": (172, 1),
        "transplanted after relapse": (172, 1), "refractory": ("no complete remission",),
        "refractory, died later": ("no complete remission",),
        "died in induction": ("no complete remission",),
    }  # fmt: skip
    assert outcome(snapshot, "OS") == {
        "well": (400, 0), "relapsed": (300, 1), "died": (128, 1), "transplanted": (400, 0),
        "transplanted after relapse": (400, 0), "refractory": (90, 0),
        "refractory, died later": (400, 1), "died in induction": (20, 1),
    }  # fmt: skip
    assert outcome(snapshot, "EFS")["refractory"] == (35, 1)
    assert outcome(snapshot, "EFS")["refractory, died later"] == (40, 1)
    assert outcome(snapshot, "EFS")["died in induction"] == (20, 1)
    assert outcome(snapshot, "EFS")["relapsed"] == (100, 1)
    assert outcome(snapshot, "CIR")["died"] == (100, 2)
    assert outcome(snapshot, "CIR")["relapsed"] == (72, 1)
    assert outcome(snapshot, "NRM")["died"] == (100, 1)
    assert outcome(snapshot, "NRM")["relapsed"] == (72, 2)
    censored = outcome(snapshot, "RFS_censored_at_allosct")
    assert censored["transplanted"] == (62, 0)
    assert censored["transplanted after relapse"] == (172, 1)
    flags = query(snapshot, "SELECT patient_id, allosct FROM subjects WHERE allosct = 'yes'")
    assert list(flags["patient_id"]) == ["transplanted"]


def test_a_transplant_before_remission_is_not_one_in_first_remission(made: Made) -> None:
    made.patient("early", treatments=[{"kind": "alloSCT", "start_day": 20}])
    made.patient("never in remission", treatments=[{"kind": "alloSCT", "start_day": 60}],
                 outcome={"cr_day": None})  # fmt: skip
    made.patient("on the day", treatments=[{"kind": "alloSCT", "start_day": 28}])
    snapshot = made.publish()
    rows = query(snapshot, "SELECT patient_id, allosct FROM subjects")
    assert dict(rows.itertuples(index=False)) == {
        "early": "no", "never in remission": "no", "on the day": "yes"
    }  # fmt: skip
    times = query(snapshot, "SELECT min(time_days) AS t FROM time_to_event")
    assert times.iat[0, 0] >= 0


def test_not_knowing_never_counts_as_not_having_happened(made: Made) -> None:
    for number in range(8):
        made.patient(
            f"event {number}", outcome={"relapse_day": 60 + number, "relapsed": "yes", "died": None}
        )
    made.patient(
        "died, undated", outcome={"died": "yes", "relapsed": "no", "last_follow_up_day": None}
    )
    made.patient("silent", outcome={"relapsed": None, "died": None})
    made.patient("well", outcome={"relapsed": "no", "died": "no"})
    made.patient("transplant undated", outcome={"relapsed": "no", "died": "no"},
                 treatments=[{"kind": "alloSCT"}])  # fmt: skip
    snapshot = made.publish()
    rfs = outcome(snapshot, "RFS")
    assert rfs["died, undated"] == ("death without a date",)
    assert rfs["silent"] == ("not known whether the patient died",)
    assert rfs["well"] == (372, 0)
    assert outcome(snapshot, "RFS_censored_at_allosct")["transplant undated"] == (
        "alloSCT without a date",
    )
    given = {e.code: e for e in queries.derivability(snapshot)}
    assert given["RFS"].refused_because is None
    assert given["RFS"].excluded == {
        "death without a date": 1, "not known whether the patient died": 1
    }  # fmt: skip
    assert given["OS"].refused_because == "1 of 1 known events have no date."


def test_the_event_table_counts_what_time_to_event_lists(short2025: Snapshot) -> None:
    variables = queries.dictionary(short2025)
    cohort = CohortFilter(ph_status=("negative",))
    counted = queries.events(short2025, cohort, variables, endpoint="RFS", by=("risk_group",))
    rows = queries.event_rows(
        short2025, cohort, variables, endpoint="RFS", by=("risk_group",), landmark_days=0
    )
    listed = rows.groupby(["risk_group", "time"])["event"].agg(
        n_event=lambda e: int((e == 1).sum()), n_censored=lambda e: int((e == 0).sum())
    )
    shown = counted.set_index(["risk_group", "time"])[["n_event", "n_censored"]].astype("int64")
    pd.testing.assert_frame_equal(shown, listed.astype("int64"), check_index_type=False)


def test_a_transplant_after_the_landmark_does_not_make_a_transplanted_patient(made: Made) -> None:
    for name, day in (("before", 100), ("on the day", 128), ("after", 129)):
        made.patient(name, treatments=[{"kind": "alloSCT", "start_day": day}])
    made.patient("never")
    snapshot = made.publish()
    rows = queries.event_rows(
        snapshot, CohortFilter(), queries.dictionary(snapshot),
        endpoint="RFS", by=("allosct",), landmark_days=100,
    ).set_index("patient_id")  # fmt: skip
    assert rows["allosct"].to_dict() == {
        "before": "yes", "on the day": "yes", "after": "no", "never": "no"
    }  # fmt: skip
    assert rows["switch_day"].dropna().to_dict() == {"before": 72, "on the day": 100, "after": 101}


def test_an_undated_transplant_is_in_no_group_of_a_landmark(made: Made) -> None:
    made.patient("undated", treatments=[{"kind": "alloSCT"}])
    made.patient("dated", treatments=[{"kind": "alloSCT", "start_day": 60}])
    made.patient("never")
    snapshot = made.publish()
    rows = queries.event_rows(
        snapshot, CohortFilter(), queries.dictionary(snapshot),
        endpoint="RFS", by=("allosct",), landmark_days=100,
    ).set_index("patient_id")  # fmt: skip
    assert list(rows.index[rows["undated"]]) == ["undated"]


def test_a_filter_on_mrd_is_held_to_the_landmark_like_a_grouping(made: Made) -> None:
    made.patient("early sample", samples=[{"day": 70, "call": "negative"}])
    made.patient("late sample", samples=[{"day": 130, "call": "negative"}])
    snapshot = made.publish()
    rows = queries.event_rows(
        snapshot, CohortFilter(mrd_3_months=("negative",)), queries.dictionary(snapshot),
        endpoint="OS", landmark_days=91,
    ).set_index("patient_id")  # fmt: skip
    assert rows["known_day"].to_dict() == {"early sample": 70, "late sample": 130}


def test_those_known_to_have_the_event_are_not_shown_alone(made: Made) -> None:
    # Whoever died is known to have failed; of the others nothing is known of relapse.
    for i in range(12):
        died = {"death_day": 300, "last_follow_up_day": 300} if i < 4 else {}
        made.patient(f"{i}", outcome={"relapsed": None, "cr_achieved": "yes"} | died)
    found = {d.code: d for d in queries.derivability(made.publish())}
    assert found["RFS"].n_usable == 4
    assert (
        found["RFS"].refused_because
        == "For 8 of 12 patients it is not known whether the event happened."
    )
    assert found["OS"].refused_because is None


def test_a_column_left_empty_beside_days_says_nothing(made: Made) -> None:
    for i in range(6):
        died = {"death_day": 300, "last_follow_up_day": 300} if i == 0 else {}
        made.patient(f"{i}", outcome={"died": None, "relapsed": None} | died)
    found = {d.code: d for d in queries.derivability(made.publish())}
    assert (found["OS"].n_usable, found["OS"].refused_because) == (6, None)
    # No relapse has a day either: nobody knows whether there was any.
    assert found["CIR"].refused_because is not None


def test_a_late_death_without_remission_is_not_the_day_of_failure(made: Made) -> None:
    # Refractory, alive for more than a year: when it was established nobody wrote down.
    for i in range(10):
        made.patient(f"well {i}")
    for name, death in (("late", 500), ("early", 20)):
        made.patient(
            name, outcome={"cr_day": None, "death_day": death, "last_follow_up_day": death}
        )
    found = outcome(made.publish(), "EFS")
    assert found["early"] == (20, 1)
    assert found["late"] == ("no remission, and no day on which that was established",)
