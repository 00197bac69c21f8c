{# Dollars of a trip as an exact number, so that a sum is the same in every store; an absurd amount counts as none. #}
{% macro dollars(column) -%}
    cast(case when abs({{ column }}) < 10000000 then {{ column }} end as numeric(12, 2))
{%- endmacro %}


{# What is written would stand among the platform's own tables. #}
{% macro refuse_the_platforms_schema() %}
    {% set taken = builtins.source('taxi', 'months').schema %}
    {% if execute and target.type != 'duckdb' and target.schema == taken %}
        {{ exceptions.raise_compiler_error("DBT_SCHEMA=" ~ target.schema ~ " is the platform's schema: name one of your own") }}
    {% endif %}
{% endmacro %}
