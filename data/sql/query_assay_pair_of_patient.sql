-- One value, as a part of another text: how two assays agree in a patient of `subjects`, or the day on
-- which that is known.
(SELECT a.{column} FROM ({assays}) a WHERE a.patient_id = subjects.patient_id)
