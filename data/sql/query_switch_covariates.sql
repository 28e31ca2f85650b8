-- What a model of a change of group beside covariates needs, counted: one row per covariates, days and event.
-- entry is the day on which the selection is known; {risk_group} numbers the levels, which are texts.
SELECT age_years, {risk_group} AS risk_group, greatest(0, known_day) AS entry, time, event, switch,
    CAST(count(*) AS INTEGER) AS _n
FROM ({rows}) WHERE NOT undated GROUP BY ALL
