WITH ranked AS (
    SELECT
        dataset,
        file_month,
        pickup_location_id,
        dropoff_location_id,
        bin,
        trips,
        duration_seconds,
        SUM(trips) OVER (
            PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id ORDER BY bin NULLS FIRST
        ) AS up_to,
        SUM(trips) OVER (PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id) AS of_all
    FROM mart_pair_month
    WHERE bin IS NOT NULL AND trips > 0
)

SELECT
    dataset,
    file_month,
    pickup_location_id,
    dropoff_location_id,
    SUM(trips) AS trips,
    SUM(duration_seconds) / 60.0 / SUM(trips) AS mean_minutes,
    MIN(CASE WHEN up_to * 100 >= of_all * 50 THEN bin END) AS p50_minutes,
    MIN(CASE WHEN up_to * 100 >= of_all * 90 THEN bin END) AS p90_minutes
FROM ranked
GROUP BY dataset, file_month, pickup_location_id, dropoff_location_id
