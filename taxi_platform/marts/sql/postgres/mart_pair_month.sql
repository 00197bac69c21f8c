-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH lasted AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    CASE
      WHEN duration_seconds < 0
      THEN -1
      WHEN duration_seconds >= 10800
      THEN 180
      ELSE duration_seconds / 60
    END AS bin,
    COUNT(*) AS trips,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds
  FROM trips
  GROUP BY
    pickup_location_id,
    dropoff_location_id,
    bin
), cost AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    CASE
      WHEN fare_cents < 0
      THEN -1
      WHEN fare_cents >= 30000
      THEN 300
      ELSE fare_cents / 100
    END AS bin,
    COUNT(*) AS fare_trips,
    SUM(fare_cents) AS fare_cents
  FROM trips
  GROUP BY
    pickup_location_id,
    dropoff_location_id,
    bin
), binned AS (
  SELECT
    *,
    CAST(NULL AS BIGINT) AS fare_trips,
    CAST(NULL AS BIGINT) AS fare_cents
  FROM lasted
  UNION ALL
  SELECT
    pickup_location_id,
    dropoff_location_id,
    bin,
    NULL,
    NULL,
    NULL,
    fare_trips,
    fare_cents
  FROM cost
)
SELECT
  pickup_location_id,
  dropoff_location_id,
  bin,
  COALESCE(MAX(trips), 0) AS trips,
  COALESCE(MAX(fare_trips), 0) AS fare_trips,
  MAX(distance_hundredths) AS distance_hundredths,
  MAX(duration_seconds) AS duration_seconds,
  MAX(fare_cents) AS fare_cents
FROM binned
GROUP BY
  pickup_location_id,
  dropoff_location_id,
  bin
