SELECT
    bin AS fare_bin,
    SUM(fare_trips) AS trips,
    SUM(fare_cents) AS fare_cents
FROM mart_pair_month
WHERE fare_trips > 0
GROUP BY bin
