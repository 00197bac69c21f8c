"""Private temporary files that upstream's files arrive in, and what a disk can say about them.

Belongs here: making such a file, removing it when anything goes wrong, and its digest while it grows.
Does not: where the bytes come from (one transport each).
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxi_platform.errors import StoreError

__all__ = ["CHUNK_BYTES", "StagedFile", "disk_errors", "staged_file"]

CHUNK_BYTES = 1 << 18
"""Bytes in memory at a time, whatever the file's size."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn what the operating system says about a local file below ``directory`` into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreError(
                f"no room is left below {directory} ({os.strerror(error.errno)}): free some space, "
                "or let TAXI_DATA name a folder on a larger disk"
            ) from error
        raise StoreError(f"no file can be written below {directory}: {error.strerror or error}") from error


class StagedFile:
    """A growing file; made by `staged_file`."""

    def __init__(self, directory: Path, handle: int, path: Path) -> None:
        self.path = path
        self._directory = directory
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of everything written so far."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append; raises `StoreError` where the disk is full."""
        view = memoryview(chunk)
        with disk_errors(self._directory):
            while view:
                view = view[self._file.write(view) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget everything written so far."""
        with disk_errors(self._directory):
            self._file.seek(0)
            self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def close(self) -> None:
        with disk_errors(self._directory):
            self._file.close()


@contextmanager
def staged_file(directory: Path, name: str) -> Iterator[StagedFile]:
    """A new file below ``directory`` that only this user can read, removed when an error leaves the context.

    ``name`` becomes the end of the file's own, so that its suffix still tells the format.
    """
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        # mkstemp gives mode 0600 and a name nobody else has.
        handle, path = tempfile.mkstemp(dir=directory, prefix="upstream-", suffix=f"-{name}")
    staged = StagedFile(directory, handle, Path(path))
    try:
        try:
            yield staged
        finally:
            staged.close()
    except BaseException:
        staged.path.unlink(missing_ok=True)
        raise
