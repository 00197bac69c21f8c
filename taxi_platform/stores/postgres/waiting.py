"""Waiting for the locks of other sessions in a PostgreSQL database, without making those sessions wait for long.

Belongs here: locks, attempts to take them, and who holds them. Does not: the work under the locks (``tables``,
``partitions``).

A session that waits for an exclusive lock also makes every reader behind it wait. So attempts are short at first and
get longer. Each is followed by a pause of 24 times its length, and all loads into one schema take turns. So all of them
together keep others waiting for less than a twentieth of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from taxi_platform.errors import StoreBusyError
from taxi_platform.machine.locks import HeldError, keep_trying
from taxi_platform.transience import waiting_at_most

if TYPE_CHECKING:
    from taxi_platform.stores.postgres.connection import PostgresConnection

__all__ = [
    "Locks",
    "StillReadError",
    "lock_for_transaction",
    "wait_as_long_as_allowed",
    "with_felt_locks",
    "with_quiet_locks",
]

T = TypeVar("T")

_FIRST_ATTEMPT, _LONGEST_ATTEMPT = 0.05, 2.0
_PAUSE_RATIO = 24
"""The length of a pause, in lengths of the attempt before it: others wait for at most 4 % of the time."""
_LONGEST_SECOND_WAIT = 0.5
"""Seconds to wait for a lock while others are held: less than deadlock_timeout (1 s by default), so that a deadlock
never ends a reader."""
_QUIET_ATTEMPT = 2.0
_LONGEST_HOPE = 20.0
"""Seconds to wait for one's turn, if there is another way to do the work."""
_TURN = "taxi_platform waits for readers"
_LONGEST_QUERY = 100
_LONGEST_TIMEOUT = 2e6
"""The largest value of PostgreSQL's time-outs, in seconds: 32 bits of milliseconds."""


class StillReadError(Exception):
    """All allowed attempts failed, because others still hold the locks."""


class _HeldBySessionError(HeldError):
    """A session of the server holds the lock; described as `pg_stat_activity` shows it."""

    def __init__(self, description: str | None) -> None:
        super().__init__()
        self._description = description

    @property
    def holder(self) -> str:
        return self._description or "another session"


def lock_for_transaction(connection: PostgresConnection, name: str, wait_seconds: float) -> None:
    """Take the advisory lock of that name until the transaction ends.

    Raises `StoreBusyError`, which names the holder.
    """

    def attempt() -> None:
        _take_advisory(connection, name)

    keep_trying(attempt, f"the lock of {name} in PostgreSQL", wait_seconds)


@dataclass(frozen=True)
class Locks:
    """The locks that some work needs, and how long it may wait for them."""

    what: str
    """The thing that is locked, in words for people."""
    relations: tuple[str, ...]
    """Quoted names of tables; their partitions are not locked with them."""
    wait_seconds: float
    mode: str | None = "ACCESS EXCLUSIVE"
    """The lock mode. None if the work takes its locks itself, because locking a view would lock what it reads; the
    relations are then only used to name a holder."""


def with_felt_locks(
    connection: PostgresConnection, work: Callable[[], T], locks: Locks, attempts: int | None = None
) -> T:
    """Do work whose locks make readers wait.

    Args:
        connection: with a transaction begun; nothing of a failed attempt stays.
        work: what to do, quickly, once the relations are locked; it may be started several times.
        locks: the locks that it needs.
        attempts: how many attempts until `StillReadError`; None means as many as the time allows.

    Raises:
        StoreBusyError: others hold the locks for too long; the sentence names the session, its user and its query.
    """
    try:
        return keep_trying(_Attempts(connection, locks, work, attempts), locks.what, locks.wait_seconds)
    except StoreBusyError as busy:
        if attempts is None:
            raise
        raise StillReadError from busy


class _Attempts(Generic[T]):
    """Attempts to lock, each longer than the one before. During an attempt and its pause no other load makes one."""

    def __init__(
        self, connection: PostgresConnection, locks: Locks, work: Callable[[], T], allowed: int | None
    ) -> None:
        self._connection = connection
        self._locks = locks
        self._work = work
        self._hopeless = time.monotonic() + _LONGEST_HOPE
        self._allowed = allowed
        self._made = 0

    def __call__(self) -> T:
        with self._connection.transaction():  # its rollback releases the turn's lock
            self._take_turn()
            seconds = min(_FIRST_ATTEMPT * 2**self._made, _LONGEST_ATTEMPT)
            self._made += 1
            begun = time.monotonic()
            try:
                return _within(self._connection, self._locks, self._work, seconds)
            except _LockedError as locked:
                took = time.monotonic() - begun
                time.sleep(min(_PAUSE_RATIO * took, _time_left()))
                if self._allowed is not None and self._made >= self._allowed:
                    raise StillReadError from locked
                raise _HeldBySessionError(locked.holder) from locked

    def _take_turn(self) -> None:
        try:
            _take_advisory(self._connection, self._connection.own_lock(_TURN))
        except HeldError as held:
            if self._allowed is not None and time.monotonic() >= self._hopeless:
                raise StillReadError from held
            raise


