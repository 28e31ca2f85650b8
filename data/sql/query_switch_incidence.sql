-- What came first, counted: one row per day and event, 1 the change of group, 2 the event before it, 0 neither.
SELECT coalesce(switch, time) AS time,
    CASE WHEN switch IS NOT NULL THEN 1 WHEN event = 1 THEN 2 ELSE 0 END AS event,
    CAST(count(*) AS INTEGER) AS _n
FROM ({rows}) WHERE NOT undated GROUP BY ALL ORDER BY ALL
