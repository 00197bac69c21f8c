-- Written by `make docs` from sql/duckdb; not to be edited by hand.
SELECT
  mine.dataset,
  mine.file_month,
  mine.pickup_location_id,
  zones.borough,
  zones.zone,
  mine.trips,
  CAST(mine.fare_cents AS DOUBLE PRECISION) / 100.0 AS fare_dollars,
  CAST(mine.tip_cents AS DOUBLE PRECISION) / 100.0 AS tip_dollars,
  CAST(mine.total_cents AS DOUBLE PRECISION) / 100.0 AS total_dollars,
  CAST(CAST(mine.total_cents AS DOUBLE PRECISION) / 100.0 AS DOUBLE PRECISION) / mine.trips AS mean_total_dollars,
  before.trips AS trips_year_before,
  CAST(before.total_cents AS DOUBLE PRECISION) / 100.0 AS total_dollars_year_before
FROM mart_zone_month AS mine
LEFT JOIN mart_zone_month AS before
  ON before.dataset = mine.dataset
  AND before.pickup_location_id = mine.pickup_location_id
  AND before.file_month = CAST(mine.file_month - INTERVAL '1 YEAR' AS DATE)
LEFT JOIN zones
  ON zones.location_id = mine.pickup_location_id
