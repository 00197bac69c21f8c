"""High-volume for-hire vehicle trips, 2019-02 on: Uber, Lyft, Via and Juno.

Belongs here: the facts of this one dataset, with TLC's data dictionary as their source. CSV files (to 2021) have 7
columns; parquet files have 24, and 25 since 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from taxi_platform.contracts import common
from taxi_platform.contracts.common import documented, money, spelled
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Span
from taxi_platform.contracts.rules import trip_rules

__all__ = ["FHVHV"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_hvfhs.pdf"
_YES_OR_NO: Mapping[int | str, str] = MappingProxyType({"Y": "yes", "N": "no"})
_PARQUET_ONLY = Span(since=common.PARQUET_ONLY_SINCE)


def _detail(
    name: str,
    column_type: ColumnType,
    description: str,
    unit: str | None = None,
    codes: Mapping[int | str, str] = MappingProxyType({}),
) -> Column:
    """A column that CSV files never had and every parquet file has, under its canonical name."""
    return Column(name, column_type, description, (name,), unit=unit, codes=codes, required=_PARQUET_ONLY)


def _amount(name: str, description: str) -> Column:
    return money(name, description, name, required=_PARQUET_ONLY)


def _flag(name: str, description: str, codes: Mapping[int | str, str] = _YES_OR_NO) -> Column:
    return _detail(name, ColumnType.TEXT, description, codes=codes)


FHVHV = Contract(
    dataset="fhvhv",
    title="high-volume for-hire vehicle",
    description="Trips of the app companies with more than 10,000 trips a day.",
    first_month=date(2019, 2, 1),
    rules=trip_rules(
        distance="trip_miles",
        telling=(("trip_miles", "base_passenger_fare"), ("pickup_location_id", "dropoff_location_id")),
    ),
    unified={
        "vendor": "hvfhs_license_num",
        "trip_distance": "trip_miles",
        "fare_amount": "base_passenger_fare",
        "tip_amount": "tips",
        "tolls_amount": "tolls",
    },
    cluster_by=("pickup_datetime", "hvfhs_license_num", "pickup_location_id"),
    columns=documented(
        _DICTIONARY,
        Column(
            "hvfhs_license_num",
            ColumnType.TEXT,
            "TLC licence number of the high-volume company.",
            ("hvfhs_license_num",),
            codes={"HV0002": "Juno", "HV0003": "Uber", "HV0004": "Via", "HV0005": "Lyft"},
            required=ALWAYS,
        ),
        spelled(common.DISPATCHING_BASE_NUM, "dispatching_base_num"),
        _detail("originating_base_num", ColumnType.TEXT, "TLC licence number of the base that received the request."),
        _detail(
            "request_datetime",
            ColumnType.TIMESTAMP,
            "When the passenger asked to be picked up, in New York wall-clock time.",
        ),
        _detail(
            "on_scene_datetime",
            ColumnType.TIMESTAMP,
            "When the driver arrived at the pickup (accessible vehicles only), in New York wall-clock time.",
        ),
        spelled(common.PICKUP_DATETIME, "pickup_datetime"),
        spelled(common.DROPOFF_DATETIME, "dropoff_datetime"),
        spelled(common.PICKUP_LOCATION_ID, "PULocationID", required=ALWAYS),
        spelled(common.DROPOFF_LOCATION_ID, "DOLocationID", required=ALWAYS),
        _detail("trip_miles", ColumnType.DOUBLE, "Distance of the trip.", unit="miles"),
        _detail("trip_time", ColumnType.BIGINT, "Duration of the trip as the company reports it.", unit="seconds"),
        _amount("base_passenger_fare", "Passenger fare before tolls, tips, taxes and fees."),
        _amount("tolls", "All tolls of the trip."),
        _amount("bcf", "Black Car Fund contribution."),
        _amount("sales_tax", "New York State sales tax."),
        spelled(common.CONGESTION_SURCHARGE, "congestion_surcharge", required=_PARQUET_ONLY),
        spelled(
            common.AIRPORT_FEE,
            "airport_fee",
            description="Fee for trips from and to LaGuardia, Newark and John F. Kennedy airports.",
            required=_PARQUET_ONLY,
        ),
        _amount("tips", "Tips from the passenger."),
        _amount("driver_pay", "Pay of the driver, without tolls and tips and after commission, surcharges and taxes."),
        _flag("shared_request_flag", "Whether the passenger agreed to a shared ride."),
        _flag("shared_match_flag", "Whether the ride was in fact shared."),
        _flag(
            "access_a_ride_flag",
            "Whether the trip was made for the MTA's Access-A-Ride.",
            {**_YES_OR_NO, " ": "not reported"},
        ),
        _flag("wav_request_flag", "Whether the passenger asked for a wheelchair-accessible vehicle."),
        _flag("wav_match_flag", "Whether the trip was made in a wheelchair-accessible vehicle."),
        spelled(common.CBD_CONGESTION_FEE, "cbd_congestion_fee"),
        replace(common.SR_FLAG, description="Whether the trip was shared, in CSV files; null where it was not."),
    ),
)
