{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['service_type', 'file_month'],
    on_schema_change='fail',
    pre_hook="{{ delete_gone_months() }}",
    indexes=[{'columns': ['service_type', 'file_month', 'data_version']}] if target.type == 'postgres' else []
) }}

{%- set months = source('taxi', 'months') %}

with trips as (
    select * from {{ ref('stg_green_tripdata') }} where {{ in_changed_months(months, 'green') }}
    union all
    select * from {{ ref('stg_yellow_tripdata') }} where {{ in_changed_months(months, 'yellow') }}
),

-- Both datasets have the same codes of payment.
payments as (
    select code, label from {{ source('taxi', 'codes') }}
    where table_name = 'green_trips' and column_name = 'payment_type'
)

select
    trips.service_type,
    trips.file_month,
    trips.data_version,
    trips.vendor_id,
    trips.rate_code_id,
    trips.pickup_location_id,
    origin.borough as pickup_borough,
    origin.zone as pickup_zone,
    trips.dropoff_location_id,
    target.borough as dropoff_borough,
    target.zone as dropoff_zone,
    trips.pickup_datetime,
    trips.dropoff_datetime,
    trips.store_and_fwd_flag,
    trips.passenger_count,
    trips.trip_distance,
    trips.trip_type,
    {{ dbt.datediff('trips.pickup_datetime', 'trips.dropoff_datetime', 'second') }} / 60.0 as trip_duration_minutes,
    trips.fare_amount,
    trips.extra,
    trips.mta_tax,
    trips.tip_amount,
    trips.tolls_amount,
    trips.ehail_fee,
    trips.improvement_surcharge,
    trips.total_amount,
    trips.payment_type,
    coalesce(payments.label, 'unknown') as payment_type_description
from trips
left join {{ ref('dim_zones') }} as origin on origin.location_id = trips.pickup_location_id
left join {{ ref('dim_zones') }} as target on target.location_id = trips.dropoff_location_id
left join payments on payments.code = cast(trips.payment_type as {{ dbt.type_string() }})
