"""The words of the field: what columns and their values are called, in five languages, from words.csv.

Names of columns are compared squashed (lower case, letters and digits alone), values as `values.folded`
writes them. A word that stands for two things belongs to neither: it is asked.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from data.importing.values import folded


def squashed(name: str) -> str:
    """Return a column name as names are compared: 'T(9;22)' and 't_9_22' become 't922'."""
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]", "", plain)


def _read() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the lists of words.csv: what is meant, and the words for it."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    with (Path(__file__).parent / "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["list"], {})[row["means"]] = tuple(row["words"].split("|"))
    return found


_LISTS = _read()


def _meanings(
    name: str, plain: Callable[[str], str] = squashed, *, itself: bool = True
) -> dict[str, str]:
    """Return what each word of a list means; of two meanings of one word the first."""
    found: dict[str, str] = {}
    for means, words in _LISTS[name].items():
        for word in (means, *words) if itself else words:
            found.setdefault(plain(word), means)
    return found


PATIENT_IDS = tuple(map(squashed, _LISTS["id"]["patient_id"]))
"""Names of a patient's identifier, the surest first."""

PATIENT_COLUMNS: Mapping[str, str] = _meanings("patients")
"""The target of a column of a sheet with one row per patient, by its whole name."""

ROLE_COLUMNS: Mapping[str, Mapping[str, str]] = {
    role: _meanings(role) for role in ("samples", "courses", "endpoints")
}
"""Targets by name of sheets whose rows are not patients."""

OUTCOME_TEXTS = frozenset(map(squashed, _LISTS["outcome text"][""]))
"""Columns that tell relapse, death and transplant in one text."""

EVENTS: Mapping[str, str] = _meanings("event")
"""The event that a name speaks of, without its word for a day: 'relapse' of 'rezidiv'."""

ZERO_NAMES = frozenset({"day0", "dayzero", "dayzerodate", "tag0", "erdate", "erdat", "startdate"})
"""Whole names of a day 0."""

DAY_WORDS: Mapping[str, str] = _meanings("day word", itself=False)
"""A word for a day or a time in a name, and the unit that it gives: 'date' for a date, '' for none."""

LINKS = frozenset(_LISTS["link"][""])
"""Words of a name that change nothing."""

NOT_NEEDED = frozenset(map(squashed, _LISTS["not needed"][""]))
"""Columns of known forms that say nothing about a patient."""

STATUS_WORDS = frozenset(_LISTS["status word"][""])
"""Words of a name that say that its values are whether something happened."""

NO_TIMEPOINT = frozenset(_LISTS["dropped"][""])
"""Words beside MRD in a name that are not its timepoint."""

DETAILS: Mapping[str, str] = _meanings("detail", itself=False)
"""What of an event a name may speak of in place of its day."""

ENDPOINT_NAMES: Mapping[str, str] = _meanings("endpoint", folded)
"""The endpoint that a text names."""

MRD = re.compile(
    r"mrd|minimal ?residual|measurable ?residual|minimale ?resterkrankung|residual ?disease|"
    r"maladie ?residuelle|malattia ?minima|enfermedad ?minima"
)
TRANSCRIPT = re.compile(r"bcr[ :/._-]*abl1?|p190|p210")


def _level_lists() -> dict[str, dict[str, str]]:
    found = {
        name.removeprefix("value "): _meanings(name, folded)
        for name in _LISTS
        if name.startswith("value ")
    }
    yes_no = found["boolean"]
    phs = {"yes": "positive", "no": "negative"}
    found["ph_status"] = {text: phs[level] for text, level in yes_no.items()} | found["ph_status"]
    for name in ("died", "relapsed", "cr_achieved"):
        found[name] = yes_no | found[name]
    for name in [name for name in found if name.endswith("_status") and name != "ph_status"]:
        found[name] = found["status"] | found[name]
    return found | {"mrd_result": found["call"], "endpoint": dict(ENDPOINT_NAMES)}


LEVELS: Mapping[str, Mapping[str, str]] = _level_lists()
"""Level of a text, by target; 'boolean' for every yes/no target without words of its own."""

AMBIGUOUS: Mapping[str, frozenset[str]] = {
    "mrd_result": frozenset({"nd", "n.d", "n d"}),
    "call": frozenset({"nd", "n.d", "n d"}),
}
"""Words that are read in two ways (not detected, not done): always asked."""


def _words(line: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{line})(?![a-z])")


