-- One row: the patients of a study evaluable by two assays at one time.
SELECT CAST(count(agreement) AS INTEGER) AS n FROM ({assays})
