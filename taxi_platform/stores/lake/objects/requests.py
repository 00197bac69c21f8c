"""Requests to one bucket: each is retried within the time limit, and each refusal becomes a sentence.

Belongs here: repeating a request while its failure may pass, and checking that an answer is whole. Does not: the order
of requests (``cloud``), addresses and credentials (``clouds``), and what a refusal means (``refusals``).

A request is sent again if its answer got lost. Its condition may then fail because the first sending already changed
the object. So `LostRaceError` says only that the condition does not hold now.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from urllib.parse import quote

from taxi_platform.errors import StoreBusyError, StoreError, StoreUnavailableError, TaxiError
from taxi_platform.transience import PATIENT, Failure

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta, PutMode, PutResult, UpdateVersion

    from taxi_platform.stores.lake.objects.clouds import Cloud
    from taxi_platform.stores.lake.objects.refusals import Refusal

__all__ = ["PART_SIZE", "CloudRequests", "LostRaceError"]

T = TypeVar("T")
_EMPTY_RANGE = "bytes 0--1/0"
"""Azurite's answer for a range of an empty object; Azure itself refuses such a range."""
_LOG = logging.getLogger(__name__)

PART_SIZE = 5 << 20
"""Bytes of one part of a multipart upload. S3 allows at least 5 MiB a part, and at most 10,000 parts."""
SLOW_LINES = ((4, 30.0), (1, 60.0), (1, 300.0))
"""Parts in flight (times `PART_SIZE`, the memory of an upload), and the seconds that one part may take. If the line is
too slow for the first pair, the next is used from then on. The first needs 700 kB/s, the last 18 kB/s."""
_END = 256 << 10
"""In bytes; enough for the footer of a month of twenty million rows."""
_PART_PATIENCE = 60.0
"""Seconds in which a part is repeated by itself; after that the whole upload starts again."""


class LostRaceError(StoreBusyError):
    """A condition on a write did not hold."""


