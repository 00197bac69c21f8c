"""Green taxi trips, 2013-08 on: the borough cabs, which may not pick up in Manhattan's core or at airports.

Belongs here: the facts of this one dataset, with TLC's data dictionary as their source.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.common import documented, money, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType
from taxi_platform.contracts.rules import trip_rules

__all__ = ["GREEN"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_green.pdf"

_VENDOR_ID = Column(
    "vendor_id",
    ColumnType.SMALLINT,
    "Provider of the vehicle's technology system, which made the record.",
    ("VendorID",),
    codes={1: "Creative Mobile Technologies", 2: "Curb Mobility (VeriFone)", 6: "Myle Technologies"},
    required=ALWAYS,
)

GREEN = Contract(
    dataset="green",
    title="green taxi",
    description="Trips of New York's green (borough) taxis.",
    first_month=date(2013, 8, 1),
    rules=trip_rules(distance="trip_distance", total="total_amount", vendor="vendor_id"),
    unified={"vendor": "vendor_id"},
    cluster_by=("pickup_datetime", "pickup_location_id"),
    columns=documented(
        _DICTIONARY,
        _VENDOR_ID,
        spelled(common.PICKUP_DATETIME, "lpep_pickup_datetime"),
        spelled(common.DROPOFF_DATETIME, "lpep_dropoff_datetime", "Lpep_dropoff_datetime"),
        spelled(common.STORE_AND_FWD_FLAG, "store_and_fwd_flag", "Store_and_fwd_flag"),
        spelled(common.RATE_CODE_ID, "RatecodeID", "RateCodeID"),
        spelled(common.PICKUP_LOCATION_ID, "PULocationID"),
        spelled(common.DROPOFF_LOCATION_ID, "DOLocationID"),
        spelled(common.PASSENGER_COUNT, "passenger_count", "Passenger_count"),
        spelled(common.TRIP_DISTANCE, "trip_distance", "Trip_distance"),
        spelled(common.FARE_AMOUNT, "fare_amount", "Fare_amount"),
        spelled(common.EXTRA, "extra", "Extra"),
        spelled(common.MTA_TAX, "mta_tax", "MTA_tax"),
        spelled(common.TIP_AMOUNT, "tip_amount", "Tip_amount"),
        spelled(common.TOLLS_AMOUNT, "tolls_amount", "Tolls_amount"),
        spelled(common.IMPROVEMENT_SURCHARGE, "improvement_surcharge"),
        spelled(common.TOTAL_AMOUNT, "total_amount", "Total_amount"),
        spelled(common.PAYMENT_TYPE, "payment_type", "Payment_type"),
        spelled(common.CONGESTION_SURCHARGE, "congestion_surcharge"),
        spelled(
            common.AIRPORT_FEE,
            description="Kept in step with yellow; green files have not carried it so far.",
        ),
        spelled(common.CBD_CONGESTION_FEE, "cbd_congestion_fee"),
        spelled(
            common.TRIP_TYPE,
            "trip_type",
            "Trip_type",
            description="Whether the trip was hailed on the street or dispatched.",
        ),
        money("ehail_fee", "Fee for electronic hails; almost always null.", "ehail_fee", "Ehail_fee"),
        spelled(common.PICKUP_LONGITUDE, "Pickup_longitude"),
        spelled(common.PICKUP_LATITUDE, "Pickup_latitude"),
        spelled(common.DROPOFF_LONGITUDE, "Dropoff_longitude"),
        spelled(common.DROPOFF_LATITUDE, "Dropoff_latitude"),
        spelled(common.REQUEST_SOURCE, "request_source"),
        common.DERIVED_PICKUP_LOCATION_ID,
        common.DERIVED_DROPOFF_LOCATION_ID,
    ),
)
