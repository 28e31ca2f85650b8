-- The event table of one endpoint: one row per group and distinct time, with counts. {groups} are the
-- grouping columns, {selection} the cohort, both from the dictionary.
SELECT {groups} t.time_days AS time,
    CAST(count(*) FILTER (t.event_code = 1) AS INTEGER) AS n_event,
    CAST(count(*) FILTER (t.event_code >= 2) AS INTEGER) AS n_competing,
    CAST(count(*) FILTER (t.event_code = 0) AS INTEGER) AS n_censored
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
GROUP BY ALL ORDER BY ALL
