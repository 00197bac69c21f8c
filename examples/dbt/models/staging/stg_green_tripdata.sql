-- The course's columns. Renaming, types and dirt were the platform's work: what is here is clean.
with trips as (
    {{ trips_of('green', [
        'file_month', 'vendor_id', 'rate_code_id', 'pickup_location_id', 'dropoff_location_id', 'pickup_datetime',
        'dropoff_datetime', 'store_and_fwd_flag', 'passenger_count', 'trip_distance', 'fare_amount', 'extra', 'mta_tax',
        'tip_amount', 'tolls_amount', 'improvement_surcharge', 'total_amount', 'payment_type', 'trip_type', 'ehail_fee'
    ]) }}
)

select
    'Green' as service_type,
    file_month,
    data_version,
    vendor_id,
    rate_code_id,
    pickup_location_id,
    dropoff_location_id,
    pickup_datetime,
    dropoff_datetime,
    store_and_fwd_flag,
    passenger_count,
    trip_distance,
    trip_type,
    {{ dollars('fare_amount') }} as fare_amount,
    {{ dollars('extra') }} as extra,
    {{ dollars('mta_tax') }} as mta_tax,
    {{ dollars('tip_amount') }} as tip_amount,
    {{ dollars('tolls_amount') }} as tolls_amount,
    {{ dollars('ehail_fee') }} as ehail_fee,
    {{ dollars('improvement_surcharge') }} as improvement_surcharge,
    {{ dollars('total_amount') }} as total_amount,
    payment_type
from trips
