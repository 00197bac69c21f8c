"""The grid of zones says what comparing each point with each polygon says, on borders, in holes and on islands too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from pyproj import Transformer

from taxi_platform.cleaning.zone_grid import ZoneGrid
from taxi_platform.stores.lake.shapes import FEET, read_zone_shapes

Doubles = npt.NDArray[np.float64]
TO_FEET = Transformer.from_crs("EPSG:4269", "EPSG:2263", always_xy=True)
TO_DEGREES = Transformer.from_crs("EPSG:2263", "EPSG:4269", always_xy=True)
X, Y = 990_000, 210_000


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A rectangle, in feet from one corner of the generated city."""
    return shapely.box(X + west, Y + south, X + east, Y + north)


CITY: dict[int, shapely.Geometry] = {
    3: box(0, 0, 4_000, 4_000).difference(box(1_000, 1_000, 3_000, 3_000)).difference(box(100, 100, 103, 103)),
    7: box(1_000, 1_000, 3_000, 3_000).difference(box(1_500, 1_500, 1_510, 2_500)),  # fills the hole, and has one
    2: box(4_000, 0, 6_000, 4_000),  # shares a border with 3, with a smaller number
    4: box(5_000, 1_000, 7_000, 3_000),  # overlaps 2 and 5
    5: shapely.union_all([box(6_000, 0, 8_000, 4_000), box(12_000, 9_000, 12_020, 9_020)]),  # and an islet
    12: shapely.union_all([box(0, 6_000, 3_000, 6_004), box(2_000, 8_000, 2_600, 8_600)]),  # a pier, and an island
    9: shapely.Polygon([(X, Y + 4_000), (X + 3_000, Y + 5_500), (X + 4_000, Y + 4_000)]),
    300: box(1_502, 1_600, 1_508, 1_900),  # within the hole of 7, narrower than any cell
}


def by_each_polygon(shapes: Mapping[int, shapely.Geometry], longitudes: Doubles, latitudes: Doubles) -> list[int]:
    """The naive way: the smallest number of all polygons that the point is in, or on the border of; 0 for none."""
    x, y = TO_FEET.transform(longitudes, latitudes)
    zones = np.zeros(len(x), np.int64)
    for number in sorted(shapes, reverse=True):
        zones[shapely.intersects_xy(shapes[number], x, y)] = number
    found: list[int] = zones.tolist()
    return found


def grid_of(shapes: Mapping[int, shapely.Geometry]) -> ZoneGrid:
    return ZoneGrid({number: shapely.to_wkb(shape) for number, shape in shapes.items()})


def points_of(shapes: Mapping[int, shapely.Geometry], count: int) -> tuple[Doubles, Doubles]:
    """Points all over the box of the shapes and a little beyond, and as many on their borders and within some feet."""
    rng = np.random.default_rng(20260127)
    west, south, east, north = shapely.total_bounds(list(shapes.values()))
    anywhere = np.column_stack(
        [rng.uniform(west - 500, east + 500, count), rng.uniform(south - 500, north + 500, count)]
    )
    borders = shapely.get_parts(shapely.boundary(list(shapes.values())))
    chosen = borders[rng.integers(0, len(borders), count)]
    on_border = shapely.get_coordinates(shapely.line_interpolate_point(chosen, rng.random(count), normalized=True))
    corners = shapely.get_coordinates(borders)
    feet = np.concatenate([anywhere, on_border, on_border + rng.normal(0, 3, on_border.shape), corners])
    longitudes, latitudes = TO_DEGREES.transform(feet[:, 0], feet[:, 1])
    return longitudes, latitudes


def test_generated_zones_with_holes_islands_piers_and_overlaps() -> None:
    longitudes, latitudes = points_of(CITY, 20_000)
    expected = by_each_polygon(CITY, longitudes, latitudes)
    assert set(expected) == {0, *CITY}, "the points reach every zone"
    assert grid_of(CITY).zones_of(longitudes, latitudes).tolist() == expected


def test_the_real_zones(tlc: Path) -> None:
    rows = read_zone_shapes(tlc / "tlc/misc/taxi_zones.zip", "here").rows
    polygons = dict(zip(rows["location_id"].to_pylist(), rows[FEET].to_pylist(), strict=True))
    shapes = {number: shapely.from_wkb(polygon) for number, polygon in polygons.items()}
    longitudes, latitudes = points_of(shapes, 5_000)
    shapely.prepare(list(shapes.values()))
    assert ZoneGrid(polygons).zones_of(longitudes, latitudes).tolist() == by_each_polygon(shapes, longitudes, latitudes)


def test_a_point_on_a_border_is_in_the_zone_with_the_smaller_number() -> None:
    longitudes, latitudes = np.array([-73.99, -73.99, -73.98, -73.97]), np.array([40.71, 40.72, 40.715, 40.715])
    south, north, east, far = zip(*TO_FEET.transform(longitudes, latitudes), strict=True)
    left, right = shapely.Polygon([south, north, (X, Y)]), shapely.Polygon([south, north, east])
    assert shapely.touches(shapely.Point(south), left)
    assert shapely.touches(shapely.Point(south), right)
    for numbers in ((4, 9), (9, 4)):
        shapes = dict(zip(numbers, (left, right), strict=True)) | {11: shapely.Polygon([south, far, east])}
        assert grid_of(shapes).zones_of(longitudes[:2], latitudes[:2]).tolist() == [4, 4]


def test_what_is_no_point_near_the_zones_is_in_none() -> None:
    grid = grid_of(CITY)
    west, south, east, north = grid.bounds
    impossible = [(0.0, 0.0), (np.nan, south), (west, np.nan), (south, west), (np.inf, -np.inf), (1e300, -1e300)]
    beyond = [(west, south), (east, north), (np.nextafter(east, west), np.nextafter(north, south)), (-west, south)]
    longitudes, latitudes = (np.array(of_all) for of_all in zip(*impossible, *beyond, strict=True))
    assert grid.zones_of(longitudes, latitudes).tolist() == [0] * 10
    assert grid.zones_of(longitudes[:0], latitudes[:0]).tolist() == []


def test_zones_far_apart_get_larger_cells_and_the_same_answers() -> None:
    shapes = {1: box(0, 0, 2_000, 2_000), 2: box(3_000_000, 2_000_000, 3_004_000, 2_003_000)}
    longitudes, latitudes = points_of(shapes, 200)
    grid = grid_of(shapes)
    assert grid.zones_of(longitudes, latitudes).tolist() == by_each_polygon(shapes, longitudes, latitudes)


@pytest.mark.parametrize("number", [1, 32_767])
def test_one_zone_alone(number: int) -> None:
    shapes = {number: box(0, 0, 1_000, 1_000)}
    longitudes, latitudes = points_of(shapes, 100)
    grid, expected = grid_of(shapes), by_each_polygon(shapes, longitudes, latitudes)
    assert grid.zones_of(longitudes, latitudes).tolist() == expected
    alone = [grid.zones_of(longitudes[i : i + 1], latitudes[i : i + 1]).tolist() for i in range(len(expected))]
    assert alone == [[zone] for zone in expected], "a point that is asked for alone is in the same zone"
