-- subjects (ADaM: ADSL): one row per patient with everything that can filter or group.

-- One column per timepoint: mrd_<timepoint> with the status, mrd_<timepoint>_day with the sample's day.
CREATE TEMP TABLE status_wide AS
    PIVOT (SELECT patient_id, variable, status FROM mrd_by_timepoint)
    ON variable USING first(status) GROUP BY patient_id;
CREATE TEMP TABLE day_wide AS
    PIVOT (SELECT patient_id, variable || '_day' AS variable, sample_day FROM mrd_by_timepoint)
    ON variable USING first(sample_day) GROUP BY patient_id;

CREATE TABLE subjects AS
WITH feature AS (
    SELECT patient_id,
        [hypodiploid, complex_karyotype, kmt2a_rearranged, ph_like, tp53_mutated] AS features
    FROM patients
),
response AS (
    SELECT patient_id,
        bool_or(status = 'negative') AS ever_negative,
        bool_or(status = 'positive') AS ever_positive,
        bool_or(status = 'below LOD') AS ever_below_lod,
        bool_or(status = 'indeterminate') AS ever_indeterminate,
        first(status ORDER BY position) AS first_status,
        max(sample_day) AS last_day
    FROM mrd_by_timepoint GROUP BY patient_id
)
SELECT c._key, p.* EXCLUDE (risk_group),
    p.risk_group AS risk_group_of_study,
    CASE
        WHEN p.ph_status = 'positive' THEN 'Ph-positive'
        WHEN list_contains(f.features, TRUE) THEN 'high'
        WHEN p.ph_status IS NULL OR list_contains(list_transform(f.features, lambda x: x IS NULL), TRUE)
            THEN 'unknown'
        ELSE 'standard'
    END AS risk_group,
    s.* EXCLUDE (patient_id), d.* EXCLUDE (patient_id),
    CASE
        WHEN r.ever_negative THEN 'negative' WHEN r.ever_positive THEN 'positive'
        WHEN r.ever_below_lod THEN 'below LOD' WHEN r.ever_indeterminate THEN 'indeterminate'
        WHEN r.patient_id IS NOT NULL THEN 'not assessed'
    END AS mrd_best,
    CASE
        WHEN r.first_status = 'negative' THEN 'early responder'
        WHEN r.first_status = 'positive' AND r.ever_negative THEN 'late responder'
        WHEN r.ever_positive AND NOT r.ever_negative THEN 'non-responder'
        WHEN r.patient_id IS NOT NULL THEN 'unknown'
    END AS mrd_dynamics,
    r.last_day AS mrd_last_day,
    CASE WHEN c.allosct THEN 'yes' ELSE 'no' END AS allosct, c.allosct_day,
    CASE WHEN c.car_t THEN 'yes' ELSE 'no' END AS car_t, c.car_t_day,
    c.cr_day, c.relapse_day, c.death_day,
    coalesce(c.death_day, c.last_follow_up_day) AS follow_up_days,
    CASE
        WHEN c.relapsed THEN 'relapsed'
        WHEN c.died AND c.cr_achieved AND NOT c.relapsed THEN 'died in remission'
        WHEN c.died AND NOT c.cr_achieved THEN 'died without remission'
        WHEN NOT c.cr_achieved THEN 'no remission'
        WHEN c.cr_achieved AND NOT c.relapsed AND NOT c.died THEN 'in first remission'
        ELSE 'not known'
    END AS disposition
FROM patients p
JOIN course c USING (patient_id)
JOIN feature f USING (patient_id)
LEFT JOIN status_wide s USING (patient_id)
LEFT JOIN day_wide d USING (patient_id)
LEFT JOIN response r USING (patient_id);
