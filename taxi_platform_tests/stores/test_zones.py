"""The zone lookup: every cell is the text it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
from pyproj import Transformer

from taxi_platform.contracts.zones import AIRPORTS, CONGESTION_ZONE, MAPPED_ZONES
from taxi_platform.errors import BrokenFileError
from taxi_platform.stores.lake.lake import Lake
from taxi_platform.stores.lake.zones import StoredZones, read_zones_csv

PROVENANCE = {
    "source_url": "https://example.org/misc/taxi_zone_lookup.csv",
    "source_token": '"abc"',
    "etag": '"abc"',
    "sha256": "0" * 64,
    "fetched_at": "2026-01-02T03:04:05+00:00",
}
HEADER = '"LocationID","Borough","Zone","service_zone"'


def lines() -> list[str]:
    return [f'{number},"Borough","Zone {number}","Boro Zone"' for number in range(1, 266)]


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "taxi_zone_lookup.csv"
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize("layout", ["dtc", "tlc"])
def test_the_real_lookup_has_265_rows_with_na_kept_as_text(tlc: Path, tmp_path: Path, layout: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stored = lake.store_zones(tlc / layout / "misc" / "taxi_zone_lookup.csv", **PROVENANCE)
    zones = lake.zones()
    assert stored.rows == 265
    assert zones is not None
    rows = zones.to_pylist()
    assert [row["location_id"] for row in rows] == list(range(1, 266))
    assert tuple(rows[263].values()) == (264, "Unknown", "NV", "N/A") or rows[263]["borough"] == "Unknown"
    assert rows[0] == {"location_id": 1, "borough": "EWR", "zone": "Newark Airport", "service_zone": "EWR"}
    assert zones["zone"].null_count == zones["service_zone"].null_count == zones["borough"].null_count == 0


def test_the_lookup_is_stored_in_every_lake_with_its_provenance(lake_url: str, tmp_path: Path) -> None:
    lake = Lake(lake_url)
    text = "\r\n".join([HEADER, *lines()[:263], '264,"Unknown","NV","N/A"', '265,"Unknown","NA","N/A"', ""])
    stored = lake.store_zones(written(tmp_path, text), **PROVENANCE)
    assert stored == StoredZones(rows=265, **PROVENANCE)
    assert lake.stored_zones() == stored
    zones = lake.zones()
    assert zones is not None
    assert zones.slice(263).to_pylist() == [
        {"location_id": 264, "borough": "Unknown", "zone": "NV", "service_zone": "N/A"},
        {"location_id": 265, "borough": "Unknown", "zone": "NA", "service_zone": "N/A"},
    ]
    with lake.open_parquet("zones/taxi_zone_lookup.parquet") as parquet:
        assert parquet.metadata.num_rows == 265


@pytest.mark.parametrize(
    "text",
    ["x" * 9_000, "locationid,borough,zone,service_zone\n" + "y," * 9_000]
    + [f"locationid,borough,zone,service_zone\n{number},a,b,c" for number in ("z" * 9_000, "9" * 3_000, "\x07" * 900)],
    ids=["header", "cells", "word", "number", "controls"],
)
def test_a_sentence_shows_at_most_200_characters_of_the_lookup(tmp_path: Path, text: str) -> None:
    with pytest.raises(BrokenFileError) as caught:
        read_zones_csv(written(tmp_path, text), "a file")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_comma_in_quotes_and_any_order_read_whole(tmp_path: Path) -> None:
    text = "\n".join(["locationid,borough,zone,service_zone", *reversed(lines()[1:]), '1,"A, B","C ""D""",']) + "\n"
    row = read_zones_csv(written(tmp_path, text), "a file").slice(0, 1).to_pylist()[0]
    assert row == {"location_id": 1, "borough": "A, B", "zone": 'C "D"', "service_zone": ""}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not the zone lookup"),
        ("<html>403</html>", "has the columns <html>403</html>, and no locationid"),
        (f"{HEADER}\n", "does not have each of the zones 1 to 265 once: 0 rows"),
        ("\n".join([HEADER, *lines()[:264]]), "once: 264 rows"),
        ("\n".join([HEADER, *lines(), lines()[0]]), "once: 266 rows"),
        ("\n".join([HEADER, *lines()[:264], lines()[0]]), "once: 265 rows"),
        ("\n".join([HEADER, *lines()[:264], "265,Unknown,NA"]), "is not the zone lookup"),
        ("\n".join([HEADER, *lines()[:264], "x,Unknown,NA,N/A"]), "is not the zone lookup"),
        ("\n".join([HEADER, *lines(), "266,Unknown,NA,N/A", "266,Unknown,NA,N/A"]), "once: 267 rows"),
        ("\n".join([HEADER, *lines(), "99999,Unknown,NA,N/A"]), "there is no zone 99999"),
    ],
)
def test_what_is_not_the_lookup_is_refused_and_the_one_before_stays(tmp_path: Path, text: str, sentence: str) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.store_zones(written(tmp_path, "\n".join([HEADER, *lines()])), **PROVENANCE)
    with pytest.raises(BrokenFileError, match=f"^{PROVENANCE['source_url']} .*{sentence}"):
        lake.store_zones(written(tmp_path, text), **{**PROVENANCE, "source_token": "new"})
    stored = lake.stored_zones()
    assert stored is not None
    assert stored.source_token == '"abc"'


