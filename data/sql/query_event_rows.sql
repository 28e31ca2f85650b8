-- One row per patient with the endpoint: what a landmark needs. {groups} are the grouping columns, known_day
-- (when the group is known) and switch_day (when it changes), both from the endpoint's origin.
SELECT {groups} t.time_days AS time, t.event_code AS event
FROM time_to_event t JOIN subjects USING (patient_id)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
ORDER BY patient_id
