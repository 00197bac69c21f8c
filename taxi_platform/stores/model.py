"""The protocol of a store of tables, which the warehouse and PostgreSQL share.

Belongs here: the protocol and its values. Does not: any database (one package each). Stores know nothing of Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import SCHEMA, Table
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.references import CleanMonth, MonthCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = [
    "SCHEMA",
    "HeldMart",
    "HeldMonth",
    "HeldOpen",
    "LoadedMonth",
    "MadeMarts",
    "MartCounts",
    "MartStore",
    "RawViews",
    "StoreOfMarts",
    "TableStore",
    "held_open",
    "split_name",
]


def split_name(qualified_name: str) -> tuple[str, str]:
    """``marts.revenue`` → schema and table; a name without a schema is one of the platform's own."""
    schema, dot, name = qualified_name.rpartition(".")
    return (schema, name) if dot else (SCHEMA, name)


@dataclass(frozen=True)
class HeldMonth:
    """What a store holds of a file month. If versions and counts are both equal, the rows are equal."""

    counts: MonthCounts
    """Rows counted in the store now."""
    data_version: str | None
    """The data version in the store's own record, ``taxi.months``; None for rows that no load recorded."""


@dataclass(frozen=True)
class LoadedMonth:
    """The result of loading a month."""

    counts: MonthCounts
    changed: bool
    """False if the store already held exactly this data version."""
    table: str
    """The qualified name of the trips table."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts of this kind of store, such as BigQuery's bytes and slot milliseconds."""


@dataclass(frozen=True)
class HeldMart:
    """What a store's own record says of a mart's month."""

    data_version: str
    """Of the trips that it was made from."""
    definition: str
    """The fingerprint of the SELECT that made it."""
    rows: int


@dataclass(frozen=True)
class MartCounts:
    """What a mart, or a view over marts, has of a file month, counted in the store now."""

    rows: int
    trips: int
    """The sum of its column ``trips``."""


@dataclass(frozen=True)
class MadeMarts:
    """The result of making a month's marts."""

    data_version: str
    """Of the trips that they were made from."""
    rows: Mapping[str, int]
    """Mart → rows of the month."""
    changed: bool
    """False if the store already had exactly these marts of exactly these trips."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts of this kind of store, such as BigQuery's bytes and slot milliseconds."""


class TableStore(Protocol):
    """A database of trips. Every change of a month is atomic: a reader sees the month before it or after it."""

    @property
    def kind(self) -> str:
        """``duckdb``, ``bigquery`` or ``postgres``."""
        ...

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        """Make the store hold exactly the clean and rejected rows of that month; missing tables are created.

        A month that is there in the same data version is left alone. After any error the month before is still there.

        Raises:
            StoreError: the store cannot take it (address, permissions, disk full, contents against the contract).
            StoreBusyError: another process holds the store for too long.
        """
        ...

    def delete_month(self, contract: Contract, file_month: date) -> None:
        """Delete a month's clean and rejected rows; nothing happens if there are none."""
        ...

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        """Rows per file month, counted by the store now, for those months or for all.

        A month that the store does not have is not in the answer. Without a table, or a store, the answer is empty.
        """
        ...

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        """The same as `count_months`, with the data version that each month was loaded from."""
        ...

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows of a table (``taxi.green_trips``). The store selects columns and file months; None means all.

        Raises:
            StoreError: there is no such table or column.
        """
        ...

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Stream the result of one query in the store's own SQL; no statement that changes anything is run.

        The columns have the names and types that the store gives them.

        Raises:
            StoreError: the store refuses the query, or it is not one query.
        """
        ...

    def tables(self) -> Mapping[str, str]:
        """What can be queried: name in SQL (``taxi.trips``) → description, of the platform's tables and of people's.

        A description that nobody gave is empty. Partitions are left out. Without a store the answer is empty.
        """
        ...

    def existing_table(self, table: str) -> Table | None:
        """The declaration of a table (``marts.revenue``) by the store's catalogue; None if there is no such table."""
        ...

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        """Replace a whole table, or its rows of one file month, atomically; returns the number of new rows.

        A whole table also takes the declaration's columns, whatever columns it had. With ``file_month`` the table is
        created if it is missing, and gains new columns. Columns that the rows lack are null in that month.

        Args:
            table: the declaration.
            rows: in the declaration's types. The store is held while they are read, so they must not come from a slow
                place.
            file_month: the month of all the rows.
        """
        ...

    def fill_table(self, table: Table, rows: pa.Table) -> bool:
        """Fill one of the platform's own tables if it has no row, and create it if it is missing.

        Returns:
            False, with nothing changed, if it has rows. Of several processes that come at once, one fills it.
        """
        ...

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace ``taxi.trips``, the view over all datasets with the names of zones."""
        ...


@runtime_checkable
class HeldOpen(Protocol):
    """A store that opens something dear for each call, which several calls can share."""

    def held_open(self) -> AbstractContextManager[None]:
        """Keep it open for reading meanwhile. Nobody writes then: not this process either, which would wait for itself.

        Raises:
            StoreBusyError: somebody else writes for too long.
        """
        ...


@contextmanager
def held_open(stores: Iterable[object]) -> Iterator[None]:
    """Keep those of the stores open for reading that can be (`HeldOpen`)."""
    with ExitStack() as stack:
        for store in stores:
            if isinstance(store, HeldOpen):
                stack.enter_context(store.held_open())
        yield


@runtime_checkable
class RawViews(Protocol):
    """A store that can query raw months where they are in the lake."""

    def refresh_raw_view(self, dataset: str, lake: Lake) -> None:
        """Make ``taxi.raw_{dataset}`` a view over the current version of every raw month in the lake.

        The versions are read while no other refresh can run, or are read again if another came between. So the last
        refresh to end knows all of them.
        """
        ...


@runtime_checkable
class MartStore(Protocol):
    """A store that computes marts from the trips it holds. `TableStore.delete_month` deletes a month's marts too."""

    def make_marts(self, contract: Contract, marts: Sequence[Mart], file_month: date) -> MadeMarts:
        """Make the store hold exactly those marts of that month, of the trips it has; missing tables are created.

        A month whose trips and definitions have not changed is left alone. After any error the marts before are still
        there. Trips that are replaced meanwhile wait, or the marts are made again.

        Raises:
            StoreError: the store does not have the month, or its marts do not add up.
            StoreBusyError: another process holds the store for too long.
        """
        ...

    def held_marts(
        self, contract: Contract, months: Sequence[date] | None = None
    ) -> Mapping[date, Mapping[str, HeldMart]]:
        """File month → mart → what the store's own record says of it, for those months or for all.

        Without a record, or a store, the answer is empty.
        """
        ...

    def count_marts(
        self, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
    ) -> Mapping[date, Mapping[str, MartCounts]]:
        """File month → mart or view → its rows and trips, counted by the store now; the views must exist.

        A month without rows is not in the answer. ``counted`` are some that have a column ``trips``.
        """
        ...

    def refresh_mart_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace the views over the marts of all datasets."""
        ...


class StoreOfMarts(TableStore, MartStore, Protocol):
    """A store of tables that makes marts."""
