"""Which zone a point is in: a grid of small cells decides most points, the polygons those in a cell that a border cuts.

Belongs here: points and polygons. Does not: where polygons come from (``stores.lake.shapes``) and which columns are
points (``located``).

Polygons are in feet of EPSG:2263, and there every point is compared with them. A cell is a square of degrees. One that
no border comes near is in the same zones with all of its points, so one comparison decides it. A point on the border of
two zones, or where two overlap, is in the zone with the smaller number.
"""
# ruff: noqa: TID253 - imported only once a month with coordinates is being cleaned

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer

__all__ = ["NOWHERE", "ZoneGrid"]

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Zones = npt.NDArray[np.int16]

NOWHERE = 0
"""The zone of a point that is in none; zones are numbered from 1."""
_CELL = 0.0002
"""The side of a cell in degrees: 73 feet from south to north."""
_STEP_FEET = 40
"""The longest piece of a border that is looked at in one: shorter than a cell, so that it touches four at most."""
_NEAR = 1e-6
"""Degrees, four inches: a border as near to a cell as that counts as in it. Conversion errs by far less."""
_EPSG_FEET, _EPSG_DEGREES = 2263, 4269
_BITS = 16
"""Of a zone's number, where it shares a whole number with a cell or a set."""
_AT_ONCE = 64
"""Rows of the grid that are filled in one go."""
_MOST_CELLS = 40_000_000
"""A grid of at most so many cells (80 MB); where zones are further apart, cells are larger."""


