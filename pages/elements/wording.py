"""How numbers and names read on every screen and in every file: one home for each."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from analytics.suppression import Count, Hidden

DAYS_PER_MONTH = 30.4375
NARROW_SPACE = "\u202f"
NOT_ESTIMABLE = "not estimable"
_JOINER = "\u2060"  # has no width and allows no break
_ADDRESS = re.compile(r"//|(?<=\w)@(?=\w)|(?<=www)\.", re.IGNORECASE)
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def escape(text: str) -> str:
    """Return text from data so that Markdown shows it as it is, on one line and in its own direction.

    A label can hold an image or a link, and showing it would fetch it.
    """
    line = _DIRECTION.sub("", re.sub(r"\s*[\n\r\v\f\x85\u2028\u2029]\s*", " ", text))
    marked = re.sub(r"([\\`*_\[\]<#~:$|]|&(?=#?\w+;))", r"\\\1", line)
    # Addresses are made links even where they are escaped, unless something stands inside them.
    apart = _ADDRESS.sub(f"{_JOINER}\\g<0>", marked)
    # A sign at the beginning would be a list, a quotation or a rule.
    return re.sub(r"^(\d*)([-+=.)](?=\s|[-=]*$)|>)", r"\1\\\2", apart)


def count(n: Count, noun: str) -> str:
    """Return '1 patient', '59 patients' or '<5 patients'."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """Return 'a', 'a and b', or 'a, b and c'."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def p_number(p: float | None) -> str:
    """Return a P value as a number: two decimals down to 0.01, three to 0.001, then '<0.001'."""
    if p is None or math.isnan(p):
        return "–"
    if p >= 0.0095:
        return f"{p:.2f}"
    return f"{p:.3f}" if p >= 0.001 else f"<{NARROW_SPACE}0.001"


def p_value(p: float | None) -> str:
    """Return 'P = 0.04', 'P < 0.001', or '' where no test was possible."""
    if p is None or math.isnan(p):
        return ""
    text = p_number(p)
    return f"P {text}" if text.startswith("<") else f"P = {text}"


def whole_percent(rate: float) -> str:
    """Return a fraction as a whole percent without the sign, a half rounded up."""
    return str(math.floor(100 * rate + 0.5))


def percent(rate: float | None) -> str:
    """Return '83%', or a dash where there is no rate."""
    return "–" if rate is None or math.isnan(rate) else f"{whole_percent(rate)}%"


def share(n: Count, total: Count, shape: str = "{}") -> str:
    """Return what part of a total a count is, as '83%'; '' where one of the two is hidden."""
    if isinstance(n, Hidden) or isinstance(total, Hidden):
        return ""
    return shape.format(percent(n / total))


def percent_interval(low: float, high: float) -> str:
    """Return '66–92', or '' where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{whole_percent(low)}–{whole_percent(high)}"


def points(difference: float | None) -> str:
    """Return a difference of two rates in percentage points: '+20', '−8', or a dash."""
    if difference is None or math.isnan(difference):
        return "–"
    value = math.floor(100 * difference + 0.5)
    return f"{value:+d}".replace("-", "−") if value else "0"


def points_interval(low: float | None, high: float | None) -> str:
    """Return the limits of a difference in percentage points: '−8 to 31', or ''."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"{points(low).lstrip('+')} to {points(high).lstrip('+')}"


def rate_with_interval(rate: float, low: float, high: float) -> str:
    """Return '83% (66–92)', without the brackets where there is no interval."""
    limits = percent_interval(low, high)
    return f"{percent(rate)} ({limits})" if limits else percent(rate)


def months(days: float, decimals: int = 0) -> str:
    """Return days as months: '24', or '−11.6' with one decimal."""
    return f"{days / DAYS_PER_MONTH:.{decimals}f}".replace("-", "−")


