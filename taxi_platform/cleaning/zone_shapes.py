"""The polygons that cleaning derives taxi zones by, as whoever has them hands them over.

Belongs here: that value. Does not: where polygons are kept (``stores.lake.shapes``) and what is done with them
(``locating``, ``zone_grid``). The module is cheap to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["ZoneShapes"]


@dataclass(frozen=True)
class ZoneShapes:
    """One version of the zones' polygons, read once a month needs them."""

    version: str
    """Equal versions mean equal polygons."""
    read: Callable[[], Mapping[int, bytes]]
    """Location id → valid polygon in feet of EPSG:2263, as well-known binary."""
