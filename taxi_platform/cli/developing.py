"""``taxi dev``: the Dagster UI and daemon on this machine.

Belongs here: starting them well. Does not: what they show (``definitions``).
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from pathlib import Path

import click

from taxi_platform.cli.instance import dagster_home, exports, opened_instance
from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.machine.locks import open_lock, try_lock
from taxi_platform.settings import Settings

__all__ = ["serve"]

_ADVICE = "Function `dev_command` is superseded"
"""Dagster's, to whoever types the command."""


def serve(settings: Settings, port: int) -> None:
    """Become ``dagster dev`` on the port; a port that is taken is one sentence, not a daemon without a web page.

    One at a time on an instance: two daemons would start everything twice.
    """
    from taxi_platform.cli.launch import begin_cursors

    home = dagster_home(settings)
    _claim(home / "dev.lock", port)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StoreError(
                f"port {port} is taken ({error.strerror}): choose another, as in taxi dev --port 3001"
            ) from error
    click.echo(f"data root: {settings.data}  (source: {settings.source})")
    click.echo(f"open http://127.0.0.1:{port}; Ctrl-C ends it")
    sys.stdout.flush()
    with opened_instance(settings) as instance:
        begin_cursors(instance)
    # In the instance's folder: Dagster warns of every other dagster.yaml that it comes across in the current one.
    os.chdir(home)
    workspace = Path(__file__).parents[1] / "workspace.yaml"
    options = ["-w", str(workspace), "-h", "127.0.0.1", "-p", str(port), "--log-level", "warning"]
    command = ["-W", f"ignore:{_ADVICE}", "-m", "dagster", "dev", *options]
    # This process becomes it, so that one Ctrl-C ends all.
    os.execve(sys.executable, [sys.executable, *command], {**os.environ, **exports(settings)})  # noqa: S606


def _claim(lock: Path, port: int) -> None:
    """Hold the lock for as long as the process lives, also as the other program that it becomes."""
    descriptor = open_lock(lock)
    if not try_lock(descriptor, fcntl.LOCK_EX):
        address = os.pread(descriptor, 64, 0).decode() or "another port"
        raise StoreBusyError(f"taxi dev serves {lock.parent} already, at {address}: open that, or end it first")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"http://127.0.0.1:{port}".encode(), 0)
    os.set_inheritable(descriptor, True)
