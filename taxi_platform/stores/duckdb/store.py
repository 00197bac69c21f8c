"""The warehouse on a laptop: trips, quarantine and zones in one DuckDB file.

Belongs here: tables and rows. Does not: opening and sharing the file (``connection``). Every change is one transaction,
so that a reader, or a kill at any moment, sees the month before it or after it.
"""
# ruff: noqa: S608 - names in SQL come from contracts, quoted; values are bound

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import DUCKDB
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import arrow_schema, quoted
from taxi_platform.contracts.unified import UNIFIED, unified_view_sql
from taxi_platform.contracts.zones import MAPPED_ZONES, ZONES
from taxi_platform.errors import StoreError
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
    unchanged_marts,
)
from taxi_platform.stores.catalogue import declaration, months_sql, selected
from taxi_platform.stores.duckdb.connection import DuckDBFile
from taxi_platform.stores.duckdb.marts import (
    count_marts,
    count_views,
    delete_marts,
    make_marts,
    recorded_marts,
    refresh_mart_views,
)
from taxi_platform.stores.duckdb.queries import result
from taxi_platform.stores.duckdb.raw import raw_view_sql
from taxi_platform.stores.duckdb.tables import (
    columns_of,
    described_tables,
    ensure,
    existing_tables,
    fill_empty,
    has_table,
    qualified,
    replace_month_of,
    replace_view,
    replace_whole,
    rows_of,
    sql_type,
    transaction,
)
from taxi_platform.stores.model import SCHEMA, HeldMart, HeldMonth, LoadedMonth, MadeMarts, MartCounts

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["DuckDBStore"]

_BATCH_ROWS = 65_536


