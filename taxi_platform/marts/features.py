"""Features: what models of demand learn from, beside what they are to tell.

Belongs here: their declarations. Does not: their SQL (``sql``).

No feature looks at its own hour or a later one.
"""

from __future__ import annotations

from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.marts.measures import count, mean
from taxi_platform.marts.model import DATASET, MartView

__all__ = ["FEATURE_ZONE_HOUR"]

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
        Column("hour", ColumnType.SMALLINT, "Hour of the day, 0 to 23."),
        Column("weekday", ColumnType.SMALLINT, "Day of the week, 1 for Monday to 7 for Sunday."),
        Column("is_weekend", ColumnType.BOOLEAN, "Whether it is a Saturday or a Sunday."),
        Column("is_holiday", ColumnType.BOOLEAN, "Whether the day has a holiday of the United States or of New York."),
        count("trips_1_hour_before", "Trips of the hour before."),
        count("trips_24_hours_before", "Trips of the same hour a day before."),
        count("trips_168_hours_before", "Trips of the same hour a week before."),
        mean("mean_of_6_hours", "Mean of the 6 hours before.", "trips an hour"),
        mean("mean_of_24_hours", "Mean of the 24 hours before.", "trips an hour"),
        mean("mean_of_168_hours", "Mean of the 168 hours before.", "trips an hour"),
    ),
    reads=("mart_zone_hour_grid", "dates"),
)
