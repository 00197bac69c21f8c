"""Marts in PostgreSQL: a month's marts in partitions of their own, and the views over them.

Belongs here: what `taxi_platform.stores.model.MartStore` promises, within a transaction. Does not: sessions and the
lock of a month (``store``), partitions (``exchange``, ``partitions``), and any mart (``taxi_platform.marts``).

A mart reads the month's own partitions of trips and quarantine, and of the marts before it the new ones, which nobody
else sees yet. So it reads no other month, and locks no partitioned table until its own rows are attached.
"""
# ruff: noqa: S608 - names in SQL come from declarations, quoted; values are bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import quoted
from taxi_platform.contracts.unified import UNIFIED
from taxi_platform.marts import MARTS, VIEWS
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.marts.queries import Naming, counts_sql, mart_sql, measured_sql, union_sql, view_sql
from taxi_platform.stores.bookkeeping import (
    MART_MONTHS,
    MARTS_RECORDED,
    Recorded,
    check_marts,
    held_marts,
    mart_counts,
    mart_rows,
    unchanged_marts,
)
from taxi_platform.stores.model import HeldMart, MadeMarts, MartCounts
from taxi_platform.stores.postgres.exchange import replace_partitions
from taxi_platform.stores.postgres.grants import Keepsakes, keepsakes_of
from taxi_platform.stores.postgres.partitions import empty_partition, existing_partitions, partition
from taxi_platform.stores.postgres.tables import columns_of, existing_tables
from taxi_platform.stores.postgres.views import replace_view

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["count_views", "forget_marts", "make_marts", "recorded_marts", "recorded_tables", "refresh_mart_views"]


_SETTINGS = {
    # With less, a mart of a million trips sorts them, or writes its groups down; either takes twice as long.
    "work_mem": "64MB",
    # Compiling these queries takes longer than they do.
    "jit": "off",
    # Only the table of what marts read of the trips could be made by several processes, which would hand over each row.
    "max_parallel_workers_per_gather": "0",
}
"""Settings of the transaction that makes marts."""


def recorded_marts(
    connection: PostgresConnection, contract: Contract, months: Sequence[date] | None
) -> dict[date, dict[str, HeldMart]]:
    """File month → mart → what the database's record says of it."""
    if MART_MONTHS.name not in existing_tables(connection):
        return {}
    chosen = "" if months is None else "AND file_month = ANY(%(months)s)"
    sql = f"SELECT {MARTS_RECORDED} FROM {connection.qualified(MART_MONTHS.name)} WHERE dataset = %(dataset)s {chosen}"
    bound = {"dataset": contract.dataset, "months": None if months is None else list(months)}
    return held_marts(connection.execute(sql, bound))


def recorded_tables(connection: PostgresConnection, contract: Contract, file_month: date) -> list[Table]:
    """The tables of the marts that the database has of the month, by name only."""
    held = recorded_marts(connection, contract, [file_month]).get(file_month, {})
    return [Table(f"{contract.dataset}_{name}", "", ()) for name in held]


def make_marts(
    connection: PostgresConnection,
    contract: Contract,
    marts: Sequence[Mart],
    file_month: date,
    trips: Recorded,
    wait_seconds: float,
) -> tuple[MadeMarts, list[str]]:
    """Replace that month's marts, within the caller's transaction, unless they are current; their tables must exist.

    Args:
        connection: with the month's lock.
        contract: the dataset.
        marts: all marts of the dataset.
        file_month: the month.
        trips: what the database has of its trips.
        wait_seconds: the longest wait for locks.

    Returns:
        The result, and the tables to vacuum after the commit.
    """
    held = recorded_marts(connection, contract, [file_month]).get(file_month, {})
    counted = _counted(connection, contract, marts, file_month)
    if unchanged := unchanged_marts(contract, marts, trips.data_version, held, counted):
        return unchanged, []
    making = _Making(connection, contract, marts, file_month, trips)
    for name, setting in _SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, setting))
    tables = [mart.table(contract) for mart in marts]
    making.keep_trips()
    refilled = replace_partitions(connection, tables, file_month, making.fill, making.check, wait_seconds)
    making.drop_trips()
    names = {table.name for table in tables}
    gone = [table for table in recorded_tables(connection, contract, file_month) if table.name not in names]
    for table in existing_partitions(connection, gone, file_month):
        empty_partition(connection, table, file_month, wait_seconds)
        refilled.append(connection.qualified(partition(table, file_month)))
    made = MadeMarts(trips.data_version, making.rows, changed=True)
    forget_marts(connection, contract, file_month)
    listed = ", ".join(["%s"] * len(MART_MONTHS.columns))
    for row in mart_rows(contract, marts, file_month, made):
        connection.execute(f"INSERT INTO {connection.qualified(MART_MONTHS.name)} VALUES ({listed})", row)
    return made, refilled


