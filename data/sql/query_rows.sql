-- One row: a table, and how many rows it has.
SELECT '{table}' AS table_name, count(*) AS n FROM {table}
