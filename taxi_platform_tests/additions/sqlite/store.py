"""Tables in a folder of SQLite files: ``taxi.sqlite`` has the schema ``taxi``, ``marts.sqlite`` the schema ``marts``.

Belongs here: all of the store. Every change is one transaction of one file in write-ahead mode, so that readers and a
kill at any instant find the month before or the one after.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import Dialect
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType, Table
from taxi_platform.contracts.schemas import arrow_schema, describe, quoted
from taxi_platform.contracts.unified import UNIFIED, unified_view_sql
from taxi_platform.contracts.zones import ZONES
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.references import CleanMonth, MonthCounts
from taxi_platform.stores.bookkeeping import MONTHS, LoadRecord, check_conserved, check_loaded, counts_of, months_row
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, missing_columns, selected
from taxi_platform.stores.model import SCHEMA, HeldMonth, LoadedMonth, split_name

if TYPE_CHECKING:
    import pyarrow as pa

    from taxi_platform.stores.lake.lake import Lake

__all__ = ["SQLiteStore"]

_BATCH_ROWS = 10_000
_TEXTS = (ColumnType.TEXT, ColumnType.TEXT_LIST, ColumnType.DATE, ColumnType.TIMESTAMP)
_CATALOGUE = "(table_name TEXT, name TEXT, type TEXT, nullable INTEGER, comment TEXT, PRIMARY KEY (table_name, name))"


class SQLiteStore:
    """One file a schema, each made at its first write.

    Args:
        folder: of the files.
        wait_seconds: how long a write waits for other processes that write.
    """

    kind = "sqlite"

    def __init__(self, folder: Path | str, *, wait_seconds: float = 600.0) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._wait_seconds = wait_seconds

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self.folder)!r})"

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        check_conserved(clean)
        record = self._record(contract, clean.file_month)
        if record is not None and (unchanged := record.unchanged(clean, contract.trips.qualified_name)):
            return unchanged
        with self._writing(SCHEMA) as connection:
            for table in (contract.trips, contract.quarantine, MONTHS):
                _ensure(connection, table)
            record = _record(connection, contract, clean.file_month)
            if record is not None and (unchanged := record.unchanged(clean, contract.trips.qualified_name)):
                return unchanged
            _delete(connection, contract, clean.file_month)
            for table, path in ((contract.trips, clean.trips_path), (contract.quarantine, clean.quarantine_path)):
                with lake.open_parquet(path) as file:
                    for batch in file.iter_batches(_BATCH_ROWS):
                        _insert(connection, table, batch)
            counts = _count(connection, contract, clean.file_month)
            check_loaded(clean, counts, str(self))
            _insert_rows(connection, MONTHS, [months_row(clean)])
        return LoadedMonth(counts, changed=True, table=contract.trips.qualified_name)

    def delete_month(self, contract: Contract, file_month: date) -> None:
        if file_month in self.held_months(contract):
            with self._writing(SCHEMA) as connection:
                _delete(connection, contract, file_month)

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        return counts_of(self.held_months(contract, months))

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        with self._reading(SCHEMA) as connection:
            if connection is None:
                return {}
            tables = (contract.trips, contract.quarantine)
            known = {
                date.fromisoformat(month)
                for table in tables
                if _columns(connection, table)
                for (month,) in connection.execute(f"SELECT DISTINCT file_month FROM {_name(table)}")
            }
            records = {m: _record(connection, contract, m) for m in known}
            counts = {m: _count(connection, contract, m) for m in known}
        wanted = sorted(known if months is None else known & set(months))
        return {m: HeldMonth(counts[m], r.data_version if (r := records[m]) else None) for m in wanted}

    def tables(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for schema in sorted(file.stem for file in self.folder.glob("*.sqlite")):
            with self._reading(schema) as connection:
                if connection is not None:
                    sql = f"SELECT name FROM {quoted(schema)}.sqlite_master WHERE type IN ('table', 'view') ORDER BY 1"
                    found |= {f"{schema}.{name}": "" for (name,) in connection.execute(sql) if name[0] != "_"}
        return found

    def existing_table(self, table: str) -> Table | None:
        with self._reading(split_name(table)[0]) as connection:
            existing = [] if connection is None else _columns_of(connection, *split_name(table))
        return declaration(table, existing, _sql_type, str(self)) if existing else None

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        import pyarrow as pa

        batches = self._stream(table, months, columns)
        return pa.RecordBatchReader.from_batches(next(batches), batches)

    def _stream(self, name: str, months: Sequence[date] | None, columns: Sequence[str] | None) -> Iterator[Any]:
        """Give the schema, then batches. So errors come before the first batch."""
        import pyarrow as pa

        with self._reading(split_name(name)[0]) as connection:
            existing = [] if connection is None else _columns_of(connection, *split_name(name))
            table = selected(declaration(name, existing, _sql_type, str(self)), columns)
            schema = arrow_schema(table)
            yield schema
            assert connection is not None, "a declaration was found there"
            days = None if months is None else ", ".join(f"'{month}'" for month in months)
            where = "" if days is None else f" WHERE file_month IN ({days})"
            listed = ", ".join(map(quoted, table.column_names))
            cursor = connection.execute(f"SELECT {listed} FROM {_name(table)}{where}")
            while rows := cursor.fetchmany(_BATCH_ROWS):
                cells = [[_read(c.type, row[i]) for row in rows] for i, c in enumerate(table.columns)]
                arrays = [pa.array(values, field.type) for field, values in zip(schema, cells, strict=True)]
                yield pa.record_batch(arrays, schema=schema)

    def query(self, sql: str) -> pa.RecordBatchReader:
        import pyarrow as pa

        batches = self._result(sql)
        return pa.RecordBatchReader.from_batches(next(batches), batches)

    def _result(self, sql: str) -> Iterator[Any]:
        """Give the schema, then all rows: SQLite tells a column's type by its cells only."""
        import pyarrow as pa

        with self._reading(SCHEMA) as connection:
            if connection is None:
                raise StoreError(f"{self} has no table yet")
            connection.execute("PRAGMA query_only = ON")
            cursor = connection.execute(sql)
            if cursor.description is None:
                raise StoreError("one query can be run, a SELECT")
            names = [name for name, *_ in cursor.description]
            found = pa.table([pa.array(cells) for cells in zip(*cursor, strict=True)] or [[]] * len(names), names)
        yield found.schema
        yield from found.to_batches()

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        import pyarrow as pa

        count = 0
        with self._writing(table.schema) as connection:
            if file_month is None:
                connection.execute(f"DROP TABLE IF EXISTS {_name(table)}")
            _ensure(connection, table)
            if file_month is not None:
                connection.execute(f"DELETE FROM {_name(table)} WHERE file_month = ?", [str(file_month)])
            for batch in pa.RecordBatchReader.from_stream(rows):
                _insert(connection, table, batch)
                count += batch.num_rows
        return count

    def fill_table(self, table: Table, rows: pa.Table) -> bool:
        with self._writing(table.schema) as connection:
            _ensure(connection, table)
            if connection.execute(f"SELECT 1 FROM {_name(table)} LIMIT 1").fetchone():
                return False
            for batch in rows.to_batches():
                _insert(connection, table, batch)
            return True

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        with self._writing(SCHEMA) as connection:
            _ensure(connection, ZONES)
            existing = {name for (name,) in connection.execute(f"SELECT name FROM {SCHEMA}.sqlite_master")}
            for contract in contracts:
                if contract.trips.name in existing:
                    _ensure(connection, contract.trips)
            # A view's own names are those of its file.
            if sql := unified_view_sql(contracts, existing, quoted, _DIALECT):
                connection.execute(f"DROP VIEW IF EXISTS {SCHEMA}.trips")
                connection.execute(f"CREATE VIEW {SCHEMA}.trips AS {sql}")
                _describe(connection, UNIFIED, UNIFIED.columns)

    # ---- files

    def _record(self, contract: Contract, file_month: date) -> LoadRecord | None:
        with self._reading(SCHEMA) as connection:
            return None if connection is None else _record(connection, contract, file_month)

    @contextlib.contextmanager
    def _reading(self, schema: str) -> Iterator[sqlite3.Connection | None]:
        """See the file as it is now; None where there is none."""
        if not self._file(schema).exists():
            yield None
            return
        with self._connected(schema) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextlib.contextmanager
    def _writing(self, schema: str) -> Iterator[sqlite3.Connection]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._connected(schema) as connection:
            connection.execute(f"PRAGMA {quoted(schema)}.journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"CREATE TABLE IF NOT EXISTS {quoted(schema)}._columns {_CATALOGUE}")
            yield connection
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _connected(self, schema: str) -> Iterator[sqlite3.Connection]:
        """A connection that has the file as its schema; closing it rolls back what was not committed."""
        options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
        connection = sqlite3.connect(":memory:", timeout=self._wait_seconds, **options)
        try:
            with contextlib.closing(connection):
                connection.execute(f"ATTACH ? AS {quoted(schema)}", [str(self._file(schema))])
                yield connection
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreBusyError(f"{self} is held by another process: let it end, then run it again") from error
            raise StoreError(f"{self} refused the work: {error}") from error
        except (sqlite3.ProgrammingError, sqlite3.Warning) as error:  # more than one statement; 3.10 calls it a warning
            raise StoreError(f"{self} refused the work: {error}") from error

    def _file(self, schema: str) -> Path:
        return self.folder / f"{schema}.sqlite"


def _sql_type(kind: ColumnType) -> str:
    """A name of its own for each type: SQLite takes any, and gives a column its affinity by parts of the name."""
    return kind.name


def _cast_type(kind: ColumnType) -> str:
    return "TEXT" if kind in _TEXTS else "NUMERIC"


def _seconds(start: str, end: str) -> str:
    return f"CAST(strftime('%s', {end}) AS INTEGER) - CAST(strftime('%s', {start}) AS INTEGER)"


_DIALECT = Dialect(_cast_type, _seconds)


def _name(table: Table) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def _columns(connection: sqlite3.Connection, table: Table) -> list[CatalogueColumn]:
    return _columns_of(connection, table.schema, table.name)


def _columns_of(connection: sqlite3.Connection, schema: str, name: str) -> list[CatalogueColumn]:
    here = quoted(schema)
    if not connection.execute(f"SELECT 1 FROM {here}.sqlite_master WHERE name = ?", [name]).fetchone():
        return []
    sql = f"SELECT name, type, nullable, comment FROM {here}._columns WHERE table_name = ? ORDER BY rowid"
    return [CatalogueColumn(n, kind, bool(null), said) for n, kind, null, said in connection.execute(sql, [name])]


def _ensure(connection: sqlite3.Connection, table: Table) -> None:
    """Create the table, or add the columns that it lacks."""
    existing = _columns(connection, table)
    missing = missing_columns(table, existing, _sql_type)
    if not existing:
        listed = ", ".join(f"{quoted(column.name)} {_sql_type(column.type)}" for column in table.columns)
        connection.execute(f"CREATE TABLE {_name(table)} ({listed})")
        connection.execute(f"DELETE FROM {quoted(table.schema)}._columns WHERE table_name = ?", [table.name])
    else:
        for column in missing:
            connection.execute(f"ALTER TABLE {_name(table)} ADD {quoted(column.name)} {_sql_type(column.type)}")
    _describe(connection, table, missing)


def _describe(connection: sqlite3.Connection, table: Table, columns: Iterable[Column]) -> None:
    connection.executemany(
        f"INSERT OR REPLACE INTO {quoted(table.schema)}._columns VALUES (?, ?, ?, ?, ?)",
        [(table.name, c.name, _sql_type(c.type), c.nullable, describe(c)) for c in columns],
    )


def _insert(connection: sqlite3.Connection, table: Table, batch: pa.RecordBatch) -> None:
    there = replace(table, columns=tuple(c for c in table.columns if c.name in batch.schema.names))
    _insert_rows(connection, there, zip(*(batch[name].to_pylist() for name in there.column_names), strict=True))


def _insert_rows(connection: sqlite3.Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    names, marks = ", ".join(map(quoted, table.column_names)), ", ".join("?" * len(table.columns))
    sql = f"INSERT INTO {_name(table)} ({names}) VALUES ({marks})"
    connection.executemany(sql, (list(map(_kept, row)) for row in rows))


def _kept(value: Any) -> Any:
    """A cell as SQLite keeps it: times as text, lists as JSON."""
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    return value.isoformat() if isinstance(value, date) else value


def _read(kind: ColumnType, value: Any) -> Any:
    if value is None:
        return None
    reading: Mapping[ColumnType, Callable[[Any], Any]] = {
        ColumnType.TEXT_LIST: json.loads,
        ColumnType.DATE: date.fromisoformat,
        ColumnType.TIMESTAMP: datetime.fromisoformat,
        ColumnType.BOOLEAN: bool,
    }
    return reading[kind](value) if kind in reading else value


def _delete(connection: sqlite3.Connection, contract: Contract, file_month: date) -> None:
    for table in (contract.trips, contract.quarantine):
        connection.execute(f"DELETE FROM {_name(table)} WHERE file_month = ?", [str(file_month)])
    where = [contract.dataset, str(file_month)]
    connection.execute(f"DELETE FROM {_name(MONTHS)} WHERE dataset = ? AND {FILE_MONTH.name} = ?", where)


def _count(connection: sqlite3.Connection, contract: Contract, file_month: date) -> MonthCounts:
    def count(table: Table) -> int:
        if not _columns(connection, table):
            return 0
        sql = f"SELECT count(*) FROM {_name(table)} WHERE file_month = ?"
        return int(connection.execute(sql, [str(file_month)]).fetchone()[0])

    return MonthCounts(count(contract.trips), count(contract.quarantine))


def _record(connection: sqlite3.Connection, contract: Contract, file_month: date) -> LoadRecord | None:
    """What the bookkeeping says of a month whose tables are there."""
    if not all(_columns(connection, table) for table in (MONTHS, contract.trips, contract.quarantine)):
        return None
    sql = f"SELECT data_version, trips_rows, quarantined_rows FROM {_name(MONTHS)} WHERE dataset = ? AND file_month = ?"
    found = connection.execute(sql, [contract.dataset, str(file_month)]).fetchone()
    return found and LoadRecord(found[0], MonthCounts(*found[1:]), _count(connection, contract, file_month))