def with_quiet_locks(connection: PostgresConnection, work: Callable[[], T], locks: Locks) -> T:
    """Do work whose locks no reader notices, however long the wait; otherwise as `with_felt_locks`."""

    def attempt() -> T:
        try:
            return _within(connection, locks, work, _QUIET_ATTEMPT)
        except _LockedError as locked:
            raise _HeldBySessionError(locked.holder) from locked

    return keep_trying(attempt, locks.what, locks.wait_seconds)


class _LockedError(Exception):
    """A lock could not be taken in time."""

    def __init__(self, holder: str | None) -> None:
        super().__init__(holder)
        self.holder = holder


def _within(connection: PostgresConnection, locks: Locks, work: Callable[[], T], seconds: float) -> T:
    """Lock and work in a savepoint, waiting for at most so many seconds in all; raises `_LockedError`."""
    from psycopg import errors

    until = time.monotonic() + seconds
    try:
        with connection.transaction():
            longest = seconds
            for relation in locks.relations if locks.mode else ():
                _limit_waiting(connection, min(longest, until - time.monotonic()))
                connection.execute(f"LOCK TABLE ONLY {relation} IN {locks.mode} MODE")
                longest = _LONGEST_SECOND_WAIT
            _limit_waiting(connection, min(longest, until - time.monotonic()))
            done = work()
            wait_as_long_as_allowed(connection)
            return done
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        raise _LockedError(_holder(connection, locks.relations)) from None


def wait_as_long_as_allowed(connection: PostgresConnection, seconds: float = math.inf) -> None:
    """Let the next statements wait for locks for what is left of this operation's time, at most ``seconds``."""
    _limit_waiting(connection, min(seconds, _time_left()))


def _limit_waiting(connection: PostgresConnection, seconds: float) -> None:
    """Let each further statement of this transaction wait for locks for at most so long."""
    milliseconds = max(1, round(min(seconds, _LONGEST_TIMEOUT) * 1000))
    connection.execute(f"SET LOCAL lock_timeout = {milliseconds}")


def _take_advisory(connection: PostgresConnection, name: str) -> None:
    """Take the advisory lock of that name until the (sub)transaction ends, or raise `HeldError` at once."""
    if not _row(connection, "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", name)[0]:
        holders = """
            SELECT pid, 0 AS rank FROM pg_locks, (SELECT hashtextextended(%s, 0) AS key) AS wanted
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
              AND (classid::bigint << 32) | objid::bigint = key
        """
        raise _HeldBySessionError(_described(connection, holders, name))


def _holder(connection: PostgresConnection, relations: tuple[str, ...]) -> str | None:
    """The session with the strongest lock on any of the relations, and among those the longest transaction."""
    holders = """
        SELECT pid, array_position(
            ARRAY['AccessExclusive', 'Exclusive', 'ShareRowExclusive', 'Share', 'ShareUpdateExclusive', 'RowExclusive',
                  'RowShare', 'AccessShare'], replace(mode, 'Lock', '')) AS rank
        FROM pg_locks
        WHERE locktype = 'relation' AND granted AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND relation IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
    """
    return _described(connection, holders, list(relations))


def _described(connection: PostgresConnection, holders: str, parameter: object) -> str | None:
    """Describes the first of those sessions, as far as this role may see it: ``process 4711 of anna (SELECT …)``."""
    sql = f"""
        SELECT pid, usename, query, state IS NOT NULL FROM ({holders}) AS holders JOIN pg_stat_activity USING (pid)
        ORDER BY rank, xact_start NULLS LAST, pid LIMIT 1
    """  # noqa: S608 - the two queries of this module
    pid, user, query, shown = _row(connection, sql, parameter) or (None, "", "", False)
    if pid is None:
        return None
    text = " ".join(str(query).split())
    text = text if len(text) <= _LONGEST_QUERY else f"{text[:_LONGEST_QUERY]}…"
    return f"process {pid} of {user} ({text if shown else 'whose query this role may not see'})"


def _time_left() -> float:
    """Seconds that this operation, and the month it belongs to, may still wait."""
    with waiting_at_most(math.inf) as budget:
        return budget.left


def _row(connection: PostgresConnection, sql: str, *parameters: object) -> tuple[object, ...]:
    return connection.execute(sql, parameters).fetchone() or ()
