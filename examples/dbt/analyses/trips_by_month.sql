select service_type, revenue_month, sum(total_monthly_trips) as total_monthly_trips, count(*) as rows_of_model
from {{ ref('fct_monthly_zone_revenue') }}
group by service_type, revenue_month
order by service_type, revenue_month
