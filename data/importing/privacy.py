"""What could tell who a patient is: columns of identifiers, identifiers themselves, high ages."""

from __future__ import annotations

import datetime
import hmac
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from data.importing.columns import words
from data.importing.mapping import Assignment, SheetMapping, StudyMapping
from data.importing.names import LEVELS, PATIENT_IDS, squashed
from data.importing.problems import Problem, Severity
from data.importing.sheets import Sheet
from data.importing.values import folded

OLDEST_AGE = 90
"""Ages above 89 are stored as this one."""

_AGE = {"age", "ages", "alter", "edad", "eta"}

_KINDS: dict[str, tuple[str, str]] = {
    "names of persons": (
        "surname|forename|initials|initialen|vorname|nachname|prenom|cognome|apellido|apellidos",
        "lastname|firstname|familyname|fullname|givenname|maidenname|middlename|patientname|"
        "patientsname|patientenname|nameofpatient|namedespatienten|familienname|geburtsname|"
        "patname|nomdupatient|nompatient|nomdefamille|nomepaziente|nombrepaciente|nombredelpaciente|vorname|"
        "nachname|surname",
    ),
    "record numbers of a hospital": (
        "mrn|nhc",
        "fallnummer|medicalrecord|hospitalnumber|hospitalno|hospitalnr|hospitalid|chartnumber|"
        "krankenhausnummer|krankenhausnr|aufnahmenummer|aktenzeichen|aktennummer|numerodedossier|"
        "numerodossier|historiaclinica|cartellaclinica|medrecno",
    ),
    "e-mail addresses": ("email|mail|courriel", "emailad|mailad|correoelectronico|emailpat"),
    "telephone numbers": (
        "phone|telephone|telefon|telefono|telnr|telno|fax|handynummer|handynr",
        "phonenumber|phoneno|telefon|telephone|mobilenumber|mobilephone|mobilnummer|handynummer",
    ),
    "dates of birth": (
        "dob|birth|birthdate|birthday|birthyear|gebdat|gebdatum|naissance|nascita|nacimiento|brthdt|"
        "brthdtc|bday",
        "dateofbirth|birthdate|yearofbirth|geburtsdatum|geburtstag|geburtsjahr|gebdatum|"
        "datedenaissance|datadinascita|fechadenacimiento",
    ),
    "addresses": (
        "address|adresse|street|strasse|wohnort|city|plz|postcode|zip|zipcode|indirizzo|direccion|"
        "domicilio|postleitzahl|postal",
        "postleitzahl|codepostal|postalcode|zipcode|postcode|homeaddress|wohnort|codigopostal",
    ),
    "numbers of an insurance or an authority": (
        "ssn|nhsnumber|svnr|kvnr|passport|iban",
        "socialsecurity|sozialversicherung|versichertennummer|versichertennr|versicherungsnummer|"
        "versicherungsnr|insurancenumber|insuranceno|insuranceid|nhsnumber|nhsno|codicefiscale|"
        "krankenversicherungsn|numerodesecuritesociale|passnummer|ausweisnummer|nationalid",
    ),
}
"""Of each kind of identifier, words of a column's name and parts of it once spaces are gone."""

_HARMLESS = re.compile(r"weight|gewicht|poids|peso|order|country|cohort")
_NAME = {"name", "names", "nom", "nome", "nombre"}
_NAME_ALONE = {*_NAME, "tel", "mobile", "ort", "nhs"}
"""Column names that are identifiers only if the cells look so: TEL is a gene, a drug has a name."""

