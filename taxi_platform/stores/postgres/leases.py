"""Leases in a PostgreSQL database: a session that beats holds an advisory lock, and it is given back when it stops.

Belongs here: holding a lease, and looking which are held. Does not: whose leases they are, and what follows when one is
lost (``orchestration.leases``).

A worker that is killed loses its connection, and the server frees its lock at once. A worker that is cut off sends
nothing any more: the server ends a session that was silent for half of the lease's time-out. A session that breaks is
opened again by its worker, which then holds the lease again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from taxi_platform.stores.postgres.errors import masked

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresLeases"]

_LOG = logging.getLogger(__name__)
_BEATS = 6
"""Beats within the time-out, so that the server's half of it outlasts two lost ones."""
_LEAVING_SECONDS = 2.0


class PostgresLeases:
    """The leases in one database, which every machine shares that can connect to it."""

    def __init__(self, url: str, seconds: float) -> None:
        """Name the database, and the time-out of a lease in seconds; nothing is opened yet.

        The address has to lead to sessions of the server's own: a pooler that lends one for each transaction would keep
        the lock of another's session.
        """
        self._url = url
        self._seconds = seconds

    @contextlib.contextmanager
    def hold(self, name: str, taken: Callable[[], None]) -> Iterator[None]:
        """Hold the lease of that name while the context lasts, together with whoever else holds it.

        ``taken`` is called whenever it has been taken: at first, and again after its session broke. If the server does
        not answer, the caller goes on without a lease, and further beats try for it.
        """
        keeper = _Keeper(self._connected, _key(name), taken)
        keeper.beat()
        stopping = threading.Event()

        def keep() -> None:
            while not stopping.wait(self._seconds / _BEATS):
                keeper.beat()
            keeper.leave()

        thread = threading.Thread(target=keep, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(_LEAVING_SECONDS)  # longer only where the server is out of reach, which forgets by itself

    def held(self, names: Collection[str]) -> set[str]:
        """Those of the names whose lease some session holds now.

        Raises:
            psycopg.Error: the server does not answer.
        """
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchall()
        keys = {key for (key,) in rows}
        return {name for name in names if _key(name) in keys}

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        import psycopg

        connection = psycopg.connect(
            self._url,
            autocommit=True,
            application_name="taxi_platform lease",
            connect_timeout=max(2, int(self._seconds / _BEATS)),
            # A beat that nobody confirms ends the session here too, so that the next one opens another.
            tcp_user_timeout=int(self._seconds / 2 * 1000),
        )
        # PostgreSQL 13 and older have no such setting: there a worker that is cut off holds its lease until the
        # server's TCP gives up.
        connection.execute(
            "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'idle_session_timeout'",
            [f"{int(self._seconds / 2 * 1000)}ms"],
        )
        return connection


class _Keeper:
    """The session that holds one lease. It is used by one thread at a time."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection[tuple[object, ...]]], key: int, taken: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._key = key
        self._taken = taken
        self._session: psycopg.Connection[tuple[object, ...]] | None = None

    def beat(self) -> None:
        """Show the server that the holder lives; without a session, open one and take the lease."""
        try:
            if self._session is not None:
                self._session.execute("SELECT 1")
                return
            self._session = self._connect()
            self._session.execute("SELECT pg_advisory_lock_shared(%s)", [self._key])
            self._taken()
        except Exception as error:  # noqa: BLE001 - of whatever kind: work goes on, and the next beat tries again
            _LOG.warning("the lease of this run is not held: %s", masked(str(error)).strip())
            self.leave()

    def leave(self) -> None:
        """End the session, and with it the lease."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _key(name: str) -> int:
    """The key of an advisory lock, which is a signed number of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"taxi lease {name}".encode()).digest()[:8], "big", signed=True)
