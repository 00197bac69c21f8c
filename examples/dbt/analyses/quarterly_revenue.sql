-- Revenue by quarter and its change on the year; months says how many file months of either quarter there are.
with quarters as (
    select
        service_type,
        extract(year from file_month) as calendar_year,
        extract(quarter from file_month) as calendar_quarter,
        count(distinct file_month) as months,
        sum(total_amount) as revenue
    from {{ ref('fct_trips') }}
    group by service_type, extract(year from file_month), extract(quarter from file_month)
)

select
    quarters.service_type,
    concat(quarters.calendar_year, '/Q', quarters.calendar_quarter) as year_quarter,
    quarters.months,
    before.months as months_year_before,
    quarters.revenue,
    round(100 * (quarters.revenue - before.revenue) / before.revenue, 2) as change_percent
from quarters
left join quarters as before
    on before.service_type = quarters.service_type
    and before.calendar_year = quarters.calendar_year - 1
    and before.calendar_quarter = quarters.calendar_quarter
order by quarters.service_type, year_quarter