_LETTERS = r"[^\W\d_]"
_PERSON = re.compile(
    rf"(?:[A-ZÀ-Þ]{_LETTERS}*['’-]?{_LETTERS}+)(?:,? [A-ZÀ-Þ](?:\.|{_LETTERS}*['’-]?{_LETTERS}+)){{1,2}}"
)
_SURNAME = re.compile(
    r"(?:(?:[Vv]on|[Vv]an|[Dd]e|[Dd]i|[Dd]a|[Zz]u|El|Al) (?:der |den |la )?)?"
    r"[A-ZÀ-Þ](?:['’][A-ZÀ-Þ]|[ac]{1,2}[A-Z])?[^\W\dA-ZÀ-Þ_]+(?:-[A-ZÀ-Þ][^\W\dA-ZÀ-Þ_]+)?"
)
_CAPITALS = re.compile(r"[A-ZÀ-Þß]{5,}")
_NO_PERSON = re.compile(
    # Drugs by their endings, centres and cities, therapies.
    r"(?:mab|nib|stine?|statin|cine?|mide?|bine?|sone?|lone?|rubicine?|trexate?|ase|platine?|clax|parib|leucel|"
    r"purine?|cept|globuline?|grastim|poside?|xan|zomib|vir|azole?)$|"
    r"klini|clinic|hospi|spital|univ|charité|centre|center|zentrum|institut|"
    r"^(?:berlin|hamburg|münchen|munich|köln|cologne|frankfurt|stuttgart|düsseldorf|leipzig|dresden|"
    r"hannover|nürnberg|bremen|essen|dortmund|bochum|ulm|heidelberg|mannheim|freiburg|tübingen|"
    r"würzburg|erlangen|regensburg|augsburg|mainz|münster|aachen|bonn|göttingen|kiel|lübeck|rostock|"
    r"jena|halle|magdeburg|homburg|marburg|gießen|kassel|wien|vienna|graz|linz|salzburg|innsbruck|"
    r"zürich|zurich|basel|bern|genf|geneva|lausanne|paris|lyon|marseille|toulouse|lille|nantes|"
    r"london|manchester|leeds|oxford|cambridge|glasgow|birmingham|roma|rome|milano|milan|torino|"
    r"bologna|napoli|monza|bergamo|madrid|barcelona|valencia|sevilla|amsterdam|rotterdam|utrecht|"
    r"leiden|stockholm|lund|oslo|copenhagen|helsinki|prague|praha|warsaw|boston|houston|seattle)$|"
    r"indu[kc]tion|[kc]onsolid|erhaltung|maintenance|phase|transplant|therap|chemo|ikaros|protokoll",
    re.IGNORECASE,
)
"""What a column called name may hold instead of persons."""
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_PHONE = re.compile(r"\+\d[\d /().-]{7,}|0[1-9]\d{1,4}[ /-][\d /-]{4,}|\(?\d{3}\)?[ -]\d{3}-\d{4}")
_SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]")
_RECORD_NUMBER = re.compile(r"\d{7,}")
_DATE = re.compile(r"(?:(\d{4})-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2}))(?:[ T].*)?")
_MONTH = r"(?:Jan|Feb|M[aäà]r|Apr|Ma[iy]|Mag|Jun|Jul|Aug|Sep|O[ck]t|Nov|De[cz])[a-zé]*\.?"
_DATE_WITHIN = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}|(?:0?[1-9]|[12]\d|3[01])(?:"
    r"[./-](?:0?[1-9]|1[0-2])[./-](?:\d{4}|\d{2})|(?:\.|st|nd|rd|th)?[ -]?"
    + _MONTH
    + r"[ -]?\d{4}))\b",
    re.IGNORECASE,
)
_TITLED_WITHIN = re.compile(
    r"\b(?:Herrn?|Frau|Hr\.|Fr\.|Mr|Mrs|Ms|Dr|Prof|Mme|Sig|Sra?)(?:\. ?| )"
    # A hospital can be called after a doctor.
    r"(?!(?:[A-ZÀ-Þ]\S*[ -]){0,3}(?:Klini|Krankenhaus|\w*[Ss]pital|Hospital|Clinic|Institut))"
    r"[A-ZÀ-Þ](?:[a-zà-ÿ]|\. ?[A-ZÀ-Þ])"
)
_PHONE_WITHIN = re.compile(
    r"(?i:\b(?:tel|telefon|telephone|phone|mobile?|handy|fax|call)\b)[.:]? ?(?:nr|no)?[.:]? ?"
    r"[+(]?\d(?:[ /().-]{0,2}\d){5,}|"
    r"(?<![\w.,/])\+\d(?:[ /()-]{0,2}\d){8,}|"
    r"(?<![\w.,/-])0[1-9]\d{1,4}(?:[ /]|-(?=\d{6}))\d(?:[ -]?\d){5,}(?!\w)|"
    r"(?<![\w-])\(?\d{3}\)?[ -]\d{3}-\d{4}(?!\w)"
)
_WORD = re.compile(r"[^\W\d_]{2,}")

_BASE_32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_LOOKED_AT = 2000
"""Distinct texts of a column that are looked at for what they are, spread over all of them."""
_SEARCHED = 50_000
"""Distinct texts of a column with words that are searched for what stands within them."""
_ENOUGH = 5
_YEARS_BEFORE = 10
_YEARS_APART = 40


def identifying(sheets: Iterable[Sheet]) -> tuple[Problem, ...]:
    """Return the columns that could tell who a patient is, by their names and by their cells.

    Returns
    -------
    tuple of Problem
        One per column. A fatal one holds until the column is left out or, if it identifies patients in
        the study, until the identifiers are replaced. No cell is quoted.
    """
    return tuple(problem for sheet in sheets for problem in _of_sheet(sheet))


_FOUND: WeakKeyDictionary[Sheet, tuple[Problem, ...]] = WeakKeyDictionary()


