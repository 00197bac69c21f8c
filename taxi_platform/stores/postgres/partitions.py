"""A month's partition in PostgreSQL: filled as a new table and exchanged for the old one, or refilled in place.

Belongs here: what a partition needs before it is attached, and how it gets there without blocking readers.
Does not: tables (``tables``), locks (``waiting``), the rows (``copy``).

Trips and quarantine are partitioned by file month. A month's rows go into a new table that nobody sees yet. It gets
whatever users have added to the partitioned table (defaults, generated columns, checks, indexes, foreign keys). So
attaching it neither builds nor checks anything.
"""
# ruff: noqa: S608 - names in SQL come from contracts and the catalogue, quoted

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import quoted, sql_literal
from taxi_platform.errors import StoreError
from taxi_platform.stores.postgres.tables import give_to_owner_of_table, primary_key, take_names_over
from taxi_platform.stores.postgres.waiting import (
    Locks,
    StillReadError,
    wait_as_long_as_allowed,
    with_felt_locks,
    with_quiet_locks,
)

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = [
    "KeptPartitionError",
    "attach_partitions",
    "create_partition",
    "drop_partitions",
    "empty_partition",
    "existing_partitions",
    "finish_partition",
    "new_partition",
    "partition",
]

_ATTEMPTS = 3
"""Attempts to lock for an exchange, before a month is refilled in place: 0.35 s of waiting and 8.4 s of pauses."""
_INHERITS_IDENTITY = 170000
"""The server version since which attached partitions inherit identity columns."""


class KeptPartitionError(Exception):
    """The existing partition must stay and be refilled: readers hold it, or users have added something to it."""


def partition(table: Table, file_month: date) -> str:
    """The name of a month's partition: ``green_trips_2020_03``."""
    return f"{table.name}_{file_month:%Y_%m}"


def new_partition(table: Table, file_month: date) -> str:
    """The name of a month's partition while it is filled."""
    return f"{partition(table, file_month)}_new"


def existing_partitions(connection: PostgresConnection, tables: Sequence[Table], file_month: date) -> list[Table]:
    """The tables that have a partition for the month.

    Raises:
        StoreError: a table has the partition's name and is not one, so it must not be replaced.
    """
    sql = """
        SELECT inhparent IS NOT DISTINCT FROM to_regclass(%s) FROM pg_class LEFT JOIN pg_inherits ON inhrelid = oid
        WHERE oid = to_regclass(%s)
    """
    found = []
    for table in tables:
        name = partition(table, file_month)
        row = connection.execute(sql, [connection.qualified(table.name), connection.qualified(name)]).fetchone()
        if row == (False,):
            raise StoreError(
                f"{connection.named(name)} is no partition of {connection.named(table.name)}: attach it again, or "
                "rename it, then load the month again"
            )
        if row:
            found.append(table)
    return found


# ---- a new partition


def create_partition(connection: PostgresConnection, table: Table, file_month: date) -> str:
    """Make a table for a month's new rows, to be attached later; returns its name.

    Columns, defaults and checks are those of the partitioned table, read from the catalogue. ``LIKE`` would lock that
    table and make two loaders wait for each other. The check on the month spares a scan of all rows when it is
    attached.

    Raises:
        StoreError: the table has a required column that the platform's rows cannot fill.
    """
    parent, name = connection.qualified(table.name), new_partition(table, file_month)
    constraints = [
        f"CONSTRAINT {_month_check(file_month)} CHECK ({FILE_MONTH.name} = DATE '{file_month}')",
        *_checks(connection, parent),
    ]
    connection.execute(
        f"CREATE TABLE {connection.qualified(name)} ({', '.join([*_columns(connection, table), *constraints])})"
    )
    if not primary_key(connection, table.name):
        # With it, rows can be deleted in place even if all tables are published for logical replication.
        connection.execute(f"ALTER TABLE {connection.qualified(name)} REPLICA IDENTITY FULL")
    description = f"File month {file_month:%Y-%m} of {connection.named(table.name)}."
    connection.execute(f"COMMENT ON TABLE {connection.qualified(name)} IS {sql_literal(description)}")
    give_to_owner_of_table(connection, connection.qualified(name), parent)
    return name


