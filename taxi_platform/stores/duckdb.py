"""The warehouse on a laptop: trips, quarantine and zones in one DuckDB file.

Belongs here: tables and rows. Does not: opening and sharing the file (``duckdb_file``). Every change is one
transaction, so that readers and a kill at any instant find the month before or the one after.
"""
# ruff: noqa: S608 - names in SQL come from contracts, quoted; values are bound

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import ColumnType, Contract, Table
from taxi_platform.contracts.schemas import (
    arrow_schema,
    duckdb_columns,
    postgres_comments,
    quoted,
    sql_literal,
)
from taxi_platform.contracts.unified import unified_view_sql
from taxi_platform.contracts.zones import ZONES
from taxi_platform.references import CleanMonth
from taxi_platform.stores.bookkeeping import (
    MONTHS,
    VIEW_DESCRIPTION,
    LoadRecord,
    check_conserved,
    check_loaded,
    months_row,
)
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, is_current, missing_columns, selected
from taxi_platform.stores.duckdb_file import DuckDBFile
from taxi_platform.stores.model import SCHEMA, LoadedMonth, MonthCounts

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from taxi_platform.stores.lake import Lake

__all__ = ["DuckDBStore"]

_BATCH_ROWS = 65_536


class DuckDBStore:
    """Tables in the schema ``taxi`` of one DuckDB file, which is made at the first write.

    Args:
        path: the file.
        memory_limit: DuckDB's own; loading 7.7 million rows peaks at 75 MB above it.
        threads: of each connection.
        wait_seconds: how long any operation waits for other processes that hold the file.
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
        """The database file, absolute; absent before the first write."""
        return self._file.path

    def __repr__(self) -> str:
        return f"DuckDBStore({str(self.path)!r})"

    # ---- writing

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        check_conserved(clean)
        with self._reading() as connection:
            if connection is not None and (unchanged := _unchanged(connection, contract, clean)):
                return unchanged
        # Fetched before the file is held: a download must not keep others waiting.
        with (
            lake.local_copy(clean.trips_path) as trips,
            lake.local_copy(clean.quarantine_path) as quarantine,
            self._file.writing() as connection,
        ):
            for table in (contract.trips, contract.quarantine, MONTHS):
                _ensure(connection, table)
            if unchanged := _unchanged(connection, contract, clean):
                return unchanged
            with _transaction(connection):
                files = ((contract.trips, trips), (contract.quarantine, quarantine))
                counts = self._replace(connection, contract, clean, files)
        return LoadedMonth(counts, changed=True, table=_name(contract.trips))

    def _replace(
        self, connection: DuckDBPyConnection, contract: Contract, clean: CleanMonth, files: Sequence[tuple[Table, Path]]
    ) -> MonthCounts:
        _delete(connection, contract, clean.file_month)
        # The lake's folders are named month=2020-03, which DuckDB would take for one more column.
        files_sql = "read_parquet(?, hive_partitioning = false)"
        inserted = [
            _rows(connection, f"INSERT INTO {_name(table)} BY NAME SELECT * FROM {files_sql}", [str(file)])[0][0]
            for table, file in files
        ]
        check_loaded(clean, MonthCounts(*inserted), str(self._file))
        # Equal again only if every inserted row is of this file month.
        counts = _count(connection, contract, clean.file_month)
        check_loaded(clean, counts, str(self._file))
        _rows(connection, f"INSERT INTO {_name(MONTHS)} VALUES (?, ?, ?, ?, ?, ?, ?)", months_row(clean))
        return counts

    def delete_month(self, contract: Contract, file_month: date) -> None:
        if file_month not in self.count_months(contract):
            return
        with self._file.writing() as connection, _transaction(connection):
            _delete(connection, contract, file_month)

    def replace_table(self, table: Table, rows: pa.Table) -> int:
        with self._file.writing() as connection:
            _ensure(connection, table)
            connection.register("incoming", rows.select(list(table.column_names)))
            with _transaction(connection):
                _rows(connection, f"DELETE FROM {_name(table)}")
                _rows(connection, f"INSERT INTO {_name(table)} BY NAME SELECT * FROM incoming")
        return int(rows.num_rows)

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        with self._file.writing() as connection:
            _ensure(connection, ZONES)
            existing = {name for (name,) in _rows(connection, "SELECT table_name FROM duckdb_tables()")}
            sql = unified_view_sql(contracts, existing, lambda name: f"{SCHEMA}.{quoted(name)}", _sql_type)
            if sql:
                with _transaction(connection):
                    connection.execute(f"CREATE OR REPLACE VIEW {SCHEMA}.trips AS {sql}")
                    connection.execute(f"COMMENT ON VIEW {SCHEMA}.trips IS {sql_literal(VIEW_DESCRIPTION)}")

    # ---- reading

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        with self._reading() as connection:
            if connection is None:
                return {}
            trips, quarantined = (
                _months(connection, table, months) for table in (contract.trips, contract.quarantine)
            )
            recorded = _recorded(connection, contract)
        known = {*trips, *quarantined, *recorded}
        known = known if months is None else known & set(months)
        return {month: MonthCounts(trips.get(month, 0), quarantined.get(month, 0)) for month in sorted(known)}

    def read_months(
        self, table: str, months: Sequence[date], columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows; the file stays open for reading, so that writers wait, until the reader ends or closes."""
        import pyarrow as pa

        batches = self._stream(table.removeprefix(f"{SCHEMA}."), months, columns)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _stream(self, name: str, months: Sequence[date], columns: Sequence[str] | None) -> Iterator[Any]:
        """First the schema, then batches: errors show before the first, and closing the generator closes the file."""
        with self._reading() as connection:
            existing = [] if connection is None else _columns(connection, name)
            table = selected(declaration(name, existing, _sql_type, str(self._file)), columns)
            schema = arrow_schema(table)
            yield schema
            if connection is None or not months:
                return
            listed = ", ".join(map(quoted, table.column_names))
            days = ", ".join(f"DATE '{month}'" for month in months)
            # A relation streams in every release of DuckDB; with bound parameters it would be held in memory.
            relation = connection.sql(f"SELECT {listed} FROM {_name(table)} WHERE file_month IN ({days})")
            for batch in relation.arrow(_BATCH_ROWS):
                yield batch.cast(schema)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        connection = self._file.reader()
        if connection is None:
            yield None
            return
        with self._file.clear_errors(), contextlib.closing(connection):
            yield connection


