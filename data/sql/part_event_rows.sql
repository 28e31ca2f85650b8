-- One row per patient with the endpoint, as a part of other texts. {groups} are the grouping columns, known_day
-- (when the group is known), switch_day (when it changes) and undated (whether nobody knows when), the
-- days from the endpoint's origin.
SELECT {groups} t.time_days AS time, t.event_code AS event
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