def _of_sheet(sheet: Sheet) -> tuple[Problem, ...]:
    """Return the columns of one sheet; worked out once, for every text is searched."""
    if sheet not in _FOUND:
        births = _births(sheet)
        found = (_of_column(sheet, str(c), c in births) for c in sheet.cells.columns)
        _FOUND[sheet] = tuple(filter(None, found))
    return _FOUND[sheet]


def _of_column(sheet: Sheet, column: str, births: bool) -> Problem | None:
    cells = sheet.cells[column]
    every, rows = [str(text) for text in cells.cat.categories], int(cells.notna().sum())
    said = _looks(column, _some(every), len(every), rows) or _within(every)
    if said is None and births:
        said = "fatal", "its dates are much older than others: they look like dates of birth."
    if said is None:
        return None
    severity, what = said
    remedy = "Leave the column out."
    if squashed(column) in PATIENT_IDS or "record numbers" in what:
        remedy = "Have the identifiers replaced, or leave the column out."
    elif squashed(column) in _NAME:
        remedy = "Leave the column out; if it names no persons, call it after what it names."
    elif what.startswith("its texts"):
        remedy = "Leave the column out, or take them out of the file."
    return Problem(severity, sheet.name, None, column, None, what, remedy, rows)


def without_identifying(
    sheets: Iterable[Sheet], mapping: StudyMapping, kept: Container[str] = ()
) -> StudyMapping:
    """Return a mapping that leaves out the columns that could tell who a patient is.

    The identifier of patients stays, and what fits one of our variables if it is only a warning.

    Parameters
    ----------
    sheets : iterable of Sheet
    mapping : StudyMapping
    kept : container of str
        Shapes of sheets in which somebody decided on the warnings before.
    """
    grave = {(p.file, p.column): p.severity for p in identifying(sheets)}

    def left(sheet: SheetMapping) -> SheetMapping:
        gone = {
            at.column
            for at in sheet.assignments
            if at.target not in ("patient_id", "nothing")
            and (severity := grave.get((sheet.sheet, at.column)))
            and (severity == "fatal" or (at.target == "own" and sheet.shape not in kept))
        }
        rest = [at for at in sheet.assignments if at.column not in gone]
        return replace(
            sheet, assignments=(*rest, *(Assignment(c, "nothing") for c in sorted(gone)))
        )

    return replace(mapping, sheets=tuple(map(left, mapping.sheets)))