_NOT = r"(?:no|non|not|kein|keine|keinen|ohne|without|sans|senza|sin) (?:\w+ )?"
_TOKENS = {
    "relapse": r"rel|relapses?|relapsed|rezidiv\w*|recidiv\w*|rechute|ruckfall|rueckfall|recaida|"
    r"ricaduta|recurrence",
    "death": r"deaths?|dead|died|deceased|exitus|tod|tot|verstorben|gestorben|mort|morte|deces|"
    r"decede|decesso|deceduto|muerte|muerto|fallecid[oa]",
    "remission": r"ccr|cr|cr1|in remission|continuous complete remission|alive in cr",
    "alive": r"ccr|alive|living|lebt|lebend|vivant|vivo|viva",
    "in cr": r"death in cr|died in cr|dead in cr|tod in cr|verstorben in cr|nrm|trm|toxic death",
    "allo": r"bmt|allo\w*|mud|mmud|mmrd|msd|haplo\w*|sib|sibling|fremd\w*|fam|family|familie\w*|"
    r"verwandt\w*|unverwandt\w*|related|unrelated|cord|ucbt|rid|vud|geno\w*|pheno\w*",
    "auto": r"aubmt|auto\w*|abmt|asct|pbsct auto",
    "no cr": r"death in induction|induction death|early death|ref|refractory|refraktar|no cr|pr|"
    r"induction failure|non cr|partial remission|tod in induktion",
    "ph": r"bcr[ :/._-]*abl1?|ph ?\+|ph[- ]?pos\w*|t\(9;22\)\w*|philadelphia\w*|p190|p210",
    "kmt2a": r"kmt2a\w*|mll\w*|all1[ /:._-]*af\w*|t\(4;11\)\w*|11q23\w*|af4",
    "b": r"b|b[1-4]|c|common|pro-?b|pre-?b|bcp|b-all",
    "t": r"t|t[1-4]|pro-?t|pre-?t|cortical|thym\w*|etp|t-all",
}  # fmt: skip
_MATCHES = {key: _words(line) for key, line in _TOKENS.items()}
_DENIED = {
    key: re.compile(rf"(?<![a-z]){_NOT}(?:{line})(?![a-z])") for key, line in _TOKENS.items()
}


def _says(text: str, *keys: str) -> bool:
    return any(_MATCHES[key].search(text) and not _DENIED[key].search(text) for key in keys)


def by_words(target: str, text: str) -> str:
    """Return the level that words in a free text suggest, '' where they say nothing.

    'BMT / DEATH IN CR': relapsed no, died yes, alloSCT yes, autoSCT no.
    """
    plain = folded(text)
    if target == "relapsed":
        if _says(plain, "relapse"):
            return "yes"
        return (
            "no" if _says(plain, "remission", "in cr") or _DENIED["relapse"].search(plain) else ""
        )
    if target == "died":
        if _says(plain, "death"):
            return "yes"
        return "no" if _says(plain, "alive") or _DENIED["death"].search(plain) else ""
    if target == "cr_achieved":
        return (
            "no" if _says(plain, "no cr") else "yes" if _says(plain, "remission", "in cr") else ""
        )
    if target in ("alloSCT_given", "autoSCT_given"):
        mine, other = ("allo", "auto") if target.startswith("allo") else ("auto", "allo")
        if _says(plain, mine) and (mine == "auto" or not _says(plain, "auto")):
            return "yes"
        return "no" if _says(plain, other) else ""
    if target == "lineage":
        return "B" if _says(plain, "b") else "T" if _says(plain, "t") else ""
    token = {"ph_status": "ph", "kmt2a_rearranged": "kmt2a"}.get(target)
    if token is None or not plain:
        return ""
    yes, no = ("positive", "negative") if target == "ph_status" else ("yes", "no")
    return yes if _says(plain, token) else no


BY_WORDS = (
    "relapsed", "died", "cr_achieved", "alloSCT_given", "autoSCT_given", "ph_status", "kmt2a_rearranged",
    "lineage",
)  # fmt: skip
"""Targets that `by_words` knows."""


def level(target: str, type_: str, text: str, others: Iterable[str] = ()) -> str | None:
    """Return the level that a whole text certainly is, None where it is not known.

    Parameters
    ----------
    target, type_ : str
        Name and type of the target.
    text : str
    others : iterable of str
        The folded texts of the column: '-' is 'no' beside a '+', and 'M' may be a woman beside 'H'.
    """
    plain = folded(text) or text.strip()
    beside = set(others)
    if plain in AMBIGUOUS.get(target, ()):
        return None
    if target == "sex" and plain == "m" and "h" in beside:
        return None
    known = LEVELS.get(target) or (LEVELS["boolean"] if type_ == "boolean" else {})
    if plain == "-" and "+" in beside:
        plain = "neg"
    return known.get(plain)
