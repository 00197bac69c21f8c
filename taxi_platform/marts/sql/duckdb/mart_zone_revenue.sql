SELECT
    mine.dataset,
    mine.file_month,
    mine.pickup_location_id,
    zones.borough,
    zones.zone,
    mine.trips,
    mine.fare_cents / 100.0 AS fare_dollars,
    mine.tip_cents / 100.0 AS tip_dollars,
    mine.total_cents / 100.0 AS total_dollars,
    mine.total_cents / 100.0 / mine.trips AS mean_total_dollars,
    before.trips AS trips_year_before,
    before.total_cents / 100.0 AS total_dollars_year_before
FROM mart_zone_month AS mine
LEFT JOIN mart_zone_month AS before
    ON before.dataset = mine.dataset
    AND before.pickup_location_id = mine.pickup_location_id
    AND before.file_month = CAST(mine.file_month - INTERVAL 1 YEAR AS DATE)
LEFT JOIN zones ON zones.location_id = mine.pickup_location_id
