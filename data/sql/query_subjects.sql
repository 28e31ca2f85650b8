-- The patients of a selection: one row per patient, every variable. {expressions} are those that
-- `subjects` has no column for.
SELECT *{expressions} FROM subjects WHERE {selection} ORDER BY patient_id
