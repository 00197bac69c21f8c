"""PostgreSQL: trips, quarantine and zones in one schema of a database.

Belongs here: the store's operations, step by step. Does not: sessions, DDL, partitions and COPY (``session``,
``tables``, ``partitions``, ``copy``). Every change is one transaction, so that a reader, or a kill at any moment, sees
the month before it or after it.
"""
# ruff: noqa: S608 - names in SQL come from contracts, quoted; values are bound

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import POSTGRES
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema, quoted, sql_literal
from taxi_platform.contracts.unified import UNIFIED, unified_view_sql
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONES
from taxi_platform.errors import StoreBusyError
from taxi_platform.marts.model import Mart, MartView
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bookkeeping import (
    MART_MONTHS,
    MONTHS,
    RECORDED,
    Recorded,
    check_conserved,
    check_loaded,
    counts_of,
    held_months,
    months_row,
    recorded_months,
    trips_for_marts,
)
from taxi_platform.stores.catalogue import selected
from taxi_platform.stores.model import SCHEMA, HeldMart, HeldMonth, LoadedMonth, MadeMarts, MartCounts, split_name
from taxi_platform.stores.postgres.copy import copy_in, copy_out
from taxi_platform.stores.postgres.exchange import replace_partitions
from taxi_platform.stores.postgres.marts import (
    count_views,
    forget_marts,
    make_marts,
    recorded_marts,
    recorded_tables,
    refresh_mart_views,
)
from taxi_platform.stores.postgres.partitions import (
    KeptPartitionError,
    drop_partitions,
    empty_partition,
    existing_partitions,
    partition,
)
from taxi_platform.stores.postgres.replace import fill_empty, replace_month_of, replace_whole
from taxi_platform.stores.postgres.session import PostgresAddress
from taxi_platform.stores.postgres.tables import (
    columns_of,
    described_tables,
    ensure_tables,
    existing_tables,
    table_of,
)
from taxi_platform.stores.postgres.views import replace_view
from taxi_platform.stores.postgres.waiting import (
    lock_for_transaction,
    wait_as_long_as_allowed,
)
from taxi_platform.transience import waiting_at_most

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["PostgresStore"]

_BATCH_ROWS = 8_192
"""Four times as many take 50 MB more, and no less CPU time."""
_LOOKS = 3


