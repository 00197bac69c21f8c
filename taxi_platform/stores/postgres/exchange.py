"""Replaces a month in several tables at once, in one transaction: new partitions for old ones, or old ones refilled.

Belongs here: the two ways, and which of them a month takes. Does not: partitions (``partitions``), and where rows come
from (the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import Table
from taxi_platform.stores.postgres.partitions import (
    KeptPartitionError,
    attach_partitions,
    create_partition,
    empty_partition,
    existing_partitions,
    finish_partition,
    partition,
)

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["Fill", "replace_partitions"]

Fill = Callable[[Table, str, bool], int]
"""Gets a declaration, and the name of an empty table for its month's rows. Fills that, and returns its rows. The flag
says whether the table was made in this transaction, so that rows can be frozen."""


def replace_partitions(
    connection: PostgresConnection,
    tables: Sequence[Table],
    file_month: date,
    fill: Fill,
    check: Callable[[Sequence[int]], None],
    wait_seconds: float,
) -> list[str]:
    """Replace the month in all these tables.

    Args:
        connection: with a transaction begun.
        tables: declarations of partitioned tables.
        file_month: the month.
        fill: fills a table with its new rows; tables are filled in their order.
        check: gets the rows of each table, and raises an error if they are not right, before any reader is affected.
        wait_seconds: the longest wait for locks.

    Returns:
        The quoted names of tables in which rows were deleted, for a vacuum after the commit.

    Raises:
        StoreBusyError: others hold the locks for too long.
    """
    month = _Month(connection, tables, file_month, fill, check, wait_seconds)
    try:
        with connection.transaction():
            month.exchange()
    except KeptPartitionError:
        return month.refill()
    return []


class _Month:
    """Both ways count the new rows before any reader can be affected."""

    def __init__(
        self,
        connection: PostgresConnection,
        tables: Sequence[Table],
        file_month: date,
        fill: Fill,
        check: Callable[[Sequence[int]], None],
        wait_seconds: float,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._file_month = file_month
        self._fill = fill
        self._check = check
        self._wait_seconds = wait_seconds

    def exchange(self) -> None:
        """Exchange the old partitions for new ones; raises `KeptPartitionError` if the old ones should stay."""
        self._check([self._create(table) for table in self._tables])
        # This comes last, because from here to the commit readers of the old month wait.
        attach_partitions(self._connection, self._tables, self._file_month, self._wait_seconds)

    def refill(self) -> list[str]:
        """Delete and fill inside the existing partitions; no reader waits. Returns the tables to vacuum."""
        existing = existing_partitions(self._connection, self._tables, self._file_month)
        missing = [table for table in self._tables if table not in existing]
        rows = []
        for table in self._tables:
            if table in existing:
                empty_partition(self._connection, table, self._file_month, self._wait_seconds)
                rows.append(self._fill(table, partition(table, self._file_month), False))
            else:
                rows.append(self._create(table))
        self._check(rows)
        attach_partitions(self._connection, missing, self._file_month, self._wait_seconds)
        return [self._connection.qualified(partition(table, self._file_month)) for table in existing]

    def _create(self, table: Table) -> int:
        """Make a new partition with its rows and indexes, to be attached; returns its rows."""
        rows = self._fill(table, create_partition(self._connection, table, self._file_month), True)
        finish_partition(self._connection, table, self._file_month, self._wait_seconds)
        return rows
