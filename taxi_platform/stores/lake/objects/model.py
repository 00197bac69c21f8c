"""The protocol of a store of objects, and opening the store at a URL.

Belongs here: the protocol, and the choice of a store by URL scheme. Does not: the stores themselves (``disk``,
``cloud``) and what the objects mean (``stores.lake.lake``). Paths are relative and use ``/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from taxi_platform.errors import SettingsError

__all__ = ["CLOUD_SCHEMES", "Objects", "bucket_and_prefix", "open_objects"]

CLOUD_SCHEMES = ("gs", "s3", "az")


class Objects(Protocol):
    """A folder or bucket of whole objects: a reader sees an object as one writer left it, or none.

    Every method raises `StoreError`, with one sentence, if the store cannot do it: missing bucket, no permission, full
    disk, no answer after every retry.
    """

    unfinished_age: timedelta
    """Until this age, an object that no manifest names may belong to a running writer; 0 if writers hold `exclusive`
    instead."""

    @property
    def url(self) -> str:
        """The address of the folder or bucket."""
        ...

    def uri(self, path: str) -> str:
        """The object's address for other engines: an absolute file name, or ``gs://bucket/…``."""
        ...

    def read(self, path: str) -> bytes | None:
        """A small object as a whole; None if there is none."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of an object; None if there is none."""
        ...

    def open(self, path: str, size: int | None = None) -> BinaryIO | None:
        """An object to read at any position, all of one version; None if there is none.

        ``size`` is the expected size. A cloud then sends the object's end at once: one request reads a footer.
        """
        ...

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, while the context lasts; the caller must not write to it."""
        ...

    def paths(self, folder: str) -> Iterable[str]:
        """The path of every object below a folder, unordered."""
        ...

    def ages(self, folder: str) -> Mapping[str, datetime]:
        """Every object below a folder → when it was stored (a time with a zone)."""
        ...

    def exclusive(self, folder: str) -> AbstractContextManager[None]:
        """Keep other writers of this folder out, if the store has no conditional writes.

        Temporary files of writers that crashed are deleted.

        Raises:
            StoreBusyError: another process holds the folder for too long.
        """
        ...

    def create(self, path: str, file: Path, attributes: Mapping[str, str]) -> int:
        """Store a file under a free name, verify it, and return the size of the object.

        An existing object stays as it is, because objects stored this way never change. On disk the caller holds
        `exclusive`.
        """
        ...

    def replace(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Store a file under this name, in place of an existing object, and verify it. On disk the caller holds
        `exclusive`."""
        ...

    def remove(self, path: str) -> None:
        """Remove an object; nothing happens if there is none. On disk the caller holds `exclusive`."""
        ...

    def discard(self, paths: Sequence[str]) -> None:
        """Remove objects that nothing needs any more; an object that cannot be removed stays, with a warning."""
        ...

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace a small object by what ``change`` returns for its bytes; no other update comes between.

        ``change`` may be called again with newer bytes. On disk the caller holds `exclusive`.

        Raises:
            StoreBusyError: other writers changed the object every time.
        """
        ...


def open_objects(url: str, *, wait_seconds: float = 600.0) -> Objects:
    """The store at a URL: ``gs://bucket/prefix``, ``s3://…``, ``az://…`` or a folder; nothing is requested yet.

    Raises:
        SettingsError: there is no such kind of store, or the URL names no bucket.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        if not url.strip():
            raise SettingsError("TAXI_LAKE is empty: set it to a folder, gs://bucket, s3://bucket or az://container")
        from taxi_platform.stores.lake.objects.disk import DiskObjects

        return DiskObjects(Path(url), wait_seconds)
    if scheme not in CLOUD_SCHEMES:
        raise SettingsError(
            f"TAXI_LAKE={url} has a scheme the lake does not know: "
            "use a folder, gs://bucket, s3://bucket or az://container"
        )
    try:
        bucket, prefix = bucket_and_prefix(url)
    except ValueError as error:
        raise SettingsError(f"TAXI_LAKE={url} cannot be used: {error}") from None
    from taxi_platform.stores.lake.objects.cloud import CloudObjects

    return CloudObjects(scheme, bucket, prefix, wait_seconds)


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """The two parts of ``gs://bucket/some/prefix``, which may end in a slash.

    Raises:
        ValueError: it names no bucket, or has a prefix that stores do not keep as written; the message is half a
            sentence.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not bucket or any(character in rest for character in "?#@ "):
        raise ValueError(f"it does not name a bucket: write it as {scheme}://bucket or {scheme}://bucket/prefix")
    prefix = prefix.removesuffix("/")
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        raise ValueError("it has an empty part, . or .. in its prefix: leave those out")
    return bucket, prefix