class PostgresStore:
    """Tables in one schema of the database at a URL.

    The role must own that schema, or be allowed to create it; it needs no other rights.

    Args:
        url: ``postgresql://user:password@host:port/database``, as libpq reads it.
        schema: the schema of the platform's own tables, which declarations call ``taxi``. Stores with different schemas
            can share a database.
        wait_seconds: the longest wait of an operation for locks of other sessions, added up.
    """

    kind = "postgres"

    def __init__(self, url: str, *, schema: str = SCHEMA, wait_seconds: float = 600.0) -> None:
        self._address = PostgresAddress(url, schema)
        self._wait_seconds = wait_seconds

    @property
    def url(self) -> str:
        """The URL as it was given, with its password."""
        return self._address.url

    def __repr__(self) -> str:
        return f"PostgresStore('{self._address}')"

    # ---- writing

    @contextmanager
    def _writing(self) -> Iterator[PostgresConnection]:
        """A session for writing; all its waiting together is limited."""
        from psycopg.errors import LockNotAvailable

        with waiting_at_most(self._wait_seconds) as budget:
            try:
                with self._address.session() as connection:
                    yield connection
            except StoreBusyError as busy:
                if isinstance(busy.__cause__, LockNotAvailable):
                    budget.spent = budget.seconds  # one statement used up the rest of the time
                raise

    @contextmanager
    def _reading(self) -> Iterator[PostgresConnection]:
        """A session for reading; each of its statements has the whole limit for waiting."""
        with self._address.session(reading=True) as connection:
            wait_as_long_as_allowed(connection, self._wait_seconds)
            yield connection

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        """Load the month; `TableStore.replace_month` says what holds."""
        check_conserved(clean)
        with self._writing() as connection:
            ensure_tables(connection, (contract.trips, contract.quarantine, MONTHS), self._wait_seconds)
            lock_for_transaction(connection, connection.own_lock(str(clean.month)), self._wait_seconds)
            if unchanged := _unchanged(connection, contract, clean):
                return unchanged
            _record(connection, clean)
            counts, refilled = _load(connection, contract, clean, lake, str(self), self._wait_seconds)
        self._address.vacuum(refilled)
        return LoadedMonth(counts, changed=True, table=f"{self._address.schema}.{contract.trips.name}")

    def delete_month(self, contract: Contract, file_month: date) -> None:
        """Delete the month; `TableStore.delete_month` says what holds."""
        with self._writing() as connection:
            if MONTHS.name not in existing_tables(connection):
                return
            lock = connection.own_lock(str(contract.month(file_month)))
            lock_for_transaction(connection, lock, self._wait_seconds)
            tables = (contract.trips, contract.quarantine, *recorded_tables(connection, contract, file_month))
            _forget(connection, contract, file_month)
            forget_marts(connection, contract, file_month)
            old = existing_partitions(connection, tables, file_month)
            try:
                with connection.transaction():
                    drop_partitions(connection, old, file_month, self._wait_seconds)
                emptied: list[str] = []
            except KeptPartitionError:
                for table in old:
                    empty_partition(connection, table, file_month, self._wait_seconds)
                emptied = [connection.qualified(partition(table, file_month)) for table in old]
        self._address.vacuum(emptied)

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        """Replace a table, or one file month of it; `TableStore.replace_table` says what holds."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_stream(rows)
        with self._writing() as connection:
            if file_month is None:
                return replace_whole(connection, table, reader, self._wait_seconds)
            return replace_month_of(connection, table, reader, file_month, self._wait_seconds)

    def fill_table(self, table: Table, rows: pa.Table) -> bool:
        """Fill a table that has no row; see `TableStore.fill_table`."""
        with self._writing() as connection:
            return fill_empty(connection, table, rows.to_reader(), self._wait_seconds)

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace ``taxi.trips``; see `TableStore.refresh_views`."""
        with self._writing() as connection:
            existing = existing_tables(connection)
            # A release may have added a column that the view has.
            trips = (contract.trips for contract in contracts if contract.trips.name in existing)
            ensure_tables(connection, (ZONES, *trips), self._wait_seconds)
            lock_for_transaction(connection, f"the schema {connection.schema}", self._wait_seconds)
            sql = unified_view_sql(contracts, existing_tables(connection), connection.qualified, POSTGRES)
            if sql:
                replace_view(connection, UNIFIED, sql, self._wait_seconds)

    # ---- marts

    def make_marts(self, contract: Contract, marts: Sequence[Mart], file_month: date) -> MadeMarts:
        """Make the month's marts; `MartStore.make_marts` says what holds."""
        tables = (MONTHS, ZONES, MART_MONTHS, *(mart.table(contract) for mart in marts))
        with self._writing() as connection:
            ensure_tables(connection, tables, self._wait_seconds)
            # The lock of a load: trips are not replaced meanwhile.
            lock = connection.own_lock(str(contract.month(file_month)))
            lock_for_transaction(connection, lock, self._wait_seconds)
            recorded = _recorded(connection, contract).get(file_month)
            trips = trips_for_marts(recorded, contract, file_month, str(self))
            made, refilled = make_marts(connection, contract, marts, file_month, trips, self._wait_seconds)
        self._address.vacuum(refilled)
        return made

    def held_marts(
        self, contract: Contract, months: Sequence[date] | None = None
    ) -> Mapping[date, Mapping[str, HeldMart]]:
        """What the database's record says of marts; see `MartStore.held_marts`."""
        with self._reading() as connection:
            return recorded_marts(connection, contract, months)

    def count_marts(
        self, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
    ) -> Mapping[date, Mapping[str, MartCounts]]:
        """Rows and trips of marts and views over them, counted now; see `MartStore.count_marts`."""
        with self._reading() as connection:
            return count_views(connection, contract, counted, months) if months else {}

    def refresh_mart_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace the views over marts; see `MartStore.refresh_mart_views`."""
        with self._writing() as connection:
            ensure_tables(connection, (MAPPED_ZONES, MART_MONTHS), self._wait_seconds)
            lock_for_transaction(connection, f"the schema {connection.schema}", self._wait_seconds)
            refresh_mart_views(connection, contracts, self._wait_seconds)

    # ---- reading

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        """Rows of each file month, counted now; see `TableStore.count_months`."""
        return counts_of(self.held_months(contract, months))

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        """Rows and data version of each file month; see `TableStore.held_months`."""
        with self._reading() as connection:
            names = existing_tables(connection)
            tables = [table for table in (contract.trips, contract.quarantine) if table.name in names]
            if MONTHS.name not in names:
                return {}
            return _held(connection, contract, tables, months)

    def tables(self) -> Mapping[str, str]:
        """Tables and views that the role may read; see `TableStore.tables`."""
        with self._reading() as connection:
            return described_tables(connection)

    def existing_table(self, table: str) -> Table | None:
        """The declaration of a table by the catalogue; see `TableStore.existing_table`."""
        with self._address.session(reading=True) as connection:
            if not columns_of(connection, table):
                return None
            return replace(table_of(connection, table, str(self)), schema=split_name(table)[0])

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows; the session stays open until the reader reaches its end or is dropped."""
        import pyarrow as pa

        batches = self._stream(table, months, columns)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Stream a query's result; the session stays open as in `read_months`. See `TableStore.query`."""
        import pyarrow as pa

        batches = self._result(sql)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _result(self, sql: str) -> Iterator[Any]:
        from taxi_platform.stores.postgres.queries import result

        with self._reading() as connection:
            yield from result(connection, sql)

    def _stream(self, name: str, months: Sequence[date] | None, columns: Sequence[str] | None) -> Iterator[Any]:
        """Give the schema, then batches. So errors come before the first batch.

        Closing the generator ends the session.
        """
        with self._reading() as connection:
            table = selected(table_of(connection, name, str(self)), columns)
            yield arrow_schema(table)
            if months is None or months:
                yield from copy_out(connection, table, connection.qualified(name), months)

    def __str__(self) -> str:
        return f"PostgreSQL at {self._address}"


