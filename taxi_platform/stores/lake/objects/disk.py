"""Objects on disk: files that appear as a whole and survive a power cut.

Belongs here: temporary files, fsync and rename. Does not: any address but a folder, and the lock itself
(``machine.locks``). The clouds' library is not used here, because it neither syncs files to disk nor updates one on
condition.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

from taxi_platform.errors import StoreError
from taxi_platform.machine.locks import exclusive

__all__ = ["DiskObjects"]

_LOG = logging.getLogger(__name__)

LOCK_TIMEOUT = 600.0
"""Seconds that a writer waits for another writer of the same month."""

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free space, then run it again",
    errno.EDQUOT: "the disk quota is used up: free space, then run it again",
    errno.EROFS: "the file system is read-only: set TAXI_LAKE to a folder that can be written",
    errno.EACCES: "permission denied: give this user access to the folder, or set TAXI_LAKE to another one",
    errno.EPERM: "permission denied: give this user access to the folder, or set TAXI_LAKE to another one",
    errno.ENOTDIR: "a file stands where a folder is needed: set TAXI_LAKE to a folder",
    errno.EEXIST: "a file stands where a folder is needed: set TAXI_LAKE to a folder",
}


class DiskObjects:
    """Files below one folder. Files being written are in its ``.incoming``, locks in its ``.locks``."""

    unfinished_age = timedelta(0)

    def __init__(self, root: Path, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._root = root.expanduser().absolute()
        self._incoming = self._root / ".incoming"
        self._locks = self._root / ".locks"
        self._lock_timeout = lock_timeout

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return str(self._root)

    def uri(self, path: str) -> str:
        """The object's address for other engines."""
        return str(self._root / path)

    def read(self, path: str) -> bytes | None:
        """A small object as a whole; None if there is none."""
        with self._clear_errors("read", path), suppress(FileNotFoundError):
            return (self._root / path).read_bytes()
        return None

    def size(self, path: str) -> int | None:
        """Bytes of an object; None if there is none."""
        with self._clear_errors("read", path), suppress(FileNotFoundError):
            return (self._root / path).stat().st_size
        return None

    def open(self, path: str, size: int | None = None) -> BinaryIO | None:  # noqa: ARG002 - a disk needs no hint
        """An object to read at any position; see `Objects.open`."""
        with self._clear_errors("read", path), suppress(FileNotFoundError):
            return (self._root / path).open("rb")
        return None

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """The file itself. It never changes, and a reader that has opened it keeps it even if it is removed."""
        if self.size(path) is None:
            raise StoreError(f"there is no {self.uri(path)}")
        yield self._root / path

    def paths(self, folder: str) -> Iterable[str]:
        """Every object below a folder, unordered."""
        with self._clear_errors("list", folder):
            found = [p for p in (self._root / folder).rglob("*") if p.is_file()]
        return [p.relative_to(self._root).as_posix() for p in found]

    def ages(self, folder: str) -> Mapping[str, datetime]:
        """Every object below a folder → when it was stored."""
        stored: dict[str, datetime] = {}
        for path in self.paths(folder):
            with self._clear_errors("list", path), suppress(FileNotFoundError):  # removed by another process
                changed = (self._root / path).stat().st_mtime
                stored[path] = datetime.fromtimestamp(changed, timezone.utc)
        return stored

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        """Hold the folder's lock; see `Objects.exclusive`."""
        key = _key(folder)
        with ExitStack() as stack:
            with self._clear_errors("lock", folder):
                for needed in (self._locks, self._incoming):
                    _make_folder(needed)
                stack.enter_context(exclusive(self._locks / f"{key}.lock", self.uri(folder), self._lock_timeout))
                # Left by a writer that crashed, because a running one holds the lock.
                for leftover in self._incoming.glob(f"{key}.*"):
                    leftover.unlink()
            yield

    def create(self, path: str, file: Path, attributes: Mapping[str, str]) -> int:
        """Store a file under a free name; see `Objects.create`."""
        del attributes  # files have none
        with self._clear_errors("write", path):
            if (existing := self.size(path)) is not None:
                return existing
            self._put(path, lambda target: _copy(file, target))
            return file.stat().st_size

    def replace(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Store a file in place of an object; see `Objects.replace`."""
        del attributes
        with self._clear_errors("write", path):
            self._put(path, lambda target: _copy(file, target))

    def remove(self, path: str) -> None:
        """Remove an object, if there is one."""
        with self._clear_errors("remove", path), suppress(FileNotFoundError):
            (self._root / path).unlink()
            _sync_folder((self._root / path).parent)

    def discard(self, paths: Sequence[str]) -> None:
        """Remove objects that nothing needs any more; see `Objects.discard`."""
        for path in paths:
            self._discard(path)

    def _discard(self, path: str) -> None:
        try:
            self.remove(path)
        except StoreError as error:
            _LOG.warning("%s; it stays behind, and may be deleted by hand", error)

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace a small object by what ``change`` makes of it; see `Objects.update`."""
        content = change(self.read(path))
        with self._clear_errors("write", path):
            self._put(path, lambda target: target.write(content))

    def _put(self, path: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a temporary file, sync it, rename it, sync the folder; the rename makes the change visible at once."""
        target = self._root / path
        incoming = self._incoming / f"{_key(path)}.{uuid.uuid4().hex}"  # below the key of every folder that it is in
        _make_folder(target.parent)
        try:
            with incoming.open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            incoming.replace(target)
            _sync_folder(target.parent)
        finally:
            incoming.unlink(missing_ok=True)

    @contextmanager
    def _clear_errors(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
            raise StoreError(f"the lake cannot {verb} {self.uri(path)}: {remedy}") from error


def _key(folder: str) -> str:
    return folder.strip("/").replace("/", ".")


def _copy(source: Path, target: BinaryIO) -> None:
    with source.open("rb") as stream:
        shutil.copyfileobj(stream, target, 1 << 20)
    if target.tell() != (expected := source.stat().st_size):
        raise StoreError(f"only {target.tell():,} of {expected:,} bytes of {source} could be copied: run it again")


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents and sync each entry, so that a power cut cannot lose what is put below."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
