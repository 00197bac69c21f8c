WITH months AS (
    SELECT dataset, file_month FROM mart_months WHERE mart = 'mart_zone_hour'
),

hours AS (
    SELECT dataset, file_month, CAST(file_month AS TIMESTAMP) + n * INTERVAL 1 HOUR AS pickup_hour
    FROM months CROSS JOIN UNNEST(GENERATE_SERIES(0, 743)) AS s(n)
)

SELECT
    hours.dataset,
    hours.file_month,
    zones.location_id AS pickup_location_id,
    hours.pickup_hour,
    COALESCE(found.trips, 0) AS trips
FROM hours
CROSS JOIN zones
LEFT JOIN mart_zone_hour AS found
    ON found.dataset = hours.dataset
    AND found.file_month = hours.file_month
    AND found.pickup_location_id = zones.location_id
    AND found.pickup_hour = hours.pickup_hour
WHERE EXTRACT(MONTH FROM hours.pickup_hour) = EXTRACT(MONTH FROM hours.file_month)
