"""The view over all datasets, run on a real engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
import sqlglot

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.dialects import DIALECTS, DUCKDB
from taxi_platform.contracts.model import Table
from taxi_platform.contracts.schemas import duckdb_columns
from taxi_platform.contracts.unified import PLAUSIBLE, UNIFIED, UNIFIED_COLUMNS, unified_view_sql
from taxi_platform.contracts.zones import ZONES
from taxi_platform_tests.contracts.samples import FERRY

MARCH = date(2020, 3, 1)
NOON = datetime(2020, 3, 5, 12)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA taxi")
        _create(connection, ZONES)
        for zone in ((1, "EWR", "Newark Airport", "EWR"), (264, "Unknown", "NV", "N/A")):
            connection.execute("INSERT INTO taxi.zones VALUES (?, ?, ?, ?)", list(zone))
        yield connection


def _create(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    connection.execute(f"CREATE TABLE taxi.{table.name} ({duckdb_columns(table)})")


def _insert(connection: duckdb.DuckDBPyConnection, contract: Contract, row: Mapping[str, object]) -> None:
    values = {"file_month": MARCH, "pickup_datetime": NOON, **row}
    marks = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO taxi.{contract.trips.name} ({', '.join(values)}) VALUES ({marks})", list(values.values())
    )


def _view(connection: duckdb.DuckDBPyConnection, contracts: Sequence[Contract]) -> list[dict[str, Any]]:
    existing = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    sql = unified_view_sql(contracts, existing, lambda name: f"taxi.{name}", DUCKDB)
    connection.execute(f"CREATE OR REPLACE VIEW taxi.trips AS {sql}")
    result = connection.execute("SELECT * FROM taxi.trips ORDER BY dataset, vendor")
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def test_two_datasets_stand_in_one_shape_with_zone_names_joined(database: duckdb.DuckDBPyConnection) -> None:
    green, fhvhv = CONTRACTS["green"], CONTRACTS["fhvhv"]
    for contract in (green, fhvhv):
        _create(database, contract.trips)
    ends = {"dropoff_datetime": NOON, "pickup_location_id": 1, "dropoff_location_id": 264}
    _insert(database, green, {**ends, "vendor_id": 2, "fare_amount": 7.5, "total_amount": 9.0, "trip_type": 1})
    _insert(database, fhvhv, {**ends, "hvfhs_license_num": "HV0003", "base_passenger_fare": 30.0, "trip_miles": 4.0})

    app, street = _view(database, list(CONTRACTS.values()))

    assert tuple(app) == UNIFIED.column_names
    assert (street["dataset"], street["vendor"], street["fare_amount"], street["total_amount"]) == (
        "green",
        "2",
        7.5,
        9.0,
    )
    assert (app["dataset"], app["vendor"], app["fare_amount"], app["trip_distance"], app["total_amount"]) == (
        "fhvhv",
        "HV0003",
        30.0,
        4.0,
        None,
    )
    for trip in (app, street):
        assert (trip["file_month"], trip["pickup_datetime"]) == (MARCH, NOON)
        assert (trip["pickup_borough"], trip["pickup_zone"]) == ("EWR", "Newark Airport")
        assert (trip["dropoff_borough"], trip["dropoff_zone"]) == ("Unknown", "NV")


def test_a_zone_that_upstream_does_not_give_is_the_derived_one_and_says_so(database: duckdb.DuckDBPyConnection) -> None:
    yellow = CONTRACTS["yellow"]
    _create(database, yellow.trips)
    ends = {"dropoff_datetime": NOON}
    derived = {**ends, "derived_pickup_location_id": 1, "derived_dropoff_location_id": 264}
    _insert(database, yellow, {"vendor_id": 1, **derived})
    _insert(database, yellow, {"vendor_id": 2, **derived, "pickup_location_id": 264})
    _insert(database, yellow, {"vendor_id": 3, **ends})

    trips = _view(database, [yellow])

    names = ("location_id", "zone", "airport", "location_is_derived")
    assert [tuple(trip[f"pickup_{name}"] for name in names) for trip in trips] == [
        (1, "Newark Airport", "EWR", True),
        (264, "NV", None, False),
        (None, None, None, False),
    ]
    assert [trip["dropoff_location_is_derived"] for trip in trips] == [True, True, False]
    assert [trip["is_airport_trip"] for trip in trips] == [True, False, False]


def test_a_trip_without_zones_is_kept(database: duckdb.DuckDBPyConnection) -> None:
    _create(database, CONTRACTS["fhv"].trips)
    _insert(database, CONTRACTS["fhv"], {"dispatching_base_num": "B00001", "pickup_location_id": 300})

    [trip] = _view(database, [CONTRACTS["fhv"]])

    assert (trip["vendor"], trip["pickup_location_id"], trip["pickup_zone"], trip["dropoff_zone"]) == (
        "B00001",
        300,
        None,
        None,
    )


def test_a_dataset_without_places_is_in_the_view_too(database: duckdb.DuckDBPyConnection) -> None:
    for contract in (CONTRACTS["yellow"], FERRY):
        _create(database, contract.trips)
    _insert(database, FERRY, {"boat": "A", "fare": 3.25})

    [trip] = _view(database, [CONTRACTS["yellow"], FERRY])

    assert (trip["dataset"], trip["vendor"], trip["fare_amount"], trip["pickup_zone"]) == ("ferry", "A", 3.25, None)


def test_the_view_has_the_declared_types(database: duckdb.DuckDBPyConnection) -> None:
    for contract in CONTRACTS.values():
        _create(database, contract.trips)
    _view(database, list(CONTRACTS.values()))

    described = database.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'trips' ORDER BY column_index"
    ).fetchall()

    assert described == [(column.name, column.type.duckdb) for column in UNIFIED.columns]


def _taxi(connection: duckdb.DuckDBPyConnection, **values: object) -> dict[str, Any]:
    """The view's row of one yellow taxi trip of ten minutes, two miles and ten dollars, with those values changed."""
    trip = {"dropoff_datetime": NOON + timedelta(minutes=10), "trip_distance": 2.0, "fare_amount": 10.0, **values}
    connection.execute("DELETE FROM taxi.yellow_trips")
    _insert(connection, CONTRACTS["yellow"], trip)
    [row] = _view(connection, [CONTRACTS["yellow"]])
    return row


