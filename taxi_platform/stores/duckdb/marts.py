"""Marts in a DuckDB file: a month's marts, and the views over them.

Belongs here: what `taxi_platform.stores.model.MartStore` promises, over an open connection. Does not: opening the file
(``connection``), transactions around it (``store``) and any mart (``taxi_platform.marts``).
"""
# ruff: noqa: S608 - names in SQL come from declarations, quoted; values are bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import SCHEMA
from taxi_platform.contracts.schemas import quoted
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import Naming, counts_sql, mart_sql, union_sql, view_sql
from taxi_platform.stores.bookkeeping import (
    MART_MONTHS,
    MARTS_RECORDED,
    check_marts,
    held_marts,
    mart_counts,
    mart_rows,
)
from taxi_platform.stores.duckdb.tables import (
    columns_of,
    existing_tables,
    qualified,
    replace_view,
    rows_of,
)
from taxi_platform.stores.model import HeldMart, MadeMarts, MartCounts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["count_marts", "count_views", "delete_marts", "make_marts", "recorded_marts", "refresh_mart_views"]

_NAMING = Naming("duckdb", lambda name: f"{SCHEMA}.{quoted(name)}")


def recorded_marts(
    connection: DuckDBPyConnection, contract: Contract, months: Sequence[date] | None
) -> dict[date, dict[str, HeldMart]]:
    """File month → mart → what the file's record says of it."""
    if not columns_of(connection, MART_MONTHS.qualified_name):
        return {}
    chosen = "" if months is None else "AND list_contains(?, file_month)"
    sql = f"SELECT {MARTS_RECORDED} FROM {qualified(MART_MONTHS)} WHERE dataset = ? {chosen}"
    return held_marts(rows_of(connection, sql, [contract.dataset, *([] if months is None else [list(months)])]))


def count_marts(
    connection: DuckDBPyConnection, contract: Contract, marts: Sequence[Mart], file_month: date
) -> dict[str, int]:
    """Mart → its rows of that month now; a mart without a table is missing."""
    existing = existing_tables(connection)
    return {
        mart.name: rows_of(connection, f"SELECT count(*) FROM {qualified(table)} WHERE file_month = ?", [file_month])[
            0
        ][0]
        for mart in marts
        if (table := mart.table(contract)).name in existing
    }


def make_marts(
    connection: DuckDBPyConnection,
    contract: Contract,
    marts: Sequence[Mart],
    file_month: date,
    data_version: str,
    trips: int,
) -> MadeMarts:
    """Replace that month's marts, within the caller's transaction; their tables must exist.

    Args:
        connection: the only writer.
        contract: the dataset.
        marts: all marts of the dataset.
        file_month: the month.
        data_version: of the trips that the file has of the month.
        trips: how many these are.
    """
    delete_marts(connection, contract, file_month)
    rows, sums = {}, {}
    for mart in marts:
        table = qualified(mart.table(contract))
        sql = f"INSERT INTO {table} BY NAME {mart_sql(mart, contract, file_month, _NAMING)}"
        rows[mart.name] = int(rows_of(connection, sql)[0][0])
        if mart.adds_up:
            sql = f"SELECT coalesce(sum(trips), 0)::BIGINT FROM {table} WHERE file_month = ?"
            sums[mart.name] = int(rows_of(connection, sql, [file_month])[0][0])
    check_marts(contract, file_month, sums, trips)
    made = MadeMarts(data_version, rows, changed=True)
    for row in mart_rows(contract, marts, file_month, made):
        rows_of(connection, f"INSERT INTO {qualified(MART_MONTHS)} VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return made


def delete_marts(connection: DuckDBPyConnection, contract: Contract, file_month: date) -> None:
    """Delete every mart of the month that the file has, within the caller's transaction."""
    for name in recorded_marts(connection, contract, [file_month]).get(file_month, {}):
        table = f"{SCHEMA}.{quoted(f'{contract.dataset}_{name}')}"
        if columns_of(connection, f"{contract.dataset}_{name}"):
            rows_of(connection, f"DELETE FROM {table} WHERE file_month = ?", [file_month])
    if columns_of(connection, MART_MONTHS.qualified_name):
        sql = f"DELETE FROM {qualified(MART_MONTHS)} WHERE dataset = ? AND file_month = ?"
        rows_of(connection, sql, [contract.dataset, file_month])


def count_views(
    connection: DuckDBPyConnection, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
) -> dict[date, dict[str, MartCounts]]:
    """File month → mart or view → its rows and trips now."""
    return mart_counts(rows_of(connection, counts_sql(contract, counted, months, _NAMING)))


def refresh_mart_views(connection: DuckDBPyConnection, contracts: Sequence[Contract]) -> None:
    """Create or replace the views over marts, within the caller's transaction."""
    existing = existing_tables(connection)
    for mart in MARTS:
        if sql := union_sql(mart, contracts, existing, _NAMING):
            replace_view(connection, mart.view, sql)
            existing.add(mart.name)
    if columns_of(connection, UNIFIED.qualified_name):
        existing.add(UNIFIED.name)
    for view in VIEWS:
        if existing.issuperset(view.reads):
            replace_view(connection, view.view, view_sql(view, _NAMING))
            existing.add(view.name)
