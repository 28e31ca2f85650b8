-- One table of a snapshot as a folder of Parquet; {partition} divides it by a column.
COPY (FROM snapshot.{table}) TO {folder} (
    FORMAT parquet, COMPRESSION zstd, {partition} FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE
);
