-- The first $most patients whom a landmark leaves out, one row each.
SELECT patient_id, time, event, known_day FROM ({rows})
WHERE NOT undated AND (time <= $landmark OR known_day > $landmark)
ORDER BY patient_id LIMIT $most
