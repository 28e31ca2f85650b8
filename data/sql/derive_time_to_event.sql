-- time_to_event (ADaM: ADTTE): one row per patient and endpoint. event_code 0 censored, 1 event, 2
-- competing event. Where the endpoint cannot be given for a patient, time_days is NULL and
-- excluded_because says why.
CREATE TABLE time_to_event AS
WITH fact AS (
    SELECT *,
        -- Each is NULL where nothing is known, so that not knowing never counts as not having happened.
        CASE WHEN relapsed AND relapse_day IS NULL THEN 'relapse without a date'
             WHEN relapsed IS NULL AND died IS NOT TRUE THEN 'not known whether the disease came back'
        END AS relapse_problem,
        CASE WHEN died AND death_day IS NULL THEN 'death without a date'
             WHEN died IS NULL THEN 'not known whether the patient died'
        END AS death_problem,
        CASE WHEN cr_achieved IS NULL THEN 'not known whether remission was reached'
             WHEN NOT cr_achieved THEN 'no complete remission'
             WHEN cr_day IS NULL THEN 'first remission without a date'
        END AS remission_problem,
        CASE WHEN last_follow_up_day IS NULL THEN 'last follow-up without a date' END
            AS follow_up_problem,
        coalesce(relapsed, FALSE) AND relapse_day IS NOT NULL AS dated_relapse,
        coalesce(died, FALSE) AND death_day IS NOT NULL AS dated_death
    FROM course
),
remission AS (
    -- From first remission to relapse or death: what RFS, CIR and NRM share.
    SELECT patient_id, cr_day AS origin_day, allosct, allosct_day,
        CASE WHEN dated_relapse THEN relapse_day WHEN dated_death THEN death_day
             ELSE last_follow_up_day END AS end_day,
        CASE WHEN dated_relapse THEN 'relapse' WHEN dated_death THEN 'death in remission'
             ELSE 'last follow-up' END AS event_description,
        coalesce(remission_problem, CASE WHEN dated_relapse THEN NULL
            WHEN relapsed THEN relapse_problem WHEN dated_death THEN NULL
            ELSE coalesce(death_problem, relapse_problem, follow_up_problem) END)
            AS excluded_because
    FROM fact
),
every AS (
    SELECT patient_id, code.endpoint, origin_day, allosct, allosct_day, end_day, event_description,
        CASE event_description WHEN 'relapse' THEN code.relapse
             WHEN 'death in remission' THEN code.death ELSE 0 END AS event_code,
        excluded_because
    FROM remission
    CROSS JOIN (VALUES ('RFS', 1, 1), ('CIR', 1, 2), ('NRM', 2, 1)) code(endpoint, relapse, death)
    UNION ALL BY NAME
    SELECT patient_id, 'OS' AS endpoint, 0 AS origin_day, allosct, allosct_day,
        CASE WHEN dated_death THEN death_day ELSE last_follow_up_day END AS end_day,
        CASE WHEN dated_death THEN 'death' ELSE 'last follow-up' END AS event_description,
        CASE WHEN dated_death THEN 1 ELSE 0 END AS event_code,
        CASE WHEN dated_death THEN NULL ELSE coalesce(death_problem, follow_up_problem) END
            AS excluded_because
    FROM fact
    UNION ALL BY NAME
    -- A patient who never reached remission fails on the day that established it: the end of
    -- induction, or a relapse or death before that.
    SELECT patient_id, 'EFS' AS endpoint, 0 AS origin_day, allosct, allosct_day,
        CASE WHEN NOT cr_achieved THEN least(induction_end_day, relapse_day, death_day)
             WHEN dated_relapse THEN relapse_day WHEN dated_death THEN death_day
             ELSE last_follow_up_day END AS end_day,
        CASE WHEN NOT cr_achieved THEN 'no remission'
             WHEN dated_relapse THEN 'relapse' WHEN dated_death THEN 'death'
             ELSE 'last follow-up' END AS event_description,
        CASE WHEN NOT cr_achieved OR dated_relapse OR dated_death THEN 1 ELSE 0 END AS event_code,
        CASE WHEN cr_achieved IS NULL AND NOT dated_relapse AND NOT dated_death
                 THEN 'not known whether remission was reached'
             WHEN NOT cr_achieved THEN
                 CASE WHEN coalesce(induction_end_day, relapse_day, death_day) IS NULL
                     THEN 'no remission, and no day on which that was established' END
             WHEN dated_relapse THEN NULL WHEN relapsed THEN relapse_problem
             WHEN dated_death THEN NULL
             ELSE coalesce(death_problem, relapse_problem, follow_up_problem) END
            AS excluded_because
    FROM fact
),
named AS (
    SELECT patient_id, endpoint, origin_day, end_day, event_code, event_description,
        excluded_because FROM every
    UNION ALL BY NAME
    -- The same, censored at a transplant in first remission: an endpoint with a name of its own.
    SELECT patient_id, endpoint || '_censored_at_allosct' AS endpoint, origin_day,
        least(end_day, allosct_day) AS end_day,
        CASE WHEN allosct_day < end_day THEN 0 ELSE event_code END AS event_code,
        CASE WHEN allosct_day < end_day THEN 'alloSCT' ELSE event_description END
            AS event_description,
        coalesce(excluded_because, CASE WHEN allosct AND allosct_day IS NULL
            THEN 'alloSCT without a date' END) AS excluded_because
    FROM every
)
SELECT patient_id, endpoint, origin_day,
    CASE WHEN excluded_because IS NULL THEN end_day - origin_day END AS time_days,
    CASE WHEN excluded_because IS NULL THEN event_code END AS event_code,
    CASE WHEN excluded_because IS NULL THEN event_description END AS event_description,
    excluded_because
FROM named;

-- endpoints: one row per endpoint; whether the study can give it. It is refused where more than a fifth
-- of the events that are known to have happened carry no date: the dated ones alone would mislead.
CREATE TABLE endpoints AS
WITH counted AS (
    SELECT endpoint,
        count(*) FILTER (excluded_because IS NULL) AS n_usable,
        count(*) FILTER (event_code = 1) AS n_dated,
        count(*) FILTER (
            (excluded_because = 'death without a date' AND endpoint NOT LIKE 'CIR%')
            OR (excluded_because = 'relapse without a date' AND endpoint NOT LIKE 'NRM%')
            OR excluded_because = 'no remission, and no day on which that was established'
        ) AS n_undated
    FROM time_to_event GROUP BY endpoint
)
SELECT *,
    CASE
        WHEN n_usable = 0 THEN 'No patient has the days that it needs.'
        WHEN n_undated * 5 > n_dated + n_undated
            THEN n_undated || ' of ' || n_dated + n_undated || ' known events have no date.'
    END AS refused_because
FROM counted;
