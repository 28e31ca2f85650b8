"""Read workbooks: XLSX, XLSM, XLS and ODS."""

from __future__ import annotations

import datetime
import io
import itertools
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import python_calamine as calamine

from data.importing.formats.cells import (
    Draft,
    Refused,
    Texts,
    check_header,
    check_size,
    header_place,
)
from data.importing.limits import Limits
from data.importing.problems import Problem
from data.importing.sheets import Sheet

_BLOCK = 1 << 20
_SMALL = 10_000_000
"""Archives that unpack to less than this may be packed as tightly as they like."""

_CHUNK_CELLS = 500_000
_SEARCHED = 50
_NAMED = 20
"""How many cells with errors are named."""
_DAMAGED = "the workbook is damaged or cut off."
_ANEW = "Open it in a spreadsheet program and save it as XLSX."
_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s>])([^<>]*)>(?!</)")
_ROW = re.compile(rb"<(?:\w+:)?row\s[^<>]*?\br\s*=\s*[\"'](\d+)[\"'][^<>]*(?<!/)>")
_NEW_ROW = re.compile(rb"<(?:\w+:)?row(?=[\s>])")
_PLACE = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]+)(\d+)[\"']")
_ERROR = re.compile(rb"\bt\s*=\s*[\"']e[\"']")
_FORMULA = re.compile(rb"</(?:\w+:)?f>(?:<v></v>|<v ?/>)?</(?:\w+:)?c>")
_ODS = re.compile(rb"<(/?)table:(table-row|(?:covered-)?table-cell|table)(?=[\s>/])([^<>]*)>")
_REPEATED = re.compile(rb"number-(?:rows|columns)-repeated\s*=\s*[\"'](\d+)[\"']")


@dataclass
class _Extent:
    """What one part of a workbook holds, before it is opened: as far as its filled cells reach.

    `errors` are the first cells with an error value such as #N/A; `blank` counts formulas that were
    stored without their result.
    """

    rows: int = 0
    columns: int = 0
    errors: list[str] = field(default_factory=list)
    n_errors: int = 0
    blank: int = 0


def read(
    path: Path, name: str, limits: Limits, *, form: str, header_row: int | None = None
) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read every visible sheet that holds a table; as `data.importing.formats.read_file`."""
    parts = {} if form == "XLS" else _checked(path, name, limits, form)
    with _guarded(name), path.open("rb") as file:
        book = calamine.CalamineWorkbook.from_filelike(file)
        listed = [(sheet.name, sheet.typ, sheet.visible) for sheet in book.sheets_metadata]
    paths = _paths(path) if form == "XLSX" else {}
    sheets: list[Sheet] = []
    problems: list[Problem] = []
    alone = sum(visible == calamine.SheetVisibleEnum.Visible for _, _, visible in listed) == 1
    for title, kind, visible in listed:
        if visible != calamine.SheetVisibleEnum.Visible:
            what = f"the sheet ‘{title}’ is hidden and is left out."
            problems.append(_note(name, what, "Show it in the workbook if it is needed."))
        elif kind == calamine.SheetTypeEnum.WorkSheet:
            draft = _draft(book, title, f"{name}: {title}", limits, header_row, alone=alone)
            if draft is None:
                what = f"the sheet ‘{title}’ holds no table and is left out."
                problems.append(
                    _note(name, what, "A table has two columns with names and rows below them.")
                )
                continue
            _lost(draft, parts.get(paths.get(title, ""), _Extent()))
            sheets.append(draft.sheet(limits))
            problems += draft.problems
    if not sheets:
        what = "no visible sheet holds a table: two columns with names and rows below them."
        problems.append(Problem("fatal", name, None, None, None, what, "Add one."))
    return tuple(sheets), tuple(problems)


def _note(name: str, what: str, remedy: str) -> Problem:
    return Problem("note", name, None, None, None, what, remedy)


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turn what the library raises into a sentence; its words can hold cells."""
    try:
        yield
    except calamine.PasswordError:
        what = "the workbook is protected by a password."
        raise Refused(name, what, "Save it without one.") from None
    except (calamine.CalamineError, OSError, ValueError, OverflowError):
        raise Refused(name, _DAMAGED, _ANEW) from None
    except BaseException as error:
        # The library's own panics derive from BaseException and can be named in no other way.
        if type(error).__name__ != "PanicException":
            raise
        raise Refused(name, _DAMAGED, _ANEW) from None


