-- The first day of a kind of treatment, one row per patient who received it on a known day.
SELECT patient_id, min(start_day) AS start_day FROM treatments
WHERE kind = $kind AND start_day IS NOT NULL GROUP BY patient_id ORDER BY patient_id
