-- One row per endpoint and reason for which patients of the study are not in it, with their number.
SELECT endpoint, excluded_because AS reason, CAST(count(*) AS INTEGER) AS n
FROM time_to_event WHERE excluded_because IS NOT NULL
GROUP BY ALL ORDER BY endpoint, n DESC, reason
