"""Marts by day.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from taxi_platform.contracts.model import Column, ColumnType
from taxi_platform.marts.measures import SUMS, count, mean, total
from taxi_platform.marts.model import DATASET, Mart, MartView

__all__ = ["AIRPORT_TRIPS", "CBD_DAY", "COMPANY_DAY", "SERVICE_DAY", "SERVICE_SHARE"]

_COUNTS = (
    count("measured_trips", "Trips with a distance."),
    count("timed_trips", "Trips with a drop-off time."),
    count("fared_trips", "Trips with a fare."),
    count("charged_trips", "Trips with a total."),
)

SERVICE_DAY = Mart(
    "mart_service_day",
    "Trips, passengers, distance, time and money of a dataset by file month and day of the pickup.",
    columns=(
        Column("pickup_date", ColumnType.DATE, "Day of the pickup, in New York."),
        *SUMS,
        *_COUNTS,
    ),
    key=("pickup_date",),
    reads=("mart_cbd_day",),
)

_PICKUP_DATE = Column("pickup_date", ColumnType.DATE, "Day of the pickup, in New York.")

AIRPORT_TRIPS = Mart(
    "mart_airport_trips",
    "Trips from and to airports, and those at the rates of JFK and Newark, by day, airports and rate code.",
    columns=(
        _PICKUP_DATE,
        Column("pickup_airport", ColumnType.TEXT, "Airport of the pickup: EWR, JFK or LGA; null elsewhere."),
        Column("dropoff_airport", ColumnType.TEXT, "Airport of the drop-off: EWR, JFK or LGA; null elsewhere."),
        Column("rate_code_id", ColumnType.SMALLINT, "The rate in effect at the end of the trip."),
        *SUMS,
        total("airport_fee_cents", "Airport fees, each rounded.", "US cents"),
    ),
    key=("pickup_date", "pickup_airport", "dropoff_airport", "rate_code_id"),
    needs=("pickup_location_id",),
    adds_up=False,
)

CBD_DAY = Mart(
    "mart_cbd_day",
    "Trips by day, and by whether they begin and end in the congestion relief zone, which is charged since 2025-01-05.",
    columns=(
        _PICKUP_DATE,
        Column("pickup_in_cbd", ColumnType.BOOLEAN, "Whether the trip began in the congestion relief zone."),
        Column("dropoff_in_cbd", ColumnType.BOOLEAN, "Whether the trip ended in the congestion relief zone."),
        *SUMS,
        *_COUNTS,
        count("toll_trips", "Trips that paid the toll of the congestion relief zone."),
        total("cbd_fee_cents", "Tolls of the congestion relief zone, each rounded.", "US cents"),
        total("congestion_cents", "New York State congestion surcharges, each rounded.", "US cents"),
    ),
    key=("pickup_date", "pickup_in_cbd", "dropoff_in_cbd"),
)

COMPANY_DAY = Mart(
    "mart_company_day",
    "Trips, passengers, distance, time and money of the app companies by day of the pickup.",
    columns=(
        _PICKUP_DATE,
        Column("vendor", ColumnType.TEXT, "Licence number of the company."),
        Column("company", ColumnType.TEXT, "Name of the company; null for an unknown number."),
        *SUMS,
    ),
    key=("pickup_date", "vendor"),
    labels={"company": "vendor"},
    datasets=("fhvhv",),
)

SERVICE_SHARE = MartView(
    "mart_service_share",
    "Trips of each dataset by day of the pickup, over all file months, and their share of that day's trips.",
    columns=(
        _PICKUP_DATE,
        DATASET,
        count("trips", "Trips."),
        mean("share_percent", "Share of the day's trips of all datasets that the store has.", "percent"),
    ),
    reads=("mart_service_day",),
)
