-- One row per patient with the endpoint: what a landmark needs. {groups} are the grouping columns and,
-- as known_day, the day on which the group is known, counted from the endpoint's origin.
SELECT {groups} t.time_days AS time, t.event_code AS event
FROM time_to_event t JOIN subjects USING (patient_id)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
ORDER BY patient_id
