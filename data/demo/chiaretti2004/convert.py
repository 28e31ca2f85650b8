"""Turn the phenotype table of the Bioconductor package ``ALL`` into the four-table form.

Run ``python data/demo/chiaretti2004/convert.py`` to rewrite patients.csv, mrd_assessments.csv,
treatments.csv and outcomes.csv beside this file; study.json is written by hand and left alone.
What each column means and which contradictions the source holds stands in README.md.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent

Row = Mapping[str, str]

# Lookups are strict on purpose: a text the source has never used stops the conversion.
SEX = {"": "", "F": "female", "M": "male"}
YES_NO = {"": "", "TRUE": "yes", "FALSE": "no"}
MDR = {"": "", "NEG": "negative", "POS": "positive"}
PLOIDY = {"": "", "dyploid": "diploid", "hyperd.": "hyperdiploid"}
CR_ACHIEVED = {"": "", "CR": "yes", "REF": "no"}
MOLECULAR_CLASS = {
    "BCR/ABL": "BCR::ABL1",
    "ALL1/AF4": "KMT2A::AFF1",
    "E2A/PBX1": "TCF3::PBX1",
    "p15/p16": "p15/p16",
    "NEG": "negative",
}
TRANSPLANTS = {"BMT": "alloSCT", "MUD": "alloSCT", "AUBMT": "autoSCT"}

PATIENT_COLUMNS = (
    "patient_id",
    "day_zero_date",
    "age_years",
    "sex",
    "lineage",
    "ph_status",
    "kmt2a_rearranged",
    "molecular_class",
    "fusion_protein",
    "t_9_22",
    "t_4_11",
    "karyotype",
    "ploidy",
    "mdr",
)
MRD_COLUMNS = (
    "patient_id",
    "day",
    "timepoint",
    "assay",
    "material",
    "target",
    "mrd_fraction",
    "lod_fraction",
    "call",
)
TREATMENT_COLUMNS = ("patient_id", "kind", "name", "start_day", "end_day", "cycle")
OUTCOME_COLUMNS = (
    "patient_id",
    "cr_achieved",
    "cr_date",
    "relapsed",
    "relapse_date",
    "relapse_site",
    "died",
    "death_date",
    "death_cause",
    "last_follow_up_date",
)


def convert(source: Path, target: Path) -> None:
    """Write the four tables of the B-lineage patients.

    Dates are passed through as the source writes them, readable or not, so that the import
    reports the unreadable ones.

    Parameters
    ----------
    source : Path
        ``ALL_pData.csv``, the phenotype table as R wrote it: one row per patient, the row name
        in an unnamed first column, ``NA`` for missing.
    target : Path
        Existing folder for patients.csv, mrd_assessments.csv, treatments.csv and outcomes.csv;
        files of these names are overwritten.

    Raises
    ------
    KeyError
        If a coded column holds a text that this module does not know.
    """
    rows = b_lineage(source)
    _write(target / "patients.csv", PATIENT_COLUMNS, map(patient, rows))
    _write(target / "mrd_assessments.csv", MRD_COLUMNS, ())
    _write(
        target / "treatments.csv",
        TREATMENT_COLUMNS,
        (course for row in rows for course in transplants(row)),
    )
    _write(target / "outcomes.csv", OUTCOME_COLUMNS, map(outcome, rows))


def b_lineage(source: Path) -> list[Row]:
    """Rows of the B-lineage patients in the order of the source, ``NA`` as an empty text."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = [
            {name: "" if value == "NA" else value for name, value in row.items()}
            for row in csv.DictReader(file)
        ]
    return [row for row in rows if row["BT"].startswith("B")]


def patient(row: Row) -> Row:
    """One row of patients.csv: what was known at diagnosis."""
    molecular_class = MOLECULAR_CLASS[row["mol.biol"]]
    return {
        # The row name keeps the leading zeros that `cod` has lost.
        "patient_id": row[""],
        "day_zero_date": row["diagnosis"],
        "age_years": row["age"],
        "sex": SEX[row["sex"]],
        "lineage": "B",
        # From the molecular test alone: where the karyotype disagrees, t_9_22 shows it.
        "ph_status": "positive" if molecular_class == "BCR::ABL1" else "negative",
        "kmt2a_rearranged": "yes" if molecular_class == "KMT2A::AFF1" else "no",
        "molecular_class": molecular_class,
        "fusion_protein": row["fusion protein"],
        "t_9_22": YES_NO[row["t(9;22)"]],
        "t_4_11": YES_NO[row["t(4;11)"]],
        "karyotype": row["citog"],
        "ploidy": PLOIDY[row["kinet"]],
        "mdr": MDR[row["mdr"]],
    }


def transplants(row: Row) -> Iterator[Row]:
    """Rows of treatments.csv: the transplants that the follow-up text names, without a day."""
    for part in row["f.u"].split(" / "):
        if part in TRANSPLANTS:
            yield {"patient_id": row[""], "kind": TRANSPLANTS[part], "name": part}


def outcome(row: Row) -> Row:
    """One row of outcomes.csv; 'date last seen' is the event's date where the text names one."""
    relapsed = _relapsed(row["f.u"])
    death_cause = _death_cause(row)
    last_seen = row["date last seen"]
    return {
        "patient_id": row[""],
        "cr_achieved": _cr_achieved(row),
        "cr_date": row["date.cr"],
        "relapsed": relapsed,
        "relapse_date": last_seen if relapsed == "yes" else "",
        # SNC (sistema nervoso centrale) is the only site the source names.
        "relapse_site": "CNS" if row["f.u"].endswith("/ SNC") else "",
        "died": _died(row["f.u"], death_cause),
        "death_date": last_seen if death_cause else "",
        "death_cause": death_cause,
        "last_follow_up_date": last_seen,
    }


def _cr_achieved(row: Row) -> str:
    """Yes, no or unknown; a death in induction has no entry under `remission` but is a no."""
    return "no" if row["CR"] == "DEATH IN INDUCTION" else CR_ACHIEVED[row["remission"]]


def _relapsed(follow_up: str) -> str:
    """Yes, no, or empty where the source gives no follow-up text."""
    if "REL" in follow_up:
        return "yes"
    return "no" if "CCR" in follow_up or "DEATH IN CR" in follow_up else ""


def _death_cause(row: Row) -> str:
    """When the death fell, from the follow-up text or from `CR`; empty where neither names one."""
    texts = (row["f.u"], row["CR"])
    if any("DEATH IN CR" in text for text in texts):
        return "in remission"
    return "in induction" if "DEATH IN INDUCTION" in texts else ""


def _died(follow_up: str, death_cause: str) -> str:
    """Yes, no, or empty: after a relapse the source no longer says who died."""
    if death_cause:
        return "yes"
    return "no" if "CCR" in follow_up else ""


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        # A fixed line end, so that every platform writes the same bytes.
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    convert(HERE / "ALL_pData.csv", HERE)