class _Making:
    """Fills the month's partitions of marts, one after another."""

    def __init__(
        self,
        connection: PostgresConnection,
        contract: Contract,
        marts: Sequence[Mart],
        file_month: date,
        trips: Recorded,
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._marts = {mart.table(contract).name: mart for mart in marts}
        self._file_month = file_month
        self._trips = trips.counts.trips
        self._read_from = {table.name: partition(table, file_month) for table in (contract.trips, contract.quarantine)}
        self._naming = Naming("postgres", self._table)
        # What reads quarantine counts every column of the trips, and computes nothing.
        self._sharing = [mart for mart in marts if "trips" in mart.reads and "quarantine" not in mart.reads]
        self._kept = connection.qualified(f"{contract.dataset}_marts_{file_month:%Y_%m}_trips")
        self._sums: dict[str, int] = {}
        self.rows: dict[str, int] = {}
        """Mart → its rows."""

    def keep_trips(self) -> None:
        """Write down what marts read of the trips, because each computes it anew: that takes most of their time.

        The table is this transaction's, and is dropped in it. It is not a temporary one, because a role may lack the
        right to make any.
        """
        sql = measured_sql(self._sharing, self._contract, self._file_month, self._naming)
        self._connection.execute(f"CREATE UNLOGGED TABLE {self._kept} AS {sql}")

    def drop_trips(self) -> None:
        """Drop that table."""
        self._connection.execute(f"DROP TABLE {self._kept}")

    def fill(self, table: Table, name: str, is_new: bool) -> int:
        """Fill a partition by the mart's SELECT."""
        del is_new
        mart, filled = self._marts[table.name], self._connection.qualified(name)
        columns = ", ".join(map(quoted, table.column_names))
        kept = self._kept if mart in self._sharing else None
        sql = mart_sql(mart, self._contract, self._file_month, self._naming, kept)
        self.rows[mart.name] = self._connection.execute(f"INSERT INTO {filled} ({columns}) {sql}").rowcount
        self._read_from[table.name] = name
        if mart.adds_up:
            row = self._connection.execute(f"SELECT coalesce(sum(trips), 0)::bigint FROM {filled}").fetchone()
            self._sums[mart.name] = int(row[0]) if row else 0
        return self.rows[mart.name]

    def check(self, rows: Sequence[int]) -> None:
        """Check that the marts add up."""
        del rows
        check_marts(self._contract, self._file_month, self._sums, self._trips)

    def _table(self, name: str) -> str:
        return self._connection.qualified(self._read_from.get(name, name))


def forget_marts(connection: PostgresConnection, contract: Contract, file_month: date) -> None:
    """Take the month's marts out of the record."""
    if MART_MONTHS.name in existing_tables(connection):
        sql = f"DELETE FROM {connection.qualified(MART_MONTHS.name)} WHERE dataset = %s AND file_month = %s"
        connection.execute(sql, (contract.dataset, file_month))


def count_views(
    connection: PostgresConnection, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
) -> dict[date, dict[str, MartCounts]]:
    """File month → mart or view → its rows and trips now."""
    sql = counts_sql(contract, counted, months, Naming("postgres", connection.qualified))
    return mart_counts(connection.execute(sql))


def refresh_mart_views(connection: PostgresConnection, contracts: Sequence[Contract], wait_seconds: float) -> None:
    """Create or replace the views over marts; the caller holds the schema's lock."""
    naming = Naming("postgres", connection.qualified)
    existing = existing_tables(connection)
    kept = _dropped_if_outdated(connection)
    for mart in MARTS:
        if sql := union_sql(mart, contracts, existing, naming):
            replace_view(connection, mart.view, sql, wait_seconds)
            existing.add(mart.name)
    if columns_of(connection, UNIFIED.name):
        existing.add(UNIFIED.name)
    for view in VIEWS:
        if existing.issuperset(view.reads):
            replace_view(connection, view.view, view_sql(view, naming), wait_seconds)
            existing.add(view.name)
    for name, keepsakes in kept.items():
        if columns_of(connection, name):
            keepsakes.give_to(connection, connection.qualified(name))


def _dropped_if_outdated(connection: PostgresConnection) -> dict[str, Keepsakes]:
    """Drop all views over marts where one has columns that this release has not; returns what each had of others.

    Views stand upon views, so that none could be replaced by one with other columns. Readers wait until the commit.
    """
    views = [*(mart.view for mart in MARTS), *(view.view for view in VIEWS)]
    standing = {view.name: [column.name for column in columns_of(connection, view.name)] for view in views}
    if all(list(view.column_names[: len(standing[view.name])]) == standing[view.name] for view in views):
        return {}
    kept = {name: keepsakes_of(connection, connection.qualified(name)) for name in standing}
    listed = ", ".join(connection.qualified(name) for name, columns in standing.items() if columns)
    connection.execute(f"DROP VIEW {listed}")
    return {name: keepsakes for name, keepsakes in kept.items() if keepsakes is not None}


def _counted(
    connection: PostgresConnection, contract: Contract, marts: Sequence[Mart], file_month: date
) -> dict[str, int]:
    """Mart → its rows of that month now, counted in its own partition; a mart without one is missing."""
    existing, counted = existing_tables(connection), {}
    for mart in marts:
        name = partition(mart.table(contract), file_month)
        if name in existing:
            row = connection.execute(f"SELECT count(*) FROM {connection.qualified(name)}").fetchone()
            counted[mart.name] = int(row[0]) if row else 0
    return counted
