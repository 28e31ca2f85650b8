"""Files of every accepted form become `Sheet`s: what a file is, its content says, not its name."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from data.importing.formats import columnar, delimited, sas, workbook
from data.importing.formats.cells import Refused
from data.importing.formats.delimited import DELIMITERS, ENCODINGS
from data.importing.limits import PAGE, Limits
from data.importing.problems import Problem
from data.importing.sheets import ROW, Sheet

__all__ = ["DELIMITERS", "ENCODINGS", "FORMS", "load", "read_file", "save"]

FORMS = {
    "text": (".csv", ".tsv", ".txt", ".tab", ".dat"),
    "XLSX": (".xlsx", ".xlsm"),
    "ODS": (".ods",),
    "XLS": (".xls",),
    "Parquet": (".parquet", ".pq"),
    "SAS transport": (".xpt", ".xport"),
    "sas7bdat": (".sas7bdat",),
}
"""The accepted forms and how their files are usually called."""

_SAS7BDAT = bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011")
_HEADS = (
    (b"PAR1", "Parquet"),
    (b"HEADER RECORD*******LIB", "SAS transport"),
    (_SAS7BDAT, "sas7bdat"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"),
)
_OTHERS = (
    (b"\x1f\x8b", "a gzip archive", "Unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it"),
    (b"Rar!", "a RAR archive", "Unpack it"),
    (b"%PDF", "a PDF", "Export the table as XLSX or CSV"),
    (b"$FL2", "an SPSS file", "Save it as CSV"),
    (b"<stata_dta>", "a Stata file", "Save it as CSV"),
    (b"ARROW1", "an Arrow file", "Save it as Parquet"),
    (b"SQLite format 3", "an SQLite database", "Export the tables as CSV"),
    (b"RDX", "an R data file", "Save it as CSV"),
    (b"{\\rtf", "a text document", "Save the table as XLSX or CSV"),
    (b"\x89PNG", "a picture", "Give the table itself"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table")
_ACCEPTED = "Give CSV, TSV, XLSX, XLS, ODS, Parquet, SAS xpt or sas7bdat."


def read_file(
    path: Path,
    name: str,
    *,
    limits: Limits = PAGE,
    delimiter: str | None = None,
    encoding: str | None = None,
    header_row: int | None = None,
) -> tuple[tuple[Sheet, ...], tuple[Problem, ...]]:
    """Read every table of one file as text cells.

    Parameters
    ----------
    path : Path
    name : str
        What the person calls the file; names of sheets begin with it.
    limits : Limits
    delimiter : str, optional
        A key of `DELIMITERS`, for a text file that can be divided in two ways.
    encoding : str, optional
        A key of `ENCODINGS`, for a text file.
    header_row : int, optional
        The row with the column names, as a spreadsheet numbers it, for a text file or a workbook.

    Returns
    -------
    sheets : tuple of Sheet
        Empty where the file is refused.
    problems : tuple of Problem
        A refusal is fatal. `Problem.file` is the name of the sheet or of the file.
    """
    try:
        form = _form(path, name, limits)
        if form == "text":
            sheets, problems = delimited.read(
                path, name, limits, delimiter=delimiter, encoding=encoding, header_row=header_row
            )
        elif form == "Parquet":
            sheets, problems = columnar.read(path, name, limits)
        elif form == "SAS transport":
            sheets, problems = sas.read_transport(path, name, limits)
        elif form == "sas7bdat":
            sheets, problems = sas.read_sas7bdat(path, name, limits)
        else:
            sheets, problems = workbook.read(path, name, limits, form=form, header_row=header_row)
    except Refused as refused:
        return (), (refused.problem,)
    except MemoryError:
        what = "reading it takes more memory than an import may use."
        remedy = "Keep the columns that the study needs, or import it with the command."
        return (), (Problem("fatal", name, None, None, None, what, remedy),)
    named: dict[str, Sheet] = {}
    for sheet in sheets:
        unique = sheet.name if sheet.name not in named else f"{sheet.name} ({len(named) + 1})"
        named[unique] = replace(sheet, name=unique, reading={"form": form, **sheet.reading})
    return tuple(named.values()), (*_misnamed(name, form), *problems)


def _form(path: Path, name: str, limits: Limits) -> str:
    """Return what a file is, by its first bytes.

    Raises
    ------
    Refused
        If it is empty, too large or nothing that can be read.
    """
    size = path.stat().st_size
    if not size:
        raise Refused(name, "the file is empty.", "Write the column names in its first row.")
    if size > limits.bytes:
        what = f"the file has {size / 1e6:,.1f} MB; {limits.bytes / 1e6:,.0f} MB can be read."
        raise Refused(name, what, "Import it with the command, or as Parquet.")
    with path.open("rb") as file:
        head = file.read(4096)
    for sign, what, remedy in _OTHERS:
        if head.startswith(sign):
            raise Refused(name, f"this is {what}, not a table that can be read.", f"{remedy}.")
    bare = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if bare.startswith(_MARKUP):
        what = "this is a web page or XML, whatever its name; it holds no plain table."
        raise Refused(name, what, "Open it in a spreadsheet program and save it as XLSX.")
    form = next((form for sign, form in _HEADS if head.startswith(sign)), "text")
    return _archive(path, name) if form == "zip" else form


def _archive(path: Path, name: str) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        what = "the workbook is damaged or cut off."
        raise Refused(name, what, "Copy it again from where it came.") from None
    if "xl/workbook.xml" in members:
        return "XLSX"
    if "content.xml" in members:
        return "ODS"
    if "xl/workbook.bin" in members:
        raise Refused(name, "this is a binary workbook (XLSB).", "Save it as XLSX.")
    raise Refused(name, "this is an archive and no workbook.", f"Unpack it. {_ACCEPTED}")


def _misnamed(name: str, form: str) -> tuple[Problem, ...]:
    """Say that a file is something else than its name says."""
    suffix = Path(name).suffix.lower()
    known = {end for ends in FORMS.values() for end in ends}
    if suffix not in known or suffix in FORMS[form]:
        return ()
    what = f"the name ends in {suffix}, the content is {form}; it was read as that."
    remedy = f"Call it …{FORMS[form][0]} if others are to open it."
    return (Problem("note", name, None, None, None, what, remedy),)


def save(sheets: Iterable[Sheet], folder: Path) -> None:
    """Keep sheets in a folder: one Arrow file each with its dictionaries, and sheets.json, last.

    Parameters
    ----------
    sheets : iterable of Sheet
    folder : Path
        Made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, sheet in enumerate(sheets):
        arrays = [pa.array(sheet.cells.index.to_numpy())]
        arrays += [_dictionary(sheet.cells.iloc[:, place]) for place in range(sheet.cells.shape[1])]
        # The names stand in sheets.json: a column may be called as an Arrow file calls its own.
        table = pa.table(arrays, names=[f"v{place}" for place in range(len(arrays))])
        file = folder / f"sheet{number}.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        listed.append(
            {
                "file": file.name,
                "name": sheet.name,
                "columns": list(sheet.cells.columns),
                "labels": dict(sheet.labels),
                "dates": sorted(sheet.dates),
                "reading": dict(sheet.reading),
            }
        )
    partial = folder / "sheets.json.part"
    partial.write_text(json.dumps(listed, ensure_ascii=False), "utf-8")
    os.replace(partial, folder / "sheets.json")


def _dictionary(column: pd.Series) -> pa.Array:
    codes = column.cat.codes.to_numpy()
    texts = pa.array(column.cat.categories.to_list(), pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)


def load(folder: Path) -> tuple[Sheet, ...]:
    """Return the sheets that `save` kept.

    Raises
    ------
    FileNotFoundError
        If the folder holds none.
    """
    sheets = []
    for kept in json.loads((folder / "sheets.json").read_text("utf-8")):
        with pa.memory_map(str(folder / kept["file"])) as source:
            table = pa.ipc.open_file(source).read_all()
        index = pd.Index(table.column(0).to_numpy(), name=ROW)
        cells = {
            name: _categorical(table.column(place))
            for place, name in enumerate(kept["columns"], start=1)
        }
        frame = pd.DataFrame(cells, index=index, copy=False)
        labels, dates = kept["labels"], frozenset(kept["dates"])
        sheets.append(Sheet(kept["name"], frame, labels, dates, kept["reading"]))
    return tuple(sheets)


def _categorical(column: pa.ChunkedArray) -> pd.Categorical:
    whole = column.combine_chunks()
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, pd.Index(whole.dictionary.to_pylist(), dtype=object))
