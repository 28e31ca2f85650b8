"""What the texts of a column say: numbers, dates, levels of MRD; always the distinct texts."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]

DAYS_PER_UNIT = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25}

_EMPTY = frozenset(
    (
        "n/a",
        "na",
        "n.a.",
        "n.a",
        "null",
        "nan",
        "#n/a",
        "-",
        "--",
        "---",
        ".",
        "/",
        "not applicable",
    )
)
_UNKNOWN = frozenset(
    text
    for line in (
        "unknown|unk|unkn|not known|not available|not reported|missing|no data|not done|?|??",
        "k.a.|k.a|ka|k. a.|keine angabe|keine angaben|unbekannt|nicht bekannt|fehlt|fehlend",
        "nicht durchgeführt|nicht gemacht|inconnu|inconnue|non connu|manquant|non fait",
        "sconosciuto|non noto|mancante|non eseguito|desconocido|no conocido|sin dato|no realizado",
    )
    for text in line.split("|")
)
_LOST = frozenset({"lost", "lost to follow up", "lost to follow-up", "lost to fu", "ltfu", "lfu"})
_SENTINELS = frozenset({"999", "9999", "99999", "-9", "-99", "-999", "-9999", "888", "8888"})


def is_missing(text: str) -> bool:
    """Whether a text says that something is not known: 'unknown', 'k.A.', '-', '?'."""
    return text.casefold().strip() in _EMPTY | _UNKNOWN


def is_unknown(text: str) -> bool:
    """Whether a text in place of a day says that nobody knows: 'unknown', '?', but not '-' or 'n/a'."""
    plain = text.casefold().strip()
    return plain in _UNKNOWN or plain in _LOST


def denies(text: str) -> bool:
    """Whether a text begins with a word such as 'not': 'not documented', 'nicht erreicht'."""
    return _DENIAL.match(folded(text)) is not None


_DENIAL = re.compile(r"(no|not|non|never|kein\w*|nicht|nie|ohne|without|sans|pas|sin|nessun\w*)\b")


def is_undetermined(text: str) -> bool:
    """Whether a text stands for 'not done' or 'nicht bestimmt', where it is not 'not detected'."""
    return re.sub(r"[ .]", "", folded(text)) in ("nd", "nb")


def folded(text: str) -> str:
    """Return a text as values are compared: lower case, without accents, single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(kept.replace("’", "'").split()).strip(" .;:,")


_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(r"(?:(\d+(?:\.\d+)?) ?[x×·*] ?)?10 ?(?:\^|\*\*)? ?\(?(-\d{1,2})\)?")
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,' ]\d{3})+")


def decimal_of(texts: Sequence[str]) -> str | None:
    """Return the decimal sign of numbers, or None where both readings are possible.

    '12.345' alone can be twelve and a bit or twelve thousand; '0.01', '3,4' or '1.234,5' decide it.
    """
    marked = [t for t in texts if "," in t or "." in t]
    if not marked:
        return "."
    for text in marked:
        last = max(text.rfind(","), text.rfind("."))
        if "," in text and "." in text:
            return text[last]
        digits = re.sub(r"[^0-9.,]", "", text)
        if digits.count(text[last]) > 1:
            return "." if text[last] == "," else ","
        if not _GROUPED.fullmatch(digits):
            return text[last]
    return None


def numbers(texts: Sequence[str], decimal: str | None = ".") -> Floats:
    """Return the number that each text is, NaN where it is none.

    Parameters
    ----------
    texts : sequence of str
    decimal : {'.', ','}
        The other one groups thousands.
    """
    plain = pd.Series(list(texts), dtype="object")
    if decimal == ",":
        plain = plain.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    read: Floats = pd.to_numeric(plain, errors="coerce").to_numpy(dtype="float64", copy=True)
    read[~np.isfinite(read)] = np.nan
    # pandas is off by the last bit; what it can read is read again exactly.
    known = ~np.isnan(read)
    read[known] = plain[known].to_numpy().astype("float64")
    for at in np.flatnonzero(np.isnan(read)):
        read[at] = _odd_number(str(plain[int(at)]))
    # 1e400 is written as a number and is none that can be kept.
    return np.where(np.isfinite(read), read, np.nan)


