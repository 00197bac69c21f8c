-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH ranked AS (
  SELECT
    dataset,
    file_month,
    pickup_location_id,
    dropoff_location_id,
    bin,
    trips,
    SUM(CAST(trips AS INT)) OVER (
      PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id
      ORDER BY bin NULLS FIRST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS up_to,
    SUM(CAST(trips AS INT)) OVER (PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id) AS of_all,
    SUM(duration_seconds) OVER (PARTITION BY dataset, file_month, pickup_location_id, dropoff_location_id) AS duration_seconds
  FROM mart_pair_month
  WHERE
    NOT bin IS NULL AND trips > 0
)
SELECT
  dataset,
  file_month,
  pickup_location_id,
  dropoff_location_id,
  MIN(of_all) AS trips,
  CAST(CAST(MIN(duration_seconds) AS DOUBLE PRECISION) / 60.0 AS DOUBLE PRECISION) / MIN(of_all) AS mean_minutes,
  MIN(CASE WHEN up_to * 100 >= of_all * 50 THEN bin END) AS p50_minutes,
  MIN(CASE WHEN up_to * 100 >= of_all * 90 THEN bin END) AS p90_minutes
FROM ranked
WHERE
  (
    up_to * 100 >= of_all * 50 AND (
      up_to - trips
    ) * 100 < of_all * 50
  )
  OR (
    up_to * 100 >= of_all * 90 AND (
      up_to - trips
    ) * 100 < of_all * 90
  )
GROUP BY
  dataset,
  file_month,
  pickup_location_id,
  dropoff_location_id
