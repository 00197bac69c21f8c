"""Running an emulator as a process of its own that cannot outlive the one which started it.

Belongs here: free ports, starting, waiting, stopping. Does not: what any emulator does (one module each).
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["EmulatorMissingError", "free_port", "running"]

_UNTIL_STDIN_CLOSES = '"$@" </dev/null & child=$!; read -r _; kill $child; wait $child'
_STARTUP = 60.0
_PORTS = (20_000, 32_768)
"""Below those that Linux gives out by itself (``ip_local_port_range``)."""


class EmulatorMissingError(Exception):
    """What an emulator needs is not on this machine; the text says what."""


def free_port() -> int:
    """A TCP port that nobody listened on a moment ago, and that no program is given which asks for any.

    Emulators take seconds to listen: one of the kernel's own choice would be given to others meanwhile.
    """
    while True:
        port = random.randrange(*_PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None, host: str = "127.0.0.1"
) -> Iterator[None]:
    """Run a server until the context ends, or until this process does, however it ends.

    Raises:
        RuntimeError: the server ended, or did not listen on the port within a minute; with what it printed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", _UNTIL_STDIN_CLOSES, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,  # Ctrl-C in the terminal is for the tests, which then stop this
        )
    assert process.stdin is not None
    try:
        if not _listens(host, port, process):
            raise RuntimeError(f"{' '.join(command)} does not listen on port {port}: {log.read_text()[-2000:]}")
        yield
    finally:
        process.stdin.close()
        process.wait()


def _listens(host: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _STARTUP
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            return True
        time.sleep(0.05)
    return False
