-- One row per MRD sample of one patient, in the order of time; status and timepoint are those of the
-- timepoint that it stands for, empty where it stands for none. Of two samples alike in all that a
-- timepoint keeps, the one of the first target stands for it, as in derive_mrd_by_timepoint.sql.
WITH sample AS (
    SELECT *, row_number() OVER (
        PARTITION BY day, assay, material, mrd_fraction, lod_fraction ORDER BY target, call
    ) AS choice
    FROM mrd_assessments WHERE patient_id = $patient_id
),
stands AS (
    -- Windows can overlap: one sample then stands for two timepoints.
    SELECT sample_day, assay, material, mrd_fraction, lod_fraction, first(status) AS status,
        string_agg(timepoint, ' and ' ORDER BY position) AS timepoint
    FROM mrd_by_timepoint WHERE patient_id = $patient_id AND sample_day IS NOT NULL
    GROUP BY ALL
)
SELECT s.day, s.assay, s.material, s.target, s.mrd_fraction, s.lod_fraction, s.call,
    t.timepoint, t.status
FROM sample s LEFT JOIN stands t
    ON s.choice = 1 AND s.day = t.sample_day
    AND s.assay IS NOT DISTINCT FROM t.assay AND s.material IS NOT DISTINCT FROM t.material
    AND s.mrd_fraction IS NOT DISTINCT FROM t.mrd_fraction
    AND s.lod_fraction IS NOT DISTINCT FROM t.lod_fraction
ORDER BY s.day NULLS LAST, s.assay, s.target