def _draft(
    book: calamine.CalamineWorkbook,
    title: str,
    name: str,
    limits: Limits,
    header_row: int | None,
    *,
    alone: bool,
) -> Draft | None:
    """Read one sheet; None if it holds no table."""
    with _guarded(name):
        sheet = book.get_sheet_by_name(title)
        start, end = sheet.start, sheet.end
    if start is None or end is None:
        return None
    check_size(name, end[0] + 1, end[1] - start[1] + 1, limits)
    rows = iter(sheet.iter_rows())
    first = [[_text(cell) for cell in row] for row in itertools.islice(rows, start[0] + _SEARCHED)]
    if not any(map(any, first)):
        return None
    place = header_place(first, name) if header_row is None else header_row - 1
    if not 0 <= place < min(end[0], len(first)) or sum(map(bool, first[place])) < 2:
        return None
    header = [text or "" for text in first[place]]
    draft = Draft(name, header, [Texts() for _ in header], range(place + 2, end[0] + 2), place + 1)
    again = itertools.islice(sheet.iter_rows(), place + 1, None)
    _fill(draft, again, place + 2)
    check_header(draft, sum(map(any, first[:place])), chosen=header_row is not None, alone=alone)
    _merged(draft, sheet.merged_cell_ranges or [])
    return draft


