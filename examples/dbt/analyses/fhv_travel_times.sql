-- Where trips of for-hire vehicles from three zones take longest: the two greatest p90 of the travel time, in seconds.
with trips as (
    select
        trips.file_month,
        origin.zone as pickup_zone,
        target.zone as dropoff_zone,
        {{ dbt.datediff('trips.pickup_datetime', 'trips.dropoff_datetime', 'second') }} as trip_duration,
        trips.pickup_location_id,
        trips.dropoff_location_id
    from {{ ref('stg_fhv_tripdata') }} as trips
    inner join {{ ref('dim_zones') }} as origin on origin.location_id = trips.pickup_location_id
    inner join {{ ref('dim_zones') }} as target on target.location_id = trips.dropoff_location_id
    where trips.file_month = date '{{ var("month", "2019-11-01") }}'
        and origin.zone in ('Newark Airport', 'SoHo', 'Yorkville East')
),

pairs as (
    select
        file_month,
        pickup_zone,
        dropoff_zone,
        percentile_cont(0.90) within group (order by trip_duration) as p90_trip_duration
    from trips
    group by file_month, pickup_zone, dropoff_zone, pickup_location_id, dropoff_location_id
),

ranked as (
    select *, rank() over (partition by pickup_zone order by p90_trip_duration desc) as place
    from pairs
)

select * from ranked where place <= 2 order by pickup_zone, place
