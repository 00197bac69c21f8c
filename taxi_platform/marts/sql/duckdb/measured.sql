-- What marts add up: the trips of one dataset and file month, with whole numbers beside the columns of taxi.trips.
-- An amount is rounded to whole cents, and a distance to hundredths of a mile, halves away from zero. An amount of ten
-- million dollars or more is no amount. It counts as not reported, so that sums stay whole numbers. Rounding takes most
-- of the time, so that each sign has an expression of its own.
SELECT
    *,
    DATE_TRUNC('hour', pickup_datetime) AS pickup_hour,
    CASE
        WHEN trip_distance >= 0 AND trip_distance < 10000000 THEN CAST(FLOOR(trip_distance * 100 + 0.5) AS INTEGER)
        WHEN trip_distance < 0 AND trip_distance > -10000000 THEN CAST(CEIL(trip_distance * 100 - 0.5) AS INTEGER)
    END AS distance_hundredths,
    CASE
        WHEN fare_amount >= 0 AND fare_amount < 10000000 THEN CAST(FLOOR(fare_amount * 100 + 0.5) AS INTEGER)
        WHEN fare_amount < 0 AND fare_amount > -10000000 THEN CAST(CEIL(fare_amount * 100 - 0.5) AS INTEGER)
    END AS fare_cents,
    CASE
        WHEN tip_amount >= 0 AND tip_amount < 10000000 THEN CAST(FLOOR(tip_amount * 100 + 0.5) AS INTEGER)
        WHEN tip_amount < 0 AND tip_amount > -10000000 THEN CAST(CEIL(tip_amount * 100 - 0.5) AS INTEGER)
    END AS tip_cents,
    CASE
        WHEN tolls_amount >= 0 AND tolls_amount < 10000000 THEN CAST(FLOOR(tolls_amount * 100 + 0.5) AS INTEGER)
        WHEN tolls_amount < 0 AND tolls_amount > -10000000 THEN CAST(CEIL(tolls_amount * 100 - 0.5) AS INTEGER)
    END AS tolls_cents,
    CASE
        WHEN total_amount >= 0 AND total_amount < 10000000 THEN CAST(FLOOR(total_amount * 100 + 0.5) AS INTEGER)
        WHEN total_amount < 0 AND total_amount > -10000000 THEN CAST(CEIL(total_amount * 100 - 0.5) AS INTEGER)
    END AS total_cents,
    CASE
        WHEN congestion_surcharge >= 0 AND congestion_surcharge < 10000000 THEN CAST(FLOOR(congestion_surcharge * 100 + 0.5) AS INTEGER)
        WHEN congestion_surcharge < 0 AND congestion_surcharge > -10000000 THEN CAST(CEIL(congestion_surcharge * 100 - 0.5) AS INTEGER)
    END AS congestion_cents,
    CASE
        WHEN airport_fee >= 0 AND airport_fee < 10000000 THEN CAST(FLOOR(airport_fee * 100 + 0.5) AS INTEGER)
        WHEN airport_fee < 0 AND airport_fee > -10000000 THEN CAST(CEIL(airport_fee * 100 - 0.5) AS INTEGER)
    END AS airport_fee_cents,
    CASE
        WHEN cbd_congestion_fee >= 0 AND cbd_congestion_fee < 10000000 THEN CAST(FLOOR(cbd_congestion_fee * 100 + 0.5) AS INTEGER)
        WHEN cbd_congestion_fee < 0 AND cbd_congestion_fee > -10000000 THEN CAST(CEIL(cbd_congestion_fee * 100 - 0.5) AS INTEGER)
    END AS cbd_fee_cents
FROM unified
