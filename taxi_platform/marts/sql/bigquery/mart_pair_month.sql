-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH binned AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    is_fare,
    CASE
      WHEN is_fare = 0 AND NOT dropoff_datetime IS NULL
      THEN CAST(LEAST(GREATEST(FLOOR(duration_seconds / 60.0), -1), 180) AS INT64)
      WHEN is_fare = 1 AND ABS(fare_amount) < 10000000
      THEN CAST(LEAST(GREATEST(FLOOR(fare_cents / 100.0), -1), 300) AS INT64)
    END AS bin,
    distance_hundredths,
    duration_seconds,
    fare_cents
  FROM trips
  CROSS JOIN UNNEST([STRUCT(0 AS is_fare), STRUCT(1 AS is_fare)]) AS v
)
SELECT
  pickup_location_id,
  dropoff_location_id,
  bin,
  SUM(1 - is_fare) AS trips,
  SUM(is_fare) AS fare_trips,
  SUM(CASE WHEN is_fare = 0 THEN distance_hundredths END) AS distance_hundredths,
  SUM(CASE WHEN is_fare = 0 THEN duration_seconds END) AS duration_seconds,
  SUM(CASE WHEN is_fare = 1 THEN fare_cents END) AS fare_cents
FROM binned
GROUP BY
  pickup_location_id,
  dropoff_location_id,
  bin
