"""Private folders for temporary files: downloads, conversions, cleaned months.

Belongs here: making such folders, and deleting those of processes that crashed. Does not: what is in them.

A folder is in use while some process holds a lock on it. The kernel releases the lock when the process ends, however it
ends. This works across containers, where a process id would mean nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.errors import StoreError
from taxi_platform.machine.locks import try_lock

__all__ = ["staging_folder"]

_PREFIX = "staged-"


@contextlib.contextmanager
def staging_folder(root: Path) -> Iterator[Path]:
    """Make a folder below ``root`` that only this user can read; it is removed when the context ends.

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
    """A new folder and the descriptor that holds its lock.

    Another process may delete a folder before it is locked; then the next one is tried.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                is_ours = try_lock(descriptor, shared=True)
            except OSError:  # a file system without locks: no other process can lock the folder to delete it
                is_ours = True
            if is_ours and folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _remove_leftovers(root: Path) -> None:
    """Delete the folders that no process holds."""
    for folder in root.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if try_lock(descriptor):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
