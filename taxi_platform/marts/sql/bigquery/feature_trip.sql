-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  trips.dataset,
  trips.file_month,
  trips.pickup_datetime,
  trips.pickup_location_id,
  trips.dropoff_location_id,
  SQRT(
    POWER((
      target.centroid_latitude - origin.centroid_latitude
    ) * 69.0, 2) + POWER((
      target.centroid_longitude - origin.centroid_longitude
    ) * 52.4, 2)
  ) AS straight_miles,
  EXTRACT(HOUR FROM trips.pickup_datetime) AS hour,
  dates.weekday,
  dates.is_weekend,
  dates.is_holiday,
  NOT trips.pickup_airport IS NULL AS pickup_is_airport,
  NOT trips.dropoff_airport IS NULL AS dropoff_is_airport,
  trips.pickup_in_cbd,
  trips.dropoff_in_cbd,
  trips.duration_seconds / 60.0 AS minutes,
  trips.fare_amount AS fare_dollars
FROM trips
INNER JOIN zones AS origin
  ON origin.location_id = trips.pickup_location_id
INNER JOIN zones AS target
  ON target.location_id = trips.dropoff_location_id
LEFT JOIN dates
  ON dates.date = CAST(trips.pickup_datetime AS DATE)
WHERE
  trips.is_plausible AND trips.duration_seconds BETWEEN 60 AND 3600
