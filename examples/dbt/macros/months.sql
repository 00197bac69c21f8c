{# A month is the upstream file, and is replaced when its data version in the platform's table `months` is another. #}

{# On models: what is of a month that the platform has no trips of any more, as after a withdrawal, goes. #}
{% macro delete_gone_months() %}
    {% if is_incremental() %}
        delete from {{ this }} where not exists (
            select 1 from {{ source('taxi', 'months') }} as months
            where {{ service_type('months.dataset') }} = {{ this.identifier }}.service_type
                and months.file_month = {{ this.identifier }}.file_month and months.trips_rows > 0
        )
    {% endif %}
{% endmacro %}


{# A condition: the rows of months that `built` was not made from in their current version; every row at first.

   The months stand in it as constants, so that every store reads those months alone.

   input: the relation that has the current versions; dataset: of the rows, such as green. #}
{% macro in_changed_months(input, dataset) %}
    {%- if not is_incremental() -%} true
    {%- else -%}
        {%- set months = changed_months(input, dataset) -%}
        {%- if execute and months -%}
            {%- do log(this.identifier ~ ': ' ~ dataset ~ ' ' ~ months | join(', '), info=true) -%}
        {%- endif -%}
        {%- if months -%} file_month in ({% for month in months %}date '{{ month }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- else -%} false
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{% macro changed_months(input, dataset) %}
    {%- if not execute -%} {%- do return([]) -%} {%- endif -%}
    {%- set of_month -%}
        service_type = {{ service_type('months.dataset') }} and file_month = months.file_month
    {%- endset -%}
    {%- set current -%}
        {%- if input == source('taxi', 'months') -%} months.data_version
        {%- else -%} (select max(data_version) from {{ input }} where {{ of_month }})
        {%- endif -%}
    {%- endset -%}
    {%- set sql -%}
        select file_month from (
            select months.file_month, {{ current }} as current_version,
                (select max(data_version) from {{ this }} where {{ of_month }}) as built_version
            from {{ source('taxi', 'months') }} as months
            where months.dataset = '{{ dataset }}' and months.trips_rows > 0
        ) as versions
        where current_version is distinct from built_version
        order by file_month
    {%- endset -%}
    {%- do return(run_query(sql).columns[0].values() | map('string') | list) -%}
{% endmacro %}


{# The course's name of a dataset: Green, Yellow. #}
{% macro service_type(dataset) -%}
    upper(substr({{ dataset }}, 1, 1)) || substr({{ dataset }}, 2)
{%- endmacro %}


{# DuckDB's own macro joins the rows of a month with its rows, all with all; every store can do what PostgreSQL does. #}
{% macro duckdb__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {{ default__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) }}
{%- endmacro %}
