-- One row per column of the raw tables, in their order.
SELECT table_name, column_name FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
ORDER BY table_name, column_index
