"""Sessions on a PostgreSQL server: connecting, and the settings that every transaction of ours has.

Belongs here: addresses and sessions. Does not: what errors mean (``errors``), waiting for others
(``waiting``), tables and rows (``store``).
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
    # What we write and read is the same whatever a role, a database, a pooler or PG… variables have set.
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "search_path": "",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    # Planning a look at one partition would otherwise lock the table it belongs to.
    "constraint_exclusion": "partition",
    # A load takes as long as it takes; how long it waits for others is ours to say.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class PostgresAddress:
    """A server's address, and the schema of the platform's own tables there; its text shows no password."""

    def __init__(self, url: str, schema: str) -> None:
        """Look at the URL only; raises `StoreError` for one that libpq cannot read."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            readable = False
        else:
            # A raw @ in a password ends it too soon, a raw / ends the host: what follows would be shown as names.
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
        """A connection in one transaction at a time, rolled back on any error.

        Args:
            reading: nothing is written, so that a standby will do.

        Raises:
            StoreError: the server, or the way to it, refuses.
            StoreUnavailableError: it does so for now.
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
        """Give the space of deleted rows back to those tables, by their quoted names; nobody waits for it.

        Whatever keeps it from that leaves it to the server's own autovacuum.
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
            # Behind a pooler the next transaction may be on another server process, which knows no prepared statement.
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
    """Commit, and begin a transaction in the settings of ours.

    They are set per transaction: behind a pooler that is all of a session that can be counted on, and the next client
    of the same server process does not inherit them.
    """
    connection.commit()
    settings = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
    connection.execute(
        f"SELECT set_config(name, setting, true) FROM (VALUES {settings}) AS ours (name, setting) "  # noqa: S608
        "WHERE current_setting(name, true) IS NOT NULL"
    )
    wait_as_long_as_allowed(connection)
