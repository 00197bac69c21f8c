-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  pickup_date,
  pickup_in_cbd,
  dropoff_in_cbd,
  COUNT(*) AS trips,
  SUM(passenger_count) AS passengers,
  SUM(distance_hundredths) AS distance_hundredths,
  SUM(duration_seconds) AS duration_seconds,
  SUM(fare_cents) AS fare_cents,
  SUM(tip_cents) AS tip_cents,
  SUM(tolls_cents) AS tolls_cents,
  SUM(total_cents) AS total_cents,
  COUNT(distance_hundredths) AS measured_trips,
  COUNT(duration_seconds) AS timed_trips,
  COUNT(fare_cents) AS fared_trips,
  COUNT(total_cents) AS charged_trips,
  COUNT(CASE WHEN cbd_fee_cents > 0 THEN 1 END) AS toll_trips,
  SUM(cbd_fee_cents) AS cbd_fee_cents,
  SUM(congestion_cents) AS congestion_cents
FROM trips
GROUP BY
  pickup_date,
  pickup_in_cbd,
  dropoff_in_cbd
