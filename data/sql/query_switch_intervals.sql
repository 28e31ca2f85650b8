-- The event table of follow-up that is split where the group changes: one row per group and day, with counts.
-- Observation starts on $start, or where $late_entry holds on the later day on which the selection is known;
-- who changes during it leaves one group and enters the other on that day.
WITH followed AS (
    SELECT time, event, greatest($start, known_day) AS entry, coalesce(switch < time, FALSE) AS changes,
        CASE WHEN switch < time AND switch > greatest($start, known_day) THEN switch END AS moved
    FROM ({rows})
    WHERE NOT undated AND time > greatest($start, known_day)
        AND ($late_entry OR coalesce(known_day <= $start, TRUE))
),
moves AS (
    SELECT changes AS switched, time, event, 0 AS n_entry FROM followed
    UNION ALL
    SELECT changes AND moved IS NULL AS switched, entry AS time, NULL AS event, 1 AS n_entry FROM followed
    UNION ALL
    SELECT FALSE AS switched, moved AS time, 0 AS event, 0 AS n_entry FROM followed WHERE moved IS NOT NULL
    UNION ALL
    SELECT TRUE AS switched, moved AS time, NULL AS event, 1 AS n_entry FROM followed WHERE moved IS NOT NULL
)
SELECT switched, time,
    CAST(count(*) FILTER (event = 1) AS INTEGER) AS n_event,
    CAST(count(*) FILTER (event >= 2) AS INTEGER) AS n_competing,
    CAST(count(*) FILTER (event = 0) AS INTEGER) AS n_censored,
    CAST(sum(n_entry) AS INTEGER) AS n_entry
FROM moves GROUP BY ALL ORDER BY ALL
