"""A cloud object as a file that can be read at any position; all its bytes are of one version.

Belongs here: reading ranges, with a window kept in memory. Does not: choosing the object (``cloud``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from taxi_platform.errors import StoreBusyError, StoreUnavailableError

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

__all__ = ["open_ranged"]

WINDOW = 4 << 20
"""The least number of bytes to fetch. A row group's columns lie side by side, so one request serves many of them."""


def open_ranged(
    store: ObjectStore,
    path: str,
    meta: ObjectMeta,
    ask: Callable[[Callable[[], memoryview]], memoryview],
    end: memoryview,
) -> BinaryIO:
    """Open the object that ``meta`` describes.

    Its last bytes may be known already. ``ask`` sends every request.

    Reading raises `StoreBusyError` if the object has been replaced, so that bytes of two versions never mix.
    """
    return cast(BinaryIO, _RangedFile(store, path, meta, ask, end))


class _RangedFile(io.RawIOBase):
    def __init__(
        self,
        store: ObjectStore,
        path: str,
        meta: ObjectMeta,
        ask: Callable[[Callable[[], memoryview]], memoryview],
        end: memoryview,
    ) -> None:
        super().__init__()
        self._store = store
        self._path = path
        self._meta = meta
        self._ask = ask
        self._position = 0
        self._window = end
        self._window_start = meta["size"] - len(end)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._meta["size"]}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Exactly ``size`` bytes, fewer only at the object's end; by default all that is left."""
        left = max(0, self._meta["size"] - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        start = self._position - self._window_start
        if not 0 <= start <= start + wanted <= len(self._window):
            self._fetch(wanted)
            start = 0
        self._position += wanted
        return bytes(self._window[start : start + wanted])

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, wanted: int) -> None:
        import obstore

        start, end = self._position, min(self._position + max(wanted, WINDOW), self._meta["size"])

        def request() -> memoryview:
            options: GetOptions = {"range": (start, end)}
            if self._meta["e_tag"]:
                options["if_match"] = self._meta["e_tag"]
            content = memoryview(obstore.get(self._store, self._path, options=options).bytes())
            if len(content) != end - start:
                raise StoreUnavailableError(f"only {len(content):,} of {end - start:,} bytes of {self._path} came")
            return content

        self._window = memoryview(b"")  # drop it before the next one comes, so that memory holds only one
        if end > start:
            try:
                self._window = self._ask(request)
            except (StoreBusyError, FileNotFoundError) as error:
                raise StoreBusyError(
                    f"{self._path} was replaced while it was being read: run it again to read the new one"
                ) from error
        self._window_start = start
