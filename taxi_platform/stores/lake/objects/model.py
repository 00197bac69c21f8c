"""The objects a lake is made of: opening the store behind a URL, and what every such store can do.

Belongs here: the protocol, and the choice of a store by URL scheme. Does not: the stores themselves
(``disk``, ``cloud``) and what the objects mean (``stores.lake.lake``). Paths are relative, with ``/``.
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
    """A folder or bucket of whole objects: readers see an object as one writer left it, or none.

    Every method raises `StoreError` in one sentence where the store cannot do it: missing bucket, no permission,
    full disk, no answer after every retry.
    """

    unfinished_age: timedelta
    """An object that is not yet named anywhere may belong to a writer at work until it is so old; 0 where writers hold
    `exclusive` meanwhile."""

    @property
    def url(self) -> str:
        """The address of the folder or bucket."""
        ...

    def uri(self, path: str) -> str:
        """The object as other engines address it: an absolute file name, or ``gs://bucket/…``."""
        ...

    def read(self, path: str) -> bytes | None:
        """A small object as a whole; None where there is none."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of an object; None where there is none."""
        ...

    def open(self, path: str, size: int | None = None) -> BinaryIO | None:
        """An object for reading at any position, all of it of one version; None where there is none.

        Where it is known how many bytes it should have, a cloud is asked for its end at once: one request for a footer.
        """
        ...

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """A local file with the object's bytes, not to be written to, for as long as the context lasts."""
        ...

    def paths(self, folder: str) -> Iterable[str]:
        """Every object below a folder, in no order."""
        ...

    def ages(self, folder: str) -> Mapping[str, datetime]:
        """Every object below a folder, and when it was stored (with a zone)."""
        ...

    def exclusive(self, folder: str) -> AbstractContextManager[None]:
        """Hold off other writers of this folder where the store has no conditional writes; clear what killed ones left.

        Raises:
            StoreBusyError: another process holds it for too long.
        """
        ...

    def create(self, path: str, file: Path, attributes: Mapping[str, str]) -> int:
        """Store a file under a name that is still free, verified, and return the size of the object now there.

        An object that is there already is kept as it is: objects stored like this never change.
        Disk callers hold `exclusive`.
        """
        ...

    def replace(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Store a file under this name, verified, in place of what is there. Disk callers hold `exclusive`."""
        ...

    def remove(self, path: str) -> None:
        """Take an object away; nothing happens where there is none. Disk callers hold `exclusive`."""
        ...

    def discard(self, paths: Sequence[str]) -> None:
        """Take away what nothing needs any longer; what cannot be removed stays, with a warning."""
        ...

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace a small object by what ``change`` makes of it; no other update comes between.

        ``change`` may be called again with newer bytes. Disk callers hold `exclusive`.

        Raises:
            StoreBusyError: others changed the object again and again meanwhile.
        """
        ...


def open_objects(url: str, *, wait_seconds: float = 600.0) -> Objects:
    """The store behind a URL, without touching it: ``gs://bucket/prefix``, ``s3://…``, ``az://…``, or a folder.

    Raises:
        SettingsError: no such kind of store, or no bucket in the URL.
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
        ValueError: it names no bucket, or has a prefix that no store keeps as it stands; with half a sentence.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not bucket or any(character in rest for character in "?#@ "):
        raise ValueError(f"it does not name a bucket: write it as {scheme}://bucket or {scheme}://bucket/prefix")
    prefix = prefix.removesuffix("/")
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        raise ValueError("it has an empty part, . or .. in its prefix: leave those out")
    return bucket, prefix
