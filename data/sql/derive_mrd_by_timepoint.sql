-- mrd_by_timepoint: one row per patient and timepoint; the sample that stands for the timepoint, its
-- status, and where it is not evaluable, why.
-- A sample counts if it was taken before alloSCT, CAR T cells and relapse, and either the study names
-- its timepoint or its day lies inside the window. The nearest to the target day stands for the
-- timepoint; ties take marrow before blood, then the deeper assay.
CREATE TABLE mrd_by_timepoint AS
WITH counted AS (
    SELECT m.*,
        -- As deep as the rule asks before 'nothing found' is called negative.
        coalesce(m.lod_fraction <= CASE WHEN m.assay = 'NGS' THEN 1e-6 ELSE 1e-4 END, FALSE) AS deep,
        CASE
            WHEN m.call IS NOT NULL THEN m.call
            WHEN m.mrd_fraction = 0 THEN 'negative'
            WHEN m.mrd_fraction < m.lod_fraction THEN 'below LOD'
            WHEN m.mrd_fraction > 0 THEN 'positive'
        END AS found
    FROM mrd_assessments m JOIN course c USING (patient_id)
    WHERE m.day < coalesce(least(c.allosct_day, c.car_t_day, c.relapse_day), 2147483647)
),
sample AS (
    SELECT *,
        CASE
            WHEN found IN ('positive', 'below LOD') THEN found
            WHEN found = 'negative' AND material = 'BM' AND deep THEN 'negative'
            ELSE 'indeterminate'
        END AS status,
        CASE
            WHEN found IN ('positive', 'below LOD') THEN NULL
            WHEN found = 'not evaluable' THEN 'sample not evaluable'
            WHEN found IS NULL THEN 'no result'
            WHEN material IS DISTINCT FROM 'BM' THEN 'nothing found, but not in marrow'
            WHEN lod_fraction IS NULL THEN 'nothing found, limit of detection unknown'
            WHEN NOT deep THEN 'nothing found, assay too shallow'
        END AS not_evaluable_because
    FROM counted
),
candidate AS (
    SELECT s.*, t.label,
        row_number() OVER (
            PARTITION BY s.patient_id, t.label
            ORDER BY abs(s.day - t.target_day), (s.material = 'BM') DESC NULLS LAST,
                s.lod_fraction NULLS LAST, s.assay, s.target
        ) AS choice
    FROM sample s JOIN timepoints t
        ON s.timepoint = t.label
        OR (s.timepoint IS NULL AND s.day BETWEEN t.first_day AND t.last_day)
)
SELECT p.patient_id, t.position, t.label AS timepoint, t.variable,
    coalesce(c.status, 'not assessed') AS status,
    c.mrd_fraction, c.lod_fraction, c.assay, c.material, c.day AS sample_day,
    coalesce(c.status IN ('negative', 'positive', 'below LOD'), FALSE) AS evaluable,
    CASE WHEN c.patient_id IS NULL THEN 'no sample' ELSE c.not_evaluable_because
    END AS not_evaluable_because
FROM patients p CROSS JOIN timepoints t
LEFT JOIN candidate c ON c.patient_id = p.patient_id AND c.label = t.label AND c.choice = 1;
