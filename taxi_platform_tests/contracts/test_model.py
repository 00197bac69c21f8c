"""What the contracts declare, what they promise, and when their fingerprint changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from taxi_platform.contracts import CONTRACTS
from taxi_platform.contracts.contract import Contract
from taxi_platform.contracts.model import ALWAYS, NEVER, Column, ColumnType, Span
from taxi_platform.contracts.rules import DurationOver, ExactDuplicate, NegativeTotal, OutsideRange
from taxi_platform_tests.contracts.samples import FERRY

TAXI_COLUMNS = [
    "file_month",
    "vendor_id",
    "pickup_datetime",
    "dropoff_datetime",
    "store_and_fwd_flag",
    "rate_code_id",
    "pickup_location_id",
    "dropoff_location_id",
    "passenger_count",
    "trip_distance",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "total_amount",
    "payment_type",
    "congestion_surcharge",
    "airport_fee",
    "cbd_congestion_fee",
]
COORDINATES = ["pickup_longitude", "pickup_latitude", "dropoff_longitude", "dropoff_latitude"]
DERIVED = ["derived_pickup_location_id", "derived_dropoff_location_id"]


def test_taxi_trips_have_the_field_s_names_in_the_field_s_order() -> None:
    assert list(CONTRACTS["yellow"].trips.column_names) == [*TAXI_COLUMNS, *COORDINATES, "request_source", *DERIVED]
    assert list(CONTRACTS["green"].trips.column_names) == [
        *TAXI_COLUMNS,
        "trip_type",
        "ehail_fee",
        *COORDINATES,
        "request_source",
        *DERIVED,
    ]


def test_each_dataset_begins_with_its_first_published_month() -> None:
    assert {name: str(contract.first_month) for name, contract in CONTRACTS.items()} == {
        "yellow": "2009-01-01",
        "green": "2013-08-01",
        "fhv": "2015-01-01",
        "fhvhv": "2019-02-01",
    }


@pytest.mark.parametrize("dataset", CONTRACTS)
def test_every_column_has_a_sentence_and_a_document(dataset: str) -> None:
    for column in CONTRACTS[dataset].columns:
        assert column.description.endswith("."), column.name
        assert (column.source or "").startswith("https://"), column.name


@pytest.mark.parametrize(
    ("dataset", "column", "written", "meant"),
    [
        ("yellow", "vendor_id", "VTS", 2),
        ("yellow", "vendor_id", "CMT", 1),
        ("yellow", "vendor_id", "DDS", 3),
        ("yellow", "payment_type", "CASH", 2),
        ("yellow", "payment_type", "Cash", 2),
        ("yellow", "payment_type", "CAS", 2),
        ("yellow", "payment_type", "CSH", 2),
        ("yellow", "payment_type", "CRD", 1),
        ("yellow", "payment_type", "CRE", 1),
        ("yellow", "payment_type", "Credit", 1),
        ("yellow", "payment_type", "NOC", 3),
        ("yellow", "payment_type", "No", 3),
        ("yellow", "payment_type", "No Charge", 3),
        ("yellow", "payment_type", "NA ", 5),
        ("yellow", "payment_type", "DIS", 4),
        ("yellow", "payment_type", "Dispute", 4),
        ("yellow", "payment_type", "UNK", 5),
        ("yellow", "store_and_fwd_flag", "0", "N"),
        ("yellow", "store_and_fwd_flag", "1", "Y"),
    ],
)
def test_the_early_years_texts_stand_for_todays_codes(dataset: str, column: str, written: str, meant: object) -> None:
    assert CONTRACTS[dataset].column(column).recodes[written.strip().casefold()] == meant


def test_text_codes_end_with_2014() -> None:
    vendor = CONTRACTS["yellow"].column("vendor_id")

    assert vendor.is_text_in(date(2014, 12, 1))
    assert not vendor.is_text_in(date(2015, 1, 1))


def test_a_dropoff_of_fhv_is_promised_from_2018_only() -> None:
    dropoff = CONTRACTS["fhv"].column("dropoff_datetime")

    assert date(2017, 12, 1) not in dropoff.filled
    assert date(2018, 1, 1) in dropoff.filled
    assert date(2016, 12, 1) not in dropoff.required


def test_a_column_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        CONTRACTS["fhv"].column("fare_amount")


@pytest.mark.parametrize(
    ("span", "inside", "outside", "said"),
    [
        (ALWAYS, [date(1, 1, 1), date(9999, 12, 1)], [], "always"),
        (NEVER, [], [date(1, 1, 1), date(2020, 1, 1), date(9999, 12, 1)], "never"),
        (Span(since=date(2019, 1, 1)), [date(2019, 1, 1)], [date(2018, 12, 1)], "from 2019-01"),
        (Span(until=date(2016, 6, 1)), [date(2016, 6, 1)], [date(2016, 7, 1)], "to 2016-06"),
        (
            Span(date(2019, 1, 1), date(2019, 2, 1)),
            [date(2019, 1, 1), date(2019, 2, 1)],
            [date(2018, 12, 1), date(2019, 3, 1)],
            "from 2019-01 to 2019-02",
        ),
    ],
)
def test_a_span_holds_both_its_ends(span: Span, inside: list[date], outside: list[date], said: str) -> None:
    assert all(day in span for day in inside)
    assert not any(day in span for day in outside)
    assert str(span) == said


@pytest.mark.parametrize("dataset", CONTRACTS)
def test_reasons_come_with_their_exact_meaning(dataset: str) -> None:
    contract = CONTRACTS[dataset]

    assert contract.reasons[0] == "unparseable"
    assert tuple(contract.reason_descriptions) == contract.reasons
    assert all(contract.reason_descriptions.values())


def test_the_taxis_rules_are_these() -> None:
    assert (
        CONTRACTS["yellow"].reasons
        == CONTRACTS["green"].reasons
        == (
            "unparseable",
            "timestamp_missing",
            "pickup_outside_file_month",
            "dropoff_before_pickup",
            "duration_over_24h",
            "unknown_location",
            "distance_impossible",
            "exact_duplicate",
            "void_pair",
            "negative_total",
        )
    )


def _with_column(name: str, **changes: Any) -> Contract:
    """The ferry with one column declared otherwise."""
    return replace(FERRY, columns=tuple(replace(c, **changes) if c.name == name else c for c in FERRY.columns))


def _renamed(old: str, new: str) -> Contract:
    """The ferry with a column of another name, nothing else referring to it."""
    columns = tuple(replace(column, name=new) if column.name == old else column for column in FERRY.columns)
    return replace(FERRY, columns=columns, unified={}, cluster_by=("pickup_datetime",))


@pytest.mark.parametrize(
    "changed",
    [
        lambda: _renamed("boat", "ship"),
        lambda: replace(FERRY, columns=(*FERRY.columns, Column("deck", ColumnType.TEXT, "Deck."))),
        lambda: _with_column("boat", spellings=("Boat",)),
        lambda: _with_column("boat", spellings=("vessel", "Boat")),
        lambda: _with_column("boat", recodes={"alice": "B"}),
        lambda: _with_column("boat", codes={"A": "Alice"}),
        lambda: _with_column("boat", text_until=date(2024, 6, 1)),
        lambda: _with_column("pickup_datetime", nullable=True),
        lambda: _with_column("pickup_datetime", nullable=True, filled=Span(since=date(2024, 6, 1))),
        lambda: _with_column("fare", type=ColumnType.BIGINT),
        lambda: replace(FERRY, columns=FERRY.columns[::-1]),
        lambda: replace(FERRY, rules=FERRY.rules[:-1]),
        lambda: replace(FERRY, rules=(*FERRY.rules, ExactDuplicate("exact_duplicate"))),
        lambda: replace(FERRY, rules=(*FERRY.rules[:-1], OutsideRange("fare_impossible", ("fare",), 0, 99))),
    ],
)
def test_what_changes_rows_changes_the_fingerprint(changed: Callable[[], Contract]) -> None:
    assert changed().fingerprint != FERRY.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        lambda: replace(FERRY),
        lambda: replace(FERRY, title="boat", description="Other words."),
        lambda: replace(FERRY, unified={}),
        lambda: _with_column("boat", description="Other words.", unit="boats", source="https://example.org/other"),
        lambda: _with_column("boat", codes={"B": "Bobby", "A": "Alicia"}),
        lambda: _with_column("boat", spellings=(" BOAT", "Vessel ")),
        lambda: _with_column("boat", required=NEVER),
    ],
)
def test_what_changes_no_row_leaves_the_fingerprint(changed: Callable[[], Contract]) -> None:
    assert changed().fingerprint == FERRY.fingerprint


def test_datasets_have_fingerprints_of_their_own() -> None:
    assert len({contract.fingerprint for contract in CONTRACTS.values()}) == len(CONTRACTS)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda: replace(FERRY, columns=(*FERRY.columns, FERRY.columns[0])), "the column 'boat' is declared more"),
        (
            lambda: replace(FERRY, columns=(*FERRY.columns, Column("ship", ColumnType.TEXT, "Ship.", ("VESSEL",)))),
            "the upstream name 'vessel' is declared more than once",
        ),
        (lambda: replace(FERRY, rules=(*FERRY.rules, FERRY.rules[0])), "the reason 'timestamp_missing' is declared"),
        (lambda: replace(FERRY, rules=(NegativeTotal("negative_total", "total"),)), "columns that do not exist: total"),
        (
            lambda: replace(
                FERRY, rules=(DurationOver("too_long", "pickup_datetime", "landed_at", timedelta(hours=1)),)
            ),
            "the rule 'too_long' names columns that do not exist: landed_at",
        ),
        (lambda: replace(FERRY, cluster_by=("deck",)), "cluster_by names columns that do not exist: deck"),
        (lambda: replace(FERRY, unified={"vendor": "captain"}), "unified names columns that do not exist: captain"),
        (lambda: _with_column("boat", unless=("raft",)), "unless of 'boat' names columns that do not exist: raft"),
        (lambda: _with_column("boat", codes={1: "Alice"}), "codes of 'boat' are not of its type"),
        (lambda: _with_column("fare", recodes={"free": "0"}), "codes of 'fare' are not of its type"),
        (lambda: _with_column("boat", nullable=False), "'boat' cannot be null, but no rule keeps nulls out"),
        (lambda: _with_column("boat", filled=ALWAYS), "'boat' must be filled, but no rule judges by that"),
        (lambda: replace(FERRY, rules=FERRY.rules[1:]), "'pickup_datetime' must be filled, but no rule judges by that"),
    ],
)
def test_a_contract_that_contradicts_itself_cannot_be_made(changed: Callable[[], Contract], says: str) -> None:
    with pytest.raises(ValueError, match="the contract of ferry contradicts itself") as refused:
        changed()

    assert says in str(refused.value)
