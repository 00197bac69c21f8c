-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH quarters AS (
  SELECT
    dataset,
    EXTRACT(YEAR FROM file_month) AS year,
    EXTRACT(QUARTER FROM file_month) AS quarter,
    COUNT(DISTINCT file_month) AS months,
    SUM(trips) AS trips,
    SUM(total_cents) AS total_cents,
    SUM(fare_cents) AS fare_cents
  FROM mart_service_day
  GROUP BY
    dataset,
    EXTRACT(YEAR FROM file_month),
    EXTRACT(QUARTER FROM file_month)
)
SELECT
  mine.dataset,
  mine.year,
  mine.quarter,
  mine.months,
  mine.trips,
  mine.fare_cents / 100.0 AS fare_dollars,
  mine.total_cents / 100.0 AS total_dollars,
  before.months AS months_year_before,
  before.trips AS trips_year_before,
  before.total_cents / 100.0 AS total_dollars_year_before,
  100.0 * (
    mine.total_cents - before.total_cents
  ) / NULLIF(before.total_cents, 0) AS change_percent
FROM quarters AS mine
LEFT JOIN quarters AS before
  ON before.dataset = mine.dataset
  AND before.quarter = mine.quarter
  AND before.year = mine.year - 1
