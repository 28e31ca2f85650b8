-- DuckDB's PIVOT as an aggregate per level, for an engine that has none: {columns} are the levels.
SELECT {key}{columns} FROM {source} GROUP BY {key}