def _columns(connection: PostgresConnection, table: Table) -> list[str]:
    """The definitions of the table's columns, with their defaults, so that COPY also fills columns that users added."""
    sql = """
        SELECT attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, pg_get_expr(adbin, adrelid),
               CASE WHEN attidentity <> '' THEN pg_get_serial_sequence(%(table)s, attname) END,
               CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text END
        FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    """
    definitions, stands = [], connection.named(table.name)
    for name, kind, not_null, generated, expression, sequence, collation in connection.execute(
        sql, {"table": connection.qualified(table.name)}
    ):
        filled = f"nextval({sql_literal(sequence)}::regclass)" if sequence else expression
        if not_null and filled is None and name not in table.column_names:
            raise StoreError(
                f"the column {name} of {stands} is NOT NULL, and neither contract nor default fills "
                f"it: ALTER TABLE {stands} ALTER COLUMN {quoted(name)} DROP NOT NULL, or SET DEFAULT"
            )
        how = {"s": f"GENERATED ALWAYS AS ({filled}) STORED", "v": f"GENERATED ALWAYS AS ({filled}) VIRTUAL"}
        default = how.get(generated, f"DEFAULT {filled}") if filled is not None else None
        parts = (quoted(name), kind, collation and f"COLLATE {collation}", default, "NOT NULL" if not_null else None)
        definitions.append(" ".join(filter(None, parts)))
    return definitions


def _checks(connection: PostgresConnection, parent: str) -> list[str]:
    sql = """
        SELECT format('CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE conrelid = to_regclass(%s) AND contype = 'c' ORDER BY conname
    """
    return [definition for (definition,) in connection.execute(sql, [parent])]


def finish_partition(connection: PostgresConnection, table: Table, file_month: date, wait_seconds: float) -> None:
    """Add the table's indexes and foreign keys, and one more index, to a new partition that is filled.

    The one more is a BRIN index of the times that queries filter by. A file's rows are not sorted, but a query for
    other days skips the whole month by reading one page. It takes a third of the time of a B-tree and almost no space.
    Users who look for single trips can add an index of their own.
    """
    new = new_partition(table, file_month)
    types = {column.name: column.type for column in table.columns}
    for column in table.cluster_by:
        if types[column] is ColumnType.TIMESTAMP:
            index = quoted(f"{new}_{column}")
            connection.execute(f"CREATE INDEX {index} ON {connection.qualified(new)} USING brin ({quoted(column)})")
    for statement in _index_statements(connection, connection.qualified(table.name), connection.qualified(new)):
        connection.execute(statement)
    _add_foreign_keys(connection, connection.qualified(table.name), connection.qualified(new), wait_seconds)


def _add_foreign_keys(connection: PostgresConnection, parent: str, new: str, wait_seconds: float) -> None:
    sql = """
        SELECT confrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = to_regclass(%s) AND contype = 'f' ORDER BY confrelid
    """
    for referenced, name, key in connection.execute(sql, [parent]).fetchall():

        def add(key: str = f"{quoted(name)} {key}") -> None:
            connection.execute(f"ALTER TABLE {new} ADD CONSTRAINT {key}")

        # This blocks changes of the referenced table, but not reading it.
        with_quiet_locks(connection, add, Locks(referenced, (referenced,), wait_seconds, "SHARE ROW EXCLUSIVE"))


def _index_statements(connection: PostgresConnection, parent: str, new: str) -> list[str]:
    """The statements that make the partitioned table's indexes and unique keys on the new table."""
    sql = """
        SELECT pg_get_indexdef(indexrelid), pg_get_constraintdef(pg_constraint.oid), indisunique,
               format('CREATE %%sINDEX %%I ON ONLY %%s ', CASE WHEN indisunique THEN 'UNIQUE ' END, relname,
                      indrelid::regclass)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        LEFT JOIN pg_constraint ON conindid = indexrelid AND conrelid = indrelid AND contype IN ('p', 'u', 'x')
        WHERE indrelid = to_regclass(%s) ORDER BY relname
    """
    return [
        f"ALTER TABLE {new} ADD {constraint}"
        if constraint
        else f"CREATE {'UNIQUE ' if unique else ''}INDEX ON {new} {definition.removeprefix(begin)}"
        for definition, constraint, unique, begin in connection.execute(sql, [parent])
    ]


