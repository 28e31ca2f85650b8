"""The analysis sets under ADaM names hold the study: what is counted from them is what the pages count."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import queries
from data.cohort import CohortFilter
from data.exporting.adam import (
    ADAM,
    LABEL,
    NAME,
    NotTransportable,
    RowsWithheld,
    analysis_sets,
    archive,
    as_xpt,
    define,
    own_items,
)
from data.exporting.table import as_csv
from data.importing.formats import read_file
from data.importing.publish import import_folder
from data.rule import MrdRule
from data.store import Snapshot, find
from data.variables import Dictionary, Variable, build_dictionary
from tests.sheets import published

STUDIES = ("allmrd", "chiaretti2004", "nguyen2026", "short2025")
DEMO = Path(__file__).parents[2] / "data" / "demo"
Sets = dict[str, pd.DataFrame]


@pytest.fixture(scope="session", params=STUDIES)
def exported(request: pytest.FixtureRequest, store: Path) -> tuple[Snapshot, Sets]:
    snapshot = find(request.param, folder=store)
    return snapshot, analysis_sets(snapshot)


_dictionaries: dict[Path, Dictionary] = {}


def dictionary(snapshot: Snapshot) -> Dictionary:
    """The dictionary of a snapshot, asked for once: it looks at every patient."""
    if snapshot.path not in _dictionaries:
        _dictionaries[snapshot.path] = queries.dictionary(snapshot)
    return _dictionaries[snapshot.path]


def events(snapshot: Snapshot, endpoint: str) -> pd.DataFrame:
    return queries.events(snapshot, CohortFilter(), dictionary(snapshot), endpoint=endpoint)


def statuses(snapshot: Snapshot) -> pd.DataFrame:
    """The MRD statuses, one row per patient and timepoint, as the pages read them."""
    rows = queries.mrd_by_timepoint(snapshot, CohortFilter(), dictionary(snapshot))
    columns = ["patient_id", "timepoint", "status", "mrd_fraction", "lod_fraction", "sample_day"]
    return rows[[*columns, "assay", "not_evaluable_because"]]


def given_endpoints(snapshot: Snapshot) -> list[str]:
    return [e.code for e in queries.derivability(snapshot) if e.refused_because is None]


@pytest.mark.parametrize("dataset", ADAM)
def test_names_and_labels_keep_the_limits_of_a_transport_file(dataset: str) -> None:
    items = ADAM[dataset]
    assert len({item.name for item in items}) == len(items)
    for item in items:
        assert item.name.isupper()
        assert item.name.isascii()
        assert len(item.name) <= NAME
        assert 0 < len(item.label.encode()) <= LABEL


def test_the_columns_are_those_described(exported: tuple[Snapshot, Sets]) -> None:
    _, sets = exported
    assert list(sets) == list(ADAM)
    described = define(sets)
    for dataset, frame in sets.items():
        assert described.loc[described["dataset"] == dataset, "variable"].tolist() == list(frame)


def test_one_row_per_patient_endpoint_and_sample(exported: tuple[Snapshot, Sets]) -> None:
    snapshot, sets = exported
    assert len(sets["ADSL"]) == snapshot.rows["patients"]
    assert sets["ADSL"]["USUBJID"].is_unique
    assert not sets["ADTTE"].duplicated(["USUBJID", "PARAMCD"]).any()
    assert len(sets["ADMRD"]) == snapshot.rows["mrd_assessments"]


def test_the_event_tables_follow_from_adtte(exported: tuple[Snapshot, Sets]) -> None:
    snapshot, sets = exported
    codes = {
        code.replace("_censored_at_allosct", "HSCT"): code for code in given_endpoints(snapshot)
    }
    rows = sets["ADTTE"]
    assert set(rows["PARAMCD"]) == set(codes)
    for name, code in codes.items():
        of = rows[rows["PARAMCD"] == name]
        counted = pd.crosstab(of["AVAL"], of["CNSR"]).reindex(columns=[0, 2, 1], fill_value=0)
        stored = events(snapshot, code)
        assert counted.index.tolist() == stored["time"].tolist()
        assert counted.to_numpy().tolist() == (
            stored[["n_event", "n_competing", "n_censored"]].to_numpy().tolist()
        )
    assert (rows["ADY"] - rows["STARTDY"]).tolist() == rows["AVAL"].tolist()


def test_cnsr_says_in_words_what_it_means(exported: tuple[Snapshot, Sets]) -> None:
    rows = exported[1]["ADTTE"]
    assert rows["EVNTDESC"].notna().all()
    assert rows.loc[rows["CNSR"] == 0, "CNSDTDSC"].isna().all()
    assert (rows.loc[rows["CNSR"] == 2, "CNSDTDSC"] == "competing event").all()
    censored = rows[rows["CNSR"] == 1]
    assert (censored["CNSDTDSC"] == "day of " + censored["EVNTDESC"]).all()
    assert set(rows.loc[rows["CNSR"] == 2, "PARAMCD"].str[:3]) <= {"CIR", "NRM"}


def test_the_sample_that_stands_for_a_timepoint_is_marked(exported: tuple[Snapshot, Sets]) -> None:
    snapshot, sets = exported
    rows = sets["ADMRD"]
    marked = rows[rows["ANL01FL"] == "Y"]
    chosen = statuses(snapshot)
    chosen = chosen[chosen["sample_day"].notna()]
    key = ["USUBJID", "AVISIT", "AVALCAT1", "ADY", "METHOD"]
    assert sorted(marked[key].to_numpy().tolist()) == sorted(
        chosen[["patient_id", "timepoint", "status", "sample_day", "assay"]].to_numpy().tolist()
    )
    assert rows.loc[rows["ANL01FL"].isna(), "AVALCAT1"].isna().all()


def restated(sets: Sets, study: Path, folder: Path) -> None:
    """Write the four tables of a study from its analysis sets, by what `define` says of each column."""
    folder.mkdir()
    described = json.loads((study / "study.json").read_text("utf-8"))
    for dataset, name in (("ADSL", "patients"), ("ADSL", "outcomes"), ("ADMRD", "mrd_assessments")):
        frame, table = sets[dataset], {}
        for column in define({dataset: frame}).itertuples():
            if column.source in _columns(study, name):
                cells = frame[column.variable]
                table[column.source] = cells.map({"Y": "yes", "N": "no", "F": "female", "M": "male"}.get) \
                    if column.type == "flag" or column.source == "sex" else cells  # fmt: skip
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    courses = [
        pd.DataFrame({"patient_id": of["USUBJID"], "kind": kind, "start_day": of[day]})
        for flag, day, kind in (
            ("HSCTFL", "HSCTDY", "alloSCT"),
            ("AUTOFL", "AUTODY", "autoSCT"),
            ("CARTFL", "CARTDY", "CAR-T"),
        )
        for of in [sets["ADSL"][sets["ADSL"][flag] == "Y"]]
    ]
    pd.concat(courses).to_csv(folder / "treatments.csv", index=False)
    (folder / "study.json").write_text(json.dumps(described), "utf-8")


def _columns(study: Path, name: str) -> set[str]:
    header = (study / f"{name}.csv").read_text("utf-8").splitlines()[0].split(",")
    outcome = {"cr_achieved", "relapsed", "died", "cr_day", "relapse_day", "death_day"}
    extra = outcome | {"last_follow_up_day"} if name == "outcomes" else set()
    return (set(header) | extra) - {"day_zero_date"}


def test_the_study_stands_in_its_analysis_sets(
    exported: tuple[Snapshot, Sets], tmp_path: Path
) -> None:
    snapshot, sets = exported
    study = DEMO / snapshot.study_id
    restated(sets, study, tmp_path / "again")
    again, _ = import_folder(tmp_path / "again", snapshot.study_id, tmp_path / "store")
    for endpoint in given_endpoints(snapshot):
        if not endpoint.startswith("EFS"):  # It needs the end of induction, which ADTTE holds.
            pd.testing.assert_frame_equal(events(again, endpoint), events(snapshot, endpoint))
    pd.testing.assert_frame_equal(statuses(again), statuses(snapshot))
    everybody = CohortFilter()
    columns = ["patient_id", "allosct", "allosct_day", "car_t", "car_t_day", "disposition",
               "risk_group", "age_years", "sex", "ph_status"]  # fmt: skip
    before, after = (
        queries.subjects(s, everybody, dictionary(s))[columns] for s in (snapshot, again)
    )
    pd.testing.assert_frame_equal(after, before)


@pytest.mark.parametrize("form", ["csv", "parquet", "xpt"])
def test_importing_the_files_again_gives_the_same_numbers(
    exported: tuple[Snapshot, Sets], form: str, tmp_path: Path
) -> None:
    snapshot, _ = exported
    with zipfile.ZipFile(io.BytesIO(archive(snapshot))) as folder:
        for name in ("adsl", "adtte", "admrd"):
            folder.extract(f"{name}.{form}", tmp_path)
    sheets = tuple(
        sheet for file in sorted(tmp_path.iterdir()) for sheet in read_file(file, file.name)[0]
    )
    described = json.loads((DEMO / snapshot.study_id / "study.json").read_text("utf-8"))
    study = {k: v for k, v in described.items() if k not in ("columns", "date_format")}
    again = published(sheets, study, tmp_path / "store", {"wbc_10e9_per_l": "10e9/L"})
    assert given_endpoints(again) == given_endpoints(snapshot)
    for endpoint in given_endpoints(snapshot):
        pd.testing.assert_frame_equal(events(again, endpoint), events(snapshot, endpoint))
    pd.testing.assert_frame_equal(statuses(again), statuses(snapshot))


def test_a_cohort_is_its_patients(short2025: Snapshot) -> None:
    cohort = CohortFilter(ph_status=("negative",), risk_group=("high",))
    variables = queries.dictionary(short2025)
    patients = set(queries.subjects(short2025, cohort, variables)["patient_id"])
    sets = analysis_sets(short2025, cohort)
    assert set(sets["ADSL"]["USUBJID"]) == patients
    assert set(sets["ADTTE"]["USUBJID"]) == patients
    assert set(sets["ADMRD"]["USUBJID"]) <= patients


def test_an_agreement_of_two_assays_selects(store: Path) -> None:
    snapshot = find("nguyen2026", folder=store)
    variables = queries.dictionary(snapshot)
    (name, *_) = [n for n in variables if n.startswith("agreement_")]
    cohort = CohortFilter(**{name: (variables[name].levels[-1].value,)})
    sets = analysis_sets(snapshot, cohort)
    assert len(sets["ADSL"]) == queries.size(snapshot, cohort, variables) > 0


def test_the_rule_of_the_cohort_decides_the_status(short2025: Snapshot) -> None:
    own = analysis_sets(short2025)["ADMRD"]
    other = analysis_sets(short2025, CohortFilter(rule=MrdRule(cutoff=1e-3)))["ADMRD"]
    assert own["AVAL"].equals(other["AVAL"])
    assert not own["AVALCAT1"].equals(other["AVALCAT1"])


def test_a_study_with_a_small_cell_minimum_gives_no_rows(short2025: Snapshot) -> None:
    withheld = replace(short2025, small_cell_minimum=5)
    for asked in (analysis_sets, archive):
        with pytest.raises(RowsWithheld, match="small-cell minimum is 5"):
            asked(withheld)


def read_xpt(content: bytes, folder: Path) -> tuple[pd.DataFrame, object]:
    path = folder / "read.xpt"
    path.write_bytes(content)
    return pyreadstat.read_xport(path)


def test_a_transport_file_holds_what_was_written(
    exported: tuple[Snapshot, Sets], tmp_path: Path
) -> None:
    _, sets = exported
    for name, frame in sets.items():
        read, meta = read_xpt(as_xpt(frame, name), tmp_path)
        assert meta.table_name == name
        assert meta.column_names_to_labels == {
            row.variable: row.label for row in define({name: frame}).itertuples()
        }
        for column in frame:
            if pd.api.types.is_numeric_dtype(frame[column]):
                expected = frame[column].astype("float64").tolist()
                assert read[column].tolist() == pytest.approx(expected, rel=0, abs=0, nan_ok=True)
            else:
                assert read[column].tolist() == frame[column].fillna("").tolist()


def test_a_transport_file_is_of_version_5_where_that_is_enough(tmp_path: Path) -> None:
    short, long = (pd.DataFrame({"USUBJID": ["x" * size]}) for size in (200, 201))
    assert b"LIBRARY HEADER" in as_xpt(short, "ADSL")[:80]
    assert b"LIBV8" in as_xpt(long, "ADSL")[:80]
    assert read_xpt(as_xpt(long, "ADSL"), tmp_path)[0]["USUBJID"][0] == "x" * 201
    assert b"LIBV8" in as_xpt(pd.DataFrame({"LONGER_NAME": [1.0]}), "ADSL")[:80]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a b": [1]}),
        pd.DataFrame({"x" * 33: [1]}),
        pd.DataFrame({"A": ["é" * 16_384]}),
    ],
)
def test_what_no_transport_file_holds_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(NotTransportable):
        as_xpt(frame, "ADSL")


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), unique=True, max_size=30))
def test_the_studys_own_variables_have_names_of_their_own(names: list[str]) -> None:
    variables = build_dictionary((), tuple(Variable(n, f"{n} €€", "category") for n in names))
    items = own_items(variables, names)
    given_names = [item.name for item in items.values()]
    assert len(set(given_names)) == len(names)
    assert not {item.name for item in ADAM["ADSL"]} & set(given_names)
    assert all(len(n) <= NAME and n.isupper() for n in given_names)
    assert all(len(item.label.encode()) <= LABEL for item in items.values())


def test_the_archive_holds_every_table_in_every_form(exported: tuple[Snapshot, Sets]) -> None:
    snapshot, sets = exported
    content = archive(snapshot)
    assert archive(snapshot) == content
    with zipfile.ZipFile(io.BytesIO(content)) as folder:
        forms = {f"{n.lower()}.{e}" for n in sets for e in ("csv", "parquet", "xpt")}
        assert set(folder.namelist()) == forms | {"README.txt", "define.csv"}
        parquet = pd.read_parquet(io.BytesIO(folder.read("adtte.parquet")))
        assert parquet["AVAL"].tolist() == sets["ADTTE"]["AVAL"].tolist()
        assert folder.read("adsl.csv") == as_csv(sets["ADSL"])
        readme = folder.read("README.txt").decode("utf-8")
    assert snapshot.hash in readme
    refused = [e for e in queries.derivability(snapshot) if e.refused_because]
    assert all(e.refused_because in readme for e in refused if "_censored_" not in e.code)