@pytest.fixture
def yellow(database: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    _create(database, CONTRACTS["yellow"].trips)
    return database


def test_codes_have_their_labels(yellow: duckdb.DuckDBPyConnection) -> None:
    labelled = _taxi(yellow, vendor_id=2, payment_type=1, rate_code_id=5)
    assert (labelled["vendor_name"], labelled["payment_type_name"], labelled["rate_code_name"]) == (
        "Curb Mobility (VeriFone)",
        "credit card",
        "negotiated fare",
    )
    assert (labelled["trip_type"], labelled["trip_type_name"]) == (None, None)
    unknown = _taxi(yellow, vendor_id=77, payment_type=77)
    assert (unknown["vendor"], unknown["vendor_name"], unknown["payment_type_name"]) == ("77", None, None)


@pytest.mark.parametrize(
    ("dropoff", "miles", "seconds", "mph"),
    [
        (NOON + timedelta(minutes=10), 2.0, 600, 12.0),
        (NOON + timedelta(seconds=1, microseconds=999_999), 1.0, 1, 3600.0),
        (NOON, 2.0, 0, None),
        (NOON - timedelta(minutes=1), 2.0, -60, None),
        (NOON + timedelta(minutes=10), None, 600, None),
    ],
)
def test_duration_and_speed(
    yellow: duckdb.DuckDBPyConnection, dropoff: datetime, miles: float | None, seconds: int, mph: float | None
) -> None:
    row = _taxi(yellow, dropoff_datetime=dropoff, trip_distance=miles)
    assert (row["duration_seconds"], row["speed_mph"]) == (seconds, mph)


@pytest.mark.parametrize(
    ("values", "is_plausible"),
    [
        ({}, True),
        ({"trip_distance": None, "fare_amount": None}, True),
        ({"trip_distance": 0.0}, False),
        ({"trip_distance": 100.0, "dropoff_datetime": NOON + timedelta(hours=2)}, True),
        ({"trip_distance": 100.1, "dropoff_datetime": NOON + timedelta(hours=2)}, False),
        ({"fare_amount": 0.0}, False),
        ({"fare_amount": -10.0}, False),
        ({"fare_amount": 500.0}, True),
        ({"fare_amount": 500.5}, False),
        ({"dropoff_datetime": NOON + timedelta(seconds=60)}, False),  # two miles in a minute are 120 mph
        ({"dropoff_datetime": NOON + timedelta(seconds=60), "trip_distance": 0.5}, True),
        ({"dropoff_datetime": NOON + timedelta(seconds=59), "trip_distance": 0.5}, False),
        ({"dropoff_datetime": NOON + timedelta(hours=6), "trip_distance": 6.0}, True),
        ({"dropoff_datetime": NOON + timedelta(hours=6), "trip_distance": 5.9}, False),
        ({"dropoff_datetime": NOON + timedelta(hours=6, seconds=1), "trip_distance": None}, False),
        ({"dropoff_datetime": NOON - timedelta(minutes=10)}, False),
    ],
)
def test_what_is_plausible(
    yellow: duckdb.DuckDBPyConnection, values: Mapping[str, object], *, is_plausible: bool
) -> None:
    assert _taxi(yellow, **values)["is_plausible"] is is_plausible


def test_the_rule_of_what_is_plausible_is_in_its_description() -> None:
    [column] = [column for column in UNIFIED.columns if column.name == "is_plausible"]
    assert all(f"{name} from {low:,} to {high:,}" in column.description for name, (low, high) in PLAUSIBLE.items())


@pytest.mark.parametrize(
    ("values", "pickup", "dropoff", "is_airport_trip"),
    [
        ({"pickup_location_id": 132, "dropoff_location_id": 1}, "JFK", "EWR", True),
        ({"pickup_location_id": 7, "dropoff_location_id": 138}, None, "LGA", True),
        ({"rate_code_id": 2}, None, None, True),
        ({"rate_code_id": 3}, None, None, True),
        ({"rate_code_id": 1, "pickup_location_id": 7, "dropoff_location_id": 264}, None, None, False),
        ({}, None, None, False),
    ],
)
def test_what_is_a_trip_of_an_airport(
    yellow: duckdb.DuckDBPyConnection,
    values: Mapping[str, object],
    pickup: str | None,
    dropoff: str | None,
    *,
    is_airport_trip: bool,
) -> None:
    row = _taxi(yellow, **values)
    assert (row["pickup_airport"], row["dropoff_airport"], row["is_airport_trip"]) == (pickup, dropoff, is_airport_trip)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_reads_every_label(name: str) -> None:
    """Some labels have an apostrophe, which BigQuery escapes otherwise."""
    contracts = [*CONTRACTS.values(), replace(FERRY, unified={"vendor": "boat"})]
    sql = unified_view_sql(contracts, {c.trips.name for c in contracts}, str, DIALECTS[name])
    read = {literal.this for literal in sqlglot.parse_one(sql, read=name).find_all(sqlglot.exp.Literal)}
    labels = {"Bob's", *CONTRACTS["yellow"].column("vendor_id").codes.values()}
    assert any("'" in label for label in CONTRACTS["yellow"].column("vendor_id").codes.values())
    assert labels <= read


def test_a_store_without_any_dataset_gets_no_view() -> None:
    assert unified_view_sql(list(CONTRACTS.values()), {"zones"}, str, DUCKDB) == ""


@pytest.mark.parametrize("dataset", CONTRACTS)
def test_what_a_dataset_brings_to_the_view_are_columns_of_the_view(dataset: str) -> None:
    assert set(CONTRACTS[dataset].unified) <= {name for name, _ in UNIFIED_COLUMNS}
