"""Every exhibit on the embedded cohorts: its numbers, its words, its code, and what small numbers hide."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from docx import Document
from openpyxl import load_workbook
from pptx import Presentation
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from analytics.suppression import Hidden
from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.queries import subjects
from data.store import Snapshot, find
from pages.elements import access, exhibits, frame, takeaway, wording
from pages.elements.exhibits import parts
from pages.elements.exhibits.code import selection
from pages.elements.exhibits.proofs import PROOFS
from pages.elements.exports import proof, report
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.methods import METHODS
from pages.elements.exports.workbook import provenance_table
from pages.elements.frame import Cohort
from pages.elements.link import View
from pages.elements.talk import LONGEST_MESSAGE, LONGEST_TITLE

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "demo"
STUDIES = ("allmrd", "chiaretti2004", "nguyen2026", "short2025")
HIGH = CohortFilter(ph_status=("negative",), risk_group=("high",))
VIEWS: tuple[tuple[str, CohortFilter, dict[str, str]], ...] = (
    *((study, CohortFilter(), {}) for study in STUDIES),
    ("short2025", HIGH, {"by": "allosct", "landmark_days": "167", "unit": "years"}),
    ("short2025", CohortFilter(), {"by": "risk_group", "by2": "mrd_after_cycle_1", "zoom": "6..30"}),
    ("short2025", CohortFilter(), {"by": "risk_group", "endpoint": "NRM", "unit": "days",
                                   "denominator": "all in remission"}),
    ("short2025", CohortFilter(), {"by": "ph_status", "balance": "ATE", "part": "patients"}),
)  # fmt: skip
NAMES = [f"{study}-{'-'.join(options.values())}" for study, _, options in VIEWS]
COMPARED: dict[str, tuple[str, tuple[str, ...], float]] = {
    "attrition": ("From the study to this cohort", ("Patients",), 1),
    "table_one": ("Characteristics", ("Patients", "Median", "Known", "Missing"), 1),
    "missing_data": ("", (), 1),
    "survival_curves": ("Milestones", ("Survival", "Incidence", "Low", "High", "At risk"), 1),
    "survival_table": ("Milestones", ("Survival", "Incidence", "Low", "High", "At risk"), 1),
    "subgroup_forest": ("Subgroups", ("Hazard ratio", "Low", "High", "Patients", "Events"), 1),
    "cox_table": ("Covariates", ("Alone, ratio", "Together, ratio", "Together, high"), 1),
    "balance": ("Differences", ("SMD before", "SMD after"), 1),
    "mrd_rates": ("Rates", ("Rate", "Low", "High", "Negative", "Evaluable"), 1),
    "mrd_table": ("Rates", ("Rate", "Low", "High", "Negative", "Evaluable"), 1),
    "mrd_flows": ("Flows", ("Patients",), 1),
    "mrd_kinetics": ("Levels", ("MRD level", "Day"), 1),
    "mrd_outcome": ("Milestones", ("Survival", "Low", "High", "At risk"), 1),
    "concordance": ("Statuses", ("Patients",), 1),
    "concordance_outcome": ("Milestones", ("Survival", "Low", "High", "At risk"), 1),
    "transplant_answers": ("Analyses", ("Hazard ratio", "Low", "P"), 1),
    "transplant_naive": ("Curves", ("Survival", "Low", "High", "At risk"), 1),
    "transplant_landmark": ("Curves", ("Survival", "Low", "High", "At risk"), 1),
    "transplant_simon_makuch": ("Curves", ("Survival", "Low", "High", "At risk"), 1),
    "transplant_incidence": ("Curves", ("Incidence", "Low", "High", "At risk"), 1),
    "swimmer": ("Lanes", ("Last day", "AlloSCT", "Relapse", "Death"), 1),
    "evidence_beside": ("MRD negativity", ("Cohort", "Low", "High"), 100),
    "evidence_beside_rfs": ("Relapse-free survival at 2 years", ("Cohort", "Low", "High"), 100),
    "evidence_beside_os": ("Overall survival at 2 years", ("Cohort", "Low", "High"), 100),
    "regimens": ("Regimens", ("Patients", "OS, %"), 1),
}
"""Of which table the numbers are compared with those that the code makes, and on what scale."""


@pytest.fixture(autouse=True)
def _store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(store))


def cohort_of(view: tuple[str, CohortFilter, dict[str, str]]) -> Cohort:
    study, chosen, options = view
    return frame.cohort_of(View(study, None, chosen, tuple(options.items())))


@lru_cache(maxsize=len(VIEWS))
def exhibits_of(name: str) -> tuple[Cohort, dict[str, Exhibit]]:
    """Return one of the cohorts, which the tests only read, and its exhibits."""
    cohort = cohort_of(VIEWS[NAMES.index(name)])
    return cohort, all_of(cohort)


def all_of(cohort: Cohort) -> dict[str, Exhibit]:
    found = {key: exhibits.exhibit(key, cohort) for key in exhibits.FIGURES}
    return {key: exhibit for key, exhibit in found.items() if exhibit is not None}


def numbers(value: Any) -> Iterator[float]:
    """Yield every number in what a script made."""
    if isinstance(value, pd.DataFrame):
        for column in value:
            yield from numbers(value[column])
    elif isinstance(value, pd.Series):
        yield from numbers(value.tolist())
    elif isinstance(value, dict):
        yield from numbers(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each)
    elif hasattr(value, "rows"):
        yield from numbers(value.rows)
    elif isinstance(value, int | float | np.number) and value == value:
        yield float(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_exhibit_of_every_cohort(name: str) -> None:
    cohort, found = exhibits_of(name)
    n, total = (access.size(cohort.snapshot, each) for each in (cohort.filter, CohortFilter()))
    line = f"{n:,} of {wording.count(total, 'patient')}"
    for key, exhibit in found.items():
        assert (exhibit.key, exhibit.page) == (key, exhibits.FIGURES[key].page)
        assert 0 < len(exhibit.message) <= LONGEST_MESSAGE
        assert 0 < len(exhibit.title) <= LONGEST_TITLE
        assert exhibit.message[-1] in ".…"
        assert set(exhibit.methods) <= set(METHODS)
        assert exhibit.provenance.snapshot in exhibit.file_name
        if not key.startswith(("evidence_forest", "regimens")):
            assert exhibit.provenance.counts.startswith(line)
        assert exhibit.tables
        _whole(exhibit)
        if exhibit.spec is not None:
            assert exhibit.alt
        _same_as_code(exhibit)


def _whole(exhibit: Exhibit) -> None:
    for name, table in exhibit.tables.items():
        assert len(table), (exhibit.key, name)
        assert not table.map(lambda cell: isinstance(cell, Hidden)).to_numpy().any()
        assert table.columns.is_unique
        assert all(table.columns), exhibit.key
        table.to_parquet(io.BytesIO())
    for table in exhibit.shown.values():
        assert table.map(lambda cell: isinstance(cell, str)).to_numpy().all(), exhibit.key


def _same_as_code(exhibit: Exhibit) -> None:
    """Run the code of an exhibit, and look for the numbers of its tables among those that it makes."""
    made: dict[str, Any] = {}
    exec(exhibit.code, made)
    found = np.array(sorted({each for part in ("numbers", "groups", "found") if part in made
                             for each in numbers(made[part])}))  # fmt: skip
    if exhibit.key == "disposition":
        assert (
            made["numbers"]["n"].sum() == exhibit.tables["What happened to them"]["Patients"].sum()
        )
    if exhibit.key == "missing_data":
        table = exhibit.tables["Missing data"]
        everybody = table[(table["Group"] == "All patients") & (table["Missing"] > 0)]
        assert sorted(made["numbers"]) == sorted(everybody["Missing"])
    if exhibit.key == "evidence_forest":
        told = [(measure, cell, verdict) for measure, cell, verdict in made["numbers"]]
        table = exhibit.tables["Figures"]
        assert told == list(zip(table["Figure"], table["Cohort"], table["Verdict"], strict=True))
    if exhibit.key == "concordance":
        kappa = made["agreement"].kappa
        table = exhibit.tables["Agreement"].set_index("What")
        assert table.loc["Kappa", "Value"] == pytest.approx(kappa)
        assert table.loc["Difference", "P"] == pytest.approx(made["difference"].p_value)
    if exhibit.key in ("survival_curves", "survival_table") and "p_value" in made:
        _same_tests(exhibit, made)
    name, columns, scale = COMPARED.get(exhibit.key, ("", (), 1))
    for column in (each for each in columns if each in exhibit.tables[name]):
        for value in exhibit.tables[name][column].dropna():
            # A row for all patients of an analysis that the script does not repeat.
            if exhibit.key == "transplant_answers" and value in _adjusted(exhibit):
                continue
            assert np.isclose(found * scale, float(value), rtol=1e-9).any(), (exhibit.key, column)


def _adjusted(exhibit: Exhibit) -> list[float]:
    table = exhibit.tables["Analyses"]
    rows = table[table["Analysis"].str.contains("adjusted")]
    return [float(v) for v in rows[["Hazard ratio", "Low", "High"]].to_numpy().ravel()]


def _same_tests(exhibit: Exhibit, made: dict[str, Any]) -> None:
    if "Comparison" not in exhibit.tables:
        return
    table = exhibit.tables["Comparison"]
    assert made["p_value"] == pytest.approx(table["P"].iloc[0])
    ratios = table[table["What"].str.contains("azard ratio")]
    found = made["ratios"].set_index("level")["ratio"].dropna()
    assert {round(v, 9) for v in ratios["Value"].dropna()} <= {round(v, 9) for v in found}


@pytest.mark.parametrize("name", NAMES)
def test_the_curves_of_a_slide_are_those_of_the_table(name: str) -> None:
    for key, exhibit in exhibits_of(name)[1].items():
        if exhibit.chart == "rates":
            assert [s.points["x"].tolist() for s in exhibit.series] == [
                list(range(1, len(exhibit.ticks) + 1))
            ] * len(exhibit.series)
            assert all(len(s.counts) == len(exhibit.ticks) for s in exhibit.series)
        if exhibit.chart != "curves":
            continue
        ends = list(exhibit.ticks)
        days = wording.UNITS["years" if "Years" in exhibit.axes[0] else "months"][0]
        for series in exhibit.series:
            points = series.points
            assert list(points) == ["time", "value", "low", "high", "n_censored"]
            assert points["time"].is_monotonic_increasing
            assert points["time"].is_unique
            if len(points):
                assert points["value"].iloc[0] in (0, 100), key
                assert points["time"].iloc[0] >= ends[0]
                assert points["time"].iloc[-1] <= ends[-1] + 1e-3
            assert len(series.counts) in (0, len(ends))
        if "Milestones" in exhibit.tables:
            _at_milestones(exhibit, days)


def _at_milestones(exhibit: Exhibit, days: float) -> None:
    table = exhibit.tables["Milestones"]
    value = "Survival" if "Survival" in table else "Incidence"
    for row in table.dropna(subset=value).to_dict("records"):
        (series,) = [s for s in exhibit.series if s.name == row["Group"]]
        points = series.points[series.points["time"] <= row["Day"] / days + 1e-4]
        if len(points) and row["Day"] / days <= list(exhibit.ticks)[-1]:
            assert points["value"].iloc[-1] == pytest.approx(100 * row[value])


def test_a_cohort_without_a_page_is_that_of_its_page(short2025: Snapshot) -> None:
    saved = {"cohort_a": "ph_status=negative", "cohort_b": "ph_status=positive", "by": "cohorts"}
    cohort = frame.cohort_of(View("short2025", short2025.hash, options=tuple(saved.items())))
    assert cohort.snapshot.compared is not None
    exhibit = exhibits.exhibit("survival_curves", cohort)
    assert exhibit is not None
    assert "A: Ph-negative · B: Ph-positive" in exhibit.provenance.cohort
    assert [s.points["value"].iloc[0] for s in exhibit.series] == [100, 100]
    made: dict[str, Any] = {}
    exec(exhibit.code, made)
    assert len(made["numbers"]) == len(exhibit.tables["Milestones"])


# What its page warns of

BADGES = ("Immortal time", "Outcome", "Hazards not proportional", "Left out")
WARNED: tuple[tuple[str, CohortFilter, dict[str, str], tuple[str, ...]], ...] = (
    ("short2025", CohortFilter(), {"by": "risk_group"}, ("Few events",)),
    ("short2025", CohortFilter(), {"by": "mrd_3_months"}, ("Immortal time",)),
    ("short2025", CohortFilter(), {"by": "mrd_3_months", "landmark_days": "91"}, ()),
    ("allmrd", CohortFilter(), {"by": "frontline_therapy", "endpoint": "RFS"},
     ("Hazards not proportional",)),
    ("chiaretti2004", CohortFilter(), {"by": "allosct", "endpoint": "RFS"},
     ("Immortal time", "Left out")),
    ("short2025", CohortFilter(allosct=("yes",)), {"landmark_days": "167"}, ("Immortal time",)),
    ("short2025", CohortFilter(mrd_3_months=("positive",)), {"endpoint": "CIR", "by": "allosct"},
     ("Immortal time", "Few events")),
    ("short2025", CohortFilter(disposition=("relapsed",)), {}, ("Outcome",)),
)  # fmt: skip


@pytest.mark.parametrize("view", WARNED, ids=str)
def test_curves_that_leave_carry_the_warnings_of_their_page(
    view: tuple[str, CohortFilter, dict[str, str], tuple[str, ...]],
) -> None:
    study, chosen, options, badges = view
    cohort = cohort_of((study, chosen, options))
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, values in cohort.view.to_query().items():
        test.query_params[name] = list(values)
    test = test.switch_page("pages/survival.py").run()
    assert not test.exception
    page = "\n".join(str(each.value) for each in test.markdown)
    exhibit = exhibits.exhibit("survival_curves", cohort)
    assert exhibit is not None
    caveats = exhibit.provenance.caveats
    assert tuple(each.partition(":")[0] for each in caveats) == badges
    assert {badge for badge in BADGES if f":material/warning: {badge}]" in page} == {*badges} - {
        "Few events"
    }
    # Of incidences the page says it in words below the test.
    few = re.search(r"(?:Few events\]|Fewer than 5 events in)", page)
    assert bool(few) == ("Few events" in badges)
    for badge, _, words in (each.partition(": ") for each in caveats):
        if badge in ("Immortal time", "Outcome"):
            assert words in parts.plain(page)
    assert exhibit.provenance.footnote.startswith(" · ".join((*caveats, exhibit.provenance.study)))


@pytest.mark.parametrize("key", ["survival_table", "subgroup_forest", "cox_table"])
def test_tables_and_models_of_the_same_groups_warn_too(key: str) -> None:
    exhibit = exhibits.exhibit(key, cohort_of(WARNED[1][:3]))
    assert exhibit is not None
    assert exhibit.provenance.caveats[0].startswith("Immortal time: MRD at 3 months is known")


def test_the_naive_analysis_warns_and_the_others_need_not() -> None:
    cohort = cohort_of(("short2025", CohortFilter(), {}))
    for key in ("transplant_naive", "transplant_landmark", "transplant_simon_makuch"):
        exhibit = exhibits.exhibit(key, cohort)
        assert exhibit is not None
        assert [each.partition(":")[0] for each in exhibit.provenance.caveats] == (
            ["Immortal time"] if key == "transplant_naive" else []
        )
    without = CohortFilter(car_t=("no",))
    chosen = exhibits.exhibit("transplant_answers", cohort_of(("short2025", without, {})))
    assert chosen is not None
    (caveat,) = chosen.provenance.caveats
    assert caveat.startswith("Immortal time: The filter on CAR T-cell consolidation")


def test_a_workbook_says_what_misleads() -> None:
    exhibit = exhibits.exhibit("survival_table", cohort_of(WARNED[1][:3]))
    assert exhibit is not None
    table = provenance_table(exhibit.provenance).set_index("What")
    assert table.loc["Read with care", "Value"] == " · ".join(exhibit.provenance.caveats)


# Of whom it speaks


@pytest.mark.parametrize("name", NAMES)
def test_events_stand_beside_the_patients_who_had_them(name: str) -> None:
    for key, exhibit in exhibits_of(name)[1].items():
        if key not in ("survival_table", "transplant_answers"):
            continue
        *_, counted = exhibit.provenance.counts.split(" · ")
        found = re.fullmatch(r"(?:in the \w+ )?([\d,]+)(?: of [\d,]+)? patients?, ([\d,]+) events?",
                             counted)  # fmt: skip
        assert found, counted
        table = exhibit.tables["Groups" if key == "survival_table" else "Analyses"]
        if key == "survival_table":
            sums = table[["Patients", "Events"]].sum()
            if "Relapse" in set(table["Group"]):
                continue
            told = tuple(sums)
        else:
            first = table.iloc[0]
            told = tuple(
                first[f"AlloSCT, {what}"] + first[f"None, {what}"]
                for what in ("patients", "events")
            )
        assert tuple(int(each.replace(",", "")) for each in found.groups()) == told


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"by": "mrd_after_cycle_1"}, "161 of 161 patients · in the curves 77 patients, 13 events"),
        ({"by": "mrd_3_months"}, "161 of 161 patients · in the curves 113 patients, 20 events"),
    ],
)
def test_counts_of_curves_are_not_those_of_the_cohort(options: dict[str, str], counts: str) -> None:
    exhibit = exhibits.exhibit("survival_curves", cohort_of(("short2025", CohortFilter(), options)))
    assert exhibit is not None
    assert exhibit.provenance.counts == counts


def test_the_landmark_counts_its_own_patients() -> None:
    exhibit = exhibits.exhibit("transplant_landmark", cohort_of(("short2025", CohortFilter(), {})))
    assert exhibit is not None
    (table,) = exhibit.shown.values()
    cells = [cell.split("/") for cell in table["Events / patients"]]
    events, patients = (sum(int(cell[i]) for cell in cells) for i in (0, 1))
    counted = exhibit.provenance.counts.split(" · ")[1]
    assert counted == f"in the curves {patients} patients, {events} events"


@pytest.mark.parametrize(
    ("key", "page", "options"),
    [
        ("survival_curves", "survival", {"by": "risk_group"}),
        ("survival_curves", "survival", {"endpoint": "CIR"}),
        ("transplant_landmark", "", {}),
        ("evidence_beside_rfs", "", {}),
    ],
)
def test_limits_are_told_alike_on_the_page_and_in_its_files(
    key: str, page: str, options: dict[str, str]
) -> None:
    cohort = cohort_of(("short2025", CohortFilter(), options))
    exhibit = exhibits.exhibit(key, cohort)
    assert exhibit is not None
    words = ", at 100% and 0% the exact limit for those at risk"
    estimate = re.search(rf"[^;·]*95% CI [^;·]*?{words}", exhibit.provenance.method)
    assert estimate
    if page:
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, values in cohort.view.to_query().items():
            test.query_params[name] = list(values)
        test = test.switch_page(f"pages/{page}.py").run()
        assert estimate[0] in "\n".join(str(each.value) for each in test.markdown)


def test_the_link_of_an_exhibit_shows_it_again() -> None:
    cohort = cohort_of(VIEWS[4])
    exhibit = exhibits.exhibit("survival_table", cohort)
    assert exhibit is not None
    assert exhibit.provenance.link == (
        f"survival?study=short2025&snapshot={cohort.snapshot.hash}&ph_status=negative&risk_group=high"
        "&by=allosct&landmark_days=167&unit=years"
    )


def test_a_selection_in_python_is_itself() -> None:
    from data.rule import MrdRule

    chosen = CohortFilter(rule=MrdRule("NGS", 1e-5), age_years=(18, 60), risk_group=("high",))
    scope = {"CohortFilter": CohortFilter, "MrdRule": MrdRule}
    assert eval(selection(chosen), scope) == chosen


def test_nobody_and_too_few_give_no_exhibit() -> None:
    nobody = cohort_of(("short2025", CohortFilter(age_years=(1, 2)), {}))
    assert all_of(nobody) == {}
    few = cohort_of(("short2025", CohortFilter(age_years=(18, 19)), {}))
    assert "survival_curves" not in all_of(few)


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        (("a", "b"), "A; b."),
        (("x" * 300,), "X" + "x" * 227 + "…"),
        (("a", "", "b" * 300), "A."),
        ((), ""),
    ],
)
def test_a_sentence_is_never_too_long(said: tuple[str, ...], whole: str) -> None:
    assert parts.short(*said) == whole


def test_a_large_p_value_says_what_it_does_not_show() -> None:
    assert parts.tested(0.2, "log-rank") == "log-rank P = 0.20: no difference shown"
    assert parts.tested(0.01, "log-rank") == "log-rank P = 0.01"
    assert parts.tested(float("nan"), "log-rank") == ""


def test_hidden_counts_are_missing_in_tables_of_one_type() -> None:
    table = pd.DataFrame(
        {"Events": pd.Series([Hidden("<5"), 7], dtype="object"), "Name": ["a", "b"]}
    )
    typed = parts.typed(table)
    assert typed["Events"].dtype == "Int64"
    assert typed["Events"].isna().tolist() == [True, False]


# With a small-cell minimum

MINIMUM = 5
PLANTED = "Planted locus"
SMALL = (
    r"(?<![\d.,/])[1-4]/\d+",
    r"\b[1-4] of \d",
    r"\b[1-4] (?:patient|event|death|relapse|sample)s?\b",
    r"\(n = [1-4]\)",
)
COUNTED = re.compile(
    r"(?i)(patients|events|at risk|censored|known|missing|negative|evaluable|transplanted|count)$"
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with short2025 and a minimum of 5; three patients have a level of their own."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(DEMO / "short2025", folder / "in")
    people = folder / "in" / "patients.csv"
    table = pd.read_csv(people, dtype=str, keep_default_na=False)
    table.loc[table.index[:3], "trackable_locus"] = PLANTED
    table.to_csv(people, index=False)
    fields = json.loads((folder / "in" / "study.json").read_text("utf-8"))
    fields["small_cell_minimum"] = MINIMUM
    (folder / "in" / "study.json").write_text(json.dumps(fields), "utf-8")
    import_folder(folder / "in", "short2025", folder / "store")
    return folder / "store"


@pytest.mark.parametrize(
    "options",
    [{"by": "trackable_locus", "endpoint": "CIR"},
     {"by": "ph_status", "by2": "mrd_3_months", "landmark_days": "91", "part": "beside"}],
    ids=str,
)  # fmt: skip
def test_small_numbers_leave_in_no_file(
    small: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(small))
    snapshot = find("short2025")
    people = set(subjects(snapshot, CohortFilter(), access.dictionary(snapshot))["patient_id"])
    cohort = cohort_of(("short2025", CohortFilter(), options))
    found = all_of(cohort)
    assert {"table_one", "survival_curves", "mrd_rates"} <= set(found)
    assert not {"swimmer", "mrd_kinetics"} & set(found)
    for key, exhibit in found.items():
        assert "small_numbers" in exhibit.methods or key == "regimens"
        if key in ("regimens", "evidence_forest") or key.startswith("evidence_beside"):
            # What is printed is printed.
            continue
        for table in exhibit.tables.values():
            for column in (c for c in table if COUNTED.search(str(c))):
                assert not pd.to_numeric(table[column], errors="coerce").between(1, 4).any(), key
        proved = exhibits.proved(exhibit, cohort)
        for each in proved.proofs:
            # Counts that are shown take the place of patients.
            assert each.rows.empty or set(each.rows) == {"at", "group", "count", "total"}, key
            if len(each.rows):
                rest = each.rows["total"] - each.rows["count"]
                assert not pd.concat([each.rows["count"], rest]).between(1, 4).any()
        for name, content in written(proved):
            told = " ".join(texts(name, content))
            assert not any(person in told for person in people), (key, name)
            for pattern in SMALL:
                assert not re.search(pattern, told), (key, name, re.search(pattern, told))
            assert not re.search(rf"{PLANTED}\W{{0,9}}3\b", told), (key, name)


def written(exhibit: Exhibit) -> Iterator[tuple[str, bytes]]:
    """Yield every file of an exhibit: ending and content."""
    if exhibit.spec is not None:
        yield "svg", takeaway._picture(exhibit, "svg", "two", "print", 0)
        yield "pdf", takeaway._picture(exhibit, "pdf", "two", "print", 0)
    yield "pptx", takeaway._slide(exhibit)
    yield "xlsx", takeaway._xlsx(exhibit)
    yield "docx", takeaway._docx(replace(exhibit, spec=None))
    yield "txt", takeaway._copied(exhibit).encode()
    for table in exhibit.tables.values():
        yield "csv", takeaway._csv(table)
        yield "parquet", takeaway._parquet(table)
    yield "zip", proof.bundle([exhibit])
    yield (
        "html",
        report.as_html(
            report.Report(title=exhibit.title, provenance=exhibit.provenance, exhibits=(exhibit,))
        ),
    )


def texts(name: str, content: bytes) -> Iterator[str]:
    """Yield the texts of a file, opened by a program."""
    opened = io.BytesIO(content)
    if name in ("svg", "html"):
        without = re.sub(r"(?s)<style>.*?</style>", " ", content.decode())
        yield re.sub(r"<[^>]*>", " | ", without)
    elif name == "pdf":
        for page in PdfReader(opened).pages:
            yield page.extract_text()
    elif name == "pptx":
        for slide in Presentation(opened).slides:
            yield from _of_slide(slide)
    elif name == "docx":
        document = Document(opened)
        yield from (paragraph.text for paragraph in document.paragraphs)
        for table in document.tables:
            yield from (" | ".join(cell.text for cell in row.cells) for row in table.rows)
    elif name == "xlsx":
        for sheet in load_workbook(opened).worksheets:
            for row in sheet.iter_rows(values_only=True):
                yield " | ".join(str(cell) for cell in row if cell is not None)
    elif name == "parquet":
        yield pd.read_parquet(opened).to_csv()
    elif name == "zip":
        with zipfile.ZipFile(opened) as archive:
            # The programs hold sentences of their own.
            own = [n for n in archive.namelist() if n.endswith((".csv", ".json")) or "prov" in n]
            yield from (archive.read(each).decode() for each in own)
    else:
        yield content.decode()


def _of_slide(slide: Any) -> Iterator[str]:
    for shape in slide.shapes:
        if shape.has_text_frame:
            yield shape.text_frame.text
        if shape.has_table:
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)
    yield slide.notes_slide.notes_text_frame.text


def test_what_has_a_proof_is_a_figure() -> None:
    assert set(PROOFS) <= set(exhibits.FIGURES)
    assert set(COMPARED) <= set(exhibits.FIGURES)
