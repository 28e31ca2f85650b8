-- subjects with one column more: the saved cohort, A or B, that a patient is in, if in only one of them.
CREATE OR REPLACE TABLE subjects AS
SELECT s.*, m.cohorts FROM subjects s LEFT JOIN member m ON s.patient_id = m.patients;
