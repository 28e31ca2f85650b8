-- One row per reason for which patients of the cohort are not in the endpoint, with their number.
SELECT t.excluded_because AS reason, CAST(count(*) AS INTEGER) AS n
FROM time_to_event t JOIN subjects USING (_key)
WHERE t.endpoint = $endpoint AND t.excluded_because IS NOT NULL AND {selection}
GROUP BY reason ORDER BY n DESC, reason
