-- Continuous percentiles of the fare by service and month, of the trips that the homework counts as valid. Its fact table
-- has trips between known zones only.
select
    service_type,
    file_month,
    count(*) as trips,
    percentile_cont(0.97) within group (order by fare_amount) as p97,
    percentile_cont(0.95) within group (order by fare_amount) as p95,
    percentile_cont(0.90) within group (order by fare_amount) as p90
from {{ ref('fct_trips') }}
where
    fare_amount > 0
    and trip_distance > 0
    and payment_type_description in ('cash', 'credit card')
    and pickup_borough <> 'Unknown'
    and dropoff_borough <> 'Unknown'
group by service_type, file_month
order by service_type, file_month
