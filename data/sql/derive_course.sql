-- course: one row per patient; outcome and the first transplant and CAR T-cell course given in first
-- remission, that is from its day on and before a relapse. An undated one counts, its day stays unknown.
-- _key numbers the patients: numbers join several times as fast as identifiers.
CREATE TABLE course AS
WITH cellular AS (
    SELECT t.patient_id,
        bool_or(t.kind = 'alloSCT') AS allosct,
        min(t.start_day) FILTER (t.kind = 'alloSCT') AS allosct_day,
        bool_or(t.kind = 'CAR-T') AS car_t,
        min(t.start_day) FILTER (t.kind = 'CAR-T') AS car_t_day
    FROM treatments t LEFT JOIN outcomes o USING (patient_id)
    WHERE t.kind IN ('alloSCT', 'CAR-T')
        AND o.cr_achieved IS NOT FALSE
        AND coalesce(t.start_day >= o.cr_day, TRUE)
        AND coalesce(t.start_day < o.relapse_day, TRUE)
    GROUP BY t.patient_id
)
SELECT CAST(row_number() OVER (ORDER BY p.patient_id) AS INTEGER) AS _key,
    p.patient_id, o.cr_day, o.relapse_day, o.relapse_site, o.death_day, o.death_cause,
    o.last_follow_up_day, o.cr_achieved, o.relapsed, o.died,
    coalesce(c.allosct, FALSE) AS allosct, c.allosct_day,
    coalesce(c.car_t, FALSE) AS car_t, c.car_t_day,
    (SELECT max(t.end_day) FROM treatments t
        WHERE t.patient_id = p.patient_id AND t.kind = 'induction') AS induction_end_day
FROM patients p LEFT JOIN outcomes o USING (patient_id) LEFT JOIN cellular c USING (patient_id);
