"""The Cohorts page: studies of the store, the dictionary, and an import from files to publishing."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook
from streamlit.testing.v1 import AppTest

from data.exporting.table import as_xlsx
from data.importing import history, jobs
from data.importing.mapping import Assignment
from data.importing.problems import Problem, report
from data.importing.publish import import_folder
from data.store import Snapshot, find, snapshots
from pages.elements import sign_in
from pages.elements.roles import Role

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "demo"


@pytest.fixture
def copied(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one study that a test may change."""
    folder = tmp_path / "store"
    folder.mkdir()
    for file in store.glob("nguyen2026*"):
        shutil.copy2(file, folder)
    monkeypatch.setenv("COHORT_STORE", str(folder))
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path / "none"))
    return tmp_path / "none"


def run(query: dict[str, str] | None = None, page: str = "pages/cohorts.py") -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in (query or {}).items():
        test.query_params[name] = value
    return (test if page == "app.py" else test.switch_page(page)).run()


def said(test: AppTest) -> str:
    kinds = ("title", "subheader", "markdown", "info", "error", "warning")
    return "\n".join(str(e.value) for kind in kinds for e in test.get(kind)).replace("\\", "")


def button(test: AppTest, label: str, at: int = 0):  # type: ignore[no-untyped-def]
    return [b for b in test.button if b.label == label][at]


def unfold(test: AppTest, study: str, part: str) -> AppTest:
    control = next(g for g in test.get("button_group") if g.key == f"part_{study}")
    return control.set_value(part).run()


def again(folder: Path, tmp_path: Path, drop: str) -> Snapshot:
    """Publish nguyen2026 once more without one patient."""
    source = tmp_path / "source"
    shutil.copytree(DEMO / "nguyen2026", source)
    for table in source.glob("*.csv"):
        lines = table.read_text("utf-8").splitlines(keepends=True)
        table.write_text("".join(x for x in lines if not x.startswith(f"{drop},")), "utf-8")
    return import_folder(source, "nguyen2026", folder)[0]


def test_every_study_of_the_store_is_shown_with_what_is_served(
    store: Path, short2025: Snapshot
) -> None:
    test = run({"study": "short2025"})
    assert not test.exception
    assert not test.error
    for title in ("Short 2025 (synthetic)", "Chiaretti 2004 (real)", "Nguyen 2026 (synthetic)"):
        assert title in said(test)
    assert f"snapshot {short2025.hash}" in said(test)
    assert "**161 patients**" in said(test)


def test_the_menu_keeps_the_cohort_that_the_address_asks_for(store: Path) -> None:
    test = run({"study": "short2025", "ph_status": "negative", "import": "x" * 22})
    links = {link.proto.label: link.proto.query_string for link in test.get("page_link")}
    assert list(links)[:8] == [
        "Overview", "Survival", "MRD negativity", "Transplant", "Evidence", "Patients", "Present",
        "Cohorts",
    ]  # fmt: skip
    assert links["Survival"] == "study=short2025&ph_status=negative"


def test_an_empty_store_leads_to_the_page_where_a_cohort_can_be_brought(empty: Path) -> None:
    overview = run(page="app.py")
    assert not overview.exception
    assert "There is no cohort yet" in said(overview)
    (link,) = overview.get("page_link")
    assert link.proto.page == "cohorts"
    test = run()
    assert not test.exception
    assert not test.error
    assert "There is none yet" in said(test)
    assert "Bring a cohort" in said(test)


def test_the_dictionary_is_searched_by_name_meaning_and_level(store: Path) -> None:
    test = run()
    field = next(t for t in test.text_input if t.key == "dictionary_search")
    (table,) = [f.value for f in field.set_value("remission").run().dataframe]
    assert {"cr_day", "cr_achieved", "disposition"} <= set(table["Name"])
    assert "sex" not in set(table["Name"])
    field.set_value("below lod mrd").run()
    (table,) = [f.value for f in test.dataframe]
    assert {"call", "mrd_3_months"} <= set(table["Name"])
    assert "own" in said(field.set_value("shoe size").run())


def test_going_back_to_an_earlier_snapshot_and_what_changed(copied: Path, tmp_path: Path) -> None:
    first = find("nguyen2026")
    second = again(copied, tmp_path, "N02")
    test = unfold(run(), "nguyen2026", "history")
    assert "1 patient removed, 3 treatments removed" in said(test)
    button(test, "Go back to this one").click().run()
    assert "stays in the history" in said(test)
    button(test, "Go back to it").click().run()
    assert find("nguyen2026").hash == first.hash
    assert f"back to snapshot {first.hash}, by not said" in said(test)
    assert second.hash in said(test)


