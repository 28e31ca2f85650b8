-- ADMRD: one row per MRD sample of the patients of the selection. avisit is the timepoint that the study
-- names, else the one whose window holds the day; empty where none does, or more than one. anl01fl marks the
-- sample that stands for a timepoint. Of two samples alike in all that a timepoint keeps, the one of the
-- first target does, as in derive_mrd_by_timepoint.sql.
WITH sample AS (
    SELECT *,
        row_number() OVER (
            ORDER BY patient_id, day, assay, target, material, mrd_fraction, lod_fraction, call, timepoint
        ) AS number,
        row_number() OVER (
            PARTITION BY patient_id, day, assay, material, mrd_fraction, lod_fraction
            ORDER BY target, call
        ) AS choice
    FROM mrd_assessments
    WHERE patient_id IN (SELECT patient_id FROM subjects WHERE {selection})
),
placed AS (
    SELECT s.number, min(t.position) AS position
    FROM sample s JOIN timepoints t
        ON s.timepoint = t.label
        OR (s.timepoint IS NULL AND s.day BETWEEN t.first_day AND t.last_day)
    GROUP BY s.number HAVING count(*) = 1
),
stands AS (
    SELECT patient_id, sample_day, assay, material, mrd_fraction, lod_fraction,
        first(status ORDER BY position) AS status
    FROM mrd_by_timepoint WHERE sample_day IS NOT NULL GROUP BY ALL
)
SELECT $study_id AS studyid, s.patient_id AS usubjid,
    CASE s.assay WHEN 'NGS' THEN 'MRDNGS' WHEN 'MFC' THEN 'MRDMFC' WHEN 'qPCR' THEN 'MRDQPCR'
        WHEN 'BCR::ABL1 PCR' THEN 'MRDBCRAB' ELSE 'MRDOTH' END AS paramcd,
    'MRD' || coalesce(' by ' || s.assay, '') AS param,
    s.assay AS method, s.material AS spec, s.target,
    s.mrd_fraction AS aval, CASE WHEN s.mrd_fraction IS NOT NULL THEN 'FRACTION' END AS avalu,
    s.call AS avalc, s.lod_fraction AS llod, s.day AS ady,
    w.label AS avisit, w.position AS avisitn, w.target_day AS awtarget, w.first_day AS awlo,
    w.last_day AS awhi,
    CASE WHEN m.status IS NOT NULL THEN TRUE END AS anl01fl, m.status AS avalcat1
FROM sample s
LEFT JOIN placed p USING (number)
LEFT JOIN timepoints w ON w.position = p.position
LEFT JOIN stands m
    ON s.choice = 1 AND s.patient_id = m.patient_id AND s.day = m.sample_day
    AND s.assay IS NOT DISTINCT FROM m.assay AND s.material IS NOT DISTINCT FROM m.material
    AND s.mrd_fraction IS NOT DISTINCT FROM m.mrd_fraction
    AND s.lod_fraction IS NOT DISTINCT FROM m.lod_fraction
ORDER BY s.patient_id, s.day NULLS LAST, s.assay, s.target, s.number