class DuckDBStore:
    """Tables in the schema ``taxi`` of one DuckDB file, which the first write makes.

    Args:
        path: the file.
        memory_limit: DuckDB's own setting; loading 7.7 million rows peaks 75 MB above it.
        threads: per connection.
        wait_seconds: the longest wait of an operation for other processes that hold the file.
    """

    kind = "duckdb"

    def __init__(
        self, path: Path | str, *, memory_limit: str = "100MB", threads: int = 2, wait_seconds: float = 600.0
    ) -> None:
        self._file = DuckDBFile(
            Path(path).expanduser().absolute(), memory_limit=memory_limit, threads=threads, wait_seconds=wait_seconds
        )

    @property
    def path(self) -> Path:
        """The database file's absolute path; the first write makes the file."""
        return self._file.path

    def __repr__(self) -> str:
        return f"DuckDBStore({str(self.path)!r})"

    # ---- writing

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        """Load the month; `TableStore.replace_month` says what holds."""
        check_conserved(clean)
        with self._reading() as connection:
            if connection is not None and (unchanged := _unchanged(connection, contract, clean)):
                return unchanged
        # Download before the file is locked, so that other processes do not wait for it.
        with (
            lake.local_copy(clean.trips_path) as trips,
            lake.local_copy(clean.quarantine_path) as quarantine,
            self._file.writing() as connection,
        ):
            ensure(connection, contract.trips, contract.quarantine, MONTHS)
            if unchanged := _unchanged(connection, contract, clean):
                return unchanged
            with transaction(connection):
                files = ((contract.trips, trips), (contract.quarantine, quarantine))
                counts = self._replace(connection, contract, clean, files)
        return LoadedMonth(counts, changed=True, table=contract.trips.qualified_name)

    def _replace(
        self, connection: DuckDBPyConnection, contract: Contract, clean: CleanMonth, files: Sequence[tuple[Table, Path]]
    ) -> MonthCounts:
        _delete(connection, contract, clean.file_month)
        # Otherwise DuckDB would read the folder's name, month=2020-03, as one more column.
        files_sql = "read_parquet(?, hive_partitioning = false)"
        inserted = [
            rows_of(connection, f"INSERT INTO {qualified(table)} BY NAME SELECT * FROM {files_sql}", [str(file)])[0][0]
            for table, file in files
        ]
        check_loaded(clean, MonthCounts(*inserted), str(self._file))
        # The counts are equal only if every inserted row is of this file month.
        counts = _count(connection, contract, clean.file_month)
        check_loaded(clean, counts, str(self._file))
        rows_of(connection, f"INSERT INTO {qualified(MONTHS)} VALUES (?, ?, ?, ?, ?, ?, ?)", months_row(clean))
        return counts

    def delete_month(self, contract: Contract, file_month: date) -> None:
        """Delete the month; `TableStore.delete_month` says what holds."""
        if file_month not in self.count_months(contract):
            return
        with self._file.writing() as connection, transaction(connection):
            _delete(connection, contract, file_month)
            delete_marts(connection, contract, file_month)

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        """Replace a table, or one file month of it; `TableStore.replace_table` says what holds."""
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_stream(rows)
        with self._file.writing() as connection:
            if file_month is None:
                return replace_whole(connection, table, reader)
            return replace_month_of(connection, table, reader, file_month)

    def fill_table(self, table: Table, rows: pa.Table) -> bool:
        """Fill a table that has no row; see `TableStore.fill_table`."""
        with self._file.writing() as connection:
            return fill_empty(connection, table, rows.to_reader())

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace ``taxi.trips``; see `TableStore.refresh_views`."""
        with self._file.writing() as connection:
            existing = existing_tables(connection)
            # A release may have added a column that the view has.
            ensure(connection, ZONES, *(c.trips for c in contracts if c.trips.name in existing))
            sql = unified_view_sql(contracts, {*existing, ZONES.name}, lambda name: f"{SCHEMA}.{quoted(name)}", DUCKDB)
            if sql:
                with transaction(connection):
                    replace_view(connection, UNIFIED, sql)

    def refresh_raw_view(self, dataset: str, lake: Lake) -> None:
        """Make ``taxi.raw_{dataset}``; not over a lake in a cloud, for which DuckDB would download an extension."""
        if "://" in lake.url:
            return
        with self._file.writing() as connection, transaction(connection):
            for statement in raw_view_sql(dataset, lake):
                connection.execute(statement)

    # ---- marts

    def make_marts(self, contract: Contract, marts: Sequence[Mart], file_month: date) -> MadeMarts:
        """Make the month's marts; `MartStore.make_marts` says what holds."""
        with self._reading() as connection:
            if connection is not None and (unchanged := self._unchanged_marts(connection, contract, marts, file_month)):
                return unchanged
        with self._file.writing() as connection:
            ensure(connection, ZONES, MART_MONTHS, *(mart.table(contract) for mart in marts))
            if unchanged := self._unchanged_marts(connection, contract, marts, file_month):
                return unchanged
            trips = self._trips_for_marts(connection, contract, file_month)
            with transaction(connection):
                version, count = trips.data_version, trips.counts.trips
                return make_marts(connection, contract, marts, file_month, version, count)

    def held_marts(
        self, contract: Contract, months: Sequence[date] | None = None
    ) -> Mapping[date, Mapping[str, HeldMart]]:
        """What the file's record says of marts; see `MartStore.held_marts`."""
        with self._reading() as connection:
            return {} if connection is None else recorded_marts(connection, contract, months)

    def count_marts(
        self, contract: Contract, counted: Sequence[Mart | MartView], months: Sequence[date]
    ) -> Mapping[date, Mapping[str, MartCounts]]:
        """Rows and trips of marts and views over them, counted now; see `MartStore.count_marts`."""
        with self._reading() as connection:
            return {} if connection is None or not months else count_views(connection, contract, counted, months)

    def refresh_mart_views(self, contracts: Sequence[Contract]) -> None:
        """Create or replace the views over marts; see `MartStore.refresh_mart_views`."""
        with self._file.writing() as connection:
            ensure(connection, MAPPED_ZONES, MART_MONTHS)
            with transaction(connection):
                refresh_mart_views(connection, contracts)

    def _trips_for_marts(self, connection: DuckDBPyConnection, contract: Contract, file_month: date) -> Recorded:
        recorded = _recorded(connection, contract).get(file_month)
        return trips_for_marts(recorded, contract, file_month, str(self._file))

    def _unchanged_marts(
        self, connection: DuckDBPyConnection, contract: Contract, marts: Sequence[Mart], file_month: date
    ) -> MadeMarts | None:
        version = self._trips_for_marts(connection, contract, file_month).data_version
        held = recorded_marts(connection, contract, [file_month]).get(file_month, {})
        return unchanged_marts(contract, marts, version, held, count_marts(connection, contract, marts, file_month))

    # ---- reading

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        """Rows of each file month, counted now; see `TableStore.count_months`."""
        return counts_of(self.held_months(contract, months))

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        """Rows and data version of each file month; see `TableStore.held_months`."""
        with self._reading() as connection:
            if connection is None:
                return {}
            trips, quarantined = (_months(connection, table, months) for table in (contract.trips, contract.quarantine))
            recorded = _recorded(connection, contract)
        counted = {m: MonthCounts(trips.get(m, 0), quarantined.get(m, 0)) for m in {*trips, *quarantined}}
        held = held_months(recorded, counted)
        wanted = held.keys() if months is None else set(months)
        return {month: holds for month, holds in held.items() if month in wanted}

    def tables(self) -> Mapping[str, str]:
        """Tables and views; see `TableStore.tables`."""
        with self._reading() as connection:
            return {} if connection is None else described_tables(connection)

    def existing_table(self, table: str) -> Table | None:
        """The declaration of a table by the catalogue; see `TableStore.existing_table`."""
        with self._reading() as connection:
            existing = [] if connection is None else columns_of(connection, table)
        return declaration(table, existing, sql_type, str(self._file)) if existing else None

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows. The file stays open, and writers wait, until the reader reaches its end or is closed."""
        import pyarrow as pa

        batches = self._stream(table, months, columns)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Stream a query's result; the file stays open as in `read_months`. See `TableStore.query`."""
        import pyarrow as pa

        batches = self._result(sql)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _result(self, sql: str) -> Iterator[Any]:
        with self._reading() as connection:
            if connection is None:
                raise StoreError(f"there is no DuckDB file {self.path} yet: bring months with taxi run")
            yield from result(connection, sql)

    def _stream(self, name: str, months: Sequence[date] | None, columns: Sequence[str] | None) -> Iterator[Any]:
        """Give the schema, then batches. So errors come before the first batch.

        Closing the generator closes the file.
        """
        with self._reading() as connection:
            existing = [] if connection is None else columns_of(connection, name)
            table = selected(declaration(name, existing, sql_type, str(self._file)), columns)
            schema = arrow_schema(table)
            yield schema
            if connection is None or (months is not None and not months):
                return
            listed = ", ".join(map(quoted, table.column_names))
            # A relation streams in every release of DuckDB; a query with bound parameters would be held in memory.
            relation = connection.sql(f"SELECT {listed} FROM {qualified(table)} {months_sql(months)}")
            for batch in relation.arrow(_BATCH_ROWS):
                yield batch.cast(schema)

    @contextlib.contextmanager
    def held_open(self) -> Iterator[None]:
        """Keep the file open for reading; see `HeldOpen.held_open`."""
        with self._reading():
            yield

    @contextlib.contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        connection = self._file.reader()
        if connection is None:
            yield None
            return
        with self._file.clear_errors(), contextlib.closing(connection):
            yield connection


