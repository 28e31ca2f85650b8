-- Everybody of a selection in one endpoint: one row per group, time and reason for having none, with
-- counts. {groups} are the grouping columns.
SELECT {groups} t.time_days AS time, t.excluded_because AS reason,
    CAST(count(*) FILTER (t.event_code = 1) AS INTEGER) AS n_event,
    CAST(count(*) FILTER (t.event_code >= 2) AS INTEGER) AS n_competing,
    CAST(count(*) FILTER (t.event_code = 0) AS INTEGER) AS n_censored,
    CAST(count(*) AS INTEGER) AS _n
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND {selection}
GROUP BY ALL ORDER BY ALL
