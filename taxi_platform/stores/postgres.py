"""PostgreSQL: trips, quarantine and zones in the schema ``taxi`` of one database.

Belongs here: what the store does, step by step. Does not: sessions, DDL and COPY (``postgres_session``,
``postgres_tables``, ``postgres_copy``). Every change is one transaction, so that readers and a kill at any instant
find the month before or the one after.
"""
# ruff: noqa: S608 - names in SQL come from contracts, quoted; values are bound

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import ColumnType, Contract, Table
from taxi_platform.contracts.schemas import arrow_schema, quoted, sql_literal
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
from taxi_platform.stores.catalogue import selected
from taxi_platform.stores.model import SCHEMA, HeldMonth, LoadedMonth, MonthCounts
from taxi_platform.stores.postgres_copy import copy_in, copy_out
from taxi_platform.stores.postgres_replace import replace_month_of, replace_whole
from taxi_platform.stores.postgres_session import PostgresAddress, lock_for_transaction, with_short_locks
from taxi_platform.stores.postgres_tables import (
    attach_partition,
    columns_of,
    create_partition,
    ensure_tables,
    existing_tables,
    index_partition,
    partition,
    qualified,
    table_of,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg import Connection

    from taxi_platform.stores.lake import Lake

__all__ = ["PostgresStore"]

_BATCH_ROWS = 32_768


class PostgresStore:
    """Tables in the schema ``taxi`` of the database that the URL names.

    The role needs no more than to own that schema, or to be allowed to create it.

    Args:
        url: ``postgresql://user:password@host:port/database``, as libpq reads it.
        wait_seconds: how long any operation waits for locks of other sessions.
    """

    kind = "postgres"

    def __init__(self, url: str, *, wait_seconds: float = 600.0) -> None:
        self._address = PostgresAddress(url)
        self._wait_seconds = wait_seconds

    @property
    def url(self) -> str:
        """As it was given, password included."""
        return self._address.url

    def __repr__(self) -> str:
        return f"PostgresStore('{self._address}')"

    # ---- writing

    def replace_month(self, contract: Contract, clean: CleanMonth, lake: Lake) -> LoadedMonth:
        check_conserved(clean)
        tables = (contract.trips, contract.quarantine)
        with self._address.session() as connection:
            ensure_tables(connection, (*tables, MONTHS), self._wait_seconds)
            lock_for_transaction(connection, str(clean.month), self._wait_seconds)
            if unchanged := _unchanged(connection, contract, clean):
                return unchanged
            copied = [
                self._copy(connection, table, path, clean, lake)
                for table, path in zip(tables, (clean.trips_path, clean.quarantine_path), strict=True)
            ]
            counts = MonthCounts(*copied)
            check_loaded(clean, counts, str(self))
            _record(connection, clean)
            # Last of all: from here to the commit, readers of an old month wait.
            attach_partition(connection, tables, clean.file_month, self._wait_seconds)
        return LoadedMonth(counts, changed=True, table=f"{SCHEMA}.{contract.trips.name}")

    def _copy(self, connection: Connection, table: Table, path: str, clean: CleanMonth, lake: Lake) -> int:
        """Fill a new partition with a Parquet object of the lake; returns its rows."""
        name = create_partition(connection, table, clean.file_month)
        with lake.open_parquet(path) as file:
            present = tuple(column for column in table.columns if column.name in file.schema_arrow.names)
            schema = arrow_schema(Table(table.name, table.description, present))
            batches = file.iter_batches(_BATCH_ROWS, columns=schema.names, use_threads=False)
            rows = copy_in(connection, qualified(name), schema, batches, frozen=True)
        index_partition(connection, table, clean.file_month)
        return rows

    def delete_month(self, contract: Contract, file_month: date) -> None:
        tables = (contract.trips, contract.quarantine)
        with self._address.session() as connection:
            names = existing_tables(connection)
            if MONTHS.name not in names:
                return
            lock_for_transaction(connection, str(contract.month(file_month)), self._wait_seconds)
            old = [name for table in tables if (name := partition(table, file_month)) in existing_tables(connection)]
            _forget(connection, contract, file_month)

            def drop() -> None:
                for name in old:
                    connection.execute(f"DROP TABLE {qualified(name)}")

            with_short_locks(connection, drop, f"{SCHEMA}.{contract.trips.name}", self._wait_seconds)

    def replace_table(self, table: Table, rows: pa.Table | pa.RecordBatchReader, file_month: date | None = None) -> int:
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_stream(rows)
        with self._address.session() as connection:
            if file_month is None:
                return replace_whole(connection, table, reader, self._wait_seconds)
            return replace_month_of(connection, table, reader, file_month, self._wait_seconds)

    def refresh_views(self, contracts: Sequence[Contract]) -> None:
        with self._address.session() as connection:
            ensure_tables(connection, (ZONES,), self._wait_seconds)
            lock_for_transaction(connection, f"the schema {SCHEMA}", self._wait_seconds)
            sql = unified_view_sql(contracts, existing_tables(connection), qualified, _type_name)
            if sql:
                self._replace_view(connection, sql)

    def _replace_view(self, connection: Connection, sql: str) -> None:
        """Touch the view only if it would change: replacing it waits for everybody who reads it."""
        from psycopg import errors

        new, current = qualified("trips_new"), qualified("trips")
        connection.execute(f"CREATE VIEW {new} AS {sql}")
        definition = "SELECT to_regclass(%s) IS NULL OR pg_get_viewdef(%s::regclass) <> pg_get_viewdef(to_regclass(%s))"
        changed = connection.execute(definition, (current, new, current)).fetchone()
        connection.execute(f"DROP VIEW {new}")
        if changed == (False,):
            return

        def replace() -> None:
            try:
                with connection.transaction():
                    connection.execute(f"CREATE OR REPLACE VIEW {current} AS {sql}")
            except errors.InvalidTableDefinition:
                # A release that changes the view's columns: views that build on it must go first, and are named.
                connection.execute(f"DROP VIEW {current}")
                connection.execute(f"CREATE VIEW {current} AS {sql}")
            connection.execute(f"COMMENT ON VIEW {current} IS {sql_literal(VIEW_DESCRIPTION)}")

        with_short_locks(connection, replace, f"the view {SCHEMA}.trips", self._wait_seconds)

    # ---- reading

    def count_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, MonthCounts]:
        return {month: held.counts for month, held in self.held_months(contract, months).items()}

    def held_months(self, contract: Contract, months: Sequence[date] | None = None) -> Mapping[date, HeldMonth]:
        with self._address.session() as connection:
            names = existing_tables(connection)
            tables = [table for table in (contract.trips, contract.quarantine) if table.name in names]
            if MONTHS.name not in names:
                return {}
            return _held(connection, contract, tables, months)

    def standing_table(self, table: str) -> Table | None:
        with self._address.session() as connection:
            return table_of(connection, table, str(self)) if columns_of(connection, table) else None

    def read_months(
        self, table: str, months: Sequence[date] | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows; the session stays open until the reader ends or is dropped."""
        import pyarrow as pa

        batches = self._stream(table, months, columns)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _stream(self, name: str, months: Sequence[date] | None, columns: Sequence[str] | None) -> Iterator[Any]:
        """First the schema, then batches: errors show before the first, and closing the generator ends the session."""
        with self._address.session() as connection:
            table = selected(table_of(connection, name, str(self)), columns)
            yield arrow_schema(table)
            if months is None or months:
                yield from copy_out(connection, table, qualified(name), months)

    def __str__(self) -> str:
        return f"PostgreSQL at {self._address}"


def _type_name(column_type: ColumnType) -> str:
    return column_type.postgres


def _unchanged(connection: Connection, contract: Contract, clean: CleanMonth) -> LoadedMonth | None:
    """The month as it stands, if it is of this data version and whole."""
    recorded = _recorded(connection, contract).get(clean.file_month)
    if recorded is None:
        return None
    counted = MonthCounts(
        *(_count(connection, table, clean.file_month) for table in (contract.trips, contract.quarantine))
    )
    if not LoadRecord(recorded[0], MonthCounts(*recorded[1:]), counted).is_current(clean.facts):
        return None
    return LoadedMonth(counted, changed=False, table=f"{SCHEMA}.{contract.trips.name}")


def _record(connection: Connection, clean: CleanMonth) -> None:
    row = months_row(clean)
    updates = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in MONTHS.column_names[2:])
    connection.execute(
        f"INSERT INTO {qualified(MONTHS.name)} VALUES ({', '.join(['%s'] * len(row))}) "
        f"ON CONFLICT (dataset, file_month) DO UPDATE SET {updates}",
        row,
    )


def _forget(connection: Connection, contract: Contract, file_month: date) -> None:
    sql = f"DELETE FROM {qualified(MONTHS.name)} WHERE dataset = %s AND file_month = %s"
    connection.execute(sql, (contract.dataset, file_month))


def _recorded(connection: Connection, contract: Contract) -> dict[date, tuple[str, int, int]]:
    """Data version, trips and quarantined rows of each month the bookkeeping names."""
    columns = "file_month, data_version, trips_rows, quarantined_rows"
    rows = connection.execute(f"SELECT {columns} FROM {qualified(MONTHS.name)} WHERE dataset = %s", [contract.dataset])
    return {month: (version, trips, quarantined) for month, version, trips, quarantined in rows}


def _count(connection: Connection, table: Table, file_month: date) -> int:
    """Rows of the month, counted in its own partition.

    A look at the whole table would lock it until the transaction ends: two months that are replaced at once would each
    keep the other from exchanging its partition.
    """
    name = partition(table, file_month)
    if name not in existing_tables(connection):
        return 0
    row: tuple[Any, ...] | None = connection.execute(f"SELECT count(*) FROM {qualified(name)}").fetchone()
    return int(row[0]) if row else 0


def _held(
    connection: Connection, contract: Contract, tables: Sequence[Table], months: Sequence[date] | None
) -> dict[date, HeldMonth]:
    """Record and rows of each month, in one statement: between two, a load could end."""
    chosen = "" if months is None else "AND file_month = ANY(%(months)s)"
    parts = [
        (
            f"SELECT {sql_literal(MONTHS.name)}, file_month, 0, data_version FROM {qualified(MONTHS.name)} "
            f"WHERE dataset = %(dataset)s {chosen}"
        ),
        *(
            f"SELECT {sql_literal(table.name)}, file_month, count(*), NULL FROM {qualified(table.name)} "
            f"WHERE true {chosen} GROUP BY file_month"
            for table in tables
        ),
    ]
    found: dict[str, dict[date, tuple[int, str | None]]] = {}
    bound = {"dataset": contract.dataset, "months": None if months is None else list(months)}
    for name, month, count, version in connection.execute(" UNION ALL ".join(parts), bound):
        found.setdefault(name, {})[month] = (count, version)
    nothing = (0, None)
    trips, quarantined, recorded = (
        found.get(table.name, {}) for table in (contract.trips, contract.quarantine, MONTHS)
    )
    return {
        month: HeldMonth(
            MonthCounts(trips.get(month, nothing)[0], quarantined.get(month, nothing)[0]),
            recorded.get(month, nothing)[1],
        )
        for month in sorted({*trips, *quarantined, *recorded})
    }
