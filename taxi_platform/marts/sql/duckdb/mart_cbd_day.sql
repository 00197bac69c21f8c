SELECT
    pickup_date,
    pickup_in_cbd,
    dropoff_in_cbd,
    COUNT(*) AS trips,
    SUM(passenger_count) AS passengers,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    SUM(fare_cents) AS fare_cents,
    SUM(tip_cents) AS tip_cents,
    SUM(tolls_cents) AS tolls_cents,
    SUM(total_cents) AS total_cents,
    COUNT(CASE WHEN ABS(trip_distance) < 10000000 THEN 1 END) AS measured_trips,
    COUNT(dropoff_datetime) AS timed_trips,
    COUNT(CASE WHEN ABS(fare_amount) < 10000000 THEN 1 END) AS fared_trips,
    COUNT(CASE WHEN ABS(total_amount) < 10000000 THEN 1 END) AS charged_trips,
    COUNT(CASE WHEN cbd_fee_cents > 0 THEN 1 END) AS toll_trips,
    SUM(cbd_fee_cents) AS cbd_fee_cents,
    SUM(congestion_cents) AS congestion_cents
FROM trips
GROUP BY pickup_date, pickup_in_cbd, dropoff_in_cbd
