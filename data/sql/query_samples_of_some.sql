-- One row per sample that stands for a timepoint in the patients named.
SELECT m.patient_id, m.sample_day, m.status, subjects.cr_day
FROM mrd_by_timepoint m JOIN subjects USING (patient_id)
WHERE m.sample_day IS NOT NULL AND list_contains($patients, m.patient_id)
ORDER BY m.position, m.patient_id
