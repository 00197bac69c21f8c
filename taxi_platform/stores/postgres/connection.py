"""A connection that knows the schema of the platform's own tables in its database.

Belongs here: translating declared names (``taxi.green_trips``) into the database's, for SQL, sentences and locks. Does
not: opening a connection (``session``).
"""
# ruff: noqa: TID253 - imported only once a session is opened

from __future__ import annotations

from dataclasses import replace

import psycopg
from psycopg.rows import TupleRow

from taxi_platform.contracts.model import SCHEMA, Table
from taxi_platform.contracts.schemas import quoted
from taxi_platform.errors import StoreError
from taxi_platform.stores.model import split_name

__all__ = ["PostgresConnection"]


class PostgresConnection(psycopg.Connection[TupleRow]):
    """A connection. Declarations put the platform's own tables into ``taxi``.

    Here that means this connection's schema.
    """

    schema: str = SCHEMA

    def place(self, name: str) -> tuple[str, str]:
        """Schema and table in the database: the platform's own are in its schema, others in that of their name.

        Raises:
            StoreError: the name has this schema, so that it could be taken for one of the platform's own.
        """
        schema, table = split_name(name)
        if schema == SCHEMA:
            return self.schema, table
        if schema.lower() == self.schema:
            raise StoreError(
                f"{name} would stand among the platform's own tables, which are in the schema {self.schema}: give it "
                "another schema, or TAXI_POSTGRES_SCHEMA another name"
            )
        return schema, table

    def named(self, name: str) -> str:
        """The name in the database, ``taxi.green_trips``, for sentences and for the lock of a table."""
        return ".".join(self.place(name))

    def qualified(self, name: str) -> str:
        """The quoted name in the database, ``"taxi"."green_trips"``, for SQL."""
        return ".".join(map(quoted, self.place(name)))

    def placed(self, table: Table) -> Table:
        """The declaration with the schema that the table has in this database."""
        return replace(table, schema=self.place(table.qualified_name)[0])

    def own_lock(self, name: str) -> str:
        """The name of a lock that platforms in other schemas of the database do not share."""
        return name if self.schema == SCHEMA else f"{name} in the schema {self.schema}"
