"""Tables in PostgreSQL, the platform's own and users': created, described, extended, and who owns them.

Belongs here: DDL from contracts. Does not: partitions (``partitions``), rows, sessions (``copy``,
``session``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.model import FILE_MONTH, ColumnType, Table
from taxi_platform.contracts.schemas import postgres_columns, postgres_comments, quoted, sql_literal
from taxi_platform.errors import StoreError
from taxi_platform.stores.bookkeeping import RECORDS
from taxi_platform.stores.catalogue import CatalogueColumn, declaration, is_current, missing_columns
from taxi_platform.stores.model import SCHEMA, split_name
from taxi_platform.stores.postgres.session import new_transaction
from taxi_platform.stores.postgres.waiting import Locks, lock_for_transaction, with_felt_locks, with_quiet_locks

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = [
    "columns_of",
    "create_table",
    "described_tables",
    "ensure_tables",
    "existing_tables",
    "give_to_owner_of_schema",
    "give_to_owner_of_table",
    "primary_key",
    "sql_type",
    "table_of",
    "take_names_over",
]


def existing_tables(connection: PostgresConnection) -> set[str]:
    """The names of the tables in the platform's schema; empty if the schema does not exist."""
    sql = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p')"
    return {name for (name,) in connection.execute(sql, [quoted(connection.schema)])}


def described_tables(connection: PostgresConnection) -> dict[str, str]:
    """The names of the tables and views that the role may read in every schema → their comments, in order."""
    sql = """
        SELECT nspname, relname, coalesce(obj_description(pg_class.oid, 'pg_class'), '')
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
          AND nspname <> 'information_schema' AND nspname !~ '^pg_'
          AND has_schema_privilege(pg_namespace.oid, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT')
        ORDER BY 1, 2
    """
    return {f"{schema}.{name}": comment for schema, name, comment in connection.execute(sql)}


def table_of(connection: PostgresConnection, name: str, store: str) -> Table:
    """The declaration of an existing table; raises `StoreError` if there is none.

    In the platform's own tables, a column whose type no contract has is a user's addition, and is left out.
    """
    columns = columns_of(connection, name)
    if split_name(name)[0] == SCHEMA:
        known = {sql_type(kind) for kind in ColumnType}
        columns = [column for column in columns if column.type in known]
    return declaration(connection.named(name), columns, sql_type, store)


def ensure_tables(connection: PostgresConnection, tables: tuple[Table, ...], wait_seconds: float) -> None:
    """Create the schema and these tables, or add the columns that they lack; comments follow the declarations.

    If nothing is missing, nothing is locked. The work is committed, so that loading holds none of its locks.
    """
    if not all(_is_ready(connection, table) for table in tables):
        new_transaction(connection)
        for schema in sorted({connection.placed(table).schema for table in tables}):
            lock_for_transaction(connection, f"the schema {schema}", wait_seconds)
            _create_schema(connection, schema)
        for table in tables:
            _create_or_extend(connection, table, wait_seconds)
    new_transaction(connection)


def _is_ready(connection: PostgresConnection, table: Table) -> bool:
    columns = columns_of(connection, table.qualified_name)
    return is_current(table, columns, sql_type) and _is_identified(connection, table)


def _is_identified(connection: PostgresConnection, table: Table) -> bool:
    """Whether rows can be updated and deleted even if all tables are published for logical replication."""
    sql = """
        SELECT relkind = 'p' OR EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)
               OR (relreplident IN ('f', 'i') AND NOT %s)
        FROM pg_class WHERE oid = to_regclass(%s)
    """
    return bool(_value(connection, sql, bool(table.key), connection.qualified(table.qualified_name)))


def _create_schema(connection: PostgresConnection, schema: str) -> None:
    if _value(connection, "SELECT to_regnamespace(%s) IS NULL", quoted(schema)):
        connection.execute(f"CREATE SCHEMA {quoted(schema)}")
        if schema == connection.schema:
            description = "New York taxi trips: one table per dataset, partitioned by file month."
            connection.execute(f"COMMENT ON SCHEMA {quoted(schema)} IS {sql_literal(description)}")


def _create_or_extend(connection: PostgresConnection, table: Table, wait_seconds: float) -> None:
    name = connection.qualified(table.qualified_name)
    if not columns_of(connection, table.qualified_name):
        create_table(connection, table)
    existing = columns_of(connection, table.qualified_name)

    missing = missing_columns(connection.placed(table), existing, sql_type)
    what = f"the table {connection.named(table.qualified_name)}"

    def extend() -> None:
        for column in missing:
            connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {column.type.postgres}")
        _identify(connection, table)

    def describe() -> None:
        _describe(connection, table)

    if missing or not _is_identified(connection, table):
        with_felt_locks(connection, extend, Locks(what, (name, *_partitions(connection, table)), wait_seconds))
    if not _is_ready(connection, table):
        with_quiet_locks(connection, describe, Locks(what, (name,), wait_seconds, "SHARE UPDATE EXCLUSIVE"))


