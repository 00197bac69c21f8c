"""Marts of fares, tips and revenue.

Belongs here: their declarations. Does not: their SQL (``sql``).
"""

from __future__ import annotations

from dataclasses import replace

from taxi_platform.contracts import common
from taxi_platform.contracts.model import FILE_MONTH, Column, ColumnType
from taxi_platform.marts.measures import count, mean, total
from taxi_platform.marts.model import DATASET, Mart, MartView

__all__ = ["FARE_HISTOGRAM", "FARE_PERCENTILES", "QUARTER_REVENUE", "TIPS_MONTH"]

_BIN = "by its lower bound; -1 is below 0, {last} has all from {last} {unit} on, and null has the trips without one."

FARE_HISTOGRAM = Mart(
    "mart_fare_histogram",
    "Trips of a file month by whole dollars of the fare.",
    columns=(
        Column("fare_bin", ColumnType.INTEGER, f"Whole dollars of the fare, {_BIN.format(last=300, unit='dollars')}"),
        count("trips", "Trips with a fare from this bound to below the next."),
        total("fare_cents", "Fares of these trips, each rounded.", "US cents"),
    ),
    key=("fare_bin",),
    reads=("mart_pair_month",),
    needs=("pickup_location_id", "dropoff_location_id", "fare_amount"),
)

TIPS_MONTH = Mart(
    "mart_tips_month",
    "Trips and tips of a file month by payment type, zone of the pickup and whole miles.",
    columns=(
        replace(common.PAYMENT_TYPE, required=FILE_MONTH.required),
        Column("pickup_location_id", ColumnType.SMALLINT, "Zone of the pickup; null where the file has none."),
        Column("miles_bin", ColumnType.INTEGER, f"Whole miles, {_BIN.format(last=50, unit='miles')}"),
        Column("payment_type_name", ColumnType.TEXT, "Label of payment_type; null for an unknown code."),
        count("trips", "Trips."),
        count("tipped_trips", "Trips with a tip."),
        total("tip_cents", "Tips, each rounded; of taxis those paid by card only.", "US cents"),
        total("fare_cents", "Fares without tips, tolls, taxes and fees, each rounded.", "US cents"),
    ),
    key=("payment_type", "pickup_location_id", "miles_bin"),
    needs=("pickup_location_id", "tip_amount"),
    labels={"payment_type_name": "payment_type"},
)

_PERCENTILE = "Whole dollars of the fare that {share} % of the trips with a fare do not exceed, by the histogram."

FARE_PERCENTILES = MartView(
    "mart_fare_percentiles",
    "Mean and percentiles of the fare by file month, of the trips with a fare.",
    columns=(
        DATASET,
        FILE_MONTH,
        count("trips", "Trips with a fare."),
        mean("mean_dollars", "Mean fare.", "US dollars"),
        *(
            Column(f"p{share}_dollars", ColumnType.INTEGER, _PERCENTILE.format(share=share), unit="US dollars")
            for share in (50, 90, 95, 97)
        ),
    ),
    reads=("mart_fare_histogram",),
)

QUARTER_REVENUE = MartView(
    "mart_quarter_revenue",
    "Trips and revenue of a dataset by quarter of the file months, beside those of the year before.",
    columns=(
        DATASET,
        Column("year", ColumnType.SMALLINT, "Year of the file months."),
        Column("quarter", ColumnType.SMALLINT, "Quarter of the file months, 1 to 4."),
        count("months", "File months that the store has of the quarter, at most 3."),
        count("trips", "Trips."),
        mean("fare_dollars", "Fares without tips, tolls, taxes and fees.", "US dollars"),
        mean("total_dollars", "Amounts charged in all.", "US dollars"),
        count("months_year_before", "File months that the store has of the same quarter a year before."),
        count("trips_year_before", "Trips of the same quarter a year before."),
        mean("total_dollars_year_before", "Amounts charged in the same quarter a year before.", "US dollars"),
        mean("change_percent", "Change of the amounts charged on the year before.", "percent"),
    ),
    reads=("mart_service_day",),
)
