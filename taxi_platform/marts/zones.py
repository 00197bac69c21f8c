"""Marts by zone.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.marts.measures import SUMS, count
from taxi_platform.marts.model import DATASET, Mart, MartView

__all__ = ["ZONE_HOUR", "ZONE_HOUR_GRID"]

_PICKUP_HOUR = Column("pickup_hour", ColumnType.TIMESTAMP, "The hour of the pickup, by its beginning, in New York.")

ZONE_HOUR = Mart(
    "mart_zone_hour",
    "Trips, passengers, distance, time and money by zone and hour of the pickup; only zones and hours with trips.",
    columns=(
        Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup; null where the file has none."),
        _PICKUP_HOUR,
        *SUMS,
    ),
    key=("pickup_location_id", "pickup_hour"),
    needs=("pickup_location_id",),
)

ZONE_HOUR_GRID = MartView(
    "mart_zone_hour_grid",
    "Trips of every zone in every hour of a file month, 0 where there are none; pickups of other months are left out.",
    columns=(
        DATASET,
        FILE_MONTH,
        Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup."),
        _PICKUP_HOUR,
        count("trips", "Trips."),
    ),
    reads=("mart_zone_hour", "mart_months", "zones"),
)
