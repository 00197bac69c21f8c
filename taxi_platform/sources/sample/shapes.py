"""The zones' shapes as a zipped shapefile in upstream's dialect: a chessboard of squares where generated trips happen.

Belongs here: the file, with the faults that upstream's has. Does not: real shapes, and what the zones are (``zones``).
"""

from __future__ import annotations

import io
import zipfile

from taxi_platform.sources.sample.zones import KINDS, borough

__all__ = ["shapes_zip"]

_WEST, _SOUTH, _SIDE = 965_500, 188_000, 3_000
"""Feet in EPSG:2263: the corner of zone 1, and the side of a square."""
_COLUMNS = 17
_SHAPES = 263
"""Zones 264 and 265 are nowhere."""
_MISNUMBERED = {57: 56, 104: 103, 105: 103}
"""OBJECTID → LocationID, where upstream's file has one for another."""
_WHEN = (2020, 1, 1, 0, 0, 0)
"""The time of every member: equal shapes are equal bytes."""
_NAME = "taxi_zones/taxi_zones"
_PROJECTION = (
    'PROJCS["NAD_1983_StatePlane_New_York_Long_Island_FIPS_3104_Feet",GEOGCS["GCS_North_American_1983",'
    'DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",984250.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-74.0],'
    'PARAMETER["Standard_Parallel_1",40.66666666666666],PARAMETER["Standard_Parallel_2",41.03333333333333],'
    'PARAMETER["Latitude_Of_Origin",40.16666666666666],UNIT["Foot_US",0.3048006096012192]]'
)


def shapes_zip() -> bytes:
    """The file: LocationID says 56 twice and 103 three times, as upstream's does, and OBJECTID what it should."""
    import shapefile

    parts = {extension: io.BytesIO() for extension in ("shp", "shx", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        writer.field("OBJECTID", "N", size=9)
        writer.field("zone", "C", size=254)
        writer.field("LocationID", "N", size=4)
        writer.field("borough", "C", size=254)
        for number in range(1, _SHAPES + 1):
            writer.poly([_square(number)])
            name = borough(KINDS[number - 1])
            writer.record(number, f"{name} {number}", _MISNUMBERED.get(number, number), name)
    contents = {**{extension: part.getvalue() for extension, part in parts.items()}, "prj": _PROJECTION.encode()}
    table = contents["dbf"]
    contents["dbf"] = table[:1] + bytes([_WHEN[0] - 1900, *_WHEN[1:3]]) + table[4:]  # dBASE: when it was written
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for extension, content in contents.items():
            archive.writestr(zipfile.ZipInfo(f"{_NAME}.{extension}", _WHEN), content)
    return packed.getvalue()


def _square(number: int) -> list[tuple[float, float]]:
    """The corners, clockwise as shapefiles have an outer ring."""
    row, column = divmod(number - 1, _COLUMNS)
    west, south = _WEST + column * _SIDE, _SOUTH + row * _SIDE
    east, north = west + _SIDE, south + _SIDE
    return [(west, south), (west, north), (east, north), (east, south), (west, south)]
