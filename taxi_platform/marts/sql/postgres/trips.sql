-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  *,
  CAST(pickup_datetime AS DATE) AS pickup_date,
  DATE_TRUNC('HOUR', pickup_datetime) AS pickup_hour,
  CASE
    WHEN ABS(trip_distance) < 10000000
    THEN CAST(SIGN(trip_distance) * FLOOR(ABS(trip_distance) * 100 + 0.5) AS INT)
  END AS distance_hundredths,
  CASE
    WHEN ABS(fare_amount) < 10000000
    THEN CAST(SIGN(fare_amount) * FLOOR(ABS(fare_amount) * 100 + 0.5) AS INT)
  END AS fare_cents,
  CASE
    WHEN ABS(tip_amount) < 10000000
    THEN CAST(SIGN(tip_amount) * FLOOR(ABS(tip_amount) * 100 + 0.5) AS INT)
  END AS tip_cents,
  CASE
    WHEN ABS(tolls_amount) < 10000000
    THEN CAST(SIGN(tolls_amount) * FLOOR(ABS(tolls_amount) * 100 + 0.5) AS INT)
  END AS tolls_cents,
  CASE
    WHEN ABS(total_amount) < 10000000
    THEN CAST(SIGN(total_amount) * FLOOR(ABS(total_amount) * 100 + 0.5) AS INT)
  END AS total_cents,
  CASE
    WHEN ABS(congestion_surcharge) < 10000000
    THEN CAST(SIGN(congestion_surcharge) * FLOOR(ABS(congestion_surcharge) * 100 + 0.5) AS INT)
  END AS congestion_cents,
  CASE
    WHEN ABS(airport_fee) < 10000000
    THEN CAST(SIGN(airport_fee) * FLOOR(ABS(airport_fee) * 100 + 0.5) AS INT)
  END AS airport_fee_cents,
  CASE
    WHEN ABS(cbd_congestion_fee) < 10000000
    THEN CAST(SIGN(cbd_congestion_fee) * FLOOR(ABS(cbd_congestion_fee) * 100 + 0.5) AS INT)
  END AS cbd_fee_cents
FROM unified
