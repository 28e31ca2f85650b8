"""Files in one ZIP, as archives and office documents are, without a clock: equal content is equal bytes."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from openpyxl.writer.excel import ExcelWriter

MADE = datetime.datetime(2020, 1, 1)
"""When every file says that it was made."""


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return files as one ZIP, in their order."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, MADE.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return written.getvalue()


def without_clock(package: io.BytesIO) -> bytes:
    """Return a document that is a ZIP with the same parts and no time of writing."""
    with zipfile.ZipFile(package) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist()})


def workbook_bytes(book: Any) -> bytes:
    """Return an openpyxl workbook as bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        # Not `book.save`, which writes the time.
        ExcelWriter(book, archive).write_data()
    return without_clock(made)
