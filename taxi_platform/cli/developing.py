"""``taxi dev``: Dagster's web interface and daemon on this machine.

Belongs here: starting them. Does not: what they show (``definitions``).
"""

from __future__ import annotations

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
"""Dagster's warning, meant for people who type the command."""


def serve(settings: Settings, port: int, *, read_only: bool) -> None:
    """Replace this process by ``dagster dev`` on the port; a port in use gives one sentence and no daemon.

    Only one can run on an instance, because two daemons would start everything twice. Read-only it is the web interface
    alone, which refuses whatever would change something; any number of these can run.
    """
    from taxi_platform.cli.launch import begin_cursors

    home = dagster_home(settings)
    if not read_only:
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
        if not read_only:
            begin_cursors(instance)
    # Run it in the instance's folder, because Dagster warns of another dagster.yaml in the current folder.
    os.chdir(home)
    workspace = Path(__file__).parents[1] / "workspace.yaml"
    options = ["-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
    if read_only:
        quiet = [f"--{who}-log-level=warning" for who in ("dagster", "code-server")]
        command = ["-m", "dagster_webserver", *options, *quiet, "--read-only"]
    else:
        command = ["-W", f"ignore:{_ADVICE}", "-m", "dagster", "dev", *options, "--log-level", "warning"]
    environment = {**os.environ, **exports(settings)}
    # Replace this process, so that one Ctrl-C ends everything.
    os.execve(sys.executable, [sys.executable, *command], environment)  # noqa: S606 - our own Python and arguments


def _claim(lock: Path, port: int) -> None:
    """Hold the lock as long as the process lives, also after another program replaced this one in it."""
    descriptor = open_lock(lock)
    if not try_lock(descriptor):
        address = os.pread(descriptor, 64, 0).decode() or "another port"
        raise StoreBusyError(f"taxi dev serves {lock.parent} already, at {address}: open that, or end it first")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"http://127.0.0.1:{port}".encode(), 0)
    os.set_inheritable(descriptor, True)
