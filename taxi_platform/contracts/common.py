"""Columns, codes and dates that several datasets share, with the meaning TLC's data dictionaries give them.

Belongs here: a declaration that two contract modules, or a contract and the view over all datasets, would otherwise
both write. Does not: what one dataset alone has, and what upstream calls a column in it (``spelled`` there).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from taxi_platform.contracts.model import ALWAYS, NEVER, Column, ColumnType, Span

__all__ = [
    "AIRPORT_FEE",
    "CBD_CONGESTION_FEE",
    "CBD_FEE_SINCE",
    "CONGESTION_SURCHARGE",
    "DERIVED_DROPOFF_LOCATION_ID",
    "DERIVED_PICKUP_LOCATION_ID",
    "DISPATCHING_BASE_NUM",
    "DROPOFF_DATETIME",
    "DROPOFF_LATITUDE",
    "DROPOFF_LOCATION_ID",
    "DROPOFF_LONGITUDE",
    "EXTRA",
    "FARE_AMOUNT",
    "IMPROVEMENT_SURCHARGE",
    "MTA_TAX",
    "PARQUET_ONLY_SINCE",
    "PASSENGER_COUNT",
    "PAYMENT_TYPE",
    "PICKUP_DATETIME",
    "PICKUP_LATITUDE",
    "PICKUP_LOCATION_ID",
    "PICKUP_LONGITUDE",
    "RATE_CODE_ID",
    "REQUEST_SOURCE",
    "SR_FLAG",
    "STORE_AND_FWD_FLAG",
    "TIP_AMOUNT",
    "TOLLS_AMOUNT",
    "TOTAL_AMOUNT",
    "TRIP_DISTANCE",
    "TRIP_TYPE",
    "documented",
    "money",
    "spelled",
]

PARQUET_ONLY_SINCE = date(2022, 1, 1)
"""No file from this month on was ever published as CSV. CSV files had fewer columns."""
CBD_FEE_SINCE = date(2025, 1, 1)
_ZONE_SHAPES = "https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page"
"""Where upstream publishes the polygons of the zones."""
_COORDINATES = Span(until=date(2016, 6, 1))
_LOCATION_IDS = Span(since=date(2016, 7, 1))
"""Taxi zone ids replace longitude and latitude in the CSV files from this month on."""


def spelled(column: Column, *spellings: str, **changes: Any) -> Column:
    """A copy of the column with the names that one dataset's files use, and with any other field changed."""
    return replace(column, spellings=spellings, **changes)


def documented(source: str, *columns: Column) -> tuple[Column, ...]:
    """Copies of the columns with ``source`` as the URL of their documentation; a column that has one keeps it."""
    return tuple(column if column.source else replace(column, source=source) for column in columns)


def money(name: str, description: str, *spellings: str, required: Span = NEVER) -> Column:
    """A column that holds an amount in US dollars, as the meter or the base recorded it."""
    return Column(name, ColumnType.DOUBLE, description, spellings, unit="US dollars", required=required)


def _instant(name: str, description: str) -> Column:
    return Column(name, ColumnType.TIMESTAMP, description, required=ALWAYS, filled=ALWAYS, nullable=False)


def _location(name: str, description: str) -> Column:
    described = f"{description} (see `zones`); 264 and 265 stand for unknown."
    return Column(name, ColumnType.SMALLINT, described, required=_LOCATION_IDS)


def _coordinate(name: str, end: str, instead: str) -> Column:
    """A coordinate column. Files had it to 2016-06; a file published again later may have the zone id ``instead``."""
    return Column(
        name,
        ColumnType.DOUBLE,
        f"Where the trip {end}; null where upstream gives the taxi zone instead, as every file does since 2016-07.",
        unit="degrees (WGS 84)",
        required=_COORDINATES,
        unless=(instead,),
    )


def _derived_location(name: str, end: str, longitude: Column, latitude: Column) -> Column:
    return Column(
        name,
        ColumnType.SMALLINT,
        f"Taxi zone in which the trip {end}, derived by this platform from longitude and latitude; null where the file "
        "has none, or they are in no zone.",
        source=_ZONE_SHAPES,
        derived_from=(longitude.name, latitude.name),
    )


