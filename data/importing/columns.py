"""What a column may be, from its name and its texts: candidates for `recognise`, nothing decided."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from data.importing import names
from data.importing.mapping import TARGETS, Role
from data.importing.sheets import Sheet
from data.importing.values import (
    DateReading,
    date_reading,
    decimal_of,
    folded,
    is_missing,
    looks_like_mrd,
    numbers,
)

_LOOKED_AT = 5000
"""Distinct texts from which the kind of a column is told."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What stands in a column.

    Attributes
    ----------
    column, label : str
    texts : tuple of str
        The distinct texts, the most frequent first.
    counts : tuple of int
        Rows of each.
    rows : int
        Rows of the sheet.
    typed_date : bool
        The file itself says that these are dates.
    """

    column: str
    label: str
    texts: tuple[str, ...]
    counts: tuple[int, ...]
    rows: int
    typed_date: bool

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The texts that say something."""
        return tuple(text for text in self.texts if not is_missing(text))

    @cached_property
    def filled(self) -> int:
        """Rows that are not empty."""
        return sum(self.counts)

    @cached_property
    def dates(self) -> DateReading:
        """How the texts read as dates; no reading where they are none."""
        if self.typed_date:
            return self.some_dates
        sample = date_reading(self.known[:200])
        if not sample.spellings or len(self.known) <= 200:
            return sample
        return date_reading(self.known)

    @cached_property
    def some_dates(self) -> DateReading:
        """How the texts read of which at least one is a date: of a column that is said to hold days."""
        return date_reading(self.known, 0)

    @property
    def days(self) -> DateReading:
        """How a column that is said to hold days reads as dates; no reading where it holds numbers."""
        return self.some_dates if self.kind == "words" else self.dates

    @cached_property
    def decimal(self) -> str | None:
        """The decimal sign, None where it could be both."""
        return decimal_of([text for text in self.known if re.match(r"[<≤+-]?\s*[\d.,]", text)])

    @cached_property
    def kind(self) -> Literal["empty", "dates", "codes", "numbers", "words"]:
        """Of most of the texts; 'codes' are at most four small whole numbers."""
        known = self.known[:_LOOKED_AT]
        if not known:
            return "empty"
        if self.dates.spellings:
            return "dates"
        if len(known) <= 4 and all(re.fullmatch(r"[0-4]", text) for text in known):
            return "codes"
        numeric = float(np.mean(~np.isnan(numbers(known, self.decimal or "."))))
        return "numbers" if numeric >= 0.6 else "words"

    @property
    def coded(self) -> bool:
        """Whether these are a few small whole numbers, which are codes rather than measurements."""
        return 0 < len(self.known) <= 6 and all(re.fullmatch(r"\d|99", text) for text in self.known)

    @property
    def free_text(self) -> bool:
        """Whether these are sentences or names rather than categories."""
        many = len(self.known) > 60 or (self.rows > 20 and len(self.known) > 0.6 * self.filled)
        long = float(np.mean([len(t) for t in self.known])) > 40 if self.known else False
        return self.kind == "words" and (long or (many and len(self.known) > 0.3 * self.filled))


_FACTS: WeakKeyDictionary[Sheet, dict[str, Facts]] = WeakKeyDictionary()


def facts(sheet: Sheet, column: str) -> Facts:
    """Return what stands in a column of a sheet; worked out once per sheet."""
    known = _FACTS.setdefault(sheet, {})
    if column not in known:
        cells = sheet.cells[column].cat
        counts = np.bincount(cells.codes.to_numpy() + 1, minlength=len(cells.categories) + 1)[1:]
        # Of texts as frequent as each other the order is that of the alphabet, not of the rows.
        order = sorted(
            (-n, str(t)) for n, t in zip(counts.tolist(), cells.categories, strict=True) if n
        )
        known[column] = Facts(
            column, sheet.labels.get(column, ""), tuple(text for _, text in order),
            tuple(-n for n, _ in order), len(sheet.cells), column in sheet.dates,
        )  # fmt: skip
    return known[column]


