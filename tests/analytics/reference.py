"""Reads the reference cases of tests/reference."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.events import event_table

FOLDER = Path(__file__).parents[1] / "reference"
CASES = ("01_aml", "02_veteran", "12_edge")


@cache
def further() -> dict[str, Any]:
    return json.loads((FOLDER / "further.json").read_text())


@cache
def data(case: str) -> pd.DataFrame:
    path = FOLDER / "lung.csv" if case == "lung" else FOLDER / case / "data.csv"
    return pd.read_csv(path)


@cache
def _expected(case: str) -> dict[str, Any]:
    return json.loads((FOLDER / case / "expected.json").read_text())


def analyses(*types: str) -> list[Any]:
    """The analyses of these types, as (case, analysis), each with a readable id."""
    import pytest

    return [
        pytest.param(case, analysis, id=f"{case}-{analysis['id']}")
        for case in CASES
        for analysis in _expected(case)["analyses"]
        if analysis["type"] in types
    ]


def events_of(case: str, analysis: dict[str, Any]) -> pd.DataFrame:
    rows = data(case)
    if "filter" in analysis:
        rows = rows[rows["g"].isin(re.findall(r"'([^']*)'", analysis["filter"]))]
    columns = analysis["columns"]
    by = [columns[name] for name in ("group", "strata") if name in columns]
    return event_table(rows, time=columns["time"], event=columns["event"], by=by)


def group_rows(frame: pd.DataFrame, group: str | None, label: str) -> pd.DataFrame:
    """The rows of one group, whose label the JSON holds as text."""
    return frame if group is None else frame[frame[group].astype(str) == label]


def numbers(values: Any) -> np.ndarray:
    """JSON values as floats, null as NaN."""
    return np.asarray(values, dtype=np.float64)