def _load(
    connection: PostgresConnection, contract: Contract, clean: CleanMonth, lake: Lake, store: str, wait_seconds: float
) -> tuple[MonthCounts, list[str]]:
    """Load the month into its partitions; returns its rows, and the tables to vacuum after the commit."""
    paths = {contract.trips.name: clean.trips_path, contract.quarantine.name: clean.quarantine_path}
    counts: list[MonthCounts] = []

    def fill(table: Table, name: str, is_new: bool) -> int:
        """Fill a partition from the table's Parquet object in the lake."""
        with lake.open_parquet(paths[table.name]) as file:
            present = tuple(column for column in table.columns if column.name in file.schema_arrow.names)
            schema = arrow_schema(Table(table.name, table.description, present))
            batches = file.iter_batches(_BATCH_ROWS, columns=schema.names, use_threads=False)
            return copy_in(connection, connection.qualified(name), schema, batches, frozen=is_new)

    def check(rows: Sequence[int]) -> None:
        counts.append(MonthCounts(*rows))
        check_loaded(clean, counts[-1], store)

    tables = (contract.trips, contract.quarantine)
    refilled = replace_partitions(connection, tables, clean.file_month, fill, check, wait_seconds)
    return counts[-1], refilled


def _unchanged(connection: PostgresConnection, contract: Contract, clean: CleanMonth) -> LoadedMonth | None:
    """The month as it is, if it has this data version and is whole; otherwise None."""
    recorded = _recorded(connection, contract).get(clean.file_month)
    if recorded is None:
        return None
    counted = MonthCounts(
        *(_count(connection, table, clean.file_month) for table in (contract.trips, contract.quarantine))
    )
    return recorded.beside(counted).unchanged(clean, connection.named(contract.trips.name))


