"""Objects in Google Cloud Storage, Amazon S3 and Azure Blob Storage, through one library (obstore).

Belongs here: the order of requests that keeps objects whole. Does not: single requests (``requests``). In all three
clouds a put appears whole or not at all, so no locks are needed. Objects that never change are created on the condition
that the name is free; small documents are updated on the condition that they have not changed.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

from taxi_platform.errors import StoreBusyError, StoreError
from taxi_platform.stores.lake.objects.conditions import check_conditions
from taxi_platform.stores.lake.objects.requests import CloudRequests, LostRaceError
from taxi_platform.transience import RACE, waiting_at_most

__all__ = ["CloudObjects"]

_LOG = logging.getLogger(__name__)

LEFTOVER_AGE = timedelta(days=1)
"""No upload takes this long, so older objects in ``.incoming`` belong to writers that crashed."""
_DOWNLOADED_AT_ONCE = 8 << 20
"""In bytes."""
_TIDYING_TAKES_AT_MOST = 10.0
"""In seconds."""


class CloudObjects:
    """Objects below ``{scheme}://{bucket}/{prefix}``; connected by the first use."""

    unfinished_age = LEFTOVER_AGE

    def __init__(self, scheme: str, bucket: str, prefix: str, wait_seconds: float = 600.0) -> None:
        self._requests = CloudRequests(scheme, bucket, prefix, wait_seconds)
        self._wait_seconds = wait_seconds
        self._conditions_hold = False
        self._checking = threading.Lock()

    @property
    def url(self) -> str:
        """``gs://bucket/prefix``, or the like of another cloud."""
        return self._requests.url

    def uri(self, path: str) -> str:
        """The object's address for other engines."""
        return self._requests.uri(path)

    def read(self, path: str) -> bytes | None:
        """A small object as a whole; None if there is none."""
        found = self._requests.get(path)
        return None if found is None else found[0]

    def size(self, path: str) -> int | None:
        """Bytes of an object; None if there is none."""
        meta = self._requests.look(path)
        return None if meta is None else meta["size"]

    def open(self, path: str, size: int | None = None) -> BinaryIO | None:
        """An object to read at any position; see `Objects.open`."""
        return self._requests.open(path, size)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """A temporary local copy, downloaded in pieces, so that a broken download continues where it stopped."""
        source = self.open(path)
        if source is None:
            raise StoreError(f"there is no {self.uri(path)}: materialize that month first")
        with tempfile.TemporaryDirectory(prefix="taxi_lake_") as folder:
            target = Path(folder) / Path(path).name
            with source, target.open("wb") as stream:
                while piece := source.read(_DOWNLOADED_AT_ONCE):
                    stream.write(piece)
            yield target

    def paths(self, folder: str) -> Iterable[str]:
        """Every object below a folder, unordered."""
        return [meta["path"] for meta in self._requests.list(folder)]

    def ages(self, folder: str) -> Mapping[str, datetime]:
        """Every object below a folder → when it was stored."""
        return {meta["path"]: meta["last_modified"] for meta in self._requests.list(folder)}

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        """Conditional writes replace the lock; only leftovers of writers that crashed are deleted."""
        with self._checking:
            if not self._conditions_hold:
                check_conditions(self._requests, self.discard)
                self._conditions_hold = True
        self._clear_leftovers(folder)
        yield

    def create(self, path: str, file: Path, attributes: Mapping[str, str]) -> int:
        """Store a file under a free name.

        A multipart upload cannot be conditional. So the file is uploaded under a temporary name, and then copied on
        the condition that the name is free.
        """
        if (existing := self.size(path)) is not None:
            return existing
        incoming = f".incoming/{path}.{uuid.uuid4().hex}"

        def attempt() -> None:
            try:
                self._requests.copy_to_free_name(incoming, path)
            except LostRaceError:
                if self.size(path) is None:
                    raise
                # Another run was first, or our own copy was and its answer got lost: the existing object stays.

        try:
            self._requests.put_file(incoming, file, attributes)
            self._race(attempt)
        finally:
            self.discard([incoming])
        size = self.size(path)
        if size is None:
            raise StoreError(f"{self.uri(path)} is gone right after it was written: something else deletes there")
        return size

    def replace(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Store a file in place of an object; see `Objects.replace`."""
        self._requests.put_file(path, file, attributes)

    def remove(self, path: str) -> None:
        """Remove an object, if there is one."""
        self._requests.delete(path)

    def discard(self, paths: Sequence[str]) -> None:
        """Remove objects that nothing needs any more; see `Objects.discard`."""
        if not paths:
            return
        try:
            with waiting_at_most(_TIDYING_TAKES_AT_MOST):
                self._requests.delete(*paths)
        except Exception as error:  # noqa: BLE001 - the error that led here is more important
            _LOG.warning("%s; it stays behind, and may be deleted by hand or by a rule of the bucket", error)

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace a small object by what ``change`` makes of it; see `Objects.update`."""

        def attempt() -> None:
            found = self._requests.get(path)
            content = change(found[0] if found else None)
            try:
                self._requests.put_small(path, content, found[1] if found else "create")
            except LostRaceError as error:
                now = self._requests.get(path)
                if now is None or now[0] != content:  # otherwise our own write succeeded and its answer got lost
                    raise StoreBusyError(
                        f"other runs keep changing {self.uri(path)}: let them end, then run it again"
                    ) from error

        self._race(attempt)

    def _race(self, attempt: Callable[[], None]) -> None:
        RACE.call(attempt, wait_seconds=self._wait_seconds, worth=lambda error: isinstance(error, StoreBusyError))

    def _clear_leftovers(self, folder: str) -> None:
        old = datetime.now(timezone.utc) - LEFTOVER_AGE
        found = self._requests.list(f".incoming/{folder}")
        self.discard([meta["path"] for meta in found if meta["last_modified"] < old])
