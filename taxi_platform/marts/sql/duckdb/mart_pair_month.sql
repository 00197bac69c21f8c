-- One pass over the trips, for both histograms: every trip stands in it twice, is_fare is 0 where it counts by minutes and
-- 1 where it counts by dollars. A bin names its value once, because PostgreSQL computes an expression as often as it is
-- named; LEAST of null would not be null.
WITH binned AS (
    SELECT
        pickup_location_id,
        dropoff_location_id,
        is_fare,
        CASE
            WHEN is_fare = 0 AND dropoff_datetime IS NOT NULL
                THEN CAST(LEAST(GREATEST(FLOOR(duration_seconds / 60.0), -1), 180) AS INTEGER)
            WHEN is_fare = 1 AND ABS(fare_amount) < 10000000
                THEN CAST(LEAST(GREATEST(FLOOR(fare_cents / 100.0), -1), 300) AS INTEGER)
        END AS bin,
        distance_hundredths,
        duration_seconds,
        fare_cents
    FROM trips CROSS JOIN (VALUES (0), (1)) AS v(is_fare)
)

SELECT
    pickup_location_id,
    dropoff_location_id,
    bin,
    SUM(1 - is_fare) AS trips,
    SUM(is_fare) AS fare_trips,
    SUM(CASE WHEN is_fare = 0 THEN distance_hundredths END) AS distance_hundredths,
    SUM(CASE WHEN is_fare = 0 THEN duration_seconds END) AS duration_seconds,
    SUM(CASE WHEN is_fare = 1 THEN fare_cents END) AS fare_cents
FROM binned
GROUP BY pickup_location_id, dropoff_location_id, bin
