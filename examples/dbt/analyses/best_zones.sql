-- Zones by the revenue of green taxis in a year, the greatest first; months says how many there are of it.
select
    pickup_zone,
    sum(revenue_monthly_total_amount) as revenue,
    sum(total_monthly_trips) as trips,
    (select count(distinct revenue_month) from {{ ref('fct_monthly_zone_revenue') }}
     where service_type = 'Green' and extract(year from revenue_month) = {{ var('year', 2020) }}) as months
from {{ ref('fct_monthly_zone_revenue') }}
where service_type = 'Green' and extract(year from revenue_month) = {{ var('year', 2020) }}
group by pickup_zone
order by revenue desc
