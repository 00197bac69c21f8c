"""A real PostgreSQL server for a laptop: it runs while any process needs it, and ends when the last one is done.

Belongs here: which processes need the server, and how long. Does not: running it (``server``).

Every process that uses the server holds a shared lock on ``users.lock``. The kernel releases it when the process ends,
however it ends. A small supervisor process, detached from any terminal, starts the server and stops it once nobody
holds the lock, so that a killed user leaves nothing running. Usually the last user stops the server itself, before it
returns.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from taxi_platform.errors import StoreError, TaxiError
from taxi_platform.machine.locks import HeldError, exclusive, keep_trying, open_lock, release, try_lock
from taxi_platform.stores.postgres.embedded.server import PostgresServer

__all__ = ["EmbeddedPostgres"]

_MODULE = "taxi_platform.stores.postgres.embedded.sharing"
_SUPERVISOR_POLL = 0.1
_KEEPER_POLL = 1.0
_STARTING_TAKES_AT_MOST = 120.0


class EmbeddedPostgres:
    """The server of one folder, readable by this user only; all processes that name the folder share it.

    Args:
        folder: where the server's data is, such as ``{TAXI_DATA}/postgres``.
        port: also listen on this port of 127.0.0.1, with a generated password (``tcp_url``).
    """

    def __init__(self, folder: Path | str, port: int | None = None) -> None:
        self._server = PostgresServer(Path(folder))
        self._port = port

    @property
    def folder(self) -> Path:
        """The data folder of the server."""
        return self._server.folder

    @property
    def tcp_url(self) -> str | None:
        """The address over TCP, with its password; None if no port was given."""
        if self._port is None:
            return None
        return f"postgresql://taxi:{quote(self._server.password, safe='')}@127.0.0.1:{self._port}/taxi"

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """The server's address; the server runs at least while the context lasts.

        Raises:
            StoreError: the server cannot be started; the sentence says why.
            StoreBusyError: another process has been starting or stopping it for too long.
        """
        users = self._join()
        try:
            server = self._server.running()
            if server is None:
                raise StoreError(f"{self._server} ended unexpectedly: see server.log there")
            yield server.url
        finally:
            self._leave(users)

    def stop(self) -> None:
        """Stop the server, even if other processes use it."""
        if self.folder.is_dir():
            with self._starting():
                self._server.stop()

    def keep_alive(self, idle_seconds: float = 600.0) -> str:
        """Keep the server running after this process ends, until it had no client for so long; returns its address."""
        self._make_folder()
        return self._spawn("keep", str(idle_seconds))

    # ---- joining and leaving

    def _join(self) -> int:
        """Become a user; returns the descriptor that holds the shared lock, which `_leave` closes."""
        self._make_folder()
        with self._starting():
            users = open_lock(self.folder / "users.lock")
            try:
                self._share(users)
                self._give_way(users)
                if self._server.running() is None or not self._is_supervised():
                    self._spawn("supervise")
            except BaseException:
                os.close(users)
                raise
        return users

    def _leave(self, users: int) -> None:
        try:
            with self._starting():
                # Drop the shared lock and try for an exclusive one; whoever gets it, this process or the supervisor,
                # stops the server.
                release(users)
                if try_lock(users):
                    self._server.stop()
                else:
                    self._share(users)
        finally:
            os.close(users)

    def _share(self, users: int) -> None:
        """Take the shared lock; only a process that is stopping the server prevents that."""

        def attempt() -> None:
            if not try_lock(users, shared=True):
                raise HeldError

        keep_trying(attempt, str(self._server), _STARTING_TAKES_AT_MOST)

    def _give_way(self, users: int) -> None:
        """Stop a server that runs without the needed port, if nobody else uses it."""
        server = self._server.running()
        if server is None or self._port is None or (server.listens and server.port == self._port):
            return
        if not try_lock(users):
            raise StoreError(
                f"{self._server} runs without the port {self._port} for another process: let that end first"
            )
        self._server.stop()
        self._share(users)

    def _starting(self) -> contextlib.AbstractContextManager[None]:
        return exclusive(self.folder / "start.lock", f"the start of {self._server}", _STARTING_TAKES_AT_MOST)

    def _is_supervised(self) -> bool:
        descriptor = open_lock(self.folder / "supervisor.lock")
        try:
            return not try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._server} has no folder to lie in: {error.strerror} ({error.filename})") from error

    # ---- processes of their own

    def _spawn(self, task: str, *arguments: str) -> str:
        """Start a detached process of this module, and return the line that it reports; raises its error."""
        root = Path(__file__).parents[4]
        path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", _MODULE, task, str(self.folder), str(self._port or ""), *arguments]
        with (self.folder / "supervisor.log").open("w") as log:
            child = subprocess.Popen(  # noqa: S603 - this very module
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": path},
                text=True,
            )
        with child:
            assert child.stdout is not None
            verdict, _, text = child.stdout.readline().strip().partition(" ")
        if verdict != "ready":
            raise StoreError(text or f"{self._server} does not start: see supervisor.log there")
        return text

    def supervise(self) -> None:
        """Start the server, and stop it once nobody uses it; this is all that the supervisor does."""
        with exclusive(self.folder / "supervisor.lock", f"the supervision of {self._server}", _STARTING_TAKES_AT_MOST):
            server = self._server.running() or self._server.start(self._port)
            _report(f"ready {server.url}")
            users = open_lock(self.folder / "users.lock")
            while self._server.running() is not None:
                if try_lock(users):
                    self._server.stop()
                    break
                time.sleep(_SUPERVISOR_POLL)

    def keep(self, idle_seconds: float) -> None:
        """Use the server until it was idle for so long, or until another process keeps it running instead."""
        keeper = self.folder / "keeper.pid"
        with self.running() as url:
            keeper.write_text(str(os.getpid()))
            _report(f"ready {self.tcp_url or url}")
            _wait_until_idle(url, idle_seconds, lambda: keeper.read_text() == str(os.getpid()))


def _wait_until_idle(url: str, idle_seconds: float, wanted: Callable[[], bool]) -> None:
    """Return once the server had no other client for so long, has ended, or is no longer wanted."""
    import psycopg

    sql = """
        SELECT (SELECT sum(sessions) FROM pg_stat_database),
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
    """
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
        seen, since = None, time.monotonic()
        while wanted() and time.monotonic() - since < idle_seconds:
            time.sleep(min(_KEEPER_POLL, idle_seconds / 4))
            sessions, clients = connection.execute(sql).fetchone() or (None, 0)
            if clients or sessions != seen:
                seen, since = sessions, time.monotonic()


def _report(line: str) -> None:
    """Send one line to the process that started this one and waits for it; then close the pipe."""
    print(" ".join(line.split()), flush=True)  # noqa: T201 - the line is the protocol
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def main(task: str, folder: str, port: str, *arguments: str) -> None:
    """Run ``supervise`` or ``keep`` as a grandchild of the caller, so that nobody has to wait for its end."""
    if os.fork():
        os._exit(0)
    embedded = EmbeddedPostgres(folder, int(port) if port else None)
    try:
        if task == "supervise":
            embedded.supervise()
        else:
            embedded.keep(*map(float, arguments))
    except TaxiError as error:
        _report(f"failed {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
