-- One row: the outcome of one patient, with its days, and whether each event is known without one.
SELECT cr_day, relapse_day, relapse_site, death_day, death_cause, last_follow_up_day,
    cr_achieved, relapsed, died
FROM course WHERE patient_id = $patient_id
