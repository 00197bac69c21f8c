-- Written by `make docs` from sql/duckdb; not to be edited by hand.
WITH days AS (
  SELECT
    pickup_date,
    dataset,
    SUM(trips) AS trips
  FROM mart_service_day
  GROUP BY
    pickup_date,
    dataset
)
SELECT
  pickup_date,
  dataset,
  trips,
  CAST(100.0 * trips AS DOUBLE PRECISION) / SUM(trips) OVER (PARTITION BY pickup_date) AS share_percent
FROM days
