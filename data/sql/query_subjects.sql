-- The patients of a selection: one row per patient, every variable.
SELECT * FROM subjects WHERE {selection} ORDER BY patient_id
