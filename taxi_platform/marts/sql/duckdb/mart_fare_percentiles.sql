WITH ranked AS (
    SELECT
        dataset,
        file_month,
        fare_bin,
        trips,
        fare_cents,
        SUM(trips) OVER (PARTITION BY dataset, file_month ORDER BY fare_bin NULLS FIRST) AS up_to,
        SUM(trips) OVER (PARTITION BY dataset, file_month) AS of_all
    FROM mart_fare_histogram
    WHERE fare_bin IS NOT NULL
)

SELECT
    dataset,
    file_month,
    SUM(trips) AS trips,
    SUM(fare_cents) / 100.0 / SUM(trips) AS mean_dollars,
    MIN(CASE WHEN up_to * 100 >= of_all * 50 THEN fare_bin END) AS p50_dollars,
    MIN(CASE WHEN up_to * 100 >= of_all * 90 THEN fare_bin END) AS p90_dollars,
    MIN(CASE WHEN up_to * 100 >= of_all * 95 THEN fare_bin END) AS p95_dollars,
    MIN(CASE WHEN up_to * 100 >= of_all * 97 THEN fare_bin END) AS p97_dollars
FROM ranked
GROUP BY dataset, file_month