UNITS: Mapping[str, tuple[float, str, int]] = {
    "months": (DAYS_PER_MONTH, "mo", 1),
    "years": (12 * DAYS_PER_MONTH, "y", 2),
    "days": (1.0, "d", 0),
}
"""Units of time: days in one, its abbreviation, and the decimals that a time in it is given with."""


def in_unit(days: float, unit: str, decimals: int | None = None) -> str:
    """Return days in a unit of `UNITS`: '24.0' months, '2.00' years, '730' days."""
    size, _, usual = UNITS[unit]
    return f"{days / size:.{usual if decimals is None else decimals}f}".replace("-", "−")


def month_label(days: float) -> str:
    """Return '3 months', '5.5 months': as few decimals as say it within a tenth of a month."""
    value = round(days / DAYS_PER_MONTH, 1)
    text = f"{value:.0f}" if value == int(value) else f"{value:.1f}"
    return f"{text} month{'' if text == '1' else 's'}"


def median_months(median: float, low: float, high: float, unit: str = "months") -> tuple[str, str]:
    """Return a median and its limits: ('NR', '11.6–NR'); no limits if both are missing."""
    values = [("NR" if math.isnan(v) else in_unit(v, unit)) for v in (median, low, high)]
    limits = "" if math.isnan(low) and math.isnan(high) else f"{values[1]}–{values[2]}"
    return values[0], limits


def ratio(value: float, low: float, high: float) -> str:
    """Return '2.82 (95% CI 1.00–7.93)', or 'not estimable'."""
    if math.isnan(value):
        return NOT_ESTIMABLE
    return f"{value:.2f} (95% CI {low:.2f}–{high:.2f})"


def ratio_cell(value: float, low: float, high: float) -> str:
    """Return a ratio as a table prints it: '2.82 (1.00–7.93)', or 'not estimable'."""
    if math.isnan(value):
        return NOT_ESTIMABLE
    shown = [
        f"{number:.2f}" if number < 99.995 else f"{number:,.0f}" for number in (value, low, high)
    ]
    return f"{shown[0]} ({shown[1]}–{shown[2]})"


def median_range(median: float, low: float, high: float) -> tuple[str, str]:
    """Return a median and its range: ('46.5', '18–87'), ('7.0', '0.3–698.9').

    The range has a decimal where one of its ends has, and then the median too.
    """
    decimals = 0 if low == int(low) and high == int(high) else 1
    places = max(decimals, 0 if median == int(median) else 1)
    return f"{median:.{places}f}", f"{low:.{decimals}f}–{high:.{decimals}f}"


def age_range(limits: str) -> str:
    """Return a range of ages as it may be shown: 90 stands for every age above 89."""
    return re.sub(r"\b90\b", "90+", limits)


def fraction(value: float) -> str:
    """Return an MRD fraction as '1.3 × 10⁻³', a limit of detection of 1e-06 as '10⁻⁶'."""
    digits, exponent = f"{value:.1e}".split("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    return power if digits == "1.0" else f"{digits} × {power}"


def inside(label: str) -> str:
    """Return a label as it reads inside a sentence: 'risk group', but 'MRD at 3 months', 'Ph status'."""
    plain = label[1:2].islower() and not label.startswith("Ph")
    return label[:1].lower() + label[1:] if plain else label


def short_timepoint(label: str) -> str:
    """Return the shortest form of an MRD timepoint or its variable: 'Cycle 1', '3 mo'."""
    text = (
        re.sub(r"^(MRD )?(at |after )?", "", label).replace("months", "mo").replace("month", "mo")
    )
    return text[:1].upper() + text[1:]


def distinct(choices: Mapping[str, str], what: str = "") -> dict[str, str]:
    """Return the words of choices, with the value where two have the same: ‘3 months (day 90)’.

    Streamlit tells the options of a widget by their words alone.
    """
    told = Counter(choices.values())
    return {
        value: words if told[words] == 1 else f"{words} ({what}{value})"
        for value, words in choices.items()
    }
