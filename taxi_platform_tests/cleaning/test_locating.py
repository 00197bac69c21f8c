"""Trips with coordinates get zones in columns of their own; what has no zone is counted by why."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from shapely.affinity import translate

from taxi_platform.cleaning import ZoneShapes, clean_month, clean_version
from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.ingest import stage_raw
from taxi_platform.sources.model import Download, Version
from taxi_platform.stores.lake.shapes import FEET, read_zone_shapes
from taxi_platform_tests.cleaning.months import CONSENTING, MARCH, TYPES, Cleaned, raw_month, table, trip
from taxi_platform_tests.cleaning.test_zone_grid import CITY, TO_DEGREES, Doubles, X, Y

YELLOW = CONTRACTS["yellow"]
JANUARY = date(2016, 1, 1)
PICKUP, DROPOFF = "derived_pickup_location_id", "derived_dropoff_location_id"
POINTS = ("pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude")
Place = tuple[float | None, float | None]


def shapes(version: str = "v1", moved: float = 0.0) -> ZoneShapes:
    """The generated city, moved to the east by so many feet."""
    city = {number: shapely.to_wkb(translate(s, moved)) for number, s in CITY.items()}
    return ZoneShapes(version, lambda: city)


def at(x: float, y: float) -> Place:
    """Degrees of a place in the city."""
    longitude, latitude = TO_DEGREES.transform(X + x, Y + y)
    return float(longitude), float(latitude)


def january(folder: Path, ends: list[tuple[Place, Place]], drop: tuple[str, ...] = ()) -> Path:
    """A month of 2016 whose trips begin and end at those places; without the columns to ``drop``."""
    rows = [
        trip(
            tpep_pickup_datetime=datetime(2016, 1, 5, 10, minute),
            tpep_dropoff_datetime=datetime(2016, 1, 5, 11),
            **dict(zip(POINTS, (*start, *end), strict=True)),
        )
        for minute, (start, end) in enumerate(ends)
    ]
    types = {name: kind for name, kind in TYPES.items() if not name.endswith("LocationID")}
    schema = pa.schema({**types, **dict.fromkeys(POINTS, pa.float64())})
    file = folder / "raw.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema).drop_columns(list(drop)), file)
    return file


def cleaned(file: Path, given: ZoneShapes | None, contract: Contract = YELLOW, month: date = JANUARY) -> Cleaned:
    raw = raw_month(contract, month, file)
    folder = Path(tempfile.mkdtemp(dir=file.parent))
    return Cleaned(clean_month(contract, raw, file, folder, CONSENTING, given))


def zones(found: Cleaned) -> list[tuple[int | None, int | None]]:
    return [(row[PICKUP], row[DROPOFF]) for row in found.trips]


def test_every_point_has_its_zone_or_is_counted_by_why_not(tmp_path: Path) -> None:
    inside, hole, water = at(500, 500), at(1_505, 2_000), at(9_000, 500)
    swapped: Place = (inside[1], inside[0])
    ends: list[tuple[Place, Place]] = [
        (inside, at(4_500, 500)),
        (hole, water),
        ((0.0, 0.0), swapped),
        ((None, inside[1]), (inside[0], None)),
        ((-73.0, 40.7), (float("nan"), float("nan"))),
        (at(1_505, 1_700), at(2_300, 8_300)),
    ]
    found = cleaned(january(tmp_path, ends), shapes())
    assert zones(found) == [(3, 2), (None, None), (None, None), (None, None), (None, None), (300, 12)]
    assert [row["dropoff_longitude"] for row in found.trips][2] == swapped[0], "a coordinate stays as it came"
    assert found.facts.located == {
        PICKUP: {"in_zone": 2, "outside": 1, "zero": 1, "missing": 1, "far": 1},
        DROPOFF: {"in_zone": 2, "outside": 1, "swapped": 1, "missing": 2},
    }
    assert (found.facts.null_counts[PICKUP], found.facts.null_counts[DROPOFF]) == (4, 4)
    assert [row["pickup_location_id"] for row in found.trips] == [None] * 6, "what upstream gives stays apart"


def test_the_version_names_the_shapes_of_months_that_have_coordinates_only(tmp_path: Path) -> None:
    file = january(tmp_path, [(at(3_990, 500), at(500, 500))])
    plain = clean_version(YELLOW, "0123456789abcdef", CONSENTING)
    without, first, moved = (cleaned(file, given) for given in (None, shapes(), shapes("v2", moved=-20.0)))
    assert (without.facts.version, zones(without)) == (plain, [(None, None)])
    assert (without.facts.located, without.facts.zone_shapes) == ({PICKUP: {}, DROPOFF: {}}, None)
    assert (first.facts.version, first.facts.zone_shapes, zones(first)) == (f"{plain}+zones-v1", "v1", [(3, 3)])
    assert (moved.facts.version, zones(moved)) == (f"{plain}+zones-v2", [(2, 3)])
    pq.write_table(table([trip()]), file)
    other = cleaned(file, shapes(), month=MARCH)
    assert other.facts.version == clean_version(YELLOW, "0123456789abcdef", CONSENTING)
    assert (other.facts.located, other.facts.zone_shapes) == ({}, None)


def test_a_file_with_one_end_only_and_a_column_of_upstream_s_with_that_name(tmp_path: Path) -> None:
    """No file has a derived column: one of that name is upstream's own, and unknown."""
    file = january(tmp_path, [(at(500, 500), at(500, 500))], drop=POINTS[2:])
    rows = pq.read_table(file).append_column(PICKUP, pa.array([99])).append_column("DOLocationID", pa.array([7]))
    pq.write_table(rows, file)
    found = cleaned(file, shapes())
    assert zones(found) == [(3, None)]
    assert found.facts.unknown_columns == (PICKUP,)
    assert found.facts.located == {PICKUP: {"in_zone": 1}}


