-- One row per patient with a sample by one of two assays at one time: the status by each, its day, and how
-- the two agree (NULL unless both are evaluable; below LOD is not negative). {first} and {second} are
-- assays. {position} is a timepoint, 0 for the last samples up to day 0, -1 for the first day on which
-- both were taken. What a sample is, and its status, are as in derive_mrd_by_timepoint.sql.
SELECT patient_id, first_status, second_status, first_day, second_day,
    greatest(first_day, second_day) AS known_day,
    CASE
        WHEN coalesce(first_status, 'indeterminate') = 'indeterminate' THEN NULL
        WHEN coalesce(second_status, 'indeterminate') = 'indeterminate' THEN NULL
        WHEN first_status = 'negative' AND second_status = 'negative' THEN 'both negative'
        WHEN first_status = 'negative' THEN '{first}-/{second}+'
        WHEN second_status = 'negative' THEN '{first}+/{second}-'
        ELSE 'both positive'
    END AS agreement
FROM (
    SELECT patient_id,
        first(status ORDER BY choice) FILTER (assay = '{first}') AS first_status,
        first(status ORDER BY choice) FILTER (assay = '{second}') AS second_status,
        first(day ORDER BY choice) FILTER (assay = '{first}') AS first_day,
        first(day ORDER BY choice) FILTER (assay = '{second}') AS second_day
    FROM (
        SELECT s.patient_id, s.assay, s.day, s.status,
            row_number() OVER (
                PARTITION BY s.patient_id, s.assay
                ORDER BY if({position} = -1, s.day, abs(s.day - coalesce(t.target_day, 0))),
                    (s.material = 'BM') DESC NULLS LAST, s.lod_fraction NULLS LAST, s.target
            ) AS choice
        FROM (
            SELECT m.*,
                min(m.assay) OVER same_day <> max(m.assay) OVER same_day AS shared,
                CASE
                    WHEN m.call IN ('positive', 'below LOD') THEN m.call
                    WHEN m.call = 'not evaluable' THEN 'indeterminate'
                    WHEN m.call IS NULL AND m.mrd_fraction > 0
                        THEN if(m.mrd_fraction < m.lod_fraction, 'below LOD', 'positive')
                    WHEN (m.call = 'negative' OR m.mrd_fraction = 0) AND m.material = 'BM'
                        AND m.lod_fraction <= CASE WHEN m.assay = 'NGS' THEN 1e-6 ELSE 1e-4 END
                        THEN 'negative'
                    ELSE 'indeterminate'
                END AS status
            FROM mrd_assessments m JOIN course c USING (patient_id)
            WHERE m.assay IN ('{first}', '{second}')
                AND m.day < coalesce(least(c.allosct_day, c.car_t_day, c.relapse_day), 2147483647)
            WINDOW same_day AS (PARTITION BY m.patient_id, m.day)
        ) s LEFT JOIN timepoints t ON t.position = {position}
        WHERE CASE {position}
            WHEN -1 THEN s.shared
            WHEN 0 THEN s.day <= 0
            ELSE s.timepoint = t.label
                OR (s.timepoint IS NULL AND s.day BETWEEN t.first_day AND t.last_day)
        END
    )
    GROUP BY patient_id
)
