-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  *,
  CAST(pickup_datetime AS DATE) AS pickup_date,
  DATE_TRUNC('HOUR', pickup_datetime) AS pickup_hour,
  CASE
    WHEN ABS(trip_distance) < 10000000
    THEN CAST(SIGN(trip_distance) * FLOOR(ABS(trip_distance) * 100 + 0.5) AS BIGINT)
  END AS distance_hundredths,
  CASE
    WHEN ABS(fare_amount) < 10000000
    THEN CAST(SIGN(fare_amount) * FLOOR(ABS(fare_amount) * 100 + 0.5) AS BIGINT)
  END AS fare_cents,
  CASE
    WHEN ABS(tip_amount) < 10000000
    THEN CAST(SIGN(tip_amount) * FLOOR(ABS(tip_amount) * 100 + 0.5) AS BIGINT)
  END AS tip_cents,
  CASE
    WHEN ABS(tolls_amount) < 10000000
    THEN CAST(SIGN(tolls_amount) * FLOOR(ABS(tolls_amount) * 100 + 0.5) AS BIGINT)
  END AS tolls_cents,
  CASE
    WHEN ABS(total_amount) < 10000000
    THEN CAST(SIGN(total_amount) * FLOOR(ABS(total_amount) * 100 + 0.5) AS BIGINT)
  END AS total_cents
FROM unified
