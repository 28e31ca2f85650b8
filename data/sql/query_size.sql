-- One row: the number of patients of a selection.
SELECT count(*) AS n FROM subjects WHERE {selection}
