-- One row per patient of the selection with a dated remission and follow-up, the longest follow-up from there
-- first; at most $most.
SELECT patient_id, risk_group, cr_day, follow_up_days, allosct_day, car_t_day, relapse_day, death_day
FROM subjects
WHERE cr_day IS NOT NULL AND follow_up_days IS NOT NULL AND {selection}
ORDER BY CASE WHEN $transplanted_first AND allosct_day IS NOT NULL THEN 0 ELSE 1 END,
    follow_up_days - cr_day DESC, patient_id
LIMIT $most