# ---- exchanging partitions


def attach_partitions(
    connection: PostgresConnection, tables: Sequence[Table], file_month: date, wait_seconds: float
) -> None:
    """Exchange the month's partitions of all these tables for the new ones, or attach the new ones if there are none.

    Attaching the partition of a new month blocks no reader, and no reader blocks it. Detaching an old partition has to
    wait for its readers.

    Raises:
        KeptPartitionError: the old partitions are better refilled in place.
        StoreBusyError: other sessions hold the locks for too long.
    """
    old = existing_partitions(connection, tables, file_month)
    for table in old:
        if _has_things_of_its_own(connection, table, file_month):
            raise KeptPartitionError

    def exchange() -> None:
        for table in old:
            _drop(connection, table, file_month)
        for table in tables:
            _attach(connection, table, file_month)

    parents = tuple(connection.qualified(table.name) for table in tables)
    what = _named(connection, tables)
    if old:
        _felt(connection, exchange, Locks(what, (*parents, *_names(connection, old, file_month)), wait_seconds))
    elif defaults := _default_partitions(connection, tables):
        # The default partition might have rows of the month, and is scanned under its own lock.
        with_felt_locks(connection, exchange, Locks(what, (*parents, *defaults), wait_seconds))
    else:
        with_quiet_locks(connection, exchange, Locks(what, parents, wait_seconds, "SHARE UPDATE EXCLUSIVE"))


def drop_partitions(
    connection: PostgresConnection, tables: Sequence[Table], file_month: date, wait_seconds: float
) -> None:
    """Drop the month's partitions; raises the same errors as `attach_partitions`."""
    for table in tables:
        new = connection.qualified(new_partition(table, file_month))
        connection.execute(f"CREATE TABLE {new} ()")
        if _has_things_of_its_own(connection, table, file_month):
            raise KeptPartitionError
        connection.execute(f"DROP TABLE {new}")

    def drop() -> None:
        for table in tables:
            _drop(connection, table, file_month)

    parents = (connection.qualified(table.name) for table in tables)
    _felt(
        connection,
        drop,
        Locks(_named(connection, tables), (*parents, *_names(connection, tables, file_month)), wait_seconds),
    )


def empty_partition(connection: PostgresConnection, table: Table, file_month: date, wait_seconds: float) -> None:
    """Delete all rows of an existing partition; no reader waits, and no reader is waited for.

    Raises:
        StoreBusyError: another session changes rows in it, or holds the table, for too long.
    """
    name = connection.qualified(partition(table, file_month))

    def delete() -> None:
        # Wait for rows that another session has changed, because a new attempt would have to delete all others again.
        wait_as_long_as_allowed(connection)
        connection.execute(f"DELETE FROM ONLY {name}")

    locks = Locks(connection.named(partition(table, file_month)), (name,), wait_seconds, "ROW EXCLUSIVE")
    with_quiet_locks(connection, delete, locks)


def _felt(connection: PostgresConnection, work: Callable[[], None], locks: Locks) -> None:
    from psycopg import errors

    try:
        with_felt_locks(connection, work, locks, _ATTEMPTS)
    except (StillReadError, errors.DependentObjectsStillExist) as error:
        raise KeptPartitionError from error


def _drop(connection: PostgresConnection, table: Table, file_month: date) -> None:
    connection.execute(f"DROP TABLE {connection.qualified(partition(table, file_month))}")


