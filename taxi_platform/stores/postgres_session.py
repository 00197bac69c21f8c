"""Sessions on a PostgreSQL server: connecting, and its errors as sentences that never hold a password.

Belongs here: addresses, sessions, transactions that wait with a bound. Does not: tables and rows (``postgres``).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from taxi_platform.errors import StoreError
from taxi_platform.stores.locks import HeldError, keep_trying

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresAddress", "lock_for_transaction", "masked", "with_short_locks"]

T = TypeVar("T")

_SHORT_LOCK_WAIT = "500ms"
"""Less than deadlock_timeout (1 s by default): whoever reads is never the one that a deadlock ends."""
_REMEDIES = {
    "28P01": "check the user and the password in TAXI_POSTGRES",
    "28000": "check the user in TAXI_POSTGRES and the server's pg_hba.conf",
    "3D000": "create the database, or name another one in TAXI_POSTGRES",
    "42501": "grant that role the right, or name another role in TAXI_POSTGRES",
    "53100": "the server's disk is full: free space there, then run it again",
    "53300": "the server has no connection left: let others end, then run it again",
}


def masked(url: str) -> str:
    """The address without its password, wherever it stands in it."""
    hidden = re.sub(r"(//[^:/@?]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", hidden)


class PostgresAddress:
    """A server's address; its text shows no password."""

    def __init__(self, url: str) -> None:
        """Look at the URL only; raises `StoreError` for one that libpq cannot read."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            parts = {"host": "@"}
        if "@" in str(parts.get("host", "")):
            raise StoreError(
                f"{masked(url)} is not a PostgreSQL address: write postgresql://user:password@host:port/database, "
                "with / @ : # ? and % in the password percent-encoded"
            )
        self.url = url
        self._secrets = [secret for secret in (str(parts.get("password") or ""),) if secret]
        self._secrets += [quote(secret, safe="") for secret in self._secrets]

    def __str__(self) -> str:
        return masked(self.url)

    @contextlib.contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection in one transaction at a time, rolled back on any error; raises `StoreError`."""
        import psycopg

        with self.clear_errors():
            connection = psycopg.connect(
                self.url,
                application_name="taxi_platform",
                connect_timeout=10,
                keepalives=1,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=5,
            )
            with connection:
                yield connection

    @contextlib.contextmanager
    def clear_errors(self) -> Iterator[None]:
        """What the server, or the way to it, refuses, as one sentence."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            text = " ".join((error.diag.message_primary or str(error)).split()) or type(error).__name__
            for secret in self._secrets:
                text = text.replace(secret, "***")
            remedy = _REMEDIES.get(error.sqlstate or "") or _remedy_for(text)
            raise StoreError(f"PostgreSQL at {self} refused: {text}{f'; {remedy}' if remedy else ''}") from error


def _remedy_for(text: str) -> str:
    """Before a session stands there is no SQLSTATE, only libpq's text."""
    if "password" in text:
        return _REMEDIES["28P01"]
    if "does not exist" in text and "database" in text:
        return _REMEDIES["3D000"]
    if "refused" in text or "No such file" in text or "resolve" in text or "translate host" in text:
        return "check the address in TAXI_POSTGRES, and that the server runs"
    return ""


def lock_for_transaction(connection: Connection, name: str, wait_seconds: float) -> None:
    """Take the advisory lock of that name until the transaction ends; raises `StoreBusyError` naming the holder."""

    def attempt() -> None:
        sql = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
        if not _one(connection, sql, name):
            raise HeldError(_advisory_holder(connection, name))

    keep_trying(attempt, f"the lock of {name} in PostgreSQL", wait_seconds)


def _advisory_holder(connection: Connection, name: str) -> int | None:
    """The server's process id of the session that holds the lock, as pg_stat_activity shows it."""
    sql = """
        SELECT min(pid) FROM pg_locks, (SELECT hashtextextended(%s, 0) AS key) AS wanted
        WHERE locktype = 'advisory' AND granted AND objsubid = 1
          AND (classid::bigint << 32) | objid::bigint = key
    """
    holder = _one(connection, sql, name)
    return holder if isinstance(holder, int) else None


def with_short_locks(connection: Connection, work: Callable[[], T], what: str, wait_seconds: float) -> T:
    """Do work that needs strong locks, giving way to others each time they are not to be had within half a second.

    Waiting for a strong lock makes everybody behind it wait too: a short wait, then a pause, lets readers through.
    """
    from psycopg import errors

    def attempt() -> T:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{_SHORT_LOCK_WAIT}'")
                return work()
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            raise HeldError from error

    return keep_trying(attempt, what, wait_seconds)


def _one(connection: Connection, sql: str, *parameters: object) -> object:
    row = connection.execute(sql, parameters).fetchone()
    return row[0] if row else None
