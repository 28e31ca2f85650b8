-- The reasons of mrd_by_timepoint under another rule: not 'nothing found' where a level was found.
UPDATE mrd_by_timepoint SET not_evaluable_because = replace(
    not_evaluable_because, 'nothing found',
    CASE WHEN CAST($cutoff AS DOUBLE) IS NULL THEN 'below LOD' ELSE 'under the cut-off' END)
WHERE mrd_fraction > 0;
