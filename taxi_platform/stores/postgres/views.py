"""Views in PostgreSQL: replaced only where they would change, with comments on every column.

Belongs here: creating, comparing and describing a view. Does not: what a view selects (``contracts``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import view_comments
from taxi_platform.stores.catalogue import is_current
from taxi_platform.stores.postgres.grants import keepsakes_of
from taxi_platform.stores.postgres.tables import columns_of, give_to_owner_of_schema, sql_type
from taxi_platform.stores.postgres.waiting import Locks, with_felt_locks

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["replace_view"]


def replace_view(connection: PostgresConnection, view: Table, sql: str, wait_seconds: float) -> None:
    """Replace the view only if it would change, because that waits for everybody who reads it.

    The caller holds the lock of the schema. Comments alone are changed without such a wait.
    """
    name = connection.qualified(view.name)
    # End the transaction, so that none of the view's tables stays locked.
    with connection.transaction(force_rollback=True):
        is_same = _is_view(connection, view, sql)
    if is_same:
        if not _is_described(connection, view):
            _describe(connection, view)
        return

    def replace() -> None:
        kept = keepsakes_of(connection, name)
        _create(connection, name, sql)
        _describe(connection, view)
        if kept:
            kept.give_to(connection, name)
        else:
            give_to_owner_of_schema(connection, name)

    locks = Locks(f"the view {connection.named(view.name)}", (name,), wait_seconds, mode=None)
    with_felt_locks(connection, replace, locks)


def _is_view(connection: PostgresConnection, view: Table, sql: str) -> bool:
    """Whether the view exists and has that SELECT; compares it with a temporary view, which is rolled back."""
    new = connection.qualified(f"{view.name}_new")
    connection.execute(f"CREATE VIEW {new} AS {sql}")
    same = "SELECT pg_get_viewdef(%s::regclass) IS NOT DISTINCT FROM pg_get_viewdef(to_regclass(%s))"
    return connection.execute(same, (new, connection.qualified(view.name))).fetchone() == (True,)


def _create(connection: PostgresConnection, name: str, sql: str) -> None:
    from psycopg import errors

    try:
        with connection.transaction():
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")
    except errors.InvalidTableDefinition:
        # A release changed the view's columns. Views that depend on it must be dropped first; the error names them.
        connection.execute(f"DROP VIEW {name}")
        connection.execute(f"CREATE VIEW {name} AS {sql}")


def _is_described(connection: PostgresConnection, view: Table) -> bool:
    said = "SELECT obj_description(to_regclass(%s), 'pg_class')"
    is_said = connection.execute(said, [connection.qualified(view.name)]).fetchone() == (view.description,)
    return is_said and is_current(view, columns_of(connection, view.qualified_name), sql_type)


def _describe(connection: PostgresConnection, view: Table) -> None:
    for comment in view_comments(view, connection.qualified(view.name)):
        connection.execute(comment)
