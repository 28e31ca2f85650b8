"""What texts say: numbers, dates, levels of MRD, words."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importing import names
from data.importing.mapping import SPELLINGS
from data.importing.values import (
    date_reading,
    dates,
    decimal_of,
    is_missing,
    is_undetermined,
    is_unknown,
    looks_like_mrd,
    mrd_levels,
    numbers,
    sentinels,
    shown_date,
)


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("12", ".", 12.0),
        ("0.01", ".", 0.01),
        ("0,01", ",", 0.01),
        ("1.234,5", ",", 1234.5),
        ("1,234.5", ".", 1234.5),
        ("12 300", ".", 12300.0),
        ("1e-4", ".", 1e-4),
        ("1E-04", ".", 1e-4),
        ("10^-4", ".", 1e-4),
        ("10⁻⁴", ".", 1e-4),
        ("2 x 10^-5", ".", 2e-5),
        ("2,5·10⁻⁵", ",", 2.5e-5),
        ("10-4", ".", 1e-4),
        ("−3.2", ".", -3.2),
    ],
)
def test_numbers_as_people_write_them(text: str, decimal: str, value: float) -> None:
    assert numbers([text], decimal)[0] == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "1e400", "10^-999x", "inf", "nan", "x", "1_000", "12a", "1.2.3", "=1+1", "0x10", "1,2,3"],
)
def test_what_is_no_number(text: str) -> None:
    assert np.isnan(numbers([text])[0])


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_every_plain_number_is_read_with_a_point_and_with_a_comma(values: list[float]) -> None:
    texts = [repr(value) for value in values]
    assert numbers(texts, ".").tolist() == values
    assert numbers([text.replace(".", ",") for text in texts], ",").tolist() == values


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (["1", "2"], "."),
        (["12,345"], None),
        (["12.345", "1.200"], None),
        (["12.345", "0.5"], "."),
        (["12,345", "0,5"], ","),
        (["0.001"], "."),
        (["1.234,5"], ","),
        (["1.234.567"], ","),
        (["1,234,567"], "."),
    ],
)
def test_decimal_sign_is_known_or_open(texts: list[str], sign: str | None) -> None:
    assert decimal_of(texts) == sign


def test_codes_that_may_mean_not_known_stand_far_out() -> None:
    texts = ["31", "54", "999", "-9"]
    assert sentinels(texts, numbers(texts)) == ("999", "-9")
    texts = ["310", "540", "999"]
    assert sentinels(texts, numbers(texts)) == ()


@pytest.mark.parametrize(
    ("text", "unit", "fraction", "less"),
    [
        ("0.01", "percent", 1e-4, False),
        ("0.01 %", "fraction", 1e-4, False),
        ("< 1e-4", "fraction", 1e-4, True),
        ("<0.01%", None, 1e-4, True),
        ("≤ 0.001", "fraction", 1e-3, True),
        ("100", "per million", 1e-4, False),
        ("-4", "log10 fraction", 1e-4, False),
        ("-2", "log10 percent", 1e-4, False),
        ("< -2.5", "log10 percent", 10**-4.5, True),
        ("0", "fraction", 0.0, False),
    ],
)
def test_levels_of_mrd(text: str, unit: str, fraction: float, less: bool) -> None:
    read = mrd_levels([text], unit)
    assert read.fraction[0] == pytest.approx(fraction)
    assert bool(read.less[0]) is less


def test_words_are_no_levels_but_look_like_mrd() -> None:
    assert np.isnan(mrd_levels(["neg", ">1e-3", "ND"], "percent").fraction).all()
    assert looks_like_mrd(["neg", "<0.01", "0.5", "ND"])
    assert not looks_like_mrd(["high", "low", "1"])
    assert not looks_like_mrd([])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_example_of_every_spelling_is_the_fifth_of_march(spelling: str) -> None:
    assert dates([SPELLINGS[spelling]], spelling)[0] == np.datetime64("2024-03-05")


@pytest.mark.parametrize(
    ("text", "spelling", "day"),
    [
        ("2024-03-05 00:00:00", "year-month-day", "2024-03-05"),
        ("2024-03-05T10:11", "year-month-day", "2024-03-05"),
        ("05MAR2024", "day month-name year", "2024-03-05"),
        ("5. März 2004", "day month-name year", "2004-03-05"),
        ("1-Dez-1999", "day month-name year", "1999-12-01"),
        ("5.3.98", "day.month.yy", "1998-03-05"),
        ("5.3.21", "day.month.yy", "2021-03-05"),
    ],
)
def test_dates_as_people_write_them(text: str, spelling: str, day: str) -> None:
    assert dates([text], spelling)[0] == np.datetime64(day)


@pytest.mark.parametrize(
    "text", ["30/02/2024", "00/09/01", "00/09/20+T12501", "not known", "2024-03", "5"]
)
def test_what_is_no_date(text: str) -> None:
    assert all(np.isnat(dates([text], spelling)[0]) for spelling in SPELLINGS)


def test_one_unambiguous_cell_decides() -> None:
    reading = date_reading(["5/6/1997", "13/5/1997", "1/1/1998"])
    assert reading.certain == "day/month/year"
    assert (reading.both, reading.decided_by) == (1, "13/5/1997")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_day_that_starts_with_its_year_is_read_under_every_spelling(spelling: str) -> None:
    assert dates(["2024-03-05"], spelling)[0] == np.datetime64("2024-03-05")


def test_typed_dates_leave_the_spelling_to_the_texts_beside_them() -> None:
    typed = ["2024-03-05", "2024-04-06", "2024-05-07"]
    assert date_reading(typed).spellings == ("year-month-day",)
    assert date_reading([*typed, "26.07.2024"]).certain == "day.month.year"
    assert set(date_reading([*typed, "05/07/2024"]).spellings) == {
        "day/month/year", "month/day/year",
    }  # fmt: skip
    assert date_reading([*typed, "07/2024"]).unread == {"year-month-day": ("07/2024",)}


def test_what_is_not_known_is_not_the_same_as_nothing() -> None:
    assert all(is_unknown(text) for text in ("Unknown", "?", "k.A.", "lost to follow-up"))
    assert not any(is_unknown(text) for text in ("-", "n/a", ".", "none", "2020-01-01"))
    assert all(is_undetermined(text) for text in ("nd", "N.D.", "nb", "n. d."))
    assert not any(is_undetermined(text) for text in ("neg", "not detected", "unknown"))


def test_what_both_readings_fit_is_open() -> None:
    reading = date_reading(["5/6/1997", "4/5/1998"])
    assert set(reading.spellings) == {"day/month/year", "month/day/year"}
    assert reading.certain is None
    assert shown_date("5/6/1997", "day/month/year") == "5 June 1997"
    assert shown_date("5/6/1997", "month/day/year") == "6 May 1997"


def test_contradicting_cells_are_open_with_what_each_cannot_read() -> None:
    texts = ["13/5/1997", "5/13/1997", "1/2/2000", "3/4/2000", "5/6/2000"]
    reading = date_reading(texts)
    assert reading.unread == {"day/month/year": ("5/13/1997",), "month/day/year": ("13/5/1997",)}
    assert reading.certain is None


def test_two_digits_of_a_year_are_always_asked() -> None:
    reading = date_reading(["13.05.98", "14.06.99"])
    assert reading.spellings == ("day.month.yy",)
    assert reading.certain is None


def test_same_day_either_way_needs_no_question() -> None:
    assert date_reading(["5/5/2001", "6/6/2001"]).certain is not None


def test_what_is_hardly_ever_a_date_is_none() -> None:
    assert date_reading(["1/2/2000", "yes", "no", "maybe"]).spellings == ()
    assert date_reading(["12", "13"]).spellings == ()
    assert date_reading(["-", "?"]).spellings == ()


@given(
    st.lists(st.dates(datetime.date(1969, 1, 1), datetime.date(2068, 12, 31)), min_size=1),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y-%m-%d", "%d-%b-%Y", "%d.%m.%y"]),
)
def test_dates_survive_every_spelling(days: list[datetime.date], form: str) -> None:
    texts = [day.strftime(form) for day in days]
    reading = date_reading(texts)
    wanted = np.array(days, dtype="datetime64[D]")
    assert any((dates(texts, spelling) == wanted).all() for spelling in reading.spellings)


@pytest.mark.parametrize("text", ["unknown", "n/a", "k.A.", "unbekannt", "-", "?", "Not known"])
def test_missing_words(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["ND", "none", "999", "neg", "0", "no"])
def test_words_that_say_something(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize(
    ("target", "type_", "text", "level"),
    [
        ("sex", "level", "männlich", "male"),
        ("sex", "level", "w", "female"),
        ("sex", "level", "F", "female"),
        ("died", "boolean", "verstorben", "yes"),
        ("relapsed", "boolean", "nein", "no"),
        ("relapsed", "boolean", "Rezidiv", "yes"),
        ("ph_status", "level", "Pos", "positive"),
        ("ph_status", "level", "+", "positive"),
        ("ph_status", "level", "1", "positive"),
        ("ph_status", "level", "BCR::ABL1", "positive"),
        ("ph_status", "level", "BCR/ABL", "positive"),
        ("lineage", "level", "B-ALL", "B"),
        ("material", "level", "KM", "BM"),
        ("assay", "level", "clonoSEQ", "NGS"),
        ("mrd_result", "mrd", "not detected", "negative"),
        ("mrd_result", "mrd", "undetectable", "negative"),
        ("mrd_result", "mrd", "positiv, nicht quantifizierbar", "below LOD"),
        ("mrd_result", "mrd", "ND", None),
        ("OS_status", "level", "1:DECEASED", "event"),
        ("OS_status", "level", "0:LIVING", "censored"),
        ("RFS_status", "level", "1:Recurred/Progressed", "event"),
        ("OS_status", "level", "1", None),
        ("assay", "level", "PCR", None),
        ("kind", "level", "Blincyto", "blinatumomab"),
        ("endpoint", "level", "Leukemia-free survival", "RFS"),
    ],
)
def test_levels_of_whole_texts(target: str, type_: str, text: str, level: str | None) -> None:
    assert names.level(target, type_, text) == level


def test_a_minus_beside_a_plus_is_no_and_m_beside_h_is_open() -> None:
    assert names.level("ph_status", "level", "-", {"+", "-"}) == "negative"
    assert names.level("sex", "level", "M", {"m", "h"}) is None


@pytest.mark.parametrize(
    ("text", "relapsed", "died", "allo", "auto"),
    [
        ("BMT / DEATH IN CR", "no", "yes", "yes", "no"),
        ("AUBMT / REL", "yes", "", "no", "yes"),
        ("CCR / OFF", "no", "no", "", ""),
        ("MUD / DEATH IN CR", "no", "yes", "yes", "no"),
        ("REL / SNC", "yes", "", "", ""),
        ("kein Rezidiv, lebt", "no", "no", "", ""),
    ],
)
def test_words_in_outcome_texts(text: str, relapsed: str, died: str, allo: str, auto: str) -> None:
    targets = ("relapsed", "died", "alloSCT_given", "autoSCT_given")
    assert tuple(names.by_words(t, text) for t in targets) == (relapsed, died, allo, auto)


def test_every_level_in_the_lists_is_one_of_its_target() -> None:
    from data.importing.mapping import TARGETS

    for target, known in names.LEVELS.items():
        if target != "boolean":
            assert set(known.values()) <= set(TARGETS[target].levels), target
    assert set(names.PATIENT_COLUMNS.values()) <= set(TARGETS)
    for role, columns in names.ROLE_COLUMNS.items():
        assert all(role in TARGETS[target].roles for target in columns.values())
