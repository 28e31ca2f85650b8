-- One row per course of treatment of one patient, in the order of time; undated courses last.
SELECT kind, name, start_day, end_day, cycle FROM treatments
WHERE patient_id = $patient_id
ORDER BY start_day NULLS LAST, end_day NULLS LAST, kind, cycle
