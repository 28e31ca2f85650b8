"""Read text tables: CSV, TSV and the like."""

from __future__ import annotations

import codecs
import csv
import gc
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.importing.formats.cells import (
    Draft,
    Refused,
    Texts,
    check_header,
    check_size,
    header_place,
)
from data.importing.limits import Limits
from data.importing.problems import Problem, row_problems
from data.importing.sheets import Sheet

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16 (little endian)",
    "utf-16-be": "UTF-16 (big endian)",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BLOCK = 1 << 20
_COMMENTS = 1_000
_CHUNK_CELLS = 50_000
_UTF8_PAIR = re.compile(rb"[\xc3\xe2][\x80-\xbf]")
_FAULTS = {
    "unexpected end of data": "a quoted cell begins here and never ends.",
    "field larger": "a cell of this row is endless; perhaps its quotation mark is never closed.",
    "expected after": "after a cell in quotation marks stands more text.",
}


@dataclass(frozen=True)
class _Text:
    """A text file whose encoding is known."""

    path: Path
    name: str
    codec: str
    present: frozenset[str]
    problems: tuple[Problem, ...]
    limits: Limits

    def lines(self) -> Iterator[str]:
        """Yield its lines with their ends."""
        most = self.limits.line_bytes
        with self.path.open(encoding=self.codec, newline="") as file:
            for number in itertools.count(1):
                line = file.readline(most + 1)
                if len(line) > most:
                    what = f"the line is longer than {most // 1_000_000} MB."
                    raise Refused(self.name, what, "Save the table anew.", row=number)
                if not line:
                    return
                yield line


