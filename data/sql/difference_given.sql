-- One row: the endpoints, as a study gives them itself, that came, went or changed between two snapshots,
-- of patients in both.
WITH changed AS (
    (SELECT * FROM after.given_endpoints EXCEPT SELECT * FROM before.given_endpoints)
    UNION ALL
    (SELECT * FROM before.given_endpoints EXCEPT SELECT * FROM after.given_endpoints)
)
SELECT count(DISTINCT (patient_id, endpoint)) AS given_endpoints_changed
FROM changed
SEMI JOIN before.patients USING (patient_id)
SEMI JOIN after.patients USING (patient_id)
