-- One row per assay of the samples that stand for the timepoints of a selection of patients.
SELECT DISTINCT m.assay FROM mrd_by_timepoint m JOIN subjects USING (patient_id)
WHERE m.assay IS NOT NULL AND {selection} ORDER BY m.assay