HEADS = [
    *(("yellow", year, month) for year in range(2009, 2017) for month in (1, 2, 7, 8)),
    *(("green", year, month) for year in range(2013, 2017) for month in (1, 2, 7, 8)),
]


@pytest.fixture(scope="module")
def real(tlc: Path) -> Mapping[int, bytes]:
    rows = read_zone_shapes(tlc / "tlc/misc/taxi_zones.zip", "here").rows
    return dict(zip(rows["location_id"].to_pylist(), rows[FEET].to_pylist(), strict=True))


def joined(zones: gpd.GeoDataFrame, longitudes: Doubles, latitudes: Doubles) -> list[int]:
    """The smallest number of the zones that geopandas joins each point with; 0 for none."""
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(longitudes, latitudes, crs="EPSG:4269")).to_crs(zones.crs)
    found = points.sjoin(zones, how="left", predicate="intersects")["OBJECTID"].groupby(level=0).min()
    numbers: list[int] = found.fillna(0).astype(int).tolist()
    return numbers


def test_every_head_of_a_published_month_with_coordinates_is_as_geopandas_joins_it(
    real: Mapping[int, bytes], tlc: Path, tmp_path: Path
) -> None:
    file = f"zip://{tlc}/tlc/misc/taxi_zones.zip!taxi_zones/taxi_zones.shp"
    zones = gpd.read_file(file)[["OBJECTID", "geometry"]].to_crs("EPSG:2263")
    points = located = 0
    for dataset, year, month in HEADS:
        head = tlc / "heads" / f"{dataset}_tripdata_{year}-{month:02}.csv"
        if not head.exists() or (year, month) > (2016, 6):
            continue
        contract = CONTRACTS[dataset]
        packed = tmp_path / f"{head.name}.gz"
        packed.write_bytes(gzip.compress(head.read_bytes().rpartition(b"\n")[0] + b"\n"))
        download = Download(Version(str(packed), "1"), packed, "0" * 64, packed.stat().st_size)
        staged = stage_raw(contract, contract.month(date(year, month, 1)), download, tmp_path)
        found = Cleaned(
            clean_month(contract, staged.raw, staged.file, tmp_path, CONSENTING, ZoneShapes("real", lambda: real))
        )
        for derived, (x, y) in ((PICKUP, POINTS[:2]), (DROPOFF, POINTS[2:])):
            longitudes, latitudes = (np.array([row[name] for row in found.trips], float) for name in (x, y))
            expected = joined(zones, np.nan_to_num(longitudes), np.nan_to_num(latitudes))
            assert [row[derived] or 0 for row in found.trips] == expected, head.name
            points += len(expected)
            located += sum(zone > 0 for zone in expected)
    assert (points > 200, located > 0.8 * points) == (True, True), (points, located)
