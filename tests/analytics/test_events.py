"""The event table and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.events import event_table


def rows(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_counts_per_group_and_time() -> None:
    frame = rows(day=[5, 5, 5, 7, 2], code=[1, 0, 2, 3, 1], sex=["m", "m", "m", "m", "f"])
    table = event_table(frame, time="day", event="code", by="sex")
    assert table.to_dict("list") == {
        "sex": ["f", "m", "m"],
        "time": [2, 5, 7],
        "n_event": [1, 1, 0],
        "n_competing": [0, 1, 1],
        "n_censored": [0, 1, 0],
        "n_cause_2": [0, 1, 0],
        "n_cause_3": [0, 0, 1],
    }
    assert all(table[name].dtype == np.int64 for name in table.columns[1:])
    assert table.attrs["n_dropped"] == 0


def test_late_entries_are_counted_and_impossible_ones_dropped() -> None:
    frame = rows(start=[0, 3, 6, 5], day=[4, 8, 6, 4], code=[1, 0, 1, 1])
    table = event_table(frame, time="day", event="code", entry="start")
    assert table["time"].tolist() == [0, 3, 4, 8]
    assert table["n_entry"].tolist() == [1, 1, 0, 0]
    assert table[["n_event", "n_censored"]].to_numpy().tolist() == [[0, 0], [0, 0], [1, 0], [0, 1]]
    assert table.attrs["n_dropped"] == 2


def test_one_competing_cause_needs_no_column_of_its_own() -> None:
    frame = rows(day=[5, 5, 7], code=[1, 0, 2])
    table = event_table(frame, time="day", event="code")
    assert list(table.columns) == ["time", "n_event", "n_competing", "n_censored"]


def test_a_single_cause_of_another_code_has_a_column() -> None:
    frame = rows(day=[5, 5, 7], code=[1, 0, 4])
    table = event_table(frame, time="day", event="code")
    assert table["n_cause_4"].tolist() == table["n_competing"].tolist() == [0, 1]
    assert "n_cause_2" not in table.columns


def test_causes_of_rows_that_are_dropped_do_not_count() -> None:
    frame = rows(start=[0, 6, 1], day=[5, 6, 7], code=[1, 3, 2])
    table = event_table(frame, time="day", event="code", entry="start")
    assert not [name for name in table.columns if name.startswith("n_cause")]
    frame = rows(start=[0, 2, 1], day=[5, 6, 7], code=[1, 3, 2])
    table = event_table(frame, time="day", event="code", entry="start")
    assert table["n_cause_2"].tolist() == [0, 0, 0, 0, 0, 1]
    assert table["n_cause_3"].tolist() == [0, 0, 0, 0, 1, 0]
    assert table["n_entry"].tolist() == [1, 1, 1, 0, 0, 0]


def test_rounding_noise_makes_one_time() -> None:
    table = event_table(rows(t=[0.1 + 0.2, 0.3, 0.5], e=[1, 1, 0]), time="t", event="e")
    assert table["time"].tolist() == [0.3, 0.5]
    assert table["n_event"].tolist() == [2, 0]


@pytest.mark.parametrize("codes", [[True, False], [1.0, 0.0]])
def test_codes_may_be_booleans_or_whole_floats(codes: list[object]) -> None:
    table = event_table(rows(t=[1, 2], e=codes), time="t", event="e")
    assert table["n_event"].tolist() == [1, 0]


@pytest.mark.parametrize("code", [-1, 1.5, np.nan, None, "dead"])
def test_unknown_codes_are_refused(code: object) -> None:
    frame = rows(t=[1, 2], e=[0, code])
    with pytest.raises(ValueError, match=r"e: an unknown event code in 1 row \(index 1\)"):
        event_table(frame, time="t", event="e")


@pytest.mark.parametrize(
    ("time", "words"),
    [(-1.0, "negative"), (np.nan, "missing"), (np.inf, "infinite"), ("late", "not a number")],
)
def test_unusable_times_are_refused(time: object, words: str) -> None:
    frame = rows(t=[1, time], e=[0, 1]).set_axis(["a", "b"])
    with pytest.raises(ValueError, match=rf"(?s){words}.*index b"):
        event_table(frame, time="t", event="e")


def test_all_problems_are_reported_at_once() -> None:
    frame = rows(t=[-1, 2, 3], e=[0, 7.5, 1], g=["x", "y", None])
    with pytest.raises(ValueError, match=r"(?s)t: a negative.*e: an unknown.*g: no group label"):
        event_table(frame, time="t", event="e", by="g")


def test_messages_hold_no_values() -> None:
    frame = rows(t=[-98765] * 9, e=[1] * 9)
    with pytest.raises(ValueError, match="9 rows") as caught:
        event_table(frame, time="t", event="e")
    assert "98765" not in str(caught.value)
    assert "0, 1, 2, 3, 4, ..." in str(caught.value)


def test_dates_are_refused() -> None:
    frame = rows(t=pd.to_datetime(["2020-01-01"]), e=[1])
    with pytest.raises(ValueError, match="days from the origin"):
        event_table(frame, time="t", event="e")


def test_absent_columns_and_reserved_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no column 'day'"):
        event_table(rows(t=[1], e=[1]), time="day", event="e")
    with pytest.raises(ValueError, match="'time'"):
        event_table(rows(time=[1], e=[1]), time="time", event="e", by="time")
    with pytest.raises(ValueError, match="'n_cause_2'"):
        event_table(rows(t=[1], e=[1], n_cause_2=[1]), time="t", event="e", by="n_cause_2")


def test_no_patients_make_an_empty_table() -> None:
    table = event_table(rows(t=[], e=[], g=[]), time="t", event="e", by="g")
    assert table.empty
    assert list(table.columns) == ["g", "time", "n_event", "n_competing", "n_censored"]


def test_categories_keep_their_order() -> None:
    levels = pd.Categorical(["high", "low"], categories=["low", "middle", "high"])
    table = event_table(rows(t=[1, 2], e=[1, 0], g=levels), time="t", event="e", by="g")
    assert table["g"].tolist() == ["low", "high"]


def test_a_row_may_stand_for_several_patients() -> None:
    kinds = pd.DataFrame(
        {
            "day": [10, 10, 20, 30, 5],
            "code": [1, 0, 3, 2, 1],
            "since": [0, 3, 0, 8, 5],
            "arm": list("aabba"),
            "patients": [3, 1, 2, 4, 2],
        }
    )
    rows = kinds.loc[kinds.index.repeat(kinds["patients"])]
    asked = {"time": "day", "event": "code", "by": "arm", "entry": "since"}
    many = event_table(kinds, **asked, count="patients")  # type: ignore[arg-type]
    one = event_table(rows, **asked)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(many, one)
    assert many.attrs["n_dropped"] == one.attrs["n_dropped"] == 2
    with pytest.raises(ValueError, match="no column 'weight'"):
        event_table(kinds, time="day", event="code", count="weight")
