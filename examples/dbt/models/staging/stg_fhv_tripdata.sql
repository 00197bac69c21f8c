-- Rows without a base are left out, as the homework asks.
with trips as (
    {{ trips_of('fhv', [
        'file_month', 'dispatching_base_num', 'affiliated_base_number', 'pickup_datetime', 'dropoff_datetime',
        'pickup_location_id', 'dropoff_location_id', 'sr_flag'
    ]) }}
)

select
    'Fhv' as service_type,
    file_month,
    data_version,
    dispatching_base_num,
    affiliated_base_number,
    pickup_datetime,
    dropoff_datetime,
    pickup_location_id,
    dropoff_location_id,
    sr_flag
from trips
where dispatching_base_num is not null
