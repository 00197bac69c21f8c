"""pgbouncer in front of a server, each transaction on whatever server process is free.

Belongs here: what an operator of a pooler does. Does not: the server behind it (``support.postgres``).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from taxi_platform.stores.postgres.embedded.unprivileged import server_identity

__all__ = ["pooled"]


@contextmanager
def pooled(url: str, folder: Path) -> Iterator[str]:
    """The address of a pooler with two server processes; skips where pgbouncer is missing, fails so in CI."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        missing = "pgbouncer is not installed: apt-get install pgbouncer"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    server = conninfo_to_dict(url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\ntaxi = host={server['host']} port={server['port']} dbname=taxi user=taxi\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    identity = server_identity(folder)
    user = identity.owner if identity.switches_user else None
    with (folder / "pgbouncer.log").open("w") as log:
        process = subprocess.Popen([*identity.prefix, program, str(settings)], stderr=log, cwd="/", user=user)
    address = f"postgresql://anybody@127.0.0.1:{port}/taxi"
    try:
        _answers(address)
        yield address
    finally:
        process.terminate()
        process.wait()


@retry(retry=retry_if_exception_type(psycopg.OperationalError), stop=stop_after_delay(30), wait=wait_fixed(0.1))
def _answers(address: str) -> None:
    psycopg.connect(address).close()
