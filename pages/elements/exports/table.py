"""A table as a file, for what a page offers to download; made in `data/exporting/table.py`."""

from data.exporting.table import as_csv, as_parquet, defused

__all__ = ["as_csv", "as_parquet", "defused"]
