"""The zones' shapes in the lake: read from the zipped shapefile, its faults seen and mended, every version kept."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import shapefile
import shapely
from pyproj import Geod

from taxi_platform.contracts.zones import ZONE_SHAPES
from taxi_platform.errors import BrokenFileError
from taxi_platform.orchestration.build import build_definitions
from taxi_platform.settings import Settings
from taxi_platform.sources import open_source
from taxi_platform.sources.sample.shapes import shapes_zip
from taxi_platform.sources.sample.zones import lookup_csv
from taxi_platform.stores.bigquery.store import BigQueryStore
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.shapes import FEET, ReadShapes, read_zone_shapes

URL = "https://example.org/misc/taxi_zones.zip"
FAULT = "LocationID is not a number of its own in every record: zones are told by OBJECTID"
Ring = Sequence[tuple[float, float]]
SQUARE: Ring = [(990_000, 210_000), (990_000, 211_000), (991_000, 211_000), (991_000, 210_000), (990_000, 210_000)]
HOLE: Ring = [(990_400, 210_400), (990_600, 210_400), (990_600, 210_600), (990_400, 210_600), (990_400, 210_400)]
ISLAND: Ring = [(995_000, 210_000), (995_000, 210_500), (995_500, 210_500), (995_500, 210_000), (995_000, 210_000)]
BOW: Ring = [(990_000, 210_000), (991_000, 211_000), (991_000, 210_000), (990_000, 211_000), (990_000, 210_000)]


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


PROJECTION = next(content for name, content in members(shapes_zip()).items() if name.endswith(".prj"))


def zipped(records: Sequence[tuple[int, int, Sequence[Ring]]], projection: bytes = PROJECTION) -> bytes:
    """A file of LocationID, OBJECTID and rings."""
    parts = {extension: io.BytesIO() for extension in ("shp", "shx", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        writer.field("OBJECTID", "N", size=9)
        writer.field("LocationID", "N", size=6)
        for location, number, rings in records:
            writer.poly([list(ring) for ring in rings])
            writer.record(number, location)
    return packed({f"z.{extension}": part.getvalue() for extension, part in parts.items()} | {"z.prj": projection})


def read(tmp_path: Path, content: bytes) -> ReadShapes:
    file = tmp_path / "taxi_zones.zip"
    file.write_bytes(content)
    return read_zone_shapes(file, URL)


def stored(lake: Lake, tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "taxi_zones.zip"
    file.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return lake.store_zone_shapes(
        file, source_url=URL, source_token=sha256, etag=None, sha256=sha256, fetched_at="2026-01-02T03:04:05+00:00"
    ).version


@pytest.fixture(params=["tlc", "dtc", "generated"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bytes]:
    if request.param == "generated":
        yield shapes_zip()
    else:
        tlc: Path = request.getfixturevalue("tlc")
        yield (tlc / request.param / "misc" / "taxi_zones.zip").read_bytes()


def test_a_file_whose_location_ids_repeat_is_read_by_object_id(published: bytes, tmp_path: Path) -> None:
    found = read(tmp_path, published)
    assert found.rows["location_id"].to_pylist() == list(range(1, 264))
    assert (found.read_by, found.mended) == ("OBJECTID", ())
    feet = shapely.from_wkb(found.rows[FEET].to_pylist())
    assert shapely.is_valid(feet).all()
    degrees = shapely.from_wkb(found.rows["geometry"].to_pylist())
    assert (shapely.bounds(degrees)[:, 0] > -74.3).all()
    assert (shapely.bounds(degrees)[:, 3] < 41).all()
    # On the ellipsoid as in the plane, to the plane's own error of scale.
    geod = Geod(ellps="GRS80")
    for shape, area in zip(degrees, found.rows["area_square_miles"].to_pylist(), strict=True):
        assert abs(geod.geometry_area_perimeter(shape)[0]) / 1609.344**2 == pytest.approx(area, rel=1e-3)


def test_the_real_file_names_zones_as_the_lookup_does(tlc: Path, tmp_path: Path) -> None:
    """56 and 57 are two parts of Corona, 103 to 105 three islands: each with its own polygon."""
    content = (tlc / "tlc" / "misc" / "taxi_zones.zip").read_bytes()
    rows = read(tmp_path, content).rows
    areas = dict(zip(rows["location_id"].to_pylist(), rows["area_square_miles"].to_pylist(), strict=True))
    assert len({round(areas[number], 6) for number in (56, 57, 103, 104, 105)}) == 5


def test_a_file_whose_location_ids_are_distinct_is_read_by_them(tmp_path: Path) -> None:
    found = read(tmp_path, zipped([(7, 1, [SQUARE]), (3, 2, [ISLAND])]))
    assert found.rows["location_id"].to_pylist() == [3, 7]
    assert found.read_by == "LocationID"
    assert shapely.from_wkb(found.rows[FEET][1].as_py()).equals(shapely.Polygon(SQUARE))


def test_holes_and_islands_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, zipped([(1, 1, [SQUARE, HOLE, ISLAND])]))
    shape = shapely.from_wkb(found.rows[FEET][0].as_py())
    assert shape.area == 1000**2 - 200**2 + 500**2
    assert found.rows["area_square_miles"][0].as_py() == pytest.approx(shape.area / 5280**2)


def test_a_border_that_crosses_itself_is_mended_and_named(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stored(lake, tmp_path, zipped([(1, 1, [SQUARE]), (2, 2, [BOW])]))
    found = lake.stored_zone_shapes()
    assert found is not None
    assert found.faults == ("the border of zone 2 crossed itself, and was made valid",)
    rows = lake.zone_shapes()
    assert rows is not None
    mended = shapely.from_wkb(rows[FEET][1].as_py())
    assert mended.is_valid
    assert mended.area == 1000 * 1000 / 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>403</html>", "File is not a zip file"),
        (packed({"readme.txt": b"x"}), "0 descriptions of its coordinates"),
        (packed({"z.shp": bytes((100 << 20) + 1)}), "it has 104,857,601 bytes unpacked, where at most"),
        (packed({"z.prj": PROJECTION}), "Zipfile does not contain any shapefiles"),
        (zipped([(1, 1, [SQUARE])], PROJECTION.replace(b"-74.0", b"-75.0")), "not those of EPSG:2263"),
        (zipped([(1, 1, [SQUARE]), (1, 1, [ISLAND])]), "neither LocationID nor OBJECTID"),
        (zipped([(1, 0, [SQUARE]), (1, 1, [ISLAND])]), "neither LocationID nor OBJECTID"),
        (zipped([(40_000, 1, [SQUARE]), (40_000, 40_000, [ISLAND])]), "neither LocationID nor OBJECTID"),
        (zipped([]), "it has no record"),
        (packed({name: part[: len(part) // 2] for name, part in members(shapes_zip()).items()}), ""),
        (packed({name: part if name.endswith(".prj") else b"" for name, part in members(shapes_zip()).items()}), ""),
    ],
)
def test_what_is_no_file_of_shapes_is_refused_and_the_version_before_stays(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    before = stored(lake, tmp_path, shapes_zip())
    with pytest.raises(BrokenFileError, match=f"^{URL} is not a file of the taxi zones' shapes: .*{sentence}"):
        stored(lake, tmp_path, content)
    found = lake.stored_zone_shapes()
    assert found is not None
    assert found.version == before


def test_every_version_stays_and_the_last_one_stored_is_current(lake_url: str, tmp_path: Path) -> None:
    lake = Lake(lake_url)
    assert lake.stored_zone_shapes() is None
    assert lake.zone_shapes() is None
    one_zone = zipped([(1, 1, [SQUARE])])
    first = stored(lake, tmp_path, one_zone)
    second = stored(lake, tmp_path, shapes_zip())
    found = lake.stored_zone_shapes()
    assert found is not None
    assert (found.version, found.zones, found.faults) == (second, 263, (FAULT,))
    with lake.open_parquet(f"zones/shapes/{first}.parquet") as parquet:
        assert parquet.metadata.num_rows == 1
    assert stored(lake, tmp_path, one_zone) == first
    rows = lake.zone_shapes()
    assert rows is not None
    assert rows.num_rows == 1


@pytest.mark.parametrize("lost", ["note", "object"])
def test_shapes_that_are_damaged_or_lost_count_as_absent_and_are_stored_again(tmp_path: Path, lost: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    version = stored(lake, tmp_path, shapes_zip())
    if lost == "note":
        (tmp_path / "lake" / "zones" / "shapes.json").write_bytes(b'{"versions": [{}')
    else:
        (tmp_path / "lake" / "zones" / "shapes" / f"{version}.parquet").unlink()
    assert lake.stored_zone_shapes() is None
    assert lake.zone_shapes() is None
    assert stored(lake, tmp_path, shapes_zip()) == version
    rows = lake.zone_shapes()
    assert rows is not None
    assert rows.num_rows == 263


def test_the_asset_stores_what_is_new_and_nothing_where_upstream_has_no_shapes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, data = tmp_path / "upstream", tmp_path / "data"
    (folder / "misc").mkdir(parents=True)
    settings = {"TAXI_DATA": str(data), "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(folder)}
    job = build_definitions(Settings.from_environment(settings)).resolve_implicit_global_asset_job_def()
    key = dg.AssetKey("zone_shapes")

    def materialized() -> dict[str, object]:
        done = job.execute_in_process(asset_selection=[key])
        [event] = [e for e in done.asset_materializations_for_node("zone_shapes") if e.asset_key == key]
        return {name: value.value for name, value in event.metadata.items()}

    lake = Lake(str(data / "lake"))
    nothing = materialized()
    assert (nothing["dagster/row_count"], nothing["changed"], lake.stored_zone_shapes()) == (0, False, None)
    assert "the dtc source has no file of the zones' shapes" in caplog.text
    (folder / "misc" / "taxi_zones.zip").write_bytes(shapes_zip())
    first = materialized()
    assert (first["dagster/row_count"], first["changed"], first["faults"]) == (263, True, [FAULT])
    assert materialized()["changed"] is False
    (folder / "misc" / "taxi_zones.zip").unlink()
    gone = materialized()
    assert (gone["dagster/row_count"], gone["changed"], gone["version"]) == (263, False, first["version"])


def test_tables_of_zones_and_shapes_follow_the_shapes(tmp_path: Path) -> None:
    folder, data = tmp_path / "upstream", tmp_path / "data"
    (folder / "misc").mkdir(parents=True)
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    settings = {"TAXI_DATA": str(data), "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(folder), "TAXI_POSTGRES": "off"}
    defs = build_definitions(Settings.from_environment(settings))
    job = defs.resolve_implicit_global_asset_job_def()
    lake, tables = ["zones", "zone_shapes"], ["zones_warehouse", "zone_shapes_warehouse"]
    mapped = (
        "SELECT count(*), count(centroid_latitude), sum(area_square_miles) > 30, count_if(is_airport) FROM taxi.zones"
    )

    def ask(sql: str, file: str = "warehouse.duckdb") -> list[tuple[object, ...]]:
        with duckdb.connect(str(data / file), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    with dg.DagsterInstance.ephemeral() as instance:

        def run(*names: str) -> None:
            job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(name) for name in names])

        def asked() -> list[str]:
            found = dg.evaluate_automation_conditions(defs, instance)
            return [name for name in tables if found.get_num_requested(dg.AssetKey(name))]

        run(*lake, *tables)
        assert (ask(mapped), ask("SELECT count(*) FROM taxi.zone_shapes")) == ([(265, 0, None, 3)], [(0,)])
        assert asked() == []
        (folder / "misc" / "taxi_zones.zip").write_bytes(shapes_zip())
        run("zone_shapes")
        assert asked() == tables
        run(*tables)
        assert asked() == []
    for file in ("warehouse.duckdb", "views.duckdb"):
        assert ask(mapped, file) == [(265, 263, True, 3)], file
        [(shape,)] = ask("SELECT geometry FROM taxi.zone_shapes WHERE location_id = 263", file)
        rows = Lake(str(data / "lake")).zone_shapes()
        assert rows is not None
        assert shape == rows["geometry"][262].as_py()
        comments = "SELECT count(*), count(comment) FROM duckdb_columns() WHERE table_name IN ('zones', 'zone_shapes')"
        assert ask(comments, file) == [(11, 11)], file


def test_the_sensor_asks_for_shapes_that_are_new_though_the_lookup_is_not(tmp_path: Path) -> None:
    folder, data = tmp_path / "upstream", tmp_path / "data"
    (folder / "misc").mkdir(parents=True)
    (folder / "misc" / "taxi_zone_lookup.csv").write_bytes(lookup_csv())
    defs = build_definitions(
        Settings.from_environment({"TAXI_DATA": str(data), "TAXI_SOURCE": "dtc", "TAXI_SOURCE_URL": str(folder)})
    )
    sensor, job = defs.resolve_sensor_def("zones_published"), defs.resolve_implicit_global_asset_job_def()

    def asked() -> int:
        with dg.build_sensor_context(definitions=defs, resources=dict(defs.resources or {})) as context:
            return len(sensor.evaluate_tick(context).run_requests or ())

    assert asked() == 1, "the lookup is new"
    job.execute_in_process(asset_selection=[dg.AssetKey(name) for name in ("zones", "dates", "codes")])
    assert asked() == 0, "upstream has no shapes"
    (folder / "misc" / "taxi_zones.zip").write_bytes(shapes_zip())
    assert asked() == 1, "the shapes are new"
    job.execute_in_process(asset_selection=[dg.AssetKey("zone_shapes")])
    assert asked() == 0


def test_the_sample_source_generates_equal_bytes_under_one_version(tmp_path: Path) -> None:
    source = open_source("sample")
    version = source.stat_zone_shapes()
    assert version is not None
    download = source.fetch_zone_shapes(version, tmp_path)
    assert download.file.read_bytes() == shapes_zip()
    table = next(content for name, content in members(shapes_zip()).items() if name.endswith(".dbf"))
    assert tuple(table[1:4]) == (120, 1, 1), "dBASE's day of writing would make other bytes each day"


@pytest.mark.long
def test_in_bigquery_the_shapes_are_geography(bigquery_url: str, tlc: Path, tmp_path: Path) -> None:
    rows = read(tmp_path, (tlc / "tlc" / "misc" / "taxi_zones.zip").read_bytes()).rows
    areas = dict(zip(rows["location_id"].to_pylist(), rows["area_square_miles"].to_pylist(), strict=True))
    store = BigQueryStore(bigquery_url)
    for _ in range(2):
        store.replace_table(ZONE_SHAPES, rows.select(ZONE_SHAPES.column_names))
    view = store.dataset.sql("zone_geography")
    found = store.query(f"SELECT location_id, ST_AREA(geography) AS square_metres FROM {view}").read_all()
    assert found.num_rows == 263
    for row in found.to_pylist():
        assert row["square_metres"] / 1609.344**2 == pytest.approx(areas[row["location_id"]], rel=1e-2)
    fields = store.dataset.client.get_table(store.dataset.table_id("taxi.zone_geography")).schema
    assert [(field.name, field.field_type) for field in fields] == [
        ("location_id", "INTEGER"),
        ("geography", "GEOGRAPHY"),
    ]
