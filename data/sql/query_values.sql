-- One row per value of a category of the study, the most frequent first, of equally many the first seen.
SELECT CAST({column} AS VARCHAR) AS value FROM subjects WHERE {column} IS NOT NULL
GROUP BY {column} ORDER BY count(*) DESC, min(patient_id)
