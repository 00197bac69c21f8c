"""Each rule at its edges: the last row it leaves alone and the first it rejects."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.rules import Rule
from taxi_platform_tests.cleaning.months import YELLOW, clean, table, trip

NOON = datetime(2020, 3, 10, 12)


def _times(pickup: datetime | None, dropoff: datetime | None) -> dict[str, Any]:
    return trip(tpep_pickup_datetime=pickup, tpep_dropoff_datetime=dropoff)


def _at(pickup: datetime) -> dict[str, Any]:
    return _times(pickup, pickup + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        (trip(), []),
        (_times(None, NOON), ["timestamp_missing"]),
        (_times(NOON, None), ["timestamp_missing"]),
        (_at(datetime(2020, 2, 29)), []),
        (_at(datetime(2020, 2, 28, 23, 59, 59, 999999)), ["pickup_outside_file_month"]),
        (_at(datetime(2020, 4, 1, 23, 59, 59, 999999)), []),
        (_at(datetime(2020, 4, 2)), ["pickup_outside_file_month"]),
        (_times(NOON, NOON), []),
        (_times(NOON, NOON - timedelta(microseconds=1)), ["dropoff_before_pickup"]),
        (_times(NOON, NOON + timedelta(hours=24)), []),
        (_times(NOON, NOON + timedelta(hours=24, microseconds=1)), ["duration_over_24h"]),
        (trip(PULocationID=0), ["unknown_location"]),
        (trip(PULocationID=1, DOLocationID=265), []),
        (trip(DOLocationID=266), ["unknown_location"]),
        (trip(PULocationID=None, DOLocationID=None), []),
        (trip(trip_distance=0.0), []),
        (trip(trip_distance=-0.01), ["distance_impossible"]),
        (trip(trip_distance=1000.0), []),
        (trip(trip_distance=1000.01), ["distance_impossible"]),
        (trip(trip_distance=None), []),
        (trip(total_amount=-0.01), ["negative_total"]),
        (trip(total_amount=-0.0), []),
        (trip(total_amount=None), []),
        (trip(passenger_count=0.0), []),
        (
            trip(
                tpep_pickup_datetime=datetime(2009, 1, 1),
                tpep_dropoff_datetime=datetime(2008, 12, 31),
                DOLocationID=0,
                trip_distance=-1.0,
                total_amount=-1.0,
            ),
            [
                "pickup_outside_file_month",
                "dropoff_before_pickup",
                "unknown_location",
                "distance_impossible",
                "negative_total",
            ],
        ),
    ],
)
def test_a_row_lists_exactly_the_rules_that_reject_it(row: dict[str, Any], reasons: list[str], tmp_path: Path) -> None:
    assert clean([row], tmp_path).reasons == ({0: reasons} if reasons else {})


def test_the_first_copy_stays_and_every_further_one_is_a_duplicate(tmp_path: Path) -> None:
    rows = [trip(), trip(tip_amount=9.0), trip(), trip(), trip(tip_amount=9.0)]
    assert clean(rows, tmp_path).reasons == {n: ["exact_duplicate"] for n in (2, 3, 4)}


def test_a_column_the_contract_does_not_know_tells_two_rows_apart(tmp_path: Path) -> None:
    rows = [{**trip(), "driver": name} for name in ("a", "b", "a", None, None)]
    cleaned = clean(table(rows, driver=pa.string()), tmp_path)
    assert cleaned.reasons == {2: ["exact_duplicate"], 4: ["exact_duplicate"]}
    assert cleaned.facts.unknown_columns == ("driver",)


def test_nested_and_binary_columns_tell_rows_apart_too(tmp_path: Path) -> None:
    rows = [
        {**trip(), "tags": tags, "seal": seal} for tags, seal in [([1], b"x"), ([2], b"x"), ([1], b"x"), ([1], b"y")]
    ]
    assert clean(table(rows, tags=pa.list_(pa.int64()), seal=pa.binary()), tmp_path).reasons == {2: ["exact_duplicate"]}


def test_zero_and_minus_zero_are_one_value_and_null_is_another(tmp_path: Path) -> None:
    rows = [trip(tip_amount=0.0), trip(tip_amount=-0.0), trip(tip_amount=None), trip(tip_amount=None)]
    assert clean(rows, tmp_path).reasons == {1: ["exact_duplicate"], 3: ["exact_duplicate"]}


@pytest.mark.parametrize(
    ("totals", "paired"),
    [
        ([5.0, -5.0], {0, 1}),
        ([-5.0, 5.0], {0, 1}),
        ([5.0, 5.0, -5.0], {0, 2}),
        ([-5.0, -5.0, 5.0], {0, 2}),
        ([5.0, 5.0, -5.0, -5.0], {0, 1, 2, 3}),
        ([5.001, -4.999], {0, 1}),
        ([5.0, -5.01], set()),
        ([0.125, -0.13], {0, 1}),
        ([0.0, -0.0], set()),
        ([0.004, -0.004], set()),
        ([5.0, None, -5.0], {0, 2}),
    ],
)
def test_the_kth_reversal_goes_with_the_kth_charge(
    totals: list[float | None], paired: set[int], tmp_path: Path
) -> None:
    # Tips differ, so that no row is an exact duplicate.
    rows = [trip(total_amount=total, tip_amount=float(n)) for n, total in enumerate(totals)]
    reasons = clean(rows, tmp_path).reasons
    assert {n for n, listed in reasons.items() if "void_pair" in listed} == paired
    alone = {n for n, total in enumerate(totals) if total is not None and total < 0} - paired
    assert {n for n, listed in reasons.items() if "negative_total" in listed} == alone


@pytest.mark.parametrize(
    "change",
    [
        {"VendorID": 1},
        {"tpep_pickup_datetime": datetime(2020, 3, 10, 8, 1)},
        {"tpep_dropoff_datetime": NOON},
        {"PULocationID": 7},
        {"DOLocationID": None},
        {"trip_distance": 2.51},
    ],
)
def test_rows_that_differ_in_the_key_are_no_pair(change: dict[str, Any], tmp_path: Path) -> None:
    assert clean([trip(), trip(**change, total_amount=-18.3)], tmp_path).reasons == {1: ["negative_total"]}


def test_nulls_in_the_key_are_equal(tmp_path: Path) -> None:
    same = {"VendorID": None, "PULocationID": None, "trip_distance": None}
    rows = [trip(**same), trip(**same, total_amount=-18.3)]
    assert clean(rows, tmp_path).reasons == {0: ["void_pair"], 1: ["void_pair"]}


def test_a_copied_charge_and_its_copied_reversal_carry_both_reasons(tmp_path: Path) -> None:
    rows = [trip(), trip(total_amount=-18.3), trip(), trip(total_amount=-18.3)]
    both = ["exact_duplicate", "void_pair"]
    assert clean(rows, tmp_path).reasons == {0: ["void_pair"], 1: ["void_pair"], 2: both, 3: both}


def test_pairs_and_copies_are_found_across_row_groups_and_batches(tmp_path: Path) -> None:
    filler = [trip(tip_amount=float(n), trip_distance=n / 100) for n in range(70_000)]
    rows = [trip(fare_amount=1.0), trip(total_amount=77.0), *filler, trip(fare_amount=1.0), trip(total_amount=-77.0)]
    # The first row has its copy, the second its reversal, one batch and two row groups further on.
    last = len(rows) - 1
    assert clean(rows, tmp_path, row_group_size=30_000).reasons == {
        1: ["void_pair"],
        last - 1: ["exact_duplicate"],
        last: ["void_pair"],
    }


@pytest.mark.parametrize(
    ("first_day", "reasons"), [(date(2017, 12, 1), {}), (date(2018, 1, 1), {0: "timestamp_missing"})]
)
def test_a_missing_dropoff_counts_only_where_the_contract_says_it_is_filled(
    first_day: date, reasons: dict[int, str], tmp_path: Path
) -> None:
    row = {
        "Dispatching_base_num": "B1",
        "Pickup_DateTime": datetime(first_day.year, first_day.month, 5),
        "DropOff_datetime": None,
        "PUlocationID": None,
        "DOlocationID": None,
    }
    schema = pa.schema(
        {
            "Dispatching_base_num": pa.string(),
            "Pickup_DateTime": pa.timestamp("us"),
            "DropOff_datetime": pa.timestamp("us"),
            "PUlocationID": pa.float64(),
            "DOlocationID": pa.float64(),
        }
    )
    cleaned = clean(pa.Table.from_pylist([row], schema=schema), tmp_path, CONTRACTS["fhv"], first_day)
    assert cleaned.reasons == {number: [reason] for number, reason in reasons.items()}


def _fhv(first_day: date, *trips: dict[str, Any]) -> pa.Table:
    """For-hire rows of a month, equal but for the changes asked for."""
    pickup = datetime(first_day.year, first_day.month, 3, 8)
    row = {"dispatching_base_num": "B1", "pickup_datetime": pickup, "dropOff_datetime": pickup + timedelta(minutes=9)}
    rows = [{**row, "PUlocationID": 7, "DOlocationID": 9, **changes} for changes in trips]
    types = {"dispatching_base_num": pa.string(), "PUlocationID": pa.int64(), "DOlocationID": pa.int64()}
    times = dict.fromkeys(("pickup_datetime", "dropOff_datetime"), pa.timestamp("us"))
    return pa.Table.from_pylist(rows, schema=pa.schema({**types, **times}))


@pytest.mark.parametrize(
    ("changes", "is_copy"),
    [
        ({}, True),
        ({"dropOff_datetime": None}, False),
        ({"PUlocationID": None}, False),
        ({"DOlocationID": None}, False),
        ({"PUlocationID": 264}, False),
        ({"DOlocationID": 265}, False),
        ({"DOlocationID": 263}, True),
    ],
)
def test_equal_for_hire_rows_are_copies_where_they_say_enough(
    changes: dict[str, Any], is_copy: bool, tmp_path: Path
) -> None:
    month = date(2017, 2, 1)  # drop-offs may be missing
    cleaned = clean(_fhv(month, changes, changes, {"dispatching_base_num": "B2"}), tmp_path, CONTRACTS["fhv"], month)
    assert cleaned.reasons == ({1: ["exact_duplicate"]} if is_copy else {})
    assert cleaned.facts.equal_rows == (0 if is_copy else 1)


def test_equal_rows_of_the_years_without_drop_offs_are_kept_and_counted(tmp_path: Path) -> None:
    rows = [
        {"dispatching_base_num": base, "Pickup_date": datetime(2015, 1, 3), "locationID": zone}
        for base, zone in [("B00001", 7), ("B00002", 7), ("B00001", 7), ("B00001", None), ("B00001", None)]
    ]
    cleaned = clean(pa.Table.from_pylist(rows), tmp_path, CONTRACTS["fhv"], date(2015, 1, 1))
    assert cleaned.reasons == {}
    assert cleaned.facts.equal_rows == 2
    assert [row["dropoff_datetime"] for row in cleaned.trips] == [None] * 5


@pytest.mark.parametrize(
    ("miles", "fare", "zone", "is_copy"),
    [
        (2.5, 12.0, None, True),
        (2.5, None, None, False),
        (None, 12.0, 265, False),
        (None, None, 7, True),
        (2.5, 12.0, 264, True),
    ],
)
def test_equal_high_volume_rows_are_copies_by_distance_and_fare_or_by_both_places(
    miles: float | None, fare: float | None, zone: int | None, is_copy: bool, tmp_path: Path
) -> None:
    contract, month = CONTRACTS["fhvhv"], date(2024, 1, 1)
    named = {column.known_as[0]: pa.nulls(2) for column in contract.columns if month in column.required}
    times = pa.array([datetime(2024, 1, 3, 8)] * 2, pa.timestamp("us"))
    named |= {"pickup_datetime": times, "dropoff_datetime": times, "trip_miles": pa.array([miles] * 2, pa.float64())}
    named |= {"base_passenger_fare": pa.array([fare] * 2, pa.float64())}
    named |= dict.fromkeys(("pulocationid", "dolocationid"), pa.array([zone] * 2, pa.int64()))
    cleaned = clean(pa.table(named), tmp_path, contract, month)
    assert cleaned.reasons == ({1: ["exact_duplicate"]} if is_copy else {})
    assert cleaned.facts.equal_rows == (0 if is_copy else 1)


def test_a_record_that_was_never_parsed_has_that_one_reason_and_its_text(tmp_path: Path) -> None:
    text = '2,"not a date",\t3'
    empty = dict.fromkeys(trip())
    rows = [{**trip(), "_unparsed": None}, {**empty, "_unparsed": text}, {**empty, "_unparsed": text}]
    cleaned = clean(table(rows, _unparsed=pa.string()), tmp_path)
    assert cleaned.reasons == {1: ["unparseable"], 2: ["unparseable"]}
    assert cleaned.raw == {1: {"_unparsed": text}, 2: {"_unparsed": text}}
    assert cleaned.facts.unknown_columns == ()


def test_a_cell_that_does_not_fit_rejects_its_row_and_is_neither_missing_nor_part_of_a_pair(tmp_path: Path) -> None:
    rows = [
        trip(PULocationID="70000", tpep_pickup_datetime="2020-03-10 08:00:00"),
        trip(PULocationID=None, tpep_pickup_datetime="2020-03-10 08:00:00", total_amount=-18.3),
        trip(PULocationID="48", tpep_pickup_datetime="yesterday"),
    ]
    cleaned = clean(table(rows, PULocationID=pa.string(), tpep_pickup_datetime=pa.string()), tmp_path)
    assert cleaned.reasons == {0: ["unparseable"], 1: ["negative_total"], 2: ["unparseable"]}
    assert json.loads(cleaned.quarantine[2]["raw"])["tpep_pickup_datetime"] == "yesterday"


def test_a_rule_of_a_new_kind_that_nothing_can_judge_is_an_error(tmp_path: Path) -> None:
    from dataclasses import dataclass, replace

    @dataclass(frozen=True)
    class Whim(Rule):
        columns = ()

    contract = replace(YELLOW, rules=(*YELLOW.rules, Whim("whim")))
    with pytest.raises(NotImplementedError, match="whim"):
        clean([trip()], tmp_path, contract)
    assert not list((tmp_path / "clean").iterdir())
