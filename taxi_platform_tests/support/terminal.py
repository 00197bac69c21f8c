"""A command on a terminal of its own, as somebody at a screen has it.

Belongs here: starting it, typing and reading the screen. Does not: asserting.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Terminal", "on_a_terminal"]

_PATIENCE = 300.0
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = "\x03"


@dataclass
class Terminal:
    """The screen, and the command in its foreground."""

    process: subprocess.Popen[bytes]
    descriptor: int
    typed: str = ""
    """Everything that the terminal was sent."""
    ended: bool = field(default=False, init=False)

    @property
    def screen(self) -> str:
        """What can be read: without colours."""
        return _ESCAPES.sub("", self.typed)

    @property
    def lines(self) -> list[str]:
        return self.screen.replace("\r\n", "\n").splitlines()

    def press(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        """Until the text has been on the screen; fails where the command ends without it."""
        deadline = time.monotonic() + _PATIENCE
        while text not in self.screen:
            if self.ended or time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} was never on the screen:\n{self.screen}")
            self.read()

    def finish(self) -> int:
        """The command's exit code; whatever it prints until then is on the screen."""
        deadline = time.monotonic() + _PATIENCE
        while not self.ended and time.monotonic() < deadline:
            self.read()
        return self.process.wait(timeout=_PATIENCE)

    def read(self) -> None:
        """Wait a second at most for more on the screen."""
        if not select.select([self.descriptor], [], [], 1.0)[0]:
            self.ended = self.process.poll() is not None
            return
        try:
            content = os.read(self.descriptor, 65536)
        except OSError:  # Linux says so once the last process that had the terminal has ended
            content = b""
        self.ended = not content
        self.typed += content.decode(errors="replace")


@contextlib.contextmanager
def on_a_terminal(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], columns: int = 80
) -> Iterator[Terminal]:
    """The command in the foreground of a terminal of that width; it is ended with the context."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {k: v for k, v in environment.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$0" "$@" <"$TERMINAL" >"$TERMINAL" 2>&1', *command],
        cwd=folder,
        env={**variables, "TERM": "xterm", "TERMINAL": os.ttyname(theirs)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the terminal it opens becomes its own: Ctrl-C reaches its group, as in a shell
    )
    os.set_blocking(theirs, True)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)
