"""File locks between processes of one machine, with a time limit and an error that names the holder.

Belongs here: the locks by which stores on this machine take turns. Does not: locks inside a database.
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

__all__ = ["HeldError", "exclusive", "keep_trying", "open_lock", "release", "try_lock"]

T = TypeVar("T")
_logger = logging.getLogger(__name__)
_SOON = 2.0
"""Waits shorter than this are not logged: months of one run often wait for each other."""


class HeldError(Exception):
    """One attempt found the store held; ``keep_trying`` tries again. It has the holder's process id, if known."""

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

    Args:
        attempt: takes the lock, or raises `HeldError`.
        what: the store, as sentences name it.
        wait_seconds: the longest wait.

    A longer wait for another process is logged, once.
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
    """Hold an exclusive lock on the file while the context lasts; the file's content is the holder's process id.

    If the holder is killed, the kernel releases the lock. Raises `StoreBusyError` after ``wait_seconds``.
    """
    descriptor = open_lock(path)
    try:

        def attempt() -> None:
            if not try_lock(descriptor):
                raise HeldError(_pid_in(descriptor))

        keep_trying(attempt, what, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open the lock file, creating it if needed; closing the descriptor releases every lock taken through it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Try to take the lock alone, or together with others, without waiting; returns whether that succeeded.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(descriptor: int) -> None:
    """Give the lock up, and keep the file open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _pid_in(descriptor: int) -> int | None:
    content = os.pread(descriptor, 32, 0).decode(errors="replace")
    return int(content) if content.isdigit() else None
