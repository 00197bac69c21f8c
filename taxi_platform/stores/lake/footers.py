"""Parquet footers: how many rows an object has, and the cleaning facts in it.

Belongs here: reading footers, and whether two files are of one cleaning. Does not: reading rows (``lake``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from taxi_platform.errors import DamagedError, StoreBusyError
from taxi_platform.references import FACTS_KEY, CleanFacts
from taxi_platform.transience import RACE

if TYPE_CHECKING:
    import pyarrow.parquet as pq

    from taxi_platform.stores.lake.objects.model import Objects

__all__ = ["Footer", "belong_together", "existing_footer", "facts_of", "read_footer", "rows_read", "stored_footer"]


@dataclass(frozen=True)
class Footer:
    """What the footer of a Parquet file says."""

    rows: int
    size: int
    """Size of the file in bytes."""
    facts: CleanFacts | None
    """The cleaning facts; None in a file that no cleaning of this release wrote."""
    metadata: pq.FileMetaData = field(repr=False, compare=False)


def read_footer(stream: BinaryIO, where: str) -> Footer:
    """Read the footer of a Parquet file; ``where`` names the file in the error's sentence.

    Raises:
        DamagedError: it is not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = stream.seek(0, 2)
    stream.seek(0)
    try:
        metadata = pq.read_metadata(stream)
    except (pa.ArrowException, OSError) as error:  # Arrow raises OSError for a damaged footer
        raise DamagedError(f"{where} is not a whole Parquet file: {error}") from error
    return Footer(metadata.num_rows, size, facts_of(metadata), metadata)


def stored_footer(objects: Objects, path: str, size: int | None = None) -> Footer | None:
    """The footer of an object of the lake, which should have ``size`` bytes; None if there is no object.

    Raises:
        DamagedError: it is not a Parquet file.
    """
    # If the object was replaced between two requests, start again: the current footer counts.
    return RACE.call(lambda: _footer_there(objects, path, size), worth=lambda error: isinstance(error, StoreBusyError))


def existing_footer(objects: Objects, path: str, size: int | None = None) -> Footer:
    """The footer of an object that must exist; raises `DamagedError` if it is missing or is not a Parquet file."""
    if footer := stored_footer(objects, path, size):
        return footer
    raise DamagedError(f"there is no {objects.uri(path)}: it was removed by something other than this platform")


def rows_read(objects: Objects, path: str) -> int:
    """Read every page of an object, in little memory, and count its rows.

    Raises `DamagedError` if a page is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = objects.open(path)
    if stream is None:
        raise DamagedError(f"there is no {objects.uri(path)}: it was removed by something other than this platform")
    try:
        with stream, pq.ParquetFile(stream, pre_buffer=False) as file:
            return sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"{objects.uri(path)} is damaged: {error}") from error


def _footer_there(objects: Objects, path: str, size: int | None) -> Footer | None:
    stream = objects.open(path, size)
    if stream is None:
        return None
    with stream:
        return read_footer(stream, objects.uri(path))


def facts_of(metadata: pq.FileMetaData) -> CleanFacts | None:
    """The cleaning facts in a footer; None if this release can read none."""
    entries: Mapping[bytes, Any] = metadata.metadata or {}
    try:
        return CleanFacts.from_json(json.loads(entries[FACTS_KEY.encode()]))
    except (KeyError, TypeError, ValueError):
        return None


def belong_together(trips: Footer, quarantine: Footer) -> bool:
    """Whether two files are the clean and the rejected rows of the same cleaning, both whole."""
    facts = trips.facts
    return (
        facts is not None
        and facts == quarantine.facts
        and (trips.rows, quarantine.rows) == (facts.trips_rows, facts.quarantined_rows)
    )
