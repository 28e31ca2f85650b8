"""Columns that tell who a patient is stop an import; columns of haematology do not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importing.privacy import holds_ages, identifying, rekeyed
from data.importing.sheets import ROW, Sheet

DEMO = Path(__file__).parents[2] / "data" / "demo"


def sheet(**columns: Sequence[object]) -> Sheet:
    frame = pd.DataFrame(
        {name: pd.Series(cells, dtype="object") for name, cells in columns.items()}
    )
    frame = frame.astype("category")
    frame.index = pd.RangeIndex(2, 2 + len(frame), name=ROW)
    return Sheet("cohort.csv", frame)


def found(**columns: Sequence[object]) -> dict[str, str]:
    return {str(p.column): p.severity for p in identifying([sheet(**columns)])}


IDENTIFYING = (
    "Surname", "Last name", "last_name", "LastName", "First Name", "Patient name", "PatientName",
    "Vorname", "Nachname", "Patientenname", "Name des Patienten", "Nom de famille", "Prénom",
    "Nom du patient", "Cognome", "Nome paziente", "Apellidos", "Initials", "MRN", "mrn_number",
    "Fallnummer", "Hospital number", "Hospital No.", "Medical Record Number", "Aktenzeichen",
    "E-Mail", "email", "Email address", "Mail-Adresse", "Courriel", "Phone", "Telefonnummer", "Telefon",
    "Tel.-Nr.", "phone number", "Date of birth", "DOB", "Birth date", "birthDate", "Geburtsdatum",
    "Geb.-Datum", "GebDat", "Geburtsjahr", "Date de naissance", "Data di nascita",
    "Fecha de nacimiento", "BRTHDTC", "Address", "Adresse", "Straße", "PLZ", "Postleitzahl", "Postcode",
    "ZIP", "zip code", "Code postal", "Wohnort", "City", "SSN", "Social security number",
    "Versichertennummer", "Insurance number", "Krankenversicherungsnummer", "NHS number",
    "Codice fiscale",
)  # fmt: skip


@pytest.mark.parametrize("name", IDENTIFYING)
def test_a_column_that_identifies_by_its_name_stops_the_import(name: str) -> None:
    assert found(**{name: ["a", "b"], "sex": ["f", "m"]}) == {name: "fatal"}


PERSONS = ["Anna Müller", "Peter Schmidt", "María García", "Jean-Luc Picard", "O'Neill, Sarah",
           "Hans Meier", "SCHULZ, Eva"]  # fmt: skip

CONTENTS: dict[str, list[object]] = {
    "two words with capitals": list(PERSONS),
    "e-mail": ["x", "anna@example.org", "y", None],
    "e-mail in a sentence": ["ask a.b@clinic.de first", "none"],
    "telephone, international": [f"+49 30 4505{n}3321" for n in range(6)],
    "telephone, national": [f"030/4505{n}332" for n in range(6)],
    "telephone, american": [f"(555) 123-45{n}7" for n in range(6)],
    "social security": [f"12{n}-45-6789" for n in range(6)],
    "codice fiscale": [f"RSSMRA8{n}A01H501U" for n in range(6)],
    "health service": ["943 476 5919", "9434765870", "943 476 5889", "9434765897", "9434765935"],
}


@pytest.mark.parametrize("cells", CONTENTS.values(), ids=CONTENTS)
def test_a_column_that_identifies_by_its_cells_stops_the_import(cells: list[object]) -> None:
    problems = identifying([sheet(remark_7=cells)])
    assert [(p.column, p.severity) for p in problems] == [("remark_7", "fatal")]
    assert not any(str(cell) in str(problems[0]) for cell in cells if cell and len(str(cell)) > 3)


HARMLESS: dict[str, list[object]] = {
    "gene": ["TP53", "IKZF1", "KMT2A", "CRLF2", "ABL1", "JAK2", "PAX5"],
    "name": [
        "blinatumomab",
        "inotuzumab",
        "blinatumomab",
        "ponatinib",
        "blinatumomab",
        "dasatinib",
    ],
    "drug name": ["Blinatumomab", "Inotuzumab Ozogamicin", "Ponatinib", "Dasatinib", "Imatinib"],
    "gene_name": ["Abl Eins", "Kmt2a"] * 4,
    "TEL": ["positive", "negative"] * 4,
    "TEL-AML1": ["yes", "no"] * 4,
    "karyotype": ["46,XX,t(9;22)(q34;q11.2)[15]/46,XX[5]", "47,XY,+8", "46,XY", "45,XX,-7", "nan"],
    "ISCN": [f"46,XY,del({n})(q21)[{n}]/46,XY[1{n}]" for n in range(1, 9)],
    "fusion": ["BCR::ABL1", "ETV6::RUNX1", "KMT2A::AFF1", "TCF3::PBX1", "none", "P190"],
    "frontline_therapy": ["Hyper-CVAD", "GMALL 07/2003", "GRAALL-2014", "Pediatric Inspired"] * 3,
    "Centre": ["Charité Berlin", "Uniklinik Frankfurt", "Hôpital Saint"] * 6,
    "centre_code": [f"DE-{n:03}" for n in range(30)],
    "patient_id": [f"GMALL-{n:04}" for n in range(30)],
    "Patient no": [f"{n:04}" for n in range(30)],
    "study_id": [f"012-{n:04}" for n in range(30)],
    "USUBJID": [f"ALL-301-0{n}-1{n:03}" for n in range(30)],
    "record_id": [str(n) for n in range(30)],
    "lab number": [f"WBC{n}" for n in range(30)],
    "WBC number": [f"{n / 3:.2f}" for n in range(30)],
    "sample_code": [f"24-{n:05}" for n in range(30)],
    "Leukozyten": [f"{n * 1000}" for n in range(30)],
    "MRD": ["<0.01", "0.0012", "neg", "1.3e-5", "+0.12345678", "0.5"],
    "MRD EOI (%)": [f"0.00{n}" for n in range(1, 9)],
    "log_ratio": [f"-{n}.1234567" for n in range(1, 9)],
    "Age": [str(n) for n in range(20, 60)],
    "Alter bei Diagnose": [str(n) for n in range(20, 60)],
    "birth weight": [str(n) for n in range(2000, 2020)],
    "country of birth": ["IT", "DE"] * 4,
    "date_cr": [f"{year}-03-0{n}" for n in range(1, 6) for year in (2019, 2020)],
    "date last seen": [f"{n}.4.2023" for n in range(1, 9)],
    "relapse date": [f"{n}/4/2021" for n in range(1, 9)],
    "OS_MONTHS": [f"{n}.5" for n in range(30)],
    "OS_STATUS": ["0:LIVING", "1:DECEASED"] * 4,
    "relapse_site": ["Bone Marrow", "Central Nervous", "Testis"] * 4,
    "Ort": ["Knochenmark", "ZNS", "Knochenmark"],
    "immunophenotype": ["Common ALL", "Pro B", "Pre B", "Mature B"] * 5,
    "outcome": ["CCR", "BMT / DEATH IN CR", "REL", "CCR / OFF", "DEATH IN INDUCTION"],
    "tumour_velocity": ["1", "2", "3"],
    "mobilisation": ["yes", "no"],
    "donor": ["Matched Sibling", "Matched Unrelated", "Haploidentical Related"] * 4,
    "HLA": [f"A*0{n}:01" for n in range(1, 9)],
    "copies": [f"{n}00/32000" for n in range(1, 9)],
    "target sequence": [f"CASS{c}GNTIYF" for c in "ACDEFGHKLM"],
    "nice remark": ["complete remission after the second course", "relapse under maintenance"] * 4,
    "protocol": ["NCT02003222", "NCT01466179", "NCT02013167"],
    "visit": ["End Of Induction", "Week 16", "Before Transplant"] * 4,
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_column_of_haematology_passes(name: str) -> None:
    assert found(**{name: HARMLESS[name]}) == {}


SURNAMES: dict[str, list[object]] = {
    "one each": ["Schmidt", "Müller", "Rossi", "Dubois", "García", "O'Neill", "von Ahn", None],
    "repeated": ["Schmidt", "Müller", "Rossi"] * 40,
    "hyphens": ["Meyer-Lansky", "Schmidt", "de Boer", "MacLeod", "Steiner"],
    "capitals": ["SCHMIDT", "MÜLLER", "STEINER", "ROSSI", "GARCIA"],
    "with first names, repeated": ["Anna Müller", "Peter Schmidt", "Rossi, Eva"] * 9,
    "three": ["Weber", "Wagner", "Becker"],
}


@pytest.mark.parametrize("cells", SURNAMES.values(), ids=SURNAMES)
@pytest.mark.parametrize("name", ["Name", "name", "Nachname", "NOM", "Pat_Name"])
def test_surnames_stop_the_import_however_often_they_repeat(name: str, cells: list[object]) -> None:
    assert found(**{name: cells}) == {name: "fatal"}
    assert found(**{"Patient": cells}) == {"Patient": "fatal"} or "SCHMIDT" in cells


NAMES_OF_THINGS: dict[str, list[object]] = {
    "genes": ["TP53", "IKZF1", "KRAS", "NRAS", "JAK2", "NOTCH1", "PAX5", "FLT3"],
    "genes in words": ["Ikaros", "Kmt2a", "Pax5", "Abl1", "Jak2", "Crlf2"],
    "drugs": ["Blinatumomab", "Inotuzumab", "Ponatinib", "Dasatinib", "Vincristin", "Methotrexat",
              "Cytarabine", "Dexamethasone", "Rituximab", "Asparaginase", "Daunorubicin"],
    "drugs in capitals": ["BLINATUMOMAB", "PONATINIB", "VINCRISTINE", "PREDNISONE", "VENETOCLAX"],
    "drugs of two words": ["Inotuzumab Ozogamicin", "Imatinib Mesylate", "Blinatumomab"] * 3,
    "centres": ["Charité Berlin", "Uniklinik Frankfurt", "Hôpital Saint-Louis"] * 6,
    "cities": ["Berlin", "Frankfurt", "München", "Ulm", "Paris", "London", "Heidelberg"] * 4,
    "therapies": ["Induction", "Consolidation", "Maintenance", "Hyper-CVAD", "Prephase"] * 3,
    "therapies, german": ["Induktion", "Konsolidierung", "Erhaltung", "Reinduktion", "Vorphase"],
    "protocols": ["GMALL 07/2003", "GRAALL-2014", "Hyper-CVAD", "UKALL14"],
}  # fmt: skip


@pytest.mark.parametrize("cells", NAMES_OF_THINGS.values(), ids=NAMES_OF_THINGS)
@pytest.mark.parametrize("name", ["name", "Name"])
def test_names_of_drugs_genes_centres_and_therapies_pass(name: str, cells: list[object]) -> None:
    assert found(**{name: cells}) == {}


WITHIN = (
    "husband reachable under tel. 0171 5551234", "Rückruf 0171 5551234 erbeten",
    "mother: +49 171 555 1234", "call (555) 123-4567 first", "Telefon: 5551234 Hausarzt",
    "seen by Dr Smith in clinic", "Frau Müller reports fever", "letter from Dr. K. Meyer",
    "Herrn Weber informiert", "tel.0171-5551234", "Prof. Schulz: wait",
)  # fmt: skip


@pytest.mark.parametrize("text", WITHIN)
@pytest.mark.parametrize(
    "others", [[], ["none"] * 30, ["lost to follow-up", "no event", "GVHD"] * 9]
)
def test_identifiers_within_a_text_stop_the_import(text: str, others: list[object]) -> None:
    assert found(remark=[text, *others]) == {"remark": "fatal"}
    assert found(remark=[*others, *[text] * 12]) == {"remark": "fatal"}


@pytest.mark.parametrize(
    "text",
    ["relapse on 12.3.2020", "seen 2020-03-12, well", "CR 12/03/20", "since 3. März 2020 abroad",
     "moved 12 March 2020", "died 12-MAR-2020 at home"],
)  # fmt: skip
def test_a_date_within_a_text_is_a_warning(text: str) -> None:
    assert found(remark=[text] * 4 + ["none"] * 20) == {"remark": "warning"}


NO_IDENTIFIER_WITHIN = {
    "karyotype": ["46,XX,t(9;22)(q34.1;q11.2)[15]/46,XX[5]", "47,XY,+8,+21 [12]", "45,XX,-7 [20]"],
    "protocol": ["GMALL 07/2003", "NCT02003222 arm A", "GMALL 08/2013 amended"],
    "centre": ["Dr. Horst Schmidt Kliniken", "Dr. von Haunersches Kinderspital"],
    "TEL": ["TEL-AML1", "TEL/AML1 12p13", "TEL deleted"],
    "dose": ["15 mg/m2 d1-28", "28 µg d8-28", "1,5 mg (max. 2)", "10 000 IU"],
    "fusion": ["BCR::ABL1 p190 0.0123456", "ratio 1234567/100000", "copies 32000000 of ABL1"],
    "cr_date": ["12.3.2020 ca.", "13.4.2020", "1.5.2020 00:00:00", "2.6.2021", "2020-03-01T10:00:00Z"],
    "sample": ["Lab 012-0004", "Lab 24-00012", "tube 0123456"],
    "note": ["relapse in 2020", "CR after 3 cycles", "ph+ (Dr-score 3)", "no Mr data"],
}  # fmt: skip


@pytest.mark.parametrize("name", NO_IDENTIFIER_WITHIN)
def test_texts_of_haematology_hold_no_identifier(name: str) -> None:
    assert found(**{name: NO_IDENTIFIER_WITHIN[name]}) == {}


def test_one_telephone_number_among_many_texts_is_found() -> None:
    texts = [f"no event in cycle {n}" for n in range(9_001)]
    texts[4_501] = "wife: tel. 0171 5551234"
    assert found(remark=texts) == {"remark": "fatal"}


def test_the_embedded_cohorts_pass() -> None:
    for path in DEMO.glob("*/*.csv"):
        frame = pd.read_csv(path, dtype="object").astype("category")
        assert identifying([Sheet(path.name, frame)]) == (), path


def test_dates_long_before_all_others_are_births() -> None:
    columns = {
        "d1": [f"{n}.2.19{n}5" for n in range(3, 9)],
        "d2": [f"{n}.2.2015" for n in range(3, 9)],
        "d3": [f"{n}.8.2017" for n in range(3, 9)],
    }
    assert found(**columns) == {"d1": "fatal"}
    assert found(**{name: columns[name] for name in ("d2", "d3")}) == {}
    assert found(d1=[f"19{n}5-01-01" for n in range(2, 10)]) == {"d1": "fatal"}


def test_identifiers_of_patients() -> None:
    assert found(patient_id=[f"10{n}42215" for n in range(8)]) == {"patient_id": "warning"}
    assert found(patient_id=list(PERSONS)) == {"patient_id": "fatal"}
    assert found(patient_id=[f"p{n}@example.org" for n in range(8)]) == {"patient_id": "fatal"}
    (problem,) = identifying([sheet(patient_id=list(PERSONS))])
    assert "replaced" in problem.remedy
    assert (problem.file, problem.rows) == ("cohort.csv", len(PERSONS))


def test_replaced_identifiers_are_equal_where_they_were_and_only_there() -> None:
    ids = pd.Series(["0042", "42", None, "0042"], index=[5, 6, 7, 8]).astype("category")
    new = rekeyed(ids, b"salt")
    assert list(new.index) == [5, 6, 7, 8]
    assert new[5] == new[8] != new[6]
    assert pd.isna(new[7])
    assert re.fullmatch(r"P[A-Z2-7]{10}", new[5])
    # printf 0042 | openssl dgst -sha256 -hmac salt -binary | base32
    assert new[5] == "PUDSCLPFW2E"
    assert rekeyed(ids, b"other")[5] != new[5]


def test_identifiers_that_meet_are_written_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"a": "PAAAAAAAAAABBB", "b": "PAAAAAAAAAACCC", "c": "PCCCCCCCCCCDDD"}
    monkeypatch.setattr("data.importing.privacy._keys", lambda ids, salt: [keys[i] for i in ids])
    assert list(rekeyed(pd.Series(["a", "b", "c"]), b"")) == [keys["a"], keys["b"], "PCCCCCCCCCC"]


@given(st.lists(st.text(), unique=True, max_size=30), st.binary(min_size=1))
def test_no_two_identifiers_become_one(ids: list[str], salt: bytes) -> None:
    new = rekeyed(pd.Series(ids, dtype="object"), salt)
    assert new.nunique() == len(ids)


@pytest.mark.parametrize(
    "name", ["age_years", "age", "age_at_alloSCT", "Alter", "donor_age", "ageAtCR"]
)
def test_names_of_ages(name: str) -> None:
    assert holds_ages(name)


@pytest.mark.parametrize("name", ["stage", "agent", "dosage", "lineage", "percentage", "beta"])
def test_names_that_are_no_ages(name: str) -> None:
    assert not holds_ages(name)
