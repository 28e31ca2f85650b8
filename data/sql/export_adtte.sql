-- ADTTE: one row per patient of the selection and endpoint, of the endpoints that the study can give and the
-- patients who have them. CNSR counts the other way than event_code: 0 is the event.
SELECT $study_id AS studyid, t.patient_id AS usubjid,
    replace(t.endpoint, '_censored_at_allosct', 'HSCT') AS paramcd, t.endpoint AS param,
    t.time_days AS aval, 'DAYS' AS avalu,
    CASE t.event_code WHEN 1 THEN 0 WHEN 0 THEN 1 ELSE 2 END AS cnsr,
    t.event_description AS evntdesc,
    CASE t.event_code WHEN 0 THEN 'day of ' || t.event_description WHEN 2 THEN 'competing event' END
        AS cnsdtdsc,
    t.origin_day AS startdy, t.origin_day + t.time_days AS ady
FROM time_to_event t JOIN endpoints e USING (endpoint)
WHERE t.time_days IS NOT NULL AND e.refused_because IS NULL
    AND t.patient_id IN (SELECT patient_id FROM subjects WHERE {selection})
ORDER BY ALL
