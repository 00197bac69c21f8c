-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  payment_type,
  pickup_location_id,
  CASE
    WHEN ABS(trip_distance) < 10000000
    THEN CAST(LEAST(GREATEST(FLOOR(distance_hundredths / 100.0), -1), 50) AS INT64)
  END AS miles_bin,
  MAX(payment_type_name) AS payment_type_name,
  COUNT(*) AS trips,
  COUNT(CASE WHEN tip_cents > 0 THEN 1 END) AS tipped_trips,
  SUM(tip_cents) AS tip_cents,
  SUM(fare_cents) AS fare_cents
FROM trips
GROUP BY
  payment_type,
  pickup_location_id,
  miles_bin