@dataclass(frozen=True)
class Guess:
    """One thing that a column may be.

    Attributes
    ----------
    target : str
    rank : int
        The smaller, the surer.
    unit, timepoint : str or None
        As the name says it.
    """

    target: str
    rank: int
    unit: str | None = None
    timepoint: str | None = None


def words(name: str) -> list[str]:
    """Return the words of a column name: 'CRDate' and 'date.cr' have 'cr' and 'date'."""
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9]+", folded(parts)) if word]


def guesses(sheet: Sheet, column: str, role: Role) -> tuple[Guess, ...]:
    """Return what a column may become in a sheet of this role, the surest first; once per sheet."""
    kept = _GUESSES.setdefault(sheet, {})
    if (column, role) not in kept:
        kept[column, role] = _guesses(sheet, column, role)
    return kept[column, role]


_GUESSES: WeakKeyDictionary[Sheet, dict[tuple[str, Role], tuple[Guess, ...]]] = WeakKeyDictionary()


def _guesses(sheet: Sheet, column: str, role: Role) -> tuple[Guess, ...]:
    known, found = facts(sheet, column), list[Guess]()
    for rank, name in enumerate((column, known.label)):
        if name:
            found += (
                Guess(g.target, g.rank + 10 * rank, g.unit, g.timepoint)
                for g in _of_name(name, known, role)
            )
    best: dict[str, Guess] = {}
    for guess in sorted(found, key=lambda g: g.rank):
        best.setdefault(guess.target, guess)
    return tuple(best.values())


def _of_name(name: str, known: Facts, role: Role) -> Iterator[Guess]:
    bare = re.sub(r"\s[(\[].*[)\]]\s*$", "", name).strip() or name
    unit = unit_of(name)
    if name in TARGETS and role in TARGETS[name].roles and name not in ("own", "nothing"):
        yield Guess(name, -1, None if name == "call" else unit or _canonical_unit(name))
        return
    lists = names.PATIENT_COLUMNS if role == "patients" else names.ROLE_COLUMNS[role]
    for rank, text in enumerate(dict.fromkeys((name, bare, _without_units(bare)))):
        target = lists.get(names.squashed(text))
        if target is not None:
            code = name.casefold() == "paramcd"
            yield Guess(target, rank - code, _fitting(target, unit))
    if role == "patients":
        yield from _endpoint(bare, known)
        yield from _mrd(name, known)
        yield from _event(bare, known)
    if role == "samples":
        yield from _sample(name, known)


def _canonical_unit(target: str) -> str | None:
    if target.endswith("_day") or target == "day":
        return "days"
    return "10e9/L" if target == "wbc_10e9_per_l" else None


def _fitting(target: str, unit: str | None) -> str | None:
    return unit if unit in TARGETS[target].units else None


_WBC_UNIT = re.compile(
    r"10\W*(?:\^|e|\*\*)?\W*9|g ?/ ?l|gpt ?/ ?l|/ ?nl|k ?/ ?[uµμ]l|10\W*(?:\^|e|\*\*)?\W*3"
)
_TIME_UNIT = {"d": "days", "w": "weeks", "m": "months", "y": "years"}


def unit_of(name: str) -> str | None:
    """Return the unit that a name says: 'MRD (%)' percent, 'OS_MONTHS' months."""
    text = folded(name).replace("_", " ")
    percent = "%" in name or re.search(
        r"\b(percent|pct|prozent|pourcent|percentuale|porcentaje)\b", text
    )
    if re.search(r"(?<![a-z])log(10)?(?![a-z])|^log(10)?", text):
        return "log10 percent" if percent else None
    if percent:
        return "percent"
    if "fraction" in text:
        return "fraction"
    if re.search(r"per million|ppm|/ ?10\^?6\b|10\^?-6", text):
        return "per million"
    if re.search(r"wbc|leuko|leuco|white|wcc|globul", text):
        if _WBC_UNIT.search(text.replace(" ", " ")):
            return "10e9/L"
        return "per µL" if re.search(r"/ ?[uµμ]l|/ ?mm3|per ul|per [µμ]l", text) else None
    if re.fullmatch(r"[A-Z0-9]{1,6}DY", name):
        # ADaM: a relative day.
        return "days"
    units = [names.DAY_WORDS.get(word) for word in words(name)]
    said = [unit for unit in units if unit in ("days", "weeks", "months", "years")]
    return said[0] if said else None


