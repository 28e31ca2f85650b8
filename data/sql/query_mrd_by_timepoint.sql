-- One row per patient of the selection and timepoint. {groups} are the grouping columns.
SELECT {groups} m.patient_id, m.timepoint, m.status, m.mrd_fraction, m.lod_fraction, m.assay,
    m.sample_day, m.not_evaluable_because, subjects.mrd_dynamics, subjects.cr_day
FROM mrd_by_timepoint m JOIN subjects USING (patient_id)
WHERE {selection} ORDER BY m.position, m.patient_id
