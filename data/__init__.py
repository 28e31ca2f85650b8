"""The cohort store: everything that knows SQL.

Selections (`data.cohort`), the variable dictionary (`data.variables`), immutable DuckDB snapshots
(`data.store`), the queries that return frames (`data.queries`) and the import (`data.importing`).
"""