def _odd_number(text: str) -> float:
    """Return a number written as '1 200', '1,200', '10^-4', '2×10⁻⁵' or '−3'."""
    plain = text.translate(_SUPERSCRIPT).replace("−", "-").replace("\u00a0", " ").strip()
    power = _POWER.fullmatch(plain)
    if power:
        return float(f"{power[1] or 1}e{power[2]}")
    if re.fullmatch(r"[1-9]\d{0,2}([ ,'’\u202f]\d{3})+(\.\d+)?", plain):
        plain = re.sub(r"[ ,'’\u202f]", "", plain)
    return float(plain) if re.fullmatch(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", plain) else np.nan


def sentinels(texts: Sequence[str], values: Floats) -> tuple[str, ...]:
    """Return texts such as 999 or -9 that stand far from every other number and may mean 'not known'."""
    known = np.array([text in _SENTINELS for text in texts], dtype=bool)
    rest = values[~known & ~np.isnan(values)]
    if not known.any() or not len(rest):
        return ()
    low, high = min(0.0, float(rest.min())), max(1.0, float(rest.max()))
    return tuple(
        text
        for text, value in zip(texts, values, strict=True)
        if text in _SENTINELS and (value > 2 * high or value < 2 * low - 1)
    )


# --- MRD -----------------------------------------------------------------------------------------

_LESS = re.compile(
    r"^(?:<=|=<|<|≤|kleiner(?: als)?|unter|below|less than|inferior a|inf[ée]rieur à)\s*(?=[\d.,-])"
)


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of MRD, one per text.

    Attributes
    ----------
    fraction : numpy.ndarray of float
        NaN where the text is no number.
    less : numpy.ndarray of bool
        The text says 'less than' this.
    """

    fraction: Floats
    less: Flags


def mrd_levels(texts: Sequence[str], unit: str | None, decimal: str | None = ".") -> Levels:
    """Return the levels of MRD that texts are.

    Parameters
    ----------
    texts : sequence of str
        '0.01', '< 1e-4', '0,5 %'.
    unit : str or None
        One of `mapping.MRD_UNITS`; None reads the bare number. A percent sign wins over it.
    """
    bare = [text.replace("≦", "≤") for text in texts]
    less = np.array([bool(_LESS.match(text.casefold())) for text in bare], dtype=bool)
    percent = np.array([text.endswith("%") for text in bare], dtype=bool)
    if less.any() or percent.any():
        bare = [_LESS.sub("", text.casefold()).removesuffix("%").strip() for text in bare]
    read = numbers(bare, decimal)
    logged = unit is not None and unit.startswith("log10")
    with np.errstate(over="ignore"):
        fraction = _fractions(read, unit)
    if not logged:
        fraction = np.where(percent, read / 100, fraction)
    return Levels(np.where(np.isfinite(fraction), fraction, np.nan), less)


def _fractions(read: Floats, unit: str | None) -> Floats:
    if unit == "log10 fraction":
        return np.asarray(10.0**read)
    if unit == "log10 percent":
        return np.asarray(10.0 ** (read - 2))
    return read / {"percent": 100.0, "per million": 1e6}.get(unit or "", 1.0)


def looks_like_mrd(texts: Sequence[str]) -> bool:
    """Whether most texts are levels of MRD or words for a result."""
    if not len(texts):
        return False
    levels = mrd_levels(texts, None, decimal_of(texts) or ".")
    words = [
        bool(re.match(r"(neg|pos|nd$|n\.d\.|not det|undet|<)", folded(text))) for text in texts
    ]
    return float(np.mean(~np.isnan(levels.fraction) | np.array(words))) >= 0.8


# --- dates ---------------------------------------------------------------------------------------

_MONTHS = {
    name: at
    for at, names in enumerate(
        (
            "jan gen ene", "feb fev fév", "mar mrz mär mae mrt", "apr avr abr", "may mai mag",
            "jun giu jui", "jul lug", "aug ago aoû aou", "sep set", "oct okt ott", "nov", "dec dez dic déc",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?Z?)?"
_NAME = r"(?P<name>[A-Za-zäéûÄÉÛ]{3,10})\.?"
_PATTERNS = {
    "year-month-day": r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
    "day/month/year": r"(?P<day>\d{1,2})[-/](?P<month>\d{1,2})[-/](?P<year>\d{4})",
    "month/day/year": r"(?P<month>\d{1,2})[-/](?P<day>\d{1,2})[-/](?P<year>\d{4})",
    "day.month.year": r"(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\. ?(?P<year>\d{4})",
    "day month-name year": rf"(?P<day>\d{{1,2}})\.?[- /]?{_NAME}[- /]?(?P<year>\d{{4}})",
    "month-name day year": rf"{_NAME} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})",
    "day/month/yy": r"(?P<day>\d{1,2})[-/](?P<month>\d{1,2})[-/](?P<year>\d{2})",
    "month/day/yy": r"(?P<month>\d{1,2})[-/](?P<day>\d{1,2})[-/](?P<year>\d{2})",
    "day.month.yy": r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{2})",
    "day month-name yy": rf"(?P<day>\d{{1,2}})[- /]{_NAME}[- /](?P<year>\d{{2}})",
    "yearmonthday": r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})",
}
_PIVOT = 69
"""Two digits of a year from here on are 19yy, below it 20yy, as POSIX has it."""


def dates(texts: Sequence[str], spelling: str) -> Dates:
    """Return the calendar day that each text is in a spelling of `mapping.SPELLINGS`, NaT where none.

    A text that starts with the year is that day under every spelling: a spreadsheet writes what it types
    as a date so, beside dates that are text.
    """
    pattern, typed, short = (
        _COMPILED[spelling],
        _COMPILED["year-month-day"],
        spelling.endswith("yy"),
    )
    found = [
        _day(typed.fullmatch(text), False) or _day(pattern.fullmatch(text), short) for text in texts
    ]
    return np.array(found, dtype="datetime64[D]")


_COMPILED = {spelling: re.compile(pattern + _TIME) for spelling, pattern in _PATTERNS.items()}


def _day(parts: re.Match[str] | None, short: bool) -> datetime.date | None:
    """Return the day of the calendar that a text names, None where there is none."""
    if parts is None:
        return None
    year, day = int(parts["year"]), int(parts["day"])
    if short:
        year += 1900 if year >= _PIVOT else 2000
    named = "name" in parts.re.groupindex
    month = _MONTHS.get(parts["name"].casefold()[:3], 0) if named else int(parts["month"])
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True)
class DateReading:
    """How a column of dates can be read.

    Attributes
    ----------
    spellings : tuple of str
        Those that no other one beats, the one that reads the most first. Empty: these are no dates.
    unread : mapping of str to tuple of str
        For each: the texts that it cannot read.
    both : int
        Distinct texts that day/month and month/day both read, differently.
    decided_by : str
        A text that only the first spelling reads, where there was another; else empty.
    """

    spellings: tuple[str, ...] = ()
    unread: dict[str, tuple[str, ...]] = field(default_factory=dict)
    both: int = 0
    decided_by: str = ""

    @property
    def certain(self) -> str | None:
        """The only spelling, unless its years have two digits, which is always asked."""
        only = len(self.spellings) == 1 and not self.spellings[0].endswith("yy")
        return self.spellings[0] if only else None


_MIXED = (("day/month/year", "month/day/year"), ("day/month/yy", "month/day/yy"))


def date_reading(texts: Sequence[str], least: float = 0.6) -> DateReading:
    """Return how texts can be read as dates; that share of them must be."""
    known = [text for text in texts if not is_missing(text)]
    if not known or not any(len(text) >= 6 for text in known[:200]):
        return DateReading()
    read = {spelling: dates(known, spelling) for spelling in _PATTERNS}
    hits = {spelling: ~np.isnat(days) for spelling, days in read.items()}
    typed = hits["year-month-day"]
    likely = {
        s: hit
        for s, hit in hits.items()
        if hit.any() and hit.mean() >= least and (s == "year-month-day" or (hit & ~typed).any())
    }
    kept = [
        s
        for s, hit in likely.items()
        if not any((hit < o).any() and (hit <= o).all() for o in likely.values())
    ]
    kept.sort(key=lambda s: -int(hits[s].sum()))
    unread = {s: tuple(t for t, hit in zip(known, hits[s], strict=True) if not hit) for s in kept}
    both, decided = 0, ""
    for one, other in _MIXED:
        if {one, other} & set(kept):
            shared = hits[one] & hits[other] & (read[one] != read[other])
            both = int(shared.sum())
            if len(kept) == 1:
                rest = np.flatnonzero(hits[kept[0]] & ~hits[other if kept[0] == one else one])
                decided = known[rest[0]] if len(rest) and both else ""
    if len(kept) == 2 and both == 0 and (hits[kept[0]] == hits[kept[1]]).all():
        # Every text is the same day either way (5/5/2001): the choice changes nothing.
        kept = kept[:1]
    return DateReading(tuple(kept), unread, both, decided)


def shown_date(text: str, spelling: str) -> str:
    """Return a date in words as a spelling reads it: '5 March 1997', or '' where it cannot."""
    day = dates([text], spelling)[0]
    return "" if np.isnat(day) else f"{pd.Timestamp(day):%-d %B %Y}"


# --- columns -------------------------------------------------------------------------------------


def days(texts: Sequence[str], unit: str | None, spelling: str | None, decimal: str | None) -> Any:
    """Return what each text is as a day: datetime64 where it has a spelling, else days as float."""
    if spelling is not None:
        return dates(texts, spelling)
    return np.rint(numbers(texts, decimal) * DAYS_PER_UNIT[unit or "days"])
