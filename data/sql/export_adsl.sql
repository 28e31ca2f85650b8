-- ADSL: one row per patient of the selection, with what was known at baseline, the outcome and the cellular
-- treatments. {own} are the study's own variables. A transplant is the one in first remission; where there
-- is none, the first at any time.
WITH chosen AS (SELECT *{expressions} FROM subjects WHERE {selection}),
given AS (
    SELECT patient_id,
        bool_or(kind = 'alloSCT') AS allosct,
        min(start_day) FILTER (kind = 'alloSCT') AS allosct_day,
        bool_or(kind = 'autoSCT') AS autosct,
        min(start_day) FILTER (kind = 'autoSCT') AS autosct_day,
        bool_or(kind = 'CAR-T') AS car_t,
        min(start_day) FILTER (kind = 'CAR-T') AS car_t_day
    FROM treatments GROUP BY patient_id
)
SELECT $study_id AS studyid, p.patient_id AS usubjid,
    p.age_years AS age, CASE WHEN p.age_years IS NOT NULL THEN 'YEARS' END AS ageu,
    CASE p.sex WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END AS sex,
    p.wbc_10e9_per_l AS wbcbl, p.lineage, p.ph_status AS phstat, p.cytogenetics AS cytogen,
    p.kmt2a_rearranged AS kmt2afl, p.hypodiploid AS hypodfl, p.complex_karyotype AS cplxkfl,
    p.ph_like AS phlikefl, p.ph_like_class AS phlikecl, p.tp53_mutated AS tp53fl,
    p.ikzf1_plus AS ikzf1fl, p.risk_group_of_study AS riskstdy, p.risk_group AS riskgrp,
    p.frontline_therapy AS trt01p, p.tki, p.disease_status AS disstat,
    p.prior_inotuzumab AS prinofl, p.ecog AS ecogbl, p.trackable_locus AS trklocus,
    p.extramedullary AS exmedfl,
    c.cr_achieved AS crfl, c.cr_day AS crdy, c.relapsed AS relfl, c.relapse_day AS reldy,
    c.relapse_site AS relsite, c.died AS dthfl, c.death_day AS dthdy, c.death_cause AS dthcaus,
    c.last_follow_up_day AS lstalvdy,
    coalesce(g.allosct, FALSE) AS hsctfl,
    CASE WHEN c.allosct THEN c.allosct_day ELSE g.allosct_day END AS hsctdy,
    c.allosct AS hsctcrfl,
    coalesce(g.autosct, FALSE) AS autofl, g.autosct_day AS autody,
    coalesce(g.car_t, FALSE) AS cartfl,
    CASE WHEN c.car_t THEN c.car_t_day ELSE g.car_t_day END AS cartdy,
    c.car_t AS cartcrfl{own}
FROM chosen p JOIN course c USING (patient_id) LEFT JOIN given g USING (patient_id)
ORDER BY p.patient_id