def _attach(connection: PostgresConnection, table: Table, file_month: date) -> None:
    name, new = partition(table, file_month), new_partition(table, file_month)
    parent, attached = connection.qualified(table.name), connection.qualified(name)
    if connection.info.server_version >= _INHERITS_IDENTITY:
        for (column,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attidentity <> ''",
            [parent],
        ).fetchall():
            connection.execute(f"ALTER TABLE {connection.qualified(new)} ALTER COLUMN {quoted(column)} DROP DEFAULT")
    take_names_over(connection, connection.schema, new, new, name)
    connection.execute(f"ALTER TABLE {parent} ATTACH PARTITION {attached} FOR VALUES IN ('{file_month}')")
    connection.execute(f"ALTER TABLE {attached} DROP CONSTRAINT {_month_check(file_month)}")


def _has_things_of_its_own(connection: PostgresConnection, table: Table, file_month: date) -> bool:
    """Whether users have added something to the partition itself, which would be lost with it.

    The new partition must exist: grants that it lacks were given to the old partition itself.
    """
    name = partition(table, file_month)
    ours = [f"{name}_{column}" for column in table.cluster_by]
    sql = """
        WITH old AS (SELECT * FROM pg_class WHERE oid = to_regclass(%(old)s)),
             new AS (SELECT * FROM pg_class WHERE oid = to_regclass(%(new)s))
        SELECT EXISTS (SELECT FROM pg_depend JOIN old ON refobjid = old.oid
                       WHERE refclassid = 'pg_class'::regclass AND classid = 'pg_rewrite'::regclass)
            OR EXISTS (SELECT FROM pg_index JOIN old ON indrelid = old.oid
                       JOIN pg_class AS index ON index.oid = indexrelid
                       WHERE index.relname <> ALL (%(ours)s) AND NOT index.relispartition)
            OR EXISTS (SELECT FROM pg_constraint JOIN old ON conrelid = old.oid
                       WHERE conparentid = 0 AND coninhcount = 0 AND contype <> 'n')
            OR EXISTS (SELECT FROM pg_constraint JOIN old ON confrelid = old.oid WHERE conparentid = 0)
            OR EXISTS (SELECT FROM pg_trigger JOIN old ON tgrelid = old.oid WHERE NOT tgisinternal AND tgparentid = 0)
            OR EXISTS (SELECT FROM pg_policy JOIN old ON polrelid = old.oid)
            OR EXISTS (SELECT FROM pg_publication_rel JOIN old ON prrelid = old.oid)
            OR EXISTS (SELECT FROM pg_statistic_ext JOIN old ON stxrelid = old.oid)
            OR EXISTS (SELECT FROM pg_attribute JOIN old ON attrelid = old.oid WHERE attacl IS NOT NULL)
            OR EXISTS (SELECT FROM old, aclexplode(relacl) AS held WHERE held.grantee <> relowner AND NOT EXISTS (
                       SELECT FROM new, aclexplode(new.relacl) AS given WHERE given.grantee = held.grantee
                       AND (given.privilege_type, given.is_grantable) = (held.privilege_type, held.is_grantable)))
            OR EXISTS (SELECT FROM old WHERE reloptions IS NOT NULL OR relrowsecurity)
    """
    names = {
        "old": connection.qualified(name),
        "new": connection.qualified(new_partition(table, file_month)),
        "ours": ours,
    }
    row = connection.execute(sql, names).fetchone()
    return row == (True,)


def _default_partitions(connection: PostgresConnection, tables: Sequence[Table]) -> list[str]:
    sql = """
        SELECT partdefid::regclass::text FROM pg_partitioned_table
        WHERE partdefid <> 0 AND partrelid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
    """
    return [name for (name,) in connection.execute(sql, [[connection.qualified(table.name) for table in tables]])]


def _names(connection: PostgresConnection, tables: Sequence[Table], file_month: date) -> tuple[str, ...]:
    return tuple(connection.qualified(partition(table, file_month)) for table in tables)


def _named(connection: PostgresConnection, tables: Sequence[Table]) -> str:
    return " and ".join(connection.named(table.qualified_name) for table in tables)


def _month_check(file_month: date) -> str:
    """The check's name, which the server repeats if a file has rows of another month."""
    return quoted(f"{FILE_MONTH.name} is {file_month:%Y-%m}")
