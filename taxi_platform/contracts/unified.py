"""``taxi.trips``: every dataset as one view in one shape, with zone and borough names.

Belongs here: the columns of the view, and the SQL that DuckDB, PostgreSQL and BigQuery share. Does not: running it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.zones import ZONES

__all__ = ["UNIFIED", "UNIFIED_COLUMNS", "unified_month_sql", "unified_view_sql"]

_NULL = "NULL"
_ENDS = {"pickup": "began", "dropoff": "ended"}
_ZONE_NAMES = {"borough": "Borough", "zone": "Name of the taxi zone"}

_SHARED = (
    FILE_MONTH,
    Column("vendor", ColumnType.TEXT, "Who made the record: a taxi's vendor id, a company's or base's licence number."),
    common.PICKUP_DATETIME,
    common.DROPOFF_DATETIME,
    common.PICKUP_LOCATION_ID,
    common.DROPOFF_LOCATION_ID,
    common.PASSENGER_COUNT,
    replace(common.TRIP_DISTANCE, description="Distance of the trip, by the taximeter or as the company reports it."),
    replace(common.FARE_AMOUNT, description="Fare without tips, tolls, taxes and fees."),
    replace(common.TIP_AMOUNT, description="Tips; of taxis those paid by card only."),
    common.TOLLS_AMOUNT,
    common.TOTAL_AMOUNT,
    common.PAYMENT_TYPE,
    common.CONGESTION_SURCHARGE,
    common.AIRPORT_FEE,
    common.CBD_CONGESTION_FEE,
)

UNIFIED = Table(
    "trips",
    "Every dataset's clean trips in one shape, with zone and borough names; null where a dataset has no such column.",
    (
        Column("dataset", ColumnType.TEXT, "The dataset whose table the row stands in."),
        *(replace(column, nullable=True) for column in _SHARED),
        *(
            Column(f"{end}_{name}", ColumnType.TEXT, f"{what} in which the trip {happened}.")
            for end, happened in _ENDS.items()
            for name, what in _ZONE_NAMES.items()
        ),
    ),
)
"""The view as the stores' catalogues describe it."""

UNIFIED_COLUMNS: tuple[tuple[str, ColumnType], ...] = tuple((column.name, column.type) for column in _SHARED)
"""Columns that come from the datasets' own tables: the view without ``dataset`` and the names of zones."""


def unified_view_sql(
    contracts: Sequence[Contract],
    existing: Collection[str],
    table: Callable[[str], str],
    type_name: Callable[[ColumnType], str],
) -> str:
    """The view's SELECT over the datasets whose trips table is in ``existing``; empty text if there are none.

    The zones table must exist.

    Args:
        contracts: the datasets, in the order of the union.
        existing: names of the tables that the store has.
        table: a table's qualified name in the store's dialect.
        type_name: a column type in the store's dialect.
    """
    parts = [_dataset_sql(c, table, type_name) for c in contracts if c.trips.name in existing]
    return "\nUNION ALL\n".join(parts)


def _dataset_sql(contract: Contract, table: Callable[[str], str], type_name: Callable[[ColumnType], str]) -> str:
    columns = _unified_columns(contract, type_name)
    joins = []
    for end in _ENDS:
        location = _value(contract, f"{end}_location_id")
        if location == _NULL:
            columns += [f"CAST({_NULL} AS {type_name(ColumnType.TEXT)}) AS {end}_{name}" for name in _ZONE_NAMES]
        else:
            columns += [f"{end}_zones.{name} AS {end}_{name}" for name in _ZONE_NAMES]
            joins.append(f"\nLEFT JOIN {table(ZONES.name)} AS {end}_zones ON {end}_zones.location_id = {location}")
    return f"SELECT {', '.join(columns)}\nFROM {table(contract.trips.name)} AS t{''.join(joins)}"


def _unified_columns(contract: Contract, type_name: Callable[[ColumnType], str]) -> list[str]:
    values = (f"CAST({_value(contract, name)} AS {type_name(kind)}) AS {name}" for name, kind in UNIFIED_COLUMNS)
    return [f"'{contract.dataset}' AS dataset", *values]


def _value(contract: Contract, name: str) -> str:
    """The dataset's own column for a column of the view."""
    column = contract.unified.get(name, name)
    return f"t.{column}" if column in contract.trips.column_names else _NULL


def unified_month_sql(
    contract: Contract, file_month: date, table: Callable[[str], str], type_name: Callable[[ColumnType], str]
) -> str:
    """A SELECT of one dataset's trips of one file month in the view's shape, without the names of zones.

    The month is a constant, so that every store reads its partition only.

    Args:
        contract: the dataset.
        file_month: the month.
        table: a table's qualified name in the store's dialect.
        type_name: a column type in the store's dialect.
    """
    columns = _unified_columns(contract, type_name)
    month = f"t.{FILE_MONTH.name} = DATE '{file_month}'"
    return f"SELECT {', '.join(columns)}\nFROM {table(contract.trips.name)} AS t\nWHERE {month}"
