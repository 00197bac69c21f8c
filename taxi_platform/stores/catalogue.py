"""Compares declarations of tables with a database's catalogue.

Belongs here: what the SQL stores share in reading a catalogue. Does not: any query (each store has its own).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from taxi_platform.contracts.model import Column, ColumnType, Table
from taxi_platform.contracts.schemas import describe
from taxi_platform.errors import StoreError
from taxi_platform.stores.model import split_name

__all__ = [
    "CatalogueColumn",
    "SqlType",
    "can_become",
    "declaration",
    "is_current",
    "missing_columns",
    "months_sql",
    "selected",
]

SqlType = Callable[[ColumnType], str]
"""Turns a column type into the database's name for it."""


@dataclass(frozen=True)
class CatalogueColumn:
    """A column of an existing table, as the database's catalogue has it."""

    name: str
    type: str
    nullable: bool
    comment: str | None


def is_current(table: Table, existing: Iterable[CatalogueColumn], sql_type: SqlType) -> bool:
    """Whether an existing table has every column of the declaration, with its type and description."""
    current = {(column.name, column.type, column.comment) for column in existing}
    return all((column.name, sql_type(column.type), describe(column)) in current for column in table.columns)


def can_become(table: Table, existing: Iterable[CatalogueColumn], sql_type: SqlType) -> bool:
    """Whether an existing table can become as declared by adding columns only."""
    declared = {(column.name, sql_type(column.type), column.nullable) for column in table.columns}
    return declared.issuperset((column.name, column.type, column.nullable) for column in existing)


def missing_columns(table: Table, existing: Iterable[CatalogueColumn], sql_type: SqlType) -> tuple[Column, ...]:
    """The declared columns that an existing table lacks; raises `StoreError` if a column has another type."""
    types = {column.name: column.type for column in existing}
    for column in table.columns:
        current = types.get(column.name, sql_type(column.type))
        if current != sql_type(column.type):
            raise StoreError(
                f"the column {column.name} of {table.qualified_name} is {current} but the contract says "
                f"{sql_type(column.type)}: move that table away, then load its months again"
            )
    return tuple(column for column in table.columns if column.name not in types)


def declaration(name: str, existing: Sequence[CatalogueColumn], sql_type: SqlType, store: str) -> Table:
    """The declaration of an existing table; raises `StoreError` if there is no such table, or one of foreign types."""
    schema, name = split_name(name)
    if not existing:
        raise StoreError(f"{store} has no table {schema}.{name}: materialize its months first")
    types: Mapping[str, ColumnType] = {sql_type(kind): kind for kind in ColumnType}
    if foreign := [column.name for column in existing if column.type not in types]:
        raise StoreError(
            f"{schema}.{name} in {store} has columns of types that this platform did not make: {', '.join(foreign)}"
        )
    columns = (Column(c.name, types[c.type], c.comment or "", nullable=c.nullable) for c in existing)
    return Table(name, "", tuple(columns), schema=schema)


def selected(table: Table, columns: Sequence[str] | None) -> Table:
    """The table with only those columns, in that order (all for None); raises `StoreError` for an unknown column."""
    if columns is None:
        return table
    by_name = {column.name: column for column in table.columns}
    if unknown := [name for name in columns if name not in by_name]:
        raise StoreError(f"{table.qualified_name} has no column {', '.join(unknown)}: it has {', '.join(by_name)}")
    return replace(table, columns=tuple(by_name[name] for name in columns), cluster_by=())


def months_sql(months: Sequence[date] | None) -> str:
    """A WHERE clause for those file months; empty for None. The months are constants, so that stores can prune."""
    days = ", ".join(f"DATE '{month}'" for month in months or ())
    return "" if months is None else f"WHERE file_month IN ({days})"
