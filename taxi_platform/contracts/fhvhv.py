"""High-volume for-hire vehicle trips, 2019-02 on: Uber, Lyft, Via and Juno.

Belongs here: the facts of this one dataset. CSV files (to 2021) have 7 columns, parquet files 24 or more.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts.common import money
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Contract
from taxi_platform.contracts.rules import trip_rules

__all__ = ["FHVHV"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_hvfhs.pdf"
_YES_NO: dict[int | str, str] = {"Y": "yes", "N": "no"}


def _flag(name: str, description: str, codes: dict[int | str, str] | None = None) -> Column:
    return Column(
        name, ColumnType.TEXT, description, (name,), source=_DICTIONARY, codes=_YES_NO if codes is None else codes
    )


FHVHV = Contract(
    dataset="fhvhv",
    title="high-volume for-hire vehicle",
    description="Trips of the app companies with more than 10,000 trips a day.",
    first_month=date(2019, 2, 1),
    rules=trip_rules(distance="trip_miles"),
    unified={
        "vendor": "hvfhs_license_num",
        "trip_distance": "trip_miles",
        "fare_amount": "base_passenger_fare",
        "tip_amount": "tips",
        "tolls_amount": "tolls",
    },
    cluster_by=("pickup_datetime", "hvfhs_license_num", "pickup_location_id"),
    columns=(
        Column(
            "hvfhs_license_num",
            ColumnType.TEXT,
            "TLC licence number of the high-volume company.",
            ("hvfhs_license_num",),
            source=_DICTIONARY,
            codes={"HV0002": "Juno", "HV0003": "Uber", "HV0004": "Via", "HV0005": "Lyft"},
            required=ALWAYS,
        ),
        Column(
            "dispatching_base_num",
            ColumnType.TEXT,
            "TLC licence number of the base that dispatched the trip.",
            ("dispatching_base_num",),
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "originating_base_num",
            ColumnType.TEXT,
            "TLC licence number of the base that received the request.",
            ("originating_base_num",),
            source=_DICTIONARY,
        ),
        Column(
            "request_datetime",
            ColumnType.TIMESTAMP,
            "When the passenger asked to be picked up, in New York wall-clock time.",
            ("request_datetime",),
            source=_DICTIONARY,
        ),
        Column(
            "on_scene_datetime",
            ColumnType.TIMESTAMP,
            "When the driver arrived at the pickup (accessible vehicles only), in New York wall-clock time.",
            ("on_scene_datetime",),
            source=_DICTIONARY,
        ),
        Column(
            "pickup_datetime",
            ColumnType.TIMESTAMP,
            "When the trip began, in New York wall-clock time.",
            ("pickup_datetime",),
            source=_DICTIONARY,
            required=ALWAYS,
            filled=ALWAYS,
            nullable=False,
        ),
        Column(
            "dropoff_datetime",
            ColumnType.TIMESTAMP,
            "When the trip ended, in New York wall-clock time.",
            ("dropoff_datetime",),
            source=_DICTIONARY,
            required=ALWAYS,
            filled=ALWAYS,
            nullable=False,
        ),
        Column(
            "pickup_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the trip began (see `zones`).",
            ("PULocationID",),
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "dropoff_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the trip ended (see `zones`).",
            ("DOLocationID",),
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "trip_miles",
            ColumnType.DOUBLE,
            "Distance of the trip.",
            ("trip_miles",),
            unit="miles",
            source=_DICTIONARY,
        ),
        Column(
            "trip_time",
            ColumnType.BIGINT,
            "Duration of the trip as the company reports it.",
            ("trip_time",),
            unit="seconds",
            source=_DICTIONARY,
        ),
        money(
            "base_passenger_fare",
            "Passenger fare before tolls, tips, taxes and fees.",
            "base_passenger_fare",
            source=_DICTIONARY,
        ),
        money("tolls", "All tolls of the trip.", "tolls", source=_DICTIONARY),
        money("bcf", "Black Car Fund contribution.", "bcf", source=_DICTIONARY),
        money("sales_tax", "New York State sales tax.", "sales_tax", source=_DICTIONARY),
        money(
            "congestion_surcharge",
            "New York State congestion surcharge, since 2019-02.",
            "congestion_surcharge",
            source=_DICTIONARY,
        ),
        money(
            "airport_fee",
            "Fee for trips at LaGuardia, Newark and John F. Kennedy airports.",
            "airport_fee",
            source=_DICTIONARY,
        ),
        money("tips", "Tips from the passenger.", "tips", source=_DICTIONARY),
        money("driver_pay", "Pay of the driver without tolls, tips, taxes and fees.", "driver_pay", source=_DICTIONARY),
        _flag("shared_request_flag", "Whether the passenger agreed to a shared ride."),
        _flag("shared_match_flag", "Whether the ride was in fact shared."),
        _flag(
            "access_a_ride_flag",
            "Whether the trip was made for the MTA's Access-A-Ride.",
            {"Y": "yes", "N": "no", " ": "not reported"},
        ),
        _flag("wav_request_flag", "Whether the passenger asked for a wheelchair-accessible vehicle."),
        _flag("wav_match_flag", "Whether the trip was made in a wheelchair-accessible vehicle."),
        money(
            "cbd_congestion_fee",
            "MTA congestion relief zone toll per trip, since 2025-01-05.",
            "cbd_congestion_fee",
            source=_DICTIONARY,
        ),
        Column(
            "sr_flag",
            ColumnType.SMALLINT,
            "Whether the trip was shared, in the CSV files' coding; null where it was not.",
            ("SR_Flag",),
            codes={1: "shared trip"},
        ),
    ),
)
