-- One row per group of a selection, with what is counted in it. {columns} are the groups and the counts.
SELECT {columns} FROM subjects WHERE {selection} GROUP BY ALL ORDER BY ALL
