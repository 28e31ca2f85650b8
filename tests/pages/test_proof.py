"""The archive that repeats the numbers of figures: its programs agree, and notice what was changed."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data import queries
from data.assays import assay_pairs
from data.cohort import CohortFilter
from data.store import Snapshot, find
from data.variables import Dictionary, Level, Variable
from pages.elements import tables
from pages.elements.answers import balanced, models, rows, who
from pages.elements.answers import concordance as agreement
from pages.elements.answers import negativity as rates
from pages.elements.answers import subgroups as forests
from pages.elements.answers import survival as curves
from pages.elements.answers import transplant as transplants
from pages.elements.exports import proof
from pages.elements.exports.exhibit import Exhibit, Proof, Provenance
from pages.elements.exports.proof import check
from pages.elements.exports.proof.parts import NOT_RECOMPUTED
from pages.elements.exports.proof.parts import proof as made

EVERYBODY = CohortFilter()
HORIZON = 1826
MILESTONES = list(tables.milestones(HORIZON).values())
STUDIES = ("allmrd", "chiaretti2004", "nguyen2026", "short2025")
RSCRIPT = shutil.which("Rscript")
CODE = re.compile(r"all|yes|no|negative|other|[gltsvx]\d\d|v\d\dl\d\d")
"""What texts in data there may be: codes, and words of ours."""


def exhibit(key: str, proofs: tuple[Proof, ...]) -> Exhibit:
    provenance = Provenance(
        study="Study", snapshot="0123", cohort="All patients", counts="", method="", version="0",
        link="survival?study=x",
    )  # fmt: skip
    return Exhibit(
        key=key, page="Survival", title=key, message="", provenance=provenance, proofs=proofs
    )


def _curves(snapshot: Snapshot, variables: Dictionary) -> Iterator[tuple[str, tuple[Proof, ...]]]:
    usable = [
        d.code for d in queries.derivability(snapshot) if not d.refused_because and d.n_usable
    ]
    by = [name for name, v in variables.items() if v.kind != "number" and 2 <= len(v.levels) <= 5]
    minimum = snapshot.small_cell_minimum
    for endpoint in usable[:1]:
        found = curves.followed(snapshot, EVERYBODY, variables, endpoint)
        table = rows.followed(snapshot, EVERYBODY, variables, endpoint)
        yield f"follow_up_{endpoint}", proof.follow_up_proofs(found, table, minimum)
        for name, day in ((None, None), (by[0], None), (by[1], 91), ("mrd_dynamics", 91)):
            if name is None or name in variables:
                answer = curves.survival(
                    snapshot, EVERYBODY, variables,
                    endpoint=endpoint, by=name, landmark_days=day, horizon_days=HORIZON,
                )  # fmt: skip
                yield f"survival_{endpoint}_{name}", proof.survival_proofs(answer, MILESTONES)
    for name in (None, by[0]) if "CIR" in usable else ():
        incidence = curves.incidence(
            snapshot, EVERYBODY, variables, endpoint="CIR", by=name, landmark_days=None
        )
        yield f"incidence_{name}", proof.survival_proofs(incidence, MILESTONES)


def _transplant(
    snapshot: Snapshot, variables: Dictionary
) -> Iterator[tuple[str, tuple[Proof, ...]]]:
    usable = [
        d.code for d in queries.derivability(snapshot) if not d.refused_because and d.n_usable
    ]
    if "allosct" not in variables or "RFS" not in usable:
        return
    four = transplants.transplant(snapshot, EVERYBODY, variables, endpoint="RFS", landmark_days=91)
    behind = rows.transplant(snapshot, EVERYBODY, variables, endpoint="RFS")
    yield "transplant", proof.transplant_proofs(four, behind, MILESTONES)
    status = next((v for n, v in variables.items() if n.startswith("mrd_") and v.compared), None)
    name = status.name if status else None
    who_was = transplants.transplanted(snapshot, EVERYBODY, variables, timepoint=name)
    yield "who", proof.transplanted_proofs(who_was, status, snapshot.small_cell_minimum)


def _tables(snapshot: Snapshot, variables: Dictionary) -> Iterator[tuple[str, tuple[Proof, ...]]]:
    by = next(name for name, v in variables.items() if v.kind == "category" and len(v.levels) < 5)
    if queries.study(snapshot).timepoints:
        found = rates.negativity(snapshot, EVERYBODY, variables, by=by, denominator="evaluable")
        yield "mrd", proof.negativity_proofs(found, variables)
    for pair in assay_pairs(snapshot):
        both = agreement.concordance(snapshot, EVERYBODY, variables, pair)
        yield "concordance", proof.concordance_proofs(both)
    kinds = {n: v.kind for n, v in variables.items() if n != by}
    for group in (None, by):
        asked = {"rows": kinds, "by": group}
        table = who.characteristics(snapshot, EVERYBODY, variables, **asked)
        frame = rows.table_one(snapshot, EVERYBODY, variables, **asked)
        yield (
            f"table_one_{group}",
            proof.table_one_proofs(
                table, frame, variables, **asked, minimum=snapshot.small_cell_minimum
            ),
        )


def _models(snapshot: Snapshot, variables: Dictionary) -> Iterator[tuple[str, tuple[Proof, ...]]]:
    usable = [
        d.code for d in queries.derivability(snapshot) if not d.refused_because and d.n_usable
    ]
    endpoint, minimum = next(e for e in ("RFS", "OS") if e in usable), snapshot.small_cell_minimum
    named = [name for name, v in variables.items() if v.kind != "number" and 2 <= len(v.levels) < 5]
    baseline = [name for name in named if variables[name].known == "at baseline"]
    asked: dict[str, object] = {"endpoint": endpoint, "landmark_days": None}
    for chosen in ([*baseline[:2], "age_years"], ["allosct", baseline[0]]):
        model = {**asked, "covariates": [name for name in chosen if name in variables]}
        found = models.cox_models(snapshot, EVERYBODY, variables, firth=len(chosen) == 2, **model)
        fits = rows.cox_models(snapshot, EVERYBODY, variables, **model)
        yield f"cox_{chosen[0]}", proof.cox_proofs(found, fits, minimum)
    asked |= {"by": baseline[0], "against": None}
    forest = forests.subgroups(snapshot, EVERYBODY, variables, **asked)
    if forest:
        frame = rows.subgroups(snapshot, EVERYBODY, variables, **asked)
        yield "subgroups", proof.subgroup_proofs(forest, frame, minimum)
    asked |= {"by": "sex" if "sex" in variables else baseline[0], "covariates": ["age_years"]}
    for method in ("matching", "ATE", "ATT"):
        answer = balanced.balanced(snapshot, EVERYBODY, variables, **asked, method=method)
        if answer:
            weighed = rows.weighed(snapshot, EVERYBODY, variables, **asked, method=method)
            yield (
                f"balance_{method}",
                proof.balance_proofs(answer, weighed, ["age_years"], MILESTONES, minimum),
            )


PARTS = (_curves, _transplant, _tables, _models)


def proved(snapshot: Snapshot, parts: Sequence[Callable[..., Any]] = PARTS) -> list[Exhibit]:
    variables = queries.dictionary(snapshot)
    return [exhibit(key, proofs) for part in parts for key, proofs in part(snapshot, variables)]


@pytest.fixture(scope="module")
def unpacked(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder with the unpacked archive of an embedded cohort."""

    @cache
    def folder(study: str) -> Path:
        return unpack(proved(find(study, folder=store)), tmp_path_factory.mktemp(study))

    return folder