def test_a_snapshot_and_a_study_are_deleted_only_after_saying_what_goes(
    copied: Path, tmp_path: Path
) -> None:
    first = find("nguyen2026")
    again(copied, tmp_path, "N02")
    test = unfold(run({"study": "nguyen2026"}), "nguyen2026", "history")
    button(test, "Delete", 1).click().run()
    assert f"This deletes the snapshot {first.hash}" in said(test)
    assert len(snapshots()) == 2
    assert button(test, "Delete it for good").disabled
    assert "Say who deletes it" in said(test)
    # A run of the whole page closes the dialog: the name is as if it had been given before.
    test.session_state["who"] = "A. Manager"
    button(test.run(), "Delete", 1).click().run()
    assert "Say who deletes it" not in said(test)
    button(test, "Delete it for good").click().run()
    assert history.history("nguyen2026")[0].who == "A. Manager"
    assert [s.hash for s in snapshots()] != [first.hash]
    assert len(snapshots()) == 1
    button(test, "Delete").click().run()
    assert "**Nguyen 2026** (`nguyen2026`, 37 patients)" in said(test)
    button(test, "Delete it for good").click().run()
    assert not test.exception
    assert not snapshots()
    assert not [*copied.glob("*.duckdb")]
    assert "There is none yet" in said(test)
    assert "study" not in test.query_params


def test_a_damaged_snapshot_is_said_and_the_earlier_one_can_be_gone_back_to(
    copied: Path, tmp_path: Path
) -> None:
    first = find("nguyen2026")
    second = again(copied, tmp_path, "N02")
    second.path.chmod(0o644)
    with second.path.open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    test = unfold(run(), "nguyen2026", "history")
    assert not test.exception
    assert "is damaged and is not shown" in said(test)
    button(test, "Go back to this one").click().run()
    button(test, "Go back to it").click().run()
    assert find("nguyen2026").hash == first.hash
    assert not test.error


def test_the_small_cell_minimum_is_set_and_takes_the_rows_away(copied: Path) -> None:
    test = unfold(run(), "nguyen2026", "small")
    field = next(n for n in test.number_input if n.label == "Hide counts of patients under")
    field.set_value(5).run()
    button(test, "Apply").click().run()
    assert find("nguyen2026").small_cell_minimum == 5
    assert not test.exception
    assert history.history("nguyen2026")[0].what == "minimum"
    assert button(test, "ADaM files").disabled
    unfold(test, "nguyen2026", "findings")
    assert "small numbers are hidden here" in said(test)
    assert not [f for f in test.dataframe if "severity" in f.value]


def test_small_differences_are_not_said_where_small_numbers_are_hidden(
    copied: Path, tmp_path: Path
) -> None:
    again(copied, tmp_path, "N02")
    history.set_minimum("nguyen2026", 5, "test")
    test = unfold(run(), "nguyen2026", "history")
    assert "<5 patients removed" in said(test)
    assert "1 patient" not in said(test)
    assert "38 patients" not in said(test)
    assert said(test).count("≥35 patients") == 2


SMALL = """patient_id;Geschlecht;Alter;Ph;Diagnose;CR Datum;Rezidiv;letzter Kontakt;E-Mail;Zentrum
{rows}"""


def small_file() -> bytes:
    """A sheet of 24 patients with one question each of some kinds, and a column that identifies."""
    rows = [
        f"P{i:03};{'w' if i % 2 else 'm'};{30 + i},5;{('pos', 'neg', 'komisch')[i % 3]};"
        f"0{1 + i % 9}/0{1 + i % 7}/2020;0{1 + i % 9}/0{2 + i % 7}/2020;{'ja' if i % 4 else 'nein'};"
        f"0{1 + i % 9}/0{1 + i % 7}/2022;p{i % 5}@ward.example;{'AB'[i % 2]}"
        for i in range(24)
    ]
    return SMALL.format(rows="\n".join(rows)).encode("cp1252")


@pytest.fixture
def job(copied: Path) -> jobs.Job:
    """An import whose file has been read."""
    begun = jobs.create([("klein.csv", small_file())])
    begun.start("read")
    assert begun.wait(60) == "mapping"
    return begun


def step(job: jobs.Job, name: str) -> AppTest:
    return run({"import": job.id, "step": name})


def choose(test: AppTest, label: str, value: str) -> AppTest:
    found = [box for box in test.selectbox if label in box.label.replace("\\", "")]
    return found[0].set_value(value).run()


