-- mrd_assessments as imported again: questions about the samples themselves are about all of them.
DROP TABLE mrd_assessments;
CREATE VIEW mrd_assessments AS FROM snapshot.mrd_assessments;
