-- One row per final state and treatment in first remission, with the number of patients.
SELECT disposition, allosct = 'yes' AS allosct, car_t = 'yes' AS car_t,
    CAST(count(*) AS INTEGER) AS n
FROM subjects WHERE {selection} GROUP BY ALL ORDER BY ALL
