"""Green taxi trips, 2013-08 on: the borough cabs that may not pick up in Manhattan's core or at airports.

Belongs here: the facts of this one dataset.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts.common import (
    CBD_FEE_SINCE,
    CONGESTION_SURCHARGE_SINCE,
    LOCATION_IDS_SINCE,
    PAYMENT_CODES,
    RATE_CODES,
    STORE_AND_FWD_CODES,
    STORE_AND_FWD_RECODES,
    coordinate,
    money,
    request_source,
)
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Contract, Span
from taxi_platform.contracts.rules import trip_rules

__all__ = ["GREEN"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_green.pdf"

GREEN = Contract(
    dataset="green",
    title="green taxi",
    description="Trips of New York's green (borough) taxis.",
    first_month=date(2013, 8, 1),
    rules=trip_rules(distance="trip_distance", total="total_amount", vendor="vendor_id"),
    unified={"vendor": "vendor_id"},
    cluster_by=("pickup_datetime", "pickup_location_id"),
    columns=(
        Column(
            "vendor_id",
            ColumnType.SMALLINT,
            "Provider of the vehicle's technology system, which made the record.",
            ("VendorID",),
            source=_DICTIONARY,
            codes={1: "Creative Mobile Technologies", 2: "Curb Mobility (VeriFone)", 6: "Myle Technologies"},
            required=ALWAYS,
        ),
        Column(
            "pickup_datetime",
            ColumnType.TIMESTAMP,
            "When the meter was engaged, in New York wall-clock time.",
            ("lpep_pickup_datetime",),
            source=_DICTIONARY,
            required=ALWAYS,
            filled=ALWAYS,
            nullable=False,
        ),
        Column(
            "dropoff_datetime",
            ColumnType.TIMESTAMP,
            "When the meter was disengaged, in New York wall-clock time.",
            ("lpep_dropoff_datetime",),
            source=_DICTIONARY,
            required=ALWAYS,
            filled=ALWAYS,
            nullable=False,
        ),
        Column(
            "store_and_fwd_flag",
            ColumnType.TEXT,
            "Whether the record was held in the vehicle before it was sent.",
            ("store_and_fwd_flag",),
            source=_DICTIONARY,
            codes=STORE_AND_FWD_CODES,
            recodes=STORE_AND_FWD_RECODES,
            required=ALWAYS,
        ),
        Column(
            "rate_code_id",
            ColumnType.SMALLINT,
            "The rate in effect at the end of the trip.",
            ("RatecodeID",),
            source=_DICTIONARY,
            codes=RATE_CODES,
            required=ALWAYS,
        ),
        Column(
            "pickup_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the meter was engaged (see `zones`; 264 and 265 are unknown).",
            ("PULocationID",),
            source=_DICTIONARY,
            required=Span(since=LOCATION_IDS_SINCE),
        ),
        Column(
            "dropoff_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the meter was disengaged (see `zones`; 264 and 265 are unknown).",
            ("DOLocationID",),
            source=_DICTIONARY,
            required=Span(since=LOCATION_IDS_SINCE),
        ),
        coordinate("pickup_longitude", "engaged", "Pickup_longitude", instead="pickup_location_id"),
        coordinate("pickup_latitude", "engaged", "Pickup_latitude", instead="pickup_location_id"),
        coordinate("dropoff_longitude", "disengaged", "Dropoff_longitude", instead="dropoff_location_id"),
        coordinate("dropoff_latitude", "disengaged", "Dropoff_latitude", instead="dropoff_location_id"),
        Column(
            "passenger_count",
            ColumnType.SMALLINT,
            "Passengers in the vehicle, entered by the driver; null and 0 occur.",
            ("passenger_count",),
            unit="persons",
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "trip_distance",
            ColumnType.DOUBLE,
            "Distance by the taximeter.",
            ("trip_distance",),
            unit="miles",
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        money(
            "fare_amount", "Time-and-distance fare of the meter.", "fare_amount", required=ALWAYS, source=_DICTIONARY
        ),
        money("extra", "Rush-hour, overnight and other extras.", "extra", required=ALWAYS, source=_DICTIONARY),
        money(
            "mta_tax",
            "Metropolitan Transportation Authority tax, by the rate in use.",
            "mta_tax",
            required=ALWAYS,
            source=_DICTIONARY,
        ),
        money(
            "tip_amount",
            "Tips paid by card; cash tips are not recorded.",
            "tip_amount",
            required=ALWAYS,
            source=_DICTIONARY,
        ),
        money("tolls_amount", "All tolls of the trip.", "tolls_amount", required=ALWAYS, source=_DICTIONARY),
        money("ehail_fee", "Fee for electronic hails; almost always null.", "ehail_fee", source=_DICTIONARY),
        money(
            "improvement_surcharge",
            "Improvement surcharge at flag drop, charged since 2015.",
            "improvement_surcharge",
            required=Span(since=date(2015, 1, 1)),
            source=_DICTIONARY,
        ),
        money(
            "total_amount",
            "Total charged to passengers, without cash tips; not always the sum of its parts.",
            "total_amount",
            required=ALWAYS,
            source=_DICTIONARY,
        ),
        Column(
            "payment_type",
            ColumnType.SMALLINT,
            "How the passenger paid.",
            ("payment_type",),
            source=_DICTIONARY,
            codes=PAYMENT_CODES,
            required=ALWAYS,
        ),
        Column(
            "trip_type",
            ColumnType.SMALLINT,
            "Whether the trip was hailed on the street or dispatched.",
            ("trip_type",),
            source=_DICTIONARY,
            codes={1: "street hail", 2: "dispatch"},
        ),
        money(
            "congestion_surcharge",
            "New York State congestion surcharge, since 2019-02.",
            "congestion_surcharge",
            required=Span(since=CONGESTION_SURCHARGE_SINCE),
            source=_DICTIONARY,
        ),
        money("airport_fee", "Kept in step with yellow; green files have not carried it so far.", "airport_fee"),
        money(
            "cbd_congestion_fee",
            "MTA congestion relief zone toll per trip, since 2025-01-05.",
            "cbd_congestion_fee",
            required=Span(since=CBD_FEE_SINCE),
            source=_DICTIONARY,
        ),
        request_source(),
    ),
)
