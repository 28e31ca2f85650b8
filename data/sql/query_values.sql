-- One row per value of a category of the study: how many have it, and who was the first of them.
SELECT $variable_{name} AS variable, CAST({column} AS VARCHAR) AS value,
    count(*) AS n, min(patient_id) AS first
FROM subjects WHERE {column} IS NOT NULL GROUP BY {column}
