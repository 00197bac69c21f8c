-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  payment_type,
  pickup_location_id,
  CASE
    WHEN distance_hundredths < 0
    THEN -1
    WHEN distance_hundredths >= 5000
    THEN 50
    ELSE DIV(distance_hundredths, 100)
  END AS miles_bin,
  COUNT(*) AS trips,
  COUNT(CASE WHEN tip_cents > 0 THEN 1 END) AS tipped_trips,
  SUM(tip_cents) AS tip_cents,
  SUM(fare_cents) AS fare_cents
FROM trips
GROUP BY
  payment_type,
  pickup_location_id,
  miles_bin
