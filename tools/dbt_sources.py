"""The sources of the dbt project in ``examples/dbt``, from the contracts: `python -m tools.docs` writes them.

Belongs here: what dbt is told of each table of the platform (columns, descriptions, tests, freshness, and which Dagster
asset it is). Does not: any model, which is the user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dimensions import CODES, DATES
from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import describe
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.contracts.zones import MAPPED_ZONES
from taxi_platform.stores.bookkeeping import MONTHS

__all__ = ["SOURCE", "render_sources"]

SOURCE = "taxi"
"""The name of the source in dbt: ``source('taxi', 'green_trips')``."""

_HEADER = "# Written by `make docs` from taxi_platform/contracts; not to be edited by hand.\n"

# DuckDB reads the lake's views, a file that is attached; the other stores hold the tables themselves.
_ON_DUCKDB = "target.type == 'duckdb'"
_DATABASE = f"{{{{ 'platform' if {_ON_DUCKDB} else target.database }}}}"
_SCHEMA = "{{ env_var('TAXI_POSTGRES_SCHEMA', 'taxi') if target.type == 'postgres' else 'taxi' }}"


def render_sources(contracts: Sequence[Contract]) -> str:
    """The properties file of the source, as YAML."""
    tables = [_table(MONTHS, {}), *_dimensions()]
    for contract in contracts:
        tables += [_trips(contract), _table(contract.quarantine, {})]
    tables.append(_table(UNIFIED, {}))
    source = {
        "name": SOURCE,
        "description": "The tables of taxi_platform. A dataset without a month yet counts as empty.",
        "database": _DATABASE,
        "schema": _SCHEMA,
        "tables": tables,
    }
    document = {"version": 2, "sources": [source]}
    text: str = yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
    return _HEADER + text


def _dimensions() -> Iterable[dict[str, Any]]:
    for table in (MAPPED_ZONES, DATES, CODES):
        yield _table(table, _asset(table.name, table.name))


def _trips(contract: Contract) -> dict[str, Any]:
    """A dataset of which a month was loaded lately is fresh: upstream publishes one a month, about two months late."""
    months = f"{{{{ source('{SOURCE}', '{MONTHS.name}') }}}}"
    now = "cast({{ dbt.current_timestamp() }} as timestamp)"  # a dataset that is not loaded is not late
    loaded = f"select coalesce(max(loaded_at), {now}) from {months} where dataset = '{contract.dataset}'"
    properties = _asset(contract.trips.name, contract.dataset)
    properties["config"] |= {
        "loaded_at_query": loaded,
        "freshness": {"warn_after": {"count": 45, "period": "day"}, "error_after": {"count": 90, "period": "day"}},
    }
    return _table(contract.trips, properties)


def _asset(in_lake: str, stem: str) -> dict[str, Any]:
    """The Dagster asset that a table is: the lake's where views are read, otherwise PostgreSQL's or the warehouse's."""
    tables = f"'{stem}_postgres' if target.type == 'postgres' else '{stem}_warehouse'"
    key = f"{{{{ '{in_lake}' if {_ON_DUCKDB} else {tables} }}}}"
    return {"config": {"meta": {"dagster": {"asset_key": [key]}}}}


def _table(table: Table, properties: dict[str, Any]) -> dict[str, Any]:
    columns = [_column(table, column) for column in table.columns]
    return {"name": table.name, "description": table.description, **properties, "columns": columns}


def _column(table: Table, column: Column) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "description": describe(column),
        "data_type": column.type.postgres,  # DuckDB knows these names too
    }
    if tests := [*_tests(table, column)]:
        told["data_tests"] = tests
    return told


def _tests(table: Table, column: Column) -> Iterable[str | dict[str, Any]]:
    """What the contract promises is an error; what upstream may surprise with is a warning, as in the platform."""
    if not column.nullable and table is not UNIFIED:
        yield "not_null"
    if table.key == (column.name,):
        yield "unique"
    if column.codes:
        values = {"values": [*column.codes], "quote": column.type is ColumnType.TEXT}
        yield {"accepted_values": {"arguments": values, "config": {"severity": "warn"}}}
    if column.name in ("pickup_location_id", "dropoff_location_id") and table is not UNIFIED:
        to = {"to": f"source('{SOURCE}', '{MAPPED_ZONES.name}')", "field": "location_id"}
        yield {"relationships": {"arguments": to, "config": {"severity": "warn"}}}