def test_a_column_more_and_a_zone_more_do_not_freeze_the_lookup(tmp_path: Path) -> None:
    wider = [f"{line},2026" for line in [*lines(), '266,"Queens","New zone","Boro Zone"']]
    text = "\n".join(['"LocationID","Borough","Zone","service_zone","since"', *wider])
    lake = Lake(str(tmp_path / "lake"))
    assert lake.store_zones(written(tmp_path, text), **PROVENANCE).rows == 266
    zones = lake.zones()
    assert zones is not None
    assert zones.slice(265).to_pylist() == [
        {"location_id": 266, "borough": "Queens", "zone": "New zone", "service_zone": "Boro Zone"}
    ]


def test_the_shapes_tell_where_and_how_large_a_zone_is(tlc: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert lake.mapped_zones() is None
    lake.store_zones(tlc / "tlc" / "misc" / "taxi_zone_lookup.csv", **PROVENANCE)
    without = lake.mapped_zones()
    lake.store_zone_shapes(tlc / "tlc" / "misc" / "taxi_zones.zip", **PROVENANCE)
    found = lake.mapped_zones()
    assert without is not None
    assert found is not None
    assert found.column_names == without.column_names == list(MAPPED_ZONES.column_names)
    for name in ("centroid_longitude", "centroid_latitude", "area_square_miles"):
        assert (without[name].null_count, found[name].null_count) == (265, 2)
    rows = {row["location_id"]: row for row in found.to_pylist()}
    jfk = rows[132]
    assert (jfk["zone"], jfk["is_airport"], jfk["is_congestion_zone"]) == ("JFK Airport", True, False)
    assert (jfk["centroid_longitude"], jfk["centroid_latitude"]) == pytest.approx((-73.786, 40.647), abs=0.002)
    assert {number for number, row in rows.items() if row["is_airport"]} == set(AIRPORTS)
    assert {number for number, row in rows.items() if row["is_congestion_zone"]} == CONGESTION_ZONE
    assert rows[265]["area_square_miles"] is None


def test_the_congestion_zone_is_manhattan_south_of_60th_street_without_its_islands(tlc: Path, tmp_path: Path) -> None:
    """60th Street runs straight, from Fifth Avenue at -73.9730, 40.7648 to Second Avenue at -73.9650, 40.7615."""
    lake = Lake(str(tmp_path / "lake"))
    lake.store_zones(tlc / "tlc" / "misc" / "taxi_zone_lookup.csv", **PROVENANCE)
    lake.store_zone_shapes(tlc / "tlc" / "misc" / "taxi_zones.zip", **PROVENANCE)
    lookup, stored = lake.zones(), lake.stored_zone_shapes()
    assert lookup is not None
    assert stored is not None
    to_feet = Transformer.from_crs("EPSG:4269", "EPSG:2263", always_xy=True)
    ends = [
        to_feet.transform(x, 40.7648 + (x + 73.9730) * (40.7648 - 40.7615) / (73.9650 - 73.9730))
        for x in (-74.1, -73.9)
    ]
    south = shapely.Polygon([*ends, (ends[1][0], 0), (ends[0][0], 0)])
    borough = {row["location_id"]: row["borough"] for row in lookup.to_pylist()}
    shapes = {number: shapely.from_wkb(shape) for number, shape in lake.zone_polygons(stored).items()}
    shares = {
        number: shape.intersection(south).area / shape.area
        for number, shape in shapes.items()
        if borough[number] == "Manhattan"
    }
    islands = {103, 104, 105}
    assert {number for number, share in shares.items() if share > 0.99} == CONGESTION_ZONE | islands
    assert all(share < 1 / 3 for number, share in shares.items() if number not in CONGESTION_ZONE | islands)
