-- The patients of a selection: one row per patient, every variable; the last part limits them to the first.
-- {expressions} are those that `subjects` has no column for.
SELECT * EXCLUDE (_key){expressions} FROM subjects WHERE {selection} ORDER BY patient_id {limit}
