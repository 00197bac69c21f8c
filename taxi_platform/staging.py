"""Private folders for files on their way: downloads, conversions, cleaned months.

Belongs here: making them, and clearing away what a killed process left behind. Does not: what is in them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from taxi_platform.errors import StoreError

__all__ = ["staging_folder"]


@contextlib.contextmanager
def staging_folder(root: Path) -> Iterator[Path]:
    """A new folder below ``root`` that only this user can read, removed with all in it when the context ends."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(root)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
    except OSError as error:
        raise StoreError(
            f"no staging folder can be made in {root}: {error.strerror}; free space there or set TAXI_DATA elsewhere"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    """A folder is named after the process that made it: where that process is gone, nobody will miss the folder."""
    for folder in root.glob("*-*"):
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
