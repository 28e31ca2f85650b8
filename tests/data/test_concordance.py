"""Two assays on the same patients: who is compared, by which samples, and how far they agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data import queries
from data.assays import AssayPair, assay_pairs
from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.store import Snapshot, find
from pages.elements.answers.concordance import Concordance, concordance

PUBLISHED = Path(__file__).parents[2] / "data" / "published"
NAME = "agreement_mfc_ngs_at_the_start"
DISCORDANT = "MFC-/NGS+"


@pytest.fixture(scope="module")
def nguyen2026(store: Path) -> Snapshot:
    return find("nguyen2026", folder=store)


def at_start(snapshot: Snapshot, cohort: CohortFilter | None = None) -> Concordance:
    (pair,) = assay_pairs(snapshot)
    return concordance(snapshot, cohort or CohortFilter(), queries.dictionary(snapshot), pair)


def printed(level: str) -> int:
    rows = pd.read_csv(PUBLISHED / "baseline.csv")
    mine = (rows["study"] == "nguyen2026") & (rows["characteristic"] == "mrd_at_start")
    return int(rows.loc[mine & (rows["level"] == level), "n"].iloc[0])


def test_mfc_and_ngs_at_the_start_as_printed(nguyen2026: Snapshot) -> None:
    result = at_start(nguyen2026)
    assert (result.n, result.left_out, result.days_apart) == (38, {}, 0)
    assert result.classes == {
        "both negative": 0, DISCORDANT: printed("NGS+/MFC-"), "MFC+/NGS-": 0,
        "both positive": printed("MFC+"),
    }  # fmt: skip
    counts = result.statuses
    assert counts.loc["negative", "below LOD"] == printed("NGS+/MFC- <0.0001%")
    deeper = [f"NGS+/MFC- {level}" for level in (">=0.0001% to <0.001%", ">=0.001%")]
    assert counts.loc["negative", "positive"] == sum(map(printed, deeper))
    assert counts.to_numpy().sum() == 38


def test_mcnemar_and_kappa_of_it_by_hand(nguyen2026: Snapshot) -> None:
    result = at_start(nguyen2026)
    assert result.difference.p_value == pytest.approx(2 * 0.5**15, rel=1e-12)
    assert result.difference.difference == pytest.approx(15 / 38)
    assert (result.agreed.count, result.first.count, result.second.count) == (23, 15, 0)
    # Nobody is negative by NGS: chance alone agrees as often.
    assert result.agreement.kappa == pytest.approx(0, abs=1e-12)
    assert result.agreement.low is None


def test_a_class_is_a_cohort_like_any_other(nguyen2026: Snapshot) -> None:
    variables = queries.dictionary(nguyen2026)
    cohort = CohortFilter(**{NAME: (DISCORDANT,)})
    rows = queries.subjects(nguyen2026, cohort, variables)
    assert len(rows) == queries.size(nguyen2026, cohort, variables) == 15
    # The study brought the same grouping as a column of its own.
    assert set(rows["mrd_at_start"]) == {DISCORDANT}
    assert set(rows[NAME]) == {DISCORDANT}
    assert CohortFilter.from_query(cohort.to_query(), variables) == cohort
    assert cohort.describe(variables) == "MFC−/NGS+ at the start"
    counts = queries.level_counts(nguyen2026, CohortFilter(), variables, [NAME])[NAME]
    assert counts == {DISCORDANT: 15, "both positive": 23}


@pytest.mark.parametrize("study", ["short2025", "allmrd", "chiaretti2004"])
def test_a_study_with_one_assay_has_nothing_to_compare(store: Path, study: str) -> None:
    snapshot = find(study, folder=store)
    assert assay_pairs(snapshot) == ()
    assert not any(name.startswith("agreement_") for name in queries.dictionary(snapshot))


def test_a_single_sample_has_the_status_of_its_timepoint(nguyen2026: Snapshot) -> None:
    variables = queries.dictionary(nguyen2026)
    stored = queries.mrd_by_timepoint(nguyen2026, CohortFilter(), variables)
    for position, label in ((1, "after cycle 1"), (2, "later")):
        pair = AssayPair("MFC", "NGS", position, "whenever")
        rows = queries.assays_of_cohort(nguyen2026, CohortFilter(), variables, pair)
        expected = stored[stored["timepoint"] == label].set_index("patient_id")["status"]
        found = rows.set_index("patient_id")["second_status"].fillna("not assessed")
        pd.testing.assert_series_equal(found, expected, check_names=False, check_dtype=False)


FLOW = {"assay": "MFC", "material": "BM", "lod_fraction": 1e-4, "day": 91, "mrd_fraction": 0.0}
DEEP = FLOW | {"assay": "NGS", "lod_fraction": 1e-6}
FOUND = {"mrd_fraction": 1e-3}


def published(folder: Path, patients: dict[str, list[dict[str, Any]]], **more: Any) -> Snapshot:
    """Import patients in remission on day 28, followed to day 400, with these samples."""
    study = {"study_id": "made", "title": "Made", "day_zero_label": "start of treatment",
             "default_endpoint": "RFS", "small_cell_minimum": 0}  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study), "utf-8")
    names = list(patients)
    samples = [{"patient_id": name} | s for name, each in patients.items() for s in each]
    well = {"cr_day": 28, "relapse_day": None, "death_day": None, "last_follow_up_day": 400}
    outcomes = [{"patient_id": name} | well for name in names]
    tables = {
        "patients": [{"patient_id": name, "ph_status": "negative"} for name in names],
        "mrd_assessments": samples,
        "treatments": more.get("treatments") or [],
        "outcomes": outcomes,
    }
    for name, rows in tables.items():
        frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=["patient_id", "kind"])
        frame.to_csv(folder / f"{name}.csv", index=False)
    return import_folder(folder, "made", folder / "store")[0]


def of_patients(snapshot: Snapshot, pair: AssayPair) -> pd.DataFrame:
    variables = queries.dictionary(snapshot)
    return queries.assays_of_cohort(snapshot, CohortFilter(), variables, pair).set_index(
        "patient_id"
    )


def test_the_sample_that_stands_for_each_assay(tmp_path: Path) -> None:
    snapshot = published(
        tmp_path,
        {
            "both negative": [FLOW, DEEP],
            "flow only": [FLOW | FOUND, DEEP],
            "deep only": [FLOW, DEEP | {"mrd_fraction": 3e-5}],
            "below LOD": [FLOW, DEEP | {"mrd_fraction": 5e-7}],
            "both positive": [FLOW | FOUND, DEEP | FOUND],
            "nearest": [FLOW | FOUND | {"day": 62}, FLOW | {"day": 89}, DEEP | {"day": 95}],
            "after transplant": [FLOW, DEEP],
            "blood": [FLOW | {"material": "PB"}, DEEP],
            "shallow": [FLOW, DEEP | {"lod_fraction": 1e-5}],
            "failed": [FLOW | {"call": "not evaluable"}, DEEP | {"call": "not evaluable"}],
            "no flow": [DEEP],
            "no deep": [FLOW],
            "neither": [DEEP | {"day": 183}],
        },
        treatments=[{"patient_id": "after transplant", "kind": "alloSCT", "start_day": 80}],
    )
    pairs = assay_pairs(snapshot)
    assert [(p.position, p.when, p.n) for p in pairs] == [(2, "at 3 months", 6)]
    rows = of_patients(snapshot, pairs[0])
    assert rows["agreement"].dropna().to_dict() == {
        "both negative": "both negative", "flow only": "MFC+/NGS-", "deep only": DISCORDANT,
        "below LOD": DISCORDANT, "both positive": "both positive", "nearest": "both negative",
    }  # fmt: skip
    result = concordance(snapshot, CohortFilter(), queries.dictionary(snapshot), pairs[0])
    assert result.left_out == {
        "no sample by either": 2, "no MFC sample": 1, "no NGS sample": 1, "neither evaluable": 1,
        "MFC not evaluable": 1, "NGS not evaluable": 1,
    }  # fmt: skip
    assert result.n + sum(result.left_out.values()) == 13
    assert result.days_apart == 6
    # 2 x 2 by hand: both negative 2, MFC+/NGS- 1, MFC-/NGS+ 2, both positive 1.
    assert result.agreed.count == 3
    assert result.agreement.kappa == pytest.approx((3 / 6 - 1 / 2) / (1 - 1 / 2))
    assert result.difference.p_value == pytest.approx(1.0)


def test_agreement_is_known_on_the_later_of_the_two_days(tmp_path: Path) -> None:
    snapshot = published(tmp_path, {"one": [FLOW | {"day": 85}, DEEP | {"day": 99}]})
    variables = queries.dictionary(snapshot)
    name = "agreement_mfc_ngs_at_3_months"
    assert variables[name].known == "at a day"
    assert not variables[name].is_timepoint
    rows = queries.event_rows(
        snapshot, CohortFilter(), variables, endpoint="RFS", by=(name,), landmark_days=91
    )
    assert rows["known_day"].tolist() == [99 - 28]


def test_the_first_day_with_both_serves_where_no_timepoint_has_more(tmp_path: Path) -> None:
    late = [FLOW | {"day": 300}, DEEP | {"day": 300}, FLOW | FOUND | {"day": 320}]
    apart = [FLOW | {"day": 300}, DEEP | {"day": 301}]
    snapshot = published(tmp_path, {"late": late, "apart": apart, "early": [FLOW, DEEP]})
    pairs = {pair.position: pair for pair in assay_pairs(snapshot)}
    assert {position: pair.n for position, pair in pairs.items()} == {-1: 2, 2: 1}
    rows = of_patients(snapshot, pairs[-1])
    assert rows["agreement"].dropna().to_dict() == {
        "early": "both negative",
        "late": "both negative",
    }
    assert rows.loc["late", "first_day"] == 300


def test_a_filter_is_respected(nguyen2026: Snapshot) -> None:
    result = at_start(nguyen2026, CohortFilter(ph_status=("positive",)))
    assert result.n == 12
    assert sum(result.classes.values()) == 12
