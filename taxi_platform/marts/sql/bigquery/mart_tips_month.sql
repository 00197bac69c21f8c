-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  payment_type,
  pickup_location_id,
  CASE
    WHEN distance_hundredths < 0
    THEN -1
    WHEN distance_hundredths >= 5000
    THEN 50
    ELSE CAST(FLOOR(distance_hundredths / 100.0) AS INT64)
  END AS miles_bin,
  MAX(payment_type_name) AS payment_type_name,
  COUNT(*) AS trips,
  SUM(CASE WHEN tip_cents > 0 THEN 1 ELSE 0 END) AS tipped_trips,
  SUM(tip_cents) AS tip_cents,
  SUM(fare_cents) AS fare_cents
FROM trips
GROUP BY
  payment_type,
  pickup_location_id,
  miles_bin
