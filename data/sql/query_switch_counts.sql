-- Who ever changed group and how each follow-up ended, counted: one row per undated, switched, time and event.
-- n_late are those who changed on their last day or later, n_never those who leave before the selection is known.
SELECT undated, switch IS NOT NULL AS switched, time, event,
    CAST(count(*) FILTER (time > 0 AND switch >= time) AS INTEGER) AS n_late,
    CAST(count(*) FILTER (time <= greatest(0, known_day)) AS INTEGER) AS n_never,
    CAST(count(*) AS INTEGER) AS _n
FROM ({rows}) GROUP BY ALL ORDER BY ALL
