{# What is read of the platform. A dataset without a month yet has no table: it counts as empty. #}

{% macro trips_of(dataset, columns) %}
    {%- set trips, months = source('taxi', dataset ~ '_trips'), source('taxi', 'months') -%}
    {%- if not exists(trips) -%}
        {{ empty(trips, columns) }}, cast(null as text) as data_version where false
    {%- else -%}
        select
            {% for column in columns %}trips.{{ column }}, {% endfor %}
            months.data_version
        from {{ trips }} as trips
        inner join {{ months }} as months
            on months.dataset = '{{ dataset }}' and months.file_month = trips.file_month
    {%- endif -%}
{% endmacro %}


{# dbt's own tests of sources ask this macro for the rows. #}
{% macro get_where_subquery(relation) -%}
    {%- if execute and relation is not string and is_source(relation) and not exists(relation) -%}
        ({{ empty(relation, none) }} where false) as dbt_subquery
    {%- else -%}
        {%- set where = config.get('where') -%}
        {%- if where -%} (select * from {{ relation }} where {{ where }}) as dbt_subquery
        {%- else -%} {{ relation }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro exists(relation) %}
    {%- do return(not execute or load_relation(relation) is not none) -%}
{% endmacro %}


{% macro is_source(relation) %}
    {%- do return(declared(relation) is not none) -%}
{% endmacro %}


{% macro declared(relation) %}
    {%- set found = graph.sources.values()
        | selectattr('schema', 'equalto', relation.schema)
        | selectattr('identifier', 'equalto', relation.identifier) | list -%}
    {%- do return(found | first if found else none) -%}
{% endmacro %}


{# A select of nothing with the columns, in the types that the contract declares; all of them for none. #}
{% macro empty(relation, columns) %}
    {%- set told = declared(relation).columns -%}
    select {% for name in columns or told %}cast(null as {{ told[name].data_type }}) as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}
