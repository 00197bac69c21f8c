"""Waiting for one another: advisory file locks, and bounded waits that say for whom.

Belongs here: what stores on this machine share to take turns. Does not: locks inside a database.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from taxi_platform.errors import StoreBusyError
from taxi_platform.transience import POLLING

__all__ = ["HeldError", "exclusive", "keep_trying", "open_lock", "try_lock"]

T = TypeVar("T")
_logger = logging.getLogger(__name__)
_SOON = 2.0
"""Seconds that months of one run wait for each other's turn, which nobody needs to know of."""


class HeldError(Exception):
    """One attempt found the store held; ``keep_trying`` tries again. Carries the holder's process id, where known."""

    def __init__(self, pid: int | None = None) -> None:
        super().__init__(pid)
        self.pid = pid

    @property
    def holder(self) -> str:
        """Who holds the store, as the sentence of an error names it."""
        if self.pid is None:
            return "another process"
        return "another thread of this process" if self.pid == os.getpid() else f"process {self.pid}"


def keep_trying(attempt: Callable[[], T], what: str, wait_seconds: float) -> T:
    """Call ``attempt`` until it raises no `HeldError`; raises `StoreBusyError` after ``wait_seconds``.

    A wait for another process that is not over soon is logged, once.
    """
    soon, told = time.monotonic() + _SOON, False

    def tell(held: BaseException, _: float) -> None:
        nonlocal told
        assert isinstance(held, HeldError)
        if not told and time.monotonic() >= soon and held.pid != os.getpid():
            _logger.warning("waiting for %s, which holds %s (at most %g s)", held.holder, what, wait_seconds)
            told = True

    try:
        return POLLING.call(
            attempt, wait_seconds=wait_seconds, worth=lambda error: isinstance(error, HeldError), tell=tell
        )
    except HeldError as held:
        raise StoreBusyError(
            f"{what} is held by {held.holder} for over {wait_seconds:g} s: let it end, then run this again"
        ) from None


@contextlib.contextmanager
def exclusive(path: Path, what: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock file alone; its content is the holder's process id. A killed holder's lock ends with it."""
    descriptor = open_lock(path)
    try:

        def attempt() -> None:
            if not try_lock(descriptor, fcntl.LOCK_EX):
                raise HeldError(_pid_in(descriptor))

        keep_trying(attempt, what, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """A descriptor of the lock file, made where absent; closing it gives up every lock taken through it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take ``fcntl.LOCK_SH`` or ``LOCK_EX`` now, or say that others hold it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(descriptor: int) -> int | None:
    content = os.pread(descriptor, 32, 0).decode(errors="replace")
    return int(content) if content.isdigit() else None
