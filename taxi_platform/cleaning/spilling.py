"""Buckets on disk: equal values land in the same bucket, and one bucket at a time fits into memory.

Belongs here: distributing hashes and rows over files by hash, and reading them back bucket by bucket. Does not: what
is hashed and compared (``repeats``).
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taxi_platform.cleaning.keys import Hashes

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["HashBuckets", "RowBuckets"]

Positions = npt.NDArray[np.int64]

_ROWS_PER_BUCKET = 1 << 17
_MOST_BITS = 8
"""256 buckets. Each is an open file, and a process may usually have 1,024."""
_ENTRY = np.dtype([("hash", np.uint64), ("row", np.int64)])


class _Buckets:
    """Files in a directory of their own, which is removed when the context ends."""

    def __init__(self, directory: Path, rows: int) -> None:
        directory.mkdir()
        self._directory = directory
        self._bits = min((rows // _ROWS_PER_BUCKET).bit_length(), _MOST_BITS)
        self._writing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writing.close()
        shutil.rmtree(self._directory)

    def _file(self, bucket: int) -> Path:
        return self._directory / str(bucket)

    def _split(self, hashes: Hashes) -> Iterator[tuple[int, Positions]]:
        """Each bucket that receives something, with the positions of what it receives, in their order."""
        buckets = (hashes >> np.uint64(64 - self._bits)).astype(np.uint16) if self._bits else np.zeros(len(hashes), int)
        order = np.argsort(buckets, kind="stable")
        numbers, starts = np.unique(buckets[order], return_index=True)
        for number, start, end in zip(numbers, starts, [*starts[1:], len(order)], strict=False):
            yield int(number), order[start:end]

    def _written(self) -> Iterator[Path]:
        """The finished files; each is removed after use."""
        self._writing.close()
        for file in sorted(self._directory.iterdir()):
            yield file
            file.unlink()


class HashBuckets(_Buckets):
    """Buckets of hashes with their row numbers, 16 bytes each. Iterating gives one bucket at a time."""

    def __init__(self, directory: Path, rows: int) -> None:
        super().__init__(directory, rows)
        self._files: dict[int, BinaryIO] = {}

    def add(self, hashes: Hashes, rows: Positions) -> None:
        """Write each hash, with its row number, to its bucket."""
        entries = np.empty(len(hashes), _ENTRY)
        entries["hash"], entries["row"] = hashes, rows
        for bucket, positions in self._split(hashes):
            if bucket not in self._files:
                self._files[bucket] = self._writing.enter_context(self._file(bucket).open("wb"))
            self._files[bucket].write(entries[positions].data)

    def __iter__(self) -> Iterator[tuple[Hashes, Positions]]:
        for file in self._written():
            entries = np.fromfile(file, _ENTRY)
            yield np.ascontiguousarray(entries["hash"]), entries["row"]


class RowBuckets(_Buckets):
    """Buckets of rows of one schema, each an Arrow stream. Iterating gives one bucket at a time."""

    def __init__(self, directory: Path, rows: int) -> None:
        super().__init__(directory, rows)
        self._streams: dict[int, pa.RecordBatchWriter] = {}

    def add(self, rows: pa.RecordBatch, hashes: Hashes) -> None:
        """Write each row to the bucket of its hash."""
        for bucket, positions in self._split(hashes):
            if bucket not in self._streams:
                file = self._writing.enter_context(pa.OSFile(str(self._file(bucket)), "wb"))
                self._streams[bucket] = self._writing.enter_context(pa.ipc.new_stream(file, rows.schema))
            self._streams[bucket].write_batch(rows.take(pa.array(positions)))

    def __iter__(self) -> Iterator[pa.Table]:
        for file in self._written():
            with pa.OSFile(str(file)) as stream:
                yield pa.ipc.open_stream(stream).read_all()
