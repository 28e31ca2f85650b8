"""An import reports everything at once, publishes all or nothing, and loses nothing on the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from data.__main__ import main
from data.importing.problems import ImportRefused, Problem
from data.importing.publish import import_folder
from data.store import QUERY_CONFIG, SnapshotError, find, query, snapshots, verify

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO / "short2025", tmp_path / "short2025"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def edit(file: Path, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> pd.DataFrame:
    """Change a table as a user would in a spreadsheet; return it as it was."""
    before = pd.read_csv(file, dtype=str, keep_default_na=False)
    after = before.copy()
    changed = change(after)
    (after if changed is None else changed).to_csv(file, index=False)
    return before


def refused(source: Path, folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(ImportRefused) as caught:
        import_folder(source, "short2025", folder)
    assert snapshots(folder) == ()
    assert not folder.exists() or not any(folder.iterdir())
    return tuple(p for p in caught.value.problems if p.severity == "fatal")


def test_five_faults_are_named_together_and_nothing_is_published(
    source: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(source / "treatments.csv", lambda t: t.drop(columns="kind"))
    patients = edit(source / "patients.csv", lambda p: pd.concat([p, p.iloc[[4]]]))
    edit(source / "patients.csv", lambda p: p.isetitem(1, ["about forty", *p["age_years"][1:]]))
    outcomes = pd.read_csv(source / "outcomes.csv", dtype=str, keep_default_na=False)
    relapsed = int(outcomes.index[outcomes["relapse_day"] != ""][0])
    remission = outcomes["cr_day"][relapsed]
    edit(
        source / "outcomes.csv",
        lambda o: o.__setitem__("relapse_day", o["relapse_day"].where(o.index != relapsed, "3")),
    )
    edit(
        source / "mrd_assessments.csv",
        lambda m: m.__setitem__("patient_id", ["nobody", *m["patient_id"][1:]]),
    )
    problems = refused(source, folder)
    found = {(p.file, p.row, p.column, p.value) for p in problems}
    assert patients.columns[1] == "age_years"
    assert {
        ("treatments.csv", 1, "kind", None),
        ("patients.csv", 2, "age_years", "about forty"),
        ("patients.csv", len(patients) + 2, "patient_id", patients.loc[4, "patient_id"]),
        ("outcomes.csv", relapsed + 2, "relapse_day", f"3 (cr_day {remission})"),
        ("mrd_assessments.csv", 2, "patient_id", "nobody"),
    } <= found
    assert all(p.what and p.remedy for p in problems)
    monkeypatch.setenv("COHORT_STORE", str(folder))
    assert main(["import", str(source), "--study", "short2025", "--values"]) == 1
    said = capsys.readouterr()
    for words in (
        "kind",
        "about forty",
        "stands already",
        "is not after cr_day",
        "no such patient",
    ):
        assert words in said.out
    assert "Nothing was published" in said.err
    assert main(["list"]) == 0
    assert "No snapshot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("patients", "ph_status", "Pos", "expected one of positive, negative"),
        ("patients", "tp53_mutated", "1", "expected yes or no"),
        ("patients", "age_years", "1e999", "expected a number from 0 to 120"),
        ("patients", "age_years", "-3", "expected a number from 0 to 120"),
        ("outcomes", "cr_day", "28.5", "expected a whole number"),
        ("outcomes", "cr_day", "-1", "expected a whole number from 0"),
        ("outcomes", "last_follow_up_day", "2", "last follow-up is not before"),
        ("mrd_assessments", "mrd_fraction", "12", "more MRD than there are cells"),
        ("mrd_assessments", "timepoint", "EOI", "no such timepoint"),
        ("treatments", "start_day", "9999", None),
    ],
)
def test_a_cell_that_does_not_fit_is_named(
    source: Path, folder: Path, table: str, column: str, value: str, words: str | None
) -> None:
    edit(source / f"{table}.csv", lambda t: t.__setitem__(column, [value, *t[column][1:]]))
    if words is None:  # possible, if the patient lives so long
        import_folder(source, "short2025", folder)
        return
    (problem, *_) = [p for p in refused(source, folder) if p.column == column]
    assert (problem.file, problem.row) == (f"{table}.csv", 2)
    assert str(problem.value).split(" (")[0] == value
    assert words in f"{problem.what} {problem.remedy}"


@pytest.mark.parametrize("name", ["patients.csv", "outcomes.csv", "study.json"])
def test_a_missing_file_is_named(source: Path, folder: Path, name: str) -> None:
    (source / name).unlink()
    assert any(p.file == name and "missing" in p.what for p in refused(source, folder))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_in_another_encoding_is_the_same_study(
    source: Path, folder: Path, encoding: str
) -> None:
    edit(source / "patients.csv", lambda p: p.assign(centre="Köln"))
    plain, _ = import_folder(source, "short2025", folder)
    text = (source / "patients.csv").read_text("utf-8")
    (source / "patients.csv").write_bytes(text.encode(encoding))
    other, _ = import_folder(source, "short2025", folder)
    patients = "SELECT * FROM subjects ORDER BY patient_id"
    pd.testing.assert_frame_equal(query(other, patients), query(plain, patients))
    assert set(query(other, patients)["centre"]) == {"Köln"}


def test_a_ragged_row_is_named(source: Path, folder: Path) -> None:
    with (source / "outcomes.csv").open("a") as file:
        file.write("X1,20\n")
    assert any("2 cells under" in p.what for p in refused(source, folder))


def test_another_study_name_is_refused(source: Path, folder: Path) -> None:
    with pytest.raises(ImportRefused, match="1 fatal problem"):
        import_folder(source, "other", folder)


def test_importing_again_changes_nothing(source: Path, folder: Path) -> None:
    first, _ = import_folder(source, "short2025", folder)
    again, _ = import_folder(source, "short2025", folder)
    assert again == first
    assert len(snapshots(folder)) == 1


def test_a_new_import_is_served_and_the_old_one_stays(source: Path, folder: Path) -> None:
    first, _ = import_folder(source, "short2025", folder)
    edit(source / "patients.csv", lambda p: p.__setitem__("age_years", ["77", *p["age_years"][1:]]))
    second, _ = import_folder(source, "short2025", folder)
    assert find("short2025", folder=folder) == second
    assert find("short2025", first.hash, folder).current is False
    assert second.hash != first.hash
    with pytest.raises(SnapshotError, match="not in this store"):
        find("short2025", "0" * 12, folder)


def test_a_failure_on_the_way_leaves_the_served_snapshot(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = import_folder(source, "short2025", folder)
    edit(source / "patients.csv", lambda p: p.__setitem__("age_years", ["77", *p["age_years"][1:]]))
    calls = 0

    def failing(real: Callable[..., None], allowed: int) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            nonlocal calls
            calls += 1
            if calls > allowed:
                raise OSError(28, "No space left on device")
            real(*arguments)

        return call

    fsync, replaced = os.fsync, os.replace
    for allowed in range(6):
        calls = 0
        monkeypatch.setattr(os, "fsync", failing(fsync, allowed))
        monkeypatch.setattr(os, "replace", failing(replaced, allowed))
        with pytest.raises(OSError, match="No space left"):
            import_folder(source, "short2025", folder)
        monkeypatch.undo()
        served = find("short2025", folder=folder)
        verify(served)
        assert served.hash == first.hash


def test_a_damaged_snapshot_is_refused(source: Path, folder: Path) -> None:
    snapshot, _ = import_folder(source, "short2025", folder)
    snapshot.path.chmod(0o644)
    content = bytearray(snapshot.path.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.path.write_bytes(bytes(content))
    with pytest.raises(SnapshotError, match="damaged"):
        query(snapshot, "SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM patients",
        "CREATE TABLE x (a INTEGER)",
        "COPY patients TO 'out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "ATTACH 'out.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "EXPORT DATABASE 'out'",
    ],
)
def test_the_query_connection_reads_the_snapshot_and_nothing_else(
    source: Path, folder: Path, statement: str
) -> None:
    snapshot, _ = import_folder(source, "short2025", folder)
    with pytest.raises(duckdb.Error):
        query(snapshot, statement)
    assert QUERY_CONFIG["lock_configuration"] == "true"


def test_ages_above_89_are_stored_as_90_and_missing_ages_stay_missing(
    source: Path, folder: Path
) -> None:
    edit(
        source / "patients.csv",
        lambda p: p.__setitem__("age_years", ["93", "", "89", *p["age_years"][3:]]),
    )
    snapshot, problems = import_folder(source, "short2025", folder)
    patients = pd.read_csv(source / "patients.csv", dtype=str)["patient_id"][:3]
    ages = query(snapshot, "SELECT patient_id, age_years FROM subjects").set_index("patient_id")
    first, second, third = (ages.loc[p, "age_years"] for p in patients)
    assert (first, third) == (90, 89)
    assert pd.isna(second)
    assert any("90+" in p.what for p in problems)


def test_a_contradicting_risk_group_is_reported(source: Path, folder: Path) -> None:
    patients = pd.read_csv(source / "patients.csv", dtype=str, keep_default_na=False)
    row = int(patients.index[patients["risk_group"] == "high"][0])
    edit(
        source / "patients.csv",
        lambda p: p.__setitem__("risk_group", p["risk_group"].where(p.index != row, "standard")),
    )
    snapshot, problems = import_folder(source, "short2025", folder)
    assert [(p.row, p.value) for p in problems if p.column == "risk_group"] == [
        (row + 2, "standard")
    ]
    stored = query(snapshot, "SELECT * FROM import_problems")
    assert "value" not in stored
    assert len(stored) == len(problems)


def test_a_further_column_becomes_a_variable_of_the_study(source: Path, folder: Path) -> None:
    from data.queries import dictionary

    edit(source / "patients.csv", lambda p: p.assign(ferritin="812", centre="A", frail="no"))
    snapshot, _ = import_folder(source, "short2025", folder)
    found = dictionary(snapshot)
    assert [found[n].kind for n in ("ferritin", "centre", "frail")] == [
        "number",
        "category",
        "boolean",
    ]


def test_the_command_lists_what_it_published(
    source: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(folder))
    assert main(["import", str(source), "--study", "short2025"]) == 0
    assert "RFS: 161 patients" in capsys.readouterr().out
    assert main(["list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("* short2025")
    assert "161 patients" in line
    assert main(["import", str(source / "nowhere"), "--study", "short2025"]) == 2


def test_what_the_real_cohort_cannot_give_is_refused_with_the_reason(tmp_path: Path) -> None:
    from data.queries import derivability

    snapshot, problems = import_folder(DEMO / "chiaretti2004", "chiaretti2004", tmp_path)
    given = {endpoint.code: endpoint for endpoint in derivability(snapshot)}
    assert given["OS"].refused_because == "12 of 13 known events have no date."
    assert given["RFS"].refused_because is None
    assert given["RFS"].n_usable == 66
    assert sum(given["RFS"].excluded.values()) == 95 - 66
    assert given["RFS"].excluded["death without a date"] == 5
    unread = [p.value for p in problems if "not a day" in p.what]
    assert unread == ["00/09/01", "00/09/20+T12501"]
    assert sum("no t(9;22)" in p.what for p in problems) == 5
    study = json.loads((DEMO / "chiaretti2004" / "study.json").read_text("utf-8"))
    assert study["synthetic"] is False


def test_samples_can_come_with_dates(source: Path, folder: Path) -> None:
    plain_days, _ = import_folder(source, "short2025", folder)
    study = json.loads((source / "study.json").read_text("utf-8"))
    (source / "study.json").write_text(
        json.dumps(study | {"date_format": "year-month-day"}), "utf-8"
    )
    edit(source / "patients.csv", lambda p: p.assign(day_zero_date="2024-01-01"))
    start = pd.Timestamp("2024-01-01")

    def dated(samples: pd.DataFrame) -> pd.DataFrame:
        days = pd.to_timedelta(samples["day"].astype(int), unit="D")
        return samples.drop(columns="day").assign(date=(start + days).dt.strftime("%Y-%m-%d"))

    edit(source / "mrd_assessments.csv", dated)
    snapshot, _ = import_folder(source, "short2025", folder)
    text = "SELECT patient_id, timepoint, status, sample_day FROM mrd_by_timepoint ORDER BY ALL"
    pd.testing.assert_frame_equal(query(snapshot, text), query(plain_days, text))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": {"centre": {"type": "colour"}}}, "type of the column centre"),
        ({"columns": ["centre"]}, "columns"),
        ({"timepoints": ["3 months"]}, "needs label"),
        ({"timepoints": "3 months"}, "needs label"),
        (
            {
                "timepoints": [
                    {"label": label, "first_day": 1, "target_day": 2, "last_day": 3}
                    for label in ("3 months", "3-months")
                ]
            },
            "two timepoints",
        ),
        ({"default_endpoint": "PFS"}, "default_endpoint"),
        ({"default_endpoint": None}, "default_endpoint"),
        ({"date_format": "dd.mm.yyyy"}, "date_format"),
        ({"title": 7}, "title"),
        ({"synthetic": "perhaps"}, "synthetic"),
    ],
)
def test_a_faulty_description_of_the_study_is_named(
    source: Path, folder: Path, change: dict[str, object], words: str
) -> None:
    edit(source / "patients.csv", lambda p: p.assign(centre="A"))
    study = json.loads((source / "study.json").read_text("utf-8"))
    (source / "study.json").write_text(json.dumps(study | change), "utf-8")
    problems = refused(source, folder)
    assert any(words in str(p) and p.file == "study.json" for p in problems)


@pytest.mark.parametrize(
    "name", ["allosct", "disposition", "mrd_3_months", "horizon", "study", "risk_group_of_study"]
)
def test_a_column_named_like_something_of_ours_is_refused(
    source: Path, folder: Path, name: str
) -> None:
    edit(source / "patients.csv", lambda p: p.assign(**{name: "yes"}))
    assert any(p.value == name and "name is taken" in p.what for p in refused(source, folder))


def test_dates_without_patients_are_named(source: Path, folder: Path) -> None:
    edit(
        source / "outcomes.csv", lambda o: o.drop(columns="patient_id").assign(cr_date="2020-01-01")
    )
    assert any(p.column == "patient_id" and "missing" in p.what for p in refused(source, folder))


def test_patients_need_nothing_but_an_identifier(source: Path, folder: Path) -> None:
    edit(source / "patients.csv", lambda p: p[["patient_id"]])
    snapshot, _ = import_folder(source, "short2025", folder)
    risks = query(snapshot, "SELECT DISTINCT risk_group FROM subjects")
    assert list(risks["risk_group"]) == ["unknown"]


def test_no_table_of_a_snapshot_holds_an_age_above_90(source: Path, folder: Path) -> None:
    edit(source / "patients.csv", lambda p: p.__setitem__("age_years", ["97", *p["age_years"][1:]]))
    snapshot, _ = import_folder(source, "short2025", folder)
    assert query(snapshot, "SELECT max(age_years) AS oldest FROM patients").iat[0, 0] == 90


def test_the_keys_of_a_link_are_reserved() -> None:
    from data.variables import RESERVED
    from pages.elements.link import OPTIONS

    assert set(OPTIONS) <= RESERVED
