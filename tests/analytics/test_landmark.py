"""Who enters a landmark analysis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.landmark import landmark

PATIENTS = pd.DataFrame(
    {
        "day": [100, 180, 180, 200, 400, 500, 90],
        "code": [1, 0, 2, 1, 0, 1, 0],
        "transplant_day": [np.nan, 50, np.nan, 180, 181, np.nan, np.nan],
    },
    index=list("abcdefg"),
)


def test_reasons() -> None:
    result = landmark(PATIENTS, day=180, time="day", event="code", known_day="transplant_day")
    assert result.kept.index.tolist() == ["d", "f"]
    assert list(result.kept.columns) == list(PATIENTS.columns)
    assert result.kept["day"].tolist() == [200, 500]
    assert result.excluded["reason"].to_dict() == {
        "a": "event before the landmark",
        "b": "last seen before the landmark",
        "c": "event before the landmark",
        "e": "status known only after the landmark",
        "g": "last seen before the landmark",
    }
    assert result.n_events_excluded == 2
    assert result.day == 180


def test_without_a_known_day_status_is_not_asked() -> None:
    result = landmark(PATIENTS, day=180, time="day", event="code")
    assert result.kept.index.tolist() == ["d", "e", "f"]


def test_nobody_excluded_leaves_an_empty_list() -> None:
    result = landmark(PATIENTS, day=0, time="day", event="code")
    assert result.excluded.empty
    assert "reason" in result.excluded.columns


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="day from 0 on"):
        landmark(PATIENTS, day=-1, time="day", event="code")
    with pytest.raises(ValueError, match="unknown event code"):
        landmark(PATIENTS.assign(code=0.5), day=1, time="day", event="code")
    with pytest.raises(ValueError, match="no column 'known'"):
        landmark(PATIENTS, day=1, time="day", event="code", known_day="known")