def _fill(draft: Draft, rows: Iterator[list[Any]], row: int) -> None:
    """Add the rows below the header, column by column, and find the columns of dates."""
    width = len(draft.header)
    dates: list[list[int]] = [[] for _ in range(width)]
    timed: set[int] = set()
    filled = [0] * width
    while chunk := list(itertools.islice(rows, max(1, _CHUNK_CELLS // width))):
        for place, cells in enumerate(zip(*chunk, strict=True)):
            kinds = set(map(type, cells))
            if kinds <= {str}:
                draft.columns[place].add(cells)
                filled[place] += len(cells) - cells.count("")
                continue
            if kinds & {datetime.date, datetime.datetime}:
                found = [n for n, cell in enumerate(cells, row) if isinstance(cell, datetime.date)]
                dates[place] += found
                if datetime.datetime in kinds:
                    timed.add(place)
            texts = [_text(cell) for cell in cells]
            filled[place] += sum(map(bool, texts))
            draft.columns[place].add(texts)
        row += len(chunk)
    for place, found in enumerate(dates):
        if found:
            _dates(draft, place, found, filled[place], place in timed)


def _dates(draft: Draft, place: int, found: Sequence[int], filled: int, timed: bool) -> None:
    """Say that a column holds dates, or which of its cells do."""
    column = draft.header[place].strip() or None
    if len(found) * 2 > filled:
        draft.dates.add(place)
        if timed:
            draft.found("note", None, column, "times of day are left out.", "Days are enough.")
        if len(found) < filled:
            what = f"{filled - len(found):,} cells of this column of dates are typed otherwise."
            remedy = "Dates among them are read by their spelling; correct the others."
            draft.found("warning", None, column, what, remedy)
    else:
        what = f"{len(found):,} cells of this column are typed as dates, the first in this row."
        remedy = (
            "Look: a spreadsheet makes dates of numbers. Dates as text are read by their spelling."
        )
        draft.found("warning", found[0], column, what, remedy)


def _text(cell: Any) -> str | None:
    """Return a cell as text: whole numbers without '.0', dates as YYYY-MM-DD."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
        case datetime.date():
            return cell.isoformat()[:10]
        case None:
            return None
    return str(cell)


def _merged(draft: Draft, ranges: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    """Say where cells below the header are merged: only the first of them holds the value."""
    below = [top for (top, _), (bottom, _) in ranges if bottom >= draft.header_row]
    if below:
        what = (
            f"{len(below):,} groups of cells are merged, the first here; only one holds the value."
        )
        draft.found("warning", min(below) + 1, None, what, "Unmerge them and fill every cell.")


def _lost(draft: Draft, extent: _Extent) -> None:
    """Say which cells the file has without a value that can be read."""
    if extent.n_errors:
        cells = ", ".join(extent.errors)
        more = f" and {extent.n_errors - len(extent.errors):,} more" * (
            extent.n_errors > len(extent.errors)
        )
        what = f"cells with an error such as #N/A are empty here: {cells}{more}."
        draft.found("warning", None, None, what, "Correct the formulas if the values are needed.")
    if extent.blank:
        what = f"{extent.blank:,} formulas were stored without a result and are empty here."
        draft.found("warning", None, None, what, "Open the workbook and save it again.")


def _checked(path: Path, name: str, limits: Limits, form: str) -> dict[str, _Extent]:
    """Look through the archive before anything is unpacked into memory.

    The library keeps the rectangle around all filled cells in memory, so that two cells far apart
    would take all of it.
    """
    extents = {}
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            members = archive.infolist()
            _check_sizes(members, path.stat().st_size, name, limits)
            for member in members:
                if not member.filename.endswith((".xml", ".rels")):
                    for _ in _unpacked(file, member):
                        pass
                elif form == "ODS":
                    _ods_extent(_tags(_unpacked(file, member)), name, limits)
                else:
                    extent = _extent(_tags(_unpacked(file, member)))
                    _check_extent(extent, name, member.filename, limits)
                    extents[member.filename] = extent
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, ValueError):
        raise Refused(name, _DAMAGED, _ANEW) from None
    return extents


def _check_sizes(members: Sequence[zipfile.ZipInfo], size: int, name: str, limits: Limits) -> None:
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.unpacked_bytes:
        what = f"it unpacks to {unpacked / 1e6:,.0f} MB; {limits.unpacked_bytes / 1e6:,.0f} MB can be read."
        raise Refused(name, what, "Save the sheets that the study needs as CSV.")
    if unpacked > max(_SMALL, limits.ratio * size):
        what = f"it unpacks to more than {limits.ratio} times its size, as no table does."
        raise Refused(name, what, "Save the sheets that the study needs as CSV.")
    if any(member.flag_bits & 1 for member in members):
        raise Refused(name, "the workbook is protected by a password.", "Save it without one.")
    if any(member.compress_type not in (0, 8) for member in members):
        raise Refused(name, "it is packed in an unusual way.", _ANEW)


def _unpacked(file: BinaryIO, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member in blocks.

    Raises
    ------
    ValueError
        If it holds more than the archive declares: `zipfile` would stop there, others would not.
    """
    file.seek(member.header_offset)
    head = file.read(30)
    if head[:4] != b"PK\3\4":
        raise ValueError("no member stands here")
    file.seek(sum(struct.unpack("<HH", head[26:30])), io.SEEK_CUR)
    left, done = member.compress_size, 0
    inflate = zlib.decompressobj(-15) if member.compress_type else None
    while left and (packed := file.read(min(left, _BLOCK >> 4))):
        left -= len(packed)
        while packed:
            block = inflate.decompress(packed, _BLOCK) if inflate else packed
            packed = inflate.unconsumed_tail if inflate else b""
            done += len(block)
            if done > member.file_size:
                raise ValueError("more than declared")
            yield block
    if done != member.file_size:
        raise ValueError("less than declared")


def _tags(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks that end before an opening tag."""
    rest = b""
    for block in blocks:
        rest += block
        cut = rest.rfind(b"<")
        while cut > 0 and rest[cut + 1 : cut + 2] == b"/":
            cut = rest.rfind(b"<", 0, cut)
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > 8 * _BLOCK:
            raise ValueError("a tag without end")
    yield rest


def _extent(blocks: Iterator[bytes]) -> _Extent:
    """Return the rectangle around the filled cells of a sheet, and its errors."""
    extent = _Extent()
    for block in blocks:
        cells = [cell for cell in _CELL.findall(block) if not cell.endswith(b"/")]
        places = _PLACE.findall(b"\n".join(cells))
        columns = {_column_number(letters) for letters, _ in places}
        rows = {int(row) for _, row in places}
        if len(places) < len(cells):  # A cell without a place stands in the row that it is in.
            rows |= set(map(int, _ROW.findall(block)))
            columns |= {len(_CELL.findall(row)) for row in _NEW_ROW.split(block)}
        extent.columns = max(columns | {extent.columns})
        extent.rows = max(rows | {extent.rows})
        errors = [cell for cell in cells if _ERROR.search(cell)]
        extent.n_errors += len(errors)
        named = [b"".join(m.groups()).decode() for m in map(_PLACE.search, errors) if m]
        extent.errors += named[: _NAMED - len(extent.errors)]
        extent.blank += len(_FORMULA.findall(block)) if b"f>" in block else 0
    return extent


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper()[:7]:
        number = number * 26 + letter - 64
    return number


def _check_extent(extent: _Extent, name: str, part: str, limits: Limits) -> None:
    if extent.columns > limits.columns or extent.rows * extent.columns > limits.cells:
        what = (
            f"in {part} filled cells reach to row {extent.rows:,} and column {extent.columns:,}; "
            f"{limits.columns:,} columns and {limits.cells:,} cells can be read."
        )
        raise Refused(name, what, "Delete what stands far away from the table.")


def _ods_extent(blocks: Iterator[bytes], name: str, limits: Limits) -> None:
    """Refuse an ODS whose rows and cells are repeated into more than can be read."""
    rows = columns = within = gap = times = 0
    for tag in itertools.chain.from_iterable(map(_ODS.finditer, blocks)):
        closing, kind, attributes = tag.groups()
        found = _REPEATED.search(attributes)
        repeated = int(found[1]) if found else 1
        if kind == b"table":
            rows, columns = 0, 0
        elif kind == b"table-row":
            if not closing:
                within, gap, times = 0, 0, repeated
            if closing or attributes.endswith(b"/"):
                rows += times if within else min(times, 1)
                columns = max(columns, within)
        elif not closing:
            gap += repeated
            if not attributes.endswith(b"/") or b"value" in attributes:
                within, gap = within + gap, 0
        if columns > limits.columns or rows * columns > limits.cells:
            what = f"its cells are repeated over {rows:,} rows and {columns:,} columns."
            raise Refused(name, what, "Delete what stands far away from the table.")


def _paths(path: Path) -> dict[str, str]:
    """Return the part of the archive in which each sheet of an XLSX stands, as far as it says."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        try:
            book = archive.read("xl/workbook.xml").decode("utf-8")
            links = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8")
        except (KeyError, UnicodeDecodeError, zipfile.BadZipFile):
            return {}
    targets = {}
    for link in re.findall(r"<Relationship\s[^>]*>", links):
        known = dict(re.findall(r"(Id|Target)=\"([^\"]*)\"", link))
        target = known.get("Target", "")
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        targets[known.get("Id", "")] = part
    found = {}
    for sheet in re.findall(r"<(?:\w+:)?sheet\s[^>]*>", book):
        title = re.search(r"\sname=\"([^\"]*)\"", sheet)
        link = re.search(r"\s\w+:id=\"([^\"]*)\"", sheet)
        if title and link and targets.get(link[1]) in names:
            found[_plain(title[1])] = targets[link[1]]
    return found


def _plain(text: str) -> str:
    from xml.sax.saxutils import unescape

    return unescape(text, {"&quot;": '"', "&apos;": "'"})
