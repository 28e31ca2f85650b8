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
        coalesce(died, FALSE) AND death_day IS NOT NULL AS dated_death,
        -- Without the end of induction only an early relapse or death is taken as the day of failure:
        -- whoever lives for a year without remission did not fail when dying.
        CASE WHEN induction_end_day IS NOT NULL OR least(relapse_day, death_day) <= 60
             THEN least(induction_end_day, relapse_day, death_day) END AS failure_day
    FROM course
),
remission AS (
    -- From first remission to relapse or death: what RFS, CIR and NRM share.
    SELECT _key, patient_id, cr_day AS origin_day, allosct, allosct_day,
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
derived AS (
    SELECT _key, patient_id, code.endpoint, origin_day, allosct, allosct_day, end_day,
        event_description,
        CASE event_description WHEN 'relapse' THEN code.relapse
             WHEN 'death in remission' THEN code.death ELSE 0 END AS event_code,
        excluded_because
    FROM remission
    CROSS JOIN (VALUES ('RFS', 1, 1), ('CIR', 1, 2), ('NRM', 2, 1)) code(endpoint, relapse, death)
    UNION ALL BY NAME
    SELECT _key, patient_id, 'OS' AS endpoint, 0 AS origin_day, allosct, allosct_day,
        CASE WHEN dated_death THEN death_day ELSE last_follow_up_day END AS end_day,
        CASE WHEN dated_death THEN 'death' ELSE 'last follow-up' END AS event_description,
        CASE WHEN dated_death THEN 1 ELSE 0 END AS event_code,
        CASE WHEN dated_death THEN NULL ELSE coalesce(death_problem, follow_up_problem) END
            AS excluded_because
    FROM fact
    UNION ALL BY NAME
    -- A patient who never reached remission fails on the day that established it: the end of
    -- induction, or a relapse or death before that; without that end, a relapse or death by day 60.
    SELECT _key, patient_id, 'EFS' AS endpoint, 0 AS origin_day, allosct, allosct_day,
        CASE WHEN NOT cr_achieved THEN failure_day
             WHEN dated_relapse THEN relapse_day WHEN dated_death THEN death_day
             ELSE last_follow_up_day END AS end_day,
        CASE WHEN NOT cr_achieved THEN 'no remission'
             WHEN dated_relapse THEN 'relapse' WHEN dated_death THEN 'death'
             ELSE 'last follow-up' END AS event_description,
        CASE WHEN NOT cr_achieved OR dated_relapse OR dated_death THEN 1 ELSE 0 END AS event_code,
        CASE WHEN cr_achieved IS NULL AND NOT dated_relapse AND NOT dated_death
                 THEN 'not known whether remission was reached'
             WHEN NOT cr_achieved THEN
                 CASE WHEN failure_day IS NULL
                     THEN 'no remission, and no day on which that was established' END
             WHEN dated_relapse THEN NULL WHEN relapsed THEN relapse_problem
             WHEN dated_death THEN NULL
             ELSE coalesce(death_problem, relapse_problem, follow_up_problem) END
            AS excluded_because
    FROM fact
),
brought AS (
    -- What the study gives itself is taken for all its patients; nobody else's is derived beside it.
    SELECT c._key, c.patient_id, e.endpoint,
        coalesce(g.origin_day, CASE WHEN e.endpoint IN ('RFS', 'CIR', 'NRM') THEN c.cr_day END, 0)
            AS start_day,
        start_day AS origin_day,
        -- Only where the origin is known has a transplant a place in it.
        g.origin_day IS NULL AND c.cr_day IS NULL AND e.endpoint IN ('RFS', 'CIR', 'NRM')
            AS origin_unknown,
        c.allosct, c.allosct_day, start_day + g.time_days AS end_day,
        coalesce(g.event_description, CASE g.event_code WHEN 0 THEN 'censored' WHEN 1 THEN 'event'
            WHEN 2 THEN 'competing event' END) AS event_description,
        g.event_code,
        CASE WHEN g.time_days IS NULL OR g.event_code IS NULL
            THEN 'the study gives no time' END AS excluded_because
    FROM course c CROSS JOIN (SELECT DISTINCT endpoint FROM given_endpoints) e
    LEFT JOIN given_endpoints g ON g.patient_id = c.patient_id AND g.endpoint = e.endpoint
),
every AS (
    SELECT * EXCLUDE (start_day) FROM brought
    UNION ALL BY NAME
    SELECT *, FALSE AS origin_unknown FROM derived
    WHERE endpoint NOT IN (SELECT endpoint FROM given_endpoints)
),
named AS (
    SELECT _key, patient_id, endpoint, origin_day, end_day, event_code, event_description,
        excluded_because FROM every
    UNION ALL BY NAME
    -- The same, censored at a transplant in first remission: an endpoint with a name of its own.
    SELECT _key, patient_id, endpoint || '_censored_at_allosct' AS endpoint, origin_day,
        CASE WHEN transplanted THEN allosct_day ELSE end_day END AS end_day,
        CASE WHEN transplanted THEN 0 ELSE event_code END AS event_code,
        CASE WHEN transplanted THEN 'alloSCT' ELSE event_description END AS event_description,
        coalesce(excluded_because, CASE WHEN allosct AND allosct_day IS NULL
            THEN 'alloSCT without a date' WHEN allosct AND origin_unknown
            THEN 'first remission without a date' END) AS excluded_because
    FROM (SELECT *, coalesce(allosct_day >= origin_day AND allosct_day < end_day, FALSE)
        AS transplanted FROM every)
)
SELECT _key, patient_id, endpoint, origin_day,
    CASE WHEN excluded_because IS NULL THEN end_day - origin_day END AS time_days,
    CASE WHEN excluded_because IS NULL THEN event_code END AS event_code,
    CASE WHEN excluded_because IS NULL THEN event_description END AS event_description,
    excluded_because
FROM named
-- One endpoint lies together, in the order of the patients: a question about it reads nothing else.
ORDER BY endpoint, _key;

-- endpoints: one row per endpoint; whether the study can give it. It is refused where more than a fifth
-- of the events that are known to have happened carry no date, or where for more than a fifth of the
-- patients it is not known whether the event happened: those who had it, dated, would mislead alone.
CREATE TABLE endpoints AS
WITH counted AS (
    SELECT endpoint,
        count(*) FILTER (excluded_because IS NULL) AS n_usable,
        count(*) FILTER (event_code = 1) AS n_dated,
        count(*) FILTER (
            (excluded_because = 'death without a date' AND endpoint NOT LIKE 'CIR%')
            OR (excluded_because = 'relapse without a date' AND endpoint NOT LIKE 'NRM%')
            OR excluded_because = 'no remission, and no day on which that was established'
        ) AS n_undated,
        count(*) FILTER (
            excluded_because LIKE 'not known whether %'
            AND (excluded_because NOT LIKE '% remission %' OR endpoint LIKE 'EFS%')
        ) AS n_unknown,
        coalesce(bool_and(origin_day = 0) FILTER (excluded_because IS NULL), FALSE) AS from_day_zero
    FROM time_to_event GROUP BY endpoint
)
SELECT *,
    CASE
        WHEN n_usable = 0 THEN 'No patient has the days that it needs.'
        WHEN n_undated * 5 > n_dated + n_undated
            THEN n_undated || ' of ' || n_dated + n_undated || ' known events have no date.'
        WHEN n_unknown * 5 > n_usable + n_unknown
            THEN 'For ' || n_unknown || ' of ' || n_usable + n_unknown
                || ' patients it is not known whether the event happened.'
    END AS refused_because
FROM counted;
