"""One small table in every accepted form, as bytes: seeds to test and to mutate."""

from __future__ import annotations

import ctypes
import datetime
import io
import struct
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pandas as pd
import pyreadstat
from pyreadstat import _readstat_writer

Row = Sequence[object]

HEADER = ("patient_id", "age", "sex", "MRD EOI", "relapse", "started")
ROWS: tuple[Row, ...] = (
    ("0001", 34, "F", 0.0001, "yes", datetime.date(2020, 1, 31)),
    ("0002", 61.5, "männlich", None, "no", datetime.date(2020, 2, 29)),
    ("0003", 7, "ND", 1.0, "none", datetime.date(2021, 12, 1)),
)
EPOCH = datetime.date(1960, 1, 1)


def texts(rows: Sequence[Row] = ROWS) -> list[list[str]]:
    """Return the cells as a text file writes them."""
    return [["" if cell is None else f"{cell}" for cell in row] for row in rows]


def delimited(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """Return the table as delimited text."""
    lines = [delimiter.join(row) for row in [list(HEADER), *texts()]]
    return "\r\n".join(lines).encode(encoding)


def xlsx(sheets: Mapping[str, Sequence[Row]] | None = None) -> bytes:
    """Return rows by sheet as XLSX; the first row holds the names."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in (sheets or {"Patients": [HEADER, *ROWS]}).items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def xlsx_of_parts(sheet: str, **parts: str) -> bytes:
    """Return an XLSX of one sheet, `S`, whose XML is given, for files that no program writes."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="a" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{namespace}" xmlns:r="{office}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="a"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="a" Type="{office}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/worksheets/sheet1.xml", f'<worksheet xmlns="{namespace}">{sheet}</worksheet>'
        )
        for name, text in parts.items():
            archive.writestr(f"xl/{name}.xml", text)
    return content.getvalue()


def ods(rows: str | None = None) -> bytes:
    """Return the table, or the given rows as XML, as ODS."""
    if rows is None:
        rows = "".join(
            f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>"
            for row in [HEADER, *ROWS]
        )
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mimetype}"/>'
            "</manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{names}><office:body>'
            f'<office:spreadsheet><table:table table:name="Patients">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return content.getvalue()


def _ods_cell(cell: object) -> str:
    if cell is None:
        return "<table:table-cell/>"
    kind, value = "string", ""
    if isinstance(cell, datetime.date):
        kind, value = "date", f' office:date-value="{cell}"'
    elif isinstance(cell, int | float):
        kind, value = "float", f' office:value="{cell}"'
    return (
        f'<table:table-cell office:value-type="{kind}"{value}>'
        f"<text:p>{escape(str(cell))}</text:p></table:table-cell>"
    )


