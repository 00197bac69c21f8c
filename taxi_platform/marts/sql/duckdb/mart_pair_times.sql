-- Only the rows in which a percentile lies are put together. A bin has fewer trips than an INTEGER holds, and sums of
-- those are whole numbers in PostgreSQL too, where sums of BIGINT are numeric.
WITH ranked AS (
    SELECT
        dataset,
        file_month,
        pickup_location_id,
        dropoff_location_id,
        bin,
        trips,
        SUM(CAST(trips AS INTEGER)) OVER (
            PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id ORDER BY bin NULLS FIRST
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS up_to,
        SUM(CAST(trips AS INTEGER)) OVER (
            PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id
        ) AS of_all,
        SUM(duration_seconds) OVER (
            PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id
        ) AS duration_seconds
    FROM mart_pair_month
    WHERE bin IS NOT NULL AND trips > 0
)

SELECT
    dataset,
    file_month,
    pickup_location_id,
    dropoff_location_id,
    MIN(of_all) AS trips,
    MIN(duration_seconds) / 60.0 / MIN(of_all) AS mean_minutes,
    MIN(CASE WHEN up_to * 100 >= of_all * 50 THEN bin END) AS p50_minutes,
    MIN(CASE WHEN up_to * 100 >= of_all * 90 THEN bin END) AS p90_minutes
FROM ranked
WHERE
    (up_to * 100 >= of_all * 50 AND (up_to - trips) * 100 < of_all * 50)
    OR (up_to * 100 >= of_all * 90 AND (up_to - trips) * 100 < of_all * 90)
GROUP BY dataset, file_month, pickup_location_id, dropoff_location_id
