"""Yellow taxi trips, 2009-01 on: the medallion cabs.

Belongs here: the facts of this one dataset, with TLC's data dictionary as their source; spellings and codes of the
early years come from the headers and rows of the published files.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts import common
from taxi_platform.contracts.common import documented, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Span
from taxi_platform.contracts.rules import trip_rules

__all__ = ["YELLOW"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_yellow.pdf"
_TEXT_CODES_UNTIL = date(2014, 12, 1)
"""Up to this month files carry vendors and payment types as text."""

_VENDOR_ID = Column(
    "vendor_id",
    ColumnType.SMALLINT,
    "Provider of the vehicle's technology system, which made the record.",
    ("VendorID", "vendor_id", "vendor_name"),
    codes={
        1: "Creative Mobile Technologies",
        2: "Curb Mobility (VeriFone)",
        3: "Digital Dispatch Systems (text DDS, to 2010; the number is this platform's own)",
        6: "Myle Technologies",
        7: "Helix",
    },
    recodes={"CMT": 1, "VTS": 2, "DDS": 3},
    text_until=_TEXT_CODES_UNTIL,
    required=ALWAYS,
)
_PAYMENT_TEXTS = {
    **dict.fromkeys(("Credit", "CRD", "CRE"), 1),
    **dict.fromkeys(("Cash", "CAS", "CSH"), 2),
    **dict.fromkeys(("No Charge", "NOC", "No"), 3),
    **dict.fromkeys(("Dispute", "DIS"), 4),
    **dict.fromkeys(("Unknown", "UNK", "NA"), 5),
}

YELLOW = Contract(
    dataset="yellow",
    title="yellow taxi",
    description="Trips of New York's yellow (medallion) taxis.",
    first_month=date(2009, 1, 1),
    rules=trip_rules(distance="trip_distance", total="total_amount", vendor="vendor_id"),
    unified={"vendor": "vendor_id"},
    cluster_by=("pickup_datetime", "pickup_location_id"),
    columns=documented(
        _DICTIONARY,
        _VENDOR_ID,
        spelled(common.PICKUP_DATETIME, "tpep_pickup_datetime", "pickup_datetime", "Trip_Pickup_DateTime"),
        spelled(common.DROPOFF_DATETIME, "tpep_dropoff_datetime", "dropoff_datetime", "Trip_Dropoff_DateTime"),
        spelled(common.STORE_AND_FWD_FLAG, "store_and_fwd_flag", "store_and_forward"),
        spelled(common.RATE_CODE_ID, "RatecodeID", "RateCodeID", "rate_code", "Rate_Code"),
        spelled(common.PICKUP_LOCATION_ID, "PULocationID"),
        spelled(common.DROPOFF_LOCATION_ID, "DOLocationID"),
        spelled(common.PASSENGER_COUNT, "passenger_count", "Passenger_Count"),
        spelled(common.TRIP_DISTANCE, "trip_distance", "Trip_Distance"),
        spelled(common.FARE_AMOUNT, "fare_amount", "Fare_Amt"),
        spelled(common.EXTRA, "extra", "surcharge"),
        spelled(common.MTA_TAX, "mta_tax"),
        spelled(common.TIP_AMOUNT, "tip_amount", "Tip_Amt"),
        spelled(common.TOLLS_AMOUNT, "tolls_amount", "Tolls_Amt"),
        spelled(common.IMPROVEMENT_SURCHARGE, "improvement_surcharge"),
        spelled(common.TOTAL_AMOUNT, "total_amount", "Total_Amt"),
        spelled(
            common.PAYMENT_TYPE, "payment_type", "Payment_Type", recodes=_PAYMENT_TEXTS, text_until=_TEXT_CODES_UNTIL
        ),
        spelled(common.CONGESTION_SURCHARGE, "congestion_surcharge"),
        spelled(
            common.AIRPORT_FEE,
            "airport_fee",
            "Airport_fee",
            description="Fee for pickups at LaGuardia and John F. Kennedy airports.",
            required=Span(since=common.PARQUET_ONLY_SINCE),
        ),
        spelled(common.CBD_CONGESTION_FEE, "cbd_congestion_fee"),
        spelled(common.PICKUP_LONGITUDE, "pickup_longitude", "Start_Lon"),
        spelled(common.PICKUP_LATITUDE, "pickup_latitude", "Start_Lat"),
        spelled(common.DROPOFF_LONGITUDE, "dropoff_longitude", "End_Lon"),
        spelled(common.DROPOFF_LATITUDE, "dropoff_latitude", "End_Lat"),
        spelled(common.REQUEST_SOURCE, "request_source"),
        common.DERIVED_PICKUP_LOCATION_ID,
        common.DERIVED_DROPOFF_LOCATION_ID,
    ),
)
