"""The taxi zones' shapes in the lake: from upstream's zipped shapefile to one small Parquet object a version.

Belongs here: reading the file, seeing and mending its faults, and the object's bytes. Does not: where it lies
(``lake``).

Upstream's file is in feet of EPSG:2263 (NAD83 / New York Long Island), and that is where points are compared with it.
What people see is in longitude and latitude: NAD83 and WGS 84, which differ by less than two metres there, are one.

Faults of the file, each of which its provenance names:

* ``LocationID`` was not what tells its records apart: 56 stood there twice, 103 three times, 57, 104 and 105 nowhere,
  while ``OBJECTID`` had every number once. So a file is read by ``LocationID`` where that is a number of its own in
  every record, else by ``OBJECTID``.
* A polygon whose border crosses itself is made valid: the same border, read so that no point is in it twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxi_platform.contracts.values.foreign_text import excerpt
from taxi_platform.errors import BrokenFileError
from taxi_platform.references import as_declared

if TYPE_CHECKING:
    import pyarrow as pa
    from shapefile import Reader

__all__ = [
    "FEET",
    "ReadShapes",
    "StoredShapes",
    "read_zone_shapes",
    "versions_of",
    "with_version",
]

FEET = "geometry_feet"
"""The column of the lake's object with the polygons as they came, in feet of EPSG:2263, as well-known binary."""
_LOG = logging.getLogger(__name__)
_READ_BY_LOCATION_ID, _READ_BY_OBJECT_ID = "LocationID", "OBJECTID"
_LARGEST = 32_767
"""What a column of location ids holds."""
_EPSG_FEET, _EPSG_DEGREES = 2263, 4269
_SQUARE_FEET_A_MILE = 5_280**2
_MOST_BYTES = 100 << 20
"""Bytes of all members, unpacked: more than ten times the published file."""


