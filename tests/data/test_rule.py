"""The MRD rule: whatever it is, the store says what the samples say, counted here by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import queries
from data.cohort import CohortFilter, UnknownInQuery
from data.engines import duck
from data.importing.publish import import_folder
from data.importing.tables import TABLES
from data.rule import CUTOFFS, DEPTH_OF_STUDY, MrdRule
from data.store import Snapshot, find, query, sql_text
from data.variables import ASSAYS

DEMO = Path(__file__).parents[2] / "data" / "demo"
DERIVED = ("mrd_by_timepoint", "subjects")
RULES = [
    MrdRule(assay, cutoff, below_lod)  # type: ignore[arg-type]
    for assay, cutoff, below_lod in product(
        (None, "NGS", "MFC"), (None, *CUTOFFS.values()), ("own status", "negative")
    )
]


STUDIES = ("nguyen2026", "short2025", "two_assays")


@pytest.fixture(scope="session")
def studies(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    """Two embedded cohorts, and one in which every second sample was measured by flow as well."""
    folder = tmp_path_factory.mktemp("two_assays")
    for file in (DEMO / "short2025").glob("*.csv"):
        (folder / file.name).write_bytes(file.read_bytes())
    description = json.loads((DEMO / "short2025" / "study.json").read_text("utf-8"))
    (folder / "study.json").write_text(json.dumps(description | {"study_id": "two_assays"}))
    samples = pd.read_csv(folder / "mrd_assessments.csv")
    flow = samples[::2].assign(assay="MFC", target=None, lod_fraction=1e-4, call=None)
    flow["mrd_fraction"] = flow["mrd_fraction"].where(flow["mrd_fraction"] >= 1e-5, 0)
    flow["day"] += [step % 3 - 1 for step in range(len(flow))]
    flow.loc[flow.index[::7], "material"] = "PB"
    flow.loc[flow.index[::5], "lod_fraction"] = 1e-5
    called = flow.index[::11]
    flow.loc[called, ["mrd_fraction", "call"]] = [None, "negative"]
    flow.loc[called[::2], "call"] = "positive"
    flow.loc[flow.index[3::13], "call"] = "not evaluable"
    pd.concat([samples, flow]).to_csv(folder / "mrd_assessments.csv", index=False)
    two, _ = import_folder(folder, "two_assays", folder / "store")
    return {"two_assays": two} | {name: find(name, folder=store) for name in STUDIES[:2]}


@pytest.fixture
def two_assays(studies: dict[str, Snapshot]) -> Snapshot:
    return studies["two_assays"]


def by_hand(snapshot: Snapshot, rule: MrdRule) -> pd.DataFrame:
    """The status of every patient and timepoint, sample by sample, from the raw tables alone."""
    samples = query(snapshot, "SELECT * FROM mrd_assessments")
    course = query(snapshot, "SELECT * FROM course").set_index("patient_id")
    windows = query(snapshot, "SELECT * FROM timepoints ORDER BY position")
    rows = []
    for patient, window in product(course.index, windows.itertuples()):
        ends = course.loc[patient, ["allosct_day", "car_t_day", "relapse_day"]].dropna()
        mine = samples[samples["patient_id"] == patient]
        if rule.assay:
            mine = mine[mine["assay"] == rule.assay]
        mine = mine[mine["day"] < ends.min()] if len(ends) else mine
        mine = mine[mine["day"].between(window.first_day, window.last_day)]
        nearest = sorted(
            mine.to_dict("records"),
            key=lambda s: (
                abs(s["day"] - window.target_day), s["material"] != "BM",
                s["lod_fraction"], s["assay"], str(s["target"]),
            ),
        )  # fmt: skip
        status = _status(nearest[0], rule) if nearest else "not assessed"
        rows.append((patient, window.variable, status))
    return pd.DataFrame(rows, columns=["patient_id", "variable", "status"])


def _status(sample: dict[str, Any], rule: MrdRule) -> str:
    level, limit, found = sample["mrd_fraction"], sample["lod_fraction"], sample["call"]
    asked = rule.cutoff or (1e-6 if sample["assay"] == "NGS" else 1e-4)
    if pd.isna(found):
        found = "negative" if level == 0 else "below LOD" if level < limit else "positive"
    if rule.cutoff and found != "not evaluable" and not pd.isna(level):
        if level >= rule.cutoff:
            found = "positive"
        elif not (found == "below LOD" and limit >= rule.cutoff):
            found = "negative"
    if found == "not evaluable":
        return "indeterminate"
    if found == "below LOD" and rule.below_lod == "negative":
        found = "negative"
    if found == "negative" and not (sample["material"] == "BM" and limit <= asked):
        return "indeterminate"
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_the_study_s_own_rule_is_what_is_stored_row_by_row(
    study: str, studies: dict[str, Snapshot]
) -> None:
    snapshot = studies[study]
    anew = duck._derived_anew(snapshot, MrdRule())
    for table in DERIVED:
        order = f"SELECT * FROM {table} ORDER BY ALL"
        pd.testing.assert_frame_equal(anew.execute(order).df(), query(snapshot, order))


def test_the_study_s_own_rule_reads_the_stored_tables(two_assays: Snapshot) -> None:
    assert duck._connection(two_assays, {}) is duck._opened(two_assays)
    where, parameters = CohortFilter(rule=MrdRule()).where()
    assert (where, parameters) == ("TRUE", {})


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.describe() or "own")
def test_every_rule_gives_what_the_samples_say(
    study: str, rule: MrdRule, studies: dict[str, Snapshot]
) -> None:
    snapshot = studies[study]
    variables = queries.dictionary(snapshot)
    expected = by_hand(snapshot, rule)
    rows = queries.mrd_by_timepoint(snapshot, CohortFilter(rule=rule), variables)
    found = rows.merge(
        pd.DataFrame(
            [(t.label, t.variable) for t in queries.study(snapshot).timepoints],
            columns=["timepoint", "variable"],
        )
    )
    merged = expected.merge(found, on=["patient_id", "variable"], suffixes=("_by_hand", ""))
    assert len(merged) == len(expected) == len(found)
    assert merged["status"].tolist() == merged["status_by_hand"].tolist()
    names = tuple(v.name for v in variables.timepoints)
    counts = queries.level_counts(snapshot, CohortFilter(rule=rule), variables, names)
    for name in names:
        alone = expected[expected["variable"] == name]
        assert counts[name] == alone["status"].value_counts().to_dict()


def test_a_rule_reaches_filters_dynamics_best_response_and_curves(two_assays: Snapshot) -> None:
    variables = queries.dictionary(two_assays)
    rule = MrdRule("MFC")
    wide = by_hand(two_assays, rule).pivot(index="patient_id", columns="variable", values="status")[
        [v.name for v in variables.timepoints]
    ]
    rows = queries.subjects(two_assays, CohortFilter(rule=rule), variables).set_index("patient_id")
    order = ("negative", "positive", "below LOD", "indeterminate", "not assessed")
    best = wide.apply(lambda row: next(s for s in order if s in set(row)), axis=1)
    assert rows["mrd_best"].to_dict() == best.to_dict()
    first = wide.iloc[:, 0]
    assert (rows["mrd_dynamics"] == "early responder").to_dict() == (first == "negative").to_dict()
    name = wide.columns[0]
    negative = CohortFilter(rule=rule, **{name: ("negative",)})
    assert queries.size(two_assays, negative, variables) == (first == "negative").sum()
    assert queries.size(two_assays, negative, variables) != queries.size(
        two_assays, negative.with_rule(MrdRule()), variables
    )
    table = queries.events(
        two_assays, CohortFilter(rule=rule), variables, endpoint="RFS", by=(name,)
    )
    counted = table.groupby(name)[["n_event", "n_censored"]].sum().sum(axis=1)
    assert counted["negative"] == (first == "negative").sum()


def test_a_landmark_takes_the_day_of_the_sample_that_the_rule_chose(two_assays: Snapshot) -> None:
    variables = queries.dictionary(two_assays)
    name = variables.timepoints[1].name
    for rule in (MrdRule("NGS"), MrdRule("MFC")):
        cohort = CohortFilter(rule=rule, **{name: ("negative", "positive")})
        days = queries.subjects(two_assays, cohort, variables)
        rows = queries.event_rows(
            two_assays, cohort, variables, endpoint="RFS", by=(name,), landmark_days=91
        )
        merged = rows.merge(days[["patient_id", "cr_day", f"{name}_day"]], on="patient_id")
        assert len(merged)
        assert (merged["known_day"] == merged[f"{name}_day"] - merged["cr_day"]).all()


def test_the_depth_stands_once_in_the_derivation() -> None:
    assert sql_text("derive_mrd_by_timepoint").count(DEPTH_OF_STUDY) == 1


def test_what_is_found_under_the_cut_off_is_not_called_nothing(two_assays: Snapshot) -> None:
    variables = queries.dictionary(two_assays)
    rows = queries.mrd_by_timepoint(two_assays, CohortFilter(rule=MrdRule(cutoff=1e-4)), variables)
    rows = rows[(rows["status"] == "indeterminate") & rows["mrd_fraction"].notna()]
    said = [(level > 0, reason) for level, reason in
            zip(rows["mrd_fraction"], rows["not_evaluable_because"], strict=True)]  # fmt: skip
    assert (True, "under the cut-off, but not in marrow") in said
    assert not any(found and reason.startswith("nothing") for found, reason in said)


def test_questions_about_samples_are_about_all_of_them(two_assays: Snapshot) -> None:
    text = "SELECT count(*) AS n FROM mrd_assessments"
    every = query(two_assays, text)["n"][0]
    assert query(two_assays, text, {"mrd_rule": MrdRule("MFC", 1e-4)})["n"][0] == every


def test_a_query_under_another_rule_cannot_reach_a_file(
    two_assays: Snapshot, tmp_path: Path
) -> None:
    under = {"mrd_rule": MrdRule("NGS")}
    for text in (
        f"COPY subjects TO '{tmp_path / 'x.csv'}'",
        f"ATTACH '{tmp_path / 'x.duckdb'}' AS y",
        "SET enable_external_access = true",
        "CREATE TABLE snapshot.more AS SELECT 1 AS one",
    ):
        with pytest.raises(Exception, match=r"disabled|locked|read-only"):
            query(two_assays, text, under)
    assert not list(tmp_path.iterdir())


@given(
    st.sampled_from((None, *ASSAYS)),
    st.sampled_from((None, *CUTOFFS.values())),
    st.sampled_from(("own status", "negative")),
)
def test_a_link_reads_back_as_the_rule_it_was_written_from(assay, cutoff, below_lod) -> None:  # type: ignore[no-untyped-def]
    cohort = CohortFilter(rule=MrdRule(assay, cutoff, below_lod), ph_status=("negative",))
    assert CohortFilter.from_query(cohort.to_query()) == cohort
    assert bool(cohort.rule) == (len(cohort.to_query()) > 1)


def test_a_rule_is_said_only_where_it_is_not_the_study_s_own() -> None:
    rule = MrdRule("NGS", 1e-5)
    assert CohortFilter(rule=rule).describe() == "all patients · MRD by NGS, cut-off 10⁻⁵"
    both = CohortFilter(rule=MrdRule(below_lod="negative"), ph_status=("negative",))
    assert both.describe() == "Ph-negative · MRD below LOD as negative"
    assert CohortFilter(rule=MrdRule()).describe() == "all patients"
    assert not CohortFilter(rule=rule)
    assert CohortFilter(rule=rule).key != CohortFilter().key


def test_filters_come_and_go_and_the_rule_stays() -> None:
    cohort = CohortFilter(rule=MrdRule("NGS"), ph_status=("negative",))
    assert cohort.without("ph_status") == CohortFilter(rule=MrdRule("NGS")) == cohort.everybody()
    assert cohort.with_("sex", ("male",)).rule == MrdRule("NGS")
    assert cohort.with_rule(MrdRule()) == CohortFilter(ph_status=("negative",))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"mrd_assay": ["qPCR"]}, "‘qPCR’ is not an MRD assay of this study: NGS, MFC."),
        ({"mrd_cutoff": ["1e-9"]}, "‘1e-9’ is not an MRD cut-off: 1e-3, 1e-4, 1e-5, 1e-6."),
        ({"mrd_cutoff": ["1e-4", "1e-5"]}, "‘1e-4, 1e-5’ is not an MRD cut-off"),
        ({"mrd_below_lod": ["positive"]}, "is not a way to count below LOD: own status, negative."),
    ],
)
def test_a_rule_that_is_unknown_is_said(
    query: dict[str, list[str]], said: str, two_assays: Snapshot
) -> None:
    variables = queries.dictionary(two_assays)
    assert variables.assays == ("NGS", "MFC")
    with pytest.raises(UnknownInQuery, match=said) as caught:
        CohortFilter.from_query({"ph_status": ["negative"], **query}, variables)
    assert caught.value.rest == CohortFilter(ph_status=("negative",))


def test_the_assays_are_those_of_the_import() -> None:
    assert TABLES["mrd_assessments"]["assay"].levels == ASSAYS


def test_few_rules_are_kept_in_memory(two_assays: Snapshot) -> None:
    variables = queries.dictionary(two_assays)
    for rule in RULES:
        assert queries.size(two_assays, CohortFilter(rule=rule), variables) > 0
    assert len(duck._overlays) <= duck._OVERLAYS_KEPT


def test_of_a_large_study_fewer_rules_are_kept(two_assays: Snapshot) -> None:
    large = replace(two_assays, rows={**two_assays.rows, "patients": 700_000})
    for rule in RULES[1:6]:
        queries.size(large, CohortFilter(rule=rule), queries.dictionary(large))
    assert [key[-1] for key in duck._overlays].count(700_000) == 2
    larger = replace(two_assays, rows={**two_assays.rows, "patients": 9_000_000})
    queries.size(larger, CohortFilter(rule=RULES[7]), queries.dictionary(larger))
    assert [key[-1] for key in duck._overlays] == [9_000_000]


def test_two_saved_cohorts_are_a_variable(short2025: Snapshot) -> None:
    plain = queries.dictionary(short2025)
    a = CohortFilter(risk_group=("high",), mrd_3_months=("negative",))
    b = CohortFilter(age_years=(0, 60), rule=MrdRule(cutoff=1e-4), mrd_3_months=("negative",))
    compared = queries.comparing(short2025, a, b, plain)
    variables = queries.dictionary(compared)
    variable = variables["cohorts"]
    assert list(variables)[:-1] == list(plain)
    assert variable.level("A").name == "A: high risk · MRD negative at 3 months, not in B"
    assert variable.level("B").name.endswith("Age 0–60 years · MRD cut-off 10⁻⁴, not in A")
    assert variable.depends_on == ("mrd_3_months",)
    assert [v.name for v in variables.deciding(["cohorts"])] == ["cohorts", "mrd_3_months"]
    in_a = set(queries.subjects(short2025, a, plain)["patient_id"])
    in_b = set(queries.subjects(short2025, b, plain)["patient_id"])
    assert in_a & in_b
    for cohort in (
        CohortFilter(),
        CohortFilter(ph_status=("negative",)),
        CohortFilter(rule=b.rule),
    ):
        rows = queries.subjects(compared, cohort, variables)
        here = set(rows["patient_id"])
        groups = rows.set_index("patient_id")["cohorts"]
        assert set(groups[groups == "A"].index) == (in_a - in_b) & here
        assert set(groups[groups == "B"].index) == (in_b - in_a) & here
        assert queries.in_both(compared, cohort, variables) == len(in_a & in_b & here)
    table = queries.events(compared, CohortFilter(), variables, endpoint="RFS", by=("cohorts",))
    assert set(table["cohorts"]) == {"A", "B"}
    assert short2025.key != compared.key
    assert queries.in_both(short2025, CohortFilter(), plain) == 0