_UNIT_AT_END = re.compile(
    r"[ _.(\[,/-]+(years?|yrs?|jahren?|anni|ans|a[nñ]os|x?10\W*\^?9\W*(per)?\W*l?|10e9\w*|g[ /_.]*l|/?nl|%|"
    r"pct|"
    r"percent|k?/?[uµμ]l|/?mm3|per ?[uµμ]l)\W*$",
    re.IGNORECASE,
)


def _without_units(name: str) -> str:
    return _UNIT_AT_END.sub("", name) or name


def _split(name: str) -> tuple[str, str | None, str | None, bool]:
    """Return the core of a name, its word for a day, the detail it speaks of, and if it says 'status'."""
    day, detail, status, core = None, None, False, list[str]()
    parts = words(name)
    for word in parts:
        if word in names.DAY_WORDS and len(parts) > 1 and day is None:
            day = names.DAY_WORDS[word]
        elif word in names.DETAILS and len(parts) > 1:
            detail = names.DETAILS[word]
        elif word in names.STATUS_WORDS and len(parts) > 1:
            status = True
        elif word not in names.LINKS:
            core.append(word)
    joined = "".join(core)
    if day is None and joined not in names.EVENTS:
        for word, unit in sorted(names.DAY_WORDS.items(), key=lambda pair: -len(pair[0])):
            for cut in (joined.removesuffix(word), joined.removeprefix(word)):
                if cut != joined and cut.removesuffix("s") and _known(cut):
                    return _known(cut), unit, detail, status
    return joined, day, detail, status


def _known(core: str) -> str:
    """Return a core of a compound as the lists have it: 'rezidivs' is 'rezidiv'."""
    for form in (core, core.removesuffix("s")):
        if form in names.EVENTS or form in names.ENDPOINT_NAMES:
            return form
    return ""


_SHORT = re.compile(
    r"(os|rfs|lfs|dfs|efs|cir|nrm|trm)(time|t|status|stat|event|evt|cens|censor|cnsr|s)"
)


def _endpoint(name: str, known: Facts) -> Iterator[Guess]:
    core, day, _, status = _split(name)
    code = names.ENDPOINT_NAMES.get(core) or names.ENDPOINT_NAMES.get(" ".join(words(name)))
    short = _SHORT.fullmatch(core)
    if short:
        code, status = names.ENDPOINT_NAMES[short[1]], short[2] not in ("time", "t")
    if code is None or day == "date" or known.kind == "dates":
        return
    if status or (day is None and known.kind in ("codes", "words")):
        yield Guess(f"{code}_status", 2)
    else:
        yield Guess(f"{code}_time", 2, unit_of(name) or day or None)


def event_of(name: str) -> str | None:
    """Return the event that a name speaks of: 'relapse' for 'Rezidivdatum'."""
    bare = re.sub(r"\s[(\[].*[)\]]\s*$", "", name).strip() or name
    whole = names.EVENTS.get(names.squashed(bare))
    core = _split(bare)[0]
    return whole or names.EVENTS.get(core)


def tells_later(column: str) -> bool:
    """Whether the name of a column speaks of an outcome, which must not split a cohort from day 0."""
    said = words(column)
    if {"prior", "previous", "before", "vor", "history"} & set(said):
        return False
    later = {"relapse", "death", "allosct", "autosct", "sct", "cart", "last"}
    events = {names.EVENTS.get(word) for word in said}
    whole = names.EVENTS.get(names.squashed(column))
    return names.squashed(column) in names.OUTCOME_TEXTS or whole == "vital" or bool(events & later)


