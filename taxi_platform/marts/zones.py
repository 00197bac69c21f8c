"""Marts by zone.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.marts.measures import SUMS, count, mean, total
from taxi_platform.marts.model import DATASET, Mart, MartView

__all__ = ["PAIR_MONTH", "PAIR_TIMES", "ZONE_HOUR", "ZONE_HOUR_GRID", "ZONE_MONTH", "ZONE_REVENUE"]

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

_PICKUP_ZONE = Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup; null where the file has none.")
_DROPOFF_ZONE = Column("dropoff_location_id", ColumnType.SMALLINT, "Zone of the drop-off; null where there is none.")

ZONE_MONTH = Mart(
    "mart_zone_month",
    "Trips, passengers, distance, time and money of a file month by zone of the pickup.",
    columns=(_PICKUP_ZONE, *SUMS),
    key=("pickup_location_id",),
    reads=("mart_zone_hour",),
    needs=("pickup_location_id",),
)

PAIR_MONTH = Mart(
    "mart_pair_month",
    "Trips of a file month from zone to zone, by whole minutes of their duration and by whole dollars of their fare.",
    columns=(
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        Column(
            "bin",
            ColumnType.INTEGER,
            "Whole minutes for trips, whole dollars for fare_trips, by the lower bound; -1 is below 0, 180 minutes and "
            "300 dollars have all from there on, and null has the trips without one.",
        ),
        count("trips", "Trips whose duration is from this bound to below the next."),
        count("fare_trips", "Trips whose fare is from this bound to below the next."),
        total("distance_hundredths", "Distance of trips, each rounded.", "hundredths of a mile"),
        total("duration_seconds", "Time from pickup to drop-off of trips.", "seconds"),
        total("fare_cents", "Fares of fare_trips, each rounded.", "US cents"),
    ),
    key=("pickup_location_id", "dropoff_location_id", "bin"),
    needs=("pickup_location_id", "dropoff_location_id"),
)

ZONE_REVENUE = MartView(
    "mart_zone_revenue",
    "Trips and revenue by zone of the pickup and file month, with the zone's name, beside those of the year before.",
    columns=(
        DATASET,
        FILE_MONTH,
        _PICKUP_ZONE,
        Column("borough", ColumnType.TEXT, "Borough of the zone."),
        Column("zone", ColumnType.TEXT, "Name of the zone."),
        count("trips", "Trips."),
        mean("fare_dollars", "Fares without tips, tolls, taxes and fees.", "US dollars"),
        mean("tip_dollars", "Tips; of taxis those paid by card only.", "US dollars"),
        mean("total_dollars", "Amounts charged in all.", "US dollars"),
        mean("mean_total_dollars", "Amount charged by trip.", "US dollars"),
        count("trips_year_before", "Trips of the same month a year before; null where the store has none."),
        mean("total_dollars_year_before", "Amounts charged in the same month a year before.", "US dollars"),
    ),
    reads=("mart_zone_month", "zones"),
)

PAIR_TIMES = MartView(
    "mart_pair_times",
    "Mean and percentiles of the duration from zone to zone by file month, of the trips with a drop-off time.",
    columns=(
        DATASET,
        FILE_MONTH,
        _PICKUP_ZONE,
        _DROPOFF_ZONE,
        count("trips", "Trips with a drop-off time."),
        mean("mean_minutes", "Mean duration.", "minutes"),
        *(
            Column(
                f"p{share}_minutes",
                ColumnType.INTEGER,
                f"Whole minutes that {share} % of these trips do not exceed, by the histogram.",
                unit="minutes",
            )
            for share in (50, 90)
        ),
    ),
    reads=("mart_pair_month",),
)
