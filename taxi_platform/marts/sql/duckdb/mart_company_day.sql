SELECT
    pickup_date,
    vendor,
    COUNT(*) AS trips,
    SUM(passenger_count) AS passengers,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    SUM(fare_cents) AS fare_cents,
    SUM(tip_cents) AS tip_cents,
    SUM(tolls_cents) AS tolls_cents,
    SUM(total_cents) AS total_cents
FROM trips
GROUP BY pickup_date, vendor
