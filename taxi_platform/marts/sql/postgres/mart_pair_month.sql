-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH binned AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    CASE
      WHEN NOT dropoff_datetime IS NULL
      THEN CAST(LEAST(GREATEST(FLOOR(CAST(duration_seconds AS DOUBLE PRECISION) / 60.0), -1), 180) AS INT)
    END AS minutes_bin,
    CASE
      WHEN ABS(fare_amount) < 10000000
      THEN CAST(LEAST(GREATEST(FLOOR(CAST(fare_cents AS DOUBLE PRECISION) / 100.0), -1), 300) AS INT)
    END AS fare_bin,
    distance_hundredths,
    duration_seconds,
    fare_cents
  FROM trips
), parts AS (
  SELECT
    pickup_location_id,
    dropoff_location_id,
    minutes_bin,
    fare_bin,
    GROUPING(minutes_bin) AS is_fare,
    COUNT(*) AS trips,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    SUM(fare_cents) AS fare_cents
  FROM binned
  GROUP BY
    GROUPING SETS (
      (pickup_location_id, dropoff_location_id, minutes_bin),
      (pickup_location_id, dropoff_location_id, fare_bin)
    )
)
SELECT
  pickup_location_id,
  dropoff_location_id,
  CASE WHEN is_fare = 1 THEN fare_bin ELSE minutes_bin END AS bin,
  SUM(CASE WHEN is_fare = 0 THEN trips ELSE 0 END) AS trips,
  SUM(CASE WHEN is_fare = 1 THEN trips ELSE 0 END) AS fare_trips,
  SUM(CASE WHEN is_fare = 0 THEN distance_hundredths END) AS distance_hundredths,
  SUM(CASE WHEN is_fare = 0 THEN duration_seconds END) AS duration_seconds,
  SUM(CASE WHEN is_fare = 1 THEN fare_cents END) AS fare_cents
FROM parts
GROUP BY
  pickup_location_id,
  dropoff_location_id,
  CASE WHEN is_fare = 1 THEN fare_bin ELSE minutes_bin END
