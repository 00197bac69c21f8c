SELECT
    pickup_date,
    pickup_airport,
    dropoff_airport,
    rate_code_id,
    COUNT(*) AS trips,
    SUM(passenger_count) AS passengers,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    SUM(fare_cents) AS fare_cents,
    SUM(tip_cents) AS tip_cents,
    SUM(tolls_cents) AS tolls_cents,
    SUM(total_cents) AS total_cents,
    SUM(airport_fee_cents) AS airport_fee_cents
FROM trips
WHERE is_airport_trip
GROUP BY pickup_date, pickup_airport, dropoff_airport, rate_code_id
