SELECT
    pickup_date,
    SUM(trips) AS trips,
    SUM(passengers) AS passengers,
    SUM(distance_hundredths) AS distance_hundredths,
    SUM(duration_seconds) AS duration_seconds,
    SUM(fare_cents) AS fare_cents,
    SUM(tip_cents) AS tip_cents,
    SUM(tolls_cents) AS tolls_cents,
    SUM(total_cents) AS total_cents,
    SUM(measured_trips) AS measured_trips,
    SUM(timed_trips) AS timed_trips,
    SUM(fared_trips) AS fared_trips,
    SUM(charged_trips) AS charged_trips
FROM mart_cbd_day
GROUP BY pickup_date