def _some(texts: list[str], most: int = _LOOKED_AT) -> list[str]:
    return list(islice(texts, 0, None, max(1, len(texts) // most)))


def _looks(name: str, texts: list[str], distinct: int, filled: int) -> tuple[Severity, str] | None:
    """Return how grave it is that a column looks like identifiers, and why it does, or None."""
    if not filled:
        return None
    kind = _kind_of_name(name)
    if kind:
        return "fatal", f"by its name the column holds {kind}."
    plain = squashed(name)
    is_id, is_name = plain in PATIENT_IDS, plain in _NAME
    kind = _kind_of_cells(texts, distinct, filled, is_id=is_id, is_name=is_name)
    if kind:
        return "fatal", f"its cells look like {kind}."
    if is_id and distinct >= _ENOUGH and _share(texts, _RECORD_NUMBER.fullmatch) > 0.9:
        return "warning", "the identifiers look like record numbers of a hospital."
    return None


def _within(every: list[str]) -> tuple[Severity, str] | None:
    """Return what the texts of a column hold beside other words, and how grave that is."""
    texts = _some([text for text in every if _WORD.search(text)], _SEARCHED)
    if any(map(_PHONE_WITHIN.search, texts)):
        return "fatal", "its texts hold telephone numbers."
    if any(map(_TITLED_WITHIN.search, texts)):
        return "fatal", "its texts hold names of persons."
    dates = _share(_some(every), _DATE.match) > 0.5
    if not dates and any(_date_beside_words(text) for text in texts):
        return "warning", "its texts hold dates of the calendar."
    return None


def _date_beside_words(text: str) -> bool:
    date = _DATE_WITHIN.search(text)
    return bool(date and re.search(_LETTERS + "{2,}", text[: date.start()] + text[date.end() :]))


def _kind_of_name(name: str) -> str | None:
    if _HARMLESS.search(name.lower()) or squashed(name) in _NAME_ALONE:
        return None
    of_name, together = set(words(name)), squashed(name)
    for kind, (single, parts) in _KINDS.items():
        if of_name & {*single.split("|")} or together in single.split("|"):
            return kind
        if any(part in together for part in parts.split("|")):
            return kind
    return None


def _kind_of_cells(
    texts: list[str], distinct: int, filled: int, *, is_id: bool, is_name: bool
) -> str | None:
    if any("@" in text and _EMAIL.search(text) for text in texts):
        return "e-mail addresses"
    if distinct >= _ENOUGH and distinct > 0.8 * filled and _share(texts, _PERSON.fullmatch) > 0.6:
        return "names of persons"
    forms = (_SURNAME, _PERSON, _CAPITALS) if is_name else (_SURNAME, _PERSON)
    if (is_name or is_id) and _share(texts, partial(_is_person, forms)) > 0.6:
        return "names of persons"
    if distinct >= _ENOUGH and _share(texts, _SOCIAL_SECURITY.fullmatch) > 0.5:
        return "numbers of an insurance or an authority"
    if distinct >= _ENOUGH and _share(texts, _is_nhs_number) > 0.9:
        return "numbers of an insurance or an authority"
    if not is_id and distinct >= _ENOUGH and _share(texts, _is_phone) > 0.5:
        return "telephone numbers"
    return None


def _share(texts: list[str], holds: Callable[[str], object]) -> float:
    return sum(bool(holds(text)) for text in texts) / max(1, len(texts))


def _is_person(forms: Iterable[re.Pattern[str]], text: str) -> bool:
    """Return whether a cell can be the name of a person: it is none of a drug, a centre or a therapy."""
    if _NO_PERSON.search(text) or folded(text) in LEVELS["kind"]:
        return False
    return any(form.fullmatch(text) for form in forms)


def _is_phone(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    # A sign and one point make a number.
    number = re.fullmatch(r"[+-]?\d*\.?\d*", text)
    return bool(9 <= digits <= 15 and _PHONE.fullmatch(text) and not (number and "." in text))


def _is_nhs_number(text: str) -> bool:
    """Return whether ten digits carry the check digit of the English health service."""
    if not re.fullmatch(r"\d{3} ?\d{3} ?\d{4}", text):
        return False
    digits = [int(digit) for digit in text.replace(" ", "")]
    weighted = sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False))
    return (11 - weighted % 11) % 11 == digits[9]


def _births(sheet: Sheet) -> set[str]:
    """Return the columns of dates that lie long before all others, or that span generations."""
    middles: dict[str, float] = {}
    spans: dict[str, float] = {}
    for column in sheet.cells.columns:
        texts = _some([str(text) for text in sheet.cells[column].cat.categories])
        years = pd.Series([year for text in texts if (year := _year(text)) is not None])
        if len(years) >= _ENOUGH and len(years) > 0.8 * len(texts):
            middles[str(column)] = float(years.median())
            spans[str(column)] = float(years.quantile(0.9) - years.quantile(0.1))
    births = {column for column, years in spans.items() if years > _YEARS_APART}
    if len(middles) > 1:
        oldest, second = sorted(middles, key=lambda column: middles[column])[:2]
        if middles[second] - middles[oldest] > _YEARS_BEFORE:
            births.add(oldest)
    return births


def _year(text: str) -> int | None:
    date = _DATE.fullmatch(text)
    if not date:
        return None
    year = int(date[1] or date[2])
    if year < 100:
        year += 1900 if year > datetime.date.today().year % 100 else 2000
    return year


def rekeyed(ids: pd.Series[Any], salt: bytes) -> pd.Series[Any]:
    """Return identifiers that cannot be traced back without the salt: P and ten letters or digits.

    Equal identifiers get equal ones, in every import with this salt. Should two that differ meet, which
    happens once in thousands of registries of a million, both are written longer.

    Parameters
    ----------
    ids : pandas.Series
        Distinct or not; a missing one stays missing.
    salt : bytes
        Of the store; whoever has it can try identifiers.
    """
    filled = list({str(text) for text in ids.dropna()})
    keys = dict(zip(filled, _keys(filled, salt), strict=True))
    counts = Counter(key[:11] for key in keys.values())
    short = {text: key[:11] if counts[key[:11]] == 1 else key for text, key in keys.items()}
    # Not Series.map: pandas takes texts for equal that differ only behind a NUL.
    new = [
        None if missing else short[str(text)] for text, missing in zip(ids, ids.isna(), strict=True)
    ]
    return pd.Series(new, index=ids.index, dtype="object")


def _keys(texts: list[str], salt: bytes) -> list[str]:
    """Return P and the first 80 bits of each HMAC-SHA256 in base 32, as RFC 4648 writes it."""
    utf8 = (text.encode("utf-8", "surrogatepass") for text in texts)
    digests = b"".join(hmac.digest(salt, text, "sha256")[:10] for text in utf8)
    fives = np.unpackbits(np.frombuffer(digests, np.uint8)).reshape(-1, 5)
    letters = np.frombuffer(_BASE_32, "S1")[fives @ np.array([16, 8, 4, 2, 1], np.uint8)]
    return ["P" + key.decode("ascii") for key in letters.view("S16").tolist()]


def holds_ages(name: str, label: str = "") -> bool:
    """Return whether a column of numbers holds ages in years, by its name and its label."""
    return bool(_AGE & {*words(name), *words(label)})