_DAYS = {"cr": "cr_day", "relapse": "relapse_day", "death": "death_day", "last": "last_follow_up_day",
         "allosct": "alloSCT_day", "autosct": "autoSCT_day", "sct": "alloSCT_day", "cart": "CAR-T_day",
         "zero": "day_zero_date"}  # fmt: skip
_HAPPENED = {"cr": "cr_achieved", "relapse": "relapsed", "death": "died", "vital": "died", "alive": "died",
             "allosct": "alloSCT_given", "autosct": "autoSCT_given", "sct": "alloSCT_given",
             "cart": "CAR-T_given"}  # fmt: skip
_DETAILED = {("relapse", "site"): "relapse_site", ("death", "cause"): "death_cause"}


def _event(name: str, known: Facts) -> Iterator[Guess]:
    event = event_of(name)
    _, day, detail, status = _split(name)
    if names.squashed(name) in names.ZERO_NAMES and known.kind in ("dates", "numbers", "codes"):
        event, day = "zero", day or "date"
    if names.squashed(name) in names.EVENTS and detail is None:
        day = None if day != "date" else day
    if event is None:
        return
    rank = 5 if event in ("vital", "sct") else 3
    if detail in ("site", "cause"):
        if (event, detail) in _DETAILED:
            yield Guess(_DETAILED[event, detail], rank)
        return
    in_part = known.kind == "words" and day == "date" and bool(known.days.spellings)
    dated = known.kind == "dates" or in_part or (known.kind == "empty" and day is not None)
    if event == "zero":
        if dated or (known.kind in ("numbers", "codes") and day == "date"):
            yield Guess("day_zero_date", rank, None if known.days.spellings else "days")
        return
    numeric = known.kind == "numbers" or (known.kind == "codes" and day not in (None, ""))
    if event in _DAYS and (dated or (numeric and not status and detail is None)):
        # A date that is written as a whole number counts days from some day.
        unit = "days" if day == "date" else day or None
        yield Guess(_DAYS[event], rank, None if known.days.spellings else unit)
    elif event in _HAPPENED and known.kind in ("words", "codes", "empty") and not known.free_text:
        yield Guess(_HAPPENED[event], rank)
        autologous = (names.by_words("autoSCT_given", text) == "yes" for text in known.known)
        if event in ("sct", "allosct") and (detail == "type" or any(autologous)):
            yield Guess("autoSCT_given", rank)


_WHEN = re.compile(
    r"(?<![a-z])(?P<a>d|day|tag|tp|t|w|wk|week|woche|wo|m|mo|month|monat|mois|mese|mes|y|year|jahr|j|cycle|c|visit)s?"
    r"[ _.-]?(?P<n>\d{1,4})(?![a-z0-9])|"
    r"(?<!\d)(?P<n2>\d{1,3})[ _.-]?(?P<b>days?|weeks?|wk|months?|mo|m|y|years?|"
    r"tage?|wochen?|monate?|jahre?|d|w)(?![a-z])",
    re.IGNORECASE,
)  # fmt: skip
_SCALE = {"d": 1, "t": 1, "j": 1, "w": 7, "m": 30.4375, "y": 365.25}


def day_of_timepoint(label: str) -> int | None:
    """Return the day that a timepoint's label names: 78 for 'd78', 84 for 'W12', 91 for '3 months'."""
    found = _WHEN.search(label.casefold())
    if found is None:
        return None
    unit = found["a"] or found["b"]
    if unit in ("t", "tp", "c", "cycle", "visit"):
        return None
    scale = 365.25 if unit.startswith("jahr") else _SCALE[unit[0]]
    return round(float(found["n"] or found["n2"]) * scale)


