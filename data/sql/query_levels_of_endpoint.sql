-- One row per level of the grouping columns, with the patients of the selection for whom an endpoint can be
-- given. {groups} are those columns.
SELECT {groups} CAST(count(*) AS INTEGER) AS n
FROM subjects JOIN time_to_event t USING (patient_id)
WHERE t.endpoint = $endpoint AND t.time_days IS NOT NULL AND {selection}
GROUP BY ALL ORDER BY ALL
