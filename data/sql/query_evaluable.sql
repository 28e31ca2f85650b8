-- One row per MRD timepoint, in order: its label, and the patients evaluable there.
SELECT timepoint, CAST(count(*) FILTER (evaluable) AS INTEGER) AS n
FROM mrd_by_timepoint GROUP BY timepoint, position ORDER BY position
