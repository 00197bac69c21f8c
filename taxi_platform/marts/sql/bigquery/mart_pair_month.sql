-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH parts AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    CASE
      WHEN duration_seconds < 0
      THEN -1
      WHEN duration_seconds >= 10800
      THEN 180
      ELSE CAST(FLOOR(duration_seconds / 60.0) AS INT64)
    END AS bin,
    COUNT(*) AS trips,
    0 AS fare_trips,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    CAST(NULL AS INT64) AS fare_cents
  FROM trips
  GROUP BY
    pickup_location_id,
    dropoff_location_id,
    bin
  UNION ALL
  SELECT
    pickup_location_id,
    dropoff_location_id,
    CASE
      WHEN fare_cents < 0
      THEN -1
      WHEN fare_cents >= 30000
      THEN 300
      ELSE CAST(FLOOR(fare_cents / 100.0) AS INT64)
    END AS bin,
    0 AS trips,
    COUNT(*) AS fare_trips,
    NULL AS distance_hundredths,
    NULL AS duration_seconds,
    SUM(fare_cents) AS fare_cents
  FROM trips
  GROUP BY
    pickup_location_id,
    dropoff_location_id,
    bin
)
SELECT
  pickup_location_id,
  dropoff_location_id,
  bin,
  SUM(trips) AS trips,
  SUM(fare_trips) AS fare_trips,
  SUM(distance_hundredths) AS distance_hundredths,
  SUM(duration_seconds) AS duration_seconds,
  SUM(fare_cents) AS fare_cents
FROM parts
GROUP BY
  pickup_location_id,
  dropoff_location_id,
  bin
