"""A function in a fork of this process: its answer, its death, or that it hangs.

Belongs here: forks, time limits. Does not: what is done in them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taxi_platform_tests.torture.knife import is_loaded, rest

__all__ = ["Ended", "Fork", "in_fork", "start"]


@dataclass(frozen=True)
class Ended:
    """How a fork ended: with an answer, an error, a signal, or not at all."""

    answer: Any = None
    error: str | None = None
    """``module.Class: sentence`` of an exception that nobody caught."""
    details: str = ""
    """Its traceback."""
    signal: int | None = None
    hung: bool = False

    def known(self) -> Any:
        """The answer; raises `RuntimeError` where there is none."""
        if self.error or self.hung or self.signal:
            raise RuntimeError(f"a fork has no answer: {self.error or self}\n{self.details}")
        return self.answer


@dataclass(frozen=True)
class Fork:
    """A fork at work, in a process group of its own."""

    child: int
    reading: int

    def end(self, seconds: float) -> Ended:
        """Wait until it has ended; after so many seconds it counts as hung, and is killed."""
        try:
            content, is_late = _everything(self.reading, time.monotonic() + seconds)
        finally:
            os.close(self.reading)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        if is_late:
            return Ended(hung=True)
        if not content:
            return Ended(signal=-code)
        ended = pickle.loads(content)
        assert isinstance(ended, Ended)
        return ended


def start(function: Callable[[], Any], *, quiet: bool = True) -> Fork:
    """Call it in a fork.

    Args:
        function: what it returns is pickled.
        quiet: whether its output is thrown away.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.close(reading)
        _be_the_child(function, writing, quiet=quiet)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(child, child)  # whoever of the two is first
    os.close(writing)
    return Fork(child, reading)


def in_fork(function: Callable[[], Any], seconds: float = 300.0, *, quiet: bool = True) -> Ended:
    """Call it in a fork, to its end."""
    return start(function, quiet=quiet).end(seconds)


def _everything(reading: int, deadline: float) -> tuple[bytes, bool]:
    """What comes before the other side ends, and whether that was too late."""
    content = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 1 << 16)
            if not part:
                return content, False
            content += part
    return content, True


def _be_the_child(function: Callable[[], Any], writing: int, *, quiet: bool) -> None:
    """Never returns."""
    if quiet:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
    try:
        ended = Ended(function())
    except BaseException as error:  # noqa: BLE001 - told to the parent
        kind = type(error)
        ended = Ended(error=f"{kind.__module__}.{kind.__qualname__}: {error}", details=traceback.format_exc())
    if is_loaded():
        rest()
    try:
        with os.fdopen(writing, "wb") as stream:
            pickle.dump(ended, stream)
    finally:
        os._exit(0)  # whatever happens, a fork does not go on with its parent's work
