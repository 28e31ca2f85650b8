"""The command: an exit code and a report for every outcome, the same files change nothing."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from data.__main__ import main
from data.importing import jobs, worker
from data.importing.mapping import Question, from_json, to_json
from data.importing.recognise import answered, questions
from data.store import find, snapshots
from tests.data.test_jobs import CSV, Here

DEMO = Path(__file__).parents[2] / "data" / "demo"
RAW = DEMO / "chiaretti2004" / "ALL_pData.csv"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(jobs.subprocess, "Popen", Here)
    monkeypatch.setattr(worker, "apply_limits", lambda limits: None)
    monkeypatch.setattr(signal, "alarm", lambda seconds: None)
    return tmp_path / "store"


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    path = tmp_path / "ward.csv"
    path.write_text(CSV, "utf-8")
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def report(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "report.json").read_text("utf-8"))


def test_a_nightly_refresh_with_the_same_files_changes_nothing(
    ward: Path, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("import", ward, "--study", "ward", "--report", tmp_path / "report.json")
    assert run(*asked) == 0
    first = report(tmp_path)
    assert (first["exit_code"], first["unchanged"], first["rows"]["patients"]) == (0, False, 3)
    assert first["rows_read"] == {"ward.csv": 3}
    assert first["snapshot"] == find("ward").hash
    assert {e["code"]: e["n_usable"] for e in first["derivability"]}["OS"] == 3
    assert "Step 4 of 4" in capsys.readouterr().err
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.glob("ward*"))
    assert run(*asked) == 0
    assert report(tmp_path)["unchanged"] is True
    assert "Unchanged ward" in capsys.readouterr().out
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.glob("ward*")) == before
    ward.write_text(CSV + "010,female,50,100,no,\n", "utf-8")
    assert run(*asked) == 0
    assert report(tmp_path)["diff"]["patients_added"] == 1
    assert "Changed: 1 patient added" in capsys.readouterr().out
    assert list((folder / ".jobs").iterdir()) == []


def test_the_raw_table_imports_with_a_mapping_kept_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mapping.json"
    asked = ("import", RAW, "--study", "raw", "--report", tmp_path / "report.json")
    assert run(*asked, "--write-mapping", mapping) == 3
    assert snapshots() == ()
    found = report(tmp_path)
    assert found["exit_code"] == 3
    assert {q["column"] for q in found["questions"]} >= {"f.u", "mol.biol"}
    assert "BMT / DEATH IN CR" not in json.dumps(found)
    assert "open question" in capsys.readouterr().err
    mapping.write_text(json.dumps(_answered(mapping)), "utf-8")
    assert run(*asked, "--mapping", mapping, "--title", "Chiaretti", "--small-cell-minimum", 0) == 0
    found = report(tmp_path)
    assert found["rows"]["patients"] == 128
    assert {e["code"]: e["refused_because"] for e in found["derivability"]}["RFS"] is None
    assert not any("value" in problem for problem in found["problems"])
    snapshot = find("raw")
    assert (snapshot.title, snapshot.small_cell_minimum) == ("Chiaretti", 0)
    assert run(*asked, "--mapping", mapping, "--title", "Chiaretti", "--values") == 0
    assert report(tmp_path)["unchanged"]
    assert any(problem["value"] for problem in report(tmp_path)["problems"])


def _answered(path: Path) -> dict[str, Any]:
    """Answer every question of a mapping as is suggested, else with the first choice."""
    from data.importing.formats import read_file

    sheets, _ = read_file(RAW, RAW.name)
    mapping = from_json(json.loads(path.read_text("utf-8")))
    while found := questions(sheets, mapping):
        mapping = answered(mapping, found[0], _answer(found[0]))
    return to_json(mapping)


def _answer(question: Question) -> Any:
    if question.field == "values":
        return {**dict.fromkeys(question.texts, ""), **(question.proposed or {})}
    return next(iter(question.choices))


def test_columns_that_the_mapping_does_not_know_are_not_guessed(
    ward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / "mapping.json"
    assert run("import", ward, "--study", "ward", "--write-mapping", mapping) == 0
    ward.write_text(CSV.replace("sex", "gender"), "utf-8")
    assert run("import", ward, "--study", "ward", "--mapping", mapping) == 2
    said = capsys.readouterr().err
    assert "New: gender" in said
    assert "Gone: sex" in said
    assert run("import", ward, "--study", "other", "--mapping", mapping) == 2
    mapping.write_text("{", "utf-8")
    assert run("import", ward, "--study", "ward", "--mapping", mapping) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere.csv",), 2, "is not there"),
        ((".",), 2, "no file of an accepted form"),
        (("bad.csv",), 1, "Nothing was published"),
    ],
)
def test_what_cannot_be_imported_has_an_exit_code_and_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    if arguments == ("bad.csv",):
        (tmp_path / "in" / "bad.csv").write_bytes(b"")
    assert (
        run("import", *arguments, "--study", "ward", "--report", tmp_path / "report.json") == code
    )
    assert words in capsys.readouterr().err
    assert report(tmp_path)["exit_code"] == code
    assert snapshots() == ()


def test_values_are_quoted_where_they_are_asked_for_alone(
    ward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(shutil.copytree(DEMO / "short2025", tmp_path / "short2025"))
    patients = (source / "patients.csv").read_text("utf-8").splitlines()
    first = patients[1].split(",")
    patients[1] = ",".join([first[0], "about forty", *first[2:]])
    (source / "patients.csv").write_text("\n".join(patients), "utf-8")
    asked = ("import", source, "--study", "short2025", "--report", tmp_path / "report.json")
    assert run(*asked) == 1
    assert "about forty" not in capsys.readouterr().out + json.dumps(report(tmp_path))
    assert run(*asked, "--values") == 1
    assert "about forty" in capsys.readouterr().out
    assert "about forty" in json.dumps(report(tmp_path))


def test_history_roll_back_minimum_and_delete(
    ward: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", ward, "--study", "ward") == 0
    first = find("ward").hash
    ward.write_text(CSV + "010,female,50,100,no,\n", "utf-8")
    assert run("import", ward, "--study", "ward") == 0
    second = find("ward").hash
    assert run("rollback", "--study", "ward", "--snapshot", first) == 0
    assert find("ward").hash == first
    assert run("minimum", "--study", "ward", 8) == 0
    assert find("ward").small_cell_minimum == 8
    assert run("delete", "--study", "ward", "--snapshot", first) == 1
    assert "Roll back" in capsys.readouterr().err
    assert run("delete", "--study", "ward", "--snapshot", second) == 0
    capsys.readouterr()
    assert run("history", "--study", "ward") == 0
    said = [line.split("  ")[1].strip() for line in capsys.readouterr().out.splitlines()]
    assert said == ["delete", "minimum", "roll back", "publish", "publish"]
    assert run("delete", "--study", "ward") == 0
    assert snapshots() == ()
    assert run("rollback", "--study", "ward", "--snapshot", first) == 1


def test_the_analysis_sets_are_exported(ward: Path, tmp_path: Path) -> None:
    assert run("import", ward, "--study", "ward", "--small-cell-minimum", 0) == 0
    assert run("export-adam", "--study", "ward", tmp_path / "sets.zip") == 0
    assert (tmp_path / "sets.zip").read_bytes().startswith(b"PK")
