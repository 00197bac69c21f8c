-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH counted AS (
  SELECT
    COUNT(*) AS trips,
    COUNT(*) - COUNT(vendor) AS vendor,
    COUNT(*) - COUNT(pickup_datetime) AS pickup_datetime,
    COUNT(*) - COUNT(dropoff_datetime) AS dropoff_datetime,
    COUNT(*) - COUNT(pickup_location_id) AS pickup_location_id,
    COUNT(*) - COUNT(dropoff_location_id) AS dropoff_location_id,
    COUNT(*) - COUNT(passenger_count) AS passenger_count,
    COUNT(*) - COUNT(trip_distance) AS trip_distance,
    COUNT(*) - COUNT(fare_amount) AS fare_amount,
    COUNT(*) - COUNT(tip_amount) AS tip_amount,
    COUNT(*) - COUNT(tolls_amount) AS tolls_amount,
    COUNT(*) - COUNT(total_amount) AS total_amount,
    COUNT(*) - COUNT(payment_type) AS payment_type,
    COUNT(*) - COUNT(congestion_surcharge) AS congestion_surcharge,
    COUNT(*) - COUNT(airport_fee) AS airport_fee,
    COUNT(*) - COUNT(cbd_congestion_fee) AS cbd_congestion_fee,
    COUNT(*) - COUNT(rate_code_id) AS rate_code_id,
    COUNT(*) - COUNT(trip_type) AS trip_type
  FROM trips
), rejected AS (
  SELECT
    COUNT(*) AS row_count
  FROM quarantine
), reasons AS (
  SELECT
    reason,
    COUNT(*) AS row_count
  FROM quarantine
  CROSS JOIN UNNEST(quarantine.reasons) AS reason
  GROUP BY
    reason
)
SELECT
  'raw' AS kind,
  CAST(NULL AS STRING) AS name,
  trips + row_count AS row_count
FROM counted
CROSS JOIN rejected
UNION ALL
SELECT
  'trips',
  NULL,
  trips
FROM counted
UNION ALL
SELECT
  'quarantine',
  NULL,
  row_count
FROM rejected
UNION ALL
SELECT
  'reason',
  reason,
  row_count
FROM reasons
UNION ALL
SELECT
  'null',
  'vendor',
  vendor
FROM counted
UNION ALL
SELECT
  'null',
  'pickup_datetime',
  pickup_datetime
FROM counted
UNION ALL
SELECT
  'null',
  'dropoff_datetime',
  dropoff_datetime
FROM counted
UNION ALL
SELECT
  'null',
  'pickup_location_id',
  pickup_location_id
FROM counted
UNION ALL
SELECT
  'null',
  'dropoff_location_id',
  dropoff_location_id
FROM counted
UNION ALL
SELECT
  'null',
  'passenger_count',
  passenger_count
FROM counted
UNION ALL
SELECT
  'null',
  'trip_distance',
  trip_distance
FROM counted
UNION ALL
SELECT
  'null',
  'fare_amount',
  fare_amount
FROM counted
UNION ALL
SELECT
  'null',
  'tip_amount',
  tip_amount
FROM counted
UNION ALL
SELECT
  'null',
  'tolls_amount',
  tolls_amount
FROM counted
UNION ALL
SELECT
  'null',
  'total_amount',
  total_amount
FROM counted
UNION ALL
SELECT
  'null',
  'payment_type',
  payment_type
FROM counted
UNION ALL
SELECT
  'null',
  'congestion_surcharge',
  congestion_surcharge
FROM counted
UNION ALL
SELECT
  'null',
  'airport_fee',
  airport_fee
FROM counted
UNION ALL
SELECT
  'null',
  'cbd_congestion_fee',
  cbd_congestion_fee
FROM counted
UNION ALL
SELECT
  'null',
  'rate_code_id',
  rate_code_id
FROM counted
UNION ALL
SELECT
  'null',
  'trip_type',
  trip_type
FROM counted
