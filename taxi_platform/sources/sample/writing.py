"""Writes a generated month as a file, chunk by chunk, so that memory does not grow with the rows.

Belongs here: chunks and their seeds, and the two file formats. Does not: values (``taxis``, ``hires``, ``dirt``) and
columns (``generations``).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.model import ColumnType, normalised
from taxi_platform.errors import SettingsError
from taxi_platform.months import TripMonth
from taxi_platform.sources.sample.generations import DATASETS, CsvGeneration, csv_generation, parquet_schema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from taxi_platform.sources.sample.rows import Rows

__all__ = ["REVISION", "check_options", "is_generated", "stream_month", "write_month"]

REVISION = 1
"""Equal revision, month, rows and format give an equal file. Raise the revision with any change of rows."""
ROW_LIMITS = (1_000, 20_000_000)
_CHUNK_ROWS = 131_072


def write_month(dataset: str, month: date, rows: int, path: Path, file_format: str) -> None:
    """Write a generated month to ``path``. The path never has a partial file.

    Args:
        dataset: one of the four that upstream publishes.
        month: the first day of the month; not before the dataset's first month.
        rows: 1,000 to 20,000,000.
        path: replaced where it exists.
        file_format: ``csv.gz`` or ``parquet``.

    Raises:
        SettingsError: there is no such month, or rows or format cannot be used.
    """
    check_options(rows, file_format)
    if not is_generated(TripMonth(dataset, month)):
        raise SettingsError(
            f"there is no {dataset} {month:%Y-%m} to generate: no such dataset is published, or none so early"
        )
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            stream_month(TripMonth(dataset, month), rows, file, file_format)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def is_generated(month: TripMonth) -> bool:
    """Whether upstream has that dataset and had begun to publish it by that month."""
    return month.dataset in DATASETS and month.first_day >= CONTRACTS[month.dataset].first_month


def check_options(rows: int, file_format: str) -> None:
    """Check the options of the generator; raises `SettingsError` if they cannot be used."""
    low, high = ROW_LIMITS
    if not low <= rows <= high:
        raise SettingsError(f"TAXI_SAMPLE_ROWS is {rows:,}: a generated month has {low:,} to {high:,} rows")
    if file_format not in _WRITERS:
        raise SettingsError(f"TAXI_SAMPLE_FORMAT is {file_format!r}: it can be {' or '.join(_WRITERS)}")


def stream_month(month: TripMonth, rows: int, file: BinaryIO, file_format: str) -> None:
    """Write a generated month to an open binary file."""
    _WRITERS[file_format](month, _chunks(month, rows), file)


def _chunks(month: TripMonth, count: int) -> Iterator[Rows]:
    """The month's rows. Every chunk has a random generator of its own, so that chunks do not depend on each other."""
    from taxi_platform.sources.sample import city, dirt, hires, taxis

    draw = {"fhv": hires.draw_base_trips, "fhvhv": hires.draw_app_trips}.get(month.dataset, taxis.draw_taxis)
    scene = city.City.of(month)
    strangers = draw(_random(month, 0), dirt.STRANGERS, scene)
    for chunk, first in enumerate(range(0, count, _CHUNK_ROWS)):
        rng = _random(month, chunk + 1)
        rows = draw(rng, min(_CHUNK_ROWS, count - first), scene)
        dirt.soil(rng, rows, month, at_least=0 if chunk else 1)
        dirt.scatter(rows, strangers, chunk)
        yield rows


def _random(month: TripMonth, stream: int) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng([REVISION, zlib.crc32(str(month).encode()), stream])


def _write_csv(month: TripMonth, chunks: Iterator[Rows], file: BinaryIO) -> None:
    from isal import igzip

    generation = csv_generation(month)
    # A fixed time and no name in gzip's header, so that equal rows give equal bytes.
    with igzip.IGzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(_csv_header(generation))
        for rows in chunks:
            packed.write(_csv_lines(rows, generation, month))


def _csv_header(generation: CsvGeneration) -> bytes:
    names = (f'"{name}"' for name in generation.columns) if generation.quoted else generation.columns
    end = "\n\r\n" if generation.blank_line else "\r\n"
    return f"{','.join(names)}{end}".encode()


def _csv_lines(rows: Rows, generation: CsvGeneration, month: TripMonth) -> bytes:
    import pyarrow as pa
    import pyarrow.csv

    late = rows.missing.get("passenger_count")
    if late is not None:  # CSV files leave vendor and payment of late records empty; parquet files fill them in
        rows.blank(("vendor_id", "payment_type"), late)
    columns = [_csv_column(rows, name, generation) for name in _canonical(month.dataset, generation.columns)]
    if generation.quoted:
        columns = [column.cast(pa.string()).fill_null("") for column in columns]
    table = pa.table(columns, names=[str(index) for index in range(len(columns))])
    sink = pa.BufferOutputStream()
    style = "all_valid" if generation.quoted else "none"
    options = pa.csv.WriteOptions(include_header=False, batch_size=16_384, quoting_style=style)
    pa.csv.write_csv(table, sink, options)
    lines: bytes = sink.getvalue().to_pybytes()
    return lines.replace(b"\n", b"," * generation.extra_fields + b"\r\n")


def _canonical(dataset: str, names: tuple[str, ...]) -> list[str | None]:
    """The canonical name of each upstream name; None for a second spelling of a column, which files leave empty."""
    known = {spelling: column.name for column in CONTRACTS[dataset].columns for spelling in column.known_as}
    canonical = [known[normalised(name)] for name in names]
    return [name if name not in canonical[:index] else None for index, name in enumerate(canonical)]


def _csv_column(rows: Rows, name: str | None, generation: CsvGeneration) -> pa.Array:
    import pyarrow as pa

    if name is None:
        return pa.nulls(rows.count, pa.string())
    if name in ("trip_distance", "trip_miles") and not generation.plain_numbers:
        return _distance_texts(rows, name)
    column = CONTRACTS[rows.dataset].column(name)
    texts = generation.texts.get(name)
    kind = {
        ColumnType.TIMESTAMP: pa.timestamp("s"),
        ColumnType.DOUBLE: pa.float64(),
        ColumnType.TEXT: pa.string(),
    }.get(column.type, pa.int64())
    return rows.arrow(name, pa.string() if texts else kind, texts)


def _distance_texts(rows: Rows, name: str) -> pa.Array:
    """Distances with two decimals and no leading zero, as the meters print them: ``.40``, ``1.00``."""
    import numpy as np
    import pyarrow as pa

    hundredths, places = np.unique(rows.values[name], return_inverse=True)
    texts = [f"{value // 100 or ''}.{value % 100:02}" for value in hundredths.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(places))


def _write_parquet(month: TripMonth, chunks: Iterator[Rows], file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = parquet_schema(month)
    names = _canonical(month.dataset, tuple(schema.names))
    with pq.ParquetWriter(file, schema, compression="zstd", compression_level=1) as writer:
        for rows in chunks:
            columns = [rows.arrow(name, kind) for name, kind in zip(names, schema.types, strict=True)]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=rows.count)


_WRITERS: dict[str, Callable[[TripMonth, Iterator[Rows], BinaryIO], None]] = {
    "csv.gz": _write_csv,
    "parquet": _write_parquet,
}
