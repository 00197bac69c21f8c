"""Private folders for files on their way: downloads, conversions, cleaned months.

Belongs here: making them, and clearing away what a killed process left behind. Does not: what is in them.

A folder is in use for as long as somebody holds a lock on it. The kernel gives the lock back when the process ends,
however it ends, and knows it across containers, where a process id would mean nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.errors import StoreError

__all__ = ["staging_folder"]

_PREFIX = "staged-"


@contextlib.contextmanager
def staging_folder(root: Path) -> Iterator[Path]:
    """A new folder below ``root`` that only this user can read, removed with all in it when the context ends.

    Raises:
        StoreError: no folder can be made there.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        folder, lock = _locked_folder(root)
    except OSError as error:
        raise StoreError(
            f"no staging folder can be made in {root}: {error.strerror}; free space there or set TAXI_DATA elsewhere"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(root: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock; another process may clear one away before it is locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with contextlib.suppress(OSError):  # a file system without locks: then nobody can clear it away either
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _remove_leftovers(root: Path) -> None:
    """Clear away the folders that nobody holds."""
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
