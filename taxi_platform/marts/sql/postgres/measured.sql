-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  *,
  DATE_BIN(INTERVAL '1 HOUR', pickup_datetime, CAST('1900-01-01' AS TIMESTAMP)) AS pickup_hour,
  CASE
    WHEN trip_distance >= 0 AND trip_distance < 10000000
    THEN CAST(FLOOR(trip_distance * 100 + 0.5) AS INT)
    WHEN trip_distance < 0 AND trip_distance > -10000000
    THEN CAST(CEIL(trip_distance * 100 - 0.5) AS INT)
  END AS distance_hundredths,
  CASE
    WHEN fare_amount >= 0 AND fare_amount < 10000000
    THEN CAST(FLOOR(fare_amount * 100 + 0.5) AS INT)
    WHEN fare_amount < 0 AND fare_amount > -10000000
    THEN CAST(CEIL(fare_amount * 100 - 0.5) AS INT)
  END AS fare_cents,
  CASE
    WHEN tip_amount >= 0 AND tip_amount < 10000000
    THEN CAST(FLOOR(tip_amount * 100 + 0.5) AS INT)
    WHEN tip_amount < 0 AND tip_amount > -10000000
    THEN CAST(CEIL(tip_amount * 100 - 0.5) AS INT)
  END AS tip_cents,
  CASE
    WHEN tolls_amount >= 0 AND tolls_amount < 10000000
    THEN CAST(FLOOR(tolls_amount * 100 + 0.5) AS INT)
    WHEN tolls_amount < 0 AND tolls_amount > -10000000
    THEN CAST(CEIL(tolls_amount * 100 - 0.5) AS INT)
  END AS tolls_cents,
  CASE
    WHEN total_amount >= 0 AND total_amount < 10000000
    THEN CAST(FLOOR(total_amount * 100 + 0.5) AS INT)
    WHEN total_amount < 0 AND total_amount > -10000000
    THEN CAST(CEIL(total_amount * 100 - 0.5) AS INT)
  END AS total_cents,
  CASE
    WHEN congestion_surcharge >= 0 AND congestion_surcharge < 10000000
    THEN CAST(FLOOR(congestion_surcharge * 100 + 0.5) AS INT)
    WHEN congestion_surcharge < 0 AND congestion_surcharge > -10000000
    THEN CAST(CEIL(congestion_surcharge * 100 - 0.5) AS INT)
  END AS congestion_cents,
  CASE
    WHEN airport_fee >= 0 AND airport_fee < 10000000
    THEN CAST(FLOOR(airport_fee * 100 + 0.5) AS INT)
    WHEN airport_fee < 0 AND airport_fee > -10000000
    THEN CAST(CEIL(airport_fee * 100 - 0.5) AS INT)
  END AS airport_fee_cents,
  CASE
    WHEN cbd_congestion_fee >= 0 AND cbd_congestion_fee < 10000000
    THEN CAST(FLOOR(cbd_congestion_fee * 100 + 0.5) AS INT)
    WHEN cbd_congestion_fee < 0 AND cbd_congestion_fee > -10000000
    THEN CAST(CEIL(cbd_congestion_fee * 100 - 0.5) AS INT)
  END AS cbd_fee_cents
FROM unified
