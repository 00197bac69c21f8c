"""For-hire vehicle trips, 2015-01 on: community cars, black cars, luxury limousines and, to 2019-01, the app companies.

Belongs here: the facts of this one dataset. Bases report these trips; no meter is involved, so there is no fare.
"""

from __future__ import annotations

from datetime import date

from taxi_platform.contracts.model import ALWAYS, Column, ColumnType, Contract, Span
from taxi_platform.contracts.rules import trip_rules

__all__ = ["FHV"]

_DICTIONARY = "https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_fhv.pdf"
_DROPOFF_COLUMN_SINCE = date(2017, 1, 1)
_DROPOFF_FILLED_SINCE = date(2018, 1, 1)

FHV = Contract(
    dataset="fhv",
    title="for-hire vehicle",
    description="Trips that for-hire vehicle bases report, other than the high-volume app companies' since 2019-02.",
    first_month=date(2015, 1, 1),
    rules=trip_rules(),
    unified={"vendor": "dispatching_base_num"},
    cluster_by=("pickup_datetime", "dispatching_base_num"),
    columns=(
        Column(
            "dispatching_base_num",
            ColumnType.TEXT,
            "TLC licence number of the base that dispatched the trip.",
            ("dispatching_base_num", "Dispatching_base_number"),
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "affiliated_base_number",
            ColumnType.TEXT,
            "TLC licence number of the base the vehicle is affiliated with.",
            ("affiliated_base_number",),
            source=_DICTIONARY,
        ),
        Column(
            "pickup_datetime",
            ColumnType.TIMESTAMP,
            "When the trip began, in New York wall-clock time.",
            ("pickup_datetime", "Pickup_date"),
            source=_DICTIONARY,
            required=ALWAYS,
            filled=ALWAYS,
            nullable=False,
        ),
        Column(
            "dropoff_datetime",
            ColumnType.TIMESTAMP,
            "When the trip ended, in New York wall-clock time; reported since 2017, and always since 2018.",
            ("dropoff_datetime",),
            source=_DICTIONARY,
            required=Span(since=_DROPOFF_COLUMN_SINCE),
            filled=Span(since=_DROPOFF_FILLED_SINCE),
        ),
        Column(
            "pickup_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the trip began (see `zones`); often not reported.",
            ("PULocationID", "locationID"),
            source=_DICTIONARY,
            required=ALWAYS,
        ),
        Column(
            "dropoff_location_id",
            ColumnType.SMALLINT,
            "Taxi zone in which the trip ended (see `zones`); often not reported.",
            ("DOLocationID",),
            source=_DICTIONARY,
            required=Span(since=_DROPOFF_COLUMN_SINCE),
        ),
        Column(
            "sr_flag",
            ColumnType.SMALLINT,
            "Whether the trip was part of a shared-ride chain of a high-volume company; null where it was not.",
            ("SR_Flag",),
            source=_DICTIONARY,
            codes={1: "shared trip"},
        ),
    ),
)