def read(
    path: Path,
    name: str,
    limits: Limits,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header_row: int | None = None,
) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read a text table; as `data.importing.formats.read_file`."""
    text = _opened(path, name, limits, encoding)
    comments, lines = _comments(text, header_row)
    separator, words, problems = _delimiter(text, len(comments), delimiter)
    chunks = _chunks(
        csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True),
        text,
        len(comments),
    )
    with _uncollected():
        draft = _gathered(chunks, text, len(comments), header_row)
    draft.problems[:0] = [*text.problems, *problems]
    draft.reading |= {"encoding": ENCODINGS[text.codec], "delimiter": words}
    if comments:
        draft.reading["comments"] = f"{len(comments)} lines above the column names begin with #"
        draft.labels = _labels(comments[0], separator, len(draft.header))
    return (draft.sheet(limits),), tuple(draft.problems)


def _opened(path: Path, name: str, limits: Limits, encoding: str | None) -> _Text:
    """Find the encoding by reading the whole file once."""
    if encoding is not None and encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise Refused(name, f"the encoding {encoding!r} is not known.", f"Use one of {known}.")
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    found = encoding or next(
        (codec for mark, codec in _MARKS.items() if head.startswith(mark)), None
    )
    found = found or _utf16(head)
    for codec in [found] if found else ["utf-8-sig", "cp1252", "latin-1"]:
        try:
            present, pairs = _decoded(path, name, codec)
        except UnicodeDecodeError:
            continue
        return _Text(path, name, codec, present, _foreign(name, codec, found, pairs), limits)
    what = f"the file is not {ENCODINGS[str(found)]} throughout; it may be cut off."
    raise Refused(name, what, "Save it as CSV UTF-8.")


def _utf16(head: bytes) -> str | None:
    """Return the UTF-16 of a text without a mark: every second byte of Latin text is 0."""
    low, high = head[::2].count(0), head[1::2].count(0)
    if max(low, high) * 4 < len(head) or min(low, high) * 20 > max(low, high):
        return None
    return "utf-16-le" if high > low else "utf-16-be"


def _decoded(path: Path, name: str, codec: str) -> tuple[frozenset[str], bool]:
    """Decode all of a file; return the delimiters in it and whether it also holds UTF-8 pairs."""
    decoder = codecs.getincrementaldecoder(codec)()
    present: set[str] = set()
    lines, pairs = 1, False
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            text = decoder.decode(block)
            if "\0" in text:
                row = lines + text[: text.index("\0")].count("\n")
                what = "it holds NUL characters, which no text has; the file is damaged."
                raise Refused(name, what, "Save the table anew.", row=row)
            lines += text.count("\n")
            present |= {sign for sign in DELIMITERS if sign in text}
            pairs = pairs or (
                codec in {"cp1252", "latin-1"} and _UTF8_PAIR.search(block) is not None
            )
        decoder.decode(b"", final=True)
    return frozenset(present), pairs


def _foreign(name: str, codec: str, found: str | None, pairs: bool) -> tuple[Problem, ...]:
    """Say that a file is not UTF-8."""
    if found or codec == "utf-8-sig":
        return ()
    what = f"the file is not UTF-8; it is read as {ENCODINGS[codec]}."
    remedy = "Look at letters with accents and umlauts; if they are wrong, save it as CSV UTF-8."
    if pairs:
        what += " Some of it looks like UTF-8 all the same."
    return (Problem("warning" if pairs else "note", name, None, None, None, what, remedy),)


def _comments(text: _Text, header_row: int | None) -> tuple[list[str], Iterator[str]]:
    """Return the lines above the table that begin with '#', and the lines after them."""
    lines, comments = text.lines(), list[str]()
    for line in lines:
        if not line.startswith("#") or len(comments) + 1 == header_row:
            return comments, itertools.chain([line], lines)
        comments.append(line)
        if len(comments) > _COMMENTS:
            break
    what = f"its first {len(comments):,} lines are comments or nothing; no table begins there."
    raise Refused(text.name, what, "Write the column names above the rows.")


def _labels(comment: str, delimiter: str, width: int) -> dict[int, str]:
    """Return the labels in the first comment, as cBioPortal writes them: one per column."""
    labels = comment.lstrip("#").strip("\r\n").split(delimiter)
    return dict(enumerate(map(str.strip, labels))) if len(labels) == width > 1 else {}


@dataclass(frozen=True)
class _Division:
    """How a file falls into cells at one delimiter."""

    delimiter: str
    width: int
    rank: int

    def __str__(self) -> str:
        return f"{DELIMITERS[self.delimiter]} ({self.width} columns)"


def _division(text: _Text, skipped: int, delimiter: str) -> _Division:
    """Count the cells of every record; rank 0 is a regular table, 3 is none."""
    lines = itertools.islice(text.lines(), skipped, None)
    records = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    widths, first, failed = Counter[int](), 0, False
    try:
        first = next((len(record) for record in records if record), 0)
        widths.update([first])
        widths.update(map(len, records))
    except csv.Error:
        failed = True
    widths.pop(0, None)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    if width < 2 or failed or count * 2 < widths.total():
        return _Division(delimiter, width, 3)
    rank = 0 if count == widths.total() else 1 if width == first else 2
    return _Division(delimiter, width, rank)


def _delimiter(
    text: _Text, skipped: int, given: str | None
) -> tuple[str, str, tuple[Problem, ...]]:
    """Return the delimiter, how it was found in words, and the question if two are possible."""
    if given is not None:
        if given not in DELIMITERS:
            known = ", ".join(DELIMITERS.values())
            raise Refused(text.name, "this delimiter is not known.", f"Use one of {known}.")
        return given, f"{DELIMITERS[given]}, as chosen", ()
    present = [sign for sign in DELIMITERS if sign in text.present]
    if len(present) < 2:
        sign = present[0] if present else ","
        return sign, DELIMITERS[sign] if present else "none: one column", ()
    divisions = [_division(text, skipped, sign) for sign in present]
    rank = min(division.rank for division in divisions)
    best = sorted((d for d in divisions if d.rank == rank), key=lambda d: -d.width)
    chosen = best[0].delimiter
    if rank == 3 or len(best) == 1:
        return chosen, DELIMITERS[chosen], ()
    choices = " or ".join(map(str, best))
    what = f"its rows can be divided at {choices}; here they are at the first."
    problem = Problem("fatal", text.name, None, None, None, what, "Say which delimiter it is.")
    return chosen, f"undecided: {choices}", (problem,)


def _chunks(records: Iterable[list[str]], text: _Text, skipped: int) -> Iterator[list[list[str]]]:
    """Yield the records in lists of some ten thousand cells."""
    chunk: list[list[str]] = []
    done, cells, width = skipped, 0, 0
    try:
        for record in records:
            chunk.append(record)
            cells += len(record)
            if cells > _CHUNK_CELLS and len(chunk) > 1:
                width = max(width, len(chunk[-1]))
                check_size(text.name, done - skipped, width, text.limits)
                done += len(chunk)
                yield chunk
                chunk, cells = [], 0
    except csv.Error as error:
        words = next((words for sign, words in _FAULTS.items() if sign in str(error)), None)
        what = words or "the row cannot be divided into cells."
        remedy = "Correct the quotation marks of this row."
        raise Refused(text.name, what, remedy, row=done + len(chunk) + 1) from None
    yield chunk


@contextmanager
def _uncollected() -> Iterator[None]:
    """Read without the garbage collector: millions of lists without a cycle double its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _gathered(
    chunks: Iterator[list[list[str]]], text: _Text, skipped: int, header_row: int | None
) -> Draft:
    """Read header and records into a draft."""
    first = next(chunks)
    place = header_place(first, text.name) if header_row is None else header_row - 1 - skipped
    if not 0 <= place < len(first):
        raise Refused(text.name, f"there is no row {header_row} for names.", "Choose another row.")
    header = first[place]
    below = [len(record) for record in first[place + 1 :] if record]
    if below and set(below) == {len(header) + 1}:
        header = ["", *header]  # R's write.table names all columns but that of the row names.
    check_size(text.name, 1, len(header), text.limits)
    columns = [Texts() for _ in header]
    draft = Draft(text.name, header, columns, [], header_row=skipped + place + 1)
    ragged: list[tuple[int, str]] = []
    row = draft.header_row + 1
    for chunk in itertools.chain([first[place + 1 :]], chunks):
        numbers, records = _even(chunk, row, len(header), ragged)
        draft.rows.extend(numbers)
        check_size(text.name, len(draft.rows), len(header), text.limits)
        for column, cells in zip(columns, zip(*records, strict=True), strict=bool(records)):
            column.add(cells)
        row += len(chunk)
    check_header(draft, sum(map(any, first[:place])), chosen=header_row is not None)
    remedy = "Correct the row; a cell that holds the delimiter needs quotation marks."
    what = f"it has more or fewer cells than the {len(header)} columns."
    each = [each for _, each in ragged]
    rows = [row for row, _ in ragged]
    place_of = (text.name, None)
    draft.problems += row_problems(
        "fatal", place_of, rows, [None] * len(rows), what, remedy, of_each=each
    )
    return draft


def _even(
    chunk: list[list[str]], row: int, width: int, ragged: list[tuple[int, str]]
) -> tuple[Iterable[int], list[list[str]]]:
    """Return the records that fit under the header with their rows; note the others."""
    if set(map(len, chunk)) == {width}:
        return range(row, row + len(chunk)), chunk
    numbers, records = [], []
    for number, record in enumerate(chunk, start=row):
        if len(record) != width:
            if not any(cell.strip() for cell in record):
                continue
            if len(record) < width or any(cell.strip() for cell in record[width:]):
                what = f"it has {len(record)} cells under {width} columns."
                ragged.append((number, what))
                continue
            record = record[:width]
        numbers.append(number)
        records.append(record)
    return numbers, records
