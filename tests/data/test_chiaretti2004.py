"""The embedded real cohort: its four tables against the source they were made from."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

COHORT = Path(__file__).parents[2] / "data" / "demo" / "chiaretti2004"
SOURCE = COHORT / "ALL_pData.csv"
TABLES = ("patients.csv", "mrd_assessments.csv", "treatments.csv", "outcomes.csv")


def read(path: Path) -> pd.DataFrame:
    """Read every cell as text; an empty cell is an empty text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    """Read the B-lineage rows of the source by row name, R's NA as an empty text."""
    rows = read(SOURCE).replace("NA", "").set_index("Unnamed: 0")
    return rows[rows["BT"].str.startswith("B")]


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return read(COHORT / "patients.csv").set_index("patient_id")


@pytest.fixture(scope="module")
def outcomes() -> pd.DataFrame:
    return read(COHORT / "outcomes.csv").set_index("patient_id")


@pytest.fixture(scope="module")
def convert() -> Callable[[Path, Path], None]:
    # The folder holds data and is no package, so the module is run from its path.
    return runpy.run_path(str(COHORT / "convert.py"))["convert"]


def readable(dates: pd.Series) -> pd.Series:
    return pd.to_datetime(dates, format="%m/%d/%Y", errors="coerce").notna()


def test_conversion_reproduces_the_tables_byte_for_byte(convert, tmp_path):
    convert(SOURCE, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(TABLES)
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (COHORT / name).read_bytes(), name


def test_conversion_stops_at_a_text_it_does_not_know(convert, tmp_path):
    text = SOURCE.read_text(encoding="utf-8")
    broken = tmp_path / "ALL_pData.csv"
    broken.write_text(text.replace('"p15/p16"', '"TEL/AML1"'), encoding="utf-8")
    with pytest.raises(KeyError, match="TEL/AML1"):
        convert(broken, tmp_path)


def test_every_b_lineage_patient_stands_once_in_both_tables(source, patients, outcomes):
    assert len(source) == 95
    assert list(patients.index) == list(outcomes.index) == list(source.index)
    assert patients.index.is_unique
    assert set(patients["lineage"]) == {"B"}


def test_patient_ids_keep_the_leading_zeros_that_cod_lost(source, patients):
    everyone = read(SOURCE)
    changed = everyone[everyone["Unnamed: 0"] != everyone["cod"]]
    assert len(changed) == 21
    assert (changed["Unnamed: 0"].str.lstrip("0") == changed["cod"]).all()
    assert (patients.index != source["cod"]).sum() == 16


def test_ph_status_and_kmt2a_follow_the_molecular_test(source, patients):
    bcr_abl = source["mol.biol"] == "BCR/ABL"
    assert bcr_abl.sum() == 37
    assert ((patients["ph_status"] == "positive") == bcr_abl).all()
    assert ((patients["kmt2a_rearranged"] == "yes") == (source["mol.biol"] == "ALL1/AF4")).all()
    # One level here for one there: renaming merges no two classes.
    pairs = set(zip(source["mol.biol"], patients["molecular_class"], strict=True))
    assert len(pairs) == source["mol.biol"].nunique() == patients["molecular_class"].nunique() == 5


@pytest.mark.parametrize(
    ("column", "origin", "levels"),
    [
        ("t_9_22", "t(9;22)", {"yes": "TRUE", "no": "FALSE"}),
        ("t_4_11", "t(4;11)", {"yes": "TRUE", "no": "FALSE"}),
        ("sex", "sex", {"female": "F", "male": "M"}),
        ("mdr", "mdr", {"positive": "POS", "negative": "NEG"}),
        ("ploidy", "kinet", {"diploid": "dyploid", "hyperdiploid": "hyperd."}),
        ("age_years", "age", {}),
        ("karyotype", "citog", {}),
        ("fusion_protein", "fusion protein", {}),
    ],
)
def test_patient_columns_translate_back_to_the_source(source, patients, column, origin, levels):
    assert list(patients[column].replace(levels)) == list(source[origin])


def test_conflicts_with_the_karyotype_stay_visible(patients):
    ph_conflict = (patients["ph_status"] == "positive") & (patients["t_9_22"] == "no")
    kmt2a_conflict = (patients["kmt2a_rearranged"] == "yes") & (patients["t_4_11"] == "no")
    assert list(patients.index[ph_conflict]) == ["08001", "08011", "11005", "26003", "37013"]
    assert list(patients.index[kmt2a_conflict]) == ["19005", "26008"]


def test_no_date_is_repaired_dropped_or_added(source, patients, outcomes):
    assert list(patients["day_zero_date"]) == list(source["diagnosis"])
    assert list(outcomes["cr_date"]) == list(source["date.cr"])
    assert list(outcomes["last_follow_up_date"]) == list(source["date last seen"])
    relapse = source["f.u"].str.contains("REL")
    death = source["f.u"].str.contains("DEATH")
    last_seen = source["date last seen"]
    assert list(outcomes["relapse_date"]) == list(last_seen.where(relapse, ""))
    assert list(outcomes["death_date"]) == list(last_seen.where(death, ""))


def test_unreadable_dates_are_there_as_written(source, outcomes):
    last_seen = outcomes["last_follow_up_date"]
    unreadable = last_seen[(last_seen != "") & ~readable(last_seen)]
    assert unreadable.to_dict() == {"09008": "00/09/01", "24008": "00/09/20+T12501"}
    everyone = read(SOURCE)
    not_known = everyone[everyone["date.cr"] == "not known"]
    assert list(not_known["BT"]) == ["T4"]


def test_remission_and_relapse_agree_with_the_derivations_of_the_source(source, outcomes):
    remission = outcomes["cr_achieved"].replace({"yes": "CR", "no": "REF"})
    in_induction = source["CR"] == "DEATH IN INDUCTION"
    assert list(remission[~in_induction]) == list(source["remission"][~in_induction])
    assert list(outcomes["cr_achieved"][in_induction]) == ["no"] * 5
    relapsed = outcomes["relapsed"].replace({"yes": "TRUE", "no": "FALSE"})
    assert list(relapsed) == list(source["relapse"])
    assert outcomes.index[outcomes["relapse_site"] == "CNS"].tolist() == ["28023"]


def test_vital_status_is_unknown_after_relapse_and_without_a_text(source, outcomes):
    death = (source["f.u"] + source["CR"]).str.contains("DEATH")
    alive = source["f.u"].str.contains("CCR")
    assert list(outcomes.index[outcomes["died"] == "yes"]) == list(source.index[death])
    assert list(outcomes.index[outcomes["died"] == "no"]) == list(source.index[alive])
    assert (outcomes["died"][outcomes["relapsed"] == "yes"] == "").all()
    assert outcomes["death_cause"].value_counts().to_dict() == {
        "": 82,
        "in remission": 8,
        "in induction": 5,
    }
    assert outcomes["death_date"][outcomes["death_date"] != ""].to_dict() == {"48001": "12/18/1998"}


def test_contradictions_of_the_source_are_kept(source, outcomes):
    refractory = outcomes.loc["12026"]
    assert (refractory["cr_achieved"], refractory["death_cause"]) == ("no", "in remission")
    assert (outcomes.at["16009", "cr_achieved"], outcomes.at["16009", "relapsed"]) == ("", "no")
    assert (outcomes.at["08024", "died"], outcomes.at["08024", "relapsed"]) == ("yes", "")


def test_transplants_are_those_of_the_follow_up_text_and_undated(source):
    treatments = read(COHORT / "treatments.csv")
    named = source.index[source["f.u"].str.contains("BMT|MUD")]
    assert list(treatments["patient_id"]) == list(named)
    assert treatments.groupby("name")["kind"].agg(["unique", "size"]).to_dict("index") == {
        "AUBMT": {"unique": ["autoSCT"], "size": 1},
        "BMT": {"unique": ["alloSCT"], "size": 7},
        "MUD": {"unique": ["alloSCT"], "size": 1},
    }
    assert (treatments[["start_day", "end_day", "cycle"]] == "").all(axis=None)


def test_the_cohort_has_no_mrd():
    assert read(COHORT / "mrd_assessments.csv").empty


def test_study_declares_every_further_column(patients):
    study = json.loads((COHORT / "study.json").read_text(encoding="utf-8"))
    assert study["synthetic"] is False
    known = {"day_zero_date", "age_years", "sex", "lineage", "ph_status", "kmt2a_rearranged"}
    assert list(study["columns"]) == [name for name in patients.columns if name not in known]


def test_readme_counts_outcome_texts_as_the_source_has_them(source):
    cr, follow_up = readable(source["date.cr"]), readable(source["date last seen"])
    flags = pd.DataFrame({"n": True, "cr": cr, "follow_up": follow_up, "both": cr & follow_up})
    expected = flags.groupby(source["f.u"].replace("", "none")).sum()
    expected.loc["all"] = flags.sum()

    _, table = (COHORT / "README.md").read_text(encoding="utf-8").split("| outcome text (`f.u`) |")
    lines = table.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    stated = {text: [int(count) for count in counts] for text, *counts in cells}
    assert stated == {
        text: list(row)
        for text, row in zip(expected.index, expected.to_numpy().tolist(), strict=True)
    }