def test_the_files_screen_says_how_the_file_was_read_and_who_could_be_told(job: jobs.Job) -> None:
    test = step(job, "files")
    assert not test.exception
    assert "24 rows, 10 columns" in said(test)
    assert "semicolon" in said(test)
    assert "P000" in test.dataframe[0].value.to_string()
    assert "Left out, because they could tell who a patient is: E-Mail" in said(test)
    assert targets(job, "E-Mail") == ["nothing"]


def targets(job: jobs.Job, column: str) -> list[str]:
    assert job.mapping is not None
    return [a.target for a in job.mapping.sheets[0].assignments if a.column == column]


def bring_back(job: jobs.Job, column: str) -> AppTest:
    """Use a column that was left out as a variable all the same."""
    step(job, "files")
    assert job.mapping is not None
    (sheet,) = job.mapping.sheets
    used = (*(a for a in sheet.assignments if a.column != column),
            Assignment(column, "own", label=column, kind="category"))  # fmt: skip
    job.keep(replace(job.mapping, sheets=(replace(sheet, assignments=used),)))
    return step(job, "files")


def test_a_column_that_could_tell_who_a_patient_is_is_left_out_at_once(job: jobs.Job) -> None:
    test = bring_back(job, "E-Mail")
    assert "These columns could tell who a patient is" in said(test)
    button(test, "Leave them out").click().run()
    assert "These columns could tell" not in said(test)
    assert targets(job, "E-Mail") == ["nothing"]


def test_identifiers_are_not_offered_as_variables(copied: Path) -> None:
    rows = "\n".join(
        f"P{i};{'female' if i % 2 else 'male'};{'Schmidt' if i % 3 else 'Rossi'};"
        f"{'see letter from Dr Smith' if i % 4 else 'none'};{'seen 12.3.2020' if i % 5 else 'no'}"
        for i in range(30)
    )
    begun = jobs.create([("n.csv", f"patient_id;sex;Name;Notes;Seen\n{rows}\n".encode())])
    begun.start("read")
    assert begun.wait(60) == "mapping"
    test = step(begun, "files")
    assert not test.exception
    for column in ("Name", "Notes", "Seen"):
        assert targets(begun, column) == ["nothing"]
    assert targets(begun, "sex") == ["sex"]
    choose(choose(test, "One row is", "nothing"), "One row is", "patients")
    assert targets(begun, "Name") == ["nothing"]


OLD = "patient_id,sex,age_years,komisch\n" + "".join(
    f"P{i},{'male' if i % 2 else 'female'},{40 + i},a\n" for i in range(8)
)


def published(text: str) -> jobs.Job:
    begun = jobs.create([("ward.csv", text.encode())])
    begun.start("read")
    assert begun.wait(60) == "mapping"
    step(begun, "files")
    begun.start("check")
    assert begun.wait(60) == "checked", begun.message
    return begun


def test_the_next_file_of_a_study_is_taken_as_its_next_state(copied: Path) -> None:
    first = published(OLD)
    assert first.mapping is not None
    study_id = first.mapping.study["study_id"]
    first.publish("ann")
    again = published(OLD.replace("P3,male", "P3,female"))
    assert again.mapping is not None
    assert again.mapping.study["study_id"] == study_id
    test = step(again, "files")
    assert "Taken as the next state of" in said(test)
    assert str(again.checked().diff) == "1 patient changed"
    # Where two studies look like this, nobody can tell which one it is.
    again.keep(replace(again.mapping, study=again.mapping.study | {"study_id": "other"}))
    again.start("check")
    assert again.wait(60) == "checked"
    again.publish("ann")
    third = published(OLD)
    assert third.mapping is not None
    assert third.mapping.study["study_id"] not in (study_id, "other")
    assert "Taken as" not in said(step(third, "files"))


def test_a_corrected_file_takes_the_place_of_the_old_one_and_the_answers_stay(
    job: jobs.Job,
) -> None:
    bring_back(job, "E-Mail")
    answers = job.mapping
    job.replace(job.files[0], small_file() + b"\n")
    assert job.wait(60) == "mapping"
    test = step(job, "files")
    assert not test.exception
    assert "replace_0_klein.csv" in {b.key for b in test.button}
    assert job.mapping == answers


def test_another_meaning_of_a_row_proposes_the_columns_anew(job: jobs.Job) -> None:
    test = choose(step(job, "files"), "One row is", "nothing")
    assert not test.exception
    assert job.mapping is not None
    assert job.mapping.sheets[0].role == "nothing"
    choose(test, "One row is", "patients")
    assert "sex" in {a.target for a in job.mapping.sheets[0].assignments}