def _partitions(connection: PostgresConnection, table: Table) -> list[str]:
    sql = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s) ORDER BY 1"
    return [name for (name,) in connection.execute(sql, [connection.qualified(table.qualified_name)])]


def create_table(connection: PostgresConnection, table: Table) -> None:
    """Create a table with its comments; trips and quarantine are partitioned, and a user's monthly table is indexed."""
    name = connection.qualified(table.qualified_name)
    months = f" PARTITION BY LIST ({FILE_MONTH.name})" if _is_partitioned(table) else ""
    connection.execute(f"CREATE TABLE {name} ({postgres_columns(table)}){months}")
    if FILE_MONTH in table.columns and table.schema != SCHEMA:
        connection.execute(f"CREATE INDEX ON {name} ({FILE_MONTH.name})")
    _identify(connection, table)
    _describe(connection, table)
    give_to_owner_of_schema(connection, name)


def _identify(connection: PostgresConnection, table: Table) -> None:
    """Give the table its primary key, or make the whole row its replica identity if it has no key."""
    if _is_identified(connection, table):
        return
    name = connection.qualified(table.qualified_name)
    if table.key:
        connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(map(quoted, table.key))})")
    else:
        connection.execute(f"ALTER TABLE {name} REPLICA IDENTITY FULL")


def primary_key(connection: PostgresConnection, name: str) -> tuple[str, ...]:
    """The columns of a table's primary key, which a user may have added; empty if there is none."""
    sql = """
        SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
        WHERE indrelid = to_regclass(%s) AND indisprimary ORDER BY array_position(indkey::int2[], attnum)
    """
    return tuple(column for (column,) in connection.execute(sql, [connection.qualified(name)]))


def give_to_owner_of_table(connection: PostgresConnection, relation: str, of: str) -> None:
    """Make the owner of a table the owner of a relation too, so that whoever may load one may load the other."""
    sql = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(%s)"
    owner = _value(connection, sql, of)
    if owner != _value(connection, sql, relation):
        connection.execute(f"ALTER TABLE {relation} OWNER TO {quoted(owner)}")


def give_to_owner_of_schema(connection: PostgresConnection, relation: str) -> None:
    """Make the schema's owner the owner of a relation, if this role may act for it: so several logins can load."""
    sql = """
        SELECT pg_get_userbyid(nspowner) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE pg_class.oid = to_regclass(%s) AND nspowner <> relowner
          AND pg_has_role(current_user, nspowner, %s) AND has_schema_privilege(nspowner, relnamespace, 'CREATE')
    """
    # Since PostgreSQL 16 a membership in a role does not always allow acting for it.
    right = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    for (owner,) in connection.execute(sql, [relation, right]).fetchall():
        connection.execute(f"ALTER TABLE {relation} OWNER TO {quoted(owner)}")


def take_names_over(connection: PostgresConnection, schema: str, relation: str, prefix: str, name: str) -> None:
    """Rename a table to a name that has become free, and likewise its indexes whose names begin with the prefix."""
    connection.execute(f"ALTER TABLE {quoted(schema)}.{quoted(relation)} RENAME TO {quoted(name)}")
    sql = """
        SELECT relname, %(name)s::text || substr(relname, length(%(prefix)s::text) + 1)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indrelid = to_regclass(%(table)s) AND left(relname, length(%(prefix)s::text)) = %(prefix)s::text
    """
    table = f"{quoted(schema)}.{quoted(name)}"
    for old, new in connection.execute(sql, {"name": name, "prefix": prefix, "table": table}).fetchall():
        if _value(connection, "SELECT to_regclass(%s) IS NULL", f"{quoted(schema)}.{quoted(new)}"):
            connection.execute(f"ALTER INDEX {quoted(schema)}.{quoted(old)} RENAME TO {quoted(new)}")


def _describe(connection: PostgresConnection, table: Table) -> None:
    for comment in postgres_comments(table, connection.qualified(table.qualified_name)):
        connection.execute(comment)


def _is_partitioned(table: Table) -> bool:
    return FILE_MONTH in table.columns and table not in RECORDS and table.schema == SCHEMA


def columns_of(connection: PostgresConnection, name: str) -> list[CatalogueColumn]:
    """The table's columns, in its order; empty if there is no such table."""
    sql = """
        SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull,
               coalesce(col_description(attrelid, attnum), '')
        FROM pg_attribute
        WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
    """
    return [CatalogueColumn(*row) for row in connection.execute(sql, [connection.qualified(name)])]


def sql_type(column_type: ColumnType) -> str:
    """The type's name as PostgreSQL's ``format_type`` writes it."""
    return {"timestamp": "timestamp without time zone"}.get(column_type.postgres, column_type.postgres)


def _value(connection: PostgresConnection, sql: str, *parameters: object) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    if row is None:
        raise StoreError(f"PostgreSQL gave no answer to {sql}")
    return row[0]
