-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH looked_back AS (
  SELECT
    dataset,
    file_month,
    pickup_location_id,
    pickup_hour,
    trips,
    LAG(trips, 1) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) AS lag_1,
    LAG(trips, 24) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) AS lag_24,
    LAG(trips, 168) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) AS lag_168,
    SUM(trips) OVER (
      PARTITION BY dataset, pickup_location_id
      ORDER BY pickup_hour
      ROWS BETWEEN 6 PRECEDING AND 1 PRECEDING
    ) AS sum_6,
    SUM(trips) OVER (
      PARTITION BY dataset, pickup_location_id
      ORDER BY pickup_hour
      ROWS BETWEEN 24 PRECEDING AND 1 PRECEDING
    ) AS sum_24,
    SUM(trips) OVER (
      PARTITION BY dataset, pickup_location_id
      ORDER BY pickup_hour
      ROWS BETWEEN 168 PRECEDING AND 1 PRECEDING
    ) AS sum_168,
    LAG(pickup_hour, 1) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) = pickup_hour - INTERVAL 1 HOUR AS has_1,
    LAG(pickup_hour, 6) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) = pickup_hour - INTERVAL 6 HOUR AS has_6,
    LAG(pickup_hour, 24) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) = pickup_hour - INTERVAL 24 HOUR AS has_24,
    LAG(pickup_hour, 168) OVER (PARTITION BY dataset, pickup_location_id ORDER BY pickup_hour) = pickup_hour - INTERVAL 168 HOUR AS has_168
  FROM mart_zone_hour_grid
)
SELECT
  looked_back.dataset,
  looked_back.file_month,
  looked_back.pickup_location_id,
  looked_back.pickup_hour,
  looked_back.trips,
  EXTRACT(HOUR FROM looked_back.pickup_hour) AS hour,
  dates.weekday,
  dates.is_weekend,
  dates.is_holiday,
  CASE WHEN has_1 THEN lag_1 END AS trips_1_hour_before,
  CASE WHEN has_24 THEN lag_24 END AS trips_24_hours_before,
  CASE WHEN has_168 THEN lag_168 END AS trips_168_hours_before,
  CASE WHEN has_6 THEN sum_6 / 6.0 END AS mean_of_6_hours,
  CASE WHEN has_24 THEN sum_24 / 24.0 END AS mean_of_24_hours,
  CASE WHEN has_168 THEN sum_168 / 168.0 END AS mean_of_168_hours
FROM looked_back
LEFT JOIN dates
  ON dates.date = CAST(looked_back.pickup_hour AS DATE)
