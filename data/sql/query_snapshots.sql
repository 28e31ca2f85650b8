-- One row per snapshot of a store on a cluster, by study, the newest first; current is the one served.
SELECT study_id, title, hash, file_sha256, published_at, published_by, rows, format, small_cell_minimum,
    row_number() OVER (PARTITION BY study_id ORDER BY served_at DESC) = 1 AS current
FROM snapshots ORDER BY study_id, published_at DESC
