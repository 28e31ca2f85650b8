"""What answers the queries: DuckDB inside the program, or Apache Spark where the data are."""