def test_every_question_is_answered_by_choosing_then_checked_and_published(
    job: jobs.Job, copied: Path
) -> None:
    test = step(job, "columns")
    assert not test.exception
    assert "questions left" in said(test)
    assert button(test, "Check everything").disabled
    while [b for b in test.selectbox if "How are the dates written" in b.label]:
        choose(test, "How are the dates written", "day/month/year")
    assert "dates as day/month/year" in said(test)
    choose(test, "komisch", "")
    test = choose(test, "Whose day is it?", "none")
    assert not test.exception
    assert "Every question is answered" in said(test)
    button(test, "Check everything").click().run()
    assert job.wait(60) == "checked"
    test = step(job, "check")
    assert not test.exception
    assert "Nothing stops the import" in said(test)
    test = step(job, "publish")
    assert "A new study" in said(test)
    test.text_input[0].set_value("A. Manager").run()
    button(test, "Publish").click().run()
    assert not test.exception
    assert "The files that were read are deleted" in said(test)
    snapshot = find("klein")
    assert snapshot.rows["patients"] == 24
    assert (snapshot.published_by, snapshot.small_cell_minimum) == ("A. Manager", 5)
    assert not (job.place / "files").exists()


def study_part(test: AppTest) -> str:
    return next(
        option
        for group in test.get("button_group")
        for option in group.options
        if option.startswith("The study")
    )


def test_what_nobody_was_asked_of_a_study_is_looked_at(copied: Path) -> None:
    begun = jobs.create([("ward list.csv", OLD.encode())])
    begun.start("read")
    assert begun.wait(60) == "mapping"
    test = step(begun, "columns")
    assert "Every question is answered" in said(test)
    assert "check" not in study_part(test)
    button(test, "Look at them").click().run()
    assert ":material/check:" in study_part(test)
    assert not [b for b in test.button if b.label == "Look at them"]
    button(test, "Check everything").click().run()
    assert begun.wait(60) == "checked"
    test = step(begun, "publish")
    assert "**ward list** (`ward_list`), 8 real patients" in said(test)
    button(test, "Change title or patients").click().run()
    assert {t.label for t in test.text_input} >= {"Title, as every screen shows it"}
    kind = next(r for r in test.radio if r.label == "The patients are")
    kind.set_value(True).run()
    assert begun.mapping is not None
    assert begun.mapping.study["synthetic"] is True


def test_the_title_of_a_study_that_is_here_needs_no_look(copied: Path) -> None:
    first = published(OLD)
    first.publish("ann")
    again = published(OLD.replace("P3,male", "P3,female"))
    test = step(again, "columns")
    assert ":material/check:" in study_part(test)
    assert not [b for b in test.button if b.label == "Look at them"]


def test_a_column_is_used_twice_changed_and_left_out(job: jobs.Job) -> None:
    test = step(job, "columns")

    def targets() -> list[str]:
        assert job.mapping is not None
        return [a.target for a in job.mapping.sheets[0].assignments if a.column == "Ph"]

    before = targets()
    assert before[0] == "ph_status"
    key = f"{job.id}_0_3"
    next(b for b in test.button if b.key == f"{key}_also").click().run()
    assert not test.exception
    assert len(targets()) == len(before) + 1
    last = next(b for b in test.selectbox if b.key == f"{key}_{len(before)}_target")
    last.set_value("ecog").run()
    assert targets() == [*before, "ecog"]
    next(b for b in test.button if b.key == f"{key}_{len(before)}_remove").click().run()
    assert targets() == before


def test_an_unfinished_check_does_not_publish_and_says_why(job: jobs.Job) -> None:
    assert job.mapping is None
    step(job, "columns")
    test = step(job, "publish")
    assert not test.exception
    assert not [b for b in test.button if b.label == "Publish"]
    assert button(test, "4 Publish").disabled


def test_an_import_is_cancelled_after_a_confirmation(job: jobs.Job) -> None:
    test = step(job, "files")
    button(test, "Cancel the import").click().run()
    assert "deletes the files and every answer" in said(test)
    button(test, "Cancel it and delete the files").click().run()
    assert not job.place.exists()
    assert "Studies in this store" in said(test)
    assert "is not here any more" in said(run({"import": job.id}))
    assert not run({"import": "../../etc"}).exception


