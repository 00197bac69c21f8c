"""The taxi zone lookup in the lake: from upstream's CSV file to one small Parquet object.

Belongs here: reading and checking the CSV, and the object's bytes. Does not: where it lies (``lake``) and the table's
declaration (``contracts.zones``). Its provenance stands in the footer, so that rows and provenance change in one put.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxi_platform.contracts.schemas import arrow_schema
from taxi_platform.contracts.values.foreign_text import excerpt, listed
from taxi_platform.contracts.zones import AIRPORTS, CONGESTION_ZONE, MAPPED_ZONES, ZONE_COUNT, ZONES
from taxi_platform.errors import BrokenFileError
from taxi_platform.references import FACTS_KEY

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TOLD_BY_SHAPES", "StoredZones", "mapped_zones", "provenance_of", "read_zones_csv", "write_zones"]

_COLUMNS = ("locationid", "borough", "zone", "service_zone")
TOLD_BY_SHAPES = ("centroid_longitude", "centroid_latitude", "area_square_miles")
"""Columns of the shapes that a table of zones has too."""
_LARGEST = 32_767
"""What the column ``location_id`` holds in every store."""


@dataclass(frozen=True)
class StoredZones:
    """The zone lookup the lake holds, with its provenance."""

    rows: int
    source_url: str
    source_token: str
    """What upstream called this version: equal tokens mean nothing to fetch."""
    etag: str | None
    sha256: str
    """The digest of the upstream CSV file, as it came."""
    fetched_at: str
    """UTC, ISO 8601."""


def read_zones_csv(file: Path, name: str) -> pa.Table:
    """Upstream's ``taxi_zone_lookup.csv`` as the table `ZONES`, ordered by location id.

    Python's own csv reader leaves every cell the text it is: "NA" and "N/A" are a borough and a zone here. Columns that
    upstream adds are left out, and zones that it adds are taken in.

    Args:
        file: as it came.
        name: what errors call it: upstream's address of the file.

    Raises:
        BrokenFileError: a column is missing, or one of the ids 1 to 265, or an id stands there twice.
    """
    import pyarrow as pa

    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            header, *records = [record for record in csv.reader(stream, strict=True) if record]
        rows = sorted(_zones_of(header, records))
    except (ValueError, csv.Error) as error:
        raise BrokenFileError(f"{name} is not the zone lookup: {error}") from error
    numbers = [row[0] for row in rows]
    if len(set(numbers)) < len(numbers) or not set(numbers).issuperset(range(1, ZONE_COUNT + 1)):
        raise BrokenFileError(f"{name} does not have each of the zones 1 to {ZONE_COUNT} once: {len(rows)} rows")
    columns = list(zip(*rows, strict=True))
    return pa.table([pa.array(column, type=f.type) for column, f in zip(columns, _schema(), strict=True)], _schema())


def _zones_of(header: Sequence[str], records: Iterable[Sequence[str]]) -> Iterator[tuple[int, str, str, str]]:
    """Each record's known columns; raises `ValueError` for what is no zone."""
    names = [name.strip().lower() for name in header]
    if missing := [name for name in _COLUMNS if name not in names]:
        raise ValueError(f"it has the columns {listed(header)}, and no {', '.join(missing)}")
    places = [names.index(name) for name in _COLUMNS]
    for record in records:
        if len(record) != len(header):
            raise ValueError(f"a row has {len(record)} cells and not {len(header)}: {excerpt(','.join(record))}")
        number, borough, zone, service = (record[place] for place in places)
        if not (number.strip().isdecimal() and 0 < int(number) <= _LARGEST):
            raise ValueError(f"there is no zone {excerpt(number)}")
        yield int(number), borough, zone, service


def write_zones(zones: pa.Table, provenance: StoredZones, file: Path) -> None:
    """Write the lookup with its provenance in the footer."""
    import pyarrow.parquet as pq

    metadata = {FACTS_KEY: json.dumps(asdict(provenance)).encode()}
    pq.write_table(zones.replace_schema_metadata(metadata), file, compression="zstd")


def provenance_of(schema: pa.Schema) -> StoredZones:
    """The provenance in a stored lookup's footer."""
    return StoredZones(**json.loads(schema.metadata[FACTS_KEY.encode()]))


def mapped_zones(zones: pa.Table, shapes: pa.Table | None) -> pa.Table:
    """The lookup as the table `MAPPED_ZONES`, with what the shapes tell of the zones that have one."""
    import pyarrow as pa

    numbers = zones["location_id"].to_pylist()
    known = {} if shapes is None else {row["location_id"]: row for row in shapes.to_pylist()}
    columns = {name: zones[name] for name in ZONES.column_names}
    for name in TOLD_BY_SHAPES:
        columns[name] = pa.array([known[n][name] if n in known else None for n in numbers], pa.float64())
    columns["is_airport"] = pa.array([number in AIRPORTS for number in numbers])
    columns["is_congestion_zone"] = pa.array([number in CONGESTION_ZONE for number in numbers])
    return pa.table(columns).cast(arrow_schema(MAPPED_ZONES))


def _schema() -> pa.Schema:
    return arrow_schema(ZONES)