def _name(table: Table) -> str:
    return f"{SCHEMA}.{table.name}"


def _sql_type(column_type: ColumnType) -> str:
    return column_type.duckdb


def _rows(connection: DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Every row: DuckDB begins no other work on a connection whose result was read in part."""
    return connection.execute(sql, list(parameters)).fetchall()


@contextlib.contextmanager
def _transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    import duckdb

    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # After a fatal error, such as a full disk, there is no transaction left to roll back.
        with contextlib.suppress(duckdb.Error):
            connection.rollback()
        raise


def _columns(connection: DuckDBPyConnection, name: str) -> list[CatalogueColumn]:
    """In the table's order; empty where there is no such table."""
    sql = """
        SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns()
        WHERE schema_name = ? AND table_name = ? ORDER BY column_index
    """
    return [CatalogueColumn(*row) for row in _rows(connection, sql, [SCHEMA, name])]


def _ensure(connection: DuckDBPyConnection, table: Table) -> None:
    """Create the table, or add what its contract has gained; comments follow the contract."""
    existing = _columns(connection, table.name)
    if is_current(table, existing, _sql_type):
        return
    with _transaction(connection):
        if existing:
            for column in missing_columns(table, existing, _sql_type):
                sql = f"ALTER TABLE {_name(table)} ADD COLUMN {quoted(column.name)} {column.type.duckdb}"
                connection.execute(sql)
        else:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(f"CREATE TABLE {_name(table)} ({duckdb_columns(table)})")
        for comment in postgres_comments(table, _name(table)):
            connection.execute(comment)


def _delete(connection: DuckDBPyConnection, contract: Contract, file_month: date) -> None:
    for table in (contract.trips, contract.quarantine):
        _rows(connection, f"DELETE FROM {_name(table)} WHERE file_month = ?", [file_month])
    _rows(
        connection, f"DELETE FROM {_name(MONTHS)} WHERE dataset = ? AND file_month = ?", [contract.dataset, file_month]
    )


def _count(connection: DuckDBPyConnection, contract: Contract, file_month: date) -> MonthCounts:
    sql = "SELECT count(*) FROM {} WHERE file_month = ?"
    tables = (contract.trips, contract.quarantine)
    return MonthCounts(*(_rows(connection, sql.format(_name(table)), [file_month])[0][0] for table in tables))


def _months(connection: DuckDBPyConnection, table: Table, months: Sequence[date] | None) -> dict[date, int]:
    if not _columns(connection, table.name):
        return {}
    chosen = "" if months is None else "WHERE list_contains(?, file_month)"
    sql = f"SELECT file_month, count(*) FROM {_name(table)} {chosen} GROUP BY file_month"
    return dict(_rows(connection, sql, [] if months is None else [list(months)]))


def _recorded(connection: DuckDBPyConnection, contract: Contract) -> dict[date, tuple[str, int, int]]:
    """Data version, trips and quarantined rows of each month the bookkeeping names."""
    if not _columns(connection, MONTHS.name):
        return {}
    sql = f"SELECT file_month, data_version, trips_rows, quarantined_rows FROM {_name(MONTHS)} WHERE dataset = ?"
    return {
        month: (version, trips, quarantined)
        for month, version, trips, quarantined in _rows(connection, sql, [contract.dataset])
    }


def _unchanged(connection: DuckDBPyConnection, contract: Contract, clean: CleanMonth) -> LoadedMonth | None:
    """The month as it stands, if it is of this data version and whole."""
    recorded = _recorded(connection, contract).get(clean.file_month)
    if recorded is None or not all(_columns(connection, table.name) for table in (contract.trips, contract.quarantine)):
        return None
    version, trips, quarantined = recorded
    record = LoadRecord(version, MonthCounts(trips, quarantined), _count(connection, contract, clean.file_month))
    return LoadedMonth(record.counted, False, _name(contract.trips)) if record.is_current(clean.facts) else None