@dataclass(frozen=True)
class StoredShapes:
    """One version of the zones' shapes that the lake holds, with its provenance."""

    version: str
    """The first 16 hexadecimal digits of the file's sha256: what trips name that were made from it."""
    zones: int
    read_by: str
    """Which of the file's two numbers said what zone a record is: ``LocationID``, or ``OBJECTID`` in its stead."""
    mended: tuple[int, ...]
    """Zones whose polygon was not valid as it came."""
    source_url: str
    source_token: str
    """What upstream called this version: equal tokens mean nothing to fetch."""
    etag: str | None
    sha256: str
    """Of the upstream file, as it came."""
    fetched_at: str
    """UTC, ISO 8601."""

    @property
    def path(self) -> str:
        """The object, relative to the lake's root; it is never changed."""
        return f"zones/shapes/{self.version}.parquet"

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the file and is mended here, in a sentence each."""
        found = []
        if self.read_by != _READ_BY_LOCATION_ID:
            found.append("LocationID is not a number of its own in every record: zones are told by OBJECTID")
        if self.mended:
            found.append(f"the border of zone {', '.join(map(str, self.mended))} crossed itself, and was made valid")
        return tuple(found)


@dataclass(frozen=True)
class ReadShapes:
    """What a file of shapes holds."""

    rows: pa.Table
    """``location_id``, ``geometry``, `FEET`, ``centroid_longitude``, ``centroid_latitude``, ``area_square_miles``;
    ordered by location id."""
    read_by: str
    mended: tuple[int, ...]


def read_zone_shapes(file: Path, name: str) -> ReadShapes:
    """Upstream's ``taxi_zones.zip``.

    Args:
        file: as it came.
        name: what errors call it: upstream's address of the file.

    Raises:
        BrokenFileError: it is no zipped shapefile in EPSG:2263, its records are told apart by neither number, or one
            has no polygon.
    """
    import struct
    import zipfile
    import zlib

    import shapefile
    from pyproj.exceptions import ProjError
    from shapely.errors import ShapelyError

    # RuntimeError: a member is encrypted, or compressed in a way that Python does not know.
    unreadable = (struct.error, zipfile.BadZipFile, zlib.error, EOFError, LookupError, RuntimeError, ValueError)
    refused = (shapefile.ShapefileException, ProjError, ShapelyError)

    try:
        _check_projection(file)
        with shapefile.Reader(str(file)) as reader:
            return _read(reader)
    except (*unreadable, *refused) as error:
        raise BrokenFileError(f"{name} is not a file of the taxi zones' shapes: {excerpt(error)}") from error


def _check_projection(file: Path) -> None:
    """Raise `ValueError` for a file in other coordinates: its numbers would be taken for feet that they are not."""
    import zipfile

    from pyproj import CRS

    with zipfile.ZipFile(file) as archive:
        if (unpacked := sum(member.file_size for member in archive.infolist())) > _MOST_BYTES:
            raise ValueError(f"it has {unpacked:,} bytes unpacked, where at most {_MOST_BYTES:,} are read")
        names = [name for name in archive.namelist() if name.lower().endswith(".prj")]
        if len(names) != 1:
            raise ValueError(f"it has {len(names)} descriptions of its coordinates (.prj) and not one")
        text = archive.read(names[0]).decode("utf-8", "replace")
    if not CRS.from_wkt(text).equals(CRS.from_epsg(_EPSG_FEET), ignore_axis_order=True):
        raise ValueError(f"its coordinates are not those of EPSG:{_EPSG_FEET}: {text}")


def _read(reader: Reader) -> ReadShapes:
    import pyarrow as pa
    import shapely
    from pyproj import Transformer

    read_by, numbers = _numbers(reader)
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    polygons = dict(_polygons(reader, numbers))
    valid = {number: _valid(polygon) for number, polygon in polygons.items()}
    feet = [valid[numbers[place]] for place in order]
    to_degrees = Transformer.from_crs(_EPSG_FEET, _EPSG_DEGREES, always_xy=True)
    degrees = shapely.transform(feet, to_degrees.transform, interleaved=False)
    centres = shapely.centroid(feet)
    # As lists: older releases of pyproj take an array of one number for a number, with a warning.
    longitude, latitude = to_degrees.transform(shapely.get_x(centres).tolist(), shapely.get_y(centres).tolist())
    rows = pa.table(
        {
            "location_id": pa.array([numbers[place] for place in order], pa.int16()),
            "geometry": pa.array(shapely.to_wkb(degrees).tolist(), pa.binary()),
            FEET: pa.array(shapely.to_wkb(feet).tolist(), pa.binary()),
            "centroid_longitude": pa.array(longitude, pa.float64()),
            "centroid_latitude": pa.array(latitude, pa.float64()),
            "area_square_miles": pa.array(shapely.area(feet) / _SQUARE_FEET_A_MILE, pa.float64()),
        }
    )
    mended = tuple(sorted(number for number, polygon in polygons.items() if polygon is not valid[number]))
    return ReadShapes(rows, read_by, mended)


def _numbers(reader: Reader) -> tuple[str, list[int]]:
    """By which number records are told apart, and that number of each record."""
    there = {field.name.lower(): field.name for field in reader.fields[1:]}
    if not len(reader):
        raise ValueError("it has no record")
    for name in (_READ_BY_LOCATION_ID, _READ_BY_OBJECT_ID):
        if name.lower() in there:
            numbers = [record[there[name.lower()]] for record in reader.iterRecords()]
            if len(set(numbers)) == len(numbers) and all(_is_location(number) for number in numbers):
                return name, numbers
    raise ValueError("neither LocationID nor OBJECTID is a number of its own, from 1 on, in every record")


def _is_location(number: object) -> bool:
    return isinstance(number, int) and 0 < number <= _LARGEST


def _polygons(reader: Reader, numbers: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Each record's polygons as they came."""
    import shapely.geometry

    for number, shape in zip(numbers, reader.iterShapes(), strict=True):
        polygon = shapely.geometry.shape(shape.__geo_interface__) if shape.points else shapely.Polygon()
        if polygon.is_empty or polygon.geom_type not in ("Polygon", "MultiPolygon"):
            raise ValueError(f"zone {number} has no polygon")
        yield number, polygon


def _valid(polygon: Any) -> Any:
    """The polygon itself where it is valid; else its area by the same border, without the lines that enclose none."""
    import shapely

    if polygon.is_valid:
        return polygon
    areas = [part for part in shapely.get_parts(shapely.make_valid(polygon)) if shapely.area(part) > 0]
    return shapely.union_all(areas)


# ---- which versions there are


def versions_of(content: bytes | None) -> tuple[StoredShapes, ...]:
    """Every version by the lake's note, the current one last; none by a note that cannot be read."""
    try:
        entries = json.loads(content)["versions"] if content else []
        return tuple(_stored(entry) for entry in entries)
    except (ValueError, LookupError, TypeError):
        _LOG.warning("the lake's note of the zones' shapes cannot be read: they are fetched again")
        return ()


def _stored(entry: Mapping[str, Any]) -> StoredShapes:
    stored = as_declared(StoredShapes(**{**entry, "mended": tuple(entry["mended"])}))
    if "/" in stored.version:
        raise ValueError(f"the version {stored.version!r} leads to another folder")
    return stored


def with_version(content: bytes | None, stored: StoredShapes) -> bytes:
    """The note with that version as the current one."""
    others = [one for one in versions_of(content) if one.version != stored.version]
    return json.dumps({"versions": [asdict(one) for one in (*others, stored)]}, indent=1).encode()