PICKUP_DATETIME = _instant("pickup_datetime", "When the trip began, in New York wall-clock time.")
DROPOFF_DATETIME = _instant("dropoff_datetime", "When the trip ended, in New York wall-clock time.")
PICKUP_LOCATION_ID = _location("pickup_location_id", "Taxi zone in which the trip began")
DROPOFF_LOCATION_ID = _location("dropoff_location_id", "Taxi zone in which the trip ended")
PICKUP_LONGITUDE = _coordinate("pickup_longitude", "began", PICKUP_LOCATION_ID.name)
PICKUP_LATITUDE = _coordinate("pickup_latitude", "began", PICKUP_LOCATION_ID.name)
DROPOFF_LONGITUDE = _coordinate("dropoff_longitude", "ended", DROPOFF_LOCATION_ID.name)
DROPOFF_LATITUDE = _coordinate("dropoff_latitude", "ended", DROPOFF_LOCATION_ID.name)
DERIVED_PICKUP_LOCATION_ID = _derived_location("derived_pickup_location_id", "began", PICKUP_LONGITUDE, PICKUP_LATITUDE)
DERIVED_DROPOFF_LOCATION_ID = _derived_location(
    "derived_dropoff_location_id", "ended", DROPOFF_LONGITUDE, DROPOFF_LATITUDE
)

STORE_AND_FWD_FLAG = Column(
    "store_and_fwd_flag",
    ColumnType.TEXT,
    "Whether the record was held in the vehicle before it was sent.",
    codes={"Y": "held in the vehicle's memory, without a connection to the server", "N": "sent at once"},
    recodes={"0": "N", "0.0": "N", "n": "N", "1": "Y", "1.0": "Y", "y": "Y"},
    required=ALWAYS,
)
RATE_CODE_ID = Column(
    "rate_code_id",
    ColumnType.SMALLINT,
    "The rate in effect at the end of the trip.",
    codes={
        1: "standard rate",
        2: "JFK",
        3: "Newark",
        4: "Nassau or Westchester",
        5: "negotiated fare",
        6: "group ride",
        99: "null or unknown",
    },
    required=ALWAYS,
)
TRIP_TYPE = Column(
    "trip_type",
    ColumnType.SMALLINT,
    "Whether the trip was hailed on the street or dispatched; of green taxis only.",
    codes={1: "street hail", 2: "dispatch"},
    required=ALWAYS,
)
PASSENGER_COUNT = Column(
    "passenger_count",
    ColumnType.SMALLINT,
    "Passengers in the vehicle, entered by the driver; null and 0 occur.",
    unit="persons",
    required=ALWAYS,
)
TRIP_DISTANCE = Column(
    "trip_distance",
    ColumnType.DOUBLE,
    "Distance by the taximeter.",
    unit="miles",
    required=ALWAYS,
)
PAYMENT_TYPE = Column(
    "payment_type",
    ColumnType.SMALLINT,
    "How the passenger paid.",
    codes={
        0: "flex fare trip",
        1: "credit card",
        2: "cash",
        3: "no charge",
        4: "dispute",
        5: "unknown",
        6: "voided trip",
    },
    required=ALWAYS,
)

FARE_AMOUNT = money("fare_amount", "Time-and-distance fare of the meter.", required=ALWAYS)
EXTRA = money("extra", "Rush-hour, overnight and other extras.", required=ALWAYS)
MTA_TAX = money("mta_tax", "Metropolitan Transportation Authority tax, by the rate in use.", required=ALWAYS)
TIP_AMOUNT = money("tip_amount", "Tips paid by card; cash tips are not recorded.", required=ALWAYS)
TOLLS_AMOUNT = money("tolls_amount", "All tolls of the trip.", required=ALWAYS)
IMPROVEMENT_SURCHARGE = money(
    "improvement_surcharge",
    "Improvement surcharge at flag drop, charged since 2015.",
    required=Span(since=date(2015, 1, 1)),
)
TOTAL_AMOUNT = money(
    "total_amount",
    "Total charged to passengers, without cash tips; not always the sum of its parts.",
    required=ALWAYS,
)
CONGESTION_SURCHARGE = money(
    "congestion_surcharge",
    "New York State congestion surcharge, charged since 2019-02.",
    required=Span(since=date(2019, 1, 1)),
)
AIRPORT_FEE = money("airport_fee", "Fee for trips at the airports.")
CBD_CONGESTION_FEE = money(
    "cbd_congestion_fee",
    "MTA congestion relief zone toll per trip, charged since 2025-01-05.",
    required=Span(since=CBD_FEE_SINCE),
)
REQUEST_SOURCE = Column(
    "request_source",
    ColumnType.TEXT,
    "How the trip was requested, as upstream writes it; in files from 2026-06 on.",
)

DISPATCHING_BASE_NUM = Column(
    "dispatching_base_num",
    ColumnType.TEXT,
    "TLC licence number of the base that dispatched the trip.",
    required=ALWAYS,
)
SR_FLAG = Column(
    "sr_flag",
    ColumnType.SMALLINT,
    "Whether the trip was part of a chain of shared rides; null where it was not.",
    ("SR_Flag",),
    codes={1: "shared trip"},
)