_LIMIT = re.compile(
    r"\b(lod|limit|loq|lloq|llod|sensitivity|sensitivitat|nachweisgrenze|detection)\b"
)


def _mrd(name: str, known: Facts) -> Iterator[Guess]:
    """Yield what a column with one MRD value per patient may be; the rest of its name is the timepoint."""
    plain = folded(name).replace("_", " ")
    said = bool(names.MRD.search(plain)) or (
        bool(names.TRANSCRIPT.search(plain)) and known.kind == "numbers"
    )
    alone = _WHEN.fullmatch(name.strip()) is not None and known.kind != "dates"
    if not said and not (alone and looks_like_mrd(known.known[:200]) and _left_censored(known)):
        return
    label, when = timepoint_label(name), _WHEN.search(plain)
    spoken = {names.DAY_WORDS.get(w) for w in words(name)} & {"date", "days"}
    if known.kind == "dates" or (known.kind in ("numbers", "empty") and spoken and when is None):
        yield Guess("mrd_day", 2, "days" if known.kind == "numbers" else None, label)
    elif _LIMIT.search(plain):
        yield Guess("mrd_limit", 2, unit_of(name), label)
    elif (known.kind == "codes" and unit_of(name) is None) or (
        known.kind == "words" and not _has_levels(known)
    ):
        called = [names.LEVELS["call"].get(folded(text)) for text in known.known]
        if known.kind == "codes" or sum(c is not None for c in called) >= 0.5 * len(called):
            yield Guess("call", 2, None, label)
    elif (known.kind == "numbers" and looks_like_mrd(known.known[:200])) or _has_levels(known):
        yield Guess("mrd_result", 2, _fitting("mrd_result", unit_of(name)), label)


def _has_levels(known: Facts) -> bool:
    """Whether numbers stand among the texts, and not as two or three classes."""
    levels = [text for text in known.known if re.match(r"[<≤]?\s*\d", text)]
    return bool(levels) and not any(re.match(r"(>|≥|\d+\s*-\s*\d)", text) for text in known.known)


def _left_censored(known: Facts) -> bool:
    return any(re.match(r"[<≤]|neg|nd$|not det|undet", folded(text)) for text in known.known)


def timepoint_label(name: str) -> str | None:
    """Return the timepoint that a name with MRD speaks of: 'EOI' of 'MRD EOI (%)'."""
    bare = re.sub(r"[(\[][^)\]]*[)\]]|%", " ", name)
    found = _WHEN.search(bare)
    if found:
        return found[0].replace("_", " ").strip()
    kept = [w for w in re.split(r"[\s_.:/-]+", bare) if w and folded(w) not in names.NO_TIMEPOINT]
    kept = [w for w in kept if names.DAY_WORDS.get(folded(w)) is None and "::" not in w]
    return " ".join(kept) or None


def _sample(name: str, known: Facts) -> Iterator[Guess]:
    """Yield what the name of a column of a table of samples suggests beyond whole names."""
    plain = folded(name).replace("_", " ").replace(".", " ")
    speaks = bool(names.MRD.search(plain) or names.TRANSCRIPT.search(plain))
    unit = _fitting("mrd_result", unit_of(name))
    limited = bool(_LIMIT.search(plain)) or bool(re.search(r"\b(lql|lq|ql)\b", plain))
    if limited and known.kind in ("numbers", "empty", "codes"):
        yield Guess("mrd_limit", 4, unit)
    elif known.kind == "dates":
        yield Guess("day", 4)
    elif {"date", "days", "months", "weeks"} & {names.DAY_WORDS.get(w, "") for w in words(name)}:
        if known.kind in ("numbers", "codes"):
            yield Guess("day", 4, _fitting("day", unit_of(name)))
    elif known.kind == "numbers" and (speaks or "ratio" in plain):
        yield Guess("mrd_result", 3, unit)
    elif speaks and known.kind == "words" and looks_like_mrd(known.known[:200]):
        yield Guess("mrd_result" if _has_levels(known) else "call", 4, unit)
