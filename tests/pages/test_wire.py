"""A chart on the wire holds the rows that the chart holds."""

from __future__ import annotations

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from streamlit.dataframe_util import convert_anything_to_arrow_bytes

from pages.elements.charts.wire import packed

VALUES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=False))
ROWS = st.lists(
    st.fixed_dictionaries({"t": VALUES}, optional={"text": st.text(max_size=5), "n": st.integers(0, 9)}),
    min_size=1, max_size=6,
)  # fmt: skip


def rows_of(stream: bytes) -> list[dict[str, object]]:
    return pa.ipc.open_stream(stream).read_all().to_pylist()


@given(ROWS)
def test_rows_arrive_as_they_are_and_what_is_missing_as_null(rows: list[dict[str, object]]) -> None:
    names = {name for row in rows for name in row}

    def known(value: object) -> object:
        return None if isinstance(value, float) and math.isnan(value) else value

    expected = [{name: known(row.get(name)) for name in names} for row in rows]
    assert rows_of(packed({"datasets": {"a": rows}})["datasets"]["a"]) == expected


def test_streamlit_would_send_the_same_columns_and_types() -> None:
    rows = [
        {"x": 1, "y": 2.5, "text": "a", "on": True},
        {"x": 2, "y": math.nan, "text": None, "on": False},
    ]
    ours, theirs = (
        pa.ipc.open_stream(stream).read_all()
        for stream in (
            packed({"datasets": {"a": rows}})["datasets"]["a"],
            convert_anything_to_arrow_bytes(rows),
        )
    )
    assert ours.to_pylist() == theirs.to_pylist()
    assert [field.name for field in ours.schema] == [field.name for field in theirs.schema]
    assert ours.schema.types[:2] == theirs.schema.types[:2]


def test_the_chart_itself_is_not_changed() -> None:
    chart = {"mark": "line", "datasets": {"a": [{"x": 1}], "none": []}}
    sent = packed(chart)
    assert sent["mark"] == "line"
    assert chart["datasets"] == {"a": [{"x": 1}], "none": []}
    assert rows_of(sent["datasets"]["none"]) == []