def unpack(exhibits: list[Exhibit], folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(proof.bundle(exhibits))) as archive:
        archive.extractall(folder)
    return folder


def run(folder: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def counted(said: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+) of (\d+) numbers agree", said.splitlines()[-1])
    assert found
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("study", STUDIES)
def test_check_py_agrees(study: str, unpacked: Callable[[str], Path]) -> None:
    code, said = run(unpacked(study), sys.executable, "-W", "error", "check.py")
    agree, n = counted(said)
    assert code == 0
    assert agree == n > 500
    assert "DIFFER" not in said
    assert "also by hand" in said


@pytest.mark.skipif(RSCRIPT is None, reason="Rscript is not installed")
@pytest.mark.parametrize("study", STUDIES)
def test_check_r_agrees(study: str, unpacked: Callable[[str], Path]) -> None:
    code, said = run(unpacked(study), str(RSCRIPT), "check.R")
    agree, n = counted(said)
    assert code == 0
    assert agree == n > 500
    assert "DIFFER" not in said


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_has_been_computed(study: str, unpacked: Callable[[str], Path]) -> None:
    whole = json.loads((unpacked(study) / "expected.json").read_text("utf-8"))
    kinds = {each["kind"] for each in whole["proofs"]}
    assert kinds <= set(check.RECOMPUTED)
    assert {"kaplan_meier", "log_rank", "hazard_ratios", "follow_up", "table_one", "cox"} <= kinds
    if study == "short2025":
        assert {"cumulative_incidence", "gray", "landmark", "rates", "mcnemar", "weighted", "subgroups",
                "pairwise_log_rank", "restricted_mean", "log_rank_trend"} <= kinds  # fmt: skip
    assert whole["not_recomputed"] == []


@pytest.mark.parametrize("study", STUDIES)
def test_no_patient_is_named(study: str, unpacked: Callable[[str], Path], store: Path) -> None:
    snapshot = find(study, folder=store)
    ids = queries.subjects(snapshot, EVERYBODY, queries.dictionary(snapshot))["patient_id"]
    whole = b"\n".join(p.read_bytes() for p in sorted(unpacked(study).rglob("*")) if p.is_file())
    named = re.findall(rb"(?<![\w.])(?:%s)(?![\w.])" % "|".join(ids).encode(), whole)
    assert named == []


@pytest.mark.parametrize("study", STUDIES)
def test_rows_are_sorted_and_hold_codes_only(study: str, unpacked: Callable[[str], Path]) -> None:
    files = sorted((unpacked(study) / "data").glob("*.csv"))
    assert files
    for path in files:
        frame = pd.read_csv(path, dtype="str", keep_default_na=False)
        numbers = pd.read_csv(path)
        if list(frame) != ["variable", "group", "value"] and list(frame) != [
            "first",
            "second",
            "count",
        ]:
            assert numbers.equals(numbers.sort_values(list(numbers), ignore_index=True)), path.name
        texts = {text for column in frame for text in frame[column]}
        assert [
            t for t in texts if not re.fullmatch(r"-?[\d.e-]*", t) and not CODE.fullmatch(t)
        ] == []


def test_a_number_on_the_screen_is_the_number_expected(
    short2025: Snapshot, variables: Dictionary
) -> None:
    answer = curves.survival(
        short2025, EVERYBODY, variables,
        endpoint="RFS", by="ph_status", landmark_days=None, horizon_days=HORIZON,
    )  # fmt: skip
    found = {each.kind: each for each in proof.survival_proofs(answer, MILESTONES)}
    lines, at = found["kaplan_meier"].expected, answer.km.at([730]).set_index("ph_status")
    assert found["kaplan_meier"].options["labels"] == {"g01": "Ph-negative", "g02": "Ph-positive"}
    assert lines["g02, day 730"]["survival"] == at.loc["positive", "survival"]
    assert lines["g01, day 730"]["at_risk"] == at.loc["negative", "n_risk"]
    assert found["log_rank"].expected["test"]["p"] == answer.test.p_value
    assert len(found["kaplan_meier"].rows) == answer.n
    (name, cells), *_ = tables.difference_cells(answer, {"2-year": 730})[0][:2], None
    points = round(100 * lines["difference, day 730"]["difference"])
    assert name == "2-year"
    assert str(abs(points)) in cells


@pytest.fixture
def small(
    unpacked: Callable[[str], Path], short2025: Snapshot, variables: Dictionary, tmp_path: Path
) -> Path:
    answer = curves.survival(
        short2025, EVERYBODY, variables,
        endpoint="RFS", by="ph_status", landmark_days=None, horizon_days=HORIZON,
    )  # fmt: skip
    return unpack([exhibit("curves", proof.survival_proofs(answer, MILESTONES))], tmp_path)


def test_a_changed_number_is_noticed(small: Path) -> None:
    path = small / "expected.json"
    whole = json.loads(path.read_text("utf-8"))
    whole["proofs"][0]["expected"]["g01, day 730"]["survival"] += 1e-6
    path.write_text(json.dumps(whole), "utf-8")
    code, said = run(small, sys.executable, "check.py")
    agree, n = counted(said)
    assert (code, agree) == (1, n - 1)
    assert [line.split(":")[0] for line in said.splitlines() if "DIFFER" in line] == [
        "  Ph-negative, day 730"
    ]


def test_a_changed_row_is_noticed(small: Path) -> None:
    path = small / "data" / "01.csv"
    lines = path.read_text("utf-8").splitlines()
    last = next(i for i, line in enumerate(lines) if line.endswith(",1"))
    lines[last] = lines[last][:-1] + "0"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    code, said = run(small, sys.executable, "check.py")
    agree, n = counted(said)
    assert code == 1
    assert agree < n
    assert "data/01.csv is not the file that was written." in said


def test_a_changed_row_that_changes_no_number_is_noticed(small: Path) -> None:
    path = small / "data" / "01.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    code, said = run(small, sys.executable, "check.py")
    agree, n = counted(said)
    assert (code, agree) == (1, n)


@pytest.mark.skipif(RSCRIPT is None, reason="Rscript is not installed")
def test_r_notices_too(small: Path) -> None:
    path = small / "expected.csv"
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    at = frame.index[(frame["line"] == "g01, day 730") & (frame["name"] == "survival")][0]
    frame.loc[at, "value"] = "0.9"
    frame.to_csv(path, index=False)
    code, said = run(small, str(RSCRIPT), "check.R")
    agree, n = counted(said)
    assert (code, agree) == (1, n - 1)


def test_the_same_exhibits_give_the_same_bytes(short2025: Snapshot, variables: Dictionary) -> None:
    parts = dict(_tables(short2025, variables))
    exhibits = [exhibit(key, proofs) for key, proofs in parts.items()]
    first = proof.bundle(exhibits)
    assert first == proof.bundle(exhibits)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {each.date_time for each in archive.infolist()} == {(2020, 1, 1, 0, 0, 0)}
        pins = archive.read("requirements.txt").decode().splitlines()
        assert [pin.split("==")[0] for pin in pins] == ["numpy", "pandas", "scipy"]
        assert "survival?study=x" in archive.read("provenance.txt").decode()


def test_the_pins_are_those_of_the_product(small: Path) -> None:
    product = (Path(__file__).parents[2] / "requirements.txt").read_text("utf-8").splitlines()
    assert set((small / "requirements.txt").read_text("utf-8").splitlines()) <= set(product)


def test_a_computation_of_two_figures_is_written_once(
    short2025: Snapshot, variables: Dictionary, tmp_path: Path
) -> None:
    found = curves.followed(short2025, EVERYBODY, variables, "OS")
    proofs = proof.follow_up_proofs(found, rows.followed(short2025, EVERYBODY, variables, "OS"))
    folder = unpack([exhibit("one", proofs), exhibit("two", proofs)], tmp_path)
    whole = json.loads((folder / "expected.json").read_text("utf-8"))
    assert [each["exhibit"] for each in whole["proofs"]] == ["one"]


@pytest.mark.parametrize("study", ["nguyen2026", "short2025"])
def test_with_a_minimum_no_row_of_a_patient_is_given(
    study: str, store: Path, tmp_path: Path
) -> None:
    snapshot = replace(find(study, folder=store), small_cell_minimum=5)
    parts = (_curves, _transplant, _tables) if study == "short2025" else (_tables,)
    folder = unpack(proved(snapshot, parts), tmp_path)
    whole = json.loads((folder / "expected.json").read_text("utf-8"))
    assert {each["kind"] for each in whole["proofs"]} <= {"rates", "mcnemar", "kappa"}
    assert {each["why"] for each in whole["not_recomputed"]} <= {
        "counts under 5 are not shown, and so no rows are given", "a count of it is not shown",
    }  # fmt: skip
    assert "table_one_None" in {each["exhibit"] for each in whole["not_recomputed"]}
    for path in (folder / "data").glob("*.csv"):
        frame = pd.read_csv(path)
        columns = [name for name in ("count", "total") if name in frame]
        cells = frame[columns]
        if columns == ["count", "total"]:
            cells = cells.assign(others=frame["total"] - frame["count"])
        assert not cells.isin([1, 2, 3, 4]).any(axis=None), path.name
    code, said = run(folder, sys.executable, "check.py")
    assert code == 0
    assert "Not recomputed here: Table 1" in said


def test_every_kind_of_proof_says_what_is_not_recomputed(short2025: Snapshot) -> None:
    snapshot = replace(short2025, small_cell_minimum=5)
    for key, proofs in _models(snapshot, queries.dictionary(snapshot)):
        assert [each.kind for each in proofs] == [NOT_RECOMPUTED], key
        assert all(each.rows.empty and not each.expected for each in proofs)


def test_strata_are_within_the_test(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "group": ["g01", "g02"] * 20,
            "stratum": (["l01"] * 3 + ["l02"] * 2) * 8,
            "time": [5 + 7 * i % 31 for i in range(40)],
            "event": [int(i % 3 > 0) for i in range(40)],
        }
    )
    lines = check.RECOMPUTED["log_rank"](frame, {})
    assert (
        lines["test"]["p"]
        != check.RECOMPUTED["log_rank"](frame.drop(columns="stratum"), {})["test"]["p"]
    )
    stratified = made("log_rank", "Stratified log-rank test", frame, lines, {})
    folder = unpack([exhibit("strata", (stratified,))], tmp_path)
    commands = [(sys.executable, "check.py"), *([(RSCRIPT, "check.R")] if RSCRIPT else [])]
    for command in commands:
        code, said = run(folder, *command)
        assert (code, counted(said)) == (0, (9, 9))


