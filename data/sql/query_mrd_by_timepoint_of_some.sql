-- One row per patient and timepoint as query_mrd_by_timepoint.sql, of the first $most patients of the
-- selection. {groups} are the grouping columns.
SELECT {groups} m.patient_id, m.timepoint, m.status, m.mrd_fraction, m.lod_fraction, m.assay,
    m.sample_day, m.not_evaluable_because, subjects.mrd_dynamics, subjects.cr_day
FROM mrd_by_timepoint m JOIN subjects USING (patient_id)
WHERE m.patient_id IN (
    SELECT patient_id FROM subjects WHERE {selection} ORDER BY patient_id LIMIT $most
) ORDER BY m.position, m.patient_id