def xls() -> bytes:
    """Return the table as XLS (BIFF 8 in a compound file), its dates as texts."""
    cells = b""
    for row, values in enumerate([list(HEADER), *texts()]):
        for column, text in enumerate(values):
            place = struct.pack("<HHH", row, column, 0)
            if row and column == 1:
                cells += _record(0x0203, place + struct.pack("<d", float(text)))
            else:
                content = text.encode("utf-16-le")
                cells += _record(0x0204, place + struct.pack("<HB", len(text), 1) + content)
    kinds = {"book": 0x0005, "sheet": 0x0010}
    begins = {
        kind: _record(0x0809, struct.pack("<HHHHII", 0x0600, code, 0, 1997, 0, 6))
        for kind, code in kinds.items()
    }
    title = b"Patients"
    before = len(begins["book"]) + 4 + 8 + len(title) + 4
    bound = struct.pack("<IBBBB", before, 0, 0, len(title), 0) + title
    end = _record(0x000A, b"")
    size = _record(0x0200, struct.pack("<IIHHH", 0, len(ROWS) + 1, 0, len(HEADER), 0))
    return _compound(
        begins["book"] + _record(0x0085, bound) + end + begins["sheet"] + size + cells + end
    )


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _compound(stream: bytes) -> bytes:
    """Return a compound file with one stream, 'Workbook'."""
    sectors = max(8, -(-len(stream) // 512))  # Smaller streams would stand elsewhere.
    free, last, table = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    head += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, last, 0, last, 0)
    head += struct.pack("<109I", 0, *[free] * 108)
    chain = [table, last, *range(3, sectors + 2), last]
    fat = struct.pack("<128I", *chain, *[free] * (128 - len(chain)))
    entries = _entry("Root Entry", 5, 1, last, 0) + _entry("Workbook", 2, free, 2, sectors * 512)
    return head + fat + entries + bytes(256) + stream.ljust(sectors * 512, b"\0")


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    free = 0xFFFFFFFF
    entry = text.ljust(64, b"\0") + struct.pack("<HBB", len(text), kind, 1)
    return (
        entry + struct.pack("<III", free, free, child) + bytes(36) + struct.pack("<IQ", start, size)
    )


def frame() -> pd.DataFrame:
    """Return the table with typed columns."""
    table = pd.DataFrame([list(row) for row in ROWS], columns=list(HEADER))
    table["MRD EOI"] = table["MRD EOI"].astype(float)
    return table


def parquet() -> bytes:
    """Return the table as Parquet."""
    content = io.BytesIO()
    frame().to_parquet(content, index=False)
    return content.getvalue()


def transport(version: int = 5) -> bytes:
    """Return the table as a SAS transport file."""
    table = frame().rename(columns={"patient_id": "USUBJID", "MRD EOI": "MRD"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xpt"
        labels = {"USUBJID": "Unique Subject Identifier", "age": "Age", "MRD": "MRD EOI"}
        pyreadstat.write_xport(
            table,
            path,
            file_format_version=version,
            table_name="ADSL",
            column_labels=labels,
            variable_format={"sex": "$SEXF."},
        )
        return path.read_bytes()


def sas7bdat() -> bytes:
    """Return the table as sas7bdat, by the writer that the library holds and does not offer."""
    library = ctypes.CDLL(_readstat_writer.__file__)
    written = bytearray()
    sink = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)

    def write(data: int, size: int, _: int) -> int:
        written.extend(ctypes.string_at(data, size))
        return size

    for name in ("readstat_writer_init", "readstat_add_variable"):
        getattr(library, name).restype = ctypes.c_void_p
    writer = ctypes.c_void_p(library.readstat_writer_init())
    keep = sink(write)
    library.readstat_set_data_writer(writer, keep)
    variables = []
    for name in ("patient_id", "age", "sex", "MRD_EOI", "relapse", "started"):
        string = name in {"patient_id", "sex", "relapse"}
        arguments = (name.encode(), 0 if string else 5, ctypes.c_size_t(12 if string else 8))
        variable = ctypes.c_void_p(library.readstat_add_variable(writer, *arguments))
        library.readstat_variable_set_label(variable, f"Label of {name}".encode())
        if name == "started":
            library.readstat_variable_set_format(variable, b"DATE9")
        variables.append((variable, string))
    library.readstat_begin_writing_sas7bdat(writer, None, ctypes.c_long(len(ROWS)))
    for row in ROWS:
        library.readstat_begin_row(writer)
        for (variable, string), cell in zip(variables, row, strict=True):
            if isinstance(cell, datetime.date):
                cell = (cell - EPOCH).days
            if string:
                library.readstat_insert_string_value(writer, variable, str(cell).encode())
            elif cell is None:
                library.readstat_insert_missing_value(writer, variable)
            else:
                number = ctypes.c_double(float(str(cell)))
                library.readstat_insert_double_value(writer, variable, number)
        library.readstat_end_row(writer)
    library.readstat_end_writing(writer)
    library.readstat_writer_free(writer)
    return bytes(written)


def seeds() -> dict[str, bytes]:
    """Return the table in every accepted form, by file name."""
    return {
        "comma.csv": delimited(),
        "semicolon.csv": delimited(";", "cp1252"),
        "tab.tsv": delimited("\t", "utf-8-sig"),
        "bar.txt": delimited("|", "utf-16"),
        "book.xlsx": xlsx(),
        "book.ods": ods(),
        "book.xls": xls(),
        "table.parquet": parquet(),
        "adsl5.xpt": transport(5),
        "adsl8.xpt": transport(8),
        "table.sas7bdat": sas7bdat(),
    }
