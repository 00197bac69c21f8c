-- Every month in its current version has as many trips here as the platform has: rows are the months that have not.
with months as (
    select {{ service_type('dataset') }} as service_type, file_month, data_version, trips_rows
    from {{ source('taxi', 'months') }}
    where dataset in ('green', 'yellow') and trips_rows > 0
),

facts as (
    select service_type, file_month, data_version, count(*) as trips
    from {{ ref('fct_trips') }}
    group by service_type, file_month, data_version
),

revenue as (
    select service_type, file_month, data_version, sum(total_monthly_trips) as trips
    from {{ ref('fct_monthly_zone_revenue') }}
    group by service_type, file_month, data_version
)

select service_type, file_month, months.trips_rows, facts.trips as trips_in_facts, revenue.trips as trips_in_revenue
from months
full outer join facts using (service_type, file_month, data_version)
full outer join revenue using (service_type, file_month, data_version)
where months.trips_rows is distinct from facts.trips or facts.trips is distinct from revenue.trips
