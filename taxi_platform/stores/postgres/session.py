"""Sessions on a PostgreSQL server: connecting, and the settings of every transaction.

Belongs here: addresses and sessions. Does not: what errors mean (``errors``), waiting for others (``waiting``), tables
and rows (``store``).
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from taxi_platform.errors import StoreError
from taxi_platform.stores.postgres.errors import masked, refusal
from taxi_platform.stores.postgres.waiting import wait_as_long_as_allowed

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = ["PostgresAddress", "new_transaction"]

_logger = logging.getLogger(__name__)

_SETTINGS = {
    # These keep reading and writing independent of settings of a role, a database, a pooler or PG… variables.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "search_path": "",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    # Otherwise planning a query on one partition would lock its partitioned table.
    "constraint_exclusion": "partition",
    # A load has no time limit; waiting for other sessions has one of the platform's own.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class PostgresAddress:
    """A server's address, and the schema of the platform's own tables there; as text it shows no password."""

    def __init__(self, url: str, schema: str) -> None:
        """Check the URL only; raises `StoreError` if libpq cannot read it."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            readable = False
        else:
            # A raw @ or / in a password ends it too early, and its rest would be shown as part of a name.
            before_options = url.partition("?")[0]
            readable = re.search(r"@.*@|//[^@]*/.*@", before_options) is None
        if not readable:
            raise StoreError(
                f"{masked(url)} is not a PostgreSQL address: write postgresql://user:password@host:port/database, "
                "with / @ : # ? and % in the password percent-encoded"
            )
        self.url = url
        self.schema = schema

    def __str__(self) -> str:
        return masked(self.url)

    @contextlib.contextmanager
    def session(self, *, reading: bool = False) -> Iterator[PostgresConnection]:
        """A connection with a transaction begun; it is rolled back on any error.

        Args:
            reading: whether nothing is written, so that a standby server can be used.

        Raises:
            StoreError: the server or the network refuses.
            StoreUnavailableError: the same, but it may pass.
        """
        import psycopg

        with self._clear_errors(), self._connected() as connection:
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.read_only = reading
            connection.deferrable = False
            if not reading and connection.info.parameter_status("in_hot_standby") == "on":
                raise StoreError(f"PostgreSQL at {self} is a standby, which nobody can write to: name the primary")
            new_transaction(connection)
            yield connection

    def vacuum(self, tables: Sequence[str]) -> None:
        """Vacuum those tables, by their quoted names, to free the space of deleted rows; nobody waits for it.

        If that is not possible, the server's own autovacuum does it later.
        """
        import psycopg

        if not tables:
            return
        try:
            with self._connected() as connection:
                connection.autocommit = True
                for table in tables:
                    connection.execute(f"VACUUM (SKIP_LOCKED, TRUNCATE FALSE) {table}")
        except psycopg.Error as error:
            _logger.info("%s are left to autovacuum: %s", ", ".join(tables), refusal(str(self), error))

    def _connected(self) -> PostgresConnection:
        from taxi_platform.stores.postgres.connection import PostgresConnection

        connection = PostgresConnection.connect(
            self.url,
            application_name="taxi_platform",
            connect_timeout=10,
            keepalives=1,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=5,
            # Behind a pooler the next transaction may run in another server process, which has no prepared statements.
            prepare_threshold=None,
        )
        connection.schema = self.schema
        return connection

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise refusal(str(self), error) from error


def new_transaction(connection: PostgresConnection) -> None:
    """Commit, and begin a new transaction with the platform's settings.

    Settings are made per transaction. A pooler may change the server process after each, and the next client of that
    process must not inherit them.
    """
    connection.commit()
    settings = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
    connection.execute(
        f"SELECT set_config(name, setting, true) FROM (VALUES {settings}) AS ours (name, setting) "  # noqa: S608 - constants
        "WHERE current_setting(name, true) IS NOT NULL"
    )
    wait_as_long_as_allowed(connection)
