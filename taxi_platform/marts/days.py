"""Marts by day.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.marts.measures import SUMS, count
from taxi_platform.marts.model import Mart

__all__ = ["SERVICE_DAY"]

SERVICE_DAY = Mart(
    "mart_service_day",
    "Trips, passengers, distance, time and money of a dataset by file month and day of the pickup.",
    columns=(
        Column("pickup_date", ColumnType.DATE, "Day of the pickup, in New York."),
        *SUMS,
        count("measured_trips", "Trips with a distance."),
        count("timed_trips", "Trips with a drop-off time."),
        count("fared_trips", "Trips with a fare."),
        count("charged_trips", "Trips with a total."),
    ),
    key=("pickup_date",),
)
