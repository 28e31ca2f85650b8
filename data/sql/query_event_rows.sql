-- One row per patient with the endpoint: what a landmark needs.
{rows} ORDER BY subjects.patient_id
