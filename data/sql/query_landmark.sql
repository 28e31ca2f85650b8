-- What a landmark needs, counted: one row per group, time, event, and where the days on which the group is
-- known and changes lie beside the landmark: known_day is the day after it or NULL, switch_day the landmark
-- or the day after it. first_switch is the first of the days of change. {groups} are the grouping columns.
SELECT {groups} time, event, undated,
    CASE WHEN known_day > $landmark THEN $landmark + 1 END AS known_day,
    CASE WHEN switch_day > $landmark THEN $landmark + 1
        WHEN switch_day IS NOT NULL THEN $landmark END AS switch_day,
    min(switch_day) AS first_switch, CAST(count(*) AS INTEGER) AS _n
FROM ({rows}) GROUP BY ALL ORDER BY ALL
