-- One row per patient with the endpoint: what an analysis of a change of group needs. {switch} is the day
-- of the change and {known} the day on which the selection is known, both from the endpoint's origin.
SELECT subjects.patient_id, t.time_days AS time, t.event_code AS event, {switch} AS switch,
    {changed} AND {switch} IS NULL AS undated, {known} AS known_day,
    subjects.age_years, nullif(subjects.risk_group, 'unknown') AS risk_group
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
ORDER BY subjects.patient_id
