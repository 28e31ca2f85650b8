-- One row per patient of the selection: the status by each of two assays at one time, and how they agree.
SELECT patient_id, a.first_status, a.second_status, a.first_day, a.second_day, a.agreement
FROM subjects LEFT JOIN ({assays}) a USING (patient_id)
WHERE {selection} ORDER BY patient_id
