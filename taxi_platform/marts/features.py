"""Features: what models of demand, duration and fare learn from, beside what they are to tell.

Belongs here: their declarations. Does not: their SQL (``sql``).

No feature of demand looks at its own hour or a later one. No feature of a trip is known only at its end.
"""

from __future__ import annotations

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.marts.measures import count, mean
from taxi_platform.marts.model import DATASET, MartView

__all__ = ["FEATURE_TRIP", "FEATURE_ZONE_HOUR"]

_CALENDAR = (
    Column("hour", ColumnType.SMALLINT, "Hour of the day, 0 to 23."),
    Column("weekday", ColumnType.SMALLINT, "Day of the week, 1 for Monday to 7 for Sunday."),
    Column("is_weekend", ColumnType.BOOLEAN, "Whether it is a Saturday or a Sunday."),
    Column("is_holiday", ColumnType.BOOLEAN, "Whether the day has a holiday of the United States or of New York."),
)
_ENDS = {"pickup": "begins", "dropoff": "ends"}

FEATURE_ZONE_HOUR = MartView(
    "feature_zone_hour",
    "Trips of every zone in every hour of a file month, beside the calendar and the trips of hours before, for models "
    "of demand. Null where the store does not have all of these hours.",
    columns=(
        DATASET,
        FILE_MONTH,
        Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup."),
        Column("pickup_hour", ColumnType.TIMESTAMP, "The hour of the pickup, by its beginning, in New York."),
        count("trips", "Trips of the hour: what a model is to tell."),
        *_CALENDAR,
        count("trips_1_hour_before", "Trips of the hour before."),
        count("trips_24_hours_before", "Trips of the same hour a day before."),
        count("trips_168_hours_before", "Trips of the same hour a week before."),
        mean("mean_of_6_hours", "Mean of the 6 hours before.", "trips an hour"),
        mean("mean_of_24_hours", "Mean of the 24 hours before.", "trips an hour"),
        mean("mean_of_168_hours", "Mean of the 168 hours before.", "trips an hour"),
    ),
    reads=("mart_zone_hour_grid", "dates"),
)

FEATURE_TRIP = MartView(
    "feature_trip",
    "What is known of a trip when it begins, its destination being told, beside its minutes and its fare, for models "
    "of duration and fare. Only plausible trips (is_plausible of taxi.trips) of 1 to 60 minutes from zone to zone.",
    columns=(
        DATASET,
        FILE_MONTH,
        Column("pickup_datetime", ColumnType.TIMESTAMP, "Time of the pickup, in New York: to split by, and to sort."),
        Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup."),
        Column("dropoff_location_id", ColumnType.SMALLINT, "Zone of the drop-off, which the passenger tells."),
        mean(
            "straight_miles",
            "From the centre of one zone to that of the other, as the crow flies, 0 within a zone; null where a zone "
            "has no shape. What the taximeter measured is known only at the end.",
            "miles",
        ),
        *_CALENDAR,
        *(
            Column(f"{end}_is_airport", ColumnType.BOOLEAN, f"Whether the trip {happens} in an airport's zone.")
            for end, happens in _ENDS.items()
        ),
        *(
            Column(f"{end}_in_cbd", ColumnType.BOOLEAN, f"Whether the trip {happens} in the congestion relief zone.")
            for end, happens in _ENDS.items()
        ),
        mean("minutes", "Target: time from pickup to drop-off.", "minutes"),
        mean(
            "fare_dollars",
            "Target: the fare without tips, tolls, taxes and fees; null where not reported.",
            "US dollars",
        ),
    ),
    reads=("trips", "zones", "dates"),
)
