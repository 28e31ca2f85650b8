-- The reasons of mrd_by_timepoint under another rule: not 'nothing found' where a level was found.
CREATE OR REPLACE TABLE mrd_by_timepoint AS
SELECT * REPLACE (
    CASE WHEN mrd_fraction > 0 THEN replace(
        not_evaluable_because, 'nothing found',
        CASE WHEN CAST($cutoff AS DOUBLE) IS NULL THEN 'below LOD' ELSE 'under the cut-off' END)
    ELSE not_evaluable_because END AS not_evaluable_because)
FROM mrd_by_timepoint;
