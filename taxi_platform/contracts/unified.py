"""``taxi.trips``: every dataset as one view in one shape, with zone and borough names.

Belongs here: the shape and the standard SQL that DuckDB, PostgreSQL and BigQuery share. Does not: running it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from taxi_platform.contracts.model import ColumnType, Contract

__all__ = ["UNIFIED_COLUMNS", "unified_view_sql"]

UNIFIED_COLUMNS: tuple[tuple[str, ColumnType], ...] = (
    ("file_month", ColumnType.DATE),
    ("vendor", ColumnType.TEXT),
    ("pickup_datetime", ColumnType.TIMESTAMP),
    ("dropoff_datetime", ColumnType.TIMESTAMP),
    ("pickup_location_id", ColumnType.SMALLINT),
    ("dropoff_location_id", ColumnType.SMALLINT),
    ("passenger_count", ColumnType.SMALLINT),
    ("trip_distance", ColumnType.DOUBLE),
    ("fare_amount", ColumnType.DOUBLE),
    ("tip_amount", ColumnType.DOUBLE),
    ("tolls_amount", ColumnType.DOUBLE),
    ("total_amount", ColumnType.DOUBLE),
    ("payment_type", ColumnType.SMALLINT),
    ("congestion_surcharge", ColumnType.DOUBLE),
    ("airport_fee", ColumnType.DOUBLE),
    ("cbd_congestion_fee", ColumnType.DOUBLE),
)
"""Columns of the view after ``dataset``; where a dataset has no such column the value is null."""

_ZONE_NAMES = ("borough", "zone")


def unified_view_sql(
    contracts: Sequence[Contract],
    existing: Collection[str],
    table: Callable[[str], str],
    type_name: Callable[[ColumnType], str],
) -> str:
    """The view's SELECT over those datasets whose trips table is in ``existing``.

    Args:
        contracts: the datasets, in the order of the union.
        existing: names of the tables that the store has.
        table: a table's qualified name in the store's dialect.
        type_name: a column type in the store's dialect.
    """
    parts = [_dataset_sql(c, table, type_name) for c in contracts if c.trips.name in existing]
    return "\nUNION ALL\n".join(parts)


def _dataset_sql(contract: Contract, table: Callable[[str], str], type_name: Callable[[ColumnType], str]) -> str:
    own = set(contract.trips.column_names)
    columns = [f"'{contract.dataset}' AS dataset"]
    for name, column_type in UNIFIED_COLUMNS:
        column = contract.unified.get(name, name)
        value = f"t.{column}" if column in own else "NULL"
        columns.append(f"CAST({value} AS {type_name(column_type)}) AS {name}")
    joins = []
    for end in ("pickup", "dropoff"):
        columns += [f"{end}_zones.{name} AS {end}_{name}" for name in _ZONE_NAMES]
        joins.append(f"LEFT JOIN {table('zones')} AS {end}_zones ON {end}_zones.location_id = t.{end}_location_id")
    return f"SELECT {', '.join(columns)}\nFROM {table(contract.trips.name)} AS t\n" + "\n".join(joins)
