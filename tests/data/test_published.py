"""The published tables against their own arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from data import published

TABLES = published.tables()
DISCREPANCIES = published.discrepancies()
Row = dict[str, str]

# Where arithmetic fails: cells of the row, and how the line begins that explains it.
EXCEPTIONS: dict[tuple[str, ...], str] = {
    ("short2025", "insufficient metaphases"): "cytogenetics counts 30 + 3 + 11",
    ("short2025", "cytogenetics", "sum"): "cytogenetics counts 30 + 3 + 11",
    ("short2025", "Ph-negative high-risk", "21"): "alloSCT in 21 of 59",
    ("short2025", "all", "sum"): "disposition 24 alloSCT",
    ("nguyen2026", "cytogenetics", "1"): "cytogenetics percents 2%",
    ("nguyen2026", "disease_status", "1"): "disease status percents 2%",
    ("nguyen2026", "frontline_therapy", "7"): "frontline mini-CVD",
    ("nguyen2026", "frontline_therapy", "2"): "frontline therapy in CR1",
    ("nguyen2026", "frontline_therapy", "sum"): "frontline therapy in CR1",
    ("nguyen2026", "prior_inotuzumab", "13"): "best response without prior inotuzumab",
}


def rows(table: str) -> list[Row]:
    return TABLES[table].to_dict("records")


def cases(found: Iterable[Row]) -> list[Any]:
    return [pytest.param(row, id="-".join(filter(None, list(row.values())[:5]))) for row in found]


def explained(*cells: str) -> bool:
    """Tell whether an exception names these cells, and discrepancies.md lists it."""
    for named, start in EXCEPTIONS.items():
        if set(named) <= set(cells):
            listed = DISCREPANCIES[DISCREPANCIES["study"] == named[0]]["printed"]
            return bool(listed.str.startswith(start).any())
    return False


def shares() -> list[Row]:
    found = rows("baseline") + rows("disposition")
    found += [
        {**row, "n": row["n_negative"], "denominator": row["n_evaluable"]}
        for row in rows("mrd_negativity")
    ]
    return [row for row in found if row["n"] and row["denominator"]]


@pytest.mark.parametrize("row", cases(row for row in shares() if row["percent"]))
def test_percent_is_count_by_denominator(row: Row) -> None:
    share = Decimal(100) * int(row["n"]) / int(row["denominator"])
    rounded = share.quantize(Decimal(row["percent"]), rounding=ROUND_HALF_UP)
    assert (str(rounded) == row["percent"]) != explained(*row.values())


def test_a_count_does_not_exceed_its_denominator() -> None:
    assert all(int(row["n"]) <= int(row["denominator"]) for row in shares() if row["percent"])


@pytest.mark.parametrize(
    ("study", "characteristic"),
    [
        ("short2025", "ph_status"),
        ("short2025", "frontline_therapy"),
        ("short2025", "cytogenetics"),
        ("short2025", "trackable_locus"),
        ("short2025", "tki"),
        ("nguyen2026", "ph_status"),
        ("nguyen2026", "ecog"),
        ("nguyen2026", "cytogenetics"),
        ("nguyen2026", "frontline_therapy"),
        ("nguyen2026", "disease_status"),
    ],
)
def test_levels_sum_to_the_denominator(study: str, characteristic: str) -> None:
    found = [
        row for row in rows("baseline")
        if (row["study"], row["characteristic"]) == (study, characteristic)
    ]  # fmt: skip
    (total,) = {int(row["denominator"]) for row in found}
    counted = sum(int(row["n"]) for row in found)
    assert (counted == total) != explained(study, characteristic, "sum")


def test_states_of_all_patients_sum_to_them() -> None:
    states = (
        "alloSCT in first remission",
        "CAR T-cell consolidation in first remission",
        "relapse without alloSCT or CAR T-cell",
        "died in remission",
        "alive without relapse and without alloSCT or CAR T-cell",
    )
    counted = {row["state"]: row for row in rows("disposition") if row["population"] == "all"}
    total = sum(int(counted[state]["n"]) for state in states)
    assert (total == 161) != explained("short2025", "all", "sum")
    relapses = ("alloSCT then relapse", "CAR T-cell then relapse", states[2])
    assert sum(int(counted[state]["n"]) for state in relapses) == int(counted["relapse"]["n"])


def test_subgroups_of_mrd_sum_to_all() -> None:
    counted = {
        tuple(row[name] for name in ("study", "timepoint", "subgroup", "level")): (
            int(row["n_negative"]), int(row["n_evaluable"]),
        )
        for row in rows("mrd_negativity")
    }  # fmt: skip
    for (study, timepoint, subgroup, _), everybody in counted.items():
        parts = [
            value for (s, t, g, level), value in counted.items()
            if (s, t, g) == (study, timepoint, "ph_status") and level != "all"
        ]  # fmt: skip
        if subgroup == "all" and parts:
            assert tuple(map(sum, zip(*parts, strict=True))) == everybody


@pytest.mark.parametrize(
    "row", cases(row for row in rows("survival_rates") if row["ci_low"] or row["ci_high"])
)
def test_interval_contains_the_estimate(row: Row) -> None:
    assert float(row["ci_low"] or 0) <= float(row["percent"]) <= float(row["ci_high"] or 100)


def test_a_limit_left_out_is_explained() -> None:
    one_limit = [
        row for row in rows("survival_rates") if bool(row["ci_low"]) != bool(row["ci_high"])
    ]
    assert one_limit
    assert all("see discrepancies" in row["source"] for row in one_limit)


def test_medians_lie_inside_their_ranges() -> None:
    for row in rows("baseline"):
        if row["low"]:
            assert float(row["low"]) <= float(row["value"]) <= float(row["high"])


def test_every_exception_is_one_that_is_needed_and_listed() -> None:
    for named in EXCEPTIONS:
        assert explained(*named)


def test_discrepancies_name_publications_and_are_complete() -> None:
    assert set(DISCREPANCIES["study"]) <= set(published.PUBLICATIONS)
    assert DISCREPANCIES.ne("").all(axis=None)


def test_publications_are_cited() -> None:
    assert all(row["citation"] for row in published.PUBLICATIONS.values())
    assert published.PUBLICATIONS["short2025"]["n"] == "161"


def test_every_cell_is_text() -> None:
    assert all(
        frame.map(lambda cell: isinstance(cell, str)).all(axis=None) for frame in TABLES.values()
    )
