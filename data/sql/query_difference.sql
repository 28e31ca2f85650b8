-- One row: how many patients, treatments, outcomes and samples differ between two snapshots. {patients},
-- {outcomes} and {mrd_assessments} are the columns that both have; those of treatments are always the same.
WITH remaining AS (
    SELECT patient_id FROM before.patients SEMI JOIN after.patients USING (patient_id)
),
patient_change AS (
    SELECT {patients} FROM after.patients EXCEPT SELECT {patients} FROM before.patients
),
outcome_change AS (
    (SELECT {outcomes} FROM after.outcomes EXCEPT SELECT {outcomes} FROM before.outcomes)
    UNION ALL
    (SELECT {outcomes} FROM before.outcomes EXCEPT SELECT {outcomes} FROM after.outcomes)
),
treatment_added AS (
    SELECT patient_id, kind, name, start_day, end_day, cycle FROM after.treatments
    EXCEPT ALL SELECT patient_id, kind, name, start_day, end_day, cycle FROM before.treatments
),
treatment_removed AS (
    SELECT patient_id, kind, name, start_day, end_day, cycle FROM before.treatments
    EXCEPT ALL SELECT patient_id, kind, name, start_day, end_day, cycle FROM after.treatments
),
-- A treatment has no key: one that went while another of its kind came to the patient has changed.
treatment_change AS (
    SELECT sum(added) AS n_added, sum(removed) AS n_removed
    FROM (
        SELECT patient_id, kind, 1 AS added, 0 AS removed FROM treatment_added
        UNION ALL
        SELECT patient_id, kind, 0 AS added, 1 AS removed FROM treatment_removed
    ) moved
    GROUP BY patient_id, kind
),
sample_added AS (
    SELECT {mrd_assessments} FROM after.mrd_assessments
    EXCEPT ALL SELECT {mrd_assessments} FROM before.mrd_assessments
),
sample_removed AS (
    SELECT {mrd_assessments} FROM before.mrd_assessments
    EXCEPT ALL SELECT {mrd_assessments} FROM after.mrd_assessments
)
SELECT
    (SELECT count(*) FROM after.patients ANTI JOIN before.patients USING (patient_id))
        AS patients_added,
    (SELECT count(*) FROM before.patients ANTI JOIN after.patients USING (patient_id))
        AS patients_removed,
    (SELECT count(*) FROM patient_change SEMI JOIN remaining USING (patient_id)) AS patients_changed,
    (SELECT CAST(coalesce(sum(n_added - least(n_added, n_removed)), 0) AS BIGINT) FROM treatment_change)
        AS treatments_added,
    (SELECT CAST(coalesce(sum(n_removed - least(n_added, n_removed)), 0) AS BIGINT) FROM treatment_change)
        AS treatments_removed,
    (SELECT CAST(coalesce(sum(least(n_added, n_removed)), 0) AS BIGINT) FROM treatment_change)
        AS treatments_changed,
    (SELECT count(DISTINCT patient_id) FROM outcome_change SEMI JOIN remaining USING (patient_id))
        AS outcomes_changed,
    (SELECT count(*) FROM sample_added) AS samples_added,
    (SELECT count(*) FROM sample_removed) AS samples_removed
