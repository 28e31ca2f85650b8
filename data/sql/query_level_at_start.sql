-- The highest MRD level up to day 0, one row per patient and assay: it belongs to no timepoint.
SELECT patient_id, assay, max(mrd_fraction) AS mrd_fraction FROM mrd_assessments
WHERE day <= 0 AND mrd_fraction IS NOT NULL GROUP BY patient_id, assay ORDER BY patient_id, assay
