-- One row per MRD timepoint: what {expression} gives for it.
SELECT DISTINCT {expression} AS level FROM timepoints ORDER BY level
