-- One row per patient who is in only one of two saved cohorts, with the cohort: A or B.
CREATE TABLE member AS
SELECT unnest(CAST($patients AS VARCHAR[])) AS patients,
    unnest(CAST($cohorts AS VARCHAR[])) AS cohorts;
