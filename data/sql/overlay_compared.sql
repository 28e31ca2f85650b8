-- subjects with one column more: the saved cohort, A or B, that a patient is in, if in only one of them.
CREATE OR REPLACE TABLE subjects AS
WITH member AS (
    SELECT unnest(CAST($patients AS VARCHAR[])) AS patient_id,
        unnest(CAST($cohorts AS VARCHAR[])) AS cohorts
)
SELECT s.*, m.cohorts FROM subjects s LEFT JOIN member m USING (patient_id);
