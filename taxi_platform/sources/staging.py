"""Private temporary files for upstream's files, and what disk errors mean.

Belongs here: making such a file, removing it after any error, and its digest, computed as it grows. Does not: where the
bytes come from (one transport each).
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
"""Bytes held in memory at a time, whatever the file's size."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn an `OSError` about a file below ``directory`` into a `StoreError` of one sentence."""
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
    """A file that grows chunk by chunk; made by `staged_file`."""

    def __init__(self, directory: Path, handle: int, path: Path) -> None:
        self.path = path
        self._directory = directory
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Digest of everything written so far, in hexadecimal."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises `StoreError` if the disk is full."""
        view = memoryview(chunk)
        with disk_errors(self._directory):
            while view:
                view = view[self._file.write(view) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Drop everything written so far."""
        with disk_errors(self._directory):
            self._file.seek(0)
            self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def close(self) -> None:
        """Write out what is buffered, and close the file."""
        with disk_errors(self._directory):
            self._file.close()


@contextmanager
def staged_file(directory: Path, name: str) -> Iterator[StagedFile]:
    """Make a file below ``directory`` that only this user can read; it is removed if an error leaves the context.

    The file's name ends with ``name``, so that its suffix still tells the format.

    ``name`` becomes the end of the file's own, so that its suffix still tells the format.
    """
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        # mkstemp gives mode 0600 and a unique name.
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