def test_labels_are_texts_and_nothing_else(short2025: Snapshot, tmp_path: Path) -> None:
    hostile = ('=cmd|"/c calc"!A1', "\x1b[31m<script>\n\\1 $(id) 患者")
    levels = tuple(Level(v, n, n, n) for v, n in zip(("a", "b"), hostile, strict=True))
    variable = Variable("own", '@SUM(1)"; system("id")', "category", levels)
    table = pd.DataFrame({"own": ["a", "b"] * 6, "time": range(12), "n_event": [1, 1, 0] * 4,
                          "n_competing": 0, "n_censored": [0, 0, 1] * 4})  # fmt: skip
    answer = curves.Survival(by=variable, levels=levels, n=12, n_event=8, n_competing=0, left_out={},
                             table=table, km=curves.kaplan_meier(table, by="own"),
                             test=curves.log_rank(table, by="own"))  # fmt: skip
    folder = unpack([exhibit("own", proof.survival_proofs(answer, [5]))], tmp_path)
    csv = (folder / "options.csv").read_text("utf-8")
    assert "'=cmd" in csv
    assert "\x1b" not in csv + (folder / "expected.json").read_text("utf-8")
    for command in [(sys.executable, "check.py"), *([(RSCRIPT, "check.R")] if RSCRIPT else [])]:
        code, said = run(folder, *command)
        assert code == 0
        assert "\x1b" not in said


@pytest.mark.parametrize(
    ("expected", "computed", "same"),
    [(1.0, 1.0 + 1e-10, True), (1.0, 1.0 + 1e-8, False), (1e5, 1e5 + 1e-5, True), (None, None, True),
     (None, 1.0, False), (1.0, None, False), (1e-12, 2e-12, False), (1e-12, 1e-12 + 1e-19, True),
     (0.0, 0.0, True), (0.0, 1e-7, False)],
)  # fmt: skip
def test_what_agrees(expected: float | None, computed: float | None, same: bool) -> None:
    assert check.agrees(expected, computed) is same
