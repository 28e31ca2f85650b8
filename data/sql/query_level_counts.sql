-- One row per level of one variable, with the number of patients of the selection.
SELECT $variable_{name} AS variable, {level} AS level, CAST(count(*) AS INTEGER) AS n
FROM subjects WHERE {selection} GROUP BY ALL
