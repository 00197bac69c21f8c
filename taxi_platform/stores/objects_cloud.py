"""Objects in Google Cloud Storage, Amazon S3 and Azure Blob Storage, through one library (obstore).

Belongs here: conditional writes, uploads of bounded memory, ranged reads, errors as sentences. Does not: addresses and
credentials of a cloud (``clouds``). A put appears whole or not at all in all three, so no locks are needed: names that
never change are created on condition, small documents updated on condition.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from taxi_platform.errors import StoreBusyError, StoreError, TaxiError
from taxi_platform.transience import RACE

if TYPE_CHECKING:
    from obstore import UpdateVersion

    from taxi_platform.stores.clouds import Cloud

__all__ = ["CloudObjects"]

PART_SIZE = 8 << 20
"""Bytes of one part of a multipart upload, at most 10,000 parts; also of one read of a download."""
PARTS_AT_ONCE = 4
"""Parts in flight: with `PART_SIZE` this bounds the memory of an upload."""
LEFTOVER_AGE = timedelta(days=1)
"""No upload takes this long: what is older in ``.incoming`` belongs to a killed run."""


class CloudObjects:
    """Objects below ``{scheme}://{bucket}/{prefix}``; connected at first use."""

    unfinished_age = LEFTOVER_AGE

    def __init__(self, scheme: str, bucket: str, prefix: str, wait_seconds: float = 600.0) -> None:
        self._scheme = scheme
        self._bucket = bucket
        self._prefix = prefix
        self._wait_seconds = wait_seconds

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._bucket}" + (f"/{self._prefix}" if self._prefix else "")

    @cached_property
    def _cloud(self) -> Cloud:
        from taxi_platform.stores.clouds import connect

        return connect(self._scheme, self._bucket, self._prefix)

    def uri(self, path: str) -> str:
        return f"{self.url}/{path}"

    def read(self, path: str) -> bytes | None:
        found = self._get(path)
        return None if found is None else found[0]

    def size(self, path: str) -> int | None:
        import obstore

        with self._clear_errors("read", path), suppress(FileNotFoundError):
            return obstore.head(self._cloud.store, path)["size"]
        return None

    def open(self, path: str) -> BinaryIO | None:
        import obstore

        from taxi_platform.stores.ranged import open_ranged

        with self._clear_errors("read", path), suppress(FileNotFoundError):
            meta = obstore.head(self._cloud.store, path)
            return open_ranged(self._cloud.store, path, meta, lambda: self._clear_errors("read", path))
        return None

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        import obstore

        with tempfile.TemporaryDirectory(prefix="taxi_lake_") as folder:
            target = Path(folder) / Path(path).name
            with self._clear_errors("read", path), target.open("wb") as stream:
                try:
                    found = obstore.get(self._cloud.store, path)
                except FileNotFoundError as error:
                    raise StoreError(f"there is no {self.uri(path)}: materialize that month first") from error
                for chunk in found.stream(min_chunk_size=PART_SIZE):
                    stream.write(chunk)
                if stream.tell() != found.meta["size"]:
                    raise StoreError(f"only {stream.tell():,} bytes of {self.uri(path)} came: run it again")
            yield target

    def paths(self, folder: str) -> Iterable[str]:
        import obstore

        with self._clear_errors("list", folder):
            return [meta["path"] for page in obstore.list(self._cloud.store, folder) for meta in page]

    def ages(self, folder: str) -> Mapping[str, datetime]:
        import obstore

        with self._clear_errors("list", folder):
            pages = obstore.list(self._cloud.store, folder)
            return {meta["path"]: meta["last_modified"] for page in pages for meta in page}

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        """Conditions on the writes take the place of a lock; only old leftovers are cleared."""
        self._clear_leftovers(folder)
        yield

    def create(self, path: str, file: Path, attributes: Mapping[str, str]) -> int:
        """Several parts cannot be put on condition, so they are put under a name of their own, then copied on one."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if (standing := self.size(path)) is not None:
            return standing
        incoming = f".incoming/{path}.{uuid.uuid4().hex}"
        with self._clear_errors("write", path):
            try:
                self._put(incoming, file, attributes)
                with suppress(AlreadyExistsError):  # another run was first: its object stays
                    obstore.copy(self._cloud.store, incoming, path, overwrite=False)
            finally:
                with suppress(Exception):  # the error that brought us here says more; leftovers are cleared later
                    obstore.delete(self._cloud.store, incoming)
        size = self.size(path)
        if size is None:
            raise StoreError(f"{self.uri(path)} is gone right after it was written: something else deletes there")
        return size

    def replace(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        with self._clear_errors("write", path):
            self._put(path, file, attributes)

    def remove(self, path: str) -> None:
        import obstore

        with (
            self._clear_errors("remove", path),
            suppress(FileNotFoundError),
        ):  # S3 and Azure say nothing of an absent one
            obstore.delete(self._cloud.store, path)

    def update(self, path: str, change: Callable[[bytes | None], bytes]) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        def attempt() -> None:
            found = self._get(path)
            content = change(found[0] if found else None)
            with self._clear_errors("write", path):
                try:
                    obstore.put(
                        self._cloud.store,
                        path,
                        content,
                        attributes={"Content-Type": "application/json"},
                        mode=found[1] if found else "create",
                    )
                except (AlreadyExistsError, PreconditionError) as error:
                    raise StoreBusyError(
                        f"other runs keep changing {self.uri(path)}: let them end, then run it again"
                    ) from error

        RACE.call(attempt, wait_seconds=self._wait_seconds, worth=lambda error: isinstance(error, StoreBusyError))

    def _get(self, path: str) -> tuple[bytes, UpdateVersion] | None:
        import obstore

        with self._clear_errors("read", path):
            try:
                found = obstore.get(self._cloud.store, path)
            except FileNotFoundError as error:
                if self._cloud.is_missing_bucket(error):
                    raise
                return None
            version: UpdateVersion = {"e_tag": found.meta["e_tag"]}
            if found.meta["version"] is not None:
                version["version"] = found.meta["version"]
            return bytes(found.bytes()), version

    def _put(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Stream a file into an object and verify what the store says it has."""
        import obstore

        put = obstore.put(
            self._cloud.store,
            path,
            file,
            attributes={
                "Content-Type": "application/vnd.apache.parquet",
                # Header values are ASCII: anything else of a URL is percent-encoded, as in a URL.
                **{name: quote(value, safe="/:?&=%+,;@()'!*$#[]~") for name, value in attributes.items()},
            },
            chunk_size=PART_SIZE,
            max_concurrency=PARTS_AT_ONCE,
        )
        meta = obstore.head(self._cloud.store, path)
        if put["e_tag"] != meta["e_tag"]:
            return  # another writer has replaced it since, and verifies its own
        if meta["size"] != (expected := file.stat().st_size):
            raise StoreError(f"{self.uri(path)} arrived with {meta['size']:,} of {expected:,} bytes: run it again")
        self._cloud.verify(path, meta, file)

    def _clear_leftovers(self, folder: str) -> None:
        import obstore

        old = datetime.now(timezone.utc) - LEFTOVER_AGE
        with self._clear_errors("list", ".incoming"):
            for page in obstore.list(self._cloud.store, f".incoming/{folder}"):
                if leftovers := [meta["path"] for meta in page if meta["last_modified"] < old]:
                    obstore.delete(self._cloud.store, leftovers)

    @contextmanager
    def _clear_errors(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except TaxiError:
            raise
        except Exception as error:
            from taxi_platform.stores.clouds import is_refusal

            absent = isinstance(error, FileNotFoundError) and verb == "read"
            if not is_refusal(error) or (absent and not self._cloud.is_missing_bucket(error)):
                raise
            raise StoreError(f"the lake cannot {verb} {self.uri(path)}: {self._cloud.explain(error)}") from error