def _delete(connection: DuckDBPyConnection, contract: Contract, file_month: date) -> None:
    for table in (contract.trips, contract.quarantine):
        rows_of(connection, f"DELETE FROM {qualified(table)} WHERE file_month = ?", [file_month])
    rows_of(
        connection,
        f"DELETE FROM {qualified(MONTHS)} WHERE dataset = ? AND file_month = ?",
        [contract.dataset, file_month],
    )


def _count(connection: DuckDBPyConnection, contract: Contract, file_month: date) -> MonthCounts:
    sql = "SELECT count(*) FROM {} WHERE file_month = ?"
    tables = (contract.trips, contract.quarantine)
    return MonthCounts(*(rows_of(connection, sql.format(qualified(table)), [file_month])[0][0] for table in tables))


def _months(connection: DuckDBPyConnection, table: Table, months: Sequence[date] | None) -> dict[date, int]:
    if not has_table(connection, table):
        return {}
    chosen = "" if months is None else "WHERE list_contains(?, file_month)"
    sql = f"SELECT file_month, count(*) FROM {qualified(table)} {chosen} GROUP BY file_month"
    return dict(rows_of(connection, sql, [] if months is None else [list(months)]))


def _recorded(connection: DuckDBPyConnection, contract: Contract) -> dict[date, Recorded]:
    if not has_table(connection, MONTHS):
        return {}
    sql = f"SELECT {RECORDED} FROM {qualified(MONTHS)} WHERE dataset = ?"
    return recorded_months(rows_of(connection, sql, [contract.dataset]))


def _unchanged(connection: DuckDBPyConnection, contract: Contract, clean: CleanMonth) -> LoadedMonth | None:
    """The month as it is, if it has this data version and is whole; otherwise None."""
    recorded = _recorded(connection, contract).get(clean.file_month)
    if recorded is None or not all(has_table(connection, table) for table in (contract.trips, contract.quarantine)):
        return None
    counted = _count(connection, contract, clean.file_month)
    return recorded.beside(counted).unchanged(clean, contract.trips.qualified_name)