class ZoneGrid:
    """The zones of one version of the shapes, as a grid over their bounding box.

    Building it takes about a second; afterwards it never changes, and threads may share it.
    """

    def __init__(self, polygons: Mapping[int, bytes]) -> None:
        """Build the grid.

        Args:
            polygons: location id, from 1 on → valid polygon in feet of EPSG:2263, as well-known binary.
        """
        self._numbers = sorted(polygons)
        self._shapes = dict(zip(self._numbers, shapely.from_wkb([polygons[n] for n in self._numbers]), strict=True))
        shapely.prepare(list(self._shapes.values()))
        self._to_feet = Transformer.from_crs(_EPSG_DEGREES, _EPSG_FEET, always_xy=True)
        self._to_degrees = Transformer.from_crs(_EPSG_FEET, _EPSG_DEGREES, always_xy=True)
        self._frame()
        self._sets = self._mark()
        self._fill()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the grid, in degrees; no point outside is in a zone."""
        return self._west, self._south, self._west + self._columns * self._cell, self._south + self._rows * self._cell

    def zones_of(self, longitudes: Doubles, latitudes: Doubles) -> Zones:
        """The zone of each point, `NOWHERE` where it is in none.

        Args:
            longitudes: in degrees; NaN for a point that is not known.
            latitudes: as many.
        """
        found = np.zeros(len(longitudes), np.int16)
        places, cells = self._cells_of(longitudes, latitudes)
        codes = self._grid[cells]
        found[places] = np.where(codes > 0, codes, NOWHERE)
        cut = np.flatnonzero(codes < 0)
        places, sets = places[cut], -1 - codes[cut].astype(np.int64)
        found[places] = self._decided(longitudes[places], latitudes[places], sets)
        return found

    def _cells_of(self, longitudes: Doubles, latitudes: Doubles) -> tuple[Ints, Ints]:
        """The points within the grid, and the cell of each."""
        west, south, east, north = self.bounds
        within = (longitudes >= west) & (longitudes < east) & (latitudes >= south) & (latitudes < north)
        places = np.flatnonzero(within)
        column = ((longitudes[places] - west) * self._per_degree).astype(np.int64)
        row = ((latitudes[places] - south) * self._per_degree).astype(np.int64)
        return places, row * self._columns + column

    def _decided(self, longitudes: Doubles, latitudes: Doubles, sets: Ints) -> Zones:
        """The zone of points in cells that a border cuts, by the polygons of each cell's own zones, smallest first."""
        found = np.zeros(len(sets), np.int16)
        if not len(sets):
            return found
        x, y = _converted(self._to_feet, longitudes, latitudes)
        waiting = np.arange(len(sets))
        for rank in range(self._sets.shape[1]):
            candidates = self._sets[sets[waiting], rank]
            waiting, candidates = waiting[candidates != NOWHERE], candidates[candidates != NOWHERE]
            by_zone = np.argsort(candidates, kind="stable")
            waiting, candidates = waiting[by_zone], candidates[by_zone]
            for points in np.split(waiting, 1 + np.flatnonzero(np.diff(candidates))):
                if len(points):
                    number = int(self._sets[sets[points[0]], rank])
                    found[points[shapely.intersects_xy(self._shapes[number], x[points], y[points])]] = number
            waiting = waiting[found[waiting] == NOWHERE]
        return found

    # ---- building

    def _frame(self) -> None:
        low, high = np.array(shapely.total_bounds(list(self._shapes.values()))).reshape(2, 2)
        west, south, east, north = self._to_degrees.transform_bounds(low[0], low[1], high[0], high[1], densify_pts=101)
        self._cell = max(_CELL, float(np.sqrt((east - west) * (north - south) / _MOST_CELLS)))
        self._per_degree = 1 / self._cell
        self._west, self._south = west - self._cell, south - self._cell
        self._columns, self._rows = (int(extent / self._cell) + 3 for extent in (east - west, north - south))

    def _mark(self) -> Zones:
        """Give every cell near a border the number of its set of zones, negative; returns the zones of each set."""
        cells, zones = self._cut_cells()
        set_of = np.zeros(len(cells), np.int64)
        for zones_of_rank in zones.T:
            _, first, set_of = np.unique(set_of << _BITS | zones_of_rank, return_index=True, return_inverse=True)
        kind = np.int16 if len(first) < -np.iinfo(np.int16).min else np.int32
        self._grid = np.zeros(self._rows * self._columns, kind)
        self._grid[cells] = -1 - set_of
        return zones[first]

    def _cut_cells(self) -> tuple[Ints, Zones]:
        """The cells near a border, and the zones of each: a line a cell, smallest first, then `NOWHERE`.

        A zone that has no border in such a cell is all around it or not there at all, so its middle tells.
        """
        pairs = np.concatenate([self._touched(shape) << _BITS | number for number, shape in self._shapes.items()])
        cells = np.unique(pairs >> _BITS)
        place, zone = self._around(cells)
        pairs = np.unique(np.concatenate([pairs, cells[place] << _BITS | zone]))
        first = np.searchsorted(pairs >> _BITS, cells)
        cell = np.repeat(np.arange(len(cells)), np.diff(first, append=len(pairs)))
        rank = np.arange(len(pairs)) - first[cell]
        zones = np.zeros((len(cells), int(rank.max()) + 1), np.int16)
        zones[cell, rank] = pairs & ((1 << _BITS) - 1)
        return cells, zones

    def _touched(self, shape: Any) -> Ints:
        """The cells that the shape's border comes near, told by pieces of it that are shorter than a cell."""
        rings = shapely.segmentize(shapely.get_rings(shapely.get_parts(shape)), _STEP_FEET)
        feet, ring = shapely.get_coordinates(rings, return_index=True)
        degrees = np.column_stack(_converted(self._to_degrees, feet[:, 0], feet[:, 1]))
        is_piece = ring[1:] == ring[:-1]
        ends = degrees[:-1][is_piece], degrees[1:][is_piece]
        corners = np.minimum(*ends) - _NEAR, np.maximum(*ends) + _NEAR
        columns = [((corner[:, 0] - self._west) * self._per_degree).astype(np.int64) for corner in corners]
        rows = [((corner[:, 1] - self._south) * self._per_degree).astype(np.int64) for corner in corners]
        return np.unique(np.concatenate([row * self._columns + column for row in rows for column in columns]))

    def _fill(self) -> None:
        """Give every other cell its zone. Neighbours without a border are in the same one, so a run is asked once."""
        for first in range(0, len(self._grid), _AT_ONCE * self._columns):
            cells = self._grid[first : first + _AT_ONCE * self._columns]
            is_free = cells >= 0
            begins = is_free.copy()
            begins[1:] &= ~is_free[:-1]
            begins[:: self._columns] = is_free[:: self._columns]
            runs = np.flatnonzero(begins)
            place, zone = self._around(first + runs)
            smallest = np.full(len(runs), np.iinfo(np.int64).max)
            np.minimum.at(smallest, place, zone)
            found = np.where(smallest == np.iinfo(np.int64).max, NOWHERE, smallest).astype(cells.dtype)
            cells[is_free] = found[np.cumsum(begins, dtype=np.int32)[is_free] - 1]

    def _around(self, cells: Ints) -> tuple[Ints, Ints]:
        """The zones that the middles of cells are in: places in ``cells``, and a zone for each."""
        row, column = np.divmod(cells, self._columns)
        middles = self._west + (column + 0.5) * self._cell, self._south + (row + 0.5) * self._cell
        x, y = _converted(self._to_feet, *middles)
        found = []
        for number, shape in self._shapes.items():
            west, south, east, north = shape.bounds
            places = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
            places = places[shapely.intersects_xy(shape, x[places], y[places])]
            found.append(np.stack([places, np.full(len(places), number)]))
        place, zone = np.concatenate(found, axis=1)
        return place, zone


def _converted(transformer: Transformer, x: Doubles, y: Doubles) -> tuple[Doubles, Doubles]:
    """The points in other coordinates."""
    if len(x) > 1:
        converted: tuple[Doubles, Doubles] = transformer.transform(x, y)
        return converted
    # As lists: older releases of pyproj take an array of one number for a number, with a warning.
    first, second = transformer.transform(x.tolist(), y.tolist())
    return np.array(first, np.float64), np.array(second, np.float64)
