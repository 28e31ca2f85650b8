-- One row: how many patients, outcomes and samples differ between two snapshots. {patients}, {outcomes} and
-- {mrd_assessments} are the columns that both have.
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
    (SELECT count(DISTINCT patient_id) FROM outcome_change SEMI JOIN remaining USING (patient_id))
        AS outcomes_changed,
    (SELECT count(*) FROM sample_added) AS samples_added,
    (SELECT count(*) FROM sample_removed) AS samples_removed