def test_a_file_that_is_no_table_is_refused_with_a_sentence(copied: Path) -> None:
    begun = jobs.create([("report.pdf", b"%PDF-1.7 nothing")])
    begun.start("read")
    begun.wait(60)
    test = run({"import": begun.id})
    assert not test.exception
    assert "nothing to go on with" in said(test)
    assert "PDF" in " ".join(e.label for e in test.expander)


def test_a_finding_that_stops_the_import_is_unfolded_and_publishing_says_why(copied: Path) -> None:
    rows = "\n".join(
        f"P{i},{'female' if i % 2 else 'male'},{400 if i == 3 else 40 + i}" for i in range(8)
    )
    begun = jobs.create([("old.csv", f"patient_id,sex,age_years\n{rows}\n".encode())])
    begun.start("read")
    begun.wait(60)
    test = step(begun, "columns")
    assert "Every question is answered" in said(test)
    button(test, "Check everything").click().run()
    assert begun.wait(60) == "checked"
    test = step(begun, "check")
    assert not test.exception
    assert "Something still stops the import" in said(test)
    (rows_found,) = [f.value for f in test.dataframe if "value" in f.value]
    assert (rows_found["row"].iloc[0], rows_found["value"].iloc[0]) == (5, "400")
    test = step(begun, "publish")
    assert button(test, "Publish").disabled
    assert "A finding stops the import" in said(test)


def test_what_is_brought_can_be_the_next_state_of_a_study_that_is_here(job: jobs.Job) -> None:
    test = step(job, "columns")
    part = next(g for g in test.get("button_group") if g.key == f"part_{job.id}")
    part.set_value("").run()
    choose(test, "This is", "nguyen2026")
    assert not test.exception
    assert job.mapping is not None
    assert job.mapping.study["study_id"] == "nguyen2026"
    assert job.mapping.study["timepoints"]
    choose(test, "This is", "")
    assert job.mapping.study["study_id"] not in ("nguyen2026", "")


def test_an_answer_that_comes_too_late_is_said_and_changes_nothing(job: jobs.Job) -> None:
    test = bring_back(job, "E-Mail")
    job.cancel()
    button(test, "Leave them out").click().run()
    assert not test.exception
    assert "is not here any more" in said(test)


def test_a_check_is_stopped_and_the_answers_stay(job: jobs.Job) -> None:
    step(job, "columns")
    answers = job.mapping
    job.start("check")
    job.stop()
    assert job.state == "mapping"
    assert job.mapping == answers


def test_the_identifiers_of_patients_are_replaced_on_request(job: jobs.Job) -> None:
    test = step(job, "files")
    test.toggle[0].set_value(True).run()
    assert not test.exception
    assert job.mapping is not None
    assert job.mapping.rekey


def test_the_sheet_of_findings_runs_nothing_and_keeps_its_rows() -> None:
    problem = Problem("fatal", "a.csv", 3, "=cmd()", "=1+1\x07", "what", "remedy")
    sheet = load_workbook(io.BytesIO(as_xlsx(report([problem])))).active
    header, row = sheet.values
    found = dict(zip(header, row, strict=True))
    assert (found["row"], found["column"], found["value"]) == (3, "'=cmd()", "'=1+1")
    assert {cell.data_type for cell in sheet[2]} == {"s", "n"}


def test_an_import_that_was_left_is_gone_on_with(copied: Path) -> None:
    job = jobs.create([("left *alone*.csv", (DEMO / "nguyen2026" / "patients.csv").read_bytes())])
    job.start("read")
    job.wait(60)
    test = run()
    assert "Not published yet: left *alone*.csv" in said(test)
    button(test, "Go on").click().run()
    assert job.id in test.query_params["import"]
    assert "left *alone*.csv" in said(test)
    job.cancel()
    assert "Not published yet" not in said(run())


def test_where_people_sign_in_nobody_is_shown_the_import_of_another(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.create([("a.csv", b"patient_id\n1\n")])
    assert jobs.unfinished() == (job,)
    editor = sign_in.Setup(headers={"email": "X-Email"}, roles={"ann@example.org": Role.EDITOR})
    monkeypatch.setattr(sign_in, "setup", lambda: editor)
    test = AppTest.from_function(_bringing).run()
    assert "Drop one sheet" in "".join(each.label for each in test.get("file_uploader"))
    assert "Not published yet" not in said(test)


def _bringing() -> None:
    from pages.elements import import_view, sign_in
    from pages.elements.roles import Role

    with sign_in.acting(sign_in.Person("ann@example.org", Role.EDITOR)):
        import_view.bring()
