"""The user that the embedded server runs as, because PostgreSQL refuses to run as root.

Belongs here: finding such a user without giving other users access to anything. Does not: PostgreSQL itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taxi_platform.errors import StoreError

__all__ = ["Identity", "server_identity"]

_NOBODY = 65534


@dataclass(frozen=True)
class Identity:
    """A user to run commands as, who then owns the files, and how to become that user."""

    prefix: tuple[str, ...]
    owner: int
    switches_user: bool = False

    def run(self, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a session of its own, so that a Ctrl-C in the terminal does not reach it.

        Raises `StoreError` if that user may not enter the folder of the command, as in root's own virtual environment.
        """
        user = self.owner if self.switches_user else None
        # Files instead of pipes, because a server that the command starts would keep a pipe open.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as given:
            given.write(stdin)
            given.seek(0)
            try:
                done = subprocess.run(  # noqa: S603 - commands come from this package alone
                    [*self.prefix, *command],
                    stdin=given,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd="/",
                    check=False,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else (),
                )
            except PermissionError as error:
                if not self.switches_user:
                    raise
                raise _no_user_for(Path(command[0]).parent) from error
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, stdout="", stderr=output.read())

    def own(self, path: Path) -> None:
        """Give the path to the server's user, if that is not our own."""
        if self.switches_user:
            os.chown(path, self.owner, self.owner)


def server_identity(folder: Path) -> Identity:
    """This process's own user; for root, another user in a namespace, or else the system's ``nobody``.

    In the namespace the server sees itself as an ordinary user, while every file stays root's. So no parent folder has
    to be opened to others. Raises `StoreError` if neither is possible.
    """
    if os.geteuid() != 0:
        return Identity((), os.geteuid())
    if unshare := shutil.which("unshare"):
        namespace = Identity((unshare, "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"), 0)
        if namespace.run(["true"]).returncode == 0:
            return namespace
    nobody = Identity((), _NOBODY, switches_user=True)
    nobody.own(folder)
    if nobody.run(["test", "-w", str(folder)]).returncode != 0:
        os.chown(folder, 0, 0)
        raise _no_user_for(folder)
    return nobody


def _no_user_for(folder: Path) -> StoreError:
    return StoreError(
        f"the embedded PostgreSQL does not run as root, and no other user may enter {folder}: "
        "run as an ordinary user, or set TAXI_POSTGRES to a server's address"
    )
