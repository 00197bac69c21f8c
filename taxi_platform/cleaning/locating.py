"""Taxi zones for trips that upstream gives a longitude and a latitude instead.

Belongs here: which columns are derived from which, and what becomes of every point. Does not: which zone a point is in
(``zone_grid``).

A point that cannot be one of New York has no zone, whatever may have been meant by it. Each kind is counted, so that
the counts of a column add up to the month's trips.
"""
# ruff: noqa: TID253 - imported only once a month is being cleaned

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taxi_platform.cleaning.zone_shapes import ZoneShapes
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.matching import Match

if TYPE_CHECKING:
    from taxi_platform.cleaning.zone_grid import ZoneGrid

__all__ = ["FAR", "IN_ZONE", "MISSING", "OUTSIDE", "SWAPPED", "ZERO", "Locator"]

Doubles = npt.NDArray[np.float64]

IN_ZONE = "in_zone"
OUTSIDE = "outside"
"""Within the box around all zones, but in none of them: in the water, in New Jersey."""
SWAPPED = "swapped"
"""Longitude and latitude in each other's place. They stay as they came, and such a point has no zone."""
ZERO = "zero"
"""0, 0: what upstream writes where a position is not known."""
FAR = "far"
MISSING = "missing"
"""One of the two is null."""

_grids: dict[str, ZoneGrid] = {}
"""Version of the shapes → their grid: the newest only, for all months that this process cleans."""
_building = threading.Lock()


class Locator:
    """Derives the zones of one month's trips, batch by batch."""

    def __init__(self, contract: Contract, match: Match, shapes: ZoneShapes | None) -> None:
        self._points = {
            column.name: column.derived_from
            for column in contract.derived
            if all(name in match.found for name in column.derived_from)
        }
        self._grid = _grid_of(shapes) if shapes and self._points else None
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in self._points}
        self.version = shapes.version if shapes and self._points else None
        """The version of the shapes; None if nothing is derived by any."""

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Derived column → what became of its points → trips; empty if the file has no points."""
        return {name: dict(sorted(counts.items())) for name, counts in self._counts.items()}

    def located(self, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """The derived columns of a batch that has those other ones; those that nothing tells are left out."""
        if self._grid is None:
            return {}
        points = {name: [_degrees(columns[origin]) for origin in origins] for name, origins in self._points.items()}
        longitudes, latitudes = (np.concatenate(of_all) for of_all in zip(*points.values(), strict=True))
        zones = np.split(self._grid.zones_of(longitudes, latitudes), len(points))
        for (name, (longitude, latitude)), found in zip(points.items(), zones, strict=True):
            self._counts[name] += _counted(found > 0, longitude, latitude, self._grid.bounds)
        return {name: pa.array(found, mask=found == 0) for name, found in zip(points, zones, strict=True)}


def _grid_of(shapes: ZoneShapes) -> ZoneGrid:
    """The grid of these shapes, built by the first month that needs it."""
    from taxi_platform.cleaning.zone_grid import ZoneGrid

    with _building:
        if shapes.version not in _grids:
            built = ZoneGrid(shapes.read())
            _grids.clear()
            _grids[shapes.version] = built
        return _grids[shapes.version]


def _degrees(values: pa.Array) -> Doubles:
    """The values, NaN for null."""
    degrees: Doubles = values.to_numpy(zero_copy_only=False)
    return degrees


def _counted(
    is_in_zone: npt.NDArray[np.bool_],
    longitude: Doubles,
    latitude: Doubles,
    bounds: tuple[float, float, float, float],
) -> Counter[str]:
    """What became of the points; the few that are in no zone are looked at more closely."""
    x, y = longitude[~is_in_zone], latitude[~is_in_zone]
    is_missing = np.isnan(x) | np.isnan(y)
    is_zero = (x == 0) & (y == 0)
    is_swapped, is_near = _is_within(y, x, bounds), _is_within(x, y, bounds)
    counts = {IN_ZONE: is_in_zone, MISSING: is_missing, ZERO: is_zero, SWAPPED: is_swapped, OUTSIDE: is_near}
    counts[FAR] = ~(is_missing | is_zero | is_swapped | is_near)
    return Counter({kind: int(np.count_nonzero(of_kind)) for kind, of_kind in counts.items()})


def _is_within(x: Doubles, y: Doubles, bounds: tuple[float, float, float, float]) -> npt.NDArray[np.bool_]:
    west, south, east, north = bounds
    is_within: npt.NDArray[np.bool_] = (x >= west) & (x < east) & (y >= south) & (y < north)
    return is_within
