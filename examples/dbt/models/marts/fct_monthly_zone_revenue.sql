{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['service_type', 'file_month'],
    on_schema_change='fail',
    pre_hook="{{ delete_gone_months() }}"
) }}

{%- set trips = ref('fct_trips') %}

select
    coalesce(pickup_zone, 'unknown') as pickup_zone,
    file_month as revenue_month,
    service_type,
    sum(fare_amount) as revenue_monthly_fare,
    sum(extra) as revenue_monthly_extra,
    sum(mta_tax) as revenue_monthly_mta_tax,
    sum(tip_amount) as revenue_monthly_tip_amount,
    sum(tolls_amount) as revenue_monthly_tolls_amount,
    sum(ehail_fee) as revenue_monthly_ehail_fee,
    sum(improvement_surcharge) as revenue_monthly_improvement_surcharge,
    sum(total_amount) as revenue_monthly_total_amount,
    count(*) as total_monthly_trips,
    avg(cast(passenger_count as double precision)) as avg_monthly_passenger_count,
    avg(trip_distance) as avg_monthly_trip_distance,
    file_month,
    max(data_version) as data_version
from {{ trips }}
where
    (service_type = 'Green' and {{ in_changed_months(trips, 'green') }})
    or (service_type = 'Yellow' and {{ in_changed_months(trips, 'yellow') }})
group by coalesce(pickup_zone, 'unknown'), file_month, service_type