class CloudRequests:
    """Requests below ``{scheme}://{bucket}/{prefix}``; connected by the first one.

    Every method raises `StoreUnavailableError` if the store fails for as long as this waits, and `StoreError` if it
    refuses or if there are no credentials.
    """

    def __init__(self, scheme: str, bucket: str, prefix: str, wait_seconds: float) -> None:
        self._scheme = scheme
        self._bucket = bucket
        self._prefix = prefix
        self._wait_seconds = wait_seconds
        self._line = 0

    @property
    def url(self) -> str:
        """``gs://bucket/prefix``, or the like of another cloud."""
        return f"{self._scheme}://{self._bucket}" + (f"/{self._prefix}" if self._prefix else "")

    @cached_property
    def cloud(self) -> Cloud:
        """The client, made by the first request."""
        from taxi_platform.stores.lake.objects.clouds import connect

        return connect(self._scheme, self._bucket, self._prefix)

    def uri(self, path: str) -> str:
        """The object's address for other engines."""
        return f"{self.url}/{path}"

    def look(self, path: str) -> ObjectMeta | None:
        """Size and version of an object; None if there is none."""
        import obstore
        from obstore.exceptions import BaseError

        from taxi_platform.stores.lake.objects.refusals import Refusal

        def request() -> ObjectMeta:
            try:
                return obstore.head(self.cloud.store, path)
            except BaseError as error:
                if Refusal.of(error).failure is Failure.TRANSIENT:
                    raise
                # The answer to a HEAD has no body. A GET brings the store's reason.
                return obstore.get(self.cloud.store, path, options={"range": (0, 1)}).meta

        with suppress(FileNotFoundError):
            return self._ask("read", path, request)
        return None

    def open(self, path: str, size: int | None = None) -> BinaryIO | None:
        """An object to read at any position, all of one version; None if there is none.

        If its expected ``size`` is given, one request brings its real size and its last bytes.
        """
        from taxi_platform.stores.lake.objects.ranged import open_ranged

        end = memoryview(b"")
        if (found := self._end(path, size) if size else None) is not None:
            meta, end = found
        elif (looked := self.look(path)) is not None:
            meta = looked
        else:
            return None
        return open_ranged(self.cloud.store, path, meta, partial(self._ask, "read", path), end)

    def _end(self, path: str, size: int) -> tuple[ObjectMeta, memoryview] | None:
        """The object and its last bytes; None if there is none, or if its size differs."""
        import obstore
        from obstore.exceptions import BaseError

        from taxi_platform.stores.lake.objects.refusals import Refusal

        start = max(0, size - _END)

        def request() -> tuple[ObjectMeta, memoryview] | None:
            try:
                # Not a suffix range ("the last so many bytes"), which Azure does not support.
                found = obstore.get(self.cloud.store, path, options={"range": (start, size)})
            except BaseError as error:
                if Refusal.of(error).status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise
                return None
            meta = found.meta
            if meta["size"] != size:
                return None
            content = memoryview(found.bytes())
            if len(content) != size - start:
                raise StoreUnavailableError(f"only {len(content):,} of {size - start:,} bytes of {path} came")
            return meta, content

        with suppress(FileNotFoundError):
            return self._ask("read", path, request)
        return None

    def get(self, path: str) -> tuple[bytes, UpdateVersion] | None:
        """A small object with its version; None if there is none."""
        import obstore
        from obstore.exceptions import BaseError

        from taxi_platform.stores.lake.objects.refusals import Refusal

        def request() -> tuple[bytes, UpdateVersion]:
            try:
                # A range request, because only its answer says both the object's size and how much of it comes.
                found = obstore.get(self.cloud.store, path, options={"range": {"offset": 0}})
            except BaseError as error:
                is_refused = Refusal.of(error).status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                if not is_refused and _EMPTY_RANGE not in str(error):
                    raise
                return b"", _version(obstore.head(self.cloud.store, path))  # an empty object has no range
            content, size = bytes(found.bytes()), found.meta["size"]
            if len(content) != size:
                raise StoreUnavailableError(f"only {len(content):,} of its {size:,} bytes came")
            return content, _version(found.meta)

        with suppress(FileNotFoundError):
            return self._ask("read", path, request)
        return None

    def list(self, folder: str) -> Sequence[ObjectMeta]:
        """Every object below a folder."""
        import obstore

        def request() -> Sequence[ObjectMeta]:
            return [meta for page in obstore.list(self.cloud.store, folder) for meta in page]

        return self._ask("list", folder, request)

    def put_small(self, path: str, content: bytes, mode: PutMode) -> None:
        """Write a small object on a condition; raises `LostRaceError` if the condition does not hold."""
        import obstore

        attributes: Attributes = {"Content-Type": "application/json"}
        try:
            self._ask(
                "write", path, lambda: obstore.put(self.cloud.store, path, content, attributes=attributes, mode=mode)
            )
        except FileNotFoundError as error:  # S3 reports a removed object so if a version of it was to be replaced
            raise LostRaceError(f"{self.uri(path)} was removed while it was being changed: run it again") from error

    def put_file(self, path: str, file: Path, attributes: Mapping[str, str]) -> None:
        """Upload a file as an object, and verify what the store reports of it."""
        import obstore

        from taxi_platform.stores.lake.objects.clouds import Pace

        watched = _WatchedFile(file)

        def request() -> PutResult:
            parts, silence = SLOW_LINES[self._line]
            watched.seek(0)
            return obstore.put(
                self.cloud.at(Pace(silence, keeps_at_it=min(_PART_PATIENCE, self._wait_seconds))),
                path,
                watched,
                attributes={
                    "Content-Type": "application/vnd.apache.parquet",
                    # Header values are ASCII, so any other character of a URL is percent-encoded.
                    **{name: quote(value, safe="/:?&=%+,;@()'!*$#[]~") for name, value in attributes.items()},
                },
                chunk_size=PART_SIZE,
                max_concurrency=parts,
            )

        with watched:
            put = self._ask("write", path, lambda: self._on_a_line(request), since=lambda: watched.moved)
        self._ask("write", path, lambda: self._verify(path, file, put["e_tag"]))

    def _on_a_line(self, request: Callable[[], T]) -> T:
        from taxi_platform.stores.lake.objects.refusals import Refusal

        try:
            return request()
        except Exception as error:
            if Refusal.of(error).is_silence:
                self._line = min(self._line + 1, len(SLOW_LINES) - 1)
            raise

    def _verify(self, path: str, file: Path, e_tag: str | None) -> None:
        import obstore

        meta = obstore.head(self.cloud.store, path)
        if e_tag != meta["e_tag"]:
            return  # another writer has replaced the object, and verifies its own
        if meta["size"] != (expected := file.stat().st_size):
            raise StoreError(f"{self.uri(path)} arrived with {meta['size']:,} of {expected:,} bytes: run it again")
        self.cloud.verify(path, meta, file)

    def copy_to_free_name(self, source: str, path: str) -> None:
        """Copy inside the bucket; raises `LostRaceError` if an object of that name exists."""
        import obstore

        try:
            self._ask("write", path, lambda: obstore.copy(self.cloud.store, source, path, overwrite=False))
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.uri(source)} is gone before it could be copied: keep other programs and rules out of .incoming"
            ) from error

    def delete(self, *paths: str) -> None:
        """Remove objects; nothing happens if there are none."""
        import obstore

        with suppress(FileNotFoundError):  # S3 and Azure say nothing of an absent one
            self._ask("remove", paths[0], lambda: obstore.delete(self.cloud.store, list(paths)))

    def _ask(self, verb: str, path: str, request: Callable[[], T], *, since: Callable[[], float] = lambda: 0.0) -> T:
        """Send one request, and send it again while its failure may pass.

        Args:
            verb: what the request does to the object, for the error's sentence.
            path: of the object.
            request: what to do.
            since: `time.monotonic` of the last progress inside it.

        Raises:
            FileNotFoundError: there is no such object.
            LostRaceError: a condition did not hold.
            StoreUnavailableError: the store did not do it for as long as this waits.
            StoreError: it refuses, or there are no credentials.
        """
        from taxi_platform.stores.lake.objects.refusals import Refusal, is_refusal

        def attempt() -> T:
            try:
                return request()
            except StoreUnavailableError as error:
                raise StoreUnavailableError(f"the lake cannot {verb} {self.uri(path)}: {error}") from error
            except TaxiError:
                raise
            except Exception as error:
                refusal = Refusal.of(error)
                if not is_refusal(error) or refusal.is_absent:
                    raise
                raise self._refused(verb, path, refusal) from error

        def tell(error: BaseException, seconds: float) -> None:
            _LOG.warning("%s; trying again in %.1f s", error, seconds)

        return PATIENT.call(
            attempt,
            wait_seconds=self._wait_seconds,
            worth=lambda error: isinstance(error, StoreUnavailableError),
            tell=tell,
            since=since,
        )

    def _refused(self, verb: str, path: str, refusal: Refusal) -> TaxiError:
        if refusal.failure is Failure.RACE:
            return LostRaceError(f"other runs keep changing {self.uri(path)}: let them end, then run it again")
        sentence = refusal.sentence(self._scheme, self._bucket, verb)
        kind = StoreUnavailableError if refusal.failure is Failure.TRANSIENT else StoreError
        return kind(f"the lake cannot {verb} {self.uri(path)}: {sentence}")


class _WatchedFile(io.FileIO):
    """A file during its upload; it records when its next part was last read."""

    def __init__(self, file: Path) -> None:
        super().__init__(file, "rb")
        self.moved = time.monotonic()

    def read(self, size: int | None = -1) -> bytes:
        self.moved = time.monotonic()
        return super().read(-1 if size is None else size) or b""


def _version(meta: ObjectMeta) -> UpdateVersion:
    version: UpdateVersion = {"e_tag": meta["e_tag"]}
    if meta["version"] is not None:
        version["version"] = meta["version"]
    return version
