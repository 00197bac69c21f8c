"""Every real file's columns find their contract, and what upstream is known to have published besides."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.matching import UNPARSED_COLUMN, match_columns, require_columns
from taxi_platform.errors import ContractError
from taxi_platform.months import TripMonth, parse_month
from taxi_platform_tests.contracts.samples import real_columns

# TLC's Parquet files of the coordinate era, published anew in 2022.
YELLOW_2009_PARQUET = (
    "vendor_name,Trip_Pickup_DateTime,Trip_Dropoff_DateTime,Passenger_Count,Trip_Distance,Start_Lon,Start_Lat,"
    "Rate_Code,store_and_forward,End_Lon,End_Lat,Payment_Type,Fare_Amt,surcharge,mta_tax,Tip_Amt,Tolls_Amt,Total_Amt"
)
YELLOW_2010_PARQUET = (
    "vendor_id,pickup_datetime,dropoff_datetime,passenger_count,trip_distance,pickup_longitude,pickup_latitude,"
    "rate_code,store_and_fwd_flag,dropoff_longitude,dropoff_latitude,payment_type,fare_amount,surcharge,mta_tax,"
    "tip_amount,tolls_amount,total_amount"
)
YELLOW_PARQUET = (
    "VendorID,tpep_pickup_datetime,tpep_dropoff_datetime,passenger_count,trip_distance,RatecodeID,store_and_fwd_flag,"
    "PULocationID,DOLocationID,payment_type,fare_amount,extra,mta_tax,tip_amount,tolls_amount,improvement_surcharge,"
    "total_amount,congestion_surcharge,airport_fee"
)
GREEN_PARQUET = (
    "VendorID,lpep_pickup_datetime,lpep_dropoff_datetime,store_and_fwd_flag,RatecodeID,PULocationID,DOLocationID,"
    "passenger_count,trip_distance,fare_amount,extra,mta_tax,tip_amount,tolls_amount,ehail_fee,improvement_surcharge,"
    "total_amount,payment_type,trip_type,congestion_surcharge"
)
FHV_PARQUET = (
    "dispatching_base_num,pickup_datetime,dropOff_datetime,PUlocationID,DOlocationID,SR_Flag,Affiliated_base_number"
)
FHVHV_PARQUET = (
    "hvfhs_license_num,dispatching_base_num,originating_base_num,request_datetime,on_scene_datetime,pickup_datetime,"
    "dropoff_datetime,PULocationID,DOLocationID,trip_miles,trip_time,base_passenger_fare,tolls,bcf,sales_tax,"
    "congestion_surcharge,airport_fee,tips,driver_pay,shared_request_flag,shared_match_flag,access_a_ride_flag,"
    "wav_request_flag,wav_match_flag"
)
REPUBLISHED = [
    ("yellow", "2009-05", YELLOW_2009_PARQUET),
    ("yellow", "2010-05", YELLOW_2010_PARQUET),
    ("yellow", "2011-01", YELLOW_PARQUET),
    ("yellow", "2016-06", YELLOW_PARQUET),
    ("yellow", "2023-02", YELLOW_PARQUET.replace("airport", "Airport")),
    ("yellow", "2025-01", YELLOW_PARQUET.replace("airport", "Airport") + ",cbd_congestion_fee"),
    ("yellow", "2026-06", YELLOW_PARQUET + ",cbd_congestion_fee,request_source"),
    ("green", "2013-08", GREEN_PARQUET),
    ("green", "2016-06", GREEN_PARQUET),
    ("green", "2025-01", GREEN_PARQUET + ",cbd_congestion_fee"),
    ("green", "2026-06", GREEN_PARQUET + ",cbd_congestion_fee,request_source"),
    ("fhv", "2015-01", FHV_PARQUET),
    ("fhv", "2025-01", FHV_PARQUET),
    ("fhvhv", "2019-02", FHVHV_PARQUET),
    ("fhvhv", "2024-12", FHVHV_PARQUET),
    ("fhvhv", "2025-01", FHVHV_PARQUET + ",cbd_congestion_fee"),
]


def _month(dataset: str, label: str) -> TripMonth:
    return TripMonth(dataset, parse_month(label))


def test_every_column_of_every_real_file_is_known_and_none_is_missing(tlc: Path) -> None:
    files = list(real_columns(tlc))

    for month, name, columns in files:
        match = match_columns(CONTRACTS[month.dataset], columns, month)
        assert (match.unknown, match.missing) == ((), ()), name

    assert {month.dataset for month, _, _ in files} == set(CONTRACTS)
    assert len(files) > 100


def test_every_spelling_of_every_real_file_is_declared_letter_by_letter(tlc: Path) -> None:
    undeclared = {
        (month.dataset, column)
        for month, _, columns in real_columns(tlc)
        for column in columns
        if column.strip() not in {s for c in CONTRACTS[month.dataset].columns for s in c.spellings}
    }

    assert undeclared == set()


@pytest.mark.parametrize(("dataset", "label", "header"), REPUBLISHED)
def test_files_published_anew_as_parquet_fit_their_month(dataset: str, label: str, header: str) -> None:
    match = match_columns(CONTRACTS[dataset], header.split(","), _month(dataset, label))

    assert (match.unknown, match.missing) == ((), ())


@pytest.mark.parametrize(("dataset", "label", "header"), REPUBLISHED)
def test_any_required_column_is_missed(dataset: str, label: str, header: str) -> None:
    contract, month, columns = CONTRACTS[dataset], _month(dataset, label), header.split(",")
    whole = match_columns(contract, columns, month)

    for column in contract.columns:
        if month.first_day in column.required and column.name in whole.found:
            without = [name for name in columns if name not in whole.found[column.name]]
            assert column.name in match_columns(contract, without, month).missing


def test_letter_case_and_spaces_around_a_name_do_not_matter() -> None:
    columns = [f" {name.swapcase()} " for name in YELLOW_PARQUET.split(",")]

    match = match_columns(CONTRACTS["yellow"], columns, _month("yellow", "2022-01"))

    assert (match.unknown, match.missing) == ((), ())
    assert match.found["vendor_id"] == (" vENDORid ",)
    assert match.column_of(" vENDORid ") == "vendor_id"
    assert match.column_of("VendorID") is None


def test_of_two_names_for_a_column_the_more_trusted_comes_first() -> None:
    columns = ["Pickup_DateTime", "DropOff_datetime", "PUlocationID", "DOlocationID", "SR_Flag"]

    match = match_columns(
        CONTRACTS["fhv"], [*columns, "Dispatching_base_number", "Dispatching_base_num"], _month("fhv", "2018-01")
    )

    assert match.found["dispatching_base_num"] == ("Dispatching_base_num", "Dispatching_base_number")


def test_a_column_nobody_knows_is_named_and_stops_nothing() -> None:
    columns = [*YELLOW_PARQUET.split(","), "mood", UNPARSED_COLUMN]

    match = require_columns(CONTRACTS["yellow"], columns, _month("yellow", "2022-01"), "a file")

    assert match.unknown == ("mood",)


@pytest.mark.parametrize("label", ["2016-07", "2017-01", "2024-05"])
def test_coordinates_do_not_stand_in_for_zones_once_zones_are_the_rule(label: str) -> None:
    match = match_columns(CONTRACTS["yellow"], YELLOW_2010_PARQUET.split(","), _month("yellow", label))

    assert {"pickup_location_id", "dropoff_location_id"} <= set(match.missing)


def test_one_end_s_zone_does_not_stand_in_for_the_other_s_coordinates() -> None:
    columns = [name for name in YELLOW_PARQUET.split(",") if name != "DOLocationID"]

    match = match_columns(CONTRACTS["yellow"], columns, _month("yellow", "2012-05"))

    assert match.missing == ("dropoff_longitude", "dropoff_latitude")


def test_a_missing_column_stops_the_month_with_a_sentence_that_names_it() -> None:
    columns = [name for name in GREEN_PARQUET.split(",") if name not in ("fare_amount", "trip_type")]

    with pytest.raises(ContractError) as refused:
        require_columns(CONTRACTS["green"], columns, _month("green", "2023-01"), "green_tripdata_2023-01.parquet")

    sentence = str(refused.value)
    assert sentence.startswith(
        "green_tripdata_2023-01.parquet is not a green 2023-01 file: it has no column for fare_amount, trip_type"
    )
    assert "the month before it stays in place" in sentence


def test_a_file_without_columns_says_so() -> None:
    with pytest.raises(ContractError, match=r"its columns are none"):
        require_columns(CONTRACTS["fhv"], [], TripMonth("fhv", date(2020, 1, 1)), "an empty file")
