"""Read SAS files: transport files (xpt, version 5 and 8) and sas7bdat."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyreadstat

from data.importing.formats.cells import Draft, Refused, Texts, check_size
from data.importing.limits import Limits
from data.importing.problems import Problem
from data.importing.sheets import Sheet

_CARD = 80
_DESCRIBED = (136, 140)
"""Bytes that describe a column; VAX and VMS write the first."""

_HEAD = b"HEADER RECORD*******"
_DATE = re.compile(
    r"(WEEKDAT[EX]|(MMDDYY|DDMMYY|YYMMDD)[BCDNPS]?|DATE|DTDATE|IS8601DA|[EB]8601DA)[\d.]*"
)
_TIMESTAMP = re.compile(r"(DATETIME|[EB]8601D[TN]|IS8601DT|DATEAMPM|MDYAMPM)[\d.]*")
_TIME = re.compile(r"(TIME|HHMM|TOD|TIMEAMPM|[EB]8601TM|IS8601TM)[\d.]*")
_ZERO = np.datetime64("1960-01-01", "D")
_FIRST, _LAST = -138_061.0, 2_936_547.0
"""The days that SAS knows: 1582 to 9999."""


def read_transport(
    path: Path, name: str, limits: Limits
) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read every data set of a transport file; as `data.importing.formats.read_file`."""
    members = _members(path.read_bytes(), name)
    sheets, problems = [], list[Problem]()
    for member in members:
        rows, columns = _declared(member, name)
        check_size(name, rows, columns, limits)
        with _guarded(name):
            cells, meta = pyreadstat.read_xport(
                io.BytesIO(member), disable_datetime_conversion=True, output_format="dict"
            )
        title = f"{name}: {meta.table_name}" if len(members) > 1 else name
        draft = _draft(title, cells, meta)
        if (len(draft.rows), len(draft.header)) != (rows, columns):
            what = (
                f"the file has room for {rows:,} rows of {columns:,} columns, "
                f"and {len(draft.rows):,} of {len(draft.header):,} can be read: it is damaged."
            )
            raise Refused(name, what, "Export it again.")
        sheets.append(draft.sheet(limits))
        problems += draft.problems
    return tuple(sheets), tuple(problems)


def read_sas7bdat(
    path: Path, name: str, limits: Limits
) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read a sas7bdat file; as `data.importing.formats.read_file`."""
    with _guarded(name):
        _, meta = pyreadstat.read_sas7bdat(path, metadataonly=True)
    rows = meta.number_rows or 0
    check_size(name, rows, meta.number_columns or 0, limits)
    with _guarded(name):
        cells, meta = pyreadstat.read_sas7bdat(
            path, disable_datetime_conversion=True, output_format="dict"
        )
    draft = _draft(name, cells, meta)
    if len(draft.rows) != rows:
        what = f"it holds {len(draft.rows):,} rows and names {rows:,}: it is damaged."
        raise Refused(name, what, "Export it again.")
    return (draft.sheet(limits),), tuple(draft.problems)


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turn what the library raises into a sentence; its words can hold cells."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        # The library raises its own error, and plain ones of every kind on damaged metadata.
        what = f"the SAS file is damaged, cut off or protected ({type(error).__name__})."
        raise Refused(name, what, "Export it again.") from None


def _members(content: bytes, name: str) -> list[bytes]:
    """Return each data set of a transport file as a transport file of its own."""
    if len(content) % _CARD:
        what = "it does not end with a whole record: it is cut off or was changed on the way."
        raise Refused(name, what, "Transfer it again, as a binary file.")
    starts = [
        match.start()
        for match in re.finditer(rb"HEADER RECORD\*{7}MEMB(ER |V8 ) HEADER RECORD!{7}", content)
        if match.start() % _CARD == 0
    ]
    if not starts:
        raise Refused(name, "it holds no data set, or is damaged.", "Export it again.")
    ends = [*starts[1:], len(content)]
    head = content[: starts[0]]
    return [head + content[start:end] for start, end in zip(starts, ends, strict=True)]


def _declared(member: bytes, name: str) -> tuple[int, int]:
    """Return rows and columns as header and length of a data set say.

    A changed byte in the header gives a table of another shape without an error.
    """
    names = member.find(_HEAD + b"NAM")
    data = member.find(_HEAD + b"OBS", names)
    width = member[member.find(_HEAD + b"MEMB") + 74 :][:4]
    count = member[names + 48 : names + 58]
    if names < 0 or data < 0 or not width.strip().isdigit() or not count.strip().isdigit():
        raise Refused(name, "its header is damaged.", "Export it again.")
    columns, step = int(count), int(width)
    end = names + _CARD + columns * step
    if step not in _DESCRIBED or end > data:
        raise Refused(name, "its header is damaged.", "Export it again.")
    lengths = [
        int.from_bytes(member[start + 4 : start + 6], "big")
        for start in range(names + _CARD, end, step)
    ]
    if not lengths or not all(lengths):
        raise Refused(name, "its header is damaged.", "Export it again.")
    values = member[data + _CARD :].rstrip(b" ")
    rows = -(-len(values) // sum(lengths))
    if rows * sum(lengths) > len(member) - data - _CARD:
        raise Refused(name, "its last row is not whole: it is cut off.", "Export it again.")
    return rows, columns


def _draft(name: str, cells: dict[str, Any], meta: Any) -> Draft:
    header = list(cells)
    rows = len(next(iter(cells.values()))) if cells else 0
    draft = Draft(name, header, [Texts() for _ in header], range(2, rows + 2))
    labels = meta.column_names_to_labels
    draft.labels = {n: labels[c].strip() for n, c in enumerate(header) if labels.get(c)}
    formats = []
    for place, column in enumerate(header):
        form = (meta.original_variable_types.get(column) or "").upper().strip("$. ")
        texts = cells[column]
        if meta.readstat_variable_types[column] != "string":
            texts, dated = _numbers(draft, column, texts, form)
            if dated:
                draft.dates.add(place)
        draft.columns[place].add(texts)
        if form and place not in draft.dates and not re.fullmatch(r"(BEST|F|CHAR)?[\d.]*", form):
            formats.append(f"{column}: {form}")
    if formats:
        draft.reading["value formats"] = "not applied: " + ", ".join(formats)
    draft.reading["rows"] = "numbered as if the column names were row 1"
    return draft


def _numbers(draft: Draft, column: str, cells: Any, form: str) -> tuple[Any, bool]:
    """Return numbers as texts, and whether the format makes them dates."""
    codes, distinct = pd.factorize(np.asarray(cells, dtype="float64"))
    days = distinct
    texts = [_number(value) for value in distinct]
    dated = bool(_DATE.fullmatch(form) or _TIMESTAMP.fullmatch(form))
    if _TIMESTAMP.fullmatch(form) or form.startswith("DTDATE"):
        days = distinct / 86_400
    if dated:
        known = np.isfinite(days) & (days >= _FIRST) & (days <= _LAST)
        whole = np.floor(np.where(known, days, 0)).astype("int64").astype("timedelta64[D]")
        dates = np.datetime_as_string(_ZERO + whole)
        texts = [str(d) if k else t for d, k, t in zip(dates, known, texts, strict=True)]
        if not known.all():
            what = "the column is typed as dates and holds numbers that are none."
            draft.found("warning", None, column, what, "Correct them; they stay numbers here.")
        if _TIMESTAMP.fullmatch(form):
            draft.found("note", None, column, "times of day are left out.", "Days are enough.")
    elif _TIME.fullmatch(form):
        texts = [_clock(value) for value in distinct]
    indices = pa.array(codes, pa.int64(), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string())), dated


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}"
