"""Read Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.importing.formats.cells import Draft, Refused, Texts, check_size
from data.importing.limits import Limits
from data.importing.problems import Problem
from data.importing.sheets import Sheet

_BATCH = 1 << 20
_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls row names without a name."""


def read(path: Path, name: str, limits: Limits) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read a Parquet file as text cells; as `data.importing.formats.read_file`."""
    with _guarded(name):
        schema = pq.read_schema(path)
        rows = pq.read_metadata(path).num_rows
    check_size(name, rows, len(schema.names), limits)
    kept = [place for place, field in enumerate(schema) if not pa.types.is_nested(field.type)]
    if not kept:
        raise Refused(name, "it has no column of plain cells.", "Save the table anew.")
    header = [_INDEX.sub("", schema.names[place]) for place in kept]
    # Row 1 is the header, as if the table stood in a spreadsheet.
    draft = Draft(name, header, [Texts() for _ in kept], range(2, rows + 2))
    for place, field in enumerate(schema):
        if place not in kept:
            what = "the column holds lists or records and is left out."
            draft.found("warning", None, field.name, what, "Store plain values if it is needed.")
    _fill(draft, path, schema, kept, rows)
    draft.reading["rows"] = "numbered as if the column names were row 1"
    return (draft.sheet(limits),), tuple(draft.problems)


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turn what the library raises into a sentence; its words can hold cells."""
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError):
        what = "the Parquet file is damaged or cut off."
        raise Refused(name, what, "Write it again.") from None


def _fill(draft: Draft, path: Path, schema: Any, kept: list[int], rows: int) -> None:
    texts = [
        field.name
        for field in map(schema.field, kept)
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    done = 0
    with _guarded(draft.name):
        file = pq.ParquetFile(path, read_dictionary=texts)
        for batch in file.iter_batches(_BATCH):
            done += len(batch)
            if done > rows:
                break
            for column, place in zip(draft.columns, kept, strict=True):
                column.add(_texts(batch.column(place)))
    if done != rows:
        what = f"it holds another number of rows than the {rows:,} that it names."
        raise Refused(draft.name, what, "Write it again.")
    for number, place in enumerate(kept):
        kind = _value_type(schema.field(place).type)
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            draft.dates.add(number)


def _value_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _texts(array: Any) -> Any:
    """Return a column as a dictionary of texts; distinct values alone are converted."""
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    texts = _written(array.dictionary)
    texts.validate(full=True)  # A damaged file can hold texts that are not UTF-8.
    return pa.DictionaryArray.from_arrays(array.indices, texts)


def _written(values: Any) -> Any:
    """Return values as texts: whole numbers without '.0', dates as YYYY-MM-DD, TRUE and FALSE."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "TRUE", "FALSE")
    if pa.types.is_timestamp(kind):
        values = pc.cast(values, pa.timestamp(kind.unit), safe=False).cast(pa.date32(), safe=False)
    if pa.types.is_date64(kind):
        values = values.cast(pa.date32(), safe=False)
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), None, values)
    if not pa.types.is_binary(kind) and not pa.types.is_large_binary(kind):
        return pc.cast(values, pa.string())
    texts = [value if value is None else value.decode("utf-8") for value in values.to_pylist()]
    return pa.array(texts, pa.string())
