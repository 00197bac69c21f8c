"""The floor: the libraries alone, each stage in a thread of its own, nothing looked at on the way."""

from __future__ import annotations

import queue
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from benchmarks.peers.peer import TABLE, Peer, Work

if TYPE_CHECKING:
    import pyarrow as pa

PEER = Peer(
    title="floor: isal, pyarrow, pgpq",
    does="raw Parquet, PostgreSQL",
    leaves_out="cleaning, quarantine, DuckDB, checks, record, atomic replacement, index, statistics",
    settings="own",
    requirements=("isal", "pyarrow", "pgpq", "psycopg[binary]"),
)
T = TypeVar("T")
_BLOCK = 1 << 20
_AHEAD = 4


class _Text:
    """The file's text as it is inflated, to read from."""

    closed = False

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        size = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        self.closed = True


def beside(things: Iterable[T]) -> Iterator[T]:
    """The same things, made in a thread a few ahead."""
    ready: queue.Queue[T | BaseException | None] = queue.Queue(_AHEAD)

    def make() -> None:
        try:
            for thing in things:
                ready.put(thing)
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the things are taken
            ready.put(error)

    threading.Thread(target=make, daemon=True).start()
    while (thing := ready.get()) is not None:
        if isinstance(thing, BaseException):
            raise thing
        yield thing


def inflated(url: str) -> Iterator[bytes]:
    """The file's text, piece by piece."""
    from isal import isal_zlib

    inflating = isal_zlib.decompressobj(31)
    with urllib.request.urlopen(url) as answer:
        while received := answer.read(_BLOCK // 8):
            if text := inflating.decompress(received):
                yield text
    yield inflating.flush()


def parsed(url: str) -> Iterator[pa.RecordBatch]:
    """The file's rows."""
    import pyarrow as pa
    from pyarrow import csv

    text = pa.PythonFile(_Text(beside(inflated(url))), "r")
    options = csv.ReadOptions(block_size=_BLOCK, use_threads=False)
    yield from csv.open_csv(
        text, options, convert_options=csv.ConvertOptions(column_types={"store_and_fwd_flag": "string"})
    )


def main(work: Work) -> None:
    """Write each batch into Parquet and copy it into PostgreSQL, both at the same time."""
    import pyarrow.parquet as pq

    copying: queue.Queue[pa.RecordBatch | None] = queue.Queue(_AHEAD)
    failures: list[BaseException] = []
    copier = threading.Thread(target=_copy, args=(work.postgres, copying, failures))
    writer: pq.ParquetWriter | None = None
    for batch in beside(parsed(work.file)):
        if writer is None:
            writer = pq.ParquetWriter(
                work.folder / "raw.parquet", batch.schema, compression="zstd", compression_level=1
            )
            copier.start()
        copying.put(batch)
        writer.write_batch(batch)
    assert writer is not None, "the file has rows"
    writer.close()
    copying.put(None)
    copier.join()
    if failures:
        raise failures[0]


def _copy(postgres: str, batches: queue.Queue[pa.RecordBatch | None], failures: list[BaseException]) -> None:
    import pgpq
    import psycopg

    try:
        first = batches.get()
        assert first is not None, "the file has rows"
        encoder = pgpq.ArrowToPostgresBinaryEncoder(first.schema)
        kinds = [column.data_type.ddl() for column in encoder.schema().columns]
        columns = ", ".join(f'"{n.lower()}" {kind}' for n, kind in zip(first.schema.names, kinds, strict=True))
        with psycopg.connect(postgres) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {TABLE} ({columns})")
            with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT binary, FREEZE)") as copy:
                copy.write(encoder.write_header())
                batch: pa.RecordBatch | None = first
                while batch is not None:
                    copy.write(encoder.write_batch(batch))
                    batch = batches.get()
                copy.write(encoder.finish())
    except BaseException as error:  # noqa: BLE001 - the main thread raises it
        failures.append(error)
        while batches.get() is not None:
            pass


if __name__ == "__main__":
    main(Work.of_command())
