"""A chart as the browser takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa


def packed(chart: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chart with its rows as Arrow streams, which Streamlit sends as they are.

    Rows it would make a frame of first, at every run of the page. A row may leave columns out.
    """
    datasets = {name: _stream(rows) for name, rows in chart.get("datasets", {}).items()}
    return {**chart, "datasets": datasets}


def _stream(rows: Sequence[Mapping[str, Any]]) -> bytes:
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table(
        {name: pa.array([row.get(name) for row in rows], from_pandas=True) for name in names}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()
