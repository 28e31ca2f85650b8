-- One row per patient with the endpoint, and every variable with the day on which it is known: what a model
-- needs. {columns} are the variables and their days, the latter counted from the endpoint's origin.
SELECT subjects.patient_id, {columns}t.time_days AS _time, t.event_code AS _event
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
ORDER BY subjects.patient_id
