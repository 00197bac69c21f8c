"""Parquet footers: how many rows an object has, and the cleaning facts that its writer put there.

Belongs here: reading footers, and telling whether two files are one cleaning. Does not: reading rows (``lake``).
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
    """What a Parquet file says of itself."""

    rows: int
    size: int
    """Bytes of the file."""
    facts: CleanFacts | None
    """None in a file that no cleaning of this release wrote."""
    metadata: pq.FileMetaData = field(repr=False, compare=False)


def read_footer(stream: BinaryIO, where: str) -> Footer:
    """Read the end of a Parquet file; ``where`` it lies is for the error's sentence.

    Raises:
        DamagedError: it is not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = stream.seek(0, 2)
    stream.seek(0)
    try:
        metadata = pq.read_metadata(stream)
    except (pa.ArrowException, OSError) as error:  # a footer that is no footer is an OSError of Arrow's
        raise DamagedError(f"{where} is not a whole Parquet file: {error}") from error
    return Footer(metadata.num_rows, size, facts_of(metadata), metadata)


def stored_footer(objects: Objects, path: str, size: int | None = None) -> Footer | None:
    """The footer of an object of the lake, which should have so many bytes; None where there is none.

    Raises:
        DamagedError: it is not a Parquet file.
    """
    # Replaced between two requests: what matters is the footer that is there now.
    return RACE.call(lambda: _footer_there(objects, path, size), worth=lambda error: isinstance(error, StoreBusyError))


def existing_footer(objects: Objects, path: str, size: int | None = None) -> Footer:
    """The footer of an object that has to be there; raises `DamagedError` where it is not, or is no Parquet file."""
    if footer := stored_footer(objects, path, size):
        return footer
    raise DamagedError(f"there is no {objects.uri(path)}: it was removed by something other than this platform")


def rows_read(objects: Objects, path: str) -> int:
    """Rows of an object, every page of it read in little memory; raises `DamagedError` where one does not read."""
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
    """The cleaning facts in a footer; None where there are none that this release can read."""
    entries: Mapping[bytes, Any] = metadata.metadata or {}
    try:
        return CleanFacts.from_json(json.loads(entries[FACTS_KEY.encode()]))
    except (KeyError, TypeError, ValueError):
        return None


def belong_together(trips: Footer, quarantine: Footer) -> bool:
    """Whether two files are the clean and the rejected rows of one and the same cleaning, each of them whole."""
    facts = trips.facts
    return (
        facts is not None
        and facts == quarantine.facts
        and (trips.rows, quarantine.rows) == (facts.trips_rows, facts.quarantined_rows)
    )
