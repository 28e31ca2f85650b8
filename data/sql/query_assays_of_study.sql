-- One row per MRD assay of the study, the most used first.
SELECT assay FROM mrd_assessments WHERE assay IS NOT NULL
GROUP BY assay ORDER BY count(*) DESC, assay
