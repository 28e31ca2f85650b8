-- mrd_assessments, restated under another rule: one row per sample that counts, with the call that the
-- rule gives it. Levels decide where there are any; a call without a level stays as it is.
CREATE TABLE mrd_assessments AS
WITH counted AS (
    SELECT *,
        -- Found, under the limit of detection.
        coalesce(call = 'below LOD', mrd_fraction > 0 AND mrd_fraction < lod_fraction) AS trace
    FROM snapshot.mrd_assessments
    WHERE CAST($assay AS VARCHAR) IS NULL OR assay = $assay
)
SELECT * EXCLUDE (trace) REPLACE (
    CASE
        WHEN call = 'not evaluable' THEN call
        WHEN mrd_fraction >= CAST($cutoff AS DOUBLE) THEN 'positive'
        WHEN trace AND coalesce(lod_fraction >= CAST($cutoff AS DOUBLE), TRUE)
            THEN CASE WHEN $below_lod = 'negative' THEN 'negative' ELSE 'below LOD' END
        WHEN mrd_fraction < CAST($cutoff AS DOUBLE) OR trace THEN 'negative'
        ELSE call
    END AS call)
FROM counted;