def _record(connection: PostgresConnection, clean: CleanMonth) -> None:
    row = months_row(clean)
    updates = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in MONTHS.column_names[2:])
    connection.execute(
        f"INSERT INTO {connection.qualified(MONTHS.name)} VALUES ({', '.join(['%s'] * len(row))}) "
        f"ON CONFLICT (dataset, file_month) DO UPDATE SET {updates}",
        row,
    )


def _forget(connection: PostgresConnection, contract: Contract, file_month: date) -> None:
    sql = f"DELETE FROM {connection.qualified(MONTHS.name)} WHERE dataset = %s AND file_month = %s"
    connection.execute(sql, (contract.dataset, file_month))


def _recorded(connection: PostgresConnection, contract: Contract) -> dict[date, Recorded]:
    sql = f"SELECT {RECORDED} FROM {connection.qualified(MONTHS.name)} WHERE dataset = %s"
    return recorded_months(connection.execute(sql, [contract.dataset]))


def _count(connection: PostgresConnection, table: Table, file_month: date) -> int:
    """Rows of the month, counted in its own partition.

    A count over the whole table would lock it until the transaction ends. Two months that are replaced at the same time
    would then block each other's exchange of partitions.
    """
    name = partition(table, file_month)
    if name not in existing_tables(connection):
        return 0
    row: tuple[Any, ...] | None = connection.execute(f"SELECT count(*) FROM {connection.qualified(name)}").fetchone()
    return int(row[0]) if row else 0


def _held(
    connection: PostgresConnection, contract: Contract, tables: Sequence[Table], months: Sequence[date] | None
) -> dict[date, HeldMonth]:
    """Record and rows of each month, read in one statement, because a load could end between two.

    If a month is attached while the statement is planned, only one of the tables may show it. So months whose record
    and rows disagree are read again.
    """
    held: dict[date, HeldMonth] = {}
    for _ in range(_LOOKS):
        recorded, counted = _looked_at(connection, contract, tables, months)
        found = held_months(recorded, counted)
        held = {month: holds for month, holds in held.items() if month not in (months or ())} | found
        months = [month for month in found if month not in recorded or recorded[month].counts != found[month].counts]
        if not months:
            break
    return dict(sorted(held.items()))


def _looked_at(
    connection: PostgresConnection, contract: Contract, tables: Sequence[Table], months: Sequence[date] | None
) -> tuple[dict[date, Recorded], dict[date, MonthCounts]]:
    """Data version and rows of each month by the record, and its rows as counted."""
    chosen = "" if months is None else "AND file_month = ANY(%(months)s)"
    parts = [
        (
            f"SELECT {sql_literal(MONTHS.name)}, file_month, trips_rows, quarantined_rows, data_version "
            f"FROM {connection.qualified(MONTHS.name)} WHERE dataset = %(dataset)s {chosen}"
        ),
        *(
            f"SELECT {sql_literal(table.name)}, file_month, count(*), 0, NULL FROM {connection.qualified(table.name)} "
            f"WHERE true {chosen} GROUP BY file_month"
            for table in tables
        ),
    ]
    bound = {"dataset": contract.dataset, "months": None if months is None else list(months)}
    recorded: dict[date, Recorded] = {}
    rows: dict[date, dict[str, int]] = {}
    for name, month, count, quarantined, version in connection.execute(" UNION ALL ".join(parts), bound):
        if name == MONTHS.name:
            recorded[month] = Recorded(version, MonthCounts(count, quarantined))
        else:
            rows.setdefault(month, {})[name] = count
    names = (contract.trips.name, contract.quarantine.name)
    return recorded, {month: MonthCounts(*(found.get(name, 0) for name in names)) for month, found in rows.items()}
